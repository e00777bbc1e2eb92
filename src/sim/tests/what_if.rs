//! What the fence is for, as the command line would ask it.

use super::*;
use crate::fence::Policy;
use crate::time::Duration;
use crate::vrrp::Settings;

const INTERVAL: Duration = Duration::from_millis(100);
const SECOND: Duration = Duration::from_secs(1);

pub(super) fn pair(gate: bool, faults: &[Mishap]) -> Spec {
    let node = |index: u8| NodeSpec {
        name: format!("lb{:02}", index + 1),
        settings: Settings { probe_before_promote: gate, ..worlds::settings(200 - index, INTERVAL) },
        drift_ppm: 0,
        starts_at: Duration::ZERO,
    };
    Spec {
        seed: 1,
        nodes: (0..2).map(node).collect(),
        weather: Weather::CLEAR,
        gate,
        arbiter: None,
        reports: false,
        witness: false,
        unanimous: false,
        watch: false,
        policy: Policy::default(),
        length: SECOND * 8,
        calm_from: SECOND * 6,
        faults: faults.to_vec(),
        hazards: Hazards::NONE,
        rules: Rules::ALL,
    }
}

fn mishap(at: Duration, lasts: Duration, fault: Fault) -> Mishap {
    Mishap { at, lasts: Some(lasts), fault }
}

#[test]
fn a_stopped_or_killed_master_is_silent_before_the_new_one_answers_and_without_a_gate_both_answer_faults_14_and_15() {
    for fault in [Fault::Pause(0), Fault::Kill(0)] {
        let faults = [mishap(SECOND * 2, SECOND * 3, fault)];
        let (gated, open) = (run(pair(true, &faults), true), run(pair(false, &faults), true));
        let both = |report: &Report| report.spans.several.1;
        let while_stopped = |report: &Report| {
            let during = |entry: &&Entry| entry.at > SECOND * 2 && entry.at < SECOND * 5;
            report.entries.iter().filter(during).any(|entry| entry.holders.count() > 1)
        };
        assert!(!while_stopped(&gated), "{fault:?}");
        assert!(both(&gated) < Duration::from_millis(1), "an election at most: {:?}", both(&gated));
        assert!(both(&open) > SECOND * 2, "{fault:?}: {:?}", both(&open));
        assert_eq!(gated.violations, []);
    }
}

#[test]
fn a_lost_power_or_a_pulled_cable_moves_the_address_and_gives_it_back() {
    for fault in [Fault::PowerOff(0), Fault::Cable(0)] {
        let report = run(pair(true, &[mishap(SECOND * 2, SECOND * 3, fault)]), false);
        assert_eq!(report.violations, []);
        assert!(report.spans.held[1] > SECOND * 2, "{fault:?}: {:?}", report.spans);
        assert!(report.spans.nobody.1 < INTERVAL * 4, "{fault:?}: {:?}", report.spans);
    }
}

#[test]
fn a_handover_leaves_nobody_for_a_moment_only_and_never_two() {
    let report = run(pair(true, &[mishap(SECOND * 2, SECOND, Fault::HandOver(0))]), false);
    assert_eq!((report.violations, report.spans.several.1), (vec![], Duration::ZERO));
    assert!(report.spans.held[1] > SECOND && report.spans.nobody.1 < INTERVAL, "{:?}", report.spans);
}

#[test]
fn a_partition_has_two_holders_for_as_long_as_it_lasts_and_one_afterwards() {
    let (one, two) = (Nodes::one(0), Nodes::one(1));
    let cut = |from, to| mishap(SECOND * 2, SECOND * 3, Fault::Cut { from, to });
    let report = run(pair(true, &[cut(one, two), cut(two, one)]), true);
    assert_eq!(report.violations, []);
    assert!(report.spans.several.1 > SECOND * 2, "undecidable without a third party");
    assert_eq!(report.entries.last().unwrap().holders, one);
}

/// The better one says that it holds, and does not: only where the gate is opened again does anybody answer.
#[test]
fn a_gate_that_an_advert_has_closed_which_the_election_refuses_is_opened_again() {
    let nobody = |reopen| {
        let broken = Fault::BrokenKernel(1);
        let mut spec = pair(true, &[Mishap { at: SECOND * 2 + INTERVAL, lasts: None, fault: broken }]);
        (spec.rules.confirm, spec.rules.reopen, spec.policy.on_split_brain) = (false, reopen, false);
        spec.nodes[0].settings.known_speakers = Some(Vec::new());
        spec.nodes[1].settings.priority = 254;
        spec.nodes[1].starts_at = SECOND * 2;
        let report = run(spec, false);
        assert!(report.spans.held[1].is_zero(), "{:?}", report.spans);
        report.spans.nobody
    };
    let (in_all, at_a_stretch) = nobody(true);
    assert!(in_all < INTERVAL && at_a_stretch < Duration::from_millis(1), "{in_all:?}, {at_a_stretch:?}");
    assert!(nobody(false).1 > SECOND);
}

#[test]
fn two_lower_rivals_at_a_time_do_not_silence_the_master_for_long() {
    let (one, others) = (Nodes::one(0), Nodes(0b110));
    let cut = |from, to| mishap(SECOND * 2, SECOND * 3, Fault::Cut { from, to });
    let mut spec = pair(
        true,
        &[cut(one, others), cut(others, one), cut(Nodes::one(1), Nodes::one(2)), cut(Nodes::one(2), Nodes::one(1))],
    );
    spec.nodes.push(NodeSpec {
        name: "lb03".into(),
        settings: worlds::settings(150, INTERVAL),
        ..spec.nodes[0].clone()
    });
    let report = run(spec, true);
    assert_eq!(report.violations, []);
    assert!(report.spans.nobody.1 < INTERVAL, "{:?}", report.spans);
}

#[test]
fn an_arbiter_makes_of_a_partition_one_holder_and_outlives_its_own_leader() {
    let (one, two) = (Nodes::one(0), Nodes::one(1));
    let cut = |from, to| mishap(SECOND * 5, SECOND * 8, Fault::Cut { from, to });
    let stall = mishap(SECOND * 14, Duration::from_millis(1300), Fault::ArbiterStalls);
    let mut spec = pair(true, &[cut(one, two), cut(two, one), stall]);
    (spec.arbiter, spec.length, spec.calm_from) = (Some(SECOND * 3), SECOND * 30, SECOND * 16);
    let report = run(spec, true);
    assert_eq!((report.violations, report.spans.several.1), (vec![], Duration::ZERO));
    let gap = report.spans.nobody.0;
    assert!(gap < INTERVAL, "neither the partition nor the change of leader costs service: {gap:?}");
}

#[test]
fn of_two_cuts_from_the_arbiter_that_overlap_the_longer_one_counts() {
    let long = |node| mishap(SECOND * 5, SECOND * 20, Fault::ArbiterCut(node));
    let short = |node| mishap(SECOND * 6, SECOND, Fault::ArbiterCut(node));
    let mut spec = pair(true, &[long(0), long(1), short(0), short(1)]);
    (spec.arbiter, spec.length, spec.calm_from) = (Some(SECOND * 3), SECOND * 40, SECOND * 26);
    let report = run(spec, false);
    assert_eq!(report.violations, []);
    assert!(report.spans.nobody.1 > SECOND * 15, "{:?}", report.spans);
}

#[test]
fn a_council_outlasts_an_arbiter_that_is_away_for_as_long_as_every_peer_promises() {
    let away = mishap(SECOND * 5, SECOND * 40, Fault::ArbiterDown);
    let holds = |faults: &[Mishap], unanimous| {
        let mut spec = pair(true, faults);
        (spec.arbiter, spec.length, spec.calm_from) = (Some(SECOND * 3), SECOND * 60, SECOND * 46);
        (spec.reports, spec.unanimous) = (true, unanimous);
        let report = run(spec, false);
        assert_eq!((&report.violations, report.spans.several.1), (&vec![], Duration::ZERO));
        report.spans.nobody.0
    };
    assert!(holds(&[away], true) < INTERVAL, "nobody notices");
    assert!(holds(&[away], false) > SECOND * 30, "without promises the addresses go with the lease");
    let mute = mishap(SECOND * 20, SECOND * 10, Fault::ChannelCut(1));
    let gap = holds(&[away, mute], true);
    assert!(gap > SECOND * 20, "one that says nothing has promised nothing, and only the arbiter opens again: {gap:?}");
    let dead = mishap(SECOND * 20, SECOND * 30, Fault::Kill(1));
    assert!(holds(&[away, dead], true) > SECOND * 20, "the dead promise nothing");
}

#[test]
fn a_holder_alone_without_the_arbiter_keeps_the_addresses_and_a_dead_one_loses_them_within_the_wait_and_a_second() {
    let alone = mishap(SECOND * 5, SECOND * 20, Fault::ArbiterCut(0));
    let mut spec = pair(true, &[alone]);
    (spec.arbiter, spec.length, spec.calm_from) = (Some(SECOND * 3), SECOND * 40, SECOND * 26);
    (spec.reports, spec.unanimous) = (true, true);
    let report = run(spec.clone(), false);
    assert_eq!((report.violations, report.spans.several.1), (vec![], Duration::ZERO));
    assert!(report.spans.nobody.0 < INTERVAL, "{:?}", report.spans);
    spec.faults.push(mishap(SECOND * 15, SECOND * 10, Fault::Kill(0)));
    let report = run(spec, false);
    assert_eq!((report.violations, report.spans.several.1), (vec![], Duration::ZERO));
    assert!(report.spans.nobody.1 < SECOND * 4 + INTERVAL * 5, "{:?}", report.spans);
}
