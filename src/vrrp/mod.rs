//! The speaker: a sans-I/O state machine for one virtual router (RFC 3768 §6, RFC 5798 §6, RFC 9568 §6).
//!
//! [`Router`] takes [`Event`]s in and hands [`Action`]s out; `now` is a parameter, and the only promise about it is that it
//! never runs backwards. What needs the kernel comes back as an event: [`Action::Claim`] as [`Event::Claimed`] or
//! [`Event::ClaimFailed`], [`Action::Release`] as [`Event::Released`]. RFC 9568 calls the roles Active and Backup; here
//! they are master and backup, as users say.

mod admit;
mod advert;
mod counters;
mod election;
pub mod group;
mod phase;
mod probing;
mod router;
mod tenure;
#[cfg(test)]
mod tests;
pub mod timer;
pub mod track;

use std::collections::BTreeSet;
use std::net::IpAddr;

pub use advert::advert;
pub use counters::{Counters, Heard};
pub use phase::Takeover;
pub use probing::Question;
pub use router::{Reconfigured, Router};

use crate::time::{Duration, Instant};
use crate::wire::{Advert, Auth, ChecksumForm, Family, MacAddr, Version};

/// The priority of an address owner (RFC 9568 §5.2.4).
pub const OWNER: u8 = 255;

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
    /// Whether the host of a master that fell silent is asked, before its addresses are taken, if it still has them.
    pub probe_before_promote: bool,
    /// For how long at most such a host's answers put a takeover off, if nothing tells that its daemon lives; `None` is for
    /// as long as it answers.
    pub promote_grace: Option<Duration>,
}

impl Settings {
    /// True if this address stands in its adverts.
    fn advertises(&self, address: &IpAddr) -> bool {
        self.addresses.iter().any(|(own, _)| own == address)
    }

    /// All addresses that a master holds.
    fn held(&self) -> BTreeSet<(IpAddr, u8)> {
        self.addresses.iter().chain(&self.excluded_addresses).copied().collect()
    }
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
    /// Give mastership away once, in order. The next master is then followed whatever its priority, until it falls silent
    /// or gives up, or a third one was master; if there is none within a master-down interval, this one is master again.
    HandOver,
    /// Don't be master until [`Event::Allow`]; why, in words. A master gives up in order; a backup whose timer runs out
    /// stays backup, and says so with [`Router::is_ready`]. For whoever has a say beyond the election: a sync group, a
    /// lease, a probe that found the address still answering.
    Forbid(String),
    /// Lifts [`Event::Forbid`]; a ready backup becomes master with the next timeout.
    Allow,
    /// The daemon ends: give mastership away and do nothing more.
    Shutdown,
    /// After a split or a foreign announcement: announce the addresses again, if master.
    AnnounceAgain,
    /// The host that [`Action::Ask`] named has answered that question.
    Answered(Question),
    /// What fresh reports that can be trusted say of a silent master's daemon: it ran, and that counts until then.
    MasterLives(Instant),
    /// What fresh reports of all peers that can be trusted say, until then: should the master give up, this backup has the best
    /// right to follow, and the master says so only when its addresses are gone. `None`: they don't, or not any more.
    Successor(Option<Instant>),
    /// Like [`Event::HandOver`], to this one, which does not hear us; until [`Event::Unyield`] too.
    Yield(IpAddr),
    /// Ends what [`Event::HandOver`] and [`Event::Yield`] began: priorities decide again.
    Unyield,
}

/// What a router wants done.
#[derive(Clone, Debug, PartialEq)]
pub enum Action {
    /// Send an advert with this priority, now.
    Advertise {
        /// 0-255.
        priority: u8,
    },
    /// Put all addresses on this host, those that are already there included, and answer with [`Event::Claimed`] or
    /// [`Event::ClaimFailed`].
    Claim,
    /// Take all addresses from this host and answer with [`Event::Released`], as late as it may be: until then the router
    /// claims nothing and says no farewell.
    Release,
    /// Announce every address once.
    Announce,
    /// Ask this host, and no other, whether it has the first address, and answer with [`Event::Answered`] if it does.
    Ask {
        /// Where the silent master's adverts came from.
        host: MacAddr,
        /// How to ask.
        question: Question,
    },
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
