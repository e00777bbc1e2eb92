//! IPv6 neighbour solicitations and advertisements (RFC 4861 §4.3, §4.4), read and written.
//!
//! The options are parsed here and not by pnet, whose parser overflows on long ones.
//!
//! Panics: never. A message that RFC 4861 §7.1 makes a node ignore is `None`.

use std::net::{IpAddr, Ipv6Addr};

use pnet::packet::icmpv6::{Icmpv6Type, Icmpv6Types};
use pnet::packet::ip::IpNextHeaderProtocols;
use pnet::util::MacAddr;

use super::checksum;
use super::ip::Packet;
use super::{Neighbour, NeighbourKind};

/// Fields of both messages.
mod field {
    use std::ops::Range;

    pub const TYPE: usize = 0;
    pub const CODE: usize = 1;
    pub const CHECKSUM: Range<usize> = 2..4;
    pub const FLAGS: usize = 4;
    pub const TARGET: Range<usize> = 8..24;
    pub const OPTIONS: usize = 24;
}

const CHECKSUM_WORD: usize = 1;

const ROUTER: u8 = 0x80;
const SOLICITED: u8 = 0x40;
const OVERRIDE: u8 = 0x20;

/// Option types (RFC 4861 §4.6.1), and the units of option lengths.
const SOURCE_LINK_ADDRESS: u8 = 1;
const TARGET_LINK_ADDRESS: u8 = 2;
const OPTION_UNIT: usize = 8;

/// The hop limit that proves a neighbour: no router forwards it.
pub const HOP_LIMIT: u8 = 255;

/// Reads the ICMPv6 message in `packet`, if it is one of the two and valid.
pub fn parse(packet: &Packet<'_>, frame_source: MacAddr) -> Option<Neighbour> {
    let (IpAddr::V6(source), IpAddr::V6(destination)) = (packet.source, packet.destination) else {
        return None;
    };
    let message = packet.payload;
    let target = Ipv6Addr::from(*message.get(field::TARGET)?.first_chunk::<16>()?);
    let (kind, wanted) = match Icmpv6Type(message[field::TYPE]) {
        Icmpv6Types::NeighborSolicit => (NeighbourKind::Solicitation, SOURCE_LINK_ADDRESS),
        Icmpv6Types::NeighborAdvert => (advertisement(message[field::FLAGS]), TARGET_LINK_ADDRESS),
        _ => return None,
    };
    let link_address = link_address(message.get(field::OPTIONS..)?, wanted).ok()?;
    let neighbour = Neighbour { frame_source, source, destination, target, kind, link_address };
    let valid = packet.whole
        && packet.ttl == HOP_LIMIT
        && message[field::CODE] == 0
        && is_consistent(&neighbour)
        && checksum(message, source, destination).is_some_and(|expected| {
            let found = u16::from_be_bytes([message[field::CHECKSUM.start], message[field::CHECKSUM.start + 1]]);
            checksum::same(found, expected)
        });
    valid.then_some(neighbour)
}

/// The ICMPv6 message, checksum filled in.
pub fn emit(neighbour: &Neighbour) -> Vec<u8> {
    let mut message = vec![0; field::OPTIONS];
    message[field::TARGET].copy_from_slice(&neighbour.target.octets());
    let (kind, option) = match neighbour.kind {
        NeighbourKind::Solicitation => (Icmpv6Types::NeighborSolicit, SOURCE_LINK_ADDRESS),
        NeighbourKind::Advertisement { router, solicited, override_ } => {
            let set = |wanted: bool, flag: u8| if wanted { flag } else { 0 };
            message[field::FLAGS] = set(router, ROUTER) | set(solicited, SOLICITED) | set(override_, OVERRIDE);
            (Icmpv6Types::NeighborAdvert, TARGET_LINK_ADDRESS)
        }
    };
    message[field::TYPE] = kind.0;
    if let Some(mac) = neighbour.link_address {
        message.extend_from_slice(&[option, 1]);
        message.extend_from_slice(&mac.octets());
    }
    let sum = checksum(&message, neighbour.source, neighbour.destination).unwrap_or_default();
    message[field::CHECKSUM].copy_from_slice(&sum.to_be_bytes());
    message
}

/// The solicited-node group of `target` (RFC 4291 §2.7.1).
pub const fn solicited_node(target: Ipv6Addr) -> Ipv6Addr {
    let [.., high, low] = target.segments();
    Ipv6Addr::new(0xff02, 0, 0, 0, 0, 1, 0xff00 | (high & 0xff), low)
}

const fn advertisement(flags: u8) -> NeighbourKind {
    NeighbourKind::Advertisement {
        router: flags & ROUTER != 0,
        solicited: flags & SOLICITED != 0,
        override_: flags & OVERRIDE != 0,
    }
}

/// The rules of RFC 4861 §7.1 that tie the fields to each other.
fn is_consistent(neighbour: &Neighbour) -> bool {
    let by_kind = match neighbour.kind {
        NeighbourKind::Solicitation => {
            let detects_duplicates = neighbour.source.is_unspecified();
            let to_group = neighbour.destination == solicited_node(neighbour.target);
            !detects_duplicates || (to_group && neighbour.link_address.is_none())
        }
        NeighbourKind::Advertisement { solicited, .. } => !(solicited && neighbour.destination.is_multicast()),
    };
    by_kind && !neighbour.target.is_multicast()
}

/// The options are malformed: one has length zero, or is longer than the message.
struct MalformedOptions;

/// The first option of type `wanted` that holds a MAC. All options are walked: one malformed option spoils the message.
fn link_address(mut options: &[u8], wanted: u8) -> Result<Option<MacAddr>, MalformedOptions> {
    let mut found = None;
    while !options.is_empty() {
        let length = usize::from(*options.get(1).ok_or(MalformedOptions)?) * OPTION_UNIT;
        let (option, rest) = options.split_at_checked(length).ok_or(MalformedOptions)?;
        let [kind, _, address @ ..] = option else { return Err(MalformedOptions) };
        if *kind == wanted && length == OPTION_UNIT {
            found = found.or(address.first_chunk::<6>().map(|octets| MacAddr::from(*octets)));
        }
        options = rest;
    }
    Ok(found)
}

fn checksum(message: &[u8], source: Ipv6Addr, destination: Ipv6Addr) -> Option<u16> {
    let protocol = IpNextHeaderProtocols::Icmpv6;
    checksum::with_pseudo_header(message, CHECKSUM_WORD, source.into(), destination.into(), protocol)
}
