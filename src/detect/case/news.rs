//! What a judgement changes that people are told of: the verdict, the master, this node's part.

use crate::observe::{DaemonState, Model, Router};
use crate::time::Instant;

use super::{Case, Judgement, Outcome, causes};
use crate::detect::party::Party;
use crate::detect::{Cause, Event, Finding, State, Verdict};

impl Case {
    pub(super) fn follow_master(
        &mut self,
        model: &Model,
        router: &Router,
        parties: &[Party<'_>],
        verdict: Verdict,
        outcome: &mut Outcome,
    ) {
        let mut active = parties.iter().filter(|p| p.active.is_some());
        let (Some(party), None) = (active.next(), active.next()) else { return };
        let Some(speaker) = party.active.filter(|_| verdict != Verdict::SplitBrain) else { return };
        if self.master == Some(speaker.advert.source) {
            return;
        }
        let at = speaker.resumed.max(self.settled);
        let from = self.master.replace(speaker.advert.source);
        if from.is_some() {
            self.transitions += 1;
            self.last_transition = Some(at);
        }
        let resigned = router.judged().any(|s| Some(s.advert.source) == from && s.resigned());
        let reason = match from {
            None => format!("{} is master", party.name(model)),
            Some(old) if resigned => format!("{old} gave mastership up (priority 0), {} took it", party.name(model)),
            Some(old) => format!("{} took over from {old}", party.name(model)),
        };
        let mut event = event(
            router,
            speaker.resumed,
            "master",
            from.map(|a| a.to_string()),
            Some(speaker.advert.source.to_string()),
        );
        event.reason = reason;
        outcome.events.push(event);
        outcome.urgent = true;
    }

    /// This node's own part: told from its own adverts and the daemon's socket, not from the address.
    pub(super) fn follow_state(&mut self, model: &Model, router: &Router, now: Instant, outcome: &mut Outcome) {
        let daemon = model.daemon_of(router);
        let runs = matches!(daemon, DaemonState::Alive | DaemonState::Frozen);
        let speaks =
            router.local().is_some_and(|s| !s.resigned() && now <= s.gone_at()) && daemon != DaemonState::Absent;
        let down = router.interface.and_then(|i| model.host.link(i)).is_none_or(|l| !l.up || !l.carrier);
        let state = match (router.member, down, speaks, runs) {
            (false, ..) => State::Init,
            (_, true, _, true) => State::Fault,
            (_, _, true, _) => State::Master,
            (_, _, _, true) => State::Backup,
            _ => State::Init,
        };
        let state = router.speaking.as_ref().map_or(state, |own| own.state);
        if state != self.state {
            let mut event = event(router, now, "state", Some(self.state.as_str().into()), Some(state.as_str().into()));
            event.reason = format!("this node went from {} to {}", self.state.as_str(), state.as_str());
            self.state = state;
            self.state_transitions[state as usize] += 1;
            // A speaker tells of its own changes itself, with the reason.
            outcome.events.extend(router.speaking.is_none().then_some(event));
            outcome.urgent = true;
        }
    }

    pub(super) fn conclude(&mut self, router: &Router, found: Judgement, now: Instant, outcome: &mut Outcome) {
        let before = causes(&self.findings);
        let after = causes(&found.findings);
        if found.verdict != Verdict::Unknown {
            self.split = found.verdict == Verdict::SplitBrain;
        }
        if found.verdict != self.verdict || before != after {
            let (from, to) = (self.verdict.as_str().to_owned(), found.verdict.as_str().to_owned());
            let mut event = event(router, now, "verdict", Some(from), Some(to));
            event.reason = reason(&found);
            event.evidence = found.evidence.iter().map(|e| e.says.clone()).collect();
            event.causes.clone_from(&after);
            outcome.events.push(event);
            outcome.urgent = true;
        }
        if found.verdict != self.verdict {
            self.verdict = found.verdict;
            self.since = now;
        }
        if let Some(episode) = self.overlap.as_mut().and_then(|o| o.proven.as_mut()).filter(|_| self.split) {
            let news: Vec<Cause> = after.into_iter().filter(|cause| !episode.causes.contains(cause)).collect();
            episode.causes.extend(news);
        }
        if let (Verdict::SplitBrain, Some(overlap)) = (found.verdict, &mut self.overlap) {
            let is_path = |finding: &Finding| [Cause::Partition, Cause::OneWayPath].contains(&finding.cause);
            overlap.cut = found.findings.iter().any(is_path);
        }
        self.findings = found.findings;
        self.evidence = found.evidence;
    }
}

fn event(router: &Router, at: Instant, kind: &'static str, from: Option<String>, to: Option<String>) -> Event {
    Event {
        at,
        router: router.name(),
        vip: router.vip(),
        id: Some(router.id.clone()),
        kind: kind.into(),
        from,
        to,
        reason: String::new(),
        causes: Vec::new(),
        evidence: Vec::new(),
    }
}

fn reason(found: &Judgement) -> String {
    match found.findings.first() {
        Some(finding) if !finding.local.is_empty() => finding.local.clone(),
        Some(finding) => finding.remote.clone(),
        None => found.evidence.first().map_or_else(String::new, |e| e.says.clone()),
    }
}
