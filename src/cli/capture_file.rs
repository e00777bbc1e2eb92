//! Capture files as `decode` and `analyze` open them: by path, or `-` for standard input.

use std::fs::File;
use std::io::{BufReader, Chain, Cursor, Read};
use std::path::Path;

use crate::engine::record::MAGIC;
use crate::observe::PacketKind;
use crate::wire::pcap::{Packet, PcapError, Reader};

use super::terminal::plain;

/// The bytes of an open file.
pub type Bytes = BufReader<Chain<Cursor<Vec<u8>>, Box<dyn Read>>>;

/// A file that is open, and whose first bytes were looked at.
pub struct Source {
    /// What to call it.
    pub name: String,
    /// True if it is no capture but a recording.
    pub is_recording: bool,
    /// All its bytes, the first ones too.
    pub bytes: Bytes,
}

impl Source {
    /// Opens it.
    ///
    /// # Errors
    /// Which file, and what the system says.
    pub fn open(path: &Path) -> Result<Self, String> {
        let is_input = path == Path::new("-");
        let name = if is_input { "standard input".into() } else { path.display().to_string() };
        let mut start = Vec::new();
        let mut open = || {
            let mut file: Box<dyn Read> =
                if is_input { Box::new(std::io::stdin()) } else { Box::new(File::open(path)?) };
            file.by_ref().take(MAGIC.len() as u64).read_to_end(&mut start)?;
            Ok(file)
        };
        let rest = open().map_err(|error: std::io::Error| format!("{name}: {error}"))?;
        let is_recording = start == MAGIC;
        Ok(Self { name, is_recording, bytes: BufReader::new(Cursor::new(start).chain(rest)) })
    }
}

/// An open capture file that knows its name.
pub struct CaptureFile {
    name: String,
    reader: Reader<Bytes>,
}

impl CaptureFile {
    /// Opens it and reads its header.
    ///
    /// # Errors
    /// Which file, and what is wrong with it.
    pub fn open(path: &Path) -> Result<Self, String> {
        Self::new(Source::open(path)?)
    }

    /// Reads the header of an open file.
    ///
    /// # Errors
    /// Which file, and what is wrong with it.
    pub fn new(source: Source) -> Result<Self, String> {
        let Source { name, is_recording, bytes } = source;
        if is_recording {
            return Err(format!(
                "{name}: a recording of vipwarden, which `vipwarden analyze` replays alone; no capture"
            ));
        }
        let reader = Reader::new(bytes).map_err(|error| format!("{name}: {error}"))?;
        Ok(Self { name, reader })
    }

    /// The next packet; `None` at the end.
    ///
    /// # Errors
    /// Which file, and what is wrong with it from here on.
    pub fn next_packet(&mut self) -> Result<Option<Packet<'_>>, String> {
        let name = &self.name;
        self.reader.next_packet().map_err(|error: PcapError| format!("{name}: {error}"))
    }
}

/// What the interface of a packet is called: as its file names it, by its number, or `capture` where a file knows only one.
pub fn interface_name(packet: &Packet<'_>) -> String {
    match (packet.interface_name, packet.interface) {
        (Some(name), _) if !name.is_empty() => plain(name, false),
        (_, 0) => "capture".into(),
        (_, number) => format!("if{number}"),
    }
}

/// To whom a packet was addressed.
pub fn packet_kind(packet: &Packet<'_>) -> PacketKind {
    packet.packet_type.map_or(PacketKind::Unknown, PacketKind::from_linux)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::LinkLayer;

    #[test]
    fn an_interface_name_from_a_file_can_not_steer_the_terminal() {
        let packet = Packet {
            unix_nanos: 0,
            link: LinkLayer::Ethernet,
            interface: 3,
            interface_name: Some("Büro\u{1b}[31m\u{202e}\n"),
            packet_type: None,
            bytes: &[],
        };
        assert_eq!(interface_name(&packet), "Büro\u{fffd}[31m\u{fffd}\u{fffd}");
        assert_eq!(interface_name(&Packet { interface_name: None, ..packet }), "if3");
        assert_eq!(interface_name(&Packet { interface_name: Some(""), interface: 0, ..packet }), "capture");
    }
}
