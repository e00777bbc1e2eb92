//! A capture played to the [`Watcher`]: the capture's clock is the only clock.

use std::collections::{BTreeMap, HashMap};

use crate::detect::{Event, RouterView, Watcher};
use crate::observe::{Fact, Frame, IfIndex, Link, PacketKind, RouterId, Settings};
use crate::time::{Duration, Instant, WallClock};
use crate::web::document::{AnalyzeDoc, AnalyzedDoc, Date, EpisodeDoc, RouterDoc, TransitionDoc};
use crate::wire::Seen;

use super::merge::MergedFrame;

/// Where the first frame lies on the line of instants: later than anything that is reckoned back from it.
const LEAD: Duration = Duration::from_secs(3600);

/// After so many timeouts in one gap between frames, the rest of the gap is walked in at most so many strides.
const PATIENCE: u32 = 2000;
const STRIDES: u32 = 1000;

/// Transitions kept of one router.
const MAX_KEPT: usize = 10_000;

/// Interfaces told apart, over all files.
const MAX_INTERFACES: usize = 1024;

/// Routers followed: a mirror port shows thousands.
const MAX_ROUTERS: usize = 16_384;

/// Routers whose history is kept, those included that had to make room for others.
const MAX_HISTORIES: usize = 2 * MAX_ROUTERS;

/// What the frames amounted to so far.
#[derive(Default)]
pub struct Replay {
    frames: u64,
    adverts: u64,
    rejected: BTreeMap<String, u64>,
    stage: Option<Stage>,
}

impl Replay {
    /// Takes in one frame. One that claims to be earlier than the one before counts at that one's time.
    pub fn take(&mut self, frame: MergedFrame) {
        self.frames += 1;
        let defect = match &frame.dissected.seen {
            Seen::Advert(advert) => {
                self.adverts += u64::from(advert.defect().is_none());
                advert.defect()
            }
            Seen::Rejected(rejected) => Some(rejected.reason),
            _ => None,
        };
        if let Some(reason) = defect {
            *self.rejected.entry(reason.as_str().into()).or_default() += 1;
        }
        self.stage.get_or_insert_with(|| Stage::new(frame.unix_nanos)).take(frame);
    }

    /// Judges at the time of the last frame: the silence behind it is nobody's. With it, what had to be left out.
    pub fn finish(self) -> (AnalyzeDoc, Vec<String>) {
        let (routers, omissions) = self.stage.map(Stage::finish).unwrap_or_default();
        let document = AnalyzeDoc { frames: self.frames, adverts: self.adverts, rejected: self.rejected, routers };
        (document, omissions)
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
    histories: BTreeMap<RouterId, History>,
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
        Self { watcher, clock, now, interfaces: HashMap::new(), left_out: 0, histories: BTreeMap::new() }
    }

    fn take(&mut self, frame: MergedFrame) {
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
            let Some(id) = event.id.clone() else { continue };
            if self.histories.len() < MAX_HISTORIES || self.histories.contains_key(&id) {
                self.histories.entry(id).or_default().take(&event, self.clock);
            }
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

    fn finish(mut self) -> (Vec<AnalyzedDoc>, Vec<String>) {
        self.judge(self.now);
        let snapshot = self.watcher.snapshot(self.now);
        let routers = snapshot.routers.iter().map(|view| self.analyzed(view)).collect();
        let mut omissions = Vec::new();
        if self.left_out > 0 {
            let left_out = self.left_out;
            omissions
                .push(format!("{left_out} frames are not judged: there are more than {MAX_INTERFACES} interfaces"));
        }
        for (table, count) in snapshot.table_full.iter().filter(|(_, count)| *count > 0) {
            omissions.push(format!("the table of {table} was full {count} times: not everything is judged"));
        }
        if !self.histories.is_empty() {
            let forgotten = self.histories.len();
            omissions.push(format!("{forgotten} virtual routers were forgotten to make room for others"));
        }
        (routers, omissions)
    }

    fn analyzed(&mut self, view: &RouterView) -> AnalyzedDoc {
        let RouterView { interface, vlan, family, vrid, .. } = view;
        let id = RouterId { interface: interface.clone(), vlan: *vlan, family: *family, vrid: *vrid };
        let history = self.histories.remove(&id).unwrap_or_default();
        let seconds: Duration = view.episodes.iter().map(|e| e.end.unwrap_or(self.now).since(e.start)).sum();
        AnalyzedDoc {
            router: RouterDoc::from_view(view, self.clock, self.now),
            transitions: history.transitions,
            split_brain_episodes: view.episodes.iter().map(|e| EpisodeDoc::new(e, self.clock)).collect(),
            split_brain_seconds: seconds.as_secs_f64(),
        }
    }
}

/// The instant of a date; one before the origin is the origin.
fn instant(clock: WallClock, unix_nanos: i64) -> Instant {
    let nanos = i128::from(unix_nanos) - i128::from(clock.origin_unix_nanos);
    Instant::from_nanos(u64::try_from(nanos.max(0)).unwrap_or(u64::MAX))
}

/// What happened to one router.
#[derive(Default)]
struct History {
    transitions: Vec<TransitionDoc>,
}

impl History {
    fn take(&mut self, event: &Event, clock: WallClock) {
        if event.kind == "master" && self.transitions.len() < MAX_KEPT {
            let at = Date::new(clock, event.at);
            self.transitions.push(TransitionDoc { at, from: event.from.clone(), to: event.to.clone() });
        }
    }
}
