//! Nobody serves, or we can't see whether somebody does.

use super::*;

#[test]
fn failover_by_silence_is_never_a_split_and_counts_one_transition_fault_1() {
    let mut stage = Stage::new(Settings::default());
    stage.play(5000, &[(&advert(B, 200), 0)]);
    stage.idle(8609);
    stage.play(15000, &[(&advert("10.9.9.3", 100), 0)]);
    stage.expect(Verdict::Healthy, &[]);
    assert_eq!(stage.verdicts(), ["healthy"]);
    let router = stage.router();
    assert_eq!((router.master_transitions, router.split_brain_time), (1, Duration::ZERO));
}

#[test]
fn silence_is_no_master_only_beyond_four_adverts_and_a_margin_faults_20_and_21() {
    let mut stage = Stage::new(Settings::default());
    stage.play(5000, &[(&advert(B, 200), 0)]);
    stage.idle(9200);
    stage.expect(Verdict::Healthy, &[]);
    stage.idle(9300);
    stage.expect(Verdict::NoMaster, &[]);
    assert!(stage.router().no_master);
    stage.play(12000, &[(&advert(B, 200), 0)]);
    stage.expect(Verdict::Healthy, &[]);
}

#[test]
fn a_learned_router_that_said_priority_zero_is_never_without_master_fault_20() {
    let mut stage = Stage::new(Settings::default());
    stage.play(5000, &[(&advert(B, 200), 0)]);
    stage.hear(&advert(B, 0));
    stage.idle(30000);
    stage.expect(Verdict::Unknown, &[]);
}

#[test]
fn a_configured_router_that_nobody_ever_heard_is_without_master_if_its_interval_is_known_fault_21() {
    let expected = |advert_interval| Expected { advert_interval, ..expected() };
    for (interval, verdict) in [(None, Verdict::Unknown), (Some(Duration::from_secs(1)), Verdict::NoMaster)] {
        let settings = Settings { routers: vec![expected(interval)], ..Settings::default() };
        let mut stage = Stage::member_with(settings);
        stage.idle(6000);
        stage.expect(verdict, &[]);
    }
}

#[test]
fn an_address_that_answers_without_adverts_is_degraded_and_not_without_master() {
    let mut stage = Stage::member();
    stage.own(VIP);
    stage.play(5000, &[(&advert(A, 200), 0)]);
    stage.daemon(DaemonState::Absent);
    stage.idle(11000);
    stage.expect(Verdict::Degraded, &[Cause::StaleAddress]);
}

#[test]
fn blindness_is_unknown_and_a_split_stays_a_split_until_health_is_proven_fault_22() {
    let mut stage = Stage::new(Settings::default());
    let third = advert("10.9.9.3", 100);
    stage.play(8000, &[(&advert(B, 200), 0), (&third, 500)]);
    stage.expect(Verdict::SplitBrain, &[Cause::Undetermined]);
    let why = Err("eth0 is gone".to_owned());
    stage.fact(Fact::Sensor { sensor: Sensor::Capture, interface: Some(ETH0), state: why });
    stage.expect(Verdict::Unknown, &[]);
    assert!(stage.router().split_brain, "still 1 while blind");
    stage.fact(Fact::Sensor { sensor: Sensor::Capture, interface: Some(ETH0), state: Ok(()) });
    stage.play(14000, &[(&advert(B, 200), 0)]);
    stage.expect(Verdict::Healthy, &[]);
    assert!(!stage.router().split_brain);
}

#[test]
fn dropped_frames_make_the_verdict_unknown_until_an_interval_was_heard_whole_fault_22() {
    let mut stage = Stage::new(Settings::default());
    stage.play(5000, &[(&advert(B, 200), 0)]);
    stage.fact(Fact::Capture { interface: ETH0, frames: 100, dropped: 7 });
    stage.expect(Verdict::Unknown, &[]);
    assert_eq!(stage.watcher.snapshot(at(stage.now)).verdict(), Verdict::Unknown);
    stage.play(12000, &[(&advert(B, 200), 1000)]);
    stage.expect(Verdict::Healthy, &[]);
}

#[test]
fn one_vrid_tagged_and_untagged_are_two_routers_both_healthy_fault_23() {
    let mut stage = Stage::new(Settings::default());
    for round in 0..5 {
        stage.idle(round * 1000);
        for vlan in [None, Some(100)] {
            let seen = Seen::Advert(advert(if vlan.is_some() { B } else { "10.9.9.3" }, 200));
            stage.fact(Fact::Frame(Frame { interface: ETH0, vlan, kind: PacketKind::Multicast, seen }));
        }
    }
    let snapshot = stage.watcher.snapshot(at(stage.now));
    let seen: Vec<_> = snapshot.routers.iter().map(|r| (r.vlan, r.verdict)).collect();
    assert_eq!(seen, [(None, Verdict::Healthy), (Some(100), Verdict::Healthy)]);
}

#[test]
fn while_blind_the_last_known_holder_is_still_named_fault_22() {
    let mut stage = Stage::member();
    stage.play(5000, &[(&advert(B, 200), 0)]);
    let state = Err("eth0 has no carrier".into());
    stage.fact(Fact::Sensor { sensor: Sensor::Carrier, interface: Some(ETH0), state });
    stage.idle(20000);
    stage.expect(Verdict::Unknown, &[]);
    assert_eq!(stage.router().holders[0].node.as_deref(), Some(B));
}

/// A switch floods the first of them.
#[test]
fn a_bystander_that_overhears_a_unicast_advert_knows_nothing_when_no_more_come_fault_31() {
    let unicast = Advert { destination: ip(B), ..advert("10.9.9.3", 200) };
    let after_one = |settings: Settings| {
        let mut stage = Stage::new(settings);
        stage.play(500, &[(&unicast, 0)]);
        stage.idle(9000);
        stage.router().verdict
    };
    assert_eq!(after_one(Settings::default()), Verdict::Unknown);
    assert_eq!(
        after_one(Settings { passive: true, ..Settings::default() }),
        Verdict::NoMaster,
        "a mirror port sees all"
    );
}

/// Whoever knows whether somebody holds is asked then, and answers before the verdict is due.
#[test]
fn that_a_master_falls_silent_is_shown_before_it_is_a_verdict_faults_20_and_21() {
    let mut stage = Stage::new(Settings::default());
    stage.play(5000, &[(&advert(B, 200), 0)]);
    let settled = |stage: &mut Stage| {
        let snapshot = stage.watcher.snapshot(at(stage.now));
        (snapshot.verdict(), snapshot.is_settled())
    };
    assert_eq!(settled(&mut stage), (Verdict::Healthy, true));
    stage.idle(7999);
    assert!(!stage.watcher.is_urgent());
    stage.idle(8001);
    assert!(stage.watcher.is_urgent());
    assert_eq!(settled(&mut stage), (Verdict::Healthy, false));
    stage.idle(9000);
    assert!(!stage.watcher.is_urgent(), "it is shown once");
}

/// The last answer is from before: a round of probes is a second, and the silence of a fast router is no verdict for longer.
#[test]
fn a_silent_masters_address_is_asked_for_at_once_and_not_a_second_later_fault_20() {
    let fast = Interval::CentiSeconds(CentiSeconds(10));
    let b = Advert { interval: fast, version: Version::V3, ..advert(B, 200) };
    for phase in [0, 200, 400, 600, 800] {
        let mut stage = Stage::member();
        stage.answers = vec![mac(B)];
        stage.play(5000 + phase, &[(&b, 0)]);
        let last = stage.now;
        stage.answers.clear();
        stage.idle(last + 424);
        stage.expect(Verdict::Healthy, &[]);
        // A round that began in time ends a moment after the silence is long enough.
        stage.idle(last + 455);
        stage.expect(Verdict::NoMaster, &[]);
    }
}

#[test]
fn one_that_falls_silent_again_and_again_is_asked_for_no_faster_than_a_round_allows() {
    let mut stage = Stage::member();
    stage.play(3000, &[(&advert(B, 200), 0)]);
    for _ in 0..8 {
        stage.hear(&advert(B, 200));
        stage.hear(&advert(B, 0));
        stage.idle(stage.now + 60);
    }
    let probes = stage.requests.iter().filter(|(_, request)| matches!(request, Request::Arp { .. }));
    let asked: Vec<u64> = probes.map(|(at, _)| *at).filter(|at| *at >= 3000).collect();
    assert_eq!(asked, [3000, 3200, 3400]);
}

/// Somebody asked for it in a thousand names: what is sent to the group needs a place in the neighbour table, too.
#[test]
fn a_node_whose_kernel_has_no_room_for_a_neighbour_is_muted_and_holds_no_stray_address_fault_28() {
    let mut stage = Stage::member();
    stage.play(4000, &[(&advert(B, 200), 0)]);
    stage.own(VIP);
    stage.fact(Fact::NeighboursFull(Family::V6));
    stage.play(7000, &[(&advert(B, 200), 1000)]);
    stage.expect(Verdict::SplitBrain, &[Cause::StrayAddress]);
    stage.fact(Fact::NeighboursFull(Family::V4));
    stage.play(9000, &[(&advert(B, 200), 0)]);
    stage.expect(Verdict::SplitBrain, &[Cause::MutedMaster]);
    let finding = stage.router().findings[0].clone();
    assert!(finding.local.contains("neighbour table is full"), "{finding:?}");
    assert!(
        finding.remedy.contains("tcpdump -eni eth0 arp") && finding.remedy.contains("net.ipv4.neigh"),
        "{finding:?}"
    );
}
