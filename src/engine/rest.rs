//! The core thread's rest between reads.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;

use crate::config::Config;
use crate::sys::clock;
use crate::time::{Duration, Instant};

/// With nothing left to do the core thread sleeps for so long before it waits for the next thing: what comes meanwhile is read
/// in one go. To wake for each advert alone costs many times what judging it does. Frames carry the kernel's time, so none is
/// taken for late. A verdict is, by at most this, but for those that are due at a time: the rest ends there, though not before it was
/// worth it. With hundreds of routers something is due at each moment.
const LENGTH: Duration = Duration::from_millis(30);
const SHORTEST: Duration = Duration::from_millis(10);

/// How long the core thread rests. A daemon that speaks takes none: its own adverts and takeovers are worth a wake each. Nor is there any
/// while it is open whether two hold: the next advert may tell.
#[derive(Clone, Debug)]
pub(super) struct Rest {
    speaks: Arc<AtomicBool>,
    contested: Arc<AtomicBool>,
    /// In nanoseconds of our clock.
    due: Arc<AtomicU64>,
}

impl Rest {
    /// The rest under this configuration.
    pub fn of(config: &Config) -> Self {
        let rest = Self { speaks: Arc::default(), contested: Arc::default(), due: Arc::default() };
        rest.follow(config);
        rest
    }

    /// Takes a new configuration.
    pub fn follow(&self, config: &Config) {
        self.speaks.store(config.routers.iter().any(|router| router.speak.is_some()), Ordering::Relaxed);
    }

    /// Notes whether it is open of some router whether two hold it. True if it has become so.
    pub fn heed(&self, contested: bool) -> bool {
        !self.contested.swap(contested, Ordering::Relaxed) && contested
    }

    /// How long a rest takes at least.
    pub fn shortest(&self) -> Duration {
        if self.is_awake() { Duration::ZERO } else { SHORTEST }
    }

    fn is_awake(&self) -> bool {
        [&self.speaks, &self.contested].iter().any(|awake| awake.load(Ordering::Relaxed))
    }

    /// Notes when there is something to do, whatever comes.
    pub fn end_at(&self, due: Instant) {
        self.due.store(due.as_nanos(), Ordering::Relaxed);
    }

    /// Takes it.
    pub fn take(&self) {
        if self.is_awake() {
            return;
        }
        let length = Instant::from_nanos(self.due.load(Ordering::Relaxed)).since(clock::now()).min(LENGTH);
        if !length.is_zero() {
            thread::sleep(length);
        }
    }
}
