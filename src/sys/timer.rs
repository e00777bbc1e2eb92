//! Deadlines finer than the runtime's millisecond: at an interval of 10 ms the skew of priority 254 is 0.08 ms.

use std::io;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};

use tokio::io::Interest;
use tokio::io::unix::AsyncFd;

use crate::time::Instant;

/// One alarm on `CLOCK_MONOTONIC`, the line of [`super::clock::now`].
#[derive(Debug)]
pub struct Timer {
    descriptor: AsyncFd<OwnedFd>,
}

impl Timer {
    /// A timer that is not set. Needs a tokio runtime with I/O.
    ///
    /// # Errors
    /// What the kernel says: no descriptors left.
    pub fn new() -> io::Result<Self> {
        // SAFETY: takes no pointer.
        let raw = unsafe { libc::timerfd_create(libc::CLOCK_MONOTONIC, libc::TFD_NONBLOCK | libc::TFD_CLOEXEC) };
        if raw < 0 {
            return Err(io::Error::last_os_error());
        }
        // SAFETY: a descriptor that was just opened, and that nobody else knows.
        let descriptor = unsafe { OwnedFd::from_raw_fd(raw) };
        // SAFETY: the timer owns its descriptor, and keeps the same one for as long as it lives.
        let descriptor = unsafe { AsyncFd::register_with_interest(descriptor, Interest::READABLE) }?;
        Ok(Self { descriptor })
    }

    /// Sets it to an instant, in place of what it was set to; one that has passed expires at once. `None` stops it.
    ///
    /// # Errors
    /// What the kernel says.
    pub fn set(&self, at: Option<Instant>) -> io::Result<()> {
        // Zero would stop it.
        let nanos = at.map_or(0, |at| at.as_nanos().max(1));
        let it_value = libc::timespec {
            tv_sec: (nanos / 1_000_000_000) as libc::time_t,
            tv_nsec: (nanos % 1_000_000_000) as libc::c_long,
        };
        let once = libc::itimerspec { it_interval: libc::timespec { tv_sec: 0, tv_nsec: 0 }, it_value };
        // SAFETY: the kernel reads a live value, and is given nowhere to write.
        let result = unsafe {
            libc::timerfd_settime(
                self.descriptor.as_raw_fd(),
                libc::TFD_TIMER_ABSTIME,
                &raw const once,
                std::ptr::null_mut(),
            )
        };
        if result == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
    }

    /// Waits until it expires: once for each [`Self::set`], never while it is stopped. Cancel-safe.
    ///
    /// # Errors
    /// What the kernel says, or that the runtime is shutting down.
    pub async fn expired(&self) -> io::Result<()> {
        self.descriptor.async_io(Interest::READABLE, |descriptor| read(descriptor.as_raw_fd())).await
    }
}

/// Takes the expiry; `WouldBlock` if there is none.
fn read(descriptor: libc::c_int) -> io::Result<()> {
    let mut expirations = 0_u64;
    // SAFETY: the kernel writes the eight bytes of a live integer.
    let count = unsafe { libc::read(descriptor, (&raw mut expirations).cast(), size_of::<u64>()) };
    if count < 0 { Err(io::Error::last_os_error()) } else { Ok(()) }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt;

    use super::super::clock;
    use super::super::testing::within_deadline;
    use super::*;
    use crate::time::Duration;

    #[tokio::test(flavor = "current_thread")]
    async fn it_expires_once_at_its_instant_and_not_before() {
        let timer = Timer::new().expect("a descriptor");
        let at = clock::now() + Duration::from_micros(300);
        timer.set(Some(at)).expect("a timer");
        within_deadline(timer.expired()).await.expect("a runtime");
        assert!(clock::now() >= at);
        assert!(timer.expired().now_or_never().is_none(), "once for each setting");
    }

    #[tokio::test(flavor = "current_thread")]
    async fn an_instant_that_has_passed_expires_at_once() {
        let timer = Timer::new().expect("a descriptor");
        for past in [Instant::ZERO, clock::now()] {
            timer.set(Some(past)).expect("a timer");
            within_deadline(timer.expired()).await.expect("a runtime");
        }
    }

    #[tokio::test(flavor = "current_thread")]
    async fn what_was_set_anew_or_stopped_expires_no_more() {
        let (timer, other) = (Timer::new().expect("a descriptor"), Timer::new().expect("a descriptor"));
        for next in [None, Some(clock::now() + Duration::from_secs(3600))] {
            timer.set(Some(Instant::ZERO)).expect("a timer");
            timer.set(next).expect("a timer");
            other.set(Some(Instant::ZERO)).expect("a timer");
            tokio::select! {
                biased;
                _ = timer.expired() => panic!("it was set to {next:?}"),
                other = within_deadline(other.expired()) => other.expect("a runtime"),
            }
        }
    }
}
