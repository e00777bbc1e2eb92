//! Capture files: pcap (both byte orders, micro- and nanoseconds) and pcapng (sections, interfaces, resolutions).
//!
//! [`Reader`] cuts the stream into records itself, so that it knows the byte offset of each and refuses one that claims
//! to be enormous before it is read; what a record says is parsed by the `pcap-parser` crate. A record's bytes are
//! borrowed until the next one is read: memory stays bounded by [`MAX_BLOCK`], whatever the file's size.
//!
//! No bytes can make it panic. A file that ends in the middle of a record yields every frame before it and then
//! [`PcapError::Cut`].

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

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const FRAME: &[u8] = b"\x01\x00\x5e\x00\x00\x12 not looked into here";

    /// Little- or big-endian bytes.
    fn u32_bytes(value: u32, big_endian: bool) -> [u8; 4] {
        if big_endian { value.to_be_bytes() } else { value.to_le_bytes() }
    }

    fn u16_bytes(value: u16, big_endian: bool) -> [u8; 2] {
        if big_endian { value.to_be_bytes() } else { value.to_le_bytes() }
    }

    /// A pcap file with one record for each of `times`: seconds and fractions.
    fn pcap(magic: u32, big_endian: bool, link: u32, times: &[(u32, u32)], frame: &[u8]) -> Vec<u8> {
        let number = |value| u32_bytes(value, big_endian);
        let mut file = number(magic).to_vec();
        file.extend([u16_bytes(2, big_endian), u16_bytes(4, big_endian)].concat());
        file.extend([number(0), number(0), number(65535), number(link)].concat());
        for (seconds, fraction) in times {
            let length = number(frame.len() as u32);
            file.extend([number(*seconds), number(*fraction), length, length].concat());
            file.extend(frame);
        }
        file
    }

    /// A pcapng block around `body`.
    fn block(kind: u32, body: &[u8], big_endian: bool) -> Vec<u8> {
        let length = u32_bytes(body.len() as u32 + 12, big_endian);
        [&u32_bytes(kind, big_endian)[..], &length, body, &length].concat()
    }

    fn option(code: u16, value: &[u8], big_endian: bool) -> Vec<u8> {
        let mut option = [u16_bytes(code, big_endian), u16_bytes(value.len() as u16, big_endian)].concat();
        option.extend(value);
        option.resize(option.len().next_multiple_of(4), 0);
        option
    }

    fn section(big_endian: bool) -> Vec<u8> {
        let version = [u16_bytes(1, big_endian), u16_bytes(0, big_endian)].concat();
        block(SHB_MAGIC, &[&u32_bytes(0x1a2b_3c4d, big_endian)[..], &version, &[0xff; 8]].concat(), big_endian)
    }

    fn interface(link: u16, options: &[Vec<u8>], big_endian: bool) -> Vec<u8> {
        let fixed = [u16_bytes(link, big_endian), [0; 2], [0; 2], [0; 2]].concat();
        block(IDB_MAGIC, &[fixed, options.concat()].concat(), big_endian)
    }

    fn enhanced(interface: u32, ticks: u64, frame: &[u8], options: &[Vec<u8>], big_endian: bool) -> Vec<u8> {
        let number = |value| u32_bytes(value, big_endian);
        let length = number(frame.len() as u32);
        let fixed = [number(interface), number((ticks >> 32) as u32), number(ticks as u32), length, length].concat();
        let mut body = [&fixed[..], frame].concat();
        body.resize(body.len().next_multiple_of(4), 0);
        body.extend(options.concat());
        block(EPB_MAGIC, &body, big_endian)
    }

    /// Everything that can be read, as (time, interface, name, packet type), and the error that ends it.
    #[allow(clippy::type_complexity)]
    fn read(file: &[u8]) -> (Vec<(i64, u32, Option<String>, Option<u8>)>, Option<String>) {
        let mut packets = Vec::new();
        let mut reader = match Reader::new(file) {
            Ok(reader) => reader,
            Err(error) => return (packets, Some(error.to_string())),
        };
        loop {
            match reader.next_packet() {
                Ok(Some(p)) => {
                    packets.push((p.unix_nanos, p.interface, p.interface_name.map(str::to_owned), p.packet_type));
                }
                Ok(None) => return (packets, None),
                Err(error) => return (packets, Some(error.to_string())),
            }
        }
    }

    #[test]
    fn pcap_in_both_byte_orders_and_both_resolutions_has_the_same_times() {
        for (magic, fraction) in [(0xa1b2_c3d4, 250_000), (0xa1b2_3c4d, 250_000_000)] {
            for big_endian in [false, true] {
                let file = pcap(magic, big_endian, 1, &[(1_700_000_000, fraction), (1_700_000_001, 0)], FRAME);
                let mut reader = Reader::new(&file[..]).unwrap();
                let packet = reader.next_packet().unwrap().unwrap();
                assert_eq!((packet.link, packet.bytes), (LinkLayer::Ethernet, FRAME));
                let times: Vec<i64> = read(&file).0.iter().map(|p| p.0).collect();
                assert_eq!(times, [1_700_000_000_250_000_000, 1_700_000_001_000_000_000], "{magic:x} {big_endian}");
            }
        }
    }

    #[test]
    fn pcapng_in_both_byte_orders_has_names_resolutions_offsets_and_directions() {
        for big_endian in [false, true] {
            let offset = if big_endian { 1_000_i64.to_be_bytes() } else { 1_000_i64.to_le_bytes() };
            let file = [
                section(big_endian),
                interface(1, &[option(2, b"eth0", big_endian)], big_endian),
                interface(1, &[option(9, &[9], big_endian), option(14, &offset, big_endian)], big_endian),
                interface(101, &[option(9, &[0x80 | 10], big_endian)], big_endian),
                block(5, &[0; 12], big_endian),
                enhanced(0, 1_500_000, FRAME, &[option(2, &u32_bytes(2, big_endian), big_endian)], big_endian),
                enhanced(
                    1,
                    1_500_000_000,
                    FRAME,
                    &[option(2, &u32_bytes(0b01001, big_endian), big_endian)],
                    big_endian,
                ),
                enhanced(2, 1536, FRAME, &[], big_endian),
            ];
            let (packets, error) = read(&file.concat());
            assert_eq!(error, None);
            let expected = [
                (1_500_000_000, 0, Some("eth0".to_owned()), Some(4)),
                (1_001_500_000_000, 1, None, Some(2)),
                (1_500_000_000, 2, None, None),
            ];
            assert_eq!(packets, expected, "big endian: {big_endian}");
        }
    }

    #[test]
    fn a_second_section_forgets_the_interfaces_and_byte_order_of_the_first() {
        let second =
            [section(true), interface(113, &[option(2, b"any", true)], true), enhanced(0, 7, FRAME, &[], true)];
        let first =
            [section(false), interface(1, &[], false), interface(1, &[], false), enhanced(1, 5, FRAME, &[], false)];
        let (packets, error) = read(&[first.concat(), second.concat()].concat());
        assert_eq!(error, None);
        // The cooked header's own packet type, out of the frame's first two bytes, is 0x0100: more than Linux has.
        assert_eq!(packets, [(5000, 1, None, None), (7000, 0, Some("any".to_owned()), None)]);

        let (_, error) = read(&[first.concat(), section(false), enhanced(0, 5, FRAME, &[], false)].concat());
        assert!(error.unwrap().contains("interface number 0"));
    }

    #[test]
    fn a_simple_packet_takes_the_time_of_the_packet_before_it_and_loses_its_padding() {
        let simple = block(SPB_MAGIC, &[&u32_bytes(5, false)[..], b"hello\0\0\0"].concat(), false);
        let file = [section(false), interface(1, &[], false), enhanced(0, 9, FRAME, &[], false), simple].concat();
        let mut reader = Reader::new(&file[..]).unwrap();
        reader.next_packet().unwrap().unwrap();
        let packet = reader.next_packet().unwrap().unwrap();
        assert_eq!((packet.unix_nanos, packet.bytes), (9000, &b"hello"[..]));
    }

    #[test]
    fn cooked_captures_tell_packet_type_and_interface_themselves() {
        let sll = [&[0, 4, 0, 1, 0, 6][..], &[0; 10]].concat();
        assert_eq!(read(&pcap(0xa1b2_c3d4, false, 113, &[(1, 0)], &sll)).0, [(1_000_000_000, 0, None, Some(4))]);
        let sll2 = [&[0x08, 0, 0, 0, 0, 0, 0, 7, 0, 1, 2, 6][..], &[0; 8]].concat();
        assert_eq!(read(&pcap(0xa1b2_c3d4, false, 276, &[(1, 0)], &sll2)).0, [(1_000_000_000, 7, None, Some(2))]);
    }

    #[test]
    fn a_file_cut_at_any_byte_yields_the_frames_before_and_then_the_offset_of_the_cut_record() {
        let whole = pcap(0xa1b2_c3d4, false, 1, &[(1, 0), (2, 0), (3, 0)], FRAME);
        let record = 16 + FRAME.len();
        for length in 4..whole.len() {
            let (packets, error) = read(&whole[..length]);
            let complete = length.saturating_sub(24) / record;
            assert_eq!(packets.len(), complete, "cut at {length}");
            let start = if length < 24 { 0 } else { 24 + complete * record };
            let at_a_boundary = length >= 24 && length == start;
            let expected = format!("the file is cut short: the record at byte {start} is not complete");
            assert_eq!(error, (!at_a_boundary).then_some(expected), "cut at {length}");
        }
    }

    #[test]
    fn a_cut_pcapng_file_says_where() {
        let head = [section(false), interface(1, &[], false), enhanced(0, 1, FRAME, &[], false)].concat();
        let whole = [head.clone(), enhanced(0, 2, FRAME, &[], false)].concat();
        for length in head.len() + 1..whole.len() {
            let (packets, error) = read(&whole[..length]);
            assert_eq!(packets.len(), 1);
            assert_eq!(
                error,
                Some(format!("the file is cut short: the record at byte {} is not complete", head.len()))
            );
        }
    }

    #[test]
    fn foreign_files_are_called_foreign() {
        for file in [&b""[..], b"abc", b"hello, this is a letter", b"\x0a\x0d\x0d\x0a but no byte order magic"] {
            assert_eq!(read(file).1.as_deref(), Some("not a pcap or pcapng file"), "{file:?}");
        }
    }

    #[test]
    fn an_unsupported_link_type_is_named_with_those_that_are_supported() {
        let error = read(&pcap(0xa1b2_c3d4, false, 105, &[], FRAME)).1.unwrap();
        assert!(error.contains("link type 105 is not supported; supported are Ethernet (1)"), "{error}");
        let file = [section(false), interface(239, &[], false), enhanced(0, 1, FRAME, &[], false)].concat();
        assert!(read(&file).1.unwrap().contains("link type 239"));
    }

    #[test]
    fn a_frame_check_sequence_in_the_header_does_not_hide_the_link_type() {
        assert_eq!(read(&pcap(0xa1b2_c3d4, false, 1 | 0x4400_0000, &[(1, 0)], FRAME)).1, None);
    }

    #[test]
    fn a_record_that_claims_to_be_enormous_is_refused_before_it_is_read() {
        let mut file = pcap(0xa1b2_c3d4, false, 1, &[(1, 0)], FRAME);
        file[32..36].copy_from_slice(&(MAX_BLOCK + 1).to_le_bytes());
        assert!(read(&file).1.unwrap().contains("byte 24 claims 16777217 bytes"));
        let mut file = section(false);
        file[4..8].copy_from_slice(&u32::MAX.to_le_bytes());
        assert!(read(&file).1.unwrap().contains("byte 0 claims 4294967295 bytes"));
    }

    #[test]
    fn no_section_describes_more_interfaces_than_are_kept() {
        let file = [section(false), interface(1, &[], false).repeat(MAX_INTERFACES + 1)].concat();
        assert!(read(&file).1.unwrap().contains("interface number 4096"));
    }

    proptest! {
        #[test]
        fn no_bytes_make_the_reader_panic(bytes: Vec<u8>, start in 0_usize..4) {
            let starts = [vec![], section(false), section(true), pcap(0xa1b2_3c4d, true, 1, &[], FRAME)];
            read(&[&starts[start][..], &bytes].concat());
        }

        #[test]
        fn no_damage_to_a_capture_makes_the_reader_panic(
            damage in proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..8),
            big_endian: bool,
            ng: bool,
        ) {
            let ng_file = || [
                section(big_endian),
                interface(1, &[option(2, b"eth0", big_endian), option(9, &[9], big_endian)], big_endian),
                enhanced(0, 1 << 60, FRAME, &[option(2, &[1, 0, 0, 0], big_endian)], big_endian),
                block(SPB_MAGIC, &[&u32_bytes(5, big_endian)[..], b"hello\0\0\0"].concat(), big_endian),
            ].concat();
            let mut file = if ng { ng_file() } else { pcap(0xa1b2_c3d4, big_endian, 276, &[(1, 0), (2, 0)], FRAME) };
            for (index, value) in damage {
                let index = index.index(file.len());
                file[index] = value;
            }
            read(&file);
        }

        #[test]
        fn times_stay_on_the_line_whatever_resolution_and_offset_say(
            ticks: u64,
            resolution: u8,
            offset_seconds: i64,
        ) {
            let interface = Interface { link_type: 1, name: None, resolution, offset_seconds };
            let with_offset = interface.unix_nanos(ticks);
            let without = Interface { offset_seconds: 0, ..interface }.unix_nanos(ticks);
            prop_assert!(without >= 0);
            prop_assert!(offset_seconds >= 0 || with_offset <= without);
        }
    }
}
