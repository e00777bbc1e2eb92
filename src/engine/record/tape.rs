//! The way of a record to its file: over a bounded queue to a thread that may wait for the disk, as the core thread never does.

use std::ffi::OsString;
use std::fs::{self, File, OpenOptions};
use std::io::{self, BufWriter, Read as _, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, TryRecvError, TrySendError, sync_channel};
use std::thread;

use tokio::sync::oneshot;

use crate::engine::Identity;

use super::mask::Mask;
use super::{Header, Input, LINE_MAX, MAGIC, Record, weight};

/// Records that wait for the disk. What comes beyond is lost, and the recording says so.
const QUEUE_MAX: usize = 4096;

/// The memory that they may take, about, in bytes: a peer may say a lot, and say it often.
const QUEUE_MAX_BYTES: usize = 16 << 20;

/// The core's end of a recording.
pub struct Tape {
    queue: SyncSender<Record>,
    /// What waits in the queue, in bytes.
    waiting: Arc<AtomicUsize>,
    lost: u64,
}

impl Tape {
    /// Puts a record on it, without ever waiting. Nothing is left of the tape once nobody writes any more.
    pub fn put(mut self, record: Record) -> Option<Self> {
        if self.lost > 0 {
            let gap = Record { at: record.at, input: Input::Lost(self.lost) };
            match self.send(gap) {
                Ok(()) => self.lost = 0,
                Err(refusal) => return self.miss(&refusal),
            }
        }
        match self.send(record) {
            Ok(()) => Some(self),
            Err(refusal) => self.miss(&refusal),
        }
    }

    /// Queues a record, if there is room for it. One that is bigger than all room is let in alone.
    fn send(&self, record: Record) -> Result<(), TrySendError<Record>> {
        let size = weight::of(&record);
        let waiting = self.waiting.fetch_add(size, Ordering::Relaxed);
        let sent = match waiting {
            0 => self.queue.try_send(record),
            _ if waiting.saturating_add(size) > QUEUE_MAX_BYTES => Err(TrySendError::Full(record)),
            _ => self.queue.try_send(record),
        };
        if sent.is_err() {
            self.waiting.fetch_sub(size, Ordering::Relaxed);
        }
        sent
    }

    fn miss(mut self, refusal: &TrySendError<Record>) -> Option<Self> {
        self.lost += 1;
        matches!(refusal, TrySendError::Full(_)).then_some(self)
    }
}

/// A new recording, of which nothing is written yet.
pub struct Recording {
    path: PathBuf,
    file: BufWriter<File>,
    room: u64,
    limit: u64,
    mask: Mask,
    waiting: Arc<AtomicUsize>,
}

impl Recording {
    /// Creates the file, for its owner's eyes alone, to grow to `limit` bytes at most. A recording that is there already is
    /// kept as `FILE.1`: it may be that of a daemon that died.
    ///
    /// # Errors
    /// It can't be created, or what is there is no recording; with what to do.
    pub fn create(path: &Path, limit: u64) -> Result<Self, String> {
        let said = |error: &dyn std::fmt::Display| format!("--record {}: {error}", path.display());
        make_way(path).map_err(|error| said(&error))?;
        let file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path);
        let file = BufWriter::new(file.map_err(|error| said(&error))?);
        let mask =
            Mask::new().map_err(|_| said(&"the kernel has no randomness, without which nothing can be masked"))?;
        Ok(Self { path: path.into(), file, room: limit, limit, mask, waiting: Arc::default() })
    }

    /// Writes the header, and everything that is put on the tape, until that is gone, the file has grown to its limit, or it can
    /// be written no more. Then the other end of the channel closes.
    ///
    /// # Errors
    /// There is no thread to be had, or the header can't be written.
    pub(in crate::engine) fn start(mut self, identity: &Identity) -> io::Result<(Tape, oneshot::Receiver<()>)> {
        self.put(&Header::of(identity))?;
        self.file.flush()?;
        let (queue, records) = sync_channel(QUEUE_MAX);
        let waiting = self.waiting.clone();
        let (end, ended) = oneshot::channel();
        thread::Builder::new().name("recorder".into()).spawn(move || {
            if let Err(error) = self.write_all(&records) {
                tracing::warn!("{}: the recording ends here: {error}", self.path.display());
            }
            drop(end);
        })?;
        Ok((Tape { queue, waiting, lost: 0 }, ended))
    }

    fn write_all(&mut self, records: &Receiver<Record>) -> io::Result<()> {
        loop {
            let record = match records.try_recv() {
                Ok(record) => Some(record),
                Err(TryRecvError::Disconnected) => None,
                Err(TryRecvError::Empty) => {
                    self.file.flush()?;
                    records.recv().ok()
                }
            };
            match record {
                Some(mut record) => {
                    self.waiting.fetch_sub(weight::of(&record), Ordering::Relaxed);
                    self.mask.hide(&mut record.input);
                    self.put(&record)?;
                }
                None => return self.file.flush(),
            }
        }
    }

    /// Writes one line, whole or not at all.
    fn put(&mut self, line: &impl serde::Serialize) -> io::Result<()> {
        let mut bytes = serde_json::to_vec(line)?;
        bytes.push(b'\n');
        let length = bytes.len() as u64;
        if length > LINE_MAX {
            return Err(io::Error::other(format!("a record of {length} bytes is beyond all measure")));
        }
        let Some(room) = self.room.checked_sub(length) else {
            // What is buffered fits still.
            self.file.flush()?;
            return Err(io::Error::other(format!(
                "it has grown to its limit of {} MiB: --record-limit sets another",
                self.limit >> 20
            )));
        };
        self.room = room;
        self.file.write_all(&bytes)
    }
}

/// Moves a recording that is in the way to `FILE.1`.
fn make_way(path: &Path) -> io::Result<()> {
    let mut older = OsString::from(path);
    older.push(".1");
    let older = PathBuf::from(older);
    if !is_taken(path)? {
        return Ok(());
    }
    is_taken(&older)?;
    fs::rename(path, older)
}

/// Whether there is a recording.
///
/// # Errors
/// There is something else.
fn is_taken(path: &Path) -> io::Result<bool> {
    let metadata = match fs::symlink_metadata(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(false),
        metadata => metadata?,
    };
    let mut start = Vec::new();
    // Nothing but a file is opened: a pipe would be waited for.
    if metadata.is_file() {
        File::open(path)?.take(MAGIC.len() as u64).read_to_end(&mut start)?;
    }
    if start == MAGIC {
        return Ok(true);
    }
    let path = path.display();
    Err(io::Error::other(format!("{path} is there already, and is no recording: name another file, or remove it")))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::shared::tests::event;
    use crate::time::Instant;

    fn turn(nanos: u64) -> Record {
        Record { at: Instant::from_nanos(nanos), input: Input::Turn }
    }

    #[test]
    fn what_does_not_fit_the_queue_is_counted_in_the_place_where_it_is_missing() {
        let (queue, records) = sync_channel(2);
        let mut tape = Some(Tape { queue, waiting: Arc::default(), lost: 0 });
        let put = |tape: &mut Option<Tape>, nanos| *tape = tape.take().and_then(|tape| tape.put(turn(nanos)));
        (1..=5).for_each(|nanos| put(&mut tape, nanos));
        let written: Vec<Record> = records.try_iter().collect();
        assert_eq!(written, [turn(1), turn(2)]);
        put(&mut tape, 6);
        let written: Vec<Record> = records.try_iter().collect();
        assert_eq!(written, [Record { at: Instant::from_nanos(6), input: Input::Lost(3) }, turn(6)]);
        drop(records);
        put(&mut tape, 7);
        assert!(tape.is_none(), "nobody writes any more");
    }

    #[test]
    fn what_would_take_too_much_memory_while_it_waits_is_counted_as_missing_too() {
        let told =
            |bytes: usize| Record { at: Instant::ZERO, input: Input::Event(Box::new(event(&"x".repeat(bytes)))) };
        let (queue, records) = sync_channel(QUEUE_MAX);
        let waiting = Arc::<AtomicUsize>::default();
        let tape = Tape { queue, waiting: waiting.clone(), lost: 0 };
        let tape = tape.put(told(QUEUE_MAX_BYTES + 1)).unwrap();
        let mut tape = tape.put(turn(1)).unwrap();
        assert_eq!(records.try_iter().count(), 1, "one is let in, however big it is");
        waiting.store(0, Ordering::Relaxed);
        for _ in 0..4 {
            tape = tape.put(told(QUEUE_MAX_BYTES / 3)).unwrap();
        }
        let is_lost = |record: Record| record.input == Input::Lost(1);
        let written: Vec<bool> = records.try_iter().map(is_lost).collect();
        assert_eq!((written.as_slice(), tape.lost), (&[true, false, false, true][..], 1), "two fit at a time");
    }

    #[test]
    fn a_recording_is_for_its_owner_and_replaces_nothing_but_the_one_before_the_last() {
        use std::os::unix::fs::PermissionsExt as _;
        let directory = tempfile::tempdir().unwrap();
        let [path, older] = ["r", "r.1"].map(|name| directory.path().join(name));
        let create = || Recording::create(&path, 1 << 20).map(drop);
        let put = |path: &Path, text: &[u8]| fs::write(path, text).unwrap();

        create().unwrap();
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        for foreign in [&b""[..], b"precious"] {
            put(&path, foreign);
            assert!(create().unwrap_err().contains("no recording"));
            assert_eq!(fs::read(&path).unwrap(), foreign);
        }
        let recording = [MAGIC, b"1}\n"].concat();
        put(&path, &recording);
        create().unwrap();
        assert_eq!(fs::read(&older).unwrap(), recording);
        put(&path, &recording);
        put(&older, b"precious");
        assert!(create().unwrap_err().contains("r.1 is there already"));
        assert_eq!(fs::read(&older).unwrap(), b"precious");

        fs::remove_file(&older).unwrap();
        fs::rename(&path, &older).unwrap();
        std::os::unix::fs::symlink(&older, &path).unwrap();
        assert!(create().unwrap_err().contains("no recording"), "a link is not followed");
        assert_eq!(fs::read(&older).unwrap(), recording);
    }
}
