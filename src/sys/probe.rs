//! Sends what the core asks for: ARP and ND probes, directed echoes, and the output self-test.

use std::io;

use crate::observe::{IfIndex, Request};
use crate::wire::Family;

/// Sends probes. Answers come in by the capture.
#[derive(Debug)]
pub struct Prober {}

impl Prober {
    /// Opens a transmit-only packet socket (protocol 0). Needs CAP_NET_RAW.
    ///
    /// # Errors
    /// What the kernel says.
    pub fn open() -> io::Result<Self> {
        Err(io::ErrorKind::Unsupported.into())
    }

    /// Sends one ARP, ND or echo request. Never blocks.
    ///
    /// # Errors
    /// What the kernel says; `InvalidInput` for an output test.
    pub fn send(&self, _request: &Request) -> io::Result<()> {
        Ok(())
    }
}

/// Tries whether this host's firewall lets protocol 112 out of `interface`, by a multicast packet with TTL 0 that never leaves
/// the host and is not looped back. True if it is blocked (EPERM).
///
/// # Errors
/// Any other error than EPERM: the test says nothing.
pub fn output_blocked(_interface: IfIndex, _family: Family) -> io::Result<bool> {
    Err(io::ErrorKind::Unsupported.into())
}
