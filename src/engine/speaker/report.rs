//! What a speaker tells: events for the log, and its state for the watcher.

use std::net::IpAddr;
use std::sync::Arc;

use crate::config;
use crate::detect;
use crate::observe::{self, Fact, RouterId, Speaking};
use crate::time::{Duration, Instant};
use crate::vrrp::{self, Settings, State};

use super::guard::Fencing;

/// Things told, in their order.
pub(in crate::engine) type Told = Vec<News>;

/// One thing that a speaker tells.
#[derive(Debug)]
pub(in crate::engine) enum News {
    /// For the event log.
    Event(Box<detect::Event>),
    /// For the watcher.
    Fact(Fact),
}

/// The public face of one speaker.
#[derive(Debug)]
pub(super) struct Report {
    name: String,
    vip: Option<IpAddr>,
    id: RouterId,
    said: Option<Arc<Speaking>>,
    /// Why it is fenced.
    pub fenced: Option<String>,
    /// Whether the kernel lets the addresses answer; `None` without a gate.
    pub gate_open: Option<bool>,
    /// What the gate lacks on this host.
    pub gate_lacks: Option<String>,
    /// How long the kernel keeps the addresses without being told again.
    pub address_lifetime: Option<Duration>,
    /// Announcements sent, one an address.
    pub garp_sent: u64,
    /// What it tracks.
    pub tracks: Vec<observe::Tracked>,
    /// Notify commands and lines that failed or were dropped.
    pub notify_failures: u64,
    /// What an arbiter says.
    pub arbiter: Option<observe::Leased>,
}

impl Report {
    /// One that has told nothing yet.
    pub fn new(config: &config::Router, settings: &Settings) -> Self {
        let id =
            RouterId { interface: config.interface.clone(), vlan: None, family: settings.family, vrid: settings.vrid };
        let mut report = Self {
            name: String::new(),
            vip: None,
            id,
            said: None,
            fenced: None,
            gate_open: None,
            gate_lacks: None,
            address_lifetime: None,
            garp_sent: 0,
            tracks: Vec::new(),
            notify_failures: 0,
            arbiter: None,
        };
        report.rename(config, settings);
        report
    }

    /// Takes what can change of its name.
    pub fn rename(&mut self, config: &config::Router, settings: &Settings) {
        self.name.clone_from(&config.name);
        let all = settings.addresses.iter().map(|(address, _)| *address);
        let link_local = |a: &IpAddr| matches!(a, IpAddr::V6(v6) if v6.is_unicast_link_local());
        self.vip = all.clone().filter(|a| !link_local(a)).min().or_else(|| all.min());
    }

    /// The address by which people, and an arbiter, know the router.
    pub const fn vip(&self) -> Option<IpAddr> {
        self.vip
    }

    /// The state changed.
    pub fn entered(&mut self, at: Instant, from: State, to: State, reason: String) -> News {
        self.fenced = (to == State::Fenced).then(|| reason.clone());
        self.event(at, "state", Some(shown(from)), Some(shown(to)), reason)
    }

    /// Something is wrong.
    pub fn alarm(&self, at: Instant, why: String) -> News {
        self.event(at, "alarm", None, None, why)
    }

    /// It speaks no more.
    pub fn farewell(&self) -> News {
        News::Fact(Fact::Speaking { router: self.name.clone(), report: None })
    }

    fn event(
        &self,
        at: Instant,
        kind: &'static str,
        from: Option<observe::State>,
        to: Option<observe::State>,
        reason: String,
    ) -> News {
        let word = |state: observe::State| state.as_str().to_owned();
        News::Event(Box::new(detect::Event {
            at,
            router: self.name.clone(),
            vip: self.vip,
            id: Some(self.id.clone()),
            kind: kind.into(),
            from: from.map(word),
            to: to.map(word),
            reason,
            causes: Vec::new(),
            evidence: Vec::new(),
        }))
    }

    /// What the watcher does not know yet.
    pub fn news(&mut self, now: Instant, router: &vrrp::Router, fencing: &Fencing) -> Option<News> {
        let says = Speaking {
            state: shown(router.state()),
            base: router.settings().priority,
            effective: router.effective_priority(),
            tracks: self.tracks.clone(),
            fenced: self.fenced.clone(),
            back_at: fencing.back_at(now),
            gate_open: self.gate_open,
            gate_lacks: self.gate_lacks.clone(),
            address_lifetime: self.address_lifetime,
            fences: fencing.counts(),
            fence_durations: fencing.durations(),
            garp_sent: self.garp_sent,
            priority_zero_sent: router.counters().priority_zero_sent,
            notify_failures: self.notify_failures,
            arbiter: self.arbiter.clone(),
        };
        if self.said.as_deref() == Some(&says) {
            return None;
        }
        let report = Arc::new(says);
        self.said = Some(report.clone());
        Some(News::Fact(Fact::Speaking { router: self.name.clone(), report: Some(report) }))
    }
}

const fn shown(state: State) -> observe::State {
    match state {
        State::Init => observe::State::Init,
        State::Backup => observe::State::Backup,
        State::Master => observe::State::Master,
        State::Fault => observe::State::Fault,
        State::Fenced => observe::State::Fenced,
    }
}
