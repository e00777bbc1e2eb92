//! What is to be simulated: nodes, the network between them, and what goes wrong when.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use crate::fence::Policy;
use crate::time::Duration;
use crate::vrrp;
use crate::wire::{Family, MacAddr};

/// Nodes of one world, at most.
pub const MAX_NODES: usize = 8;

/// A world, whole: the same specification is the same run.
#[derive(Clone, Debug)]
pub struct Spec {
    /// Seed of all chance in it.
    pub seed: u64,
    /// Two to eight nodes.
    pub nodes: Vec<NodeSpec>,
    /// The network in ordinary times.
    pub weather: Weather,
    /// Whether nodes have the kernel gate.
    pub gate: bool,
    /// The wait of an arbiter's lease, where there is an arbiter: a register that knows compare-and-set.
    pub arbiter: Option<Duration>,
    /// Whether nodes ask each other over a second channel, what they hold and what they promise.
    pub reports: bool,
    /// Whether there is a witness on the wire, which answers whoever reaches it.
    pub witness: bool,
    /// Whether a holder that does not reach the arbiter holds on by the promises of all others. Needs reports.
    pub unanimous: bool,
    /// Whether each node watches, too.
    pub watch: bool,
    /// When a router drops its addresses.
    pub policy: Policy,
    /// How long it runs.
    pub length: Duration,
    /// From when on nothing more goes wrong.
    pub calm_from: Duration,
    /// What goes wrong: when, what, and for how long.
    pub faults: Vec<Mishap>,
    /// What goes wrong at any time, before the calm.
    pub hazards: Hazards,
    /// What the harness does right. All of it, but in tests of the checkers.
    pub rules: Rules,
}

/// One node.
#[derive(Clone, Debug)]
pub struct NodeSpec {
    /// Its name.
    pub name: String,
    /// Its virtual router.
    pub settings: vrrp::Settings,
    /// How much faster than the world's its clock runs, in parts per million.
    pub drift_ppm: i32,
    /// When it starts.
    pub starts_at: Duration,
}

/// What happens to frames between two nodes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Weather {
    /// The shortest way.
    pub delay_min: Duration,
    /// The longest; frames that are not reordered keep their order.
    pub delay_max: Duration,
    /// Lost, in a million.
    pub loss_ppm: u32,
    /// Arrive twice, in a million.
    pub duplicate_ppm: u32,
    /// Overtake others, in a million.
    pub reorder_ppm: u32,
}

impl Weather {
    /// A healthy switch.
    pub const CLEAR: Self = Self {
        delay_min: Duration::from_micros(20),
        delay_max: Duration::from_micros(200),
        loss_ppm: 0,
        duplicate_ppm: 0,
        reorder_ppm: 0,
    };
}

/// Chances of what may happen to a process at any step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Hazards {
    /// A pause before an act that was decided already, in a million acts.
    pub pause_ppm: u32,
    /// The longest of them.
    pub pause_max: Duration,
    /// A request to the arbiter, or over the second channel, that takes long, in a million.
    pub slow_ppm: u32,
    /// How long at most.
    pub slow_max: Duration,
    /// A request, or an answer, that is lost, in a million.
    pub lost_ppm: u32,
}

impl Hazards {
    /// None.
    pub const NONE: Self =
        Self { pause_ppm: 0, pause_max: Duration::ZERO, slow_ppm: 0, slow_max: Duration::ZERO, lost_ppm: 0 };
}

/// What the harness does as the daemon does it. Each can be left out, to see that a checker notices.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rules {
    /// Sockets are read empty before a timer is judged.
    pub drain: bool,
    /// The kernel's answer to a claim is waited for.
    pub confirm: bool,
    /// The kernel's answer to a release is waited for.
    pub await_release: bool,
    /// The gate is closed before addresses are released.
    pub close_first: bool,
    /// After a foreign close a latch keeps stale adverts from opening the gate.
    pub latch: bool,
    /// A gate that was closed by an advert which the election refuses is opened again.
    pub reopen: bool,
    /// A worse peer's advert makes a live speaker prove that it lives.
    pub proof_of_life: bool,
    /// Who was fenced stays out until the guard lets it back.
    pub hold_down: bool,
    /// Who gave its lease back may not be master until it is granted one again.
    pub ask_again: bool,
    /// What is refreshed is deleted first, so that an expired lease is not opened by it (G2).
    pub delete_first: bool,
    /// Opening needs a permit (G4).
    pub permit: bool,
    /// The permit is that of the request that was granted (G4).
    pub bound: bool,
    /// Nobody takes what may still be held: the wait is longer than the hold.
    pub long_wait: bool,
    /// Who holds by promises has those of all others.
    pub all_promise: bool,
    /// Who has promised to take nothing takes nothing.
    pub keeps_promise: bool,
    /// A promise counts from when it was asked for, not from when it is heard.
    pub from_question: bool,
    /// The guard is told what the peers report.
    pub told: bool,
    /// The guard is told whom this node reaches.
    pub reaches: bool,
    /// A master that a lower one does not hear yields when the guard says so.
    pub yields: bool,
    /// What a host owns is no leftover, to be removed at the start.
    pub keeps_own: bool,
    /// Adverts go to every unicast peer.
    pub to_all_peers: bool,
    /// The watcher is given every frame that the speaker is given.
    pub hears: bool,
}

impl Rules {
    /// All of them.
    pub const ALL: Self = Self {
        drain: true,
        confirm: true,
        await_release: true,
        close_first: true,
        latch: true,
        reopen: true,
        proof_of_life: true,
        hold_down: true,
        ask_again: true,
        delete_first: true,
        permit: true,
        bound: true,
        long_wait: true,
        all_promise: true,
        keeps_promise: true,
        from_question: true,
        told: true,
        reaches: true,
        yields: true,
        keeps_own: true,
        to_all_peers: true,
        hears: true,
    };
}

/// A set of nodes, one bit each.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Nodes(pub u8);

impl Nodes {
    /// Just this one.
    pub const fn one(node: usize) -> Self {
        Self(1 << node)
    }

    /// True if this one is in it.
    pub const fn has(self, node: usize) -> bool {
        self.0 & (1 << node) != 0
    }

    /// How many.
    pub const fn count(self) -> u32 {
        self.0.count_ones()
    }

    /// In order.
    pub fn iter(self) -> impl Iterator<Item = usize> {
        (0..MAX_NODES).filter(move |node| self.has(*node))
    }

    /// With or without this one.
    pub const fn set(&mut self, node: usize, is_in: bool) {
        if is_in {
            self.0 |= 1 << node;
        } else {
            self.0 &= !(1 << node);
        }
    }
}

/// Something that goes wrong.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Mishap {
    /// When, since the beginning.
    pub at: Duration,
    /// How long; `None` for ever.
    pub lasts: Option<Duration>,
    /// What.
    pub fault: Fault,
}

/// Kinds of mishap.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Fault {
    /// The process is stopped (SIGSTOP, a starved or paused machine whose kernel runs on), and goes on afterwards.
    Pause(usize),
    /// The process is killed (SIGKILL), and started again afterwards.
    Kill(usize),
    /// The machine loses power, and boots afterwards.
    PowerOff(usize),
    /// The process is told to end (SIGTERM), and started again afterwards.
    Stop(usize),
    /// Frames from these nodes don't reach those.
    Cut {
        /// Whose frames.
        from: Nodes,
        /// To whom.
        to: Nodes,
    },
    /// The interface has no carrier.
    Cable(usize),
    /// The network is worse, or better.
    Weather(Weather),
    /// The host's firewall drops VRRP.
    Firewall(usize, Wall),
    /// An address is deleted by hand. What goes wrong lasts for an instant.
    DeleteAddress(usize),
    /// The address is added by hand.
    AddAddress(usize),
    /// Netlink answers late.
    SlowKernel(usize, Duration),
    /// Netlink refuses.
    BrokenKernel(usize),
    /// What is tracked makes the priority this.
    Priority(usize, u8),
    /// An operator hands over.
    HandOver(usize),
    /// The arbiter changes its leader: writes wait until it is over.
    ArbiterStalls,
    /// The arbiter answers nobody.
    ArbiterDown,
    /// This node does not reach the arbiter.
    ArbiterCut(usize),
    /// Somebody removes the key. Lasts for an instant.
    ArbiterForgets,
    /// This node neither asks nor answers over the second channel.
    ChannelCut(usize),
    /// This node's port of the switch forwards nothing: it reaches neither the others nor the witness, and has carrier.
    Isolate(usize),
}

/// Where a host's firewall drops protocol 112. A speaker receives and sends on packet sockets, behind none of these; the
/// watcher sees them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wall {
    /// In netdev ingress: behind the first tap.
    Ingress,
    /// In INPUT: behind the second.
    Input,
    /// In OUTPUT.
    Output,
}

/// The virtual address of every world.
pub const fn vip(family: Family) -> IpAddr {
    match family {
        Family::V4 => IpAddr::V4(Ipv4Addr::new(192, 0, 2, 100)),
        Family::V6 => IpAddr::V6(Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0, 0, 0x100)),
    }
}

/// A node's own address.
pub const fn primary(family: Family, node: usize) -> IpAddr {
    let number = node as u8 + 1;
    match family {
        Family::V4 => IpAddr::V4(Ipv4Addr::new(192, 0, 2, number)),
        Family::V6 => IpAddr::V6(Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0, 0, number as u16)),
    }
}

/// A node's hardware address.
pub const fn mac(node: usize) -> MacAddr {
    MacAddr(2, 0, 0, 0, 0, node as u8 + 1)
}
