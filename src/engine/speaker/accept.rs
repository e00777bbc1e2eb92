//! `accept = false`: packets to the addresses of such routers are dropped by the kernel, from the start to the end of this daemon.

use std::collections::BTreeSet;
use std::net::IpAddr;
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::sleep;

use crate::sys::accept::{self, AcceptError};

/// The wait before rules that were refused are set again.
const WAIT: Duration = Duration::from_secs(10);

/// Keeps the rules as they are wanted, until nobody wants anything any more; then takes them away.
pub(super) async fn keep(mut wanted: watch::Receiver<BTreeSet<IpAddr>>) {
    loop {
        let addresses: Vec<IpAddr> = wanted.borrow_and_update().iter().copied().collect();
        let is_set = set(&addresses).await;
        tokio::select! {
            changed = wanted.changed() => if changed.is_err() { break },
            () = sleep(WAIT), if !is_set => {}
        }
    }
    set(&[]).await;
}

/// True if there is nothing left to do. Even if none are wanted: an earlier life may have left some.
async fn set(addresses: &[IpAddr]) -> bool {
    let done = match addresses {
        [] => accept::take_all().await,
        some => accept::drop_packets_to(some).await,
    };
    match done {
        Ok(()) => true,
        // Without the program nothing was ever set.
        Err(AcceptError::Missing) if addresses.is_empty() => true,
        Err(error) => {
            tracing::error!("{error}");
            false
        }
    }
}
