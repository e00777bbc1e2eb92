//! The kernel gate: a model of the nftables rules that let an address answer only while its speaker lives.
//!
//! It is fed by the node's own adverts as they leave, and closed by time, by priority 0, and by a better peer's advert as it
//! comes in. Nothing of it needs the process. All instants are the node's own.

use std::net::IpAddr;

use crate::fence::lease::Action;
use crate::time::{Duration, Instant};
use crate::wire::Advert;

use super::spec::Rules;

/// What a worse peer's advert leaves of an open gate: a live speaker answers such an advert at once.
pub(super) const PROOF_OF_LIFE: Duration = Duration::from_millis(20);

/// The gate of one virtual router on one node.
#[derive(Clone, Debug)]
pub(super) struct Gate {
    /// How long an advert keeps it open, and a foreign close keeps it shut.
    timeout: Duration,
    rules: Rules,
    /// What foreign adverts are compared with: our effective priority and address.
    rank: (u8, IpAddr),
    alive: Option<Instant>,
    latch: Option<(Instant, IpAddr)>,
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
    pub fn new(timeout: Duration, rank: (u8, IpAddr), rules: Rules) -> Self {
        Self { timeout, rules, rank, alive: None, latch: None, lease: None }
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
            Action::Close { .. } => *lease = LeaseElement::default(),
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
    }

    /// An advert of our own leaves.
    pub fn on_egress(&mut self, now: Instant, advert: &Advert) {
        if advert.priority == 0 {
            self.alive = None;
        } else if !self.is_latched(now) {
            self.alive = Some(now + self.timeout);
        }
    }

    /// An advert of a configured peer comes in.
    pub fn on_ingress(&mut self, now: Instant, advert: &Advert) {
        if advert.ttl != u8::MAX {
            return;
        }
        if advert.priority == 0 {
            self.latch.take_if(|(_, by)| *by == advert.source);
        } else if (advert.priority, advert.source) > self.rank {
            self.alive = None;
            self.latch = self.rules.latch.then_some((now + self.timeout, advert.source));
        } else if self.rules.proof_of_life
            && let Some(alive) = &mut self.alive
            && *alive > now
        {
            *alive = (*alive).min(now + PROOF_OF_LIFE);
        }
    }

    fn is_latched(&self, now: Instant) -> bool {
        self.latch.is_some_and(|(until, _)| now < until)
    }
}
