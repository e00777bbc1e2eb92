//! When a host had an address, as its kernel told it: the truth that times in events and metrics are measured by.

use super::{Node, Process};
use jiff::civil::DateTime;
use std::time::Duration;

/// What `ip monitor` has printed on a host since this was made.
pub struct History {
    process: Process,
    what: What,
}

/// What comes and goes.
enum What {
    Address(String),
    /// A link, that has a carrier: FRR's macvlan while FRR is master.
    Carrier(&'static str),
}

impl History {
    /// Begins to record. The host must not have the address yet.
    pub fn record(node: &Node, address: &str) -> Self {
        let wakes = ["ip addr add 127.9.9.9/32 dev lo", "ip addr del 127.9.9.9/32 dev lo"];
        Self::monitor(node, What::Address(address.into()), "address", wakes)
    }

    /// The same of a link of FRR's, which must not be there yet.
    pub fn record_carrier(node: &Node, link: &'static str) -> Self {
        let wakes = ["ip link set dev lo alias one", "ip link set dev lo alias other"];
        Self::monitor(node, What::Carrier(link), "link", wakes)
    }

    fn monitor(node: &Node, what: What, object: &str, wakes: [&str; 2]) -> Self {
        let mut command = node.command("ip");
        command.env("TZ", "UTC").args(["-ts", "monitor", object]);
        let process = Process::spawn(node, &format!("history-{object}"), command).expect("ip starts");
        // It listens once it has told of a change.
        super::until("ip monitors", || {
            wakes.iter().for_each(|wake| drop(node.exec(wake).expect("something changes on the loopback")));
            process.log().contains("lo")
        });
        Self { process, what }
    }

    /// When it came and went, in order.
    pub fn spells(&self) -> Vec<(DateTime, Option<DateTime>)> {
        let mut spells: Vec<(DateTime, Option<DateTime>)> = Vec::new();
        for line in self.process.log().lines() {
            let Some((date, rest)) = line.strip_prefix('[').and_then(|line| line.split_once(']')) else { continue };
            let at = date.parse().expect("a date");
            match (self.what.is_in(rest), spells.last_mut().filter(|(_, end)| end.is_none())) {
                (Some(false), Some(held)) => held.1 = Some(at),
                (Some(true), None) => spells.push((at, None)),
                _ => {}
            }
        }
        spells
    }

    /// When it last came.
    pub fn last_start(&self) -> DateTime {
        self.spells().last().expect("it has been there").0
    }

    /// Whether it was there then.
    pub fn held_at(&self, at: DateTime) -> bool {
        self.spells().iter().any(|(start, end)| *start <= at && end.is_none_or(|end| at < end))
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

impl What {
    /// Whether it is there, if a line of `ip monitor` says so.
    fn is_in(&self, line: &str) -> Option<bool> {
        let mut words = line.split_whitespace();
        match self {
            Self::Address(address) => {
                words.any(|word| word.split('/').next() == Some(address)).then(|| !line.contains("Deleted"))
            }
            Self::Carrier(link) => {
                let is_ours = words.any(|word| word.split(['@', ':']).next() == Some(link));
                is_ours.then(|| !line.contains("Deleted") && line.contains("LOWER_UP"))
            }
        }
    }
}
