//! Who is reachable: what pings of peers and witnesses say.

use std::net::IpAddr;

use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::time::{Duration, Instant};

/// Upper bounds of [`Reach::rtts`], in seconds.
pub const RTT_BUCKETS: [f64; 10] = [0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.05, 0.25, 1.0];

/// How many pings in a row may be lost before a host counts as down: one lost packet is weather.
const LOSSES: u32 = 3;

/// One pinged host.
#[derive(Clone, Debug, PartialEq)]
pub struct Reach {
    /// Its name.
    pub name: String,
    /// Its address.
    pub address: IpAddr,
    /// Whether it answers; `None` until it is known.
    pub up: Option<bool>,
    /// The last round trip.
    pub rtt: Option<Duration>,
    /// When it last answered.
    pub answered: Option<Instant>,
    /// All round trips.
    pub rtts: Histogram<10>,
    /// Pings sent.
    pub probes: u64,
    /// Pings lost.
    pub lost: u64,
    lost_in_a_row: u32,
}

impl Reach {
    /// A host that was not pinged yet.
    pub fn new(name: &str, address: IpAddr) -> Self {
        Self {
            name: name.into(),
            address,
            up: None,
            rtt: None,
            answered: None,
            rtts: Histogram::default(),
            probes: 0,
            lost: 0,
            lost_in_a_row: 0,
        }
    }

    /// Takes in a round trip or a loss. True if it went up or down.
    pub fn ping(&mut self, now: Instant, rtt: Option<Duration>) -> bool {
        let before = self.up;
        self.probes += 1;
        self.rtt = rtt;
        if let Some(rtt) = rtt {
            self.rtts.observe(&RTT_BUCKETS, rtt.as_secs_f64());
            self.lost_in_a_row = 0;
            self.answered = Some(now);
            self.up = Some(true);
        } else {
            self.lost += 1;
            self.lost_in_a_row += 1;
            if self.lost_in_a_row >= LOSSES {
                self.up = Some(false);
            }
        }
        self.up != before
    }
}

/// A histogram with `N` bounds: `counts[i]` observations at or below bound `i` and above the one before.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Histogram<const N: usize> {
    /// Not cumulative.
    pub counts: [u64; N],
    /// Those above the last bound.
    pub above: u64,
    /// Sum of all observations.
    pub sum: f64,
}

impl<const N: usize> Default for Histogram<N> {
    fn default() -> Self {
        Self { counts: [0; N], above: 0, sum: 0.0 }
    }
}

impl<const N: usize> Histogram<N> {
    /// Counts one observation.
    pub fn observe(&mut self, bounds: &[f64; N], value: f64) {
        match bounds.iter().position(|bound| value <= *bound) {
            Some(i) => self.counts[i] += 1,
            None => self.above += 1,
        }
        self.sum += value;
    }

    /// How many observations in all.
    pub fn count(&self) -> u64 {
        self.counts.iter().sum::<u64>() + self.above
    }
}

/// The sum goes as its bits: as a decimal number it might come back as another one.
impl<const N: usize> Serialize for Histogram<N> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        (self.counts.as_slice(), self.above, self.sum.to_bits()).serialize(serializer)
    }
}

impl<'de, const N: usize> Deserialize<'de> for Histogram<N> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let (counts, above, bits): (Vec<u64>, _, _) = Deserialize::deserialize(deserializer)?;
        let counts =
            counts.try_into().map_err(|_| D::Error::custom(format!("a histogram of other than {N} counts")))?;
        Ok(Self { counts, above, sum: f64::from_bits(bits) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_host_is_down_after_three_losses_in_a_row_and_up_at_its_first_answer() {
        let mut host = Reach::new("gateway", "10.0.0.1".parse().unwrap());
        let at = Instant::from_nanos;
        assert!(!host.ping(at(1), None) && !host.ping(at(2), None));
        assert_eq!(host.up, None);
        assert!(host.ping(at(3), None));
        assert_eq!((host.up, host.answered), (Some(false), None));
        assert!(host.ping(at(4), Some(Duration::from_micros(200))));
        assert_eq!((host.up, host.answered, host.probes, host.lost), (Some(true), Some(at(4)), 4, 3));
        assert_eq!(host.rtts.count(), 1);
    }

    #[test]
    fn a_histogram_counts_a_value_on_a_bound_below_it() {
        let mut h = Histogram::<2>::default();
        for value in [0.5, 1.0, 1.5, 9.0] {
            h.observe(&[1.0, 2.0], value);
        }
        assert_eq!((h.counts, h.above, h.count(), h.sum), ([2, 1], 1, 4, 12.0));
    }
}
