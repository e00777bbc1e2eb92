//! Rows 2, 3, 24, 26, 27: adverts that a filter eats, on a host or between hosts.

use crate::lab::{Firewall, Flavour, Hook, Pair, Side, until};

/// Both hold the VIP; `b`'s own filter is named there, `a` says split brain; after healing all is well again.
fn drop_on_b(flavour: Flavour, hook: Hook) {
    let pair = Pair::settled(flavour);
    let fault = Firewall::block(&pair.b.node, hook);
    pair.expect_holders(true, true);
    let seen = pair.b.watch.expect_verdict("split_brain", &["firewall_drop"]);
    let finding = seen["findings"].as_array().and_then(|f| f.iter().find(|f| f["cause"] == "firewall_drop")).cloned();
    let finding = finding.expect("the cause has a finding");
    assert_eq!(finding["node"], "b", "{finding:#}");
    assert!(finding["remedy"].as_str().is_some_and(|remedy| !remedy.is_empty()), "{finding:#}");
    if matches!(hook, Hook::Ingress) {
        assert!(finding.to_string().contains("ingress"), "{finding:#}");
    }
    pair.a.watch.expect_verdict("split_brain", &[]);
    // It stands longer than any takeover.
    let episodes = |side: &Side| side.watch.metric("vrrp_split_brain_episodes_total", &["vrid=\"51\""]);
    until("both count the split", || episodes(&pair.a) == 1.0 && episodes(&pair.b) == 1.0);
    fault.heal();
    pair.expect_master_a();
    assert_eq!((episodes(&pair.a), episodes(&pair.b)), (1.0, 1.0), "it was one split");
}

#[test]
fn fault_2_a_drop_in_input_is_a_split_with_v2() {
    drop_on_b(Flavour::V2, Hook::Input);
}

#[test]
fn fault_2_a_drop_in_input_is_a_split_with_v3() {
    drop_on_b(Flavour::V3, Hook::Input);
}

#[test]
fn fault_2_a_drop_in_input_is_a_split_with_ipv6() {
    drop_on_b(Flavour::V6, Hook::Input);
}

#[test]
fn fault_2_a_drop_in_input_is_a_split_by_unicast() {
    drop_on_b(Flavour::Unicast, Hook::Input);
}

#[test]
fn fault_24_a_split_is_told_although_both_answer_with_one_virtual_mac() {
    drop_on_b(Flavour::Vmac, Hook::Input);
}

#[test]
fn fault_27_a_drop_at_netdev_ingress_is_named_as_such() {
    drop_on_b(Flavour::V3, Hook::Ingress);
}

#[test]
fn fault_2_a_drop_in_the_input_of_both_is_named_on_both() {
    let pair = Pair::settled(Flavour::V3);
    let faults = [&pair.a, &pair.b].map(|side| Firewall::block(&side.node, Hook::Input));
    pair.expect_holders(true, true);
    pair.a.watch.expect_verdict("split_brain", &["firewall_drop"]);
    pair.b.watch.expect_verdict("split_brain", &["firewall_drop"]);
    faults.into_iter().for_each(Firewall::heal);
    pair.expect_master_a();
}

#[test]
fn fault_34_a_drop_on_the_backup_is_degraded_before_the_master_dies() {
    let pair = Pair::settled(Flavour::V2);
    let fault = Firewall::block(&pair.b.node, Hook::Input);
    pair.b.watch.expect("the drop is named", |router| {
        ["degraded", "split_brain"].contains(&crate::lab::verdict(router))
            && crate::lab::any_of(router, &["firewall_drop"])
    });
    fault.heal();
    pair.expect_master_a();
}

fn drop_in_output_of_a(flavour: Flavour) {
    let pair = Pair::settled(flavour);
    let fault = Firewall::block(&pair.a.node, Hook::Output);
    pair.expect_holders(true, true);
    pair.a.watch.expect_verdict("split_brain", &["firewall_drop"]);
    // From there a filtered, a frozen and a dead daemon look the same.
    pair.b.watch.expect_verdict("split_brain", &[]);
    fault.heal();
    pair.expect_master_a();
}

#[test]
fn fault_26_a_drop_in_output_is_a_split_with_v2() {
    drop_in_output_of_a(Flavour::V2);
}

#[test]
fn fault_26_a_drop_in_output_is_a_split_with_v3() {
    drop_in_output_of_a(Flavour::V3);
}

#[test]
fn fault_26_a_drop_in_output_is_a_split_with_ipv6() {
    drop_in_output_of_a(Flavour::V6);
}

#[test]
fn fault_3_a_one_way_path_is_a_split_where_the_other_is_heard() {
    let pair = Pair::settled(Flavour::V3);
    let fault = Firewall::cut(&pair.lab, "a", "b");
    pair.expect_holders(true, true);
    pair.a.watch.expect_verdict("split_brain", &[]);
    fault.heal();
    pair.expect_master_a();
}
