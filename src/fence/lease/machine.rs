//! Holder and candidate in one.

mod promise;

use std::collections::VecDeque;

use super::{Action, Challenger, Entry, Holder, Loss, Outcome, Sighting, Standing, Timing, Value};
use crate::time::{Duration, Instant};
use promise::Council;

/// One node's part in the lease of one router.
#[derive(Clone, Debug)]
pub struct Lease {
    timing: Timing,
    me: Holder,
    wanted: bool,
    /// From when on it is wanted, so long as it is.
    wanted_since: Instant,
    /// With which priority the holder is challenged, and not before when.
    challenge: Option<(u8, Instant)>,
    /// Who challenges us.
    challenger: Option<Challenger>,
    seen: Option<Seen>,
    /// The longest hold of another one that was seen: it counts after its entry is gone, too.
    other_hold: Duration,
    ask: Option<Ask>,
    /// When the register is asked next, if it is not being asked.
    ask_at: Instant,
    /// Until when our last confirmed request, or the peers' promises, let us hold: D.
    until: Option<Instant>,
    /// It rests on promises.
    is_kept: bool,
    /// Until when we have promised to take nothing.
    promised: Instant,
    /// The version that a request of ours without an answer would replace, should it be written yet.
    loose: Option<u64>,
    council: Option<Council>,
    gate: Gate,
    /// [`Action::Granted`] was said, and no [`Action::Lost`] since.
    told: bool,
    up: bool,
    serial: u64,
    actions: VecDeque<Action>,
}

/// The newest that is known of the register.
#[derive(Clone, Debug)]
struct Seen {
    sighting: Sighting,
    /// When this version was first seen.
    since: Instant,
    /// Something may have been written since, by ourselves.
    doubtful: bool,
}

/// What the register, or the gate on its behalf, is being asked.
#[derive(Clone, Debug)]
enum Ask {
    /// The request waits for its permit.
    Permit {
        serial: u64,
    },
    Read {
        serial: u64,
        overdue: Instant,
    },
    Cas {
        serial: u64,
        version: u64,
        sent: Instant,
        entry: Entry,
        permit: Option<u64>,
    },
}

/// What is known of the gate's element for the lease.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Gate {
    Closed,
    Opening {
        serial: u64,
    },
    Open {
        refresh_at: Instant,
    },
    Refreshing {
        serial: u64,
    },
    /// `gone_at`: closing failed, and the element is left to its timeout.
    Closing {
        serial: u64,
        gone_at: Option<Instant>,
    },
}

impl Lease {
    /// One that is not wanted yet. It watches the register, so that a takeover needs no more than the wait.
    pub fn new(now: Instant, me: Holder, timing: Timing) -> Self {
        let mut lease = Self {
            timing,
            me,
            wanted: false,
            wanted_since: now,
            challenge: None,
            challenger: None,
            seen: None,
            other_hold: Duration::ZERO,
            ask: None,
            ask_at: now,
            until: None,
            is_kept: false,
            promised: Instant::ZERO,
            loose: None,
            council: None,
            gate: Gate::Closed,
            told: false,
            up: false,
            serial: 0,
            actions: VecDeque::new(),
        };
        lease.go_on(now);
        lease
    }

    // ---- getters --------------------------------------------------------------------------------------------------

    /// Where it stands.
    pub fn standing(&self) -> Standing {
        match (self.until, &self.seen) {
            (Some(until), _) if self.told => Standing::Holding(until),
            _ if !self.wanted => Standing::Idle,
            (_, Some(seen)) if matches!(self.ask, None | Some(Ask::Read { .. })) => {
                Standing::Waiting(self.may_take_at(seen))
            }
            _ => Standing::Asking,
        }
    }

    /// True if the register's last answer came, and came in time.
    pub const fn is_up(&self) -> bool {
        self.up
    }

    /// The entry that stood there last, whoever's it is.
    pub fn entry(&self) -> Option<&Entry> {
        match &self.seen.as_ref()?.sighting.value {
            Value::Entry(entry) => Some(entry),
            Value::Absent | Value::Foreign => None,
        }
    }

    /// True if we wrote this entry.
    pub fn is_own(&self, entry: &Entry) -> bool {
        entry.holder == self.me.id
    }

    /// True if something stands in the register that is no entry.
    pub fn is_foreign(&self) -> bool {
        self.seen.as_ref().is_some_and(|seen| seen.sighting.value == Value::Foreign)
    }

    /// True if it is not wanted, and nothing of ours stands in the register as far as we know, nor is on its way there.
    pub fn is_given_up(&self) -> bool {
        let nothing_stands = self.seen.as_ref().is_none_or(|seen| !seen.doubtful && !self.is_mine(&seen.sighting));
        !self.wanted && nothing_stands && !matches!(self.ask, Some(Ask::Cas { .. }))
    }

    /// Who asks for the addresses that we hold; told once.
    pub fn poll_challenger(&mut self) -> Option<Challenger> {
        self.challenger.take()
    }

    // ---- poll -----------------------------------------------------------------------------------------------------

    /// The next thing to do.
    pub fn poll_action(&mut self) -> Option<Action> {
        self.actions.pop_front()
    }

    /// When [`Self::handle_timeout`] is to be called.
    pub fn poll_timeout(&self) -> Option<Instant> {
        let asking = match &self.ask {
            None => (self.ask_at < NEVER).then_some(self.ask_at),
            Some(Ask::Permit { .. }) => None,
            Some(Ask::Read { overdue, .. }) => Some(*overdue),
            Some(Ask::Cas { sent, .. }) => Some(*sent + self.timing.patience),
        };
        let gate = match self.gate {
            Gate::Open { refresh_at } => Some(refresh_at),
            Gate::Closing { gone_at, .. } => gone_at,
            Gate::Closed | Gate::Opening { .. } | Gate::Refreshing { .. } => None,
        };
        [asking, gate, self.ends_at()].into_iter().flatten().min()
    }

    // ---- handle ---------------------------------------------------------------------------------------------------

    /// Does what is due.
    pub fn handle_timeout(&mut self, now: Instant) {
        self.go_on(now);
    }

    /// Whether the addresses are wanted. Who no longer wants them has taken them from the host before.
    pub fn want(&mut self, now: Instant, wanted: bool) {
        if self.wanted == wanted {
            return;
        }
        self.wanted = wanted;
        self.wanted_since = now;
        self.ask_at = self.ask_at.min(now);
        if !wanted {
            self.told = false;
            self.close();
        }
        self.go_on(now);
    }

    /// Whether the holder is to be asked to give the addresses to us, who have this priority. Only while they are wanted.
    pub fn challenge(&mut self, now: Instant, priority: Option<u8>) {
        self.challenge = match (priority, self.challenge) {
            (Some(priority), Some((before, at))) if before == priority => Some((priority, at)),
            (Some(priority), _) => Some((priority, now)),
            (None, _) => None,
        };
    }

    /// The answer to [`Action::Read`]; `None` if there is none.
    pub fn handle_read(&mut self, now: Instant, serial: u64, sighting: Option<Sighting>) {
        if !matches!(self.ask, Some(Ask::Read { serial: asked, .. }) if asked == serial) {
            return;
        }
        self.ask = None;
        self.up = sighting.is_some();
        match sighting {
            Some(sighting) => self.see(now, sighting),
            None => self.ask_at = now + self.timing.retry,
        }
        self.go_on(now);
    }

    /// The answer to [`Action::Cas`].
    pub fn handle_cas(&mut self, now: Instant, serial: u64, outcome: Outcome) {
        // An answer that comes after its request was given up is not listened to: what it says, a read has to say.
        let Some(Ask::Cas { sent, version, entry, permit, .. }) = self.ask.take_if(|ask| ask.is_cas(serial)) else {
            return;
        };
        self.up = matches!(outcome, Outcome::Done(_) | Outcome::Conflict(_));
        match outcome {
            Outcome::Done(version) => self.on_done(now, sent, version, entry, permit),
            Outcome::Conflict(sighting) => self.see(now, sighting),
            Outcome::Unknown => self.doubt(now, version, &entry),
            Outcome::Failed => self.ask_at = now + self.timing.retry,
        }
        self.go_on(now);
    }

    /// The kernel did what [`Action::Permit`], [`Action::Open`], [`Action::Refresh`] or [`Action::Close`] asked for, or refused it.
    pub fn handle_gate(&mut self, now: Instant, serial: u64, done: bool) {
        if matches!(self.ask, Some(Ask::Permit { serial: asked }) if asked == serial) {
            self.ask = None;
            match done {
                true => self.send(now, Some(serial)),
                false => self.ask_at = now + self.timing.retry,
            }
            return self.go_on(now);
        }
        match self.gate {
            Gate::Opening { serial: asked } if asked == serial && done => {
                self.gate = self.open_since(now);
                if !std::mem::replace(&mut self.told, true) {
                    self.actions.push_back(Action::Granted);
                }
            }
            Gate::Refreshing { serial: asked } if asked == serial && done => self.gate = self.open_since(now),
            // It has expired: only a new grant with a permit opens it again.
            Gate::Opening { serial: asked } | Gate::Refreshing { serial: asked } if asked == serial => {
                self.gate = Gate::Closed;
                self.ask_at = now + self.timing.retry;
            }
            Gate::Closing { serial: asked, .. } if asked == serial && done => {
                self.gate = Gate::Closed;
                self.ask_at = now;
            }
            Gate::Closing { serial: asked, .. } if asked == serial => {
                self.gate = Gate::Closing { serial, gone_at: Some(now + self.timing.expiry()) };
            }
            _ => {}
        }
        self.go_on(now);
    }

    // ---- what follows ---------------------------------------------------------------------------------------------

    fn go_on(&mut self, now: Instant) {
        if self.ends_at().is_some_and(|end| end <= now) {
            self.lose(Loss::Expired);
        }
        match self.gate {
            Gate::Open { refresh_at } if refresh_at <= now => {
                let serial = self.next_serial();
                self.gate = Gate::Refreshing { serial };
                self.actions.push_back(Action::Refresh { serial, slice: self.timing.slice });
            }
            Gate::Closing { gone_at: Some(at), .. } if at <= now => {
                self.gate = Gate::Closed;
                self.ask_at = now;
            }
            _ => {}
        }
        match &self.ask {
            Some(Ask::Read { overdue, .. }) if *overdue <= now => {
                self.ask = None;
                self.up = false;
                self.ask_at = now;
            }
            Some(Ask::Cas { sent, version, entry, .. }) if *sent + self.timing.patience <= now => {
                let (version, entry) = (*version, entry.clone());
                self.ask = None;
                self.up = false;
                self.doubt(now, version, &entry);
            }
            _ => {}
        }
        if self.ask.is_none() && self.ask_at <= now {
            self.ask(now);
        }
    }

    /// Asks for what is needed next.
    fn ask(&mut self, now: Instant) {
        let Some(seen) = self.seen.as_ref().filter(|seen| !seen.doubtful) else { return self.read(now) };
        let is_mine = self.is_mine(&seen.sighting);
        match (self.wanted, self.gate) {
            // Not before the gate is closed: its confirmation comes back here.
            (_, Gate::Closing { .. }) => self.ask_at = NEVER,
            // That there is nothing has no version of its own: it may have come and gone meanwhile.
            _ if seen.sighting.value == Value::Absent => {
                let vacant = Entry::vacant(self.timing.hold.max(self.other_hold));
                self.write(now, vacant, None);
            }
            (true, _) if self.may_take_at(seen) > now => match self.challenging(now, seen) {
                Some(entry) => self.write(now, entry, None),
                None => self.read(now),
            },
            (true, Gate::Closed) => {
                let serial = self.next_serial();
                self.ask = Some(Ask::Permit { serial });
                self.actions.push_back(Action::Permit { serial, lifetime: self.timing.usable() });
            }
            (true, _) => self.send(now, None),
            (false, _) if is_mine => self.send(now, None),
            (false, _) => self.read(now),
        }
    }

    fn read(&mut self, now: Instant) {
        let serial = self.next_serial();
        self.ask = Some(Ask::Read { serial, overdue: now + self.timing.patience });
        self.actions.push_back(Action::Read { serial });
    }

    /// Sends a request for the lease, or to give it back, with `now` as the time before it was sent.
    fn send(&mut self, now: Instant, permit: Option<u64>) {
        let Some(seen) = self.seen.as_ref().filter(|_| self.wanted || permit.is_none()) else {
            // It is wanted no more, and the permit expires unused.
            self.ask_at = now;
            return;
        };
        let (epoch, counter) = match &seen.sighting.value {
            Value::Entry(entry) => (entry.epoch + u64::from(entry.holder != self.me.id), entry.counter + 1),
            Value::Absent | Value::Foreign => (1, 1),
        };
        let Holder { id, node } = self.me.clone();
        let (hold, released) = (self.timing.hold, !self.wanted);
        self.write(now, Entry { holder: id, node, epoch, counter, hold, released, challenger: None }, permit);
    }

    /// The holder's entry with us as its challenger, if we are to be that now.
    fn challenging(&self, now: Instant, seen: &Seen) -> Option<Entry> {
        let (priority, _) = self.challenge.filter(|(_, at)| *at <= now)?;
        let Value::Entry(entry) = &seen.sighting.value else { return None };
        if entry.holder == self.me.id {
            return None;
        }
        // Each write begins the wait anew: while it stands unanswered it is not repeated, or a dead holder would be challenged for ever.
        if entry.challenger.as_ref().is_some_and(|standing| standing.priority >= priority) {
            return None;
        }
        let challenger = Some(Challenger { node: self.me.node.clone(), priority });
        Some(Entry { counter: entry.counter + 1, challenger, ..entry.clone() })
    }

    fn write(&mut self, now: Instant, entry: Entry, permit: Option<u64>) {
        let Some(version) = self.seen.as_ref().map(|seen| seen.sighting.version) else { return };
        let serial = self.next_serial();
        self.ask = Some(Ask::Cas { serial, version, sent: now, entry: entry.clone(), permit });
        self.actions.push_back(Action::Cas { serial, version, entry });
    }

    fn on_done(&mut self, now: Instant, sent: Instant, version: u64, entry: Entry, permit: Option<u64>) {
        let (released, is_ours) = (entry.released, entry.holder == self.me.id);
        self.loose = None;
        self.seen =
            Some(Seen { sighting: Sighting { version, value: Value::Entry(entry) }, since: now, doubtful: false });
        if !is_ours {
            // The holder has until its next renewal to think about it, and some time to leave.
            self.challenge = self.challenge.map(|(priority, _)| (priority, now + self.timing.wait));
            self.wanted_since = now;
            self.ask_at = now + self.timing.retry;
            return;
        }
        if released || !self.wanted {
            self.until = None;
            // What came for nothing is given back, and what was given back in vain is taken again.
            self.ask_at = if released && !self.wanted { now + self.timing.poll } else { now };
            return;
        }
        self.until = Some(sent + self.timing.hold);
        self.is_kept = false;
        self.ask_at = sent + self.timing.renew;
        match (self.gate, permit) {
            (Gate::Closed, Some(permit)) => {
                let serial = self.next_serial();
                self.gate = Gate::Opening { serial };
                self.actions.push_back(Action::Open { serial, permit, slice: self.timing.slice });
            }
            // It closed while this was under way.
            (Gate::Closed, None) => self.ask_at = now,
            _ => {}
        }
    }

    /// Our entry was written in the place of this version, or may be yet, that we don't know of.
    fn doubt(&mut self, now: Instant, version: u64, entry: &Entry) {
        if entry.holder == self.me.id && !entry.released {
            self.loose = Some(version);
        }
        if let Some(seen) = &mut self.seen {
            seen.doubtful = true;
        }
        self.ask_at = now + self.timing.retry;
    }

    fn see(&mut self, now: Instant, sighting: Sighting) {
        let since = match &self.seen {
            Some(seen) if seen.sighting.version == sighting.version => seen.since,
            _ => now,
        };
        // Versions only ever rise: what waits for an older one waits in vain.
        self.loose = self.loose.filter(|version| sighting.version <= *version);
        let is_mine = self.is_mine(&sighting);
        let other = match &sighting.value {
            Value::Entry(entry) if entry.holder != self.me.id => Some((entry.node.clone(), entry.hold)),
            _ => None,
        };
        if let Some((_, hold)) = other {
            self.other_hold = self.other_hold.max(hold);
        }
        if let Value::Entry(entry) = &sighting.value
            && is_mine
            && entry.challenger.is_some()
        {
            self.challenger.clone_from(&entry.challenger);
        }
        let seen = Seen { sighting, since, doubtful: false };
        // Ours has to be renewed, or given up.
        let is_urgent = is_mine && (!self.wanted || self.promised <= now);
        self.ask_at = if is_urgent { now } else { now + self.pace(now) };
        if self.wanted && !is_urgent {
            self.ask_at = self.ask_at.min(self.may_take_at(&seen));
        }
        self.seen = Some(seen);
        if !is_mine && self.until.is_some() {
            self.lose(Loss::Taken(other.map(|(node, _)| node)));
        }
    }

    fn lose(&mut self, loss: Loss) {
        self.until = None;
        self.close();
        if std::mem::take(&mut self.told) {
            self.actions.push_back(Action::Lost(loss));
        }
    }

    fn close(&mut self) {
        if matches!(self.gate, Gate::Opening { .. } | Gate::Open { .. } | Gate::Refreshing { .. }) {
            let serial = self.next_serial();
            self.gate = Gate::Closing { serial, gone_at: None };
            self.actions.push_back(Action::Close { serial });
        }
    }

    // ---- small things ---------------------------------------------------------------------------------------------

    /// True if the entry says that we hold, or may have held without knowing.
    fn is_mine(&self, sighting: &Sighting) -> bool {
        matches!(&sighting.value, Value::Entry(entry) if entry.holder == self.me.id && !entry.released)
    }

    fn may_take_at(&self, seen: &Seen) -> Instant {
        let stood = match &seen.sighting.value {
            Value::Entry(entry) if entry.released || entry.holder == self.me.id => seen.since,
            Value::Entry(entry) => seen.since + self.timing.wait_for(entry.hold),
            Value::Absent | Value::Foreign => seen.since + self.timing.wait_for(self.other_hold),
        };
        stood.max(self.promised)
    }

    /// Between two reads: a release that is awaited should not have to wait.
    fn pace(&self, now: Instant) -> Duration {
        let is_fresh = self.wanted && now.since(self.wanted_since) < self.timing.wait;
        if is_fresh { self.timing.retry } else { self.timing.poll }
    }

    /// From when on no refresh may be asked for: G3.
    fn ends_at(&self) -> Option<Instant> {
        self.until.map(|until| until - self.timing.slice * 2)
    }

    fn open_since(&self, now: Instant) -> Gate {
        Gate::Open { refresh_at: now + self.timing.slice / 4 }
    }

    const fn next_serial(&mut self) -> u64 {
        self.serial += 1;
        self.serial
    }
}

/// Only an answer of the gate goes on.
const NEVER: Instant = Instant::from_nanos(u64::MAX);

impl Ask {
    fn is_cas(&self, serial: u64) -> bool {
        matches!(self, Self::Cas { serial: asked, .. } if *asked == serial)
    }
}
