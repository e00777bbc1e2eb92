//! The way out for whole Ethernet frames: adverts, announcements, probes.

use std::io;

use socket2::{Domain, Socket, Type};

use super::socket;
use crate::observe::IfIndex;

/// TC_PRIO_INTERACTIVE: the first band of the usual queueing discipline, and the highest that needs no capability. An advert
/// must not wait behind a backup's bulk traffic.
const PRIORITY: libc::c_int = 6;

/// Sends whole Ethernet frames and receives nothing (protocol 0). The frames pass the egress hook of netfilter, and not its
/// OUTPUT chain.
#[derive(Debug)]
pub struct Transmitter {
    socket: Socket,
}

impl Transmitter {
    /// Opens the socket; `purpose` says in the error what can't be done without it. Needs CAP_NET_RAW.
    ///
    /// # Errors
    /// What the kernel says; without CAP_NET_RAW in words.
    pub fn open(purpose: &str) -> io::Result<Self> {
        let socket = socket::open(Domain::PACKET, Type::RAW, None, purpose)?;
        socket::set_option(&socket, libc::SOL_SOCKET, libc::SO_PRIORITY, &PRIORITY)?;
        Ok(Self { socket })
    }

    /// Has every frame carry a mark within this host. Needs CAP_NET_ADMIN, or CAP_NET_RAW on recent kernels.
    ///
    /// # Errors
    /// What the kernel says.
    pub fn mark(&self, mark: u32) -> io::Result<()> {
        socket::set_option(&self.socket, libc::SOL_SOCKET, libc::SO_MARK, &mark)
    }

    /// Sends one frame out of an interface. Never blocks.
    ///
    /// # Errors
    /// What the kernel says: `WouldBlock` or ENOBUFS when the queue is full, `NetworkDown`, ENXIO for no such interface.
    pub fn send(&self, interface: IfIndex, frame: &[u8]) -> io::Result<()> {
        // The address names no protocol: the kernel then takes it from the frame.
        self.socket.send_to_with_flags(frame, &socket::link_address(interface, 0), libc::MSG_DONTWAIT).map(drop)
    }
}
