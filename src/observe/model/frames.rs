//! What a frame on the wire changes.

use std::net::IpAddr;

use crate::observe::{Delivered, Frame, IfIndex, PacketKind, Request, Router, Sensor, Speaker, TAP_LAG, Tap, Vipness};
use crate::time::{Duration, Instant};
use crate::wire::{
    Advert, Arp, ArpOperation, EchoReply, Family, MacAddr, Neighbour, NeighbourKind, OtherProtocol, Seen,
};

use super::strangers::{introduce, is_stranger};
use super::{MAX_OTHERS, Model, Notice, Slot};

impl Model {
    pub(super) fn handle_frame(&mut self, now: Instant, frame: &Frame) {
        // The VLAN device has it, too, and there it belongs.
        if frame.vlan.is_some_and(|vlan| self.host.has_sniffed_vlan(frame.interface, vlan)) {
            return;
        }
        match &frame.seen {
            Seen::Advert(advert) => self.handle_advert(now, frame, advert),
            Seen::Rejected(rejected) => self.refuse(frame.interface, rejected.vrid, rejected.reason),
            Seen::Arp(arp) => self.handle_arp(now, frame, arp),
            Seen::Neighbour(neighbour) => self.handle_neighbour(now, frame, neighbour),
            Seen::EchoReply(reply) => {
                if reply.identifier == crate::observe::ECHO_IDENTIFIER && frame.kind == PacketKind::Host {
                    self.handle_echo(frame.interface, reply);
                }
            }
            Seen::Other(other) => self.note_other(other),
            Seen::Irrelevant => {}
        }
    }

    fn note_other(&mut self, other: &OtherProtocol) {
        let id = |o: &OtherProtocol| (o.protocol(), o.source(), o.group());
        if self.others.iter().any(|known| id(known) == id(other)) {
            return;
        }
        if self.others.len() == MAX_OTHERS {
            return self.count_full("others");
        }
        self.others.push(other.clone());
        self.notices.push(Notice::Other(other.clone()));
    }

    fn handle_advert(&mut self, now: Instant, frame: &Frame, advert: &Advert) {
        if let Some(defect) = advert.defect() {
            self.refuse(frame.interface, Some(advert.vrid), defect);
            if defect != crate::wire::RejectReason::Ttl {
                return;
            }
        }
        let local = frame.kind == PacketKind::Outgoing && self.host.has_address(advert.source);
        if !local && frame.kind != PacketKind::Outgoing && self.is_own(now, advert) {
            return;
        }
        let key = (frame.interface, frame.vlan, advert.family(), advert.vrid);
        let Some(slot) = self.index.get(&key).copied().or_else(|| self.learn(now, key)) else { return };
        let expected = self.taps_expected(frame, advert);
        self.hear(now, slot, advert, local, expected);
    }

    /// True if it is this host's own advert, come back over a bridge or another of its interfaces. Another's may have the same source
    /// and the same MAC: FRR's come from the virtual router's, which its backups have, too. Nor is it one when none was sent: somebody
    /// plays it back.
    fn is_own(&self, now: Instant, advert: &Advert) -> bool {
        let is_same = |s: &Speaker| s.advert == *advert && s.is_fresh(now);
        self.host.has_address(advert.source)
            && advert.mac.is_some_and(|mac| self.host.has_mac(mac))
            && self.routers.values().any(|router| router.local().is_some_and(is_same))
    }

    /// The further taps that must see this advert, too, unless something on this host drops it.
    fn taps_expected(&self, frame: &Frame, advert: &Advert) -> &'static [Tap] {
        let untagged_parent = frame.vlan.is_none()
            && matches!(frame.kind, PacketKind::Host | PacketKind::Multicast)
            && self.host.link(frame.interface).is_some_and(|l| l.master.is_none());
        // What comes from an address of this host's own the kernel lets go no further, by IPv4.
        let is_martian = advert.family() == Family::V4 && self.host.has_address(advert.source);
        if !untagged_parent || !self.needs_taps() || is_martian {
            &[]
        } else if advert.mac.is_some_and(|mac| self.host.has_macvlan(frame.interface, mac)) {
            // A backup with a virtual MAC of its own: its private macvlan takes the frame away before the first tap.
            &[Tap::Raw]
        } else {
            &[Tap::Ip, Tap::Raw]
        }
    }

    fn hear(&mut self, now: Instant, slot: Slot, advert: &Advert, local: bool, expected: &[Tap]) {
        let Some(router) = self.routers.get_mut(&slot) else { return };
        let content_changed = match router.speaker_of(advert, local) {
            Some(speaker) => speaker.advert != *advert,
            None => {
                let speaker = Speaker::new(now, advert.clone(), local);
                let stranger = is_stranger(&self.settings, &self.channels, router, &speaker);
                if !router.make_room(now, self.settings.max_speakers, stranger) {
                    router.count(now, advert, local, stranger);
                    self.count_full("speakers");
                    return;
                }
                router.speakers.push(speaker);
                introduce(&self.settings, &self.channels, router, router.speakers.len() - 1);
                true
            }
        };
        router.hear(now, advert, local, expected);
        let heard = router.speakers.iter().position(|speaker| speaker.is_source_of(advert, local));
        let Some((index, speaker)) = heard.and_then(|index| Some((index, router.speakers.get(index)?))) else { return };
        let (is_new, begins) = (speaker.received == 1, speaker.spell == now);
        if begins {
            introduce(&self.settings, &self.channels, router, index);
        }
        let Some(&Speaker { stranger, known, .. }) = router.speakers.get(index) else { return };
        router.count(now, advert, local, stranger);
        if is_new && !known {
            self.notices.push(Notice::Stranger(slot, advert.source));
        }
        if !expected.is_empty() {
            self.look.get_or_insert(now + TAP_LAG);
        }
        self.stale.insert(slot);
        if content_changed {
            router.refresh_vips(now, &[]);
            self.refresh(slot);
            self.touch_twins(slot);
        } else if router.steady != Some(advert.source) {
            self.dirty.insert(slot);
        }
    }

    /// Whoever shares an address with this router under another VRID is to be judged anew.
    fn touch_twins(&mut self, slot: Slot) {
        let Some(router) = self.routers.get(&slot) else { return };
        let shares = |other: &Router| {
            other.interface == router.interface && other.vips.iter().any(|vip| router.asks_about(vip.address))
        };
        let twins: Vec<Slot> = self.routers.iter().filter(|(_, r)| shares(r)).map(|(slot, _)| *slot).collect();
        let shared = twins.len() > 1;
        for slot in twins {
            if let Some(router) = self.routers.get_mut(&slot).filter(|r| shared || r.shares) {
                router.shares = shared;
                self.dirty.insert(slot);
            }
        }
    }

    pub(super) fn handle_delivered(&mut self, now: Instant, delivered: Delivered) {
        let family = Family::of(&delivered.source);
        let segment = self.host.segment_of(delivered.interface);
        let Some(slot) = self.index.get(&(segment, None, family, delivered.vrid)).copied() else { return };
        let Some(router) = self.routers.get_mut(&slot) else { return };
        for speaker in router.speakers.iter_mut().filter(|s| !s.local && s.advert.source == delivered.source) {
            speaker.deliver(now, delivered.tap);
        }
        self.stale.insert(slot);
        if router.steady != Some(delivered.source) {
            self.dirty.insert(slot);
        }
    }

    /// What a further tap lacks from before it was overrun, nothing on this host need have dropped.
    pub(super) fn handle_overrun(&mut self, now: Instant, interface: Option<IfIndex>) {
        self.taps_lag_until = now + TAP_LAG;
        let concerned = |router: &&mut Router| interface.is_none() || router.interface == interface;
        for speaker in self.routers.values_mut().filter(concerned).flat_map(|router| &mut router.speakers) {
            speaker.forgive(now);
        }
        let says = "adverts come faster than they can be compared with what this host's filters let pass".to_owned();
        if self.sight.flash(now, Sensor::Delivered, interface, says) {
            self.notices.push(Notice::Sensor(Sensor::Delivered, interface));
        }
    }

    fn handle_arp(&mut self, now: Instant, frame: &Frame, arp: &Arp) {
        let (address, mac) = (IpAddr::V4(arp.sender_ip), arp.sender_mac);
        if frame.kind == PacketKind::Outgoing && arp.operation == ArpOperation::Request && !arp.is_gratuitous() {
            return self.seek(now, frame.interface, IpAddr::V4(arp.target_ip));
        }
        self.find(frame.interface, address);
        self.locate(now, address, mac);
        let answers_us = arp.operation == ArpOperation::Reply && frame.kind == PacketKind::Host;
        if answers_us {
            self.handle_answer(now, frame.interface, address, (mac, arp.frame_source));
        } else if arp.is_gratuitous() && is_to_all(arp.frame_destination) {
            self.handle_announcement(now, frame, address, mac);
        }
    }

    fn handle_neighbour(&mut self, now: Instant, frame: &Frame, neighbour: &Neighbour) {
        let address = IpAddr::V6(neighbour.target);
        let NeighbourKind::Advertisement { solicited, override_, .. } = neighbour.kind else {
            if frame.kind == PacketKind::Outgoing {
                self.seek(now, frame.interface, address);
            }
            return;
        };
        self.find(frame.interface, address);
        let mac = neighbour.link_address.unwrap_or(neighbour.frame_source);
        self.locate(now, address, mac);
        if solicited && frame.kind == PacketKind::Host {
            self.handle_answer(now, frame.interface, address, (mac, neighbour.frame_source));
        } else if !solicited && override_ {
            self.handle_announcement(now, frame, address, mac);
        }
    }

    /// This host asks for a neighbour, and not because this daemon wants to know who holds an address.
    fn seek(&mut self, now: Instant, interface: IfIndex, target: IpAddr) {
        let is_witness = self.gateways.get(&interface).into_iter().flatten().any(|w| w.address == target);
        if is_witness || self.routers.values().any(|r| r.interface == Some(interface) && r.asks_about(target)) {
            return;
        }
        match self.sought.get_mut(&interface) {
            Some((address, _, last)) if *address == target => *last = now,
            _ => drop(self.sought.insert(interface, (target, now, now))),
        }
    }

    /// A neighbour answers, or is heard.
    fn find(&mut self, interface: IfIndex, address: IpAddr) {
        if self.sought.get(&interface).is_some_and(|(sought, ..)| *sought == address) {
            self.sought.remove(&interface);
        }
    }

    /// A neighbour that this host asks for in vain: what is sent to it does not leave.
    pub fn sought_in_vain(&self, interface: IfIndex, now: Instant) -> Option<IpAddr> {
        /// An answer takes much less, and the kernel asks every second.
        const ANSWER: Duration = Duration::from_millis(300);
        const AGAIN: Duration = Duration::from_secs(3);
        let (address, since, last) = self.sought.get(&interface)?;
        (now.since(*since) >= ANSWER && now.since(*last) < AGAIN).then_some(*address)
    }

    /// Somebody answers that an address is at a MAC, in a frame from one.
    fn handle_answer(&mut self, now: Instant, interface: IfIndex, address: IpAddr, (mac, from): (MacAddr, MacAddr)) {
        if self.host.answers_as(interface, mac) {
            return;
        }
        for witness in self.gateways.get_mut(&interface).into_iter().flatten().filter(|w| w.address == address) {
            witness.answer(now, mac, from);
        }
        let mut echo = false;
        let concerned = |r: &Router| r.interface == Some(interface) && r.asks_about(address);
        for (slot, router) in self.routers.iter_mut().filter(|(_, r)| concerned(r)) {
            let expected = router.is_expected_claimant(now, mac);
            let spell = router.active(now).iter().map(|s| s.spell).max().unwrap_or_default();
            let asked_beside = router.primaries.iter_mut().chain(&mut router.decoy);
            if asked_beside.filter(|p| p.address == address).any(|p| p.answer(now, mac, from)) {
                self.dirty.insert(*slot);
            }
            let Some(vip) = router.vips.iter_mut().find(|v| v.address == address) else { continue };
            if !vip.answer(now, mac, from) {
                continue;
            }
            if let Some(claim) = vip.claims().iter().find(|c| c.mac == mac && !expected) {
                echo |= !claim.echoed;
                // What it answered before the present master began proves nothing.
                if !claim.persists_since(spell) {
                    vip.hurry(now);
                }
                router.ask_primaries(now);
                if !router.decoy.as_ref().is_some_and(|decoy| self.host.has_address(decoy.address)) {
                    let own = self.host.source_for(interface, address, |a| vipness_of(router, a));
                    own.into_iter().for_each(|(_, own)| router.ask_decoy(now, own));
                }
                self.planner.wake(now);
            }
            self.dirty.insert(*slot);
        }
        if echo {
            self.echo(interface, address, mac);
        }
    }

    /// Sends an echo to one who answers for an address.
    fn echo(&mut self, interface: IfIndex, address: IpAddr, mac: MacAddr) {
        let request = self.planner.echo(&self.host, interface, address, mac);
        if let Some(Request::Echo { sequence, .. }) = request {
            let vips = self.routers.values_mut().filter(|r| r.interface == Some(interface)).flat_map(|r| &mut r.vips);
            vips.filter(|vip| vip.address == address).for_each(|vip| vip.ask(mac, sequence));
        }
        self.requests.extend(request);
    }

    /// Somebody announces an address unasked: clients believe it, and to this node it is news to verify.
    fn handle_announcement(&mut self, now: Instant, frame: &Frame, address: IpAddr, mac: MacAddr) {
        let own = frame.kind == PacketKind::Outgoing || self.host.answers_as(frame.interface, mac);
        let concerned =
            |r: &Router| r.interface == Some(frame.interface) && r.id.vlan == frame.vlan && r.asks_about(address);
        for (slot, router) in self.routers.iter_mut().filter(|(_, r)| concerned(r)) {
            let expected = own || router.is_expected_claimant(now, mac);
            let Some(vip) = router.vips.iter_mut().find(|v| v.address == address) else { continue };
            if vip.announce(now, mac, own, expected) {
                self.dirty.insert(*slot);
            }
            if !expected {
                vip.hurry(now);
                self.planner.wake(vip.next_probe);
            }
        }
    }

    fn handle_echo(&mut self, interface: IfIndex, reply: &EchoReply) {
        let (address, mac, number) = (reply.source, reply.frame_source, reply.sequence);
        for (slot, router) in self.routers.iter_mut().filter(|(_, r)| r.interface == Some(interface)) {
            if router.vips.iter_mut().any(|v| v.address == address && v.echo(mac, number)) {
                self.dirty.insert(*slot);
            }
        }
    }
}

/// Kernels answer an announcement of an address that they hold, too: that looks like one, and goes to its sender alone.
const fn is_to_all(destination: MacAddr) -> bool {
    destination.0 & 1 == 1
}

/// An address of the router's is none that could be asked from.
fn vipness_of(router: &Router, address: IpAddr) -> Vipness {
    if router.vips.iter().any(|vip| vip.address == address) { Vipness::Ours } else { Vipness::None }
}
