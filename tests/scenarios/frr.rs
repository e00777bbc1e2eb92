//! Rows 14 and 19 with FRR's vrrpd.

use crate::lab::{
    Daemon, Flavour, Frr, History, Instance, Keepalived, Lab, Node, Pair, Slot, VIP, Watch, any_of, holds, second,
    until, vipwarden,
};

struct Segment {
    a: (Node, Watch),
    b: (Node, Watch),
    _lab: Lab,
    _slot: Slot,
}

fn instance(priority: u8) -> Instance {
    Instance::new(3, 0.1, priority)
}

fn segment() -> Segment {
    let slot = Slot::take();
    let lab = Lab::new(&["a", "b"]).expect("the laboratory is made (needs root)");
    let side = |name: &str| {
        let node = lab.node(name).clone();
        let watch = Watch(Daemon::start(&node, vipwarden(), "").expect("vipwarden starts"));
        (node, watch)
    };
    Segment { a: side("a"), b: side("b"), _lab: lab, _slot: slot }
}

impl Segment {
    /// Two FRRs, the first of which is master.
    fn frrs(&self) -> (Frr, Frr) {
        let pair = (Frr::start(&self.a.0, &instance(200)), Frr::start(&self.b.0, &instance(100)));
        until("a serves", || serves(&self.a.0) && !serves(&self.b.0));
        self.expect_healthy("10.9.9.1");
        pair
    }

    fn expect_healthy(&self, master: &str) {
        for (_, watch) in [&self.a, &self.b] {
            watch.expect(&format!("it is healthy with {master}"), |router| {
                router["verdict"] == "healthy" && router["masters"] == serde_json::json!([master])
            });
        }
    }
}

/// A host with FRR has the VIP on its macvlan always; its master lifts protodown.
fn serves(node: &Node) -> bool {
    let link = node.exec("ip -o link show vrrp4-51").expect("FRR's macvlan is there");
    link.contains("LOWER_UP") && !link.contains("protodown on")
}

#[test]
fn fault_19_an_frr_backup_with_the_vip_on_its_protodown_macvlan_is_healthy() {
    let segment = segment();
    let (a, _b) = segment.frrs();
    segment.b.1.expect("b is a backup and does not own the VIP", |router| {
        router["state"] == "backup" && router["addresses"][0]["owned"] == false
    });
    // A stopped FRR hands over and leaves its macvlan protodown.
    a.signal(libc::SIGTERM);
    until("b serves", || serves(&segment.b.0) && !serves(&segment.a.0));
    segment.expect_healthy("10.9.9.2");
    for (_, watch) in [&segment.a, &segment.b] {
        assert_eq!(watch.metric("vrrp_split_brain_seconds_total", &[]), 0.0);
    }
}

#[test]
fn fault_14_a_killed_frr_leaves_a_stale_address() {
    let segment = segment();
    let (a, _b) = segment.frrs();
    a.signal(libc::SIGKILL);
    until("both hold the VIP", || serves(&segment.a.0) && serves(&segment.b.0));
    segment.a.1.expect_verdict("split_brain", &["stale_address"]);
    segment.b.1.expect_verdict("split_brain", &["stale_address", "muted_master", "undetermined"]);
}

#[test]
fn keepalived_and_frr_share_a_virtual_router_in_health() {
    let segment = segment();
    let _frr = Frr::start(&segment.b.0, &instance(100));
    segment.expect_healthy("10.9.9.2");
    let mut keepalived = Keepalived::start(&segment.a.0, &instance(200)).expect("keepalived starts");
    until("keepalived serves", || holds(&segment.a.0, VIP) && !serves(&segment.b.0));
    segment.expect_healthy("10.9.9.1");
    keepalived.stop().expect("keepalived stops");
    segment.expect_healthy("10.9.9.2");
    let router = segment.a.1.router(51).expect("the router is known");
    assert!(!any_of(&router, &["checksum_mismatch", "foreign_claim"]), "{router:#}");
}

/// By IPv6 its first advert leaves an interval after it has let its macvlan go: until then the address is held by both.
#[test]
fn fault_1_an_frr_that_preempts_by_ipv6_and_holds_for_an_interval_before_it_advertises_is_no_split() {
    let mut pair = Pair::with_nodes(Flavour::V6, &[], second::asks);
    second::join(&pair.a.node, &pair.b.node);
    for side in [&mut pair.a, &mut pair.b] {
        side.prefers_frr = true;
        side.instance.advert_int = 1.0;
    }
    let histories = [&pair.a, &pair.b].map(|side| History::record_carrier(&side.node, "vrrp6-51"));
    pair.b.start();
    pair.expect_master_b();
    pair.a.start();
    pair.expect_master_a();
    println!("both held the VIP for {:?}", histories[0].overlap(&histories[1]));
    pair.assert_never_split();
}
