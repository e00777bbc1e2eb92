//! What the detector knows at one instant, as values: metrics, pages, JSON and the terminal are all read from here.

use std::borrow::Cow;
use std::net::IpAddr;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::observe::{DaemonState, Reach, Report, RouterId, Sensor, Tap};
pub use crate::observe::{FENCE_BUCKETS, GAP_BUCKETS, Histogram, Leased, RTT_BUCKETS, Speaking, State, Tracked};
use crate::time::{Duration, Instant, WallClock};
use crate::wire::{Family, MacAddr, OtherProtocol, RejectReason};

/// The whole view. Cheap to clone: routers are shared until they change.
#[derive(Clone, Debug)]
pub struct Snapshot {
    /// When it was taken.
    pub at: Instant,
    /// Turns its instants into dates.
    pub clock: WallClock,
    /// Every virtual router, sorted by interface, VLAN, family and VRID.
    pub routers: Vec<Arc<RouterView>>,
    /// Peers, in the order of the configuration.
    pub peers: Vec<PeerView>,
    /// Witnesses, in the order of the configuration.
    pub witnesses: Vec<WitnessView>,
    /// Every sensor.
    pub sensors: Vec<SensorView>,
    /// Capture counters, one an interface.
    pub captures: Vec<CaptureView>,
    /// The addresses of this host (bounded): peers tell by them whom they have asked.
    pub addresses: Vec<IpAddr>,
    /// Its hardware addresses (bounded).
    pub macs: Vec<MacAddr>,
    /// Local VRRP daemons, by family.
    pub daemons: Vec<(Family, DaemonState)>,
    /// Refused adverts, by interface, VRID and reason.
    pub rejected: Vec<RejectedView>,
    /// How often each bound was hit; every table is listed, with zero too.
    pub table_full: Vec<(&'static str, u64)>,
    /// CARP, HSRP and GLBP speakers seen (bounded).
    pub others: Vec<OtherProtocol>,
}

impl Snapshot {
    /// The worst verdict of all routers; `Unknown` if a sensor is blind, `Healthy` when there are none and all see.
    pub fn verdict(&self) -> Verdict {
        let worst = self.routers.iter().map(|r| r.verdict).max_by_key(|v| v.severity());
        let blind = self.sensors.iter().any(|s| s.state.is_err());
        match worst {
            Some(v) if v.severity() >= Verdict::NoMaster.severity() => v,
            _ if blind => Verdict::Unknown,
            Some(v) => v,
            None => Verdict::Healthy,
        }
    }

    /// True while all is well, and no router's master has fallen silent.
    pub fn is_settled(&self) -> bool {
        self.verdict() == Verdict::Healthy && self.routers.iter().all(|router| !router.masters.is_empty())
    }
}

/// One virtual router.
#[derive(Clone, Debug, PartialEq)]
pub struct RouterView {
    /// Configured name, or `VIP/VRID`.
    pub name: String,
    /// The lowest configured or advertised address that is not link-local: what joins nodes. `None` until one is known.
    pub vip: Option<IpAddr>,
    /// Interface name.
    pub interface: String,
    /// VLAN, where the adverts are tagged.
    pub vlan: Option<u16>,
    /// Family.
    pub family: Family,
    /// VRID.
    pub vrid: u8,
    /// True if a `[[router]]` names it.
    pub configured: bool,
    /// Member or observer.
    pub role: Role,
    /// Protocol version that the (last) master speaks.
    pub version: Option<u8>,
    /// This node's own part.
    pub state: State,
    /// Transitions of `state`, by the state entered.
    pub state_transitions: [u64; State::ALL.len()],
    /// Verdict.
    pub verdict: Verdict,
    /// Since when that verdict.
    pub since: Instant,
    /// True where a sensor is blind to this router.
    pub blind: bool,
    /// Whether a witness answers through the router's own interface; `None` where none is asked.
    pub witness: Option<bool>,
    /// 1 from the proof of a split until health is proven, through blindness too.
    pub split_brain: bool,
    /// True while nobody serves.
    pub no_master: bool,
    /// Why the verdict is what it is; for any verdict.
    pub findings: Vec<Finding>,
    /// What the verdict rests on, newest last (bounded).
    pub evidence: Vec<Evidence>,
    /// Primary addresses of the masters believed active now.
    pub masters: Vec<IpAddr>,
    /// Everyone who holds the VIP now, by whatever evidence.
    pub holders: Vec<Holder>,
    /// Speakers, by source address.
    pub speakers: Vec<SpeakerView>,
    /// Virtual addresses.
    pub addresses: Vec<AddressView>,
    /// Split episodes: proven overlaps that outlasted a takeover.
    pub split_brain_episodes: u64,
    /// The newest of them (bounded), and at the end the proven one that is going on.
    pub episodes: Vec<Episode>,
    /// Their length in all, the running one included.
    pub split_brain_time: Duration,
    /// Overlaps that the election settled within one master-down interval.
    pub takeover_overlap: Duration,
    /// Changes of master; frozen during a split.
    pub master_transitions: u64,
    /// The last of them.
    pub last_transition: Option<Instant>,
    /// Adverts that left this host.
    pub adverts_sent: u64,
    /// Priority-0 adverts heard from others.
    pub priority_zero_received: u64,
    /// Gaps between adverts as a multiple of the advertised interval.
    pub gaps: Histogram<7>,
    /// What this daemon itself does as its speaker; `None` where it only watches.
    pub speaking: Option<Arc<Speaking>>,
}

impl RouterView {
    /// The causes of all findings, in order, each once.
    pub fn causes(&self) -> Vec<Cause> {
        super::case::causes(&self.findings)
    }

    /// `speak` where this daemon itself is the router, else `watch`.
    pub fn mode(&self) -> &'static str {
        if self.speaking.is_some() { "speak" } else { "watch" }
    }
}

/// A time during which two held, proven.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Episode {
    /// When the second began.
    pub start: Instant,
    /// The last moment at which both are known to have held; `None` while it lasts.
    pub end: Option<Instant>,
    /// All causes that were named meanwhile.
    pub causes: Vec<Cause>,
}

/// Member or observer of a virtual router.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// Configured here, advertises from here, owns one of its addresses, or runs a VRRP daemon for it.
    Member,
    /// A bystander: sees adverts, never sends.
    Observer,
}

impl Role {
    /// The label.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Member => "member",
            Self::Observer => "observer",
        }
    }
}

/// The verdict on one virtual router.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Verdict {
    /// One holder, proven.
    Healthy,
    /// It works, and something is wrong or in motion.
    Degraded,
    /// Two holders, proven.
    SplitBrain,
    /// Nobody serves.
    NoMaster,
    /// The evidence doesn't suffice, or we are blind.
    Unknown,
}

impl Verdict {
    /// All verdicts.
    pub const ALL: [Self; 5] = [Self::Healthy, Self::Degraded, Self::SplitBrain, Self::NoMaster, Self::Unknown];

    /// The label.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Healthy => "healthy",
            Self::Degraded => "degraded",
            Self::SplitBrain => "split_brain",
            Self::NoMaster => "no_master",
            Self::Unknown => "unknown",
        }
    }

    /// How bad: 0 healthy, 1 degraded, 2 unknown, 3 no master, 4 split brain.
    pub const fn severity(self) -> u8 {
        match self {
            Self::Healthy => 0,
            Self::Degraded => 1,
            Self::Unknown => 2,
            Self::NoMaster => 3,
            Self::SplitBrain => 4,
        }
    }
}

/// Why. The names are fixed; see `interface.md` section 5.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Cause {
    /// A local firewall or rp_filter keeps adverts from the daemon, or the daemon's own from leaving.
    FirewallDrop,
    /// The two speak different protocol versions.
    VersionMismatch,
    /// Different authentication.
    AuthMismatch,
    /// Different v2 intervals.
    IntervalMismatch,
    /// Different address lists.
    AddressesMismatch,
    /// Different v3 checksum forms.
    ChecksumMismatch,
    /// Adverts arrive with a TTL below 255: a router stands in between.
    TtlInvalid,
    /// One side hears the other, and not the reverse.
    OneWayPath,
    /// Neither hears the other, and a second channel says that both hold.
    Partition,
    /// One address is advertised under two VRIDs.
    VridMismatch,
    /// Advertises, and does not hold the address.
    HollowMaster,
    /// Two unrelated clusters use one VRID.
    VridCollision,
    /// Equal priority and equal source address.
    PriorityTie,
    /// Answers for the VIP, and its daemon is dead or frozen.
    StaleAddress,
    /// Holds the VIP while it is a backup.
    StrayAddress,
    /// Holds the VIP, its daemon runs, and it sends no adverts.
    MutedMaster,
    /// A host that is no VRRP speaker answers for the VIP.
    ForeignClaim,
    /// One holder, and clients' caches point elsewhere.
    Misdirected,
    /// Both were masters, and the election settled it.
    Transient,
    /// A split is proven, its cause is not.
    Undetermined,
}

impl Cause {
    /// All causes.
    pub const ALL: [Self; 20] = [
        Self::FirewallDrop,
        Self::OneWayPath,
        Self::Partition,
        Self::VersionMismatch,
        Self::AuthMismatch,
        Self::IntervalMismatch,
        Self::AddressesMismatch,
        Self::ChecksumMismatch,
        Self::TtlInvalid,
        Self::VridCollision,
        Self::VridMismatch,
        Self::PriorityTie,
        Self::StaleAddress,
        Self::StrayAddress,
        Self::MutedMaster,
        Self::ForeignClaim,
        Self::HollowMaster,
        Self::Misdirected,
        Self::Transient,
        Self::Undetermined,
    ];

    /// The cause of that name.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|cause| cause.as_str() == name)
    }

    /// True for the causes that a node knows best of itself, so that its word on them is taken.
    pub const fn is_admitted(self) -> bool {
        self.deafens()
            || matches!(
                self,
                Self::FirewallDrop | Self::StaleAddress | Self::StrayAddress | Self::MutedMaster | Self::HollowMaster
            )
    }

    /// True for the causes that make each of the two refuse the other's adverts.
    pub const fn deafens(self) -> bool {
        matches!(
            self,
            Self::VersionMismatch
                | Self::AuthMismatch
                | Self::IntervalMismatch
                | Self::AddressesMismatch
                | Self::ChecksumMismatch
                | Self::TtlInvalid
        )
    }

    /// The name.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::FirewallDrop => "firewall_drop",
            Self::VersionMismatch => "version_mismatch",
            Self::AuthMismatch => "auth_mismatch",
            Self::IntervalMismatch => "interval_mismatch",
            Self::AddressesMismatch => "addresses_mismatch",
            Self::ChecksumMismatch => "checksum_mismatch",
            Self::TtlInvalid => "ttl_invalid",
            Self::OneWayPath => "one_way_path",
            Self::Partition => "partition",
            Self::VridMismatch => "vrid_mismatch",
            Self::HollowMaster => "hollow_master",
            Self::VridCollision => "vrid_collision",
            Self::PriorityTie => "priority_tie",
            Self::StaleAddress => "stale_address",
            Self::StrayAddress => "stray_address",
            Self::MutedMaster => "muted_master",
            Self::ForeignClaim => "foreign_claim",
            Self::Misdirected => "misdirected",
            Self::Transient => "transient",
            Self::Undetermined => "undetermined",
        }
    }
}

/// A cause with the node it lies on, both sides' values, and what to do.
#[derive(Clone, Debug, PartialEq)]
pub struct Finding {
    /// The cause.
    pub cause: Cause,
    /// The node to mend: this node's name, a peer's name or address, or a MAC; `None` where it can't be told.
    pub node: Option<String>,
    /// True if the remedy applies on this node.
    pub here: bool,
    /// What is so on this side (or on the first of two others).
    pub local: String,
    /// What is so on the other side.
    pub remote: String,
    /// The one thing to do.
    pub remedy: String,
}

/// One piece of evidence.
#[derive(Clone, Debug, PartialEq)]
pub struct Evidence {
    /// `advert`, `netlink`, `arp`, `nd`, `echo`, `delivered`, `daemon`, `output`, `sensor`, `report` or `config`.
    pub kind: &'static str,
    /// When it was seen.
    pub at: Instant,
    /// In words.
    pub says: String,
}

/// Someone who holds the VIP.
#[derive(Clone, Debug, PartialEq)]
pub struct Holder {
    /// This node's name, a peer's name, or the source address; `None` for an unknown MAC.
    pub node: Option<String>,
    /// True if it is this node.
    pub here: bool,
    /// Its hardware address, where known.
    pub mac: Option<MacAddr>,
    /// Which evidence: `netlink`, `advert`, `arp`, `nd`, `echo`, `report`.
    pub how: Vec<&'static str>,
}

/// One speaker of a virtual router.
#[derive(Clone, Debug, PartialEq)]
pub struct SpeakerView {
    /// Source address of its adverts.
    pub source: IpAddr,
    /// The peer whose address that is.
    pub peer: Option<String>,
    /// Source of the frames.
    pub mac: Option<MacAddr>,
    /// True if it is this host.
    pub local: bool,
    /// True while it is believed to be an active master.
    pub master: bool,
    /// Protocol version.
    pub version: u8,
    /// Advertised priority.
    pub priority: u8,
    /// Advertised interval.
    pub interval: Duration,
    /// Kind of authentication, never the secret.
    pub auth: &'static str,
    /// Its last advert.
    pub last_advert: Instant,
    /// Advertised addresses.
    pub addresses: Vec<IpAddr>,
    /// Adverts on the wire.
    pub received: u64,
    /// Adverts that should have come and didn't, while it was master.
    pub missed: u64,
    /// What got past ingress, and past netfilter: `None` where that can't be told (local, other host's unicast, tagged).
    pub delivered: Option<[(Tap, u64); 2]>,
}

/// One virtual address.
#[derive(Clone, Debug, PartialEq)]
pub struct AddressView {
    /// The address.
    pub address: IpAddr,
    /// On this node and usable.
    pub owned: bool,
    /// Since when.
    pub held: Option<Instant>,
    /// Hosts that answer for it; `None` where it is not probed.
    pub claimants: Option<Vec<MacAddr>>,
    /// True if the last one that announced it is not its only advertiser: clients' caches point at the wrong node.
    pub misdirected: bool,
    /// The MAC that announced it last, unasked.
    pub announced: Option<MacAddr>,
}

/// A peer.
#[derive(Clone, Debug, PartialEq)]
pub struct PeerView {
    /// What pings say of it.
    pub reach: Reach,
    /// Whether its vipwarden answers; `None` where it is not asked, or was not yet.
    pub api: Option<bool>,
    /// True if what it answers is signed with the cluster's key, and fresh.
    pub trusted: bool,
    /// What is wrong with its answers.
    pub trouble: Option<String>,
    /// Its newest report, however old.
    pub report: Option<Arc<Report>>,
}

/// A witness.
#[derive(Clone, Debug, PartialEq)]
pub struct WitnessView {
    /// Name.
    pub name: String,
    /// Address.
    pub address: IpAddr,
    /// Whether it answers ping; `None` before the first answer or loss.
    pub ping: Option<bool>,
    /// Whether it answers in any way.
    pub up: Option<bool>,
    /// Whether it answers ARP or neighbour requests through each interface on whose segment it is.
    pub interfaces: Vec<(String, bool)>,
}

/// A sensor.
#[derive(Clone, Debug, PartialEq)]
pub struct SensorView {
    /// Which.
    pub sensor: Sensor,
    /// Interface name; empty where it has none.
    pub interface: String,
    /// `Ok`, or what it can't see and what to do.
    pub state: Result<(), String>,
    /// Since when.
    pub since: Instant,
}

/// Capture counters of one interface.
#[derive(Clone, Debug, PartialEq)]
pub struct CaptureView {
    /// Interface name.
    pub interface: String,
    /// Frames read.
    pub frames: u64,
    /// Frames dropped by the kernel.
    pub dropped: u64,
}

/// Refused adverts of one interface, VRID and reason.
#[derive(Clone, Debug, PartialEq)]
pub struct RejectedView {
    /// Interface name.
    pub interface: String,
    /// VRID, where it could be read.
    pub vrid: Option<u8>,
    /// Why.
    pub reason: RejectReason,
    /// How many.
    pub count: u64,
}

/// Something that happened, without its number: the log gives that.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Event {
    /// When.
    pub at: Instant,
    /// Name of the router, or empty where it concerns the node.
    pub router: String,
    /// Its VIP.
    pub vip: Option<IpAddr>,
    /// Its identity, for its name may change and may be another's on another VLAN too. `None` once it is forgotten, or
    /// where the event concerns the node.
    pub id: Option<RouterId>,
    /// `verdict`, `master`, `state`, `router` (learned, forgotten), `sensor`, `config`.
    pub kind: Cow<'static, str>,
    /// Before.
    pub from: Option<String>,
    /// After.
    pub to: Option<String>,
    /// Why, in words.
    pub reason: String,
    /// Causes, where it is a verdict.
    pub causes: Vec<Cause>,
    /// What it rests on.
    pub evidence: Vec<String>,
}
