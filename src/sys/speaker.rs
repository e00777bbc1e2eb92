//! What a speaker sends: adverts and announcements, as whole frames out of one interface.
//!
//! They leave by a packet socket with protocol 0, so a firewall's OUTPUT chain can't mute them, and the egress hook sees
//! each of them, with the mark that opens the [`gate`]. What is received comes by [`super::capture`]. While speaking, keep a [`super::taps::RawTap`] of the family open:
//! without a protocol-112 socket the kernel answers every unicast advert with "protocol unreachable" (in IPv6, "parameter
//! problem").

use std::io;
use std::net::IpAddr;

use super::nft::gate;
use super::transmit::Transmitter;
use super::{interface, probe, sysctl};
use crate::observe::{IfIndex, Request};
use crate::wire::{Advert, MacAddr, frame};

/// Sends for the virtual routers of one interface.
#[derive(Debug)]
pub struct Sender {
    transmitter: Transmitter,
    interface: IfIndex,
}

impl Sender {
    /// Opens the socket. `interface` is the router's own one, below the macvlan where there is a virtual MAC. Needs CAP_NET_RAW.
    ///
    /// # Errors
    /// What the kernel says; without CAP_NET_RAW in words.
    pub fn open(interface: IfIndex) -> io::Result<Self> {
        let transmitter = Transmitter::open("no adverts can be sent")?;
        // Without CAP_NET_ADMIN there is no mark, and no gate either.
        let _ = transmitter.mark(gate::MARK);
        Ok(Self { transmitter, interface })
    }

    /// Sends one advert, from `advert.mac` or, without it, from the virtual MAC: to the group, or to one peer, whose next hop
    /// has the MAC `peer`. Never blocks.
    ///
    /// # Errors
    /// What the kernel says, with interface, VRID and destination; `InvalidInput` for an advert that no receiver would accept,
    /// and for a unicast one without `peer`.
    pub fn advert(&self, advert: &Advert, peer: Option<MacAddr>) -> io::Result<()> {
        let sent = match frame::advert(advert, peer) {
            Ok(frame) => self.transmitter.send(self.interface, &frame),
            Err(error) => Err(io::Error::new(io::ErrorKind::InvalidInput, error)),
        };
        sent.map_err(|error| {
            self.error(&format!("the advert of VRID {} to {}", advert.vrid, advert.destination), &error)
        })
    }

    /// Tells everybody once that `address` is at `mac`: by gratuitous ARP as request and reply, or by an unsolicited neighbour
    /// advertisement, which says "router" if the interface that has the address, `holder`, forwards. Never blocks.
    ///
    /// # Errors
    /// What the kernel says, with interface and address.
    pub fn announce(&self, address: IpAddr, mac: MacAddr, holder: IfIndex) -> io::Result<()> {
        let sent = match address {
            IpAddr::V4(address) => {
                let frames = frame::gratuitous_arp(mac, address);
                frames.iter().try_for_each(|frame| self.transmitter.send(self.interface, frame))
            }
            IpAddr::V6(address) => {
                self.transmitter.send(self.interface, &frame::unsolicited_na(mac, address, forwards(holder)))
            }
        };
        sent.map_err(|error| self.error(&format!("the announcement of {address}"), &error))
    }

    /// Asks a host, or all, who has an address. Never blocks.
    ///
    /// # Errors
    /// What the kernel says; `InvalidInput` for a request that makes no frame.
    pub fn ask(&self, request: &Request) -> io::Result<()> {
        probe::send(&self.transmitter, request)
    }

    fn error(&self, what: &str, error: &io::Error) -> io::Error {
        io::Error::new(error.kind(), format!("{}: {what} can't be sent: {error}", interface::display(self.interface)))
    }
}

/// Whether an interface forwards IPv6, as the kernel's own advertisements say it.
fn forwards(interface: IfIndex) -> bool {
    interface::name(interface)
        .and_then(|name| sysctl::read(&format!("net/ipv6/conf/{name}/forwarding")))
        .is_ok_and(|value| value != "0")
}

#[cfg(test)]
mod tests;
