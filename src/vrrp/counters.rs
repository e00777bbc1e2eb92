//! What a router counts, and what it remembers of the master.

use std::collections::BTreeMap;
use std::net::IpAddr;

use super::State;
use crate::time::{Duration, Instant};
use crate::wire::RejectReason;

/// Counts since the router was made. None ever runs backwards.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Counters {
    /// How often each state was entered.
    pub transitions: BTreeMap<State, u64>,
    /// Adverts sent, those with priority 0 included.
    pub adverts_sent: u64,
    /// Adverts that passed all checks.
    pub adverts_received: u64,
    /// Adverts with priority 0 sent.
    pub priority_zero_sent: u64,
    /// Adverts with priority 0 among those received.
    pub priority_zero_received: u64,
    /// Announcements (gratuitous ARP, unsolicited NA) asked for, each of all addresses.
    pub announcements: u64,
    /// Questions to the host of a silent master, whether it still has the addresses.
    pub probes_sent: u64,
    /// Those that it answered.
    pub probes_answered: u64,
    /// Takeovers that were put off because it went on answering.
    pub held_off: u64,
    /// Adverts refused, by the reason.
    pub refused: BTreeMap<RejectReason, u64>,
    /// Adverts from sources that are no known speaker: alarmed, not obeyed.
    pub strangers: u64,
    /// Alarms that were not raised because too many others stand.
    pub alarms_suppressed: u64,
}

/// The last advert that was received and passed all checks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Heard {
    /// Its source.
    pub source: IpAddr,
    /// Its priority, 0-255.
    pub priority: u8,
    /// The interval that it told.
    pub interval: Duration,
    /// When.
    pub at: Instant,
}
