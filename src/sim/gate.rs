//! The kernel gate: a model of the nftables rules that let an address answer only while its speaker lives.
//!
//! It is fed by the node's own adverts as they leave, and closed by time, by priority 0, and by a better peer's advert as it
//! comes in. Nothing of it needs the process. All instants are the node's own.

use std::net::IpAddr;

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
}

impl Gate {
    /// A closed one.
    pub fn new(timeout: Duration, rank: (u8, IpAddr), rules: Rules) -> Self {
        Self { timeout, rules, rank, alive: None, latch: None }
    }

    /// Until when it is open, if nothing more happens.
    pub const fn open_until(&self) -> Option<Instant> {
        self.alive
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
