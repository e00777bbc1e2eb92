//! A node's eyes: the real watcher, fed with what a real one is fed with.

use std::net::IpAddr;
use std::rc::Rc;
use std::sync::Arc;

use crate::detect::{Verdict, Watcher};
use crate::fence::shown;
use crate::observe::{self, Address, Expected, Fact, IfIndex, Link, Peer, Speaking};
use crate::time::{Duration, Instant, WallClock};
use crate::vrrp::{Router, State};
use crate::wire::MacAddr;

use super::frames::{self, Packet};
use super::spec::{Spec, mac, primary};

/// The interface of every node.
pub(super) const INTERFACE: IfIndex = IfIndex(2);

/// The loop turns at least so often, and is late beyond so much.
const HEARTBEAT: Duration = Duration::from_millis(100);
const LATE: Duration = Duration::from_millis(10);
/// After news it turns so soon.
const SOON: Duration = Duration::from_millis(1);
/// Between two talks of watcher and guard.
const TELL_EVERY: Duration = Duration::from_millis(100);

/// The watcher of one node.
#[derive(Debug)]
pub(super) struct Watch {
    watcher: Watcher,
    name: String,
    due: Instant,
    heartbeat: Instant,
    told_at: Instant,
    said: Option<(State, Option<u8>)>,
    /// What it says now, and since when.
    pub verdict: (Verdict, Instant),
}

/// What a turn of the loop led to.
#[derive(Debug, Default)]
pub(super) struct Turned {
    pub probes: Vec<Rc<Packet>>,
    pub test_output: bool,
    pub verdicts: Vec<(&'static str, String)>,
    pub findings: Option<Findings>,
}

/// What the watcher knows and the guard wants.
#[derive(Debug)]
pub(super) struct Findings {
    /// Who else answers for the addresses, each with its newest answer.
    pub answers: Vec<(MacAddr, Instant)>,
    pub anyone: bool,
    pub witness: bool,
}

impl Watch {
    /// One that has seen nothing.
    pub fn new(now: Instant, me: usize, spec: &Spec) -> Self {
        let settings = &spec.nodes[me].settings;
        let expected = Expected {
            name: settings.name.clone(),
            interface: "eth0".into(),
            family: settings.family,
            vrid: settings.vrid,
            addresses: settings.addresses.iter().map(|(address, _)| *address).collect(),
            excluded_addresses: Vec::new(),
            version: Some(settings.version),
            advert_interval: Some(settings.advert_interval),
            auth: Some(settings.auth),
            peers: None,
            unicast_peers: Vec::new(),
            only_known_speakers: false,
        };
        let others = spec.nodes.iter().enumerate().filter(|(node, _)| *node != me);
        let peer = |(node, other): (usize, &super::spec::NodeSpec)| Peer {
            name: other.name.clone(),
            address: primary(settings.family, node),
            vrrp_addresses: Vec::new(),
            urls: Vec::new(),
        };
        let told = observe::Settings {
            node: spec.nodes[me].name.clone(),
            routers: vec![expected],
            peers: others.map(peer).collect(),
            ..observe::Settings::default()
        };
        let mut watcher = Watcher::new(now, WallClock::default(), told);
        let own = Address { interface: INTERFACE, address: primary(settings.family, me), prefix: 64, usable: true };
        watcher.handle(now, &Self::link(me, true));
        watcher.handle(now, &Fact::Address(Address { prefix: if own.address.is_ipv4() { 24 } else { 64 }, ..own }));
        Self {
            watcher,
            name: settings.name.clone(),
            due: now,
            heartbeat: now + HEARTBEAT,
            told_at: now,
            said: None,
            verdict: (Verdict::Unknown, now),
        }
    }

    /// The interface, with or without carrier.
    pub fn link(me: usize, carrier: bool) -> Fact {
        Fact::Link(Link { mac: Some(mac(me)), sniffed: true, carrier, ..Link::plain(INTERFACE, "eth0") })
    }

    /// The virtual address, there or gone.
    pub fn address(address: IpAddr, is_there: bool) -> Fact {
        let interface = INTERFACE;
        if is_there {
            let prefix = if address.is_ipv4() { 32 } else { 128 };
            Fact::Address(Address { interface, address, prefix, usable: true })
        } else {
            Fact::AddressGone { interface, address }
        }
    }

    /// When it wants to turn.
    pub const fn due(&self) -> Instant {
        self.due
    }

    /// Takes in a fact, and turns soon.
    pub fn feed(&mut self, at: Instant, fact: &Fact) {
        self.watcher.handle(at, fact);
        self.due = self.due.min(at + SOON);
    }

    /// The speaker's own part, if it changed.
    pub fn report(&mut self, now: Instant, router: &Router) {
        let says = (router.state(), router.effective_priority());
        if self.said == Some(says) {
            return;
        }
        self.said = Some(says);
        let base = router.settings().priority;
        let speaking = Speaking::new(shown(router.state()), base, router.effective_priority());
        let fact = Fact::Speaking { router: self.name.clone(), report: Some(Arc::new(speaking)) };
        self.feed(now, &fact);
    }

    /// Judges what has come in.
    pub fn turn(&mut self, now: Instant) -> Turned {
        let mut turned = Turned::default();
        if now >= self.heartbeat {
            let late = now.since(self.heartbeat);
            if late > LATE {
                self.watcher.handle(now, &Fact::LoopLate(late));
            }
        }
        self.watcher.handle_timeout(now);
        while let Some(request) = self.watcher.poll_request() {
            match frames::probe(&request) {
                Some(packet) => turned.probes.push(packet),
                None => turned.test_output = true,
            }
        }
        while let Some(event) = self.watcher.poll_event() {
            if event.kind != "verdict" {
                continue;
            }
            let Some(verdict) = event.to.as_deref().and_then(named) else { continue };
            self.verdict = (verdict, now);
            let causes: Vec<&str> = event.causes.iter().map(|cause| cause.as_str()).collect();
            turned.verdicts.push((verdict.as_str(), format!("{} {}", causes.join(","), event.reason)));
        }
        if now.since(self.told_at) >= TELL_EVERY {
            self.told_at = now;
            let around = self.watcher.spoken(now).find(|(name, _)| *name == self.name);
            let (anyone, witness) = self.watcher.reach();
            let answers = around.map(|(_, around)| around.answers).unwrap_or_default();
            turned.findings = Some(Findings { answers, anyone, witness });
        }
        self.heartbeat = now + HEARTBEAT;
        let next = self.watcher.poll_timeout().unwrap_or(self.heartbeat);
        self.due = next.min(self.heartbeat).max(now + SOON);
        turned
    }
}

fn named(word: &str) -> Option<Verdict> {
    let all = [Verdict::Healthy, Verdict::Degraded, Verdict::SplitBrain, Verdict::NoMaster, Verdict::Unknown];
    all.into_iter().find(|verdict| verdict.as_str() == word)
}
