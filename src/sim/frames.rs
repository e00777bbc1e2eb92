//! Frames on the simulated wire: real bytes, made and read by `wire`.

use std::net::IpAddr;
use std::rc::Rc;

use crate::observe::{Fact, Frame, PacketKind, Request};
use crate::vrrp::{self, Settings};
use crate::wire::{
    Advert, Arp, ArpOperation, Echo, Family, LinkLayer, MacAddr, Neighbour, NeighbourKind, Seen, dissect, frame,
};

use super::spec::{MAX_NODES, mac, primary};
use super::watch::INTERFACE;

/// A frame, and what it says to whoever reads it.
#[derive(Debug)]
pub(super) struct Packet {
    pub bytes: Vec<u8>,
    pub seen: Seen,
    /// What it asks, if it asks; of an echo request there is nothing to be seen.
    pub asks: Option<Question>,
}

/// A question to a host's kernel: whether it has an address.
#[derive(Clone, Copy, Debug)]
pub(super) struct Question {
    pub target: IpAddr,
    from: (MacAddr, IpAddr),
    /// Identifier and sequence number of an echo request.
    echo: Option<(u16, u16)>,
}

impl Packet {
    fn new(bytes: Vec<u8>) -> Rc<Self> {
        Self::asking(bytes, None)
    }

    fn asking(bytes: Vec<u8>, asks: Option<Question>) -> Rc<Self> {
        let seen = dissect(&bytes, LinkLayer::Ethernet).seen;
        Rc::new(Self { bytes, seen, asks })
    }

    /// To whom it goes.
    pub fn destination(&self) -> MacAddr {
        match self.bytes.first_chunk() {
            Some([a, b, c, d, e, f]) => MacAddr(*a, *b, *c, *d, *e, *f),
            None => MacAddr::zero(),
        }
    }

    /// As the watcher of this node takes it in.
    pub fn fact(&self, me: usize, outgoing: bool) -> Fact {
        let to = self.destination();
        let kind = match () {
            () if outgoing => PacketKind::Outgoing,
            () if to.is_broadcast() => PacketKind::Broadcast,
            () if to.is_multicast() => PacketKind::Multicast,
            () if to == mac(me) => PacketKind::Host,
            () => PacketKind::OtherHost,
        };
        Fact::Frame(Frame { interface: INTERFACE, vlan: None, kind, seen: self.seen.clone() })
    }
}

/// An advert of this node: one frame to the group, or one to each unicast peer, or to the first of them alone.
pub(super) fn adverts(
    me: usize,
    settings: &Settings,
    priority: u8,
    to_all: bool,
) -> impl Iterator<Item = Rc<Packet>> + use<> {
    let mut advert = vrrp::advert(settings, priority, primary(settings.family, me));
    advert.mac = Some(mac(me));
    let peers: Vec<IpAddr> = settings.unicast_peers.iter().take(if to_all { usize::MAX } else { 1 }).copied().collect();
    let to_group = peers.is_empty().then(|| frame::advert(&advert, None));
    let to_peers = peers.into_iter().map(move |peer| {
        let node = (0..MAX_NODES).find(|node| primary(Family::of(&peer), *node) == peer);
        frame::advert(&Advert { destination: peer, ..advert.clone() }, node.map(mac))
    });
    to_group.into_iter().chain(to_peers).filter_map(Result::ok).map(Packet::new)
}

/// One announcement of every address.
pub(super) fn announcements(me: usize, settings: &Settings) -> impl Iterator<Item = Rc<Packet>> {
    let addresses = settings.addresses.iter().map(|(address, _)| *address);
    let frames: Vec<Vec<u8>> = addresses
        .flat_map(|address| match address {
            IpAddr::V4(v4) => frame::gratuitous_arp(mac(me), v4).to_vec(),
            IpAddr::V6(v6) => vec![frame::unsolicited_na(mac(me), v6, false)],
        })
        .collect();
    frames.into_iter().map(Packet::new)
}

/// What the watcher, or a backup, wants to ask; `None` for what is no frame.
pub(super) fn probe(request: &Request) -> Option<Rc<Packet>> {
    let (bytes, asks) = match *request {
        Request::Arp { sender_mac, sender_ip, target, .. } => (
            frame::arp_request(sender_mac, sender_ip, target),
            Question { target: target.into(), from: (sender_mac, sender_ip.into()), echo: None },
        ),
        Request::Neighbour { sender_mac, source, target, .. } => (
            frame::neighbour_solicitation(sender_mac, source, target),
            Question { target: target.into(), from: (sender_mac, source.into()), echo: None },
        ),
        Request::Echo { sender_mac, source, target, destination_mac, identifier, sequence, .. } => (
            frame::echo(Echo::Request, (sender_mac, source), (destination_mac, target), identifier, sequence).ok()?,
            Question { target, from: (sender_mac, source), echo: Some((identifier, sequence)) },
        ),
        Request::OutputTest { .. } | Request::Daemon { .. } => return None,
    };
    Some(Packet::asking(bytes, Some(asks)))
}

/// The answer of this node's kernel.
pub(super) fn answer(me: usize, question: &Question) -> Option<Rc<Packet>> {
    let own = mac(me);
    let Question { target, from: (asker_mac, asker), echo } = *question;
    let bytes = match (echo, target, asker) {
        (Some((identifier, sequence)), ..) => {
            frame::echo(Echo::Reply, (own, target), (asker_mac, asker), identifier, sequence).ok()?
        }
        (None, IpAddr::V4(sender_ip), IpAddr::V4(target_ip)) => frame::arp(&Arp {
            frame_source: own,
            frame_destination: asker_mac,
            operation: ArpOperation::Reply,
            sender_mac: own,
            sender_ip,
            target_mac: asker_mac,
            target_ip,
        }),
        (None, IpAddr::V6(target), IpAddr::V6(asker)) => {
            let kind = NeighbourKind::Advertisement { router: false, solicited: true, override_: true };
            let link_address = Some(own);
            let reply = Neighbour { frame_source: own, source: target, destination: asker, target, kind, link_address };
            frame::neighbour(&reply, asker_mac)
        }
        _ => return None,
    };
    Some(Packet::new(bytes))
}
