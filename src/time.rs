//! Time as the core knows it: handed in from outside, never read.
//!
//! An [`Instant`] is a point on one monotonic line of nanoseconds. In the daemon that line is `CLOCK_MONOTONIC`; in a
//! capture file it is the capture's own clock. [`WallClock`] turns an instant into a date for people. The units that
//! VRRP puts on the wire are newtypes here, so that a centisecond is converted in exactly one place.

use std::ops::{Add, AddAssign, Sub};
pub use std::time::Duration;

use serde::{Deserialize, Serialize};

/// A point in time, in nanoseconds since an arbitrary origin. Copyable, ordered, saturating at both ends.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Instant(u64);

impl Instant {
    /// The origin of the line.
    pub const ZERO: Self = Self(0);

    /// The instant `nanos` nanoseconds after the origin.
    pub const fn from_nanos(nanos: u64) -> Self {
        Self(nanos)
    }

    /// Nanoseconds since the origin.
    pub const fn as_nanos(self) -> u64 {
        self.0
    }

    /// How long after `earlier` this instant is; zero if it is not later.
    pub const fn since(self, earlier: Self) -> Duration {
        Duration::from_nanos(self.0.saturating_sub(earlier.0))
    }
}

impl Add<Duration> for Instant {
    type Output = Self;
    fn add(self, rhs: Duration) -> Self {
        Self(self.0.saturating_add(u64::try_from(rhs.as_nanos()).unwrap_or(u64::MAX)))
    }
}

impl AddAssign<Duration> for Instant {
    fn add_assign(&mut self, rhs: Duration) {
        *self = *self + rhs;
    }
}

impl Sub<Duration> for Instant {
    type Output = Self;
    fn sub(self, rhs: Duration) -> Self {
        Self(self.0.saturating_sub(u64::try_from(rhs.as_nanos()).unwrap_or(u64::MAX)))
    }
}

/// What a wall clock showed at the origin of the [`Instant`] line: nanoseconds since 1970-01-01T00:00:00Z.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct WallClock {
    /// Unix time of [`Instant::ZERO`] in nanoseconds.
    pub origin_unix_nanos: i64,
}

impl WallClock {
    /// Unix time of `at`, in nanoseconds.
    pub const fn unix_nanos(self, at: Instant) -> i64 {
        self.origin_unix_nanos.saturating_add_unsigned(at.as_nanos())
    }

    /// Unix time of `at`, in seconds, as Prometheus wants its timestamps.
    pub fn unix_seconds(self, at: Instant) -> f64 {
        self.unix_nanos(at) as f64 / 1e9
    }
}

/// A VRRPv3 interval as it stands on the wire: hundredths of a second, 12 bits (RFC 9568 §5.2.7).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct CentiSeconds(pub u16);

impl From<CentiSeconds> for Duration {
    fn from(value: CentiSeconds) -> Self {
        Self::from_millis(u64::from(value.0) * 10)
    }
}

/// A VRRPv2 interval as it stands on the wire: whole seconds, 8 bits (RFC 3768 §5.3.7).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Seconds(pub u8);

impl From<Seconds> for Duration {
    fn from(value: Seconds) -> Self {
        Self::from_secs(u64::from(value.0))
    }
}
