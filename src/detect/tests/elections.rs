//! Takeovers, splits by advert, and mismatches.

use super::*;

#[test]
fn one_master_is_healthy_only_after_another_would_have_been_heard() {
    let mut stage = Stage::new(Settings::default());
    stage.play(1000, &[(&advert(B, 200), 100)]);
    stage.expect(Verdict::Unknown, &[]);
    stage.play(3000, &[(&advert(B, 200), 100)]);
    stage.expect(Verdict::Healthy, &[]);
    let router = stage.router();
    assert_eq!((router.name.as_str(), router.role), ("10.9.9.100/51", Role::Observer));
    assert!(stage.requests.is_empty(), "an observer never sends");
}

#[test]
fn two_who_go_on_advertising_are_a_split_within_two_intervals_fault_2() {
    let mut stage = Stage::new(Settings::default());
    stage.play(5000, &[(&advert(A, 200), 0)]);
    stage.play(5500, &[(&advert(A, 200), 1000), (&advert(B, 100), 500)]);
    stage.expect(Verdict::Degraded, &[Cause::Transient]);
    stage.play(7600, &[(&advert(A, 200), 500), (&advert(B, 100), 1000)]);
    stage.expect(Verdict::SplitBrain, &[Cause::Undetermined]);
    let router = stage.router();
    assert!(router.split_brain);
    assert_eq!(router.masters.len(), 2);
}

#[test]
fn a_split_longer_than_a_takeover_is_an_episode_with_its_time_and_heals() {
    let mut stage = Stage::new(Settings::default());
    stage.play(5000, &[(&advert(B, 200), 0)]);
    let third = advert("10.9.9.3", 100);
    stage.play(15000, &[(&advert(B, 200), 1000), (&third, 500)]);
    let router = stage.router();
    assert_eq!(router.split_brain_episodes, 1);
    let seconds = router.split_brain_time.as_secs_f64();
    assert!((8.0..10.0).contains(&seconds), "{seconds}");
    stage.play(20000, &[(&advert(B, 200), 1000)]);
    stage.expect(Verdict::Healthy, &[]);
    let router = stage.router();
    assert!(!router.split_brain);
    assert_eq!(router.split_brain_time.as_secs_f64(), seconds, "it stopped with the last evidence");
    assert_eq!(router.master_transitions, 0, "frozen during the split, and the old master is the new one");
}

#[test]
fn failover_by_priority_zero_is_never_a_split_fault_1() {
    let mut stage = Stage::new(Settings::default());
    stage.play(5000, &[(&advert(B, 200), 0)]);
    stage.hear(&advert(B, 0));
    stage.idle(5609);
    stage.play(9000, &[(&advert("10.9.9.3", 100), 0)]);
    stage.expect(Verdict::Healthy, &[]);
    assert_eq!(stage.verdicts(), ["healthy"]);
    let master = stage.events.iter().rev().find(|e| e.kind == "master").unwrap();
    assert!(master.reason.contains("priority 0"), "{}", master.reason);
}

#[test]
fn preemption_is_at_most_transient_even_if_the_loser_sends_once_more_at_once_fault_1() {
    let mut stage = Stage::new(Settings::default());
    let third = advert("10.9.9.3", 100);
    stage.play(5000, &[(&third, 0)]);
    stage.idle(5400);
    stage.hear(&advert(B, 200));
    stage.idle(5405);
    stage.hear(&third);
    stage.idle(5410);
    stage.play(12000, &[(&advert(B, 200), 990)]);
    stage.expect(Verdict::Healthy, &[]);
    assert!(!stage.verdicts().contains(&"split_brain"), "{:?}", stage.verdicts());
    let router = stage.router();
    assert_eq!(router.split_brain_time, Duration::ZERO);
    assert_eq!(router.takeover_overlap, Duration::from_millis(5));
}

#[test]
fn the_local_firewall_is_named_on_the_node_that_drops_fault_2_and_27() {
    for (delivers, place) in [([true, false], "INPUT"), ([false, false], "ingress")] {
        let mut stage = Stage::member();
        stage.play(4000, &[(&advert(B, 200), 0)]);
        stage.expect(Verdict::Healthy, &[]);
        stage.delivers = delivers;
        stage.play(7600, &[(&advert(B, 200), 1000)]);
        stage.own(VIP);
        stage.play(11000, &[(&advert(B, 200), 400), (&advert(A, 100), 10)]);
        stage.expect(Verdict::SplitBrain, &[Cause::FirewallDrop]);
        let finding = stage.router().findings[0].clone();
        assert!(finding.here && finding.local.contains(place), "{finding:?}");
        stage.delivers = [true; 2];
        stage.disown(VIP);
        stage.play(16000, &[(&advert(B, 200), 400)]);
        stage.expect(Verdict::Healthy, &[]);
    }
}

#[test]
fn on_a_bystander_nothing_is_expected_of_the_further_taps_until_a_daemon_runs_there_fault_34() {
    let mut stage = Stage::new(Settings::default());
    stage.delivers = [false; 2];
    for family in [Family::V4, Family::V6] {
        stage.fact(Fact::Daemon(Daemon { family, state: DaemonState::Absent }));
    }
    assert!(!stage.watcher.needs_taps());
    stage.play(8000, &[(&advert(B, 200), 0)]);
    stage.expect(Verdict::Healthy, &[]);
    assert_eq!(stage.router().speakers[0].delivered, None);
    stage.daemon(DaemonState::Alive);
    assert!(stage.watcher.needs_taps());
    stage.play(12000, &[(&advert(B, 200), 1000)]);
    stage.expect(Verdict::Degraded, &[Cause::FirewallDrop]);
}

/// Both on the wire, `change` made to the second one's adverts: the cause on a third node.
#[track_caller]
fn mismatch(change: impl Fn(&mut Advert), cause: Cause) -> RouterView {
    let mut other = advert("10.9.9.3", 100);
    change(&mut other);
    let mut stage = Stage::new(Settings::default());
    stage.play(10000, &[(&advert(B, 200), 0), (&other, 500)]);
    stage.expect(Verdict::SplitBrain, &[cause]);
    (*stage.router()).clone()
}

#[test]
fn differing_lists_intervals_versions_passwords_and_checksums_are_named_faults_5_6_8_9_10() {
    let view = mismatch(|a| a.addresses.push(ip("10.9.9.101")), Cause::AddressesMismatch);
    assert!(view.findings[0].remote.contains("10.9.9.101"), "both lists are named");
    mismatch(|a| a.interval = Interval::Seconds(Seconds(2)), Cause::IntervalMismatch);
    mismatch(|a| a.version = Version::V3, Cause::VersionMismatch);
    mismatch(|a| a.auth = Auth::Password(*b"geheim\0\0"), Cause::AuthMismatch);
    mismatch(|a| a.checksum = ChecksumForm::MessageOnly, Cause::ChecksumMismatch);
}

#[test]
fn differing_passwords_are_an_auth_mismatch_that_shows_neither_fault_9() {
    let mut one = advert(B, 200);
    one.auth = Auth::Password(*b"hidden11");
    let mut two = advert("10.9.9.3", 100);
    two.auth = Auth::Password(*b"hidden22");
    let mut stage = Stage::new(Settings::default());
    stage.play(10000, &[(&one, 0), (&two, 500)]);
    stage.expect(Verdict::SplitBrain, &[Cause::AuthMismatch]);
    let shown = format!("{:?} {:?}", stage.router(), stage.events);
    assert!(!shown.contains("hidden") && !shown.contains("104, 105, 100"), "{shown}");
}

#[test]
fn differing_v3_intervals_are_no_fault_7() {
    let v3 = |source, priority, cs| Advert {
        version: Version::V3,
        interval: Interval::CentiSeconds(CentiSeconds(cs)),
        checksum: ChecksumForm::PseudoHeader,
        ..advert(source, priority)
    };
    let mut stage = Stage::new(Settings::default());
    stage.play(5000, &[(&v3(B, 100, 100), 0)]);
    stage.hear(&v3(B, 0, 100));
    stage.play(9000, &[(&v3("10.9.9.3", 200, 50), 300)]);
    stage.expect(Verdict::Healthy, &[]);
}

#[test]
fn two_unrelated_clusters_on_one_vrid_are_degraded_and_no_split_fault_12() {
    let mut other = advert("10.9.9.3", 100);
    other.addresses = vec![ip("10.9.9.200")];
    let mut stage = Stage::new(Settings::default());
    stage.play(8000, &[(&advert(B, 200), 0), (&other, 500)]);
    stage.expect(Verdict::Degraded, &[Cause::VridCollision]);
}

#[test]
fn two_who_refuse_each_other_and_fall_silent_in_turn_stay_a_split_fault_28() {
    let v3 = Advert {
        version: Version::V3,
        interval: Interval::CentiSeconds(CentiSeconds(100)),
        checksum: ChecksumForm::PseudoHeader,
        ..advert("10.9.9.3", 100)
    };
    let v2 = advert(B, 200);
    let mut stage = Stage::new(Settings::default());
    stage.play(8000, &[(&v2, 0), (&v3, 500)]);
    stage.expect(Verdict::SplitBrain, &[Cause::VersionMismatch]);
    for round in 0..3 {
        let (speaking, until) = (if round % 2 == 0 { &v2 } else { &v3 }, 12000 + round * 4000);
        stage.play(until, &[(speaking, 500)]);
        stage.expect(Verdict::SplitBrain, &[Cause::VersionMismatch]);
    }
    stage.play(45000, &[(&v2, 500)]);
    stage.expect(Verdict::Healthy, &[]);
    let router = stage.router();
    assert_eq!((router.split_brain_episodes, router.episodes.len()), (1, 1));
    assert_eq!(router.episodes[0].causes, [Cause::VersionMismatch]);
}

#[test]
fn events_of_mastership_never_run_backwards() {
    let third = advert("10.9.9.3", 100);
    let mut stage = Stage::new(Settings::default());
    stage.play(5000, &[(&third, 0)]);
    stage.play(9000, &[(&advert(B, 200), 300), (&third, 1000)]);
    stage.play(20000, &[(&third, 1000)]);
    let times: Vec<_> = stage.events.iter().filter(|e| e.kind == "master").map(|e| e.at).collect();
    assert!(times.is_sorted(), "{times:?}");
}

#[test]
fn a_master_between_two_spells_of_another_is_no_rival_of_the_second_fault_1() {
    let mut stage = Stage::member();
    stage.own(VIP);
    stage.play(5500, &[(&advert(A, 100), 0)]);
    // The other preempts, answers two probes, and gives up: all of it within four intervals of this node's last advert.
    stage.disown(VIP);
    stage.answers = vec![mac(B)];
    stage.play(7300, &[(&advert(B, 200), 0)]);
    stage.hear(&advert(B, 0));
    stage.answers = vec![];
    stage.idle(7900);
    stage.own(VIP);
    stage.play(12000, &[(&advert(A, 100), 0)]);
    stage.expect(Verdict::Healthy, &[]);
    assert!(!stage.verdicts().contains(&"split_brain"), "{:?}", stage.events);
}

fn speaking(state: State) -> Speaking {
    Speaking::new(state, 100, Some(100))
}

#[test]
fn a_speaker_that_was_fenced_for_a_mismatch_names_it_while_the_other_sends_fault_9() {
    let own = Expected { auth: Some(Auth::Password(*b"geheim\0\0")), version: Some(Version::V2), ..expected() };
    let mut stage = Stage::member_with(Settings { routers: vec![own], ..Settings::default() });
    let report = Some(std::sync::Arc::new(speaking(State::Fenced)));
    stage.fact(Fact::Speaking { router: "web".into(), report });
    stage.play(5000, &[(&advert(B, 200), 0)]);
    stage.expect(Verdict::Degraded, &[Cause::AuthMismatch]);
    assert!(stage.router().findings[0].here);
    let agreed = Advert { auth: Auth::Password(*b"geheim\0\0"), ..advert(B, 200) };
    stage.play(9000, &[(&agreed, 500)]);
    stage.expect(Verdict::Healthy, &[]);
}

/// RFC 9568 §6.1: they are the host's own.
#[test]
fn a_fenced_owner_s_addresses_behind_a_closed_gate_are_there_and_not_held() {
    let mut stage = Stage::member_with(Settings { routers: vec![expected()], ..Settings::default() });
    stage.own(VIP);
    let owner = |state, gate_open| Speaking { gate_open, ..Speaking::new(state, 255, Some(255)) };
    let says = |stage: &mut Stage, own| {
        stage.fact(Fact::Speaking { router: "web".into(), report: Some(std::sync::Arc::new(own)) });
    };
    says(&mut stage, owner(State::Fenced, Some(false)));
    stage.play(5000, &[(&advert(B, 100), 0)]);
    stage.expect(Verdict::Healthy, &[]);
    assert_eq!(stage.router().addresses[0].held, None);

    says(&mut stage, owner(State::Master, Some(true)));
    assert_eq!(stage.router().addresses[0].held, Some(at(stage.now)), "not for as long as they are there");
    assert!(!stage.verdicts().contains(&"split_brain"), "{:?}", stage.events);

    // Without a gate it is there for everyone.
    says(&mut stage, owner(State::Fenced, None));
    stage.play(9000, &[(&advert(B, 100), 500)]);
    assert_eq!(stage.router().verdict, Verdict::SplitBrain);
}

/// The verdict at the second one's first advert, at `begins` ms, and at the next of the first one's, which has the priority 200.
#[track_caller]
fn contest(begins: u64, other: &Advert) -> [Verdict; 2] {
    let mut stage = Stage::new(Settings::default());
    stage.play(5000, &[(&advert(B, 200), 0)]);
    stage.idle(begins);
    stage.hear(other);
    let first = stage.router().verdict;
    stage.idle(6000);
    stage.hear(&advert(B, 200));
    [first, stage.router().verdict]
}

#[test]
fn two_each_of_whom_must_refuse_the_other_are_a_split_at_once_faults_6_8_9() {
    let other = |change: fn(&mut Advert)| {
        let mut other = advert("10.9.9.3", 100);
        change(&mut other);
        contest(5500, &other)
    };
    assert_eq!(other(|a| a.interval = Interval::Seconds(Seconds(2))), [Verdict::SplitBrain; 2]);
    assert_eq!(other(|a| a.version = Version::V3), [Verdict::SplitBrain; 2]);
    assert_eq!(other(|a| a.auth = Auth::Password(*b"geheim\0\0")), [Verdict::SplitBrain; 2]);
}

/// What one must refuse won't settle it: the answer to the second one's first advert is proof. Some accept any checksum, and a better
/// one begins beside a worse one by right.
#[test]
fn two_of_whom_one_must_refuse_the_other_are_a_split_at_the_first_advert_that_goes_on_faults_10_11() {
    let summed = Advert { checksum: ChecksumForm::MessageOnly, ..advert("10.9.9.3", 250) };
    let routed = Advert { ttl: 64, ..advert("10.9.9.3", 250) };
    for other in [summed, routed] {
        assert_eq!(contest(5500, &other), [Verdict::Degraded, Verdict::SplitBrain]);
    }
}

/// Whether lists are compared its adverts don't say, but that it began beside a better one does.
#[test]
fn one_that_begins_although_it_heard_a_better_one_with_another_list_does_not_obey_it_fault_5() {
    let listed = |priority| Advert { addresses: vec![ip(VIP), ip("10.9.9.101")], ..advert("10.9.9.3", priority) };
    assert_eq!(contest(5500, &listed(100)), [Verdict::Degraded, Verdict::SplitBrain]);
    assert_eq!(contest(5050, &listed(100)), [Verdict::Degraded; 2], "what was sent a moment ago it had not read yet");
    assert_eq!(contest(5500, &listed(250)), [Verdict::Degraded; 2], "it preempts, and the other may obey");
    let alike = Advert { addresses: vec![ip(VIP)], ..listed(100) };
    assert_eq!(contest(5500, &alike), [Verdict::Degraded; 2], "it may have been told to begin as a master");
}

/// keepalived starts its advert timer anew with each advert that it refuses: the better one misses its turn.
#[test]
fn a_better_one_beside_whom_a_worse_one_began_was_not_succeeded_when_it_misses_one_advert_fault_5() {
    let listed = Advert { addresses: vec![ip(VIP), ip("10.9.9.101")], ..advert("10.9.9.3", 100) };
    let mut stage = Stage::new(Settings::default());
    stage.play(5000, &[(&advert(B, 200), 0)]);
    stage.idle(5500);
    stage.hear(&listed);
    stage.idle(6490);
    stage.expect(Verdict::Degraded, &[Cause::Transient]);
    stage.idle(6500);
    stage.hear(&listed);
    stage.expect(Verdict::SplitBrain, &[Cause::AddressesMismatch]);
}

#[test]
fn two_of_one_priority_and_one_source_are_a_split_once_either_goes_on_fault_13() {
    let twin = Advert { mac: Some(mac("10.9.9.3")), ..advert(B, 200) };
    assert_eq!(contest(5500, &twin), [Verdict::Degraded, Verdict::SplitBrain]);
}

/// A third can't tell them from one that has changed its MAC.
#[test]
fn a_tie_with_this_host_is_a_split_as_soon_as_the_two_meet_fault_13() {
    let twin = Seen::Advert(Advert { mac: Some(mac(B)), ..advert(A, 200) });
    let twin = Fact::Frame(Frame { interface: ETH0, vlan: None, kind: PacketKind::Multicast, seen: twin });
    let beside = |begins: u64, judged: u64| {
        let mut stage = Stage::member();
        stage.own(VIP);
        stage.play(5000, &[(&advert(A, 200), 0)]);
        stage.idle(begins);
        stage.watcher.handle(at(begins), &twin);
        stage.now = judged;
        stage.turn();
        stage
    };
    beside(5500, 5500).expect(Verdict::SplitBrain, &[Cause::PriorityTie]);
    beside(6240, 6260).expect(Verdict::SplitBrain, &[Cause::PriorityTie]);
    let mut muted = beside(5500, 5500);
    for now in [6500, 7500, 8500] {
        muted.idle(now);
        muted.fact(twin.clone());
        muted.expect(Verdict::SplitBrain, &[Cause::PriorityTie]);
    }
    assert_ne!(beside(8600, 8600).router().verdict, Verdict::SplitBrain, "it took over");
}

/// It may send by a packet socket, and run where its table can't be seen.
#[test]
fn a_tie_with_a_daemon_that_is_not_found_here_is_one_for_as_long_as_it_advertises_fault_13() {
    let own = advert(A, 200);
    let twin = Seen::Advert(Advert { mac: Some(mac(B)), ..own.clone() });
    let mut stage = Stage::member();
    stage.own(VIP);
    stage.play(5000, &[(&own, 0)]);
    stage.daemon(DaemonState::Absent);
    stage.idle(5500);
    stage.frame(PacketKind::Multicast, twin.clone());
    stage.expect(Verdict::SplitBrain, &[Cause::PriorityTie]);
    for now in [6500, 7500, 8500, 9500] {
        stage.idle(now);
        stage.frame(PacketKind::Multicast, twin.clone());
    }
    stage.expect(Verdict::SplitBrain, &[Cause::StaleAddress]);
}

/// The verdict at its first advert, at `begins` ms, of one that `takes_hold` at 5100 ms beside a better one, which advertises at 5000
/// and at 6000 ms. Both have the virtual MAC.
fn late_beginner(here: bool, takes_hold: impl Fn(&mut Stage), begins: u64) -> Verdict {
    let virtual_mac = |source, priority| Advert { mac: Some(VIRTUAL), ..advert(source, priority) };
    let (worse, better) = if here { (A, B) } else { (B, A) };
    let mut stage = Stage::member();
    stage.play(5000, &[(&virtual_mac(better, 200), 0)]);
    stage.idle(5100);
    takes_hold(&mut stage);
    stage.idle(6000);
    stage.hear(&virtual_mac(better, 200));
    stage.idle(begins);
    stage.hear(&virtual_mac(worse, 100));
    stage.router().verdict
}

/// FRR's first advert by IPv6 leaves an interval after its macvlan was let go.
#[test]
fn one_that_begins_although_it_heard_a_better_one_since_it_took_hold_is_a_split_with_its_first_advert_fault_2() {
    let takes = |stage: &mut Stage| stage.own(VIP);
    assert_eq!(late_beginner(true, takes, 6110), Verdict::SplitBrain);
    assert_eq!(late_beginner(true, takes, 6090), Verdict::Degraded, "what was sent a moment ago it had not read yet");
    assert_eq!(late_beginner(true, |_| (), 6110), Verdict::Degraded, "it may have begun without hearing anything");
    let announces = |kind| move |stage: &mut Stage| stage.frame(kind, announcement(VIRTUAL));
    assert_eq!(late_beginner(false, announces(PacketKind::Broadcast), 6110), Verdict::SplitBrain);
    assert_eq!(late_beginner(false, announces(PacketKind::Outgoing), 6110), Verdict::Degraded, "this host's own");
}

#[test]
fn one_advert_that_the_taps_lack_is_a_firewalls_if_they_saw_the_one_before_fault_34() {
    let mut stage = Stage::member();
    stage.play(4000, &[(&advert(B, 200), 0)]);
    stage.delivers = [true, false];
    stage.idle(5000);
    stage.hear(&advert(B, 200));
    stage.idle(5240);
    stage.expect(Verdict::Healthy, &[]);
    stage.idle(5250);
    stage.expect(Verdict::Degraded, &[Cause::FirewallDrop]);
    stage.delivers = [true; 2];
    stage.play(8000, &[(&advert(B, 200), 750)]);
    stage.expect(Verdict::Healthy, &[]);
}

#[test]
fn taps_that_a_late_loop_has_not_read_yet_blame_no_firewall_fault_22() {
    let mut stage = Stage::member();
    stage.play(4000, &[(&advert(B, 200), 0)]);
    stage.delivers = [true, false];
    stage.idle(5000);
    stage.hear(&advert(B, 200));
    stage.now = 5400;
    stage.watcher.handle(at(5400), &Fact::LoopLate(Duration::from_millis(300)));
    stage.turn();
    stage.expect(Verdict::Healthy, &[]);
    stage.fact(Fact::Delivered(Delivered { interface: ETH0, tap: Tap::Raw, source: ip(B), vrid: 51 }));
    stage.idle(5900);
    stage.expect(Verdict::Healthy, &[]);
}

/// The socket before ingress was opened later than the daemon's: after a link that flapped.
#[test]
fn what_the_daemons_kind_of_socket_saw_was_not_dropped_before_it_fault_34() {
    let mut stage = Stage::member();
    stage.play(4000, &[(&advert(B, 200), 0)]);
    stage.delivers = [false, true];
    stage.play(8000, &[(&advert(B, 200), 1000)]);
    stage.expect(Verdict::Healthy, &[]);
    stage.delivers = [false; 2];
    stage.play(10000, &[(&advert(B, 200), 1000)]);
    stage.expect(Verdict::Degraded, &[Cause::FirewallDrop]);
}

/// Its virtual MAC's interface stays a little longer, and swallows what comes from that MAC.
#[test]
fn a_daemon_that_ends_blames_no_firewall_before_it_is_known_to_be_gone_fault_1() {
    let mut stage = Stage::member();
    stage.play(4000, &[(&advert(B, 200), 0)]);
    (stage.delivers, stage.daemon) = ([false; 2], DaemonState::Absent);
    stage.play(8000, &[(&advert(B, 200), 1000)]);
    stage.expect(Verdict::Healthy, &[]);
    assert_eq!(stage.verdicts(), ["healthy"]);
    let looked = stage.requests.iter().filter(|(_, request)| matches!(request, Request::Daemon { .. })).count();
    assert_eq!(looked, 1, "it is looked at once, and not with each advert");
}
