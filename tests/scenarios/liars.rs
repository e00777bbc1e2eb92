//! A third host answers for what is not its own: it is named, and neither of the pair is blamed for it, whichever of them is master.

use crate::lab::{Flavour, Liar, Lie, Siege, any_of, verdict};
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

/// It says that the VIP is at the backup's MAC, in frames of its own and in such as if the backup had sent them.
fn answers_in_the_backups_name(flavour: Flavour) {
    let siege = Siege::begin(flavour, false);
    let (vip, mac): (IpAddr, _) = (flavour.vip().parse().expect("an address"), bytes(&siege.pair.b.node.mac()));
    for from in [Liar::MAC, mac] {
        let _liar = Liar::telling(&siege.x, Lie { at: mac, from, of: Some(vip) });
        for side in siege.sides() {
            side.watch.expect("the forged answer is heard", |router| {
                side.node.name() == "b" || verdict(router) != "healthy"
            });
        }
    }
    siege.pair.expect_master_a();
    siege.assert_truth_was_told(&[LIAR]);
}

#[test]
fn answers_in_the_backups_name_are_not_told_as_the_backups() {
    answers_in_the_backups_name(Flavour::V3);
}

#[test]
fn advertisements_in_the_backups_name_are_not_told_as_the_backups() {
    answers_in_the_backups_name(Flavour::V6);
}
