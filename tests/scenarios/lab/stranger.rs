//! A third host on the segment, that advertises as if it were one of a pair, or something like it.

use super::{Flavour, Injector, Node, Pair, Speaker};
use std::net::IpAddr;
use vipwarden::time::{CentiSeconds, Seconds};
use vipwarden::wire::{Advert, Auth, ChecksumForm, Interval, MacAddr, Version, frame};

/// A host of the laboratory, beside a pair.
pub struct Stranger {
    pub node: Node,
    flavour: Flavour,
    /// Whom it can send to, by unicast.
    pair: [Node; 2],
}

impl Stranger {
    /// The one that is plugged in as `x`.
    pub fn beside(pair: &Pair, flavour: Flavour) -> Self {
        Self { node: pair.lab.node("x").clone(), flavour, pair: [pair.a.node.clone(), pair.b.node.clone()] }
    }

    /// An advert of the pair's own kind in the name of `node`, whose frames come from the `last` of some MACs.
    pub fn advert(&self, node: &Node, last: u8, priority: u8) -> Advert {
        let v6 = matches!(self.flavour, Flavour::V6 | Flavour::UnicastV6);
        let v2 = matches!(self.flavour, Flavour::V2);
        let source = if v6 { node.link_local() } else { node.ipv4() };
        let mut addresses = vec![address(self.flavour.vip())];
        if v6 {
            addresses.insert(0, address("fe80::100"));
        }
        Advert {
            mac: Some(mac(last)),
            source: address(&source),
            destination: address(if v6 { "ff02::12" } else { "224.0.0.18" }),
            ttl: 255,
            version: if v2 { Version::V2 } else { Version::V3 },
            vrid: 51,
            priority,
            interval: if v2 { Interval::Seconds(Seconds(1)) } else { Interval::CentiSeconds(CentiSeconds(10)) },
            auth: Auth::None,
            checksum: if v2 { ChecksumForm::Message } else { ChecksumForm::PseudoHeader },
            addresses,
        }
    }

    /// Begins to send it, every 100 ms until what this answers is dropped: to the group, or to each of a pair that speaks by unicast.
    pub fn speak(&self, advert: &Advert) -> Vec<Speaker> {
        self.frames(advert).into_iter().map(|frame| Speaker::start(&self.node, frame)).collect()
    }

    /// Sends it once.
    pub fn say(&self, advert: &Advert) {
        let mut injector = Injector::open(&self.node);
        self.frames(advert).iter().for_each(|frame| injector.send(frame));
    }

    fn frames(&self, advert: &Advert) -> Vec<Vec<u8>> {
        let to = |node: &Node| Advert { destination: address(&node.ipv4()), ..advert.clone() };
        let at = |node: &Node| node.mac().parse().expect("a MAC");
        match self.flavour {
            Flavour::Unicast => self.pair.iter().map(|node| frame::advert(&to(node), Some(at(node)))).collect(),
            _ => [frame::advert(advert, None)].into_iter().collect::<Result<Vec<_>, _>>(),
        }
        .expect("an advert that a frame can carry")
    }

    /// Announces that the VIP is at a MAC, to everyone.
    pub fn announce(&self, at: MacAddr) {
        announce(&self.node, self.flavour, at);
    }
}

/// Announces from a host that the VIP is at a MAC.
pub fn announce(from: &Node, flavour: Flavour, at: MacAddr) {
    let frames = match address(flavour.vip()) {
        IpAddr::V4(vip) => frame::gratuitous_arp(at, vip).to_vec(),
        IpAddr::V6(vip) => vec![frame::unsolicited_na(at, vip, false)],
    };
    let mut injector = Injector::open(from);
    frames.iter().for_each(|frame| injector.send(frame));
}

/// One of the MACs of which it makes use.
pub fn mac(last: u8) -> MacAddr {
    MacAddr(2, 0, 0, 0xf0, 0, last)
}

fn address(text: &str) -> IpAddr {
    text.parse().expect("an address")
}
