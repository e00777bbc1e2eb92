//! Who else stands for a router's addresses, by which evidence, since when and how often.

use std::net::IpAddr;

use crate::time::{Duration, Instant};
use crate::wire::{Advert, MacAddr};

/// Rivals remembered for one router.
const RIVALS_MAX: usize = 8;

/// What must go by without an advert before a speaker counts as silent, in intervals: three and the skew.
const SILENCE: u32 = 4;

/// Adverts that prove that a rival goes on.
const ADVERTS: u32 = 2;

/// Answered probes that prove that a host holds, and for how many intervals.
const ANSWERS: u32 = 2;
const ANSWERING: u32 = 4;

/// By what the loser is told from the winner: priority first, then the address, as in the election.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Rank {
    pub priority: u8,
    pub address: IpAddr,
}

/// Another host that advertised some address of ours.
#[derive(Clone, Debug)]
pub(super) struct Rival {
    mac: Option<MacAddr>,
    pub peer: bool,
    pub rank: Rank,
    /// True if the election obeys what it sends, as far as its form goes.
    pub obeyed: bool,
    interval: Duration,
    last: Instant,
    /// From when its adverts count: both ranks have been what they are since.
    opened: Instant,
    /// Its adverts since then, and ours.
    pub adverts: u32,
    pub ours: u32,
    /// It announced an address since then, which a dead daemon doesn't.
    announced: bool,
    answers: Option<Answers>,
}

/// How a host answers probes, while it does.
#[derive(Clone, Copy, Debug)]
struct Answers {
    since: Instant,
    last: Instant,
    count: u32,
}

impl Rival {
    /// True if it went on advertising in spite of our adverts.
    pub fn goes_on(&self, own: Duration) -> bool {
        self.adverts >= ADVERTS && self.last.since(self.opened) > self.interval.max(own)
    }

    /// True if it answers for the address, in spite of our adverts.
    pub fn answers(&self) -> bool {
        self.answers.is_some_and(|answers| answers.count >= ANSWERS)
    }

    /// True if it lives, and its answers have lasted so long that it would have dropped by now, were it to hear us and the
    /// lower one.
    pub fn answers_on(&self, own: Duration) -> bool {
        let time = self.interval.max(own) * ANSWERING;
        self.announced && self.answers() && self.answers.is_some_and(|answers| answers.last.since(answers.since) > time)
    }

    /// True if the election settles what is between it and us.
    pub fn is_settled(&self, now: Instant) -> bool {
        self.obeyed && now < self.silent_at()
    }

    fn silent_at(&self) -> Instant {
        self.last + self.interval * SILENCE
    }

    fn open(&mut self, now: Instant) {
        self.opened = now;
        self.adverts = 0;
        self.ours = 0;
        self.announced = false;
    }
}

/// All rivals of one router. Bounded; a stranger takes no peer's place.
#[derive(Clone, Debug, Default)]
pub(super) struct Ledger {
    rivals: Vec<Rival>,
}

impl Ledger {
    pub fn rivals(&self) -> impl Iterator<Item = &Rival> {
        self.rivals.iter()
    }

    /// Takes in an advert. It counts as evidence only while `holding`.
    pub fn advert(&mut self, now: Instant, advert: &Advert, peer: bool, obeyed: bool, holding: bool) {
        let rank = Rank { priority: advert.priority, address: advert.source };
        let known = |rival: &Rival| rival.rank.address == advert.source && rival.mac == advert.mac;
        let Some(index) = self.rivals.iter().position(known).or_else(|| self.make_room(now, peer)) else { return };
        let fresh = Rival {
            mac: advert.mac,
            peer,
            rank,
            obeyed,
            interval: advert.interval.into(),
            last: now,
            opened: now,
            adverts: 0,
            ours: 0,
            announced: false,
            answers: None,
        };
        if index == self.rivals.len() {
            self.rivals.push(fresh);
        } else if !known(&self.rivals[index]) {
            self.rivals[index] = fresh;
        }
        let rival = &mut self.rivals[index];
        if rival.rank != rank || now >= rival.silent_at() {
            rival.open(now);
        }
        (rival.rank, rival.peer, rival.obeyed) = (rank, peer, obeyed);
        (rival.interval, rival.last) = (advert.interval.into(), now);
        rival.adverts = rival.adverts.saturating_add(u32::from(holding && advert.priority > 0));
    }

    /// Where one more rival goes: behind the others, or in the place of the one that has been silent longest.
    fn make_room(&self, now: Instant, peer: bool) -> Option<usize> {
        if self.rivals.len() < RIVALS_MAX {
            return Some(self.rivals.len());
        }
        let replaceable = |rival: &Rival| (peer && !rival.peer) || (peer == rival.peer && now >= rival.silent_at());
        let candidates = self.rivals.iter().enumerate().filter(|(_, rival)| replaceable(rival));
        candidates.min_by_key(|(_, rival)| (rival.peer, rival.last)).map(|(index, _)| index)
    }

    /// A host announced an address.
    pub fn announcement(&mut self, from: MacAddr) {
        if self.is_one(from) {
            self.rivals.iter_mut().filter(|rival| rival.mac == Some(from)).for_each(|rival| rival.announced = true);
        }
    }

    /// True if only one rival has that MAC. A virtual one that several have tells none from the other.
    fn is_one(&self, mac: MacAddr) -> bool {
        self.rivals.iter().filter(|rival| rival.mac == Some(mac)).count() == 1
    }

    /// Takes in who answered the probes: each MAC with its newest answer. Who is not among them holds nothing any more.
    pub fn answers(&mut self, newest: &[(MacAddr, Instant)]) {
        let newest: Vec<_> = newest.iter().filter(|(mac, _)| self.is_one(*mac)).collect();
        for rival in &mut self.rivals {
            let last = newest.iter().filter(|(mac, _)| rival.mac == Some(*mac)).map(|(_, last)| *last).max();
            let Some(last) = last else {
                rival.answers = None;
                continue;
            };
            let known = rival.answers.unwrap_or(Answers { since: last, last: Instant::ZERO, count: 0 });
            if last > known.last {
                let since = if known.count == 0 { last } else { known.since };
                let count = known.count.saturating_add(u32::from(last > rival.opened));
                rival.answers = Some(Answers { since, last, count });
            }
        }
    }

    /// An advert of ours went out.
    pub fn sent(&mut self) {
        self.rivals.iter_mut().for_each(|rival| rival.ours = rival.ours.saturating_add(1));
    }

    /// We began to hold, or our rank changed: what was heard and answered before proves nothing.
    pub fn reopen(&mut self, now: Instant) {
        for rival in &mut self.rivals {
            rival.open(now);
            if let Some(answers) = &mut rival.answers {
                answers.count = 0;
            }
        }
    }

    /// Among those who count, the newest moment at which one of them was known to stand for the address without being obeyed, and
    /// until when that goes on if nothing more is heard; `None` in its place if until an answer fails to come.
    pub fn evidence(&self, now: Instant, counts: impl Fn(&Rival) -> bool) -> Option<(Instant, Option<Instant>)> {
        let unsettled = self.rivals.iter().filter(|rival| counts(rival) && !rival.is_settled(now));
        let mut evidence: Option<(Instant, Option<Instant>)> = None;
        for rival in unsettled {
            let answers = rival.answers.map(|answers| (answers.last, None));
            let refused = !rival.obeyed && rival.rank.priority > 0;
            let adverts = refused.then(|| (rival.last, Some(rival.silent_at())));
            for (last, until) in answers.into_iter().chain(adverts) {
                let (newest, end) = evidence.unwrap_or((last, until));
                evidence = Some((newest.max(last), end.zip(until).map(|(a, b)| a.max(b))));
            }
        }
        evidence
    }
}
