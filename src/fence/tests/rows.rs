//! One node, 10.9.9.1 with priority 100, and what it hears.

use super::*;

const OURS: u8 = 100;

fn holding(policy: Policy, peers: &[&str]) -> Guard {
    let mut guard = Guard::new(policy, scope(peers));
    guard.handle_sent(at(0), OURS, ip(A));
    guard
}

fn dropped(acts: &[Act]) -> bool {
    matches!(acts, [Act::Drop { reason: Reason::SplitBrain, .. }])
}

/// Both advertise once in an interval, 400 ms apart, for so many seconds.
fn contest(guard: &mut Guard, theirs: &Advert, obeyed: bool, seconds: std::ops::Range<u64>) -> Vec<Act> {
    for second in seconds {
        if second > 0 && guard.fenced().is_none() {
            guard.handle_sent(at(second * 1000), OURS, ip(A));
        }
        guard.handle_advert(at(second * 1000 + 400), theirs, obeyed);
    }
    acts(guard)
}

fn answer(guard: &mut Guard, who: &str, seconds: std::ops::Range<u64>) -> Vec<Act> {
    for second in seconds {
        guard.handle_answers(at(second * 1000 + 600), &[(mac(who), at(second * 1000 + 600))]);
    }
    acts(guard)
}

#[test]
fn a_better_peer_whose_refused_adverts_go_on_after_ours_gets_the_addresses() {
    let mut guard = holding(Policy::default(), &[B]);
    assert_eq!(contest(&mut guard, &advert(B, 150), false, 0..2), [], "one interval is not more than one");
    let acts = contest(&mut guard, &advert(B, 150), false, 2..3);
    let [Act::Drop { reason: Reason::SplitBrain, why }] = &acts[..] else { panic!("{acts:?}") };
    assert!(why.contains("10.9.9.2") && why.contains("150"), "{why}");
    assert_eq!(guard.fenced(), Some(Reason::SplitBrain));
}

#[test]
fn adverts_of_before_our_own_first_one_prove_nothing() {
    let mut guard = Guard::new(Policy::default(), scope(&[B]));
    for second in 0..10 {
        guard.handle_advert(at(second * 1000), &advert(B, 150), false);
    }
    guard.handle_sent(at(9100), OURS, ip(A));
    guard.handle_advert(at(10_000), &advert(B, 150), false);
    assert_eq!(acts(&mut guard), [], "it may have crossed ours");
    guard.handle_advert(at(11_000), &advert(B, 150), false);
    assert!(dropped(&acts(&mut guard)), "the next one has not");
}

#[test]
fn a_burst_of_forged_adverts_within_one_interval_is_no_proof() {
    let mut guard = holding(Policy::default(), &[B]);
    for ms in 0..900 {
        guard.handle_advert(at(ms), &advert(B, 254), false);
    }
    assert_eq!(acts(&mut guard), []);
}

#[test]
fn an_advert_that_the_election_obeys_is_the_elections_affair() {
    let mut guard = holding(Policy::default(), &[B]);
    assert_eq!(contest(&mut guard, &advert(B, 150), true, 0..20), []);
}

#[test]
fn the_address_decides_between_equal_priorities_and_a_lower_rival_has_to_go_itself() {
    assert!(dropped(&contest(&mut holding(Policy::default(), &[B]), &advert(B, OURS), false, 0..3)));
    assert_eq!(contest(&mut holding(Policy::default(), &[B]), &advert(B, OURS - 1), false, 0..20), []);
    let mut equal = advert(B, OURS);
    equal.source = ip(A);
    assert_eq!(contest(&mut holding(Policy::default(), &[A]), &equal, false, 0..20), [], "fault 13");
}

#[test]
fn without_configured_peers_adverts_need_the_answers_of_the_same_host() {
    let mut guard = holding(Policy::default(), &[]);
    assert_eq!(contest(&mut guard, &advert(B, 150), false, 0..5), []);
    assert_eq!(answer(&mut guard, STRANGER, 4..7), [], "somebody else's");
    assert_eq!(contest(&mut guard, &advert(B, 150), false, 7..8), []);
    assert_eq!(answer(&mut guard, B, 7..8), [], "one answer");
    assert!(dropped(&answer(&mut guard, B, 8..9)));
}

#[test]
fn a_better_peer_that_announces_and_answers_probes_gets_the_addresses_after_a_while() {
    let mut guard = Guard::new(Policy::default(), scope(&[B]));
    guard.handle_advert(at(0), &advert(B, 150), true);
    guard.handle_sent(at(4000), OURS, ip(A));
    guard.handle_announcement(at(4100), mac(B));
    assert_eq!(answer(&mut guard, B, 4..9), [], "had it heard us, it would have needed so long to drop");
    assert!(dropped(&answer(&mut guard, B, 9..10)));
}

#[test]
fn a_better_peer_whose_daemon_died_and_whose_kernel_answers_does_not_get_the_addresses_back() {
    let mut guard = Guard::new(Policy::default(), scope(&[B]));
    guard.handle_advert(at(0), &advert(B, 150), true);
    guard.handle_announcement(at(100), mac(B));
    guard.handle_sent(at(4000), OURS, ip(A));
    guard.handle_announcement(at(4100), mac(STRANGER));
    assert_eq!(answer(&mut guard, B, 4..600), [], "nobody would tell the clients");
}

#[test]
fn an_answer_from_a_host_that_never_advertised_decides_nothing() {
    let mut guard = holding(Policy::default(), &[B]);
    guard.handle_announcement(at(100), mac(B));
    assert_eq!(answer(&mut guard, B, 0..30), []);
}

#[test]
fn a_peer_that_gave_mastership_up_and_still_answers_is_no_winner() {
    let mut guard = Guard::new(Policy::default(), scope(&[B]));
    guard.handle_advert(at(0), &advert(B, 150), true);
    guard.handle_advert(at(10), &advert(B, 0), true);
    guard.handle_sent(at(600), OURS, ip(A));
    guard.handle_announcement(at(700), mac(B));
    assert_eq!(answer(&mut guard, B, 1..30), []);
}

#[test]
fn adverts_through_a_router_with_a_wrong_checksum_or_about_other_addresses_are_no_evidence() {
    let good = advert(B, 150);
    for bad in [
        Advert { ttl: 254, ..good.clone() },
        Advert { ttl: 64, destination: ip(A), ..good.clone() },
        Advert { checksum: ChecksumForm::Invalid, ..good.clone() },
        Advert { addresses: vec![ip("10.9.9.101")], ..good.clone() },
    ] {
        assert_eq!(contest(&mut holding(Policy::default(), &[B]), &bad, false, 0..20), [], "{bad:?}");
    }
}

#[test]
fn a_priority_that_just_changed_has_to_be_heard_before_it_costs_the_addresses() {
    let mut guard = holding(Policy::default(), &[B]);
    assert_eq!(contest(&mut guard, &advert(B, 99), false, 0..10), []);
    guard.handle_sent(at(10_000), 50, ip(A));
    guard.handle_advert(at(10_400), &advert(B, 99), false);
    assert_eq!(acts(&mut guard), [], "it has not had the time to take the lower priority in");
    guard.handle_sent(at(11_000), 50, ip(A));
    guard.handle_advert(at(11_400), &advert(B, 99), false);
    assert!(dropped(&acts(&mut guard)));
}

#[test]
fn a_standing_split_keeps_the_loser_out_and_hold_down_counts_from_its_end() {
    let mut guard = holding(Policy::default(), &[B]);
    assert!(dropped(&contest(&mut guard, &advert(B, 150), false, 0..3)));
    guard.handle_stopped(at(2500));
    assert_eq!(contest(&mut guard, &advert(B, 150), false, 3..600), [], "ten minutes, and no flapping");
    let last = 599_400;
    assert_eq!(guard.poll_timeout(at(last)), Some(at(last + 10_000)));
    assert_eq!(guard.back_at(at(last + 3000)), Some(at(last + 10_000)), "the operator is told the same");
    guard.handle_timeout(at(last + 9_999));
    assert_eq!(acts(&mut guard), []);
    guard.handle_timeout(at(last + 10_000));
    assert_eq!(acts(&mut guard), [Act::Release]);
    assert_eq!((guard.fenced(), guard.poll_timeout(at(last + 10_000))), (None, None));
    assert_eq!(guard.back_at(at(last + 10_000)), None);
}

#[test]
fn a_fenced_router_stays_out_while_the_winner_answers_and_is_silent() {
    let mut guard = holding(Policy::default(), &[B]);
    assert!(dropped(&contest(&mut guard, &advert(B, 150), false, 0..3)));
    assert_eq!(answer(&mut guard, B, 3..100), []);
    assert_eq!(guard.poll_timeout(at(100_000)), None, "only the end of the answers can end it");
    assert_eq!(guard.back_at(at(100_000)), None);
    guard.handle_answers(at(101_000), &[]);
    assert_eq!(guard.poll_timeout(at(101_000)), Some(at(99_600 + 10_000)));
}

#[test]
fn without_hold_down_the_loser_waits_for_the_winners_silence_all_the_same() {
    let policy = Policy { hold_down: Duration::ZERO, ..Policy::default() };
    let mut guard = holding(policy, &[B]);
    assert!(dropped(&contest(&mut guard, &advert(B, 150), false, 0..3)));
    assert_eq!(guard.poll_timeout(at(2400)), Some(at(6400)), "four intervals after its last advert");
}

#[test]
fn once_the_election_obeys_the_winner_the_fence_is_over_after_hold_down() {
    let mut guard = holding(Policy::default(), &[B]);
    assert!(dropped(&contest(&mut guard, &advert(B, 150), false, 0..3)));
    guard.handle_stopped(at(2500));
    let mut released = Vec::new();
    for second in 3..14 {
        guard.handle_advert(at(second * 1000 + 400), &advert(B, 150), true);
        released.extend(answer(&mut guard, B, second..second + 1));
    }
    assert_eq!(released, [Act::Release], "the password was mended: a backup is what it should be");
}

#[test]
fn a_third_rival_that_goes_on_keeps_the_loser_out_even_if_it_is_the_lower_one() {
    const C: &str = "10.9.9.3";
    let mut guard = holding(Policy::default(), &[B, C]);
    assert!(dropped(&contest(&mut guard, &advert(B, 150), false, 0..3)));
    guard.handle_stopped(at(2500));
    assert_eq!(contest(&mut guard, &advert(C, 50), false, 3..60), []);
}

#[test]
fn switched_off_it_drops_nothing_and_a_fence_that_stands_falls() {
    let off = Policy { on_split_brain: false, ..Policy::default() };
    assert_eq!(contest(&mut holding(off.clone(), &[B]), &advert(B, 150), false, 0..20), []);
    let mut guard = holding(Policy::default(), &[B]);
    assert!(dropped(&contest(&mut guard, &advert(B, 150), false, 0..3)));
    guard.reconfigure(at(3000), off, scope(&[B]));
    assert_eq!(acts(&mut guard), [Act::Release]);
}

#[test]
fn an_operator_lifts_the_fence_and_what_was_evidence_is_none_any_more() {
    let mut guard = holding(Policy::default(), &[B]);
    assert!(dropped(&contest(&mut guard, &advert(B, 150), false, 0..3)));
    guard.unfence(at(2500));
    guard.handle_sent(at(2600), OURS, ip(A));
    guard.handle_timeout(at(2600));
    assert_eq!((acts(&mut guard), guard.fenced()), (vec![], None));
}

#[test]
fn informed_yield_wants_a_peer_that_is_obeyed_lower_and_deaf_to_enough_adverts() {
    let opted_in = Policy { informed_yield: 5, ..Policy::default() };
    let mut guard = holding(opted_in.clone(), &[B]);
    assert_eq!(contest(&mut guard, &advert(B, 50), true, 0..5), [], "four of ours since its first");
    let acts = contest(&mut guard, &advert(B, 50), true, 5..6);
    assert!(matches!(&acts[..], [Act::Yield { to, .. }] if *to == ip(B)), "{acts:?}");
    assert_eq!(guard.fenced(), None);

    for (policy, rival, obeyed, why) in [
        (Policy::default(), advert(B, 50), true, "it is opt-in"),
        (opted_in.clone(), advert(B, 50), false, "nobody would be followed"),
        (opted_in.clone(), advert(STRANGER, 50), true, "a stranger"),
    ] {
        assert_eq!(contest(&mut holding(policy, &[B]), &rival, obeyed, 0..20), [], "{why}");
    }
}

#[test]
fn isolation_needs_a_witness_that_answered_once_and_ends_when_anyone_answers() {
    let policy = Policy { on_isolation: true, ..Policy::default() };
    let mut guard = holding(policy.clone(), &[B]);
    guard.handle_reach(at(0), true, false);
    guard.handle_reach(at(1000), false, false);
    assert_eq!(guard.poll_timeout(at(1000)), None, "a peer that died is no isolation");
    guard.handle_reach(at(2000), true, true);
    guard.handle_reach(at(3000), false, false);
    guard.handle_reach(at(4000), false, false);
    assert_eq!(guard.poll_timeout(at(4000)), Some(at(8000)), "five seconds from the first silence");
    guard.handle_timeout(at(7999));
    assert_eq!(acts(&mut guard), []);
    guard.handle_timeout(at(8000));
    assert!(matches!(&acts(&mut guard)[..], [Act::Drop { reason: Reason::Isolation, .. }]));
    assert_eq!(guard.poll_timeout(at(8000)), None);
    guard.handle_reach(at(9000), true, false);
    assert_eq!(acts(&mut guard), [Act::Release]);

    let mut off = holding(Policy::default(), &[B]);
    off.handle_reach(at(0), true, true);
    off.handle_reach(at(1000), false, false);
    off.handle_timeout(at(100_000));
    assert_eq!(acts(&mut off), [], "it is opt-in");
}

#[test]
fn a_crowd_of_strangers_takes_no_peers_place_in_the_ledger() {
    let mut guard = holding(Policy::default(), &[B]);
    guard.handle_advert(at(100), &advert(B, 150), false);
    for stranger in 0..200 {
        let mut crowd = advert(STRANGER, 254);
        crowd.mac = Some(MacAddr(2, 0, 0, 0, 1, stranger));
        guard.handle_advert(at(200), &crowd, false);
    }
    guard.handle_advert(at(1100), &advert(B, 150), false);
    guard.handle_advert(at(2100), &advert(B, 150), false);
    assert!(dropped(&acts(&mut guard)));
}
