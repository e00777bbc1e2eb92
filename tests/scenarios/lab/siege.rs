//! A pair with a third host beside it, and the kernels' own word on who held when: what both vipwardens told is measured by that.

use super::{Flavour, History, Node, Pair, Side, any_of, second, stranger, verdict};
use serde_json::Value;

/// A pair that is well, as both say, and asks over a second network, too.
pub struct Siege {
    pub pair: Pair,
    pub x: Node,
    flavour: Flavour,
    histories: [History; 2],
}

impl Siege {
    /// The pair has begun, and both have asked who answers for the address.
    pub fn begin(flavour: Flavour, frr: bool) -> Self {
        Self::begin_with(flavour, frr, &["x"], second::asks)
    }

    /// The same with further nodes, the first of which is `x`, and with configuration sections by (node, peer).
    pub fn begin_with(flavour: Flavour, frr: bool, more: &[&str], sections: impl Fn(&Node, &Node) -> String) -> Self {
        Self::of(Pair::with_nodes(flavour, more, sections), flavour, frr)
    }

    /// The same of a pair whose daemons were not started yet.
    pub fn of(mut pair: Pair, flavour: Flavour, frr: bool) -> Self {
        second::join(&pair.a.node, &pair.b.node);
        (pair.a.prefers_frr, pair.b.prefers_frr) = (frr, frr);
        let histories = pair.histories();
        pair.start();
        pair.expect_master_a();
        let x = pair.lab.node("x").clone();
        let siege = Self { pair, x, flavour, histories };
        for side in siege.sides() {
            side.watch
                .expect("the address is probed", |router| router["addresses"].to_string().contains("\"claimants\":["));
        }
        siege
    }

    /// Both of the pair.
    pub fn sides(&self) -> [&Side; 2] {
        [&self.pair.a, &self.pair.b]
    }

    /// Has the master `a` announce the address, for those who were misled.
    pub fn announce_master(&self) {
        let router = self.pair.a.watch.router(51).expect("it is known");
        let speakers = router["speakers"].as_array().expect("a list");
        let own = speakers.iter().find(|s| s["local"] == true).and_then(|s| s["mac"].as_str()).expect("it speaks");
        stranger::announce(&self.pair.a.node, self.flavour, own.parse().expect("a MAC"));
    }

    /// Waits until both blame `mac` alone for a split, and say that there is one master.
    pub fn expect_foreign_claim(&self, what: &str, mac: &str) {
        for side in self.sides() {
            side.watch.expect(what, |router| {
                let is_named = router["findings"][0]["node"] == mac;
                let one_master = router["masters"].as_array().map(Vec::len) == Some(1);
                let alone = router["causes"] == serde_json::json!(["foreign_claim"]);
                verdict(router) == "split_brain" && alone && is_named && one_master
            });
        }
    }

    /// Neither was blamed for anything but while both held, nor was it said that nobody serves while one did; what was said of a split
    /// names one of `strangers`, or the kernels say that both held.
    pub fn assert_truth_was_told(&self, strangers: &[&str]) {
        for side in self.sides() {
            let events = side.watch.get("/api/v1/events").expect("events are served");
            let parsed: Vec<Value> = serde_json::from_str(&events).expect("a list of events");
            for event in &parsed {
                self.assert_true(side, event, strangers);
            }
            let claims = parsed.iter().any(|event| any_of(event, &["foreign_claim"]));
            let split = side.watch.metric("vrrp_split_brain_seconds_total", &["vrid=\"51\""]);
            let overlap = self.histories[0].overlap(&self.histories[1]).as_secs_f64();
            assert!(
                claims || split <= overlap + 0.1,
                "{}: {split} s of split, and both held for {overlap} s: {events}",
                side.node.name()
            );
        }
    }

    fn assert_true(&self, side: &Side, event: &Value, strangers: &[&str]) {
        let at = event["at"].as_str().and_then(|at| at.trim_end_matches('Z').parse().ok()).expect("a date");
        let is_of_another = event["vip"].as_str().is_some_and(|vip| vip != self.pair.vip);
        let holders = self.histories.iter().filter(|history| history.held_at(at)).count();
        if is_of_another || holders == 2 {
            return;
        }
        let (by, text) = (side.node.name(), event.to_string());
        let is_named = strangers.iter().any(|mac| text.contains(mac));
        for cause in event["causes"].as_array().expect("a list").iter().filter_map(Value::as_str) {
            let is_theirs = is_named && ["foreign_claim", "misdirected", "hollow_master"].contains(&cause);
            assert!(cause == "transient" || is_theirs, "{by}: {event:#}");
        }
        assert!(event["to"] != "split_brain" || any_of(event, &["foreign_claim"]), "{by}: {event:#}");
        assert!(event["to"] != "no_master" || holders == 0, "{by}: {event:#}");
    }
}
