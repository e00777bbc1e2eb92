//! The watching core as one value: facts in, requests, events and snapshots out. The daemon and `analyze` drive it alike.

use crate::observe::{Fact, Learned, Request, Settings};
use crate::time::{Instant, WallClock};

use super::{Event, Snapshot};

/// The model and the detector together.
///
/// Four families of methods, as in other sans-I/O code: `handle*` take things in, `poll_*` hand things out (call them until they
/// answer `None`), getters read, commands change what it watches. `now` never has to be the true time, only never to
/// run backwards by more than a batch.
#[derive(Debug)]
pub struct Watcher {
    settings: Settings,
}

impl Watcher {
    /// A watcher that knows nothing yet.
    pub fn new(_now: Instant, _clock: WallClock, settings: Settings) -> Self {
        Self { settings }
    }

    /// Takes new settings; what was observed of routers that remain is kept.
    pub fn reconfigure(&mut self, _now: Instant, settings: Settings) {
        self.settings = settings;
    }

    /// Takes back routers learned in an earlier life. They start as unknown.
    pub fn restore(&mut self, _now: Instant, _learned: &[Learned]) {}

    /// The learned routers, to be kept across restarts.
    pub fn learned(&self) -> Vec<Learned> {
        Vec::new()
    }

    /// Forgets a learned router by name. False if there is none of that name, or if it is configured.
    pub fn forget(&mut self, _name: &str) -> bool {
        false
    }

    /// Takes in one fact.
    pub fn handle(&mut self, _now: Instant, _fact: &Fact) {}

    /// Does what is due at `now`: judges what changed, expires what is old, plans probes. Call it after each batch of
    /// facts and whenever [`Self::poll_timeout`] has passed.
    pub fn handle_timeout(&mut self, _now: Instant) {}

    /// When [`Self::handle_timeout`] wants to be called next.
    pub fn poll_timeout(&self) -> Option<Instant> {
        None
    }

    /// The next thing to send.
    pub fn poll_request(&mut self) -> Option<Request> {
        None
    }

    /// The next thing that happened.
    pub fn poll_event(&mut self) -> Option<Event> {
        None
    }

    /// True if a verdict or a master changed since the last [`Self::snapshot`]: publish at once.
    pub fn is_urgent(&self) -> bool {
        false
    }

    /// The view at `now`.
    pub fn snapshot(&mut self, now: Instant) -> Snapshot {
        Snapshot {
            at: now,
            clock: WallClock::default(),
            routers: Vec::new(),
            peers: Vec::new(),
            witnesses: Vec::new(),
            sensors: Vec::new(),
            captures: Vec::new(),
            daemons: Vec::new(),
            rejected: Vec::new(),
            table_full: Vec::new(),
            others: Vec::new(),
        }
    }
}
