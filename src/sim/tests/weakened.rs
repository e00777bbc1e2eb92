//! Each rule left out once: the checker that it is for must notice.

use super::*;
use crate::time::Duration;

/// Runs worlds with these rules until one breaks `rule`.
#[track_caller]
fn expect(rule: &str, theme: Theme, weaken: impl Fn(&mut Spec)) {
    expect_in(0..3000, rule, theme, weaken);
}

/// The same among these seeds, where only few worlds do.
#[track_caller]
fn expect_in(mut seeds: std::ops::Range<u64>, rule: &str, theme: Theme, weaken: impl Fn(&mut Spec)) {
    let breaks = |seed: u64| {
        let mut spec = worlds::random(theme, seed);
        weaken(&mut spec);
        run(spec, false).violations.iter().any(|violation| violation.rule == rule)
    };
    assert!(seeds.any(breaks), "nobody notices that `{rule}` is broken");
}

#[test]
fn an_advert_before_the_kernel_has_confirmed_the_addresses_is_noticed() {
    expect("advert", Theme::Election, |spec| spec.rules.confirm = false);
}

#[test]
fn a_farewell_before_the_kernel_has_confirmed_the_release_is_noticed() {
    expect("advert", Theme::Election, |spec| spec.rules.await_release = false);
}

#[test]
fn a_promotion_before_the_socket_was_drained_is_noticed() {
    expect("deaf", Theme::Election, |spec| spec.rules.drain = false);
}

#[test]
fn a_release_before_the_gate_is_closed_is_noticed() {
    expect("order", Theme::Election, |spec| spec.rules.close_first = false);
}

#[test]
fn a_stale_advert_that_opens_a_gate_which_a_better_peer_has_closed_is_noticed() {
    expect("overlap", Theme::Election, |spec| {
        spec.rules.latch = false;
        let interval = spec.nodes[0].settings.advert_interval;
        spec.hazards = Hazards { pause_ppm: 100_000, pause_max: interval, ..Hazards::NONE };
        let better = |time: u32| {
            let (at, lasts) = (interval * (6 + 3 * time), Some(interval * 3 / 2));
            Mishap { at, lasts, fault: Fault::Priority(0, 254) }
        };
        spec.faults.extend((0..7).map(better));
    });
}

#[test]
fn a_frozen_holder_that_need_not_prove_that_it_lives_is_noticed() {
    expect("overlap", Theme::Election, |spec| spec.rules.proof_of_life = false);
}

#[test]
fn a_fence_without_hold_down_is_noticed() {
    expect("flapping", Theme::Election, |spec| spec.rules.hold_down = false);
}

#[test]
fn who_drops_for_a_rival_that_advertises_and_does_not_hold_is_noticed() {
    let mut spec = what_if::pair(true, &[]);
    spec.rules.confirm = false;
    spec.nodes[1].settings.priority = 254;
    spec.nodes[0].settings.known_speakers = Some(Vec::new());
    let broken = Fault::BrokenKernel(1);
    spec.faults = vec![Mishap { at: Duration::from_millis(10), lasts: None, fault: broken }];
    // It refuses the better one's adverts, so that the guard has to decide.
    let rules: Vec<_> = run(spec, false).violations.iter().map(|violation| violation.rule).collect();
    assert!(rules.contains(&"empties"), "{rules:?}");
}

#[test]
fn nodes_that_never_settle_are_noticed() {
    expect("one", Theme::Election, |spec| {
        let (from, to) = (Nodes::one(0), Nodes::one(1));
        spec.faults.push(Mishap { at: spec.calm_from, lasts: Some(spec.length), fault: Fault::Cut { from, to } });
    });
}

#[test]
fn a_watcher_that_is_deaf_and_does_not_know_it_is_noticed() {
    expect("verdict", Theme::Watch, |spec| spec.rules.hears = false);
    expect("silence", Theme::Faultless, |spec| spec.rules.hears = false);
}

#[test]
fn a_lease_that_is_refreshed_without_deleting_it_first_is_noticed_g2() {
    expect("lease", Theme::Lease, |spec| spec.rules.delete_first = false);
}

#[test]
fn a_lease_that_opens_without_a_permit_is_noticed_g4() {
    expect("lease", Theme::Lease, |spec| spec.rules.permit = false);
}

#[test]
fn a_permit_that_serves_any_grant_is_noticed_g4() {
    let second = Duration::from_secs(1);
    // Two pauses and two late answers have to meet.
    let hazards =
        Hazards { pause_ppm: 30_000, pause_max: second * 6, slow_ppm: 150_000, slow_max: second * 4, lost_ppm: 20_000 };
    expect_in(780..3000, "lease", Theme::Lease, |spec| {
        spec.rules.bound = false;
        spec.hazards = hazards;
    });
}

#[test]
fn a_wait_that_is_shorter_than_the_hold_is_noticed() {
    expect("lease", Theme::Lease, |spec| spec.rules.long_wait = false);
}

#[test]
fn who_is_master_again_on_a_lease_that_it_gave_back_is_noticed() {
    expect("unleased", Theme::Lease, |spec| spec.rules.ask_again = false);
}

/// Node 0 holds, does not reach the arbiter any more, and then these others don't hear it: they would take over.
fn tempt(spec: &mut Spec, others: Nodes) {
    let second = Duration::from_secs(1);
    for (index, node) in spec.nodes.iter_mut().enumerate() {
        node.settings.priority = 200 - index as u8;
        node.starts_at = second * index as u32;
    }
    let lasting = |at: u32, fault| Mishap { at: second * at, lasts: Some(second * (16 - at)), fault };
    let cut = Fault::Cut { from: Nodes::one(0), to: others };
    spec.faults = vec![lasting(6, Fault::ArbiterCut(0)), lasting(7, cut)];
    spec.hazards = Hazards { slow_ppm: 300_000, slow_max: second * 4, ..Hazards::NONE };
}

#[test]
fn who_holds_on_without_the_promises_of_all_is_noticed() {
    expect("lease", Theme::Council, |spec| {
        spec.rules.all_promise = false;
        let third = NodeSpec { name: "third".into(), ..spec.nodes[0].clone() };
        spec.nodes.truncate(2);
        spec.nodes.push(third);
        tempt(spec, Nodes::one(2));
        let mute = Fault::ChannelCut(2);
        spec.faults.push(Mishap { at: Duration::from_secs(6), lasts: Some(Duration::from_secs(10)), fault: mute });
    });
}

#[test]
fn who_takes_what_it_has_promised_not_to_take_is_noticed() {
    expect("lease", Theme::Council, |spec| spec.rules.keeps_promise = false);
}

#[test]
fn a_promise_that_counts_from_when_it_is_heard_is_noticed() {
    expect("lease", Theme::Council, |spec| {
        spec.rules.from_question = false;
        spec.nodes.truncate(2);
        tempt(spec, Nodes::one(1));
    });
}

#[test]
fn none_of_that_breaks_a_rule_where_promises_are_what_they_should_be() {
    for seed in 0..40 {
        let mut spec = worlds::random(Theme::Council, seed);
        let others = Nodes(((1u16 << spec.nodes.len()) - 2) as u8);
        tempt(&mut spec, others);
        assert_eq!(run(spec, false).violations, [], "seed {seed}");
    }
}

#[test]
fn who_does_not_listen_to_its_peers_reports_is_noticed() {
    expect("told", Theme::Second, |spec| spec.rules.told = false);
}

#[test]
fn a_master_that_goes_on_beside_a_lower_one_that_is_deaf_to_it_is_noticed() {
    expect("yields", Theme::Second, |spec| spec.rules.yields = false);
}

#[test]
fn who_goes_on_alone_without_noticing_that_it_reaches_nobody_is_noticed() {
    expect("isolation", Theme::Second, |spec| spec.rules.reaches = false);
}

#[test]
fn an_owner_whose_addresses_are_removed_when_it_starts_is_noticed() {
    expect("one", Theme::Second, |spec| spec.rules.keeps_own = false);
}

#[test]
fn adverts_that_reach_but_one_of_the_unicast_peers_are_noticed() {
    expect("one", Theme::Second, |spec| spec.rules.to_all_peers = false);
}
