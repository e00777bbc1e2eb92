//! IPv4 and IPv6 headers, read and written, with the extension headers between them and their payload.
//!
//! The IPv4 header checksum is not verified: some captures hold frames from before it was filled in.
//!
//! Panics: never. A header that isn't all there is `None`.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use pnet::packet::ip::{IpNextHeaderProtocol, IpNextHeaderProtocols};
use pnet::packet::ipv4::{self, Ipv4Flags, Ipv4Packet, MutableIpv4Packet};
use pnet::packet::ipv6::{Ipv6Packet, MutableIpv6Packet};

use super::Family;

const V4_HEADER: usize = 20;
const V6_HEADER: usize = 40;
const FRAGMENT_HEADER: usize = 8;

/// More headers than that between IP and its payload, and nobody means it.
const MAX_EXTENSIONS: usize = 8;

/// `AH` with a 96-bit digest, as keepalived sends it.
const AUTHENTICATION_HEADER: usize = 24;

/// What the IP header says, and the payload behind all extension headers.
#[derive(Clone, Copy, Debug)]
pub struct Packet<'a> {
    pub source: IpAddr,
    pub destination: IpAddr,
    /// TTL or hop limit.
    pub ttl: u8,
    /// What the payload is.
    pub protocol: IpNextHeaderProtocol,
    /// As many bytes as the IP header says (what follows is padding), less what the capture cut off.
    pub payload: &'a [u8],
    /// True if all of the payload is here: nothing cut off, no further fragments to come.
    pub whole: bool,
    /// True if an Authentication Header (RFC 4302) stands around the payload. Its digest can't be verified here.
    pub authenticated: bool,
}

impl<'a> Packet<'a> {
    /// Reads an IPv4 packet. `None` for a later fragment too: its bytes are no header of anything.
    pub fn parse_v4(bytes: &'a [u8]) -> Option<Self> {
        let header = Ipv4Packet::new(bytes)?;
        if header.get_version() != 4 || header.get_fragment_offset() != 0 {
            return None;
        }
        let begin = usize::from(header.get_header_length()) * 4;
        let end = usize::from(header.get_total_length());
        let payload = bytes.get(begin..end).filter(|_| begin >= V4_HEADER);
        let packet = Self {
            source: header.get_source().into(),
            destination: header.get_destination().into(),
            ttl: header.get_ttl(),
            protocol: header.get_next_level_protocol(),
            payload: payload.unwrap_or_else(|| bytes.get(begin.max(V4_HEADER)..).unwrap_or_default()),
            whole: payload.is_some() && header.get_flags() & Ipv4Flags::MoreFragments == 0,
            authenticated: false,
        };
        packet.skip_extensions()
    }

    /// Reads an IPv6 packet. `None` for a later fragment too, and for a chain of extension headers without an end.
    pub fn parse_v6(bytes: &'a [u8]) -> Option<Self> {
        let header = Ipv6Packet::new(bytes)?;
        if header.get_version() != 6 {
            return None;
        }
        let payload = bytes.get(V6_HEADER..V6_HEADER + usize::from(header.get_payload_length()));
        let packet = Self {
            source: header.get_source().into(),
            destination: header.get_destination().into(),
            ttl: header.get_hop_limit(),
            protocol: header.get_next_header(),
            payload: payload.or_else(|| bytes.get(V6_HEADER..))?,
            whole: payload.is_some(),
            authenticated: false,
        };
        packet.skip_extensions()
    }

    /// The family of its header.
    pub const fn family(&self) -> Family {
        Family::of(&self.source)
    }

    fn skip_extensions(mut self) -> Option<Self> {
        for _ in 0..=MAX_EXTENSIONS {
            let length = match (self.protocol, self.family()) {
                (IpNextHeaderProtocols::Ah, _) => (usize::from(*self.payload.get(1)?) + 2) * 4,
                (
                    IpNextHeaderProtocols::Hopopt | IpNextHeaderProtocols::Ipv6Route | IpNextHeaderProtocols::Ipv6Opts,
                    Family::V6,
                ) => (usize::from(*self.payload.get(1)?) + 1) * 8,
                (IpNextHeaderProtocols::Ipv6Frag, Family::V6) => {
                    let offset_and_flags = u16::from_be_bytes([*self.payload.get(2)?, *self.payload.get(3)?]);
                    if offset_and_flags >> 3 != 0 {
                        return None;
                    }
                    self.whole &= offset_and_flags & 1 == 0;
                    FRAGMENT_HEADER
                }
                _ => return Some(self),
            };
            self.authenticated |= self.protocol == IpNextHeaderProtocols::Ah;
            self.protocol = IpNextHeaderProtocol(self.payload[0]);
            // A header that ends beyond the packet leaves nothing to read.
            self.payload = self.payload.get(length..).unwrap_or_default();
        }
        None
    }
}

/// The parts of an IP header that senders here choose.
#[derive(Clone, Copy, Debug)]
pub struct Header {
    pub ttl: u8,
    /// TOS or traffic class.
    pub tos: u8,
    pub protocol: IpNextHeaderProtocol,
}

/// An IPv4 packet. It must not be fragmented, so it needs no identification (RFC 6864 §4.1).
pub fn emit_v4(header: Header, source: Ipv4Addr, destination: Ipv4Addr, payload: &[u8]) -> Vec<u8> {
    let mut bytes = vec![0; V4_HEADER];
    bytes.extend_from_slice(payload);
    let total_length = length_field(bytes.len());
    if let Some(mut packet) = MutableIpv4Packet::new(&mut bytes) {
        packet.set_version(4);
        packet.set_header_length(5);
        packet.set_dscp(header.tos >> 2);
        packet.set_ecn(header.tos & 3);
        packet.set_total_length(total_length);
        packet.set_flags(Ipv4Flags::DontFragment);
        packet.set_ttl(header.ttl);
        packet.set_next_level_protocol(header.protocol);
        packet.set_source(source);
        packet.set_destination(destination);
        let checksum = ipv4::checksum(&packet.to_immutable());
        packet.set_checksum(checksum);
    }
    bytes
}

/// An IPv6 packet without extension headers.
pub fn emit_v6(header: Header, source: Ipv6Addr, destination: Ipv6Addr, payload: &[u8]) -> Vec<u8> {
    let mut bytes = vec![0; V6_HEADER];
    bytes.extend_from_slice(payload);
    if let Some(mut packet) = MutableIpv6Packet::new(&mut bytes) {
        packet.set_version(6);
        packet.set_traffic_class(header.tos);
        packet.set_payload_length(length_field(payload.len()));
        packet.set_next_header(header.protocol);
        packet.set_hop_limit(header.ttl);
        packet.set_source(source);
        packet.set_destination(destination);
    }
    bytes
}

/// An Authentication Header around `payload`, with a digest of zeros: right in shape, and no proof of anything.
pub fn emit_authentication_header(protocol: IpNextHeaderProtocol, payload: &[u8]) -> Vec<u8> {
    let mut bytes = vec![0; AUTHENTICATION_HEADER];
    bytes[0] = protocol.0;
    bytes[1] = (AUTHENTICATION_HEADER / 4 - 2) as u8;
    bytes.extend_from_slice(payload);
    bytes
}

/// What is built here is far below 64 KiB; a longer payload would be cut short by its own header, not overflow it.
fn length_field(length: usize) -> u16 {
    u16::try_from(length).unwrap_or(u16::MAX)
}
