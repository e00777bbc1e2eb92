//! How long a fence takes, by the daemon's own histogram: from the evidence to the kernel's word that the addresses are gone.

use std::fmt;
use std::time::Duration;

use serde_json::json;

use crate::case::{Beside, Case, Fault};
use crate::etcd::{Cluster, Site};
use crate::lab::{Daemon, Firewall, Lab, Node, second, until, vipwarden};
use crate::pair::{HOLDER, Pair, SUCCESSOR, router};

/// The word that asks for this.
pub const WORD: &str = "duration";
const NAME: &str = "vrrp_fence_duration_seconds";

/// In seconds: 99 of 100 must take no longer.
const PROMISED: f64 = 0.005;

/// Why a holder is fenced.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Why {
    /// An operator wants it.
    Operator,
    /// The second channel proves that another one holds, too.
    Split,
    /// The arbiter says that another one holds.
    Lease,
}

impl Why {
    pub const ALL: [Self; 3] = [Self::Operator, Self::Split, Self::Lease];
}

impl fmt::Display for Why {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Operator => "operator",
            Self::Split => "split",
            Self::Lease => "lease",
        })
    }
}

/// What was measured.
pub struct Durations {
    why: Why,
    case: Case,
    count: f64,
    mean: f64,
    /// Within so many seconds are half of them, 99 of 100, and all.
    within: [f64; 3],
}

/// A holder is fenced and comes back, again and again.
pub fn measure(why: Why, vmac: bool, v6: bool) -> Durations {
    let interval = Duration::from_millis(100);
    let case = Case { fault: Fault::Deleted, interval, vmac, v6, beside: Beside::Vipwarden };
    match why {
        Why::Operator => by_operator(case),
        Why::Split => by_proof(case),
        Why::Lease => by_arbiter(case),
    }
}

fn by_operator(case: Case) -> Durations {
    let pair = Pair::new(case);
    let holder = pair.holder();
    for count in 1..=200 {
        until("it is master", || state(holder) == "master");
        // Refused while nobody is known who could take over.
        until("it is fenced", || is_obeyed(holder, "fence"));
        until_counted(holder, count);
        until("it is fenced no more", || is_obeyed(holder, "unfence"));
    }
    Durations::of(Why::Operator, case, holder)
}

/// The switch forwards nothing between the two, which ask each other over a second network.
fn by_proof(case: Case) -> Durations {
    let lab = Lab::new(&["a", "b"]).expect("the laboratory is made (needs root)");
    let [a, b] = ["a", "b"].map(|name| lab.node(name));
    second::join(a, b);
    let start = |node: &Node, peer, priority| {
        let sections = second::asks(node, peer) + &router(case, priority);
        Daemon::start(node, vipwarden(), &sections).expect("vipwarden starts")
    };
    let (better, worse) = (start(a, b, HOLDER), start(b, a, SUCCESSOR));
    // Each takes a quarter of a minute, until who was fenced may hold again.
    for count in 1..=25 {
        until("there is one master", || state(&better) == "master" && state(&worse) == "backup");
        let cuts = [("a", "b"), ("b", "a")].map(|(from, to)| Firewall::cut(&lab, from, to));
        until_counted(&worse, count);
        cuts.into_iter().for_each(Firewall::heal);
    }
    Durations::of(Why::Split, case, &worse)
}

/// Somebody writes into the register that another one has had the lease, and needs it no more.
fn by_arbiter(case: Case) -> Durations {
    let lab = Lab::new(&["a", "d"]).expect("the laboratory is made (needs root)");
    let [a, d] = ["a", "d"].map(|name| lab.node(name).clone());
    let host = d.ipv4();
    let etcd = Cluster::start_at(Site { host, command: Box::new(move |program| d.command(program)) }, 1);
    let sections = format!("{}[arbiter]\netcd = {:?}\n", router(case, HOLDER), etcd.urls());
    let holder = Daemon::start(&a, vipwarden(), &sections).expect("vipwarden starts");
    let key = format!("/vipwarden/{}/51", case.address());
    for count in 1..=100 {
        until("it is master", || state(&holder) == "master");
        let other = json!({ "holder": "another", "node": "another", "epoch": count, "counter": count, "hold_ms": 2920,
            "released": true });
        etcd.ctl(&["put", &key, &other.to_string()], 0).expect("etcdctl writes");
        until_counted(&holder, count);
    }
    Durations::of(Why::Lease, case, &holder)
}

fn is_obeyed(daemon: &Daemon, verb: &str) -> bool {
    daemon.ask(&[verb, "web"]).expect("it runs").status.success()
}

fn state(daemon: &Daemon) -> String {
    let status = daemon.status().unwrap_or_default();
    status["routers"][0]["state"].as_str().unwrap_or_default().to_owned()
}

fn until_counted(daemon: &Daemon, count: u32) {
    until("the fence is over", || figure(daemon, "_count") >= f64::from(count));
}

/// The only one of its name, for there is one router.
fn figure(daemon: &Daemon, suffix: &str) -> f64 {
    let text = daemon.get("/metrics").unwrap_or_default();
    let name = format!("{NAME}{suffix}{{");
    let line = text.lines().find(|line| line.starts_with(&name));
    line.and_then(|line| line.rsplit(' ').next()?.parse().ok()).unwrap_or_default()
}

/// Upper bounds in seconds, and how many are within.
fn buckets(daemon: &Daemon) -> Vec<(f64, f64)> {
    let text = daemon.get("/metrics").unwrap_or_default();
    let name = format!("{NAME}_bucket{{");
    let bucket = |line: &str| {
        let bound = line.split("le=\"").nth(1)?.split('"').next()?.parse().ok()?;
        Some((bound, line.rsplit(' ').next()?.parse().ok()?))
    };
    text.lines().filter(|line| line.starts_with(&name)).filter_map(bucket).collect()
}

impl Durations {
    fn of(why: Why, case: Case, daemon: &Daemon) -> Self {
        let (count, bounds) = (figure(daemon, "_count"), buckets(daemon));
        let within = |share: f64| {
            let enough = bounds.iter().find(|(_, within)| *within >= count * share);
            enough.map_or(f64::INFINITY, |(bound, _)| *bound)
        };
        Self { why, case, count, mean: figure(daemon, "_sum") / count, within: [0.5, 0.99, 1.0].map(within) }
    }

    /// Whether that is fast enough.
    pub fn is_fast(&self) -> bool {
        self.within[1] <= PROMISED
    }
}

/// One line of a table.
impl fmt::Display for Durations {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { why, case, count, mean, within } = self;
        let (mac, family) = (if case.vmac { "VMAC" } else { "plain" }, if case.v6 { "IPv6" } else { "IPv4" });
        let [p50, p99, all] = within.map(|bound| bound * 1e3);
        write!(f, "| {why}, {mac}, {family} | {count} | {:.2} ms | {p50} ms | {p99} ms | {all} ms |", mean * 1e3)
    }
}
