//! Rows 5 to 10 and 28: the two sides are told different things, and refuse each other's adverts.

use crate::lab::{
    Advert, Daemon, Firewall, Flavour, Instance, Node, Pair, Side, Speaker, Watch, any_of, until, verdict, vipwarden,
};
use std::net::Ipv4Addr;

/// Makes the sides differ by `differ`; both must name `cause` while both hold the VIP.
fn split_by(flavour: Flavour, cause: &str, differ: impl Fn(&mut Pair)) -> Pair {
    let mut pair = Pair::idle(flavour);
    differ(&mut pair);
    pair.start();
    pair.expect_holders(true, true);
    pair.a.watch.expect_verdict("split_brain", &[cause]);
    pair.b.watch.expect_verdict("split_brain", &[cause]);
    pair
}

/// Gives `b` what `a` has, and waits for health.
fn heal(mut pair: Pair) {
    pair.b.stop();
    pair.b.instance = Instance { priority: pair.b.instance.priority, ..pair.a.instance.clone() };
    pair.b.start();
    if pair.a.instance.addresses[0].contains('.') {
        // keepalived's winner does not announce itself again: clients would go on to the loser (fault 29), and the page says so.
        let correct = |router: &serde_json::Value| verdict(router) == "healthy" || any_of(router, &["misdirected"]);
        pair.a.watch.expect("the split is over", |router| correct(router) && verdict(router) != "split_brain");
        announce(&pair.a.node);
    }
    pair.expect_master_a();
}

/// What the remedy of `misdirected` says.
fn announce(node: &Node) {
    node.exec("arping -U -c 1 -I eth0 10.9.9.100").expect("arping announces");
}

#[test]
fn fault_5_differing_address_lists_are_a_split_and_both_lists_are_named() {
    let pair = split_by(Flavour::V3, "addresses_mismatch", |pair| {
        pair.a.instance.addresses.push("10.9.9.101/24".into());
    });
    let router = pair.b.watch.expect_verdict("split_brain", &["addresses_mismatch"]);
    let findings = router["findings"].to_string();
    assert!(findings.contains("10.9.9.101") && findings.contains("10.9.9.100"), "{findings}");
    heal(pair);
}

#[test]
fn fault_5_differing_address_lists_are_a_split_with_ipv6() {
    heal(split_by(Flavour::V6, "addresses_mismatch", |pair| {
        pair.a.instance.addresses.push("2001:db8:9::101/64".into());
    }));
}

#[test]
fn fault_6_differing_v2_intervals_are_a_split() {
    heal(split_by(Flavour::V2, "interval_mismatch", |pair| pair.b.instance.advert_int = 2.0));
}

/// Row 28: keepalived starts its timer anew with each advert that it refuses. The one with the longer interval then never sends
/// again, though it holds the VIP; with equal intervals it is now the one and now the other.
fn muted(flavour: Flavour, cause: &str, differ: impl Fn(&mut Pair)) {
    let pair = split_by(flavour, cause, differ);
    let sent = ["a", "b"].map(|from| Firewall::count_adverts(&pair.lab, from));
    let on_b = pair.b.watch.expect("its own silence is named beside the mismatch", |router| {
        verdict(router) == "split_brain" && any_of(router, &["muted_master"])
    });
    assert_eq!(on_b["causes"], serde_json::json!([cause, "muted_master"]), "{on_b:#}");
    let finding = &on_b["findings"][1];
    assert_eq!((&finding["cause"], &finding["node"]), (&"muted_master".into(), &"b".into()), "{on_b:#}");
    until("a goes on advertising", || sent[0].counted() >= 5);
    assert_eq!(sent[1].counted(), 0, "b really sends nothing");
    pair.expect_holders(true, true);
    let on_a = pair.a.watch.expect_verdict("split_brain", &[cause]);
    assert!(!any_of(&on_a, &["muted_master"]), "from there silence can have any reason: {on_a:#}");
    heal(pair);
}

#[test]
fn fault_28_a_master_muted_by_another_list_of_addresses_has_both_causes() {
    muted(Flavour::V3, "addresses_mismatch", |pair| {
        pair.a.instance.addresses.push("10.9.9.101/24".into());
        pair.b.instance.advert_int = 0.3;
    });
}

#[test]
fn fault_28_a_master_muted_by_a_missing_password_has_both_causes() {
    muted(Flavour::V2, "auth_mismatch", |pair| {
        pair.a.instance.lines.push("authentication {\n auth_type PASS\n auth_pass hunter2x\n}".into());
        pair.b.instance.advert_int = 3.0;
    });
}

#[test]
fn fault_28_a_master_muted_by_another_interval_has_both_causes() {
    muted(Flavour::V2, "interval_mismatch", |pair| pair.b.instance.advert_int = 2.0);
}

#[test]
fn fault_28_two_that_mute_each_other_in_turn_stay_one_split_with_one_cause() {
    let pair = split_by(Flavour::V3, "addresses_mismatch", |pair| {
        pair.a.instance.addresses.push("10.9.9.101/24".into());
    });
    let verdicts = |side: &Side| {
        let events: serde_json::Value =
            serde_json::from_str(&side.watch.get("/api/v1/events").expect("events are served")).expect("JSON");
        events.as_array().expect("a list").iter().filter(|e| e["kind"] == "verdict").count()
    };
    let before = [&pair.a, &pair.b].map(verdicts);
    let sent = ["a", "b"].map(|from| Firewall::count_adverts(&pair.lab, from));
    until("both have sent adverts for some time", || sent[0].counted() >= 20 && sent[1].counted() >= 20);
    for (side, before) in [&pair.a, &pair.b].into_iter().zip(before) {
        let router = side.watch.router(51).expect("the router is known");
        assert!(verdict(&router) == "split_brain" && any_of(&router, &["addresses_mismatch"]), "{router:#}");
        let more = verdicts(side) - before;
        let events = side.watch.get("/api/v1/events").expect("events are served");
        // At least forty adverts were sent meanwhile.
        assert!(more < 10, "one split is no stream of {more} events on {}: {events}", side.node.name());
        assert_eq!(side.watch.metric("vrrp_split_brain_episodes_total", &["vrid=\"51\""]), 1.0);
    }
    heal(pair);
}

#[test]
fn fault_7_differing_v3_intervals_are_never_a_split() {
    let mut pair = Pair::idle(Flavour::V3);
    pair.b.instance.advert_int = 0.2;
    pair.start();
    pair.expect_holders(true, false);
    for side in [&pair.a, &pair.b] {
        side.watch.expect("one is master", |router| ["healthy", "degraded"].contains(&verdict(router)));
    }
    pair.a.stop();
    pair.expect_holders(false, true);
    pair.a.start();
    pair.expect_holders(true, false);
    pair.assert_never_split();
}

#[test]
fn fault_8_version_2_against_version_3_is_a_split() {
    heal(split_by(Flavour::V2, "version_mismatch", |pair| {
        pair.b.instance.version = 3;
    }));
}

#[test]
fn fault_9_differing_passwords_are_a_split_and_never_shown() {
    let pair = split_by(Flavour::V2, "auth_mismatch", |pair| {
        for (side, password) in [(&mut pair.a, "hunter2x"), (&mut pair.b, "swordfis")] {
            side.instance.lines.push(format!("authentication {{\n auth_type PASS\n auth_pass {password}\n}}"));
        }
    });
    for side in [&pair.a, &pair.b] {
        let name = side.watch.router(51).expect("the router is known")["name"].clone();
        let explain = side.watch.ask(&["explain", name.as_str().expect("a name")]).expect("explain runs");
        let log = std::fs::read_to_string(side.node.scratch().expect("a directory").join("vipwarden.log"));
        let said = [
            side.watch.get("/metrics").expect("metrics"),
            side.watch.get("/api/v1/status").expect("status"),
            side.watch.get("/api/v1/events").expect("events"),
            side.watch.get("/").expect("page"),
            String::from_utf8_lossy(&explain.stdout).into_owned(),
            log.expect("the log is readable"),
        ];
        for text in said {
            // In clear or as the hexadecimal digits of its bytes.
            for secret in ["hunter2x", "swordfis", "68756e7465723278", "73776f7264666973"] {
                assert!(!text.to_lowercase().contains(secret), "a password is shown:\n{text}");
            }
        }
    }
    heal(pair);
}

#[test]
fn fault_9_a_password_on_one_side_only_is_a_split() {
    heal(split_by(Flavour::V2, "auth_mismatch", |pair| {
        pair.b.instance.lines.push("authentication {\n auth_type PASS\n auth_pass hunter2x\n}".into());
    }));
}

#[test]
fn fault_10_checksums_with_and_without_pseudo_header_are_a_split() {
    let mut pair = Pair::with_nodes(Flavour::V3, &["o"], |_, _| String::new());
    let observer = Watch(Daemon::start(pair.lab.node("o"), vipwarden(), "").expect("vipwarden starts"));
    pair.a.start();
    pair.expect_holders(true, false);
    // keepalived and FRR know no other form, so a router as RFC 9568 has it is played by hand.
    let node = pair.b.node.clone();
    node.exec("ip addr add 10.9.9.100/24 dev eth0").expect("it takes the address");
    let mut advert = Advert::from_host(2, 51, vec![Ipv4Addr::new(10, 9, 9, 100)]);
    (advert.mac, advert.pseudo_header) = ([2, 0, 0, 9, 9, 2], false);
    let speaker = Speaker::start(&node, advert.frame());
    pair.expect_holders(true, true);
    pair.a.watch.expect_verdict("split_brain", &["checksum_mismatch"]);
    observer.expect_verdict("split_brain", &["checksum_mismatch"]);
    drop(speaker);
    node.exec("ip addr del 10.9.9.100/24 dev eth0").expect("it lets the address go");
    pair.expect_master_a();
}

/// Its configuration tells what a daemon that never sent an advert would send.
#[test]
fn fault_34_what_the_local_keepalived_was_told_is_compared_before_anything_has_happened() {
    let mut pair = Pair::with_nodes(Flavour::V2, &[], |node, _| {
        let conf = node.scratch().expect("a directory").join("keepalived.conf");
        format!("[watch]\nkeepalived_conf = \"{}\"\n", conf.display())
    });
    pair.start();
    pair.expect_master_a();
    // It is written, and the daemon does not know it yet: nothing has happened.
    let told = Instance { advert_int: 2.0, ..pair.b.instance.clone() };
    let conf = pair.b.node.scratch().expect("a directory").join("keepalived.conf");
    std::fs::write(&conf, told.conf("b")).expect("the configuration is written");
    let router = pair.b.watch.expect_verdict("degraded", &["interval_mismatch"]);
    assert_eq!(router["findings"][0]["node"], "b", "{router:#}");
    pair.expect_holders(true, false);
    std::fs::write(&conf, pair.b.instance.conf("b")).expect("the configuration is written");
    pair.expect_master_a();
    pair.assert_never_split();
}
