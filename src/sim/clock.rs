//! A node's clock: monotonic, with an origin and a rate of its own. It runs while the processes are stopped.

use crate::time::{Duration, Instant};

const MILLION: i64 = 1_000_000;

/// How a node's clock differs from the world's.
#[derive(Clone, Copy, Debug)]
pub(super) struct Clock {
    /// What it shows when the world begins.
    pub origin: Instant,
    /// How much faster it runs, in parts per million.
    pub drift_ppm: i32,
}

impl Clock {
    /// What it shows at `world`.
    pub fn local(&self, world: Instant) -> Instant {
        let elapsed = signed(world.as_nanos());
        let ahead = scaled(elapsed, i64::from(self.drift_ppm), MILLION);
        self.origin + Duration::from_nanos(u64::try_from(elapsed + ahead).unwrap_or_default())
    }

    /// The first moment of the world at which it shows `local` or more.
    pub fn world(&self, local: Instant) -> Instant {
        let shown = signed(local.as_nanos().saturating_sub(self.origin.as_nanos()));
        let world = scaled(shown, MILLION, MILLION + i64::from(self.drift_ppm));
        let guess = Instant::from_nanos(u64::try_from(world).unwrap_or_default());
        (0..3).map(|more| guess + Duration::from_nanos(more)).find(|at| self.local(*at) >= local).unwrap_or(guess)
    }
}

fn signed(nanos: u64) -> i64 {
    i64::try_from(nanos).unwrap_or(i64::MAX / 2)
}

/// `value` × `by` / `of`, rounded down; exact, and without the 128 bits that the product may need.
const fn scaled(value: i64, by: i64, of: i64) -> i64 {
    value.div_euclid(of) * by + (value.rem_euclid(of) * by).div_euclid(of)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_alarm_set_by_a_wrong_clock_rings_when_that_clock_shows_it_and_not_a_nanosecond_earlier() {
        for drift_ppm in [-10_000, -200, 0, 137, 10_000] {
            let clock = Clock { origin: Instant::from_nanos(5_000_000_000), drift_ppm };
            for nanos in (0..50).map(|i| i * 777_777_777 + i) {
                let local = clock.origin + Duration::from_nanos(nanos);
                let world = clock.world(local);
                assert!(clock.local(world) >= local, "{drift_ppm} {nanos}");
                assert!(world == Instant::ZERO || clock.local(world - Duration::from_nanos(1)) < local);
            }
        }
    }
}
