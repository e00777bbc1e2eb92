//! The file as it is written: every key of the format with its type, and nothing about how they go together.
//!
//! Keys that only later versions act upon are here too, so that a file for them is checked today.

use std::net::{IpAddr, SocketAddr};
use std::ops::Range;

use serde::Deserialize;
use toml::Spanned;

use super::later;
use super::value::{Interface, Name, Prefixed, Secret, Text, Whole};
use crate::time::Duration;

/// A key that may be left out, with its place.
pub(super) type Key<T> = Option<Spanned<T>>;

/// A key whose value is written as a string of a certain form.
pub(super) type TextKey<T> = Key<Text<T>>;

/// A list of strings of a certain form, each with its place.
pub(super) type TextList<T> = Key<Vec<Spanned<Text<T>>>>;

#[derive(Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct File {
    pub node: Node,
    pub web: Web,
    pub watch: Watch,
    pub cluster: Cluster,
    pub peer: Vec<Spanned<Peer>>,
    pub witness: Vec<Spanned<Witness>>,
    pub check: Vec<Spanned<later::Check>>,
    pub router: Vec<Spanned<Router>>,
    pub fence: Key<later::Fence>,
    pub arbiter: Key<later::Arbiter>,
}

#[derive(Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct Node {
    pub name: TextKey<Name>,
    pub state_dir: Key<String>,
}

#[derive(Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct Web {
    pub listen: TextList<SocketAddr>,
    pub config_file: Key<String>,
}

#[derive(Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct Watch {
    pub interfaces: TextList<Interface>,
    pub passive: Key<bool>,
    pub discover: Key<bool>,
    pub keepalived_conf: Key<String>,
    pub probe_interval: TextKey<Duration>,
    pub probe_budget: Key<Whole<1, 10_000>>,
    pub max_routers: Key<Whole<1, 1_000_000>>,
    pub max_speakers: Key<Whole<2, 1_000>>,
    pub forget_after: TextKey<Duration>,
}

#[derive(Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct Cluster {
    pub key_file: Key<String>,
}

#[derive(Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct Peer {
    pub name: TextKey<Name>,
    pub address: TextKey<IpAddr>,
    pub vrrp_addresses: TextList<IpAddr>,
    pub urls: Key<Vec<String>>,
    pub ca_file: Key<String>,
    pub cert_file: Key<String>,
    pub key_file: Key<String>,
}

#[derive(Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct Witness {
    pub name: TextKey<Name>,
    pub address: TextKey<IpAddr>,
}

#[derive(Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct Router {
    pub name: TextKey<Name>,
    pub interface: TextKey<Interface>,
    pub vrid: Key<Whole<1, 255>>,
    pub addresses: TextList<Prefixed>,
    pub excluded_addresses: TextList<Prefixed>,
    pub mode: Key<Mode>,
    pub peers: TextList<Name>,
    pub version: Key<Whole<2, 3>>,
    pub advert_interval: TextKey<Duration>,
    pub auth_pass: Key<Secret>,
    pub auth_pass_file: Key<String>,
    pub unicast_peers: TextList<IpAddr>,
    pub only_known_speakers: Key<bool>,
    pub source: TextKey<IpAddr>,
    pub priority: Key<Whole<1, 255>>,
    pub preempt: Key<bool>,
    pub preempt_delay: TextKey<Duration>,
    pub startup_delay: TextKey<Duration>,
    pub accept: Key<bool>,
    pub vmac: Key<bool>,
    pub vmac_xmit_base: Key<bool>,
    pub checksum: Key<later::Checksum>,
    pub sync_group: TextKey<Name>,
    pub exclusive_group: TextKey<Name>,
    pub garp: Key<later::Garp>,
    pub track: Key<Vec<later::Track>>,
    pub notify: Key<later::Notify>,
    pub fence: Key<later::Fence>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Mode {
    Watch,
    Speak,
}

/// Where those of the named keys stand that are given.
macro_rules! given {
    ($table:expr, $($key:ident)*) => {
        [$((stringify!($key), $table.$key.as_ref().map(Spanned::span))),*]
            .into_iter()
            .filter_map(|(key, span)| Some((key, span?)))
            .collect()
    };
}

impl File {
    /// Every key that is given and that only later versions act upon, with its place.
    pub(super) fn without_effect(&self) -> Vec<(&'static str, Range<usize>)> {
        let mut found: Vec<_> = given!(self, fence arbiter);
        found.extend::<Vec<_>>(given!(self.watch, keepalived_conf));
        found.extend::<Vec<_>>(given!(self.cluster, key_file));
        found.extend(self.check.iter().map(|check| ("check", check.span())));
        for peer in &self.peer {
            found.extend::<Vec<_>>(given!(peer.get_ref(), urls ca_file cert_file key_file));
        }
        for router in &self.router {
            found.extend::<Vec<_>>(given!(
                router.get_ref(),
                source priority preempt preempt_delay startup_delay accept vmac vmac_xmit_base checksum
                sync_group exclusive_group garp track notify fence
            ));
        }
        found
    }
}
