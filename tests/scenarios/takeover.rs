//! Row 1: what is no fault. A run of legitimate takeovers is never called a split for longer than two really held.

use crate::lab::{Flavour, Pair, until};

/// A way in which mastership goes to `b` and comes back.
#[derive(Clone, Copy, Debug)]
enum Way {
    /// keepalived ends as its service manager ends it, and is started again.
    Stop,
    /// `kill -TERM` of the VRRP process: it gives mastership up, is started anew by its parent, and preempts.
    Term,
    Link,
    Priority,
}

const WAYS: [Way; 4] = [Way::Stop, Way::Term, Way::Link, Way::Priority];

fn there_and_back(pair: &mut Pair, way: Way) {
    match way {
        Way::Stop => {
            pair.a.stop();
            pair.expect_master_b();
            pair.a.start();
        }
        Way::Term => {
            let before = transitions(pair);
            pair.a.keepalived().signal_child(libc::SIGTERM).expect("keepalived runs");
            // `b` may be master for a moment only.
            until("b was master", || transitions(pair) > before);
        }
        Way::Link => {
            pair.a.node.exec("ip link set eth0 down").expect("the link goes down");
            pair.expect_holders(false, true);
            pair.b.watch.expect_verdict("healthy", &[]);
            pair.a.watch.expect_verdict("unknown", &[]);
            pair.a.node.exec("ip link set eth0 up").expect("the link comes up");
        }
        Way::Priority => {
            pair.a.set_priority(50);
            pair.expect_master_b();
            pair.a.set_priority(200);
        }
    }
    pair.expect_master_a();
}

fn transitions(pair: &Pair) -> f64 {
    pair.b.watch.metric("vrrp_master_transitions_total", &["vrid=\"51\""])
}

/// A start, and three takeovers to and fro in each way, with preemption.
fn takeovers_both_ways(flavour: Flavour) {
    let mut pair = Pair::idle(flavour);
    let [a, b] = pair.histories();
    pair.start();
    pair.expect_master_a();
    for way in WAYS {
        let before = transitions(&pair);
        for _ in 0..3 {
            there_and_back(&mut pair, way);
        }
        let counted = transitions(&pair) - before;
        assert!(counted >= 6.0, "six takeovers by {way:?}, and {counted} transitions were counted");
    }
    let spells = [a.spells().len(), b.spells().len()];
    assert!(spells[0] >= 13 && spells[1] >= 12, "the VIP came to a and b as often as it was handed over: {spells:?}");
    let overlap = a.overlap(&b).as_secs_f64();
    println!("{flavour:?}: both held the VIP for {overlap} s in all");
    // A master advertises a moment before it has the address.
    let at_most = overlap + 0.1;
    for side in [&pair.a, &pair.b] {
        let name = side.node.name();
        let split = side.watch.metric("vrrp_split_brain_seconds_total", &["vrid=\"51\""]);
        assert!(split <= at_most, "{name} tells of a split of {split} s, and both held the VIP for {overlap} s");
        let episodes = side.watch.metric("vrrp_split_brain_episodes_total", &["vrid=\"51\""]);
        assert!(episodes == 0.0 || split > 0.0, "{name} tells of {episodes} splits that took no time");
    }
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
