//! The one loop: facts in, core, requests out; and what it shares with the edge.
//!
//! The core thread runs the sources and the core on a runtime of its own (`hub`, `sources`, `core`); nothing there waits for
//! the edge. The edge thread, which is the caller's, runs [`Engine::attend`] beside its servers. They meet in [`Shared`] and
//! in one bounded queue of orders.

pub mod arbiter;
mod backlog;
mod blindness;
pub mod checks;
mod core;
mod edge;
mod fences;
pub mod http;
mod hub;
mod interfaces;
pub mod notify;
mod origin;
pub mod peers;
pub mod record;
mod rest;
mod shared;
mod sources;
mod speaker;
mod told;
pub mod tracker;

use std::io;
use std::path::PathBuf;
use std::rc::Rc;
use std::sync::Arc;
use std::thread;

use arc_swap::ArcSwap;
use futures_util::FutureExt as _;
use tokio::sync::{mpsc, oneshot, watch};
use tokio::task::{LocalSet, spawn_local, yield_now};
use tokio::time::{sleep, timeout};

use crate::config::Config;
use crate::fence::lease::Holder;
use crate::observe::{Fact, Learned, RouterId};
use crate::sys::clock;
use crate::sys::probe::Prober;
use crate::time::Duration;

pub use edge::restarts;
pub use origin::{Origin, describe};
pub use shared::*;

use self::core::Core;
use self::peers::Want;
use hub::Hub;
use peers::seal::Seal;
use record::{Recording, Watched};
use rest::Rest;
use speaker::Start;
use tracker::CheckResult;

/// Name of the thread that nothing may delay.
pub const CORE_THREAD: &str = "core";

/// Orders from the edge that wait for the core.
const ORDERS_MAX: usize = 1024;
/// Commands that wait for the edge.
const COMMANDS_MAX: usize = 16;
/// How long notify commands may take after the core has ended.
const LAST_WORDS_MAX: Duration = Duration::from_secs(10);
/// Between two words to the speakers on what the watcher found out: probes and pings are rarer.
const TELL_EVERY: Duration = Duration::from_millis(100);
/// How long speakers may take to give up their addresses at the end.
const LEAVE_MAX: Duration = Duration::from_secs(2);
/// Events that are kept for readers.
const EVENTS_MAX: usize = 10_000;

/// What the edge tells the core.
#[derive(Debug)]
enum Order {
    /// Take in a fact that was found out on the edge.
    Feed(Fact),
    /// Take a new configuration, and say which speakers start anew.
    Reconfigure(Arc<Config>, oneshot::Sender<Vec<String>>),
    /// Note that a configuration was refused.
    RefuseConfiguration,
    /// Forget a learned router.
    Forget(RouterId, oneshot::Sender<Result<String, String>>),
    /// Publish a snapshot of this very moment.
    Refresh(oneshot::Sender<()>),
    /// Take in whether something tracked works.
    Tracked(CheckResult),
    /// Do something with a router that speaks.
    Speaker(String, Act, oneshot::Sender<Result<String, String>>),
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
    wants: watch::Receiver<Want>,
    learned: watch::Receiver<Vec<Learned>>,
    ended: oneshot::Receiver<()>,
    thread: thread::JoinHandle<()>,
    state_dir: PathBuf,
    fences: fences::Fences,
    heralded: mpsc::Receiver<notify::Notice>,
    /// Done once nothing is left to be recorded, or nothing is.
    recorded: oneshot::Receiver<()>,
}

impl Engine {
    /// Starts the core thread, and has everything that it judges by written to `recording`.
    ///
    /// # Errors
    /// `PermissionDenied` without CAP_NET_RAW; whatever else the kernel refuses a new socket or thread for; what a disk
    /// refuses a recording for.
    pub fn start(origin: Origin, config: Config, recording: Option<Recording>) -> io::Result<Self> {
        let prober = Prober::open()?;
        let now = clock::now();
        let state_dir = config.node.state_dir.clone();
        let fences = fences::Fences::restore(&state_dir);
        let (notices, heralded) = mpsc::channel(notify::NOTICES_MAX);
        let identity = Arc::new(identity(&config, now));
        let (tape, recorded) = recording.map(|recording| recording.start(&identity)).transpose()?.unzip();
        // Without a recording there is nothing to wait for.
        let recorded = recorded.unwrap_or_else(|| oneshot::channel().1);
        let learned = edge::restore(&state_dir);
        let mut watcher = Watched::start(now, clock::wall(), config.settings(), learned, tape);
        let holder = Holder { id: identity.boot_id.clone(), node: identity.node.clone() };
        let start = Start { fenced: fences.names().clone(), notices, holder };

        let (command, commands) = mpsc::channel(COMMANDS_MAX);
        let (order, orders) = mpsc::channel(ORDERS_MAX);
        let (want, wants) = watch::channel(Want::Little);
        let (learn, learned) = watch::channel(watcher.learned());
        let (end, ended) = oneshot::channel();
        let shared = Shared {
            identity,
            view: Arc::new(ArcSwap::from_pointee(View::first(watcher.snapshot(now)))),
            events: Arc::new(EventLog::new(EVENTS_MAX)),
            commands: command,
            certificate_expires: Arc::default(),
            seal: Arc::new(ArcSwap::from_pointee(config.cluster_key.as_ref().map(Seal::new))),
        };
        let rest = Rest::of(&config);
        let core = Core::new(watcher, prober, shared.clone(), want, learn, rest.clone());
        let config = Arc::new(config);
        let core_config = config.clone();
        let runtime =
            tokio::runtime::Builder::new_current_thread().enable_all().on_thread_park(move || rest.take()).build()?;
        let thread = thread::Builder::new().name(CORE_THREAD.into()).spawn(move || {
            LocalSet::new().block_on(&runtime, run(core, &core_config, start, orders));
            drop(end);
        })?;
        let config = watch::Sender::new(config);
        Ok(Self {
            shared,
            commands,
            orders: order,
            origin,
            config,
            wants,
            learned,
            ended,
            thread,
            state_dir,
            fences,
            heralded,
            recorded,
        })
    }

    /// What the edge reads.
    pub fn shared(&self) -> Shared {
        self.shared.clone()
    }

    /// Does the engine's share of the edge until `stop` is done or the core has ended by itself; then ends all. False if the core
    /// ended by itself, which is a bug.
    pub async fn attend(self, stop: impl Future<Output = ()>) -> bool {
        let checks_config = self.config.subscribe();
        let pings = edge::ping(self.orders.clone(), self.config.subscribe());
        let keeping = edge::keep(&self.state_dir, self.learned.clone());
        let hand =
            edge::Hand { orders: self.orders.clone(), origin: self.origin, config: self.config, fences: self.fences };
        let telling = told::follow(self.orders.clone(), hand.config.subscribe());
        let asking = peers::ask(self.orders.clone(), hand.config.subscribe(), self.shared.identity.clone(), self.wants);
        let obeying = edge::obey(self.commands, hand, self.shared);
        let checking = edge::track(self.orders.clone(), checks_config);
        let chores = async { tokio::join!(pings, keeping, telling, asking, obeying, checking) };
        // It goes on until the last word of the core is told.
        let heralding = tokio::spawn(notify::run(self.heralded));
        let was_stopped = tokio::select! {
            () = stop => true,
            _ = self.ended => false,
            _ = chores => false,
        };
        // If the core has ended already there is nobody to be told.
        let _ = self.orders.send(Order::Stop).await;
        let has_ended_well = self.thread.join().is_ok();
        edge::save(&self.state_dir, &self.learned.borrow());
        if timeout(LAST_WORDS_MAX, self.recorded).await.is_err() {
            tracing::warn!("the disk is too slow for the end of the recording, which is left off");
        }
        if timeout(LAST_WORDS_MAX, heralding).await.is_err() {
            tracing::warn!("notify commands are still running, and are left behind");
        }
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
async fn run(core: Core, config: &Config, start: Start, mut orders: mpsc::Receiver<Order>) {
    let hub = Rc::new(Hub::new(core, config, start));
    hub.with_speakers(|speakers, hub| speakers.configure(clock::now(), hub, config));
    hub.follow_precedence();
    sources::start(&hub);
    let turning = spawn_local(turn(hub.clone()));
    while let Some(order) = orders.recv().await {
        match order {
            Order::Feed(fact) => hub.feed(clock::now(), &fact),
            Order::Reconfigure(config, done) => {
                let restarted = hub.reconfigure(&config);
                // Who asked may have gone.
                let _ = done.send(restarted);
            }
            Order::RefuseConfiguration => hub.core().refuse_configuration(clock::now()),
            Order::Forget(router, answer) => {
                let result = hub.core().forget(clock::now(), &router);
                let _ = answer.send(result);
            }
            Order::Refresh(done) => {
                hub.core().refresh(clock::now());
                let _ = done.send(());
            }
            Order::Tracked(result) => {
                hub.with_speakers(|speakers, _| speakers.on_result(clock::now(), result));
            }
            Order::Speaker(router, act, answer) => {
                let result = hub.with_speakers(|speakers, _| speakers.obey(clock::now(), &router, act));
                let _ = answer.send(result);
            }
            Order::Stop => break,
        }
    }
    if timeout(LEAVE_MAX, speaker::leave(&hub)).await.is_err() {
        tracing::error!("not every address was given up in time: the kernel did not answer");
    }
    turning.abort();
    hub.core().keep_learned();
    hub.core().end_recording();
}

/// Turns the core when facts came or time is due. It yields first, so that after a freeze everything that waits in the
/// sockets is read before anything is judged by the clock.
async fn turn(hub: Rc<Hub>) {
    let mut told = clock::now();
    loop {
        let now = clock::now();
        let due = hub.core().next_turn(now);
        tokio::select! {
            () = sleep(due.since(now)) => {}
            () = hub.dirty.notified() => {}
        }
        yield_now().await;
        // What was fed after the first of a batch is judged with it, and needs no turn of its own.
        let _ = hub.dirty.notified().now_or_never();
        hub.core().turn(clock::now(), due);
        hub.follow_taps();
        if now.since(told) >= TELL_EVERY {
            told = now;
            hub.tell_speakers();
        }
    }
}
