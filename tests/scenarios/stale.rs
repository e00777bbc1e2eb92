//! Rows 14 to 18: addresses that are where they don't belong.

use crate::lab::{Delays, Firewall, Flavour, Intruder, Lab, Pair, holds, until};
use std::time::Duration;

/// The daemon on `a` is gone without a word: the VIP stays there, `b` takes over, and both nodes see the split.
fn killed(flavour: Flavour) {
    let mut pair = Pair::settled(flavour);
    pair.a.kill();
    pair.expect_holders(true, true);
    pair.a.watch.expect_verdict("split_brain", &["stale_address"]);
    // Without a report from there, dead, frozen and filtered look the same.
    pair.b.watch.expect_verdict("split_brain", &["stale_address", "muted_master", "undetermined"]);
    pair.a.start();
    pair.expect_master_a();
}

#[test]
fn fault_14_a_killed_daemon_leaves_a_stale_address_with_v2() {
    killed(Flavour::V2);
}

#[test]
fn fault_14_a_killed_daemon_leaves_a_stale_address_with_v3() {
    killed(Flavour::V3);
}

#[test]
fn fault_14_a_killed_daemon_leaves_a_stale_address_with_ipv6() {
    killed(Flavour::V6);
}

#[test]
fn fault_14_a_killed_daemon_leaves_a_stale_address_with_virtual_macs() {
    killed(Flavour::Vmac);
}

/// The daemon on `a` freezes, as a stopped machine does, and thaws.
fn frozen(flavour: Flavour) {
    let pair = Pair::settled(flavour);
    pair.a.keepalived().signal_child(libc::SIGSTOP).expect("it stops");
    pair.expect_holders(true, true);
    pair.a.watch.expect_verdict("split_brain", &["stale_address"]);
    pair.b.watch.expect_verdict("split_brain", &["stale_address", "muted_master", "undetermined"]);
    pair.a.keepalived().signal_child(libc::SIGCONT).expect("it goes on");
    pair.expect_master_a();
}

#[test]
fn fault_15_a_frozen_daemon_keeps_the_address_with_v2() {
    frozen(Flavour::V2);
}

#[test]
fn fault_15_a_frozen_daemon_keeps_the_address_with_v3() {
    frozen(Flavour::V3);
}

/// Someone adds the VIP by hand on the backup.
fn stray(flavour: Flavour, address: &str, options: &str) {
    let pair = Pair::settled(flavour);
    pair.b.node.exec(&format!("ip addr add {address} dev eth0 {options}")).expect("the address is added");
    pair.expect_holders(true, true);
    let router = pair.b.watch.expect_verdict("split_brain", &["stray_address"]);
    assert_eq!(router["state"], "backup", "{router:#}");
    pair.a.watch.expect_verdict("split_brain", &[]);
    pair.b.node.exec(&format!("ip addr del {address} dev eth0")).expect("the address goes");
    pair.expect_master_a();
}

#[test]
fn fault_16_a_vip_added_by_hand_on_the_backup_is_a_stray() {
    stray(Flavour::V3, "10.9.9.100/32", "");
}

#[test]
fn fault_16_a_vip_added_by_hand_on_the_backup_is_a_stray_with_v2() {
    stray(Flavour::V2, "10.9.9.100/32", "");
}

#[test]
fn fault_16_a_vip_added_by_hand_on_the_backup_is_a_stray_with_ipv6() {
    stray(Flavour::V6, "2001:db8:9::100/64", "nodad");
}

/// A host that speaks no VRRP has the VIP, too.
fn stranger(flavour: Flavour, address: &str) {
    let mut pair = Pair::with_nodes(flavour, &["x"], |_, _| String::new());
    pair.start();
    pair.expect_master_a();
    let stranger = pair.lab.node("x").clone();
    stranger.exec(&format!("ip addr add {address} dev eth0")).expect("the stranger takes the address");
    for side in [&pair.a, &pair.b] {
        let router = side.watch.expect_verdict("split_brain", &["foreign_claim"]);
        assert!(router["findings"].to_string().contains(&stranger.mac()), "its MAC is named: {router:#}");
    }
    stranger.exec(&format!("ip addr del {address} dev eth0")).expect("the stranger lets it go");
    pair.expect_master_a();
}

#[test]
fn fault_18_a_stranger_that_answers_for_the_vip_is_named_by_its_mac() {
    stranger(Flavour::V3, "10.9.9.100/24");
}

#[test]
fn fault_18_a_stranger_that_answers_for_the_vip_is_named_with_ipv6() {
    stranger(Flavour::V6, "2001:db8:9::100/64 nodad");
}

#[test]
fn fault_16_a_vip_added_by_hand_beside_virtual_macs_is_told_on_its_own_node() {
    let pair = Pair::settled(Flavour::Vmac);
    pair.b.node.exec("ip addr add 10.9.9.100/32 dev eth0").expect("the address is added");
    // From `a` it looks like the parent of a backup's macvlan, which may answer and holds nothing: see the README.
    pair.b.watch.expect_verdict("split_brain", &["stray_address"]);
    pair.b.node.exec("ip addr del 10.9.9.100/32 dev eth0").expect("the address goes");
    pair.expect_master_a();
}

#[test]
fn fault_32_a_master_with_two_cards_on_the_segment_answers_twice_and_is_healthy() {
    let pair = Pair::settled(Flavour::V3);
    let node = pair.a.node.clone();
    let cable = format!("ip link add eth1 type veth peer name a2 netns {}", node.switch());
    for line in [&cable, "ip link set eth1 address 02:00:00:09:0a:01 up"] {
        node.exec(line).expect("the second card is made");
    }
    let plug = ["-n", node.switch(), "link", "set", "dev", "a2", "master", "br0", "up"];
    assert!(std::process::Command::new("ip").args(plug).status().expect("ip runs").success());
    // Counted where the answers are: the second card gives some, too.
    let answers = Firewall::count_arp_answers(&pair.lab, "a2");
    until("both cards answer, again and again", || answers.counted() > 8);
    pair.expect_master_a();
    pair.assert_never_split();
    let events = pair.b.watch.get("/api/v1/events").expect("events are served");
    assert!(!events.contains("split_brain"), "{events}");
}

/// Two probe intervals (a second each) are what it takes; the rest is this machine's noise. `cargo bench --bench detection`
/// prints the figures.
fn told_in_time(flavour: Flavour, intruder: Intruder) {
    let delays = Delays::prepare(flavour, intruder).measure();
    println!("{flavour:?}, {intruder:?}: told after {delays:?} by a and b");
    assert!(delays.iter().all(|delay| *delay < Duration::from_secs(4)), "{intruder:?} is told after {delays:?}");
}

#[test]
fn fault_14_a_stale_address_is_told_within_a_few_probe_intervals() {
    told_in_time(Flavour::V3, Intruder::Stale);
    told_in_time(Flavour::V2, Intruder::Stale);
}

#[test]
fn fault_16_a_stray_address_is_told_within_a_few_probe_intervals() {
    told_in_time(Flavour::V3, Intruder::Stray);
    told_in_time(Flavour::V6, Intruder::Stray);
}

#[test]
fn fault_18_a_strangers_claim_is_told_within_a_few_probe_intervals() {
    told_in_time(Flavour::V3, Intruder::Stranger);
    told_in_time(Flavour::V6, Intruder::Stranger);
}

#[test]
fn the_laboratory_removes_all_that_it_made() {
    let lab = Lab::new(&["a", "b"]).expect("the laboratory is made (needs root)");
    let node = lab.node("a").clone();
    until("the nodes reach each other", || node.exec("ping -c1 -W1 10.9.9.2").is_ok());
    assert!(holds(&node, &node.link_local()));
    let (namespace, scratch) = (node.namespace().to_owned(), lab.scratch().to_owned());
    let mut sleeper = node.command("sleep").arg("1000").spawn().expect("sleep starts");
    // Before that it is an ip that has not entered the namespace yet, and nothing in it.
    let named = format!("/proc/{}/comm", sleeper.id());
    until("it sleeps", || std::fs::read_to_string(&named).is_ok_and(|name| name.trim() == "sleep"));
    drop(lab);
    assert!(!std::path::Path::new("/run/netns").join(namespace).exists());
    assert!(!scratch.exists());
    let ended = sleeper.wait().expect("it can be waited for");
    assert!(!ended.success(), "processes in it were killed");
}
