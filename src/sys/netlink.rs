//! Links and addresses, as they are and as they change.

use std::io;

use crate::observe::Fact;

/// A subscription to links and addresses of this network namespace.
#[derive(Debug)]
pub struct Netlink {}

impl Netlink {
    /// Subscribes, then dumps: [`Self::next`] yields everything that is there, then what changes. Needs a tokio runtime;
    /// no capability.
    ///
    /// # Errors
    /// What the kernel says.
    pub async fn open() -> io::Result<Self> {
        Err(io::ErrorKind::Unsupported.into())
    }

    /// The next batch of facts: `Link`, `LinkGone`, `Address`, `AddressGone`, and `Sensor { Netlink, .. }` around an
    /// overrun, after which everything is dumped again and the difference is yielded. `Link::sniffed` is left false: which
    /// interfaces are captured is the engine's decision.
    ///
    /// # Errors
    /// What the kernel says; the subscription is then dead.
    pub async fn next(&mut self) -> io::Result<Vec<Fact>> {
        Err(io::ErrorKind::Unsupported.into())
    }
}
