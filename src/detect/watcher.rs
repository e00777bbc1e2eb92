//! The watching core as one value: facts in, requests, events and snapshots out. The daemon and `analyze` drive it alike.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;

use crate::observe::{Fact, Learned, Model, Notice, Request, Router, RouterId, Settings, Slot, Target, Testimony};
use crate::time::{Duration, Instant, WallClock};
use crate::wire::{Family, MacAddr, Version};

use super::case::{Case, Outcome};
use super::deadlines::Deadlines;
use super::remote::{self, Word};
use super::{Event, RouterView, Snapshot, view};

/// Events that nobody fetched yet; beyond this the oldest are dropped.
const MAX_EVENTS: usize = 4096;

/// Addresses of this host that a snapshot names at most.
const MAX_OWN: usize = 1024;

/// How long before a deadline it is seen whether it was put off: no rest between two turns is longer.
const SOON: Duration = Duration::from_millis(40);

/// What is known around a router that this daemon speaks for.
#[derive(Debug)]
pub struct Circumstances {
    /// Who else answers for its addresses, each with its newest answer.
    pub answers: Vec<(MacAddr, Instant)>,
    /// What its peers say over the second channel, as far as it is fresh.
    pub testimonies: Vec<Testimony>,
    /// Whether a witness answers through its interface; `None` where none is asked.
    pub witness: Option<bool>,
}

/// The model and the detector together.
///
/// Four families of methods, as in other sans-I/O code: `handle*` take things in, `poll_*` hand things out (call them until they
/// answer `None`), getters read, commands change what it watches. `now` never has to be the true time, only never to
/// run backwards by more than a batch.
#[derive(Debug)]
pub struct Watcher {
    model: Model,
    clock: WallClock,
    cases: BTreeMap<Slot, Case>,
    deadlines: Deadlines,
    views: BTreeMap<Slot, Arc<RouterView>>,
    outdated: BTreeSet<Slot>,
    events: VecDeque<Event>,
    urgent: bool,
    /// Those of which it is open whether two hold.
    contested: BTreeSet<Slot>,
}

impl Watcher {
    /// A watcher that knows nothing yet.
    pub fn new(now: Instant, clock: WallClock, settings: Settings) -> Self {
        Self {
            model: Model::new(now, settings),
            clock,
            cases: BTreeMap::new(),
            deadlines: Deadlines::default(),
            views: BTreeMap::new(),
            outdated: BTreeSet::new(),
            events: VecDeque::new(),
            urgent: false,
            contested: BTreeSet::new(),
        }
    }

    // ---- commands -------------------------------------------------------------------------------------------------

    /// Takes new settings; what was observed of routers that remain is kept.
    pub fn reconfigure(&mut self, now: Instant, settings: Settings) {
        self.model.reconfigure(now, settings);
        self.handle_timeout(now);
    }

    /// The wall clock was set, or drifted: dates are told by this one from now on.
    pub fn set_clock(&mut self, clock: WallClock) {
        self.clock = clock;
    }

    /// Takes back routers learned in an earlier life. They start as unknown.
    pub fn restore(&mut self, now: Instant, learned: &[Learned]) {
        for entry in learned {
            let Some(family) = Family::named(&entry.family) else { continue };
            let version = if entry.version == 2 { Version::V2 } else { Version::V3 };
            self.model.restore(now, entry, family, version);
        }
        self.handle_timeout(now);
    }

    /// Forgets a learned router. False if there is none such, or if it is configured.
    pub fn forget(&mut self, now: Instant, id: &RouterId) -> bool {
        let meant = self.model.routers().find(|(_, r)| r.id == *id).map(|(slot, _)| slot);
        let forgotten = meant.is_some_and(|slot| self.model.forget(slot));
        self.take_notices(now);
        forgotten
    }

    // ---- getters --------------------------------------------------------------------------------------------------

    /// The learned routers, to be kept across restarts.
    pub fn learned(&self) -> Vec<Learned> {
        let learned = self.model.routers().filter(|(_, r)| r.expected.is_none());
        learned
            .filter_map(|(_, r)| {
                let (interval, version) = r.last_known?;
                let last = r.last_advert.unwrap_or(r.known_since);
                Some(Learned {
                    interface: r.id.interface.clone(),
                    vlan: r.id.vlan,
                    family: r.id.family.as_str().into(),
                    vrid: r.id.vrid,
                    version: version.number(),
                    interval_ms: u64::try_from(interval.as_millis()).unwrap_or(u64::MAX),
                    addresses: r.vips.iter().map(|v| v.address).collect(),
                    last_seen_unix: self.clock.unix_nanos(last) / 1_000_000_000,
                })
            })
            .collect()
    }

    /// True if a verdict or a master changed since the last [`Self::snapshot`]: publish at once.
    pub fn is_urgent(&self) -> bool {
        self.urgent
    }

    /// True if it is open of some router whether two hold it: the next advert may tell.
    pub fn is_contested(&self) -> bool {
        !self.contested.is_empty()
    }

    /// True if the adverts of the further taps are wanted: see [`Model::needs_taps`].
    pub fn needs_taps(&self) -> bool {
        self.model.needs_taps()
    }

    /// Whether any peer or witness answers, and whether a witness does.
    pub fn reach(&self) -> (bool, bool) {
        let up = |reach: &[crate::observe::Reach]| reach.iter().any(|host| host.up == Some(true));
        let witness = up(&self.model.witnesses);
        (witness || up(&self.model.peers), witness)
    }

    /// What a speaker's guard wants to know of each router that this daemon speaks for, by its name.
    pub fn spoken(&self, now: Instant) -> impl Iterator<Item = (&str, Circumstances)> {
        self.model.routers().filter(|(_, router)| router.speaking.is_some()).filter_map(move |(_, router)| {
            let name = |word: &Word<'_>| self.model.settings.peers.get(word.peer).map(|peer| peer.name.as_str());
            let words = remote::words(&self.model, router, now);
            let claims = router.vips.iter().flat_map(|vip| vip.claims());
            let circumstances = Circumstances {
                answers: claims.map(|claim| (claim.mac, claim.last)).collect(),
                testimonies: words
                    .filter_map(|word| Some(Testimony::new(name(&word)?, word.report, word.said)))
                    .collect(),
                witness: self.model.witness_of(router),
            };
            Some((router.expected.as_ref()?.name.as_str(), circumstances))
        })
    }

    // ---- handle ---------------------------------------------------------------------------------------------------

    /// Takes in one fact.
    pub fn handle(&mut self, now: Instant, fact: &Fact) {
        self.model.handle(now, fact);
    }

    /// Does what is due at `now`: judges what changed, expires what is old, plans probes. Call it after each batch of
    /// facts and whenever [`Self::poll_timeout`] has passed.
    pub fn handle_timeout(&mut self, now: Instant) {
        if self.model.poll_timeout() <= now {
            self.model.handle_timeout(now);
        }
        self.take_notices(now);
        let mut dirty = self.model.poll_dirty();
        self.put_off(now);
        dirty.extend(self.deadlines.due(now));
        for slot in dirty {
            self.judge(now, slot);
        }
    }

    /// Gives routers in good standing the deadline that their newest adverts have earned them, a little before the one that they have
    /// would wake anybody: there are hundreds, and nothing is due of any of them.
    fn put_off(&mut self, now: Instant) {
        for slot in self.deadlines.due(now + SOON).collect::<Vec<_>>() {
            if let Some(until) = self.model.router(slot).and_then(|router| router.steady_until(now)) {
                self.deadlines.set(slot, Some(until));
            }
        }
    }

    fn judge(&mut self, now: Instant, slot: Slot) {
        self.outdated.insert(slot);
        self.contested.remove(&slot);
        let Some(router) = self.model.router(slot) else { return self.deadlines.set(slot, None) };
        let case = self.cases.entry(slot).or_insert_with(|| Case::new(now));
        let was_led = !case.masters.is_empty();
        let Outcome { events, recheck, steady, test_output, urgent, contested } = case.judge(&self.model, router, now);
        let falls_silent = was_led && case.masters.is_empty();
        self.deadlines.set(slot, recheck);
        self.model.set_steady(slot, steady);
        if test_output {
            self.model.test_output(now, slot);
        }
        if falls_silent {
            self.model.ask_soon(now, slot);
        }
        self.urgent |= urgent || falls_silent;
        if contested {
            self.contested.insert(slot);
        }
        for event in events {
            self.push(event);
        }
    }

    fn push(&mut self, event: Event) {
        if self.events.len() == MAX_EVENTS {
            self.events.pop_front();
        }
        self.events.push_back(event);
    }

    fn take_notices(&mut self, now: Instant) {
        for notice in self.model.poll_notices() {
            if let Notice::Forgotten(slot, ..) = &notice {
                self.cases.remove(slot);
                self.deadlines.set(*slot, None);
                self.views.remove(slot);
                self.contested.remove(slot);
                self.outdated.remove(slot);
            }
            self.urgent |=
                matches!(notice, Notice::Sensor(..) | Notice::Forgotten(..) | Notice::Reach(_) | Notice::Channel(_));
            if let Some(event) = self.event_of(now, &notice) {
                self.push(event);
            }
        }
    }

    fn event_of(&self, now: Instant, notice: &Notice) -> Option<Event> {
        let bare = |kind: &'static str, to: String, reason: String| Event {
            at: now,
            router: String::new(),
            vip: None,
            id: None,
            kind: kind.into(),
            from: None,
            to: Some(to),
            reason,
            causes: Vec::new(),
            evidence: Vec::new(),
        };
        let of = |router: &Router, event| {
            let id = Some(router.id.clone());
            Some(Event { router: router.name(), vip: router.vip(), id, ..event })
        };
        match notice {
            Notice::Learned(slot) => {
                let router = self.model.router(*slot)?;
                let reason = format!("VRID {} was heard on {}", router.id.vrid, router.id.interface);
                of(router, bare("router", "learned".into(), reason))
            }
            Notice::Forgotten(_, name, vip) => {
                let reason = "by hand, by a reload, or for its long silence".into();
                Some(Event { router: name.clone(), vip: *vip, ..bare("router", "forgotten".into(), reason) })
            }
            Notice::Stranger(slot, source) => {
                let router = self.model.router(*slot)?;
                let reason = format!("{source} advertises and is no known speaker: not believed");
                of(router, bare("speaker", "stranger".into(), reason))
            }
            Notice::Usurped(peer, address, mac) => {
                let name = &self.model.settings.peers.get(*peer)?.name;
                let says = format!("{mac} says that it has {address}, which is {name}'s");
                let reason = format!("{says}, whose host has no such MAC, as it says: ARP or ND spoofing, or a proxy");
                Some(bare("peer", "usurped".into(), reason))
            }
            Notice::Other(other) => {
                let reason = format!("{other} was heard: no VRRP, recognised and not judged");
                Some(bare("speaker", other.protocol().into(), reason))
            }
            Notice::Sensor(sensor, interface) => {
                let (_, _, state) = self.model.sight.sensors().find(|(s, i, _)| s == sensor && i == interface)?;
                let place = interface.and_then(|i| self.model.host.link(i));
                let place = place.map_or_else(String::new, |l| format!(" on {}", l.name));
                let reason = match &state.state {
                    Ok(()) => format!("sensor {}{place} sees again", sensor.as_str()),
                    Err(why) => format!("sensor {}{place}: {why}", sensor.as_str()),
                };
                Some(bare("sensor", if state.state.is_ok() { "up" } else { "down" }.into(), reason))
            }
            Notice::Channel(peer) => self.channel_event(*peer).map(|(to, why)| bare("peer", to.into(), why)),
            Notice::Reach(target) => {
                let reach = match target {
                    Target::Peer(i) => self.model.peers.get(*i),
                    Target::Witness(i) => self.model.witnesses.get(*i),
                }?;
                let up = reach.up == Some(true);
                let reason = format!(
                    "{} ({}) {} ping",
                    reach.name,
                    reach.address,
                    if up { "answers" } else { "does not answer" }
                );
                Some(bare("peer", if up { "up" } else { "down" }.into(), reason))
            }
        }
    }

    /// What a peer's vipwarden does now, in a word and in words.
    fn channel_event(&self, peer: usize) -> Option<(&'static str, String)> {
        let channel = self.model.channels.get(peer)?;
        let name = &self.model.settings.peers.get(peer)?.name;
        let why = channel.trouble().unwrap_or("no reason is known");
        Some(match channel.newest() {
            _ if channel.is_refused() => ("refused", format!("an answer in the name of {name} is refused: {why}")),
            Some(report) if channel.is_up() == Some(true) => {
                let trust = if report.signed { "signed" } else { "not signed: shown, and never a reason to drop" };
                ("up", format!("the vipwarden of {name} ({}) answers; its reports are {trust}", report.node))
            }
            _ => ("down", format!("the vipwarden of {name} does not answer: {why}")),
        })
    }

    // ---- poll -----------------------------------------------------------------------------------------------------

    /// When [`Self::handle_timeout`] wants to be called next.
    pub fn poll_timeout(&self) -> Option<Instant> {
        let case = self.deadlines.next();
        Some(case.map_or(self.model.poll_timeout(), |at| at.min(self.model.poll_timeout())))
    }

    /// The next thing to send.
    pub fn poll_request(&mut self) -> Option<Request> {
        self.model.poll_request()
    }

    /// The next thing that happened.
    pub fn poll_event(&mut self) -> Option<Event> {
        self.events.pop_front()
    }

    /// The view at `now`. Routers that did not change since the last one are shared with it.
    pub fn snapshot(&mut self, now: Instant) -> Snapshot {
        self.urgent = false;
        self.outdated.extend(self.model.poll_stale());
        for slot in std::mem::take(&mut self.outdated) {
            if let (Some(router), Some(case)) = (self.model.router(slot), self.cases.get(&slot)) {
                self.views.insert(slot, Arc::new(view::router(&self.model, router, case, now)));
            }
        }
        let model = &self.model;
        Snapshot {
            at: now,
            clock: self.clock,
            routers: view::order(model).iter().filter_map(|slot| self.views.get(slot)).cloned().collect(),
            peers: view::peers(model, now),
            witnesses: view::witnesses(model),
            sensors: view::sensors(model),
            captures: view::captures(model),
            addresses: model.host.addresses().take(MAX_OWN).collect(),
            macs: model.host.links().filter_map(|link| link.mac).take(MAX_OWN).collect(),
            daemons: [Family::V4, Family::V6].map(|family| (family, model.host.daemon(family))).to_vec(),
            rejected: view::rejected(model),
            table_full: model.table_full.iter().map(|(table, count)| (*table, *count)).collect(),
            others: model.others.clone(),
        }
    }
}
