//! Who on the wire is none of the cluster, as far as that can be told: a peer's signed report names the MACs of its host.

use std::sync::Arc;

use crate::observe::{Channel, Expected, Report, Settings};
use crate::wire::{Advert, MacAddr, frame::virtual_mac};

use super::{Model, Slot, is_known, peer_of};

impl Model {
    /// True if that peer says, signed, that its host has other MACs than this.
    pub fn is_disowned(&self, peer: usize, mac: MacAddr) -> bool {
        self.channels.get(peer).and_then(signed).is_some_and(|report| !report.macs.contains(&mac))
    }

    /// Works out anew who the speakers of a router are.
    pub(super) fn introduce(&mut self, slot: Slot) {
        let (settings, channels) = (&self.settings, &self.channels);
        let Some(router) = self.routers.get_mut(&slot) else { return };
        let expected = router.expected.as_ref();
        for speaker in &mut router.speakers {
            let source = speaker.advert.source;
            speaker.stranger = !speaker.local && is_stranger(settings, channels, expected, &speaker.advert);
            speaker.peer = peer_of(settings, source).filter(|_| !speaker.stranger);
            speaker.known = is_known(expected, speaker.local, speaker.peer, source);
        }
    }
}

/// A peer's word on its own MACs, if it is to be believed.
fn signed(channel: &Channel) -> Option<&Arc<Report>> {
    channel.newest().filter(|report| report.signed && !report.macs.is_empty())
}

/// True if a received advert is none of the cluster's: from a peer's address with a MAC that the peer has not, or from another with one
/// that no peer has. What comes from the virtual MAC may be anybody's, and where a peer has not said what it has, so may everything.
pub(super) fn is_stranger(
    settings: &Settings,
    channels: &[Channel],
    expected: Option<&Expected>,
    advert: &Advert,
) -> bool {
    let Some(mac) = advert.mac.filter(|mac| *mac != virtual_mac(advert.family(), advert.vrid)) else { return false };
    let has = |channel: &Channel| signed(channel).map(|report| report.macs.contains(&mac));
    match peer_of(settings, advert.source) {
        Some(peer) => channels.get(peer).and_then(has) == Some(false),
        None => {
            let is_named = expected.is_some_and(|expected| expected.unicast_peers.contains(&advert.source));
            let is_nobodys = !channels.is_empty() && channels.iter().all(|channel| has(channel) == Some(false));
            is_nobodys && !is_named
        }
    }
}
