//! The core on scripted facts: no socket, no clock, the whole of observe and detect.

mod bounds;
mod elections;
mod holders;
mod liars;
mod second;
mod silence;
mod strangers;

use std::net::IpAddr;

use super::*;
use crate::observe::*;
use crate::time::{CentiSeconds, Duration, Instant, Seconds, WallClock};
use crate::wire::*;

const ETH0: IfIndex = IfIndex(2);
const VIP: &str = "10.9.9.100";
const A: &str = "10.9.9.1";
const B: &str = "10.9.9.2";
const VIRTUAL: MacAddr = MacAddr(0, 0, 0x5e, 0, 1, 51);

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

/// A `[[router]]` for it.
fn expected() -> Expected {
    Expected {
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
        unicast_peers: vec![],
        only_known_speakers: false,
    }
}

fn eth0() -> Link {
    Link { mac: Some(mac(A)), sniffed: true, ..Link::plain(ETH0, "eth0") }
}

/// One of the VIP, unasked, by ARP.
fn announcement(by: MacAddr) -> Seen {
    let vip = VIP.parse().unwrap();
    Seen::Arp(Arp {
        frame_source: by,
        frame_destination: MacAddr::broadcast(),
        operation: ArpOperation::Request,
        sender_mac: by,
        sender_ip: vip,
        target_mac: MacAddr::zero(),
        target_ip: vip,
    })
}

/// One of another address.
fn takes(by: MacAddr, address: &str) -> Seen {
    let Seen::Arp(arp) = announcement(by) else { unreachable!("it is one by ARP") };
    let address = address.parse().unwrap();
    Seen::Arp(Arp { sender_ip: address, target_ip: address, ..arp })
}

/// A node's eyes: this host is `10.9.9.1`, unless it is an observer with no address at all.
struct Stage {
    now: u64,
    watcher: Watcher,
    events: Vec<Event>,
    /// Who answers ARP for the VIP.
    answers: Vec<MacAddr>,
    /// Who answers ARP for the speakers' own addresses.
    own_answers: Vec<(IpAddr, MacAddr)>,
    /// The MAC that answers come from, where it is not the one that they name.
    answers_from: Option<MacAddr>,
    /// Whether the kernel's further taps see what the wire brings.
    delivers: [bool; 2],
    output_blocked: bool,
    /// How the local daemon is, whenever that is looked at.
    daemon: DaemonState,
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
            own_answers: Vec::new(),
            answers_from: None,
            delivers: [true; 2],
            output_blocked: false,
            daemon: DaemonState::Unknown,
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
        self.daemon = state;
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
                let own = self.own_answers.iter().filter(|(address, _)| *address == target).map(|(_, mac)| *mac);
                let answers = if target == ip(VIP) { self.answers.clone() } else { own.collect() };
                for answer in answers {
                    let reply = Arp {
                        frame_source: self.answers_from.unwrap_or(answer),
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
            Request::Daemon { family } => self.fact(Fact::Daemon(Daemon { family, state: self.daemon })),
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
