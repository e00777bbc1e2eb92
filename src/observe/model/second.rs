//! What does not come from this segment's wire alone: the peers' reports, and whether the witnesses answer through an interface.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::sync::Arc;

use crate::observe::{Channel, Claim, IfIndex, Mute, Peer, Report, Router, Told, Vip};
use crate::time::Instant;
use crate::wire::MacAddr;

use super::{Model, Notice};

/// What the host whose MAC an answer has says of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Vouched {
    /// That it has the address; or nothing, or nothing that is to be believed.
    Perhaps,
    /// It has not said anything since that answer. Until then it may.
    NotYet(Instant),
    /// Signed, that it has no such address: somebody answers in its name.
    Denied,
}

impl Model {
    /// What a peer says may concern every router; who is in good standing is judged anew only where it concerns it.
    pub(super) fn handle_report(&mut self, peer: usize, url: usize, said: &Result<Arc<Report>, Mute>) {
        let Some(channel) = self.channels.get_mut(peer) else { return };
        let before = channel.newest().cloned();
        if channel.take(url, said) {
            self.notices.push(Notice::Channel(peer));
        }
        let Ok(report) = said else { return };
        for slot in self.slots() {
            self.introduce(slot);
        }
        for (slot, router) in &self.routers {
            let (was, is) = (before.as_ref().and_then(|b| router.reported_in(b)), router.reported_in(report));
            let same = was.zip(is).is_some_and(|(was, is)| was.agrees_with(is));
            if !(same && router.steady.is_some()) && was.or(is).is_some() {
                self.dirty.insert(*slot);
            }
        }
    }

    pub(super) fn take_told(&mut self, told: &Arc<[Told]>) {
        self.told = told.clone();
        self.refresh_all();
    }

    /// What the local VRRP daemon was told of a router. Nothing where this daemon itself speaks for it.
    pub fn told_of(&self, router: &Router) -> Option<&Told> {
        let is_it = |told: &&Told| {
            let here = told.interface.as_ref().is_none_or(|name| *name == router.id.interface);
            here && router.id.vlan.is_none() && (told.family, told.vrid) == (router.id.family, router.id.vrid)
        };
        self.told.iter().filter(|_| router.speaking.is_none()).find(is_it)
    }

    /// The peer whose host has a MAC, as it says itself, signed. A virtual one may be on several.
    pub fn owner_of(&self, mac: MacAddr) -> Option<usize> {
        let is_virtual = matches!(mac, MacAddr(0, 0, 0x5e, 0, 1 | 2, _));
        let has = |channel: &Channel| channel.newest().is_some_and(|r| r.signed && r.macs.contains(&mac));
        self.channels.iter().position(has).filter(|_| !is_virtual)
    }

    /// What the peer whose MAC it has says of a host's answer for an address. The virtual MAC may be any peer's.
    pub fn vouched(&self, router: &Router, address: IpAddr, claim: &Claim, now: Instant) -> Vouched {
        let is_virtual = claim.mac == router.virtual_mac();
        let may_have = |channel: &&Channel| is_virtual || channel.newest().is_some_and(|r| r.macs.contains(&claim.mac));
        let words = self.channels.iter().filter(may_have).map(|channel| word(channel, router, (address, claim), now));
        words.reduce(Vouched::and).unwrap_or(Vouched::Perhaps)
    }

    /// Whether a witness answers ARP or neighbour requests through a router's own interface: on which side of a cut this node is.
    /// `None` where no witness is on that segment, or none was asked yet.
    pub fn witness_of(&self, router: &Router) -> Option<bool> {
        let asked = self.gateways.get(&router.interface?)?;
        let answers: Vec<bool> = asked.iter().filter_map(|witness| answer(router, witness)).collect();
        (!answers.is_empty()).then(|| answers.contains(&true))
    }

    /// Through which interfaces the `index`th witness answers, or doesn't; those through which it can't be asked are left out.
    pub fn witness_through(&self, index: usize) -> impl Iterator<Item = (IfIndex, bool)> {
        let through = move |(interface, asked): (&IfIndex, &Vec<Vip>)| {
            let router = self.routers.values().find(|router| router.interface == Some(*interface))?;
            Some((*interface, answer(router, asked.get(index)?)?))
        };
        self.gateways.iter().filter_map(through)
    }
}

impl Vouched {
    /// Of two who may be meant: it is denied if both deny it.
    fn and(self, other: Self) -> Self {
        match (self, other) {
            (Self::Perhaps, _) | (_, Self::Perhaps) => Self::Perhaps,
            (Self::NotYet(one), Self::NotYet(two)) => Self::NotYet(one.min(two)),
            (Self::NotYet(until), Self::Denied) | (Self::Denied, Self::NotYet(until)) => Self::NotYet(until),
            (Self::Denied, Self::Denied) => Self::Denied,
        }
    }
}

/// What a peer's newest report says of an answer in its name. A list that may have been cut off denies nothing.
fn word(channel: &Channel, router: &Router, (address, claim): (IpAddr, &Claim), now: Instant) -> Vouched {
    const MAY_BE_CUT: usize = 1024;
    let Some(report) = channel.fresh(now).filter(|report| report.signed) else { return Vouched::Perhaps };
    let has = report.addresses.contains(&address)
        || router.reported_in(report).is_some_and(|said| said.held.contains(&address));
    if has || report.addresses.len() >= MAY_BE_CUT {
        Vouched::Perhaps
    } else if report.as_of < claim.since {
        Vouched::NotYet(report.fresh_until())
    } else {
        Vouched::Denied
    }
}

/// Whoever answers for anything is no witness.
fn answer(router: &Router, witness: &Vip) -> Option<bool> {
    let honest = witness.claims().iter().any(|claim| !router.is_impostor(claim.mac));
    let silent = witness.is_silent_since(Instant::ZERO) || !witness.claims().is_empty();
    if honest { Some(true) } else { silent.then_some(false) }
}

/// Keeps one round for each witness on each interface on which something is probed.
pub(super) fn ask_witnesses(
    gateways: &mut BTreeMap<IfIndex, Vec<Vip>>,
    now: Instant,
    witnesses: &[IpAddr],
    interfaces: impl Iterator<Item = IfIndex>,
) {
    let interfaces: BTreeSet<IfIndex> = interfaces.filter(|_| !witnesses.is_empty()).collect();
    gateways.retain(|interface, _| interfaces.contains(interface));
    for interface in interfaces {
        let asked = gateways.entry(interface);
        asked.or_insert_with(|| witnesses.iter().map(|address| Vip::new(*address, true, now)).collect());
    }
}

/// The channels to those peers that are asked where they were before.
pub(super) fn keep_channels(old: &[Channel], before: &[Peer], after: &[Peer]) -> Vec<Channel> {
    let kept = |peer: &Peer| before.iter().position(|old| old == peer).and_then(|i| old.get(i)).cloned();
    after.iter().map(|peer| kept(peer).unwrap_or_else(|| Channel::new(peer.urls.len()))).collect()
}
