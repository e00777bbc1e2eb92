//! A recording, read back record by record.

use std::io::{self, BufRead, Read as _};

use crate::time::Duration;

use super::{FORMAT, Header, Input, LINE_MAX, MAGIC, Record};

/// No configuration has longer intervals, and the core reckons with multiples of them.
const INTERVAL_MAX: Duration = Duration::from_secs(u32::MAX as u64);

/// Why a recording can't be read, or not further.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// The system refused.
    #[error("{0}")]
    Io(#[from] io::Error),
    /// It does not begin like one.
    #[error("not a recording: those that `vipwarden run --record` makes begin with {}", String::from_utf8_lossy(MAGIC))]
    Foreign,
    /// It is of another form.
    #[error("a recording of form {found} by vipwarden {version}: this one reads form {FORMAT}, that one reads its own")]
    Format {
        /// The form.
        found: u32,
        /// Whose it is.
        version: String,
    },
    /// A line is no record.
    #[error("record {number}, at byte {offset}, can't be read: {why}")]
    Record {
        /// Counted from 1, behind the header.
        number: u64,
        /// Where it begins.
        offset: u64,
        /// What is wrong with it.
        why: String,
    },
}

/// Reads a recording.
#[derive(Debug)]
pub struct Reader<R> {
    source: R,
    header: Header,
    line: Vec<u8>,
    /// Records read.
    number: u64,
    /// Bytes before the next line.
    offset: u64,
    is_cut: bool,
}

impl<R: BufRead> Reader<R> {
    /// Reads the header.
    ///
    /// # Errors
    /// It is no recording, or one that can't be read here.
    pub fn new(mut source: R) -> Result<Self, ReadError> {
        let mut line = Vec::new();
        let length = read_line(&mut source, &mut line)?;
        if !line.starts_with(MAGIC) {
            return Err(ReadError::Foreign);
        }
        let header: Header = serde_json::from_slice(&line).map_err(|_| ReadError::Foreign)?;
        if header.format != FORMAT {
            return Err(ReadError::Format { found: header.format, version: header.version });
        }
        Ok(Self { source, header, line, number: 0, offset: length, is_cut: false })
    }

    /// Who made it.
    pub const fn header(&self) -> &Header {
        &self.header
    }

    /// The next record; `None` at the end.
    ///
    /// # Errors
    /// What is there is no record. What follows it must not be read.
    pub fn next_record(&mut self) -> Result<Option<Record>, ReadError> {
        let length = read_line(&mut self.source, &mut self.line)?;
        if self.line.last() != Some(&b'\n') {
            if length > LINE_MAX {
                return Err(self.refuse(format!("it is longer than {LINE_MAX} bytes")));
            }
            self.is_cut = length > 0;
            return Ok(None);
        }
        let record: Record = serde_json::from_slice(&self.line).map_err(|error| self.refuse(error.to_string()))?;
        if !is_possible(&record.input) {
            return Err(self.refuse(format!("an interval in it is longer than {} s", INTERVAL_MAX.as_secs())));
        }
        self.number += 1;
        self.offset += length;
        Ok(Some(record))
    }

    /// True if it ended in the middle of a record: the daemon was killed while it wrote.
    pub const fn is_cut(&self) -> bool {
        self.is_cut
    }

    /// The error of one that was read, and can't be where it is.
    pub fn misplaced(&self, why: impl std::fmt::Display) -> ReadError {
        let offset = self.offset - self.line.len() as u64;
        ReadError::Record { number: self.number, offset, why: why.to_string() }
    }

    fn refuse(&self, why: String) -> ReadError {
        ReadError::Record { number: self.number + 1, offset: self.offset, why }
    }
}

/// False for settings that no configuration makes.
fn is_possible(input: &Input) -> bool {
    let (Input::Start { settings, .. } | Input::Settings(settings)) = input else { return true };
    let intervals = settings.routers.iter().filter_map(|router| router.advert_interval);
    intervals.chain([settings.probe_interval]).all(|interval| interval <= INTERVAL_MAX)
}

/// Reads one line with its line feed, or what there is of it. Its length.
fn read_line(source: &mut impl BufRead, line: &mut Vec<u8>) -> io::Result<u64> {
    line.clear();
    source.by_ref().take(LINE_MAX + 1).read_until(b'\n', line).map(|length| length as u64)
}
