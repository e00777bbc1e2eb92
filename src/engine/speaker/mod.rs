//! The routers that this daemon itself speaks for. They live on the core thread, and act before the watcher judges: an advert
//! is taken in as soon as its frame is read, and what follows from it has left before anything else is done.

mod accept;
mod due;
mod gate;
mod groups;
mod guard;
mod kernel;
mod lease;
mod one;
mod outlet;
mod report;
mod time;

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::rc::Rc;

use tokio::sync::{mpsc, watch};
use tokio::task::{JoinHandle, spawn_local};

use crate::config::Config;
use crate::detect::Watcher;
use crate::fence::lease::Holder;
use crate::observe::{Fact, Frame, Host, IfIndex, PacketKind};
use crate::time::{Duration, Instant};
use crate::vrrp::{Event, Turn};
use crate::wire::{Advert, Family, Neighbour, NeighbourKind, Seen};

use super::Act;
use super::arbiter;
use super::hub::Hub;
use super::notify::Notice;
use super::tracker::{CheckResult, Tracker};
use due::Due;
use groups::Groups;
pub(super) use kernel::{Answer, Kernel};
use lease::Office;
use one::{Plan, Speaker};
pub(super) use report::{News, Told};
pub(super) use time::{keep_time, leave};

/// Tells speakers apart, those of an earlier configuration included.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Id(u64);

/// What speakers have from the start.
#[derive(Debug)]
pub(super) struct Start {
    /// The names of those that an operator had fenced.
    pub fenced: BTreeSet<String>,
    /// Where notices go.
    pub notices: mpsc::Sender<Notice>,
    /// As whom an arbiter knows this start of the daemon.
    pub holder: Holder,
}

/// The addresses that move, and whose they are. Not those of an owner.
type Vips = BTreeMap<IpAddr, Vec<Id>>;

/// The wait before something that is due is tried again: its interface could not be drained.
const RETRY: Duration = Duration::from_millis(1);

/// All of them.
#[derive(Debug)]
pub(super) struct Speakers {
    speakers: BTreeMap<Id, Speaker>,
    next: u64,
    due: Due,
    /// Whose adverts come in where.
    meant: BTreeMap<(IfIndex, Family, u8), Id>,
    /// Who asks where for an address.
    asking: BTreeMap<(IfIndex, IpAddr), Id>,
    tracker: Tracker,
    notices: mpsc::Sender<Notice>,
    host: Host,
    /// What is known of the host may be old.
    anew: bool,
    vips: Vips,
    /// By their names, those that are not leaving.
    names: BTreeMap<String, Id>,
    groups: Groups,
    /// The addresses to which packets are dropped; `None` until there is the first speaker.
    refused: Option<watch::Sender<BTreeSet<IpAddr>>>,
    /// Those that an operator has fenced, by name.
    fenced: BTreeSet<String>,
    /// As whom an arbiter knows us.
    holder: Holder,
    /// The arbiter, if there is one; or why it can't be asked.
    office: Option<Result<Office, String>>,
    /// Tasks of those that are gone.
    remains: Vec<JoinHandle<()>>,
    told: Told,
}

impl Speakers {
    /// None yet.
    pub fn new(start: Start) -> Self {
        Self {
            speakers: BTreeMap::new(),
            next: 0,
            due: Due::default(),
            meant: BTreeMap::new(),
            asking: BTreeMap::new(),
            tracker: Tracker::default(),
            notices: start.notices,
            host: Host::default(),
            anew: true,
            vips: Vips::new(),
            names: BTreeMap::new(),
            groups: Groups::default(),
            refused: None,
            fenced: start.fenced,
            holder: start.holder,
            office: None,
            remains: Vec::new(),
            told: Told::new(),
        }
    }

    // ---- getters --------------------------------------------------------------------------------------------------

    /// When something is due. What is due and could not be done is tried again soon, but not at once.
    pub fn poll_timeout(&self, now: Instant) -> Option<Instant> {
        self.due.first().map(|at| if at <= now { now + RETRY } else { at })
    }

    /// The interfaces of those for whom something is due at `now`.
    pub fn due_on(&self, now: Instant) -> BTreeSet<IfIndex> {
        self.due.by(now).iter().filter_map(|id| self.speakers.get(id)?.interface()).collect()
    }

    /// What was told since the last call.
    pub fn take_told(&mut self) -> Told {
        std::mem::take(&mut self.told)
    }

    fn named(&self, name: &str) -> Option<Id> {
        self.names.get(name).copied().filter(|id| self.speakers.get(id).is_some_and(|speaker| !speaker.is_leaving()))
    }

    // ---- configuration --------------------------------------------------------------------------------------------

    /// Takes a configuration. What it says of routers that had to be started anew, in words.
    pub fn configure(&mut self, now: Instant, hub: &Rc<Hub>, config: &Config) -> Vec<String> {
        self.open_office(hub, config);
        let mut restarted = Vec::new();
        let plans = config.routers.iter().filter_map(|router| Plan::of(config, router));
        let wanted: BTreeMap<String, Plan> = plans.map(|plan| (plan.config.name.clone(), plan)).collect();
        let mut kept = BTreeSet::new();
        let mut after = BTreeMap::new();
        for id in self.ids() {
            let Some(speaker) = self.speakers.get(&id).filter(|speaker| !speaker.is_leaving()) else { continue };
            let name = speaker.config().name.clone();
            let plan = wanted.get(&name);
            match plan.and_then(|plan| self.with(now, id, |one, host, told| one.reconfigure(now, plan, host, told))) {
                Some(Ok(())) => {
                    kept.insert(name);
                    continue;
                }
                Some(Err(reason)) => restarted.push(format!("{name} starts anew, for its {reason} changed")),
                None => {}
            }
            self.with(now, id, |speaker, host, told| speaker.handle(now, Event::Shutdown, host, told));
            after.insert(name, id);
        }
        for (name, plan) in wanted {
            if !kept.contains(&name) {
                self.add(now, plan, after.get(&name).copied());
            }
        }
        // Not before their successors are there.
        for id in after.into_values() {
            self.bury(now, hub, id);
        }
        self.index();
        self.refuse_packets();
        self.groups.renew(&self.speakers, &self.notices);
        self.follow(now, hub);
        self.track(now);
        restarted
    }

    /// Has an arbiter at hand if there is to be one. Who still asks an earlier one goes on with that.
    fn open_office(&mut self, hub: &Rc<Hub>, config: &Config) {
        let is_there = |office: &Office| config.arbiter.as_ref() == Some(office.settings());
        let speaks = config.routers.iter().any(|router| router.speak.is_some());
        if !matches!(&self.office, Some(Ok(office)) if is_there(office)) {
            self.office = config.arbiter.as_ref().filter(|_| speaks).map(|settings| Office::open(hub, settings));
        }
    }

    fn add(&mut self, now: Instant, plan: Plan, after: Option<Id>) {
        let id = Id(self.next);
        self.next += 1;
        let is_fenced = self.fenced.contains(&plan.config.name);
        self.speakers.insert(id, Speaker::new(now, id, plan, after, self.notices.clone()));
        let office = self.office.take();
        if let Some(opened) = &office {
            let (opened, me) = (opened.as_ref().map_err(String::as_str), self.holder.clone());
            self.with(now, id, |speaker, host, told| speaker.apply(now, opened, &me, host, told));
        }
        self.office = office;
        if is_fenced {
            self.with(now, id, |speaker, host, told| speaker.stay_fenced(now, host, told));
        }
    }

    fn index(&mut self) {
        (self.vips, self.names) = Default::default();
        for (&id, speaker) in &self.speakers {
            if !speaker.is_owner() {
                speaker.held().for_each(|address| self.vips.entry(address).or_default().push(id));
            }
            if !speaker.is_leaving() {
                self.names.insert(speaker.config().name.clone(), id);
            }
        }
    }

    fn refuse_packets(&mut self) {
        let refuses = |speaker: &&Speaker| !speaker.is_leaving() && !speaker.accepts();
        let addresses: BTreeSet<IpAddr> = self.speakers.values().filter(refuses).flat_map(Speaker::held).collect();
        if self.refused.is_none() && self.speakers.is_empty() {
            return;
        }
        let refused = self.refused.get_or_insert_with(|| {
            let (refused, wanted) = watch::channel(addresses.clone());
            self.remains.push(spawn_local(accept::keep(wanted)));
            refused
        });
        refused.send_if_modified(|now| {
            let is_new = *now != addresses;
            *now = addresses;
            is_new
        });
    }

    /// Lets one go that has left, and its successor begin.
    fn bury(&mut self, now: Instant, hub: &Rc<Hub>, id: Id) {
        if !self.speakers.get(&id).is_some_and(Speaker::is_gone) {
            return;
        }
        let Some(gone) = self.speakers.remove(&id) else { return };
        self.due.set(id, None);
        match self.speakers.values_mut().find(|speaker| speaker.after() == Some(id)) {
            Some(successor) => successor.succeed(gone.finish()),
            None => {
                self.told.push(gone.farewell());
                self.remains.extend(gone.finish());
            }
        }
        self.remains.retain(|remains| !remains.is_finished());
        self.follow(now, hub);
    }

    /// Has all of them go. What remains of them is to be awaited with [`Self::take_remains`], when none is left.
    pub fn dismiss_all(&mut self, now: Instant, hub: &Rc<Hub>) {
        for id in self.ids() {
            self.with(now, id, |speaker, host, told| speaker.handle(now, Event::Shutdown, host, told));
            self.bury(now, hub, id);
        }
        self.settle(now);
    }

    /// True if there is none.
    pub fn is_empty(&self) -> bool {
        self.speakers.is_empty()
    }

    /// What is still at work for those that are gone.
    pub fn take_remains(&mut self) -> Vec<JoinHandle<()>> {
        self.refused = None;
        std::mem::take(&mut self.remains)
    }

    /// The operator's hand: the result in words.
    ///
    /// # Errors
    /// In words: it does not speak, or is not what this asks for.
    pub fn obey(&mut self, now: Instant, name: &str, act: Act) -> Result<String, String> {
        let id = self.named(name).ok_or_else(|| {
            format!("{name} is no router that vipwarden speaks for: only those with mode = \"speak\" can be steered")
        })?;
        let done = self.with(now, id, |speaker, host, told| match act {
            Act::HandOver => speaker.hand_over(now, host, told),
            Act::Fence { .. } => speaker.fence_by_hand(now, host, told),
            Act::Unfence => speaker.unfence_by_hand(now, host, told),
        });
        match act {
            Act::HandOver => {}
            Act::Fence { .. } => drop(self.fenced.insert(name.into())),
            Act::Unfence => drop(self.fenced.remove(name)),
        }
        self.settle(now);
        done.unwrap_or_else(|| Err(format!("{name} is gone")))
    }

    // ---- what happens ---------------------------------------------------------------------------------------------

    fn ids(&self) -> Vec<Id> {
        self.speakers.keys().copied().collect()
    }

    /// Does something with one, and keeps its deadline.
    fn with<T>(&mut self, now: Instant, id: Id, work: impl FnOnce(&mut Speaker, &Host, &mut Told) -> T) -> Option<T> {
        let speaker = self.speakers.get_mut(&id)?;
        let result = work(speaker, &self.host, &mut self.told);
        self.due.set(id, speaker.poll_timeout(now));
        Some(result)
    }

    fn with_all(&mut self, now: Instant, work: impl Fn(&mut Speaker, &Host, &mut Told)) {
        for id in self.ids() {
            self.with(now, id, &work);
        }
    }

    /// The same for those who hold an address when they are master.
    fn with_holders(&mut self, now: Instant, address: IpAddr, work: impl Fn(&mut Speaker, &Host, &mut Told)) {
        for id in self.vips.get(&address).cloned().unwrap_or_default() {
            self.with(now, id, &work);
        }
    }

    /// Takes in a frame, which the kernel received at `at`: an advert for one of them, or somebody's announcement.
    pub fn on_frame(&mut self, now: Instant, at: Instant, frame: &Frame) {
        if frame.vlan.is_some() {
            return;
        }
        match &frame.seen {
            Seen::Advert(advert) => self.on_advert(now, at, frame, advert),
            Seen::Arp(arp) if arp.is_gratuitous() => self.on_announcement(now, frame, arp.sender_ip.into()),
            Seen::Neighbour(Neighbour { kind, target, .. }) if is_unsolicited(*kind) => {
                self.on_announcement(now, frame, (*target).into());
            }
            Seen::Arp(arp) => self.on_claim(now, frame, arp.sender_ip.into()),
            Seen::Neighbour(Neighbour { target, .. }) => self.on_claim(now, frame, (*target).into()),
            Seen::EchoReply(reply) => self.on_claim(now, frame, reply.source),
            _ => return,
        }
        self.settle(now);
    }

    fn on_advert(&mut self, now: Instant, at: Instant, frame: &Frame, advert: &Advert) {
        let Some(&id) = self.meant.get(&(frame.interface, advert.family(), advert.vrid)) else { return };
        self.with(now, id, |speaker, host, told| match frame.kind {
            PacketKind::Outgoing => speaker.on_outgoing(now, at, advert, told),
            PacketKind::Host | PacketKind::Multicast => speaker.on_advert(now, at, advert, host, told),
            PacketKind::Broadcast | PacketKind::OtherHost | PacketKind::Unknown => {}
        });
    }

    fn on_announcement(&mut self, now: Instant, frame: &Frame, address: IpAddr) {
        if frame.kind == PacketKind::Outgoing {
            return;
        }
        self.with_holders(now, address, |speaker, host, told| {
            if speaker.interface() == Some(frame.interface) {
                speaker.on_foreign_announcement(now, host, told);
            }
        });
    }

    /// Some host says that it has an address.
    fn on_claim(&mut self, now: Instant, frame: &Frame, address: IpAddr) {
        if frame.kind != PacketKind::Host {
            return;
        }
        let Some(&id) = self.asking.get(&(frame.interface, address)) else { return };
        self.with(now, id, |speaker, host, told| speaker.on_claim(now, &frame.seen, host, told));
    }

    /// Takes in whether something tracked works.
    pub fn on_result(&mut self, now: Instant, result: CheckResult) {
        if self.tracker.take(result) {
            self.track(now);
        }
    }

    /// Has each know what became of what it tracks.
    fn track(&mut self, now: Instant) {
        let Self { speakers, tracker, .. } = self;
        speakers.values_mut().for_each(|speaker| speaker.track(tracker));
        self.weigh_singles(now);
        self.settle(now);
    }

    /// The next batch from netlink is everything that is there.
    pub const fn expect_everything(&mut self) {
        self.anew = true;
    }

    /// Takes in links and addresses, one batch at a time.
    pub fn on_netlink(&mut self, now: Instant, hub: &Rc<Hub>, facts: &[Fact]) {
        let is_anew = std::mem::take(&mut self.anew);
        if is_anew {
            self.host = Host::default();
        }
        let mut gone = Vec::new();
        let mut concerns_all = is_anew;
        let mut tracked = false;
        for fact in facts {
            tracked |= self.tracker.observe(fact);
            match fact {
                Fact::Link(link) => {
                    concerns_all |= self.host.set_link(now, link.clone()).as_ref() != Some(link);
                }
                Fact::LinkGone(index) => {
                    self.host.remove_link(*index);
                    concerns_all = true;
                }
                Fact::Address(address) => {
                    self.host.set_address(now, *address);
                    concerns_all |= !self.vips.contains_key(&address.address);
                }
                Fact::AddressGone { interface, address } => {
                    self.host.remove_address(*interface, *address);
                    concerns_all |= !self.vips.contains_key(address);
                    gone.push((*interface, *address));
                }
                _ => {}
            }
        }
        // One that is back by now was not taken away: the kernel tells of our own changes, too.
        gone.retain(|(interface, address)| !self.host.addresses_on(*interface).any(|(a, _)| a.address == *address));
        for (interface, address) in gone {
            self.with_holders(now, address, |speaker, host, told| {
                speaker.on_address_gone(now, interface, host, told);
            });
        }
        if is_anew {
            self.with_all(now, |speaker, host, told| speaker.check_addresses(now, host, told));
        }
        if concerns_all {
            hub.kernel().gates().follow(&self.host);
            self.follow(now, hub);
        }
        if tracked {
            self.track(now);
        }
        self.settle(now);
    }

    fn follow(&mut self, now: Instant, hub: &Rc<Hub>) {
        let vips = std::mem::take(&mut self.vips);
        self.with_all(now, |speaker, host, told| speaker.follow(now, hub, host, &vips, told));
        self.vips = vips;
        let key = |speaker: &Speaker| {
            let settings = speaker.router().settings();
            Some((speaker.interface()?, settings.family, settings.vrid))
        };
        self.meant = self.speakers.iter().filter_map(|(id, speaker)| Some((key(speaker)?, *id))).collect();
        let target = |speaker: &Speaker| Some((speaker.interface()?, speaker.asked()?));
        self.asking = self.speakers.iter().filter_map(|(id, speaker)| Some((target(speaker)?, *id))).collect();
        self.weigh_singles(now);
    }

    /// Takes in what the kernel answered to one of them.
    pub fn on_answer(&mut self, now: Instant, hub: &Rc<Hub>, id: Id, answer: Answer) {
        let vips = std::mem::take(&mut self.vips);
        self.with(now, id, |speaker, host, told| speaker.on_answer(now, answer, host, &vips, told));
        self.vips = vips;
        self.bury(now, hub, id);
        self.settle(now);
    }

    /// Takes in what the arbiter answered to one of them.
    pub fn on_arbiter(&mut self, now: Instant, hub: &Rc<Hub>, answer: arbiter::Answer) {
        let id = answer.to;
        self.with(now, id, |speaker, host, told| speaker.on_arbiter(now, answer, host, told));
        self.bury(now, hub, id);
        self.settle(now);
    }

    /// Does what is due. `drained` are the interfaces whose frames were all read after `now`.
    pub fn handle_timeout(&mut self, now: Instant, hub: &Rc<Hub>, drained: &BTreeSet<IfIndex>) {
        for id in self.due.by(now) {
            self.with(now, id, |speaker, host, told| {
                let drained = speaker.interface().is_none_or(|on| drained.contains(&on));
                speaker.handle_timeout(Turn { now, drained }, host, told);
            });
            self.bury(now, hub, id);
        }
        self.settle(now);
    }

    /// Takes in what the watcher makes of its probes: who answers for the addresses of each router, and who can be reached.
    pub fn on_findings(&mut self, now: Instant, watcher: &Watcher) {
        let reach = watcher.reach();
        for (name, around) in watcher.spoken(now) {
            let Some(id) = self.named(name) else { continue };
            self.with(now, id, |speaker, host, told| speaker.on_findings(now, reach, &around, host, told));
        }
        self.settle(now);
    }
}

const fn is_unsolicited(kind: NeighbourKind) -> bool {
    matches!(kind, NeighbourKind::Advertisement { solicited: false, .. })
}

/// Which routers a reload from one configuration to another starts anew, and why, in words.
pub fn restarts(old: &Config, new: &Config) -> Vec<String> {
    let plans =
        |config: &Config| config.routers.iter().filter_map(|router| Plan::of(config, router)).collect::<Vec<_>>();
    let (was, is) = (plans(old), plans(new));
    let anew = was.iter().filter_map(|was| {
        let is = is.iter().find(|is| is.config.name == was.config.name)?;
        let reason = was.restarts_for(is)?;
        Some(format!("{} starts anew, for its {reason} changed", is.config.name))
    });
    anew.collect()
}
