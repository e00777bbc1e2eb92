//! Pings peers and witnesses, by surge-ping.

use std::io;
use std::net::IpAddr;

use crate::time::Duration;

/// Pings hosts. Lives on the edge: a slow answer delays nothing.
#[derive(Debug)]
pub struct Pinger {}

impl Pinger {
    /// Opens the ICMP sockets of both families, as far as the host has them.
    ///
    /// # Errors
    /// What the kernel says.
    pub fn open() -> io::Result<Self> {
        Err(io::ErrorKind::Unsupported.into())
    }

    /// One echo. `None` if no *echo reply* came within `timeout` (an unreachable is not one).
    pub async fn ping(&self, _host: IpAddr, _timeout: Duration) -> Option<Duration> {
        None
    }
}
