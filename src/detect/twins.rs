//! One address under two VRIDs: each cluster sees a master of its own, and neither hears of the other.

use std::net::IpAddr;

use crate::observe::{Model, Router, Speaker};
use crate::time::{Duration, Instant};

use super::conflict::Conflict;
use super::rules::Row;
use super::{Cause, Finding, cause};

/// Two masters of one address, told apart by their VRIDs.
#[derive(Debug)]
pub struct Twins<'a> {
    /// From when to when, and whether it is proven.
    pub conflict: Conflict,
    own: &'a Speaker,
    other: (&'a Router, &'a Speaker),
    shared: Vec<IpAddr>,
}

/// The master under another VRID that advertises an address of this router's master, if there is one.
pub fn find<'a>(model: &'a Model, router: &'a Router, now: Instant) -> Option<Twins<'a>> {
    let others = || {
        model.routers().map(|(_, other)| other).filter(|other| {
            other.interface == router.interface
                && (other.id.vlan, other.id.family) == (router.id.vlan, router.id.family)
                && other.id.vrid != router.id.vrid
                && other.vips.iter().any(|vip| router.asks_about(vip.address))
        })
    };
    let own = if router.shares { router.active(now) } else { Vec::new() };
    let pairs =
        own.into_iter().flat_map(|own| others().flat_map(move |r| r.active(now).into_iter().map(move |s| (own, r, s))));
    pairs.filter_map(|(own, at, other)| between(own, at, other)).max_by_key(|twins| twins.conflict.proven)
}

fn between<'a>(own: &'a Speaker, at: &'a Router, other: &'a Speaker) -> Option<Twins<'a>> {
    let is_one_host = own.advert.source == other.advert.source || own.local && other.local;
    let shared: Vec<IpAddr> =
        own.advert.addresses.iter().filter(|a| other.advert.addresses.contains(a)).copied().collect();
    if is_one_host || shared.is_empty() {
        return None;
    }
    let start = own.spell.max(other.spell);
    // A cluster that is being given another VRID has one master at a time.
    let persists = |s: &Speaker| s.last > start + (s.interval() / 10).max(Duration::from_millis(20));
    let proven = persists(own) && persists(other);
    let last = own.last.min(other.last).max(start);
    Some(Twins {
        conflict: Conflict { pair: (0, 0), proven, start, last, recheck: None },
        own,
        other: (at, other),
        shared,
    })
}

impl Twins<'_> {
    /// The finding on them.
    pub fn finding(&self, model: &Model, router: &Router) -> Finding {
        let (at, other) = self.other;
        let name = |s: &Speaker| {
            let peer = s.peer.and_then(|i| model.settings.peers.get(i)).map(|peer| peer.name.clone());
            if s.local { model.settings.node.clone() } else { peer.unwrap_or_else(|| s.advert.source.to_string()) }
        };
        let says =
            |s: &Speaker, vrid: u8| format!("{} advertises {} under VRID {vrid}", name(s), cause::list(&self.shared));
        Finding {
            cause: Cause::VridMismatch,
            node: Some(name(other)),
            here: self.own.local || other.local,
            local: says(self.own, router.id.vrid),
            remote: says(other, at.id.vrid),
            remedy: Row::TwoVrids.remedy(&[]),
        }
    }
}
