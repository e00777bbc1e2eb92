//! What the core is told of its configuration: bounds, and what each router is expected to look like.

use std::net::IpAddr;

use serde::{Deserialize, Serialize};

use crate::time::Duration;
use crate::wire::{Auth, Family, Version};

/// Settings of the watching core. Built from the validated configuration.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Settings {
    /// This node's name.
    pub node: String,
    /// Follow routers that no `[[router]]` names.
    pub discover: bool,
    /// Never ask for a probe.
    pub passive: bool,
    /// Between two probes of one VIP; zero turns probing off.
    pub probe_interval: Duration,
    /// ARP and ND requests a second and interface, at most.
    pub probe_budget: u32,
    /// Routers to remember; configured ones are beyond this count and never evicted.
    pub max_routers: usize,
    /// Speakers to remember for each router.
    pub max_speakers: usize,
    /// A learned router that was silent this long is forgotten.
    pub forget_after: Duration,
    /// `[[router]]` sections.
    pub routers: Vec<Expected>,
    /// `[[peer]]` sections.
    pub peers: Vec<Peer>,
    /// `[[witness]]` sections.
    pub witnesses: Vec<Witness>,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            node: String::new(),
            discover: true,
            passive: false,
            probe_interval: Duration::from_secs(1),
            probe_budget: 10,
            max_routers: 1024,
            max_speakers: 8,
            forget_after: Duration::from_secs(24 * 3600),
            routers: Vec::new(),
            peers: Vec::new(),
            witnesses: Vec::new(),
        }
    }
}

/// A `[[router]]`: what a configured virtual router is expected to look like.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Expected {
    /// Its name, unique.
    pub name: String,
    /// Name of its interface.
    pub interface: String,
    /// Family of its addresses.
    pub family: Family,
    /// VRID.
    pub vrid: u8,
    /// Its advertised addresses.
    pub addresses: Vec<IpAddr>,
    /// Held but not advertised.
    pub excluded_addresses: Vec<IpAddr>,
    /// Version, where it is expected.
    pub version: Option<Version>,
    /// Interval, where it is expected.
    pub advert_interval: Option<Duration>,
    /// Authentication, where it is expected.
    pub auth: Option<Auth>,
    /// Names of the peers; `None` means all.
    pub peers: Option<Vec<String>>,
    /// Unicast peers; empty means multicast.
    pub unicast_peers: Vec<IpAddr>,
    /// Adverts from others than `unicast_peers` and `[[peer]]` are alarmed and never make a verdict.
    pub only_known_speakers: bool,
}

/// What the local VRRP daemon was told of one virtual router, by its own configuration.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Told {
    /// Name of its interface, where one is given.
    pub interface: Option<String>,
    /// Family of its addresses.
    pub family: Family,
    /// VRID.
    pub vrid: u8,
    /// What it advertises.
    pub addresses: Vec<IpAddr>,
    /// Version.
    pub version: Version,
    /// Interval.
    pub interval: Duration,
    /// Authentication.
    pub auth: Auth,
    /// By unicast.
    pub unicast: bool,
}

/// A `[[peer]]`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Peer {
    /// Name.
    pub name: String,
    /// Pinged; also a source of adverts.
    pub address: IpAddr,
    /// Further sources of adverts.
    pub vrrp_addresses: Vec<IpAddr>,
    /// Where its vipwarden is asked for what it holds, hears and sends.
    pub urls: Vec<String>,
}

/// A `[[witness]]`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Witness {
    /// Name.
    pub name: String,
    /// Pinged.
    pub address: IpAddr,
}

/// A learned router as it is kept across restarts.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Learned {
    /// Interface name.
    pub interface: String,
    /// VLAN.
    pub vlan: Option<u16>,
    /// `ipv4` or `ipv6`.
    pub family: String,
    /// VRID.
    pub vrid: u8,
    /// Protocol version, 2 or 3.
    pub version: u8,
    /// Advert interval in milliseconds.
    pub interval_ms: u64,
    /// Its addresses.
    pub addresses: Vec<IpAddr>,
    /// Unix seconds of its last advert.
    pub last_seen_unix: i64,
}
