//! The core and its hands: facts go in, requests are sent, events are logged, snapshots are published.

use std::sync::Arc;

use tokio::sync::{Notify, watch};

use crate::config::Config;
use crate::detect::{Event, Histogram, Snapshot, Verdict, Watcher};
use crate::observe::{Fact, IfIndex, Learned, Request, RouterId, Sensor};
use crate::sys::clock;
use crate::sys::probe::{self, Prober};
use crate::time::{Duration, Instant, WallClock};

use super::blindness::Blindness;
use super::peers::Want;
use super::record::Watched;
use super::rest::Rest;
use super::{LAG_BUCKETS, Shared, View};

/// A snapshot is published at least this often, and at once when a verdict or a master changed.
const PUBLISH_EVERY: Duration = Duration::from_secs(2);
/// Between two snapshots at least: where verdicts change all the time, as under a flood, making snapshots would leave no time
/// for reading the wire.
const PUBLISH_AT_MOST_EVERY: Duration = Duration::from_millis(20);
/// The loop turns at least this often: a freeze between two timers would go unnoticed otherwise.
const TURN_EVERY: Duration = Duration::from_millis(100);
/// A deadline is never nearer than this, so that one which lies in the past can't make the loop spin.
const TURN_AT_MOST_EVERY: Duration = Duration::from_millis(1);
/// Later than this is told to the model: the shortest advert interval there is.
const LATE: Duration = Duration::from_millis(10);
/// A wall clock that moved less than this against ours is jitter, and would make every date tremble.
const CLOCK_MOVED_NANOS: u64 = 100_000_000;
/// Between two looks at whether the learned routers changed.
const KEEP_EVERY: Duration = Duration::from_secs(10);

/// The watcher, with everything that it acts through.
pub(super) struct Core {
    watcher: Watched,
    prober: Prober,
    blindness: Blindness,
    shared: Shared,
    wall: WallClock,
    loop_lag: Histogram<{ LAG_BUCKETS.len() }>,
    reload_ok: bool,
    reloaded_at: Instant,
    published_at: Instant,
    /// Earlier views that somebody still read when they were replaced.
    retired: Vec<Arc<View>>,
    want: watch::Sender<Want>,
    learned: watch::Sender<Vec<Learned>>,
    kept_at: Instant,
    rest: Rest,
    daemons_doubted: Arc<Notify>,
    neighbours_doubted: Arc<Notify>,
}

impl Core {
    /// A core that was just started.
    pub fn new(
        watcher: Watched,
        prober: Prober,
        shared: Shared,
        want: watch::Sender<Want>,
        learned: watch::Sender<Vec<Learned>>,
        rest: Rest,
    ) -> Self {
        let started = shared.identity.started;
        Self {
            watcher,
            prober,
            blindness: Blindness::default(),
            wall: shared.view.load().snapshot.clock,
            shared,
            loop_lag: Histogram::default(),
            reload_ok: true,
            reloaded_at: started,
            published_at: started,
            retired: Vec::new(),
            want,
            learned,
            kept_at: started,
            rest,
            daemons_doubted: Arc::default(),
            neighbours_doubted: Arc::default(),
        }
    }

    /// Notified when it is to be looked at once whether VRRP daemons run here.
    pub fn daemons_doubted(&self) -> Arc<Notify> {
        self.daemons_doubted.clone()
    }

    /// Notified when it is to be looked at once whether the kernel has room for its neighbours.
    pub fn neighbours_doubted(&self) -> Arc<Notify> {
        self.neighbours_doubted.clone()
    }

    /// What it has found out.
    pub fn watcher(&self) -> &Watcher {
        &self.watcher
    }

    /// True if what the further taps see is wanted.
    pub fn needs_taps(&self) -> bool {
        self.watcher.needs_taps()
    }

    /// Takes in one fact, as of `at`.
    pub fn feed(&mut self, at: Instant, fact: &Fact) {
        self.watcher.handle(at, fact);
    }

    /// Takes in an event that is not the watcher's.
    pub fn take_event(&mut self, event: Event) {
        self.watcher.note_event(clock::now(), &event);
        self.tell(event);
    }

    /// Logs an event, and keeps it for readers.
    fn tell(&mut self, event: Event) {
        log(&event);
        self.shared.events.push(event, self.wall);
    }

    /// Takes in what `source` says of a sensor that it may share with others.
    pub fn report(
        &mut self,
        sensor: Sensor,
        interface: Option<IfIndex>,
        source: &'static str,
        says: Result<(), String>,
    ) {
        let Some(state) = self.blindness.note(sensor, interface, source, says) else { return };
        self.feed(clock::now(), &Fact::Sensor { sensor, interface, state });
    }

    /// Forgets what was reported of an interface that is gone or sniffed no more, as the watcher does by itself.
    pub fn forget_reports(&mut self, interface: IfIndex) {
        self.blindness.forget(interface);
    }

    /// When the loop has to turn next, as of `now`; always later than `now`. No rest is longer.
    pub fn next_turn(&self, now: Instant) -> Instant {
        let heartbeat = now + TURN_EVERY;
        let due = self.watcher.poll_timeout().unwrap_or(heartbeat).min(self.publish_at());
        let turn = due.min(heartbeat).max(now + TURN_AT_MOST_EVERY.max(self.rest.shortest()));
        self.rest.end_at(turn);
        turn
    }

    /// Does what is due at `now`; the loop had wanted to turn at `due` at the latest.
    pub fn turn(&mut self, now: Instant, due: Instant) {
        if now >= due {
            let late = now.since(due);
            self.loop_lag.observe(&LAG_BUCKETS, late.as_secs_f64());
            if late > LATE {
                self.feed(now, &Fact::LoopLate(late));
            }
        }
        self.watcher.turn(now);
        if self.rest.heed(self.watcher.is_contested()) {
            self.daemons_doubted.notify_one();
            self.want.send_replace(Want::AtOnce);
        }
        while let Some(request) = self.watcher.poll_request() {
            self.act(&request);
        }
        while let Some(event) = self.watcher.poll_event() {
            self.tell(event);
        }
        if now >= self.publish_at() {
            self.publish(now);
        }
        if now.since(self.kept_at) >= KEEP_EVERY {
            self.kept_at = now;
            self.keep_learned();
        }
    }

    fn act(&mut self, request: &Request) {
        match *request {
            Request::OutputTest { interface, family } => {
                // The kernel drops them for want of room, too.
                self.neighbours_doubted.notify_one();
                match probe::output_blocked(interface, family) {
                    Ok(blocked) => self.feed(clock::now(), &Fact::OutputTest { interface, family, blocked }),
                    Err(error) => tracing::debug!(?interface, ?family, %error, "the output test says nothing"),
                }
            }
            // Both families are looked at: it costs nothing more, and this happens once for each time that a tap lacks adverts.
            Request::Daemon { .. } => self.daemons_doubted.notify_one(),
            Request::Arp { interface, .. } | Request::Neighbour { interface, .. } | Request::Echo { interface, .. } => {
                let sent = self.prober.send(request).map_err(|error| format!("a probe can't be sent: {error}"));
                self.report(Sensor::Arp, Some(interface), "probe", sent);
            }
        }
    }

    /// When the next snapshot is due.
    fn publish_at(&self) -> Instant {
        self.published_at + if self.watcher.is_urgent() { PUBLISH_AT_MOST_EVERY } else { PUBLISH_EVERY }
    }

    fn publish(&mut self, now: Instant) {
        self.published_at = now;
        let wall = clock::wall();
        if wall.origin_unix_nanos.abs_diff(self.wall.origin_unix_nanos) > CLOCK_MOVED_NANOS {
            self.wall = wall;
            self.watcher.set_clock(now, wall);
        }
        let view = View {
            loop_lag: self.loop_lag,
            reload_ok: self.reload_ok,
            reloaded_at: self.reloaded_at,
            ..View::first(self.watcher.snapshot(now))
        };
        let want = match (self.watcher.is_contested(), view.snapshot.is_settled()) {
            (true, _) => Want::AtOnce,
            (false, false) => Want::Much,
            (false, true) => Want::Little,
        };
        let before = self.shared.view.swap(Arc::new(view));
        self.want.send_if_modified(|known| std::mem::replace(known, want) != want);
        self.retire(before);
    }

    /// Keeps a view until nobody else has it, so that it is freed by the thread that made it: the allocator locks what each thread has
    /// made, and a reader that was interrupted while it frees what is the core's would keep the core waiting.
    fn retire(&mut self, view: Arc<View>) {
        self.retired.push(view);
        self.retired.retain(|view| Arc::strong_count(view) > 1);
    }

    /// Publishes what is known at `now`, if the last snapshot is not as good as new.
    pub fn refresh(&mut self, now: Instant) {
        if now.since(self.published_at) >= PUBLISH_AT_MOST_EVERY {
            self.watcher.judge(now);
            self.publish(now);
        }
    }

    /// Hands the learned routers to the edge, if they changed.
    pub fn keep_learned(&mut self) {
        let learned = self.watcher.learned();
        self.learned.send_if_modified(|kept| {
            let is_new = !same_but_for_the_hour(kept, &learned);
            if is_new {
                *kept = learned;
            }
            is_new
        });
    }

    /// Records no more: nothing follows.
    pub fn end_recording(&mut self) {
        self.watcher.end_recording();
    }

    /// Takes a new configuration. The node keeps its name: others know it by it.
    pub fn reconfigure(&mut self, now: Instant, config: &Config) {
        let node = self.shared.identity.node.clone();
        self.rest.follow(config);
        self.watcher.reconfigure(now, crate::observe::Settings { node, ..config.settings() });
        self.reload_ok = true;
        self.reloaded_at = now;
        self.publish(now);
    }

    /// Notes that a configuration was refused; the running one stays.
    pub fn refuse_configuration(&mut self, now: Instant) {
        self.reload_ok = false;
        self.publish(now);
    }

    /// Forgets a learned router.
    ///
    /// # Errors
    /// There is none such, or it is configured.
    pub fn forget(&mut self, now: Instant, router: &RouterId) -> Result<String, String> {
        if !self.watcher.forget(now, router) {
            return Err("this is no learned router: a configured one is removed from the configuration".into());
        }
        self.publish(now);
        self.keep_learned();
        Ok("forgotten; it is learned again if it still advertises".into())
    }
}

impl View {
    /// The view of a core that has no history yet.
    pub(super) fn first(snapshot: Snapshot) -> Self {
        let now = snapshot.at;
        Self { snapshot, loop_lag: Histogram::default(), last_turn: now, reload_ok: true, reloaded_at: now }
    }
}

/// Every advert moves a router's last sighting; writing that down more than once an hour would wear the disk for nothing.
fn same_but_for_the_hour(a: &[Learned], b: &[Learned]) -> bool {
    let coarse = |l: &Learned| Learned { last_seen_unix: l.last_seen_unix.div_euclid(3600), ..l.clone() };
    a.iter().map(coarse).eq(b.iter().map(coarse))
}

fn log(event: &Event) {
    let Event { router, reason, .. } = event;
    let kind = &*event.kind;
    let (from, to) = (event.from.as_deref().unwrap_or("-"), event.to.as_deref().unwrap_or("-"));
    let causes: Vec<&str> = event.causes.iter().map(|cause| cause.as_str()).collect();
    let causes = causes.join(",");
    let is_bad = [Verdict::SplitBrain, Verdict::NoMaster].iter().any(|bad| to == bad.as_str());
    match kind {
        "verdict" if is_bad => tracing::error!(kind, %router, from, to, causes, "{reason}"),
        "alarm" => tracing::warn!(kind, %router, "{reason}"),
        "sensor" | "peer" if to == "down" => tracing::warn!(kind, from, to, "{reason}"),
        _ if router.is_empty() => tracing::info!(kind, from, to, "{reason}"),
        _ => tracing::info!(kind, %router, from, to, causes, "{reason}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn learned_routers_are_written_when_they_change_and_else_once_an_hour() {
        let seen = |vrid, last_seen_unix| Learned {
            interface: "eth0".into(),
            vlan: None,
            family: "ipv4".into(),
            vrid,
            version: 2,
            interval_ms: 1000,
            addresses: Vec::new(),
            last_seen_unix,
        };
        assert!(same_but_for_the_hour(&[seen(1, 7200)], &[seen(1, 7201)]));
        assert!(!same_but_for_the_hour(&[seen(1, 7199)], &[seen(1, 7200)]));
        assert!(!same_but_for_the_hour(&[seen(1, 7200)], &[seen(2, 7200)]));
        assert!(!same_but_for_the_hour(&[seen(1, 7200)], &[]));
    }
}
