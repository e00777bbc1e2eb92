//! A lone master that nobody is served by: it advertises without holding the address, or advertises another cluster's.

use crate::observe::{Model, Router, Speaker, Vip};
use crate::time::{Duration, Instant};

use super::party::Party;
use super::rules::Row;
use super::{Cause, Finding, Verdict, cause, remote};

/// How long a daemon may take to notice that its address was taken away.
const GRACE: Duration = Duration::from_secs(1);

/// What is wrong with a lone master, and how bad it is.
#[derive(Debug)]
pub struct Hollow {
    /// `NoMaster` where it is known at first hand that nobody holds.
    pub verdict: Verdict,
    /// What is wrong.
    pub finding: Finding,
}

/// A master without its addresses. `Err` is when to look again.
pub fn find(model: &Model, router: &Router, master: &Party<'_>, now: Instant) -> Result<Option<Hollow>, Instant> {
    let Some(speaker) = master.active else { return Ok(None) };
    if let Some(foreign) = unserved(model, router, master, speaker) {
        return Ok(Some(foreign));
    }
    let advertised: Vec<&Vip> =
        router.vips.iter().filter(|vip| speaker.advert.addresses.contains(&vip.address)).collect();
    if advertised.is_empty() || advertised.iter().any(|vip| !vip.claims().is_empty()) {
        return Ok(None);
    }
    let goes_on = |s: &Speaker| s.is_fresh(now) || s.last > speaker.last;
    let yields_to = |s: &Speaker| goes_on(s) && router.is_idle_talk(s) && speaker.gives_way_to(&s.advert);
    if router.judged().any(yields_to) {
        return Ok(None);
    }
    let finding = |how: String| Finding {
        cause: Cause::HollowMaster,
        node: Some(master.name(model)),
        here: master.here,
        local: format!("{} advertises priority {}", master.name(model), speaker.advert.priority),
        remote: how,
        remedy: Row::Hollow.remedy(&[("node", &master.name(model))]),
    };
    if master.here {
        if advertised.iter().any(|vip| model.host.has_address(vip.address)) {
            return Ok(None);
        }
        let since = advertised.iter().filter_map(|vip| vip.released).fold(speaker.resumed, Instant::max);
        if speaker.last < since {
            // It let go, and said nothing since: it gave way.
            return Ok(None);
        }
        if now < since + GRACE {
            return Err(since + GRACE);
        }
        let how = format!("none of {} is on this host", list(&advertised));
        return Ok(Some(Hollow { verdict: Verdict::NoMaster, finding: finding(how) }));
    }
    if let Some(word) = master.word.filter(|word| !word.said.blind && word.report.as_of > speaker.resumed + GRACE) {
        if !word.said.held.is_empty() {
            return Ok(None);
        }
        // One that says that it sends no more has gone a moment ago, or somebody plays its adverts back.
        if word.said.advertises() {
            let how = format!("it holds none of {}, as it says itself", list(&advertised));
            return Ok(Some(Hollow { verdict: Verdict::NoMaster, finding: finding(how) }));
        }
    }
    // Nobody answers either what the host asks that holds the address itself: only what was asked since counts.
    let silent = |vip: &&Vip| vip.is_silent_since(speaker.resumed);
    let how = format!("nobody answers for {}", list(&advertised));
    let hollow = Hollow { verdict: Verdict::Degraded, finding: finding(how) };
    // A host that answers for nothing may be beyond a filter.
    Ok((router.is_reachable(speaker) && advertised.iter().all(silent)).then_some(hollow))
}

/// Another cluster has the VRID, and this one's addresses are nobody's.
fn unserved(model: &Model, router: &Router, master: &Party<'_>, speaker: &Speaker) -> Option<Hollow> {
    let expected = &router.expected.as_ref()?.addresses;
    let own: Vec<&Vip> = router.vips.iter().filter(|vip| expected.contains(&vip.address)).collect();
    if speaker.advert.addresses.iter().any(|address| expected.contains(address)) || own.is_empty() {
        return None;
    }
    let served = own.iter().any(|vip| vip.held.is_some() || !vip.claims().is_empty());
    let nobody = !served && own.iter().all(|vip| vip.is_silent_since(Instant::ZERO));
    Some(Hollow {
        verdict: if nobody { Verdict::NoMaster } else { Verdict::Degraded },
        finding: Finding {
            cause: Cause::VridCollision,
            node: None,
            here: router.member,
            local: format!("this router is configured with {}", cause::list(expected)),
            remote: format!("{} advertises {}", master.name(model), cause::list(&speaker.advert.addresses)),
            remedy: Row::Unserved.remedy(&[]),
        },
    })
}

fn list(vips: &[&Vip]) -> String {
    cause::list(&vips.iter().map(|vip| vip.address).collect::<Vec<_>>())
}

/// A stranger who has advertised for longer than it takes to answer for an address, and does not; or is not asked from here.
pub fn talk(model: &Model, router: &Router, remote: String, now: Instant) -> Option<Finding> {
    let asked = |s: &Speaker| {
        let of_its = |vip: &&Vip| s.advert.addresses.contains(&vip.address);
        !model.is_probed(router) || router.vips.iter().filter(of_its).any(|vip| vip.is_probed_since(s.spell))
    };
    let stranger = router.judged().find(|s| s.is_fresh(now) && router.is_idle_talk(s) && asked(s))?;
    idle_talk(model, router, stranger, remote)
}

/// The same, and who it is that holds.
pub fn beside(model: &Model, router: &Router, holder: &Party<'_>, now: Instant) -> Option<Finding> {
    talk(model, router, format!("{} {}", holder.name(model), cause::does(holder)), now)
}

fn idle_talk(model: &Model, router: &Router, stranger: &Speaker, remote: String) -> Option<Finding> {
    let mac = stranger.mac()?.to_string();
    let (source, priority) = (stranger.advert.source, stranger.advert.priority);
    let says = format!("{mac} advertises priority {priority} from {source}");
    let (local, remedy) = match model.namesake(router, stranger) {
        Some(node) => (
            format!("{says}, and {node}, which has that MAC, did not send it"),
            Row::PlayedBack.remedy(&[("mac", &mac), ("node", node)]),
        ),
        None => {
            let does = if model.is_probed(router) { "does not answer for the address" } else { "is none of its nodes" };
            (format!("{says}, and {does}"), Row::IdleTalk.remedy(&[("mac", &mac)]))
        }
    };
    Some(Finding { cause: Cause::HollowMaster, node: Some(mac), here: false, local, remote, remedy })
}

/// A lone master's peer knows of something that will be a split once the master is gone.
pub fn latent(model: &Model, router: &Router, master: &Party<'_>, now: Instant) -> Option<Finding> {
    cause::dropped_here(model, router, now)
        .or_else(|| cause::latent_ttl(model, master))
        .or_else(|| cause::latent_told(model, router, master))
        .or_else(|| remote::latent(model, router, now))
        .or_else(|| beside(model, router, master, now))
}
