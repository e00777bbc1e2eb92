//! Several capture files as one, in order of time.

use crate::cli::capture_file::{CaptureFile, Source, interface_name};
use crate::wire::{Dissected, dissect};

/// A frame of any of the files, dissected.
pub struct MergedFrame {
    /// Capture time.
    pub unix_nanos: i64,
    /// Where it was captured. Interfaces of one name are one, so that a capture in pieces stays whole.
    pub interface: String,
    /// What it says.
    pub dissected: Dissected,
}

/// Reads all files at once and hands out whichever frame is the oldest.
pub struct Merge {
    sources: Vec<Capture>,
    failures: Vec<String>,
}

struct Capture {
    file: CaptureFile,
    head: MergedFrame,
}

impl Merge {
    /// Begins to read all files.
    ///
    /// # Errors
    /// The first one that is no capture.
    pub fn new(files: Vec<Source>) -> Result<Self, String> {
        let mut merge = Self { sources: Vec::new(), failures: Vec::new() };
        for file in files {
            let mut file = CaptureFile::new(file)?;
            if let Some(head) = merge.read(&mut file) {
                merge.sources.push(Capture { file, head });
            }
        }
        Ok(merge)
    }

    /// The next frame of all, of equally old ones that of the first file; `None` at the end of the last file.
    pub fn next_frame(&mut self) -> Option<MergedFrame> {
        let (oldest, _) = self.sources.iter().enumerate().min_by_key(|(_, source)| source.head.unix_nanos)?;
        let mut source = self.sources.remove(oldest);
        let frame = source.head;
        if let Some(head) = self.read(&mut source.file) {
            source.head = head;
            self.sources.insert(oldest, source);
        }
        Some(frame)
    }

    /// What kept files from being read to their ends.
    pub fn into_failures(self) -> Vec<String> {
        self.failures
    }

    /// A file that fails is read no further; the failure is kept.
    fn read(&mut self, file: &mut CaptureFile) -> Option<MergedFrame> {
        let packet = file.next_packet().unwrap_or_else(|failure| {
            self.failures.push(format!("{failure}; what comes before is judged"));
            None
        })?;
        Some(MergedFrame {
            unix_nanos: packet.unix_nanos,
            interface: interface_name(&packet),
            dissected: dissect(packet.bytes, packet.link),
        })
    }
}
