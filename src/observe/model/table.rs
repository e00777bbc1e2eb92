//! The table of routers and the other bounded tables: who gets in, who has to go, and what is counted then.

use crate::observe::{Expected, IfIndex, Router, RouterId, Sensor};
use crate::time::{Duration, Instant};
use crate::wire::{Family, RejectReason};

use super::{ESTABLISHED, Model, Notice, Slot};

impl Model {
    pub(super) fn learned_count(&self) -> usize {
        self.routers.values().filter(|r| r.expected.is_none()).count()
    }

    pub(super) fn learn(&mut self, now: Instant, key: (IfIndex, Option<u16>, Family, u8)) -> Option<Slot> {
        let (interface, vlan, family, vrid) = key;
        let name = self.host.link(interface)?.name.clone();
        if !self.settings.discover {
            return None;
        }
        if self.learned_count() >= self.settings.max_routers && !self.evict(now) {
            self.count_full("routers");
            let says =
                format!("{} routers are known, and more were seen: raise watch.max_routers", self.settings.max_routers);
            if self.sight.flash(now, Sensor::Table, None, says) {
                self.notices.push(Notice::Sensor(Sensor::Table, None));
            }
            return None;
        }
        let slot = self.insert(now, RouterId { interface: name, vlan, family, vrid }, None);
        self.notices.push(Notice::Learned(slot));
        Some(slot)
    }

    /// Drops a learned router that spoke once or twice, a while ago: noise. Those that were real are kept for their time.
    pub(super) fn evict(&mut self, now: Instant) -> bool {
        const NOISE: Duration = Duration::from_secs(60);
        let is_noise = |r: &Router| {
            r.expected.is_none() && r.adverts < ESTABLISHED && now.since(r.last_advert.unwrap_or(r.known_since)) > NOISE
        };
        let noise = self.routers.iter().find(|(_, r)| is_noise(r)).map(|(slot, _)| *slot);
        noise.is_some_and(|slot| {
            self.remove(slot);
            true
        })
    }

    pub(super) fn insert(&mut self, now: Instant, id: RouterId, expected: Option<Expected>) -> Slot {
        let slot = Slot(self.next_slot);
        self.next_slot += 1;
        let interface = self.host.index_of(&id.interface);
        if let Some(interface) = interface {
            self.index.insert((interface, id.vlan, id.family, id.vrid), slot);
        }
        self.routers.insert(slot, Router::new(now, id, interface, expected));
        self.refresh(slot);
        slot
    }

    pub(super) fn remove(&mut self, slot: Slot) {
        if let Some(router) = self.routers.remove(&slot) {
            self.index.retain(|_, s| *s != slot);
            self.daemon_members.remove(&slot);
            self.dirty.remove(&slot);
            self.stale.remove(&slot);
            self.notices.push(Notice::Forgotten(slot, router.name(), router.vip()));
        }
    }

    pub(super) fn refuse(&mut self, interface: IfIndex, vrid: Option<u8>, reason: RejectReason) {
        if !self.refusals.count(interface, vrid, reason) {
            self.count_full("refusals");
        }
    }

    pub(super) fn count_full(&mut self, table: &'static str) {
        *self.table_full.entry(table).or_default() += 1;
    }
}
