//! The core thread's rest between reads.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use crate::config::Config;
use crate::time::Duration;

/// With nothing left to do the core thread sleeps for so long before it waits for the next thing: what comes meanwhile is read
/// in one go. To wake for each advert alone costs many times what judging it does. Frames carry the kernel's time, so none is
/// taken for late; a verdict is, by at most this, and a timer's lateness is counted from the end of the rest.
const LENGTH: Duration = Duration::from_millis(30);

/// How long the core thread rests. A daemon that speaks takes none: its own adverts and takeovers are worth a wake each.
#[derive(Clone, Debug)]
pub(super) struct Rest {
    speaks: Arc<AtomicBool>,
}

impl Rest {
    /// The rest under this configuration.
    pub fn of(config: &Config) -> Self {
        let rest = Self { speaks: Arc::default() };
        rest.follow(config);
        rest
    }

    /// Takes a new configuration.
    pub fn follow(&self, config: &Config) {
        self.speaks.store(config.routers.iter().any(|router| router.speak.is_some()), Ordering::Relaxed);
    }

    /// How long it is now.
    pub fn length(&self) -> Duration {
        if self.speaks.load(Ordering::Relaxed) { Duration::ZERO } else { LENGTH }
    }

    /// Takes it.
    pub fn take(&self) {
        let length = self.length();
        if !length.is_zero() {
            thread::sleep(length);
        }
    }
}
