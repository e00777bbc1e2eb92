//! Rows 20 and 22: nobody serves, and nothing can be known.

use crate::lab::{Flavour, Pair, until};

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
