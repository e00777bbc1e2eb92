//! What happens in a month, in half a minute: no false alarm, measured against the kernels' own word on who held when.

use crate::lab::{Daemon, Flavour, History, Pair, Watch, press, second, vipwarden};

/// All of it, once: starts, stops, reloads, priorities, preemption, a flapping link, a rebooting peer, a busy host.
fn a_months_events(pair: &mut Pair) {
    pair.a.stop();
    pair.expect_master_b();
    pair.a.start();
    pair.expect_master_a();
    if !pair.a.prefers_frr {
        keepalived_is_told_otherwise(pair);
    }
    for _ in 0..3 {
        pair.a.node.exec("ip link set eth0 down").expect("the link goes down");
        pair.a.node.exec("ip link set eth0 up").expect("the link comes up");
    }
    pair.expect_master_a();
    reboot_b(pair);
    pair.expect_master_a();
    let busy = press(&pair.b.node);
    pair.a.stop();
    pair.expect_master_b();
    pair.a.start();
    drop(busy);
    pair.expect_master_a();
}

/// Reloads that change nothing, and one that hands over by priority.
fn keepalived_is_told_otherwise(pair: &mut Pair) {
    for _ in 0..2 {
        for side in [&pair.a, &pair.b] {
            side.keepalived().reload(&side.instance).expect("keepalived reloads");
        }
        pair.expect_master_a();
    }
    pair.a.set_priority(50);
    pair.expect_master_b();
    pair.a.set_priority(200);
    pair.expect_master_a();
}

/// The backup's host goes, with its vipwarden, and comes back.
fn reboot_b(pair: &mut Pair) {
    pair.b.stop();
    pair.b.watch.0.process().stop().expect("vipwarden stops");
    let sections = second::asks(&pair.b.node, &pair.a.node);
    pair.b.watch = Watch(Daemon::start(&pair.b.node, vipwarden(), &sections).expect("vipwarden starts"));
    pair.b.start();
}

/// Nothing but a takeover is named as a cause while somebody holds the address, and nobody's report is refused. keepalived may
/// advertise before it has the address again when its link flapped, and FRR lets go before it says so: nobody serves then. And while a
/// reload lasts on a busy host a master may be silent for more than four adverts.
fn assert_nothing_is_blamed(by: &str, events: &str, histories: &[History; 2]) {
    let events: Vec<serde_json::Value> = serde_json::from_str(events).expect("a list of events");
    for event in events {
        let at = event["at"].as_str().and_then(|at| at.trim_end_matches('Z').parse().ok()).expect("a date");
        let is_held = histories.iter().any(|history| history.held_at(at));
        let causes = event["causes"].as_array().expect("a list");
        let is_paused = |cause: &serde_json::Value| cause == "muted_master" && event["to"] == "degraded";
        let is_true = causes.iter().all(|cause| cause == "transient" || is_paused(cause));
        assert!(!is_held || is_true && event["to"] != "no_master", "by {by}: {event:#}");
        assert!(event["kind"] != "peer" || event["to"] != "refused", "by {by}: {event:#}");
    }
}

/// No split is told of that lasts longer than the kernels say that both held.
fn is_no_split_beyond_what_the_kernels_say(flavour: Flavour, frr: bool) {
    let mut pair = Pair::with_nodes(flavour, &["x"], second::asks);
    second::join(&pair.a.node, &pair.b.node);
    let bystander = Watch(Daemon::start(pair.lab.node("x"), vipwarden(), "").expect("vipwarden starts"));
    (pair.a.prefers_frr, pair.b.prefers_frr) = (frr, frr);
    let histories = pair.histories();
    pair.start();
    pair.expect_master_a();
    a_months_events(&mut pair);
    let overlap = histories[0].overlap(&histories[1]).as_secs_f64();
    println!("{flavour:?}: both held the VIP for {overlap} s in all");
    for (name, watch) in [("a", &pair.a.watch), ("b", &pair.b.watch), ("a bystander", &bystander)] {
        let split = watch.metric("vrrp_split_brain_seconds_total", &["vrid=\"51\""]);
        let events = watch.get("/api/v1/events").expect("events are served");
        assert_nothing_is_blamed(name, &events, &histories);
        // A master advertises a moment before it has the address.
        assert!(split <= overlap + 0.1, "{name} tells of {split} s, and both held for {overlap} s: {events}");
    }
}

#[test]
fn fault_25_a_months_legitimate_events_are_no_split_beyond_what_the_kernels_say() {
    is_no_split_beyond_what_the_kernels_say(Flavour::V3, false);
}

#[test]
fn fault_25_a_months_events_with_v2_are_no_split_beyond_what_the_kernels_say() {
    is_no_split_beyond_what_the_kernels_say(Flavour::V2, false);
}

#[test]
fn fault_25_a_months_events_with_ipv6_are_no_split_beyond_what_the_kernels_say() {
    is_no_split_beyond_what_the_kernels_say(Flavour::V6, false);
}

#[test]
fn fault_25_a_months_events_with_virtual_macs_are_no_split_beyond_what_the_kernels_say() {
    is_no_split_beyond_what_the_kernels_say(Flavour::Vmac, false);
}

#[test]
fn fault_25_a_months_events_by_unicast_are_no_split_beyond_what_the_kernels_say() {
    is_no_split_beyond_what_the_kernels_say(Flavour::Unicast, false);
}

#[test]
fn fault_25_a_months_events_with_frr_are_no_split_beyond_what_the_kernels_say() {
    is_no_split_beyond_what_the_kernels_say(Flavour::V3, true);
}

#[test]
fn fault_25_a_months_events_with_frr_over_ipv6_are_no_split_beyond_what_the_kernels_say() {
    is_no_split_beyond_what_the_kernels_say(Flavour::V6, true);
}
