//! Other first-hop redundancy protocols, recognised so that they can be named: CARP, HSRP, GLBP.
//!
//! Panics: never. What isn't one of them is `None`.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use pnet::packet::udp::UdpPacket;

use super::ip::Packet;
use super::{OtherProtocol, be16};

/// Fields of a CARP header (OpenBSD `struct carp_header`).
mod carp {
    pub const VERSION_AND_TYPE: usize = 0;
    pub const VHID: usize = 1;
    pub const ADVSKEW: usize = 2;
    pub const AUTH_WORDS: usize = 3;
    pub const ADVBASE: usize = 5;
    pub const LENGTH: usize = 36;
}

/// Version 2, type 1: the same first byte as a VRRPv2 advertisement.
const CARP_ADVERTISEMENT: u8 = 0x21;
/// Counter and digest, in words. Where CARP has it, VRRP counts addresses.
const CARP_AUTH_WORDS: u8 = 7;

const UDP_HEADER: usize = 8;

const HSRP_PORT: u16 = 1985;
const HSRP_V6_PORT: u16 = 2029;
const GLBP_PORT: u16 = 3222;

/// All routers: HSRPv1.
const HSRP_V1_GROUP: IpAddr = IpAddr::V4(Ipv4Addr::new(224, 0, 0, 2));
/// HSRPv2 and GLBP.
const CISCO_GROUP_V4: IpAddr = IpAddr::V4(Ipv4Addr::new(224, 0, 0, 102));
/// HSRPv2 and GLBP over IPv6.
const CISCO_GROUP_V6: IpAddr = IpAddr::V6(Ipv6Addr::new(0xff02, 0, 0, 0, 0, 0, 0, 0x66));

/// HSRPv1 (RFC 2281 §5.1): hello, coup and resign have a group; advertise has another layout.
const HSRP_V1_RESIGN: u8 = 2;
const HSRP_V1_OPCODE: usize = 1;
const HSRP_V1_GROUP_FIELD: usize = 6;

/// HSRPv2 is a list of TLVs, the group state first.
const HSRP_V2_GROUP_STATE: u8 = 1;
const HSRP_V2_GROUP_FIELD: usize = 6;

const GLBP_GROUP_FIELD: usize = 2;

impl OtherProtocol {
    /// `carp`, `hsrp` or `glbp`.
    pub const fn protocol(&self) -> &'static str {
        match self {
            Self::Carp { .. } => "carp",
            Self::Hsrp { .. } => "hsrp",
            Self::Glbp { .. } => "glbp",
        }
    }

    /// IP source.
    pub const fn source(&self) -> IpAddr {
        let (Self::Carp { source, .. } | Self::Hsrp { source, .. } | Self::Glbp { source, .. }) = self;
        *source
    }

    /// The group, or CARP's virtual host id, where it could be read.
    pub fn group(&self) -> Option<u16> {
        match self {
            Self::Carp { vhid, .. } => Some(u16::from(*vhid)),
            Self::Hsrp { group, .. } | Self::Glbp { group, .. } => *group,
        }
    }
}

impl fmt::Display for OtherProtocol {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let group = self.group().map_or_else(String::new, |group| format!(" group {group}"));
        match self {
            Self::Carp { source, vhid, advbase, advskew } => {
                write!(f, "{source} CARP vhid {vhid} advbase {advbase} advskew {advskew}")
            }
            Self::Hsrp { source, version, .. } => write!(f, "{source} HSRPv{version}{group}"),
            Self::Glbp { source, .. } => write!(f, "{source} GLBP{group}"),
        }
    }
}

/// Tells CARP from VRRP, which share protocol 112. A VRRPv2 message with seven addresses would be 44 bytes long, and
/// CARP's 36 are exact: no message can be both.
pub fn parse_carp(packet: &Packet<'_>) -> Option<OtherProtocol> {
    let header: &[u8; carp::LENGTH] = packet.payload.try_into().ok()?;
    let is_carp = packet.whole
        && header[carp::VERSION_AND_TYPE] == CARP_ADVERTISEMENT
        && header[carp::AUTH_WORDS] == CARP_AUTH_WORDS;
    is_carp.then(|| OtherProtocol::Carp {
        source: packet.source,
        vhid: header[carp::VHID],
        advbase: header[carp::ADVBASE],
        advskew: header[carp::ADVSKEW],
    })
}

/// Recognises HSRP and GLBP by port and group.
pub fn parse_udp(packet: &Packet<'_>) -> Option<OtherProtocol> {
    let port = UdpPacket::new(packet.payload)?.get_destination();
    let message = packet.payload.get(UDP_HEADER..)?;
    let source = packet.source;
    match (port, packet.destination) {
        (HSRP_PORT, HSRP_V1_GROUP) => {
            let has_group = message.get(HSRP_V1_OPCODE).is_some_and(|opcode| *opcode <= HSRP_V1_RESIGN);
            let group = message.get(HSRP_V1_GROUP_FIELD).filter(|_| has_group).map(|group| u16::from(*group));
            Some(OtherProtocol::Hsrp { source, version: 1, group })
        }
        (HSRP_PORT, CISCO_GROUP_V4) | (HSRP_V6_PORT, CISCO_GROUP_V6) => {
            let has_group = message.first() == Some(&HSRP_V2_GROUP_STATE);
            let group = be16(message, HSRP_V2_GROUP_FIELD).filter(|_| has_group);
            Some(OtherProtocol::Hsrp { source, version: 2, group })
        }
        (GLBP_PORT, CISCO_GROUP_V4 | CISCO_GROUP_V6) => {
            Some(OtherProtocol::Glbp { source, group: be16(message, GLBP_GROUP_FIELD) })
        }
        _ => None,
    }
}
