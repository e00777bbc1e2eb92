//! A recording, done again to another watcher.

use crate::detect::{Snapshot, Watcher};
use crate::engine::Logged;
use crate::time::{Instant, WallClock};

use super::{Input, Record};

/// A watcher to whom everything is done that was done to the recorded one.
#[derive(Debug)]
pub struct Replay {
    watcher: Watcher,
    clock: WallClock,
    now: Instant,
    /// Number of the last event.
    logged: u64,
    lost: u64,
}

/// A record that can't be where it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Misplaced {
    /// Something comes before the start.
    #[error("a recording begins with a start")]
    Early,
    /// There is another start.
    #[error("a recording has one start")]
    Again,
}

impl Replay {
    /// Begins with the first record.
    ///
    /// # Errors
    /// It is no start.
    pub fn start(first: Record) -> Result<Self, Misplaced> {
        let Record { at: now, input: Input::Start { settings, clock, learned } } = first else {
            return Err(Misplaced::Early);
        };
        let mut watcher = Watcher::new(now, clock, *settings);
        watcher.restore(now, &learned);
        Ok(Self { watcher, clock, now, logged: 0, lost: 0 })
    }

    /// Does the next thing. The events that were logged for it, with the numbers and dates that they had.
    ///
    /// # Errors
    /// It is a second start.
    pub fn take(&mut self, record: Record) -> Result<Vec<Logged>, Misplaced> {
        let Record { at, input } = record;
        self.now = self.now.max(at);
        let mut events = Vec::new();
        match input {
            Input::Start { .. } => return Err(Misplaced::Again),
            Input::Fact(fact) => self.watcher.handle(at, &fact),
            Input::Judge => self.watcher.handle_timeout(at),
            Input::Turn => {
                self.watcher.handle_timeout(at);
                events.extend(std::iter::from_fn(|| self.watcher.poll_event()));
                // Who is asked was asked then; the answers follow.
                while self.watcher.poll_request().is_some() {}
            }
            Input::Settings(settings) => self.watcher.reconfigure(at, *settings),
            Input::Clock(clock) => {
                self.clock = clock;
                self.watcher.set_clock(clock);
            }
            Input::Forget(router) => {
                self.watcher.forget(at, &router);
            }
            Input::Event(event) => events.push(*event),
            Input::Lost(count) => self.lost = self.lost.saturating_add(count),
        }
        let clock = self.clock;
        let number = |event| {
            self.logged += 1;
            Logged { id: self.logged, event, clock }
        };
        Ok(events.into_iter().map(number).collect())
    }

    /// How many records are missing: with any, the verdicts need not be those that were reached.
    pub const fn lost(&self) -> u64 {
        self.lost
    }

    /// The view at the last record.
    pub fn snapshot(&mut self) -> Snapshot {
        self.watcher.snapshot(self.now)
    }
}
