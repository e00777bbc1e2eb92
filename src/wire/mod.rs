//! Bytes ⇄ values: what a frame on the wire says, without any opinion about it.
//!
//! [`dissect`] turns a frame into a [`Seen`]. No input can make it panic; what it refuses, it refuses with a typed
//! [`RejectReason`]. Nothing in this room knows a socket, a clock or a configuration.

mod arp;
mod checksum;
pub mod frame;
mod icmp;
mod ip;
mod link;
mod nd;
mod other;
pub mod pcap;
#[cfg(test)]
mod tests;
mod vrrp;

use std::net::IpAddr;

use pnet::packet::ethernet::EtherTypes;
use pnet::packet::ip::IpNextHeaderProtocols;
use serde::{Deserialize, Serialize};

use crate::time::{CentiSeconds, Duration, Seconds};

pub use frame::EmitError;
pub use icmp::Echo;
pub use pnet::util::MacAddr;
pub use vrrp::emit_advert;

/// The address family of a virtual router.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Family {
    /// IPv4: adverts go to 224.0.0.18.
    #[serde(rename = "ipv4")]
    V4,
    /// IPv6: adverts go to ff02::12.
    #[serde(rename = "ipv6")]
    V6,
}

impl Family {
    /// The family of an address.
    pub const fn of(address: &IpAddr) -> Self {
        match address {
            IpAddr::V4(_) => Self::V4,
            IpAddr::V6(_) => Self::V6,
        }
    }

    /// `ipv4` or `ipv6`, as metrics and JSON spell it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::V4 => "ipv4",
            Self::V6 => "ipv6",
        }
    }

    /// The family that [`Self::as_str`] calls so.
    pub fn named(name: &str) -> Option<Self> {
        [Self::V4, Self::V6].into_iter().find(|family| family.as_str() == name)
    }
}

/// How the bytes handed to [`dissect`] begin.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LinkLayer {
    /// An Ethernet header, perhaps with 802.1Q/802.1ad tags.
    Ethernet,
    /// Linux cooked capture, version 1.
    Sll,
    /// Linux cooked capture, version 2.
    Sll2,
    /// An IPv4 or IPv6 header at once.
    Ip,
}

/// A dissected frame: what it says, and the VLAN that its own bytes name (tags that the kernel stripped are not here).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Dissected {
    /// The outermost VLAN tag found in the bytes.
    pub vlan: Option<u16>,
    /// What the frame says.
    pub seen: Seen,
}

/// What a frame says, as far as it concerns virtual IPs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Seen {
    /// A well-formed VRRP advertisement. Its checksum and TTL may still be wrong: see [`Advert::defect`].
    Advert(Advert),
    /// Protocol 112 (or AH around it) that can't be read as an advertisement.
    Rejected(Rejected),
    /// An ARP request, reply or gratuitous announcement.
    Arp(Arp),
    /// An IPv6 neighbour solicitation or advertisement.
    Neighbour(Neighbour),
    /// An ICMP or ICMPv6 echo reply.
    EchoReply(EchoReply),
    /// Another first-hop redundancy protocol.
    Other(OtherProtocol),
    /// Nothing that concerns us.
    Irrelevant,
}

/// Protocol version of an advertisement.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Version {
    /// RFC 3768.
    V2,
    /// RFC 5798, RFC 9568.
    V3,
}

impl Version {
    /// 2 or 3.
    pub const fn number(self) -> u8 {
        match self {
            Self::V2 => 2,
            Self::V3 => 3,
        }
    }
}

/// The advertisement interval as the wire carries it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Interval {
    /// VRRPv2: whole seconds.
    Seconds(Seconds),
    /// VRRPv3: hundredths of a second.
    CentiSeconds(CentiSeconds),
}

impl From<Interval> for Duration {
    fn from(value: Interval) -> Self {
        match value {
            Interval::Seconds(s) => s.into(),
            Interval::CentiSeconds(c) => c.into(),
        }
    }
}

/// How an advertisement is authenticated. The `Debug` output never shows a password; serialised it does, so what is written down
/// is made unreadable before.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Auth {
    /// No authentication (v2 type 0; always in v3).
    None,
    /// v2 type 1: a simple text password, padded with zeros. On the wire in clear, and still never printed.
    Password([u8; 8]),
    /// v2 type 2: an IP Authentication Header around the message. The digest is not kept.
    Header,
    /// keepalived 2.4's 28-byte HMAC trailer behind the message.
    HmacTrailer,
}

impl Auth {
    /// `none`, `password`, `ah` or `hmac`: the kind, never the secret.
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Password(_) => "password",
            Self::Header => "ah",
            Self::HmacTrailer => "hmac",
        }
    }
}

impl std::fmt::Debug for Auth {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.kind())
    }
}

/// Which bytes the checksum of an advertisement covers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ChecksumForm {
    /// v2: the whole message, no pseudo-header.
    Message,
    /// v3: IPv4 or IPv6 pseudo-header and message (keepalived, FRR; the only form over IPv6).
    PseudoHeader,
    /// v3 over IPv4: the message only (RFC 9568, Cisco, Juniper, Arista).
    MessageOnly,
    /// v3 over IPv4 unicast from keepalived ≤ 1.3.6: pseudo-header with the multicast group as destination.
    MulticastPseudoHeader,
    /// None of the above: the message is damaged, or its sender is wrong.
    Invalid,
}

/// A VRRP advertisement as it stood on the wire.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Advert {
    /// Source of the Ethernet frame; `None` where the capture has no link layer.
    pub mac: Option<MacAddr>,
    /// Source of the IP packet: the speaker's primary address.
    pub source: IpAddr,
    /// Destination of the IP packet: the group, or a unicast peer.
    pub destination: IpAddr,
    /// TTL or hop limit; 255 unless a router stood in between.
    pub ttl: u8,
    /// Protocol version.
    pub version: Version,
    /// Virtual router identifier, 1-255.
    pub vrid: u8,
    /// 0 gives mastership up, 255 is the address owner.
    pub priority: u8,
    /// Advertisement interval, never zero.
    pub interval: Interval,
    /// Authentication.
    pub auth: Auth,
    /// What the checksum covers.
    pub checksum: ChecksumForm,
    /// The virtual addresses, in the order of the message; at least one.
    pub addresses: Vec<IpAddr>,
}

impl Advert {
    /// The family that this router speaks for.
    pub const fn family(&self) -> Family {
        Family::of(&self.source)
    }

    /// True if it was sent to the VRRP group and not to a unicast peer.
    pub const fn is_multicast(&self) -> bool {
        self.destination.is_multicast()
    }

    /// Why a receiver must refuse it whatever its configuration: a wrong checksum, or a multicast TTL that is not 255.
    pub fn defect(&self) -> Option<RejectReason> {
        if self.checksum == ChecksumForm::Invalid {
            Some(RejectReason::Checksum)
        } else if self.ttl != 255 && self.is_multicast() {
            Some(RejectReason::Ttl)
        } else {
            None
        }
    }
}

/// Why an advertisement is refused. The names are the `reason` label of `vrrp_adverts_rejected_total`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RejectReason {
    /// The packet ends before its headers do.
    Truncated,
    /// Neither version 2 nor 3, or version 2 over IPv6.
    Version,
    /// Not an ADVERTISEMENT (type 1).
    Type,
    /// TTL or hop limit below 255.
    Ttl,
    /// The address count doesn't fit the length, or is zero (erratum 8299).
    Length,
    /// The checksum fits none of the known forms.
    Checksum,
    /// VRID 0.
    Vrid,
    /// An authentication type that no RFC defines, or another password than expected.
    Auth,
    /// An interval of zero (erratum 8301), or v2 and another one than expected.
    Interval,
    /// IPv6 whose first address is not link-local (erratum 8300), or another list than expected.
    Addresses,
}

impl RejectReason {
    /// All reasons.
    pub const ALL: [Self; 10] = [
        Self::Truncated,
        Self::Version,
        Self::Type,
        Self::Ttl,
        Self::Length,
        Self::Checksum,
        Self::Vrid,
        Self::Auth,
        Self::Interval,
        Self::Addresses,
    ];

    /// The metric label.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Truncated => "truncated",
            Self::Version => "version",
            Self::Type => "type",
            Self::Ttl => "ttl",
            Self::Length => "length",
            Self::Checksum => "checksum",
            Self::Vrid => "vrid",
            Self::Auth => "auth",
            Self::Interval => "interval",
            Self::Addresses => "addresses",
        }
    }
}

/// Something on protocol 112 that is no readable advertisement, with as much of it as could be read.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rejected {
    /// Why.
    pub reason: RejectReason,
    /// Source of the Ethernet frame.
    pub mac: Option<MacAddr>,
    /// Source of the IP packet.
    pub source: Option<IpAddr>,
    /// The VRID, where it could be read.
    pub vrid: Option<u8>,
}

/// What an ARP packet is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ArpOperation {
    /// Who has it?
    Request,
    /// I have it.
    Reply,
}

/// An ARP packet for IPv4 over Ethernet (RFC 826).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Arp {
    /// Source of the Ethernet frame.
    pub frame_source: MacAddr,
    /// Destination of the Ethernet frame.
    pub frame_destination: MacAddr,
    /// Request or reply.
    pub operation: ArpOperation,
    /// Sender hardware address: the claim.
    pub sender_mac: MacAddr,
    /// Sender protocol address.
    pub sender_ip: std::net::Ipv4Addr,
    /// Target hardware address.
    pub target_mac: MacAddr,
    /// Target protocol address.
    pub target_ip: std::net::Ipv4Addr,
}

impl Arp {
    /// True for a gratuitous announcement: sender and target address are equal, in a request or a reply (RFC 5227 §3).
    pub fn is_gratuitous(&self) -> bool {
        self.sender_ip == self.target_ip && !self.sender_ip.is_unspecified()
    }
}

/// A neighbour solicitation or advertisement (RFC 4861 §4.3, §4.4), with hop limit 255 and a right checksum.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Neighbour {
    /// Source of the Ethernet frame.
    pub frame_source: MacAddr,
    /// IPv6 source.
    pub source: std::net::Ipv6Addr,
    /// IPv6 destination.
    pub destination: std::net::Ipv6Addr,
    /// The address asked for or answered for.
    pub target: std::net::Ipv6Addr,
    /// Solicitation, or advertisement with its flags.
    pub kind: NeighbourKind,
    /// The source (solicitation) or target (advertisement) link-layer address option.
    pub link_address: Option<MacAddr>,
}

/// Solicitation or advertisement.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum NeighbourKind {
    /// Who has it?
    Solicitation,
    /// I have it.
    Advertisement {
        /// Sent by a router.
        router: bool,
        /// In answer to a solicitation.
        solicited: bool,
        /// Replace what the cache holds.
        override_: bool,
    },
}

/// An echo reply: the answer to a directed echo of ours if identifier and sequence are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct EchoReply {
    /// Source of the Ethernet frame: the host that answered.
    pub frame_source: MacAddr,
    /// IP source: the address that was asked.
    pub source: IpAddr,
    /// Identifier of the echo request.
    pub identifier: u16,
    /// Sequence number of the echo request.
    pub sequence: u16,
}

/// Another first-hop redundancy protocol, recognised and named but not judged.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OtherProtocol {
    /// BSD's Common Address Redundancy Protocol: protocol 112 too, and no VRRP.
    Carp {
        /// IP source.
        source: IpAddr,
        /// Virtual host id.
        vhid: u8,
        /// Advertisement base, in seconds.
        advbase: u8,
        /// Advertisement skew, in 1/256 s.
        advskew: u8,
    },
    /// Cisco's Hot Standby Router Protocol.
    Hsrp {
        /// IP source.
        source: IpAddr,
        /// 1 or 2.
        version: u8,
        /// Group, where it could be read.
        group: Option<u16>,
    },
    /// Cisco's Gateway Load Balancing Protocol.
    Glbp {
        /// IP source.
        source: IpAddr,
        /// Group, where it could be read.
        group: Option<u16>,
    },
}

/// Reads one frame. `bytes` may be cut short (a snap length) or padded; nothing in them can make this panic. Addresses of
/// the frame that the capture doesn't tell (a raw IP capture has none) are zeros.
///
/// Only an advertisement costs an allocation: the list of its addresses.
pub fn dissect(bytes: &[u8], link: LinkLayer) -> Dissected {
    let Some(link) = link::strip(bytes, link) else {
        return Dissected { vlan: None, seen: Seen::Irrelevant };
    };
    let seen = match link.ether_type {
        EtherTypes::Arp => arp::parse(&link).map(Seen::Arp),
        EtherTypes::Ipv4 => ip::Packet::parse_v4(link.payload).and_then(|packet| read(&packet, &link)),
        EtherTypes::Ipv6 => ip::Packet::parse_v6(link.payload).and_then(|packet| read(&packet, &link)),
        _ => None,
    };
    Dissected { vlan: link.vlan, seen: seen.unwrap_or(Seen::Irrelevant) }
}

fn read(packet: &ip::Packet<'_>, link: &link::Link<'_>) -> Option<Seen> {
    match (packet.protocol, packet.family()) {
        (IpNextHeaderProtocols::Vrrp, _) => {
            Some(other::parse_carp(packet).map_or_else(|| vrrp::parse(packet, link.source), Seen::Other))
        }
        (IpNextHeaderProtocols::Udp, _) => other::parse_udp(packet).map(Seen::Other),
        (IpNextHeaderProtocols::Icmp, Family::V4) => icmp::parse(packet, link.source_or_zero()).map(Seen::EchoReply),
        (IpNextHeaderProtocols::Icmpv6, Family::V6) => nd::parse(packet, link.source_or_zero())
            .map(Seen::Neighbour)
            .or_else(|| icmp::parse(packet, link.source_or_zero()).map(Seen::EchoReply)),
        _ => None,
    }
}

/// The two bytes at `offset`, in network order.
fn be16(bytes: &[u8], offset: usize) -> Option<u16> {
    Some(u16::from_be_bytes(*bytes.get(offset..)?.first_chunk()?))
}
