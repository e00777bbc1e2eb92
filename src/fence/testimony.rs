//! The second channel as evidence: who a peer says that it is, signed, while we hold too.
//!
//! Why never both drop. A decision at T rests on an own rank that has stood since T - [`STEADY`] at least, and on a report of the
//! other that is [`AGE_MAX`] old at most, in which it holds and advertises. If the other decided too, at U, then neither had dropped
//! when the other's report was made: U lies within [`AGE_MAX`] of T. What each knew of the other then falls into the time for which
//! the other's own rank had to stand, so both compared the same two ranks, and only one of them found itself the lower.

use std::collections::BTreeMap;
use std::net::IpAddr;

use super::ledger::Rank;
use crate::observe::Testimony;
use crate::time::{Duration, Instant};

/// For how long our own rank, and whether we reach a witness, must not have changed.
const STEADY: Duration = Duration::from_secs(3);
/// How old a report may be when something is decided by it.
const AGE_MAX: Duration = Duration::from_secs(1);
/// How long a report that the peer holds keeps a fenced one out.
const LASTS: Duration = Duration::from_secs(3);

/// What decides between two who both hold: who reaches a witness through the address's own interface, then the election's rank.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Standing {
    witness: bool,
    rank: Rank,
}

/// A peer that says that it holds and advertises.
#[derive(Clone, Debug)]
struct Holder {
    /// Its first such report in a row, and its newest.
    first: Instant,
    last: Instant,
    rank: Rank,
    witness: Option<bool>,
}

/// What the peers of one router say.
#[derive(Clone, Debug, Default)]
pub(super) struct Testimonies {
    holders: BTreeMap<String, Holder>,
    /// Whether we reach a witness, and since when it is so.
    own: Option<(Option<bool>, Instant)>,
    /// Since when our rank is what it is.
    ranked: Option<Instant>,
}

impl Testimonies {
    /// We began to hold, or our rank changed, or we stopped: what was said before proves nothing.
    pub fn reopen(&mut self, now: Instant) {
        self.holders.clear();
        self.ranked = Some(now);
    }

    /// Takes in what is known of the peers at `now`, and whether a witness answers us.
    pub fn take(&mut self, now: Instant, witness: Option<bool>, said: &[Testimony]) {
        if self.own.is_none_or(|(known, _)| known != witness) {
            self.own = Some((witness, now));
        }
        self.holders.retain(|peer, _| said.iter().any(|one| one.peer == *peer && is_holder(one)));
        let claimed = self.ranked.unwrap_or(now);
        for (one, rank) in
            said.iter().filter(|one| is_holder(one) && one.as_of > claimed).filter_map(|one| Some((one, rank(one)?)))
        {
            let fresh = Holder { first: one.as_of, last: one.as_of, rank, witness: one.witness };
            let holder = self.holders.entry(one.peer.clone()).or_insert_with(|| fresh.clone());
            if (holder.rank, holder.witness) != (rank, one.witness) {
                *holder = fresh;
            }
            holder.last = holder.last.max(one.as_of);
        }
    }

    /// The peer to which the addresses are left, with its rank, if there is one. `settles`: the election settles what is between
    /// us and that source.
    pub fn winner(
        &self,
        now: Instant,
        own: Rank,
        interval: Duration,
        settles: impl Fn(IpAddr) -> bool,
    ) -> Option<(&str, Rank)> {
        let steady = |since: Instant| now >= since + STEADY;
        let (witness, _) = self.own.filter(|(_, since)| steady(*since))?;
        self.ranked.filter(|since| steady(*since))?;
        let better = |holder: &Holder| {
            // Where one of the two asks no witness, that says nothing of either.
            let (ours, theirs) = witness.zip(holder.witness).unwrap_or_default();
            Standing { witness: theirs, rank: holder.rank } > Standing { witness: ours, rank: own }
        };
        let proven = |holder: &Holder| holder.last.since(holder.first) >= interval / 2 && holder.last > holder.first;
        let mut holders = self.holders.iter().filter(|(_, h)| now.since(h.last) <= AGE_MAX && proven(h) && better(h));
        holders.find(|(_, holder)| !settles(holder.rank.address)).map(|(peer, holder)| (peer.as_str(), holder.rank))
    }

    /// The newest word of a peer that holds, and until when it stands; not of one with which the election settles it.
    pub fn evidence(&self, settles: impl Fn(IpAddr) -> bool) -> Option<(Instant, Instant)> {
        let holders = self.holders.values().filter(|holder| !settles(holder.rank.address));
        holders.map(|holder| holder.last).max().map(|last| (last, last + LASTS))
    }
}

fn is_holder(one: &Testimony) -> bool {
    one.signed && !one.blind && one.holds && one.sends.is_some()
}

fn rank(one: &Testimony) -> Option<Rank> {
    one.sends.map(|(address, priority)| Rank { priority, address })
}
