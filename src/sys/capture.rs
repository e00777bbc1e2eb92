//! AF_PACKET with a classic BPF filter: everything on one interface's wire that concerns virtual IPs.

use std::io;

use crate::observe::{IfIndex, PacketKind};
use crate::time::Instant;

/// One interface's packet socket.
#[derive(Debug)]
pub struct Capture {}

/// One captured frame.
#[derive(Debug)]
pub struct Captured<'a> {
    /// Kernel receive time.
    pub at: Instant,
    /// The VLAN tag that the kernel stripped; tag 0 is none.
    pub vlan: Option<u16>,
    /// To whom it was addressed.
    pub kind: PacketKind,
    /// From the Ethernet header on.
    pub bytes: &'a [u8],
}

/// Counts since the last call.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counters {
    /// Frames that passed the filter.
    pub frames: u64,
    /// Frames that passed the filter and were dropped for want of room.
    pub dropped: u64,
}

impl Capture {
    /// Opens with protocol 0, attaches the filter, binds, joins the VRRP groups. Needs CAP_NET_RAW and a tokio runtime.
    ///
    /// # Errors
    /// What the kernel says.
    pub fn open(_interface: IfIndex) -> io::Result<Self> {
        Err(io::ErrorKind::Unsupported.into())
    }

    /// Waits until frames can be read.
    ///
    /// # Errors
    /// What the kernel says; ENETDOWN when the interface went down.
    pub async fn readable(&self) -> io::Result<()> {
        Ok(())
    }

    /// Reads what is there, at most `max` frames. True if the socket was drained.
    ///
    /// # Errors
    /// What the kernel says.
    pub fn drain(&mut self, _max: usize, _each: impl FnMut(Captured<'_>)) -> io::Result<bool> {
        Ok(true)
    }

    /// Counters since the last call (`PACKET_STATISTICS`).
    ///
    /// # Errors
    /// What the kernel says.
    pub fn counters(&mut self) -> io::Result<Counters> {
        Ok(Counters::default())
    }
}
