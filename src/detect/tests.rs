//! The core on scripted facts: no socket, no clock, the whole of observe and detect.

use std::net::IpAddr;

use super::*;
use crate::observe::*;
use crate::time::{CentiSeconds, Duration, Instant, Seconds, WallClock};
use crate::wire::*;

const ETH0: IfIndex = IfIndex(2);
const VIP: &str = "10.9.9.100";
const A: &str = "10.9.9.1";
const B: &str = "10.9.9.2";

fn at(ms: u64) -> Instant {
    Instant::from_nanos(3_600_000_000_000 + ms * 1_000_000)
}

fn ip(text: &str) -> IpAddr {
    text.parse().unwrap()
}

fn mac(source: &str) -> MacAddr {
    MacAddr(2, 0, 0, 0, 0, source.bytes().last().unwrap() - b'0')
}

fn advert(source: &str, priority: u8) -> Advert {
    Advert {
        mac: Some(mac(source)),
        source: ip(source),
        destination: ip("224.0.0.18"),
        ttl: 255,
        version: Version::V2,
        vrid: 51,
        priority,
        interval: Interval::Seconds(Seconds(1)),
        auth: Auth::None,
        checksum: ChecksumForm::Message,
        addresses: vec![ip(VIP)],
    }
}

fn eth0() -> Link {
    Link {
        index: ETH0,
        name: "eth0".into(),
        mac: Some(mac(A)),
        up: true,
        carrier: true,
        protodown: false,
        kind: LinkKind::Plain,
        master: None,
        parent: None,
        vlan: None,
        sniffed: true,
    }
}

/// A node's eyes: this host is `10.9.9.1`, unless it is an observer with no address at all.
struct Stage {
    now: u64,
    watcher: Watcher,
    events: Vec<Event>,
    /// Who answers ARP for the VIP.
    answers: Vec<MacAddr>,
    /// Whether the kernel's further taps see what the wire brings.
    delivers: [bool; 2],
    output_blocked: bool,
    requests: Vec<(u64, Request)>,
}

impl Stage {
    fn new(settings: Settings) -> Self {
        let settings = Settings { node: "lb01".into(), ..settings };
        let mut stage = Self {
            now: 0,
            watcher: Watcher::new(at(0), WallClock::default(), settings),
            events: Vec::new(),
            answers: Vec::new(),
            delivers: [true; 2],
            output_blocked: false,
            requests: Vec::new(),
        };
        stage.fact(Fact::Link(eth0()));
        stage
    }

    /// A member: it has an address and a running daemon.
    fn member() -> Self {
        Self::member_with(Settings::default())
    }

    fn member_with(settings: Settings) -> Self {
        let mut stage = Self::new(settings);
        stage.own(A);
        stage.daemon(DaemonState::Alive);
        stage
    }

    fn fact(&mut self, fact: Fact) {
        self.watcher.handle(at(self.now), &fact);
        self.turn();
    }

    fn own(&mut self, address: &str) {
        let address = Address { interface: ETH0, address: ip(address), prefix: 24, usable: true };
        self.fact(Fact::Address(address));
    }

    fn disown(&mut self, address: &str) {
        self.fact(Fact::AddressGone { interface: ETH0, address: ip(address) });
    }

    fn daemon(&mut self, state: DaemonState) {
        self.fact(Fact::Daemon(Daemon { family: Family::V4, state }));
    }

    fn frame(&mut self, kind: PacketKind, seen: Seen) {
        self.fact(Fact::Frame(Frame { interface: ETH0, vlan: None, kind, seen }));
    }

    fn hear(&mut self, advert: &Advert) {
        let local = advert.source == ip(A);
        let kind = if local { PacketKind::Outgoing } else { PacketKind::Multicast };
        self.frame(kind, Seen::Advert(advert.clone()));
        for tap in [Tap::Ip, Tap::Raw] {
            if !local && self.delivers[tap as usize] {
                let fact = Delivered { interface: ETH0, tap, source: advert.source, vrid: advert.vrid };
                self.fact(Fact::Delivered(fact));
            }
        }
    }

    fn turn(&mut self) {
        self.watcher.handle_timeout(at(self.now));
        while let Some(request) = self.watcher.poll_request() {
            self.requests.push((self.now, request));
            self.respond(request);
        }
        while let Some(event) = self.watcher.poll_event() {
            self.events.push(event);
        }
    }

    fn respond(&mut self, request: Request) {
        match request {
            Request::Arp { sender_mac, sender_ip, target, .. } => {
                for answer in self.answers.clone() {
                    let reply = Arp {
                        frame_source: answer,
                        frame_destination: sender_mac,
                        operation: ArpOperation::Reply,
                        sender_mac: answer,
                        sender_ip: target,
                        target_mac: sender_mac,
                        target_ip: sender_ip,
                    };
                    self.frame(PacketKind::Host, Seen::Arp(reply));
                }
            }
            Request::OutputTest { interface, family } => {
                let blocked = self.output_blocked;
                self.fact(Fact::OutputTest { interface, family, blocked });
            }
            Request::Neighbour { .. } | Request::Echo { .. } => {}
        }
    }

    /// Lets time pass until `until` ms, in which each of the speakers advertises at its phase and interval.
    fn play(&mut self, until: u64, speakers: &[(&Advert, u64)]) {
        let start = self.now;
        let mut due: Vec<(u64, &Advert)> = Vec::new();
        for (advert, phase) in speakers {
            let every = u64::try_from(Duration::from(advert.interval).as_millis()).unwrap();
            let times = (0..).map(|i| start + phase + i * every).take_while(|t| *t <= until);
            due.extend(times.map(|t| (t, *advert)));
        }
        due.sort_by_key(|(t, _)| *t);
        for (t, advert) in due {
            self.idle(t);
            self.hear(advert);
        }
        self.idle(until);
    }

    /// Lets time pass in silence.
    fn idle(&mut self, until: u64) {
        while let Some(next) = self.watcher.poll_timeout().filter(|next| *next <= at(until)) {
            let ms = next.as_nanos().saturating_sub(at(0).as_nanos()).div_ceil(1_000_000);
            if ms > until {
                break;
            }
            self.now = self.now.max(ms);
            self.turn();
        }
        self.now = until;
        self.turn();
    }

    fn router(&mut self) -> std::sync::Arc<RouterView> {
        let snapshot = self.watcher.snapshot(at(self.now));
        assert_eq!(snapshot.routers.len(), 1, "{:?}", snapshot.routers);
        snapshot.routers[0].clone()
    }

    #[track_caller]
    fn expect(&mut self, verdict: Verdict, causes: &[Cause]) {
        let router = self.router();
        assert_eq!((router.verdict, router.causes().as_slice()), (verdict, causes), "at {} ms: {router:#?}", self.now);
    }

    /// The verdicts that were ever given.
    fn verdicts(&self) -> Vec<&str> {
        self.events.iter().filter(|e| e.kind == "verdict").filter_map(|e| e.to.as_deref()).collect()
    }
}

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

#[test]
fn a_claimant_is_stale_if_it_spoke_stray_if_it_is_a_silent_peer_and_foreign_if_nobody_knows_it_faults_14_16_18() {
    let peer = Peer { name: "lb02".into(), address: ip("10.9.9.4"), vrrp_addresses: vec![] };
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
    let expected = |advert_interval| Expected {
        name: "web".into(),
        interface: "eth0".into(),
        family: Family::V4,
        vrid: 51,
        addresses: vec![ip(VIP)],
        excluded_addresses: vec![],
        version: None,
        advert_interval,
        auth: None,
        peers: None,
        unicast_peers: vec![],
        only_known_speakers: false,
    };
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
fn a_backups_second_mac_is_no_claim_where_adverts_come_from_the_virtual_mac_fault_19() {
    let mut stage = Stage::member();
    let mut frr = advert(B, 200);
    frr.mac = Some(MacAddr(0, 0, 0x5e, 0, 1, 51));
    stage.answers = vec![MacAddr(0, 0, 0x5e, 0, 1, 51), mac("10.9.9.3")];
    stage.play(10000, &[(&frr, 0)]);
    stage.expect(Verdict::Healthy, &[]);
    assert_eq!(stage.verdicts(), ["healthy"]);
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
    let expected = Expected {
        name: "web".into(),
        interface: "eth0".into(),
        family: Family::V4,
        vrid: 51,
        addresses: vec![ip(VIP)],
        excluded_addresses: vec![],
        version: None,
        advert_interval: Some(Duration::from_secs(1)),
        auth: None,
        peers: None,
        unicast_peers: vec![ip(B)],
        only_known_speakers: true,
    };
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
    assert!(next.watcher.forget(at(10000), "10.9.9.100/51"));
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
