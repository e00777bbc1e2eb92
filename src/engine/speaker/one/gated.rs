//! A speaker and its kernel gate: closed first, opened last, and never taken for open when it isn't.

use std::net::IpAddr;
use std::rc::Rc;

use super::{ALARM_EVERY, Speaker};
use crate::engine::hub::Hub;
use crate::engine::speaker::gate::Door;
use crate::engine::speaker::kernel::Job;
use crate::engine::speaker::lease::{Latch, Tenancy};
use crate::engine::speaker::report::Told;
use crate::observe::IfIndex;
use crate::sys::clock;
use crate::sys::nft::gate::{Key, Rank, Router};
use crate::time::{Duration, Instant};
use crate::vrrp::{Event, State};

/// The addresses' lifetime is renewed when this part of it is over.
const RENEWALS: u32 = 3;

/// A gate that nothing explains.
const CLOSED: &str = "master with a closed gate: an advert left, and the kernel does not let the addresses answer";

/// What an arbiter's lease is worth without a gate.
const UNPROVEN: &str = "no kernel gate ends the arbiter's lease: the daemon itself drops the addresses before its end, but one that is \
                        frozen or killed doesn't, so that two holders are not ruled out";

/// What was told of a speaker's gate, and what waits for it.
#[derive(Debug, Default)]
pub(super) struct Memory {
    /// It was told that the gate is closed, and it has not opened since.
    alarmed: bool,
    /// When it was last told that the kernel obeys a peer that the election does not.
    disobeyed_at: Option<Instant>,
    /// The addresses are to be announced when it opens: a closed one lets no announcement out.
    unannounced: bool,
}

impl Speaker {
    /// The gate for its addresses, if there is to be one.
    pub(super) fn door(&self, hub: &Rc<Hub>, interface: IfIndex) -> Option<Door> {
        self.fence_policy().gate.then(|| Door::new(hub.kernel().gates(), self.gated(interface)))
    }

    /// Has the arbiter's lease open the gate of the place where this works now.
    pub(super) fn latch_gate(&mut self, hub: &Rc<Hub>) {
        let door = self.place.as_ref().and_then(|place| place.door.as_ref());
        let latch = door.map(|door| Latch::new(hub.kernel().gates(), door.router().key));
        if let Some(tenancy) = &mut self.tenancy {
            tenancy.set_latch(latch);
        }
    }

    fn fence_policy(&self) -> crate::fence::Policy {
        self.config.speak.as_ref().map(|speak| speak.fence.clone()).unwrap_or_default()
    }

    /// This router as its gate knows it.
    fn gated(&self, interface: IfIndex) -> Router {
        let settings = self.router.settings();
        let interval = settings.advert_interval;
        Router {
            key: Key { family: settings.family, vrid: settings.vrid, interface },
            addresses: self.held().collect(),
            vmac: self.config.speak.as_ref().is_some_and(|speak| speak.vmac),
            version: settings.version,
            auth: settings.auth,
            interval,
            timeout: self.fence_policy().gate_timeout.unwrap_or(interval * 3),
            peers: self.fencing.peers().to_vec(),
            rank: Rank { priority: self.router.effective_priority().unwrap_or_default(), source: self.primary },
            leased: self.arbiter.is_some() && self.tenancy.as_ref().is_none_or(Tenancy::guards_gate),
        }
    }

    /// The configuration has changed.
    pub(super) fn change_gate(&mut self, now: Instant, told: &mut Told) {
        let Some(interface) = self.interface() else { return };
        let router = self.gated(interface);
        self.at_gate(now, told, |door| door.change(router));
    }

    /// The arbiter is ignored from now on, or heard again.
    pub(super) fn change_lease_of_gate(&mut self, now: Instant, told: &mut Told) {
        let leased = self.tenancy.as_ref().is_some_and(Tenancy::guards_gate);
        let door = self.place.as_ref().and_then(|place| place.door.as_ref());
        if door.is_some_and(|door| door.router().leased != leased) {
            self.change_gate(now, told);
        }
    }

    /// Does something with the gate, and says what fails.
    fn at_gate(&mut self, now: Instant, told: &mut Told, work: impl FnOnce(&mut Door) -> Result<(), String>) {
        let Some(door) = self.place.as_mut().and_then(|place| place.door.as_mut()) else { return };
        if let Err(why) = work(door) {
            self.alarm(now, why, told);
        }
    }

    /// Who doesn't hold is silent, and gives way to all who are better than it is by now.
    pub(super) fn shut_gate(&mut self, now: Instant, told: &mut Told) {
        if self.router.holds() {
            return;
        }
        self.at_gate(now, told, |door| if door.is_shut() { Ok(()) } else { door.close() });
        if self.router.state() != State::Master {
            let (priority, source) = (self.router.effective_priority().unwrap_or_default(), self.primary);
            self.at_gate(now, told, |door| door.set_rank(priority, source));
        }
    }

    /// An advert is about to leave. A lower priority counts before others hear of it.
    pub(super) fn before_advert(&mut self, now: Instant, priority: u8, told: &mut Told) {
        let source = self.primary;
        self.at_gate(now, told, |door| match priority > 0 && priority < door.priority() {
            true => door.set_rank(priority, source),
            false => Ok(()),
        });
        let Some(door) = self.place.as_mut().and_then(|place| place.door.as_mut()) else { return };
        let is_late = clock_late(now, self.sent_at, door.router().interval);
        if priority > 0 && is_late && door.was_closed() {
            self.fencing.by_kernel();
            let why = "the kernel had closed the gate, for no advert has left in time: this daemon was late or stopped";
            self.alarm(now, why.into(), told);
        }
    }

    /// An advert has left. A higher priority counts after others could hear of it.
    pub(super) fn after_advert(&mut self, now: Instant, priority: u8, told: &mut Told) {
        if priority == 0 {
            return;
        }
        let source = self.primary;
        self.at_gate(now, told, |door| door.set_rank(priority, source));
        let Some(door) = self.place.as_mut().and_then(|place| place.door.as_mut()) else { return };
        if door.on_sent(now) {
            self.on_gate_open(now);
        } else if door.restore() {
            self.alarm_of_gate(
                now,
                "somebody has removed the kernel gate: it is put up again, and the next advert opens it",
                told,
            );
        } else if !door.plan_reopening(now) {
            self.alarm_of_gate(now, CLOSED, told);
        }
        self.renew_addresses(now);
    }

    /// Says once what keeps the gate closed.
    fn alarm_of_gate(&mut self, now: Instant, why: &str, told: &mut Told) {
        if !std::mem::replace(&mut self.gate.alarmed, true) {
            self.alarm(now, why.into(), told);
        }
    }

    /// True if the addresses are to be announced later: when the gate has been opened.
    pub(super) fn waits_for_gate(&mut self) -> bool {
        let door = self.place.as_ref().and_then(|place| place.door.as_ref());
        let waits = door.is_some_and(|door| door.poll_timeout().is_some());
        self.gate.unannounced |= waits;
        waits
    }

    /// A peer's advert has been judged. The kernel may have closed the gate on one that this router does not give way to.
    pub(super) fn after_peer(&mut self, now: Instant, peer: IpAddr, told: &mut Told) {
        if !self.router.holds() || !self.fencing.peers().contains(&peer) {
            return;
        }
        let Some(door) = self.place.as_mut().and_then(|place| place.door.as_mut()) else { return };
        if !door.was_closed() {
            return;
        }
        door.plan_reopening(now);
        self.fencing.by_kernel();
        if self.gate.disobeyed_at.is_none_or(|told| now.since(told) >= ALARM_EVERY) {
            self.gate.disobeyed_at = Some(now);
            self.alarm(
                now,
                format!("the kernel closes the gate on adverts of {peer} that the election does not obey: it is opened again each time"),
                told,
            );
        }
    }

    /// Opens the gate again, if everything received is read and this router still holds.
    pub(super) fn reopen_gate(&mut self, now: Instant, drained: bool, told: &mut Told) {
        let (holds, sent_at) = (self.router.holds(), self.sent_at);
        let Some(door) = self.place.as_mut().and_then(|place| place.door.as_mut()) else { return };
        if !drained || door.poll_timeout().is_none_or(|at| at > now) {
            return;
        }
        let is_late = clock_late(now, sent_at, door.router().interval);
        if door.reopen(clock::now(), sent_at, holds) {
            self.on_gate_open(now);
        } else if holds && !is_late {
            // Of one that is late the next advert opens.
            self.alarm_of_gate(now, CLOSED, told);
        }
    }

    /// What a closed one kept in goes out now.
    fn on_gate_open(&mut self, now: Instant) {
        self.gate.alarmed = false;
        if std::mem::take(&mut self.gate.unannounced) {
            self.router.handle(now, Event::AnnounceAgain);
        }
    }

    /// When something is due at the gate.
    pub(super) fn gate_timeout(&self) -> Option<Instant> {
        self.place.as_ref()?.door.as_ref()?.poll_timeout()
    }

    /// How long the kernel keeps the addresses without being told again, in seconds.
    pub(super) fn lifetime(&self) -> Option<u32> {
        let door = self.place.as_ref().and_then(|place| place.door.as_ref());
        let gated = door.is_some_and(|door| door.is_open().is_some());
        let interval = self.router.settings().advert_interval;
        if self.is_owner() { None } else { self.fence_policy().address_lifetime.seconds(interval, gated) }
    }

    /// Has the kernel keep the addresses for another while.
    fn renew_addresses(&mut self, now: Instant) {
        let Some(seconds) = self.lifetime() else { return };
        let every = Duration::from_secs(seconds.into()) / RENEWALS;
        if self.router.holds() && now.since(self.renewed_at) >= every {
            self.renewed_at = now;
            // With too much to do already the next advert asks again.
            let _ = self.ask(Job::Renew(self.held_with_prefixes(), seconds));
        }
    }

    /// What is told of the gate.
    pub(super) fn report_gate(&mut self) {
        let door = self.place.as_ref().and_then(|place| place.door.as_ref());
        self.report.says.gate_open = door.and_then(Door::is_open);
        let unproven = self.arbiter.is_some() && self.place.is_some() && self.report.says.gate_open.is_none();
        self.report.says.gate_lacks = match (door.and_then(Door::lacks), unproven) {
            (lacks, false) => lacks,
            (None, true) => Some(UNPROVEN.into()),
            (Some(lacks), true) => Some(format!("{lacks}; {UNPROVEN}")),
        };
        self.report.says.address_lifetime = self.lifetime().map(|seconds| Duration::from_secs(seconds.into()));
    }
}

/// So late that the gate may have closed meanwhile.
fn clock_late(now: Instant, sent_at: Instant, interval: Duration) -> bool {
    now.since(sent_at) > interval * 2
}
