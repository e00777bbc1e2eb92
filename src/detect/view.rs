//! From the model and a case to what is shown.

use crate::observe::{Model, Router, Slot, Speaker, Tap, Vip};
use crate::time::Instant;

use super::announce;
use super::case::{Case, blindness};
use super::party::{Party, parties};
use super::{
    AddressView, CaptureView, PeerView, RejectedView, Role, RouterView, SensorView, SpeakerView, Verdict, WitnessView,
};

/// The view of one router.
pub fn router(model: &Model, router: &Router, case: &Case, now: Instant) -> RouterView {
    let active = router.active(now);
    let is_active = |s: &Speaker| active.iter().any(|a| std::ptr::eq(*a, s));
    RouterView {
        name: router.name(),
        vip: router.vip(),
        interface: router.id.interface.clone(),
        vlan: router.id.vlan,
        family: router.id.family,
        vrid: router.id.vrid,
        configured: router.expected.is_some(),
        role: if router.member { Role::Member } else { Role::Observer },
        version: router.last_known.map(|(_, version)| version.number()),
        state: case.state,
        state_transitions: case.state_transitions,
        verdict: case.verdict,
        since: case.since,
        blind: case.blind,
        witness: model.witness_of(router),
        split_brain: case.split,
        no_master: case.verdict == Verdict::NoMaster,
        findings: case.findings.clone(),
        evidence: case.evidence.clone(),
        masters: case.masters.clone(),
        holders: case.holders.clone(),
        speakers: router.speakers.iter().map(|s| speaker(model, s, is_active(s))).collect(),
        addresses: addresses(model, router, now),
        split_brain_episodes: case.episode_count,
        episodes: case.episodes().cloned().collect(),
        split_brain_time: case.split_time(),
        takeover_overlap: case.takeover_overlap,
        master_transitions: case.transitions,
        last_transition: case.last_transition,
        adverts_sent: router.adverts_sent,
        priority_zero_received: router.priority_zero_received,
        gaps: router.gaps,
        speaking: router.speaking.clone(),
    }
}

fn speaker(model: &Model, s: &Speaker, active: bool) -> SpeakerView {
    let delivered = [(Tap::Ip, s.delivered[Tap::Ip as usize]), (Tap::Raw, s.delivered[Tap::Raw as usize])];
    SpeakerView {
        source: s.advert.source,
        peer: s.peer.and_then(|i| model.settings.peers.get(i)).map(|p| p.name.clone()),
        mac: s.mac(),
        local: s.local,
        master: active,
        version: s.advert.version.number(),
        priority: s.advert.priority,
        interval: s.interval(),
        auth: s.advert.auth.kind(),
        last_advert: s.last,
        addresses: s.advert.addresses.clone(),
        received: s.received,
        missed: s.missed,
        delivered: s.comparable.then_some(delivered),
    }
}

/// Each address with its claimants: one MAC for each host that answers, and this host's where it holds the address. Its own
/// answer can't be heard. While this node is blind there is nothing to say: silence is no answer.
fn addresses(model: &Model, router: &Router, now: Instant) -> Vec<AddressView> {
    let is_answered = router.vips.iter().any(|vip| !vip.claims().is_empty());
    let parties = if is_answered { parties(model, router, None, now) } else { Vec::new() };
    let sees = model.is_probed(router) && blindness(model, router).is_none();
    let address = |vip: &Vip| {
        let answer = |p: &Party<'_>| p.claims.iter().find(|(a, _)| *a == vip.address).map(|(_, claim)| claim.mac);
        let own = vip.held.and_then(|_| own_mac(model, router));
        let probed = vip.probed.is_some() && sees;
        let claimants = probed.then(|| parties.iter().filter_map(answer).chain(own).collect());
        let misdirected = announce::is_misdirected(model, router, vip, now);
        AddressView {
            address: vip.address,
            owned: vip.held.is_some(),
            held: vip.held,
            claimants,
            misdirected,
            announced: vip.announced.map(|(mac, _)| mac),
        }
    };
    router.vips.iter().map(address).collect()
}

fn own_mac(model: &Model, router: &Router) -> Option<crate::wire::MacAddr> {
    let spoken = router.local().and_then(Speaker::mac);
    spoken.or_else(|| router.interface.and_then(|i| model.host.link(i)).and_then(|l| l.mac))
}

/// Routers in the order in which they are shown.
pub fn order(model: &Model) -> Vec<Slot> {
    let mut slots: Vec<(Slot, &Router)> = model.routers().collect();
    slots.sort_by(|(_, a), (_, b)| a.id.cmp(&b.id));
    slots.into_iter().map(|(slot, _)| slot).collect()
}

/// The peers.
pub fn peers(model: &Model, now: Instant) -> Vec<PeerView> {
    let view = |(r, channel): (&crate::observe::Reach, &crate::observe::Channel)| PeerView {
        reach: r.clone(),
        api: channel.is_up(),
        trusted: channel.is_trusted(now),
        trouble: channel.trouble().map(str::to_owned),
        report: channel.newest().cloned(),
    };
    model.peers.iter().zip(&model.channels).map(view).collect()
}

/// The witnesses.
pub fn witnesses(model: &Model) -> Vec<WitnessView> {
    let view = |(i, r): (usize, &crate::observe::Reach)| {
        let interfaces: Vec<(String, bool)> =
            model.witness_through(i).map(|(interface, up)| (interface_name(model, Some(interface)), up)).collect();
        let answers = interfaces.iter().map(|(_, up)| *up).chain(r.up);
        let up = answers.reduce(|one, other| one || other);
        WitnessView { name: r.name.clone(), address: r.address, ping: r.up, up, interfaces }
    };
    model.witnesses.iter().enumerate().map(view).collect()
}

fn interface_name(model: &Model, index: Option<crate::observe::IfIndex>) -> String {
    index.and_then(|i| model.host.link(i)).map_or_else(String::new, |l| l.name.clone())
}

/// The sensors.
pub fn sensors(model: &Model) -> Vec<SensorView> {
    let view = |(sensor, interface, state): (_, _, &crate::observe::SensorState)| SensorView {
        sensor,
        interface: interface_name(model, interface),
        state: state.state.clone(),
        since: state.since,
    };
    model.sight.sensors().map(view).collect()
}

/// Capture counters.
pub fn captures(model: &Model) -> Vec<CaptureView> {
    let counters = model.captures.iter();
    counters
        .map(|(index, (frames, dropped))| CaptureView {
            interface: interface_name(model, Some(*index)),
            frames: *frames,
            dropped: *dropped,
        })
        .collect()
}

/// Refused adverts.
pub fn rejected(model: &Model) -> Vec<RejectedView> {
    let rows = model.refusals.rows();
    rows.map(|(interface, vrid, reason, count)| RejectedView {
        interface: interface_name(model, Some(interface)),
        vrid,
        reason,
        count,
    })
    .collect()
}
