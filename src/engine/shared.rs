//! What the core thread and the edge thread share: the snapshot by swap, the event log, and a queue of commands.

use std::borrow::Cow;
use std::collections::{BTreeMap, VecDeque};
use std::sync::mpsc::{Receiver, Sender};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use arc_swap::{ArcSwap, ArcSwapOption};
use tokio::sync::{mpsc, oneshot, watch};
use tokio::time::timeout;

use super::peers::seal::Seal;

use crate::detect::{Event, Histogram, SensorView, Snapshot, Verdict};
use crate::observe::{RouterId, Sensor};
use crate::time::{Duration, Instant, WallClock};

/// Everything the edge may read. Cloning shares it.
#[derive(Clone, Debug)]
pub struct Shared {
    /// Who and what this process is.
    pub identity: Arc<Identity>,
    /// The newest snapshot, and what the loop says of itself.
    pub view: Arc<ArcSwap<View>>,
    /// What happened.
    pub events: Arc<EventLog>,
    /// The operator's hand.
    pub commands: mpsc::Sender<Command>,
    /// When the certificate that is served expires, in Unix seconds; the servers say so.
    pub certificate_expires: Arc<ArcSwapOption<i64>>,
    /// What reports to peers are signed with, if there is a key.
    pub seal: Arc<ArcSwap<Option<Seal>>>,
}

/// How long a reader waits for a snapshot of the very moment before it takes the last one.
const REFRESH_MAX: Duration = Duration::from_millis(250);

impl Shared {
    /// Waits, not for long, until the snapshot is one of this moment. How old it is says it itself.
    pub async fn refresh(&self) {
        let (done, is_done) = oneshot::channel();
        if self.commands.try_send(Command::Refresh(done)).is_ok() {
            // A loop that is late or dead leaves the last snapshot, with its age.
            let _ = timeout(REFRESH_MAX, is_done).await;
        }
    }
}

/// Who this process is; fixed for its life but for the name, which a reload does not change.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Identity {
    /// Node name.
    pub node: String,
    /// Crate version.
    pub version: &'static str,
    /// Source revision, or `unknown`.
    pub revision: &'static str,
    /// Random for each start, 32 hex digits.
    pub boot_id: String,
    /// When it started.
    pub started: Instant,
}

/// A snapshot with the daemon's own condition.
#[derive(Clone, Debug)]
pub struct View {
    /// The core's view.
    pub snapshot: Snapshot,
    /// How late the loop's timers ran, in seconds.
    pub loop_lag: Histogram<8>,
    /// When the loop last turned: the edge calls it dead if this is old.
    pub last_turn: Instant,
    /// The last reload: whether it was taken.
    pub reload_ok: bool,
    /// When a configuration was last taken.
    pub reloaded_at: Instant,
}

/// The loop turns at least once a second; one that has not turned for so long is dead.
pub const LOOP_DEADLINE: Duration = Duration::from_secs(5);

impl View {
    /// True while the loop turns.
    pub fn is_alive(&self, now: Instant) -> bool {
        now.since(self.last_turn) <= LOOP_DEADLINE
    }

    /// The snapshot as far as it can be believed at `now`. When the loop is dead its last word stands for nothing that
    /// works: the loop's sensor is blind, and what was healthy or degraded is unknown.
    pub fn believable(&self, now: Instant) -> Cow<'_, Snapshot> {
        if self.is_alive(now) {
            return Cow::Borrowed(&self.snapshot);
        }
        let mut snapshot = self.snapshot.clone();
        snapshot.sensors.retain(|s| s.sensor != Sensor::Loop);
        snapshot.sensors.push(SensorView {
            sensor: Sensor::Loop,
            interface: String::new(),
            state: Err(format!(
                "the event loop has not turned for {} s: everything shown is that old; restart vipwarden",
                now.since(self.last_turn).as_secs()
            )),
            since: self.last_turn,
        });
        for router in &mut snapshot.routers {
            if matches!(router.verdict, Verdict::Healthy | Verdict::Degraded) {
                let router = Arc::make_mut(router);
                (router.verdict, router.since) = (Verdict::Unknown, self.last_turn);
            }
        }
        Cow::Owned(snapshot)
    }
}

/// Upper bounds of [`View::loop_lag`], in seconds.
pub const LAG_BUCKETS: [f64; 8] = [0.0001, 0.0005, 0.001, 0.005, 0.01, 0.05, 0.25, 1.0];

/// What the operator asks of the loop; the answer comes back in words.
#[derive(Debug)]
pub enum Command {
    /// Read the configuration again.
    Reload(oneshot::Sender<Result<String, String>>),
    /// Publish a snapshot of this very moment.
    Refresh(oneshot::Sender<()>),
    /// Drop a learned router.
    Forget(RouterId, oneshot::Sender<Result<String, String>>),
    /// Do something with a router that speaks.
    Speaker {
        /// Its name.
        router: String,
        /// What to do.
        act: Act,
        /// The result.
        answer: oneshot::Sender<Result<String, String>>,
    },
}

/// What an operator does with a router that speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Act {
    /// Give mastership away once.
    HandOver,
    /// Drop the addresses and stay out, over restarts too.
    Fence {
        /// Even if nobody is known to take over.
        force: bool,
    },
    /// Come back.
    Unfence,
}

/// An event with its number.
#[derive(Clone, Debug, PartialEq)]
pub struct Logged {
    /// Grows by one an event from 1.
    pub id: u64,
    /// What happened.
    pub event: Event,
    /// Its date is told by this one: a clock that is set later doesn't move what has been.
    pub clock: WallClock,
}

/// A bounded log of events that can be awaited. Who appends waits for no reader.
#[derive(Debug)]
pub struct EventLog {
    ring: Mutex<Ring>,
    incoming: Sender<(Event, WallClock)>,
    newest: watch::Sender<u64>,
}

#[derive(Debug)]
struct Ring {
    events: VecDeque<Arc<Logged>>,
    /// How many there are of each router; `None` is the node's own.
    shares: BTreeMap<Option<RouterId>, usize>,
    /// The newest that is lost.
    lost: u64,
    next: u64,
    capacity: usize,
    /// What was appended since somebody last had the ring.
    incoming: Receiver<(Event, WallClock)>,
}

impl Ring {
    /// Takes in what was appended.
    fn collect(&mut self) {
        while let Ok((event, clock)) = self.incoming.try_recv() {
            if self.events.len() == self.capacity {
                self.make_room();
            }
            *self.shares.entry(event.id.clone()).or_default() += 1;
            self.events.push_back(Arc::new(Logged { id: self.next, event, clock }));
            self.next += 1;
        }
    }

    /// Drops the oldest event of whom there are most: a stranger makes up routers and has them flap, and drives out none but their own.
    fn make_room(&mut self) {
        let Some((most, share)) = self.shares.iter_mut().max_by_key(|(_, share)| **share) else { return };
        *share -= 1;
        let (most, is_over) = (most.clone(), *share == 0);
        let oldest = self.events.iter().position(|logged| logged.event.id == most);
        self.lost = oldest.and_then(|i| self.events.remove(i)).map_or(self.lost, |gone| self.lost.max(gone.id));
        if is_over {
            self.shares.remove(&most);
        }
    }
}

impl EventLog {
    /// A log that keeps `capacity` events: the newest of each router, as many of one as of another.
    pub fn new(capacity: usize) -> Self {
        let (sender, incoming) = std::sync::mpsc::channel();
        let ring = Ring {
            events: VecDeque::with_capacity(capacity.min(1024)),
            shares: BTreeMap::new(),
            lost: 0,
            next: 1,
            capacity,
            incoming,
        };
        Self { ring: Mutex::new(ring), incoming: sender, newest: watch::Sender::new(0) }
    }

    fn ring(&self) -> MutexGuard<'_, Ring> {
        self.ring.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Appends an event, dated by `clock`, and wakes those who wait. A reader that has the ring just now collects it, or the next
    /// event does.
    pub fn push(&self, event: Event, clock: WallClock) {
        // The receiver lives in the ring, as long as this does.
        let _ = self.incoming.send((event, clock));
        if let Ok(mut ring) = self.ring.try_lock() {
            ring.collect();
        }
        self.newest.send_modify(|newest| *newest += 1);
    }

    /// Events with a number above `after`, oldest first, and whether some in between were lost from the ring.
    pub fn after(&self, after: u64) -> (Vec<Arc<Logged>>, bool) {
        let mut ring = self.ring();
        ring.collect();
        let lost = after < ring.lost;
        let known = ring.events.partition_point(|event| event.id <= after);
        (ring.events.range(known..).cloned().collect(), lost)
    }

    /// A receiver that changes with each new event.
    pub fn subscribe(&self) -> watch::Receiver<u64> {
        self.newest.subscribe()
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::wire::Family;

    /// Something that happened to the node, for no more than this reason.
    pub fn event(reason: &str) -> Event {
        Event {
            at: Instant::ZERO,
            router: String::new(),
            vip: None,
            id: None,
            kind: "config".into(),
            from: None,
            to: None,
            reason: reason.into(),
            causes: Vec::new(),
            evidence: Vec::new(),
        }
    }

    #[test]
    fn a_reader_gets_what_follows_its_number_and_hears_of_what_the_ring_lost() {
        let log = EventLog::new(2);
        for reason in ["one", "two", "three"] {
            log.push(event(reason), WallClock::default());
        }
        let ids = |after| {
            let (events, lost) = log.after(after);
            (events.iter().map(|e| e.id).collect::<Vec<_>>(), lost)
        };
        assert_eq!(ids(0), (vec![2, 3], true));
        assert_eq!(ids(1), (vec![2, 3], false));
        assert_eq!(ids(3), (vec![], false));
        assert_eq!(ids(u64::MAX), (vec![], false), "a number that no log ever reaches");
    }

    #[test]
    fn routers_that_are_made_up_drive_out_no_others_events() {
        let log = EventLog::new(20);
        let of = |vrid, reason: &str| {
            let id = RouterId { interface: "eth0".into(), vlan: None, family: Family::V4, vrid };
            Event { id: Some(id), ..event(reason) }
        };
        log.push(event("the node's own"), WallClock::default());
        log.push(of(51, "the pair's"), WallClock::default());
        for vrid in (1..=5).cycle().take(1000) {
            log.push(of(vrid, "made up"), WallClock::default());
        }
        log.push(of(51, "the pair's newest"), WallClock::default());
        let (events, lost) = log.after(0);
        let told: Vec<&str> = events.iter().map(|logged| logged.event.reason.as_str()).collect();
        assert_eq!((told.len(), lost), (20, true));
        assert_eq!((told[0], told[1], told[19]), ("the node's own", "the pair's", "the pair's newest"));
        assert!(events.is_sorted_by_key(|logged| logged.id), "numbers grow");
        assert!(!log.after(1001).1 && log.after(900).1, "what was lost is told by its number");
    }

    #[test]
    fn who_appends_waits_for_no_reader_and_what_came_meanwhile_is_there_afterwards() {
        let log = EventLog::new(2);
        log.push(event("before"), WallClock::default());
        let reading = log.ring();
        for reason in ["first", "second", "third"] {
            log.push(event(reason), WallClock::default());
        }
        assert_eq!(*log.subscribe().borrow(), 4);
        drop(reading);
        let (events, lost) = log.after(1);
        let told: Vec<_> = events.iter().map(|logged| (logged.id, logged.event.reason.as_str())).collect();
        assert_eq!((told, lost), (vec![(3, "second"), (4, "third")], true));
    }

    #[test]
    fn an_event_keeps_its_date_when_the_clock_is_set_later() {
        let log = EventLog::new(2);
        let clocks = [0, 3600].map(|seconds| WallClock { origin_unix_nanos: seconds * 1_000_000_000 });
        clocks.into_iter().for_each(|clock| log.push(event("dated"), clock));
        assert_eq!(log.after(0).0.iter().map(|e| e.clock).collect::<Vec<_>>(), clocks);
    }
}
