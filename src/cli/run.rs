//! `vipwarden run`: the daemon. The engine on its own thread, scrapes and pages on another; the control socket, streams of events, the
//! signals and the engine's chores on this one.

mod inform;

use std::io;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;

use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::{mpsc, oneshot};

use crate::config::{Config, Loaded};
use crate::engine::record::Recording;
use crate::engine::{CORE_THREAD, Command, Engine, Origin, describe};
use crate::sys::capability::Capabilities;
use crate::sys::service::Manager;
use crate::web::{self, Guard};

use super::terminal::complain;
use super::{FAILED, USAGE, control, listen};

/// What `run` takes. Flags win over files.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Configuration file, with conf.d/*.toml beside it [default: /etc/vipwarden/vipwarden.toml if it exists; without
    /// one, every virtual router on the wire is discovered].
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Address to serve metrics, JSON and the page on, like [::]:10112 or :10112. Repeatable.
    #[arg(long, value_name = "ADDR", value_parser = listen::parse)]
    listen: Vec<SocketAddr>,
    /// Interface to watch; none other is then, but for those of configured routers. Repeatable.
    #[arg(long, value_name = "IF")]
    interface: Vec<String>,
    /// TLS, client certificates, users and headers of what is served: the web-config format of Prometheus's exporters.
    #[arg(long, value_name = "FILE")]
    web_config: Option<PathBuf>,
    /// Write everything that verdicts are reached by to FILE, for `analyze` to reach them again. No password is in it. A recording
    /// that is there already is kept as FILE.1.
    #[arg(long, value_name = "FILE")]
    record: Option<PathBuf>,
    /// The size at which a recording ends.
    #[arg(long, value_name = "MIB", default_value_t = 64, requires = "record", value_parser = clap::value_parser!(u64).range(1..=1 << 20))]
    record_limit: u64,
}

/// Runs until SIGINT or SIGTERM.
pub fn run(args: Args, control: &Path) -> ExitCode {
    end_with_the_core();
    let origin =
        Origin { file: args.config, listen: args.listen, interfaces: args.interface, web_config: args.web_config };
    let loaded = match origin.load() {
        Ok(loaded) => loaded,
        Err(errors) => {
            complain(&describe(&errors));
            return USAGE.into();
        }
    };
    if !loaded.warnings.is_empty() {
        complain(&describe(&loaded.warnings));
    }
    if let Some(missing) = missing_interfaces(&origin, &loaded) {
        eprintln!("{missing}");
        return FAILED.into();
    }
    let guard = match Guard::load(loaded.config.web.config_file.as_deref()) {
        Ok(guard) => guard,
        Err(why) => {
            complain(&why);
            return USAGE.into();
        }
    };
    let recording = args.record.map(|file| Recording::create(&file, args.record_limit << 20)).transpose();
    let served = recording.and_then(|recording| serve(origin, loaded.config, guard, control, recording));
    match served {
        Ok(()) => ExitCode::SUCCESS,
        Err(why) => {
            tracing::error!("{why}");
            FAILED.into()
        }
    }
}

/// Names the interfaces that are asked for and not there. One that vanishes later is waited for, but one that was never there is
/// a typo, or this daemon was started before the network: then whoever started it may try again.
fn missing_interfaces(origin: &Origin, loaded: &Loaded) -> Option<String> {
    let here: Vec<String> = pnet::datalink::interfaces().into_iter().map(|link| link.name).collect();
    let flags = origin.interfaces.iter().filter(|name| !here.contains(name));
    let flags = flags.map(|name| format!("--interface {name}: there is no interface {name} on this host"));
    let config = &loaded.config;
    let in_use = |name: &String| {
        config.watch.interfaces.iter().flatten().any(|i| i == name)
            || config.routers.iter().any(|r| r.interface == *name)
    };
    let files = loaded.interfaces.iter().filter(|(name, _)| !here.contains(name) && in_use(name));
    let mut missing: Vec<String> = flags.chain(files.map(|(_, place)| place.to_string())).collect();
    (!missing.is_empty()).then(|| {
        missing.push(format!("there are: {}", here.join(", ")));
        missing.join("\n")
    })
}

/// A panic in one task would leave the core running on half of its senses: better to end, and be started again.
fn end_with_the_core() {
    let report = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |panic| {
        report(panic);
        if std::thread::current().name() == Some(CORE_THREAD) {
            std::process::abort();
        }
    }));
}

fn serve(
    origin: Origin,
    config: Config,
    guard: Guard,
    control: &Path,
    recording: Option<Recording>,
) -> Result<(), String> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| format!("no event loop: {error}"))?;
    runtime.block_on(async {
        // Whatever can be refused is tried before anything is sniffed.
        require_capabilities(&config)?;
        let listeners = config.web.listen.iter().map(listen::bind).collect::<Result<Vec<_>, _>>()?;
        let mut control = control::Socket::bind(control).await?;
        let signals = Signals::new().map_err(|error| format!("signals can't be caught: {error}"))?;
        let manager = Manager::of_this_process().map_err(|error| format!("NOTIFY_SOCKET can't be used: {error}"))?;
        let manager = Arc::new(manager);
        let node = config.node.name.clone();
        let engine = Engine::start(origin, config, recording).map_err(|error| refused(&error))?;
        let shared = engine.shared();
        let app = web::app(shared.clone());
        let _server = match listeners.is_empty() {
            true => None,
            false => Some(
                web::Server::start(listeners, app.clone(), guard.clone())
                    .map_err(|error| format!("nothing can be served: {error}"))?,
            ),
        };
        let expires = shared.certificate_expires.clone();
        tokio::spawn(guard.follow(move |at| expires.store(at.map(Arc::new))));
        if let Some(control) = &mut control {
            tokio::spawn(control.serve(app.router().merge(control::routes(shared.commands.clone()))));
        }
        tokio::spawn(reload_on(signals.hangup, shared.commands, manager.clone()));
        tokio::spawn(inform::keep(manager.clone(), shared.view, shared.identity.started));
        tracing::info!(%node, version = env!("CARGO_PKG_VERSION"), "watching");
        let stop = async {
            stop_on(signals.interrupt, signals.terminate).await;
            manager.stopping();
        };
        if !engine.attend(stop).await {
            return Err("the core ended by itself, which is a bug: please report it with the log".into());
        }
        tracing::info!("stopped");
        Ok(())
    })
}

/// Speaking takes more than watching.
fn require_capabilities(config: &Config) -> Result<(), String> {
    let speaks = config.routers.iter().find(|router| router.speak.is_some());
    let may = Capabilities::effective().map_err(|error| format!("capabilities can't be read: {error}"))?;
    match speaks {
        Some(router) if !may.net_admin => Err(format!(
            "CAP_NET_ADMIN is missing: without it {} can't have its addresses (mode = \"speak\"). Run as root, or by the \
             systemd unit with AmbientCapabilities=CAP_NET_RAW CAP_NET_ADMIN, or write mode = \"watch\"; in a container: \
             --cap-add NET_ADMIN",
            router.name
        )),
        _ => Ok(()),
    }
}

fn refused(error: &io::Error) -> String {
    if error.kind() == io::ErrorKind::PermissionDenied {
        return "CAP_NET_RAW is missing: without it no packet socket opens. Run as root, or by the systemd unit (AmbientCapabilities=CAP_NET_RAW), \
                or grant it to the file: setcap cap_net_raw+ep \"$(command -v vipwarden)\"; in a container: --cap-add NET_RAW"
            .into();
    }
    format!("the engine can't start: {error}")
}

struct Signals {
    interrupt: Signal,
    terminate: Signal,
    hangup: Signal,
}

impl Signals {
    fn new() -> io::Result<Self> {
        Ok(Self {
            interrupt: signal(SignalKind::interrupt())?,
            terminate: signal(SignalKind::terminate())?,
            hangup: signal(SignalKind::hangup())?,
        })
    }
}

async fn stop_on(mut interrupt: Signal, mut terminate: Signal) {
    tokio::select! {
        _ = interrupt.recv() => {}
        _ = terminate.recv() => {}
    }
}

async fn reload_on(mut hangup: Signal, commands: mpsc::Sender<Command>, manager: Arc<Manager>) {
    while hangup.recv().await.is_some() {
        // The answer is logged where it is found.
        let (answer, answered) = oneshot::channel();
        manager.reloading();
        if commands.send(Command::Reload(answer)).await.is_err() {
            return;
        }
        let _ = answered.await;
        manager.ready();
    }
}
