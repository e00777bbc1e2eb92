//! Row 1: what is no fault. A run of legitimate takeovers shows no split brain at all.

use crate::lab::{Flavour, Pair};

/// Stop, link, priority: each hands the VIP over, each hands it back, and nothing of it is ever called a split.
fn takeovers_both_ways(flavour: Flavour) {
    let mut pair = Pair::settled(flavour);
    pair.a.stop();
    pair.expect_master_b();
    pair.a.start();
    pair.expect_master_a();

    pair.a.node.exec("ip link set eth0 down").expect("the link goes down");
    pair.expect_holders(false, true);
    pair.b.watch.expect_verdict("healthy", &[]);
    pair.a.watch.expect_verdict("unknown", &[]);
    pair.a.node.exec("ip link set eth0 up").expect("the link comes up");
    pair.expect_master_a();

    pair.a.set_priority(50);
    pair.expect_master_b();
    pair.a.set_priority(200);
    pair.expect_master_a();

    pair.assert_never_split();
    let transitions = pair.b.watch.metric("vrrp_master_transitions_total", &["vrid=\"51\""]);
    assert!(transitions >= 6.0, "six takeovers, and {transitions} transitions were counted");
}

#[test]
fn fault_1_takeovers_with_v2_are_no_split() {
    takeovers_both_ways(Flavour::V2);
}

#[test]
fn fault_1_takeovers_with_v3_are_no_split() {
    takeovers_both_ways(Flavour::V3);
}

#[test]
fn fault_1_takeovers_with_ipv6_are_no_split() {
    takeovers_both_ways(Flavour::V6);
}

#[test]
fn fault_1_takeovers_with_virtual_macs_are_no_split() {
    takeovers_both_ways(Flavour::Vmac);
}

#[test]
fn fault_1_takeovers_by_unicast_are_no_split() {
    takeovers_both_ways(Flavour::Unicast);
}

#[test]
fn fault_1_a_backup_that_may_not_preempt_stays_backup_and_healthy() {
    let mut pair = Pair::idle(Flavour::V3);
    pair.a.instance.lines.push("nopreempt".into());
    pair.b.start();
    pair.expect_master_b();
    pair.a.start();
    let backup = pair.a.watch.expect("a is a backup", |router| router["state"] == "backup");
    assert_eq!(backup["verdict"], "healthy", "{backup:#}");
    pair.expect_master_b();
    pair.assert_never_split();
}

#[test]
fn fault_17_a_vip_deleted_by_hand_on_the_master_is_retaken_without_a_split() {
    let pair = Pair::settled(Flavour::V3);
    pair.a.node.exec("ip addr del 10.9.9.100/24 dev eth0").expect("the address goes");
    pair.expect_master_a();
    pair.assert_never_split();
}
