//! Chance: a small seeded generator (SplitMix64), so that the same seed is the same run on every machine.

use crate::time::Duration;

/// A generator of pseudo-random numbers.
#[derive(Clone, Debug)]
pub struct Chance(u64);

impl Chance {
    /// One that yields the same numbers for the same seed.
    pub const fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// The next 64 bits.
    pub const fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        scramble(self.0)
    }

    /// A number below `bound`; 0 if the bound is.
    pub const fn below(&mut self, bound: u64) -> u64 {
        // The bias of the remainder is of no consequence for bounds this small.
        if bound == 0 { 0 } else { self.next() % bound }
    }

    /// True so many times in a million.
    pub const fn ppm(&mut self, parts: u32) -> bool {
        parts > 0 && self.below(1_000_000) < parts as u64
    }

    /// One of these; they must not be empty.
    pub fn pick<T: Copy>(&mut self, from: &[T]) -> T {
        from[self.below(from.len() as u64) as usize]
    }

    /// A duration from `low` to `high`.
    pub fn between(&mut self, low: Duration, high: Duration) -> Duration {
        let span = u64::try_from(high.saturating_sub(low).as_nanos()).unwrap_or(u64::MAX);
        low + Duration::from_nanos(self.below(span.saturating_add(1)))
    }

    /// A duration from `low` to `high`, of any order of magnitude: short ones as often as long ones.
    pub fn any_magnitude(&mut self, low: Duration, high: Duration) -> Duration {
        let (mut top, low) = (high, low.max(Duration::from_micros(1)));
        while top > low * 4 && self.below(3) > 0 {
            top /= 4;
        }
        self.between(low, top.max(low))
    }
}

/// Mixes all bits into all others.
pub const fn scramble(bits: u64) -> u64 {
    let bits = (bits ^ (bits >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let bits = (bits ^ (bits >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    bits ^ (bits >> 31)
}
