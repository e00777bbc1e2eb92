//! The row of the table about the second channel: each condition, and that never both drop.

use proptest::collection::vec;
use proptest::prelude::*;

use super::*;
use crate::observe::{State, Testimony};

/// B, who holds and advertises priority 200, says so at `as_of`.
fn says(as_of: u64) -> Testimony {
    Testimony {
        peer: "lb02".into(),
        signed: true,
        as_of: at(as_of),
        blind: false,
        holds: true,
        speaks: true,
        effective: None,
        sends: Some((ip(B), 200)),
        state: State::Master,
        witness: None,
        hears: Vec::new(),
        misdirected: false,
        pledge: None,
    }
}

/// A holds since 0 ms with priority 100, and hears B's reports every 500 ms until `until`, changed by `change`.
fn told(until: u64, change: impl Fn(u64, &mut Testimony)) -> Guard {
    told_with(None, until, change)
}

fn told_with(witness: Option<bool>, until: u64, change: impl Fn(u64, &mut Testimony)) -> Guard {
    let mut guard = Guard::new(Policy::default(), scope(&[B]));
    for ms in (0..=until).step_by(500) {
        guard.handle_sent(at(ms), 100, ip(A));
        let mut testimony = says(ms);
        change(ms, &mut testimony);
        guard.handle_testimony(at(ms), witness, &[testimony]);
    }
    guard
}

fn dropped(guard: &mut Guard) -> bool {
    acts(guard).iter().any(|act| matches!(act, Act::Drop { reason: Reason::SplitBrain, .. }))
}

#[test]
fn the_lower_one_drops_on_the_word_of_a_peer_that_holds_and_advertises() {
    assert!(!dropped(&mut told(2500, |_, _| ())), "our own rank has not stood for long enough");
    let mut guard = told(3500, |_, _| ());
    let Some(Act::Drop { why, .. }) = guard.poll_act() else { panic!("no drop") };
    assert!(why.contains("lb02") && why.contains("200") && why.contains("second channel"), "{why}");
}

#[test]
fn the_higher_one_never_drops() {
    assert!(!dropped(&mut told(20_000, |_, said| said.sends = Some((ip(B), 99)))));
    assert!(!dropped(&mut told(20_000, |_, said| said.sends = Some((ip("10.9.9.0"), 100)))), "the lower address");
}

#[test]
fn what_is_unsigned_or_blind_or_holds_without_advertising_or_advertises_without_holding_decides_nothing() {
    assert!(!dropped(&mut told(20_000, |_, said| said.signed = false)));
    assert!(!dropped(&mut told(20_000, |_, said| said.blind = true)));
    assert!(!dropped(&mut told(20_000, |_, said| said.sends = None)), "the dead don't serve");
    assert!(!dropped(&mut told(20_000, |_, said| said.holds = false)));
}

#[test]
fn a_report_that_was_asked_for_before_our_claim_or_is_an_old_one_decides_nothing() {
    assert!(!dropped(&mut told(20_000, |_, said| said.as_of = at(0))));
    assert!(!dropped(&mut told(20_000, |ms, said| said.as_of = at(ms.saturating_sub(1001)))), "older than a second");
}

#[test]
fn one_report_alone_decides_nothing_nor_two_within_half_an_interval() {
    assert!(!dropped(&mut told(20_000, |_, said| said.as_of = at(19_500))), "the same one again and again");
    let mut guard = Guard::new(Policy::default(), scope(&[B]));
    guard.handle_sent(at(0), 100, ip(A));
    guard.handle_testimony(at(0), None, &[]);
    for ms in [9_000, 9_499] {
        guard.handle_testimony(at(ms), None, &[says(ms)]);
    }
    assert!(!dropped(&mut guard));
    guard.handle_testimony(at(9_500), None, &[says(9_500)]);
    assert!(dropped(&mut guard));
}

#[test]
fn a_change_of_the_peers_rank_or_of_our_own_begins_the_proof_anew() {
    let rising = |ms: u64, said: &mut Testimony| said.sends = Some((ip(B), 100 + u8::try_from(ms / 500).unwrap()));
    assert!(!dropped(&mut told(10_000, rising)));
    let mut guard = Guard::new(Policy::default(), scope(&[B]));
    for ms in (0..20_000).step_by(500) {
        guard.handle_sent(at(ms), 100 + u8::try_from(ms / 2500).unwrap(), ip(A));
        guard.handle_testimony(at(ms), None, &[says(ms)]);
    }
    assert!(!dropped(&mut guard));
}

#[test]
fn who_reaches_a_witness_through_the_addresss_interface_goes_on_whatever_its_priority() {
    let lower = |witness| move |_: u64, said: &mut Testimony| (said.sends, said.witness) = (Some((ip(B), 50)), witness);
    assert!(dropped(&mut told_with(Some(false), 5_000, lower(Some(true)))));
    assert!(!dropped(&mut told_with(Some(false), 5_000, lower(Some(false)))), "neither reaches it: the rank decides");
    assert!(!dropped(&mut told_with(Some(false), 5_000, lower(None))), "who asks none is not compared by it");
    let cut_off = |_: u64, said: &mut Testimony| said.witness = Some(false);
    assert!(!dropped(&mut told_with(Some(true), 5_000, cut_off)), "the better priority is cut off");
}

#[test]
fn what_the_election_settles_is_left_to_it() {
    let mut guard = Guard::new(Policy::default(), scope(&[B]));
    for ms in (0..10_000).step_by(500) {
        guard.handle_sent(at(ms), 100, ip(A));
        guard.handle_advert(at(ms), &advert(B, 200), true);
        guard.handle_testimony(at(ms), None, &[says(ms)]);
    }
    assert!(!dropped(&mut guard));
}

#[test]
fn it_is_no_reason_where_split_brains_are_not_fenced() {
    let mut guard = Guard::new(Policy { on_split_brain: false, ..Policy::default() }, scope(&[B]));
    for ms in (0..10_000).step_by(500) {
        guard.handle_sent(at(ms), 100, ip(A));
        guard.handle_testimony(at(ms), None, &[says(ms)]);
    }
    assert!(!dropped(&mut guard));
}

#[test]
fn who_dropped_stays_out_while_the_peer_says_that_it_holds_and_comes_back_after_hold_down() {
    let mut guard = told(3500, |_, _| ());
    assert!(dropped(&mut guard));
    guard.handle_stopped(at(3500));
    for ms in (4000..=60_000).step_by(500) {
        guard.handle_testimony(at(ms), None, &[says(ms)]);
        guard.handle_timeout(at(ms));
    }
    assert_eq!(acts(&mut guard), [], "for as long as it says so");
    guard.handle_testimony(at(60_500), None, &[]);
    guard.handle_timeout(at(69_999));
    assert_eq!(acts(&mut guard), []);
    guard.handle_timeout(at(70_000));
    assert_eq!(acts(&mut guard), [Act::Release]);
}

#[test]
fn who_dropped_follows_the_election_once_it_hears_the_peer_again_although_that_still_holds() {
    let mut guard = told(3500, |_, _| ());
    assert!(dropped(&mut guard));
    guard.handle_stopped(at(3500));
    for ms in (4000..=13_500).step_by(500) {
        guard.handle_advert(at(ms), &advert(B, 200), true);
        guard.handle_testimony(at(ms), None, &[says(ms)]);
        guard.handle_timeout(at(ms));
    }
    assert_eq!(acts(&mut guard), [Act::Release]);
}

/// Two nodes that only know each other by reports.
struct Pair {
    guards: [Guard; 2],
    priorities: [u8; 2],
    witness: [Option<bool>; 2],
    /// What each last said, in the order of time.
    said: [Vec<Testimony>; 2],
    dropped: [bool; 2],
}

impl Pair {
    fn state(&self, node: usize, ms: u64) -> Testimony {
        let source = ip([A, B][node]);
        Testimony {
            peer: format!("lb{node}"),
            as_of: at(ms),
            holds: !self.dropped[node],
            speaks: true,
            effective: None,
            sends: (!self.dropped[node]).then_some((source, self.priorities[node])),
            witness: self.witness[node],
            ..says(ms)
        }
    }

    /// One step: both say how they are; each hears what the other said `delay` steps ago, if it arrives.
    fn step(&mut self, ms: u64, delay: [usize; 2], arrives: [bool; 2]) {
        for node in 0..2 {
            let state = self.state(node, ms);
            self.said[node].push(state);
        }
        for node in 0..2 {
            if !self.dropped[node] {
                self.guards[node].handle_sent(at(ms), self.priorities[node], ip([A, B][node]));
            }
            let other = &self.said[1 - node];
            let heard = arrives[node].then(|| other[other.len() - 1 - delay[node].min(other.len() - 1)].clone());
            self.guards[node].handle_testimony(at(ms), self.witness[node], heard.as_slice());
            self.dropped[node] |= dropped(&mut self.guards[node]);
        }
    }
}

type Phase = (u64, [u8; 2], [Option<bool>; 2], [usize; 2], [bool; 2]);

fn phase() -> impl Strategy<Value = Phase> {
    let priorities = [1u8..4, 1..4];
    let witness = [any::<Option<bool>>(), any::<Option<bool>>()];
    (1..60u64, priorities, witness, [0..15usize, 0..15], any::<[bool; 2]>())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]
    #[test]
    fn never_both_drop_whatever_becomes_of_ranks_witnesses_delays_and_losses(phases in vec(phase(), 1..12)) {
        let guard = |peer| Guard::new(Policy::default(), scope(&[peer]));
        let mut pair = Pair {
            guards: [guard(B), guard(A)],
            priorities: [1, 1],
            witness: [None; 2],
            said: [Vec::new(), Vec::new()],
            dropped: [false; 2],
        };
        let mut ms = 0;
        for (steps, priorities, witness, delay, arrives) in phases {
            (pair.priorities, pair.witness) = (priorities, witness);
            for _ in 0..steps {
                pair.step(ms, delay, arrives);
                prop_assert_ne!(pair.dropped, [true, true]);
                ms += 100;
            }
        }
    }
}
