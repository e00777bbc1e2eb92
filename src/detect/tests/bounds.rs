//! What strangers can't do, and what survives: restarts, renames, repetition.

use super::*;

#[test]
fn a_stranger_cannot_evict_grow_or_silence_what_matters() {
    let settings = Settings { max_routers: 16, max_speakers: 4, ..Settings::default() };
    let mut stage = Stage::member_with(settings);
    let mut real = advert(B, 200);
    real.vrid = 255;
    stage.play(3000, &[(&real, 0)]);
    for i in 0..5000_u32 {
        let mut forged = advert("10.9.9.3", (i % 254) as u8 + 1);
        forged.vrid = (i % 200) as u8 + 1;
        forged.source = IpAddr::V4((0x0a09_0000 + i).into());
        stage.frame(PacketKind::Multicast, Seen::Advert(forged));
    }
    stage.play(5000, &[(&real, 100)]);
    let snapshot = stage.watcher.snapshot(at(stage.now));
    assert_eq!(snapshot.routers.len(), 16);
    assert!(snapshot.routers.iter().all(|r| r.speakers.len() <= 4));
    let full: std::collections::BTreeMap<_, _> = snapshot.table_full.iter().copied().collect();
    assert!(full["routers"] > 0 && full["speakers"] > 0, "{full:?}");
    assert!(snapshot.sensors.iter().any(|s| s.sensor == Sensor::Table && s.state.is_err()));
    let real = snapshot.routers.iter().find(|r| r.vrid == 255).unwrap();
    assert_eq!(real.verdict, Verdict::Healthy);
}

#[test]
fn one_forged_advert_with_255_addresses_causes_no_probe_storm() {
    let mut stage = Stage::member();
    stage.own(VIP);
    stage.play(5000, &[(&advert(A, 200), 0)]);
    stage.requests.clear();
    let mut forged = advert("10.9.9.3", 1);
    forged.addresses = (0..255).map(|i| IpAddr::V4((0x0a09_0900_u32 + i).into())).collect();
    stage.hear(&forged);
    stage.play(15000, &[(&advert(A, 200), 1000)]);
    let probes = stage.requests.iter().filter(|(_, r)| matches!(r, Request::Arp { .. })).count();
    assert!((10..=110).contains(&probes), "{probes} in ten seconds, with a budget of ten a second");
    let own = stage.requests.iter().filter(|(_, r)| matches!(r, Request::Arp { target, .. } if ip(VIP) == *target));
    assert!(own.count() > 0, "the address that matters is still asked about");
}

#[test]
fn adverts_with_a_wrong_checksum_count_as_refused_and_make_no_speaker() {
    let mut stage = Stage::new(Settings::default());
    let mut bad = advert("10.9.9.3", 250);
    bad.checksum = ChecksumForm::Invalid;
    stage.play(6000, &[(&advert(B, 200), 0), (&bad, 500)]);
    stage.expect(Verdict::Healthy, &[]);
    let rejected = stage.watcher.snapshot(at(stage.now)).rejected;
    assert_eq!((rejected[0].reason, rejected[0].count), (RejectReason::Checksum, 6));
}

#[test]
fn strangers_are_alarmed_and_never_judged_where_only_known_speakers_count() {
    let expected = Expected { unicast_peers: vec![ip(B)], only_known_speakers: true, ..expected() };
    let mut stage = Stage::member_with(Settings { routers: vec![expected], ..Settings::default() });
    stage.play(10000, &[(&advert(B, 200), 0), (&advert("10.9.9.3", 255), 500)]);
    stage.expect(Verdict::Healthy, &[]);
    assert_eq!(stage.events.iter().filter(|e| e.to.as_deref() == Some("stranger")).count(), 1);
}

#[test]
fn learned_routers_survive_a_restart_as_unknown_and_silence_then_says_nothing() {
    let mut stage = Stage::new(Settings::default());
    stage.play(5000, &[(&advert(B, 200), 0)]);
    let learned = stage.watcher.learned();
    assert_eq!(learned.len(), 1);
    let mut next = Stage::new(Settings::default());
    next.watcher.restore(at(0), &learned);
    next.expect(Verdict::Unknown, &[]);
    assert_eq!(next.router().name, "10.9.9.100/51");
    next.idle(10000);
    next.expect(Verdict::Unknown, &[]);
    let id = RouterId { interface: "eth0".into(), vlan: None, family: Family::V4, vrid: 51 };
    let tagged = RouterId { vlan: Some(100), ..id.clone() };
    assert!(!next.watcher.forget(at(10000), &tagged), "one of that name on a VLAN would be another");
    assert!(next.watcher.forget(at(10000), &id));
    assert!(next.watcher.snapshot(at(10000)).routers.is_empty());
}

#[test]
fn a_renamed_interface_keeps_its_learned_routers_and_a_vanished_one_blinds_them() {
    let mut stage = Stage::new(Settings::default());
    stage.play(5000, &[(&advert(B, 200), 0)]);
    stage.fact(Fact::Link(Link { name: "lan0".into(), ..eth0() }));
    stage.play(8000, &[(&advert(B, 200), 500)]);
    stage.expect(Verdict::Healthy, &[]);
    assert_eq!(stage.router().interface, "lan0");
    stage.fact(Fact::LinkGone(ETH0));
    stage.expect(Verdict::Unknown, &[]);
}

#[test]
fn the_same_facts_give_the_same_view_and_the_same_events() {
    let run = || {
        let mut stage = Stage::member();
        stage.play(5000, &[(&advert(B, 200), 0)]);
        stage.own(VIP);
        stage.play(9000, &[(&advert(B, 200), 0), (&advert(A, 100), 300)]);
        (format!("{:?}", stage.router()), format!("{:?}", stage.events))
    };
    assert_eq!(run(), run());
}

#[test]
fn a_vlan_is_seen_once_on_its_own_device_and_the_parents_untagged_adverts_are_still_seen() {
    let mut stage = Stage::new(Settings::default());
    let device = IfIndex(7);
    let hear = |stage: &mut Stage, interface, vlan| {
        let seen = Seen::Advert(advert(B, 200));
        stage.fact(Fact::Frame(Frame { interface, vlan, kind: PacketKind::Multicast, seen }));
    };
    let places = |stage: &mut Stage| {
        let routers = stage.watcher.snapshot(at(stage.now)).routers;
        routers.iter().map(|r| (r.interface.clone(), r.vlan)).collect::<Vec<_>>()
    };
    hear(&mut stage, ETH0, Some(100));
    assert_eq!(places(&mut stage), [("eth0".into(), Some(100))], "no device sees it yet");
    let link = Link { parent: Some(ETH0), vlan: Some(100), kind: LinkKind::Vlan, index: device, ..eth0() };
    stage.fact(Fact::Link(Link { name: "eth0.100".into(), ..link }));
    assert_eq!(places(&mut stage), [], "it moves to the device, and is not missed here");
    hear(&mut stage, ETH0, Some(100));
    hear(&mut stage, device, None);
    hear(&mut stage, ETH0, Some(200));
    hear(&mut stage, ETH0, None);
    let expected = [("eth0".into(), None), ("eth0".into(), Some(200)), ("eth0.100".into(), None)];
    assert_eq!(places(&mut stage), expected);
}

#[test]
fn a_speaker_of_another_protocol_is_told_of_once_and_remembered_within_a_bound() {
    let mut stage = Stage::new(Settings::default());
    let carp =
        |source: u8, advskew| OtherProtocol::Carp { source: [10, 9, 9, source].into(), vhid: 3, advbase: 1, advskew };
    for advskew in [0, 240] {
        stage.frame(PacketKind::Multicast, Seen::Other(carp(9, advskew)));
    }
    assert_eq!(stage.events.len(), 1);
    assert_eq!((&*stage.events[0].kind, stage.events[0].to.as_deref()), ("speaker", Some("carp")));
    assert!(stage.events[0].reason.starts_with("10.9.9.9 CARP vhid 3"), "{}", stage.events[0].reason);
    for source in 0..=255 {
        stage.frame(PacketKind::Multicast, Seen::Other(carp(source, 0)));
    }
    let snapshot = stage.watcher.snapshot(at(stage.now));
    assert_eq!(snapshot.others.len(), 64);
    assert!(snapshot.table_full.contains(&("others", 192)), "{:?}", snapshot.table_full);
}

#[test]
fn healthy_routers_wake_nobody_between_their_adverts_however_many_they_are() {
    let mut stage = Stage::new(Settings::default());
    for family in [Family::V4, Family::V6] {
        stage.fact(Fact::Daemon(Daemon { family, state: DaemonState::Absent }));
    }
    let address = |vrid| ip(&format!("10.9.9.{}", 100 + vrid));
    let adverts: Vec<Advert> =
        (1..=50).map(|vrid| Advert { vrid, addresses: vec![address(vrid)], ..advert(B, 100) }).collect();
    let mut wakes = 0;
    for now in (0..20_000).step_by(30) {
        stage.now = now;
        let is_due = |advert: &&Advert| (now + u64::from(advert.vrid) * 20) % 1000 < 30;
        adverts.iter().filter(is_due).for_each(|advert| stage.hear(advert));
        stage.turn();
        let due = stage.watcher.poll_timeout().unwrap();
        wakes += u32::from(now >= 10_000 && due <= at(now + 30));
    }
    let healthy =
        stage.watcher.snapshot(at(stage.now)).routers.iter().filter(|r| r.verdict == Verdict::Healthy).count();
    assert_eq!(healthy, 50);
    assert!(wakes <= 10, "one a second, to look for the long silent; not {wakes} in ten seconds");
}

/// A flood fills the taps, too, and this host drops nothing.
#[test]
fn adverts_that_an_overrun_tap_missed_blame_no_firewall_fault_34() {
    for overrun in [None, Some(ETH0)] {
        let mut stage = Stage::member();
        stage.answers = vec![mac(B)];
        stage.play(5000, &[(&advert(B, 200), 0)]);
        stage.delivers = [false; 2];
        stage.hear(&advert(B, 200));
        stage.idle(5100);
        stage.fact(Fact::TapOverrun(overrun));
        stage.delivers = [true; 2];
        stage.play(12000, &[(&advert(B, 200), 900)]);
        assert!(stage.events.iter().all(|e| e.causes.is_empty()), "{overrun:?}: {:#?}", stage.events);
        let told = stage.events.iter().filter(|e| e.kind == "sensor").filter_map(|e| e.to.as_deref());
        assert_eq!(told.collect::<Vec<_>>(), ["down", "up"], "it is told that this was not to be seen");
        // Nor is the firewall forgotten for it.
        stage.delivers[Tap::Raw as usize] = false;
        stage.play(20000, &[(&advert(B, 200), 900)]);
        stage.expect(Verdict::Degraded, &[Cause::FirewallDrop]);
    }
}

/// The taps are read by themselves, now before the wire and now after it; then the master is silent for a while.
#[test]
fn an_advert_that_a_tap_showed_before_the_wire_was_read_is_no_drop_fault_34() {
    let mut stage = Stage::member();
    stage.answers = vec![mac(B)];
    stage.play(5000, &[(&advert(B, 200), 0)]);
    stage.idle(6000);
    for tap in [Tap::Ip, Tap::Raw] {
        stage.fact(Fact::Delivered(Delivered { interface: ETH0, tap, source: ip(B), vrid: 51 }));
    }
    stage.frame(PacketKind::Multicast, Seen::Advert(advert(B, 200)));
    stage.play(12_000, &[(&advert(B, 200), 1900)]);
    assert!(stage.events.iter().all(|e| !e.causes.contains(&Cause::FirewallDrop)), "{:#?}", stage.events);
}

/// An interface with the virtual MAC swallows them until FRR is there; then the master is silent for a while.
#[test]
fn what_came_before_the_daemon_was_there_was_not_dropped_fault_34() {
    let mut stage = Stage::member();
    stage.answers = vec![mac(B)];
    stage.daemon(DaemonState::Absent);
    stage.delivers = [false; 2];
    stage.play(4500, &[(&advert(B, 200), 0)]);
    stage.daemon(DaemonState::Alive);
    stage.delivers = [true; 2];
    stage.idle(6000);
    stage.frame(PacketKind::Multicast, Seen::Advert(advert(B, 200)));
    stage.idle(6001);
    assert!(stage.events.iter().all(|e| !e.causes.contains(&Cause::FirewallDrop)), "{:#?}", stage.events);
}

/// Its daemon ran already and was not in the group yet.
#[test]
fn what_came_before_a_silence_is_no_drop_after_it_and_what_comes_after_it_is_fault_34() {
    let fast = Advert {
        interval: Interval::CentiSeconds(CentiSeconds(10)),
        version: Version::V3,
        checksum: ChecksumForm::PseudoHeader,
        ..advert(B, 200)
    };
    let mut stage = Stage::member();
    stage.answers = vec![mac(B)];
    stage.play(3000, &[(&fast, 0)]);
    stage.delivers = [false; 2];
    stage.play(3200, &[(&fast, 100)]);
    stage.idle(3900);
    stage.daemon(DaemonState::Alive);
    stage.idle(4000);
    stage.hear(&fast);
    stage.idle(4001);
    assert!(stage.events.iter().all(|e| !e.causes.contains(&Cause::FirewallDrop)), "{:#?}", stage.events);
    stage.play(6000, &[(&fast, 99)]);
    stage.expect(Verdict::Degraded, &[Cause::FirewallDrop]);
}

#[test]
fn each_advert_is_heard_once() {
    let mut stage = Stage::member();
    stage.play(5000, &[(&advert(B, 200), 0)]);
    let router = stage.router();
    assert_eq!((router.speakers[0].received, router.gaps.count()), (6, 6));
}
