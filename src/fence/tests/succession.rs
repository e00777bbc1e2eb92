//! What the reports of all peers say of a successor, and of nobody's holding.

use std::net::IpAddr;

use super::super::*;
use super::{acts, at, ip, scope};
use crate::observe::{State, Testimony};
use crate::time::Instant;

const MASTER: &str = "10.9.9.1";

fn backup(peer: &str, effective: u8) -> Testimony {
    Testimony {
        peer: peer.into(),
        signed: true,
        as_of: at(1000),
        blind: false,
        holds: false,
        speaks: true,
        effective: Some(effective),
        sends: None,
        state: State::Backup,
        witness: None,
        hears: vec![ip(MASTER)],
        misdirected: false,
        pledge: None,
    }
}

fn master(peer: &str) -> Testimony {
    Testimony { holds: true, sends: Some((ip(MASTER), 200)), state: State::Master, ..backup(peer, 200) }
}

fn until(said: &[Testimony], peers: &[&str]) -> Option<Instant> {
    let peers: Vec<String> = peers.iter().map(|name| (*name).into()).collect();
    let source: IpAddr = ip(MASTER);
    successor_until(said, &peers, source, 100)
}

#[test]
fn the_best_backup_knows_it_from_the_reports_of_all_its_peers() {
    assert_eq!(until(&[master("a")], &["a"]), Some(at(4000)));
    assert_eq!(until(&[master("a"), backup("c", 99)], &["a", "c"]), Some(at(4000)));
    let out = Testimony { state: State::Fenced, ..backup("c", 150) };
    assert_eq!(until(&[master("a"), out], &["a", "c"]), Some(at(4000)), "who is fenced follows nobody");
    let older = Testimony { as_of: at(500), ..backup("c", 99) };
    assert_eq!(until(&[master("a"), older], &["a", "c"]), Some(at(3500)), "the oldest report counts");
}

#[test]
fn nothing_is_known_where_a_report_is_missing_unsigned_or_says_otherwise() {
    for (said, peers, why) in [
        (vec![], vec![], "no peers"),
        (vec![master("a")], vec!["a", "c"], "one is missing"),
        (vec![Testimony { signed: false, ..master("a") }], vec!["a"], "anybody may say that"),
        (vec![master("a"), backup("c", 100)], vec!["a", "c"], "equal: the address decides"),
        (vec![master("a"), backup("c", 101)], vec!["a", "c"], "another one is better"),
        (vec![backup("a", 50)], vec!["a"], "none of them is the master"),
        (vec![Testimony { speaks: false, ..master("a") }], vec!["a"], "keepalived says farewell when it likes"),
        (
            vec![master("a"), Testimony { speaks: false, ..backup("c", 99) }],
            vec!["a", "c"],
            "its priority is not known",
        ),
        (vec![master("a"), Testimony { state: State::Init, ..backup("c", 99) }], vec!["a", "c"], "it is just starting"),
        (vec![master("a"), master("c")], vec!["a", "c"], "two masters"),
    ] {
        assert_eq!(until(&said, &peers), None, "{why}");
    }
}

#[test]
fn a_silent_master_that_says_it_holds_lives() {
    assert_eq!(master_lives_until(&[master("a")]), Some(at(4000)));
    assert_eq!(master_lives_until(&[Testimony { signed: false, ..master("a") }]), None);
    assert_eq!(master_lives_until(&[backup("a", 50)]), None);
}

/// Fenced on adverts that the election refuses.
fn fenced() -> Guard {
    let scope = Scope { names: vec!["a".into()], ..scope(&[MASTER]) };
    let mut guard = Guard::new(Policy::default(), scope);
    for ms in (0..=3000).step_by(1000) {
        guard.handle_sent(at(ms), 100, ip("10.9.9.2"));
        guard.handle_advert(at(ms + 1), &super::advert(MASTER, 200), false);
    }
    assert!(matches!(acts(&mut guard).as_slice(), [Act::Drop { reason: Reason::SplitBrain, .. }]));
    guard
}

#[test]
fn when_all_peers_say_that_nobody_holds_the_hold_down_is_over_or_all_would_be_fenced() {
    let mut guard = fenced();
    guard.handle_testimony(at(6000), None, &[Testimony { as_of: at(5500), ..master("a") }]);
    assert_eq!(acts(&mut guard), [], "the winner holds");
    guard.handle_testimony(at(7000), None, &[Testimony { signed: false, as_of: at(6500), ..backup("a", 200) }]);
    guard.handle_testimony(at(7000), None, &[Testimony { blind: true, as_of: at(6500), ..backup("a", 200) }]);
    guard.handle_testimony(at(7000), None, &[Testimony { as_of: at(1), ..backup("a", 200) }]);
    assert_eq!(acts(&mut guard), [], "unsigned, blind, or from before");
    guard.handle_testimony(at(8000), None, &[Testimony { as_of: at(7500), ..backup("a", 200) }]);
    assert_eq!(acts(&mut guard), [Act::Release]);
}
