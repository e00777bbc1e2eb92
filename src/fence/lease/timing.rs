//! How long things take, from the one figure that is configured.

use crate::time::Duration;

/// ρ: clocks run at 1 ± this many hundredths. Quartz is a thousand times better; a virtual machine's clock is not always.
const DRIFT_PERCENT: u32 = 1;
/// A timeout of the kernel may come so much later, and a frame may have passed the gate so much before.
const LATENESS: Duration = Duration::from_millis(20);

/// The times of a lease.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Timing {
    /// How long an entry must stand unchanged before it is replaced: W.
    pub wait: Duration,
    /// How long a grant is good, from before its request was sent: H.
    pub hold: Duration,
    /// The timeout of the gate's element: σ.
    pub slice: Duration,
    /// Between two renewals: so short that whatever is left of a lease outlives an election of the register's leader.
    pub renew: Duration,
    /// A request without an answer for so long is unknown.
    pub patience: Duration,
    /// Between two reads while another one holds.
    pub poll: Duration,
    /// Before something that failed is tried again.
    pub retry: Duration,
}

impl Timing {
    /// With the longest hold that a wait allows.
    pub fn for_wait(wait: Duration) -> Self {
        let hold = hold_within(wait);
        // It is written in the register, in milliseconds.
        let hold = Duration::from_millis(u64::try_from(hold.as_millis()).unwrap_or(u64::MAX));
        Self { wait, hold, slice: hold / 15, renew: hold / 6, patience: hold / 4, poll: wait / 6, retry: wait / 60 }
    }

    /// How long a candidate has to wait for a holder that may hold so long: at least its own wait.
    pub fn wait_for(&self, hold: Duration) -> Duration {
        let slow = hold * 100 / (100 - DRIFT_PERCENT);
        let needed = (slow + LATENESS) * (100 + DRIFT_PERCENT) / 100;
        self.wait.max(needed)
    }

    /// When a grant of a request that was sent `since` so long ago is no longer refreshed: G3.
    pub fn usable(&self) -> Duration {
        self.hold.saturating_sub(self.slice * 2)
    }

    /// How long a holder may hold, from before it asked, while all others promise to take nothing for so long. Never longer than
    /// by a grant: one of them that has started anew has forgotten its promise, and waits for no more than that.
    pub fn kept(&self, promise: Duration) -> Duration {
        hold_within(promise).min(self.hold)
    }

    /// After so long an element that is not refreshed is gone.
    pub fn expiry(&self) -> Duration {
        self.slice + LATENESS
    }
}

/// How long one may hold, by a slow clock, that another one waits out by a fast one.
fn hold_within(wait: Duration) -> Duration {
    slower(faster(wait).saturating_sub(LATENESS))
}

/// What a clock that is too fast shows of it at least.
fn faster(time: Duration) -> Duration {
    time * 100 / (100 + DRIFT_PERCENT)
}

fn slower(time: Duration) -> Duration {
    time * (100 - DRIFT_PERCENT) / 100
}
