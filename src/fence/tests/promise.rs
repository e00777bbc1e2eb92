//! Holding on without the register: who may promise, what a promise is worth, and how long it lasts.

use super::lease::{Node, WAIT, entry, sighting};
use crate::fence::lease::*;
use crate::observe::{Pledged, State, Testimony};
use crate::time::{Duration, Instant};

const KEY: &str = "/vipwarden/10.9.9.100/51";

fn names() -> Vec<String> {
    ["b", "c"].map(String::from).into()
}

/// A peer's signed word, as of `as_of`.
fn says(peer: &str, as_of: Instant, asks: bool, promise: Option<(Instant, Duration)>) -> Testimony {
    Testimony {
        peer: peer.into(),
        signed: true,
        as_of,
        blind: false,
        holds: false,
        speaks: true,
        effective: Some(100),
        sends: None,
        state: State::Backup,
        witness: None,
        hears: Vec::new(),
        misdirected: false,
        pledge: Some(Pledged { key: KEY.into(), asks, promise }),
    }
}

fn council(node: Node) -> Node {
    Node { lease: node.lease.with_council(KEY.into()), ..node }
}

/// When it may hold until, if it holds.
fn until(node: &Node) -> Option<Instant> {
    match node.lease.standing() {
        Standing::Holding(until) => Some(until),
        _ => None,
    }
}

#[test]
fn unanimous_promises_move_the_end_of_the_hold_and_count_from_the_earliest_question() {
    let timing = Timing::for_wait(WAIT);
    let mut node = council(Node::holding());
    let before = until(&node).unwrap();
    node.pass(Duration::from_secs(1));
    let (first, second) = (node.now - Duration::from_millis(300), node.now - Duration::from_millis(100));
    let said = [says("b", first, false, Some((first, WAIT))), says("c", second, false, Some((second, WAIT)))];
    node.lease.handle_testimony(node.now, &said, &names());
    assert_eq!(until(&node), Some(first + timing.hold));
    assert!(until(&node).unwrap() > before && node.lease.is_kept());
    // A promise that has run down for a while is worth that much less.
    let left = Duration::from_secs(2);
    assert_eq!(timing.kept(WAIT), timing.hold);
    assert_eq!(timing.kept(WAIT * 100), timing.hold, "who starts anew waits no longer than for a grant");
    assert!(timing.kept(left) < left * 99 / 101, "{:?}", timing.kept(left));
}

#[test]
fn what_is_not_the_signed_promise_of_every_peer_moves_nothing() {
    let mut node = council(Node::holding());
    let before = until(&node);
    node.pass(Duration::from_secs(1));
    let now = node.now;
    let good = |peer| says(peer, now, false, Some((now, WAIT)));
    let foreign = Some(Pledged { key: "/other/10.9.9.100/51".into(), asks: false, promise: Some((now, WAIT)) });
    for (said, why) in [
        (vec![], "nobody says anything"),
        (vec![good("b")], "one is missing"),
        (vec![good("b"), Testimony { signed: false, ..good("c") }], "anybody may have said that"),
        (vec![good("b"), says("c", now, false, None)], "it promises nothing"),
        (vec![good("b"), Testimony { pledge: None, ..good("c") }], "it has no arbiter, or another policy"),
        (vec![good("b"), Testimony { pledge: foreign, ..good("c") }], "that is about another lease"),
        (vec![good("b"), good("d")], "a stranger is no peer"),
    ] {
        node.lease.handle_testimony(now, &said, &names());
        assert_eq!(until(&node), before, "{why}");
    }
    node.lease.handle_testimony(now, &[good("b")], &[]);
    assert_eq!(until(&node), before, "without peers nobody promises");
}

#[test]
fn a_hold_that_is_over_is_not_brought_back_by_promises() {
    let mut node = council(Node::holding());
    node.pass(WAIT);
    let now = node.now;
    node.lease.handle_testimony(now, &["b", "c"].map(|peer| says(peer, now, false, Some((now, WAIT)))), &names());
    assert_eq!(until(&node), None);
}

#[test]
fn a_holder_whose_gate_has_closed_meanwhile_asks_for_nothing_and_is_not_kept() {
    let mut node = council(Node::holding());
    let before = until(&node);
    node.now = node.lease.poll_timeout().expect("a refresh is due");
    node.lease.handle_timeout(node.now);
    let Some(Action::Refresh { serial, .. }) = node.lease.poll_action() else { panic!("no refresh") };
    node.lease.handle_gate(node.now, serial, false);
    let now = node.now;
    node.lease.handle_testimony(now, &["b", "c"].map(|peer| says(peer, now, false, Some((now, WAIT)))), &names());
    assert_eq!(until(&node), before);
    assert_eq!(node.lease.pledge().unwrap().asks_from, None);
}

#[test]
fn a_holder_asks_when_less_than_half_of_its_hold_is_left_and_a_candidate_never() {
    let hold = Timing::for_wait(WAIT).hold;
    let node = council(Node::holding());
    let pledge = node.lease.pledge().unwrap();
    assert_eq!(pledge.asks_from, Some(until(&node).unwrap() - hold / 2));
    assert_eq!(pledge.promised_until, None);
    assert_eq!(council(Node::new()).lease.pledge().unwrap().asks_from, None);
    assert_eq!(Node::holding().lease.pledge(), None, "without a council nothing is told");
}

/// A candidate that has waited out what stands there, and is asked for a promise just then.
fn asked_when_it_may_take() -> Node {
    let mut node = council(Node::new());
    node.lease.want(node.now, true);
    node.read(&sighting(10, entry("other", 3)));
    node.pass(WAIT - Duration::from_millis(1));
    ask(&mut node);
    node
}

fn ask(node: &mut Node) {
    let now = node.now;
    node.lease.handle_testimony(now, &[says("b", now, true, None)], &names());
}

#[test]
fn who_has_promised_takes_nothing_before_its_wait_is_over_once_more() {
    let mut node = asked_when_it_may_take();
    let promised = node.lease.pledge().unwrap().promised_until;
    assert_eq!(promised, Some(node.now + WAIT));
    let end = promised.unwrap();
    while node.now + Timing::for_wait(WAIT).poll < end {
        let actions = node.read_on(&sighting(10, entry("other", 3)));
        assert!(
            !actions.iter().any(|action| matches!(action, Action::Permit { .. } | Action::Cas { .. })),
            "{actions:?}"
        );
    }
    let actions = node.pass(Timing::for_wait(WAIT).poll);
    assert!(actions.iter().any(|action| matches!(action, Action::Permit { .. })), "{actions:?}");
}

#[test]
fn a_promise_binds_against_a_released_entry_and_one_of_one_s_own_too() {
    for entry in [Entry { released: true, ..entry("other", 4) }, entry("me", 4)] {
        let mut node = asked_when_it_may_take();
        let end = node.now + WAIT;
        while node.now + Timing::for_wait(WAIT).poll < end {
            let actions = node.read_on(&sighting(11, entry.clone()));
            assert!(
                !actions.iter().any(|action| matches!(action, Action::Permit { .. } | Action::Cas { .. })),
                "{actions:?}"
            );
        }
    }
}

#[test]
fn who_holds_or_may_yet_be_granted_a_lease_promises_nothing() {
    let mut node = council(Node::holding());
    ask(&mut node);
    assert_eq!(node.lease.pledge().unwrap().promised_until, None, "it holds");

    let mut node = council(Node::new());
    node.lease.want(node.now, true);
    node.read(&sighting(10, Entry { released: true, ..entry("other", 3) }));
    let (serial, ..) = node.permit();
    ask(&mut node);
    assert_eq!(node.lease.pledge().unwrap().promised_until, None, "it is asking for the lease");
    node.lease.handle_cas(node.now, serial, Outcome::Unknown);
    ask(&mut node);
    assert_eq!(node.lease.pledge().unwrap().promised_until, None, "what it asked for may be written yet");
    node.lease.want(node.now, false);
    let actions = node.read_on(&sighting(10, Entry { released: true, ..entry("other", 3) }));
    ask(&mut node);
    assert_eq!(node.lease.pledge().unwrap().promised_until, None, "still: nobody else has written since {actions:?}");
    node.read_on(&sighting(11, entry("other", 4)));
    ask(&mut node);
    assert!(
        node.lease.pledge().unwrap().promised_until.is_some(),
        "that version is no more, nor is what would replace it"
    );
}

#[test]
fn who_would_take_over_and_reaches_the_register_does_not_vouch_for_another() {
    let mut node = council(Node::new());
    node.lease.want(node.now, true);
    node.read(&sighting(10, entry("other", 3)));
    ask(&mut node);
    assert_eq!(node.lease.pledge().unwrap().promised_until, None);
    node.lease.want(node.now, false);
    ask(&mut node);
    assert!(node.lease.pledge().unwrap().promised_until.is_some());
}

#[test]
fn an_old_question_and_one_that_was_answered_before_extend_nothing() {
    let mut node = asked_when_it_may_take();
    let (asked, promised) = (node.now, node.lease.pledge().unwrap().promised_until);
    node.lease.want(node.now, false);
    node.read_on(&sighting(10, entry("other", 3)));
    node.lease.handle_testimony(node.now, &[says("b", asked, true, None)], &names());
    assert_eq!(node.lease.pledge().unwrap().promised_until, promised, "it is the same one");
    for _ in 0..3 {
        node.read_on(&sighting(10, entry("other", 3)));
    }
    let old = node.now - Duration::from_millis(1001);
    node.lease.handle_testimony(node.now, &[says("b", old, true, None)], &names());
    assert_eq!(node.lease.pledge().unwrap().promised_until, promised, "who asked that may be dead by now");
    node.lease.handle_testimony(node.now, &[says("b", node.now - Duration::from_millis(999), true, None)], &names());
    assert_eq!(node.lease.pledge().unwrap().promised_until, Some(node.now + WAIT));
}
