//! One speaker of a virtual router: what it advertised last, and when.

use crate::time::{Duration, Instant};
use crate::wire::{Advert, Auth, MacAddr, Version};

use super::Tap;

/// How far a further tap may lag behind the wire's.
pub const TAP_LAG: Duration = Duration::from_millis(250);

/// By how much the times of one packet may differ that two sockets saw: each is converted by itself.
const ROUNDING: Duration = Duration::from_millis(1);

/// A host that advertises, or did.
#[derive(Clone, Debug)]
pub struct Speaker {
    /// Its newest advert.
    pub advert: Advert,
    /// True if it is this host.
    pub local: bool,
    /// Index of the `[[peer]]` whose address it uses.
    pub peer: Option<usize>,
    /// True if it is none of the cluster: what it sends proves nothing of what it holds.
    pub stranger: bool,
    /// False if `only_known_speakers` is set and nobody named it: shown, never judged.
    pub known: bool,
    /// When its newest advert was seen.
    pub last: Instant,
    /// When its present spell of advertising began: after silence, or after a priority of 0.
    pub spell: Instant,
    /// The same, or when it went on after a silence in which its backups may have taken over.
    pub resumed: Instant,
    /// The first of its adverts in this spell that no peer's word has accounted for.
    pub unaccounted: Option<Instant>,
    /// Its first advert since two speakers were active at a time.
    pub contested: Option<Instant>,
    /// Its spell began beside one that was on time and gives no way to it: that one's newest advert then. It waited for nobody's silence.
    pub beside: Option<Instant>,
    /// When it took hold of an address, if it began to advertise within an interval of that.
    pub taken: Option<Instant>,
    /// Adverts seen.
    pub received: u64,
    /// Adverts that were due and didn't come, within a spell.
    pub missed: u64,
    /// What got past ingress, and past netfilter.
    pub delivered: [u64; 2],
    /// Adverts on the wire since the last one that a tap saw, and the first of them.
    pub undelivered: [(u64, Instant); 2],
    /// The newest advert that is known to have got past each.
    reached: [Instant; 2],
    /// True if a tap has seen one since it is there to see them: the next one that it lacks is dropped.
    vouched: [bool; 2],
    /// False where the taps prove nothing (this host's own, tagged, flooded, a bridge port).
    pub comparable: bool,
}

impl Speaker {
    /// A speaker at its first advert, of whom nothing else is known.
    pub fn new(now: Instant, advert: Advert, local: bool) -> Self {
        Self {
            advert,
            local,
            peer: None,
            stranger: false,
            known: true,
            last: now,
            spell: now,
            resumed: now,
            unaccounted: Some(now),
            contested: None,
            beside: None,
            taken: None,
            received: 0,
            missed: 0,
            delivered: [0; 2],
            undelivered: [(0, now); 2],
            reached: [Instant::ZERO; 2],
            vouched: [false; 2],
            comparable: false,
        }
    }

    /// True if `advert` comes from this speaker. Source and MAC together: with one source on two hosts the MAC tells (fault 13).
    pub fn is_source_of(&self, advert: &Advert, local: bool) -> bool {
        self.advert.source == advert.source && self.advert.mac == advert.mac && self.local == local
    }

    /// Its advertised interval.
    pub fn interval(&self) -> Duration {
        self.advert.interval.into()
    }

    /// True if its last word was that it gives mastership up.
    pub fn resigned(&self) -> bool {
        self.advert.priority == 0
    }

    /// True if it loses an election against `other` (RFC 9568 §6.4.3): by priority, then by address.
    pub fn gives_way_to(&self, other: &Advert) -> bool {
        (other.priority, other.source) > (self.advert.priority, self.advert.source)
    }

    /// True if it began while `other` was on time, and wins no election against it: it did not succeed it.
    pub fn intrudes_upon(&self, other: &Self) -> bool {
        self.beside.is_some() && self.spell <= other.overdue_at() && !other.gives_way_to(&self.advert)
    }

    /// How long it may take to send one more advert after it was sent a better one: what was under way, and a scheduler's hiccup.
    pub fn reaction(&self) -> Duration {
        (self.interval() / 10).max(Duration::from_millis(20))
    }

    /// Takes in an advert. Returns the gap to the one before as a multiple of the interval, within a spell. `succeeded`: another
    /// was master meanwhile, so that this one begins anew.
    pub fn hear(&mut self, now: Instant, advert: &Advert, succeeded: bool) -> Option<f64> {
        let interval = self.interval().max(Duration::from_millis(1));
        let gap = now.since(self.last);
        let continues = !self.resigned() && !succeeded && gap <= silence(interval);
        if continues {
            let due = (gap.as_secs_f64() / interval.as_secs_f64()).round() as u64;
            self.missed += due.saturating_sub(1);
        } else if advert.priority > 0 {
            (self.spell, self.unaccounted) = (now, None);
        }
        if self.spell == now || now > self.gone_at() {
            self.resumed = now;
        }
        self.unaccounted.get_or_insert(now);
        self.last = self.last.max(now);
        self.received += 1;
        if self.advert != *advert {
            self.advert.clone_from(advert);
        }
        continues.then(|| gap.as_secs_f64() / interval.as_secs_f64())
    }

    /// True if its next advert is not overdue yet.
    pub fn is_fresh(&self, now: Instant) -> bool {
        !self.resigned() && now <= self.overdue_at()
    }

    /// When a missing next advert becomes conspicuous.
    pub fn overdue_at(&self) -> Instant {
        self.last + self.patience()
    }

    /// From one of its adverts until the next one is conspicuously late.
    pub fn patience(&self) -> Duration {
        self.interval() + advert_margin(self.interval())
    }

    /// When its backups stop waiting, at the earliest: three intervals (RFC 9568 §6.1 adds the skew, which depends on them).
    pub fn gone_at(&self) -> Instant {
        self.last + self.interval() * 3
    }

    /// How long a takeover from it may take: its master down interval (RFC 3768 §6.1 for v2, RFC 9568 §6.1 for v3).
    pub fn master_down(&self) -> Duration {
        let interval = self.interval();
        let unit = if self.advert.version == Version::V2 { Duration::from_secs(1) } else { interval };
        interval * 3 + unit * (256 - u32::from(self.advert.priority)) / 256
    }

    /// The count of one tap. What got past netfilter was not dropped before it, even where the tap there missed it.
    pub fn deliver(&mut self, now: Instant, tap: Tap) {
        self.delivered[tap as usize] += 1;
        self.reached[..=tap as usize].fill(now);
        self.vouched[tap as usize] = true;
        self.undelivered[..=tap as usize].iter_mut().for_each(|(count, _)| *count = 0);
    }

    /// Whatever a tap lacks so far, it may have missed.
    pub fn forgive(&mut self, now: Instant) {
        (self.undelivered, self.vouched) = ([(0, now); 2], [false; 2]);
    }

    /// Counts one advert on the wire that these taps should see too, and have not seen already: they may be read before the wire's.
    pub fn expect_delivery(&mut self, now: Instant, taps: &[Tap]) {
        self.comparable |= !taps.is_empty();
        for tap in [Tap::Ip, Tap::Raw].iter().filter(|tap| !taps.contains(tap)) {
            self.vouched[*tap as usize] = false;
        }
        for tap in taps.iter().filter(|tap| self.reached[**tap as usize] + ROUNDING < now) {
            let (count, since) = &mut self.undelivered[*tap as usize];
            if *count == 0 {
                *since = now;
            }
            *count += 1;
        }
    }

    /// The first tap on the way that has been missing this speaker's adverts for longer than its socket may lag behind the
    /// wire's, and since when: one, if it saw those before, and else two in a row.
    pub fn dropped_before(&self, now: Instant) -> Option<(Tap, Instant)> {
        let authenticated = self.advert.auth == Auth::Header;
        if !self.comparable || authenticated {
            return None;
        }
        [Tap::Ip, Tap::Raw].into_iter().find_map(|tap| {
            let (count, since) = self.undelivered[tap as usize];
            let enough = if self.vouched[tap as usize] { 1 } else { 2 };
            (count >= enough && now.since(since) >= TAP_LAG).then_some((tap, since))
        })
    }

    /// Source of its frames.
    pub fn mac(&self) -> Option<MacAddr> {
        self.advert.mac
    }
}

/// By how much an advert is conspicuously late: a quarter of its interval, and never less than a scheduler's hiccup.
pub fn advert_margin(interval: Duration) -> Duration {
    (interval / 4).max(Duration::from_millis(25))
}

/// How long silence may last within one spell: beyond that a next advert begins a new one.
fn silence(interval: Duration) -> Duration {
    interval * 4 + interval / 4
}
