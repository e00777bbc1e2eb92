//! Why a speaker is fenced: by an operator, or by what its guard makes of the evidence; how often, and how fast.

use std::borrow::Cow;
use std::net::IpAddr;

use crate::config::{self, Config};
use crate::fence::{Guard, Policy, Reason, Scope};
use crate::observe::{FENCE_BUCKETS, Histogram};
use crate::time::Instant;
use crate::wire::Family;

/// The `reason` label of an operator's fence.
const OPERATOR: &str = "operator";
/// That of a lease that was lost.
const ARBITER: &str = "arbiter";
/// That of the kernel's.
const KERNEL: &str = "kernel";

/// What a router's rivals are told by.
pub(super) fn scope(config: &Config, router: &config::Router) -> Scope {
    let is_named = |peer: &&config::Peer| router.peers.as_ref().is_none_or(|names| names.contains(&peer.name));
    let named = || config.peers.iter().filter(is_named);
    let peers = named().flat_map(|peer| peer.vrrp_addresses.iter().chain([&peer.address]));
    let of_family = |address: &&IpAddr| Family::of(address) == router.family;
    Scope {
        addresses: router.addresses.iter().map(|(address, _)| *address).collect(),
        peers: peers.chain(&router.unicast_peers).filter(of_family).copied().collect(),
        names: named().map(|peer| peer.name.clone()).collect(),
        interval: router.advert_interval.unwrap_or_default(),
    }
}

/// Why a router may be fenced. Each is counted from 0 on: a counter that begins at 1 has never risen as far as Prometheus can tell.
const REASONS: [&str; 5] = [ARBITER, "isolation", KERNEL, OPERATOR, "split_brain"];

/// The fences of one speaker.
#[derive(Debug)]
pub(super) struct Fencing {
    pub guard: Guard,
    peers: Vec<IpAddr>,
    by_hand: bool,
    counts: [(Cow<'static, str>, u64); REASONS.len()],
    durations: Histogram<8>,
    /// The evidence of the fence that the kernel has not confirmed yet.
    began: Option<Instant>,
}

impl Fencing {
    /// Not fenced.
    pub fn new(policy: Policy, scope: Scope) -> Self {
        Self {
            peers: scope.peers.clone(),
            guard: Guard::new(policy, scope),
            by_hand: false,
            counts: REASONS.map(|reason| (reason.into(), 0)),
            durations: Histogram::default(),
            began: None,
        }
    }

    /// Takes another configuration.
    pub fn reconfigure(&mut self, now: Instant, policy: Policy, scope: Scope) {
        self.peers.clone_from(&scope.peers);
        self.guard.reconfigure(now, policy, scope);
    }

    /// Where configured peers advertise from.
    pub fn peers(&self) -> &[IpAddr] {
        &self.peers
    }

    /// The kernel has closed the gate of a master that didn't know.
    pub fn by_kernel(&mut self) {
        self.add(KERNEL);
    }

    /// An operator has fenced in an earlier life.
    pub const fn restore(&mut self) {
        self.by_hand = true;
    }

    pub const fn is_by_hand(&self) -> bool {
        self.by_hand
    }

    /// An operator fences. False if one has done so already.
    pub fn by_hand(&mut self, now: Instant, holds: bool) -> bool {
        if self.by_hand {
            return false;
        }
        self.by_hand = true;
        self.count(OPERATOR, now, holds);
        true
    }

    /// An operator lifts every fence. False if there is none.
    pub fn lift(&mut self, now: Instant) -> bool {
        let was_fenced = self.by_hand || self.guard.fenced().is_some();
        self.by_hand = false;
        self.guard.unfence(now);
        was_fenced
    }

    /// The guard fences, for evidence that came in at `evidence`.
    pub fn by_guard(&mut self, reason: Reason, evidence: Instant, holds: bool) {
        self.count(reason.as_str(), evidence, holds);
    }

    /// The arbiter's lease is lost, as it was found out at `evidence`.
    pub fn by_arbiter(&mut self, evidence: Instant, holds: bool) {
        self.count(ARBITER, evidence, holds);
    }

    fn count(&mut self, reason: &'static str, evidence: Instant, holds: bool) {
        self.add(reason);
        self.began = holds.then_some(evidence);
    }

    fn add(&mut self, reason: &'static str) {
        self.counts.iter_mut().filter(|(counted, _)| *counted == reason).for_each(|(_, count)| *count += 1);
    }

    /// The kernel confirmed that the addresses are gone.
    pub fn on_released(&mut self, now: Instant) {
        if let Some(began) = self.began.take() {
            self.durations.observe(&FENCE_BUCKETS, now.since(began).as_secs_f64());
        }
    }

    /// When the fence is over if nothing more is heard; `None` without one, or where an operator has to end it.
    pub fn back_at(&self, now: Instant) -> Option<Instant> {
        self.guard.back_at(now).filter(|_| !self.by_hand)
    }

    /// How often, by reason.
    pub const fn counts(&self) -> &[(Cow<'static, str>, u64)] {
        &self.counts
    }

    /// Evidence to address gone, in seconds.
    pub const fn durations(&self) -> Histogram<8> {
        self.durations
    }
}
