//! What a speaker tells: events for the log, and its state for the watcher.

use std::net::IpAddr;
use std::sync::Arc;

use crate::config;
use crate::detect;
use crate::fence::shown;
use crate::observe::{self, Fact, Promotion, RouterId, Speaking};
use crate::time::Instant;
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
    /// What the watcher knows.
    said: Option<Arc<Speaking>>,
    /// What is so. It is compared with that at each advert, so it is not made anew each time.
    pub says: Speaking,
}

impl Report {
    /// One that has told nothing yet.
    pub fn new(config: &config::Router, settings: &Settings) -> Self {
        let id =
            RouterId { interface: config.interface.clone(), vlan: None, family: settings.family, vrid: settings.vrid };
        let mut report =
            Self { name: String::new(), vip: None, id, said: None, says: Speaking::new(observe::State::Init, 0, None) };
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
        self.says.fenced = (to == State::Fenced).then(|| reason.clone());
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
        let says = &mut self.says;
        says.state = shown(router.state());
        says.base = router.settings().priority;
        says.effective = router.effective_priority();
        says.back_at = fencing.back_at(now);
        if says.fences != fencing.counts() {
            says.fences = fencing.counts().to_vec();
        }
        says.fence_durations = fencing.durations();
        let counters = router.counters();
        says.priority_zero_sent = counters.priority_zero_sent;
        says.promotion =
            Promotion { asked: counters.probes_sent, answered: counters.probes_answered, held_off: counters.held_off };
        if self.said.as_deref() == Some(says) {
            return None;
        }
        let report = Arc::new(says.clone());
        self.said = Some(report.clone());
        Some(News::Fact(Fact::Speaking { router: self.name.clone(), report: Some(report) }))
    }
}
