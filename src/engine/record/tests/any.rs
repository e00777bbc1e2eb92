//! Inputs of every kind, over so few names and numbers that they meet.

use std::net::IpAddr;
use std::sync::Arc;

use proptest::option;
pub use proptest::prelude::any;
use proptest::prelude::*;
use proptest::sample::select;

use crate::detect::{Cause, Event};
use crate::engine::record::Input;
use crate::observe::{
    Address, Daemon, DaemonState, Delivered, Expected, Fact, Frame, Heard, Histogram, IfIndex, Leased, Link, LinkKind,
    Mute, PacketKind, Peer, Pledge, Pledged, Promotion, Report, Reported, ReportedFinding, RouterId, Sensor, Sent,
    Settings, Speaking, State, Tap, Target, Told, Tracked, Witness,
};
use crate::time::{CentiSeconds, Duration, Instant, Seconds, WallClock};
use crate::wire::{
    Advert, Arp, ArpOperation, Auth, ChecksumForm, EchoReply, Family, Interval, MacAddr, Neighbour, NeighbourKind,
    OtherProtocol, RejectReason, Rejected, Seen, Version,
};

const VIP: [u8; 4] = [10, 9, 9, 100];

/// An advert like any other.
pub fn advert() -> Advert {
    Advert {
        mac: Some(MacAddr(2, 0, 0, 0, 0, 1)),
        source: [10, 9, 9, 1].into(),
        destination: [224, 0, 0, 18].into(),
        ttl: 255,
        version: Version::V2,
        vrid: 51,
        priority: 100,
        interval: Interval::Seconds(Seconds(1)),
        auth: Auth::None,
        checksum: ChecksumForm::Message,
        addresses: vec![VIP.into()],
    }
}

/// A configured router that authenticates so.
pub fn expected(auth: Auth) -> Expected {
    Expected {
        name: "web".into(),
        interface: "eth2".into(),
        family: Family::V4,
        vrid: 51,
        addresses: vec![VIP.into()],
        excluded_addresses: Vec::new(),
        version: Some(Version::V2),
        advert_interval: Some(Duration::from_secs(1)),
        auth: Some(auth),
        peers: None,
        unicast_peers: vec![[10, 9, 9, 2].into()],
        only_known_speakers: false,
    }
}

fn host() -> impl Strategy<Value = (IpAddr, MacAddr)> {
    (1_u8..4).prop_map(|host| ([10, 9, 9, host].into(), MacAddr(2, 0, 0, 0, 0, host)))
}

fn interface() -> impl Strategy<Value = IfIndex> {
    (2_u32..4).prop_map(IfIndex)
}

fn address() -> impl Strategy<Value = IpAddr> {
    prop_oneof![
        Just(VIP.into()),
        host().prop_map(|(ip, _)| ip),
        any::<u16>().prop_map(|n| IpAddr::from([0xfe80, 0, 0, 0, 0, 0, 0, n]))
    ]
}

fn auth() -> impl Strategy<Value = Auth> {
    select(vec![
        Auth::None,
        Auth::Password(*b"geheim11"),
        Auth::Password(*b"anders22"),
        Auth::Header,
        Auth::HmacTrailer,
    ])
}

fn family() -> impl Strategy<Value = Family> {
    select(vec![Family::V4, Family::V6])
}

fn words() -> impl Strategy<Value = String> {
    select(vec!["", "eth2", "a \"quoted\" one", "Büro\n\u{1b}"]).prop_map(str::to_owned)
}

fn duration() -> impl Strategy<Value = Duration> {
    (0_u64..5_000_000_000).prop_map(Duration::from_nanos)
}

fn instant() -> impl Strategy<Value = Instant> {
    any::<u64>().prop_map(Instant::from_nanos)
}

fn adverts() -> impl Strategy<Value = Seen> {
    let interval = prop_oneof![
        (1_u8..4).prop_map(|n| Interval::Seconds(Seconds(n))),
        (10_u16..200).prop_map(|n| Interval::CentiSeconds(CentiSeconds(n)))
    ];
    let form = select(vec![
        ChecksumForm::Message,
        ChecksumForm::PseudoHeader,
        ChecksumForm::MessageOnly,
        ChecksumForm::Invalid,
    ]);
    let numbers = (select(vec![254, 255]), 51_u8..53, select(vec![0, 100, 100, 200, 255]));
    (host(), numbers, interval, auth(), form, select(vec![Version::V2, Version::V3])).prop_map(
        |((source, mac), (ttl, vrid, priority), interval, auth, checksum, version)| {
            let mac = Some(mac);
            Seen::Advert(Advert { mac, source, ttl, vrid, priority, interval, auth, checksum, version, ..advert() })
        },
    )
}

fn seen() -> impl Strategy<Value = Seen> {
    let rejected = (select(RejectReason::ALL.to_vec()), option::of(host()), option::of(any::<u8>())).prop_map(
        |(reason, host, vrid)| {
            let (source, mac) = host.unzip();
            Seen::Rejected(Rejected { reason, mac, source, vrid })
        },
    );
    let arp = (host(), select(vec![ArpOperation::Request, ArpOperation::Reply])).prop_map(|((_, mac), operation)| {
        Seen::Arp(Arp {
            frame_source: mac,
            frame_destination: MacAddr::broadcast(),
            operation,
            sender_mac: mac,
            sender_ip: VIP.into(),
            target_mac: MacAddr::zero(),
            target_ip: VIP.into(),
        })
    });
    let neighbour = (host(), option::of(any::<[bool; 3]>())).prop_map(|((_, mac), flags)| {
        let [source, destination, target] = [1, 2, 3].map(|n| std::net::Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0, 0, n));
        let kind = flags.map_or(NeighbourKind::Solicitation, |[router, solicited, override_]| {
            NeighbourKind::Advertisement { router, solicited, override_ }
        });
        Seen::Neighbour(Neighbour { frame_source: mac, source, destination, target, kind, link_address: Some(mac) })
    });
    let reply = (host(), any::<[u16; 2]>()).prop_map(|((_, mac), [identifier, sequence])| {
        Seen::EchoReply(EchoReply { frame_source: mac, source: VIP.into(), identifier, sequence })
    });
    let other = (host(), any::<u8>(), option::of(any::<u16>())).prop_flat_map(|((source, _), n, group)| {
        select(vec![
            OtherProtocol::Carp { source, vhid: n, advbase: 1, advskew: n },
            OtherProtocol::Hsrp { source, version: 1, group },
            OtherProtocol::Glbp { source, group },
        ])
        .prop_map(Seen::Other)
    });
    prop_oneof![6 => adverts(), 1 => rejected, 2 => arp, 1 => neighbour, 1 => reply, 1 => other, 1 => Just(Seen::Irrelevant)]
}

fn frame() -> impl Strategy<Value = Fact> {
    let kinds = [0, 1, 2, 3, 4, 5].map(PacketKind::from_linux).to_vec();
    (interface(), option::weighted(0.1, 1_u16..3), select(kinds), seen())
        .prop_map(|(interface, vlan, kind, seen)| Fact::Frame(Frame { interface, vlan, kind, seen }))
}

fn link() -> impl Strategy<Value = Fact> {
    let kinds =
        vec![LinkKind::Plain, LinkKind::Veth, LinkKind::Macvlan, LinkKind::Vlan, LinkKind::Bridge, LinkKind::Bond];
    (interface(), any::<[bool; 4]>(), select(kinds), option::of(interface()), option::of(1_u16..3)).prop_map(
        |(index, [up, carrier, protodown, sniffed], kind, parent, vlan)| {
            let mac = Some(MacAddr(2, 0, 0, 0, 0, index.0 as u8));
            let plain = Link::plain(index, &format!("eth{}", index.0));
            Fact::Link(Link { up, carrier, protodown, sniffed, kind, parent, vlan, mac, ..plain })
        },
    )
}

fn reported() -> impl Strategy<Value = Reported> {
    let heard = (host(), any::<bool>(), option::of(any::<(u64, u64)>()), instant()).prop_map(
        |((source, mac), active, delivered, last)| Heard {
            source,
            mac: Some(mac),
            priority: 100,
            active,
            last,
            counts: (7, delivered),
        },
    );
    let sent = (host(), any::<bool>(), instant()).prop_map(|((source, _), active, last)| Sent {
        source,
        priority: 9,
        active,
        last,
    });
    let part = (select(State::ALL.to_vec()), any::<[bool; 2]>(), option::of((any::<u8>(), option::of(any::<u8>()))));
    let finding = words().prop_map(|said| ReportedFinding {
        cause: "firewall_drop".into(),
        local: said.clone(),
        remote: said,
        remedy: String::new(),
    });
    (family(), part, option::of(sent), prop::collection::vec(heard, 0..2), prop::collection::vec(finding, 0..2))
        .prop_map(|(family, (state, [speaks, blind], priority), sends, hears, findings)| Reported {
            name: "web".into(),
            interface: "eth0".into(),
            family,
            vrid: 51,
            addresses: vec![VIP.into()],
            speaks,
            state,
            blind,
            held: vec![VIP.into()],
            priority,
            sends,
            hears,
            daemon: DaemonState::Alive,
            witness: Some(blind),
            findings,
            misdirected: blind,
            pledge: priority.map(|_| Pledged {
                key: "web".into(),
                asks: speaks,
                promise: Some((Instant::ZERO, Duration::from_secs(9))),
            }),
        })
}

fn report() -> impl Strategy<Value = Fact> {
    let mute = (words(), any::<bool>())
        .prop_map(|(why, refused)| if refused { Mute::Refused(why) } else { Mute::Silent(why) });
    let report =
        (any::<bool>(), instant(), prop::collection::vec(reported(), 0..3)).prop_map(|(signed, as_of, routers)| {
            let mut report = Report::new("lb02".into(), "b00t".into(), signed, as_of).with_routers(routers);
            (report.addresses, report.macs) = (vec![VIP.into()], vec![MacAddr(2, 0, 0, 0, 0, 2)]);
            Arc::new(report)
        });
    let said = prop_oneof![mute.prop_map(Err), report.prop_map(Ok)];
    (0_usize..2, 0_usize..2, said).prop_map(|(peer, url, said)| Fact::PeerReport { peer, url, said })
}

fn told() -> impl Strategy<Value = Fact> {
    let told =
        (family(), auth(), option::of(words()), duration()).prop_map(|(family, auth, interface, interval)| Told {
            interface,
            family,
            vrid: 51,
            addresses: vec![VIP.into()],
            version: Version::V2,
            interval,
            auth,
            unicast: false,
        });
    prop::collection::vec(told, 0..3).prop_map(|told| Fact::Told(told.into()))
}

fn speaking() -> impl Strategy<Value = Fact> {
    let tracked = (words(), option::of(any::<bool>()), any::<i16>()).prop_map(|(name, up, weight)| Tracked {
        name,
        kind: "check".into(),
        up,
        weight,
    });
    let leased = (any::<[bool; 3]>(), option::of(instant()), option::of(words())).prop_map(
        |([up, excused, promised], until, holder)| {
            let pledge = until.map(|_| Pledge { key: "web".into(), asks_from: until, promised_until: None });
            Leased { up, until, holder: holder.clone(), excused, promised, trouble: holder, pledge }
        },
    );
    let part = (select(State::ALL.to_vec()), any::<u8>(), option::of(any::<u8>()), option::of(words()));
    (part, prop::collection::vec(tracked, 0..2), option::of(leased), any::<(f64, u64)>()).prop_map(
        |((state, base, effective, fenced), tracks, arbiter, (seconds, count))| {
            let mut fence_durations = Histogram::default();
            fence_durations.observe(&crate::observe::FENCE_BUCKETS, seconds.abs());
            let report = Speaking {
                state,
                base,
                effective,
                tracks,
                fenced,
                back_at: Some(Instant::from_nanos(count)),
                gate_open: Some(true),
                gate_lacks: None,
                address_lifetime: Some(Duration::from_nanos(count)),
                fences: vec![("operator".into(), count)],
                fence_durations,
                garp_sent: count,
                priority_zero_sent: 0,
                notify_failures: 0,
                promotion: Promotion { asked: count, answered: 0, held_off: count },
                arbiter,
            };
            Fact::Speaking { router: "web".into(), report: (base > 50).then(|| Arc::new(report)) }
        },
    )
}

fn sensor() -> impl Strategy<Value = Fact> {
    let sensors = [
        Sensor::Capture,
        Sensor::Carrier,
        Sensor::Arp,
        Sensor::Delivered,
        Sensor::Netlink,
        Sensor::Loop,
        Sensor::Table,
    ];
    (select(sensors.to_vec()), option::of(interface()), option::of(words()))
        .prop_map(|(sensor, interface, why)| Fact::Sensor { sensor, interface, state: why.map_or(Ok(()), Err) })
}

/// A fact of any kind.
fn fact() -> impl Strategy<Value = Fact> {
    let delivered = (interface(), select(vec![Tap::Ip, Tap::Raw]), host(), 51_u8..53)
        .prop_map(|(interface, tap, (source, _), vrid)| Fact::Delivered(Delivered { interface, tap, source, vrid }));
    let states = [DaemonState::Absent, DaemonState::Alive, DaemonState::Frozen, DaemonState::Unknown];
    let daemon = (family(), select(states.to_vec())).prop_map(|(family, state)| Fact::Daemon(Daemon { family, state }));
    let own = (interface(), address(), any::<bool>())
        .prop_map(|(interface, address, usable)| Fact::Address(Address { interface, address, prefix: 24, usable }));
    let gone = (interface(), address()).prop_map(|(interface, address)| Fact::AddressGone { interface, address });
    let output = (interface(), family(), any::<bool>()).prop_map(|(interface, family, blocked)| Fact::OutputTest {
        interface,
        family,
        blocked,
    });
    let target = prop_oneof![(0_usize..2).prop_map(Target::Peer), (0_usize..2).prop_map(Target::Witness)];
    let ping = (target, option::of(duration())).prop_map(|(target, rtt)| Fact::Ping { target, rtt });
    let capture = (interface(), 0..u64::from(u32::MAX), select(vec![0, 0, 0, 5]))
        .prop_map(|(interface, frames, dropped)| Fact::Capture { interface, frames, dropped });
    prop_oneof![
        20 => frame(),
        3 => delivered,
        3 => link(),
        1 => interface().prop_map(Fact::LinkGone),
        3 => own,
        1 => gone,
        1 => daemon,
        1 => output,
        1 => family().prop_map(Fact::NeighboursFull),
        2 => ping,
        2 => report(),
        1 => told(),
        1 => capture,
        1 => sensor(),
        1 => duration().prop_map(Fact::LoopLate),
        1 => any::<Option<u32>>().prop_map(|interface| Fact::TapOverrun(interface.map(IfIndex))),
        1 => speaking(),
    ]
}

/// Settings with and without routers, peers and witnesses.
pub fn settings() -> impl Strategy<Value = Settings> {
    let router = auth().prop_map(expected);
    (option::of(router), any::<[bool; 4]>(), duration()).prop_map(
        |(router, [discover, passive, peer, witness], probe_interval)| {
            let peer = peer.then(|| Peer {
                name: "lb02".into(),
                address: [10, 9, 9, 2].into(),
                vrrp_addresses: vec![[10, 9, 9, 3].into()],
                urls: vec!["http://10.9.9.2:10112".into()],
            });
            let witness = witness.then(|| Witness { name: "gateway".into(), address: [10, 9, 9, 3].into() });
            Settings {
                node: "lb01".into(),
                discover,
                passive,
                probe_interval,
                routers: router.into_iter().collect(),
                peers: peer.into_iter().collect(),
                witnesses: witness.into_iter().collect(),
                ..Settings::default()
            }
        },
    )
}

fn event() -> impl Strategy<Value = Event> {
    (instant(), words(), option::of(select(Cause::ALL.to_vec())), option::of(words())).prop_map(
        |(at, reason, cause, from)| Event {
            at,
            router: "web".into(),
            vip: Some(VIP.into()),
            id: Some(id()),
            kind: "state".into(),
            from,
            to: Some("master".into()),
            causes: cause.into_iter().collect(),
            evidence: vec![reason.clone()],
            reason,
        },
    )
}

fn id() -> RouterId {
    RouterId { interface: "eth2".into(), vlan: None, family: Family::V4, vrid: 51 }
}

/// Anything that is done to a watcher after its start.
pub fn input() -> impl Strategy<Value = Input> {
    prop_oneof![
        20 => fact().prop_map(|fact| Input::Fact(Box::new(fact))),
        5 => Just(Input::Turn),
        1 => Just(Input::Judge),
        1 => settings().prop_map(|settings| Input::Settings(Box::new(settings))),
        1 => any::<i64>().prop_map(|origin_unix_nanos| Input::Clock(WallClock { origin_unix_nanos })),
        1 => Just(Input::Forget(id())),
        1 => event().prop_map(|event| Input::Event(Box::new(event))),
    ]
}
