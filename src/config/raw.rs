//! The file as it is written: every key of the format with its type, and nothing about how they go together.
//!
//! Keys that only later versions act upon are here too, so that a file for them is checked today.

use std::net::{IpAddr, SocketAddr};

use hyper::Uri;
use serde::Deserialize;
use toml::Spanned;

use super::Unreachable;
use super::value::{
    AbsolutePath, BaseUrl, Command, DurationOrNever, Interface, Name, Prefixed, Process, Secret, Text, User, Whole,
    WordOrDuration,
};
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
    pub check: Vec<Spanned<Check>>,
    pub router: Vec<Spanned<Router>>,
    pub fence: Key<Fence>,
    pub arbiter: Key<Arbiter>,
}

#[derive(Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct Node {
    pub name: TextKey<Name>,
    pub state_dir: TextKey<AbsolutePath>,
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
    pub urls: TextList<BaseUrl>,
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
    pub checksum: Key<Checksum>,
    pub sync_group: TextKey<Name>,
    pub exclusive_group: TextKey<Name>,
    pub garp: Key<Garp>,
    pub track: Key<Vec<Spanned<Track>>>,
    pub notify: Key<Notify>,
    pub fence: Key<Fence>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Mode {
    Watch,
    Speak,
}

#[derive(Clone, Copy, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Checksum {
    PseudoHeader,
    Message,
}

#[derive(Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct Garp {
    pub repeat: Key<Whole<0, 100>>,
    pub delay: TextKey<Duration>,
    pub refresh: TextKey<Duration>,
}

#[derive(Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct Track {
    pub check: TextKey<Name>,
    pub interface: TextKey<Interface>,
    pub process: TextKey<Process>,
    pub file: TextKey<AbsolutePath>,
    pub number: TextKey<AbsolutePath>,
    pub weight: Key<Whole<-253, 253>>,
    pub reverse: Key<bool>,
}

#[derive(Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct Notify {
    pub master: Key<Command>,
    pub backup: Key<Command>,
    pub fault: Key<Command>,
    pub fenced: Key<Command>,
    pub stop: Key<Command>,
    pub timeout: TextKey<Duration>,
    pub user: TextKey<User>,
    pub fifo: TextKey<AbsolutePath>,
}

#[derive(Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct Fence {
    pub on_split_brain: Key<bool>,
    pub on_isolation: Key<bool>,
    pub isolation_time: TextKey<Duration>,
    pub gate: Key<bool>,
    pub gate_timeout: TextKey<WordOrDuration>,
    pub address_lifetime: TextKey<WordOrDuration>,
    pub probe_before_promote: Key<bool>,
    pub promote_grace: TextKey<DurationOrNever>,
    pub informed_yield: Key<Whole<0, 1_000>>,
    pub hold_down: TextKey<Duration>,
}

#[derive(Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct Arbiter {
    pub etcd: TextList<BaseUrl>,
    pub key_prefix: Key<String>,
    pub wait: TextKey<Duration>,
    pub unreachable: Key<Unreachable>,
    pub ca_file: Key<String>,
    pub cert_file: Key<String>,
    pub key_file: Key<String>,
    pub user: Key<String>,
    pub password_file: Key<String>,
}

#[derive(Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct Check {
    pub name: TextKey<Name>,
    pub command: Key<Command>,
    pub http: TextKey<Uri>,
    pub expect_status: Key<Vec<Whole<100, 599>>>,
    pub tcp: TextKey<SocketAddr>,
    pub interval: TextKey<Duration>,
    pub timeout: TextKey<Duration>,
    pub rise: Key<Whole<1, 1_000>>,
    pub fall: Key<Whole<1, 1_000>>,
    pub user: TextKey<User>,
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
pub(super) use given;
