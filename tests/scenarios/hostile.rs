//! A stranger on the segment: whatever it sends is bounded, named, and doesn't spoil what is said of one's own routers.

use crate::lab::{Advert, Firewall, Flavour, Injector, Node, Pair, Speaker, any_of, second, until, verdict};
use std::net::Ipv4Addr;

fn configured(node: &Node, peer: &Node) -> String {
    format!(
        "[watch]\nmax_routers = 32\n[[peer]]\nname = \"{}\"\naddress = \"{}\"\n\
         [[router]]\nname = \"web\"\ninterface = \"eth0\"\nvrid = 51\naddresses = [\"10.9.9.100/24\"]\n\
         # {}\n",
        peer.name(),
        peer.ipv4(),
        node.name()
    )
}

fn pair_with_stranger() -> (Pair, Node) {
    let mut pair = Pair::with_nodes(Flavour::V3, &["x"], configured);
    pair.start();
    pair.expect_master_a();
    let stranger = pair.lab.node("x").clone();
    (pair, stranger)
}

/// Adverts of every VRID from ever new sources and MACs, and garbage on protocol 112.
fn flood(injector: &mut Injector, frames: std::ops::Range<u32>) {
    for n in frames {
        let [_, high, middle, low] = n.to_be_bytes();
        let vrid = low.max(1);
        let vrid = if vrid == 51 { 52 } else { vrid };
        let mut advert = Advert::from_host(200, vrid, vec![Ipv4Addr::new(172, 16, middle, low)]);
        advert.source = Ipv4Addr::new(10, high.wrapping_add(100), middle, low);
        advert.mac = [2, 0xee, 0, high, middle, low];
        let mut frame = advert.frame();
        match n % 5 {
            3 => frame.truncate(14 + 20 + (n % 8) as usize),
            4 => frame[14 + 20 + (n % 12) as usize] ^= 0xff,
            _ => {}
        }
        injector.send(&frame);
    }
}

#[test]
fn a_flood_of_strangers_grows_neither_series_nor_memory_and_the_verdict_stays_right() {
    let (mut pair, stranger) = pair_with_stranger();
    let mut injector = Injector::open(&stranger);
    flood(&mut injector, 0..30_000);
    until("the table is full", || pair.b.watch.metric("vrrp_table_full_total", &[]) > 0.0);
    pair.expect_master_a();
    let memory = pair.b.watch.resident_kib();
    flood(&mut injector, 30_000..80_000);
    pair.expect_master_a();
    let more_memory = pair.b.watch.resident_kib();
    assert!(more_memory < memory + 4 * 1024, "{memory} KiB became {more_memory}");
    // 33 routers with 8 speakers each, and 1024 rows of refused adverts.
    let lines = pair.b.watch.get("/metrics").expect("metrics are served").lines().count();
    assert!(lines < 6_000, "{lines} lines of metrics");
    let routers = pair.b.watch.status().expect("it answers")["routers"].as_array().map_or(0, Vec::len);
    assert!(routers <= 33, "32 learned and 1 configured, not {routers}");
    pair.assert_never_split();
}

#[test]
fn one_forged_advert_with_255_addresses_makes_no_storm_of_probes() {
    let (pair, stranger) = pair_with_stranger();
    let requests = Firewall::count_arp_requests(&pair.lab, "a");
    let addresses = (0..255).map(|n| Ipv4Addr::new(10, 9, 9, n)).collect();
    let mut injector = Injector::open(&stranger);
    injector.send(&Advert::from_host(3, 77, addresses).frame());
    let started = pair.b.watch.status().expect("it answers")["uptime_seconds"].as_f64().expect("a number");
    let mut elapsed = 0.0;
    until("five seconds have passed", || {
        let now = pair.b.watch.status().expect("it answers")["uptime_seconds"].as_f64().expect("a number");
        elapsed = now - started;
        elapsed > 5.0
    });
    // keepalived's own gratuitous announcements are among those counted.
    let counted = requests.counted();
    assert!((counted as f64) < 10.0 * (elapsed + 2.0), "{counted} ARP requests left in {elapsed} s");
    pair.expect_master_a();
}

#[test]
fn a_forged_advert_of_a_known_router_is_not_called_a_split_for_ever() {
    let (pair, stranger) = pair_with_stranger();
    let mut injector = Injector::open(&stranger);
    let mut forged = Advert::from_host(3, 51, vec![Ipv4Addr::new(10, 9, 9, 100)]);
    forged.priority = 1;
    injector.send(&forged.frame());
    pair.expect_master_a();
}

#[test]
fn fault_23_one_vrid_tagged_and_untagged_is_two_routers_and_both_are_healthy() {
    let (pair, stranger) = pair_with_stranger();
    let mut tagged = Advert::from_host(3, 51, vec![Ipv4Addr::new(10, 100, 0, 100)]);
    tagged.vlan = Some(100);
    let _speaker = Speaker::start(&stranger, tagged.frame());
    until("both routers are known and healthy", || {
        let status = pair.b.watch.status().expect("it answers");
        let routers = status["routers"].as_array().expect("a list");
        let healthy = |vlan: serde_json::Value| {
            routers.iter().any(|r| r["vrid"] == 51 && r["vlan"] == vlan && verdict(r) == "healthy")
        };
        healthy(100.into()) && healthy(serde_json::Value::Null)
    });
    pair.assert_never_split();
}

/// The adverts of a master that lives, and of one that is gone, played back by somebody else.
#[test]
fn replayed_adverts_make_no_split_and_a_replayed_master_that_is_gone_is_called_hollow() {
    let mut pair = Pair::with_nodes(Flavour::V3, &["x"], second::asks);
    second::join(&pair.a.node, &pair.b.node);
    pair.start();
    pair.expect_master_a();
    let mut replayed = Advert::from_host(1, 51, vec![Ipv4Addr::new(10, 9, 9, 100)]);
    (replayed.mac, replayed.priority) = ([2, 0, 0, 9, 9, 1], 200);
    let frame = replayed.frame();
    let mut injector = Injector::open(pair.lab.node("x"));
    (0..200).for_each(|_| injector.send(&frame));
    pair.expect_master_a();
    pair.assert_never_split();
    pair.a.stop();
    pair.expect_holders(false, true);
    let replay = Speaker::start(pair.lab.node("x"), frame);
    // The election obeys them: b lets go, and nobody serves.
    pair.expect_holders(false, false);
    pair.b.watch.expect("it is told that the master is none", |router| {
        ["degraded", "no_master"].contains(&verdict(router)) && any_of(router, &["hollow_master"])
    });
    drop(replay);
    pair.a.start();
    pair.expect_master_a();
}

/// Somebody answers in the peer's name, with another key: it is alarmed, and its word counts for nothing.
#[test]
fn a_report_with_another_key_is_alarmed_and_not_believed() {
    let mut pair = Pair::with_nodes(Flavour::V3, &[], |node, peer| {
        let sections = second::asks(node, peer);
        if node.name() == "b" {
            let key = node.scratch().expect("a directory").join("cluster.key");
            std::fs::write(key, "0123456789abcdef0123456789abcdef").expect("the key is written");
        }
        sections
    });
    pair.start();
    pair.expect_master_a();
    for side in [&pair.a, &pair.b] {
        until("the answer is refused", || {
            let status = side.watch.status().expect("it answers");
            let peer = &status["peers"][0];
            peer["trusted"] == false && peer["trouble"].as_str().is_some_and(|why| why.contains("key_file"))
        });
        let events = side.watch.get("/api/v1/events").expect("events are served");
        assert!(events.contains("refused"), "{events}");
        assert_eq!(side.watch.metric("vrrp_peer_up", &["channel=\"api\""]), 0.0);
    }
    pair.assert_never_split();
}
