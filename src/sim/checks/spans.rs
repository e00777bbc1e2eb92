//! Who answered for how long.

use crate::sim::spec::{MAX_NODES, Nodes};
use crate::time::{Duration, Instant};

/// Times in which nobody, or more than one, answered.
#[derive(Clone, Debug, Default)]
pub struct Spans {
    /// How long each node answered.
    pub held: [Duration; MAX_NODES],
    /// How long more than one did, in all and at a stretch.
    pub several: (Duration, Duration),
    /// How long nobody did after somebody had, in all and at a stretch.
    pub nobody: (Duration, Duration),
    since: Instant,
    /// The stretch that goes on: how many answer (of two or more: two), and for how long.
    stretch: (u32, Duration),
}

impl Spans {
    /// `holders` answered until now, since the last call.
    pub fn take(&mut self, now: Instant, holders: Nodes) {
        let length = now.since(self.since);
        self.since = now;
        let count = holders.count().min(2);
        self.stretch = (count, if self.stretch.0 == count { self.stretch.1 + length } else { length });
        let ever = self.held.iter().any(|held| !held.is_zero());
        for node in holders.iter() {
            self.held[node] += length;
        }
        let span = match count {
            0 if ever => &mut self.nobody,
            0 | 1 => return,
            _ => &mut self.several,
        };
        span.0 += length;
        span.1 = span.1.max(self.stretch.1);
    }
}
