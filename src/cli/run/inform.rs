//! Keeps the service manager informed: when the daemon is ready, that its loop turns, and how its routers are.

use std::sync::Arc;

use arc_swap::ArcSwap;
use tokio::time::sleep;

use crate::engine::View;
use crate::sys::clock;
use crate::sys::service::Manager;
use crate::time::{Duration, Instant};

/// Between two looks: until it is ready, and later at most.
const SOON: Duration = Duration::from_millis(50);
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// Names of routers in a status line; the others are counted.
const NAMES_MAX: usize = 8;

/// Informs it for ever. Ready is what has turned since `started`; a sign of life is given for the loop's, not for this task's.
pub(super) async fn keep(manager: Arc<Manager>, view: Arc<ArcSwap<View>>, started: Instant) {
    while view.load().last_turn <= started {
        sleep(SOON).await;
    }
    manager.ready();
    // More often than the watchdog demands: a sign of life may come late.
    let pause = manager.watchdog().map_or(LOOK_EVERY, |granted| (granted / 3).min(LOOK_EVERY));
    let mut said = String::new();
    loop {
        let now = view.load();
        if manager.watchdog().is_some() && now.is_alive(clock::now()) {
            manager.lives();
        }
        let status = describe(&now);
        if status != said {
            manager.status(&status);
            said = status;
        }
        sleep(pause).await;
    }
}

fn describe(view: &View) -> String {
    let routers = &view.snapshot.routers;
    let say = |r: &Arc<crate::detect::RouterView>| format!("{} {} {}", r.name, r.state.as_str(), r.verdict.as_str());
    let mut line = routers.iter().take(NAMES_MAX).map(say).collect::<Vec<_>>().join(", ");
    if routers.len() > NAMES_MAX {
        line += &format!(" and {} more", routers.len() - NAMES_MAX);
    }
    if line.is_empty() { "no virtual router known yet".into() } else { line }
}
