//! Link layers: Ethernet with its VLAN tags, and Linux cooked captures.
//!
//! Panics: never. A frame that ends inside its link header is `None`.

use pnet::packet::ethernet::{EtherType, EtherTypes, EthernetPacket};
use pnet::packet::vlan::VlanPacket;
use pnet::util::MacAddr;

use super::{LinkLayer, be16};

const ETHERNET_HEADER: usize = 14;
const VLAN_TAG: usize = 4;

/// Fields of a Linux cooked capture header, version 1.
mod sll {
    pub const PACKET_TYPE: usize = 1;
    pub const ADDRESS_LENGTH: usize = 4;
    pub const ADDRESS: usize = 6;
    pub const PROTOCOL: usize = 14;
    pub const HEADER: usize = 16;
}

/// Fields of a Linux cooked capture header, version 2.
mod sll2 {
    pub const PROTOCOL: usize = 0;
    pub const PACKET_TYPE: usize = 10;
    pub const ADDRESS_LENGTH: usize = 11;
    pub const ADDRESS: usize = 12;
    pub const HEADER: usize = 20;
}

/// `LINUX_SLL_BROADCAST`: all that a cooked header says about the destination.
const COOKED_BROADCAST: u8 = 1;

/// What the link layer says, and the packet behind it.
#[derive(Clone, Copy, Debug)]
pub struct Link<'a> {
    /// Source address, where the link layer has one of six bytes.
    pub source: Option<MacAddr>,
    /// Destination address, where the capture tells it.
    pub destination: Option<MacAddr>,
    /// The outermost tag that isn't a priority tag.
    pub vlan: Option<u16>,
    /// What the payload is, behind all tags.
    pub ether_type: EtherType,
    /// From the network header on, Ethernet padding included.
    pub payload: &'a [u8],
}

impl Link<'_> {
    /// The source, or zeros where the capture has none.
    pub fn source_or_zero(&self) -> MacAddr {
        self.source.unwrap_or_default()
    }
}

/// Takes the link header and all VLAN tags off a frame.
pub fn strip(bytes: &[u8], layer: LinkLayer) -> Option<Link<'_>> {
    let link = match layer {
        LinkLayer::Ethernet => ethernet(bytes),
        LinkLayer::Sll => cooked(bytes),
        LinkLayer::Sll2 => cooked2(bytes),
        LinkLayer::Ip => bare(bytes),
    }?;
    untag(link)
}

fn ethernet(bytes: &[u8]) -> Option<Link<'_>> {
    let header = EthernetPacket::new(bytes)?;
    Some(Link {
        source: Some(header.get_source()),
        destination: Some(header.get_destination()),
        vlan: None,
        ether_type: header.get_ethertype(),
        payload: bytes.get(ETHERNET_HEADER..)?,
    })
}

fn cooked(bytes: &[u8]) -> Option<Link<'_>> {
    let (header, payload) = bytes.split_at_checked(sll::HEADER)?;
    Some(Link {
        source: mac(be16(header, sll::ADDRESS_LENGTH)?, &header[sll::ADDRESS..]),
        destination: broadcast(header[sll::PACKET_TYPE]),
        vlan: None,
        ether_type: EtherType(be16(header, sll::PROTOCOL)?),
        payload,
    })
}

fn cooked2(bytes: &[u8]) -> Option<Link<'_>> {
    let (header, payload) = bytes.split_at_checked(sll2::HEADER)?;
    Some(Link {
        source: mac(header[sll2::ADDRESS_LENGTH].into(), &header[sll2::ADDRESS..]),
        destination: broadcast(header[sll2::PACKET_TYPE]),
        vlan: None,
        ether_type: EtherType(be16(header, sll2::PROTOCOL)?),
        payload,
    })
}

fn bare(bytes: &[u8]) -> Option<Link<'_>> {
    let ether_type = match bytes.first()? >> 4 {
        4 => EtherTypes::Ipv4,
        6 => EtherTypes::Ipv6,
        _ => return None,
    };
    Some(Link { source: None, destination: None, vlan: None, ether_type, payload: bytes })
}

/// Takes off 802.1Q and 802.1ad tags. Each costs four bytes of the frame, so their number is bounded by it.
fn untag(mut link: Link<'_>) -> Option<Link<'_>> {
    while matches!(link.ether_type, EtherTypes::Vlan | EtherTypes::PBridge | EtherTypes::QinQ) {
        let tag = VlanPacket::new(link.payload)?;
        // Tag 0 carries a priority only: the frame belongs to no VLAN (IEEE 802.1Q §9.6).
        link.vlan = link.vlan.or(Some(tag.get_vlan_identifier()).filter(|id| *id != 0));
        link.ether_type = tag.get_ethertype();
        link.payload = link.payload.get(VLAN_TAG..)?;
    }
    Some(link)
}

fn mac(length: u16, bytes: &[u8]) -> Option<MacAddr> {
    let octets: [u8; 6] = *bytes.first_chunk()?;
    (length == 6).then(|| octets.into())
}

fn broadcast(packet_type: u8) -> Option<MacAddr> {
    (packet_type == COOKED_BROADCAST).then(MacAddr::broadcast)
}
