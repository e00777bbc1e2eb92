//! Who is none of the cluster says what it likes: it is named, and nobody else is blamed.

use super::*;

const X: MacAddr = MacAddr(2, 0, 0, 0, 0xba, 0xd);
const OWN: &str = "10.9.9.3";

/// A pair: this node and lb02, which said, signed, what its MACs are.
fn pair() -> Stage {
    let peer = Peer { name: "lb02".into(), address: ip(B), vrrp_addresses: vec![], urls: vec!["http://lb02".into()] };
    let mut stage = Stage::member_with(Settings { peers: vec![peer], ..Settings::default() });
    stage.says(Vec::new());
    stage
}

impl Stage {
    /// The peer's word, signed.
    fn says(&mut self, routers: Vec<Reported>) {
        self.said(self.now, routers);
    }

    /// The same, which arrives late.
    fn said(&mut self, as_of: u64, routers: Vec<Reported>) {
        let mut report = Report::new("lb02".into(), "b".into(), true, at(as_of)).with_routers(routers);
        (report.addresses, report.macs) = (vec![ip(B)], vec![mac(B), VIRTUAL]);
        self.fact(Fact::PeerReport { peer: 0, url: 0, said: Ok(std::sync::Arc::new(report)) });
    }

    /// Nobody was told as hollow among the events from `before` on.
    #[track_caller]
    fn told_none_hollow_since(&self, before: usize) {
        let news = &self.events[before..];
        assert!(news.iter().all(|e| !e.causes.contains(&Cause::HollowMaster)), "{news:?}");
    }

    /// The peer is asked ten times a second, and says that; meanwhile somebody advertises beside this node.
    fn hears_beside(&mut self, said: &Reported, other: &Advert, ms: u64) {
        for _ in 0..ms / 100 {
            let phase = (1000 - self.now % 1000) % 1000;
            self.play(self.now + 99, &[(&advert(A, 200), phase), (other, 50)]);
            self.idle(self.now + 1);
            self.says(vec![said.clone()]);
        }
    }
}

/// This node is master, and its peer a backup.
fn master() -> Stage {
    let mut stage = pair();
    stage.own(VIP);
    stage.play(5000, &[(&advert(A, 200), 0)]);
    stage.says(vec![quiet()]);
    stage.expect(Verdict::Healthy, &[]);
    stage
}

fn quiet() -> Reported {
    Reported::backup(Family::V4, 51, vec![ip(VIP)])
}

fn sending(active: bool, last: u64) -> Reported {
    let sent = Sent { source: ip(B), priority: 100, active, last: at(last) };
    let held = if active { vec![ip(VIP)] } else { Vec::new() };
    Reported { sends: Some(sent), held, ..quiet() }
}

/// With the peer's own MAC or the virtual one, whether it never sent any or was master until a moment ago.
#[test]
fn a_backups_adverts_that_are_played_back_are_no_split_and_it_is_not_blamed() {
    for by in [mac(B), VIRTUAL] {
        for said in [quiet(), sending(false, 4900)] {
            let mut stage = master();
            stage.hears_beside(&said, &Advert { mac: Some(by), ..advert(B, 100) }, 4000);
            stage.expect(Verdict::Degraded, &[Cause::HollowMaster]);
            let finding = stage.router().findings[0].clone();
            assert_eq!(finding.node.as_deref(), Some(&*by.to_string()), "{finding:?}");
            assert!(finding.local.contains("lb02") && finding.remedy.contains("find the port"), "{finding:?}");
            assert!(!stage.verdicts().contains(&"split_brain"), "{:?}", stage.events);
            let told = stage.events.iter().flat_map(|e| &e.causes);
            assert!(
                told.into_iter().all(|c| [Cause::HollowMaster, Cause::Transient].contains(c)),
                "{:?}",
                stage.events
            );
        }
    }
}

/// It is not taken for one whose adverts are played back: it says that it sends them, or says nothing any more.
#[test]
fn a_peer_that_goes_on_and_says_so_or_answers_no_more_is_a_split_fault_2() {
    let mut stage = master();
    stage.hears_beside(&sending(true, 5000), &advert(B, 100), 1200);
    assert_eq!(stage.router().verdict, Verdict::SplitBrain, "{:#?}", stage.router());
    let mut stage = master();
    stage.play(8000, &[(&advert(A, 200), 0), (&advert(B, 100), 100)]);
    assert_eq!(stage.router().verdict, Verdict::SplitBrain, "{:#?}", stage.router());
}

/// What was said before it began anew says nothing of that.
#[test]
fn a_backup_that_takes_over_while_its_adverts_are_played_back_is_master() {
    let mut stage = master();
    stage.hears_beside(&quiet(), &advert(B, 100), 3000);
    stage.disown(VIP);
    stage.answers = vec![mac(B)];
    for _ in 0..30 {
        stage.play(stage.now + 100, &[(&advert(B, 100), 0)]);
        stage.says(vec![sending(true, stage.now - 100)]);
    }
    stage.expect(Verdict::Healthy, &[]);
    assert_eq!(stage.router().masters, [ip(B)]);
}

/// Its last advert was on time for another second.
#[test]
fn a_peer_that_was_master_for_one_advert_was_not_played_back_fault_1() {
    let mut stage = master();
    let before = stage.events.len();
    stage.hear(&advert(B, 100));
    stage.hears_beside(&sending(false, 4990), &Advert { priority: 200, ..advert(A, 200) }, 2000);
    stage.expect(Verdict::Healthy, &[]);
    stage.told_none_hollow_since(before);
}

/// Its link was down for a moment, and this node took over: what it said meanwhile knows nothing of what it sends since.
#[test]
fn a_master_that_comes_back_at_once_is_not_played_back_by_what_it_said_meanwhile_fault_1() {
    let mut stage = backup();
    stage.answers = Vec::new();
    stage.idle(8700);
    stage.own(VIP);
    stage.hear(&advert(A, 100));
    let before = stage.events.len();
    stage.idle(9100);
    stage.hear(&advert(B, 200));
    stage.disown(VIP);
    stage.idle(9108);
    stage.said(9095, vec![sending(false, 5000)]);
    stage.idle(9300);
    stage.answers = vec![mac(B)];
    stage.says(vec![sending(true, 9100)]);
    stage.play(12_100, &[(&advert(B, 200), 900)]);
    stage.expect(Verdict::Healthy, &[]);
    stage.told_none_hollow_since(before);
}

/// Whoever asked for the address while it was away got no answer: that says nothing of what it holds since.
#[test]
fn a_master_that_comes_back_at_once_is_not_hollow_by_what_was_asked_meanwhile_fault_16() {
    let mut stage = backup();
    (stage.answers, stage.own_answers) = (Vec::new(), vec![(ip(B), mac(B))]);
    stage.idle(8700);
    stage.own(VIP);
    stage.play(9000, &[(&advert(A, 100), 0)]);
    let before = stage.events.len();
    stage.idle(9100);
    stage.disown(VIP);
    stage.answers = vec![mac(B)];
    stage.play(12_100, &[(&advert(B, 200), 0)]);
    stage.expect(Verdict::Healthy, &[]);
    stage.told_none_hollow_since(before);
    let took = stage.events[before..].iter().find(|e| e.kind == "master").map(|e| e.at);
    assert_eq!(took, Some(at(9100)), "{:?}", stage.events);
}

/// This node is a backup of the peer, which answers.
fn backup() -> Stage {
    let mut stage = pair();
    stage.answers = vec![mac(B)];
    stage.play(5000, &[(&advert(B, 200), 0)]);
    stage.expect(Verdict::Healthy, &[]);
    stage
}

fn forged(source: &str, priority: u8) -> Advert {
    Advert { mac: Some(X), ..advert(source, priority) }
}

/// In the peer's name: its list, its version, its interval, its secret, its checksum, its TTL, or all of it, as if it were cloned.
#[test]
fn what_comes_from_a_peers_address_and_not_from_its_host_is_told_as_the_strangers_fault_13() {
    let changes: [fn(&mut Advert); 8] = [
        |_| (),
        |a| a.priority = 100,
        |a| a.addresses.push(ip("10.9.9.101")),
        |a| a.version = Version::V3,
        |a| a.interval = Interval::Seconds(Seconds(2)),
        |a| a.auth = Auth::Password(*b"geheim\0\0"),
        |a| a.checksum = ChecksumForm::MessageOnly,
        |a| a.ttl = 64,
    ];
    for (n, change) in changes.into_iter().enumerate() {
        for source in [B, OWN] {
            let mut other = forged(source, 200);
            change(&mut other);
            let mut stage = backup();
            stage.play(10000, &[(&advert(B, 200), 1000), (&other, 500)]);
            stage.expect(Verdict::Degraded, &[Cause::HollowMaster]);
            let router = stage.router();
            assert_eq!(router.findings[0].node.as_deref(), Some(&*X.to_string()), "{n}: {:?}", router.findings);
            assert_eq!((router.masters.as_slice(), router.holders.len()), (&[ip(B)][..], 1), "{n}");
            stage.play(14000, &[(&advert(B, 200), 1000)]);
            stage.expect(Verdict::Healthy, &[]);
            let told = |event: &&Event| event.kind == "verdict" && !event.causes.is_empty();
            assert!(stage.events.iter().filter(told).all(|e| e.causes == [Cause::HollowMaster]), "{:?}", stage.events);
            assert_eq!(stage.router().split_brain_time, Duration::ZERO);
        }
    }
}

/// It may be a third router that nobody named.
#[test]
fn a_stranger_that_advertises_and_answers_is_a_split() {
    let mut stage = backup();
    stage.answers.push(X);
    stage.play(10000, &[(&advert(B, 200), 1000), (&forged(OWN, 100), 500)]);
    assert_eq!(stage.router().verdict, Verdict::SplitBrain);
}

/// What that peer says is not its word.
#[test]
fn a_stranger_that_answers_is_not_called_by_the_peers_name_whose_address_it_uses() {
    let mut stage = master();
    stage.answers = vec![X];
    stage.hears_beside(&quiet(), &forged(B, 50), 4000);
    let router = stage.router();
    assert_eq!(router.verdict, Verdict::SplitBrain, "{router:#?}");
    assert!(router.evidence.iter().all(|said| !said.says.contains("lb02")), "{:?}", router.evidence);
}

#[test]
fn a_peers_second_card_that_it_says_is_its_own_is_no_strangers() {
    let mut stage = pair();
    let own = Advert { mac: Some(mac(B)), ..advert(OWN, 100) };
    stage.play(10000, &[(&advert(B, 200), 0), (&own, 500)]);
    assert_eq!(stage.router().verdict, Verdict::SplitBrain);
}

/// keepalived sends anew when it hears a lower one, and may be late with it.
#[test]
fn a_stranger_succeeds_nobody_who_misses_an_advert() {
    let mut stage = pair();
    stage.own(VIP);
    stage.play(5000, &[(&advert(A, 200), 0), (&forged(OWN, 50), 500)]);
    stage.play(7600, &[(&forged(OWN, 50), 500)]);
    stage.expect(Verdict::Degraded, &[Cause::HollowMaster]);
    assert_eq!(stage.router().masters, [ip(A)]);
    stage.play(9600, &[(&forged(OWN, 50), 500)]);
    stage.expect(Verdict::Degraded, &[Cause::HollowMaster]);
}

#[test]
fn a_stranger_that_the_pair_obeys_is_named_and_misleads_nobody() {
    let mut stage = backup();
    stage.frame(PacketKind::Broadcast, announcement(mac(B)));
    stage.answers.clear();
    stage.play(10000, &[(&forged(OWN, 250), 0)]);
    stage.expect(Verdict::Degraded, &[Cause::HollowMaster]);
    let router = stage.router();
    assert!(router.findings[0].local.contains(&X.to_string()));
    assert!(!router.addresses[0].misdirected, "{:?}", router.addresses);
}

/// An interval of 40 s would keep a split of two minutes from being one, and eight of them the peer from being heard.
#[test]
fn a_strangers_interval_is_nobody_elses_and_it_takes_no_peers_place() {
    let mut stage = pair();
    stage.own(VIP);
    stage.play(3000, &[(&advert(A, 200), 0)]);
    for n in 1..=9 {
        let mac = Some(MacAddr(2, 0, 0, 0, 0xba, n));
        stage.hear(&Advert { interval: Interval::Seconds(Seconds(40)), mac, ..advert(OWN, 50) });
    }
    stage.play(12000, &[(&advert(A, 200), 0), (&advert(B, 100), 500)]);
    let router = stage.router();
    assert_eq!(router.verdict, Verdict::SplitBrain, "{router:#?}");
    assert_eq!(router.split_brain_episodes, 1);
}

/// The one that holds falls silent for a moment, since it hears them.
#[test]
fn two_strangers_who_merely_say_so_are_no_split() {
    let mut stage = backup();
    stage.answers.clear();
    let other = Advert { mac: Some(MacAddr(2, 0, 0, 0, 0xba, 0xe)), ttl: 64, ..advert(B, 100) };
    stage.play(12000, &[(&Advert { ttl: 64, ..forged(OWN, 250) }, 0), (&other, 50)]);
    stage.expect(Verdict::Degraded, &[Cause::HollowMaster]);
    assert_eq!(stage.router().findings[0].node.as_deref(), Some(&*X.to_string()));
    let told = |e: &&Event| !e.causes.is_empty();
    assert!(stage.events.iter().filter(told).all(|e| e.causes == [Cause::HollowMaster]), "{:?}", stage.events);
}

/// It keeps resigning, so that it might seem that somebody will take over in a moment.
#[test]
fn a_strangers_farewells_hide_no_silence_fault_20() {
    let mut stage = backup();
    stage.answers.clear();
    stage.play(12000, &[(&forged(OWN, 0), 0)]);
    assert_eq!(stage.router().verdict, Verdict::NoMaster, "{:#?}", stage.router());
}

/// Here and behind a firewall that is right to drop it.
#[test]
fn a_strangers_adverts_that_get_no_further_blame_no_firewall_fault_34() {
    let mut stage = backup();
    for second in 5..10 {
        stage.idle(second * 1000);
        stage.hear(&advert(B, 200));
        stage.delivers = [false; 2];
        stage.hear(&forged(OWN, 50));
        stage.delivers = [true; 2];
    }
    stage.expect(Verdict::Degraded, &[Cause::HollowMaster]);
}

/// It answers for the address and for the peer's own, and not for ours.
#[test]
fn a_stranger_that_answers_in_the_peers_name_is_no_second_card_of_its() {
    let mut stage = backup();
    stage.answers.push(X);
    stage.own_answers = vec![(ip(B), mac(B)), (ip(B), X)];
    stage.play(10000, &[(&advert(B, 200), 1000)]);
    stage.expect(Verdict::SplitBrain, &[Cause::ForeignClaim]);
    assert_eq!(stage.router().findings[0].node.as_deref(), Some(&*X.to_string()));
}

#[test]
fn a_flood_of_announcements_does_not_put_off_that_clients_are_misled_fault_29() {
    let mut stage = pair();
    stage.own(VIP);
    stage.frame(PacketKind::Outgoing, announcement(mac(A)));
    stage.play(4000, &[(&advert(A, 200), 0)]);
    for n in 0..40 {
        stage.frame(PacketKind::Broadcast, announcement(X));
        let phase = if n % 10 == 0 { 0 } else { 1000 };
        stage.play(4000 + (n + 1) * 100, &[(&advert(A, 200), phase)]);
    }
    stage.expect(Verdict::Degraded, &[Cause::Misdirected]);
    assert!(stage.events.iter().any(|e| e.reason.contains(&X.to_string())), "{:?}", stage.events);
}

/// Nobody answered before it began: its first probe is still under way.
#[test]
fn a_master_that_begins_after_a_silence_is_not_hollow_before_it_was_asked_fault_33() {
    let mut stage = backup();
    stage.own_answers = vec![(ip(B), mac(B))];
    for phase in [0, 300, 600, 900] {
        stage.answers.clear();
        stage.idle(stage.now + 8000 + phase);
        stage.answers = vec![mac(B)];
        let before = stage.events.len();
        stage.play(stage.now + 4000, &[(&advert(B, 200), 50)]);
        stage.expect(Verdict::Healthy, &[]);
        let news = &stage.events[before..];
        assert!(news.iter().all(|e| !e.causes.contains(&Cause::HollowMaster)), "{phase}: {news:?}");
    }
}

/// With a second for an interval its own last advert is on time for longer than it keeps the address.
#[test]
fn a_master_that_gives_way_to_a_stranger_is_not_hollow_itself_fault_33() {
    let mut stage = pair();
    stage.own(VIP);
    stage.play(5000, &[(&advert(A, 200), 0)]);
    stage.disown(VIP);
    stage.idle(5050);
    for step in 0..14 {
        stage.hear(&forged(OWN, 250));
        stage.idle(5050 + (step + 1) * 100);
    }
    assert!(!stage.verdicts().contains(&"no_master"), "{:?}", stage.events);
}

/// keepalived takes what comes from its own address for an equal's, by IPv6, and sends nothing itself.
#[test]
fn a_master_that_its_own_adverts_mute_when_they_are_played_back_is_not_blamed() {
    let mut stage = master();
    for step in 0..60 {
        stage.frame(PacketKind::Multicast, Seen::Advert(advert(A, 200)));
        stage.idle(5000 + (step + 1) * 100);
    }
    stage.expect(Verdict::Degraded, &[Cause::HollowMaster]);
    let finding = stage.router().findings[0].clone();
    assert_eq!(finding.node.as_deref(), Some(&*mac(A).to_string()), "{finding:?}");
    assert!(stage.events.iter().all(|e| !e.causes.contains(&Cause::MutedMaster)), "{:?}", stage.events);
}

/// They come back within a moment: over a bridge, or another of its cards.
#[test]
fn a_masters_adverts_that_come_back_at_once_are_its_own_fault_32() {
    let mut stage = master();
    for step in 0..5 {
        stage.hear(&advert(A, 200));
        stage.idle(5002 + step * 1000);
        stage.frame(PacketKind::Multicast, Seen::Advert(advert(A, 200)));
        stage.idle(5000 + (step + 1) * 1000);
    }
    stage.expect(Verdict::Healthy, &[]);
}

/// This node looks on while its peer obeys a stranger for a moment, which the peer does not say at once.
#[test]
fn a_peer_that_gave_way_to_a_stranger_for_a_moment_is_not_hollow_fault_33() {
    let mut stage = backup();
    stage.play(8000, &[(&advert(B, 200), 1000)]);
    stage.answers.clear();
    stage.play(9300, &[(&forged(OWN, 250), 100)]);
    for _ in 0..20 {
        stage.says(vec![Reported { held: Vec::new(), ..sending(true, 8000) }]);
        stage.idle(stage.now + 100);
    }
    let blames = |e: &&Event| !e.causes.is_empty() && !e.reason.contains(&X.to_string());
    assert!(!stage.events.iter().any(|e| blames(&e)), "{:#?}", stage.events);
}

/// It is asked once more before it is said to hold in silence.
#[test]
fn what_a_host_answered_before_it_fell_silent_does_not_say_that_it_holds_still_fault_14() {
    let fast = Interval::CentiSeconds(CentiSeconds(10));
    let b = Advert { interval: fast, version: Version::V3, ..advert(B, 200) };
    for phase in 0..10 {
        let mut stage = pair();
        stage.answers = vec![mac(B)];
        stage.play(5000 + phase * 100, &[(&b, 0)]);
        stage.answers.clear();
        stage.idle(stage.now + 2000);
        stage.expect(Verdict::NoMaster, &[]);
        assert!(stage.events.iter().all(|e| e.causes.is_empty()), "{phase}: {:#?}", stage.events);
    }
}

/// What its report lacks it may have only since.
#[test]
fn one_that_is_named_or_not_disowned_yet_is_a_split_and_no_stranger() {
    let split = |stage: &mut Stage, other: &Advert| {
        stage.play(stage.now + 3000, &[(&advert(A, 200), 100), (other, 200)]);
        assert_eq!(stage.router().verdict, Verdict::SplitBrain, "{:#?}", stage.router());
    };
    let named = Expected { unicast_peers: vec![ip(OWN)], ..expected() };
    let peer = Peer { name: "lb02".into(), address: ip(B), vrrp_addresses: vec![], urls: vec!["http://lb02".into()] };
    let mut stage = Stage::member_with(Settings { peers: vec![peer], routers: vec![named], ..Settings::default() });
    stage.own(VIP);
    stage.says(vec![quiet()]);
    split(&mut stage, &forged(OWN, 100));

    let by_virtual = Advert { mac: Some(VIRTUAL), ..advert(OWN, 100) };
    let mut stage = master();
    split(&mut stage, &by_virtual);
    stage.says(vec![quiet()]);
    stage.play(stage.now + 6000, &[(&advert(A, 200), 100), (&by_virtual, 200)]);
    stage.expect(Verdict::Degraded, &[Cause::HollowMaster]);

    let mut stage = master();
    let mut unsigned = Report::new("lb02".into(), "b".into(), false, at(stage.now)).with_routers(vec![quiet()]);
    unsigned.macs = vec![mac(B)];
    stage.fact(Fact::PeerReport { peer: 0, url: 0, said: Ok(std::sync::Arc::new(unsigned)) });
    split(&mut stage, &forged(B, 100));
}

/// Two others' routers beside the pair's, who are beyond a filter that lets no answers in.
#[test]
fn where_nobody_of_the_cluster_speaks_two_who_advertise_are_a_split() {
    let mut stage = pair();
    let other = Advert { mac: Some(MacAddr(2, 0, 0, 0, 0xba, 0xe)), ..advert("10.9.9.7", 100) };
    stage.own("10.9.9.9");
    stage.play(6000, &[(&forged(OWN, 200), 0), (&other, 300)]);
    assert_eq!(stage.router().verdict, Verdict::SplitBrain, "{:#?}", stage.router());
}

/// The cluster's own master answers from it, too.
#[test]
fn what_the_virtual_mac_answers_says_nothing_of_a_stranger() {
    let mut stage = pair();
    stage.answers = vec![VIRTUAL];
    let (master, other) =
        (Advert { mac: Some(VIRTUAL), ..advert(B, 200) }, Advert { mac: Some(VIRTUAL), ..advert(OWN, 50) });
    stage.play(5000, &[(&master, 0)]);
    stage.expect(Verdict::Healthy, &[]);
    stage.hear(&other);
    stage.says(vec![Reported { held: vec![ip(VIP)], ..sending(true, 5000) }]);
    stage.play(10_000, &[(&master, 0), (&other, 500)]);
    stage.expect(Verdict::Degraded, &[Cause::HollowMaster]);
    assert_eq!(stage.verdicts().iter().filter(|v| **v == "split_brain").count(), 0, "{:?}", stage.events);
}

/// Its own tap may lag behind the wire, it may be blind to the router, or kept from sending.
#[test]
fn a_peer_denies_nothing_before_it_can_know_nor_while_it_is_blind_or_holds_fault_2() {
    let mut stage = master();
    let fast = Advert { interval: Interval::CentiSeconds(CentiSeconds(10)), version: Version::V3, ..advert(B, 100) };
    stage.play(stage.now + 150, &[(&fast, 0)]);
    stage.says(vec![quiet()]);
    stage.play(stage.now + 1000, &[(&advert(A, 200), 0), (&fast, 50)]);
    assert!(stage.events.iter().all(|e| !e.causes.contains(&Cause::HollowMaster)), "{:?}", stage.events);

    let (blind, holds) = (Reported { blind: true, ..quiet() }, Reported { held: vec![ip(VIP)], ..quiet() });
    // The second of its adverts is proof, if its word is; else it has an interval and a half.
    for (said, ms) in [(&blind, 2000), (&holds, 1300)] {
        let mut stage = master();
        stage.hears_beside(said, &advert(B, 100), ms);
        assert_eq!(stage.router().verdict, Verdict::SplitBrain, "{:#?}", stage.router());
    }
}

/// It was master, and may be none since.
#[test]
fn what_a_peer_said_before_both_advertised_does_not_prove_that_it_went_on_fault_1() {
    let mut stage = pair();
    stage.answers = vec![mac(B)];
    stage.play(5000, &[(&advert(B, 100), 0)]);
    stage.says(vec![sending(true, 5000)]);
    stage.idle(5050);
    stage.own(VIP);
    stage.answers.clear();
    stage.play(6400, &[(&advert(A, 200), 50), (&advert(B, 100), 150)]);
    assert!(!stage.verdicts().contains(&"split_brain"), "{:?}", stage.events);
    stage.play(7400, &[(&advert(A, 200), 700), (&advert(B, 100), 800)]);
    assert_eq!(stage.router().verdict, Verdict::SplitBrain);
}

#[test]
fn a_peer_whose_adverts_were_played_back_is_itself_from_its_first_new_advert_on() {
    let mut stage = master();
    stage.hears_beside(&quiet(), &advert(B, 100), 4000);
    let known = |stage: &mut Stage| stage.router().speakers.iter().any(|s| s.peer.as_deref() == Some("lb02"));
    assert!(!known(&mut stage));
    stage.play(stage.now + 6000, &[(&advert(A, 200), 0)]);
    stage.hear(&advert(B, 100));
    assert!(known(&mut stage));
}

/// They are cut from each other, and the stranger speaks on this side of the cut; then the peer answers no more.
#[test]
fn a_stranger_in_the_peers_name_hides_no_partition_fault_4() {
    let mut stage = master();
    let said = Reported { held: vec![ip(VIP)], ..sending(true, 5000) };
    stage.hears_beside(&said, &forged(B, 50), 3000);
    stage.expect(Verdict::SplitBrain, &[Cause::Partition]);
    stage.play(stage.now + 6000, &[(&advert(A, 200), 0), (&forged(B, 50), 50)]);
    stage.expect(Verdict::SplitBrain, &[Cause::Partition]);
}

/// As FRR does by IPv6: what the other says since then counts.
#[test]
fn one_that_takes_hold_before_it_advertises_is_a_split_with_its_first_advert_fault_2() {
    let mut stage = pair();
    stage.answers = vec![mac(B)];
    stage.play(5000, &[(&advert(B, 200), 50)]);
    stage.idle(5010);
    stage.own(VIP);
    stage.play(5500, &[(&advert(B, 200), 40)]);
    stage.says(vec![sending(true, 5500)]);
    stage.idle(5800);
    stage.hear(&advert(A, 100));
    assert_eq!(stage.router().verdict, Verdict::SplitBrain, "{:#?}", stage.router());
}

#[test]
fn to_one_that_looks_on_and_asks_nobody_a_stranger_is_no_second_master_either() {
    let peer = Peer { name: "lb02".into(), address: ip(B), vrrp_addresses: vec![], urls: vec!["http://lb02".into()] };
    let mut stage = Stage::new(Settings { peers: vec![peer], ..Settings::default() });
    stage.says(vec![Reported { held: vec![ip(VIP)], ..sending(true, 0) }]);
    stage.play(6000, &[(&advert(B, 200), 0), (&forged(OWN, 50), 500)]);
    stage.expect(Verdict::Degraded, &[Cause::HollowMaster]);
    assert!(stage.router().findings[0].local.contains("none of its nodes"));
    assert!(!stage.verdicts().contains(&"split_brain"), "{:?}", stage.events);
}
