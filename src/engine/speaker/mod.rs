//! The routers that this daemon itself speaks for. They live on the core thread, and act before the watcher judges: an advert
//! is taken in as soon as its frame is read, and what follows from it has left before anything else is done.

mod kernel;
mod one;
mod outlet;
mod report;
mod time;

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::rc::Rc;

use tokio::task::JoinHandle;

use crate::config::{self, Config};
use crate::observe::{Fact, Frame, Host, IfIndex, PacketKind};
use crate::time::Instant;
use crate::vrrp::{Event, Settings, Turn};
use crate::wire::Seen;

use super::hub::Hub;
pub(super) use kernel::{Answer, Kernel};
use one::Speaker;
pub(super) use report::{News, Told};
pub(super) use time::{keep_time, leave};

/// Tells speakers apart, those of an earlier configuration included.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Id(u64);

/// All of them.
#[derive(Debug, Default)]
pub(super) struct Speakers {
    speakers: BTreeMap<Id, Speaker>,
    next: u64,
    host: Host,
    /// The addresses that move. Not those of an owner.
    vips: BTreeSet<IpAddr>,
    /// Tasks of those that are gone.
    remains: Vec<JoinHandle<()>>,
    told: Told,
}

impl Speakers {
    // ---- getters --------------------------------------------------------------------------------------------------

    /// When something is due.
    pub fn poll_timeout(&self) -> Option<Instant> {
        self.speakers.values().filter_map(|speaker| speaker.router().poll_timeout()).min()
    }

    /// The interfaces of those for whom something is due at `now`.
    pub fn due_on(&self, now: Instant) -> BTreeSet<IfIndex> {
        let due = |speaker: &&Speaker| speaker.router().poll_timeout().is_some_and(|at| at <= now);
        self.speakers.values().filter(due).filter_map(Speaker::interface).collect()
    }

    /// What was told since the last call.
    pub fn take_told(&mut self) -> Told {
        std::mem::take(&mut self.told)
    }

    fn named(&self, name: &str) -> Option<Id> {
        let is_it = |speaker: &Speaker| !speaker.is_leaving() && speaker.config().name == name;
        self.speakers.iter().find(|(_, speaker)| is_it(speaker)).map(|(id, _)| *id)
    }

    // ---- configuration --------------------------------------------------------------------------------------------

    /// Takes a configuration. What it says of routers that had to be started anew, in words.
    pub fn configure(&mut self, now: Instant, hub: &Rc<Hub>, config: &Config) -> Vec<String> {
        let mut restarted = Vec::new();
        let wanted: BTreeMap<&str, (&config::Router, Settings)> = config
            .routers
            .iter()
            .filter_map(|router| {
                let settings = router.speaker_settings(config.known_speakers(router))?;
                Some((router.name.as_str(), (router, settings)))
            })
            .collect();
        let mut kept = BTreeSet::new();
        let mut after = BTreeMap::new();
        let ids: Vec<Id> = self.speakers.keys().copied().collect();
        for id in ids {
            let Some(speaker) = self.speakers.get_mut(&id).filter(|speaker| !speaker.is_leaving()) else { continue };
            let name = speaker.config().name.clone();
            if let Some((router, settings)) = wanted.get(name.as_str()) {
                match speaker.reconfigure(now, router, settings.clone(), &self.host, &mut self.told) {
                    Ok(()) => {
                        kept.insert(name);
                        continue;
                    }
                    Err(reason) => restarted.push(format!("{name} starts anew, for its {reason} changed")),
                }
            }
            after.insert(name, id);
            self.dismiss(now, hub, id);
        }
        for (name, (router, settings)) in wanted {
            if !kept.contains(name) {
                self.add(now, router, settings, after.get(name).copied());
            }
        }
        self.refresh_vips();
        self.follow(now, hub);
        restarted
    }

    fn add(&mut self, now: Instant, router: &config::Router, settings: Settings, after: Option<Id>) {
        let id = Id(self.next);
        self.next += 1;
        self.speakers.insert(id, Speaker::new(now, id, router, settings, after));
    }

    fn refresh_vips(&mut self) {
        let moving = self.speakers.values().filter(|speaker| !speaker.is_owner());
        self.vips = moving.flat_map(Speaker::held).collect();
    }

    /// Has one give up what it has, and go.
    fn dismiss(&mut self, now: Instant, hub: &Rc<Hub>, id: Id) {
        self.with(id, |speaker, host, told| speaker.handle(now, Event::Shutdown, host, told));
        self.bury(now, hub, id);
    }

    /// Lets one go that has left, and its successor begin.
    fn bury(&mut self, now: Instant, hub: &Rc<Hub>, id: Id) {
        if !self.speakers.get(&id).is_some_and(Speaker::is_gone) {
            return;
        }
        let Some(remains) = self.speakers.remove(&id).and_then(Speaker::finish) else { return };
        match self.speakers.values_mut().find(|speaker| speaker.after() == Some(id)) {
            Some(successor) => successor.succeed(remains),
            None => self.remains.push(remains),
        }
        self.remains.retain(|remains| !remains.is_finished());
        self.follow(now, hub);
    }

    /// Has all of them go. What remains of them is to be awaited with [`Self::take_remains`], when none is left.
    pub fn dismiss_all(&mut self, now: Instant, hub: &Rc<Hub>) {
        let ids: Vec<Id> = self.speakers.keys().copied().collect();
        for id in ids {
            self.dismiss(now, hub, id);
        }
    }

    /// True if there is none.
    pub fn is_empty(&self) -> bool {
        self.speakers.is_empty()
    }

    /// What is still at work for those that are gone.
    pub fn take_remains(&mut self) -> Vec<JoinHandle<()>> {
        std::mem::take(&mut self.remains)
    }

    // ---- what happens ---------------------------------------------------------------------------------------------

    fn with<T>(&mut self, id: Id, work: impl FnOnce(&mut Speaker, &Host, &mut Told) -> T) -> Option<T> {
        let speaker = self.speakers.get_mut(&id)?;
        Some(work(speaker, &self.host, &mut self.told))
    }

    /// Takes in a frame: an advert for one of them.
    pub fn on_frame(&mut self, now: Instant, at: Instant, frame: &Frame) {
        let (Seen::Advert(advert), None) = (&frame.seen, frame.vlan) else { return };
        let Self { speakers, host, told, .. } = self;
        let is_meant = |speaker: &&mut Speaker| {
            let settings = speaker.router().settings();
            (settings.vrid, settings.family) == (advert.vrid, advert.family())
                && speaker.interface() == Some(frame.interface)
        };
        for speaker in speakers.values_mut().filter(is_meant) {
            match frame.kind {
                PacketKind::Outgoing => speaker.on_outgoing(now, at, advert, told),
                PacketKind::Host | PacketKind::Multicast => speaker.handle(now, Event::Advert(advert), host, told),
                PacketKind::Broadcast | PacketKind::OtherHost | PacketKind::Unknown => {}
            }
        }
    }

    /// Takes in links and addresses, one batch at a time.
    pub fn on_netlink(&mut self, now: Instant, hub: &Rc<Hub>, facts: &[Fact]) {
        let mut gone = Vec::new();
        let mut concerns_all = false;
        for fact in facts {
            match fact {
                Fact::Link(link) => {
                    concerns_all |= self.host.set_link(link.clone()).as_ref() != Some(link);
                }
                Fact::LinkGone(index) => {
                    self.host.remove_link(*index);
                    concerns_all = true;
                }
                Fact::Address(address) => {
                    self.host.set_address(now, *address);
                    concerns_all |= !self.vips.contains(&address.address);
                }
                Fact::AddressGone { interface, address } => {
                    self.host.remove_address(*interface, *address);
                    concerns_all |= !self.vips.contains(address);
                    gone.push((*interface, *address));
                }
                _ => {}
            }
        }
        // One that is back by now was not taken away: the kernel tells of our own changes, too.
        gone.retain(|(interface, address)| !self.host.addresses_on(*interface).any(|(a, _)| a.address == *address));
        let Self { speakers, host, told, .. } = self;
        for &address in &gone {
            speakers.values_mut().for_each(|speaker| speaker.on_address_gone(now, address, host, told));
        }
        if concerns_all {
            self.follow(now, hub);
        }
    }

    fn follow(&mut self, now: Instant, hub: &Rc<Hub>) {
        let Self { speakers, host, vips, told, .. } = self;
        for speaker in speakers.values_mut() {
            speaker.follow(now, hub, host, vips, told);
        }
        self.weigh(now);
    }

    /// Takes in what the kernel answered to one of them.
    pub fn on_answer(&mut self, now: Instant, hub: &Rc<Hub>, id: Id, answer: Answer) {
        let Self { speakers, host, vips, told, .. } = self;
        if let Some(speaker) = speakers.get_mut(&id) {
            speaker.on_answer(now, answer, host, vips, told);
        }
        self.bury(now, hub, id);
    }

    /// Does what is due. `drained` are the interfaces whose frames were all read after `now`.
    pub fn handle_timeout(&mut self, now: Instant, drained: &BTreeSet<IfIndex>) {
        let Self { speakers, host, told, .. } = self;
        for speaker in speakers.values_mut() {
            let drained = speaker.interface().is_none_or(|on| drained.contains(&on));
            speaker.handle_timeout(Turn { now, drained }, host, told);
        }
    }

    /// Tells each what its priority is worth by now.
    fn weigh(&mut self, now: Instant) {
        let Self { speakers, host, told, .. } = self;
        for speaker in speakers.values_mut().filter(|speaker| !speaker.is_leaving()) {
            let worth = speaker.tracked().filter(|_| speaker.owns_all(host));
            if worth != speaker.router().effective_priority() {
                speaker.handle(now, Event::Priority(worth), host, told);
            }
        }
    }
}
