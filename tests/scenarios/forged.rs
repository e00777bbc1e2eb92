//! A third host says what it likes, to a pair that is well: it is named, and neither of the pair is blamed for it. All events of both
//! nodes are looked at, and the kernels' own word on who held when.
//!
//! What comes with a node's source *and* its MAC only that node can tell from its own.

use crate::lab::{Flavour, Node, Pair, Siege, Stranger, any_of, stranger, verdict};
use std::cell::RefCell;
use std::collections::BTreeSet;
use vipwarden::time::{CentiSeconds, Seconds};
use vipwarden::wire::{Advert, Auth, Interval, Version};

struct Forgery {
    siege: Siege,
    x: Stranger,
    flavour: Flavour,
    /// True where adverts come from the virtual MAC.
    by_virtual_mac: bool,
    /// The MACs with which something was sent.
    used: RefCell<BTreeSet<String>>,
}

impl Forgery {
    fn begin(flavour: Flavour, frr: bool) -> Self {
        let siege = Siege::begin(flavour, frr);
        let x = Stranger::beside(&siege.pair, flavour);
        let by_virtual_mac = frr || matches!(flavour, Flavour::Vmac);
        Self { siege, x, flavour, by_virtual_mac, used: RefCell::default() }
    }

    fn pair(&self) -> &Pair {
        &self.siege.pair
    }

    /// Sends an advert until both nodes name its MAC; neither is to be blamed meanwhile.
    fn forge(&self, what: &str, advert: &Advert) {
        let mac = self.use_mac(advert);
        println!("{:?}: {what}, from {mac}", self.flavour);
        let _speakers = self.x.speak(advert);
        for side in self.siege.sides() {
            side.watch.expect(&format!("{what}: {mac} is named"), |router| {
                router["findings"][0]["node"] == *mac && router["masters"].as_array().map(Vec::len) == Some(1)
            });
        }
    }

    /// From now on an event may name its MAC.
    fn use_mac(&self, advert: &Advert) -> String {
        let mac = advert.mac.expect("it has a MAC").to_string();
        self.used.borrow_mut().insert(mac.clone());
        mac
    }

    /// One that a node sent once: nobody can tell the frames from its own.
    fn back(&self, node: &Node, priority: u8) -> Advert {
        let own = node.mac();
        let virtual_mac = if matches!(self.flavour, Flavour::V6) { "00:00:5e:00:02:33" } else { "00:00:5e:00:01:33" };
        let mac = if self.by_virtual_mac { virtual_mac } else { &own };
        Advert { mac: Some(mac.parse().expect("a MAC")), ..self.x.advert(node, 0, priority) }
    }

    /// Neither of the pair was blamed.
    fn assert_truth_was_told(&self) {
        let used = self.used.borrow();
        self.siege.assert_truth_was_told(&used.iter().map(String::as_str).collect::<Vec<_>>());
    }
}

/// Whatever the election doesn't obey: the pair goes on as it did.
fn is_refused(flavour: Flavour, frr: bool) {
    let forgery = Forgery::begin(flavour, frr);
    let (x, a, b) = (&forgery.x, &forgery.pair().a.node, &forgery.pair().b.node);
    let v6 = matches!(flavour, Flavour::V6);
    let own = |last, priority| x.advert(&x.node, last, priority);
    forgery.forge("a lower one of its own", &own(1, 50));
    forgery.forge("an equal one of its own", &own(2, 100));
    forgery.forge("the master's, from another MAC", &x.advert(a, 3, 200));
    forgery.forge("a lower one in the backup's name", &x.advert(b, 4, 100));
    forgery.forge("one in the master's name, of another list", &listing(x.advert(a, 5, 200), v6));
    forgery.forge("one in the backup's name, of another list", &listing(x.advert(b, 6, 100), v6));
    // With seconds for an interval these last for long.
    let v2 = matches!(flavour, Flavour::V2);
    if !v2 {
        forgery.forge("one in the backup's name, of another interval", &slow(x.advert(b, 7, 100)));
        forgery.forge("one in the master's name, of another interval", &slow(x.advert(a, 8, 200)));
    }
    if !v6 && !v2 {
        forgery.forge("one in the backup's name, of another version", &other_version(x.advert(b, 9, 100)));
        forgery.forge("one in the master's name, of another version", &other_version(x.advert(a, 10, 200)));
    }
    forgery.forge("one in the master's name, with another TTL", &Advert { ttl: 64, ..x.advert(a, 11, 200) });
    forgery.forge("one in the backup's name, with another TTL", &Advert { ttl: 64, ..x.advert(b, 12, 100) });
    if v2 {
        let auth = Auth::Password(*b"geheim\0\0");
        forgery.forge("one in the master's name, with a password", &Advert { auth, ..x.advert(a, 13, 200) });
    }
    forgery.forge("one of its own that lists the pair's own addresses", &claiming(own(14, 50), a, b, v6));
    forgery.pair().expect_master_a();
    forgery.assert_truth_was_told();
}

/// The master's, what the backup sent when it was master, and what a master sent that is gone: that is obeyed.
fn is_replayed(flavour: Flavour, frr: bool) {
    let mut forgery = Forgery::begin(flavour, frr);
    let [a, b] = forgery.siege.sides().map(|side| side.node.clone());
    let masters = forgery.back(&a, 200);
    let mac = forgery.use_mac(&masters);
    (0..50).for_each(|_| forgery.x.say(&masters));
    forgery.pair().expect_master_a();
    // By unicast the switch takes the stranger's port for the backup's, which hears the master no more: a true split.
    if !matches!(flavour, Flavour::Unicast) {
        forgery.forge("the backup's, played back", &forgery.back(&b, 100));
        forgery.pair().expect_master_a();
    }
    forgery.siege.pair.a.stop();
    forgery.pair().expect_holders(false, true);
    let speakers = forgery.x.speak(&masters);
    forgery.pair().expect_holders(false, false);
    forgery.siege.pair.b.watch.expect("it is told that the master is none", |router| {
        any_of(router, &["hollow_master"]) && router["findings"][0]["node"] == mac
    });
    drop(speakers);
    forgery.siege.pair.a.start();
    forgery.pair().expect_master_a();
    forgery.assert_truth_was_told();
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
    let forgery = Forgery::begin(flavour, frr);
    let (x, a, b) = (&forgery.x, &forgery.pair().a.node, &forgery.pair().b.node);
    let better = x.advert(&x.node, 21, 250);
    let mac = forgery.use_mac(&better);
    let speakers = x.speak(&better);
    forgery.pair().expect_holders(false, false);
    for side in forgery.siege.sides() {
        side.watch.expect("it is told that the master is none", |router| {
            ["degraded", "no_master"].contains(&verdict(router))
                && any_of(router, &["hollow_master"])
                && router["findings"][0]["node"] == mac
        });
    }
    drop(speakers);
    forgery.pair().expect_master_a();
    let farewell = x.advert(a, 22, 0);
    let mac = forgery.use_mac(&farewell);
    // The backup may take over for a moment, and be the last to announce itself: that is so.
    forgery.used.borrow_mut().insert(format!("b ({}) was the last to announce it", b.mac()));
    x.say(&farewell);
    for side in forgery.siege.sides() {
        side.watch.expect("it is heard", |router| router["speakers"].to_string().contains(&mac));
    }
    forgery.pair().expect_master_a();
    misdirects(&forgery);
    forgery.assert_truth_was_told();
}

/// Clients are misled, whoever did it; the master is to announce itself again.
fn misdirects(forgery: &Forgery) {
    let at = stranger::mac(31);
    forgery.used.borrow_mut().insert(at.to_string());
    for side in forgery.siege.sides() {
        side.watch.expect("clients are misled", |router| {
            // A master that has begun a moment ago announces itself once more.
            forgery.x.announce(at);
            any_of(router, &["misdirected"])
        });
        let events = side.watch.get("/api/v1/events").expect("events are served");
        assert!(events.contains(&at.to_string()), "{events}");
    }
    forgery.siege.announce_master();
    forgery.pair().expect_master_a();
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
