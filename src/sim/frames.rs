//! Frames on the simulated wire: real bytes, made and read by `wire`.

use std::net::IpAddr;
use std::rc::Rc;

use crate::observe::{Fact, Frame, PacketKind, Request};
use crate::vrrp::{self, Settings};
use crate::wire::{Arp, ArpOperation, LinkLayer, MacAddr, Neighbour, NeighbourKind, Seen, dissect, frame};

use super::spec::{mac, primary};
use super::watch::INTERFACE;

/// A frame, and what it says to whoever reads it.
#[derive(Debug)]
pub(super) struct Packet {
    pub bytes: Vec<u8>,
    pub seen: Seen,
}

impl Packet {
    fn new(bytes: Vec<u8>) -> Rc<Self> {
        let seen = dissect(&bytes, LinkLayer::Ethernet).seen;
        Rc::new(Self { bytes, seen })
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

/// An advert of this node.
pub(super) fn advert(me: usize, settings: &Settings, priority: u8) -> Option<Rc<Packet>> {
    let mut advert = vrrp::advert(settings, priority, primary(settings.family, me));
    advert.mac = Some(mac(me));
    frame::advert(&advert, None).ok().map(Packet::new)
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

/// What the watcher wants to have sent; `None` for what is no frame.
pub(super) fn probe(request: &Request) -> Option<Rc<Packet>> {
    let bytes = match *request {
        Request::Arp { sender_mac, sender_ip, target, .. } => frame::arp_request(sender_mac, sender_ip, target),
        Request::Neighbour { sender_mac, source, target, .. } => {
            frame::neighbour_solicitation(sender_mac, source, target)
        }
        Request::Echo { sender_mac, source, target, destination_mac, identifier, sequence, .. } => {
            frame::echo_request(sender_mac, source, target, destination_mac, identifier, sequence).ok()?
        }
        Request::OutputTest { .. } => return None,
    };
    Some(Packet::new(bytes))
}

/// Which address a frame asks for, if it asks.
pub(super) fn asks_for(packet: &Packet) -> Option<IpAddr> {
    match &packet.seen {
        Seen::Arp(arp) if arp.operation == ArpOperation::Request && !arp.is_gratuitous() => Some(arp.target_ip.into()),
        Seen::Neighbour(Neighbour { kind: NeighbourKind::Solicitation, target, .. }) => Some((*target).into()),
        _ => None,
    }
}

/// The answer of this node to a question.
pub(super) fn answer(me: usize, question: &Packet) -> Option<Rc<Packet>> {
    let own = mac(me);
    let bytes = match &question.seen {
        Seen::Arp(arp) => frame::arp(&Arp {
            frame_source: own,
            frame_destination: arp.sender_mac,
            operation: ArpOperation::Reply,
            sender_mac: own,
            sender_ip: arp.target_ip,
            target_mac: arp.sender_mac,
            target_ip: arp.sender_ip,
        }),
        Seen::Neighbour(asked) => {
            let reply = Neighbour {
                frame_source: own,
                source: asked.target,
                destination: asked.source,
                target: asked.target,
                kind: NeighbourKind::Advertisement { router: false, solicited: true, override_: true },
                link_address: Some(own),
            };
            frame::neighbour(&reply, asked.frame_source)
        }
        _ => return None,
    };
    Some(Packet::new(bytes))
}
