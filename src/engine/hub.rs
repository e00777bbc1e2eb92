//! Where the local tasks of the core thread meet: each feeds facts, one turns the core.

use std::cell::{Cell, RefCell, RefMut};
use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::rc::Rc;

use tokio::sync::{Notify, watch};

use crate::config::Config;
use crate::observe::{Fact, Frame, IfIndex, Link, Sensor};
use crate::sys::clock;
use crate::sys::process::take_precedence;
use crate::time::Instant;
use crate::wire::{Family, Seen};

use super::arbiter;
use super::core::Core;
use super::interfaces::{Links, Wanted};
use super::sources::{Sniffer, Tap};
use super::speaker::{Answer, Id, Kernel, News, Speakers, Start};

/// Shared by the tasks of one thread. No borrow of its cells outlives a call.
pub(super) struct Hub {
    core: RefCell<Core>,
    links: RefCell<Links>,
    wanted: RefCell<Wanted>,
    passive: RefCell<bool>,
    sniffers: RefCell<BTreeMap<IfIndex, Sniffer>>,
    sniffed: watch::Sender<BTreeSet<IfIndex>>,
    tapped: watch::Sender<bool>,
    /// Whether this thread goes before ordinary ones.
    preferred: Cell<bool>,
    own_sockets: RefCell<BTreeMap<Family, u64>>,
    /// The open captures.
    taps: RefCell<BTreeMap<IfIndex, Rc<Tap>>>,
    speakers: RefCell<Speakers>,
    kernel: Kernel,
    /// What the speakers' timer is set to.
    armed: Cell<Option<Instant>>,
    /// The speakers' timer has to be set earlier.
    pub rearm: Notify,
    /// The kernel has answered to a speaker.
    pub answered: Notify,
    /// Facts were fed since the last turn.
    pub dirty: Notify,
}

impl Hub {
    /// A hub around a core that is to follow `config`.
    pub fn new(core: Core, config: &Config, start: Start) -> Self {
        Self {
            core: RefCell::new(core),
            links: RefCell::default(),
            wanted: RefCell::new(Wanted::of(config)),
            passive: RefCell::new(config.watch.passive),
            sniffers: RefCell::default(),
            sniffed: watch::Sender::default(),
            tapped: watch::Sender::new(true),
            preferred: Cell::default(),
            own_sockets: RefCell::default(),
            taps: RefCell::default(),
            speakers: RefCell::new(Speakers::new(start)),
            kernel: Kernel::default(),
            armed: Cell::default(),
            rearm: Notify::new(),
            answered: Notify::new(),
            dirty: Notify::new(),
        }
    }

    /// The core, for the length of a statement.
    pub fn core(&self) -> RefMut<'_, Core> {
        self.core.borrow_mut()
    }

    /// Feeds one fact as of `at`, and has the core turn soon.
    pub fn feed(&self, at: Instant, fact: &Fact) {
        self.core().feed(at, fact);
        self.dirty.notify_one();
    }

    /// Reports what `source` says of a sensor, and has the core turn soon.
    pub fn report(&self, sensor: Sensor, interface: Option<IfIndex>, source: &'static str, says: Result<(), String>) {
        self.core().report(sensor, interface, source, says);
        self.dirty.notify_one();
    }

    /// Does something with the speakers, and passes on what they tell. Not from within itself.
    pub fn with_speakers<T>(self: &Rc<Self>, work: impl FnOnce(&mut Speakers, &Rc<Self>) -> T) -> T {
        let mut speakers = self.speakers.borrow_mut();
        let result = work(&mut speakers, self);
        let told = speakers.take_told();
        let due = speakers.poll_timeout(clock::now());
        drop(speakers);
        let is_earlier = due.is_some_and(|due| self.armed.get().is_none_or(|armed| due < armed));
        if is_earlier {
            self.rearm.notify_one();
        }
        for news in told {
            match news {
                News::Event(event) => self.core().take_event(*event),
                News::Fact(fact) => self.feed(clock::now(), &fact),
            }
        }
        result
    }

    /// What the speakers' timer is to be set to.
    pub fn arm(&self) -> Option<Instant> {
        self.armed.set(self.speakers.borrow().poll_timeout(clock::now()));
        self.armed.get()
    }

    /// Reads all frames that concern the speakers for whom something is due at `now`. On which interfaces nothing is left.
    pub fn drain_due(self: &Rc<Self>, now: Instant) -> BTreeSet<IfIndex> {
        let due = self.speakers.borrow().due_on(now);
        due.into_iter().filter(|&interface| self.tap(interface).is_some_and(|tap| tap.drain_for_timer(self))).collect()
    }

    fn tap(&self, interface: IfIndex) -> Option<Rc<Tap>> {
        self.taps.borrow().get(&interface).cloned()
    }

    /// Notes the open capture of an interface, or that it was closed.
    pub fn set_tap(&self, interface: IfIndex, tap: Option<Rc<Tap>>) {
        match tap {
            Some(tap) => self.taps.borrow_mut().insert(interface, tap),
            None => self.taps.borrow_mut().remove(&interface),
        };
    }

    /// A speaker's adverts and deadlines go before whatever else this host has to do; a watcher waits its turn.
    pub fn follow_precedence(&self) {
        let speaks = !self.speakers.borrow().is_empty();
        if self.preferred.replace(speaks) != speaks
            && let Err(error) = take_precedence(speaks)
        {
            tracing::info!(
                "adverts wait for the processor like everything else: {error}; CAP_SYS_NICE or LimitRTPRIO=1 mends that"
            );
        }
    }

    /// Has the speakers know what the watcher found out.
    pub fn tell_speakers(self: &Rc<Self>) {
        if self.speakers.borrow().is_empty() {
            return;
        }
        self.with_speakers(|speakers, hub| speakers.on_findings(clock::now(), hub.core().watcher()));
    }

    /// Connections to the kernel for the speakers.
    pub const fn kernel(&self) -> &Kernel {
        &self.kernel
    }

    /// Takes in what the kernel answered to a speaker.
    pub fn answer(self: &Rc<Self>, speaker: Id, answer: Answer) {
        self.with_speakers(|speakers, hub| speakers.on_answer(clock::now(), hub, speaker, answer));
        self.answered.notify_one();
    }

    /// Takes in what the arbiter answered to a speaker.
    pub fn on_arbiter(self: &Rc<Self>, answer: arbiter::Answer) {
        self.with_speakers(|speakers, hub| speakers.on_arbiter(clock::now(), hub, answer));
        self.answered.notify_one();
    }

    /// Takes in a frame: first the speakers, then the watcher.
    pub fn on_frame(self: &Rc<Self>, at: Instant, frame: Frame) {
        let concerns_speakers =
            matches!(frame.seen, Seen::Advert(_) | Seen::Arp(_) | Seen::Neighbour(_) | Seen::EchoReply(_));
        if concerns_speakers && !self.speakers.borrow().is_empty() {
            self.with_speakers(|speakers, _| speakers.on_frame(clock::now(), at, &frame));
        }
        self.feed(at, &Fact::Frame(frame));
    }

    /// Takes in a batch from netlink, and opens and closes captures as it demands.
    pub fn learn(self: &Rc<Self>, facts: Vec<Fact>) {
        let now = clock::now();
        self.with_speakers(|speakers, hub| speakers.on_netlink(now, hub, &facts));
        for fact in facts {
            match fact {
                Fact::Link(link) => self.learn_link(now, link),
                Fact::LinkGone(index) => self.unlearn_link(now, index),
                Fact::Sensor { sensor, interface, state } => self.report(sensor, interface, "netlink", state),
                other => self.feed(now, &other),
            }
        }
        self.follow();
    }

    fn learn_link(&self, now: Instant, link: Link) {
        let before = self.links.borrow_mut().remove(&link.index);
        let link = Link { sniffed: before.as_ref().is_some_and(|before| before.sniffed), ..link };
        let came_up = link.up && before.is_some_and(|before| !before.up);
        if came_up && let Some(sniffer) = self.sniffers.borrow().get(&link.index) {
            sniffer.revive();
        }
        self.feed(now, &Fact::Link(link.clone()));
        self.links.borrow_mut().insert(link.index, link);
    }

    fn unlearn_link(&self, now: Instant, index: IfIndex) {
        self.links.borrow_mut().remove(&index);
        self.sniffers.borrow_mut().remove(&index);
        self.core().forget_reports(index);
        self.feed(now, &Fact::LinkGone(index));
    }

    /// Forgets all links: a new subscription tells of those that are still there.
    pub fn unlearn_links(&self) {
        self.speakers.borrow_mut().expect_everything();
        let known: Vec<IfIndex> = self.links.borrow().keys().copied().collect();
        for index in known {
            self.unlearn_link(clock::now(), index);
        }
    }

    /// Takes a new configuration. Says of which speakers it is a new start.
    pub fn reconfigure(self: &Rc<Self>, config: &Config) -> Vec<String> {
        self.core().reconfigure(clock::now(), config);
        let restarted = self.with_speakers(|speakers, hub| speakers.configure(clock::now(), hub, config));
        self.follow_precedence();
        self.wanted.replace(Wanted::of(config));
        self.passive.replace(config.watch.passive);
        // What flapped under the old configuration has no claim under the new one.
        for link in self.links.borrow_mut().values_mut() {
            link.sniffed &= link.up;
        }
        self.follow();
        self.dirty.notify_one();
        restarted
    }

    /// Opens captures on what is to be sniffed, and closes the others.
    fn follow(self: &Rc<Self>) {
        let chosen = self.wanted.borrow().choose(&self.links.borrow());
        let lacks = self.wanted.borrow().lacks(&self.links.borrow());
        self.report(Sensor::Capture, None, "interfaces", lacks.map_or(Ok(()), Err));
        let unwanted: Vec<IfIndex> =
            self.sniffers.borrow().keys().filter(|index| !chosen.contains(index)).copied().collect();
        for index in unwanted {
            self.sniffers.borrow_mut().remove(&index);
            self.core().forget_reports(index);
            self.mark_sniffed(index, false);
            tracing::info!(interface = %self.name_of(index), "sniffing no more");
        }
        for &index in &chosen {
            let is_marked = self.links.borrow().get(&index).is_some_and(|link| link.sniffed);
            if !is_marked {
                self.mark_sniffed(index, true);
            }
            self.sniffers.borrow_mut().entry(index).or_insert_with(|| Sniffer::start(self, index));
        }
        self.sniffed.send_replace(chosen);
    }

    /// Tells the core whether an interface is sniffed. Whether that works is told by its sensors.
    fn mark_sniffed(&self, index: IfIndex, sniffed: bool) {
        let link = self.links.borrow_mut().get_mut(&index).map(|link| {
            link.sniffed = sniffed;
            link.clone()
        });
        if let Some(link) = link {
            self.feed(clock::now(), &Fact::Link(link));
        }
    }

    /// The interface's name, for messages.
    pub fn name_of(&self, index: IfIndex) -> String {
        self.links.borrow().get(&index).map_or_else(|| format!("interface {}", index.0), |link| link.name.clone())
    }

    /// Refuses an interface that is down: a socket opened on it would fail at its first read.
    ///
    /// # Errors
    /// `NetworkDown`, as such a socket would say.
    pub fn require_up(&self, index: IfIndex) -> io::Result<()> {
        let is_up = self.links.borrow().get(&index).is_some_and(|link| link.up);
        if is_up { Ok(()) } else { Err(io::ErrorKind::NetworkDown.into()) }
    }

    /// The sniffed interfaces, as they change.
    pub fn sniffed(&self) -> watch::Receiver<BTreeSet<IfIndex>> {
        let mut sniffed = self.sniffed.subscribe();
        sniffed.mark_changed();
        sniffed
    }

    /// Has the further taps open or shut, as the core wants them.
    pub fn follow_taps(&self) {
        let wanted = self.core().needs_taps();
        self.tapped.send_if_modified(|tapped| std::mem::replace(tapped, wanted) != wanted);
    }

    /// Whether the further taps are to see anything, as it changes; and at once if that is nothing.
    pub fn tapped(&self) -> watch::Receiver<bool> {
        let mut tapped = self.tapped.subscribe();
        if !*tapped.borrow() {
            tapped.mark_changed();
        }
        tapped
    }

    /// Whether nothing may be sent, not even a group membership.
    pub fn is_passive(&self) -> bool {
        *self.passive.borrow()
    }

    /// Notes the inode of a protocol-112 socket of our own, which is no daemon's.
    pub fn own_socket(&self, family: Family, inode: u64) {
        self.own_sockets.borrow_mut().insert(family, inode);
    }

    /// The inodes of all those sockets.
    pub fn own_sockets(&self) -> Vec<u64> {
        self.own_sockets.borrow().values().copied().collect()
    }
}
