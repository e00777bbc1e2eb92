//! What peers say of a router over the second channel, and what both sides' words together tell: causes that no node can know alone.

use crate::observe::{Model, Report, Reported, ReportedFinding, Router, Speaker, Vipness};
use crate::time::{Duration, Instant};

use super::conflict::Conflict;
use super::party::Party;
use super::rules::Row;
use super::{Cause, Finding, cause};

/// A peer's word on a router.
#[derive(Clone, Copy, Debug)]
pub struct Word<'a> {
    /// Index of the peer.
    pub peer: usize,
    /// All that it said.
    pub report: &'a Report,
    /// What it said of this router.
    pub said: &'a Reported,
    /// It proves what that host holds, though nothing else shows it.
    pub alone: bool,
}

/// A split that stands. What was said since it began counts until it is contradicted: silence tells nothing of whoever is cut off.
#[derive(Clone, Copy, Debug)]
pub struct Standing {
    /// When it began.
    pub since: Instant,
    /// The two don't reach each other.
    pub cut: bool,
}

/// What the peers of a router say of it, as far as it is fresh.
pub fn words<'a>(model: &'a Model, router: &'a Router, now: Instant) -> impl Iterator<Item = Word<'a>> {
    words_in(model, router, None, now)
}

/// The same, and during a split what they said since it began.
pub fn words_in<'a>(
    model: &'a Model,
    router: &'a Router,
    standing: Option<Standing>,
    now: Instant,
) -> impl Iterator<Item = Word<'a>> {
    let named = router.expected.as_ref().and_then(|expected| expected.peers.as_ref());
    let is_meant = move |peer: usize| {
        let name = model.settings.peers.get(peer).map(|peer| &peer.name);
        named.is_none_or(|names| name.is_some_and(|name| names.contains(name)))
    };
    model.channels.iter().enumerate().filter(move |(peer, _)| is_meant(*peer)).filter_map(move |(peer, channel)| {
        let fresh = channel.fresh(now);
        let stood = || channel.newest().filter(|report| standing.is_some_and(|split| report.as_of >= split.since));
        let report = fresh.or_else(stood)?;
        let said = router.reported_in(report)?;
        let alone =
            fresh.is_some() || standing.is_some_and(|split| split.cut) && !is_outdated(model, router, peer, report);
        Some(Word { peer, report, said, alone })
    })
}

/// True if the segment has shown since, or showed then, that its host is not cut off: nothing is heard of it now because there is
/// nothing to hear.
fn is_outdated(model: &Model, router: &Router, peer: usize, report: &Report) -> bool {
    let is_theirs =
        |s: &&Speaker| !s.local && !s.stranger && (s.peer == Some(peer) || report.addresses.contains(&s.advert.source));
    let heard = router.judged().filter(is_theirs).any(|s| s.gone_at() >= report.as_of);
    let is_on_segment = |address| {
        let from = |interface| model.host.source_for(interface, address, |_| Vipness::None);
        router.interface.and_then(from).is_some()
    };
    let answered = model.peers.get(peer).filter(|reach| is_on_segment(reach.address)).and_then(|reach| reach.answered);
    // Whoever took its address answers for it, too.
    let answered = answered.filter(|at| !model.is_usurped(peer, *at));
    heard || answered.is_some_and(|at| at > report.fresh_until())
}

/// What one of the two found out about itself.
pub fn admitted(model: &Model, conflict: Conflict, parties: [&Party<'_>; 2]) -> Vec<Finding> {
    admitted_by(model, conflict, parties, Cause::is_admitted)
}

/// One of the two knows why its adverts reach nobody.
pub fn admitted_path(model: &Model, conflict: Conflict, parties: [&Party<'_>; 2]) -> Vec<Finding> {
    admitted_by(model, conflict, parties, |cause| cause == Cause::OneWayPath)
}

fn admitted_by(
    model: &Model,
    conflict: Conflict,
    parties: [&Party<'_>; 2],
    wanted: impl Fn(Cause) -> bool,
) -> Vec<Finding> {
    let words = parties.into_iter().filter(|party| !party.here).filter_map(|party| party.word);
    let fresh = words.filter(|word| word.report.as_of >= conflict.start);
    let findings = fresh.map(|word| adopted(model, word, &wanted));
    findings.into_iter().find(|findings| !findings.is_empty()).unwrap_or_default()
}

/// What a backup says of itself that will be a split once the master is gone.
pub fn latent(model: &Model, router: &Router, now: Instant) -> Option<Finding> {
    let is_latent = |cause: Cause| cause == Cause::FirewallDrop || cause.deafens();
    words(model, router, now).flat_map(|word| adopted(model, word, is_latent)).next()
}

fn adopted(model: &Model, word: Word<'_>, wanted: impl Fn(Cause) -> bool) -> Vec<Finding> {
    let Some(peer) = model.settings.peers.get(word.peer) else { return Vec::new() };
    let adopt = |found: &ReportedFinding| {
        let cause = Cause::named(&found.cause).filter(|cause| wanted(*cause))?;
        Some(Finding {
            cause,
            node: Some(peer.name.clone()),
            here: false,
            local: found.remote.clone(),
            remote: format!("{} says: {}", peer.name, found.local),
            remedy: Row::Admitted.remedy(&[("node", &peer.name), ("remedy", &found.remedy)]),
        })
    };
    word.said.findings.iter().filter_map(adopt).collect()
}

/// Both hold and send, and the adverts of one or of both don't arrive at the other.
pub fn path(model: &Model, router: &Router, one: &Party<'_>, two: &Party<'_>) -> Option<Finding> {
    // Whoever began to send a moment ago can't have been heard yet.
    let began = one.start().max(two.start())?;
    let settled = began + router.interval().unwrap_or(Duration::from_secs(1)) * 2;
    let hears = |ear: &Party<'_>, mouth: &Party<'_>| hears(ear, mouth, settled);
    if !sends(one) || !sends(two) {
        return None;
    }
    match (hears(one, two)?, hears(two, one)?) {
        (true, true) => None,
        (true, false) => Some(one_way(model, one, two)),
        (false, true) => Some(one_way(model, two, one)),
        (false, false) => Some(partition(model, one, two)),
    }
}

fn sends(party: &Party<'_>) -> bool {
    party.active.is_some() || party.word.is_some_and(|word| word.said.advertises())
}

/// Whether the adverts of `mouth` arrive at `ear`; `None` where nobody says so.
fn hears(ear: &Party<'_>, mouth: &Party<'_>, since: Instant) -> Option<bool> {
    if ear.here {
        return Some(mouth.active.is_some());
    }
    let word = ear.word.filter(|word| word.report.as_of >= since && !word.said.blind)?;
    let source = mouth.speaker.map(|s| s.advert.source);
    let source = source.or_else(|| Some(mouth.word?.said.sends.as_ref()?.source))?;
    Some(word.said.hears.iter().any(|heard| heard.source == source && heard.active))
}

/// `heard` is heard by `deaf`'s other side only: its own adverts arrive, and those of the other don't arrive at it.
fn one_way(model: &Model, unheard: &Party<'_>, deaf: &Party<'_>) -> Finding {
    let (from, to) = (unheard.name(model), deaf.name(model));
    let unicast = unheard.active.is_some_and(|s| !s.advert.is_multicast());
    let (row, node, here) = if unicast {
        (Row::OneWayUnicast, from.clone(), unheard.here)
    } else {
        (Row::OneWayMulticast, to.clone(), deaf.here)
    };
    let remedy = row.remedy(&[("from", &from), ("to", &to)]);
    Finding {
        cause: Cause::OneWayPath,
        node: Some(node),
        here,
        local: format!("{from} hears {to}: {}", cause::does(deaf)),
        remote: format!("{to} does not hear {from}: {}", cause::does(unheard)),
        remedy,
    }
}

/// This node sends nothing itself, and does not hear a peer that says that it advertises: that it has sent since the last one that
/// was heard, and another before that, for one may be under way.
pub fn unheard(model: &Model, party: &Party<'_>) -> Option<Finding> {
    let word = party.word.filter(|word| !party.here && party.active.is_none() && word.said.advertises())?;
    let sent = word.said.sends.as_ref()?.last;
    if party.speaker.is_some_and(|heard| sent <= heard.last + heard.interval() * 3 / 2) {
        return None;
    }
    let (from, to) = (party.name(model), &model.settings.node);
    Some(Finding {
        cause: Cause::OneWayPath,
        node: Some(to.clone()),
        here: true,
        local: format!("{to} does not hear {from}"),
        remote: format!("{from} {}", cause::does(party)),
        remedy: Row::OneWayMulticast.remedy(&[("from", &from), ("to", to)]),
    })
}

fn partition(model: &Model, one: &Party<'_>, two: &Party<'_>) -> Finding {
    let (a, b) = (one.name(model), two.name(model));
    Finding {
        cause: Cause::Partition,
        node: None,
        here: one.here || two.here,
        local: format!("{a} {}, and hears nothing of {b}", cause::does(one)),
        remote: format!("{b} {}, and hears nothing of {a}, as it says over the second channel", cause::does(two)),
        remedy: Row::Cut.remedy(&[("from", &a), ("to", &b)]),
    }
}
