//! A node's kernel: its addresses, its gate, its clock. It runs while the process is stopped, and outlives it.

use std::collections::VecDeque;

use crate::time::Instant;

use super::clock::Clock;
use super::gate::Gate;
use super::process::Job;

/// What the kernel of a node has.
#[derive(Debug)]
pub(super) struct Kernel {
    pub clock: Clock,
    /// How many outages the machine is in, and how many pulls its cable.
    pub outages: u32,
    pub pulls: u32,
    /// The virtual address is on the interface.
    pub address: bool,
    /// Somebody else has added or deleted it since the process last did.
    pub tampered: bool,
    /// `None` where nodes have no gate.
    pub gate: Option<Gate>,
    /// Requests by netlink that are under way, each with the life of the process that made it.
    pub jobs: VecDeque<(Job, u32)>,
}

impl Kernel {
    /// The machine is on.
    pub const fn is_powered(&self) -> bool {
        self.outages == 0
    }

    /// The interface has carrier.
    pub const fn has_carrier(&self) -> bool {
        self.pulls == 0
    }

    /// Until when, by its own clock, the host answers for the address if nothing more happens; `None` if it does not now.
    pub fn answers_until(&self, now: Instant) -> Option<Instant> {
        if !(self.is_powered() && self.address) {
            return None;
        }
        match &self.gate {
            Some(gate) => gate.open_until().filter(|until| now < *until),
            None => Some(Instant::from_nanos(u64::MAX)),
        }
    }
}
