//! Snapshots built by hand: the same scenes for the tests of metrics, JSON and page, and for the scrape benchmark.
#![allow(dead_code, reason = "each test and bench uses its share")]

use std::net::IpAddr;
use std::sync::Arc;

use arc_swap::ArcSwap;
use tokio::sync::mpsc;
use vipwarden::detect::{
    AddressView, CaptureView, Cause, Event, Evidence, FENCE_BUCKETS, Finding, Histogram, Holder, PeerView,
    RejectedView, Role, RouterView, SensorView, Snapshot, SpeakerView, Speaking, State, Tracked, Verdict, WitnessView,
};
use vipwarden::engine::{EventLog, Identity, Shared, View};
use vipwarden::observe::{DaemonState, Leased, Pledge, Promotion, Reach, Report, Reported, RouterId, Sensor, Tap};
use vipwarden::sys::clock;
use vipwarden::time::{Duration, Instant};
use vipwarden::wire::{Family, MacAddr, OtherProtocol, RejectReason};

pub const MAC_A: MacAddr = MacAddr(0x02, 0, 0, 0, 0, 0xaa);
pub const MAC_B: MacAddr = MacAddr(0x02, 0, 0, 0, 0, 0xbb);

pub fn ip(text: &str) -> IpAddr {
    text.parse().unwrap()
}

fn ago(seconds: f64) -> Instant {
    clock::now() - Duration::from_secs_f64(seconds)
}

/// What the edge reads, around `snapshot`.
pub fn shared(snapshot: Snapshot) -> Shared {
    let started = ago(3600.0);
    let identity = Identity {
        node: "lb01".into(),
        version: "0.1.0",
        revision: "unknown",
        boot_id: "0123456789abcdef0123456789abcdef".into(),
        started,
    };
    let mut view =
        View { last_turn: clock::now(), loop_lag: Default::default(), reload_ok: true, reloaded_at: started, snapshot };
    view.loop_lag.observe(&vipwarden::engine::LAG_BUCKETS, 0.0002);
    Shared {
        identity: Arc::new(identity),
        view: Arc::new(ArcSwap::from_pointee(view)),
        events: Arc::new(EventLog::new(8)),
        commands: mpsc::channel(1).0,
        certificate_expires: Arc::new(arc_swap::ArcSwapOption::from_pointee(4_102_444_800)),
        seal: Arc::default(),
    }
}

/// A node that sees, and knows no router.
pub fn empty() -> Snapshot {
    let sensor =
        |sensor, interface: &str| SensorView { sensor, interface: interface.into(), state: Ok(()), since: ago(3000.0) };
    Snapshot {
        at: clock::now(),
        clock: clock::wall(),
        routers: Vec::new(),
        peers: Vec::new(),
        witnesses: Vec::new(),
        sensors: vec![
            sensor(Sensor::Capture, "eth0"),
            sensor(Sensor::Carrier, "eth0"),
            sensor(Sensor::Arp, "eth0"),
            sensor(Sensor::Netlink, ""),
            sensor(Sensor::Loop, ""),
        ],
        captures: vec![CaptureView { interface: "eth0".into(), frames: 7210, dropped: 0 }],
        addresses: vec![ip("10.0.0.5"), ip("192.168.1.100")],
        macs: vec![MAC_A],
        daemons: vec![(Family::V4, DaemonState::Alive), (Family::V6, DaemonState::Absent)],
        rejected: Vec::new(),
        table_full: vec![("routers", 0), ("speakers", 0)],
        others: Vec::new(),
    }
}

/// `empty` with these routers, a peer and a witness.
pub fn with(routers: Vec<RouterView>) -> Snapshot {
    let mut reach = Reach::new("lb02", ip("10.0.0.6"));
    reach.ping(ago(0.1), Some(Duration::from_micros(400)));
    (reach.probes, reach.lost) = (12, 1);
    let mut snapshot = empty();
    snapshot.routers = routers.into_iter().map(Arc::new).collect();
    snapshot.peers =
        vec![PeerView { reach, api: Some(true), trusted: true, trouble: None, report: Some(Arc::new(report())) }];
    snapshot.witnesses = vec![WitnessView {
        name: "gateway".into(),
        address: ip("10.0.0.1"),
        ping: Some(true),
        up: Some(true),
        interfaces: vec![("eth0".into(), true)],
    }];
    snapshot
}

/// What the peer says: it knows of the first address, and is a backup.
fn report() -> Report {
    let router = Reported { interface: "ens3".into(), ..Reported::backup(Family::V4, 51, vec![ip("192.168.1.100")]) };
    Report::new("lb02".into(), "fedcba98".into(), true, ago(0.4)).with_routers(vec![router])
}

/// A speaker; `local` is this node.
pub fn speaker(source: &str, local: bool, master: bool, priority: u8) -> SpeakerView {
    SpeakerView {
        source: ip(source),
        peer: (!local).then(|| "lb02".into()),
        mac: Some(if local { MAC_A } else { MAC_B }),
        local,
        master,
        version: 2,
        priority,
        interval: Duration::from_secs(1),
        auth: "password",
        last_advert: ago(0.3),
        addresses: vec![ip("192.168.1.100")],
        received: 252,
        missed: 3,
        delivered: (!local).then_some([(Tap::Ip, 252), (Tap::Raw, 0)]),
    }
}

fn holder(node: &str, here: bool, how: &[&'static str]) -> Holder {
    Holder { node: Some(node.into()), here, mac: Some(if here { MAC_A } else { MAC_B }), how: how.to_vec() }
}

/// A member's router whose one master is this node.
pub fn healthy() -> RouterView {
    let mut gaps = vipwarden::detect::Histogram::default();
    gaps.observe(&vipwarden::detect::GAP_BUCKETS, 1.0);
    gaps.observe(&vipwarden::detect::GAP_BUCKETS, 9.0);
    RouterView {
        name: "web".into(),
        vip: Some(ip("192.168.1.100")),
        interface: "eth0".into(),
        vlan: None,
        family: Family::V4,
        vrid: 51,
        configured: true,
        role: Role::Member,
        version: Some(2),
        state: State::Master,
        state_transitions: [0, 1, 1, 0, 0],
        verdict: Verdict::Healthy,
        since: ago(252.0),
        blind: false,
        witness: Some(true),
        split_brain: false,
        no_master: false,
        findings: Vec::new(),
        evidence: vec![Evidence {
            kind: "advert",
            at: ago(0.3),
            says: "this node advertises priority 200 and holds 192.168.1.100".into(),
        }],
        masters: vec![ip("10.0.0.5")],
        holders: vec![holder("lb01", true, &["netlink", "advert", "arp"])],
        speakers: vec![speaker("10.0.0.5", true, true, 200), speaker("10.0.0.6", false, false, 100)],
        addresses: vec![AddressView {
            address: ip("192.168.1.100"),
            owned: true,
            held: Some(ago(252.0)),
            claimants: Some(vec![MAC_A]),
            misdirected: false,
            announced: Some(MAC_A),
        }],
        split_brain_episodes: 0,
        episodes: Vec::new(),
        split_brain_time: Duration::ZERO,
        takeover_overlap: Duration::from_millis(3),
        master_transitions: 1,
        last_transition: Some(ago(252.0)),
        adverts_sent: 250,
        priority_zero_received: 1,
        gaps,
        speaking: None,
    }
}

/// Two masters, because the peer's firewall drops our adverts.
pub fn split_brain() -> RouterView {
    let mut router = healthy();
    router.verdict = Verdict::SplitBrain;
    router.split_brain = true;
    router.split_brain_episodes = 1;
    router.split_brain_time = Duration::from_secs(252);
    router.masters.push(ip("10.0.0.6"));
    router.holders.push(holder("lb02", false, &["advert", "arp"]));
    router.speakers[1].master = true;
    router.addresses[0].claimants = Some(vec![MAC_A, MAC_B]);
    router.findings = vec![Finding {
        cause: Cause::FirewallDrop,
        node: Some("lb02".into()),
        here: false,
        local: "adverts of priority 200 leave eth0".into(),
        remote: "lb02 goes on advertising 100: it does not hear them".into(),
        remedy: "nft insert rule inet filter input ip protocol 112 accept".into(),
    }];
    router.evidence.push(Evidence {
        kind: "arp",
        at: ago(0.1),
        says: "02:00:00:00:00:aa and 02:00:00:00:00:bb answer for 192.168.1.100".into(),
    });
    router
}

/// Nobody serves.
pub fn no_master() -> RouterView {
    let mut router = healthy();
    (router.name, router.vrid, router.vip) = ("db".into(), 52, Some(ip("192.168.1.101")));
    router.verdict = Verdict::NoMaster;
    router.state = State::Backup;
    router.no_master = true;
    router.masters.clear();
    router.holders.clear();
    router.speakers = vec![SpeakerView { last_advert: ago(40.0), ..speaker("10.0.0.6", false, false, 100) }];
    router.addresses[0] = AddressView {
        address: ip("192.168.1.101"),
        owned: false,
        held: None,
        claimants: Some(Vec::new()),
        misdirected: true,
        announced: None,
    };
    router
}

/// Something else than health, proven.
pub fn degraded() -> RouterView {
    let mut router = healthy();
    (router.name, router.vrid, router.vip) = ("mail".into(), 53, Some(ip("192.168.1.102")));
    router.verdict = Verdict::Degraded;
    router.findings = vec![Finding {
        cause: Cause::AuthMismatch,
        node: None,
        here: false,
        local: "password".into(),
        remote: "none".into(),
        remedy: "give both nodes the same authentication".into(),
    }];
    router
}

/// Of which nothing can be said.
pub fn unknown() -> RouterView {
    let mut router = healthy();
    (router.name, router.vrid, router.vip) = ("2001:db8::100/54".into(), 54, Some(ip("2001:db8::100")));
    (router.family, router.vlan) = (Family::V6, Some(100));
    router.verdict = Verdict::Unknown;
    router
}

/// A master that this daemon itself is; one of the things that it tracks is down.
pub fn speaking() -> RouterView {
    let tracked =
        |name: &str, kind: &'static str, up, weight| Tracked { name: name.into(), kind: kind.into(), up, weight };
    let mut router = healthy();
    (router.name, router.vrid, router.vip) = ("api".into(), 55, Some(ip("192.168.1.103")));
    router.addresses[0].address = ip("192.168.1.103");
    router.speaking = Some(Arc::new(Speaking {
        state: State::Master,
        base: 200,
        effective: Some(180),
        tracks: vec![
            tracked("nginx", "check", Some(false), -20),
            tracked("eth1", "interface", Some(true), 0),
            tracked("/run/drain", "file", None, -50),
        ],
        fenced: None,
        back_at: None,
        gate_open: Some(true),
        gate_lacks: None,
        address_lifetime: Some(Duration::from_secs(4)),
        fences: [("split_brain", 1), ("isolation", 0), ("operator", 0)].map(|(why, n)| (why.into(), n)).into(),
        fence_durations: {
            let mut durations = Histogram::default();
            durations.observe(&FENCE_BUCKETS, 0.0004);
            durations
        },
        garp_sent: 10,
        priority_zero_sent: 2,
        notify_failures: 3,
        promotion: Promotion { asked: 40, answered: 30, held_off: 1 },
        arbiter: Some(Leased {
            up: true,
            until: Some(clock::now() + Duration::from_secs(3600)),
            holder: Some("lb01".into()),
            excused: false,
            promised: false,
            trouble: None,
            pledge: Some(Pledge { key: "/vipwarden/192.168.1.103/55".into(), asks_from: None, promised_until: None }),
        }),
    }));
    router
}

/// A router that this daemon speaks for and has taken itself out of; the peer serves it.
pub fn fenced() -> RouterView {
    let mut router = speaking();
    (router.name, router.vrid, router.vip) = ("shop".into(), 56, Some(ip("192.168.1.104")));
    router.addresses[0] = AddressView {
        address: ip("192.168.1.104"),
        owned: false,
        held: None,
        claimants: Some(vec![MAC_B]),
        misdirected: false,
        announced: Some(MAC_A),
    };
    router.evidence[0].says = "10.0.0.6 advertises priority 100".into();
    router.state = State::Fenced;
    router.masters = vec![ip("10.0.0.6")];
    router.holders = vec![holder("lb02", false, &["advert", "arp"])];
    router.speakers = vec![speaker("10.0.0.6", false, true, 100)];
    let speaking = Arc::make_mut(router.speaking.as_mut().unwrap());
    speaking.state = State::Fenced;
    speaking.effective = None;
    speaking.tracks[1].up = Some(false);
    (speaking.gate_open, speaking.back_at) = (Some(false), Some(clock::now() + Duration::from_secs(3600)));
    speaking.arbiter = None;
    speaking.fenced = Some("split brain: lb02 holds 192.168.1.104 too, and has the higher priority".into());
    router
}

/// A router that a bystander sees.
pub fn observed(number: u16) -> RouterView {
    let [high, low] = number.to_be_bytes();
    let vip = IpAddr::from([10, 9, high, low]);
    let mut router = healthy();
    router.name = format!("{vip}/7");
    (router.vip, router.vlan, router.vrid) = (Some(vip), Some(number % 4000 + 1), 7);
    (router.configured, router.role, router.state) = (false, Role::Observer, State::Init);
    router.speakers = vec![speaker("10.0.0.5", false, true, 200), speaker("10.0.0.6", false, false, 100)];
    router
}

/// A snapshot with one of everything, blind on one interface.
pub fn rich() -> Snapshot {
    let mut snapshot = with(vec![split_brain(), no_master(), degraded(), unknown(), speaking(), fenced(), observed(1)]);
    snapshot.others = vec![
        OtherProtocol::Carp { source: ip("10.0.0.9"), vhid: 3, advbase: 1, advskew: 0 },
        OtherProtocol::Glbp { source: ip("10.0.0.10"), group: None },
    ];
    snapshot.sensors.push(SensorView {
        sensor: Sensor::Carrier,
        interface: "eth1".into(),
        state: Err("eth1 has no carrier: check the cable".into()),
        since: ago(100.0),
    });
    snapshot.rejected = vec![
        RejectedView { interface: "eth0".into(), vrid: Some(51), reason: RejectReason::Checksum, count: 4 },
        RejectedView { interface: "eth0".into(), vrid: None, reason: RejectReason::Truncated, count: 1 },
    ];
    snapshot.witnesses.push(WitnessView {
        name: "silent".into(),
        address: ip("10.0.0.2"),
        ping: None,
        up: None,
        interfaces: Vec::new(),
    });
    snapshot
}

/// Everything that has a name bears one that tries to break out.
pub fn hostile(name: &str) -> Snapshot {
    let mut router = split_brain();
    router.name = name.into();
    router.interface = name.into();
    router.speakers[1].peer = Some(name.into());
    router.holders[1].node = Some(name.into());
    let finding = &mut router.findings[0];
    finding.node = Some(name.into());
    (finding.local, finding.remote, finding.remedy) = (name.into(), name.into(), name.into());
    router.evidence[0].says = name.into();
    let mut fenced = fenced();
    let speaking = Arc::make_mut(fenced.speaking.as_mut().unwrap());
    (speaking.fenced, speaking.tracks[0].name) = (Some(name.into()), name.into());
    (fenced.name, fenced.interface, fenced.holders[0].node) = (name.into(), name.into(), Some(name.into()));
    let mut snapshot = with(vec![router, fenced]);
    snapshot.peers[0].reach.name = name.into();
    snapshot.peers[0].trouble = Some(name.into());
    snapshot.witnesses[0].name = name.into();
    snapshot.captures[0].interface = name.into();
    snapshot.sensors[0] =
        SensorView { sensor: Sensor::Capture, interface: name.into(), state: Err(name.into()), since: ago(1.0) };
    snapshot
}

/// A change of verdict on the first router.
pub fn event(reason: &str) -> Event {
    Event {
        at: clock::now(),
        router: "web".into(),
        vip: Some(ip("192.168.1.100")),
        id: Some(RouterId { interface: "eth0".into(), vlan: Some(100), family: Family::V4, vrid: 51 }),
        kind: "verdict".into(),
        from: Some("healthy".into()),
        to: Some("split_brain".into()),
        reason: reason.into(),
        causes: vec![Cause::FirewallDrop],
        evidence: vec!["10.0.0.6 advertises too".into()],
    }
}
