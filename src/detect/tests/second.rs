//! What only the second channel tells: this node's view and its peer's word together.

use super::*;

const SECOND: u64 = 1000;

fn settings() -> Settings {
    let peer =
        Peer { name: "lb02".into(), address: ip(B), vrrp_addresses: vec![], urls: vec!["http://10.9.9.2".into()] };
    Settings { peers: vec![peer], ..Settings::default() }
}

/// What B says of its own firewall.
fn input_drops() -> ReportedFinding {
    ReportedFinding {
        cause: "firewall_drop".into(),
        local: "INPUT drops them".into(),
        remote: String::new(),
        remedy: "nft insert rule".into(),
    }
}

/// B as it reports itself: it holds the VIP and advertises priority 100, and hears nobody.
fn holder() -> Reported {
    Reported {
        state: State::Master,
        held: vec![ip(VIP)],
        sends: Some(Sent { source: ip(B), priority: 100, active: true, last: Instant::ZERO }),
        ..backup()
    }
}

fn backup() -> Reported {
    Reported::backup(Family::V4, 51, vec![ip(VIP)])
}

fn hearing(source: &str) -> Vec<Heard> {
    vec![Heard {
        source: ip(source),
        mac: Some(mac(source)),
        priority: 200,
        active: true,
        last: Instant::ZERO,
        counts: (9, None),
    }]
}

impl Stage {
    /// A is master since 0 s and settled, with B as a backup that reports.
    fn master() -> Self {
        let mut stage = Self::member_with(settings());
        stage.own(VIP);
        stage.report(&backup());
        stage.with_reports(5, &backup(), &[(&advert(A, 200), 0)]);
        stage.expect(Verdict::Healthy, &[]);
        stage
    }

    fn report(&mut self, said: &Reported) {
        self.report_with(said, mac(B));
    }

    fn report_with(&mut self, said: &Reported, mac: MacAddr) {
        let mut report = Report::new("lb02".into(), "b".into(), true, at(self.now)).with_routers(vec![said.clone()]);
        (report.addresses, report.macs) = (vec![ip(B)], vec![mac]);
        self.fact(Fact::PeerReport { peer: 0, url: 0, said: Ok(std::sync::Arc::new(report)) });
    }

    /// Lets so many seconds pass, with a report at the end of each.
    fn with_reports(&mut self, seconds: u64, said: &Reported, speakers: &[(&Advert, u64)]) {
        for _ in 0..seconds {
            self.play(self.now + SECOND - 1, speakers);
            self.idle(self.now + 1);
            self.report(said);
        }
    }
}

#[test]
fn a_partition_is_told_by_the_peers_word_alone_and_heals_when_it_lets_go_fault_4() {
    let mut stage = Stage::master();
    let a = advert(A, 200);
    stage.with_reports(3, &holder(), &[(&a, 0)]);
    stage.expect(Verdict::SplitBrain, &[Cause::Partition]);
    let router = stage.router();
    assert!(router.findings[0].here);
    assert!(
        router.holders.iter().any(|h| h.node.as_deref() == Some("lb02") && h.how == ["report"]),
        "{:?}",
        router.holders
    );
    stage.with_reports(6, &backup(), &[(&a, 0)]);
    stage.expect(Verdict::Healthy, &[]);
}

#[test]
fn where_the_peer_is_heard_and_does_not_hear_us_the_path_is_one_way_fault_3() {
    let mut stage = Stage::master();
    let (a, b) = (advert(A, 200), advert(B, 100));
    stage.with_reports(6, &holder(), &[(&a, 0), (&b, 300)]);
    stage.expect(Verdict::SplitBrain, &[Cause::OneWayPath]);
    let finding = stage.router().findings[0].clone();
    assert_eq!((finding.node.as_deref(), finding.here), (Some("lb02"), false));
}

#[test]
fn where_the_peer_hears_us_and_we_do_not_hear_it_the_path_is_one_way_and_ends_here_fault_3() {
    let mut stage = Stage::master();
    let a = advert(A, 200);
    stage.with_reports(6, &Reported { hears: hearing(A), ..holder() }, &[(&a, 0)]);
    stage.expect(Verdict::SplitBrain, &[Cause::OneWayPath]);
    let finding = stage.router().findings[0].clone();
    assert_eq!((finding.node.as_deref(), finding.here), (Some("lb01"), true));
}

/// What a master says of itself is a little older than what is heard of it.
#[test]
fn a_master_that_stops_advertising_is_not_called_unheard_by_what_it_said_before_fault_15() {
    let mut stage = Stage::member_with(settings());
    let b = advert(B, 200);
    stage.answers = vec![mac(B)];
    for (last, cause) in [(5000, Cause::StaleAddress), (9000, Cause::OneWayPath)] {
        stage.play(5000 + stage.now, &[(&b, 0)]);
        let sends = Some(Sent { source: ip(B), priority: 200, active: true, last: at(stage.now - 5000 + last) });
        stage.idle(stage.now + 4500);
        stage.report(&Reported { sends, ..holder() });
        stage.expect(Verdict::Degraded, &[cause]);
    }
}

#[test]
fn what_the_peer_says_of_its_own_firewall_is_the_cause_here_too_fault_2() {
    let mut stage = Stage::master();
    let (a, b) = (advert(A, 200), advert(B, 100));
    let said = Reported { hears: hearing(A), findings: vec![input_drops()], ..holder() };
    stage.with_reports(6, &said, &[(&a, 0), (&b, 300)]);
    stage.expect(Verdict::SplitBrain, &[Cause::FirewallDrop]);
    let finding = stage.router().findings[0].clone();
    assert_eq!((finding.node.as_deref(), finding.here), (Some("lb02"), false));
    assert!(finding.remedy.starts_with("on lb02: "), "{finding:?}");
}

#[test]
fn a_drop_on_a_backup_is_told_by_the_master_too_before_anything_has_happened_fault_34() {
    let mut stage = Stage::master();
    stage.with_reports(2, &Reported { findings: vec![input_drops()], ..backup() }, &[(&advert(A, 200), 0)]);
    stage.expect(Verdict::Degraded, &[Cause::FirewallDrop]);
    stage.with_reports(2, &backup(), &[(&advert(A, 200), 0)]);
    stage.expect(Verdict::Healthy, &[]);
}

/// It answered a probe a moment before, and the next one is not due yet.
#[test]
fn a_loser_that_says_that_it_holds_no_more_makes_no_split_by_its_last_answer_fault_1() {
    let often = |source, priority| Advert {
        version: Version::V3,
        interval: Interval::CentiSeconds(CentiSeconds(10)),
        ..advert(source, priority)
    };
    let (a, b) = (often(A, 200), often(B, 100));
    let mut stage = Stage::member_with(settings());
    stage.answers = vec![mac(B)];
    stage.with_reports(5, &holder(), &[(&b, 0)]);
    let asks = |(_, request): &&(u64, Request)| matches!(request, Request::Arp { target, .. } if *target == ip(VIP));
    let asked = stage.requests.iter().rev().find(asks).expect("it probes").0;
    stage.play(asked + 1200, &[(&b, 50)]);
    stage.answers.clear();
    stage.own(VIP);
    stage.play(asked + 1800, &[(&a, 0)]);
    stage.report(&backup());
    stage.play(asked + 5000, &[(&a, 0)]);
    stage.expect(Verdict::Healthy, &[]);
    assert!(!stage.verdicts().contains(&"split_brain"), "{:?}", stage.events);
}

#[test]
fn a_word_that_is_old_or_blind_or_refused_makes_no_verdict() {
    let mut stage = Stage::master();
    let a = advert(A, 200);
    stage.with_reports(4, &Reported { blind: true, ..holder() }, &[(&a, 0)]);
    stage.expect(Verdict::Healthy, &[]);
    let said = Err(Mute::Refused("its signature is not made with this cluster's key".into()));
    stage.fact(Fact::PeerReport { peer: 0, url: 0, said });
    stage.play(stage.now + 4 * SECOND, &[(&a, 0)]);
    stage.expect(Verdict::Healthy, &[]);
    assert!(stage.events.iter().any(|e| e.kind == "peer" && e.to.as_deref() == Some("refused")), "{:?}", stage.events);
}

#[test]
fn a_takeover_with_a_late_report_of_the_old_master_is_no_split() {
    let mut stage = Stage::member_with(settings());
    stage.with_reports(5, &holder(), &[(&advert(B, 100), 0)]);
    let late = stage.now;
    stage.own(VIP);
    for _ in 0..3 {
        stage.play(stage.now + 400, &[(&advert(A, 200), 100)]);
        let mut report = Report::new("lb02".into(), "b".into(), true, at(late)).with_routers(vec![holder()]);
        report.addresses = vec![ip(B)];
        stage.fact(Fact::PeerReport { peer: 0, url: 0, said: Ok(std::sync::Arc::new(report)) });
    }
    assert!(!stage.verdicts().contains(&"split_brain"), "{:?}", stage.events);
}

/// FRR by IPv6 holds for an interval before its first advert leaves. That it will not leave its own vipwarden finds out.
#[test]
fn a_peer_with_the_virtual_mac_that_says_that_it_holds_may_be_about_to_begin_until_it_advertises_or_knows_why_not_fault_1()
 {
    let begins = Reported { sends: None, ..holder() };
    for (said, verdict) in [
        (holder(), Verdict::SplitBrain),
        (Reported { findings: vec![input_drops()], ..begins.clone() }, Verdict::SplitBrain),
        (begins, Verdict::Healthy),
    ] {
        let mut stage = Stage::master();
        stage.report_with(&said, VIRTUAL);
        assert_eq!(stage.router().verdict, verdict, "{said:?}");
    }
}

#[test]
fn one_address_under_two_vrids_is_a_split_fault_30() {
    let mut stage = Stage::member_with(settings());
    stage.own(VIP);
    let (a, b) = (advert(A, 200), Advert { vrid: 52, ..advert(B, 100) });
    stage.play(10 * SECOND, &[(&a, 0), (&b, 300)]);
    let snapshot = stage.watcher.snapshot(at(stage.now));
    for router in &snapshot.routers {
        assert_eq!((router.verdict, router.causes()), (Verdict::SplitBrain, vec![Cause::VridMismatch]), "{router:#?}");
        let finding = &router.findings[0];
        assert!(finding.local.contains("VRID 5") && finding.remote.contains("VRID 5"), "{finding:?}");
    }
    assert_eq!(snapshot.routers.len(), 2);
}

#[test]
fn a_master_whose_host_answers_for_itself_and_not_for_the_address_is_hollow_fault_33() {
    let mut stage = Stage::member_with(settings());
    stage.own_answers = vec![(ip(B), mac(B))];
    stage.play(8 * SECOND, &[(&advert(B, 100), 0)]);
    stage.expect(Verdict::Degraded, &[Cause::HollowMaster]);
    stage.answers = vec![mac(B)];
    stage.play(12 * SECOND, &[(&advert(B, 100), 0)]);
    stage.expect(Verdict::Healthy, &[]);
}

/// While this host held the address nobody answered either.
/// It has not advertised since it let go, and its backups wait.
#[test]
fn a_master_that_let_go_and_fell_silent_is_not_hollow_fault_20() {
    let mut stage = Stage::member();
    stage.own(VIP);
    stage.play(5000, &[(&advert(A, 200), 0)]);
    stage.idle(5100);
    stage.disown(VIP);
    stage.idle(7900);
    assert!(stage.events.iter().all(|e| !e.causes.contains(&Cause::HollowMaster)), "{:?}", stage.events);
}

#[test]
fn a_successor_is_not_hollow_before_it_was_asked_twice_in_vain_fault_1() {
    let mut stage = Stage::member_with(settings());
    stage.own(VIP);
    stage.own_answers = vec![(ip(B), mac(B))];
    stage.play(5 * SECOND, &[(&advert(A, 200), 0)]);
    stage.disown(VIP);
    stage.play(6500, &[(&advert(B, 250), 100)]);
    stage.answers = vec![mac(B)];
    stage.play(10 * SECOND, &[(&advert(B, 250), 600)]);
    stage.expect(Verdict::Healthy, &[]);
    let causes: Vec<Cause> =
        stage.events.iter().flat_map(|e| e.causes.clone()).filter(|c| *c != Cause::Transient).collect();
    assert_eq!(causes, [], "{:?}", stage.events);
}

#[test]
fn a_master_here_without_its_address_serves_nobody_fault_33() {
    let mut stage = Stage::master();
    stage.disown(VIP);
    let a = advert(A, 200);
    stage.play(stage.now + 900, &[(&a, 0)]);
    stage.expect(Verdict::Healthy, &[]);
    stage.play(stage.now + 2 * SECOND, &[(&a, 0)]);
    stage.expect(Verdict::NoMaster, &[Cause::HollowMaster]);
}

#[test]
fn a_witness_is_asked_through_the_routers_own_interface_and_tells_the_side_of_a_cut() {
    let witness = Witness { name: "gateway".into(), address: ip("10.9.9.7") };
    let mut stage = Stage::member_with(Settings { witnesses: vec![witness], ..settings() });
    stage.own(VIP);
    stage.own_answers = vec![(ip("10.9.9.7"), mac("10.9.9.7"))];
    let a = advert(A, 200);
    stage.play(4 * SECOND, &[(&a, 0)]);
    assert_eq!(stage.router().witness, Some(true));
    stage.own_answers.clear();
    stage.play(8 * SECOND, &[(&a, 0)]);
    assert_eq!(stage.router().witness, Some(false));
}

/// The second network goes down, too: what the peer last said was never taken back, and what is silent on this side may hold still.
#[test]
fn a_partition_stands_while_nobody_contradicts_the_peers_last_word_fault_4() {
    let mut stage = Stage::master();
    let a = advert(A, 200);
    stage.with_reports(6, &holder(), &[(&a, 0)]);
    stage.expect(Verdict::SplitBrain, &[Cause::Partition]);
    stage.play(stage.now + 60 * SECOND, &[(&a, 0)]);
    stage.expect(Verdict::SplitBrain, &[Cause::Partition]);
    let counted = stage.router().split_brain_time.as_secs_f64();
    assert!((4.0..7.0).contains(&counted), "{counted} s: only the time for which there is evidence counts");
    stage.with_reports(6, &backup(), &[(&a, 0)]);
    stage.expect(Verdict::Healthy, &[]);
}

#[test]
fn a_peer_that_answers_on_the_segment_again_and_is_not_heard_is_no_master_any_more_fault_4() {
    let mut stage = Stage::master();
    let a = advert(A, 200);
    stage.with_reports(3, &holder(), &[(&a, 0)]);
    stage.play(stage.now + 10 * SECOND, &[(&a, 0)]);
    stage.expect(Verdict::SplitBrain, &[Cause::Partition]);
    stage.fact(Fact::Ping { target: Target::Peer(0), rtt: Some(Duration::from_micros(200)) });
    stage.play(stage.now + 5 * SECOND, &[(&a, 0)]);
    stage.expect(Verdict::Healthy, &[]);
}

/// By ARP it says that it has the peer's address, and pings are answered: by itself.
#[test]
fn an_answer_of_whoever_took_the_peers_address_ends_no_partition_fault_4() {
    const X: MacAddr = MacAddr(2, 0, 0, 0, 0xba, 0xd);
    let mut stage = Stage::master();
    let a = advert(A, 200);
    let answered = || Fact::Ping { target: Target::Peer(0), rtt: Some(Duration::from_micros(200)) };
    stage.with_reports(3, &holder(), &[(&a, 0)]);
    stage.play(stage.now + 10 * SECOND, &[(&a, 0)]);
    stage.frame(PacketKind::Broadcast, takes(X, B));
    for _ in 0..10 {
        stage.fact(answered());
        stage.play(stage.now + 5 * SECOND, &[(&a, 0)]);
        stage.expect(Verdict::SplitBrain, &[Cause::Partition]);
    }
    stage.play(stage.now + 60 * SECOND, &[(&a, 0)]);
    stage.expect(Verdict::SplitBrain, &[Cause::Partition]);
    // It has been quiet for so long that nobody takes it for the peer any more.
    stage.fact(answered());
    stage.play(stage.now + 5 * SECOND, &[(&a, 0)]);
    stage.expect(Verdict::Healthy, &[]);
}

#[test]
fn a_split_with_a_peer_that_was_heard_ends_when_that_host_is_switched_off_fault_2() {
    let mut stage = Stage::master();
    let (a, b) = (advert(A, 200), advert(B, 100));
    let said = Reported { hears: hearing(A), findings: vec![input_drops()], ..holder() };
    stage.with_reports(3, &said, &[(&a, 0), (&b, 300)]);
    stage.play(stage.now + 10 * SECOND, &[(&a, 0), (&b, 300)]);
    // Its reports have stopped; it goes on sending, and the cause that it gave stands.
    stage.expect(Verdict::SplitBrain, &[Cause::FirewallDrop]);
    stage.play(stage.now + 10 * SECOND, &[(&a, 0)]);
    stage.expect(Verdict::Healthy, &[]);
}

/// Its card flapped, and so it paused for three adverts; the peer, which took over meanwhile, has not let go yet.
#[test]
fn a_master_that_got_its_address_back_a_moment_ago_is_no_split_by_a_word_from_then_fault_25() {
    let fast = Advert { interval: Interval::CentiSeconds(CentiSeconds(10)), version: Version::V3, ..advert(A, 200) };
    let mut stage = Stage::master();
    stage.play(7000, &[(&fast, 0)]);
    stage.disown(VIP);
    stage.idle(7400);
    stage.hear(&fast);
    stage.own(VIP);
    stage.report(&holder());
    stage.idle(7450);
    assert!(!stage.verdicts().contains(&"split_brain"), "{:?}", stage.events);
    stage.report(&backup());
    stage.play(10_000, &[(&fast, 50)]);
    stage.expect(Verdict::Healthy, &[]);
    assert!(!stage.verdicts().contains(&"split_brain"), "{:?}", stage.events);
}

/// By IPv6 FRR holds for an interval before its first advert; this node looks on, and the old master has been silent for too long.
#[test]
fn a_successor_that_says_that_it_holds_with_the_virtual_mac_may_be_about_to_begin_fault_1() {
    let mut stage = Stage::member_with(settings());
    stage.answers = vec![VIRTUAL];
    let by_virtual = |source, priority| Advert { mac: Some(VIRTUAL), ..advert(source, priority) };
    stage.report_with(&backup(), VIRTUAL);
    stage.play(5000, &[(&by_virtual("10.9.9.7", 200), 0)]);
    stage.answers.clear();
    stage.idle(9100);
    stage.report_with(&Reported { sends: None, ..holder() }, VIRTUAL);
    stage.idle(9700);
    stage.answers = vec![VIRTUAL];
    stage.play(13_000, &[(&by_virtual(B, 100), 0)]);
    stage.expect(Verdict::Healthy, &[]);
    assert!(stage.events.iter().all(|e| e.causes.is_empty()), "{:#?}", stage.events);
}

/// The same, told by its answers alone.
#[test]
fn a_successor_that_answers_from_the_virtual_mac_may_be_about_to_begin_for_an_interval_fault_1() {
    let mut stage = Stage::member();
    let by_virtual = |source, priority| Advert { mac: Some(VIRTUAL), ..advert(source, priority) };
    stage.answers = vec![VIRTUAL];
    stage.play(5000, &[(&by_virtual("10.9.9.7", 200), 0)]);
    stage.answers.clear();
    stage.idle(8900);
    stage.answers = vec![VIRTUAL];
    stage.idle(9900);
    stage.play(13_000, &[(&by_virtual(B, 100), 0)]);
    assert!(stage.events.iter().all(|e| e.causes.is_empty()), "{:#?}", stage.events);
}
