//! What peers' adverts do to a gate, with nobody at home.

use std::net::IpAddr;

use super::fixture::*;
use crate::sys::nft::gate::rules::CHALLENGE;
use crate::sys::nft::gate::{Gate, Rank, Router};
use crate::sys::testing::{Host, ethernet, ipv4, ipv6, with_neighbour};
use crate::wire::{Auth, Family, Version};

/// Has the far host send this, and waits until our kernel has taken it in: an answer to what is sent later says so.
pub(super) fn send(far: &Host, frame: Vec<u8>) {
    far.send(vec![frame]);
    assert!(far.run(|| ping(NEAR4, 10)), "the near host's own address answers");
}

/// An advert of the far host.
pub(super) fn advert(source: IpAddr, priority: u8) -> Vec<u8> {
    packet(source, &[0x31, VRID, priority, 1, 0, 100, 0, 0, 10, 9, 9, 100])
}

fn packet(source: IpAddr, message: &[u8]) -> Vec<u8> {
    match source {
        IpAddr::V4(v4) => {
            ethernet([0x01, 0x00, 0x5e, 0, 0, 0x12], 0x0800, &ipv4(112, v4.octets(), [224, 0, 0, 18], message))
        }
        IpAddr::V6(v6) => {
            let group = "ff02::12".parse().expect("an address");
            ethernet([0x33, 0x33, 0, 0, 0, 0x12], 0x86dd, &ipv6(112, v6, group, message))
        }
    }
}

/// Opens the gate, has the far host send this, and says whether the gate is open when the next advert of ours is out.
fn open_after(gate: &mut Gate, far: &Host, family: Family, frame: Vec<u8>) -> bool {
    advertise(family, 100);
    assert!(is_open(gate, family), "nothing is in the way of an advert of ours");
    send(far, frame);
    advertise(family, 100);
    is_open(gate, family)
}

fn peer(family: Family) -> IpAddr {
    if family == Family::V4 { FAR4 } else { FAR6 }
}

#[test]
fn a_better_peers_advert_closes_and_its_latch_holds_until_it_gives_up() {
    with_neighbour(async |far| {
        for family in [Family::V4, Family::V6] {
            let mut gate = gate(&router(family));
            advertise(family, 100);
            send(far, advert(peer(family), 101));
            assert!(!is_open(&mut gate, family), "{family:?}");
            advertise(family, 100);
            assert!(!is_open(&mut gate, family), "a stale advert of ours opens nothing");
            send(far, advert(peer(family), 0));
            assert!(!is_open(&mut gate, family), "a farewell closes and opens nothing");
            advertise(family, 100);
            assert!(is_open(&mut gate, family), "but the latch is gone with the peer");
        }
    });
}

#[test]
fn a_peer_that_became_worse_has_no_latch_any_more() {
    with_neighbour(async |far| {
        let mut gate = gate(&router(Family::V4));
        assert!(!open_after(&mut gate, far, Family::V4, advert(FAR4, 200)));
        send(far, advert(FAR4, 50));
        advertise(Family::V4, 100);
        assert!(is_open(&mut gate, Family::V4));
    });
}

#[test]
fn of_equal_priorities_the_higher_address_is_better() {
    with_neighbour(async |far| {
        for (own, stays_open) in [(NEAR4, false), ("10.9.9.3".parse().expect("an address"), true)] {
            let rank = Rank { priority: 100, source: Some(own) };
            let mut gate = gate(&Router { rank, ..router(Family::V4) });
            assert_eq!(open_after(&mut gate, far, Family::V4, advert(FAR4, 100)), stays_open, "{own}");
        }
    });
}

#[test]
fn the_effective_priority_counts() {
    with_neighbour(async |far| {
        let mut gate = gate(&router(Family::V4));
        gate.set_rank(key(Family::V4), Rank { priority: 150, source: Some(NEAR4) }).expect("root");
        assert!(open_after(&mut gate, far, Family::V4, advert(FAR4, 120)));
        gate.set_rank(key(Family::V4), Rank { priority: 110, source: Some(NEAR4) }).expect("root");
        assert!(!open_after(&mut gate, far, Family::V4, advert(FAR4, 120)));
    });
}

/// A forged advert must not become a new switch to turn a service off.
#[test]
fn a_better_advert_closes_nothing_unless_it_is_a_configured_peers_own() {
    with_neighbour(async |far| {
        let mut gate = gate(&router(Family::V4));
        let stranger = "10.9.9.66".parse().expect("an address");
        assert!(open_after(&mut gate, far, Family::V4, advert(stranger, 255)), "no peer's address");
        let mut routed = advert(FAR4, 255);
        routed[14 + 8] = 254;
        assert!(open_after(&mut gate, far, Family::V4, routed), "it came through a router");
        let mut other = advert(FAR4, 255);
        other[14 + 20 + 1] = VRID + 1;
        assert!(open_after(&mut gate, far, Family::V4, other), "another VRID");
        let mut version = advert(FAR4, 255);
        version[14 + 20] = 0x21;
        assert!(open_after(&mut gate, far, Family::V4, version), "a version that is not obeyed");
        let tagged = advert(FAR4, 255);
        let tagged = [&tagged[..12], &[0x81, 0, 0, 7], &tagged[12..]].concat();
        assert!(open_after(&mut gate, far, Family::V4, tagged), "another VLAN");
    });
}

/// The password itself is left to the daemon: rules are listed, and listings are passed on.
#[test]
fn version_2_peers_are_held_to_their_kind_of_authentication_and_interval_and_no_rule_shows_a_password() {
    with_neighbour(async |far| {
        let auth = Auth::Password(*b"hunter22");
        let interval = crate::time::Duration::from_secs(200);
        let mut gate = gate(&Router { version: Version::V2, auth, interval, ..router(Family::V4) });
        let advert = |auth: u8, seconds: u8| {
            packet(FAR4, &[[0x21, VRID, 200, 1, auth, seconds, 0, 0, 10, 9, 9, 100].as_slice(), &[0; 8]].concat())
        };
        assert!(open_after(&mut gate, far, Family::V4, advert(0, 200)));
        assert!(open_after(&mut gate, far, Family::V4, advert(1, 1)));
        assert!(!open_after(&mut gate, far, Family::V4, advert(1, 200)), "by whatever password");
        let rules = std::process::Command::new("nft").args(["list", "ruleset"]).output().expect("nft is installed");
        let listed = String::from_utf8_lossy(&rules.stdout).to_lowercase();
        assert!(
            listed.contains("vipwarden_gate") && !listed.contains("hunter") && !listed.contains("68756e74"),
            "{listed}"
        );
    });
}

/// Proof of life: who lives answers, and keeps its gate.
#[test]
fn a_worse_peers_advert_shortens_an_open_gate_once_and_opens_no_closed_one() {
    with_neighbour(async |far| {
        let mut gate = gate(&router(Family::V4));
        send(far, advert(FAR4, 50));
        assert!(!is_open(&mut gate, Family::V4));
        advertise(Family::V4, 100);
        send(far, advert(FAR4, 50));
        let left = gate.standing(key(Family::V4)).expect("the kernel answers").alive;
        assert!(left.is_none_or(|left| left <= CHALLENGE), "{left:?}");
        advertise(Family::V4, 100);
        send(far, advert(FAR4, 50));
        let left = gate.standing(key(Family::V4)).expect("the kernel answers").alive.expect("it was answered");
        assert!(left > CHALLENGE, "two rivals must not get more answers than the protocol gives");
    });
}
