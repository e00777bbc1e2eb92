//! A master that falls silent: is its address taken, and when.

use crate::lab::{Flavour, INTERFACE, Keepalived, Stage, Watch, holds, until};

fn events(vipwarden: &Watch) -> String {
    vipwarden.get("/api/v1/events").expect("it answers")
}

/// A keepalived that is master on `a`, and a vipwarden that is backup on `b`.
fn beside_keepalived(flavour: Flavour, lines: &[&str]) -> (Stage, Keepalived, Watch) {
    let stage = Stage::new(flavour);
    let keepalived = Keepalived::start(&stage.a, &stage.instance(&stage.a, 200)).expect("keepalived starts");
    stage.expect_holders(true, false);
    let vipwarden = stage.speaker(&stage.b, 100, lines);
    vipwarden.expect("it is backup", |router| router["state"] == "backup" && router["verdict"] == "healthy");
    (stage, keepalived, vipwarden)
}

/// Frozen, its kernel answers on: whoever took the address now would make a second holder.
fn a_frozen_master_that_answers_keeps_its_address(flavour: Flavour) {
    let (stage, keepalived, vipwarden) = beside_keepalived(flavour, &[]);
    keepalived.signal_child(libc::SIGSTOP).expect("it runs");
    until("the silence is told", || events(&vipwarden).contains("still answers for the address"));
    assert!(!holds(&stage.b, flavour.vip()));
    assert_eq!(vipwarden.metric("vrrp_state_transitions_total", &["to=\"master\""]), 0.0);
    // Somebody takes the address away there: now it is free, and is taken.
    stage.a.exec(&format!("ip addr flush dev {INTERFACE} to {}", flavour.vip())).expect("it is there");
    if matches!(flavour, Flavour::V6) {
        stage.a.exec(&format!("ip addr del fe80::100/64 dev {INTERFACE}")).expect("it is there");
    }
    stage.expect_holders(false, true);
}

#[test]
fn a_frozen_master_that_answers_keeps_its_address_over_ipv4() {
    a_frozen_master_that_answers_keeps_its_address(Flavour::V3);
}

#[test]
fn a_frozen_master_that_answers_keeps_its_address_over_ipv6() {
    a_frozen_master_that_answers_keeps_its_address(Flavour::V6);
}

/// Its filter lets no echo through; ARP is not asked by filters.
#[test]
fn a_frozen_master_that_drops_echoes_keeps_its_address() {
    let (stage, keepalived, vipwarden) = beside_keepalived(Flavour::V3, &[]);
    let rules = "table inet t {
chain c {
type filter hook input priority 0
icmp type echo-request drop
}
}";
    crate::lab::nft(stage.a.namespace(), rules).expect("nft takes the rules");
    keepalived.signal_child(libc::SIGSTOP).expect("it runs");
    until("the silence is told", || events(&vipwarden).contains("still answers for the address"));
    assert!(!holds(&stage.b, stage.flavour.vip()));
}

#[test]
fn with_a_virtual_mac_a_frozen_master_is_asked_at_that_mac() {
    let (stage, keepalived, vipwarden) = beside_keepalived(Flavour::Vmac, &[]);
    keepalived.signal_child(libc::SIGSTOP).expect("it runs");
    until("the silence is told", || events(&vipwarden).contains("still answers for the address"));
    assert!(!holds(&stage.b, stage.flavour.vip()));
    keepalived.signal_child(libc::SIGCONT).expect("it runs");
    stage.expect_holders(true, false);
}

#[test]
fn a_killed_master_whose_address_stays_is_waited_for_as_long_as_promote_grace_says() {
    let lines = ["[router.fence]", "promote_grace = \"1s\"", "on_split_brain = false"];
    let (stage, keepalived, vipwarden) = beside_keepalived(Flavour::V3, &lines);
    keepalived.kill().expect("it runs");
    vipwarden.expect("it is master", |router| router["state"] == "master");
    assert!(holds(&stage.a, stage.flavour.vip()), "the killed one could not clear up");
    assert!(events(&vipwarden).contains("still answers for the address"), "it had waited");
}

#[test]
fn a_master_whose_cable_is_cut_is_taken_over_from_at_once() {
    let (stage, _keepalived, vipwarden) = beside_keepalived(Flavour::V3, &[]);
    stage.a.exec(&format!("ip link set {INTERFACE} down")).expect("it is there");
    vipwarden.expect("it is master", |router| router["state"] == "master");
    let events = events(&vipwarden);
    assert!(events.contains("is silent") && !events.contains("still answers"), "{events}");
}
