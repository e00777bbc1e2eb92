//! Worlds that must be well, and weakened ones that must not.

mod weakened;
mod what_if;

use super::*;
use worlds::Theme;

/// The first broken rule in these worlds, and in which.
fn first_violation(theme: Theme, seeds: std::ops::Range<u64>) -> Option<(u64, Violation)> {
    seeds.into_iter().find_map(|seed| {
        let report = run(worlds::random(theme, seed), false);
        report.violations.into_iter().next().map(|violation| (seed, violation))
    })
}

#[test]
fn elections_and_fences_hold_under_every_fault() {
    assert_eq!(first_violation(Theme::Election, 0..1000), None);
}

#[test]
fn with_an_arbiter_no_two_answer_at_one_time_whatever_happens() {
    assert_eq!(first_violation(Theme::Lease, 0..800), None);
}

/// In these worlds a look found the gate closed, and a lease that came late opened it before the next look.
#[test]
fn a_gate_that_is_taken_for_closed_by_mistake_is_closed_all_the_same_before_the_address_goes() {
    for seed in [48_772, 95_702, 146_799, 158_311, 164_790, 222_831, 232_012] {
        assert_eq!(first_violation(Theme::Lease, seed..seed + 1), None);
    }
}

#[test]
fn nor_where_holders_go_on_by_their_peers_promises() {
    assert_eq!(first_violation(Theme::Council, 0..800), None);
}

#[test]
fn nor_do_two_hold_for_long_who_can_tell_each_other_and_nobody_who_reaches_nobody() {
    assert_eq!(first_violation(Theme::Second, 0..600), None);
}

/// An owner whose cable was out from its start has never reached the witness: it knows of none, and is right to answer.
#[test]
fn who_has_never_reached_its_witness_is_not_alone_for_want_of_it() {
    assert_eq!(first_violation(Theme::Second, 13_573..13_574), None);
}

#[test]
fn watchers_say_what_is_true_or_that_they_do_not_know() {
    assert_eq!(first_violation(Theme::Watch, 0..200), None);
}

#[test]
fn nothing_is_said_where_nothing_is_wrong() {
    assert_eq!(first_violation(Theme::Faultless, 0..100), None);
}

#[test]
fn the_same_seed_is_the_same_run_whether_it_is_kept_or_not_and_another_seed_is_another_run() {
    for theme in Theme::ALL {
        let hash = |seed, keeps| run(worlds::random(theme, seed), keeps).hash;
        for seed in 0..20 {
            assert_eq!(hash(seed, false), hash(seed, true), "{theme:?} {seed}");
            assert_ne!(hash(seed, false), hash(seed + 1, false), "{theme:?} {seed}");
        }
    }
}

#[test]
fn every_entry_and_every_frame_is_kept_in_the_order_of_time() {
    let report = run(worlds::random(Theme::Election, 3), true);
    assert!(report.entries.len() > 10 && report.frames().count() > 10);
    assert!(report.entries.is_sorted_by_key(|entry| entry.at));
    assert!(report.frames().map(|(at, _)| at).is_sorted());
}
