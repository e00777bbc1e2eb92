//! Capture files: pcap (both byte orders, micro- and nanoseconds) and pcapng (sections, interfaces, resolutions).
//!
//! [`Reader`] cuts the stream into records itself, so that it knows the byte offset of each and refuses one that claims
//! to be enormous before it is read; what a record says is parsed by the `pcap-parser` crate. A record's bytes are
//! borrowed until the next one is read: memory stays bounded by [`MAX_BLOCK`], whatever the file's size.
//!
//! No bytes can make it panic. A file that ends in the middle of a record yields every frame before it and then
//! [`PcapError::Cut`].

#[cfg(test)]
mod tests;
pub mod write;

use std::io::{self, Read};

use pcap_parser::nom::IResult;
use pcap_parser::pcap::{LegacyPcapBlock, PcapHeader};
use pcap_parser::pcapng::{Block, InterfaceDescriptionBlock, OptionCode, PcapNGOption};
use pcap_parser::pcapng::{EPB_MAGIC, IDB_MAGIC, SHB_MAGIC, SPB_MAGIC};

use super::LinkLayer;

/// The longest record or block that is read, in bytes. A jumbo frame is 9 kB; tcpdump's own limit is 256 kB.
pub const MAX_BLOCK: u32 = 16 << 20;

/// Interfaces that one pcapng section may describe.
pub const MAX_INTERFACES: usize = 4096;

/// An interface name is kept up to this many characters.
const MAX_NAME: usize = 64;

/// `epb_flags` of an enhanced packet block: direction and reception type.
const EPB_FLAGS: OptionCode = OptionCode(2);

/// Why a capture file can't be read on.
#[derive(Debug, thiserror::Error)]
pub enum PcapError {
    /// It begins like no capture file.
    #[error("not a pcap or pcapng file")]
    Foreign,
    /// It ends in the middle of a record.
    #[error("the file is cut short: the record at byte {offset} is not complete")]
    Cut {
        /// Where that record begins.
        offset: u64,
    },
    /// A record claims more bytes than [`MAX_BLOCK`].
    #[error(
        "the record at byte {offset} claims {length} bytes; more than {MAX_BLOCK} are refused: the file is damaged"
    )]
    TooLong {
        /// Where that record begins.
        offset: u64,
        /// What it claims.
        length: u32,
    },
    /// A record contradicts itself.
    #[error("the record at byte {offset} is damaged")]
    Damaged {
        /// Where that record begins.
        offset: u64,
    },
    /// A packet names an interface that its section does not describe, or a section describes too many.
    #[error(
        "the record at byte {offset} has interface number {interface}, which its section does not describe or may not add"
    )]
    Interface {
        /// Where that record begins.
        offset: u64,
        /// The number.
        interface: u32,
    },
    /// The packets begin with a header that is not understood.
    #[error(
        "link type {number} is not supported; supported are Ethernet (1), raw IP (12, 14, 101, 228, 229) and Linux cooked \
         capture (113, 276): capture on one Ethernet interface, or with `tcpdump -i any`"
    )]
    LinkType {
        /// As tcpdump.org numbers them.
        number: u32,
    },
    /// The source failed.
    #[error("reading failed: {0}")]
    Read(#[from] io::Error),
}

/// One captured frame, as its file has it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Packet<'a> {
    /// Nanoseconds since 1970-01-01T00:00:00Z. Files need not be in order of time.
    pub unix_nanos: i64,
    /// How `bytes` begin: what [`super::dissect`] wants to know.
    pub link: LinkLayer,
    /// The interface: SLL2's kernel index, else its number in the pcapng section; 0 in a pcap file.
    pub interface: u32,
    /// Its name, where a pcapng file gives one. A stranger's text: print it escaped.
    pub interface_name: Option<&'a str>,
    /// To whom it was addressed, as Linux numbers it (`sll_pkttype`): 0 this host, 1 everyone, 2 a group, 3 another host,
    /// 4 sent by this host. From the cooked header or `epb_flags`; `None` where the file doesn't say.
    pub packet_type: Option<u8>,
    /// The frame, perhaps cut to the snap length.
    pub bytes: &'a [u8],
}

/// Reads packets from a capture file, one at a time.
#[derive(Debug)]
pub struct Reader<R> {
    input: Input<R>,
    format: Format,
}

#[derive(Debug)]
enum Format {
    Pcap(Pcap),
    PcapNg(Section),
}

impl<R: Read> Reader<R> {
    /// Reads the file's first header.
    ///
    /// # Errors
    /// [`PcapError::Foreign`] if it is no capture file, [`PcapError::Cut`] if it ends within its header,
    /// [`PcapError::LinkType`] if its frames can't be understood.
    pub fn new(source: R) -> Result<Self, PcapError> {
        let mut input = Input { source, offset: 0, start: 0, block: Vec::new() };
        input.append(4)?;
        let format = match *input.block.as_slice() {
            [0x0a, 0x0d, 0x0d, 0x0a] => {
                let mut section = Section { big_endian: false, interfaces: Vec::new(), newest: 0 };
                input.extend(12)?;
                byte_order(&input.block).ok_or(PcapError::Foreign)?;
                section.finish(&mut input)?;
                Format::PcapNg(section)
            }
            [0xd4, 0xc3, 0xb2, 0xa1]
            | [0x4d, 0x3c, 0xb2, 0xa1]
            | [0x34, 0xcd, 0xb2, 0xa1]
            | [0xa1, 0xb2, 0xc3, 0xd4]
            | [0xa1, 0xb2, 0x3c, 0x4d] => {
                input.extend(24)?;
                let (_, header) = pcap_parser::pcap::parse_pcap_header(&input.block).map_err(|_| PcapError::Foreign)?;
                Format::Pcap(Pcap::of(&header)?)
            }
            _ => return Err(PcapError::Foreign),
        };
        Ok(Self { input, format })
    }

    /// The next packet; `None` at the end of the file.
    ///
    /// # Errors
    /// What is wrong with the file from here on. There is nothing to be read after an error.
    pub fn next_packet(&mut self) -> Result<Option<Packet<'_>>, PcapError> {
        match &mut self.format {
            Format::Pcap(pcap) => pcap.next(&mut self.input),
            Format::PcapNg(section) => section.next(&mut self.input),
        }
    }
}

/// The stream, and the record of it that is at hand.
#[derive(Debug)]
struct Input<R> {
    source: R,
    /// Bytes taken from `source`.
    offset: u64,
    /// Where the record at hand begins.
    start: u64,
    /// The record at hand.
    block: Vec<u8>,
}

impl<R: Read> Input<R> {
    /// Begins a record with `length` bytes. False at the end of the file.
    fn begin(&mut self, length: usize) -> Result<bool, PcapError> {
        self.start = self.offset;
        self.block.clear();
        self.append(length)?;
        if self.block.is_empty() {
            return Ok(false);
        }
        self.extend(length)?;
        Ok(true)
    }

    /// Extends the record at hand to `length` bytes in all.
    fn extend(&mut self, length: usize) -> Result<(), PcapError> {
        self.append(length.saturating_sub(self.block.len()))?;
        if self.block.len() < length { Err(PcapError::Cut { offset: self.start }) } else { Ok(()) }
    }

    fn append(&mut self, wanted: usize) -> Result<(), PcapError> {
        let read = self.source.by_ref().take(wanted as u64).read_to_end(&mut self.block)?;
        self.offset += read as u64;
        Ok(())
    }

    /// The length that the record at hand claims at byte `at`.
    fn claimed(&self, at: usize, big_endian: bool) -> Result<usize, PcapError> {
        let length = u32_at(&self.block, at, big_endian);
        if length > MAX_BLOCK { Err(PcapError::TooLong { offset: self.start, length }) } else { Ok(length as usize) }
    }

    fn damaged(&self) -> PcapError {
        PcapError::Damaged { offset: self.start }
    }

    fn no_interface(&self, interface: u32) -> PcapError {
        PcapError::Interface { offset: self.start, interface }
    }
}

type ParseRecord = fn(&[u8]) -> IResult<&[u8], LegacyPcapBlock<'_>, pcap_parser::PcapError<&[u8]>>;
type ParseBlock = fn(&[u8]) -> IResult<&[u8], Block<'_>, pcap_parser::PcapError<&[u8]>>;

/// What the header of a pcap file settles.
#[derive(Debug)]
struct Pcap {
    link: LinkLayer,
    big_endian: bool,
    /// 16 bytes; 24 in an old patched libpcap's format.
    record_header: usize,
    nanos_per_tick: i64,
    parse: ParseRecord,
}

impl Pcap {
    fn of(header: &PcapHeader) -> Result<Self, PcapError> {
        use pcap_parser::pcap::{parse_pcap_frame, parse_pcap_frame_be, parse_pcap_frame_modified};
        let big_endian = header.is_bigendian();
        let (record_header, parse): (usize, ParseRecord) = match (header.is_modified_format(), big_endian) {
            (true, _) => (24, parse_pcap_frame_modified),
            (false, true) => (16, parse_pcap_frame_be),
            (false, false) => (16, parse_pcap_frame),
        };
        // The upper bits hold the length of the frame check sequence.
        let link = link_layer(header.network.0.cast_unsigned() & 0x03ff_ffff)?;
        let nanos_per_tick = if header.is_nanosecond_precision() { 1 } else { 1000 };
        Ok(Self { link, big_endian, record_header, nanos_per_tick, parse })
    }

    fn next<'a, R: Read>(&self, input: &'a mut Input<R>) -> Result<Option<Packet<'a>>, PcapError> {
        if !input.begin(self.record_header)? {
            return Ok(None);
        }
        input.extend(self.record_header + input.claimed(8, self.big_endian)?)?;
        let (_, record) = (self.parse)(&input.block).map_err(|_| input.damaged())?;
        let nanos = i64::from(record.ts_sec) * 1_000_000_000 + i64::from(record.ts_usec) * self.nanos_per_tick;
        Ok(Some(Packet::new(nanos, self.link, 0, None, None, record.data)))
    }
}

/// What a pcapng section has settled so far.
#[derive(Debug)]
struct Section {
    big_endian: bool,
    interfaces: Vec<Interface>,
    /// Of the newest packet: a simple packet block has no time of its own.
    newest: i64,
}

impl Section {
    fn next<'a, R: Read>(&'a mut self, input: &'a mut Input<R>) -> Result<Option<Packet<'a>>, PcapError> {
        while input.begin(4)? {
            self.finish(input)?;
            match u32_at(&input.block, 0, self.big_endian) {
                IDB_MAGIC => self.describe(input)?,
                EPB_MAGIC | SPB_MAGIC => return self.packet(input).map(Some),
                // Names, statistics, secrets and what the future brings.
                _ => {}
            }
        }
        Ok(None)
    }

    /// Reads the rest of a block whose type is read.
    fn finish<R: Read>(&mut self, input: &mut Input<R>) -> Result<(), PcapError> {
        // A section header's type reads alike in both byte orders; the magic behind its length says which one it is.
        let is_header = input.block.starts_with(&SHB_MAGIC.to_le_bytes());
        let shortest = if is_header { 28 } else { 12 };
        input.extend(12)?;
        if is_header {
            self.big_endian = byte_order(&input.block).ok_or_else(|| input.damaged())?;
            self.interfaces.clear();
        }
        let length = input.claimed(4, self.big_endian)?;
        if length < shortest {
            return Err(input.damaged());
        }
        input.extend(length)
    }

    fn parse<'a, R: Read>(&self, input: &'a Input<R>) -> Result<Block<'a>, PcapError> {
        let parse: ParseBlock =
            if self.big_endian { pcap_parser::pcapng::parse_block_be } else { pcap_parser::pcapng::parse_block_le };
        parse(&input.block).map(|(_, block)| block).map_err(|_| input.damaged())
    }

    fn describe<R: Read>(&mut self, input: &Input<R>) -> Result<(), PcapError> {
        let Block::InterfaceDescription(description) = self.parse(input)? else { return Err(input.damaged()) };
        if self.interfaces.len() == MAX_INTERFACES {
            return Err(input.no_interface(MAX_INTERFACES as u32));
        }
        self.interfaces.push(Interface::of(&description, self.big_endian));
        Ok(())
    }

    fn packet<'a, R: Read>(&'a mut self, input: &'a Input<R>) -> Result<Packet<'a>, PcapError> {
        let (number, packet_type, length, data) = match self.parse(input)? {
            Block::EnhancedPacket(packet) => {
                let ticks = u64::from(packet.ts_high) << 32 | u64::from(packet.ts_low);
                let interface = self.interfaces.get(packet.if_id as usize);
                self.newest = interface.ok_or_else(|| input.no_interface(packet.if_id))?.unix_nanos(ticks);
                (packet.if_id, packet_type(&packet.options, self.big_endian), packet.caplen, packet.data)
            }
            Block::SimplePacket(packet) => (0, None, packet.origlen, packet.data),
            _ => return Err(input.damaged()),
        };
        let interface = self.interfaces.get(number as usize).ok_or_else(|| input.no_interface(number))?;
        // The block's data are padded to four bytes.
        let bytes = data.get(..length as usize).unwrap_or(data);
        let link = link_layer(interface.link_type)?;
        Ok(Packet::new(self.newest, link, number, interface.name.as_deref(), packet_type, bytes))
    }
}

#[derive(Debug)]
struct Interface {
    link_type: u32,
    name: Option<String>,
    /// `if_tsresol`: a negative power of ten, or of two where its top bit is set.
    resolution: u8,
    offset_seconds: i64,
}

impl Interface {
    fn of(description: &InterfaceDescriptionBlock<'_>, big_endian: bool) -> Self {
        let name = description.if_name().and_then(Result::ok).map(|name| name.chars().take(MAX_NAME).collect());
        // The parser reads the offset as little-endian whatever the section says.
        let offset = description.if_tsoffset;
        Self {
            link_type: description.linktype.0.cast_unsigned(),
            name,
            resolution: description.if_tsresol,
            offset_seconds: if big_endian { offset.swap_bytes() } else { offset },
        }
    }

    /// Unix time of a timestamp.
    fn unix_nanos(&self, ticks: u64) -> i64 {
        let exponent = u32::from(self.resolution & 0x7f);
        let nanos = u128::from(ticks) * 1_000_000_000;
        let nanos = if self.resolution & 0x80 == 0 {
            10u128.checked_pow(exponent).map_or(0, |resolution| nanos / resolution)
        } else {
            nanos >> exponent
        };
        let nanos = i64::try_from(nanos).unwrap_or(i64::MAX);
        nanos.saturating_add(self.offset_seconds.saturating_mul(1_000_000_000))
    }
}

impl<'a> Packet<'a> {
    /// What the cooked headers say themselves is truer than what stands around them.
    fn new(
        unix_nanos: i64,
        link: LinkLayer,
        interface: u32,
        interface_name: Option<&'a str>,
        packet_type: Option<u8>,
        bytes: &'a [u8],
    ) -> Self {
        let mut packet = Self { unix_nanos, link, interface, interface_name, packet_type, bytes };
        match link {
            LinkLayer::Sll if bytes.len() >= 2 => {
                packet.packet_type = u8::try_from(u16::from_be_bytes([bytes[0], bytes[1]])).ok();
            }
            LinkLayer::Sll2 if bytes.len() >= 11 => {
                packet.interface = u32_at(bytes, 4, true);
                packet.interface_name = None;
                packet.packet_type = Some(bytes[10]);
            }
            _ => {}
        }
        packet
    }
}

/// The packet type that `epb_flags` amount to.
fn packet_type(options: &[PcapNGOption<'_>], big_endian: bool) -> Option<u8> {
    let value = options.iter().find(|option| option.code == EPB_FLAGS)?.as_bytes().ok()?;
    if value.len() != 4 {
        return None;
    }
    let flags = u32_at(value, 0, big_endian);
    match (flags & 0b11, flags >> 2 & 0b111) {
        (2, _) => Some(4),
        (_, 1) => Some(0),
        (_, 2) => Some(2),
        (_, 3) => Some(1),
        (_, 4) => Some(3),
        _ => None,
    }
}

/// The link layers by their number, as tcpdump.org registers them.
fn link_layer(number: u32) -> Result<LinkLayer, PcapError> {
    match number {
        1 => Ok(LinkLayer::Ethernet),
        12 | 14 | 101 | 228 | 229 => Ok(LinkLayer::Ip),
        113 => Ok(LinkLayer::Sll),
        276 => Ok(LinkLayer::Sll2),
        number => Err(PcapError::LinkType { number }),
    }
}

/// True for a section header in big-endian.
fn byte_order(section_header: &[u8]) -> Option<bool> {
    match section_header[8..12] {
        [0x1a, 0x2b, 0x3c, 0x4d] => Some(true),
        [0x4d, 0x3c, 0x2b, 0x1a] => Some(false),
        _ => None,
    }
}

/// The four bytes at `at`, which the caller has made sure of.
fn u32_at(bytes: &[u8], at: usize, big_endian: bool) -> u32 {
    let bytes = [bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]];
    if big_endian { u32::from_be_bytes(bytes) } else { u32::from_le_bytes(bytes) }
}
