//! Who wants to be called when: an index, for there may be hundreds of speakers and thousands of adverts a second.

use std::collections::{BTreeMap, BTreeSet};

use crate::time::Instant;

use super::Id;

/// The deadline of each speaker that has one.
#[derive(Debug, Default)]
pub(super) struct Due {
    of: BTreeMap<Id, Instant>,
    order: BTreeSet<(Instant, Id)>,
}

impl Due {
    /// Notes the deadline of one.
    pub fn set(&mut self, id: Id, at: Option<Instant>) {
        let before = match at {
            Some(at) => self.of.insert(id, at),
            None => self.of.remove(&id),
        };
        if before == at {
            return;
        }
        if let Some(before) = before {
            self.order.remove(&(before, id));
        }
        self.order.extend(at.map(|at| (at, id)));
    }

    /// The earliest.
    pub fn first(&self) -> Option<Instant> {
        self.order.first().map(|(at, _)| *at)
    }

    /// Whose deadline has come.
    pub fn by(&self, now: Instant) -> Vec<Id> {
        self.order.iter().take_while(|(at, _)| *at <= now).map(|(_, id)| *id).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_earliest_comes_first_and_what_was_set_anew_counts_no_more() {
        let (mut due, at) = (Due::default(), Instant::from_nanos);
        due.set(Id(1), Some(at(30)));
        due.set(Id(2), Some(at(20)));
        due.set(Id(3), Some(at(10)));
        assert_eq!((due.first(), due.by(at(20))), (Some(at(10)), vec![Id(3), Id(2)]));
        due.set(Id(3), Some(at(40)));
        due.set(Id(2), None);
        due.set(Id(2), None);
        assert_eq!((due.first(), due.by(at(29))), (Some(at(30)), vec![]));
    }
}
