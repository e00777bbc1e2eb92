//! The router: what comes in, what goes out, and the ways from one state into another.

use std::collections::VecDeque;
use std::net::IpAddr;

use super::admit::Alarms;
use super::phase::{Backup, Grip, Phase, Spared, Tenure};
use super::{Action, Counters, Event, Heard, OWNER, Settings, State, Takeover, Turn, timer};
use crate::time::{Duration, Instant};
use crate::wire::Version;

/// The pause after giving up doubles so often at most, and is no longer than this unless the first one is.
const PAUSE_DOUBLINGS: u32 = 4;
const LONGEST_PAUSE: Duration = Duration::from_secs(30);

/// One virtual router.
///
/// Four families of methods: `handle*` take things in, `poll_*` hand things out (after each `handle*`, call
/// [`Self::poll_action`] until it answers `None`, and carry the actions out in this order), getters read, and
/// [`Self::reconfigure`] is a command.
///
/// The kernel's answers come in the order of the questions, and each question has one: there is never more than one claim
/// and one release without an answer.
///
/// An owner's addresses are the host's own: it neither claims nor releases, and becomes master at once. Should an owner
/// lose one, the caller tells it with [`Event::Priority`] `(None)`.
#[derive(Clone, Debug)]
pub struct Router {
    pub(super) settings: Settings,
    starts_at: Instant,
    link: Link,
    /// What tracking makes of the priority; `None` is a fault.
    effective: Option<u8>,
    fence: Option<String>,
    /// Why it may not be master at the moment.
    forbidden: Option<String>,
    pub(super) phase: Phase,
    /// A release that the kernel has not confirmed yet.
    pub(super) parting: Option<Parting>,
    /// How often it has given up since the kernel last confirmed the addresses.
    pub(super) setbacks: u32,
    pub(super) heard: Option<Heard>,
    /// Version 3: the interval of the master that is followed.
    pub(super) learned_interval: Option<Duration>,
    /// Until when reports say that a silent master's daemon lives.
    pub(super) master_lives_until: Instant,
    /// Until when reports say that this one has the best right to follow the master.
    pub(super) successor_until: Instant,
    pub(super) alarms: Alarms,
    pub(super) counters: Counters,
    actions: VecDeque<Action>,
}

/// What is known of the interface.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Link {
    Unknown,
    Down,
    Up(IpAddr),
}

/// The addresses are on their way out.
#[derive(Clone, Copy, Debug)]
pub(super) struct Parting {
    /// Priority 0 is sent when they are gone.
    pub farewell: bool,
    /// It takes so long that an alarm was raised.
    pub overdue: bool,
}

/// What [`Router::reconfigure`] did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reconfigured {
    /// The new settings hold, and the state is what it was.
    Applied,
    /// Nothing changed: shut this router down and make a new one. Says which setting is to blame.
    Restart(&'static str),
}

impl Router {
    /// A router in [`State::Init`]. It waits for the first [`Event::Interface`].
    pub fn new(now: Instant, settings: Settings) -> Self {
        Self {
            starts_at: now + settings.startup_delay,
            link: Link::Unknown,
            effective: Some(settings.priority),
            fence: None,
            forbidden: None,
            phase: Phase::Init { until: None },
            parting: None,
            setbacks: 0,
            heard: None,
            learned_interval: None,
            master_lives_until: Instant::ZERO,
            successor_until: Instant::ZERO,
            alarms: Alarms::default(),
            counters: Counters::default(),
            actions: VecDeque::new(),
            settings,
        }
    }

    // ---- getters --------------------------------------------------------------------------------------------------

    /// The state.
    pub const fn state(&self) -> State {
        self.phase.state()
    }

    /// True if it is master and the kernel confirmed its addresses: its adverts go out.
    pub const fn holds(&self) -> bool {
        matches!(self.phase, Phase::Master(Tenure { grip: Grip::Held(_), .. }))
    }

    /// The priority that its adverts carry, 1-255; `None` during a fault.
    pub const fn effective_priority(&self) -> Option<u8> {
        self.effective
    }

    /// Its settings.
    pub const fn settings(&self) -> &Settings {
        &self.settings
    }

    /// The last advert that passed all checks.
    pub const fn heard(&self) -> Option<&Heard> {
        self.heard.as_ref()
    }

    /// Counts.
    pub const fn counters(&self) -> &Counters {
        &self.counters
    }

    /// As backup: when it would become master if nothing more is heard, and from whom it would take over.
    pub const fn takeover(&self) -> Option<(Instant, Takeover)> {
        match &self.phase {
            Phase::Backup(backup) => Some((backup.down_at, backup.takeover)),
            _ => None,
        }
    }

    /// True for a backup that lets a lower master alone, after a handover.
    pub const fn is_yielding(&self) -> bool {
        matches!(&self.phase, Phase::Backup(Backup { spared: Spared::Next | Spared::This(_), .. }))
    }

    /// True for a backup whose timer ran out and that only lacks leave: see [`Event::Forbid`].
    pub const fn is_ready(&self) -> bool {
        matches!(&self.phase, Phase::Backup(backup) if backup.ready)
    }

    // ---- poll -----------------------------------------------------------------------------------------------------

    /// The next thing to do.
    pub fn poll_action(&mut self) -> Option<Action> {
        self.actions.pop_front()
    }

    /// When [`Self::handle_timeout`] is to be called. Always something as master and as backup.
    pub fn poll_timeout(&self) -> Option<Instant> {
        self.phase.deadline()
    }

    // ---- handle ---------------------------------------------------------------------------------------------------

    /// Takes in one event.
    pub fn handle(&mut self, now: Instant, event: Event<'_>) {
        match event {
            Event::Released => self.on_released(),
            Event::Interface(primary) => {
                self.link = primary.map_or(Link::Down, Link::Up);
                self.settle(now, "the interface is up");
            }
            _ if matches!(self.phase, Phase::Stopped) => {}
            Event::Advert(advert) => self.on_advert(now, advert),
            Event::Claimed => self.on_claimed(now),
            Event::ClaimFailed(why) => self.on_claim_failed(now, &why),
            Event::AddressLost => self.on_address_lost(now),
            Event::Priority(effective) => {
                self.effective = effective.map(|priority| priority.max(1));
                self.reconsider(now);
                self.settle(now, "the tracked fault is over");
            }
            Event::Fence(reason) => {
                self.fence = Some(reason);
                self.settle(now, "");
            }
            Event::Unfence => {
                self.fence = None;
                self.settle(now, "the fence is lifted");
            }
            Event::Forbid(why) => {
                if matches!(self.phase, Phase::Master(_)) {
                    self.step_back(now, Spared::Nobody, format!("gives mastership away: {why}"));
                }
                self.forbidden = Some(why);
            }
            Event::Allow => self.on_allow(now),
            Event::HandOver => {
                if matches!(self.phase, Phase::Master(_)) {
                    self.step_back(now, Spared::Next, "hands over".into());
                }
            }
            Event::Yield(to) => {
                if matches!(self.phase, Phase::Master(_)) {
                    self.step_back(now, Spared::This(to), format!("yields to {to}"));
                }
            }
            Event::Unyield => {
                if let Phase::Backup(backup) = &mut self.phase {
                    backup.spared = Spared::Nobody;
                }
            }
            Event::Answered(question) => self.on_answered(now, question),
            Event::MasterLives(until) => self.master_lives_until = until,
            Event::Successor(until) => self.successor_until = until.unwrap_or(Instant::ZERO),
            Event::Shutdown => {
                self.resign(true);
                self.enter(Phase::Stopped, "shuts down".into());
            }
            Event::AnnounceAgain => self.announce_again(now),
        }
    }

    /// Does what is due. Call it at [`Self::poll_timeout`] or later; too early does nothing.
    pub fn handle_timeout(&mut self, turn: Turn) {
        let now = turn.now;
        if self.phase.deadline().is_none_or(|deadline| now < deadline) {
            return;
        }
        match &self.phase {
            Phase::Init { .. } => self.serve(now, "the startup delay is over"),
            Phase::Fault { .. } => self.serve(now, "tries again"),
            Phase::Backup(_) => self.on_backup_timer(turn),
            Phase::Master(_) => self.on_tenure_timer(now),
            Phase::Fenced | Phase::Stopped => {}
        }
    }

    /// The kernel confirmed that the addresses are gone: now, and not before, the others may hear of it.
    fn on_released(&mut self) {
        let farewell = self.parting.take().is_some_and(|parting| parting.farewell);
        if farewell && matches!(self.link, Link::Up(_)) {
            self.advertise(0);
        }
    }

    fn on_allow(&mut self, now: Instant) {
        self.forbidden = None;
        if let Phase::Backup(backup) = &mut self.phase
            && backup.ready
        {
            // Not here: a promotion wants a drained socket, which only a timeout can promise.
            backup.down_at = now;
        }
    }

    // ---- commands -------------------------------------------------------------------------------------------------

    /// Takes new settings without leaving the state, or says that this can't be.
    ///
    /// What the wire or the election knows a router by (VRID, family, version, being an owner) needs a new one. So do
    /// addresses that are removed. Added ones are claimed, and adverts pause until the kernel has confirmed them. A
    /// changed priority is effective at once; the caller follows with [`Event::Priority`] if tracking alters it.
    pub fn reconfigure(&mut self, now: Instant, settings: Settings) -> Reconfigured {
        if let Some(reason) = self.needs_restart(&settings) {
            return Reconfigured::Restart(reason);
        }
        let grown = settings.held() != self.settings.held();
        if settings.priority != self.settings.priority && self.effective.is_some() {
            self.effective = Some(settings.priority);
        }
        self.settings = settings;
        self.alarms.clear();
        if let Phase::Backup(backup) = &mut self.phase
            && !self.settings.probe_before_promote
        {
            backup.probing = None;
        }
        if let Phase::Master(tenure) = &mut self.phase
            && let Grip::Held(held) = &mut tenure.grip
        {
            held.reschedule(now, &self.settings);
            if grown && !self.is_owner() {
                self.claim(now, 0);
            }
        }
        Reconfigured::Applied
    }

    fn needs_restart(&self, new: &Settings) -> Option<&'static str> {
        let old = &self.settings;
        let (held, will_hold) = (old.held(), new.held());
        let claiming = matches!(self.phase, Phase::Master(_)) && !self.holds();
        if new.vrid != old.vrid {
            Some("vrid")
        } else if (new.family, new.version) != (old.family, old.version) {
            Some("version")
        } else if (new.priority == OWNER) != (old.priority == OWNER) {
            Some("priority 255")
        } else if !will_hold.is_superset(&held) || (will_hold != held && claiming) {
            Some("addresses")
        } else {
            None
        }
    }

    // ---- from state to state --------------------------------------------------------------------------------------

    /// Brings the state into line with what stands in the way of serving, or with nothing doing so any more.
    fn settle(&mut self, now: Instant, cleared: &str) {
        match self.obstacle() {
            _ if matches!(self.phase, Phase::Stopped) => {}
            Some((phase, reason)) => {
                if phase.state() != self.state() {
                    self.resign(true);
                    self.enter(phase, reason);
                } else if let Phase::Fault { until } = &mut self.phase {
                    *until = None;
                }
            }
            None if self.link == Link::Unknown => {
                if !matches!(self.phase, Phase::Init { .. }) {
                    self.enter(Phase::Init { until: None }, cleared.into());
                }
            }
            None => match self.phase {
                Phase::Init { until: None } | Phase::Fault { until: None } | Phase::Fenced => self.serve(now, cleared),
                _ => {}
            },
        }
    }

    /// Why it can't serve, the weightiest reason first.
    fn obstacle(&self) -> Option<(Phase, String)> {
        if let Some(reason) = &self.fence {
            Some((Phase::Fenced, reason.clone()))
        } else if self.link == Link::Down {
            Some((Phase::Fault { until: None }, "the interface is down".into()))
        } else if self.effective.is_none() {
            Some((Phase::Fault { until: None }, "something tracked is down".into()))
        } else {
            None
        }
    }

    /// Begins to listen, or as an owner to speak; within the startup delay neither.
    fn serve(&mut self, now: Instant, reason: &str) {
        if now < self.starts_at {
            self.enter(Phase::Init { until: Some(self.starts_at) }, reason.into());
        } else if self.is_owner() && self.forbidden.is_none() {
            self.take(now, format!("{reason}, and this host owns the addresses"));
        } else {
            self.listen(now, Spared::Nobody, reason.into());
        }
    }

    /// Becomes backup with a whole master-down interval ahead.
    fn listen(&mut self, now: Instant, spared: Spared, reason: String) {
        let backup = Backup { spared, ..Backup::until(now + self.master_down(), Takeover::NoMaster) };
        self.enter(Phase::Backup(backup), reason);
    }

    /// Becomes master: a claim first, and nothing on the wire before the kernel has confirmed it.
    pub(super) fn take(&mut self, now: Instant, reason: String) {
        self.learned_interval = None;
        if self.is_owner() {
            self.enter(Phase::Master(Tenure::claiming(now, self.setbacks)), reason);
            self.on_claimed(now);
        } else {
            // Before the change of state is told: whoever acts upon that will find the addresses there.
            self.push(Action::Claim);
            self.enter(Phase::Master(Tenure::claiming(now, self.setbacks)), reason);
        }
    }

    /// From master to backup in order: addresses away, then priority 0.
    fn step_back(&mut self, now: Instant, spared: Spared, reason: String) {
        self.resign(true);
        self.listen(now, spared, reason);
    }

    /// Gives the addresses up, if it is master. With `farewell`, priority 0 follows when they are gone. The caller enters
    /// another state next.
    pub(super) fn resign(&mut self, farewell: bool) {
        let Phase::Master(tenure) = &self.phase else { return };
        let farewell = farewell && tenure.spoke && matches!(self.link, Link::Up(_));
        if !self.is_owner() {
            self.push(Action::Release);
            self.parting = Some(Parting { farewell, overdue: false });
        } else if farewell {
            self.advertise(0);
        }
    }

    /// The kernel doesn't let it be master: another may try, and in a while this one again; each time in a longer while.
    pub(super) fn give_up(&mut self, now: Instant, reason: String) {
        let shortest = self.master_down();
        let pause = (shortest * (1 << self.setbacks.min(PAUSE_DOUBLINGS))).min(LONGEST_PAUSE.max(shortest));
        self.setbacks += 1;
        self.resign(true);
        self.enter(Phase::Fault { until: Some(now + pause) }, reason);
    }

    pub(super) fn enter(&mut self, phase: Phase, reason: String) {
        let (from, to) = (self.state(), phase.state());
        self.phase = phase;
        if from != to {
            *self.counters.transitions.entry(to).or_default() += 1;
            self.push(Action::Entered { from, to, reason });
        }
    }

    // ---- small things ---------------------------------------------------------------------------------------------

    pub(super) fn push(&mut self, action: Action) {
        self.actions.push_back(action);
    }

    pub(super) fn advertise(&mut self, priority: u8) {
        self.counters.adverts_sent += 1;
        self.counters.priority_zero_sent += u64::from(priority == 0);
        self.push(Action::Advertise { priority });
    }

    pub(super) const fn is_owner(&self) -> bool {
        self.settings.priority == OWNER
    }

    pub(super) fn is_own(&self, source: IpAddr) -> bool {
        self.link == Link::Up(source)
    }

    /// Our own primary address, while the interface can be used.
    pub(super) const fn primary(&self) -> Option<IpAddr> {
        match self.link {
            Link::Up(primary) => Some(primary),
            Link::Unknown | Link::Down => None,
        }
    }

    /// For arithmetic: during a fault, the configured one.
    pub(super) fn priority(&self) -> u8 {
        self.effective.unwrap_or(self.settings.priority)
    }

    pub(super) const fn forbidden(&self) -> bool {
        self.forbidden.is_some()
    }

    /// The interval of the master that is followed; in version 2 all have the same.
    pub(super) fn master_interval(&self) -> Duration {
        match self.settings.version {
            Version::V2 => self.settings.advert_interval,
            Version::V3 => self.learned_interval.unwrap_or(self.settings.advert_interval),
        }
    }

    pub(super) fn skew(&self) -> Duration {
        timer::skew(self.settings.version, self.priority(), self.master_interval())
    }

    pub(super) fn master_down(&self) -> Duration {
        timer::master_down(self.settings.version, self.priority(), self.master_interval())
    }
}
