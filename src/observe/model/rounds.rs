//! Rounds of probes: when they begin, end, and are brought forward.

use std::net::IpAddr;

use crate::observe::{ROUND, Router, Vip};
use crate::time::{Duration, Instant};

use super::{Model, Slot, second};

impl Model {
    /// Ends the probe rounds whose time is over.
    pub(super) fn end_rounds(&mut self, now: Instant) {
        for (slot, router) in &mut self.routers {
            if router.end_rounds(now) {
                self.dirty.insert(*slot);
            }
        }
        for witness in self.gateways.values_mut().flatten() {
            witness.end_round(now);
        }
        let witnesses = self.gateways.values().flatten().filter_map(Vip::round_ends);
        self.rounds_end = self.routers.values().filter_map(Router::round_ends).chain(witnesses).min();
    }

    /// Begins the rounds that are due.
    pub(super) fn probe(&mut self, now: Instant) {
        let (interval, budget) = (self.settings.probe_interval, self.settings.probe_budget);
        let probing = !self.settings.passive && interval > Duration::ZERO;
        let mut probed: Vec<&mut Router> = self.routers.values_mut().filter(|r| probing && r.member).collect();
        let witnesses: Vec<IpAddr> = self.settings.witnesses.iter().map(|witness| witness.address).collect();
        second::ask_witnesses(&mut self.gateways, now, &witnesses, probed.iter().filter_map(|r| r.interface));
        let routers = probed.iter_mut().map(|r| &mut **r);
        let requests = self.planner.plan(now, &self.host, routers, &mut self.gateways, (interval, budget));
        if !requests.is_empty() {
            self.rounds_end.get_or_insert(now + ROUND);
        }
        self.requests.extend(requests);
    }

    /// Asks anew who holds a router's addresses: what was answered until now may be so no more.
    pub fn ask_soon(&mut self, now: Instant, slot: Slot) {
        let Some(router) = self.routers.get_mut(&slot).filter(|router| router.member) else { return };
        for vip in &mut router.vips {
            vip.interpose(now);
            self.planner.wake(vip.next_probe);
        }
    }
}
