//! How long it takes until a second holder is told of.

use super::{Flavour, History, Node, Pair, Watch};
use jiff::civil::DateTime;
use std::time::Duration;

/// Whose address it is that should not be there.
#[derive(Clone, Copy, Debug)]
pub enum Intruder {
    /// Row 14: `a`'s, whose daemon was killed, from the moment when `b` takes over.
    Stale,
    /// Row 16: the backup's, added by hand.
    Stray,
    /// Row 18: a stranger's.
    Stranger,
}

/// A pair in which a second holder comes and goes.
pub struct Delays {
    pair: Pair,
    intruder: Intruder,
    /// When the second holder's kernel had the address.
    second: History,
}

impl Delays {
    /// A settled pair.
    pub fn prepare(flavour: Flavour, intruder: Intruder) -> Self {
        let mut pair = Pair::with_nodes(flavour, &["x"], |_, _| String::new());
        let node = if matches!(intruder, Intruder::Stranger) { pair.lab.node("x") } else { &pair.b.node };
        let second = History::record(node, pair.vip);
        pair.start();
        pair.expect_master_a();
        Self { pair, intruder, second }
    }

    /// Lets the second holder come, waits until both nodes call it a split, and heals. Answers how long after the kernel had the
    /// address `a` and `b` said so, by the dates of their events.
    pub fn measure(&mut self) -> [Duration; 2] {
        let node = self.intruding_node();
        let (prefix, nodad) = if self.pair.vip.contains(':') { (128, "nodad") } else { (32, "") };
        let address = format!("{}/{prefix} dev eth0", self.pair.vip);
        match self.intruder {
            Intruder::Stale => self.pair.a.kill(),
            Intruder::Stray | Intruder::Stranger => {
                node.exec(&format!("ip addr add {address} {nodad}")).expect("the address is added");
            }
        }
        let delays = [&self.pair.a.watch, &self.pair.b.watch].map(|watch| {
            watch.expect_verdict("split_brain", &[]);
            let told = told_at(watch);
            Duration::try_from(told.duration_since(self.second.last_start())).unwrap_or_default()
        });
        match self.intruder {
            Intruder::Stale => self.pair.a.start(),
            Intruder::Stray | Intruder::Stranger => {
                node.exec(&format!("ip addr del {address}")).expect("the address goes");
            }
        }
        self.pair.expect_master_a();
        delays
    }

    fn intruding_node(&self) -> Node {
        match self.intruder {
            Intruder::Stranger => self.pair.lab.node("x").clone(),
            Intruder::Stale | Intruder::Stray => self.pair.b.node.clone(),
        }
    }
}

/// When it last said split brain.
fn told_at(watch: &Watch) -> DateTime {
    let events: serde_json::Value =
        serde_json::from_str(&watch.get("/api/v1/events").expect("events are served")).expect("JSON");
    let all = events.as_array().expect("a list");
    let splits = all.iter().filter(|e| e["kind"] == "verdict" && e["to"] == "split_brain");
    let newest = splits.filter_map(|e| e["at"].as_str()).max().expect("there was a split");
    newest.trim_end_matches('Z').parse().expect("a date")
}
