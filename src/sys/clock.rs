//! The one door to the clocks.
#![allow(clippy::disallowed_methods)]

use crate::time::{Instant, WallClock};

fn read(clock: libc::clockid_t) -> i64 {
    let mut ts = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: `ts` is a valid timespec for the call to fill, and both clocks exist on every Linux.
    unsafe { libc::clock_gettime(clock, &mut ts) };
    ts.tv_sec.saturating_mul(1_000_000_000).saturating_add(ts.tv_nsec)
}

/// `CLOCK_MONOTONIC`.
pub fn now() -> Instant {
    Instant::from_nanos(u64::try_from(read(libc::CLOCK_MONOTONIC)).unwrap_or(0))
}

/// What `CLOCK_REALTIME` shows at the origin of [`now`]'s line.
pub fn wall() -> WallClock {
    WallClock { origin_unix_nanos: read(libc::CLOCK_REALTIME).saturating_sub(read(libc::CLOCK_MONOTONIC)) }
}

/// The instant of a kernel timestamp, which is in real time; never later than now.
pub fn from_realtime(unix_nanos: i64) -> Instant {
    Reading::take().from_realtime(unix_nanos)
}

/// Both clocks, read at the same moment: turns many kernel timestamps into instants without reading a clock for each.
#[derive(Clone, Copy, Debug)]
pub struct Reading {
    /// When it was taken.
    pub now: Instant,
    unix_nanos: i64,
}

impl Reading {
    /// Reads the clocks.
    pub fn take() -> Self {
        Self { unix_nanos: read(libc::CLOCK_REALTIME), now: now() }
    }

    /// The instant of a kernel timestamp taken before this reading; never later than it.
    pub fn from_realtime(self, unix_nanos: i64) -> Instant {
        let age = self.unix_nanos.saturating_sub(unix_nanos).max(0);
        self.now - std::time::Duration::from_nanos(age.unsigned_abs())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_kernel_timestamp_is_as_old_as_the_reading_says_and_never_in_the_future() {
        let reading = Reading::take();
        let at = |offset: i64| reading.from_realtime(reading.unix_nanos + offset);
        assert_eq!(at(-1_500), reading.now - std::time::Duration::from_nanos(1_500));
        assert_eq!(at(1_500), reading.now, "the wall clock was set back after it");
        assert_eq!(reading.from_realtime(i64::MIN), Instant::ZERO);
        assert_eq!(reading.from_realtime(i64::MAX), reading.now);
    }

    #[test]
    fn the_wall_clock_and_the_instants_tell_the_same_time() {
        let before = read(libc::CLOCK_REALTIME);
        let told = wall().unix_nanos(now());
        let after = read(libc::CLOCK_REALTIME);
        assert!((before..=after).contains(&told), "{before} {told} {after}");
    }
}
