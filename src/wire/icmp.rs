//! Echo messages of ICMP (RFC 792) and ICMPv6 (RFC 4443 §4.1, §4.2), read and written.
//!
//! Panics: never. Anything but a whole echo reply with a right checksum is `None`.

use std::net::IpAddr;

use pnet::packet::icmp::{IcmpType, IcmpTypes};
use pnet::packet::icmpv6::{Icmpv6Type, Icmpv6Types};
use pnet::packet::ip::IpNextHeaderProtocols;
use pnet::packet::util;
use pnet::util::MacAddr;

use super::EchoReply;
use super::checksum;
use super::ip::Packet;

/// Fields of an echo message.
mod field {
    use std::ops::Range;

    pub const TYPE: usize = 0;
    pub const CODE: usize = 1;
    pub const CHECKSUM: Range<usize> = 2..4;
    pub const IDENTIFIER: Range<usize> = 4..6;
    pub const SEQUENCE: Range<usize> = 6..8;
    pub const HEADER: usize = 8;
}

const CHECKSUM_WORD: usize = 1;

/// Which of the two echo messages.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Echo {
    /// To the host that is asked.
    Request,
    /// From it.
    Reply,
}

impl Echo {
    const fn code_point(self, source: IpAddr) -> u8 {
        let (IcmpType(v4), Icmpv6Type(v6)) = match self {
            Self::Request => (IcmpTypes::EchoRequest, Icmpv6Types::EchoRequest),
            Self::Reply => (IcmpTypes::EchoReply, Icmpv6Types::EchoReply),
        };
        if source.is_ipv4() { v4 } else { v6 }
    }
}

/// Reads the ICMP or ICMPv6 message in `packet`, if it is an echo reply.
pub fn parse(packet: &Packet<'_>, frame_source: MacAddr) -> Option<EchoReply> {
    let header: &[u8; field::HEADER] = packet.payload.first_chunk()?;
    let [kind, code, sum_high, sum_low, id_high, id_low, sequence_high, sequence_low] = *header;
    if kind != Echo::Reply.code_point(packet.source) || code != 0 || !packet.whole {
        return None;
    }
    let expected = checksum(packet.payload, packet.source, packet.destination)?;
    checksum::same(u16::from_be_bytes([sum_high, sum_low]), expected).then(|| EchoReply {
        frame_source,
        source: packet.source,
        identifier: u16::from_be_bytes([id_high, id_low]),
        sequence: u16::from_be_bytes([sequence_high, sequence_low]),
    })
}

/// An echo message without data; `None` if the families differ.
pub fn emit(
    echo: Echo,
    source: IpAddr,
    destination: IpAddr,
    identifier: u16,
    sequence: u16,
) -> Option<[u8; field::HEADER]> {
    let mut message = [0; field::HEADER];
    message[field::TYPE] = echo.code_point(source);
    message[field::CODE] = 0;
    message[field::IDENTIFIER].copy_from_slice(&identifier.to_be_bytes());
    message[field::SEQUENCE].copy_from_slice(&sequence.to_be_bytes());
    let sum = checksum(&message, source, destination)?;
    message[field::CHECKSUM].copy_from_slice(&sum.to_be_bytes());
    Some(message)
}

/// ICMP sums the message only, ICMPv6 its pseudo-header too.
fn checksum(message: &[u8], source: IpAddr, destination: IpAddr) -> Option<u16> {
    match (source, destination) {
        (IpAddr::V4(_), IpAddr::V4(_)) => Some(util::checksum(message, CHECKSUM_WORD)),
        _ => checksum::with_pseudo_header(message, CHECKSUM_WORD, source, destination, IpNextHeaderProtocols::Icmpv6),
    }
}
