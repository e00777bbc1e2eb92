//! How long a fence takes, by the daemon's own histogram: from the evidence to the kernel's word that the addresses are gone.

use std::time::Duration;

use crate::case::{Beside, Case, Fault};
use crate::lab::{Daemon, until};
use crate::pair::Pair;

/// The word that asks for this.
pub const WORD: &str = "duration";
const FENCES: u64 = 200;
const NAME: &str = "vrrp_fence_duration_seconds";

/// In seconds: 99 of 100 must take no longer.
const PROMISED: f64 = 0.005;

/// An operator fences a holder and lifts the fence, again and again: one line of a table, and whether that was fast enough.
pub fn measure(vmac: bool, v6: bool) -> (String, bool) {
    let interval = Duration::from_millis(100);
    let case = Case { fault: Fault::Deleted, interval, vmac, v6, beside: Beside::Vipwarden };
    let pair = Pair::new(case);
    let holder = pair.holder();
    for count in 1..=FENCES {
        until("it is master", || state(holder) == "master");
        // Refused while nobody is known who could take over.
        until("it is fenced", || is_obeyed(holder, "fence"));
        until("the fence is over", || figure(holder, "_count") >= count as f64);
        until("it is fenced no more", || is_obeyed(holder, "unfence"));
    }
    let bounds = buckets(holder);
    let within = |share: f64| {
        let enough = bounds.iter().find(|(_, count)| *count >= FENCES as f64 * share);
        enough.map_or(f64::INFINITY, |(bound, _)| *bound)
    };
    let [half, most, all] = [0.5, 0.99, 1.0].map(within);
    let mean = figure(holder, "_sum") / figure(holder, "_count") * 1e3;
    let (mac, family) = (if vmac { "VMAC" } else { "plain" }, if v6 { "IPv6" } else { "IPv4" });
    let [p50, p99, max] = [half, most, all].map(|bound| format!("{} ms", bound * 1e3));
    (format!("| {mac}, {family} | {FENCES} | {mean:.2} ms | {p50} | {p99} | {max} |"), most <= PROMISED)
}

fn is_obeyed(daemon: &Daemon, verb: &str) -> bool {
    daemon.ask(&[verb, "web"]).expect("it runs").status.success()
}

fn state(daemon: &Daemon) -> String {
    let status = daemon.status().unwrap_or_default();
    status["routers"][0]["state"].as_str().unwrap_or_default().to_owned()
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
