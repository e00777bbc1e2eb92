//! Who holds without advertising.

use super::*;

#[test]
fn a_killed_masters_address_is_stale_on_its_own_node_fault_14() {
    let mut stage = Stage::member();
    stage.own(VIP);
    stage.play(5000, &[(&advert(A, 200), 0)]);
    stage.daemon(DaemonState::Absent);
    stage.idle(8600);
    stage.play(10400, &[(&advert(B, 100), 0)]);
    stage.expect(Verdict::SplitBrain, &[Cause::StaleAddress]);
    assert!(stage.router().findings[0].remedy.contains("ip addr del 10.9.9.100/32 dev eth0"));
    stage.disown(VIP);
    stage.play(14000, &[(&advert(B, 100), 200)]);
    stage.expect(Verdict::Healthy, &[]);
}

#[test]
fn a_frozen_daemons_address_is_stale_until_it_wakes_fault_15() {
    let mut stage = Stage::member();
    stage.own(VIP);
    stage.play(5000, &[(&advert(A, 200), 0)]);
    stage.idle(8600);
    stage.daemon(DaemonState::Frozen);
    stage.play(10400, &[(&advert(B, 100), 0)]);
    stage.expect(Verdict::SplitBrain, &[Cause::StaleAddress]);
    stage.daemon(DaemonState::Alive);
    stage.play(15000, &[(&advert(A, 200), 100)]);
    stage.expect(Verdict::Healthy, &[]);
}

/// keepalived's first advert leaves a moment before it has the address. Whether it is frozen is told only by a second look.
#[test]
fn a_master_that_falls_silent_with_its_first_advert_is_muted_and_one_that_was_master_long_ago_has_a_stray_address_faults_15_and_16()
 {
    for (since, cause) in [(20, Cause::MutedMaster), (1240, Cause::MutedMaster), (1260, Cause::StrayAddress)] {
        let mut stage = Stage::member();
        stage.hear(&advert(A, 200));
        stage.idle(since);
        stage.own(VIP);
        stage.idle(3600);
        stage.play(5500, &[(&advert(B, 100), 0)]);
        stage.expect(Verdict::SplitBrain, &[cause]);
        stage.daemon(DaemonState::Frozen);
        stage.expect(Verdict::SplitBrain, &[Cause::StaleAddress]);
    }
}

#[test]
fn an_address_added_by_hand_on_a_backup_is_stray_fault_16() {
    let mut stage = Stage::member();
    stage.play(5000, &[(&advert(B, 200), 0)]);
    stage.answers = vec![mac(B)];
    stage.own(VIP);
    stage.play(6900, &[(&advert(B, 200), 1000)]);
    stage.expect(Verdict::SplitBrain, &[Cause::StrayAddress]);
    stage.disown(VIP);
    stage.play(10000, &[(&advert(B, 200), 100)]);
    stage.expect(Verdict::Healthy, &[]);
}

/// Its adverts are for a neighbour that nobody is, so that none leaves: it looks like a backup to which the address was added.
#[test]
fn a_master_that_asks_in_vain_for_its_unicast_peer_is_no_stray_address_fault_31() {
    let unicast = Advert { destination: ip(A), ..advert(B, 200) };
    for (sought, answered, cause) in [
        ("10.9.9.9", false, Cause::OneWayPath),
        ("10.9.9.9", true, Cause::StrayAddress),
        (VIP, false, Cause::StrayAddress),
    ] {
        let mut stage = Stage::member();
        stage.play(5000, &[(&unicast, 0)]);
        stage.own(VIP);
        for second in 0..3 {
            let ask = Arp {
                frame_source: mac(A),
                frame_destination: MacAddr::broadcast(),
                operation: ArpOperation::Request,
                sender_mac: mac(A),
                sender_ip: A.parse().unwrap(),
                target_mac: MacAddr::zero(),
                target_ip: sought.parse().unwrap(),
            };
            stage.frame(PacketKind::Outgoing, Seen::Arp(ask));
            if answered {
                let mac = mac("10.9.9.9");
                let answer = Arp {
                    operation: ArpOperation::Reply,
                    frame_source: mac,
                    sender_mac: mac,
                    sender_ip: ask.target_ip,
                    target_ip: ask.sender_ip,
                    ..ask
                };
                stage.frame(PacketKind::Host, Seen::Arp(answer));
            }
            stage.play(6000 + second * 1000, &[(&unicast, 500)]);
        }
        stage.expect(Verdict::SplitBrain, &[cause]);
        let finding = stage.router().findings[0].clone();
        assert_eq!(finding.remedy.contains("unicast peers"), cause == Cause::OneWayPath, "{finding:?}");
    }
}

#[test]
fn a_claimant_is_stale_if_it_spoke_stray_if_it_is_a_silent_peer_and_foreign_if_nobody_knows_it_faults_14_16_18() {
    let peer = Peer { name: "lb02".into(), address: ip("10.9.9.4"), vrrp_addresses: vec![], urls: vec![] };
    for (claimant, cause) in [(B, Cause::StaleAddress), ("10.9.9.4", Cause::StrayAddress), ("x5", Cause::ForeignClaim)]
    {
        let settings = Settings { peers: vec![peer.clone()], ..Settings::default() };
        let mut stage = Stage::member_with(settings);
        let hello = Arp {
            frame_source: mac("10.9.9.4"),
            frame_destination: MacAddr::broadcast(),
            operation: ArpOperation::Request,
            sender_mac: mac("10.9.9.4"),
            sender_ip: "10.9.9.4".parse().unwrap(),
            target_mac: MacAddr::zero(),
            target_ip: "10.9.9.1".parse().unwrap(),
        };
        stage.frame(PacketKind::Broadcast, Seen::Arp(hello));
        stage.play(2000, &[(&advert(B, 100), 0)]);
        stage.hear(&advert(B, 0));
        stage.own(VIP);
        stage.play(6000, &[(&advert(A, 200), 500)]);
        stage.expect(Verdict::Healthy, &[]);
        stage.answers = vec![mac(claimant)];
        stage.play(8000, &[(&advert(A, 200), 500)]);
        stage.expect(Verdict::SplitBrain, &[cause]);
        assert!(stage.router().findings[0].remote.contains(&mac(claimant).to_string()), "its MAC is named");
        stage.answers.clear();
        stage.play(13000, &[(&advert(A, 200), 500)]);
        stage.expect(Verdict::Healthy, &[]);
    }
}

#[test]
fn a_late_answer_of_the_old_master_during_a_takeover_is_no_split_fault_1() {
    let mut stage = Stage::member();
    stage.answers = vec![mac(B)];
    stage.play(5000, &[(&advert(B, 100), 0)]);
    stage.own(VIP);
    stage.hear(&advert(A, 200));
    stage.answers = vec![];
    stage.play(12000, &[(&advert(A, 200), 1000)]);
    stage.expect(Verdict::Healthy, &[]);
    assert!(!stage.verdicts().contains(&"split_brain"), "{:?}", stage.events);
}

#[test]
fn a_firewall_on_output_is_told_by_the_self_test_fault_26() {
    let mut stage = Stage::member();
    stage.own(VIP);
    stage.play(5000, &[(&advert(A, 200), 0)]);
    stage.output_blocked = true;
    stage.idle(8600);
    stage.play(11000, &[(&advert(B, 100), 0)]);
    stage.expect(Verdict::SplitBrain, &[Cause::FirewallDrop]);
    assert!(stage.router().findings[0].remedy.contains("output"));
}

#[test]
fn a_master_muted_by_the_adverts_it_refuses_has_both_causes_fault_28() {
    let mut stage = Stage::member();
    stage.own(VIP);
    let mut own = advert(A, 100);
    own.addresses.push(ip("10.9.9.101"));
    stage.play(1100, &[(&own, 100)]);
    stage.play(7000, &[(&advert(B, 200), 500)]);
    stage.expect(Verdict::SplitBrain, &[Cause::AddressesMismatch, Cause::MutedMaster]);
}

#[test]
fn a_master_that_skips_an_advert_in_turn_with_the_one_it_refuses_is_not_called_muted_fault_28() {
    let mut stage = Stage::member();
    stage.own(VIP);
    let mut own = advert(A, 100);
    own.addresses.push(ip("10.9.9.101"));
    for turn in 0..6 {
        // Either's timer starts anew with each advert that it refuses: now the one fires, now the other.
        stage.play(turn * 4000 + 2000, &[(&own, 100)]);
        stage.play(turn * 4000 + 4000, &[(&advert(B, 200), 100)]);
    }
    stage.expect(Verdict::SplitBrain, &[Cause::AddressesMismatch]);
    let muted = stage.events.iter().filter(|e| e.causes.contains(&Cause::MutedMaster)).count();
    assert_eq!(muted, 0, "{:?}", stage.events);
}

#[test]
fn a_backups_second_mac_is_no_claim_where_adverts_come_from_the_virtual_mac_fault_19() {
    let mut stage = Stage::member();
    let mut frr = advert(B, 200);
    frr.mac = Some(VIRTUAL);
    stage.answers = vec![VIRTUAL, mac("10.9.9.3")];
    stage.play(10000, &[(&frr, 0)]);
    stage.expect(Verdict::Healthy, &[]);
    assert_eq!(stage.verdicts(), ["healthy"]);
}

#[test]
fn a_backups_second_mac_is_no_claim_either_when_the_master_has_just_stopped_fault_19() {
    let mut stage = Stage::member();
    let [mut own, mut successor] = [advert(A, 200), advert(B, 100)];
    own.mac = Some(VIRTUAL);
    successor.mac = own.mac;
    stage.own(VIP);
    stage.answers = vec![mac(B)];
    stage.play(10000, &[(&own, 0)]);
    stage.hear(&Advert { priority: 0, ..own });
    // FRR takes its macvlan down only a moment later.
    stage.idle(10300);
    stage.disown(VIP);
    stage.play(14000, &[(&successor, 600)]);
    stage.expect(Verdict::Healthy, &[]);
    assert!(!stage.verdicts().contains(&"split_brain"), "{:?}", stage.events);
}

#[test]
fn clients_are_misdirected_until_the_master_announces_itself_again_fault_29() {
    let mut stage = Stage::member();
    stage.own(VIP);
    stage.frame(PacketKind::Outgoing, announcement(mac(A)));
    stage.play(4000, &[(&advert(A, 200), 0)]);
    stage.expect(Verdict::Healthy, &[]);
    stage.frame(PacketKind::Broadcast, announcement(mac(B)));
    stage.play(4900, &[(&advert(A, 200), 800)]);
    assert!(!stage.router().addresses[0].misdirected, "it may be a takeover that is under way");
    stage.play(8000, &[(&advert(A, 200), 900)]);
    stage.expect(Verdict::Degraded, &[Cause::Misdirected]);
    let router = stage.router();
    assert!(router.addresses[0].misdirected && router.findings[0].here);
    assert!(router.findings[0].remedy.contains("arping -U -c 3 -I eth0 10.9.9.100"));
    stage.frame(PacketKind::Outgoing, announcement(mac(A)));
    stage.play(9000, &[(&advert(A, 200), 800)]);
    stage.expect(Verdict::Healthy, &[]);
    assert!(!stage.router().addresses[0].misdirected);
}

#[test]
fn an_announcement_by_the_new_master_or_from_the_virtual_mac_or_before_a_gap_misdirects_nobody() {
    let mut stage = Stage::new(Settings::default());
    stage.play(3000, &[(&advert(A, 200), 0)]);
    stage.frame(PacketKind::Broadcast, announcement(mac(B)));
    stage.play(7000, &[(&advert(B, 250), 500)]);
    stage.expect(Verdict::Healthy, &[]);
    let Seen::Arp(arp) = announcement(mac(B)) else { unreachable!() };
    stage.frame(PacketKind::Broadcast, Seen::Arp(Arp { sender_mac: VIRTUAL, ..arp }));
    stage.play(10000, &[(&advert(B, 250), 500)]);
    stage.expect(Verdict::Healthy, &[]);
    stage.frame(PacketKind::Broadcast, announcement(mac("x5")));
    stage.fact(Fact::Capture { interface: ETH0, frames: 0, dropped: 1 });
    stage.play(15000, &[(&advert(B, 250), 500)]);
    stage.expect(Verdict::Healthy, &[]);
}

/// This host, which lets the address go a moment later, answers the announcement: that goes to the new master alone.
#[test]
fn who_answers_an_announcement_has_announced_nothing_fault_29() {
    let mut stage = Stage::member();
    stage.own(VIP);
    stage.play(3000, &[(&advert(A, 100), 0)]);
    let Seen::Arp(arp) = announcement(mac(A)) else { unreachable!() };
    let answer = Arp { frame_destination: mac(B), operation: ArpOperation::Reply, ..arp };
    stage.hear(&advert(B, 200));
    stage.frame(PacketKind::Broadcast, announcement(mac(B)));
    stage.frame(PacketKind::Outgoing, Seen::Arp(answer));
    stage.disown(VIP);
    stage.answers = vec![mac(B)];
    stage.play(8000, &[(&advert(B, 200), 1000)]);
    stage.expect(Verdict::Healthy, &[]);
    assert!(stage.events.iter().all(|e| !e.causes.contains(&Cause::Misdirected)), "{:?}", stage.events);
}

/// By IPv6 FRR lets its macvlan go an interval before its first advert, when four of the old master's are overdue already.
#[test]
fn a_successor_with_the_virtual_mac_may_hold_for_an_interval_before_it_begins_fault_1() {
    let mut stage = Stage::member();
    let own = IfIndex(7);
    stage.fact(Fact::Link(Link {
        mac: Some(VIRTUAL),
        parent: Some(ETH0),
        kind: LinkKind::Macvlan,
        ..Link::plain(own, "vrrp4-51")
    }));
    stage.answers = vec![VIRTUAL];
    let by_virtual = |source, priority| Advert { mac: Some(VIRTUAL), ..advert(source, priority) };
    stage.play(5000, &[(&by_virtual(B, 200), 0)]);
    stage.answers.clear();
    stage.idle(8700);
    stage.fact(Fact::Address(Address { interface: own, address: ip(VIP), prefix: 24, usable: true }));
    stage.idle(9700);
    stage.play(13000, &[(&by_virtual(A, 100), 0)]);
    stage.expect(Verdict::Healthy, &[]);
    assert!(stage.events.iter().all(|e| e.causes.is_empty()), "{:?}", stage.events);
}

#[test]
fn a_master_with_two_cards_on_the_segment_is_one_host_and_a_stranger_beside_it_is_still_told_faults_18_and_32() {
    let (second_card, stranger) = (mac("10.9.9.7"), mac("10.9.9.8"));
    let mut stage = Stage::member();
    stage.answers = vec![mac(B), second_card];
    stage.own_answers = vec![(ip(B), mac(B)), (ip(B), second_card)];
    stage.play(10000, &[(&advert(B, 200), 0)]);
    stage.expect(Verdict::Healthy, &[]);
    assert_eq!(stage.verdicts(), ["healthy"]);
    assert_eq!(stage.router().addresses[0].claimants.as_ref().map(Vec::len), Some(1));
    stage.answers.push(stranger);
    stage.play(12000, &[(&advert(B, 200), 1000)]);
    stage.expect(Verdict::SplitBrain, &[Cause::ForeignClaim]);
    stage.answers = vec![mac(B)];
    stage.play(16000, &[(&advert(B, 200), 1000)]);
    stage.expect(Verdict::Healthy, &[]);
    let asked = |target: &str| {
        let to = |r: &Request| matches!(r, Request::Arp { target: t, .. } if IpAddr::V4(*t) == ip(target));
        stage.requests.iter().filter(|(at, r)| *at > 15000 && to(r)).count()
    };
    assert_eq!((asked(B), asked(VIP)), (0, 1), "nobody's own address is asked for without need");
}

#[test]
fn an_old_masters_answers_are_asked_for_again_soon_after_a_takeover_and_then_once_an_interval_fault_14() {
    let mut stage = Stage::member();
    stage.answers = vec![mac(B)];
    stage.play(5000, &[(&advert(B, 200), 0)]);
    // It dies; this node takes over while it still answers.
    stage.idle(8600);
    stage.own(VIP);
    stage.play(20000, &[(&advert(A, 100), 0)]);
    stage.expect(Verdict::SplitBrain, &[Cause::StaleAddress]);
    let told = stage.events.iter().find(|e| e.kind == "verdict" && e.to.as_deref() == Some("split_brain"));
    let after = told.expect("a split").at.since(at(8600));
    assert!(after <= Duration::from_millis(1250), "told after {after:?}");
    let to_vip = |r: &Request| matches!(r, Request::Arp { target, .. } if IpAddr::V4(*target) == ip(VIP));
    let asked = stage.requests.iter().filter(|(at, r)| *at >= 12000 && *at < 20000 && to_vip(r)).count();
    assert!((7..=9).contains(&asked), "{asked} questions in eight seconds");
}

#[test]
fn an_answer_is_no_evidence_any_more_once_this_node_asks_no_more_fault_20() {
    let mut stage = Stage::member();
    stage.answers = vec![mac(B)];
    stage.play(6000, &[(&advert(B, 200), 0)]);
    stage.expect(Verdict::Healthy, &[]);
    assert!(stage.router().addresses[0].claimants.is_some());
    for family in [Family::V4, Family::V6] {
        stage.fact(Fact::Daemon(Daemon { family, state: DaemonState::Absent }));
    }
    stage.idle(30_000);
    stage.expect(Verdict::NoMaster, &[]);
}

/// FRR's macvlan has the address before FRR has its socket.
#[test]
fn a_look_older_than_the_address_does_not_say_that_no_daemon_runs_fault_19() {
    let start = |finally: DaemonState| {
        let mut stage = Stage::new(Settings::default());
        stage.own(A);
        stage.daemon(DaemonState::Absent);
        stage.play(3000, &[(&advert(B, 200), 0)]);
        stage.daemon(DaemonState::Absent);
        stage.own(VIP);
        stage.play(4950, &[(&advert(B, 200), 0)]);
        assert!(!stage.verdicts().contains(&"split_brain"), "{:?}", stage.events);
        stage.daemon(finally);
        stage
    };
    let mut stage = start(DaemonState::Alive);
    stage.idle(5300);
    stage.disown(VIP);
    stage.play(9000, &[(&advert(B, 200), 50)]);
    stage.expect(Verdict::Healthy, &[]);
    assert!(!stage.verdicts().contains(&"split_brain"), "{:?}", stage.events);
    let mut stage = start(DaemonState::Alive);
    stage.play(6000, &[(&advert(B, 200), 50)]);
    stage.expect(Verdict::SplitBrain, &[Cause::StrayAddress]);
    let mut stage = start(DaemonState::Absent);
    stage.expect(Verdict::SplitBrain, &[Cause::StaleAddress]);
}

#[test]
fn a_host_that_only_watches_a_configured_router_is_no_member_and_one_that_once_was_stays_so() {
    let settings = || Settings { routers: vec![expected()], ..Settings::default() };
    let mut monitor = Stage::new(settings());
    monitor.own(A);
    monitor.daemon(DaemonState::Absent);
    monitor.play(4000, &[(&advert(B, 200), 0)]);
    monitor.expect(Verdict::Healthy, &[]);
    assert_eq!((monitor.router().role, monitor.requests.as_slice()), (Role::Observer, &[][..]));
    let mut member = Stage::member_with(settings());
    assert_eq!(member.router().role, Role::Member);
    member.daemon(DaemonState::Absent);
    member.play(4000, &[(&advert(B, 200), 0)]);
    assert_eq!(member.router().role, Role::Member, "its daemon was stopped");
    let told = Told {
        interface: None,
        family: Family::V4,
        vrid: 51,
        addresses: vec![ip(VIP)],
        version: Version::V2,
        interval: Duration::from_secs(1),
        auth: Auth::None,
        unicast: false,
    };
    let mut told_only = Stage::new(settings());
    told_only.fact(Fact::Told(vec![told].into()));
    assert_eq!(told_only.router().role, Role::Member, "its daemon is told of it, and was not started yet");
}

/// It answers for the peer's own address, too, so that it might be taken for the peer; and for this host's, which gives it away.
#[test]
fn a_host_that_answers_for_everything_is_named_and_neither_of_the_pair_is_blamed_fault_18() {
    let liar = MacAddr(2, 0, 0, 0, 0xba, 0xd);
    let peer = Peer { name: "lb02".into(), address: ip(B), vrrp_addresses: vec![], urls: vec![] };
    for master in [A, B] {
        let mut stage = Stage::member_with(Settings { peers: vec![peer.clone()], ..Settings::default() });
        let own = if master == A { vec![] } else { vec![mac(B)] };
        if master == A {
            stage.own(VIP);
        }
        stage.answers.clone_from(&own);
        stage.own_answers = vec![(ip(B), mac(B))];
        stage.play(5000, &[(&advert(master, 200), 0)]);
        stage.expect(Verdict::Healthy, &[]);
        stage.answers.push(liar);
        stage.own_answers.extend([(ip(B), liar), (ip(A), liar)]);
        stage.play(9000, &[(&advert(master, 200), 1000)]);
        stage.expect(Verdict::SplitBrain, &[Cause::ForeignClaim]);
        let finding = stage.router().findings[0].clone();
        assert_eq!(finding.node.as_deref(), Some(&*liar.to_string()), "{finding:?}");
        assert!(finding.remote.contains("everything") && finding.remedy.contains(&liar.to_string()), "{finding:?}");
        assert!(stage.events.iter().all(|e| !e.causes.contains(&Cause::StrayAddress)), "{:?}", stage.events);
        let asks_itself = |request: &Request| matches!(request, Request::Arp { sender_ip, target, .. } if ip(A) == *target && sender_ip.is_unspecified());
        assert!(stage.requests.iter().any(|(_, request)| asks_itself(request)), "{:?}", stage.requests);
        stage.answers = own;
        stage.own_answers.truncate(1);
        stage.play(15000, &[(&advert(master, 200), 1000)]);
        stage.expect(Verdict::Healthy, &[]);
    }
}

/// At 100 ms a busy host is late by more than three adverts now and then.
#[test]
fn a_short_silence_between_two_who_refuse_each_other_mutes_nobody_fault_28() {
    let v3 = |source, priority| Advert {
        version: Version::V3,
        interval: Interval::CentiSeconds(CentiSeconds(10)),
        checksum: ChecksumForm::PseudoHeader,
        ..advert(source, priority)
    };
    let (mut own, other) = (v3(A, 100), v3(B, 200));
    own.addresses.push(ip("10.9.9.101"));
    let mut stage = Stage::member();
    stage.own(VIP);
    for turn in 0..10 {
        stage.play(turn * 1100 + 500, &[(&own, 50)]);
        stage.play(turn * 1100 + 1100, &[(&other, 50)]);
    }
    stage.expect(Verdict::SplitBrain, &[Cause::AddressesMismatch]);
    let muted = |stage: &Stage| stage.events.iter().filter(|e| e.causes.contains(&Cause::MutedMaster)).count();
    assert_eq!(muted(&stage), 0, "{:?}", stage.events);
    stage.play(stage.now + 2000, &[(&other, 50)]);
    stage.expect(Verdict::SplitBrain, &[Cause::AddressesMismatch, Cause::MutedMaster]);
}

/// As FRR's by IPv6: its macvlan is let go an interval before its first advert leaves.
#[test]
fn one_that_holds_by_the_virtual_mac_for_an_interval_before_it_begins_is_no_split_and_one_that_never_begins_is_fault_1()
{
    let virtual_mac = |source, priority| Advert { mac: Some(VIRTUAL), ..advert(source, priority) };
    for (here, begins) in [(true, true), (true, false), (false, true), (false, false)] {
        let (old, new) = if here { (B, A) } else { (A, B) };
        let hold = |stage: &mut Stage, source: &str, holds: bool| match (source == A, holds) {
            (true, true) => stage.own(VIP),
            (true, false) => stage.disown(VIP),
            (false, true) => stage.answers = vec![VIRTUAL],
            (false, false) => stage.answers.clear(),
        };
        let mut stage = Stage::member();
        let plain = Link::plain(IfIndex(9), "vrrp4-51");
        stage.fact(Fact::Link(Link { mac: Some(VIRTUAL), kind: LinkKind::Macvlan, parent: Some(ETH0), ..plain }));
        hold(&mut stage, old, true);
        stage.play(5100, &[(&virtual_mac(old, 100), 0)]);
        hold(&mut stage, new, true);
        let by = if here { PacketKind::Outgoing } else { PacketKind::Broadcast };
        stage.frame(by, announcement(VIRTUAL));
        stage.play(6110, &[(&virtual_mac(old, 100), 900)]);
        assert!(!stage.verdicts().contains(&"split_brain"), "{:?}", stage.events);
        if begins {
            stage.hear(&virtual_mac(new, 200));
            hold(&mut stage, old, false);
            stage.play(12000, &[(&virtual_mac(new, 200), 1000)]);
            stage.expect(Verdict::Healthy, &[]);
            assert!(!stage.verdicts().contains(&"split_brain"), "{:?}", stage.events);
        } else {
            stage.play(8500, &[(&virtual_mac(old, 100), 890)]);
            assert_eq!(stage.router().verdict, Verdict::SplitBrain, "{:#?}", stage.router());
        }
    }
}

/// By IPv6 FRR sends from the virtual link-local address and the virtual MAC, and its backups have both, on a macvlan held down.
#[test]
fn adverts_from_an_address_and_a_mac_that_are_here_too_are_anothers_unless_they_were_sent_from_here_fault_19() {
    let shared = |priority| Advert { mac: Some(VIRTUAL), source: ip("10.9.9.100"), ..advert(B, priority) };
    let mut stage = Stage::member();
    stage.fact(Fact::Link(Link {
        mac: shared(0).mac,
        kind: LinkKind::Macvlan,
        parent: Some(ETH0),
        protodown: true,
        carrier: false,
        ..Link::plain(IfIndex(9), "vrrp4-51")
    }));
    let on_macvlan = Address { interface: IfIndex(9), address: ip(VIP), prefix: 24, usable: true };
    stage.fact(Fact::Address(on_macvlan));
    for second in 0..5 {
        stage.idle(second * 1000);
        stage.frame(PacketKind::Multicast, Seen::Advert(shared(200)));
    }
    stage.expect(Verdict::Healthy, &[]);
    assert!(stage.router().speakers.iter().all(|s| !s.local), "{:#?}", stage.router().speakers);
    // It becomes master itself; a bridge brings its own adverts back.
    stage.frame(PacketKind::Multicast, Seen::Advert(shared(0)));
    for second in 6..12 {
        stage.idle(second * 1000);
        stage.frame(PacketKind::Outgoing, Seen::Advert(shared(100)));
        stage.frame(PacketKind::Multicast, Seen::Advert(shared(100)));
    }
    stage.expect(Verdict::Healthy, &[]);
    assert!(!stage.verdicts().contains(&"split_brain"), "{:?}", stage.events);
    let masters = stage.router().speakers.iter().filter(|s| s.master && s.local).count();
    assert_eq!(masters, 1, "{:#?}", stage.router().speakers);
}
