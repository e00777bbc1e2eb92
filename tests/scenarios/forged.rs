//! A third host says what it likes, to a pair that is well: it is named, and neither of the pair is blamed for it. All events of both
//! nodes are looked at, and the kernels' own word on who held when.
//!
//! What comes with a node's source *and* its MAC only that node can tell from its own.

use crate::lab::{Flavour, History, Liar, Node, Pair, Side, Stranger, any_of, second, stranger, verdict};
use serde_json::Value;
use std::cell::RefCell;
use std::collections::BTreeSet;
use vipwarden::time::{CentiSeconds, Seconds};
use vipwarden::wire::{Advert, Auth, Interval, MacAddr, Version};

struct Siege {
    pair: Pair,
    x: Stranger,
    flavour: Flavour,
    histories: [History; 2],
    /// True where adverts come from the virtual MAC.
    by_virtual_mac: bool,
    /// The MACs with which something was sent.
    blamed: RefCell<BTreeSet<String>>,
}

impl Siege {
    fn begin(flavour: Flavour, frr: bool) -> Self {
        let mut pair = Pair::with_nodes(flavour, &["x"], second::asks);
        second::join(&pair.a.node, &pair.b.node);
        (pair.a.prefers_frr, pair.b.prefers_frr) = (frr, frr);
        let histories = pair.histories();
        pair.start();
        pair.expect_master_a();
        for side in [&pair.a, &pair.b] {
            // Before that nobody has been asked who answers.
            side.watch
                .expect("the address is probed", |router| router["addresses"].to_string().contains("\"claimants\":["));
        }
        let x = Stranger::beside(&pair, flavour);
        let by_virtual_mac = frr || matches!(flavour, Flavour::Vmac);
        let blamed = RefCell::new(BTreeSet::from(["02:00:00:ba:d0:01".into()]));
        Self { pair, x, flavour, histories, by_virtual_mac, blamed }
    }

    fn sides(&self) -> [&Side; 2] {
        [&self.pair.a, &self.pair.b]
    }

    /// Sends an advert until both nodes name its MAC; neither is to be blamed meanwhile.
    fn forge(&self, what: &str, advert: &Advert) {
        let mac = self.blame(advert);
        println!("{:?}: {what}, from {mac}", self.flavour);
        let _speakers = self.x.speak(advert);
        for side in self.sides() {
            side.watch.expect(&format!("{what}: {mac} is named"), |router| {
                assert_no_finding_blames_the_pair(what, router);
                router["findings"][0]["node"] == *mac && router["masters"].as_array().map(Vec::len) == Some(1)
            });
        }
    }

    /// From now on an event may name its MAC.
    fn blame(&self, advert: &Advert) -> String {
        let mac = advert.mac.expect("it has a MAC").to_string();
        self.blamed.borrow_mut().insert(mac.clone());
        mac
    }

    /// One that a node sent once: nobody can tell the frames from its own.
    fn back(&self, node: &Node, priority: u8) -> Advert {
        let own = node.mac();
        let mac = if self.by_virtual_mac { "00:00:5e:00:01:33" } else { &own };
        Advert { mac: Some(mac.parse().expect("a MAC")), ..self.x.advert(node, 0, priority) }
    }

    /// Neither of the pair is blamed, and no split is told of beyond what the kernels say.
    fn assert_truth_was_told(&self, but: &[&str]) {
        let overlap = self.histories[0].overlap(&self.histories[1]).as_secs_f64();
        for side in self.sides() {
            let events = side.watch.get("/api/v1/events").expect("events are served");
            let parsed: Vec<Value> = serde_json::from_str(&events).expect("a list of events");
            for event in parsed {
                let at = event["at"].as_str().and_then(|at| at.trim_end_matches('Z').parse().ok()).expect("a date");
                if self.histories.iter().all(|history| history.held_at(at)) {
                    // Refused adverts keep keepalived from sending its own, and the other takes over: that is a split.
                    continue;
                }
                let text = event.to_string();
                let named = self.blamed.borrow().iter().any(|mac| text.contains(mac));
                assert!(
                    event["to"] != "split_brain" || but.contains(&"foreign_claim"),
                    "{}: {event:#}",
                    side.node.name()
                );
                for cause in event["causes"].as_array().expect("a list").iter().filter_map(Value::as_str) {
                    let strangers = ["hollow_master", "misdirected"].contains(&cause) || but.contains(&cause);
                    assert!(cause == "transient" || strangers && named, "{}: {event:#}", side.node.name());
                }
            }
            let split = side.watch.metric("vrrp_split_brain_seconds_total", &["vrid=\"51\""]);
            assert!(
                but.contains(&"foreign_claim") || split <= overlap + 0.1,
                "{}: {split} s of split, and both held for {overlap} s: {events}",
                side.node.name()
            );
        }
    }
}

fn assert_no_finding_blames_the_pair(what: &str, router: &Value) {
    for finding in router["findings"].as_array().expect("a list") {
        let blamed = finding["node"].as_str().is_some_and(|node| ["a", "b"].contains(&node));
        let harmless = ["transient", "misdirected"].iter().any(|cause| finding["cause"] == *cause);
        assert!(!blamed || harmless, "{what}: {router:#}");
    }
}

/// Whatever the election doesn't obey: the pair goes on as it did.
fn is_refused(flavour: Flavour, frr: bool) {
    let siege = Siege::begin(flavour, frr);
    let (x, a, b) = (&siege.x, &siege.pair.a.node, &siege.pair.b.node);
    let v6 = matches!(flavour, Flavour::V6);
    let own = |last, priority| x.advert(&x.node, last, priority);
    siege.forge("a lower one of its own", &own(1, 50));
    siege.forge("an equal one of its own", &own(2, 100));
    siege.forge("the master's, from another MAC", &x.advert(a, 3, 200));
    siege.forge("a lower one in the backup's name", &x.advert(b, 4, 100));
    siege.forge("one in the master's name, of another list", &listing(x.advert(a, 5, 200), v6));
    siege.forge("one in the backup's name, of another list", &listing(x.advert(b, 6, 100), v6));
    // With seconds for an interval these last for long.
    let v2 = matches!(flavour, Flavour::V2);
    if !v2 {
        siege.forge("one in the backup's name, of another interval", &slow(x.advert(b, 7, 100)));
        siege.forge("one in the master's name, of another interval", &slow(x.advert(a, 8, 200)));
    }
    if !v6 && !v2 {
        siege.forge("one in the backup's name, of another version", &other_version(x.advert(b, 9, 100)));
        siege.forge("one in the master's name, of another version", &other_version(x.advert(a, 10, 200)));
    }
    siege.forge("one in the master's name, with another TTL", &Advert { ttl: 64, ..x.advert(a, 11, 200) });
    siege.forge("one in the backup's name, with another TTL", &Advert { ttl: 64, ..x.advert(b, 12, 100) });
    if v2 {
        let auth = Auth::Password(*b"geheim\0\0");
        siege.forge("one in the master's name, with a password", &Advert { auth, ..x.advert(a, 13, 200) });
    }
    siege.forge("one of its own that lists the pair's own addresses", &claiming(own(14, 50), a, b, v6));
    siege.pair.expect_master_a();
    siege.assert_truth_was_told(&[]);
}

/// The master's, and what the backup sent when it was master.
fn is_replayed(flavour: Flavour, frr: bool) {
    let siege = Siege::begin(flavour, frr);
    let [a, b] = siege.sides().map(|side| side.node.clone());
    siege.blame(&siege.back(&a, 200));
    (0..50).for_each(|_| siege.x.say(&siege.back(&a, 200)));
    siege.pair.expect_master_a();
    // By unicast the switch takes the stranger's port for the backup's, which hears the master no more: a true split.
    if !matches!(flavour, Flavour::Unicast) {
        siege.forge("the backup's, played back", &siege.back(&b, 100));
        siege.pair.expect_master_a();
    }
    siege.assert_truth_was_told(&[]);
}

fn listing(mut advert: Advert, v6: bool) -> Advert {
    advert.addresses.push(if v6 { "2001:db8:9::101" } else { "10.9.9.101" }.parse().expect("an address"));
    advert
}

/// The backup would be told to delete its own address.
fn claiming(mut advert: Advert, a: &Node, b: &Node, v6: bool) -> Advert {
    let own = |node: &Node| if v6 { node.ipv6() } else { node.ipv4() };
    advert.addresses.extend([own(a), own(b)].map(|own| own.parse::<std::net::IpAddr>().expect("an address")));
    advert
}

fn slow(advert: Advert) -> Advert {
    let interval = match advert.version {
        Version::V2 => Interval::Seconds(Seconds(3)),
        Version::V3 => Interval::CentiSeconds(CentiSeconds(100)),
    };
    Advert { interval, ..advert }
}

fn other_version(advert: Advert) -> Advert {
    use vipwarden::wire::ChecksumForm;
    match advert.version {
        Version::V2 => Advert {
            version: Version::V3,
            interval: Interval::CentiSeconds(CentiSeconds(10)),
            checksum: ChecksumForm::PseudoHeader,
            ..advert
        },
        Version::V3 => Advert {
            version: Version::V2,
            interval: Interval::Seconds(Seconds(1)),
            checksum: ChecksumForm::Message,
            ..advert
        },
    }
}

/// What the election obeys it obeys: nobody serves then, or another does, and it is said who made it so.
fn is_obeyed(flavour: Flavour, frr: bool) {
    let siege = Siege::begin(flavour, frr);
    let (x, a) = (&siege.x, &siege.pair.a.node);
    let better = x.advert(&x.node, 21, 250);
    let mac = siege.blame(&better);
    let speakers = x.speak(&better);
    siege.pair.expect_holders(false, false);
    for side in siege.sides() {
        side.watch.expect("it is told that the master is none", |router| {
            ["degraded", "no_master"].contains(&verdict(router))
                && any_of(router, &["hollow_master"])
                && router["findings"][0]["node"] == mac
        });
    }
    drop(speakers);
    siege.pair.expect_master_a();
    let farewell = x.advert(a, 22, 0);
    let mac = siege.blame(&farewell);
    x.say(&farewell);
    for side in siege.sides() {
        side.watch.expect("it is heard", |router| router["speakers"].to_string().contains(&mac));
    }
    siege.pair.expect_master_a();
    misdirects(&siege);
    siege.assert_truth_was_told(&[]);
    answers_for_everything(&siege);
    siege.assert_truth_was_told(&["foreign_claim"]);
}

/// Clients are misled, whoever did it; the master is to announce itself again.
fn misdirects(siege: &Siege) {
    let at = stranger::mac(31);
    siege.blamed.borrow_mut().insert(at.to_string());
    for side in siege.sides() {
        side.watch.expect("clients are misled", |router| {
            // A master that has begun a moment ago announces itself once more.
            siege.x.announce(at);
            any_of(router, &["misdirected"])
        });
        let events = side.watch.get("/api/v1/events").expect("events are served");
        assert!(events.contains(&at.to_string()), "{events}");
    }
    let router = siege.pair.a.watch.router(51).expect("it is known");
    let speakers = router["speakers"].as_array().expect("a list");
    let own = speakers.iter().find(|s| s["local"] == true).and_then(|s| s["mac"].as_str()).expect("it speaks");
    let own: MacAddr = own.parse().expect("a MAC");
    stranger::announce(&siege.pair.a.node, siege.flavour, own);
    siege.pair.expect_master_a();
}

fn answers_for_everything(siege: &Siege) {
    let _liar = Liar::start(&siege.x.node);
    for side in siege.sides() {
        side.watch.expect("the liar is blamed", |router| {
            any_of(router, &["foreign_claim"]) && router["findings"][0]["node"] == "02:00:00:ba:d0:01"
        });
    }
    drop(_liar);
    siege.pair.expect_master_a();
}

macro_rules! besieged {
    ($($name:ident: $flavour:expr, $frr:expr;)*) => {$(
        mod $name {
            use super::*;

            #[test]
            fn what_the_election_refuses_is_told_as_the_strangers_and_the_pair_is_not_blamed() {
                is_refused($flavour, $frr);
            }

            #[test]
            fn what_the_election_obeys_is_told_as_the_strangers_and_the_pair_is_not_blamed() {
                is_obeyed($flavour, $frr);
            }

            #[test]
            fn what_is_played_back_blames_nobody() {
                is_replayed($flavour, $frr);
            }
        }
    )*};
}

besieged! {
    with_v3: Flavour::V3, false;
    with_ipv6: Flavour::V6, false;
    with_virtual_macs: Flavour::Vmac, false;
    by_unicast: Flavour::Unicast, false;
    with_frr: Flavour::V3, true;
    with_frr_and_ipv6: Flavour::V6, true;
    with_v2: Flavour::V2, false;
}
