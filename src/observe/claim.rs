//! Who answers for one virtual address: rounds of probes, and the hosts that answered them.

use std::net::IpAddr;

use crate::time::{Duration, Instant};
use crate::wire::MacAddr;

/// Hosts remembered for one address; an ARP proxy or a liar can't make it more.
const MAX_CLAIMS: usize = 8;

/// How long answers to a probe may take.
pub(super) const ROUND: Duration = Duration::from_millis(150);

/// From one probe to the next at least.
const APART: Duration = Duration::from_millis(200);

/// A virtual address, and who answers for it.
#[derive(Clone, Debug)]
pub struct Vip {
    /// The address.
    pub address: IpAddr,
    /// True if the configuration names it: such ones are probed first.
    pub configured: bool,
    /// Since when this host holds it such that the segment reaches it.
    pub held: Option<Instant>,
    /// The last probe, if there was one.
    pub probed: Option<Instant>,
    /// When it is to be probed next.
    pub next_probe: Instant,
    /// When it would be, but for one in between.
    planned: Option<Instant>,
    /// Since when this host holds it no more.
    pub released: Option<Instant>,
    /// When the last two probes left, if nobody answered them: the one before the last, and the last.
    unanswered: [Option<Instant>; 2],
    /// The last host that announced it unasked, and when: clients' caches point there.
    pub announced: Option<(MacAddr, Instant)>,
    /// The same of other hosts than this one: they may have the same MAC.
    pub announced_elsewhere: Option<(MacAddr, Instant)>,
    /// Since when all who announced it were others than those of whom it was expected.
    pub misled: Option<Instant>,
    claims: Vec<Claim>,
    /// When the last round that is over began.
    heard: Option<Instant>,
    closed: bool,
}

/// A host that answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Claim {
    /// Its hardware address.
    pub mac: MacAddr,
    /// The source of the frame in which its newest answer came.
    pub from: MacAddr,
    /// The first of its answers to one probe after the other.
    pub since: Instant,
    /// Its newest answer.
    pub last: Instant,
    /// Its answer to the probe before that one.
    pub before: Option<Instant>,
    /// True once a directed echo, sent to it alone, came back.
    pub echoed: bool,
    /// The number of the last echo that was sent to it.
    asked: Option<u16>,
    answered: bool,
}

impl Claim {
    /// True if it answered two probes since `start`: what it held before does not count, nor a single late answer.
    pub fn persists_since(&self, start: Instant) -> bool {
        self.before.is_some_and(|before| before > start)
    }
}

impl Vip {
    /// An address that nobody asked about yet.
    pub fn new(address: IpAddr, configured: bool, now: Instant) -> Self {
        Self {
            address,
            configured,
            held: None,
            probed: None,
            next_probe: now,
            planned: None,
            released: None,
            unanswered: [None; 2],
            announced: None,
            announced_elsewhere: None,
            misled: None,
            claims: Vec::new(),
            heard: None,
            closed: true,
        }
    }

    /// A probe goes out: those who did not answer the last one are dropped.
    pub fn begin_round(&mut self, now: Instant, interval: Duration) {
        self.close_round();
        for claim in &mut self.claims {
            claim.answered = false;
        }
        self.probed = Some(now);
        let planned = self.planned.take().filter(|at| *at > now);
        self.next_probe = planned.map_or(now + interval, |at| at.max(now + APART));
        self.closed = false;
    }

    /// When the open round ends.
    pub fn round_ends(&self) -> Option<Instant> {
        (!self.closed).then_some(self.probed? + ROUND)
    }

    /// Ends the round if its time is over: who did not answer holds it no more. True if it ended.
    pub fn end_round(&mut self, now: Instant) -> bool {
        let over = self.round_ends().is_some_and(|end| end <= now);
        if over {
            self.close_round();
        }
        over
    }

    fn close_round(&mut self) {
        if !self.closed {
            self.closed = true;
            self.heard = self.probed;
            self.claims.retain(|claim| claim.answered);
            self.unanswered = if self.claims.is_empty() { [self.unanswered[1], self.probed] } else { [None; 2] };
        }
    }

    /// Somebody answers that it is at `mac`, in a frame from `from`. Answers count only while a round is open: they are answers then, and no strangers' gossip.
    /// True if it is news that a judge should hear.
    pub fn answer(&mut self, now: Instant, mac: MacAddr, from: MacAddr) -> bool {
        if self.closed {
            return false;
        }
        if let Some(claim) = self.claims.iter_mut().find(|claim| claim.mac == mac) {
            if claim.answered {
                return false;
            }
            claim.before = Some(claim.last);
            claim.last = now;
            claim.from = from;
            claim.answered = true;
            return true;
        }
        if self.claims.len() == MAX_CLAIMS {
            return false;
        }
        self.claims.push(Claim {
            mac,
            from,
            since: now,
            last: now,
            before: None,
            echoed: false,
            asked: None,
            answered: true,
        });
        true
    }

    /// A directed echo of that number was sent to `mac`.
    pub fn ask(&mut self, mac: MacAddr, number: u16) {
        if let Some(claim) = self.claims.iter_mut().find(|claim| claim.mac == mac) {
            claim.asked = Some(number);
        }
    }

    /// One came back from `mac`. True if that is news; what nobody asked is none.
    pub fn echo(&mut self, mac: MacAddr, number: u16) -> bool {
        let is_it = |claim: &&mut Claim| claim.mac == mac && claim.asked == Some(number) && !claim.echoed;
        let claim = self.claims.iter_mut().find(is_it);
        claim.is_some_and(|claim| {
            claim.echoed = true;
            true
        })
    }

    /// Those who answer: in the last round, or in the open one so far.
    pub fn claims(&self) -> &[Claim] {
        &self.claims
    }

    /// True once a whole round has been heard since `start`.
    pub fn is_probed_since(&self, start: Instant) -> bool {
        self.heard.is_some_and(|probed| probed >= start)
    }

    /// True if nobody answered the last probe.
    pub fn is_silent(&self) -> bool {
        self.unanswered[1].is_some()
    }

    /// True if nobody answered two probes in a row that left after `start`, which is no accident.
    pub fn is_silent_since(&self, start: Instant) -> bool {
        self.unanswered[0].is_some_and(|probed| probed > start)
    }

    /// Asks again soon, because something unexpected was heard.
    pub fn hurry(&mut self, now: Instant) {
        let soon = self.probed.map_or(now, |probed| probed + APART).max(now);
        self.next_probe = self.next_probe.min(soon);
    }

    /// Asks once more in between: what comes next comes no later for that.
    pub fn interpose(&mut self, now: Instant) {
        self.planned.get_or_insert(self.next_probe);
        self.hurry(now);
    }

    /// Somebody announces it unasked, this host or another, of whom that is expected or not. True if that is another than the last time.
    pub fn announce(&mut self, now: Instant, mac: MacAddr, own: bool, expected: bool) -> bool {
        self.misled = if expected { None } else { self.misled.or(Some(now)) };
        if !own {
            self.announced_elsewhere = Some((mac, now));
        }
        self.announced.replace((mac, now)).is_none_or(|(last, _)| last != mac)
    }

    /// Forgets all answers: the interface can't be probed now.
    pub fn reset(&mut self) {
        self.claims.clear();
        self.unanswered = [None; 2];
        (self.probed, self.heard) = (None, None);
        self.closed = true;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const A: MacAddr = MacAddr(2, 0, 0, 0, 0, 1);
    const SECOND: Duration = Duration::from_secs(1);

    fn at(ms: u64) -> Instant {
        Instant::from_nanos(ms * 1_000_000)
    }

    fn vip() -> Vip {
        Vip::new("10.0.0.100".parse().unwrap(), true, at(0))
    }

    #[test]
    fn a_host_that_answers_no_more_is_dropped_when_its_round_ends() {
        let mut vip = vip();
        vip.begin_round(at(0), SECOND);
        assert!(vip.answer(at(1), A, A));
        assert!(vip.end_round(at(200)));
        assert_eq!(vip.claims().len(), 1, "it answered");
        vip.begin_round(at(1000), SECOND);
        assert_eq!(vip.claims().len(), 1, "an open round keeps the last one's answers");
        assert!(vip.end_round(at(1200)));
        assert!(vip.claims().is_empty());
    }

    #[test]
    fn a_claim_persists_only_by_two_answers_after_the_start() {
        let mut vip = vip();
        for round in 0..3 {
            vip.begin_round(at(round * 1000), SECOND);
            vip.answer(at(round * 1000 + 1), A, A);
        }
        let claim = &vip.claims()[0];
        assert!(claim.persists_since(at(900)));
        assert!(!claim.persists_since(at(1500)), "only the answer at 2001 ms came after");
    }

    #[test]
    fn an_answer_that_nobody_asked_for_makes_no_claim() {
        let mut vip = vip();
        assert!(!vip.answer(at(1), A, A));
        assert!(vip.claims().is_empty());
    }

    #[test]
    fn one_answer_a_round_counts_and_a_ninth_host_is_not_remembered() {
        let mut vip = vip();
        vip.begin_round(at(0), SECOND);
        assert!(vip.answer(at(1), A, A));
        assert!(!vip.answer(at(2), A, A));
        for last in 2..20 {
            vip.answer(at(3), MacAddr(2, 0, 0, 0, 0, last), A);
        }
        assert_eq!(vip.claims().len(), MAX_CLAIMS);
    }

    #[test]
    fn a_hurried_probe_waits_for_the_open_round_and_never_postpones() {
        let mut vip = vip();
        vip.begin_round(at(0), SECOND);
        vip.hurry(at(10));
        assert_eq!(vip.next_probe, at(200));
        vip.hurry(at(150));
        assert_eq!(vip.next_probe, at(200));
    }

    #[test]
    fn a_probe_in_between_puts_the_next_one_off_no_further_than_until_it_is_answered() {
        for (asked, next) in [(300, 1000), (900, 1100)] {
            let mut vip = vip();
            vip.begin_round(at(0), SECOND);
            vip.interpose(at(asked));
            assert_eq!(vip.next_probe, at(asked));
            vip.begin_round(at(asked), SECOND);
            assert_eq!(vip.next_probe, at(next));
            vip.begin_round(at(next), SECOND);
            assert_eq!(vip.next_probe, at(next + 1000));
        }
    }
}
