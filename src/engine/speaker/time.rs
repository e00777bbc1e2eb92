//! The speakers' clock: one timer for the earliest deadline of all, finer than the runtime's.

use std::convert::Infallible;
use std::io;
use std::rc::Rc;

use tokio::time::sleep;

use crate::engine::hub::Hub;
use crate::sys::clock;
use crate::sys::timer::Timer;
use crate::time::Duration;

/// The wait before a timer that failed is made anew.
const WAIT: Duration = Duration::from_millis(100);

/// Has what is due done in time, for ever.
pub(in crate::engine) async fn keep_time(hub: Rc<Hub>) {
    loop {
        let Err(error) = keep(&hub).await;
        tracing::error!("the speakers' timer failed, and is made anew: {error}");
        sleep(WAIT).await;
    }
}

async fn keep(hub: &Rc<Hub>) -> io::Result<Infallible> {
    let timer = Timer::new()?;
    loop {
        timer.set(hub.arm())?;
        tokio::select! {
            expired = timer.expired() => expired?,
            () = hub.rearm.notified() => continue,
        }
        // Read before the sockets are: what is in them by then was sent before.
        let now = clock::now();
        let drained = hub.drain_due(now);
        hub.with_speakers(|speakers, hub| speakers.handle_timeout(now, hub, &drained));
        hub.answered.notify_one();
    }
}

/// Has all speakers give up what they hold, in order, and waits until the kernel has confirmed it.
pub(in crate::engine) async fn leave(hub: &Rc<Hub>) {
    hub.with_speakers(|speakers, hub| speakers.dismiss_all(clock::now(), hub));
    while !hub.with_speakers(|speakers, _| speakers.is_empty()) {
        hub.answered.notified().await;
    }
    let remains = hub.with_speakers(|speakers, _| speakers.take_remains());
    for task in remains {
        // One that panicked has ended the daemon.
        let _ = task.await;
    }
    hub.kernel().gates().take_down();
}
