//! Of which routers this node is a member, and what follows from that.

use std::collections::BTreeSet;

use super::{DaemonState, ESTABLISHED, Model, Slot};
use crate::observe::Router;
use crate::time::Duration;
use crate::wire::Family;

/// Routers that may be called ours only because a VRRP daemon runs on this host: its socket does not say which it serves.
const MAX_DAEMON_MEMBERS: usize = 512;

impl Model {
    /// How the daemon is that speaks for this router here: this one, or the host's.
    pub fn daemon_of(&self, router: &Router) -> DaemonState {
        if router.speaking.is_some() { DaemonState::Alive } else { self.host.daemon(router.id.family) }
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

    /// Works out anew of which routers this host is a member because a VRRP daemon runs on it.
    pub(super) fn update_daemon_members(&mut self) {
        let mut members = BTreeSet::new();
        let mut full = 0;
        for (slot, router) in &self.routers {
            let runs = matches!(self.host.daemon(router.id.family), DaemonState::Alive | DaemonState::Frozen);
            if !runs || router.adverts < ESTABLISHED || router.expected.is_some() {
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
