//! Whole Ethernet frames, ready to be sent: adverts, ARP, neighbour discovery, directed echoes.
//!
//! Panics: never.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use pnet::packet::ethernet::{EtherType, EtherTypes, MutableEthernetPacket};
use pnet::packet::ip::IpNextHeaderProtocols;

use super::{
    Advert, Arp, ArpOperation, Auth, Echo, Family, MacAddr, Neighbour, NeighbourKind, RejectReason, arp, icmp, ip, nd,
    vrrp,
};

const ETHERNET_HEADER: usize = 14;

/// Internetwork control (RFC 791 §3.1), as VRRP speakers mark their adverts.
const TOS_INTERNETWORK_CONTROL: u8 = 0xc0;
const TOS_ROUTINE: u8 = 0;

/// All nodes on the link (RFC 4291 §2.7.1).
const ALL_NODES: Ipv6Addr = Ipv6Addr::new(0xff02, 0, 0, 0, 0, 0, 0, 1);

/// Nobody forwards it.
const ECHO_TTL: u8 = 1;

/// Why a frame can't be built.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum EmitError {
    /// The wire has no room for such an advertisement, or every receiver would refuse it.
    #[error("every receiver would refuse this advertisement for its {}", .0.as_str())]
    Refused(RejectReason),
    /// A unicast destination, and nobody said at which MAC it is.
    #[error("an advertisement to {0} needs the MAC of that peer")]
    UnknownPeer(IpAddr),
    /// Source and target are of different families.
    #[error("{0} can't be asked from {1}: use a source address of the same family")]
    MixedFamilies(IpAddr, IpAddr),
}

/// The frame of an advertisement: from `advert.mac`, or from the virtual router's MAC (RFC 9568 §7.3) if it has none; to
/// the group's MAC, or to `peer` if it is unicast.
///
/// # Errors
/// [`EmitError::Refused`] as in [`super::emit_advert`]; [`EmitError::UnknownPeer`] for a unicast advert without `peer`.
pub fn advert(advert: &Advert, peer: Option<MacAddr>) -> Result<Vec<u8>, EmitError> {
    let mut message = Vec::new();
    vrrp::emit_advert(advert, &mut message)?;
    let mut protocol = IpNextHeaderProtocols::Vrrp;
    if advert.auth == Auth::Header {
        message = ip::emit_authentication_header(protocol, &message);
        protocol = IpNextHeaderProtocols::Ah;
    }
    let destination = group_mac(advert.destination).or(peer).ok_or(EmitError::UnknownPeer(advert.destination))?;
    let source = advert.mac.unwrap_or(virtual_mac(advert.family(), advert.vrid));
    let header = ip::Header { ttl: advert.ttl, tos: TOS_INTERNETWORK_CONTROL, protocol };
    packet(source, destination, header, advert.source, advert.destination, &message)
        .ok_or(EmitError::Refused(RejectReason::Addresses))
}

/// The MAC of a virtual router (RFC 9568 §7.3).
pub const fn virtual_mac(family: Family, vrid: u8) -> MacAddr {
    match family {
        Family::V4 => MacAddr(0, 0, 0x5e, 0, 1, vrid),
        Family::V6 => MacAddr(0, 0, 0x5e, 0, 2, vrid),
    }
}

/// A broadcast ARP request for `target` (RFC 826).
pub fn arp_request(sender_mac: MacAddr, sender_ip: Ipv4Addr, target: Ipv4Addr) -> Vec<u8> {
    arp(&Arp {
        frame_source: sender_mac,
        frame_destination: MacAddr::broadcast(),
        operation: ArpOperation::Request,
        sender_mac,
        sender_ip,
        target_mac: MacAddr::zero(),
        target_ip: target,
    })
}

/// The two broadcast announcements that `ip` is at `mac`: a request (RFC 5227 §3) and a reply. Some stacks learn from the one
/// only, some from the other.
pub fn gratuitous_arp(mac: MacAddr, ip: Ipv4Addr) -> [Vec<u8>; 2] {
    [(ArpOperation::Request, MacAddr::zero()), (ArpOperation::Reply, mac)].map(|(operation, target_mac)| {
        arp(&Arp {
            frame_source: mac,
            frame_destination: MacAddr::broadcast(),
            operation,
            sender_mac: mac,
            sender_ip: ip,
            target_mac,
            target_ip: ip,
        })
    })
}

/// Any ARP packet in its frame.
pub fn arp(packet: &Arp) -> Vec<u8> {
    ethernet(packet.frame_source, packet.frame_destination, EtherTypes::Arp, &arp::emit(packet))
}

/// A neighbour solicitation for `target`, to its solicited-node group (RFC 4861 §4.3).
pub fn neighbour_solicitation(sender_mac: MacAddr, source: Ipv6Addr, target: Ipv6Addr) -> Vec<u8> {
    let solicitation = Neighbour {
        frame_source: sender_mac,
        source,
        destination: nd::solicited_node(target),
        target,
        kind: NeighbourKind::Solicitation,
        // The unspecified source is a duplicate check, which must not say who asks (RFC 4861 §4.3).
        link_address: (!source.is_unspecified()).then_some(sender_mac),
    };
    neighbour(&solicitation, group_mac_v6(solicitation.destination))
}

/// The announcement to all nodes that `ip` is at `mac`, whatever their caches hold (RFC 4861 §7.2.6, RFC 9568 §6.4.2). `router`
/// is to be set only where this host forwards: who sees it cleared takes the address from its default routers.
pub fn unsolicited_na(mac: MacAddr, ip: Ipv6Addr, router: bool) -> Vec<u8> {
    let advertisement = Neighbour {
        frame_source: mac,
        source: ip,
        destination: ALL_NODES,
        target: ip,
        kind: NeighbourKind::Advertisement { router, solicited: false, override_: true },
        link_address: Some(mac),
    };
    neighbour(&advertisement, group_mac_v6(ALL_NODES))
}

/// Any neighbour solicitation or advertisement in a frame to `frame_destination`.
pub fn neighbour(message: &Neighbour, frame_destination: MacAddr) -> Vec<u8> {
    let header = ip::Header { ttl: nd::HOP_LIMIT, tos: TOS_ROUTINE, protocol: IpNextHeaderProtocols::Icmpv6 };
    let packet = ip::emit_v6(header, message.source, message.destination, &nd::emit(message));
    ethernet(message.frame_source, frame_destination, EtherTypes::Ipv6, &packet)
}

/// An echo from one host's MAC and address to exactly one other's, with TTL or hop limit 1 so that nobody forwards it.
///
/// # Errors
/// [`EmitError::MixedFamilies`].
pub fn echo(
    kind: Echo,
    (sender_mac, source): (MacAddr, IpAddr),
    (destination_mac, destination): (MacAddr, IpAddr),
    identifier: u16,
    sequence: u16,
) -> Result<Vec<u8>, EmitError> {
    let protocol = if source.is_ipv4() { IpNextHeaderProtocols::Icmp } else { IpNextHeaderProtocols::Icmpv6 };
    let header = ip::Header { ttl: ECHO_TTL, tos: TOS_ROUTINE, protocol };
    icmp::emit(kind, source, destination, identifier, sequence)
        .and_then(|message| packet(sender_mac, destination_mac, header, source, destination, &message))
        .ok_or(EmitError::MixedFamilies(destination, source))
}

/// `None` if the families differ.
fn packet(
    source_mac: MacAddr,
    destination_mac: MacAddr,
    header: ip::Header,
    source: IpAddr,
    destination: IpAddr,
    payload: &[u8],
) -> Option<Vec<u8>> {
    let (ether_type, bytes) = match (source, destination) {
        (IpAddr::V4(source), IpAddr::V4(destination)) => {
            (EtherTypes::Ipv4, ip::emit_v4(header, source, destination, payload))
        }
        (IpAddr::V6(source), IpAddr::V6(destination)) => {
            (EtherTypes::Ipv6, ip::emit_v6(header, source, destination, payload))
        }
        _ => return None,
    };
    Some(ethernet(source_mac, destination_mac, ether_type, &bytes))
}

/// The MAC of a multicast group; `None` for a unicast address.
fn group_mac(address: IpAddr) -> Option<MacAddr> {
    address.is_multicast().then(|| match address {
        IpAddr::V4(group) => group_mac_v4(group),
        IpAddr::V6(group) => group_mac_v6(group),
    })
}

/// RFC 1112 §6.4: the lower 23 bits of the group.
const fn group_mac_v4(group: Ipv4Addr) -> MacAddr {
    let [_, b, c, d] = group.octets();
    MacAddr(0x01, 0x00, 0x5e, b & 0x7f, c, d)
}

/// RFC 2464 §7: the lower 32 bits of the group.
const fn group_mac_v6(group: Ipv6Addr) -> MacAddr {
    let [.., a, b, c, d] = group.octets();
    MacAddr(0x33, 0x33, a, b, c, d)
}

fn ethernet(source: MacAddr, destination: MacAddr, ether_type: EtherType, payload: &[u8]) -> Vec<u8> {
    let mut bytes = vec![0; ETHERNET_HEADER];
    if let Some(mut header) = MutableEthernetPacket::new(&mut bytes) {
        header.set_source(source);
        header.set_destination(destination);
        header.set_ethertype(ether_type);
    }
    bytes.extend_from_slice(payload);
    bytes
}
