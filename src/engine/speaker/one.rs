//! One router that speaks: its state machine, and what that has its hands do.

use std::collections::BTreeSet;
use std::net::IpAddr;
use std::rc::Rc;

use tokio::sync::mpsc;
use tokio::task::JoinHandle;

use crate::config::{self, Config};
use crate::engine::hub::Hub;
use crate::engine::notify::{Herald, Kind, Notice, Told as Heralded};
use crate::engine::tracker::Tracker;
use crate::fence::{Act, Scope};
use crate::observe::{Host, IfIndex};
use crate::sys::clock;
use crate::time::{Duration, Instant};
use crate::vrrp::{self, Action, Event, OWNER, Settings, State, Turn};
use crate::wire::{Advert, Family, MacAddr};

use super::Id;
use super::guard::{self, Fencing, Findings};
use super::kernel::{Answer, Job, Site, Worker};
use super::outlet::Outlet;
use super::report::{Report, Told};

/// A captured frame of ours has a time that is converted from another clock.
const CLOCKS_DIFFER: Duration = Duration::from_millis(1);
/// Between two alarms of the same thing that goes on.
const ALARM_EVERY: Duration = Duration::from_secs(60);

/// What a speaker is told to be.
#[derive(Clone, Debug)]
pub(super) struct Plan {
    pub config: config::Router,
    pub settings: Settings,
    pub scope: Scope,
}

impl Plan {
    /// `None` for a router that is only watched.
    pub fn of(config: &Config, router: &config::Router) -> Option<Self> {
        let settings = router.speaker_settings(config.known_speakers(router))?;
        Some(Self { config: router.clone(), settings, scope: guard::scope(config, router) })
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
    /// What keeps adverts or announcements from leaving.
    trouble: Option<String>,
    rival_alarmed_at: Option<Instant>,
    fencing: Fencing,
    herald: Herald,
    report: Report,
}

/// Where it works.
#[derive(Debug)]
struct Place {
    interface: IfIndex,
    worker: Worker,
    /// Open once the kernel is ready for it.
    outlet: Option<Outlet>,
}

impl Speaker {
    /// One that waits for its interface, and until `after` has left.
    pub fn new(now: Instant, id: Id, plan: Plan, after: Option<Id>, notices: mpsc::Sender<Notice>) -> Self {
        let Plan { config, settings, scope } = plan;
        let speak = config.speak.clone().unwrap_or_default();
        Self {
            id,
            herald: Herald::new(notices, Kind::Instance, &config.name, speak.notify),
            report: Report::new(&config, &settings),
            config,
            tracked: Some(settings.priority),
            fencing: Fencing::new(speak.fence, scope),
            router: vrrp::Router::new(now, settings),
            place: None,
            after,
            predecessor: None,
            primary: None,
            releasing: false,
            leaving: false,
            sent_at: Instant::ZERO,
            trouble: None,
            rival_alarmed_at: None,
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
    pub const fn is_gone(&self) -> bool {
        self.leaving && !self.releasing
    }

    /// When something is due.
    pub fn poll_timeout(&self, now: Instant) -> Option<Instant> {
        let guard = self.fencing.guard.poll_timeout(now);
        self.router.poll_timeout().into_iter().chain(guard).min()
    }

    /// Where its adverts come in.
    pub fn interface(&self) -> Option<IfIndex> {
        self.place.as_ref().map(|place| place.interface)
    }

    pub const fn after(&self) -> Option<Id> {
        self.after
    }

    /// The one before has left, and this remains of it.
    pub fn succeed(&mut self, remains: JoinHandle<()>) {
        self.after = None;
        self.predecessor = Some(remains);
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

    // ---- where it works -------------------------------------------------------------------------------------------

    /// Follows its interface as it comes and goes. `vips` are addresses that move, and are nobody's primary one.
    pub fn follow(&mut self, now: Instant, hub: &Rc<Hub>, host: &Host, vips: &BTreeSet<IpAddr>, told: &mut Told) {
        let interface = host.index_of(&self.config.interface);
        if self.leaving || self.after.is_some() || interface.is_none() && self.place.is_none() {
            return;
        }
        if interface != self.interface() {
            if self.place.is_some() {
                // Its addresses are still there if it was only renamed.
                self.handle(now, Event::Interface(None), host, told);
                self.primary = None;
                self.predecessor = self.place.take().map(|place| place.worker.finish());
            }
            let Some(interface) = interface else { return };
            let worker = Worker::start(hub, self.id, self.site(interface), self.predecessor.take());
            self.place = Some(Place { interface, worker, outlet: None });
        }
        self.look(now, host, vips, told);
    }

    fn site(&self, interface: IfIndex) -> Site {
        let settings = self.router.settings();
        Site {
            interface,
            family: settings.family,
            vrid: settings.vrid,
            vmac: self.config.speak.as_ref().is_some_and(|speak| speak.vmac),
            leftovers: if self.is_owner() { Vec::new() } else { self.held_with_prefixes() },
        }
    }

    /// Tells the router whether its interface can be used.
    fn look(&mut self, now: Instant, host: &Host, vips: &BTreeSet<IpAddr>, told: &mut Told) {
        let Some(Place { interface, outlet: Some(_), .. }) = self.place else { return };
        let primary = self.find_primary(host, interface, vips);
        // Init is left by the first word, whatever it is.
        if primary != self.primary || self.router.state() == State::Init {
            self.primary = primary;
            self.handle(now, Event::Interface(primary), host, told);
        }
    }

    fn find_primary(&self, host: &Host, interface: IfIndex, vips: &BTreeSet<IpAddr>) -> Option<IpAddr> {
        host.link(interface).filter(|link| link.up && link.carrier && link.mac.is_some())?;
        let settings = self.router.settings();
        let source = self.config.speak.as_ref().and_then(|speak| speak.source);
        let fits = |address: &IpAddr| match (source, settings.family, address) {
            (Some(source), ..) => source == *address,
            (None, Family::V4, IpAddr::V4(_)) => !vips.contains(address),
            (None, Family::V6, IpAddr::V6(v6)) => {
                let unicast = settings.unicast_peers.iter().any(|peer| !link_local(peer));
                !vips.contains(address) && v6.is_unicast_link_local() != unicast
            }
            _ => false,
        };
        let mut usable: Vec<_> = host.addresses_on(interface).filter(|(a, _)| a.usable && fits(&a.address)).collect();
        usable.sort_by_key(|(address, since)| (*since, address.address));
        // The one that others know stays, for as long as it is there.
        let known = usable.iter().find(|(a, _)| Some(a.address) == self.primary);
        known.or(usable.first()).map(|(address, _)| address.address)
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
        self.router.handle_timeout(turn);
        self.act(turn.now, host, told);
        if self.fencing.guard.poll_timeout(turn.now).is_some_and(|at| at <= turn.now) {
            self.fencing.guard.handle_timeout(turn.now);
            self.obey_guard(turn.now, turn.now, host, told);
        }
    }

    /// Takes in an advert of another host, which the kernel received at `at`.
    pub fn on_advert(&mut self, now: Instant, at: Instant, advert: &Advert, host: &Host, told: &mut Told) {
        let taken = self.router.counters().adverts_received;
        self.handle(now, Event::Advert(advert), host, told);
        let obeyed = self.router.counters().adverts_received > taken;
        self.fencing.guard.handle_advert(now, advert, obeyed);
        self.obey_guard(now, at, host, told);
    }

    /// Takes in what the watcher found out.
    pub fn on_findings(&mut self, now: Instant, found: &Findings, host: &Host, told: &mut Told) {
        self.fencing.guard.handle_reach(now, found.anyone, found.witness);
        let answers = found.answers.get(&self.config.name).map(Vec::as_slice).unwrap_or_default();
        self.fencing.guard.handle_answers(now, answers);
        self.obey_guard(now, now, host, told);
    }

    /// Does what the guard wants, for evidence that came in at `evidence`.
    fn obey_guard(&mut self, now: Instant, evidence: Instant, host: &Host, told: &mut Told) {
        while let Some(act) = self.fencing.guard.poll_act() {
            match act {
                Act::Drop { reason, why } => {
                    self.fencing.by_guard(reason, evidence, self.router.holds());
                    self.handle(now, Event::Fence(why), host, told);
                }
                Act::Release if self.fencing.is_by_hand() => {}
                Act::Release => self.handle(now, Event::Unfence, host, told),
                Act::Yield { to, why } => {
                    self.alarm(now, format!("{to} does not hear this node, which yields to it: {why}"), told);
                    self.handle(now, Event::HandOver, host, told);
                }
            }
        }
    }

    // ---- the operator's hand --------------------------------------------------------------------------------------

    /// Gives mastership away once.
    ///
    /// # Errors
    /// In words: it is not master.
    pub fn hand_over(&mut self, now: Instant, host: &Host, told: &mut Told) -> Result<String, String> {
        let name = self.config.name.clone();
        if self.router.state() != State::Master {
            return Err(format!("{name} is not master here: nothing to give away"));
        }
        self.handle(now, Event::HandOver, host, told);
        Ok(format!("{name} gives mastership away; if nobody takes it, this node is master again"))
    }

    /// Drops the addresses and stays out.
    ///
    /// # Errors
    /// In words: it has done so already.
    pub fn fence_by_hand(&mut self, now: Instant, why: String, host: &Host, told: &mut Told) -> Result<String, String> {
        let name = self.config.name.clone();
        if !self.fencing.by_hand(now, self.router.holds()) {
            return Err(format!("{name} is fenced already"));
        }
        self.handle(now, Event::Fence(why), host, told);
        Ok(format!("{name} is fenced, and stays so until `vipwarden unfence {name}`"))
    }

    /// Comes back.
    ///
    /// # Errors
    /// In words: it is not fenced.
    pub fn unfence_by_hand(&mut self, now: Instant, host: &Host, told: &mut Told) -> Result<String, String> {
        let name = self.config.name.clone();
        if !self.fencing.lift(now) {
            return Err(format!("{name} is not fenced"));
        }
        self.handle(now, Event::Unfence, host, told);
        Ok(format!("{name} takes part again"))
    }

    /// Takes in what the kernel answered. `Ready` of a place that was left already is of no use.
    pub fn on_answer(&mut self, now: Instant, answer: Answer, host: &Host, vips: &BTreeSet<IpAddr>, told: &mut Told) {
        match answer {
            Answer::Ready(holder) => self.open(now, holder, host, vips, told),
            Answer::Claimed(Ok(())) => self.handle(now, Event::Claimed, host, told),
            Answer::Claimed(Err(why)) => self.handle(now, Event::ClaimFailed(why), host, told),
            Answer::Released => self.handle(now, Event::Released, host, told),
            Answer::Trouble(why) => self.alarm(now, why, told),
        }
    }

    fn open(&mut self, now: Instant, holder: IfIndex, host: &Host, vips: &BTreeSet<IpAddr>, told: &mut Told) {
        let Some(place) = &mut self.place else { return };
        match Outlet::open(place.interface, holder, &self.config) {
            Ok(outlet) => place.outlet = Some(outlet),
            Err(error) => return self.alarm(now, error.to_string(), told),
        }
        self.look(now, host, vips, told);
    }

    /// An address is gone from some interface.
    pub fn on_address_gone(&mut self, now: Instant, gone: (IfIndex, IpAddr), host: &Host, told: &mut Told) {
        let holder = self.place.as_ref().and_then(|place| place.outlet.as_ref()).map(Outlet::holder);
        if self.router.holds() && holder == Some(gone.0) && self.held().any(|address| address == gone.1) {
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
        self.report.tracks = tracker.report(tracks);
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
        let Plan { config, settings, scope } = plan;
        if let Some(reason) = differs(&self.config, config) {
            return Err(reason);
        }
        match self.router.reconfigure(now, settings.clone()) {
            vrrp::Reconfigured::Restart(reason) => return Err(reason),
            vrrp::Reconfigured::Applied => {}
        }
        let speak = config.speak.clone().unwrap_or_default();
        self.herald.reconfigure(speak.notify);
        self.fencing.guard.reconfigure(now, speak.fence, scope.clone());
        self.obey_guard(now, now, host, told);
        self.config = config.clone();
        self.report.rename(config, self.router.settings());
        self.act(now, host, told);
        Ok(())
    }

    /// Ends the work of one that is gone. What remains is to be awaited.
    pub fn finish(self) -> Option<JoinHandle<()>> {
        self.place.map(|place| place.worker.finish()).or(self.predecessor)
    }

    // ---- what it does ---------------------------------------------------------------------------------------------

    fn act(&mut self, now: Instant, host: &Host, told: &mut Told) {
        while let Some(action) = self.router.poll_action() {
            match action {
                Action::Advertise { priority } => self.advertise(now, priority, host, told),
                Action::Claim => {
                    if let Err(why) = self.ask(Job::Claim(self.held_with_prefixes())) {
                        self.router.handle(now, Event::ClaimFailed(why));
                    }
                }
                Action::Release => self.release(now, told),
                Action::Announce => self.announce(now, host, told),
                Action::Entered { from, to, reason } => {
                    self.herald_state(to);
                    told.push(self.report.entered(now, from, to, reason));
                }
                Action::Alarm(why) => self.alarm(now, why, told),
            }
        }
        if self.router.state() != State::Master {
            self.fencing.guard.handle_stopped(now);
        }
        self.report.notify_failures = self.herald.failures();
        told.extend(self.report.news(&self.router, &self.fencing));
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
        let Some((outlet, mac)) = self.way_out(host) else { return };
        let Some(source) = self.primary else { return };
        let sent = outlet.advertise(self.router.settings(), priority, source, mac);
        self.sent_at = clock::now();
        if priority > 0 && sent.is_ok() {
            self.fencing.guard.handle_sent(now, priority, source);
        }
        self.note(now, sent, told);
    }

    fn announce(&mut self, now: Instant, host: &Host, told: &mut Told) {
        let Some((outlet, mac)) = self.way_out(host) else { return };
        let (count, sent) = outlet.announce(self.router.settings(), mac);
        self.report.garp_sent += count;
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
        (speak.map(|s| (s.vmac, s.vmac_xmit_base)), speak.map(|s| s.source), router.unicast_peers.clone())
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
    } else {
        None
    }
}

fn link_local(address: &IpAddr) -> bool {
    matches!(address, IpAddr::V6(v6) if v6.is_unicast_link_local())
}
