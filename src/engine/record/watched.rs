//! The daemon's watcher, and the only way to do anything to it: while it is recorded, all of that goes on the tape.

use std::ops::Deref;

use crate::detect::{Event, Snapshot, Watcher};
use crate::observe::{Fact, Learned, Request, RouterId, Settings};
use crate::time::{Instant, WallClock};

use super::{Input, Record, Tape};

/// A watcher that may be recorded. To read it, it is a [`Watcher`].
pub struct Watched {
    watcher: Watcher,
    tape: Option<Tape>,
    /// Nothing was done to it since its last turn.
    is_still: bool,
}

impl Watched {
    /// A watcher that knows nothing but what an earlier life has learned.
    pub fn start(
        now: Instant,
        clock: WallClock,
        settings: Settings,
        learned: Vec<Learned>,
        tape: Option<Tape>,
    ) -> Self {
        let mut watcher = Watcher::new(now, clock, settings.clone());
        watcher.restore(now, &learned);
        let mut watched = Self { watcher, tape, is_still: true };
        watched.note(now, || Input::Start { settings: Box::new(settings), clock, learned });
        watched
    }

    /// Takes in one fact.
    pub fn handle(&mut self, at: Instant, fact: &Fact) {
        self.note(at, || Input::Fact(Box::new(fact.clone())));
        self.watcher.handle(at, fact);
    }

    /// Does what is due at `now`. What it has to say is fetched next.
    pub fn turn(&mut self, now: Instant) {
        // Many turns have nothing to do.
        let is_idle = self.is_still && self.watcher.poll_timeout().is_none_or(|due| due > now);
        if !is_idle {
            self.note(now, || Input::Turn);
            self.watcher.handle_timeout(now);
            self.is_still = true;
        }
    }

    /// Does what is due at `now`. What it has to say is fetched after the next turn.
    pub fn judge(&mut self, now: Instant) {
        self.note(now, || Input::Judge);
        self.watcher.handle_timeout(now);
    }

    /// Takes new settings.
    pub fn reconfigure(&mut self, now: Instant, settings: Settings) {
        self.note(now, || Input::Settings(Box::new(settings.clone())));
        self.watcher.reconfigure(now, settings);
    }

    /// Takes another clock for dates.
    pub fn set_clock(&mut self, now: Instant, clock: WallClock) {
        self.note(now, || Input::Clock(clock));
        self.watcher.set_clock(clock);
    }

    /// Forgets a learned router. False if there is none such.
    pub fn forget(&mut self, now: Instant, router: &RouterId) -> bool {
        self.note(now, || Input::Forget(router.clone()));
        self.watcher.forget(now, router)
    }

    /// Notes an event that is logged among its own, and is not its own.
    pub fn note_event(&mut self, now: Instant, event: &Event) {
        self.note(now, || Input::Event(Box::new(event.clone())));
    }

    /// The next thing to send.
    pub fn poll_request(&mut self) -> Option<Request> {
        self.watcher.poll_request()
    }

    /// The next thing that happened.
    pub fn poll_event(&mut self) -> Option<Event> {
        self.watcher.poll_event()
    }

    /// The view at `now`. No later verdict depends on whether anybody looked, so a recording says nothing of it.
    pub fn snapshot(&mut self, now: Instant) -> Snapshot {
        self.watcher.snapshot(now)
    }

    /// Records no more.
    pub fn end_recording(&mut self) {
        self.tape = None;
    }

    fn note(&mut self, at: Instant, input: impl FnOnce() -> Input) {
        self.is_still = false;
        self.tape = self.tape.take().and_then(|tape| tape.put(Record { at, input: input() }));
    }
}

impl Deref for Watched {
    type Target = Watcher;
    fn deref(&self) -> &Watcher {
        &self.watcher
    }
}
