//! The parts of the format that this version only checks: tables for speaking, fencing and arbiters.

use serde::Deserialize;

use super::raw::{Key, TextKey};
use super::value::{Interface, Name, Whole, WordOrDuration};
use crate::time::Duration;

#[derive(Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct Check {
    name: TextKey<Name>,
    command: Key<Vec<String>>,
    http: Key<String>,
    expect_status: Key<Vec<Whole<100, 599>>>,
    tcp: Key<String>,
    interval: TextKey<Duration>,
    timeout: TextKey<Duration>,
    rise: Key<Whole<1, 1_000>>,
    fall: Key<Whole<1, 1_000>>,
    user: Key<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Checksum {
    PseudoHeader,
    Message,
}

#[derive(Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct Garp {
    repeat: Key<Whole<0, 100>>,
    delay: TextKey<Duration>,
    refresh: TextKey<Duration>,
}

#[derive(Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct Track {
    check: TextKey<Name>,
    interface: TextKey<Interface>,
    process: Key<String>,
    file: Key<String>,
    weight: Key<Whole<-254, 254>>,
}

#[derive(Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct Notify {
    master: Key<Vec<String>>,
    backup: Key<Vec<String>>,
    fault: Key<Vec<String>>,
    fenced: Key<Vec<String>>,
    stop: Key<Vec<String>>,
    timeout: TextKey<Duration>,
    user: Key<String>,
    fifo: Key<String>,
}

#[derive(Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct Fence {
    on_split_brain: Key<bool>,
    on_isolation: Key<bool>,
    isolation_time: TextKey<Duration>,
    gate: Key<bool>,
    gate_timeout: TextKey<WordOrDuration>,
    address_lifetime: TextKey<WordOrDuration>,
    probe_before_promote: Key<bool>,
    promote_grace: TextKey<WordOrDuration>,
    informed_yield: Key<Whole<0, 1_000>>,
    hold_down: TextKey<Duration>,
}

#[derive(Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct Arbiter {
    etcd: Key<Vec<String>>,
    key_prefix: Key<String>,
    wait: TextKey<Duration>,
    unreachable: Key<Unreachable>,
    ca_file: Key<String>,
    cert_file: Key<String>,
    key_file: Key<String>,
    user: Key<String>,
    password_file: Key<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Unreachable {
    Drop,
    HoldIfUnanimous,
    Ignore,
}
