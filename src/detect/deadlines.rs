//! When each router wants to be judged again without news: the nearest is at hand, however many there are.

use std::collections::{BTreeMap, BTreeSet};

use crate::observe::Slot;
use crate::time::Instant;

/// One deadline a router at most.
#[derive(Debug, Default)]
pub struct Deadlines {
    of: BTreeMap<Slot, Instant>,
    queue: BTreeSet<(Instant, Slot)>,
}

impl Deadlines {
    /// Gives a router this deadline in place of the one it had, or none.
    pub fn set(&mut self, slot: Slot, at: Option<Instant>) {
        let before = match at {
            Some(at) => self.of.insert(slot, at),
            None => self.of.remove(&slot),
        };
        if let Some(before) = before {
            self.queue.remove(&(before, slot));
        }
        if let Some(at) = at {
            self.queue.insert((at, slot));
        }
    }

    /// The nearest deadline.
    pub fn next(&self) -> Option<Instant> {
        self.queue.first().map(|(at, _)| *at)
    }

    /// The routers whose deadline has come.
    pub fn due(&self, now: Instant) -> impl Iterator<Item = Slot> {
        self.queue.iter().take_while(move |(at, _)| *at <= now).map(|(_, slot)| *slot)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_new_deadline_replaces_the_old_one_and_the_nearest_comes_first() {
        let at = Instant::from_nanos;
        let due = |deadlines: &Deadlines, now| deadlines.due(at(now)).collect::<Vec<_>>();
        let mut deadlines = Deadlines::default();
        assert_eq!((deadlines.next(), due(&deadlines, 100)), (None, vec![]));
        deadlines.set(Slot(1), Some(at(30)));
        deadlines.set(Slot(2), Some(at(20)));
        assert_eq!(deadlines.next(), Some(at(20)));
        assert_eq!(due(&deadlines, 19), []);
        assert_eq!(due(&deadlines, 20), [Slot(2)]);
        assert_eq!(due(&deadlines, 30), [Slot(2), Slot(1)]);
        deadlines.set(Slot(2), Some(at(40)));
        assert_eq!(due(&deadlines, 39), [Slot(1)]);
        deadlines.set(Slot(1), None);
        assert_eq!((deadlines.next(), due(&deadlines, 39)), (Some(at(40)), vec![]));
    }
}
