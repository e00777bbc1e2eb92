//! What does not come from this segment's wire alone: the peers' reports, and whether the witnesses answer through an interface.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::sync::Arc;

use crate::observe::{Channel, IfIndex, Mute, Peer, Report, Router, Told, Vip};
use crate::time::Instant;

use super::{Model, Notice};

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
