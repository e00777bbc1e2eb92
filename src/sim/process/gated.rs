//! A process and its gate: what `engine::speaker` does with it, act by act.

use crate::time::{Duration, Instant};
use crate::vrrp::{Event, State};

use super::super::gate::ADVERTS;
use super::{AtGate, Op, Process};

/// Between two looks whether a gate is still open, of which nothing tells that it has closed.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// What a process knows of its gate.
#[derive(Debug)]
pub(super) struct Door {
    /// It is open, or an advert may just have opened it.
    open: bool,
    /// No advert has left since it was closed: nothing can have opened it.
    shut: bool,
    looked_at: Instant,
    sent_at: Instant,
    /// What it compares with.
    priority: u8,
    /// When it is to be opened again: what came in before is read first.
    pub reopen_at: Option<Instant>,
    /// The addresses are to be announced then.
    unannounced: bool,
}

impl Door {
    /// A closed one.
    pub const fn new(priority: u8) -> Self {
        Self {
            open: false,
            shut: true,
            looked_at: Instant::ZERO,
            sent_at: Instant::ZERO,
            priority,
            reopen_at: None,
            unannounced: false,
        }
    }
}

impl Process {
    fn at_gate(&mut self, act: AtGate) {
        self.ops.push_back(Op::Gate(act));
    }

    fn set_gate_priority(&mut self, priority: u8) {
        if std::mem::replace(&mut self.door.priority, priority) != priority {
            self.at_gate(AtGate::SetPriority(priority));
        }
    }

    /// Who doesn't hold is silent, and gives way to all who are better than it is by now.
    pub(super) fn shut_gate(&mut self) {
        if self.router.holds() {
            return;
        }
        if !std::mem::replace(&mut self.door.shut, true) {
            self.door.open = false;
            if self.rules.close_first {
                self.door.reopen_at = None;
                self.at_gate(AtGate::Close);
            }
        }
        if self.router.state() != State::Master {
            self.set_gate_priority(self.router.effective_priority().unwrap_or_default());
        }
    }

    /// A lower priority counts before others hear of it.
    pub(super) fn before_advert(&mut self, priority: u8) {
        if priority > 0 && priority < self.door.priority {
            self.set_gate_priority(priority);
        }
    }

    /// A higher priority counts after others could hear of it.
    pub(super) fn after_advert(&mut self, now: Instant, priority: u8) {
        self.set_gate_priority(priority);
        self.door.sent_at = now;
        self.door.shut = false;
        if !std::mem::replace(&mut self.door.open, true) || now.since(self.door.looked_at) >= LOOK_EVERY {
            self.door.looked_at = now;
            self.at_gate(AtGate::Look);
        }
    }

    /// The kernel may have closed the gate on a peer's advert that this router does not give way to.
    pub(super) fn doubt_gate(&mut self) {
        if self.router.holds() && self.door.open {
            self.at_gate(AtGate::Look);
        }
    }

    /// How the gate stands, as the kernel says; or what became of opening it again.
    pub fn see_gate(&mut self, now: Instant, was_reopened: bool, is_open: bool) {
        self.door.open = is_open;
        if is_open && std::mem::take(&mut self.door.unannounced) {
            self.handle(now, Event::AnnounceAgain);
        } else if !is_open && !was_reopened && self.door.reopen_at.is_none() && self.rules.reopen {
            self.door.reopen_at = Some(now);
            self.ops.push_front(Op::Gate(AtGate::Permit));
            let waiting = self.ops.len();
            self.ops.retain(|op| !matches!(op, Op::Announce(_)));
            self.door.unannounced |= self.ops.len() < waiting;
        }
    }

    /// True if the addresses are to be announced later: when the gate has been opened.
    pub(super) fn waits_for_gate(&mut self) -> bool {
        self.door.unannounced |= self.door.reopen_at.is_some();
        self.door.reopen_at.is_some()
    }

    /// Opens the gate again for what the last advert leaves of its time, if this router still holds now that everything received is read.
    pub(super) fn reopen_gate(&mut self, now: Instant) {
        let is_due = self.door.reopen_at.take_if(|at| *at <= now).is_some();
        let left = (self.door.sent_at + self.settings.advert_interval * ADVERTS).since(now);
        if is_due && self.router.holds() && !left.is_zero() {
            self.at_gate(AtGate::Reopen(left));
        }
    }
}
