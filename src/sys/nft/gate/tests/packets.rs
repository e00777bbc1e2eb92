//! What a closed gate keeps in and out, and what it leaves alone.

use std::process::Command;

use super::fixture::*;
use crate::sys::nft::gate::{Gate, Router};
use crate::sys::testing::{index_of, ip, with_neighbour};
use crate::wire::Family;

fn nft(arguments: &[&str]) -> String {
    let output = Command::new("nft").args(arguments).output().expect("nft is installed");
    assert!(output.status.success(), "nft {arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8_lossy(&output.stdout).into_owned()
}

#[test]
fn a_closed_gate_is_silent_and_an_advert_of_ours_opens_it() {
    with_neighbour(async |far| {
        for family in [Family::V4, Family::V6] {
            let router = router(family);
            let mut gate = gate(&router);
            hold(far, &router.addresses);
            for address in &router.addresses {
                assert!(is_silent(far, *address) && is_silent_to_whom_knows_it(far, *address), "{address}");
            }
            let own = if family == Family::V4 { NEAR4 } else { NEAR6 };
            assert!(answers(far, own), "the host's own addresses are nobody's business");
            advertise(family, 100);
            assert!(is_open(&mut gate, family));
            for address in &router.addresses {
                assert!(answers(far, *address), "{address}");
            }
            advertise(family, 0);
            assert!(!is_open(&mut gate, family));
            for address in &router.addresses {
                assert!(is_silent(far, *address), "{address}");
            }
            gate.take_down().expect("it is ours");
            for address in &router.addresses {
                assert!(answers(far, *address), "{address}: without a gate there is nothing in the way");
            }
        }
    });
}

#[test]
fn the_host_itself_reaches_the_address_through_a_closed_gate() {
    with_neighbour(async |far| {
        let router = router(Family::V4);
        let _gate = gate(&router);
        hold(far, &router.addresses);
        assert!(ping(V4, 3));
    });
}

/// nft lists it, so nobody's own listing breaks; and it can't be flushed.
#[test]
fn the_table_can_be_listed_and_withstands_a_flush_while_other_rules_are_as_they_were() {
    with_neighbour(async |_| {
        nft(&["add table inet users"]);
        let users = nft(&["list table inet users"]);
        let mut gate = gate(&router(Family::V4));
        gate.install(router(Family::V6)).expect("root");
        gate.install(Router { vmac: true, leased: true, ..router(Family::V4) }).expect("root");
        gate.install(router(Family::V4)).expect("root");
        advertise(Family::V4, 100);
        let listed = nft(&["list ruleset"]);
        assert!(listed.contains("table netdev vipwarden_gate"), "{listed}");
        assert_eq!(nft(&["list table inet users"]), users);
        nft(&["flush ruleset"]);
        assert!(is_open(&mut gate, Family::V4), "what is ours is still there");
        assert!(!gate.restore().expect("the kernel answers"), "there was nothing to mend");
    });
}

#[test]
fn who_comes_after_a_dead_one_replaces_its_table_by_a_closed_one() {
    with_neighbour(async |far| {
        let router = router(Family::V4);
        let first = gate(&router);
        hold(far, &router.addresses);
        advertise(Family::V4, 100);
        assert!(Gate::open(&[], &near()).is_err(), "a table of one that lives is nobody else's");
        // As the kernel closes the sockets of one that is killed.
        drop(first);
        assert!(answers(far, V4), "it stays as open as it was, for as long as it was to be");
        let mut second = gate(&router);
        assert!(is_silent(far, V4) && !is_open(&mut second, Family::V4));
    });
}

/// With a virtual MAC, what is only on its way through this host, and names no address of the router.
#[test]
fn frames_to_the_virtual_mac_stay_out_of_a_closed_gate() {
    with_neighbour(async |far| {
        let router = Router { vmac: true, ..router(Family::V4) };
        let _gate = gate(&router);
        ip("link add link near name vw address 00:00:5e:00:01:33 type macvlan mode bridge");
        std::fs::write("/proc/sys/net/ipv4/conf/vw/rp_filter", "0").expect("sysctl");
        ip("link set vw up");
        let reaches = || {
            far.run(|| {
                ip("neighbour replace 10.9.9.1 lladdr 00:00:5e:00:01:33 dev far");
                ping(NEAR4, 2)
            })
        };
        assert!(!reaches());
        advertise(Family::V4, 100);
        assert!(reaches());
    });
}

#[test]
fn the_address_is_gated_on_every_interface() {
    with_neighbour(async |far| {
        let router = router(Family::V4);
        let mut gate = gate(&router);
        hold(far, &router.addresses);
        far.second_cable();
        let other = || far.run(|| ping_by("far2", V4));
        assert!(other(), "nobody has told the gate of the second interface");
        let both = [(index_of("near"), "near".into()), (index_of("near2"), "near2".into())].into();
        gate.follow(&both).expect("both are there");
        assert!(!other());
        advertise(Family::V4, 100);
        assert!(other());
        gate.follow(&near()).expect("one is there still");
        advertise(Family::V4, 0);
        assert!(other(), "it is gated no more");
    });
}

#[test]
fn a_router_is_added_changed_and_taken_away_alone() {
    with_neighbour(async |far| {
        let v4 = router(Family::V4);
        let v6 = router(Family::V6);
        let mut gate = gate(&v4);
        hold(far, &[V4, V6]);
        advertise(Family::V4, 100);
        gate.install(v6.clone()).expect("root");
        assert!(is_silent(far, V6) && is_open(&mut gate, Family::V4));
        advertise(Family::V6, 100);
        let fewer = Router { addresses: vec![LINK_LOCAL], ..v6 };
        gate.install(fewer).expect("root");
        assert!(is_open(&mut gate, Family::V6), "a change leaves it open");
        advertise(Family::V6, 0);
        assert!(answers(far, V6), "the address is none of the router's any more");
        gate.uninstall(key(Family::V4)).expect("it is there");
        gate.uninstall(key(Family::V4)).expect("it is gone already");
        assert!(!is_open(&mut gate, Family::V4) && answers(far, V4));
    });
}
