//! The JSON of version 1 as values: what the daemon serves, the command line reads and `analyze` prints.
//!
//! Version 1 only ever adds fields, and what is an enumeration here may grow: so its words are strings, and a reader
//! skips fields that it doesn't know. The JSON Schemas in `docs/schema` say the same to other languages.

mod peer;
mod speaking;

use std::collections::BTreeMap;
use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::detect::{
    AddressView, Cause, Episode, Evidence, Finding, Holder, RouterView, SensorView, Snapshot, SpeakerView, WitnessView,
};
use crate::engine::{Identity, Logged};
use crate::time::{Duration, Instant, WallClock};
use crate::wire::{MacAddr, OtherProtocol};

pub use peer::{PeerDoc, PeerRouterDoc};
pub use speaking::{ArbiterDoc, FenceDoc, PriorityDoc, TrackDoc};

/// A date, in UTC and whole milliseconds; RFC 3339 in JSON, like `2026-11-20T10:00:00.123Z`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub struct Date(Timestamp);

impl Date {
    /// The date of `at` by `clock`.
    pub fn new(clock: WallClock, at: Instant) -> Self {
        let millis = clock.unix_nanos(at).div_euclid(1_000_000);
        Self(Timestamp::from_millisecond(millis).unwrap_or(Timestamp::UNIX_EPOCH))
    }

    /// How long after `earlier` it is; zero if it is not later.
    pub fn since(self, earlier: Self) -> Duration {
        Duration::try_from(self.0.duration_since(earlier.0)).unwrap_or(Duration::ZERO)
    }
}

impl Date {
    /// The date so long before.
    pub fn before(self, length: Duration) -> Self {
        let length = jiff::SignedDuration::try_from(length).unwrap_or(jiff::SignedDuration::MAX);
        Self(self.0.checked_sub(length).unwrap_or(Timestamp::UNIX_EPOCH))
    }

    /// Without what is less than a second.
    pub fn whole_seconds(self) -> Self {
        Self(Timestamp::from_second(self.0.as_second()).unwrap_or(self.0))
    }
}

impl fmt::Display for Date {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:.3}", self.0)
    }
}

impl FromStr for Date {
    type Err = jiff::Error;
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        text.parse().map(Self)
    }
}

impl TryFrom<String> for Date {
    type Error = jiff::Error;
    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

impl From<Date> for String {
    fn from(date: Date) -> Self {
        date.to_string()
    }
}

/// What `/api/v1/status` answers.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct StatusDoc {
    /// Node name.
    pub node: String,
    /// Version of the daemon.
    pub version: String,
    /// When the view was taken; all ages count from here.
    pub generated_at: Date,
    /// Random for each start.
    pub boot_id: String,
    /// Age of the process.
    pub uptime_seconds: f64,
    /// The worst of all routers, `unknown` while a sensor is blind and nothing worse is proven.
    pub verdict: String,
    /// Every virtual router.
    pub routers: Vec<RouterDoc>,
    /// Peers.
    pub peers: Vec<PeerDoc>,
    /// Witnesses.
    pub witnesses: Vec<WitnessDoc>,
    /// What this node can't see.
    pub sensors: SensorsDoc,
    /// Speakers of other protocols: recognised, not judged.
    #[serde(default)]
    pub others: Vec<OtherDoc>,
}

impl StatusDoc {
    /// The document of a snapshot.
    pub fn new(identity: &Identity, snapshot: &Snapshot) -> Self {
        let (clock, now) = (snapshot.clock, snapshot.at);
        Self {
            node: identity.node.clone(),
            version: identity.version.into(),
            generated_at: Date::new(clock, now),
            boot_id: identity.boot_id.clone(),
            uptime_seconds: now.since(identity.started).as_secs_f64(),
            verdict: snapshot.verdict().as_str().into(),
            routers: snapshot.routers.iter().map(|r| RouterDoc::from_view(r, clock, now)).collect(),
            peers: snapshot.peers.iter().map(|peer| PeerDoc::new(peer, now)).collect(),
            witnesses: snapshot.witnesses.iter().map(WitnessDoc::from).collect(),
            sensors: SensorsDoc::new(&snapshot.sensors, clock),
            others: snapshot.others.iter().map(OtherDoc::from).collect(),
        }
    }
}

/// One virtual router.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RouterDoc {
    /// Configured name, or `VIP/VRID`.
    pub name: String,
    /// The address that joins nodes, where one is known.
    pub vip: Option<IpAddr>,
    /// Interface name.
    pub interface: String,
    /// VLAN, where tagged.
    pub vlan: Option<u16>,
    /// `ipv4` or `ipv6`.
    pub family: String,
    /// VRID.
    pub vrid: u8,
    /// `watch`, or `speak` where this daemon itself is the router.
    pub mode: String,
    /// `member` or `observer`.
    pub role: String,
    /// This node's own part: `init`, `backup`, `master`, `fault` or `fenced`.
    pub state: String,
    /// `healthy`, `degraded`, `split_brain`, `no_master` or `unknown`.
    pub verdict: String,
    /// Since when that verdict.
    pub since: Date,
    /// The causes of all findings, each once.
    pub causes: Vec<String>,
    /// Why, which node, and what to do.
    pub findings: Vec<FindingDoc>,
    /// Primary addresses of the masters believed active now.
    pub masters: Vec<IpAddr>,
    /// Everyone who holds the VIP.
    pub holders: Vec<HolderDoc>,
    /// Everyone who advertises.
    pub speakers: Vec<SpeakerDoc>,
    /// Virtual addresses.
    pub addresses: Vec<AddressDoc>,
    /// Base and effective priority; null while only watching.
    pub priority: Option<PriorityDoc>,
    /// What its priority depends on; empty while only watching.
    pub tracks: Vec<TrackDoc>,
    /// Fence and gate; null while only watching.
    pub fence: Option<FenceDoc>,
    /// The arbiter's lease; null where none is asked.
    pub arbiter: Option<ArbiterDoc>,
    /// What the verdict rests on, newest last.
    pub evidence: Vec<EvidenceDoc>,
}

impl RouterDoc {
    /// What tells it from all others of this node.
    pub fn key(&self) -> String {
        let vlan = self.vlan.map_or_else(String::new, |vlan| format!("/{vlan}"));
        format!("{}@{}{vlan}/{}/{}", self.name, self.interface, self.family, self.vrid)
    }

    /// The document of one router; `now` is when its view was taken.
    pub fn from_view(view: &RouterView, clock: WallClock, now: Instant) -> Self {
        let speaking = view.speaking.as_deref();
        Self {
            name: view.name.clone(),
            vip: view.vip,
            interface: view.interface.clone(),
            vlan: view.vlan,
            family: view.family.as_str().into(),
            vrid: view.vrid,
            mode: view.mode().into(),
            role: view.role.as_str().into(),
            state: view.state.as_str().into(),
            verdict: view.verdict.as_str().into(),
            since: Date::new(clock, view.since),
            causes: words(&view.causes()),
            findings: view.findings.iter().map(FindingDoc::from).collect(),
            masters: view.masters.clone(),
            holders: view.holders.iter().map(HolderDoc::from).collect(),
            speakers: view.speakers.iter().map(|s| SpeakerDoc::new(s, now)).collect(),
            addresses: view.addresses.iter().map(AddressDoc::from).collect(),
            priority: speaking.map(PriorityDoc::from),
            tracks: speaking.map_or_else(Vec::new, |s| s.tracks.iter().map(TrackDoc::from).collect()),
            fence: speaking.map(|speaking| FenceDoc::new(speaking, now)),
            arbiter: speaking.and_then(|s| s.arbiter.as_ref()).map(|leased| ArbiterDoc::new(leased, now)),
            evidence: view.evidence.iter().map(|e| EvidenceDoc::new(e, clock)).collect(),
        }
    }
}

/// A cause, the node to mend, both sides, and what to do.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct FindingDoc {
    /// Name of the cause.
    pub cause: String,
    /// The node to mend, where it can be told.
    pub node: Option<String>,
    /// What is so on this side, or on the first of two others.
    pub local: String,
    /// What is so on the other side.
    pub remote: String,
    /// The one thing to do.
    pub remedy: String,
    /// Where to read more, if there is such a page: a path below the daemon's address.
    pub runbook: Option<String>,
}

impl From<&Finding> for FindingDoc {
    fn from(finding: &Finding) -> Self {
        Self {
            cause: finding.cause.as_str().into(),
            node: finding.node.clone(),
            local: finding.local.clone(),
            remote: finding.remote.clone(),
            remedy: finding.remedy.clone(),
            runbook: Some(super::runbook::of(finding.cause)),
        }
    }
}

/// Someone who holds the VIP.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct HolderDoc {
    /// A node's or peer's name, or a source address; null for an unknown MAC.
    pub node: Option<String>,
    /// Lower case, with colons.
    pub mac: Option<String>,
    /// Which evidence: `netlink`, `advert`, `arp`, `nd`, `echo`.
    pub how: Vec<String>,
}

impl From<&Holder> for HolderDoc {
    fn from(holder: &Holder) -> Self {
        Self {
            node: holder.node.clone(),
            mac: mac(holder.mac),
            how: holder.how.iter().map(ToString::to_string).collect(),
        }
    }
}

/// One speaker.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SpeakerDoc {
    /// Source address of its adverts.
    pub source: IpAddr,
    /// The peer whose address that is.
    pub peer: Option<String>,
    /// Source of its frames.
    pub mac: Option<String>,
    /// True if it is this host.
    pub local: bool,
    /// True while it is believed to be an active master.
    pub master: bool,
    /// 2 or 3.
    pub version: u8,
    /// Advertised priority.
    pub priority: u8,
    /// Advertised interval.
    pub advert_interval_seconds: f64,
    /// Age of its last advert.
    pub last_advert_seconds: f64,
    /// Advertised addresses.
    pub addresses: Vec<IpAddr>,
}

impl SpeakerDoc {
    fn new(speaker: &SpeakerView, now: Instant) -> Self {
        Self {
            source: speaker.source,
            peer: speaker.peer.clone(),
            mac: mac(speaker.mac),
            local: speaker.local,
            master: speaker.master,
            version: speaker.version,
            priority: speaker.priority,
            advert_interval_seconds: speaker.interval.as_secs_f64(),
            last_advert_seconds: now.since(speaker.last_advert).as_secs_f64(),
            addresses: speaker.addresses.clone(),
        }
    }
}

/// One virtual address.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct AddressDoc {
    /// The address.
    pub address: IpAddr,
    /// On this node and usable.
    pub owned: bool,
    /// MACs that answer for it; null where it is not probed.
    pub claimants: Option<Vec<String>>,
    /// True if the last one that announced it is not its only advertiser.
    pub misdirected: bool,
    /// The MAC that announced it last, unasked: clients' caches point there.
    #[serde(default)]
    pub announced_by: Option<String>,
}

impl From<&AddressView> for AddressDoc {
    fn from(view: &AddressView) -> Self {
        Self {
            address: view.address,
            owned: view.owned,
            claimants: view.claimants.as_ref().map(|list| list.iter().map(ToString::to_string).collect()),
            misdirected: view.misdirected,
            announced_by: mac(view.announced),
        }
    }
}

/// One piece of evidence.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct EvidenceDoc {
    /// Which sense it came by.
    pub kind: String,
    /// When it was seen.
    pub at: Date,
    /// In words.
    pub says: String,
}

impl EvidenceDoc {
    fn new(evidence: &Evidence, clock: WallClock) -> Self {
        Self { kind: evidence.kind.into(), at: Date::new(clock, evidence.at), says: evidence.says.clone() }
    }
}

/// A witness.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct WitnessDoc {
    /// Name.
    pub name: String,
    /// The address that is pinged.
    pub address: IpAddr,
    /// Whether it answers; null before the first answer or loss.
    pub ping: Option<bool>,
    /// Whether it answers ARP or neighbour requests through each interface on whose segment it is.
    #[serde(default)]
    pub through: Vec<ThroughDoc>,
}

/// A witness on one segment.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ThroughDoc {
    /// Interface name.
    pub interface: String,
    /// Whether it answers there.
    pub answers: bool,
}

impl From<&WitnessView> for WitnessDoc {
    fn from(witness: &WitnessView) -> Self {
        let through =
            |(interface, answers): &(String, bool)| ThroughDoc { interface: interface.clone(), answers: *answers };
        Self {
            name: witness.name.clone(),
            address: witness.address,
            ping: witness.ping,
            through: witness.interfaces.iter().map(through).collect(),
        }
    }
}

/// A speaker of another first-hop redundancy protocol.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct OtherDoc {
    /// `carp`, `hsrp` or `glbp`.
    pub protocol: String,
    /// Source address.
    pub source: IpAddr,
    /// Its group, or CARP's virtual host id, where it could be read.
    pub group: Option<u16>,
}

impl From<&OtherProtocol> for OtherDoc {
    fn from(other: &OtherProtocol) -> Self {
        Self { protocol: other.protocol().into(), source: other.source(), group: other.group() }
    }
}

/// What this node sees, and what it doesn't.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SensorsDoc {
    /// True if nothing is blind.
    pub healthy: bool,
    /// What can't be seen.
    pub blind: Vec<BlindDoc>,
}

impl SensorsDoc {
    pub(super) fn new(sensors: &[SensorView], clock: WallClock) -> Self {
        let blind: Vec<_> = sensors.iter().filter_map(|s| BlindDoc::new(s, clock)).collect();
        Self { healthy: blind.is_empty(), blind }
    }
}

/// One blind sensor.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct BlindDoc {
    /// Which.
    pub sensor: String,
    /// Interface name; empty where it has none.
    pub interface: String,
    /// Since when.
    pub since: Date,
    /// What it can't see and what to do.
    pub says: String,
}

impl BlindDoc {
    fn new(view: &SensorView, clock: WallClock) -> Option<Self> {
        let says = view.state.as_ref().err()?.clone();
        Some(Self {
            sensor: view.sensor.as_str().into(),
            interface: view.interface.clone(),
            since: Date::new(clock, view.since),
            says,
        })
    }
}

/// One entry of `/api/v1/events`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct EventDoc {
    /// Grows by one an event, from 1 at each start of the daemon.
    pub id: u64,
    /// When.
    pub at: Date,
    /// Name of the router; empty where it concerns the node.
    pub router: String,
    /// Its VIP.
    pub vip: Option<IpAddr>,
    /// Its interface; null once it is forgotten, or where the event concerns the node.
    pub interface: Option<String>,
    /// Its VLAN, where tagged.
    pub vlan: Option<u16>,
    /// `verdict`, `master`, `state`, `router`, `sensor`, `peer`, `speaker` or `config`.
    pub kind: String,
    /// Before.
    pub from: Option<String>,
    /// After.
    pub to: Option<String>,
    /// Why, in words.
    pub reason: String,
    /// Causes, where it is a verdict.
    pub causes: Vec<String>,
    /// What it rests on.
    pub evidence: Vec<String>,
}

impl EventDoc {
    /// True if it concerns this router. What is told of a forgotten one says no more where it was.
    pub fn concerns(&self, router: &RouterDoc) -> bool {
        let is_there = |interface: &String| *interface == router.interface && self.vlan == router.vlan;
        self.router == router.name && self.interface.as_ref().is_none_or(is_there)
    }

    /// The document of one logged event.
    pub fn new(logged: &Logged) -> Self {
        let event = &logged.event;
        Self {
            id: logged.id,
            at: Date::new(logged.clock, event.at),
            router: event.router.clone(),
            vip: event.vip,
            interface: event.id.as_ref().map(|id| id.interface.clone()),
            vlan: event.id.as_ref().and_then(|id| id.vlan),
            kind: event.kind.clone().into_owned(),
            from: event.from.clone(),
            to: event.to.clone(),
            reason: event.reason.clone(),
            causes: words(&event.causes),
            evidence: event.evidence.clone(),
        }
    }
}

/// What `analyze --json` prints.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct AnalyzeDoc {
    /// Frames read.
    pub frames: u64,
    /// Well-formed adverts among them.
    pub adverts: u64,
    /// Refused adverts, by reason.
    pub rejected: BTreeMap<String, u64>,
    /// Every virtual router.
    pub routers: Vec<AnalyzedDoc>,
    /// What happened, as the daemon logs it.
    #[serde(default)]
    pub events: Vec<EventDoc>,
}

/// One virtual router over the length of a capture.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct AnalyzedDoc {
    /// Its view at the end.
    #[serde(flatten)]
    pub router: RouterDoc,
    /// Changes of master.
    pub transitions: Vec<TransitionDoc>,
    /// Splits that lasted longer than a takeover.
    pub split_brain_episodes: Vec<EpisodeDoc>,
    /// Their length in all.
    pub split_brain_seconds: f64,
}

/// A change of master.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TransitionDoc {
    /// When.
    pub at: Date,
    /// Null for the first one seen, which is no failover.
    pub from: Option<String>,
    /// Null when nobody followed.
    pub to: Option<String>,
}

/// A split.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct EpisodeDoc {
    /// When the second master began.
    pub start: Date,
    /// The last moment at which both are known to have held; null if the capture ends in it.
    pub end: Option<Date>,
    /// Its causes.
    pub causes: Vec<String>,
}

impl EpisodeDoc {
    /// The document of an episode.
    pub fn new(episode: &Episode, clock: WallClock) -> Self {
        Self {
            start: Date::new(clock, episode.start),
            end: episode.end.map(|end| Date::new(clock, end)),
            causes: words(&episode.causes),
        }
    }
}

fn words(causes: &[Cause]) -> Vec<String> {
    causes.iter().map(|cause| cause.as_str().into()).collect()
}

fn mac(mac: Option<MacAddr>) -> Option<String> {
    mac.map(|mac| mac.to_string())
}
