//! The kernel gate: while it is closed, this host is silent about the addresses of a virtual router, whoever has put them
//! there and whatever became of this process.
//!
//! Each virtual router has a gate of its own. It is open while the element of its [`Key`] is in the set `alive`, and, where an arbiter
//! has a say, also in the set `lease`. Elements have lifetimes, which the kernel keeps:
//!
//! - *Our own adverts*, as they pass the egress hook, renew `alive` for [`Router::timeout`]; one of priority 0 ends it.
//! - *A better advert* of a configured peer ends it, while this process may be frozen, and puts up a latch: for twice the
//!   advertisement interval no advert of ours opens. A priority 0 of that peer, or a worse advert, takes its latch away.
//! - *A worse advert* of a configured peer shortens `alive` to 20 ms. A living speaker answers such an advert at once, and
//!   so keeps its gate; a frozen one falls silent. The next such challenge comes when this one is forgotten, and not before: two
//!   rivals together must not get more answers than the protocol allows.
//! - `lease` is only ever changed by [`Gate::grant`] and [`Gate::renew`].
//!
//! Closed means dropped, at the ingress and egress hooks of all interfaces but the loopback and ports of bridges and bonds: what goes
//! to such an address or comes from it *if it is one of this host's* (forwarding to the real holder goes on); ARP requests
//! and neighbour solicitations for it, and our own words about it; and on the interface of a router with a virtual MAC every
//! frame to and from that MAC. The host itself still reaches the address.
//!
//! The rules stand in a table of our own, which the kernel lets nobody else change while this process lives, and keeps when it
//! is killed. The operations that have to be exact are transactions: `{delete; add}` fails if what it deletes has expired.

mod elements;
mod rules;
mod table;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::io;
use std::net::IpAddr;

use super::connection::Connection;
pub use super::connection::NftError;
use crate::observe::IfIndex;
use crate::time::Duration;
use crate::wire::{Auth, Family, Version};
pub use elements::TABLE;
pub use table::remove_leftovers;

/// The mark that our adverts carry, by which the gate knows them.
pub const MARK: u32 = 0x7677_0112;

/// The family `netdev`: its hooks are those of single interfaces.
const NETDEV: u8 = 5;

/// What a gate belongs to: not the interface alone, or a router of the other family with the same VRID would hold it open.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Key {
    /// Family of the addresses.
    pub family: Family,
    /// VRID.
    pub vrid: u8,
    /// The router's interface; with a virtual MAC the one below.
    pub interface: IfIndex,
}

/// A virtual router as its gate knows it.
#[derive(Clone, Debug, PartialEq)]
pub struct Router {
    /// Whose gate it is.
    pub key: Key,
    /// All addresses that are held, excluded ones too.
    pub addresses: Vec<IpAddr>,
    /// Whether frames to and from the virtual MAC are gated.
    pub vmac: bool,
    /// The protocol version of peers' adverts that count.
    pub version: Version,
    /// Version 2: authentication of those adverts.
    pub auth: Auth,
    /// The advertisement interval.
    pub interval: Duration,
    /// How long an advert keeps the gate open.
    pub timeout: Duration,
    /// Where configured peers advertise from, as far as they are of the family.
    pub peers: Vec<IpAddr>,
    /// Whom this router gives way to.
    pub rank: Rank,
    /// Whether an arbiter has a say: the gate is open only under a lease.
    pub leased: bool,
}

/// What peers' adverts are compared with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rank {
    /// The effective priority, 1-255. During a fault 0: everybody is better.
    pub priority: u8,
    /// The source of our adverts; of two with one priority the higher address is better.
    pub source: Option<IpAddr>,
}

/// What the gate can do on this kernel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Hooks {
    /// Everything.
    Both,
    /// There is no egress hook (before Linux 5.16): only what comes in is gated, and [`Gate::feed`] has to be told of each advert.
    IngressOnly,
}

/// Where a gate stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Standing {
    /// How long adverts keep it open yet; `None` is closed.
    pub alive: Option<Duration>,
    /// How long the lease runs yet; `None` is none.
    pub lease: Option<Duration>,
    /// Whether a lease is needed.
    pub leased: bool,
}

impl Standing {
    /// True if clients are answered.
    pub const fn is_open(&self) -> bool {
        self.alive.is_some() && (self.lease.is_some() || !self.leased)
    }
}

/// Leave to open once, for a short time: a process that was frozen meanwhile opens nothing with it.
#[derive(Debug, PartialEq, Eq)]
#[must_use = "it serves one opening"]
pub struct Permit {
    key: Key,
    nonce: u32,
}

/// All gates of this process.
#[derive(Debug)]
pub struct Gate {
    connection: Connection,
    hooks: Hooks,
    /// Whether the kernel keeps others from changing the table, and the table when we die.
    guarded: bool,
    routers: BTreeMap<Key, Router>,
    interfaces: BTreeMap<IfIndex, String>,
    permits: u32,
}

impl Gate {
    /// Puts up the table with closed gates for `routers` on `interfaces`, in one step: what an earlier life has left is replaced
    /// by it, and nothing of it is open for a moment. Needs CAP_NET_ADMIN.
    ///
    /// # Errors
    /// What the kernel lacks or refuses. EPERM: no capability, or another process that lives has the table.
    pub fn open(routers: &[Router], interfaces: &BTreeMap<IfIndex, String>) -> Result<Self, NftError> {
        Self::open_with(Hooks::Both, routers, interfaces).or_else(|error| match error.code() {
            Some(libc::EOPNOTSUPP | libc::EINVAL | libc::ENOENT) => {
                Self::open_with(Hooks::IngressOnly, routers, interfaces).map_err(|_| error)
            }
            _ => Err(error),
        })
    }

    /// The same with no more hooks than these.
    ///
    /// # Errors
    /// As [`Self::open`].
    pub fn open_with(
        hooks: Hooks,
        routers: &[Router],
        interfaces: &BTreeMap<IfIndex, String>,
    ) -> Result<Self, NftError> {
        let connect = |source: io::Error| NftError { what: "no connection to nf_tables".into(), source };
        let mut gate = Self {
            connection: Connection::open(NETDEV).map_err(connect)?,
            hooks,
            guarded: true,
            routers: routers.iter().map(|router| (router.key, router.clone())).collect(),
            interfaces: interfaces.clone(),
            permits: 0,
        };
        gate.put_up()?;
        Ok(gate)
    }

    // ---- getters --------------------------------------------------------------------------------------------------

    /// Which hooks there are.
    pub const fn hooks(&self) -> Hooks {
        self.hooks
    }

    /// Whether the table withstands others and our death (Linux 6.9).
    pub const fn is_guarded(&self) -> bool {
        self.guarded
    }

    /// What is known of a router.
    pub fn router(&self, key: Key) -> Option<&Router> {
        self.routers.get(&key)
    }

    /// Where a gate stands: the kernel is asked.
    ///
    /// # Errors
    /// What the kernel says. ENOENT is no error, but a closed gate.
    pub fn standing(&mut self, key: Key) -> io::Result<Standing> {
        let leased = self.routers.get(&key).is_some_and(|router| router.leased);
        let alive = self.remaining(elements::ALIVE, &elements::key(key))?;
        let lease = if leased { self.remaining(elements::LEASE, &elements::key(key))? } else { None };
        Ok(Standing { alive, lease, leased })
    }
}
