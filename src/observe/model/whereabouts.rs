//! Where the peers' addresses are, as ARP and ND show it, and who takes one of them though the peer's host has no such MAC.

use std::net::IpAddr;

use super::{Model, Notice};
use crate::time::{Duration, Instant};
use crate::wire::MacAddr;

/// One that was not heard for so long is another one's turn; and for so long, it is told anew.
const GONE: Duration = Duration::from_secs(3);
const FORGOTTEN: Duration = Duration::from_secs(60);

/// Of one peer.
#[derive(Clone, Debug, Default)]
pub struct Whereabouts {
    /// Its hardware address.
    mac: Option<MacAddr>,
    usurper: Option<Usurper>,
}

/// A host that says that it has the peer's address, while the peer says, signed, that its host has other MACs.
#[derive(Clone, Debug)]
struct Usurper {
    mac: MacAddr,
    since: Instant,
    last: Instant,
    told: bool,
}

impl Whereabouts {
    /// Notes that a MAC that the peer has not has its address. True if that is to be told: once, and not before the peer, asked since,
    /// lacks it still, for it may have been given a new card.
    fn suspect(&mut self, now: Instant, mac: MacAddr, said: Option<Instant>) -> bool {
        let usurper = match &mut self.usurper {
            Some(known) if known.mac == mac && now.since(known.last) <= FORGOTTEN => known,
            // A flood of them is one.
            Some(known) if now.since(known.last) <= GONE => return false,
            other => other.insert(Usurper { mac, since: now, last: now, told: false }),
        };
        usurper.last = now;
        let is_sure = said.is_some_and(|at| at > usurper.since);
        is_sure && !std::mem::replace(&mut usurper.told, true)
    }
}

impl Model {
    /// True if somebody else had a peer's address, as it said, when that answered or not long before: what is sent there may reach it.
    pub fn is_usurped(&self, peer: usize, answered: Instant) -> bool {
        let usurper = self.whereabouts.get(peer).and_then(|known| known.usurper.as_ref());
        usurper.is_some_and(|usurper| answered <= usurper.last + FORGOTTEN)
    }

    /// Somebody has an address, as it says itself.
    pub(super) fn locate(&mut self, now: Instant, address: IpAddr, mac: MacAddr) {
        let is_it = |peer: &crate::observe::Peer| peer.address == address || peer.vrrp_addresses.contains(&address);
        let Some(peer) = self.settings.peers.iter().position(is_it) else { return };
        let is_foreign = self.is_disowned(peer, mac);
        let said = self.channels.get(peer).and_then(|channel| channel.fresh(now)).map(|report| report.as_of);
        let Some(whereabouts) = self.whereabouts.get_mut(peer) else { return };
        if !is_foreign {
            whereabouts.mac = Some(mac);
        } else if whereabouts.suspect(now, mac, said) {
            self.notices.push(Notice::Usurped(peer, address, mac));
        }
    }

    /// The peer that uses a MAC, as it says itself, signed, or as ARP and ND show it. Who answers for anything answers for a peer's
    /// address, too, and is none; nor is who has a MAC that the peer has not.
    pub fn peer_by_mac(&self, mac: MacAddr) -> Option<usize> {
        let seen = || self.whereabouts.iter().position(|known| known.mac == Some(mac));
        let peer = self.owner_of(mac).or_else(seen)?;
        (!self.is_disowned(peer, mac) && !self.routers.values().any(|router| router.is_impostor(mac))).then_some(peer)
    }
}
