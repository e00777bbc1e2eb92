//! Capture files as `decode` and `analyze` open them: by path, or `-` for standard input.

use std::fs::File;
use std::io::{BufReader, Read};
use std::path::Path;

use crate::observe::PacketKind;
use crate::wire::pcap::{Packet, PcapError, Reader};

use super::terminal::plain;

/// An open capture file that knows its name.
pub struct CaptureFile {
    name: String,
    reader: Reader<BufReader<Box<dyn Read>>>,
}

impl CaptureFile {
    /// Opens it and reads its header.
    ///
    /// # Errors
    /// Which file, and what is wrong with it.
    pub fn open(path: &Path) -> Result<Self, String> {
        let name = if path == Path::new("-") { "standard input".into() } else { path.display().to_string() };
        let source: Box<dyn Read> = if path == Path::new("-") {
            Box::new(std::io::stdin())
        } else {
            Box::new(File::open(path).map_err(|error| format!("{name}: {error}"))?)
        };
        let reader = Reader::new(BufReader::new(source)).map_err(|error| format!("{name}: {error}"))?;
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
