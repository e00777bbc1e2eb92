//! Holding on while the register can't be asked: every peer promises not to take the addresses for a while.
//!
//! A promise is a first sight made anew. Who gives one at `p` sends no request for the lease before `p` + its wait, whatever stands in
//! the register; and it gives none while a request of its own may still be written. So it can't come to hold before. The holder counts
//! from before it asked, as it does with a grant, and so the same inequality keeps the two apart; D is the earliest that any of the
//! peers allows. Nothing but D changes by that: what opens the gate, and what keeps it open until D, is G1-G4 as ever.

use super::{Ask, Gate, Lease};
use crate::observe::{Pledge, Pledged, Testimony};
use crate::time::{Duration, Instant};

/// How old a question may be that is answered by a promise: the dead ask for nothing.
const AGE_MAX: Duration = Duration::from_secs(1);

/// Among whom promises are given.
#[derive(Clone, Debug)]
pub(super) struct Council {
    /// Under which name the register knows the router. What is said about another one is about something else.
    key: String,
    /// As of when the last question was that was answered.
    answered: Instant,
}

/// What a peer says, and the name of who says so.
type Word<'a> = (&'a Testimony, &'a Pledged);

impl Lease {
    /// The same, which holds on by its peers' promises, and gives them promises. The register knows it under this key.
    #[must_use]
    pub fn with_council(self, key: String) -> Self {
        Self { council: Some(Council { key, answered: Instant::ZERO }), ..self }
    }

    /// True if it holds by promises alone: its last grant is over.
    pub const fn is_kept(&self) -> bool {
        self.is_kept && self.told
    }

    /// What the peers are to know of it.
    pub fn pledge(&self) -> Option<Pledge> {
        let holds_until = self.until.filter(|_| self.can_be_kept());
        Some(Pledge {
            key: self.council.as_ref()?.key.clone(),
            asks_from: holds_until.map(|until| until - self.timing.hold / 2),
            promised_until: (self.promised > Instant::ZERO).then_some(self.promised),
        })
    }

    /// What is known of the peers, and the names of all of them. Only what is signed counts.
    pub fn handle_testimony(&mut self, now: Instant, said: &[Testimony], peers: &[String]) {
        let Some(Council { key, .. }) = &self.council else { return };
        let is_meant = |one: &&Testimony| one.signed && peers.contains(&one.peer);
        let about = |one| pledged(one).filter(|(_, pledged)| pledged.key == *key);
        let words: Vec<Word<'_>> = said.iter().filter(is_meant).filter_map(about).collect();
        // What is over is over, whoever would have kept it.
        self.go_on(now);
        if let Some(until) = self.allowed_until(&words, peers).filter(|_| self.can_be_kept())
            && self.until.is_some_and(|known| known < until)
        {
            (self.until, self.is_kept) = (Some(until), true);
        }
        self.answer(now, &words);
        self.go_on(now);
    }

    /// True if it holds, and clients are answered. What has closed meanwhile only a grant opens: to be kept would help nobody.
    const fn can_be_kept(&self) -> bool {
        self.told && matches!(self.gate, Gate::Open { .. } | Gate::Refreshing { .. })
    }

    /// Until when all of the peers let us hold; `None` if one of them does not, or if there is none.
    fn allowed_until(&self, words: &[Word<'_>], peers: &[String]) -> Option<Instant> {
        let allows = |peer: &String| {
            let (_, pledged) = words.iter().find(|(one, _)| one.peer == *peer)?;
            let (asked, lasts) = pledged.promise?;
            Some(asked + self.timing.kept(lasts))
        };
        let all: Option<Vec<Instant>> = peers.iter().map(allows).collect();
        all?.into_iter().min()
    }

    /// Promises a holder that asks for it not to take anything.
    fn answer(&mut self, now: Instant, words: &[Word<'_>]) {
        let may_come_to_hold = self.until.is_some()
            || self.gate != Gate::Closed
            || self.loose.is_some()
            || matches!(self.ask, Some(Ask::Permit { .. } | Ask::Cas { .. }));
        // Who would take over, and reaches the register, is better placed than who asks.
        let would_take = self.wanted && self.up;
        let asked = words.iter().filter(|(_, pledged)| pledged.asks).map(|(one, _)| one.as_of).max();
        let Some(council) = &mut self.council else { return };
        let Some(asked) = asked.filter(|asked| *asked > council.answered && now.since(*asked) <= AGE_MAX) else {
            return;
        };
        if !may_come_to_hold && !would_take {
            council.answered = asked;
            self.promised = now + self.timing.wait;
        }
    }
}

fn pledged(one: &Testimony) -> Option<Word<'_>> {
    Some((one, one.pledge.as_ref()?))
}
