//! Rows 20 and 22: nobody serves, and nothing can be known.

use crate::lab::{Flavour, Injector, Pair, until, verdict};

fn all_silent(flavour: Flavour, addresses: &[&str]) {
    let mut pair = Pair::settled(flavour);
    // The backup goes first, or it would take over.
    pair.b.stop();
    pair.a.kill();
    for address in addresses {
        pair.a.node.exec(&format!("ip addr del {address} dev eth0")).expect("the address goes");
    }
    for side in [&pair.a, &pair.b] {
        side.watch.expect_verdict("no_master", &[]);
        assert_eq!(side.watch.metric("vrrp_no_master", &["vrid=\"51\""]), 1.0);
    }
    pair.start();
    pair.expect_master_a();
    pair.assert_never_split();
}

#[test]
fn fault_20_when_all_masters_are_silent_nobody_serves_with_v2() {
    all_silent(Flavour::V2, &["10.9.9.100/24"]);
}

#[test]
fn fault_20_when_all_masters_are_silent_nobody_serves_with_v3() {
    all_silent(Flavour::V3, &["10.9.9.100/24"]);
}

#[test]
fn fault_20_when_all_masters_are_silent_nobody_serves_with_ipv6() {
    all_silent(Flavour::V6, &["2001:db8:9::100/64", "fe80::100/64"]);
}

#[test]
fn fault_22_a_pulled_cable_is_unknown_and_never_healthy() {
    let pair = Pair::settled(Flavour::V3);
    // The switch's end goes down: carrier is lost, the interface stays up.
    let (switch, port) = (pair.b.node.switch().to_owned(), pair.b.node.name().to_owned());
    let plug = |state: &str| {
        let arguments = ["-n", &switch, "link", "set", "dev", &port, state];
        let done = std::process::Command::new("ip").args(arguments).status().expect("ip runs");
        assert!(done.success());
    };
    plug("down");
    pair.b.watch.expect_verdict("unknown", &[]);
    assert!(pair.b.watch.get("/-/ready").is_err(), "not ready while blind");
    assert!(pair.b.watch.get("/-/healthy").is_ok(), "a pulled cable must not get a container killed");
    assert_eq!(pair.b.watch.metric("vrrp_sensor_up", &["sensor=\"carrier\"", "interface=\"eth0\""]), 0.0);
    let metrics = pair.b.watch.get("/metrics").expect("metrics are served");
    assert!(!metrics.contains("vrrp_vip_claimants"), "who can't hear an answer doesn't count claimants as none");
    pair.a.watch.expect_verdict("healthy", &[]);
    plug("up");
    pair.expect_master_a();
    until("it is ready again", || pair.b.watch.get("/-/ready").is_ok());
    pair.assert_never_split();
}

#[test]
fn fault_22_a_daemon_that_was_frozen_itself_makes_no_false_alarm() {
    let mut pair = Pair::settled(Flavour::V3);
    let before = pair.b.watch.metric("vipwarden_loop_lag_seconds_count", &[]);
    pair.b.watch.process().signal(libc::SIGSTOP).expect("vipwarden stops");
    // Meanwhile the VIP moves there and back, which it can't see.
    pair.a.stop();
    pair.expect_holders(false, true);
    pair.a.start();
    pair.expect_holders(true, false);
    pair.b.watch.process().signal(libc::SIGCONT).expect("vipwarden goes on");
    pair.expect_master_a();
    assert!(pair.b.watch.metric("vipwarden_loop_lag_seconds_count", &[]) > before, "the loop's lag is measured");
    pair.assert_never_split();
}

#[test]
fn fault_22_a_capture_that_overran_is_unknown_names_its_sensor_and_is_healthy_again() {
    let mut pair = Pair::with_nodes(Flavour::V2, &["x"], |_, _| String::new());
    // What was missed is in doubt for one interval, which has to be long enough to be seen.
    (pair.a.instance.advert_int, pair.b.instance.advert_int) = (3.0, 3.0);
    pair.start();
    pair.expect_master_a();
    let mut injector = Injector::open(pair.lab.node("x"));
    pair.b.watch.process().signal(libc::SIGSTOP).expect("vipwarden stops");
    // Answers to questions that `b` never asked: more than the socket has room for.
    let reply = [&[2, 0, 0, 9, 9, 2, 2, 0, 0, 9, 9, 3, 8, 6, 0, 1, 8, 0, 6, 4, 0, 2][..], &[0; 20]].concat();
    (0..40_000).for_each(|_| injector.send(&reply));
    pair.b.watch.process().signal(libc::SIGCONT).expect("vipwarden goes on");
    let router = pair.b.watch.expect("it is unknown because frames were dropped", |router| {
        verdict(router) == "unknown" && router["evidence"].to_string().contains("the kernel dropped")
    });
    assert_eq!(router["evidence"][0]["kind"], "sensor", "{router:#}");
    let on_eth0 = ["sensor=\"capture\"", "interface=\"eth0\""];
    assert_eq!(pair.b.watch.metric("vrrp_sensor_up", &on_eth0), 0.0);
    assert!(pair.b.watch.metric("vipwarden_capture_dropped_total", &["interface=\"eth0\""]) > 0.0);
    pair.expect_master_a();
    until("the capture is trusted again", || pair.b.watch.metric("vrrp_sensor_up", &on_eth0) == 1.0);
    pair.assert_never_split();
}
