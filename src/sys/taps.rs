//! The two further taps: what got past ingress (ETH_P_IP/ETH_P_IPV6), and what got past netfilter (raw protocol 112).

use std::io;

use crate::observe::{Delivered, IfIndex};
use crate::time::Instant;
use crate::wire::Family;

/// The ETH_P_IP and ETH_P_IPV6 tap of one interface.
#[derive(Debug)]
pub struct IpTap {}

impl IpTap {
    /// Opens both protocols on one interface. Needs CAP_NET_RAW and a tokio runtime.
    ///
    /// # Errors
    /// What the kernel says.
    pub fn open(_interface: IfIndex) -> io::Result<Self> {
        Err(io::ErrorKind::Unsupported.into())
    }

    /// Waits until something can be read.
    ///
    /// # Errors
    /// What the kernel says.
    pub async fn readable(&self) -> io::Result<()> {
        Ok(())
    }

    /// Reads what is there, at most `max` adverts. True if drained.
    ///
    /// # Errors
    /// What the kernel says.
    pub fn drain(&mut self, _max: usize, _each: impl FnMut(Instant, Delivered)) -> io::Result<bool> {
        Ok(true)
    }
}

/// The raw protocol-112 socket of one family, for all interfaces.
#[derive(Debug)]
pub struct RawTap {}

impl RawTap {
    /// Opens the socket. Needs CAP_NET_RAW and a tokio runtime.
    ///
    /// # Errors
    /// What the kernel says.
    pub fn open(_family: Family) -> io::Result<Self> {
        Err(io::ErrorKind::Unsupported.into())
    }

    /// Its inode, as `/proc/net/raw` shows it: to tell our own socket from a daemon's.
    pub fn inode(&self) -> u64 {
        0
    }

    /// Joins the VRRP group on an interface (this also sends IGMP or MLD, which a packet socket's membership does not).
    ///
    /// # Errors
    /// What the kernel says.
    pub fn join(&self, _interface: IfIndex) -> io::Result<()> {
        Ok(())
    }

    /// Waits until something can be read.
    ///
    /// # Errors
    /// What the kernel says.
    pub async fn readable(&self) -> io::Result<()> {
        Ok(())
    }

    /// Reads what is there, at most `max` adverts. True if drained.
    ///
    /// # Errors
    /// What the kernel says.
    pub fn drain(&mut self, _max: usize, _each: impl FnMut(Instant, Delivered)) -> io::Result<bool> {
        Ok(true)
    }
}
