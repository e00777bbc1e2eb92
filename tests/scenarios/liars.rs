//! A third host answers for what is not its own: it is named, and neither of the pair is blamed for it, whichever of them is master.

use crate::lab::{Firewall, Flavour, Liar, Lie, Node, Side, Siege, any_of, second, until};
use std::net::IpAddr;

const LIAR: &str = "02:00:00:ba:d0:01";

/// It answers for the VIP, for both nodes, and for whatever else is asked for; the master stops meanwhile, and comes back.
fn answers_for_everything(flavour: Flavour, frr: bool) {
    let mut siege = Siege::begin(flavour, frr);
    let liar = Liar::start(&siege.x);
    siege.expect_foreign_claim("the liar alone is blamed, and named", LIAR);
    for side in siege.sides() {
        let router = side.watch.router(51).expect("it is known");
        let says = router["findings"][0]["remote"].as_str().unwrap_or_default().to_owned();
        assert!(says.contains("everything"), "{router:#}");
    }
    siege.pair.a.stop();
    siege.pair.expect_holders(false, true);
    for side in siege.sides() {
        side.watch.expect("the new master is told, and the liar named", |router| {
            let is_b = router["masters"][0] != serde_json::Value::Null && router["findings"][0]["node"] == LIAR;
            is_b && any_of(router, &["foreign_claim"])
        });
    }
    siege.pair.a.start();
    siege.pair.expect_holders(true, false);
    siege.expect_foreign_claim("the liar alone is blamed after a failover, too", LIAR);
    drop(liar);
    if frr {
        // It announces itself once, and the liar has answered to that.
        siege.announce_master();
    }
    siege.pair.expect_master_a();
    siege.assert_truth_was_told(&[LIAR]);
}

macro_rules! lied_to {
    ($($name:ident: $flavour:expr, $frr:expr;)*) => {$(
        #[test]
        fn $name() {
            answers_for_everything($flavour, $frr);
        }
    )*};
}

lied_to! {
    fault_18_one_that_answers_for_everything_is_named_through_a_failover: Flavour::V3, false;
    fault_18_one_that_answers_for_every_neighbour_is_named_through_a_failover: Flavour::V6, false;
    fault_18_one_that_answers_beside_virtual_macs_is_named_through_a_failover: Flavour::Vmac, false;
    fault_18_one_that_answers_beside_unicast_is_named_through_a_failover: Flavour::Unicast, false;
    fault_18_one_that_answers_beside_frr_is_named_through_a_failover: Flavour::V3, true;
    fault_18_one_that_answers_beside_frr_over_ipv6_is_named_through_a_failover: Flavour::V6, true;
}

fn bytes(mac: &str) -> [u8; 6] {
    let mac: vipwarden::wire::MacAddr = mac.parse().expect("a MAC");
    mac.octets()
}

/// It says that the VIP is at the backup's MAC, in frames of its own and in such as if the backup had sent them; and that everything is.
fn answers_in_the_backups_name(flavour: Flavour) {
    let siege = Siege::begin(flavour, false);
    let (vip, mac): (IpAddr, _) = (flavour.vip().parse().expect("an address"), bytes(&siege.pair.b.node.mac()));
    let lies = [(Liar::MAC, Some(vip)), (mac, Some(vip)), (Liar::MAC, None)];
    // By unicast the others lead adverts astray, at the switch or at the hosts, and the pair is truly split.
    let count = if matches!(flavour, Flavour::Unicast) { 1 } else { lies.len() };
    for (from, of) in lies.into_iter().take(count) {
        let liar = Liar::telling(&siege.x, Lie { at: mac, from, of });
        siege.pair.a.watch.expect("it is told that they are none of its own", |router| {
            let says = router["findings"][0]["remote"].as_str().unwrap_or_default();
            let named = if from == Liar::MAC { router["findings"][0]["node"] == LIAR } else { true };
            named && any_of(router, &["foreign_claim"]) && says.contains("in the name of b")
        });
        drop(liar);
        siege.pair.expect_master_a();
    }
    siege.assert_truth_was_told(&[LIAR, "in the name of b"]);
}

#[test]
fn fault_16_answers_in_the_backups_name_are_not_told_as_the_backups() {
    answers_in_the_backups_name(Flavour::V3);
}

#[test]
fn fault_16_advertisements_in_the_backups_name_are_not_told_as_the_backups() {
    answers_in_the_backups_name(Flavour::V6);
}

#[test]
fn fault_16_answers_in_the_backups_name_by_unicast_are_not_told_as_the_backups() {
    answers_in_the_backups_name(Flavour::Unicast);
}

/// The master stopped properly, and somebody goes on to answer with its MAC, or with the virtual one.
fn answers_in_the_name_of_one_that_is_gone(flavour: Flavour) {
    let mut siege = Siege::begin(flavour, false);
    let mac = match flavour {
        Flavour::Vmac => [0, 0, 0x5e, 0, 1, 51],
        _ => bytes(&siege.pair.a.node.mac()),
    };
    siege.pair.a.stop();
    siege.pair.expect_master_b();
    let vip = flavour.vip().parse().expect("an address");
    let liar = Liar::telling(&siege.x, Lie { at: mac, from: Liar::MAC, of: Some(vip) });
    siege.pair.b.watch.expect("it is told that it is not there any more", |router| {
        any_of(router, &["foreign_claim"]) && router["findings"][0]["node"] == LIAR
    });
    drop(liar);
    siege.pair.expect_master_b();
    siege.assert_truth_was_told(&[LIAR]);
}

#[test]
fn fault_14_answers_in_the_name_of_a_master_that_stopped_are_no_stale_address() {
    answers_in_the_name_of_one_that_is_gone(Flavour::V3);
}

#[test]
fn fault_14_advertisements_in_the_name_of_a_master_that_stopped_are_no_stale_address() {
    answers_in_the_name_of_one_that_is_gone(Flavour::V6);
}

#[test]
fn fault_14_answers_from_the_virtual_mac_when_its_master_stopped_are_no_stale_address() {
    answers_in_the_name_of_one_that_is_gone(Flavour::Vmac);
}

/// It answers for the gateway, too, which is cut off from the pair: on which side they are is not told by it.
#[test]
fn one_that_answers_for_the_witness_is_no_witness_and_the_pair_stays_well() {
    let witness = |node: &Node, peer: &Node| {
        let asks = second::asks(node, peer);
        format!("{asks}[[witness]]\nname = \"w\"\naddress = \"10.9.9.4\"\n")
    };
    let siege = Siege::begin_with(Flavour::V3, false, &["x", "w"], witness);
    let is_up = |side: &Side| side.watch.metric("vrrp_witness_up", &["witness=\"w\""]) == 1.0;
    for side in siege.sides() {
        until("the witness answers", || is_up(side));
    }
    let liar = Liar::start(&siege.x);
    siege.expect_foreign_claim("the liar is named", LIAR);
    for side in siege.sides() {
        assert!(is_up(side), "the witness itself answers, too");
    }
    let cuts = ["a", "b"].map(|node| Firewall::cut(&siege.pair.lab, "w", node));
    for side in siege.sides() {
        until("the witness does not answer", || !is_up(side));
    }
    siege.expect_foreign_claim("the liar alone is blamed for that, too", LIAR);
    cuts.into_iter().for_each(Firewall::heal);
    for side in siege.sides() {
        until("the witness answers again", || is_up(side));
    }
    drop(liar);
    siege.pair.expect_master_a();
    siege.assert_truth_was_told(&[LIAR]);
}

/// Neighbour advertisements override what the nodes know of each other: adverts go astray, and both hold.
#[test]
fn one_that_answers_between_two_who_speak_by_unicast_over_ipv6_is_named_and_the_split_is_true() {
    let siege = Siege::begin(Flavour::UnicastV6, false);
    let liar = Liar::start(&siege.x);
    for side in siege.sides() {
        side.watch.expect_verdict("split_brain", &["foreign_claim", "one_way_path", "partition"]);
        until("it is named", || side.watch.get("/api/v1/events").is_ok_and(|events| events.contains(LIAR)));
    }
    drop(liar);
    siege.pair.expect_master_a();
    siege.assert_truth_was_told(&[LIAR]);
}

/// The master's daemon dies beside it: its address stays, which is no lie.
fn beside_a_stale_address(flavour: Flavour) {
    let mut siege = Siege::begin(flavour, false);
    let liar = Liar::start(&siege.x);
    siege.expect_foreign_claim("the liar is named", LIAR);
    // From then on the stale address is told, and is so: also before the other holds.
    siege.assert_truth_was_told(&[LIAR]);
    siege.pair.a.kill();
    siege.pair.expect_holders(true, true);
    for side in siege.sides() {
        side.watch.expect("the stale address is told", |router| any_of(router, &["stale_address"]));
    }
    drop(liar);
    for side in siege.sides() {
        side.watch.expect_verdict("split_brain", &["stale_address"]);
    }
}

#[test]
fn fault_14_a_stale_address_is_told_beside_one_that_answers_for_everything() {
    beside_a_stale_address(Flavour::V3);
}

#[test]
fn fault_14_a_stale_address_over_ipv6_is_told_beside_one_that_answers_for_everything() {
    beside_a_stale_address(Flavour::V6);
}
