//! The checkers: what must be true at every moment, and what must be true again once nothing goes wrong any more.
//!
//! Safety, at every moment:
//! - `advert`: no advert above 0 leaves a host that does not hold the address, and no farewell one that does — unless it is the owner,
//!   which must not answer then, or somebody else took the address away or put it there.
//! - `overlap`: two nodes answer at a time only as long as fencing can't know better. Where both have heard all adverts of each
//!   other for more than a takeover, for the time that an advert and its answer take; for an interval and the proof of life more where
//!   they begin to hear each other only now, or one of them has a third one to answer. While one does not hear the other it is
//!   undecidable, and not judged. Without a gate a stopped or killed holder answers on, and is not judged either. Where the kernel passes
//!   over the adverts of the other one, for it speaks another version, or in version 2 has another authentication or interval, the
//!   guard has to act, in a master-down interval and one more, from when on nothing has disturbed the two.
//! - `lease`: with an arbiter no two nodes answer at one time, ever; nor are two gates' leases open at one time. `unleased`:
//!   nobody becomes master without one.
//! - `order`: no address is released before the gate is closed.
//! - `deaf`: nobody takes over out of silence whose socket holds an advert of the silent one that is younger than three intervals.
//! - `empties`: a guard drops addresses only while, or right after, another node of its component answers for them.
//! - `told`: two who can tell each other over the second channel that both hold don't go on for longer than the fence wants to be
//!   sure; `yields`: nor does a master with `informed_yield` that hears a lower one which does not hear it.
//! - `isolation`: with a witness, who reaches nobody falls silent after the isolation time, and nobody drops for that who reaches
//!   anyone.
//! - `flapping`: no guard drops twice within its hold-down.
//!
//! The watcher: `verdict`. It is *true* if, whenever what a node could see of the others has been the same for a while ([`lag`]),
//! nothing was lost on its paths meanwhile, and everyone's kernel does what its daemon believes, the verdict is one of those that
//! fit: none holds: `no_master`; one: `healthy`, or `degraded` where it is silent or a firewall drops; several: `split_brain`.
//! `unknown` is always true. In a run without faults it never says `split_brain` or `no_master` (`silence`).
//!
//! Liveness, at the end: `one`. Two master-down intervals after the last fault, exactly one node of each component answers, and
//! it remains the same to the end; where a guard has dropped addresses, its hold-down and one more come on top.

mod spans;

use std::net::IpAddr;

use crate::detect::Verdict;
use crate::time::{Duration, Instant};
use crate::vrrp::{OWNER, Settings, State};
use crate::wire::Version;

use super::gate::PROOF_OF_LIFE;
use super::journal::{Journal, Kind};
use super::kernel::Kernel;
use super::network::{Network, longest_delay};
use super::spec::{Fault, Hazards, MAX_NODES, Nodes, Spec};
use super::world::Node;

pub use spans::Spans;

/// A report that somebody holds keeps a fenced one out for three seconds, and may be a second old.
const HEARSAY: Duration = Duration::from_secs(4);
/// What kernels and processes may take beyond what the network takes.
const SLACK: Duration = Duration::from_millis(2);
/// Violations of one rule that a report has.
const SAME_RULE_MAX: usize = 3;
/// Between two rounds of a watcher's probes; and how old a report is at most by which a guard decides.
const PROBE: Duration = Duration::from_secs(1);

/// How long two go on who tell each other that both hold: ranks are steady for three seconds, a report is a second old at most, and
/// two of them are needed.
const TOLD: Duration = Duration::from_secs(6);
/// Within this each process has reached the witness once.
const REACHED: Duration = Duration::from_secs(1);

/// A broken rule.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Violation {
    /// When.
    pub at: Duration,
    /// Its name, as in the room's documentation.
    pub rule: &'static str,
    /// In words.
    pub text: String,
}

/// What the checkers know of the specification.
#[derive(Clone, Copy, Debug)]
struct Bounds {
    nodes: usize,
    gate: bool,
    arbiter: bool,
    interval: Duration,
    /// The shortest one, which is a little shorter by another node's clock.
    shortest: Duration,
    delay: Duration,
    master_down: Duration,
    hold_down: Duration,
    /// How old what a guard decides by may be, beyond an advert's way: an answer to a probe, or a peer's report.
    hearsay: Duration,
    calm: Instant,
    settled: Instant,
    faultless: bool,
    reports: bool,
    informed_yield: u32,
    /// How long an isolated node may answer, if it has to stop.
    isolation: Option<Duration>,
    lag: Duration,
}

/// All checkers of a run.
#[derive(Debug)]
pub(super) struct Checks {
    bounds: Bounds,
    pub violations: Vec<Violation>,
    holders: Nodes,
    changed_at: Instant,
    /// Since when both of a pair answer, as far as it was not judged yet.
    both: [[Option<Instant>; MAX_NODES]; MAX_NODES],
    /// Whose adverts the kernels of a pair heed: those that differ in version, or in version 2 in authentication or interval, they pass
    /// over.
    heeds: [[bool; MAX_NODES]; MAX_NODES],
    owners: Nodes,
    /// When each last advertised that it is master.
    advertised: [Option<Instant>; MAX_NODES],
    /// When each last answered, and last dropped.
    answered: [Option<Instant>; MAX_NODES],
    dropped: [Option<Instant>; MAX_NODES],
    /// What each is worth in an election.
    ranks: [(u8, usize); MAX_NODES],
    /// Since when each process runs without a pause and with the same cable, and since when nothing has changed about it and its ways to the others.
    running: [Instant; MAX_NODES],
    undisturbed: [Instant; MAX_NODES],
    /// Those that are cut from the second channel.
    muted: Nodes,
    /// Since when each is isolated.
    isolated: [Option<Instant>; MAX_NODES],
    /// Since when what a watcher can see is what it is.
    steady: [Instant; MAX_NODES],
    views: [(Nodes, Nodes, bool); MAX_NODES],
    states: [State; MAX_NODES],
    /// The time that each answered, that several did, that none did; and the longest times of these.
    pub spans: Spans,
}

impl Checks {
    pub fn new(spec: &Spec) -> Self {
        let interval = spec.nodes.iter().map(|node| node.settings.advert_interval).max().unwrap_or_default();
        let shortest = spec.nodes.iter().map(|node| node.settings.advert_interval).min().unwrap_or_default();
        let changed = spec.faults.iter().filter_map(|mishap| match &mishap.fault {
            Fault::Weather(weather) => Some(longest_delay(weather)),
            _ => None,
        });
        let delay = changed.chain([longest_delay(&spec.weather)]).max().unwrap_or_default();
        let master_down = interval * 4;
        let calm = Instant::ZERO + spec.calm_from;
        let bounds = Bounds {
            nodes: spec.nodes.len(),
            gate: spec.gate,
            arbiter: spec.arbiter.is_some(),
            interval,
            shortest: shortest - shortest / 1000,
            delay,
            master_down,
            hold_down: spec.policy.hold_down,
            hearsay: if spec.reports || spec.watch { PROBE } else { Duration::ZERO },
            calm,
            settled: calm
                + master_down * 2
                + interval
                + spec.arbiter.unwrap_or_default() * 3
                + if spec.reports { HEARSAY } else { Duration::ZERO }
                + Duration::from_millis(200),
            reports: spec.reports && spec.arbiter.is_none(),
            informed_yield: spec.policy.informed_yield,
            isolation: (spec.witness && spec.policy.on_isolation).then(|| spec.policy.isolation_time + REACHED),
            faultless: spec.faults.is_empty() && spec.hazards == Hazards::NONE,
            lag: lag(interval),
        };
        Self {
            bounds,
            violations: Vec::new(),
            holders: Nodes::default(),
            changed_at: Instant::ZERO,
            both: Default::default(),
            heeds: heeds(spec),
            owners: owners(spec),
            advertised: [None; MAX_NODES],
            answered: [None; MAX_NODES],
            dropped: [None; MAX_NODES],
            ranks: std::array::from_fn(|node| (spec.nodes.get(node).map_or(0, |told| told.settings.priority), node)),
            running: [Instant::ZERO; MAX_NODES],
            undisturbed: [Instant::ZERO; MAX_NODES],
            muted: Nodes::default(),
            isolated: [None; MAX_NODES],
            steady: [Instant::ZERO; MAX_NODES],
            views: Default::default(),
            states: [State::Init; MAX_NODES],
            spans: Spans::default(),
        }
    }

    fn blame(&mut self, now: Instant, rule: &'static str, journal: &mut Journal, text: String) {
        journal.note(now, None, Kind::Violation, self.holders, || format!("{rule}: {text}"));
        // A few are enough to look into; a broken world breaks more every millisecond.
        if self.violations.iter().filter(|violation| violation.rule == rule).count() < SAME_RULE_MAX {
            self.violations.push(Violation { at: now.since(Instant::ZERO), rule, text });
        }
    }

    // ---- safety ---------------------------------------------------------------------------------------------------

    /// An advert leaves.
    pub fn on_advert(
        &mut self,
        now: Instant,
        node: usize,
        priority: u8,
        kernel: &Kernel,
        journal: &mut Journal,
        holders: Nodes,
    ) {
        // An owner keeps its addresses, and is silent by its gate alone.
        let holds = if self.owners.has(node) { holders.has(node) } else { kernel.address };
        if priority > 0 {
            self.advertised[node] = Some(now);
        }
        if priority == OWNER || kernel.tampered || holds == (priority > 0) {
            return;
        }
        let what = if priority > 0 { "advertises without holding the address" } else { "says farewell and holds it" };
        self.blame(now, "advert", journal, format!("node {node} {what}"));
    }

    /// A process releases the addresses.
    pub fn on_release(&mut self, now: Instant, node: usize, answers: bool, journal: &mut Journal) {
        if answers && self.bounds.gate {
            self.blame(now, "order", journal, format!("node {node} releases the address before its gate is closed"));
        }
    }

    /// A backup became master because `silent` was silent, whose last advert had come in so long `ago`.
    pub fn on_takeover(&mut self, now: Instant, node: usize, silent: IpAddr, ago: Duration, journal: &mut Journal) {
        if ago < self.bounds.shortest * 3 {
            let text = format!("node {node} takes over from {silent}, whose last advert came in {ago:?} before");
            self.blame(now, "deaf", journal, text);
        }
    }

    /// A router is master without a lease.
    pub fn on_unleased(&mut self, now: Instant, node: usize, journal: &mut Journal) {
        self.blame(now, "unleased", journal, format!("node {node} is master without a lease"));
    }

    /// A lease's element was opened or refreshed: no other one may be open.
    pub fn on_lease(&mut self, now: Instant, node: usize, nodes: &[Node], journal: &mut Journal) {
        let has_lease = |node: usize| {
            let kernel = &nodes[node].kernel;
            kernel.is_powered() && kernel.gate.as_ref().is_some_and(|gate| gate.has_lease(kernel.clock.local(now)))
        };
        if !has_lease(node) {
            return;
        }
        if let Some(other) = (0..nodes.len()).find(|other| *other != node && has_lease(*other)) {
            self.blame(now, "lease", journal, format!("the leases of nodes {node} and {other} are open at one time"));
        }
    }

    /// Who answers has changed.
    pub fn on_holders(
        &mut self,
        now: Instant,
        nodes: &[Node],
        network: &Network,
        holders: Nodes,
        journal: &mut Journal,
    ) {
        self.judge_overlaps(now, nodes, network, holders, journal);
        self.spans.take(now, self.holders);
        for node in 0..self.bounds.nodes {
            if self.holders.has(node) || holders.has(node) {
                self.answered[node] = Some(now);
            }
        }
        if self.holders != holders {
            self.changed_at = now;
        }
        self.holders = holders;
        for a in holders.iter() {
            for b in holders.iter().filter(|b| a < *b) {
                self.both[a][b].get_or_insert(now);
            }
        }
    }

    /// Something goes wrong, or is over: what has been so far is judged by what was so far.
    pub fn on_fault(&mut self, now: Instant, nodes: &[Node], network: &Network, holders: Nodes, journal: &mut Journal) {
        self.on_holders(now, nodes, network, holders, journal);
    }

    fn judge_overlaps(
        &mut self,
        now: Instant,
        nodes: &[Node],
        network: &Network,
        holders: Nodes,
        journal: &mut Journal,
    ) {
        for a in 0..self.bounds.nodes {
            for b in a + 1..self.bounds.nodes {
                let Some(since) = self.both[a][b] else { continue };
                self.judge_overlap(now, (a, b), since, nodes, network, journal);
                if !(holders.has(a) && holders.has(b)) {
                    self.both[a][b] = None;
                }
            }
        }
    }

    fn judge_overlap(
        &mut self,
        now: Instant,
        (a, b): (usize, usize),
        since: Instant,
        nodes: &[Node],
        network: &Network,
        journal: &mut Journal,
    ) {
        let Bounds { gate, arbiter, interval, delay, master_down, .. } = self.bounds;
        if arbiter {
            self.both[a][b] = Some(now);
            let text = format!("nodes {a} and {b} both answered for {:?}", now.since(since));
            return self.blame(now, "lease", journal, text);
        }
        let both_run = nodes[a].runs() && nodes[b].runs();
        if both_run {
            self.judge_knowing(now, (a, b), since, network, journal);
        }
        let Some(audible) = network.audible_since(a, b) else { return };
        if !(gate || both_run) {
            return;
        }
        // A guard begins anew where ranks change or it stood still.
        let undisturbed = self.undisturbed[a].max(self.undisturbed[b]);
        let begin = since.max(audible).max(if self.heeds[a][b] { Instant::ZERO } else { undisturbed });
        let length = now.since(begin);
        // The worse one may be the newcomer: its advert has to be answered.
        let election = delay * 2 + SLACK;
        let is_old = since.since(audible) > master_down + interval;
        // Who has just answered a third one answers again with its next advert.
        let third =
            |node: usize| node != a && node != b && self.advertised[node].is_some_and(|at| at + interval >= begin);
        let is_heard = is_old && !(0..self.bounds.nodes).any(third);
        let allowed = match (gate && self.heeds[a][b], is_heard) {
            (true, true) => election,
            (true, false) => interval + interval / 16 + PROOF_OF_LIFE + election,
            // User space has to act, which pauses and netlink put off.
            (false, _) => master_down + interval,
        };
        if length > allowed {
            // The rest of it is judged for itself.
            self.both[a][b] = Some(now);
            let text = format!("nodes {a} and {b} both answered for {length:?}, {allowed:?} is what an election takes");
            self.blame(now, "overlap", journal, text);
        }
    }

    /// Two who both answer and run, and who know of each other in another way than by each other's adverts.
    fn judge_knowing(
        &mut self,
        now: Instant,
        (a, b): (usize, usize),
        since: Instant,
        network: &Network,
        journal: &mut Journal,
    ) {
        let Bounds { interval, delay, reports, informed_yield, .. } = self.bounds;
        let since = since.max(self.undisturbed[a]).max(self.undisturbed[b]);
        let (better, lower) = if self.ranks[a] > self.ranks[b] { (a, b) } else { (b, a) };
        let heard = network.heard_since(lower, better).filter(|_| informed_yield > 0);
        let yields = heard.map(|heard| ("yields", since.max(heard), interval * (informed_yield + 4) + delay + SLACK));
        let told = (reports && !self.muted.has(a) && !self.muted.has(b)).then(|| ("told", since, TOLD + interval * 4));
        for (rule, since, allowed) in [yields, told].into_iter().flatten() {
            let length = now.since(since);
            if length > allowed {
                self.both[a][b] = Some(now);
                let text =
                    format!("nodes {a} and {b} both answered for {length:?}, and knew it: {allowed:?} is allowed");
                self.blame(now, rule, journal, text);
            }
        }
    }

    /// A node is cut from everybody and the witness, or is so no more.
    pub fn on_isolation(
        &mut self,
        now: Instant,
        node: usize,
        is_isolated: bool,
        nodes: &[Node],
        holders: Nodes,
        journal: &mut Journal,
    ) {
        let since = self.isolated[node];
        self.isolated[node] = is_isolated.then(|| since.unwrap_or(now));
        let Some(limit) = self.bounds.isolation else { return };
        // Who has not reached the witness before knows of none.
        let Some(since) = since.filter(|since| self.running[node] + REACHED <= *since) else { return };
        if now.since(since) > limit && nodes[node].runs() && holders.has(node) {
            let text = format!("node {node} has reached nobody for {:?}, and answers", now.since(since));
            self.blame(now, "isolation", journal, text);
        }
    }

    /// A guard drops because it reaches nobody.
    pub fn on_isolated(&mut self, now: Instant, node: usize, reaches: bool, journal: &mut Journal) {
        let is_new = now.since(self.undisturbed[node]) < PROBE;
        if reaches && !is_new {
            self.blame(now, "isolation", journal, format!("node {node} drops as if it were alone, and reaches others"));
        }
    }

    /// What a node is worth changes.
    pub const fn on_rank(&mut self, node: usize, priority: u8) {
        self.ranks[node] = (priority, node);
    }

    /// A node is cut from the second channel, or is so no more.
    pub const fn on_mute(&mut self, node: usize, is_muted: bool) {
        self.muted.set(node, is_muted);
    }

    /// Something changes about this node, or its ways to the others.
    pub fn on_disturbance(&mut self, now: Instant, node: usize) {
        self.undisturbed[node] = now;
    }

    /// A guard drops.
    pub fn on_drop(&mut self, now: Instant, node: usize, nodes: &[Node], holders: Nodes, journal: &mut Journal) {
        let Bounds { master_down, hold_down, delay, hearsay, .. } = self.bounds;
        let age = delay + SLACK + hearsay;
        let recently = |other: usize| holders.has(other) || self.answered[other].is_some_and(|at| now.since(at) <= age);
        let is_stale = now.since(self.steady[node]) < master_down;
        if !is_stale && !(0..nodes.len()).any(|other| other != node && recently(other)) {
            self.blame(now, "empties", journal, format!("node {node} drops, and nobody else answers"));
        }
        let before = self.dropped[node].replace(now);
        if before.is_some_and(|before| now.since(before) + hold_down / 50 < hold_down) {
            self.blame(now, "flapping", journal, format!("node {node} drops again within its hold-down"));
        }
    }

    /// A router is in another state.
    pub fn on_state(&mut self, _: Instant, node: usize, to: State) {
        self.states[node] = to;
    }

    /// A process goes on after a pause: what it says is old.
    pub fn on_resume(&mut self, now: Instant, node: usize) {
        self.steady[node] = now;
        (self.running[node], self.undisturbed[node]) = (now, now);
    }

    /// A cable is pulled or plugged: from then on others may be reached, or not.
    pub fn on_carrier(&mut self, now: Instant, node: usize) {
        self.running[node] = now;
    }

    /// A process starts, and knows nothing of an earlier life's fences.
    pub fn on_start(&mut self, now: Instant, node: usize) {
        self.steady[node] = now;
        (self.running[node], self.undisturbed[node]) = (now, now);
        self.dropped[node] = None;
        self.states[node] = State::Init;
    }

    // ---- the watcher ----------------------------------------------------------------------------------------------

    /// A process has done a step, and its watcher may have judged.
    pub fn on_turn(
        &mut self,
        now: Instant,
        node: usize,
        nodes: &[Node],
        network: &Network,
        holders: Nodes,
        journal: &mut Journal,
    ) {
        let Some(watch) = nodes[node].process.as_ref().and_then(|process| process.watch.as_ref()) else { return };
        let (verdict, _) = watch.verdict;
        if self.bounds.faultless && matches!(verdict, Verdict::SplitBrain | Verdict::NoMaster) {
            return self.blame(now, "silence", journal, format!("node {node} says {}", verdict.as_str()));
        }
        let (mut speaking, mut quiet) = (Nodes::default(), false);
        for (other, its) in nodes.iter().enumerate() {
            let is_master = self.states[other] == State::Master && its.process.is_some();
            speaking.set(other, is_master);
            quiet |= is_master && !its.runs();
        }
        let view = (holders, speaking, quiet);
        let mut others = (0..nodes.len()).filter(|other| *other != node);
        let lossless = others.try_fold(Instant::ZERO, |all, other| Some(all.max(network.lossless_since(node, other)?)));
        let is_plugged = nodes[node].kernel.has_carrier() && nodes[node].runs();
        match lossless {
            Some(lossless) if is_plugged && view == self.views[node] => {
                self.steady[node] = self.steady[node].max(lossless);
            }
            _ => (self.steady[node], self.views[node]) = (now, view),
        }
        if now.since(self.steady[node]) > self.bounds.lag && !is_true(verdict, view) {
            self.steady[node] = now;
            let text = format!("node {node} says {}, and {} answer", verdict.as_str(), holders.count());
            self.blame(now, "verdict", journal, text);
        }
    }

    // ---- liveness -------------------------------------------------------------------------------------------------

    /// The end.
    pub fn finish(&mut self, end: Instant, nodes: &[Node], network: &Network, holders: Nodes, journal: &mut Journal) {
        self.judge_overlaps(end, nodes, network, holders, journal);
        self.spans.take(end, self.holders);
        let Bounds { settled, hold_down, master_down, .. } = self.bounds;
        // Who is fenced in a world that is whole again stays out for a while, but then nobody waits for it.
        let is_fenced = self.dropped.iter().any(Option::is_some);
        let settled = if is_fenced { settled + hold_down + master_down } else { settled };
        if end < settled {
            return;
        }
        for component in components(nodes, network) {
            let there = Nodes(holders.0 & component.0);
            if there.count() != 1 {
                let text = format!("{} of the nodes {:?} answer", there.count(), component.iter().collect::<Vec<_>>());
                self.blame(end, "one", journal, text);
            }
        }
        let last = self.changed_at;
        if last > settled {
            let late = last.since(self.bounds.calm);
            self.blame(last, "one", journal, format!("who answers has still changed {late:?} after the last fault"));
        }
    }
}

fn heeds(spec: &Spec) -> [[bool; MAX_NODES]; MAX_NODES] {
    let told = |node: usize| spec.nodes.get(node).map(|node| &node.settings);
    let pair = |(a, b): (&Settings, &Settings)| {
        let is_alike = a.advert_interval == b.advert_interval && a.auth.kind() == b.auth.kind();
        a.version == b.version && (a.version == Version::V3 || is_alike)
    };
    std::array::from_fn(|a| std::array::from_fn(|b| told(a).zip(told(b)).is_some_and(pair)))
}

fn owners(spec: &Spec) -> Nodes {
    let mut owners = Nodes::default();
    for (node, told) in spec.nodes.iter().enumerate() {
        owners.set(node, told.settings.priority == OWNER);
    }
    owners
}

/// Those of the nodes that run and hear each other, each set once.
fn components(nodes: &[Node], network: &Network) -> Vec<Nodes> {
    let mut found: Vec<Nodes> = Vec::new();
    for node in (0..nodes.len()).filter(|node| nodes[*node].runs() && nodes[*node].kernel.has_carrier()) {
        let hears = |set: &&mut Nodes| set.iter().any(|other| network.lossless_since(node, other).is_some());
        match found.iter_mut().find(hears) {
            Some(set) => set.set(node, true),
            None => found.push(Nodes::one(node)),
        }
    }
    found
}

/// How long what is to be seen must have been the same before a verdict has to fit it: a split heals after two adverts and a
/// probe, a claim takes two probes, silence four adverts and a margin.
fn lag(interval: Duration) -> Duration {
    interval * 6 + PROBE * 3
}

fn is_true(verdict: Verdict, (holders, speaking, quiet): (Nodes, Nodes, bool)) -> bool {
    if holders != speaking || quiet {
        // Somebody's kernel does not do what its daemon believes: that is in motion, or no daemon is there to ask.
        return match holders.count() {
            0 => verdict != Verdict::SplitBrain || speaking.count() > 1,
            1 => true,
            _ => verdict != Verdict::Healthy && verdict != Verdict::NoMaster || speaking.count() == 1,
        };
    }
    match (verdict, holders.count()) {
        (Verdict::Unknown, _) | (Verdict::NoMaster, 0) | (Verdict::Healthy | Verdict::Degraded, 1) => true,
        (Verdict::SplitBrain, holders) => holders > 1,
        _ => false,
    }
}
