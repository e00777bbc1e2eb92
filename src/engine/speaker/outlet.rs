//! The way out of one speaker: adverts to the group or to its peers, and announcements.

use std::io;
use std::net::IpAddr;

use crate::config;
use crate::observe::{IfIndex, Request};
use crate::sys::neighbour::NextHops;
use crate::sys::speaker::Sender;
use crate::vrrp::{self, Question, Settings};
use crate::wire::{MacAddr, frame};

/// Where a frame leaves, and as whose.
#[derive(Clone, Copy, Debug)]
pub(super) struct Way {
    pub interface: IfIndex,
    pub mac: MacAddr,
    pub source: IpAddr,
}

/// Where frames leave, and as whom.
#[derive(Debug)]
pub(super) struct Outlet {
    sender: Sender,
    hops: Option<NextHops>,
    /// The interface that has the addresses.
    holder: IfIndex,
    /// Adverts come from the virtual MAC.
    virtual_adverts: bool,
    /// The addresses are announced at the virtual MAC.
    virtual_addresses: bool,
}

impl Outlet {
    /// Opens what sends out of `interface`; `holder` has the addresses.
    ///
    /// # Errors
    /// What the kernel says.
    pub fn open(interface: IfIndex, holder: IfIndex, router: &config::Router) -> io::Result<Self> {
        let peers = &router.unicast_peers;
        let vmac = router.speak.as_ref().is_some_and(|speak| speak.vmac);
        let from_base = router.speak.as_ref().is_some_and(|speak| speak.vmac_xmit_base);
        Ok(Self {
            sender: Sender::open(interface)?,
            hops: if peers.is_empty() { None } else { Some(NextHops::follow(interface, peers)?) },
            holder,
            virtual_adverts: vmac && !from_base,
            virtual_addresses: vmac,
        })
    }

    /// The interface that has the addresses.
    pub const fn holder(&self) -> IfIndex {
        self.holder
    }

    /// Sends an advert to all who are to hear it.
    ///
    /// # Errors
    /// The first thing that failed; the others were tried.
    pub fn advertise(&self, settings: &Settings, priority: u8, source: IpAddr, mac: MacAddr) -> Result<(), String> {
        let mut advert = vrrp::advert(settings, priority, source);
        advert.mac = (!self.virtual_adverts).then_some(mac);
        let Some(hops) = &self.hops else {
            return self.sender.advert(&advert, None).map_err(|error| error.to_string());
        };
        let mut result = Ok(());
        for &peer in &settings.unicast_peers {
            let hop = hops.to(peer);
            advert.destination = peer;
            let sent = match (hop.mac, hop.trouble) {
                (None, None) => Err(format!("the MAC of the unicast peer {peer} is not known yet")),
                (None, Some(trouble)) => Err(trouble),
                (mac, _) => self.sender.advert(&advert, mac).map_err(|error| error.to_string()),
            };
            result = result.and(sent);
        }
        result
    }

    /// Asks the host of a silent master, and no other, whether it has `target`; a thorough question goes to all, and its answer
    /// tells the host.
    ///
    /// # Errors
    /// What failed.
    pub fn ask(&self, host: MacAddr, question: Question, way: Way, target: IpAddr) -> Result<(), String> {
        let asker = (way.interface, way.mac, way.source);
        let request = Request::before_promotion(asker, target, host, question.number, question.thorough);
        self.sender.ask(&request).map_err(|error| error.to_string())
    }

    /// Announces every address once. How many of them went out, and the first failure.
    pub fn announce(&self, settings: &Settings, mac: MacAddr) -> (u64, Result<(), String>) {
        let mac = if self.virtual_addresses { frame::virtual_mac(settings.family, settings.vrid) } else { mac };
        let (mut sent, mut result) = (0, Ok(()));
        for &(address, _) in settings.addresses.iter().chain(&settings.excluded_addresses) {
            match self.sender.announce(address, mac, self.holder) {
                Ok(()) => sent += 1,
                Err(error) => result = result.and(Err(error.to_string())),
            }
        }
        (sent, result)
    }
}
