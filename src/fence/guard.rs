//! The guard of one router: takes evidence in, and says when to drop and when to come back.

use std::collections::VecDeque;
use std::net::IpAddr;

use super::ledger::{Ledger, Rank, Rival};
use super::succession::nobody_holds;
use super::testimony::Testimonies;
use super::{Act, Policy, Reason, Scope};
use crate::observe::Testimony;
use crate::time::Instant;
use crate::wire::{Advert, MacAddr};

/// Adverts of ours that a lower rival gets to hear before we yield to it, at least: it has dropped by then, if it hears them
/// and goes by the same rules.
const YIELD_MIN: u32 = 3;

/// The guard of one router.
///
/// `handle*` take things in, `poll_*` hand things out: after each `handle*`, call [`Self::poll_act`] until it answers
/// `None`. An advert goes to the router first, so that what the election settles is settled when the guard hears of it.
#[derive(Clone, Debug)]
pub struct Guard {
    policy: Policy,
    scope: Scope,
    ledger: Ledger,
    testimonies: Testimonies,
    /// Our rank as it stands in our adverts, while we hold.
    holding: Option<Rank>,
    /// The best rank that we ever advertised.
    best: Option<Rank>,
    /// A witness has answered at some time.
    has_witness: bool,
    /// Since when nobody answers.
    alone: Option<Instant>,
    out: Option<Out>,
    acts: VecDeque<Act>,
}

/// Fenced.
#[derive(Clone, Copy, Debug)]
struct Out {
    reason: Reason,
    since: Instant,
    /// The newest evidence, which keeps it out.
    evidence: Instant,
}

impl Guard {
    /// A guard that knows of nobody yet.
    pub fn new(policy: Policy, scope: Scope) -> Self {
        Self {
            policy,
            scope,
            ledger: Ledger::default(),
            testimonies: Testimonies::default(),
            holding: None,
            best: None,
            has_witness: false,
            alone: None,
            out: None,
            acts: VecDeque::new(),
        }
    }

    // ---- getters --------------------------------------------------------------------------------------------------

    /// Why it is fenced, if this guard fenced it.
    pub fn fenced(&self) -> Option<Reason> {
        self.out.map(|out| out.reason)
    }

    /// When this guard's fence is over if nothing more is heard; `None` without one, and while it can't be told: somebody answers
    /// still, or nobody at all does.
    pub fn back_at(&self, now: Instant) -> Option<Instant> {
        let out = self.out.filter(|out| out.reason == Reason::SplitBrain)?;
        self.release_at(now, out.evidence)
    }

    /// The names of the configured peers.
    pub fn peers(&self) -> &[String] {
        &self.scope.names
    }

    // ---- poll -----------------------------------------------------------------------------------------------------

    /// The next thing to do.
    pub fn poll_act(&mut self) -> Option<Act> {
        self.acts.pop_front()
    }

    /// When [`Self::handle_timeout`] is to be called.
    pub fn poll_timeout(&self, now: Instant) -> Option<Instant> {
        match self.out {
            Some(Out { reason: Reason::SplitBrain, evidence, .. }) => self.release_at(now, evidence),
            Some(Out { reason: Reason::Isolation, .. }) => None,
            None => self.isolated_at(),
        }
    }

    // ---- handle ---------------------------------------------------------------------------------------------------

    /// Does what is due.
    pub fn handle_timeout(&mut self, now: Instant) {
        self.judge(now);
    }

    /// An advert of ours with this priority above 0 went out, from this address: we hold, and say so.
    pub fn handle_sent(&mut self, now: Instant, priority: u8, address: IpAddr) {
        let rank = Rank { priority, address };
        if self.holding != Some(rank) {
            self.holding = Some(rank);
            self.best = self.best.max(Some(rank));
            self.reopen(now);
        }
        self.ledger.sent();
    }

    /// We hold no more: the router left the state of master, for whatever reason.
    pub fn handle_stopped(&mut self, now: Instant) {
        if self.holding.take().is_some() {
            self.reopen(now);
        }
    }

    /// An advert for this router came in from another host. `obeyed`: the router's own rules did not refuse it.
    pub fn handle_advert(&mut self, now: Instant, advert: &Advert, obeyed: bool) {
        let ours = self.best.is_some_and(|rank| rank.address == advert.source);
        let foreign = !advert.addresses.iter().any(|address| self.scope.addresses.contains(address));
        if ours || foreign || advert.ttl != u8::MAX || advert.defect().is_some() {
            return;
        }
        let peer = self.scope.peers.contains(&advert.source);
        self.ledger.advert(now, advert, peer, obeyed, self.holding.is_some());
        self.judge(now);
    }

    /// All hosts but this one that answer probes for an address of this router at present, each with its newest answer.
    pub fn handle_answers(&mut self, now: Instant, newest: &[(MacAddr, Instant)]) {
        self.ledger.answers(newest);
        self.judge(now);
    }

    /// Another host announced an address of this router: a gratuitous ARP or an unsolicited NA, with this MAC for the owner.
    pub fn handle_announcement(&mut self, now: Instant, mac: MacAddr) {
        self.ledger.announcement(mac);
        self.judge(now);
    }

    /// Whether any peer or witness answers, and whether a witness does.
    pub fn handle_reach(&mut self, now: Instant, anyone: bool, witness: bool) {
        self.has_witness |= witness;
        if anyone || witness {
            self.alone = None;
        } else if self.has_witness {
            self.alone.get_or_insert(now);
        }
        self.judge(now);
    }

    /// What the peers say over the second channel, as far as it is fresh, and whether a witness answers us through the
    /// addresses' own interface; `None` where none is asked.
    pub fn handle_testimony(&mut self, now: Instant, witness: Option<bool>, said: &[Testimony]) {
        self.testimonies.take(now, witness, said);
        if let Some(Out { reason: Reason::SplitBrain, since, .. }) = self.out
            && nobody_holds(said, &self.scope.names, since)
        {
            return self.come_back();
        }
        self.judge(now);
    }

    // ---- commands -------------------------------------------------------------------------------------------------

    /// Takes new rules. What was seen remains seen.
    pub fn reconfigure(&mut self, now: Instant, policy: Policy, scope: Scope) {
        self.policy = policy;
        self.scope = scope;
        self.judge(now);
    }

    /// An operator lifts the fence: what was evidence so far is none any more. There is no [`Act::Release`] for it.
    pub fn unfence(&mut self, now: Instant) {
        self.out = None;
        self.alone = self.alone.map(|_| now);
        self.reopen(now);
    }

    fn reopen(&mut self, now: Instant) {
        self.ledger.reopen(now);
        self.testimonies.reopen(now);
    }

    // ---- judgement ------------------------------------------------------------------------------------------------

    fn judge(&mut self, now: Instant) {
        if let Some(out) = self.out {
            self.reconsider(now, out);
        }
        if self.out.is_some() {
            return;
        }
        if self.isolated_at().is_some_and(|at| at <= now) {
            let why = format!("no peer and no witness has answered for {:?}", self.policy.isolation_time);
            return self.drop_out(now, Reason::Isolation, why);
        }
        let Some(own) = self.holding else { return };
        if let Some(why) = self.winner(now, own).or_else(|| self.told_winner(now, own)) {
            self.drop_out(now, Reason::SplitBrain, why);
        } else if let Some((to, why)) = self.deaf(own) {
            self.holding = None;
            self.reopen(now);
            self.acts.push_back(Act::Yield { to, why });
        }
    }

    fn drop_out(&mut self, now: Instant, reason: Reason, why: String) {
        self.out = Some(Out { reason, since: now, evidence: now });
        self.holding = None;
        self.acts.push_back(Act::Drop { reason, why });
    }

    /// The rival to which the addresses are left, in words.
    fn winner(&self, now: Instant, own: Rank) -> Option<String> {
        let rivals = self.ledger.rivals().filter(|rival| self.policy.on_split_brain && !rival.is_settled(now));
        rivals.filter(|rival| self.is_proven(rival, own)).max_by_key(|rival| rival.rank).map(|rival| {
            let Rank { priority, address } = rival.rank;
            let how = if rival.goes_on(self.scope.interval) { "advertises" } else { "answers for the address" };
            format!("{address} {how} too and goes on: priority {priority} against {} of {}", own.priority, own.address)
        })
    }

    /// True if the election settles what is between us and whoever advertises from there.
    fn settles(&self, now: Instant, source: IpAddr) -> bool {
        self.ledger.rivals().any(|rival| rival.rank.address == source && rival.is_settled(now))
    }

    /// The same by what a peer says of itself.
    fn told_winner(&self, now: Instant, own: Rank) -> Option<String> {
        let winner = self.testimonies.winner(now, own, self.scope.interval, |source| self.settles(now, source));
        winner.filter(|_| self.policy.on_split_brain).map(|(peer, Rank { priority, address })| {
            format!(
                "{peer} says over the second channel that it holds and advertises too, and is the better one: priority {priority} of {address} against {} of {}",
                own.priority, own.address
            )
        })
    }

    /// The table's rows about a better rival.
    fn is_proven(&self, rival: &Rival, own: Rank) -> bool {
        let interval = self.scope.interval;
        let by_adverts = rival.rank > own && rival.goes_on(interval);
        let by_answers = Some(rival.rank) > self.best && rival.answers_on(interval);
        self.is_corroborated(rival) && (by_adverts || by_answers)
    }

    /// Whether it is more than a stranger on one channel.
    fn is_corroborated(&self, rival: &Rival) -> bool {
        rival.peer || self.scope.peers.is_empty() && rival.answers()
    }

    /// A lower rival that goes on advertising, as if it did not hear us.
    fn deaf(&self, own: Rank) -> Option<(IpAddr, String)> {
        let patience = self.policy.informed_yield.max(YIELD_MIN);
        let deaf = self.ledger.rivals().find(|rival| {
            self.policy.informed_yield > 0
                && rival.obeyed
                && rival.rank < own
                && rival.ours >= patience
                && rival.goes_on(self.scope.interval)
                && self.is_corroborated(rival)
        })?;
        let Rank { priority, address } = deaf.rank;
        let why = format!("{address} advertises priority {priority} after {} adverts of ours", deaf.ours);
        Some((address, why))
    }

    fn reconsider(&mut self, now: Instant, out: Out) {
        let over = match out.reason {
            Reason::Isolation => self.alone.is_none() || !self.policy.on_isolation,
            Reason::SplitBrain => {
                let seen = self.keeping_out(now).map_or(out.evidence, |(last, _)| last.max(out.evidence));
                self.out = Some(Out { evidence: seen, ..out });
                !self.policy.on_split_brain || self.release_at(now, seen).is_some_and(|at| at <= now)
            }
        };
        if over {
            self.come_back();
        }
    }

    fn come_back(&mut self) {
        self.out = None;
        self.acts.push_back(Act::Release);
    }

    /// What keeps a fenced router out: any known rival that goes on, be it better or not.
    fn keeping_out(&self, now: Instant) -> Option<(Instant, Option<Instant>)> {
        let seen = self.ledger.evidence(now, |rival| self.is_corroborated(rival));
        let told =
            self.testimonies.evidence(|source| self.settles(now, source)).map(|(last, until)| (last, Some(until)));
        match (seen, told) {
            (Some((a, x)), Some((b, y))) => Some((a.max(b), x.zip(y).map(|(x, y)| x.max(y)))),
            (seen, told) => seen.or(told),
        }
    }

    /// When it may come back if nothing more is heard; `None` while somebody answers.
    fn release_at(&self, now: Instant, evidence: Instant) -> Option<Instant> {
        let held_down = evidence + self.policy.hold_down;
        match self.keeping_out(now) {
            Some((_, until)) => until.map(|until| until.max(held_down)),
            None => Some(held_down),
        }
    }

    fn isolated_at(&self) -> Option<Instant> {
        self.alone.filter(|_| self.policy.on_isolation).map(|since| since + self.policy.isolation_time)
    }
}
