//! The case of one virtual router: what the evidence amounts to now, and what is remembered from one judgement to the next.

mod news;

use std::collections::VecDeque;
use std::net::IpAddr;

use crate::observe::{Model, Router, Speaker, advert_margin};
use crate::time::{Duration, Instant};

use super::announce;
use super::conflict::{self, Conflict};
use super::hollow::{self, Hollow};
use super::party::{Party, parties};
use super::remote::Standing;
use super::twins;
use super::{Cause, Episode, Event, Evidence, Finding, Holder, State, Verdict, cause};

/// What is remembered of one virtual router.
#[derive(Debug)]
pub struct Case {
    /// Verdict.
    pub verdict: Verdict,
    /// Since when.
    pub since: Instant,
    /// A sensor is blind to it.
    pub blind: bool,
    /// 1 from the proof of a split until health is proven.
    pub split: bool,
    /// Why.
    pub findings: Vec<Finding>,
    /// What it rests on.
    pub evidence: Vec<Evidence>,
    /// Masters believed active.
    pub masters: Vec<IpAddr>,
    /// Who holds.
    pub holders: Vec<Holder>,
    /// The settled master, frozen during a split.
    pub master: Option<IpAddr>,
    /// Changes of it.
    pub transitions: u64,
    /// The last one.
    pub last_transition: Option<Instant>,
    /// This node's part.
    pub state: State,
    /// Entries into each state.
    pub state_transitions: [u64; State::ALL.len()],
    /// How many splits there were.
    pub episode_count: u64,
    /// Settled overlaps.
    pub takeover_overlap: Duration,
    split_time: Duration,
    overlap: Option<Overlap>,
    /// The newest splits that are over.
    past: VecDeque<Episode>,
    /// The end of the last overlap.
    settled: Instant,
}

/// Split episodes remembered.
const MAX_EPISODES: usize = 64;

/// A time during which two held.
#[derive(Clone, Debug)]
struct Overlap {
    start: Instant,
    last: Instant,
    /// What is told of it once it is proven.
    proven: Option<Episode>,
    /// Proven, and longer than a takeover.
    split: bool,
    /// It was found that the two don't reach each other.
    cut: bool,
}

/// What a judgement leads to.
#[derive(Debug, Default)]
pub struct Outcome {
    /// What happened.
    pub events: Vec<Event>,
    /// When to judge again without news.
    pub recheck: Option<Instant>,
    /// The speaker whose next adverts are no news.
    pub steady: Option<IpAddr>,
    /// Whether to ask if the firewall lets adverts out.
    pub test_output: bool,
    /// Something changed that everyone should see at once.
    pub urgent: bool,
    /// Two hold, and it is not proven that this is more than a takeover.
    pub contested: bool,
}

/// The verdict of one moment, before anything is remembered.
struct Judgement {
    verdict: Verdict,
    findings: Vec<Finding>,
    evidence: Vec<Evidence>,
    recheck: Option<Instant>,
}

impl Judgement {
    fn of(verdict: Verdict) -> Self {
        Self { verdict, findings: Vec::new(), evidence: Vec::new(), recheck: None }
    }

    fn with(mut self, finding: Option<Finding>) -> Self {
        self.findings.extend(finding);
        self
    }

    fn says(mut self, kind: &'static str, at: Instant, says: String) -> Self {
        self.evidence.push(Evidence { kind, at, says });
        self
    }

    fn again(mut self, at: Instant) -> Self {
        self.recheck = Some(self.recheck.map_or(at, |known| known.min(at)));
        self
    }
}

impl Case {
    /// A case of which nothing is known.
    pub fn new(now: Instant) -> Self {
        Self {
            verdict: Verdict::Unknown,
            since: now,
            blind: false,
            split: false,
            findings: Vec::new(),
            evidence: Vec::new(),
            masters: Vec::new(),
            holders: Vec::new(),
            master: None,
            transitions: 0,
            last_transition: None,
            state: State::Init,
            state_transitions: [0; State::ALL.len()],
            episode_count: 0,
            past: VecDeque::new(),
            takeover_overlap: Duration::ZERO,
            split_time: Duration::ZERO,
            overlap: None,
            settled: Instant::ZERO,
        }
    }

    /// The length of all split episodes, the running one included.
    pub fn split_time(&self) -> Duration {
        let running = self.overlap.as_ref().filter(|o| o.split).map_or(Duration::ZERO, |o| o.last.since(o.start));
        self.split_time + running
    }

    /// Judges a router at `now`.
    pub fn judge(&mut self, model: &Model, router: &Router, now: Instant) -> Outcome {
        let parties = parties(model, router, self.standing(), now);
        let conflict = conflict::find(model, router, &parties, now);
        let twins = twins::find(model, router, now);
        let mut outcome = Outcome::default();
        let blindness = blindness(model, router);
        let found = match &blindness {
            Some(why) => Judgement::of(Verdict::Unknown).says("sensor", now, why.clone()),
            None => match twins.as_ref().filter(|twins| twins.conflict.proven) {
                Some(twins) => {
                    let found = witness(Judgement::of(Verdict::SplitBrain), model, &parties.iter().collect::<Vec<_>>());
                    found.with(Some(twins.finding(model, router)))
                }
                None => self.assess(model, router, &parties, conflict, now),
            },
        };
        let conflict = conflict.filter(|c| c.proven).or(twins.as_ref().map(|twins| twins.conflict)).or(conflict);
        outcome.contested = conflict.is_some_and(|conflict| !conflict.proven);
        self.blind = blindness.is_some();
        if blindness.is_none() {
            self.account(router, conflict, found.verdict);
            self.follow_master(model, router, &parties, found.verdict, &mut outcome);
            // While blind the last known ones stay: that nobody is seen does not mean that nobody holds.
            self.holders = parties.iter().map(|p| holder(p, model)).collect();
        }
        self.masters = parties.iter().filter_map(|p| p.active).map(|s| s.advert.source).collect();
        self.follow_state(model, router, now, &mut outcome);
        outcome.test_output = parties.iter().any(|p| p.here && p.active.is_none());
        outcome.recheck = recheck(router, conflict, &found, now);
        outcome.steady = match parties.as_slice() {
            [only] if found.verdict == Verdict::Healthy && found.recheck.is_none() && twins.is_none() => {
                only.active.map(|s| s.advert.source)
            }
            _ => None,
        };
        self.conclude(router, found, now, &mut outcome);
        outcome
    }

    fn assess(
        &self,
        model: &Model,
        router: &Router,
        parties: &[Party<'_>],
        conflict: Option<Conflict>,
        now: Instant,
    ) -> Judgement {
        if let Some(conflict) = conflict.filter(|c| c.proven) {
            return proven(model, router, parties, conflict, now);
        }
        if let Some(heals) = self.heals_at(model, router).filter(|at| now < *at) {
            return self.as_before().again(heals);
        }
        let contest = conflict.filter(|c| parties[c.pair.0].active.is_some() && parties[c.pair.1].active.is_some());
        if let Some(contest) = contest {
            let (a, b) = (&parties[contest.pair.0], &parties[contest.pair.1]);
            let found = witness(Judgement::of(Verdict::Degraded), model, &[a, b]);
            let dropped = cause::dropped_here(model, router, now);
            return found.with(dropped.or_else(|| Some(cause::transient(model, a, b))));
        }
        let advertising: Vec<&Party<'_>> = parties.iter().filter(|p| p.active.is_some()).collect();
        match (advertising.as_slice(), parties) {
            ([master], _) => {
                let found = self.one_master(model, router, master, now);
                if self.outlives_a_master(&found, parties, master) { self.as_before() } else { found }
            }
            (_, []) => self.silence(model, router, now),
            (_, [holder, ..]) => self.silent_holder(model, router, holder, now),
        }
    }

    /// The judgement stays what it was.
    fn as_before(&self) -> Judgement {
        let (findings, evidence) = (self.findings.clone(), self.evidence.clone());
        Judgement { verdict: self.verdict, findings, evidence, recheck: None }
    }

    /// Who was found to answer beside the last master, and did until this one began, is not gone because of that.
    fn outlives_a_master(&self, found: &Judgement, parties: &[Party<'_>], master: &Party<'_>) -> bool {
        found.verdict == Verdict::Healthy
            && self.findings.iter().any(|finding| finding.cause == Cause::ForeignClaim)
            && master.active.is_some_and(|speaker| conflict::is_to_be_asked(parties, speaker))
    }

    /// A split is over when the loser had time for two more adverts and a probe, and gave neither.
    fn heals_at(&self, model: &Model, router: &Router) -> Option<Instant> {
        let overlap = self.overlap.as_ref().filter(|_| self.verdict == Verdict::SplitBrain)?;
        if router.cluster().any(|s| s.resigned() && s.last >= overlap.last) {
            return None;
        }
        let interval = router.cluster().map(Speaker::interval).max().or(router.interval()).unwrap_or_default();
        let deaf = self.findings.iter().any(|f| f.cause.deafens());
        if deaf && !model.is_probed(router) {
            // Two who refuse each other's adverts keep re-arming each other's timers: seconds of silence of one prove nothing.
            let takeover = router.cluster().map(Speaker::master_down).max().unwrap_or(interval * 4);
            return Some(overlap.last + takeover * 3);
        }
        let probe = if model.is_probed(router) { model.settings.probe_interval } else { Duration::ZERO };
        Some(overlap.last + (interval * 2).max(probe + Duration::from_millis(200)))
    }

    /// One advertises. Healthy takes more than that: that we listened for long enough to have heard another.
    fn one_master(&self, model: &Model, router: &Router, master: &Party<'_>, now: Instant) -> Judgement {
        let Some(speaker) = master.active else { return Judgement::of(Verdict::Unknown) };
        let interval = speaker.interval();
        let listening = listening_since(model, router, interval);
        let enough = listening + speaker.patience();
        if now < enough {
            let passing = router.interface.and_then(|interface| model.sight.passing(interface));
            let says = format!(
                "listening since {} ms: too short to have heard another master{}",
                now.since(listening).as_millis(),
                passing.map(|why| format!(" ({why})")).unwrap_or_default()
            );
            return Judgement::of(Verdict::Unknown).says("sensor", now, says).again(enough);
        }
        if router.is_idle_talk(speaker) {
            let talk = hollow::talk(model, router, "nobody else advertises".into(), now);
            return talk.map_or_else(|| self.as_before(), |talk| degraded(model, master, talk));
        }
        let (hollow, again) = match hollow::find(model, router, master, now) {
            Ok(hollow) => (hollow, None),
            Err(at) => (None, Some(at)),
        };
        if let Some(Hollow { verdict, finding }) = hollow {
            return witness(Judgement::of(verdict), model, &[master]).with(Some(finding));
        }
        let latent = hollow::latent(model, router, master, now);
        let misdirection = announce::misdirection(model, router, speaker);
        let elsewhere = misdirection.filter(|m| m.sure <= now).map(|m| announce::finding(model, router, master, m));
        let verdict = if latent.is_some() || elsewhere.is_some() { Verdict::Degraded } else { Verdict::Healthy };
        let found = witness(Judgement::of(verdict), model, &[master]).with(latent).with(elsewhere);
        match misdirection.filter(|m| m.sure > now).map(|m| m.sure).into_iter().chain(again).min() {
            Some(pending) => found.again(pending),
            None => found,
        }
    }

    /// Nobody advertises, and somebody still holds. A stranger's adverts may keep it from sending its own.
    fn silent_holder(&self, model: &Model, router: &Router, holder: &Party<'_>, now: Instant) -> Judgement {
        let begins = holder.held.map(|held| held + conflict::beginning_here(model, router, held).unwrap_or_default());
        let silent_since = self.silent_since(model, router).map(|quiet| quiet.max(begins.unwrap_or_default()));
        match (hollow::beside(model, router, holder, now), silent_since) {
            (Some(talk), _) => degraded(model, holder, talk),
            // What it answered before it fell silent proves nothing, and it has been asked since.
            (None, Some(quiet)) if quiet <= now && !holder.holds_on(router) => self.as_before(),
            (None, Some(quiet)) if quiet <= now => {
                degraded(model, holder, cause::silent_alone(model, router, holder, now))
            }
            (None, Some(quiet)) => self.as_before().again(quiet),
            (None, None) => Judgement::of(Verdict::Unknown),
        }
    }

    /// Nobody advertises, and nobody holds.
    fn silence(&self, model: &Model, router: &Router, now: Instant) -> Judgement {
        let Some(quiet) = self.silent_since(model, router) else {
            return Judgement::of(Verdict::Unknown).says(
                "advert",
                now,
                "no advert was heard yet, and no interval is configured".into(),
            );
        };
        if now < quiet {
            let waiting =
                if self.verdict == Verdict::SplitBrain { Judgement::of(Verdict::Unknown) } else { self.as_before() };
            return waiting.again(quiet);
        }
        let last = router.cluster().max_by_key(|s| s.last);
        if let Some(speaker) = last.filter(|speaker| is_overheard(model, router, speaker)) {
            let to = speaker.advert.destination;
            let says = format!("{} advertises to {to} alone: no more of it need come here", speaker.advert.source);
            return Judgement::of(Verdict::Unknown).says("advert", now, says);
        }
        if router.expected.is_none() && last.is_none_or(Speaker::resigned) {
            let says = match last {
                Some(speaker) => {
                    format!("{} gave mastership up with priority 0, and nobody took it", speaker.advert.source)
                }
                None => "nothing was heard of it since this daemon started".into(),
            };
            return Judgement::of(Verdict::Unknown).says("advert", now, says);
        }
        let silent = now.since(router.last_advert.unwrap_or(router.known_since));
        let asked = if router.vips.iter().any(|v| v.probed.is_some()) {
            "nobody answers for the address"
        } else {
            "the address is not probed from here"
        };
        Judgement::of(Verdict::NoMaster).says(
            "advert",
            now,
            format!("no advert for {:.1} s, and {asked}", silent.as_secs_f64()),
        )
    }

    /// When silence has lasted for more than four adverts and a margin; `None` while the interval is unknown.
    fn silent_since(&self, model: &Model, router: &Router) -> Option<Instant> {
        let interval = router.interval()?;
        let from = listening_since(model, router, interval).max(router.last_advert.unwrap_or(router.known_since));
        Some(from + interval * 4 + advert_margin(interval))
    }

    /// Keeps the books on overlaps. One that is proven and outlasts a takeover is a split from its first moment on; what the
    /// election settled sooner was a takeover.
    fn account(&mut self, router: &Router, conflict: Option<Conflict>, verdict: Verdict) {
        if let Some(conflict) = conflict {
            let fresh = Overlap { start: conflict.start, last: conflict.start, proven: None, split: false, cut: false };
            let overlap = self.overlap.get_or_insert(fresh);
            overlap.last = overlap.last.max(conflict.last);
            if conflict.proven && overlap.proven.is_none() {
                overlap.proven = Some(Episode { start: overlap.start, end: None, causes: Vec::new() });
            }
            let takeover = router.cluster().map(Speaker::master_down).max().unwrap_or(Duration::from_secs(4));
            if overlap.proven.is_some() && !overlap.split && overlap.last.since(overlap.start) > takeover {
                overlap.split = true;
                self.episode_count += 1;
            }
        } else if verdict != Verdict::SplitBrain
            && let Some(over) = self.overlap.take()
        {
            self.close(over);
        }
    }

    fn close(&mut self, over: Overlap) {
        self.settled = over.last;
        let length = over.last.since(over.start);
        match over.proven.filter(|_| over.split) {
            Some(episode) => {
                self.split_time += length;
                if self.past.len() == MAX_EPISODES {
                    self.past.pop_front();
                }
                self.past.push_back(Episode { end: Some(over.last), ..episode });
            }
            None => self.takeover_overlap += length,
        }
    }

    /// The newest split episodes, and at the end the one that is going on.
    pub fn episodes(&self) -> impl Iterator<Item = &Episode> {
        self.past.iter().chain(self.overlap.iter().filter_map(|o| o.proven.as_ref()))
    }

    /// The split that stands, from its proof until health is proven.
    fn standing(&self) -> Option<Standing> {
        let overlap = self.overlap.as_ref().filter(|_| self.split)?;
        Some(Standing { since: overlap.start, cut: overlap.cut })
    }
}

fn proven(model: &Model, router: &Router, parties: &[Party<'_>], conflict: Conflict, now: Instant) -> Judgement {
    let (a, b) = (&parties[conflict.pair.0], &parties[conflict.pair.1]);
    let collision = cause::collision(model, a, b);
    let verdict = if collision.is_some() { Verdict::Degraded } else { Verdict::SplitBrain };
    let mut found = witness(Judgement::of(verdict), model, &[a, b]);
    found.findings = match collision {
        Some(collision) => vec![collision],
        None => cause::of_conflict(model, router, conflict, [a, b], now),
    };
    found
}

fn degraded(model: &Model, party: &Party<'_>, why: Finding) -> Judgement {
    witness(Judgement::of(Verdict::Degraded), model, &[party]).with(Some(why))
}

/// Says what each party does.
fn witness(mut found: Judgement, model: &Model, parties: &[&Party<'_>]) -> Judgement {
    for party in parties {
        let name = party.name(model);
        if let Some(speaker) = party.active {
            let source = speaker.advert.source.to_string();
            let from = if name == source { String::new() } else { format!(" from {source}") };
            let says = format!("{name} advertises priority {}{from}", speaker.advert.priority);
            found = found.says("advert", speaker.last, says);
        }
        if let Some(held) = party.held {
            found = found.says("netlink", held, format!("{name} holds the address"));
        }
        if let Some((address, claim)) = party.claims.first() {
            let kind = if address.is_ipv4() { "arp" } else { "nd" };
            found = found.says(kind, claim.last, format!("{} answers for {address}", claim.mac));
        }
        if let Some(word) = party.says_held() {
            let signed = if word.report.signed { "signed" } else { "unsigned" };
            let says = format!("{name} says ({signed}) that it holds {}", cause::list(&word.said.held));
            found = found.says("report", word.report.as_of, says);
        }
    }
    found
}

/// True if its adverts are for another host, and this one is no mirror port: a switch floods them until it knows where that host is.
fn is_overheard(model: &Model, router: &Router, speaker: &Speaker) -> bool {
    let advert = &speaker.advert;
    let is_elsewhere = !advert.is_multicast() && !speaker.local && !model.host.has_address(advert.destination);
    is_elsewhere && !router.member && !model.settings.passive
}

/// What keeps this node from judging a router, if anything does.
pub fn blindness(model: &Model, router: &Router) -> Option<String> {
    let Some(interface) = router.interface else {
        return Some(format!("there is no interface {} here now", router.id.interface));
    };
    match model.host.link(interface) {
        None => Some(format!("there is no interface {} here now", router.id.interface)),
        Some(link) if !link.sniffed => Some(format!("adverts are not captured on {}", link.name)),
        Some(_) => model.sight.blind(interface).map(str::to_owned),
    }
}

/// Since when nothing that concerns this router can have been missed.
fn listening_since(model: &Model, router: &Router, interval: Duration) -> Instant {
    router.interface.map_or(Instant::ZERO, |interface| model.sight.clear_since(interface, interval))
}

/// The next moment at which time alone may change the verdict.
fn recheck(router: &Router, conflict: Option<Conflict>, found: &Judgement, now: Instant) -> Option<Instant> {
    let steady = found.verdict == Verdict::Healthy;
    let speakers = router.judged().flat_map(|s| {
        let silent = s.last + s.interval() * 4 + advert_margin(s.interval());
        if steady { [s.gone_at(); 3] } else { [s.overdue_at(), s.gone_at(), silent] }
    });
    let speakers = speakers.filter(|at| *at >= now);
    let moments = speakers.chain(conflict.and_then(|c| c.recheck)).chain(found.recheck);
    moments.map(|at| at.max(now) + Duration::from_nanos(1)).min()
}

fn holder(party: &Party<'_>, model: &Model) -> Holder {
    let known = party.here
        || party.word.is_some()
        || party.speaker.is_some()
        || party.mac.is_some_and(|m| model.peer_by_mac(m).is_some());
    Holder { node: known.then(|| party.name(model)), here: party.here, mac: party.mac, how: party.how() }
}

/// The causes of findings, in order, each once.
pub fn causes(findings: &[Finding]) -> Vec<Cause> {
    let mut causes = Vec::new();
    for finding in findings {
        if !causes.contains(&finding.cause) {
            causes.push(finding.cause);
        }
    }
    causes
}
