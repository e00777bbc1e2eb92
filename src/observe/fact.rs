//! What comes in ([`Fact`]) and what the model asks for ([`Request`]). Both are plain values: a capture file, a
//! recording and the live host produce the same ones.

use std::borrow::Cow;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use serde::{Deserialize, Serialize};

use super::PROMOTION_ECHO_IDENTIFIER;
use crate::time::{Duration, Instant};
use crate::wire::{Family, MacAddr, Seen};

/// A network interface's index: positive, unique within a network namespace, never reused while it lives.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct IfIndex(pub u32);

/// One thing learned, at the instant handed in beside it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Fact {
    /// A frame on the wire.
    Frame(Frame),
    /// An advert that reached a further tap on its way to the VRRP daemon.
    Delivered(Delivered),
    /// An interface appeared or changed. Sent for every interface at start, then on change.
    Link(Link),
    /// An interface vanished.
    LinkGone(IfIndex),
    /// An address appeared or changed.
    Address(Address),
    /// An address vanished.
    AddressGone {
        /// Where.
        interface: IfIndex,
        /// Which.
        address: IpAddr,
    },
    /// What `/proc/net/raw` and `raw6` say of VRRP daemons on this host. Sent about once a second.
    Daemon(Daemon),
    /// The answer to [`Request::OutputTest`].
    OutputTest {
        /// Where it was tried.
        interface: IfIndex,
        /// Over which family.
        family: Family,
        /// True if the host's own firewall refused to let a protocol-112 packet out (EPERM).
        blocked: bool,
    },
    /// Since this was last looked at, the kernel has turned away a neighbour of this family for want of room.
    NeighboursFull(Family),
    /// A ping of a peer or witness came back (`Some` round trip) or was lost (`None`).
    Ping {
        /// Who was pinged.
        target: Target,
        /// Round trip.
        rtt: Option<Duration>,
    },
    /// What became of a question to a peer's vipwarden.
    PeerReport {
        /// Index of the `[[peer]]`.
        peer: usize,
        /// Index of the one of its `urls` that was asked.
        url: usize,
        /// What it said, or why it said nothing that counts.
        said: Result<std::sync::Arc<super::Report>, super::Mute>,
    },
    /// What the local VRRP daemon was told, of all its routers. Sent at start and when its configuration changes.
    Told(std::sync::Arc<[super::Told]>),
    /// Capture counters of one interface since the last such fact.
    Capture {
        /// Which interface.
        interface: IfIndex,
        /// Frames read since the last report.
        frames: u64,
        /// Frames that the kernel dropped for us since the last report: blindness.
        dropped: u64,
    },
    /// A sensor works, or doesn't and why.
    Sensor {
        /// Which.
        sensor: Sensor,
        /// On which interface, where it has one.
        interface: Option<IfIndex>,
        /// `Ok`, or what is wrong and what to do about it.
        state: Result<(), String>,
    },
    /// One of the further taps has missed adverts, or is far behind: on this interface, or on any.
    TapOverrun(Option<IfIndex>),
    /// This daemon's own loop ran late by so much.
    LoopLate(Duration),
    /// What this daemon itself does as a speaker of a configured router. Sent on every change.
    Speaking {
        /// Name of the `[[router]]`.
        router: String,
        /// What it does; `None` once it speaks for that router no more.
        report: Option<std::sync::Arc<Speaking>>,
    },
}

/// This node's own part in a virtual router.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum State {
    /// No VRRP daemon here, or nothing known of it yet.
    Init,
    /// A daemon runs and sends nothing.
    Backup,
    /// Its adverts leave this host.
    Master,
    /// It can't take part: its interface is down.
    Fault,
    /// It took itself out.
    Fenced,
}

impl State {
    /// All states.
    pub const ALL: [Self; 5] = [Self::Init, Self::Backup, Self::Master, Self::Fault, Self::Fenced];

    /// The label.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Init => "init",
            Self::Backup => "backup",
            Self::Master => "master",
            Self::Fault => "fault",
            Self::Fenced => "fenced",
        }
    }
}

/// This daemon as the speaker of one virtual router.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Speaking {
    /// Its state.
    pub state: State,
    /// Configured priority.
    pub base: u8,
    /// What tracking left of it; `None` is a fault.
    pub effective: Option<u8>,
    /// Tracked things: name, kind (`check`, `interface`, `process`, `file`), whether it is up, and since when.
    pub tracks: Vec<Tracked>,
    /// Why it is fenced, if it is.
    pub fenced: Option<String>,
    /// When it takes part again if nobody else is heard or seen holding until then; `None` while that can't be told.
    pub back_at: Option<Instant>,
    /// Whether the kernel lets the addresses answer; `None` where no gate stands before them.
    pub gate_open: Option<bool>,
    /// What the gate lacks on this host, in words.
    pub gate_lacks: Option<String>,
    /// How long the kernel keeps the addresses without being told again; `None` is for ever.
    pub address_lifetime: Option<Duration>,
    /// Fences so far, by reason: `split_brain`, `isolation`, `arbiter`, `operator`, `kernel`.
    pub fences: Vec<(Cow<'static, str>, u64)>,
    /// Evidence to address gone, in seconds.
    pub fence_durations: super::Histogram<8>,
    /// Gratuitous ARPs and unsolicited NAs sent.
    pub garp_sent: u64,
    /// Priority-0 adverts sent.
    pub priority_zero_sent: u64,
    /// Notify commands that failed, timed out or were dropped.
    pub notify_failures: u64,
    /// What was asked before taking over from silence. Recordings of earlier versions lack it.
    #[serde(default)]
    pub promotion: Promotion,
    /// What an arbiter says, if one is asked.
    pub arbiter: Option<Leased>,
}

impl Speaking {
    /// True if the addresses are the host's own (RFC 9568 §6.1), and stay there though it is no master.
    pub fn is_owner(&self) -> bool {
        self.base == u8::MAX
    }

    /// True if it is no master, and the gate lets its addresses answer nobody.
    pub fn is_shut(&self) -> bool {
        self.state != State::Master && self.gate_open == Some(false)
    }

    /// What one says that has done nothing but to stand so.
    pub fn new(state: State, base: u8, effective: Option<u8>) -> Self {
        Self {
            state,
            base,
            effective,
            tracks: Vec::new(),
            fenced: None,
            back_at: None,
            gate_open: None,
            gate_lacks: None,
            address_lifetime: None,
            fences: Vec::new(),
            fence_durations: super::Histogram::default(),
            garp_sent: 0,
            priority_zero_sent: 0,
            notify_failures: 0,
            promotion: Promotion::default(),
            arbiter: None,
        }
    }
}

/// Questions to the hosts of masters that fell silent, whether they still have the addresses.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Promotion {
    /// Asked.
    pub asked: u64,
    /// Answered.
    pub answered: u64,
    /// Takeovers that were put off because a host went on answering.
    pub held_off: u64,
}

/// An arbiter's lease on a router's addresses, as this node knows it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Leased {
    /// Whether the arbiter answers.
    pub up: bool,
    /// Until when this node may hold, if it does; it is renewed long before.
    pub until: Option<Instant>,
    /// The name of the node that holds, or did last, as the arbiter has it.
    pub holder: Option<String>,
    /// This node may be master although the arbiter can't be asked.
    pub excused: bool,
    /// It holds because every peer promises not to take the addresses.
    pub promised: bool,
    /// What is wrong, and what to do.
    pub trouble: Option<String>,
    /// What the peers are to know of it, where they vouch for each other while the arbiter is away.
    pub pledge: Option<Pledge>,
}

/// A node's own word on its lease, for its peers.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pledge {
    /// Under which name the arbiter knows the router.
    pub key: String,
    /// From when on this node asks them to take nothing, if it is not granted more time until then.
    pub asks_from: Option<Instant>,
    /// Until when this node neither holds nor takes it.
    pub promised_until: Option<Instant>,
}

/// Upper bounds of [`Speaking::fence_durations`], in seconds.
pub const FENCE_BUCKETS: [f64; 8] = [0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.1];

/// One tracked thing.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tracked {
    /// Its name.
    pub name: String,
    /// `check`, `interface`, `process`, `file` or `number`.
    pub kind: Cow<'static, str>,
    /// Whether it is up; `None` until it is known.
    pub up: Option<bool>,
    /// What it adds to or takes from the priority; 0 is a fault when down. Of a number: what it adds now.
    pub weight: i16,
}

/// A frame as the all-protocols tap saw it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Frame {
    /// Where it was captured.
    pub interface: IfIndex,
    /// VLAN, from the frame's bytes or the kernel's auxiliary data; tag 0 counts as none.
    pub vlan: Option<u16>,
    /// To whom it was addressed, as the kernel classed it.
    pub kind: PacketKind,
    /// What it says.
    pub seen: Seen,
}

/// The kernel's packet type (`sll_pkttype`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PacketKind {
    /// To this host.
    Host,
    /// To everyone.
    Broadcast,
    /// To a group.
    Multicast,
    /// To some other host: flooded or mirrored.
    OtherHost,
    /// Sent by this host.
    Outgoing,
    /// From a capture file that doesn't say.
    Unknown,
}

impl PacketKind {
    /// As Linux numbers it (`PACKET_HOST` and its neighbours), in the kernel and in cooked captures alike.
    pub const fn from_linux(number: u8) -> Self {
        match number {
            0 => Self::Host,
            1 => Self::Broadcast,
            2 => Self::Multicast,
            3 => Self::OtherHost,
            4 => Self::Outgoing,
            _ => Self::Unknown,
        }
    }
}

/// How far towards the VRRP daemon an advert got.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Tap {
    /// Past netdev and tc ingress (an ETH_P_IP or ETH_P_IPV6 packet socket).
    Ip,
    /// Past netfilter's INPUT and rp_filter (a raw protocol-112 socket).
    Raw,
}

impl Tap {
    /// The metric label.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Ip => "ip",
            Self::Raw => "raw",
        }
    }
}

/// An advert that a further tap saw.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Delivered {
    /// Where it came in.
    pub interface: IfIndex,
    /// Which tap.
    pub tap: Tap,
    /// IP source.
    pub source: IpAddr,
    /// VRID.
    pub vrid: u8,
}

/// An interface.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Link {
    /// Index.
    pub index: IfIndex,
    /// Name.
    pub name: String,
    /// Hardware address, where it is an Ethernet one.
    pub mac: Option<MacAddr>,
    /// Administratively up.
    pub up: bool,
    /// Has carrier (`IFF_LOWER_UP`).
    pub carrier: bool,
    /// Held down by its owner (`IFLA_PROTO_DOWN`): FRR's backups do so with their macvlans.
    pub protodown: bool,
    /// What it is.
    pub kind: LinkKind,
    /// The bridge, bond or VRF that it is a port of.
    pub master: Option<IfIndex>,
    /// The interface beneath it (a macvlan's or VLAN device's parent), in the same namespace.
    pub parent: Option<IfIndex>,
    /// The VLAN id of a VLAN device.
    pub vlan: Option<u16>,
    /// True if adverts are captured on it.
    pub sniffed: bool,
}

impl Link {
    /// An ordinary interface, up and with carrier, of which no more is known.
    pub fn plain(index: IfIndex, name: &str) -> Self {
        Self {
            index,
            name: name.into(),
            mac: None,
            up: true,
            carrier: true,
            protodown: false,
            kind: LinkKind::Plain,
            master: None,
            parent: None,
            vlan: None,
            sniffed: false,
        }
    }
}

/// The kinds of interface that make a difference here.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LinkKind {
    /// Hardware, or nothing special.
    Plain,
    /// The loopback.
    Loopback,
    /// One end of a veth pair.
    Veth,
    /// A macvlan, as VRRP daemons use for virtual MACs.
    Macvlan,
    /// A VLAN device.
    Vlan,
    /// A bridge.
    Bridge,
    /// A bond or team.
    Bond,
    /// Any other: tunnels, dummies, ….
    Other,
}

/// An address on an interface.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Address {
    /// Where.
    pub interface: IfIndex,
    /// The address.
    pub address: IpAddr,
    /// Its prefix length.
    pub prefix: u8,
    /// False while duplicate address detection runs or has failed.
    pub usable: bool,
}

/// A VRRP daemon on this host, one family.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Daemon {
    /// Family of its raw protocol-112 socket.
    pub family: Family,
    /// Alive, frozen or absent.
    pub state: DaemonState,
}

/// How a daemon is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DaemonState {
    /// No protocol-112 socket but our own.
    Absent,
    /// A socket that is being read.
    Alive,
    /// A socket whose receive queue grows: stopped or stuck.
    Frozen,
    /// It could not be told.
    Unknown,
}

impl DaemonState {
    /// All states.
    const ALL: [Self; 4] = [Self::Absent, Self::Alive, Self::Frozen, Self::Unknown];

    /// In a word.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Absent => "absent",
            Self::Alive => "alive",
            Self::Frozen => "frozen",
            Self::Unknown => "unknown",
        }
    }

    /// The state of that name; unknown if there is none.
    pub fn named(name: &str) -> Self {
        Self::ALL.into_iter().find(|state| state.as_str() == name).unwrap_or(Self::Unknown)
    }
}

/// Whom a ping went to: an index into [`crate::config::Config::peers`] or `witnesses`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Target {
    /// `peers[i]`.
    Peer(usize),
    /// `witnesses[i]`.
    Witness(usize),
}

/// The sensors that can go blind; the `sensor` label of `vrrp_sensor_up`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Sensor {
    /// The packet socket of an interface.
    Capture,
    /// The interface has carrier and is up.
    Carrier,
    /// ARP and ND probes can be sent.
    Arp,
    /// The two further taps.
    Delivered,
    /// Netlink.
    Netlink,
    /// The event loop is on time.
    Loop,
    /// No table is full.
    Table,
}

impl Sensor {
    /// The metric label.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Capture => "capture",
            Self::Carrier => "carrier",
            Self::Arp => "arp",
            Self::Delivered => "delivered",
            Self::Netlink => "netlink",
            Self::Loop => "loop",
            Self::Table => "table",
        }
    }
}

/// Something the model wants done. Only a member asks, and never beyond its probe budget.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Request {
    /// Broadcast an ARP request for `target`.
    Arp {
        /// Out of this interface.
        interface: IfIndex,
        /// Sender hardware address: the interface's own.
        sender_mac: MacAddr,
        /// Sender protocol address: one of the interface's own that is no VIP.
        sender_ip: Ipv4Addr,
        /// The VIP.
        target: Ipv4Addr,
    },
    /// Multicast a neighbour solicitation for `target`.
    Neighbour {
        /// Out of this interface.
        interface: IfIndex,
        /// Source link-layer address: the interface's own.
        sender_mac: MacAddr,
        /// One of the interface's own addresses that is no VIP.
        source: Ipv6Addr,
        /// The VIP.
        target: Ipv6Addr,
    },
    /// Send one echo request for `target` to exactly one host's MAC, with TTL 1 so that nobody forwards it.
    Echo {
        /// Out of this interface.
        interface: IfIndex,
        /// Source of the Ethernet frame.
        sender_mac: MacAddr,
        /// IP source.
        source: IpAddr,
        /// The VIP.
        target: IpAddr,
        /// The host.
        destination_mac: MacAddr,
        /// ICMP identifier.
        identifier: u16,
        /// ICMP sequence number.
        sequence: u16,
    },
    /// Try whether the host's firewall lets protocol 112 out: a multicast packet with TTL 0, which never leaves.
    OutputTest {
        /// Out of this interface.
        interface: IfIndex,
        /// Over this family.
        family: Family,
    },
    /// Look now whether a VRRP daemon still runs here.
    Daemon {
        /// Of this family.
        family: Family,
    },
}

impl Request {
    /// Asks everybody on the segment for `target`, by ARP or by a neighbour solicitation. `None` if `source` is of the other family.
    pub const fn to_all(interface: IfIndex, sender_mac: MacAddr, source: IpAddr, target: IpAddr) -> Option<Self> {
        match (source, target) {
            (IpAddr::V4(sender_ip), IpAddr::V4(target)) => Some(Self::Arp { interface, sender_mac, sender_ip, target }),
            (IpAddr::V6(source), IpAddr::V6(target)) => Some(Self::Neighbour { interface, sender_mac, source, target }),
            _ => None,
        }
    }

    /// Asks whether the host of a silent master still has `target`. A `thorough` question goes to everybody, and its answer tells
    /// the host; any other goes to that host alone, with this `number`. The asker is its interface, MAC and source address.
    pub const fn before_promotion(
        (interface, sender_mac, source): (IfIndex, MacAddr, IpAddr),
        target: IpAddr,
        host: MacAddr,
        number: u16,
        thorough: bool,
    ) -> Self {
        match Self::to_all(interface, sender_mac, source, target) {
            Some(to_all) if thorough => to_all,
            _ => Self::Echo {
                interface,
                sender_mac,
                source,
                target,
                destination_mac: host,
                identifier: PROMOTION_ECHO_IDENTIFIER,
                sequence: number,
            },
        }
    }
}
