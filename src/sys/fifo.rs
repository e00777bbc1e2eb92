//! A FIFO into which lines are written for whoever reads them, and that never blocks the writer.

use std::ffi::CString;
use std::fs::{self, File, Metadata, OpenOptions};
use std::io::{self, Write};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{FileTypeExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

/// Only this daemon's user writes it and reads it, unless somebody made it otherwise before.
const MODE: libc::mode_t = 0o600;

/// What the kernel writes whole or not at all, in bytes (`PIPE_BUF`).
pub const LINE_MAX: usize = 4096;

/// A FIFO at a path. It is made if it is missing, also when it vanishes later.
///
/// It is held open for reading too: so writing needs no reader, and up to 64 KiB wait for one.
#[derive(Debug)]
pub struct Fifo {
    path: PathBuf,
    open: Option<File>,
}

impl Fifo {
    /// One that is opened with the first line.
    pub fn new(path: &Path) -> Self {
        Self { path: path.into(), open: None }
    }

    /// Writes a line of at most [`LINE_MAX`] bytes, whole or not at all. Doesn't block.
    ///
    /// # Errors
    /// With the path: `WouldBlock` if nobody reads and it is full, or whatever the file system says of making and opening it;
    /// `InvalidInput` if something else is there, or the line is too long.
    pub fn write(&mut self, line: &[u8]) -> io::Result<()> {
        self.try_write(line).map_err(|error| {
            let what: &dyn std::fmt::Display = match error.kind() {
                io::ErrorKind::WouldBlock => &"nobody reads it, and it is full",
                _ => &error,
            };
            io::Error::new(error.kind(), format!("{}: {what}", self.path.display()))
        })
    }

    fn try_write(&mut self, line: &[u8]) -> io::Result<()> {
        if line.len() > LINE_MAX {
            return Err(io::Error::new(io::ErrorKind::InvalidInput, "the line is too long"));
        }
        let mut file = match self.open.take() {
            Some(file) if is_at(&file.metadata()?, &self.path) => file,
            _ => open(&self.path)?,
        };
        let written = file.write(line).map(drop);
        self.open = Some(file);
        written
    }
}

/// Whether what is open is what stands at the path: somebody may have removed it.
fn is_at(open: &Metadata, path: &Path) -> bool {
    fs::metadata(path).is_ok_and(|there| (there.dev(), there.ino()) == (open.dev(), open.ino()))
}

fn open(path: &Path) -> io::Result<File> {
    if let Err(error) = make(path)
        && error.kind() != io::ErrorKind::AlreadyExists
    {
        return Err(error);
    }
    let file = OpenOptions::new().read(true).write(true).custom_flags(libc::O_NONBLOCK).open(path)?;
    match file.metadata()?.file_type().is_fifo() {
        true => Ok(file),
        false => Err(io::Error::new(io::ErrorKind::InvalidInput, "it is no FIFO: remove it, or name another path")),
    }
}

fn make(path: &Path) -> io::Result<()> {
    let path = CString::new(path.as_os_str().as_bytes())?;
    // SAFETY: the path is a string that ends with a zero byte, and outlives the call.
    match unsafe { libc::mkfifo(path.as_ptr(), MODE) } {
        0 => Ok(()),
        _ => Err(io::Error::last_os_error()),
    }
}

#[cfg(test)]
mod tests {
    use std::io::{BufRead, BufReader};
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    fn reader(path: &Path) -> BufReader<File> {
        BufReader::new(OpenOptions::new().read(true).custom_flags(libc::O_NONBLOCK).open(path).expect("a FIFO"))
    }

    fn line(reader: &mut BufReader<File>) -> String {
        let mut line = String::new();
        reader.read_line(&mut line).expect("a line is there");
        line
    }

    #[test]
    fn lines_wait_for_a_reader_in_a_fifo_that_only_its_owner_may_touch() {
        let directory = tempfile::tempdir().expect("a directory");
        let path = directory.path().join("notify");
        let mut fifo = Fifo::new(&path);
        fifo.write(b"one\n").expect("made");
        fifo.write(b"two\n").expect("open");
        assert_eq!(fs::metadata(&path).expect("there").permissions().mode() & 0o777, 0o600);
        let mut reader = reader(&path);
        assert_eq!([line(&mut reader), line(&mut reader)], ["one\n", "two\n"]);
    }

    #[test]
    fn a_full_fifo_refuses_whole_lines_and_takes_them_again_once_somebody_reads() {
        let directory = tempfile::tempdir().expect("a directory");
        let path = directory.path().join("notify");
        let mut fifo = Fifo::new(&path);
        let text = format!("{}\n", "x".repeat(999));
        let error = loop {
            if let Err(error) = fifo.write(text.as_bytes()) {
                break error;
            }
        };
        assert_eq!(error.kind(), io::ErrorKind::WouldBlock);
        assert!(error.to_string().contains("nobody reads it"), "{error}");
        let mut reader = reader(&path);
        for _ in 0..8 {
            assert_eq!(line(&mut reader), text);
        }
        fifo.write(b"again\n").expect("there is room");
    }

    #[test]
    fn a_fifo_that_was_removed_is_made_anew() {
        let directory = tempfile::tempdir().expect("a directory");
        let path = directory.path().join("notify");
        let mut fifo = Fifo::new(&path);
        fifo.write(b"lost\n").expect("made");
        fs::remove_file(&path).expect("ours");
        fifo.write(b"kept\n").expect("made anew");
        assert_eq!(line(&mut reader(&path)), "kept\n");
    }

    #[test]
    fn a_plain_file_in_its_place_is_named_and_left_alone() {
        let directory = tempfile::tempdir().expect("a directory");
        let path = directory.path().join("notify");
        fs::write(&path, "precious").expect("a file");
        let error = Fifo::new(&path).write(b"line\n").expect_err("no FIFO").to_string();
        assert!(error.contains(&path.display().to_string()) && error.contains("no FIFO"), "{error}");
        assert_eq!(fs::read_to_string(&path).expect("still there"), "precious");
        assert!(Fifo::new(&directory.path().join("a/b")).write(b"x\n").is_err(), "no such directory");
        assert!(Fifo::new(&directory.path().join("long")).write(&[b'x'; LINE_MAX + 1]).is_err());
    }
}
