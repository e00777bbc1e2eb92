//! The one loop: facts in, core, requests out; and what it shares with the edge.
//!
//! The core thread runs the sources and the core on a runtime of its own (`hub`, `sources`, `core`); nothing there waits for
//! the edge. The edge thread, which is the caller's, runs [`Engine::attend`] beside its servers. They meet in [`Shared`] and
//! in one bounded queue of orders.

mod blindness;
mod core;
mod edge;
mod hub;
mod interfaces;
mod origin;
mod shared;
mod sources;

use std::io;
use std::path::PathBuf;
use std::rc::Rc;
use std::sync::Arc;
use std::thread;

use arc_swap::ArcSwap;
use tokio::sync::{mpsc, oneshot, watch};
use tokio::task::{LocalSet, spawn_local, yield_now};
use tokio::time::sleep;

use crate::config::Config;
use crate::detect::Watcher;
use crate::observe::{Fact, Learned, RouterId};
use crate::sys::clock;
use crate::sys::probe::Prober;
use crate::time::Duration;

pub use origin::{Origin, describe};
pub use shared::*;

use self::core::Core;
use hub::Hub;

/// Name of the thread that nothing may delay.
pub const CORE_THREAD: &str = "core";

/// With nothing left to do the core thread sleeps for so long before it waits for the next thing: what comes meanwhile is read
/// in one go. To wake for each advert alone costs many times what judging it does. Frames carry the kernel's time, so none is
/// taken for late; a verdict is, by at most this, and a timer's lateness is counted from the end of the rest.
const REST: Duration = Duration::from_millis(15);

/// Orders from the edge that wait for the core.
const ORDERS_MAX: usize = 1024;
/// Commands that wait for the edge.
const COMMANDS_MAX: usize = 16;
/// Events that are kept for readers.
const EVENTS_MAX: usize = 10_000;

/// What the edge tells the core.
#[derive(Debug)]
enum Order {
    /// Take in a fact that was found out on the edge.
    Feed(Fact),
    /// Take a new configuration, and say so.
    Reconfigure(Arc<Config>, oneshot::Sender<()>),
    /// Note that a configuration was refused.
    RefuseConfiguration,
    /// Forget a learned router.
    Forget(RouterId, oneshot::Sender<Result<String, String>>),
    /// End.
    Stop,
}

/// The running core, and the engine's own share of the edge.
#[derive(Debug)]
pub struct Engine {
    shared: Shared,
    commands: mpsc::Receiver<Command>,
    orders: mpsc::Sender<Order>,
    origin: Origin,
    config: watch::Sender<Arc<Config>>,
    learned: watch::Receiver<Vec<Learned>>,
    ended: oneshot::Receiver<()>,
    thread: thread::JoinHandle<()>,
    state_dir: PathBuf,
}

impl Engine {
    /// Starts the core thread.
    ///
    /// # Errors
    /// `PermissionDenied` without CAP_NET_RAW; whatever else the kernel refuses a new socket or thread for.
    pub fn start(origin: Origin, config: Config) -> io::Result<Self> {
        let prober = Prober::open()?;
        let now = clock::now();
        let state_dir = config.node.state_dir.clone();
        let mut watcher = Watcher::new(now, clock::wall(), config.settings());
        watcher.restore(now, &edge::restore(&state_dir));

        let (command, commands) = mpsc::channel(COMMANDS_MAX);
        let (order, orders) = mpsc::channel(ORDERS_MAX);
        let (learn, learned) = watch::channel(watcher.learned());
        let (end, ended) = oneshot::channel();
        let shared = Shared {
            identity: Arc::new(identity(&config, now)),
            view: Arc::new(ArcSwap::from_pointee(View::first(watcher.snapshot(now)))),
            events: Arc::new(EventLog::new(EVENTS_MAX)),
            commands: command,
        };
        let core = Core::new(watcher, prober, shared.clone(), learn);
        let config = Arc::new(config);
        let core_config = config.clone();
        let rest = || thread::sleep(REST);
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().on_thread_park(rest).build()?;
        let thread = thread::Builder::new().name(CORE_THREAD.into()).spawn(move || {
            LocalSet::new().block_on(&runtime, run(core, &core_config, orders));
            drop(end);
        })?;
        let config = watch::Sender::new(config);
        Ok(Self { shared, commands, orders: order, origin, config, learned, ended, thread, state_dir })
    }

    /// What the edge reads.
    pub fn shared(&self) -> Shared {
        self.shared.clone()
    }

    /// Does the engine's share of the edge until `stop` is done or the core has ended by itself; then ends all. False if the core
    /// ended by itself, which is a bug.
    pub async fn attend(self, stop: impl Future<Output = ()>) -> bool {
        let pings = edge::ping(self.orders.clone(), self.config.subscribe());
        let keeping = edge::keep(&self.state_dir, self.learned.clone());
        let obeying = edge::obey(self.commands, self.orders.clone(), self.origin, self.config);
        let chores = async { tokio::join!(pings, keeping, obeying) };
        let was_stopped = tokio::select! {
            () = stop => true,
            _ = self.ended => false,
            _ = chores => false,
        };
        // If the core has ended already there is nobody to be told.
        let _ = self.orders.send(Order::Stop).await;
        let has_ended_well = self.thread.join().is_ok();
        edge::save(&self.state_dir, &self.learned.borrow());
        was_stopped && has_ended_well
    }
}

fn identity(config: &Config, started: crate::time::Instant) -> Identity {
    let uuid = std::fs::read_to_string("/proc/sys/kernel/random/uuid").unwrap_or_default();
    Identity {
        node: config.node.name.clone(),
        version: env!("CARGO_PKG_VERSION"),
        revision: option_env!("VIPWARDEN_REVISION").unwrap_or("unknown"),
        boot_id: uuid.chars().filter(char::is_ascii_hexdigit).collect(),
        started,
    }
}

/// The core thread, from its first to its last breath.
async fn run(core: Core, config: &Config, mut orders: mpsc::Receiver<Order>) {
    let hub = Rc::new(Hub::new(core, config));
    sources::start(&hub);
    let turning = spawn_local(turn(hub.clone()));
    while let Some(order) = orders.recv().await {
        match order {
            Order::Feed(fact) => hub.feed(clock::now(), &fact),
            Order::Reconfigure(config, done) => {
                hub.reconfigure(&config);
                // Who asked may have gone.
                let _ = done.send(());
            }
            Order::RefuseConfiguration => hub.core().refuse_configuration(clock::now()),
            Order::Forget(router, answer) => {
                let result = hub.core().forget(clock::now(), &router);
                let _ = answer.send(result);
            }
            Order::Stop => break,
        }
    }
    turning.abort();
    hub.core().keep_learned();
}

/// Turns the core when facts came or time is due. It yields first, so that after a freeze everything that waits in the
/// sockets is read before anything is judged by the clock.
async fn turn(hub: Rc<Hub>) {
    loop {
        let now = clock::now();
        let due = hub.core().next_turn(now);
        tokio::select! {
            () = sleep(due.since(now)) => {}
            () = hub.dirty.notified() => {}
        }
        yield_now().await;
        let mut core = hub.core();
        core.turn(clock::now(), due);
    }
}
