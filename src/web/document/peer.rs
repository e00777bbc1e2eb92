//! A peer, and what it reports.

use std::net::IpAddr;

use serde::{Deserialize, Serialize};

use crate::detect::PeerView;
use crate::observe::Reported;
use crate::time::Instant;

/// A peer.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PeerDoc {
    /// Name.
    pub name: String,
    /// The address that is pinged.
    pub address: IpAddr,
    /// Whether it answers; null before the first answer or loss.
    pub ping: Option<bool>,
    /// Last round trip.
    pub rtt_seconds: Option<f64>,
    /// Whether its vipwarden answers; null where it is not asked.
    pub api: Option<bool>,
    /// True if its reports are signed with the cluster's key.
    pub trusted: bool,
    /// Age of its newest report; null if there was none.
    #[serde(default)]
    pub report_age_seconds: Option<f64>,
    /// What is wrong with its answers.
    #[serde(default)]
    pub trouble: Option<String>,
    /// What its newest report says, however old.
    #[serde(default)]
    pub routers: Vec<PeerRouterDoc>,
}

/// A virtual router as a peer reports it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PeerRouterDoc {
    /// Its name there.
    pub name: String,
    /// Its interface there.
    pub interface: String,
    /// `ipv4` or `ipv6`.
    pub family: String,
    /// VRID.
    pub vrid: u8,
    /// All its addresses that are known there.
    pub addresses: Vec<IpAddr>,
    /// The peer's own part.
    pub state: String,
    /// Whether its host holds one of the addresses.
    pub holds: bool,
    /// Whether it is blind to this router.
    pub blind: bool,
}

impl From<&Reported> for PeerRouterDoc {
    fn from(reported: &Reported) -> Self {
        Self {
            name: reported.name.clone(),
            interface: reported.interface.clone(),
            family: reported.family.as_str().into(),
            vrid: reported.vrid,
            addresses: reported.addresses.clone(),
            state: reported.state.as_str().into(),
            holds: !reported.held.is_empty(),
            blind: reported.blind,
        }
    }
}

impl PeerDoc {
    pub(super) fn new(peer: &PeerView, now: Instant) -> Self {
        Self {
            name: peer.reach.name.clone(),
            address: peer.reach.address,
            ping: peer.reach.up,
            rtt_seconds: peer.reach.rtt.map(|rtt| rtt.as_secs_f64()),
            api: peer.api,
            trusted: peer.trusted,
            report_age_seconds: peer.report.as_ref().map(|report| now.since(report.as_of).as_secs_f64()),
            trouble: peer.trouble.clone(),
            routers: peer.report.iter().flat_map(|report| report.routers()).map(PeerRouterDoc::from).collect(),
        }
    }
}
