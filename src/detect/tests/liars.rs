//! Who answers for what is not its own is named, and nobody else is blamed for it.

use super::*;

const X: MacAddr = MacAddr(2, 0, 0, 0, 0xba, 0xd);

fn lb02() -> Peer {
    Peer { name: "lb02".into(), address: ip(B), vrrp_addresses: vec![], urls: vec!["http://lb02".into()] }
}

/// This node and lb02, which asks and answers, signed.
fn pair() -> Stage {
    Stage::member_with(Settings { peers: vec![lb02()], ..Settings::default() })
}

/// Whom it names is a stranger, whatever else it says.
#[track_caller]
fn only_foreign_claims(stage: &Stage) {
    let told = |event: &&Event| event.kind == "verdict" && !event.causes.is_empty();
    assert!(stage.events.iter().filter(told).all(|e| e.causes == [Cause::ForeignClaim]), "{:#?}", stage.events);
}

/// Its last answers came before it gave way, and the liar's go on.
#[test]
fn a_master_that_steps_back_beside_a_liar_has_no_stale_address_faults_14_and_18() {
    for phase in [0, 150, 400, 700, 950] {
        let mut stage = pair();
        stage.answers = vec![mac(B), X];
        stage.own_answers = vec![(ip(B), mac(B)), (ip(B), X), (ip(A), X)];
        stage.play(10_000 + phase, &[(&advert(B, 200), 0)]);
        stage.expect(Verdict::SplitBrain, &[Cause::ForeignClaim]);
        stage.hear(&advert(B, 0));
        stage.answers = vec![X];
        stage.idle(stage.now + 600);
        stage.own(VIP);
        stage.play(stage.now + 5000, &[(&advert(A, 100), 0)]);
        stage.expect(Verdict::SplitBrain, &[Cause::ForeignClaim]);
        assert_eq!(stage.router().masters, [ip(A)]);
        only_foreign_claims(&stage);
    }
}

/// The better one takes over from it.
#[test]
fn a_master_that_is_preempted_beside_a_liar_has_no_stale_address_faults_14_and_18() {
    for phase in [0, 150, 400, 700, 950] {
        let mut stage = pair();
        stage.answers = vec![mac(B), X];
        stage.own_answers = vec![(ip(B), mac(B)), (ip(B), X), (ip(A), X)];
        stage.play(10_000 + phase, &[(&advert(B, 100), 0)]);
        stage.answers = vec![X];
        stage.own(VIP);
        stage.play(stage.now + 5000, &[(&advert(A, 200), 0)]);
        stage.expect(Verdict::SplitBrain, &[Cause::ForeignClaim]);
        only_foreign_claims(&stage);
    }
}

/// Nothing that comes with a new master shows that the liar is gone, and it is not; with it gone, its next round tells.
#[test]
fn a_liar_that_outlives_a_master_is_not_well_for_a_moment_fault_18() {
    let often = |source, priority| Advert {
        version: Version::V3,
        interval: Interval::CentiSeconds(CentiSeconds(10)),
        checksum: ChecksumForm::PseudoHeader,
        ..advert(source, priority)
    };
    let pairs = [(advert(A, 100), advert(B, 200), 1000), (often(A, 100), often(B, 200), 100)];
    for ((a, b, interval), phase) in pairs.iter().flat_map(|pair| [0, 150, 400, 700, 950].map(|phase| (pair, phase))) {
        for (resigns, goes) in [(true, false), (false, false), (true, true), (false, true)] {
            let mut stage = pair();
            stage.answers = vec![mac(B), X];
            stage.own_answers = vec![(ip(B), mac(B)), (ip(B), X), (ip(A), X)];
            stage.play(10_000 + phase, &[(b, 0)]);
            stage.expect(Verdict::SplitBrain, &[Cause::ForeignClaim]);
            if resigns {
                stage.hear(&Advert { priority: 0, ..b.clone() });
            }
            stage.answers = if goes { vec![] } else { vec![X] };
            let last = stage.now - phase % interval;
            stage.idle(if resigns { stage.now + 60 } else { last + interval * 18 / 5 });
            stage.events.clear();
            stage.own(VIP);
            stage.play(stage.now + 5000, &[(a, 0)]);
            let how = (phase, interval, resigns);
            if goes {
                stage.expect(Verdict::Healthy, &[]);
            } else {
                stage.expect(Verdict::SplitBrain, &[Cause::ForeignClaim]);
                assert!(!stage.verdicts().contains(&"healthy"), "{how:?}: {:#?}", stage.events);
            }
        }
    }
}

impl Stage {
    /// What lb02 says, signed, of the addresses of its host.
    fn say(&mut self, addresses: &[&str]) {
        let mut report = Report::new("lb02".into(), "b".into(), true, at(self.now));
        report = report.with_routers(vec![Reported::backup(Family::V4, 51, vec![ip(VIP)])]);
        (report.addresses, report.macs) = (addresses.iter().map(|address| ip(address)).collect(), vec![mac(B)]);
        self.fact(Fact::PeerReport { peer: 0, url: 0, said: Ok(std::sync::Arc::new(report)) });
    }

    /// Lets so many half seconds pass, with a report at the end of each, in which this node advertises.
    fn while_said(&mut self, half_seconds: u64, addresses: &[&str]) {
        for n in 0..half_seconds {
            let phase = if n % 2 == 0 { 0 } else { 1000 };
            self.play(self.now + 500, &[(&advert(A, 200), phase)]);
            self.say(addresses);
        }
    }
}

/// This node is master, and lb02 a backup, as it says.
fn master() -> Stage {
    let mut stage = pair();
    stage.own(VIP);
    stage.own_answers = vec![(ip(B), mac(B))];
    stage.while_said(10, &[B]);
    stage.expect(Verdict::Healthy, &[]);
    stage
}

/// Answers with the backup's MAC may be the backup's; its own word, signed, tells.
#[test]
fn answers_in_the_name_of_a_peer_that_has_no_such_address_are_somebody_elses_fault_16() {
    // It has said nothing since the first answers.
    for before in [0, 120, 240] {
        let mut stage = master();
        stage.idle(stage.now + before);
        stage.answers = vec![mac(B)];
        stage.while_said(10, &[B]);
        stage.expect(Verdict::SplitBrain, &[Cause::ForeignClaim]);
        let finding = stage.router().findings[0].clone();
        assert!(finding.node.is_none() && finding.remote.contains("in the name of lb02"), "{finding:?}");
        only_foreign_claims(&stage);
    }
}

#[test]
fn an_address_that_a_peer_says_is_on_its_host_is_a_stray_one_although_it_is_held_by_none_of_its_routers_fault_16() {
    let mut stage = master();
    stage.answers = vec![mac(B)];
    stage.while_said(10, &[B, VIP]);
    stage.expect(Verdict::SplitBrain, &[Cause::StrayAddress]);
    assert_eq!(stage.router().findings[0].node.as_deref(), Some("lb02"));
}

/// What it said before it took the address says nothing, and it says no more: it is waited for, and not for ever.
#[test]
fn a_peer_that_says_no_more_denies_nothing_fault_16() {
    let mut stage = master();
    stage.answers = vec![mac(B)];
    let ends = stage.now + 8000;
    stage.play(ends, &[(&advert(A, 200), 0)]);
    stage.expect(Verdict::SplitBrain, &[Cause::StrayAddress]);
}

/// By frames that come from a MAC of its own it gives itself away.
#[test]
fn who_answers_in_a_peers_name_is_named_by_the_source_of_its_frames_fault_18() {
    let mut stage = master();
    (stage.answers, stage.answers_from) = (vec![mac(B)], Some(X));
    stage.while_said(10, &[B]);
    stage.expect(Verdict::SplitBrain, &[Cause::ForeignClaim]);
    assert_eq!(stage.router().findings[0].node.as_deref(), Some(&*X.to_string()));
}

/// It was master, and let go; its last answers came before that.
#[test]
fn a_peer_that_let_go_denies_nothing_that_it_answered_before_fault_1() {
    let mut stage = pair();
    stage.own_answers = vec![(ip(B), mac(B))];
    let often = Advert {
        version: Version::V3,
        interval: Interval::CentiSeconds(CentiSeconds(10)),
        checksum: ChecksumForm::PseudoHeader,
        ..advert(B, 200)
    };
    for phase in [0, 200, 400, 600, 800] {
        stage.answers = vec![mac(B)];
        stage.play(stage.now + 10_000 + phase, &[(&often, 0)]);
        stage.say(&[B, VIP]);
        stage.hear(&Advert { priority: 0, ..often.clone() });
        stage.answers.clear();
        stage.say(&[B]);
        stage.idle(stage.now + 5000);
    }
    assert!(!stage.events.iter().any(|e| e.causes.contains(&Cause::ForeignClaim)), "{:#?}", stage.events);
}

/// Where the virtual MAC is in use it may be any of them; here each says that it is not.
#[test]
fn answers_from_the_virtual_mac_beside_peers_that_have_no_such_address_are_somebody_elses_fault_24() {
    let mut stage = pair();
    stage.own(VIP);
    let (a, b) = (Advert { mac: Some(VIRTUAL), ..advert(A, 100) }, Advert { mac: Some(VIRTUAL), ..advert(B, 200) });
    stage.play(3000, &[(&b, 0)]);
    stage.hear(&Advert { priority: 0, ..b });
    for _ in 0..10 {
        stage.play(stage.now + 1000, &[(&a, 0)]);
        stage.say(&[B]);
        (stage.answers, stage.answers_from) = (vec![VIRTUAL], Some(X));
    }
    stage.expect(Verdict::SplitBrain, &[Cause::ForeignClaim]);
    assert_eq!(stage.router().findings[0].node.as_deref(), Some(&*X.to_string()));
}

/// Of what was told about peers, who has taken an address.
fn usurped(stage: &Stage) -> Vec<&str> {
    let told = |event: &&Event| event.kind == "peer" && event.to.as_deref() == Some("usurped");
    stage.events.iter().filter(told).map(|event| event.reason.as_str()).collect()
}

/// Whatever is sent to the peer goes there.
#[test]
fn who_takes_a_peers_address_is_named_once() {
    let mut stage = master();
    for n in 0..40 {
        stage.frame(PacketKind::Broadcast, takes(X, B));
        stage.frame(PacketKind::Broadcast, takes(MacAddr(2, 0, 0, 0, 0xbb, n), B));
        stage.while_said(1, &[B]);
    }
    let told = usurped(&stage);
    assert!(told.len() == 1 && told[0].contains(&X.to_string()) && told[0].contains("lb02"), "{told:?}");
    stage.expect(Verdict::Healthy, &[]);
}

#[test]
fn a_peer_that_is_given_a_new_card_has_not_lost_its_address() {
    let mut stage = master();
    stage.frame(PacketKind::Broadcast, takes(X, B));
    let mut report = Report::new("lb02".into(), "b".into(), true, at(stage.now + 100));
    report.macs = vec![X];
    stage.idle(stage.now + 200);
    stage.fact(Fact::PeerReport { peer: 0, url: 0, said: Ok(std::sync::Arc::new(report)) });
    stage.frame(PacketKind::Broadcast, takes(X, B));
    assert!(usurped(&stage).is_empty());
}

#[test]
fn another_usurper_is_named_when_the_first_is_gone_and_whoever_comes_back_after_long_again() {
    let y = MacAddr(2, 0, 0, 0, 0xbb, 1);
    let mut stage = master();
    for (who, quiet, named) in [(X, 1, 1), (X, 20, 1), (y, 1, 2), (y, 130, 2), (y, 1, 3)] {
        stage.frame(PacketKind::Broadcast, takes(who, B));
        stage.while_said(1, &[B]);
        stage.frame(PacketKind::Broadcast, takes(who, B));
        let told = usurped(&stage);
        assert!(told.len() == named && told[named - 1].contains(&who.to_string()), "{told:?}");
        stage.while_said(quiet, &[B]);
    }
}

/// By ARP and by ND.
#[test]
fn an_address_that_a_peer_advertises_from_is_its_own_too() {
    let other: [IpAddr; 2] = [ip("10.9.9.12"), ip("fe80::2")];
    let peer = Peer { vrrp_addresses: other.to_vec(), ..lb02() };
    let mut stage = Stage::member_with(Settings { peers: vec![peer], ..Settings::default() });
    stage.while_said(2, &[B]);
    let by_nd = Seen::Neighbour(Neighbour {
        frame_source: X,
        source: "fe80::2".parse().unwrap(),
        destination: "ff02::1".parse().unwrap(),
        target: "fe80::2".parse().unwrap(),
        link_address: Some(X),
        kind: NeighbourKind::Advertisement { router: false, solicited: false, override_: true },
    });
    for (seen, address) in [(takes(X, "10.9.9.12"), "10.9.9.12"), (by_nd, "fe80::2")] {
        stage.events.clear();
        stage.frame(PacketKind::Broadcast, seen.clone());
        stage.while_said(1, &[B]);
        stage.frame(PacketKind::Broadcast, seen);
        let told = usurped(&stage);
        assert!(told.len() == 1 && told[0].contains(address), "{told:?}");
        stage.while_said(130, &[B]);
    }
}

/// It took it before the peer had said anything.
#[test]
fn who_has_taken_a_peers_address_is_not_taken_for_the_peer_fault_18() {
    let mut stage = pair();
    stage.own(VIP);
    stage.frame(PacketKind::Broadcast, takes(X, B));
    stage.while_said(10, &[B]);
    stage.answers = vec![X];
    stage.while_said(10, &[B]);
    stage.expect(Verdict::SplitBrain, &[Cause::ForeignClaim]);
    assert_eq!(stage.router().findings[0].node.as_deref(), Some(&*X.to_string()));
}

/// Whoever answers by ARP may not be there; who knows the number of the echo has had it.
#[test]
fn an_echo_that_answers_no_question_proves_nothing() {
    let mut stage = pair();
    stage.own(VIP);
    stage.answers = vec![X];
    stage.play(4000, &[(&advert(A, 200), 0)]);
    let asked = stage.requests.iter().rev().find_map(|(_, request)| match request {
        Request::Echo { sequence, destination_mac, .. } if *destination_mac == X => Some(*sequence),
        _ => None,
    });
    let asked = asked.expect("it was asked");
    let replies = |stage: &mut Stage, sequence| {
        let identifier = ECHO_IDENTIFIER;
        let reply = EchoReply { frame_source: X, source: ip(VIP), identifier, sequence };
        stage.frame(PacketKind::Host, Seen::EchoReply(reply));
        stage.router().holders.iter().any(|holder| holder.how.contains(&"echo"))
    };
    for number in [0, asked.wrapping_add(1), asked.wrapping_add(0x7677)] {
        assert!(!replies(&mut stage, number), "{number}, and {asked} was asked");
    }
    assert!(replies(&mut stage, asked));
}

/// That its daemon is dead is known a moment after its last advert, and until then nothing is said of it.
#[test]
fn a_master_that_dies_beside_a_liar_is_not_called_muted_first_fault_14() {
    let mut stage = pair();
    stage.own(VIP);
    (stage.answers, stage.own_answers) = (vec![X], vec![(ip(A), X)]);
    let often = Advert {
        version: Version::V3,
        interval: Interval::CentiSeconds(CentiSeconds(10)),
        checksum: ChecksumForm::PseudoHeader,
        ..advert(A, 200)
    };
    stage.play(5000, &[(&often, 0)]);
    stage.expect(Verdict::SplitBrain, &[Cause::ForeignClaim]);
    stage.idle(5400);
    assert!(stage.watcher.is_contested(), "the daemon is looked at at once");
    stage.daemon(DaemonState::Absent);
    stage.idle(8000);
    stage.expect(Verdict::SplitBrain, &[Cause::StaleAddress]);
    assert!(stage.events.iter().all(|e| !e.causes.contains(&Cause::MutedMaster)), "{:#?}", stage.events);
}
