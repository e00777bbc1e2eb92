//! The states of a router with the timers that make sense in them, and no others.

use std::net::IpAddr;

use super::probing::Probing;
use super::{Garp, State};
use crate::time::{Duration, Instant};
use crate::wire::MacAddr;

/// A claim without an answer for this long is given up...
const CLAIM_PATIENCE: Duration = Duration::from_secs(1);
/// ...and for twice as long after each that was given up, so often at most: a host that is too busy for many routers at once comes to
/// an answer at last, where to ask again and again would only keep it busy.
const CLAIM_DOUBLINGS: u32 = 4;

/// Where a router stands.
#[derive(Clone, Debug)]
pub(super) enum Phase {
    /// Not started: nothing was said about the interface yet, or the startup delay is on.
    Init { until: Option<Instant> },
    /// Listens.
    Backup(Backup),
    /// Claims, or holds and advertises.
    Master(Tenure),
    /// Can't serve; with `until` it tries again by itself.
    Fault { until: Option<Instant> },
    /// Must not serve.
    Fenced,
    /// Shut down for good.
    Stopped,
}

impl Phase {
    pub(super) const fn state(&self) -> State {
        match self {
            Self::Init { .. } | Self::Stopped => State::Init,
            Self::Backup(_) => State::Backup,
            Self::Master(_) => State::Master,
            Self::Fault { .. } => State::Fault,
            Self::Fenced => State::Fenced,
        }
    }

    /// When something is due next.
    pub(super) fn deadline(&self) -> Option<Instant> {
        match self {
            Self::Init { until } | Self::Fault { until } => *until,
            Self::Backup(backup) => Some(backup.deadline()),
            Self::Master(tenure) => Some(tenure.grip.deadline()),
            Self::Fenced | Self::Stopped => None,
        }
    }
}

/// Why a backup would become master when its timer runs out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Takeover {
    /// Nothing was heard of any master since this backup began to listen.
    NoMaster,
    /// This master fell silent.
    Silence(IpAddr),
    /// This master gave up with priority 0.
    Resigned(IpAddr),
    /// This master's priority is lower.
    Preemption(IpAddr),
}

/// A master of lower priority that is let alone after a handover.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Spared {
    Nobody,
    /// The one that is heard next.
    Next,
    This(IpAddr),
}

/// Listening.
#[derive(Clone, Debug)]
pub(super) struct Backup {
    /// The master-down timer.
    pub down_at: Instant,
    /// What it would be a takeover from.
    pub takeover: Takeover,
    /// When preemption comes, since a lower master was heard.
    pub preempt_at: Option<Instant>,
    /// The loop was late for this takeover, and has waited one interval more.
    pub extended: bool,
    /// The timer ran out, and only leave is missing.
    pub ready: bool,
    pub spared: Spared,
    /// Whether the host of the master that is followed still has the addresses; only for a takeover from its silence.
    pub probing: Option<(MacAddr, Probing)>,
}

impl Backup {
    pub(super) const fn until(down_at: Instant, takeover: Takeover) -> Self {
        Self {
            down_at,
            takeover,
            preempt_at: None,
            extended: false,
            ready: false,
            spared: Spared::Nobody,
            probing: None,
        }
    }

    /// When something is due.
    fn deadline(&self) -> Instant {
        self.probing.as_ref().map_or(self.down_at, |(_, probing)| probing.deadline().min(self.down_at))
    }

    /// A master was heard that is to be followed.
    pub(super) fn follow(&mut self, down_at: Instant, source: IpAddr, probing: Option<(MacAddr, Probing)>) {
        *self = Self { spared: self.spared, probing, ..Self::until(down_at, Takeover::Silence(source)) };
    }

    /// An advert of the master was heard that is not obeyed: it is not silent, and what its host answers is no news.
    pub(super) fn refuse(&mut self, source: IpAddr) {
        if self.takeover == Takeover::Silence(source) {
            self.probing = None;
        }
    }

    /// The master gave up. Never later than it would have been without, or repeated farewells would put it off for ever.
    pub(super) fn resigned(&mut self, at: Instant, source: IpAddr) {
        self.down_at = self.down_at.min(at);
        self.takeover = Takeover::Resigned(source);
        self.probing = None;
    }

    /// A lower master was heard and is not followed. It may fall silent before the preemption's time has come.
    pub(super) fn outrank(&mut self, silent_at: Instant, not_before: Instant, source: IpAddr) {
        let preempt_at = *self.preempt_at.get_or_insert(self.down_at.max(not_before));
        self.down_at = self.down_at.max(preempt_at).min(silent_at);
        self.takeover = Takeover::Preemption(source);
        self.probing = None;
    }

    /// Whether a lower `source` is let alone. A third one ends it: the handover has had its effect.
    pub(super) fn spares(&mut self, source: IpAddr) -> bool {
        self.spared = match self.spared {
            Spared::Next => Spared::This(source),
            Spared::This(spared) if spared != source => Spared::Nobody,
            unchanged => unchanged,
        };
        self.spared == Spared::This(source)
    }
}

/// One time of being master, from its first claim on.
#[derive(Clone, Debug)]
pub(super) struct Tenure {
    pub grip: Grip,
    /// An advert has gone out, so the others are owed a farewell.
    pub spoke: bool,
    /// When addresses were taken away lately.
    pub losses: Vec<Instant>,
}

impl Tenure {
    pub(super) fn claiming(now: Instant, setbacks: u32) -> Self {
        Self { grip: Grip::claiming(now, 0, setbacks), spoke: false, losses: Vec::new() }
    }
}

/// What a master has of its addresses.
#[derive(Clone, Debug)]
pub(super) enum Grip {
    /// The kernel was asked.
    Claiming { failures: u8, overdue: Instant },
    /// The kernel refused, and is asked again.
    Refused { failures: u8, again: Instant },
    /// The kernel confirmed: the only place of an advert timer.
    Held(Held),
}

impl Grip {
    pub(super) fn claiming(now: Instant, failures: u8, setbacks: u32) -> Self {
        Self::Claiming { failures, overdue: now + CLAIM_PATIENCE * (1 << setbacks.min(CLAIM_DOUBLINGS)) }
    }

    fn deadline(&self) -> Instant {
        match self {
            Self::Claiming { overdue, .. } => *overdue,
            Self::Refused { again, .. } => *again,
            Self::Held(held) => held.announcements.next().map_or(held.advert_at, |next| next.min(held.advert_at)),
        }
    }
}

/// Addresses held.
#[derive(Clone, Debug)]
pub(super) struct Held {
    /// The advert timer.
    pub advert_at: Instant,
    /// When a rival's advert was last answered.
    pub answered_rival: Option<Instant>,
    /// When a farewell was last answered.
    pub answered_farewell: Option<Instant>,
    pub announcements: Announcements,
}

/// When a master announces its addresses again.
#[derive(Clone, Debug)]
pub(super) struct Announcements {
    /// The second row after becoming master.
    second: Option<Instant>,
    /// After another master fell silent: caches may still point at it.
    healed: Option<Instant>,
    refresh: Option<Instant>,
}

impl Announcements {
    pub(super) fn new(now: Instant, garp: Garp) -> Self {
        Self { second: after(now, garp.delay), healed: None, refresh: after(now, garp.refresh) }
    }

    /// Another master was heard: announce when it has been silent until `at`.
    pub(super) fn heal(&mut self, at: Instant) {
        self.healed = Some(at);
    }

    /// The row on becoming master stays where it is; refreshing begins anew.
    pub(super) fn reschedule(&mut self, now: Instant, garp: Garp) {
        self.refresh = after(now, garp.refresh);
    }

    fn next(&self) -> Option<Instant> {
        [self.second, self.healed, self.refresh].into_iter().flatten().min()
    }

    /// How many announcements are due, and no longer after this.
    pub(super) fn take_due(&mut self, now: Instant, garp: Garp) -> u8 {
        let due = |at: &mut Option<Instant>| at.take_if(|at| *at <= now).is_some();
        let (second, healed) = (due(&mut self.second), due(&mut self.healed));
        let refresh = due(&mut self.refresh);
        if refresh {
            self.refresh = after(now, garp.refresh);
        }
        if second || healed { garp.repeat } else { refresh.into() }
    }
}

/// `delay` from now, where zero is never.
fn after(now: Instant, delay: Duration) -> Option<Instant> {
    (!delay.is_zero()).then(|| now + delay)
}
