//! The kernel gate: a model of the nftables rules that let an address answer only while its speaker lives, chain by chain as
//! `sys::nft::gate::rules` has them.
//!
//! It is fed by the node's own adverts as they leave, and closed by time, by priority 0, and by a better peer's advert as it
//! comes in. Nothing of it needs the process. All instants are the node's own.

use std::net::IpAddr;

use crate::fence::lease::Action;
use crate::time::{Duration, Instant};
use crate::vrrp::Settings;
use crate::wire::{Advert, Auth, Version};

use super::spec::Rules;

/// What a worse peer's advert leaves of an open gate: a live speaker answers such an advert at once.
pub(super) const PROOF_OF_LIFE: Duration = Duration::from_millis(20);
/// Adverts without which the gate closes, and for how many intervals a foreign close keeps it shut.
pub(super) const ADVERTS: u32 = 3;
const LATCHED: u32 = 2;

/// The gate of one virtual router on one node.
#[derive(Clone, Debug)]
pub struct Gate {
    rules: Rules,
    /// Which peers' adverts count: those of this version, and in version 2 with this authentication and interval.
    version: Version,
    auth: Auth,
    interval: Duration,
    /// What foreign adverts are compared with: our effective priority and address.
    rank: (u8, IpAddr),
    alive: Option<Instant>,
    /// Which peers keep it shut, and until when.
    latches: Vec<(IpAddr, Instant)>,
    /// Until when it is not challenged again.
    doubted: Instant,
    /// Until when it may be opened although no advert of ours has passed since it was closed.
    reopening: Option<Instant>,
    /// With an arbiter: the second element in series, and the permit to open it.
    lease: Option<LeaseElement>,
}

/// The element that only compare-and-set feeds, and the permit: its number and its end.
#[derive(Clone, Copy, Debug, Default)]
struct LeaseElement {
    until: Option<Instant>,
    permit: Option<(u64, Instant)>,
}

impl Gate {
    /// A closed one.
    pub fn new(settings: &Settings, source: IpAddr, rules: Rules) -> Self {
        Self {
            rules,
            version: settings.version,
            auth: settings.auth,
            interval: settings.advert_interval,
            rank: (settings.priority, source),
            alive: None,
            latches: Vec::new(),
            doubted: Instant::ZERO,
            reopening: None,
            lease: None,
        }
    }

    /// With a second element in series, closed.
    pub fn with_lease(self) -> Self {
        Self { lease: Some(LeaseElement::default()), ..self }
    }

    /// Until when it is open, if nothing more happens.
    pub fn open_until(&self) -> Option<Instant> {
        match &self.lease {
            Some(lease) => Some(self.alive?.min(lease.until?)),
            None => self.alive,
        }
    }

    /// True while it is open.
    pub fn is_open(&self, now: Instant) -> bool {
        self.open_until().is_some_and(|until| now < until)
    }

    /// How long adverts keep it open yet.
    #[cfg(test)]
    pub fn alive_for(&self, now: Instant) -> Option<Duration> {
        self.alive.map(|until| until.since(now)).filter(|left| !left.is_zero())
    }

    /// True while the lease's element is open, whatever the other one is.
    pub fn has_lease(&self, now: Instant) -> bool {
        self.lease.is_some_and(|lease| lease.until.is_some_and(|until| now < until))
    }

    /// Does what a lease wants, in one transaction whose elements expire so much `late`. True if it succeeded.
    pub fn transact(&mut self, now: Instant, act: &Action, late: Duration) -> bool {
        let (rules, is_open) = (self.rules, self.has_lease(now));
        let Some(lease) = &mut self.lease else { return false };
        match act {
            Action::Permit { serial, lifetime } => lease.permit = Some((*serial, now + *lifetime + late)),
            Action::Open { permit, slice, .. } => {
                // One that runs is removed first, whatever becomes of the transaction.
                lease.until = None;
                let fits = |(number, end): (u64, Instant)| (number == *permit || !rules.bound) && now < end;
                if rules.permit && !lease.permit.take().is_some_and(fits) {
                    return false;
                }
                lease.until = Some(now + *slice + late);
            }
            Action::Refresh { slice, .. } => {
                if rules.delete_first && !is_open {
                    return false;
                }
                lease.until = Some(now + *slice + late);
            }
            Action::Close { .. } => {
                *lease = LeaseElement::default();
                self.alive = None;
            }
            Action::Read { .. } | Action::Cas { .. } | Action::Granted | Action::Lost(_) => return false,
        }
        true
    }

    /// The process tells what its adverts carry from now on.
    pub const fn set_priority(&mut self, priority: u8) {
        self.rank.0 = priority;
    }

    /// The process closes it: before it releases the addresses.
    pub const fn close(&mut self) {
        self.alive = None;
        if let Some(lease) = &mut self.lease {
            lease.until = None;
        }
    }

    /// Leave to open again, until then.
    pub const fn permit_reopening(&mut self, until: Instant) {
        self.reopening = Some(until);
    }

    /// Opens again what an advert has closed which does not count after all, for so long, if there is leave. True if it is open.
    pub fn reopen(&mut self, now: Instant, lifetime: Duration) -> bool {
        let may = self.reopening.take().is_some_and(|until| now < until);
        if may {
            self.latches.clear();
            self.alive = Some(now + lifetime);
        }
        may
    }

    /// An advert of our own leaves.
    pub fn on_egress(&mut self, now: Instant, advert: &Advert) {
        if advert.priority == 0 {
            self.alive = None;
        } else if !self.latches.iter().any(|(_, until)| now < *until) {
            self.alive = Some(now + self.interval * ADVERTS);
        }
    }

    /// An advert of a configured peer comes in.
    pub fn on_ingress(&mut self, now: Instant, advert: &Advert) {
        if advert.ttl != u8::MAX || !self.is_authentic(advert) {
            return;
        }
        self.latches.retain(|(by, _)| *by != advert.source);
        if advert.priority > 0 && (advert.priority, advert.source) > self.rank {
            self.alive = None;
            if self.rules.latch {
                self.latches.push((advert.source, now + self.interval * LATCHED));
            }
        } else if advert.priority > 0
            && self.rules.proof_of_life
            && self.alive.is_some_and(|until| now < until)
            && self.doubted <= now
        {
            self.challenge(now);
        }
    }

    /// A gate that closes by itself about as soon needs no challenge.
    fn challenge(&mut self, now: Instant) {
        if self.interval * ADVERTS > PROOF_OF_LIFE * 2 {
            self.alive = Some(now + PROOF_OF_LIFE);
            self.doubted = now + (self.interval * 3 / 4).max(PROOF_OF_LIFE * 2);
        }
    }

    fn is_authentic(&self, advert: &Advert) -> bool {
        let has_password = |auth: &Auth| !matches!(auth, Auth::None);
        let interval: Duration = advert.interval.into();
        let is_alike = has_password(&advert.auth) == has_password(&self.auth) && interval == self.interval;
        advert.version == self.version && (self.version != Version::V2 || is_alike)
    }
}
