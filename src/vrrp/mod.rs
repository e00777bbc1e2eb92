//! The speaker: a sans-I/O state machine for one virtual router (RFC 3768 §6, RFC 5798 §6, RFC 9568 §6).
//!
//! [`Router`] takes [`Event`]s in and hands [`Action`]s out; `now` is a parameter, and the only promise about it is that it
//! never runs backwards. What needs the kernel comes back as an event: [`Action::Claim`] as [`Event::Claimed`] or
//! [`Event::ClaimFailed`], [`Action::Release`] as [`Event::Released`]. RFC 9568 calls the roles Active and Backup; here
//! they are master and backup, as users say.

use std::net::IpAddr;

use crate::time::{Duration, Instant};
use crate::wire::{Advert, Auth, ChecksumForm, Family, Version};

/// What a router is told to be. Validated before it gets here.
#[derive(Clone, Debug, PartialEq)]
pub struct Settings {
    /// Its name, unique on this node.
    pub name: String,
    /// Family of its addresses.
    pub family: Family,
    /// Protocol version that it sends; it receives that one only.
    pub version: Version,
    /// VRID, 1-255.
    pub vrid: u8,
    /// Configured priority: 1-254, or 255 for the address owner.
    pub priority: u8,
    /// Advertisement interval: whole seconds in v2, 10 ms to 40.95 s in v3.
    pub advert_interval: Duration,
    /// Whether a better priority takes over from a lower one that works.
    pub preempt: bool,
    /// How long a preemption is put off, counted from the moment it was first possible.
    pub preempt_delay: Duration,
    /// How long after start adverts are only listened to.
    pub startup_delay: Duration,
    /// Advertised addresses with prefix lengths, in the order of the message; for IPv6 a link-local one first.
    pub addresses: Vec<(IpAddr, u8)>,
    /// Held but not advertised.
    pub excluded_addresses: Vec<(IpAddr, u8)>,
    /// v2 authentication: none or a password.
    pub auth: Auth,
    /// Which checksum to send in v3 over IPv4.
    pub checksum: ChecksumForm,
    /// Unicast peers; empty means the group.
    pub unicast_peers: Vec<IpAddr>,
    /// Sources that are obeyed; `None` obeys all.
    pub known_speakers: Option<Vec<IpAddr>>,
    /// Gratuitous ARP or unsolicited NA.
    pub garp: Garp,
}

/// When a master announces its addresses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Garp {
    /// Announcements in a row on becoming master, and again after `delay`.
    pub repeat: u8,
    /// When the second row goes out; zero leaves it out.
    pub delay: Duration,
    /// Between two announcements while master; zero is never.
    pub refresh: Duration,
}

/// What happens to a router.
#[derive(Clone, Debug, PartialEq)]
pub enum Event<'a> {
    /// An advert of another host for this VRID and family was received. It has passed the wire's checks and no others.
    Advert(&'a Advert),
    /// The interface is up with carrier and has this primary address, or can't be used (`None`).
    Interface(Option<IpAddr>),
    /// The kernel confirmed that all addresses are there.
    Claimed,
    /// The kernel refused; in words.
    ClaimFailed(String),
    /// The kernel confirmed that all addresses are gone.
    Released,
    /// Some address was taken away by somebody else.
    AddressLost,
    /// Tracking changed what the configured priority is worth: the effective priority, or `None` for a fault.
    Priority(Option<u8>),
    /// Drop the addresses and stay out until [`Event::Unfence`]; why, in words.
    Fence(String),
    /// A fence is lifted.
    Unfence,
    /// Give mastership away once, in order, and do not take it back by preemption before another was master.
    HandOver,
    /// The daemon ends: give mastership away and do nothing more.
    Shutdown,
    /// After a split or a foreign announcement: announce the addresses again, if master.
    AnnounceAgain,
}

/// What a router wants done.
#[derive(Clone, Debug, PartialEq)]
pub enum Action {
    /// Send an advert with this priority, now.
    Advertise {
        /// 0-255.
        priority: u8,
    },
    /// Put all addresses on this host and answer with [`Event::Claimed`] or [`Event::ClaimFailed`].
    Claim,
    /// Take all addresses from this host and answer with [`Event::Released`].
    Release,
    /// Announce every address once.
    Announce,
    /// The state changed.
    Entered {
        /// From where.
        from: State,
        /// To where.
        to: State,
        /// Why, in words, with the address of whom it was about.
        reason: String,
    },
    /// Something that deserves an event without a change of state: a colliding VRID, an owner that hears adverts, a refused advert.
    Alarm(String),
}

/// The state of a router, as `vrrp_state` shows it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum State {
    /// Not started, in its startup delay, or shut down.
    Init,
    /// Listens.
    Backup,
    /// Holds the addresses and advertises, or is just about to: the claim is on its way.
    Master,
    /// Its interface or a tracked thing of weight 0 is down.
    Fault,
    /// Dropped its addresses on evidence or by hand.
    Fenced,
}

/// What the caller says about the moment in which a timer is handled.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Turn {
    /// Now.
    pub now: Instant,
    /// True if the receiving sockets were drained after `now` was read: nothing that was sent before is unread.
    pub drained: bool,
}
