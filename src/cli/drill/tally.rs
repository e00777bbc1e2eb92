//! What the answers to a row of probes amount to: gaps, who answered before and after, how long two did, loss.

use crate::time::{Duration, Instant};
use crate::wire::MacAddr;

/// So many probes in a row go unanswered before it is a gap: one that is lost is loss.
const GAP_PROBES: u32 = 3;

/// How long a busy host may leave answers unread.
const TURNS: Duration = Duration::from_millis(100);

/// Gaps and handovers that are kept.
const KEPT_MAX: usize = 1000;

/// Who answered, as far as that is seen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Answerer {
    /// The host with that MAC.
    Mac(MacAddr),
    /// Across a router, or by what the kernel asks, nobody's MAC is seen.
    Somebody,
}

impl Answerer {
    /// Its MAC, where it is seen.
    pub const fn mac(self) -> Option<MacAddr> {
        match self {
            Self::Mac(mac) => Some(mac),
            Self::Somebody => None,
        }
    }
}

impl std::fmt::Display for Answerer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Mac(mac) => mac.fmt(f),
            Self::Somebody => f.write_str("somebody"),
        }
    }
}

/// A time without an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Gap {
    /// The last answer before it; the first probe if there was none.
    pub start: Instant,
    /// The first answer after it; `None` if none came.
    pub end: Option<Instant>,
    /// How long it was, to the end of the drill if it lasted.
    pub length: Duration,
    /// Who answered before.
    pub before: Option<Answerer>,
    /// Who answered after.
    pub after: Option<Answerer>,
}

/// The address went from one host to another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Handover {
    /// The first answer of the new one.
    pub at: Instant,
    /// The old one.
    pub from: Answerer,
    /// The new one.
    pub to: Answerer,
    /// How long both answered.
    pub overlap: Duration,
}

/// The drill of one address.
#[derive(Debug)]
pub struct Tally {
    interval: Duration,
    started: Instant,
    /// Probes sent.
    pub sent: u64,
    /// Probes that were answered before the next one went out.
    pub answered: u64,
    /// Gaps, in order.
    pub gaps: Vec<Gap>,
    /// Handovers, in order.
    pub handovers: Vec<Handover>,
    is_answered: bool,
    last: Option<(Instant, Answerer)>,
    /// Who holds it: its last answer.
    holder: Option<(Answerer, Instant)>,
    /// Who answers beside the holder: its first answer, and its last.
    rival: Option<(Answerer, Instant, Instant)>,
}

impl Tally {
    /// Nothing was sent yet; probes go out every `interval`.
    pub const fn new(started: Instant, interval: Duration) -> Self {
        Self {
            interval,
            started,
            sent: 0,
            answered: 0,
            gaps: Vec::new(),
            handovers: Vec::new(),
            is_answered: false,
            last: None,
            holder: None,
            rival: None,
        }
    }

    /// A probe went out.
    pub fn on_sent(&mut self) {
        self.answered += u64::from(std::mem::take(&mut self.is_answered));
        self.sent += 1;
    }

    /// `who` answered at `at`, which is not before the last answer.
    pub fn on_answer(&mut self, at: Instant, who: Answerer) {
        self.is_answered = true;
        let (since, before) = self.last.map_or((self.started, None), |(at, before)| (at, Some(before)));
        self.note_gap(since, Some(at), at.since(since), before, Some(who));
        self.last = Some((at, who));
        match self.holder {
            None => self.holder = Some((who, at)),
            Some((holder, _)) if holder == who => self.holder = Some((who, at)),
            Some((holder, last)) => {
                let first = match self.rival {
                    Some((rival, first, _)) if rival == who => first,
                    _ => at,
                };
                self.rival = Some((who, first, at));
                if at.since(last) > self.interval * GAP_PROBES {
                    self.hand_over(holder, last, who, first, at);
                }
            }
        }
    }

    fn hand_over(&mut self, from: Answerer, last: Instant, to: Answerer, first: Instant, now: Instant) {
        if self.handovers.len() < KEPT_MAX {
            self.handovers.push(Handover { at: first, from, to, overlap: last.since(first) });
        }
        self.holder = Some((to, now));
        self.rival = None;
    }

    fn note_gap(
        &mut self,
        start: Instant,
        end: Option<Instant>,
        length: Duration,
        before: Option<Answerer>,
        after: Option<Answerer>,
    ) {
        if length > self.interval * GAP_PROBES && self.gaps.len() < KEPT_MAX {
            self.gaps.push(Gap { start, end, length, before, after });
        }
    }

    /// The drill ends at `now`. Who still answers beside the holder, if two do.
    pub fn finish(&mut self, now: Instant) -> Option<(Answerer, Answerer)> {
        self.answered += u64::from(std::mem::take(&mut self.is_answered));
        let (since, before) = self.last.map_or((self.started, None), |(at, who)| (at, Some(who)));
        self.note_gap(since, None, now.since(since), before, None);
        let (holder, last) = self.holder?;
        let (rival, first, rival_last) = self.rival?;
        // The newest answer may be some turns of a busy host old; the two gave theirs to the same questions.
        let (newest, oldest) = (last.max(rival_last), last.min(rival_last));
        let (recent, near) = ((self.interval * GAP_PROBES).max(TURNS), self.interval * GAP_PROBES);
        let both = now.since(newest) <= recent && newest.since(oldest) <= near;
        if !both && rival_last > last {
            self.hand_over(holder, last, rival, first, rival_last);
        }
        both.then_some((holder, rival))
    }

    /// The longest gap.
    pub fn longest(&self) -> Duration {
        self.gaps.iter().map(|gap| gap.length).max().unwrap_or_default()
    }

    /// The last answer: when, and whose.
    pub const fn last(&self) -> Option<(Instant, Answerer)> {
        self.last
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const A: Answerer = Answerer::Mac(MacAddr(2, 0, 0, 0, 0, 1));
    const B: Answerer = Answerer::Mac(MacAddr(2, 0, 0, 0, 0, 2));

    fn at(millis: u64) -> Instant {
        Instant::from_nanos(millis * 1_000_000)
    }

    /// Probes every 10 ms from 0 on; `who` answers each at once.
    fn drill(until: u64, who: impl Fn(u64) -> Vec<Answerer>) -> (Tally, Option<(Answerer, Answerer)>) {
        let mut tally = Tally::new(at(0), Duration::from_millis(10));
        for millis in (0..until).step_by(10) {
            tally.on_sent();
            for mac in who(millis) {
                tally.on_answer(at(millis), mac);
            }
        }
        let both = tally.finish(at(until));
        (tally, both)
    }

    #[test]
    fn a_failover_is_a_gap_between_the_last_answer_of_one_and_the_first_of_the_other() {
        let (tally, both) = drill(2000, |t| {
            if t < 500 {
                vec![A]
            } else if t < 900 {
                vec![]
            } else {
                vec![B]
            }
        });
        let gap = tally.gaps[0];
        assert_eq!((tally.gaps.len(), gap.start, gap.end), (1, at(490), Some(at(900))));
        assert_eq!((gap.before, gap.after, tally.longest()), (Some(A), Some(B), Duration::from_millis(410)));
        assert_eq!((tally.sent, tally.answered, both), (200, 160, None));
        let [handover] = tally.handovers.as_slice() else { panic!("{:?}", tally.handovers) };
        assert_eq!((handover.from, handover.to, handover.overlap), (A, B, Duration::ZERO));
    }

    #[test]
    fn two_that_answer_for_a_while_are_an_overlap_and_no_gap() {
        let (tally, both) = drill(1000, |t| {
            if t < 300 {
                vec![A]
            } else if t < 500 {
                vec![A, B]
            } else {
                vec![B]
            }
        });
        assert!(tally.gaps.is_empty() && both.is_none());
        assert_eq!(tally.handovers[0].overlap, Duration::from_millis(190));
    }

    #[test]
    fn two_that_still_answer_at_the_end_are_named() {
        assert_eq!(drill(1000, |t| if t < 300 { vec![A] } else { vec![A, B] }).1, Some((A, B)));
    }

    #[test]
    fn one_lost_probe_is_loss_and_silence_to_the_end_is_a_gap() {
        let (tally, _) = drill(1000, |t| if t == 100 || t >= 700 { vec![] } else { vec![A] });
        assert_eq!((tally.gaps.len(), tally.gaps[0].end, tally.gaps[0].after), (1, None, None));
        assert_eq!(tally.sent - tally.answered, 31);
        let (silent, _) = drill(100, |_| vec![]);
        assert_eq!((silent.gaps.len(), silent.last()), (1, None));
    }

    #[test]
    fn where_nobody_is_told_apart_a_failover_is_a_gap_and_no_handover() {
        let (tally, both) = drill(1000, |t| if (300..600).contains(&t) { vec![] } else { vec![Answerer::Somebody] });
        assert_eq!((tally.gaps.len(), tally.longest(), both), (1, Duration::from_millis(310), None));
        assert!(tally.handovers.is_empty());
        assert_eq!(tally.last(), Some((at(990), Answerer::Somebody)));
    }
}
