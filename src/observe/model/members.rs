//! Of which routers this node is a member, and what follows from that.

use std::collections::BTreeSet;

use super::{DaemonState, ESTABLISHED, Model, Slot};
use crate::observe::{Daemon, Request, Router, Speaker, Tap};
use crate::time::{Duration, Instant};
use crate::wire::Family;

/// Routers that may be called ours only because a VRRP daemon runs on this host: its socket does not say which it serves.
const MAX_DAEMON_MEMBERS: usize = 512;

impl Model {
    /// How the daemon is that speaks for this router here: this one, or the host's.
    pub fn daemon_of(&self, router: &Router) -> DaemonState {
        if router.speaking.is_some() { DaemonState::Alive } else { self.host.daemon(router.id.family) }
    }

    /// True if that daemon may be about to take hold of an address that is here since `held`. One that has advertised since is not.
    pub fn may_be_starting(&self, router: &Router, held: Instant, now: Instant) -> bool {
        let spoke = router.speaking.is_some() || router.has_spoken_for(held);
        !spoke && self.host.may_be_starting(router.id.family, held, now)
    }

    pub(super) fn handle_daemon(&mut self, now: Instant, daemon: Daemon) {
        if self.host.set_daemon(now, daemon) {
            // What came before a daemon was there none could take in.
            let is_there = daemon.state != DaemonState::Absent;
            let of_family = self.routers.values_mut().filter(|router| is_there && router.id.family == daemon.family);
            of_family.flat_map(|router| &mut router.speakers).for_each(|speaker| speaker.forgive(now));
            self.update_daemon_members();
            self.refresh_all();
        } else {
            // Where an address came since the last look, this one may tell that nobody speaks for it; where a tap lacks adverts,
            // that somebody waits for them.
            let concerns = |r: &Router| match daemon.state {
                DaemonState::Absent => r.vips.iter().any(|vip| vip.held.is_some()),
                _ => lacking(r, now).is_some(),
            };
            let routers = self.routers.iter().filter(|(_, r)| r.id.family == daemon.family && concerns(r));
            self.dirty.extend(routers.map(|(slot, _)| *slot));
        }
    }

    /// True if something on this host speaks for a router, or did: this daemon, or one whose adverts left from here; for a router
    /// that is configured here or heard, any that runs or is told of it. Whoever merely watches a router is no member of it.
    pub(super) fn is_served_here(&self, slot: Slot, router: &Router) -> bool {
        router.speaking.is_some()
            || router.speakers.iter().any(|s| s.local)
            || self.daemon_members.contains(&slot)
            || router.expected.is_some() && (self.runs_daemon(router) || self.told_of(router).is_some())
    }

    fn runs_daemon(&self, router: &Router) -> bool {
        matches!(self.host.daemon(router.id.family), DaemonState::Alive | DaemonState::Frozen)
    }

    /// True if the router's addresses are probed from here.
    pub fn is_probed(&self, router: &Router) -> bool {
        router.member && !self.settings.passive && self.settings.probe_interval > Duration::ZERO
    }

    /// True if it matters here what gets past this host's filters: it runs a VRRP daemon, or is a member of a router. On a
    /// bystander nobody waits for the adverts, and nothing is expected of the further taps.
    pub fn needs_taps(&self) -> bool {
        self.takes_part || [Family::V4, Family::V6].iter().any(|f| self.host.daemon(*f) != DaemonState::Absent)
    }

    /// The first of the further taps that lacks this speaker's adverts, if none of them may lag and a daemon was here since: one
    /// that ends takes its place in the group with it, and the interface with the virtual MAC that it leaves swallows them.
    pub fn dropped_before(&self, speaker: &Speaker, now: Instant) -> Option<Tap> {
        let (tap, since) = speaker.dropped_before(now)?;
        let is_awaited = self.host.daemon_looked_for(Family::of(&speaker.advert.source)).is_some_and(|at| at >= since);
        (is_awaited && now >= self.taps_lag_until).then_some(tap)
    }

    /// Takes another look at what the further taps lack by now, and at whether anybody waits for it.
    pub(super) fn look_at_taps(&mut self, now: Instant) {
        for (slot, router) in &self.routers {
            let Some(since) = lacking(router, now) else { continue };
            self.dirty.insert(*slot);
            let family = router.id.family;
            let request = Request::Daemon { family };
            let is_old = self.host.daemon_looked_for(family).is_some_and(|at| at < since);
            if is_old && router.speaking.is_none() && !self.requests.contains(&request) {
                self.requests.push(request);
            }
        }
    }

    /// Works out anew of which routers this host is a member because a VRRP daemon runs on it.
    pub(super) fn update_daemon_members(&mut self) {
        let mut members = BTreeSet::new();
        let mut full = 0;
        for (slot, router) in &self.routers {
            if !self.runs_daemon(router) || router.adverts < ESTABLISHED || router.expected.is_some() {
                continue;
            }
            if members.len() < MAX_DAEMON_MEMBERS {
                members.insert(*slot);
            } else {
                full += 1;
            }
        }
        if full > 0 {
            self.count_full("members");
        }
        let changed: Vec<Slot> = members.symmetric_difference(&self.daemon_members).copied().collect();
        self.daemon_members = members;
        for slot in changed {
            self.refresh(slot);
        }
    }
}

/// Since when a tap has been lacking a router's adverts, if one does.
fn lacking(router: &Router, now: Instant) -> Option<Instant> {
    router.judged().filter(|s| !s.local).find_map(|s| s.dropped_before(now)).map(|(_, since)| since)
}
