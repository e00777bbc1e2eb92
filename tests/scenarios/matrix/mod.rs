//! Every fault with real daemons, on both nodes: the verdict, the cause, how long it took, and the way back to health. Both nodes
//! ask each other over a second network, signed.
//!
//! `VIPWARDEN_RUNS=5 cargo test --test scenarios matrix -- --nocapture` prints the table that `docs/faults.md` shows.

mod acts;
mod rows;
mod table;

use crate::lab::{Firewall, Flavour, Node, Pair, Side, second, until};
use std::any::Any;

/// What a node is to say.
#[derive(Clone, Copy, Debug)]
pub struct Wanted {
    verdicts: &'static [&'static str],
    /// One of these; none if any will do.
    causes: &'static [&'static str],
    within: Within,
}

/// How soon a node can know.
#[derive(Clone, Copy, Debug)]
pub enum Within {
    /// By what is on its own wire: within one advert interval.
    Advert,
    /// By asking, the segment or the peer: within two probe intervals.
    Asked,
    /// By silence: not before four adverts have not come.
    Silence,
}

/// From when on the fault is in effect.
#[derive(Clone, Copy, Debug)]
pub enum Effect {
    /// Since both kernels have the address.
    Both,
    /// Since it was done.
    Done,
    /// On each node since the first advert of the other reached it, as a tap of ours saw it.
    Met,
}

/// A row of the table.
#[derive(Clone, Copy)]
pub struct Row {
    pub fault: u8,
    pub what: &'static str,
    pub flavour: Flavour,
    /// On which of the two FRR takes keepalived's place.
    pub frr: [bool; 2],
    /// What the two are told, before they start.
    pub differ: fn(&mut Pair),
    /// Whether they settle with `a` as master before the fault is made.
    pub settles: bool,
    pub inject: fn(&mut Case),
    pub effect: Effect,
    pub a: Wanted,
    pub b: Wanted,
    pub heal: fn(&mut Case),
    /// True if nobody may ever count a moment of split brain.
    pub quiet: bool,
}

/// A pair with a fault.
pub struct Case {
    pub pair: Pair,
    /// A bystander.
    pub x: Node,
    pub rules: Vec<Firewall>,
    /// When the first advert of the other reached each.
    pub met: [i64; 2],
    /// What the fault consists of, and ends with.
    pub things: Vec<Box<dyn Any>>,
}

impl Case {
    fn new(row: &Row) -> Self {
        let mut pair = Pair::with_nodes(row.flavour, &["x"], second::asks);
        [pair.a.prefers_frr, pair.b.prefers_frr] = row.frr;
        second::join(&pair.a.node, &pair.b.node);
        let x = pair.lab.node("x").clone();
        Self { pair, x, rules: Vec::new(), met: [0; 2], things: Vec::new() }
    }

    /// Ends what filters and plays.
    pub fn clear(&mut self) {
        self.rules.drain(..).for_each(Firewall::heal);
        self.things.clear();
    }

    fn sides(&self) -> [&Side; 2] {
        [&self.pair.a, &self.pair.b]
    }
}

/// Milliseconds since 1970.
fn now() -> i64 {
    let clock = vipwarden::sys::clock::wall();
    clock.unix_nanos(vipwarden::sys::clock::now()) / 1_000_000
}

fn millis(date: jiff::civil::DateTime) -> i64 {
    date.to_zoned(jiff::tz::TimeZone::UTC).expect("a date in UTC").timestamp().as_millisecond()
}

/// What one node said, and how many milliseconds after the fault: the verdict, and the cause.
#[derive(Clone, Debug, Default)]
pub struct Said {
    pub verdict: String,
    pub causes: Vec<String>,
    pub verdict_ms: Option<i64>,
    pub cause_ms: Option<i64>,
}

/// Plays a row to its end. Panics where it is not as it should be.
pub fn play(row: &Row) -> [Said; 2] {
    let mut case = Case::new(row);
    let histories = case.pair.histories();
    (row.differ)(&mut case.pair);
    let before = now();
    if row.settles {
        case.pair.start();
        case.pair.expect_master_a();
    }
    let begun = if row.settles { now() } else { before };
    (row.inject)(&mut case);
    let effects = match row.effect {
        Effect::Done => [now(); 2],
        Effect::Met => case.met,
        Effect::Both => {
            case.pair.expect_holders(true, true);
            until("the kernels have told of it", || histories.iter().all(|history| !history.spells().is_empty()));
            [histories.iter().map(|history| millis(history.last_start())).max().unwrap_or(begun); 2]
        }
    };
    let sides = [(&case.pair.a, row.a, effects[0]), (&case.pair.b, row.b, effects[1])];
    let said = sides.map(|(side, wanted, effect)| {
        // What was said before they met was said of a partition.
        let begun = if matches!(row.effect, Effect::Met) { effect } else { begun };
        said(side, wanted, begun, effect)
    });
    (row.heal)(&mut case);
    case.clear();
    case.pair.expect_master_a();
    if row.quiet {
        case.pair.assert_never_split();
    }
    said
}

fn said(side: &Side, wanted: Wanted, begun: i64, effect: i64) -> Said {
    let has = |named: &serde_json::Value| {
        let named = named.as_array().map(Vec::as_slice).unwrap_or_default();
        wanted.causes.is_empty() || named.iter().any(|c| c.as_str().is_some_and(|c| wanted.causes.contains(&c)))
    };
    let is_wanted = |verdict: &serde_json::Value| verdict.as_str().is_some_and(|v| wanted.verdicts.contains(&v));
    let router = side.watch.expect(&format!("it says {wanted:?}"), |r| is_wanted(&r["verdict"]) && has(&r["causes"]));
    let events: serde_json::Value =
        serde_json::from_str(&side.watch.get("/api/v1/events").expect("events are served")).expect("JSON");
    let verdicts = events.as_array().expect("a list").iter().filter(|e| e["kind"] == "verdict" && is_wanted(&e["to"]));
    let dated = verdicts.filter_map(|e| Some((date(e["at"].as_str()?), has(&e["causes"]))));
    let dated: Vec<(i64, bool)> = dated.filter(|(at, _)| *at >= begun).collect();
    let after = |at: Option<i64>| at.map(|at| (at - effect).max(0));
    let causes = router["causes"].as_array().expect("a list").iter().filter_map(|c| Some(c.as_str()?.to_owned()));
    Said {
        verdict: router["verdict"].as_str().unwrap_or_default().to_owned(),
        causes: causes.collect(),
        verdict_ms: after(dated.iter().map(|(at, _)| *at).min()),
        cause_ms: after(dated.iter().filter(|(_, named)| *named).map(|(at, _)| *at).min()),
    }
}

fn date(text: &str) -> i64 {
    text.parse::<jiff::Timestamp>().expect("a date").as_millisecond()
}

#[test]
fn every_fault_is_told_with_its_cause_on_each_node_and_heals() {
    table::run(&rows::rows());
}
