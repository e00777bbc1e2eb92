//! When a host had an address, as its kernel told it: the truth that times in events and metrics are measured by.

use super::{Node, Process};
use jiff::civil::DateTime;
use std::time::Duration;

/// What `ip monitor` has printed on a host since this was made.
pub struct History {
    process: Process,
    address: String,
}

impl History {
    /// Begins to record. The host must not have the address yet.
    pub fn record(node: &Node, address: &str) -> Self {
        let mut command = node.command("ip");
        command.env("TZ", "UTC").args(["-ts", "monitor", "address"]);
        let process = Process::spawn(node, &format!("history-{address}"), command).expect("ip starts");
        let this = Self { process, address: address.into() };
        // It listens once it has told of a change.
        super::until("ip monitors addresses", || {
            for act in ["add", "del"] {
                node.exec(&format!("ip addr {act} 127.9.9.9/32 dev lo")).expect("an address on the loopback");
            }
            this.process.log().contains("127.9.9.9")
        });
        this
    }

    /// When the address came and went, in order.
    pub fn spells(&self) -> Vec<(DateTime, Option<DateTime>)> {
        let mut spells: Vec<(DateTime, Option<DateTime>)> = Vec::new();
        for line in self.process.log().lines() {
            let Some((date, rest)) = line.strip_prefix('[').and_then(|line| line.split_once(']')) else { continue };
            let is_ours = rest.split_whitespace().any(|word| word.split('/').next() == Some(&self.address));
            let at = date.parse().expect("a date");
            match (is_ours, spells.last_mut().filter(|(_, end)| end.is_none())) {
                (true, Some(held)) if rest.contains("Deleted") => held.1 = Some(at),
                (true, None) if !rest.contains("Deleted") => spells.push((at, None)),
                _ => {}
            }
        }
        spells
    }

    /// When the address last came.
    pub fn last_start(&self) -> DateTime {
        self.spells().last().expect("it has been there").0
    }

    /// How long both hosts had the address, in all. What still lasts counts up to the latest date that either knows.
    pub fn overlap(&self, other: &Self) -> Duration {
        let (ours, others) = (self.spells(), other.spells());
        let latest = ours.iter().chain(&others).map(|(start, end)| end.unwrap_or(*start)).max().unwrap_or_default();
        let both = ours.iter().flat_map(|a| others.iter().map(move |b| (a, b)));
        both.map(|(a, b)| {
            let end = a.1.unwrap_or(latest).min(b.1.unwrap_or(latest));
            Duration::try_from(end.duration_since(a.0.max(b.0))).unwrap_or_default()
        })
        .sum()
    }
}
