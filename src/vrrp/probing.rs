//! Probe before promote: whether the host of a master that fell silent still has the address.
//!
//! A master may be silent and hold: frozen, killed, or muted by a filter. Before a backup takes over from silence it asks that
//! host, and no other. It asks in two ways. An echo costs nothing and is repeated often; a *thorough* question (ARP, or a
//! neighbour solicitation) is answered whatever the host's filters are, and switches count it, so it is rare. What counts is
//! what was asked after three intervals of silence, when a gate fed by adverts has closed. The host is silent when neither
//! has had an answer for a few round trips.

use std::collections::VecDeque;

use crate::time::{Duration, Instant};

/// Questions begin after this many intervals of silence...
const BEGIN: u32 = 2;
/// ...and count after this many.
const COUNT: u32 = 3;

/// A step between two questions is this part of the interval, within bounds.
const STEPS: u32 = 20;
const SHORTEST_STEP: Duration = Duration::from_millis(1);
const LONGEST_STEP: Duration = Duration::from_millis(5);
/// The longest step once the timer has run out and the host goes on.
const LONGEST_PATIENT_STEP: Duration = Duration::from_millis(250);

/// The wait between two thorough questions doubles from the first up to the second.
const FIRST_THOROUGH_WAIT: Duration = Duration::from_millis(10);
const LONGEST_THOROUGH_WAIT: Duration = Duration::from_millis(500);

/// No answer within this time, or within so many of the longest round trip, is a no.
const SHORTEST_PATIENCE: Duration = Duration::from_millis(1);
const ROUND_TRIPS: u32 = 4;

/// Questions whose round trip is still measured.
const OPEN_MAX: usize = 32;

/// What a silent master's host is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Question {
    /// Tells it from others about the same master. Starts anew with each silence.
    pub number: u16,
    /// By ARP or a neighbour solicitation, and not by an echo.
    pub thorough: bool,
}

/// One way of asking.
#[derive(Clone, Debug, Default)]
struct Channel {
    /// Not answered yet, oldest first.
    open: VecDeque<(u16, Instant)>,
    /// The first question that counts, among those after the last one that was answered.
    silent_since: Option<Instant>,
}

impl Channel {
    fn ask(&mut self, now: Instant, number: u16, counts: bool) {
        if self.open.len() >= OPEN_MAX {
            self.open.pop_front();
        }
        self.open.push_back((number, now));
        if counts {
            self.silent_since.get_or_insert(now);
        }
    }

    /// The round trip of a question that is answered now; `None` for one that is not open.
    fn answer(&mut self, now: Instant, number: u16, counts_from: Instant) -> Option<Duration> {
        let index = self.open.iter().position(|(open, _)| *open == number)?;
        let (_, asked) = self.open[index];
        self.open.drain(..=index);
        // Older questions that are still open were asked before that answer, and say nothing any more.
        self.silent_since = self.open.iter().map(|(_, at)| *at).find(|at| *at >= counts_from);
        Some(now.since(asked))
    }
}

/// The questions to the host of one silent master.
#[derive(Clone, Debug)]
pub(super) struct Probing {
    interval: Duration,
    counts_from: Instant,
    next: Instant,
    next_thorough: Instant,
    thorough_wait: Duration,
    number: u16,
    echo: Channel,
    thorough: Channel,
    slowest: Duration,
    /// Since when the master-down timer has run out and the host goes on.
    held_off: Option<Instant>,
    /// An answer came an interval after that: this is no gate that closes late.
    pub insists: bool,
}

impl Probing {
    /// A master with this interval was heard at `heard`.
    pub fn after(heard: Instant, interval: Duration) -> Self {
        let counts_from = heard + interval * COUNT;
        Self {
            interval,
            counts_from,
            next: heard + interval * BEGIN,
            next_thorough: counts_from,
            thorough_wait: FIRST_THOROUGH_WAIT,
            number: 0,
            echo: Channel::default(),
            thorough: Channel::default(),
            slowest: Duration::ZERO,
            held_off: None,
            insists: false,
        }
    }

    /// When the next question is due.
    pub const fn deadline(&self) -> Instant {
        self.next
    }

    /// The questions that are due: an echo, and perhaps a thorough one.
    pub fn ask(&mut self, now: Instant) -> impl Iterator<Item = Question> + use<> {
        if now < self.next {
            return [None, None].into_iter().flatten();
        }
        let counts = now >= self.counts_from;
        let mut question = |thorough| {
            self.number = self.number.wrapping_add(1);
            Question { number: self.number, thorough }
        };
        let echo = question(false);
        let thorough = (now >= self.next_thorough).then(|| question(true));
        self.echo.ask(now, echo.number, counts);
        if let Some(question) = thorough {
            self.thorough.ask(now, question.number, counts);
            self.next_thorough = now + self.thorough_wait;
            self.thorough_wait = (self.thorough_wait * 2).min(LONGEST_THOROUGH_WAIT);
        }
        self.next = now + self.step();
        if now < self.counts_from {
            // The first that counts is not put off by a step.
            self.next = self.next.min(self.counts_from);
        }
        [Some(echo), thorough].into_iter().flatten()
    }

    fn step(&self) -> Duration {
        let (part, longest) = match self.held_off {
            None => (STEPS, LONGEST_STEP),
            Some(_) => (2, LONGEST_PATIENT_STEP),
        };
        (self.interval / part).clamp(SHORTEST_STEP, longest)
    }

    /// The host has answered a question. One that was not asked, or is answered already, is ignored: false.
    pub fn answer(&mut self, now: Instant, question: Question) -> bool {
        let channel = if question.thorough { &mut self.thorough } else { &mut self.echo };
        let Some(round_trip) = channel.answer(now, question.number, self.counts_from) else { return false };
        self.slowest = self.slowest.max(round_trip);
        self.insists |= self.held_off.is_some_and(|since| now.since(since) >= self.interval);
        true
    }

    /// The timer has run out: whether the host is silent.
    ///
    /// # Errors
    /// When to look again.
    pub fn is_silent(&mut self, now: Instant) -> Result<(), Instant> {
        let patience = (self.slowest * ROUND_TRIPS).clamp(SHORTEST_PATIENCE, self.interval.max(SHORTEST_PATIENCE));
        let known_at = match (self.echo.silent_since, self.thorough.silent_since) {
            (Some(echo), Some(thorough)) => echo.max(thorough) + patience,
            (None, _) => self.next + patience,
            (_, None) => self.next.max(self.next_thorough) + patience,
        };
        if known_at <= now {
            return Ok(());
        }
        self.held_off.get_or_insert(now);
        Err(known_at)
    }

    /// How long a takeover has been put off for the answers of the host.
    pub fn held_off_for(&self, now: Instant) -> Option<Duration> {
        self.held_off.filter(|_| self.insists).map(|since| now.since(since))
    }
}
