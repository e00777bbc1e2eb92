//! The two intervals that everything else is made of (RFC 3768 §6.1, RFC 9568 §6.1), in whole nanoseconds.

use crate::time::{Duration, Instant};
use crate::wire::Version;

/// A v2 skew is a part of this, whatever the interval.
const V2_SKEW_BASE: Duration = Duration::from_secs(1);

/// Adverts that may be missed before the master counts as down.
const MISSED_ADVERTS: u32 = 3;

/// The moments in an interval at which adverts go out.
const STEPS: u32 = 16;

/// `Skew_Time`: the better the priority, the shorter. v2: (256 − priority) / 256 s; v3: the same part of the *master's*
/// interval. Exact to a nanosecond, so that neighbouring priorities keep their order at every interval.
pub fn skew(version: Version, priority: u8, master_interval: Duration) -> Duration {
    let base = match version {
        Version::V2 => V2_SKEW_BASE,
        Version::V3 => master_interval,
    };
    base * (256 - u32::from(priority)) / 256
}

/// `Master_Down_Interval` (RFC 9568: `Active_Down_Interval`): three intervals of the master, and the skew.
pub fn master_down(version: Version, priority: u8, master_interval: Duration) -> Duration {
    master_interval * MISSED_ADVERTS + skew(version, priority, master_interval)
}

/// The moment for an advert that would be due `at`: the same, or up to a sixteenth of `interval` earlier. The virtual routers of one
/// host then advertise in step, a handful at a time, and neither it nor those who listen wake for each of them. Every interval is a
/// multiple of the step, so after the first such advert the next ones are an interval apart.
pub fn in_step(at: Instant, interval: Duration) -> Instant {
    let step = u64::try_from((interval / STEPS).as_nanos()).unwrap_or(u64::MAX).max(1);
    Instant::from_nanos(at.as_nanos() / step * step)
}
