//! A capture played to the [`Watcher`]: the capture's clock is the only clock.

use std::collections::HashMap;

use crate::detect::Watcher;
use crate::engine::Logged;
use crate::observe::{Fact, Frame, IfIndex, Link, PacketKind, Settings};
use crate::time::{Duration, Instant, WallClock};
use crate::web::document::AnalyzeDoc;

use super::history::History;
use super::merge::MergedFrame;

/// Where the first frame lies on the line of instants: later than anything that is reckoned back from it.
const LEAD: Duration = Duration::from_secs(3600);

/// After so many timeouts in one gap between frames, the rest of the gap is walked in at most so many strides.
const PATIENCE: u32 = 2000;
const STRIDES: u32 = 1000;

/// Interfaces told apart, over all files.
const MAX_INTERFACES: usize = 1024;

/// Routers followed: a mirror port shows thousands.
const MAX_ROUTERS: usize = 16_384;

/// Routers whose history is kept, those included that had to make room for others.
const MAX_HISTORIES: usize = 2 * MAX_ROUTERS;

/// Plays the frames of a capture.
#[derive(Default)]
pub struct Replay {
    stage: Option<Stage>,
}

impl Replay {
    /// Takes in one frame. One that claims to be earlier than the one before counts at that one's time.
    pub fn take(&mut self, frame: MergedFrame) {
        self.stage.get_or_insert_with(|| Stage::new(frame.unix_nanos)).take(frame);
    }

    /// Judges at the time of the last frame: the silence behind it is nobody's. With it, what had to be left out.
    pub fn finish(self) -> (AnalyzeDoc, Vec<String>) {
        // Without a frame there is nothing to judge, at whatever time.
        self.stage.unwrap_or_else(|| Stage::new(0)).finish()
    }
}

/// The detector with what it needs of the world, and what it has said.
struct Stage {
    watcher: Watcher,
    clock: WallClock,
    now: Instant,
    interfaces: HashMap<String, IfIndex>,
    /// Frames of interfaces beyond [`MAX_INTERFACES`].
    left_out: u64,
    history: History,
    /// Number of the last event.
    logged: u64,
}

impl Stage {
    fn new(first_unix_nanos: i64) -> Self {
        let lead = i64::try_from(LEAD.as_nanos()).unwrap_or(i64::MAX);
        let clock = WallClock { origin_unix_nanos: first_unix_nanos.saturating_sub(lead) };
        let now = instant(clock, first_unix_nanos);
        // A bystander's view: nothing can be asked of a file, and nothing in it is too old to be told.
        let settings =
            Settings { passive: true, forget_after: Duration::MAX, max_routers: MAX_ROUTERS, ..Settings::default() };
        let watcher = Watcher::new(now, clock, settings);
        Self {
            watcher,
            clock,
            now,
            interfaces: HashMap::new(),
            left_out: 0,
            history: History::new(MAX_HISTORIES),
            logged: 0,
        }
    }

    fn take(&mut self, frame: MergedFrame) {
        self.history.count(&frame.dissected.seen);
        self.advance(instant(self.clock, frame.unix_nanos));
        let Some(interface) = self.interface(frame.interface) else {
            self.left_out += 1;
            return;
        };
        let vlan = frame.dissected.vlan.filter(|vlan| *vlan != 0);
        // Who captured it is not who is asked: the capturing host's own adverts are a speaker's like any other's.
        let frame = Frame { interface, vlan, kind: PacketKind::Unknown, seen: frame.dissected.seen };
        self.watcher.handle(self.now, &Fact::Frame(frame));
        self.judge(self.now);
    }

    /// Lets everything happen that is due before `until`. Timestamps may lie years apart: such a gap is not walked second by
    /// second to its end.
    fn advance(&mut self, until: Instant) {
        let (mut steps, mut stride) = (0, Duration::ZERO);
        while let Some(due) = self.watcher.poll_timeout().filter(|due| *due <= until && self.now < until) {
            steps += 1;
            if steps == PATIENCE {
                stride = until.since(self.now) / STRIDES;
            }
            self.judge((due.max(self.now) + stride).min(until));
        }
        self.now = self.now.max(until);
    }

    fn judge(&mut self, at: Instant) {
        self.now = at;
        self.watcher.handle_timeout(at);
        while let Some(event) = self.watcher.poll_event() {
            self.logged += 1;
            self.history.take(&Logged { id: self.logged, event, clock: self.clock });
        }
    }

    /// The interface of that name; at its first frame it is presented to the watcher.
    fn interface(&mut self, name: String) -> Option<IfIndex> {
        if let Some(known) = self.interfaces.get(&name) {
            return Some(*known);
        }
        if self.interfaces.len() == MAX_INTERFACES {
            return None;
        }
        let next = IfIndex(self.interfaces.len() as u32 + 1);
        let link = Link { sniffed: true, ..Link::plain(next, &name) };
        self.watcher.handle(self.now, &Fact::Link(link));
        self.interfaces.insert(name, next);
        Some(next)
    }

    fn finish(mut self) -> (AnalyzeDoc, Vec<String>) {
        self.judge(self.now);
        let end = self.watcher.snapshot(self.now);
        let forgotten = self.history.forgotten(&end);
        let (document, mut omissions) = self.history.finish(&end);
        if self.left_out > 0 {
            let left_out = self.left_out;
            omissions
                .push(format!("{left_out} frames are not judged: there are more than {MAX_INTERFACES} interfaces"));
        }
        if forgotten > 0 {
            omissions.push(format!("{forgotten} virtual routers were forgotten to make room for others"));
        }
        (document, omissions)
    }
}

/// The instant of a date; one before the origin is the origin.
fn instant(clock: WallClock, unix_nanos: i64) -> Instant {
    let nanos = i128::from(unix_nanos) - i128::from(clock.origin_unix_nanos);
    Instant::from_nanos(u64::try_from(nanos.max(0)).unwrap_or(u64::MAX))
}
