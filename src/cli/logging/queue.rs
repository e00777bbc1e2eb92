//! Log lines on their way out. Whoever reads standard error may be slow, or have stopped reading: nobody who logs waits for that.

use std::io::{self, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread;

use crate::time::Duration;

/// Lines that wait. What comes when there are so many is lost, and counted.
const LINES_MAX: usize = 1024;
/// How long the last lines may take at the end.
const LAST_LINES_MAX: Duration = Duration::from_secs(1);

enum Entry {
    Line(Vec<u8>),
    /// Everything before this is written: say so.
    End(SyncSender<()>),
}

/// Where lines are put. One `write` is one line.
#[derive(Clone)]
pub(super) struct Queue {
    entries: SyncSender<Entry>,
    lost: Arc<AtomicU64>,
}

/// Has the last lines written when it is dropped, within a second.
#[derive(Debug)]
pub struct Writer {
    entries: SyncSender<Entry>,
}

impl Queue {
    /// A thread that writes to `out`.
    ///
    /// # Errors
    /// The kernel refuses a thread.
    pub fn start(out: impl Write + Send + 'static) -> io::Result<(Self, Writer)> {
        let (entries, queued) = sync_channel(LINES_MAX);
        let lost = Arc::new(AtomicU64::new(0));
        let queue = Self { entries: entries.clone(), lost: lost.clone() };
        thread::Builder::new().name("log".into()).spawn(move || write(out, &queued, &lost))?;
        Ok((queue, Writer { entries }))
    }
}

fn write(mut out: impl Write, queued: &Receiver<Entry>, lost: &AtomicU64) {
    for entry in queued {
        match entry {
            // Whoever read the log may have left.
            Entry::Line(line) => drop(out.write_all(&line)),
            Entry::End(done) => drop(done.try_send(())),
        }
        let lost = lost.swap(0, Ordering::Relaxed);
        if lost > 0 {
            tracing::warn!(lost, "log lines were lost: they are read too slowly");
        }
    }
}

impl Write for Queue {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        if self.entries.try_send(Entry::Line(line.to_vec())).is_err() {
            self.lost.fetch_add(1, Ordering::Relaxed);
        }
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        let (done, is_done) = sync_channel(1);
        if self.entries.try_send(Entry::End(done)).is_ok() {
            // Without an answer nobody reads.
            let _ = is_done.recv_timeout(LAST_LINES_MAX);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::{Sender, channel};

    use super::*;

    /// Takes a line each time it is let.
    struct Slow {
        may: Receiver<()>,
        lines: Sender<Vec<u8>>,
    }

    impl Write for Slow {
        fn write(&mut self, line: &[u8]) -> io::Result<usize> {
            self.may.recv().map_err(io::Error::other)?;
            self.lines.send(line.to_vec()).map_err(io::Error::other)?;
            Ok(line.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn who_logs_waits_for_no_reader_and_what_has_no_room_is_counted() {
        let ((may, lets), (lines, written)) = (channel(), channel());
        let (mut queue, _writer) = Queue::start(Slow { may: lets, lines }).expect("a thread");
        // One more may be in the writer's hands.
        for number in 0..LINES_MAX + 5 {
            queue.write_all(format!("line {number}\n").as_bytes()).expect("it never fails");
        }
        assert!((4..=5).contains(&queue.lost.load(Ordering::Relaxed)));
        for number in 0..LINES_MAX {
            may.send(()).expect("it waits");
            assert_eq!(written.recv().expect("it writes"), format!("line {number}\n").as_bytes());
        }
        drop(may);
    }

    #[test]
    fn the_last_lines_are_written_before_the_end() {
        let ((may, lets), (lines, written)) = (channel(), channel());
        let (mut queue, writer) = Queue::start(Slow { may: lets, lines }).expect("a thread");
        for _ in 0..3 {
            may.send(()).expect("it listens");
            queue.write_all(b"a line\n").expect("it never fails");
        }
        drop(writer);
        assert_eq!(written.try_iter().count(), 3);
    }
}
