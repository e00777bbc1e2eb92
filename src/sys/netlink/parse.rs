//! What one rtnetlink message says, in the model's words.

use std::net::IpAddr;

use rtnetlink::packet_route::address::{AddressAttribute, AddressFlags, AddressMessage};
use rtnetlink::packet_route::link::{
    InfoData, InfoKind, InfoVlan, LinkAttribute, LinkFlags, LinkInfo, LinkLayerType, LinkMessage, State,
};
use rtnetlink::packet_route::{AddressFamily, RouteNetlinkMessage};

use crate::observe::{Address, IfIndex, Link, LinkKind};
use crate::wire::MacAddr;

/// One change of the host's links and addresses.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Change {
    Link(Link),
    LinkGone(IfIndex),
    Address(Address),
    AddressGone(Address),
}

/// The change that a message tells of; `None` if it concerns neither a link nor an address.
pub(super) fn change(message: &RouteNetlinkMessage) -> Option<Change> {
    match message {
        RouteNetlinkMessage::NewLink(m) if is_whole(m) => Some(Change::Link(link(m)?)),
        RouteNetlinkMessage::DelLink(m) if is_whole(m) => Some(Change::LinkGone(IfIndex(m.header.index))),
        RouteNetlinkMessage::NewAddress(m) => Some(Change::Address(address(m)?)),
        RouteNetlinkMessage::DelAddress(m) => Some(Change::AddressGone(address(m)?)),
        _ => None,
    }
}

/// False for messages of the same types that speak of less than the link: a bridge's about its ports (whose `DelLink`
/// means that a port left, not that the interface is gone), and wireless events.
fn is_whole(message: &LinkMessage) -> bool {
    message.header.interface_family == AddressFamily::Unspec
        && !message.attributes.iter().any(|a| matches!(a, LinkAttribute::Wireless(_)))
}

fn link(message: &LinkMessage) -> Option<Link> {
    let header = &message.header;
    let mut link = Link {
        up: header.flags.contains(LinkFlags::Up),
        carrier: header.flags.contains(LinkFlags::LowerUp),
        ..Link::plain(IfIndex(header.index), "")
    };
    let mut parent_is_here = true;
    for attribute in &message.attributes {
        match attribute {
            LinkAttribute::IfName(name) => link.name.clone_from(name),
            LinkAttribute::Address(bytes) if header.link_layer_type == LinkLayerType::Ether => link.mac = mac(bytes),
            LinkAttribute::OperState(State::NotPresent | State::Down | State::LowerLayerDown | State::Dormant) => {
                link.carrier = false
            }
            LinkAttribute::ProtoDown(down) => link.protodown = *down != 0,
            LinkAttribute::Controller(index) if *index != 0 => link.master = Some(IfIndex(*index)),
            LinkAttribute::Link(index) if *index != 0 && *index != header.index => link.parent = Some(IfIndex(*index)),
            LinkAttribute::LinkNetNsId(_) => parent_is_here = false,
            LinkAttribute::LinkInfo(infos) => parent_is_here &= describe(&mut link, infos),
            _ => {}
        }
    }
    if header.flags.contains(LinkFlags::Loopback) {
        link.kind = LinkKind::Loopback;
    }
    if !parent_is_here {
        link.parent = None;
    }
    // The kernel names every link; without a name nothing could be said of it.
    (!link.name.is_empty()).then_some(link)
}

/// Reads kind and VLAN. False for the kinds that call their other end their lower link.
fn describe(link: &mut Link, infos: &[LinkInfo]) -> bool {
    let mut has_parent = true;
    for info in infos {
        match info {
            LinkInfo::Kind(kind) => {
                link.kind = kind_of(kind);
                has_parent = !matches!(kind, InfoKind::Veth | InfoKind::Netkit | InfoKind::Vxcan);
            }
            LinkInfo::Data(InfoData::Vlan(data)) => {
                link.vlan = data.iter().find_map(|d| match d {
                    InfoVlan::Id(id) => Some(*id),
                    _ => None,
                });
            }
            _ => {}
        }
    }
    has_parent
}

fn kind_of(kind: &InfoKind) -> LinkKind {
    match kind {
        InfoKind::Veth => LinkKind::Veth,
        InfoKind::MacVlan | InfoKind::MacVtap => LinkKind::Macvlan,
        InfoKind::Vlan => LinkKind::Vlan,
        InfoKind::Bridge => LinkKind::Bridge,
        InfoKind::Bond | InfoKind::Team => LinkKind::Bond,
        _ => LinkKind::Other,
    }
}

fn mac(bytes: &[u8]) -> Option<MacAddr> {
    <[u8; 6]>::try_from(bytes).ok().map(MacAddr::from)
}

/// The address that a message is about.
pub(in crate::sys) fn address(message: &AddressMessage) -> Option<Address> {
    let mut local = None;
    let mut remote = None;
    // The header has room for the low eight flags only; the attribute, where the kernel sends it, has all.
    let mut flags = AddressFlags::from_bits_retain(u32::from(message.header.flags.bits()));
    for attribute in &message.attributes {
        match attribute {
            AddressAttribute::Local(address) => local = Some(*address),
            AddressAttribute::Address(address) => remote = Some(*address),
            AddressAttribute::Flags(all) => flags = *all,
            _ => {}
        }
    }
    // On a point-to-point link IFA_ADDRESS is the other end and IFA_LOCAL ours; IPv6 elsewhere sends IFA_ADDRESS only.
    let address: IpAddr = local.or(remote)?;
    Some(Address {
        interface: IfIndex(message.header.index),
        address,
        prefix: message.header.prefix_len,
        usable: !flags.intersects(AddressFlags::Tentative | AddressFlags::Dadfailed),
    })
}
