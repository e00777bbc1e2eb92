//! Who on the wire is none of the cluster, as far as that can be told: a peer's signed report names the MACs and the addresses of its
//! host, and says what that host sends. Anybody can send in its name, and play back what it sent once.

use crate::observe::{Channel, Report, Router, Sent, Settings, Speaker, TAP_LAG};
use crate::time::{Duration, Instant};
use crate::wire::MacAddr;

use super::{Model, Slot, is_known, peer_of};

/// How long a peer that answers may take, beside an interval, to say whether it sends what seems to be its own.
const WORD: Duration = Duration::from_millis(500);

impl Model {
    /// True if that peer says, signed, that its host has other MACs than this.
    pub fn is_disowned(&self, peer: usize, mac: MacAddr) -> bool {
        self.channels.get(peer).and_then(signed).is_some_and(|report| !report.macs.contains(&mac))
    }

    /// Works out anew who the speakers of a router are.
    pub(super) fn introduce(&mut self, slot: Slot) {
        let Some(router) = self.routers.get_mut(&slot) else { return };
        for index in 0..router.speakers.len() {
            if introduce(&self.settings, &self.channels, router, index) {
                self.dirty.insert(slot);
            }
        }
    }

    /// The node, this one or a peer, whose host has the MAC of a stranger, or, where all have that, its address.
    pub fn namesake(&self, router: &Router, stranger: &Speaker) -> Option<&str> {
        let (mac, source) = (stranger.mac()?, stranger.advert.source);
        let is_here = if mac == router.virtual_mac() { self.host.has_address(source) } else { self.host.has_mac(mac) };
        let is_its = |channel: &Channel| signed(channel).is_some_and(|report| !is_elsewhere(router, report, stranger));
        let peer = || self.settings.peers.get(self.channels.iter().position(is_its)?).map(|peer| &*peer.name);
        if is_here { Some(&self.settings.node) } else { peer() }
    }

    /// Until when a peer's word on a speaker is waited for, that it holds or sends after `start`: its adverts seem to be that peer's,
    /// which answers, and has not said yet whether they are.
    pub fn awaits_word(&self, router: &Router, speaker: &Speaker, start: Instant, now: Instant) -> Option<Instant> {
        let until = start + speaker.interval() + WORD;
        if speaker.local || until <= now {
            return None;
        }
        let fresh = self.channels.iter().filter(|channel| channel.is_trusted(now)).filter_map(signed);
        let may_be_its =
            |report: &&Report| !is_elsewhere(router, report, speaker) && router.reported_in(report).is_some();
        let mut words = fresh.filter(may_be_its).peekable();
        words.peek()?;
        let went_on = |report: &Report| report.as_of >= start && owns_up(router, report, speaker);
        (!words.any(went_on)).then_some(until)
    }
}

/// Says of one of a router's speakers who it is. True if that is news.
pub(super) fn introduce(settings: &Settings, channels: &[Channel], router: &mut Router, index: usize) -> bool {
    let Some(speaker) = router.speakers.get(index) else { return false };
    let stranger = is_stranger(settings, channels, router, speaker);
    let peer = peer_of(settings, speaker.advert.source).filter(|_| !stranger);
    let known = is_known(router.expected.as_ref(), speaker.local, peer, speaker.advert.source);
    let accounted =
        !stranger && channels.iter().filter_map(signed).any(|r| accounts_for(router, r, speaker) == Some(true));
    let Some(speaker) = router.speakers.get_mut(index) else { return false };
    speaker.unaccounted.take_if(|_| accounted);
    let before = (speaker.stranger, speaker.peer, speaker.known);
    (speaker.stranger, speaker.peer, speaker.known) = (stranger, peer, known);
    before != (stranger, peer, known)
}

/// A peer's word on its own host, if it is to be believed.
fn signed(channel: &Channel) -> Option<&Report> {
    channel.newest().map(|report| &**report).filter(|report| report.signed && !report.macs.is_empty())
}

/// True if what is received of a speaker is none of the cluster's: from a peer's address, and that peer has not sent it, or from
/// another, and none has. Where a peer has not said what it has, so may everything.
pub(super) fn is_stranger(settings: &Settings, channels: &[Channel], router: &Router, speaker: &Speaker) -> bool {
    let source = speaker.advert.source;
    let disowns =
        |channel: &Channel| signed(channel).is_some_and(|report| accounts_for(router, report, speaker) == Some(false));
    let is_named = || router.expected.as_ref().is_some_and(|expected| expected.unicast_peers.contains(&source));
    !speaker.local
        && match peer_of(settings, source) {
            Some(peer) => channels.get(peer).is_some_and(disowns),
            None => !channels.is_empty() && channels.iter().all(disowns) && !is_named(),
        }
}

/// True if the host of a report is another than the speaker's: that is told by its MAC, or, where all have the virtual one, by its address.
fn is_elsewhere(router: &Router, report: &Report, speaker: &Speaker) -> bool {
    match speaker.mac() {
        None => false,
        Some(mac) if mac == router.virtual_mac() => {
            let knows = speaker.unaccounted.is_some_and(|first| report.as_of >= first);
            knows && !report.addresses.contains(&speaker.advert.source)
        }
        Some(mac) => !report.macs.contains(&mac),
    }
}

/// Whether the host of a report has sent what is heard of a speaker, if that can be told: it holds the address, or its last advert was
/// none too long before the first of those that nobody accounted for, which it would know of by now.
fn accounts_for(router: &Router, report: &Report, speaker: &Speaker) -> Option<bool> {
    if is_elsewhere(router, report, speaker) {
        return Some(false);
    }
    let first = speaker.unaccounted.filter(|first| *first + TAP_LAG <= report.as_of)?;
    let said = router.reported_in(report).filter(|said| !said.blind)?;
    let is_its = |sent: &Sent| sent.active || sent.last + TAP_LAG >= first;
    Some(!said.held.is_empty() || said.sends.as_ref().is_some_and(is_its))
}

/// True if the host of a report says that it holds, or that it sends what is heard of a speaker.
fn owns_up(router: &Router, report: &Report, speaker: &Speaker) -> bool {
    router.reported_in(report).is_some_and(|said| {
        let is_source = said.sends.as_ref().is_some_and(|sent| sent.source == speaker.advert.source);
        !said.held.is_empty() || said.advertises() && is_source
    })
}
