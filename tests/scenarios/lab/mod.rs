//! The laboratory of these tests: the demo's network namespaces, with more kinds of peers and faults.

mod alarm;
mod delay;
mod faults;
mod frames;
mod frr;
mod history;
mod liar;
mod pair;
mod prometheus;
pub mod second;
mod siege;
mod speaker;
pub mod stranger;
pub mod usurper;
mod watch;

pub use alarm::Alarm;
pub use delay::{Delays, Intruder};
pub use faults::{Firewall, Hook};
pub use frames::{Advert, AdvertV6, Injector, Speaker, neighbour_advertisement};
pub use frr::Frr;
pub use history::History;
pub use liar::{Liar, Lie};
pub use pair::{Flavour, Pair, Side};
pub use prometheus::{Prometheus, http_get, promtool};
pub use siege::Siege;
pub use speaker::{Recording, Stage};
pub use stranger::Stranger;
pub use vipwarden::cli::demo::daemon::Daemon;
pub use vipwarden::cli::demo::keepalived::{Instance, Keepalived};
pub use vipwarden::cli::demo::lab::{INTERFACE, Lab, Node, PATIENCE, nft, wait_until};
pub use vipwarden::cli::demo::process::Process;
pub use watch::{Watch, any_of, verdict};

use std::path::Path;
use std::sync::{Condvar, LazyLock, Mutex, PoisonError};

/// The VIP of [`Instance::new`].
pub const VIP: &str = "10.9.9.100";

/// The program under test.
pub fn vipwarden() -> &'static Path {
    Path::new(env!("CARGO_BIN_EXE_vipwarden"))
}

/// Four that take all the processor time that they get on a node's host, for half a minute or until they are dropped.
pub fn press(node: &Node) -> [Process; 4] {
    [(); 4].map(|()| {
        let mut command = node.command("timeout");
        command.args(["30", "sh", "-c", "while :; do :; done"]);
        Process::spawn(node, "busy", command).expect("it runs")
    })
}

/// Waits until `condition` holds; fails the test if it doesn't.
pub fn until(what: &str, mut condition: impl FnMut() -> bool) {
    if let Err(error) = wait_until(what, PATIENCE, || condition().then_some(())) {
        panic!("{error}");
    }
}

/// True if the node has `address`, on whatever interface that is up and has a carrier: FRR's backups hold theirs down.
pub fn holds(node: &Node, address: &str) -> bool {
    let listed = node.exec("ip -j addr show up").expect("ip lists addresses");
    let links: serde_json::Value = serde_json::from_str(&listed).expect("ip prints JSON");
    let all = |value: &serde_json::Value| value.as_array().cloned().unwrap_or_default();
    let carries = |link: &serde_json::Value| all(&link["flags"]).contains(&"LOWER_UP".into());
    let has = |link: &serde_json::Value| all(&link["addr_info"]).iter().any(|info| info["local"] == address);
    all(&links).iter().any(|link| carries(link) && has(link))
}

/// The right to run a laboratory: four run at a time, unless `VIPWARDEN_AT_ONCE` says otherwise, or their timers run late and real peers fail over for it.
pub struct Slot(usize);

/// What is free of them.
struct Free {
    slots: usize,
    /// So many wait until all are.
    patient: usize,
}

static AT_ONCE: LazyLock<usize> = LazyLock::new(|| {
    std::env::var("VIPWARDEN_AT_ONCE").map_or(4, |n| n.parse().expect("VIPWARDEN_AT_ONCE is a number"))
});
static FREE: LazyLock<(Mutex<Free>, Condvar)> =
    LazyLock::new(|| (Mutex::new(Free { slots: *AT_ONCE, patient: 0 }), Condvar::new()));

impl Slot {
    /// Waits for one.
    pub fn take() -> Self {
        Self::wait(1, |free| free.slots > 0 && free.patient == 0)
    }

    /// Waits for all of them: what leaves nothing of the machine to others. Nobody begins meanwhile.
    pub fn alone() -> Self {
        let (free, _) = &*FREE;
        free.lock().unwrap_or_else(PoisonError::into_inner).patient += 1;
        let slot = Self::wait(*AT_ONCE, |free| free.slots == *AT_ONCE);
        free.lock().unwrap_or_else(PoisonError::into_inner).patient -= 1;
        slot
    }

    fn wait(count: usize, may: impl Fn(&Free) -> bool) -> Self {
        let (free, freed) = &*FREE;
        let guard = free.lock().unwrap_or_else(PoisonError::into_inner);
        freed.wait_while(guard, |free| !may(free)).unwrap_or_else(PoisonError::into_inner).slots -= count;
        Self(count)
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        FREE.0.lock().unwrap_or_else(PoisonError::into_inner).slots += self.0;
        FREE.1.notify_all();
    }
}
