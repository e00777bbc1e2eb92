//! The model: every fact goes in here, and changes one thing.

mod frames;
mod members;
mod rounds;
mod second;
mod strangers;
mod table;
mod whereabouts;

pub use second::Vouched;
use whereabouts::Whereabouts;

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use crate::time::{Duration, Instant};
use crate::wire::{Family, MacAddr, OtherProtocol, Version};

use super::{
    Channel, DaemonState, Expected, Fact, Host, IfIndex, Learned, Link, Planner, Reach, Refusals, Request, Router,
    RouterId, Sensor, Settings, Sight, TAP_LAG, Target, Told, Vip,
};

/// A router's number: unique within a life, never used again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Slot(pub u32);

/// Adverts after which a learned router is taken for real.
const ESTABLISHED: u64 = 3;

/// Speakers of other protocols remembered.
const MAX_OTHERS: usize = 64;

/// What changed, for those who judge and report.
#[derive(Clone, Debug, PartialEq)]
pub enum Notice {
    /// A router was learned.
    Learned(Slot),
    /// A router was forgotten: its name and VIP.
    Forgotten(Slot, String, Option<IpAddr>),
    /// A sensor went down or came back.
    Sensor(Sensor, Option<IfIndex>),
    /// A peer or witness went up or down.
    Reach(Target),
    /// A peer's vipwarden answers, or doesn't any more, or is trusted, or isn't.
    Channel(usize),
    /// An advert from a source that nobody named, where only known speakers count.
    Stranger(Slot, IpAddr),
    /// Somebody has an address of a peer's, with a MAC that the peer has not.
    Usurped(usize, IpAddr, MacAddr),
    /// A speaker of another protocol was heard.
    Other(OtherProtocol),
}

/// The model of the segment.
#[derive(Debug)]
pub struct Model {
    /// Settings.
    pub settings: Settings,
    /// This host.
    pub host: Host,
    /// What we can see.
    pub sight: Sight,
    /// Peers.
    pub peers: Vec<Reach>,
    /// Witnesses.
    pub witnesses: Vec<Reach>,
    /// What the local VRRP daemon was told.
    pub told: std::sync::Arc<[Told]>,
    /// The peers' vipwardens.
    pub channels: Vec<Channel>,
    /// The witnesses as they answer through each interface of a probed router, in the order of the configuration.
    pub gateways: BTreeMap<IfIndex, Vec<Vip>>,
    /// Where the peers' addresses are.
    whereabouts: Vec<Whereabouts>,
    /// The neighbour that this host asked for last through each interface, while none answers: since when, and when last.
    sought: BTreeMap<IfIndex, (IpAddr, Instant, Instant)>,
    /// Refused adverts.
    pub refusals: Refusals,
    /// Frames and drops, by interface.
    pub captures: BTreeMap<IfIndex, (u64, u64)>,
    /// Speakers of other protocols.
    pub others: Vec<OtherProtocol>,
    /// How often each table was full.
    pub table_full: BTreeMap<&'static str, u64>,
    routers: BTreeMap<Slot, Router>,
    index: BTreeMap<(IfIndex, Option<u16>, Family, u8), Slot>,
    daemon_members: BTreeSet<Slot>,
    /// True if this node was a member of some router at the last look.
    takes_part: bool,
    next_slot: u32,
    planner: Planner,
    /// When the first of the open probe rounds ends.
    rounds_end: Option<Instant>,
    requests: Vec<Request>,
    notices: Vec<Notice>,
    dirty: BTreeSet<Slot>,
    stale: BTreeSet<Slot>,
    sweep: Instant,
    /// When the further taps must have seen what was heard by now.
    look: Option<Instant>,
    /// Until then they may lag: the loop ran late.
    taps_lag_until: Instant,
    /// The last fact's.
    now: Instant,
}

/// The tables that have bounds, as `vrrp_table_full_total` names them.
pub const TABLES: [&str; 5] = ["routers", "speakers", "members", "refusals", "others"];

impl Model {
    /// A model that saw nothing yet.
    pub fn new(now: Instant, settings: Settings) -> Self {
        let mut model = Self {
            settings: Settings::default(),
            host: Host::default(),
            sight: Sight::default(),
            peers: Vec::new(),
            witnesses: Vec::new(),
            told: std::sync::Arc::default(),
            channels: Vec::new(),
            gateways: BTreeMap::new(),
            whereabouts: Vec::new(),
            sought: BTreeMap::new(),
            refusals: Refusals::default(),
            captures: BTreeMap::new(),
            others: Vec::new(),
            table_full: TABLES.iter().map(|t| (*t, 0)).collect(),
            routers: BTreeMap::new(),
            index: BTreeMap::new(),
            daemon_members: BTreeSet::new(),
            takes_part: false,
            next_slot: 0,
            planner: Planner::default(),
            rounds_end: None,
            requests: Vec::new(),
            notices: Vec::new(),
            dirty: BTreeSet::new(),
            stale: BTreeSet::new(),
            sweep: now,
            look: None,
            taps_lag_until: Instant::ZERO,
            now,
        };
        model.reconfigure(now, settings);
        model
    }

    // ---- commands -------------------------------------------------------------------------------------------------

    /// Takes new settings. Routers that remain keep what was seen of them; hosts that are still pinged keep their counts.
    pub fn reconfigure(&mut self, now: Instant, settings: Settings) {
        self.peers = keep_reach(&self.peers, settings.peers.iter().map(|p| (&p.name, p.address)));
        self.witnesses = keep_reach(&self.witnesses, settings.witnesses.iter().map(|w| (&w.name, w.address)));
        self.channels = second::keep_channels(&self.channels, &self.settings.peers, &settings.peers);
        self.whereabouts = vec![Whereabouts::default(); settings.peers.len()];
        self.gateways.clear();
        self.settings = settings;
        for expected in self.settings.routers.clone() {
            let slot = self.configured_slot(now, &expected);
            if let Some(router) = self.routers.get_mut(&slot) {
                router.expect(now, Some(expected));
            }
        }
        for slot in self.slots() {
            self.reconfigure_router(now, slot);
        }
    }

    fn configured_slot(&mut self, now: Instant, expected: &Expected) -> Slot {
        let known = self.routers.iter().find(|(_, r)| is_meant(r, expected)).map(|(slot, _)| *slot);
        known.unwrap_or_else(|| {
            let id = RouterId {
                interface: expected.interface.clone(),
                vlan: None,
                family: expected.family,
                vrid: expected.vrid,
            };
            self.insert(now, id, Some(expected.clone()))
        })
    }

    fn reconfigure_router(&mut self, now: Instant, slot: Slot) {
        let settings = &self.settings;
        let Some(router) = self.routers.get_mut(&slot) else { return };
        let dropped = router.expected.is_some() && !settings.routers.iter().any(|e| is_meant(router, e));
        if dropped && (!settings.discover || router.speakers.is_empty()) {
            self.remove(slot);
            return;
        }
        if dropped {
            router.expect(now, None);
        }
        self.introduce(slot);
        self.refresh(slot);
    }

    /// Takes back a router that was learned in an earlier life.
    pub fn restore(&mut self, now: Instant, learned: &Learned, family: Family, version: Version) {
        let id = RouterId { interface: learned.interface.clone(), vlan: learned.vlan, family, vrid: learned.vrid };
        if self.routers.values().any(|r| r.id == id) || self.learned_count() >= self.settings.max_routers {
            return;
        }
        let slot = self.insert(now, id, None);
        if let Some(router) = self.routers.get_mut(&slot) {
            router.last_known = Some((Duration::from_millis(learned.interval_ms.clamp(10, 255_000)), version));
            router.adverts = ESTABLISHED;
            router.refresh_vips(now, &learned.addresses);
        }
        self.refresh(slot);
    }

    /// Drops a learned router. False if it is configured or not there.
    pub fn forget(&mut self, slot: Slot) -> bool {
        let learned = self.routers.get(&slot).is_some_and(|r| r.expected.is_none());
        if learned {
            self.remove(slot);
        }
        learned
    }

    // ---- getters --------------------------------------------------------------------------------------------------

    /// All routers.
    pub fn routers(&self) -> impl Iterator<Item = (Slot, &Router)> {
        self.routers.iter().map(|(slot, router)| (*slot, router))
    }

    /// One router.
    pub fn router(&self, slot: Slot) -> Option<&Router> {
        self.routers.get(&slot)
    }

    fn slots(&self) -> Vec<Slot> {
        self.routers.keys().copied().collect()
    }

    // ---- poll -----------------------------------------------------------------------------------------------------

    /// What is to be sent.
    pub fn poll_request(&mut self) -> Option<Request> {
        self.requests.pop()
    }

    /// What happened.
    pub fn poll_notices(&mut self) -> Vec<Notice> {
        std::mem::take(&mut self.notices)
    }

    /// The routers that want judging since the last call.
    pub fn poll_dirty(&mut self) -> BTreeSet<Slot> {
        std::mem::take(&mut self.dirty)
    }

    /// The routers whose counters moved since the last call, and nothing else.
    pub fn poll_stale(&mut self) -> BTreeSet<Slot> {
        std::mem::take(&mut self.stale)
    }

    /// When [`Self::handle_timeout`] has something to do.
    pub fn poll_timeout(&self) -> Instant {
        let may_be_due = [self.planner.due(), self.rounds_end, self.sight.expires_at(), self.look];
        may_be_due.into_iter().flatten().fold(self.sweep, Instant::min)
    }

    /// Plans probes, ends rounds, clears passing blindness, forgets the long silent.
    pub fn handle_timeout(&mut self, now: Instant) {
        for (sensor, interface) in self.sight.expire(now) {
            self.notices.push(Notice::Sensor(sensor, interface));
            self.touch_all();
        }
        if self.rounds_end.is_some_and(|at| at <= now) {
            self.end_rounds(now);
        }
        if self.planner.due().is_some_and(|due| due <= now) {
            self.probe(now);
        }
        if self.look.is_some_and(|at| at <= now) {
            self.look = None;
            if now < self.taps_lag_until {
                self.look = Some(self.taps_lag_until);
            }
            self.look_at_taps(now);
        }
        if self.sweep <= now {
            self.sweep = now + Duration::from_secs(1);
            self.update_daemon_members();
            self.forget_silent(now);
            self.takes_part = self.routers.values().any(|router| router.member);
        }
    }

    fn forget_silent(&mut self, now: Instant) {
        let after = self.settings.forget_after;
        let silent = |r: &Router| now.since(r.last_advert.unwrap_or(r.known_since)) > after;
        let gone = self.routers.iter().filter(|(_, r)| r.expected.is_none() && silent(r));
        for slot in gone.map(|(slot, _)| *slot).collect::<Vec<_>>() {
            self.remove(slot);
        }
    }

    // ---- handle ---------------------------------------------------------------------------------------------------

    /// Takes in one fact.
    pub fn handle(&mut self, now: Instant, fact: &Fact) {
        self.now = now;
        match fact {
            Fact::Frame(frame) => self.handle_frame(now, frame),
            Fact::Delivered(delivered) => self.handle_delivered(now, *delivered),
            Fact::Link(link) => self.handle_link(now, link),
            Fact::LinkGone(index) => self.handle_link_gone(*index),
            Fact::Address(address) => {
                self.host.set_address(now, *address);
                self.refresh_address(address.address);
            }
            Fact::AddressGone { interface, address } => {
                self.host.remove_address(*interface, *address);
                self.refresh_address(*address);
            }
            Fact::Daemon(daemon) => self.handle_daemon(now, *daemon),
            Fact::OutputTest { interface, family, blocked } => self.handle_output(now, *interface, *family, *blocked),
            Fact::NeighboursFull(family) => self.handle_neighbours_full(now, *family),
            Fact::Ping { target, rtt } => self.handle_ping(now, *target, *rtt),
            Fact::Told(told) => self.take_told(told),
            Fact::PeerReport { peer, url, said } => self.handle_report(*peer, *url, said),
            Fact::Capture { interface, frames, dropped } => self.handle_capture(now, *interface, *frames, *dropped),
            Fact::Sensor { sensor, interface, state } => self.set_sensor(now, *sensor, *interface, state.clone()),
            Fact::TapOverrun(interface) => self.handle_overrun(now, *interface),
            Fact::LoopLate(by) => self.handle_late(now, *by),
            Fact::Speaking { router, report } => {
                let named = |r: &Router| r.expected.as_ref().is_some_and(|e| e.name == *router);
                if let Some((slot, router)) = self.routers.iter_mut().find(|(_, r)| named(r)) {
                    router.speaking.clone_from(report);
                    let slot = *slot;
                    self.refresh(slot);
                }
            }
        }
    }

    /// Lateness blinds only where it exceeds an advert interval: below that no advert can have gone unjudged.
    fn handle_late(&mut self, now: Instant, by: Duration) {
        if by > TAP_LAG / 5 {
            self.taps_lag_until = now + TAP_LAG;
        }
        let shortest = self.routers.values().filter_map(Router::interval).min().unwrap_or(Duration::from_secs(1));
        if by <= shortest {
            return;
        }
        self.sight.late(now, by);
        let says = format!("the event loop was {} ms late: this host is overloaded or was paused", by.as_millis());
        if self.sight.flash(now, Sensor::Loop, None, says) {
            self.notices.push(Notice::Sensor(Sensor::Loop, None));
        }
        self.touch_all();
    }

    fn handle_link(&mut self, now: Instant, link: &Link) {
        let before = self.host.set_link(now, link.clone());
        if before.as_ref() == Some(link) {
            return;
        }
        if before.as_ref().is_some_and(|b| b.name != link.name) {
            self.rename(link);
        }
        if link.sniffed {
            let carrier = if !link.up {
                Err(format!("{} is down: ip link set {} up", link.name, link.name))
            } else if !link.carrier {
                Err(format!("{} has no carrier: look at its cable, its switch port or its peer", link.name))
            } else {
                Ok(())
            };
            self.set_sensor(now, Sensor::Carrier, Some(link.index), carrier);
        } else if before.is_some_and(|b| b.sniffed) {
            self.sight.remove_interface(link.index);
        }
        if let (true, Some(parent), Some(vlan)) = (link.sniffed, link.parent, link.vlan) {
            self.hand_over(parent, vlan);
        }
        self.attach(link.index, &link.name);
        self.refresh_all();
    }

    /// What was learned of a VLAN on its parent is seen on its own device from now on; here it would only seem to fall silent.
    fn hand_over(&mut self, parent: IfIndex, vlan: u16) {
        let is_theirs = |key: &(IfIndex, Option<u16>, Family, u8)| key.0 == parent && key.1 == Some(vlan);
        let slots: Vec<Slot> = self.index.iter().filter(|(key, _)| is_theirs(key)).map(|(_, slot)| *slot).collect();
        for slot in slots {
            self.forget(slot);
        }
    }

    /// Routers of that name that have no interface now get this one.
    fn attach(&mut self, index: IfIndex, name: &str) {
        for (slot, router) in &mut self.routers {
            if router.interface.is_none() && router.id.interface == name {
                router.interface = Some(index);
                self.index.insert((index, router.id.vlan, router.id.family, router.id.vrid), *slot);
            }
        }
    }

    /// Learned routers follow their interface to its new name; configured ones stay with the name they were given.
    fn rename(&mut self, link: &Link) {
        for router in self.routers.values_mut().filter(|r| r.interface == Some(link.index)) {
            if router.expected.is_some() {
                router.interface = None;
            } else {
                router.id.interface.clone_from(&link.name);
            }
        }
        let routers = &self.routers;
        self.index.retain(|_, slot| routers.get(slot).is_some_and(|r| r.interface.is_some()));
    }

    fn handle_link_gone(&mut self, index: IfIndex) {
        self.host.remove_link(index);
        self.sight.remove_interface(index);
        self.planner.remove_interface(index);
        self.gateways.remove(&index);
        self.sought.remove(&index);
        self.captures.remove(&index);
        for router in self.routers.values_mut().filter(|r| r.interface == Some(index)) {
            router.interface = None;
        }
        self.index.retain(|(interface, ..), _| *interface != index);
        self.refresh_all();
    }

    fn handle_output(&mut self, now: Instant, interface: IfIndex, family: Family, blocked: bool) {
        let tested = |r: &Router| r.interface == Some(interface) && r.id.family == family;
        for (slot, router) in self.routers.iter_mut().filter(|(_, r)| tested(r)) {
            router.output = Some((now, blocked));
            self.dirty.insert(*slot);
        }
    }

    fn handle_neighbours_full(&mut self, now: Instant, family: Family) {
        self.host.see_neighbours_full(now, family);
        let mute = |r: &Router| r.id.family == family && r.member;
        self.dirty.extend(self.routers.iter().filter(|(_, r)| mute(r)).map(|(slot, _)| *slot));
    }

    fn handle_ping(&mut self, now: Instant, target: Target, rtt: Option<Duration>) {
        let reach = match target {
            Target::Peer(i) => self.peers.get_mut(i),
            Target::Witness(i) => self.witnesses.get_mut(i),
        };
        if reach.is_some_and(|reach| reach.ping(now, rtt)) {
            self.notices.push(Notice::Reach(target));
            self.touch_all();
        }
    }

    fn handle_capture(&mut self, now: Instant, interface: IfIndex, frames: u64, dropped: u64) {
        let counters = self.captures.entry(interface).or_default();
        *counters = (counters.0.saturating_add(frames), counters.1.saturating_add(dropped));
        if dropped == 0 {
            return;
        }
        self.sight.gap(now, interface);
        let says = format!("the kernel dropped {dropped} frames for want of room: too much VRRP, ARP or ND traffic");
        if self.sight.flash(now, Sensor::Capture, Some(interface), says) {
            self.notices.push(Notice::Sensor(Sensor::Capture, Some(interface)));
        }
        self.touch_all();
    }

    fn set_sensor(&mut self, now: Instant, sensor: Sensor, interface: Option<IfIndex>, state: Result<(), String>) {
        let failed = state.is_err();
        if self.sight.set(now, sensor, interface, state) {
            self.notices.push(Notice::Sensor(sensor, interface));
            self.touch_all();
        }
        if failed && sensor == Sensor::Arp {
            let routers = self.routers.values_mut().filter(|r| interface.is_none() || r.interface == interface);
            routers.flat_map(Router::asked).for_each(super::Vip::reset);
        }
    }

    /// Says whose adverts on this router are no news from now on.
    pub fn set_steady(&mut self, slot: Slot, source: Option<IpAddr>) {
        if let Some(router) = self.routers.get_mut(&slot) {
            router.steady = source;
        }
    }

    /// Asks whether the host's firewall lets adverts out, if that was not asked within the last seconds.
    pub fn test_output(&mut self, now: Instant, slot: Slot) {
        const AGAIN: Duration = Duration::from_secs(2);
        let Some(router) = self.routers.get_mut(&slot) else { return };
        let Some(interface) = router.interface else { return };
        let asked = router.output_asked.is_some_and(|at| now.since(at) < AGAIN);
        if !asked && !self.settings.passive {
            router.output_asked = Some(now);
            self.requests.push(Request::OutputTest { interface, family: router.id.family });
        }
    }

    // ---- what changed ------------------------------------------------------------------------------------------

    fn touch_all(&mut self) {
        self.dirty.extend(self.routers.keys());
    }

    /// Works out anew what this host holds of a router, and whether it is a member of it.
    fn refresh(&mut self, slot: Slot) {
        let served = self.routers.get(&slot).is_some_and(|router| self.is_served_here(slot, router));
        let Some(router) = self.routers.get_mut(&slot) else { return };
        let owner = router.speaking.as_ref().filter(|own| own.is_owner());
        let is_shut = owner.is_some_and(|own| own.is_shut());
        for vip in &mut router.vips {
            let there = router.interface.and_then(|interface| self.host.holds(interface, vip.address));
            // An owner's addresses are there all along, and held from when they may answer.
            let held = there.filter(|_| !is_shut).map(|since| match owner {
                Some(_) => since.max(vip.held.unwrap_or(self.now)),
                None => since,
            });
            vip.released = if held.is_some() { None } else { vip.held.map(|_| self.now).or(vip.released) };
            vip.held = held;
        }
        // A configured one of which this host was once a member stays so: its daemon may have been stopped for a while.
        router.member =
            served || router.vips.iter().any(|v| v.held.is_some()) || router.expected.is_some() && router.member;
        if router.member {
            self.takes_part = true;
            self.planner.wake(Instant::ZERO);
        } else {
            // Nobody asks any more: the last answers must not stand for ever.
            router.vips.iter_mut().for_each(Vip::reset);
        }
        self.dirty.insert(slot);
    }

    fn refresh_all(&mut self) {
        for slot in self.slots() {
            self.refresh(slot);
        }
    }

    fn refresh_address(&mut self, address: IpAddr) {
        let has = |r: &Router| r.vips.iter().any(|v| v.address == address);
        let touched: Vec<Slot> = self.routers.iter().filter(|(_, r)| has(r)).map(|(slot, _)| *slot).collect();
        for slot in touched {
            self.refresh(slot);
        }
    }
}

fn is_meant(router: &Router, expected: &Expected) -> bool {
    router.id.interface == expected.interface
        && router.id.vlan.is_none()
        && router.id.family == expected.family
        && router.id.vrid == expected.vrid
}

fn peer_of(settings: &Settings, source: IpAddr) -> Option<usize> {
    settings.peers.iter().position(|p| p.address == source || p.vrrp_addresses.contains(&source))
}

fn is_known(expected: Option<&Expected>, local: bool, peer: Option<usize>, source: IpAddr) -> bool {
    match expected {
        Some(e) if e.only_known_speakers => local || peer.is_some() || e.unicast_peers.contains(&source),
        _ => true,
    }
}

fn keep_reach<'a>(old: &[Reach], new: impl Iterator<Item = (&'a String, IpAddr)>) -> Vec<Reach> {
    let keep = |(name, address): (&String, IpAddr)| {
        let known = old.iter().find(|r| r.name == *name && r.address == address);
        known.cloned().unwrap_or_else(|| Reach::new(name, address))
    };
    new.map(keep).collect()
}
