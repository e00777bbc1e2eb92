//! Do two hosts hold one address? Proof, and from when to when.

use crate::observe::{Claim, Model, Router, Speaker, advert_margin};
use crate::time::{Duration, Instant};

use super::cause;
use super::party::Party;

/// How long a loser may still answer after the winner's first advert.
const RELEASE: Duration = Duration::from_millis(50);

/// Two parties that hold at the same time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Conflict {
    /// Indices of the two.
    pub pair: (usize, usize),
    /// True once it is more than a takeover caught in the act.
    pub proven: bool,
    /// When the second began, as far as is known.
    pub start: Instant,
    /// The latest moment at which both are known to have held.
    pub last: Instant,
    /// When it may become proven without further news.
    pub recheck: Option<Instant>,
}

/// The conflict among these parties: a proven one before a mere contest.
pub fn find(model: &Model, router: &Router, parties: &[Party<'_>], now: Instant) -> Option<Conflict> {
    let mut found: Option<Conflict> = None;
    let master = parties.iter().filter_map(|p| p.active).map(|s| s.spell).max().unwrap_or_default();
    for (i, a) in parties.iter().enumerate() {
        for (j, b) in parties.iter().enumerate().skip(i + 1) {
            let Some(conflict) = between(model, router, a, b, (master, now)) else { continue };
            let conflict = Conflict { pair: (i, j), ..conflict };
            if found.is_none_or(|f| (conflict.proven, f.start) > (f.proven, conflict.start)) {
                found = Some(conflict);
            }
        }
    }
    found
}

/// `master`: since when the present one is.
fn between(
    model: &Model,
    router: &Router,
    a: &Party<'_>,
    b: &Party<'_>,
    (master, now): (Instant, Instant),
) -> Option<Conflict> {
    if let (Some(x), Some(y)) = (a.active, b.active) {
        let began = |s: &Speaker| s.taken.unwrap_or(s.spell);
        let both = began(x).max(began(y));
        let awaited = [x, y].into_iter().filter_map(|s| model.awaits_word(router, s, both, now)).max();
        return Some(contest(x, y, awaited));
    }
    let overlapping = router.vips.iter().any(|v| a.covers(v.address, router) && b.covers(v.address, router));
    if !overlapping {
        return None;
    }
    // One of the two holds without advertising; its evidence has to last.
    let (silent, other) = if a.active.is_none() && (b.active.is_some() || a.held.is_none()) { (a, b) } else { (b, a) };
    let conflict = match silent.held {
        Some(held) => Some(held_beside(model, router, held, other, now)),
        None => claimed_beside(silent, other, router, master).or_else(|| told_beside(silent, other, router)),
    };
    let settled = fell_silent_here(router, [a, b]).filter(|settled| now < *settled);
    conflict.map(|conflict| match settled {
        Some(settled) => {
            Conflict { proven: false, recheck: conflict.recheck.into_iter().chain([settled]).min(), ..conflict }
        }
        None => conflict,
    })
}

/// When it is known what became of this host's daemon, if that was on time until a moment ago and none of the two advertises: it is to
/// be looked at first.
fn fell_silent_here(router: &Router, parties: [&Party<'_>; 2]) -> Option<Instant> {
    let own = parties.into_iter().find(|p| p.here)?;
    let spoke = own.speaker.filter(|s| own.held.is_some_and(|held| s.last >= held))?;
    parties.iter().all(|p| p.active.is_none()).then_some(spoke.last + grace(router))
}

/// Two who advertise. In an election the loser falls silent as soon as it hears the winner; two who both went on after they must
/// have heard each other do not hear, or do not obey. One that goes on is enough where neither gives way, or where one must refuse what
/// the other sends; and none where each must, or where neither gives way and one is this host: a third can't tell the two from one that
/// has changed its MAC. Nothing is proven while a peer is `awaited` to say that it sends what is heard of it.
fn contest(x: &Speaker, y: &Speaker, awaited: Option<Instant>) -> Conflict {
    let start = x.spell.max(y.spell);
    let went_on =
        |one: &Speaker, other: &Speaker| other.contested.is_some_and(|first| one.last > first + other.reaction());
    let proven = match (went_on(x, y), went_on(y, x)) {
        (true, true) => true,
        (false, false) => x.local != y.local && cause::is_tie(x, y),
        _ => cause::is_tie(x, y) || cause::refuse_each_other(x, y),
    };
    let proven = proven || cause::each_refuses(x, y) || intrusion(x, y) || intrusion(y, x);
    let last = x.last.min(y.last).max(start);
    Conflict { pair: (0, 0), proven: proven && awaited.is_none(), start, last, recheck: awaited }
}

/// One began although it must have heard a better one. It does not obey it, if it had taken hold before, as FRR does an interval before its
/// first advert by IPv6; or if their adverts differ in what not every receiver compares, and either goes on.
fn intrusion(one: &Speaker, better: &Speaker) -> bool {
    let Some(heard) = one.beside.filter(|heard| *heard + better.reaction() < one.spell) else { return false };
    let went_on = one.taken.is_some_and(|taken| taken < heard);
    let goes_on = one.last.max(better.last) > one.spell + one.reaction();
    let disobeys = went_on || goes_on && cause::differ(one, better);
    disobeys && one.intrudes_upon(better) && one.gives_way_to(&better.advert)
}

/// This host holds the address and sends nothing, while another advertises or answers. A loser needs a moment to let go, a
/// daemon that starts one to take hold, and one with a virtual MAC may be about to begin.
fn held_beside(model: &Model, router: &Router, held: Instant, other: &Party<'_>, now: Instant) -> Conflict {
    let grace = beginning_here(model, router, held).map_or(grace(router), |beginning| grace(router).max(beginning));
    let answered = other.claims.iter().filter_map(|(_, claim)| claim.before).min();
    let start = held.max(other.start().or(answered).unwrap_or(now));
    let sure = start + grace;
    let persists = other.active.is_some()
        || other.claims.iter().any(|(_, claim)| claim.persists_since(held))
        || other.says_held().is_some_and(|word| word.report.as_of >= sure);
    let starts = model.may_be_starting(router, held, now);
    let awaited = other.awaited.filter(|until| other.active.is_none() && now < *until);
    let again = if starts { sure.max(now + grace / 4) } else { sure.max(awaited.unwrap_or(sure)) };
    let proven = persists && sure <= now && !starts && awaited.is_none();
    Conflict { pair: (0, 0), proven, start, last: now, recheck: Some(again).filter(|again| now < *again) }
}

/// True if somebody answers of whom it is not known yet whether it does so beside the present master: it was not asked twice since.
pub fn is_to_be_asked(parties: &[Party<'_>], master: &Speaker) -> bool {
    let others = parties.iter().filter(|p| !p.here && p.active.is_none());
    let mut claims = others.flat_map(|p| &p.claims);
    claims.any(|(_, claim)| !claim.persists_since(master.spell + RELEASE))
}

/// How long a loser may hold on.
fn grace(router: &Router) -> Duration {
    router.interval().unwrap_or(Duration::from_secs(1)).clamp(Duration::from_millis(500), Duration::from_secs(1))
}

/// How long one with a virtual MAC may hold before its first advert: by IPv6 FRR lets its macvlan go an interval before that, since the
/// kernel tries the address first.
fn beginning(router: &Router) -> Duration {
    let interval = router.interval().unwrap_or(Duration::from_secs(1));
    interval + advert_margin(interval)
}

/// The same of this host, if it has one and has not advertised since it holds.
pub fn beginning_here(model: &Model, router: &Router, held: Instant) -> Option<Duration> {
    let has_virtual_mac = router.interface.is_some_and(|on| model.host.has_macvlan(on, router.virtual_mac()));
    (has_virtual_mac && !router.has_spoken_for(held)).then(|| beginning(router))
}

/// A host of which nothing is heard or answered here says that it holds, while another advertises or holds. What it said before it
/// had time to let go proves nothing; nor does what one says that may be about to begin: as soon as it is not, it knows that itself.
fn told_beside(silent: &Party<'_>, other: &Party<'_>, router: &Router) -> Option<Conflict> {
    let word = silent.says_held()?;
    let start = other.start()?;
    let proven = !silent.says_that_it_begins(router) && word.report.as_of >= start + grace(router);
    // Since when it holds it does not say: both did when it said so.
    let known = word.report.as_of.max(start);
    Some(Conflict { pair: (0, 0), proven, start: known, last: known, recheck: None })
}

/// True if a host has answered from the virtual MAC for no longer than it may hold before its first advert.
pub fn begins(router: &Router, claim: &Claim) -> bool {
    claim.mac == router.virtual_mac() && claim.last < claim.since + beginning(router)
}

/// A host that doesn't advertise answers for the address, while another advertises, holds or answers too. What it answered before it
/// fell silent, or before the present master began, proves nothing: it may have let go since.
fn claimed_beside(silent: &Party<'_>, other: &Party<'_>, router: &Router, master: Instant) -> Option<Conflict> {
    let fell_silent = |p: &Party<'_>| p.speaker.filter(|_| p.active.is_none()).map_or(Instant::ZERO, |s| s.last);
    let goes_on = |p: &Party<'_>| p.claims.iter().any(|(_, claim)| claim.persists_since(master.max(fell_silent(p))));
    let since = match other.start() {
        Some(start) => start,
        None if goes_on(other) => master,
        None => return None,
    };
    let after = since.max(fell_silent(silent)) + RELEASE;
    let is_lasting = |claim: &&Claim| claim.persists_since(after) && !begins(router, claim);
    let lasting = silent.claims.iter().map(|(_, claim)| *claim).filter(is_lasting);
    let newest = silent.claims.iter().map(|(_, claim)| claim.last).max()?;
    let proven = lasting.clone().next().is_some() && silent.awaited.is_none();
    let begun = lasting.filter_map(|claim| claim.before).min().unwrap_or(newest);
    (newest > after).then_some(Conflict {
        pair: (0, 0),
        proven,
        start: begun.max(since),
        last: newest.max(since),
        recheck: silent.awaited,
    })
}
