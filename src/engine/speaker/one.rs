//! One router that speaks: its state machine, and what that has its hands do.

mod ask;
mod gated;
mod hand;
mod place;
mod tenant;

use std::collections::BTreeMap;
use std::net::IpAddr;

use tokio::sync::mpsc;
use tokio::task::JoinHandle;

use crate::config::{self, Config};
use crate::engine::notify::{Herald, Kind, Notice, Told as Heralded};
use crate::engine::tracker::Tracker;
use crate::fence::Scope;
use crate::observe::{Host, IfIndex};
use crate::sys::clock;
use crate::time::{Duration, Instant};
use crate::vrrp::{self, Action, Event, OWNER, Question, Settings, State, Turn};
use crate::wire::{Advert, MacAddr};

use super::gate::Door;
use super::guard::{self, Fencing};
use super::kernel::{Answer, Job, Worker};
use super::lease::Tenancy;
use super::outlet::Outlet;
use super::report::{News, Report, Told};
use super::{Id, Vips};

/// A captured frame of ours has a time that is converted from another clock.
const CLOCKS_DIFFER: Duration = Duration::from_millis(1);
/// Between two corrections of what others announce.
const CORRECT_EVERY: Duration = Duration::from_secs(5);
/// Between two alarms of the same thing that goes on.
const ALARM_EVERY: Duration = Duration::from_secs(60);

/// What a speaker is told to be.
#[derive(Clone, Debug)]
pub(super) struct Plan {
    pub config: config::Router,
    pub settings: Settings,
    pub scope: Scope,
    /// What has a say beyond the election.
    pub arbiter: Option<config::Arbiter>,
}

impl Plan {
    /// `None` for a router that is only watched.
    pub fn of(config: &Config, router: &config::Router) -> Option<Self> {
        let settings = router.speaker_settings(config.known_speakers(router))?;
        let scope = guard::scope(config, router);
        Some(Self { config: router.clone(), settings, scope, arbiter: config.arbiter.clone() })
    }

    /// What keeps a router of this plan from going on by another one.
    pub fn restarts_for(&self, other: &Self) -> Option<&'static str> {
        let mut idle = vrrp::Router::new(Instant::ZERO, self.settings.clone());
        differs(&self.config, &other.config).or(match idle.reconfigure(Instant::ZERO, other.settings.clone()) {
            vrrp::Reconfigured::Restart(reason) => Some(reason),
            vrrp::Reconfigured::Applied => None,
        })
    }
}

/// A router that speaks.
#[derive(Debug)]
pub(super) struct Speaker {
    id: Id,
    config: config::Router,
    router: vrrp::Router,
    place: Option<Place>,
    /// One that has to leave first.
    after: Option<Id>,
    /// Works where this one will, until its jobs are done.
    predecessor: Option<JoinHandle<()>>,
    /// The address that adverts come from.
    primary: Option<IpAddr>,
    /// What tracking makes of the configured priority; `None` is a fault.
    tracked: Option<u8>,
    releasing: bool,
    leaving: bool,
    sent_at: Instant,
    /// When the addresses' lifetime began anew.
    renewed_at: Instant,
    /// What was told of the gate, and what waits for it.
    gate: gated::Memory,
    /// What keeps adverts or announcements from leaving.
    trouble: Option<String>,
    /// What the kernel refuses.
    refusal: Option<String>,
    /// When addresses that somebody else has announced were last announced anew, and when they are to be.
    corrected_at: Option<Instant>,
    correct_at: Option<Instant>,
    rival_alarmed_at: Option<Instant>,
    /// Until when it is known to follow its master, as the router knows it.
    successor: Option<Instant>,
    /// Until when its master's daemon is known to live, as the router knows it.
    master_lives: Option<Instant>,
    /// The last thorough question, and to whom.
    question: Option<(MacAddr, Question)>,
    fencing: Fencing,
    /// The arbiter's lease, if there is an arbiter, and what that is.
    tenancy: Option<Tenancy>,
    arbiter: Option<config::Arbiter>,
    /// Who doesn't let it be master, and why.
    bars: BTreeMap<Bar, String>,
    herald: Herald,
    report: Report,
}

/// Who has a say beyond the election.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Bar {
    /// Its sync group.
    Group,
    /// The arbiter.
    Arbiter,
}

/// Where it works.
#[derive(Debug)]
struct Place {
    interface: IfIndex,
    worker: Worker,
    /// Open once the kernel is ready for it.
    outlet: Option<Outlet>,
    /// The gate before its addresses, if there is to be one.
    door: Option<Door>,
}

impl Speaker {
    /// One that waits for its interface, and until `after` has left.
    pub fn new(now: Instant, id: Id, plan: Plan, after: Option<Id>, notices: mpsc::Sender<Notice>) -> Self {
        let Plan { config, settings, scope, arbiter } = plan;
        let speak = config.speak.clone().unwrap_or_default();
        Self {
            id,
            herald: Herald::new(notices, Kind::Instance, &config.name, speak.notify),
            report: Report::new(&config, &settings),
            config,
            tracked: Some(settings.priority),
            fencing: Fencing::new(speak.fence, scope),
            router: vrrp::Router::new(now, settings),
            tenancy: None,
            arbiter,
            bars: BTreeMap::new(),
            place: None,
            after,
            predecessor: None,
            primary: None,
            releasing: false,
            leaving: false,
            sent_at: Instant::ZERO,
            renewed_at: Instant::ZERO,
            gate: gated::Memory::default(),
            trouble: None,
            refusal: None,
            corrected_at: None,
            correct_at: None,
            rival_alarmed_at: None,
            successor: None,
            master_lives: None,
            question: None,
        }
    }

    // ---- getters --------------------------------------------------------------------------------------------------

    pub const fn config(&self) -> &config::Router {
        &self.config
    }

    pub const fn router(&self) -> &vrrp::Router {
        &self.router
    }

    pub const fn is_leaving(&self) -> bool {
        self.leaving
    }

    /// True once it has left, and the kernel has confirmed that.
    pub fn is_gone(&self) -> bool {
        self.leaving && !self.releasing && self.tenancy.as_ref().is_none_or(Tenancy::is_over)
    }

    /// True if it would be master, were its group to let it.
    pub fn is_ready(&self) -> bool {
        self.router.is_ready() && self.tenancy.as_ref().is_none_or(Tenancy::may)
    }

    /// When something is due.
    pub fn poll_timeout(&self, now: Instant) -> Option<Instant> {
        let guard = self.fencing.guard.poll_timeout(now);
        let lease = self.tenancy.as_ref().and_then(Tenancy::poll_timeout);
        let own = [guard, lease, self.correct_at, self.gate_timeout()];
        own.into_iter().flatten().chain(self.router.poll_timeout()).min()
    }

    /// Where its adverts come in.
    pub fn interface(&self) -> Option<IfIndex> {
        self.place.as_ref().map(|place| place.interface)
    }

    pub const fn after(&self) -> Option<Id> {
        self.after
    }

    /// The one before has left, and this remains of it.
    pub fn succeed(&mut self, remains: Option<JoinHandle<()>>) {
        self.after = None;
        self.predecessor = remains;
        // The farewell of the one before is no rival's.
        self.sent_at = clock::now();
    }

    pub const fn tracked(&self) -> Option<u8> {
        self.tracked
    }

    pub fn is_owner(&self) -> bool {
        self.router.settings().priority == OWNER
    }

    /// Whether the host itself answers on the addresses; an owner's always do (RFC 9568 §6.1).
    pub fn accepts(&self) -> bool {
        self.is_owner() || self.config.speak.as_ref().is_none_or(|speak| speak.accept)
    }

    /// All addresses that it holds as master.
    pub fn held(&self) -> impl Iterator<Item = IpAddr> {
        let settings = self.router.settings();
        settings.addresses.iter().chain(&settings.excluded_addresses).map(|(address, _)| *address)
    }

    fn held_with_prefixes(&self) -> Vec<(IpAddr, u8)> {
        let settings = self.router.settings();
        settings.addresses.iter().chain(&settings.excluded_addresses).copied().collect()
    }

    // ---- what happens ---------------------------------------------------------------------------------------------

    /// Takes in one event, and does what follows from it.
    pub fn handle(&mut self, now: Instant, event: Event<'_>, host: &Host, told: &mut Told) {
        match event {
            Event::Released => {
                self.releasing = false;
                self.fencing.on_released(clock::now());
            }
            Event::Shutdown => self.leaving = true,
            _ => {}
        }
        self.router.handle(now, event);
        self.act(now, host, told);
    }

    /// Does what is due.
    pub fn handle_timeout(&mut self, turn: Turn, host: &Host, told: &mut Told) {
        if let Some(tenancy) =
            self.tenancy.as_mut().filter(|tenancy| tenancy.poll_timeout().is_some_and(|at| at <= turn.now))
        {
            tenancy.handle_timeout();
        }
        self.reopen_gate(turn.now, turn.drained, told);
        self.router.handle_timeout(turn);
        self.act(turn.now, host, told);
        if self.fencing.guard.poll_timeout(turn.now).is_some_and(|at| at <= turn.now) {
            self.fencing.guard.handle_timeout(turn.now);
            self.obey_guard(turn.now, turn.now, host, told);
        }
        if self.correct_at.is_some_and(|at| at <= turn.now) {
            self.correct(turn.now, host, told);
        }
    }

    /// Somebody else has told everybody that an address of ours is there: clients' caches are wrong now. Two that correct
    /// each other must not fill the wire.
    pub fn on_foreign_announcement(&mut self, now: Instant, host: &Host, told: &mut Told) {
        if !self.router.holds() || self.correct_at.is_some() {
            return;
        }
        match self.corrected_at.map(|last| last + CORRECT_EVERY) {
            Some(next) if now < next => self.correct_at = Some(next),
            _ => self.correct(now, host, told),
        }
    }

    fn correct(&mut self, now: Instant, host: &Host, told: &mut Told) {
        self.correct_at = None;
        self.corrected_at = Some(now);
        self.handle(now, Event::AnnounceAgain, host, told);
    }

    /// The host's addresses were read anew: what of ours is not among them was taken away meanwhile.
    pub fn check_addresses(&mut self, now: Instant, host: &Host, told: &mut Told) {
        let Some(holder) = self.holder() else { return };
        let is_there = |address| host.addresses_on(holder).any(|(there, _)| there.address == address);
        if self.router.holds() && !self.held().all(is_there) {
            self.handle(now, Event::AddressLost, host, told);
        }
    }

    fn holder(&self) -> Option<IfIndex> {
        Some(self.place.as_ref()?.outlet.as_ref()?.holder())
    }

    /// What the watcher is to hear when there is no successor.
    pub fn farewell(&self) -> News {
        self.report.farewell()
    }

    /// Takes in an advert of another host, which the kernel received at `at`.
    pub fn on_advert(&mut self, now: Instant, at: Instant, advert: &Advert, host: &Host, told: &mut Told) {
        let taken = self.router.counters().adverts_received;
        self.handle(now, Event::Advert(advert), host, told);
        let obeyed = self.router.counters().adverts_received > taken;
        self.after_peer(now, advert.source, told);
        self.fencing.guard.handle_advert(now, advert, obeyed);
        self.obey_guard(now, at, host, told);
    }

    /// Takes in what the kernel answered. `Ready` of a place that was left already is of no use.
    pub fn on_answer(&mut self, now: Instant, answer: Answer, host: &Host, vips: &Vips, told: &mut Told) {
        let refusal = match &answer {
            Answer::Trouble(why) => Some(why.clone()),
            _ => None,
        };
        let is_news = refusal != self.refusal;
        self.refusal = refusal;
        match answer {
            Answer::Ready(holder) => self.open(now, holder, host, vips, told),
            Answer::Claimed(Ok(())) => self.handle(now, Event::Claimed, host, told),
            Answer::Claimed(Err(why)) => self.handle(now, Event::ClaimFailed(why), host, told),
            Answer::Released => self.handle(now, Event::Released, host, told),
            Answer::Trouble(why) if is_news => self.alarm(now, why, told),
            Answer::Trouble(_) => {}
        }
    }

    fn open(&mut self, now: Instant, holder: IfIndex, host: &Host, vips: &Vips, told: &mut Told) {
        let Some(place) = &mut self.place else { return };
        match Outlet::open(place.interface, holder, &self.config) {
            Ok(outlet) => place.outlet = Some(outlet),
            Err(error) => return self.alarm(now, error.to_string(), told),
        }
        self.look(now, host, vips, told);
    }

    /// One of its addresses is gone from some interface.
    pub fn on_address_gone(&mut self, now: Instant, from: IfIndex, host: &Host, told: &mut Told) {
        if self.router.holds() && self.holder() == Some(from) {
            self.handle(now, Event::AddressLost, host, told);
        }
    }

    /// An owner's addresses are the host's own: without all of them it can't serve.
    pub fn owns_all(&self, host: &Host) -> bool {
        !self.is_owner() || self.interface().is_some_and(|on| self.held().all(|a| host.holds(on, a).is_some()))
    }

    /// An advert that left this host for our virtual router: ours, or that of another daemon which serves it too.
    pub fn on_outgoing(&mut self, now: Instant, at: Instant, advert: &Advert, told: &mut Told) {
        let is_ours = at <= self.sent_at + CLOCKS_DIFFER;
        let was_said = self.rival_alarmed_at.is_some_and(|said| now.since(said) < ALARM_EVERY);
        if is_ours || was_said {
            return;
        }
        self.rival_alarmed_at = Some(now);
        let why = format!(
            "another VRRP daemon on this host advertises VRID {} with priority {} from {}: stop it, or remove this router \
             from one of the two",
            advert.vrid, advert.priority, advert.source
        );
        self.alarm(now, why, told);
    }

    /// Takes in what became of what it tracks.
    pub fn track(&mut self, tracker: &Tracker) {
        let tracks = self.config.speak.as_ref().map(|speak| speak.track.as_slice()).unwrap_or_default();
        self.tracked = tracker.effective(self.router.settings().priority, tracks);
        self.report.says.tracks = tracker.report(tracks);
    }

    /// Tells the router what its priority is worth. True if that is news.
    pub fn set_priority(&mut self, now: Instant, worth: Option<u8>, host: &Host, told: &mut Told) -> bool {
        let is_news = worth != self.router.effective_priority();
        match is_news {
            true => self.handle(now, Event::Priority(worth), host, told),
            // What it tracks may be news all the same.
            false => self.act(now, host, told),
        }
        is_news
    }

    /// Takes new settings, if that can be done without leaving the state.
    ///
    /// # Errors
    /// What of it can't be, in a word.
    pub fn reconfigure(&mut self, now: Instant, plan: &Plan, host: &Host, told: &mut Told) -> Result<(), &'static str> {
        let Plan { config, settings, scope, arbiter } = plan;
        if let Some(reason) = differs(&self.config, config) {
            return Err(reason);
        }
        if self.arbiter != *arbiter {
            return Err("arbiter");
        }
        match self.router.reconfigure(now, settings.clone()) {
            vrrp::Reconfigured::Restart(reason) => return Err(reason),
            vrrp::Reconfigured::Applied => {}
        }
        let speak = config.speak.clone().unwrap_or_default();
        self.herald.reconfigure(speak.notify);
        self.fencing.reconfigure(now, speak.fence, scope.clone());
        self.obey_guard(now, now, host, told);
        self.config = config.clone();
        self.report.rename(config, self.router.settings());
        self.change_gate(now, told);
        self.act(now, host, told);
        Ok(())
    }

    /// Ends the work of one that is gone. What remains is to be awaited.
    pub fn finish(self) -> Option<JoinHandle<()>> {
        self.place.map(|place| place.worker.finish()).or(self.predecessor)
    }

    // ---- what it does ---------------------------------------------------------------------------------------------

    fn act(&mut self, now: Instant, host: &Host, told: &mut Told) {
        self.obey_router(now, host, told);
        while self.mind_the_lease(now, told) {
            self.obey_router(now, host, told);
        }
        if self.router.state() != State::Master {
            self.fencing.guard.handle_stopped(now);
        }
        self.report.says.notify_failures = self.herald.failures();
        self.report_gate();
        told.extend(self.report.news(now, &self.router, &self.fencing));
    }

    fn obey_router(&mut self, now: Instant, host: &Host, told: &mut Told) {
        self.shut_gate(now, told);
        while let Some(action) = self.router.poll_action() {
            match action {
                Action::Advertise { priority } => self.advertise(now, priority, host, told),
                Action::Claim => {
                    if let Err(why) = self.ask(Job::Claim(self.held_with_prefixes(), self.lifetime())) {
                        self.router.handle(now, Event::ClaimFailed(why));
                    }
                }
                Action::Release => self.release(now, told),
                Action::Announce => self.announce(now, host, told),
                Action::Ask { host: silent, question } => self.ask_host(now, silent, question, host, told),
                Action::Entered { from, to, reason } => {
                    self.herald_state(to);
                    told.push(self.report.entered(now, from, to, reason));
                }
                Action::Alarm(why) => self.alarm(now, why, told),
            }
        }
    }

    fn herald_state(&self, state: State) {
        let heralded = if self.leaving { Some(Heralded::Stop) } else { Heralded::of(state) };
        if let Some(heralded) = heralded {
            self.herald.tell(heralded, self.router.effective_priority().unwrap_or_default());
        }
    }

    fn ask(&self, job: Job) -> Result<(), String> {
        let place = self.place.as_ref().ok_or_else(|| format!("there is no interface {}", self.config.interface))?;
        place.worker.ask(job)
    }

    fn release(&mut self, now: Instant, told: &mut Told) {
        if self.place.is_none() {
            // The addresses went with their interface.
            return self.router.handle(now, Event::Released);
        }
        self.releasing = true;
        if let Err(why) = self.ask(Job::Release(self.held_with_prefixes())) {
            self.alarm(now, format!("the addresses can't be released: {why}"), told);
        }
    }

    fn advertise(&mut self, now: Instant, priority: u8, host: &Host, told: &mut Told) {
        let Some((_, mac)) = self.way_out(host) else { return };
        let Some(source) = self.primary else { return };
        self.before_advert(clock::now(), priority, told);
        let Some((outlet, _)) = self.way_out(host) else { return };
        let sent = outlet.advertise(self.router.settings(), priority, source, mac);
        self.sent_at = clock::now();
        if priority > 0 && sent.is_ok() {
            self.fencing.guard.handle_sent(now, priority, source);
        }
        if sent.is_ok() {
            self.after_advert(now, priority, told);
        }
        self.note(now, sent, told);
    }

    fn announce(&mut self, now: Instant, host: &Host, told: &mut Told) {
        if self.waits_for_gate() {
            return;
        }
        let Some((outlet, mac)) = self.way_out(host) else { return };
        let (count, sent) = outlet.announce(self.router.settings(), mac);
        self.report.says.garp_sent += count;
        self.note(now, sent, told);
    }

    fn way_out(&self, host: &Host) -> Option<(&Outlet, MacAddr)> {
        let place = self.place.as_ref()?;
        Some((place.outlet.as_ref()?, host.link(place.interface)?.mac?))
    }

    /// Says once what keeps frames from leaving.
    fn note(&mut self, now: Instant, sent: Result<(), String>, told: &mut Told) {
        let trouble = sent.err();
        if trouble == self.trouble {
            return;
        }
        self.trouble.clone_from(&trouble);
        if let Some(why) = trouble {
            self.alarm(now, why, told);
        }
    }

    fn alarm(&self, now: Instant, why: String, told: &mut Told) {
        told.push(self.report.alarm(now, why));
    }
}

/// What changed that the state machine does not know of, and that it can't go on with.
fn differs(old: &config::Router, new: &config::Router) -> Option<&'static str> {
    let of = |router: &config::Router| {
        let speak = router.speak.as_ref();
        let gate = speak.map(|s| s.fence.gate);
        (speak.map(|s| (s.vmac, s.vmac_xmit_base)), speak.map(|s| s.source), router.unicast_peers.clone(), gate)
    };
    let (was, is) = (of(old), of(new));
    if old.interface != new.interface {
        Some("interface")
    } else if was.0 != is.0 {
        Some("vmac")
    } else if was.1 != is.1 {
        Some("source")
    } else if was.2 != is.2 {
        Some("unicast_peers")
    } else if was.3 != is.3 {
        Some("gate")
    } else {
        None
    }
}
