//! What the engine does on the edge thread: the operator's commands, pings, and keeping what was learned. None of it can delay
//! the core.

use std::collections::BTreeSet;
use std::net::IpAddr;
use std::path::Path;
use std::sync::Arc;

use futures_util::future::{join_all, select_ok};
use tokio::sync::{mpsc, oneshot, watch};
use tokio::time::{MissedTickBehavior, interval, sleep};

use crate::config::{Config, Loaded, Router};
use crate::detect::Snapshot;
use crate::observe::{Fact, Learned, Target};
use crate::sys::ping::Pinger;
use crate::sys::state;
use crate::time::Duration;

use super::checks;
use super::fences::{self, Fences};
use super::peers::seal::Seal;
use super::{Act, Command, Order, Origin, Shared, describe};

/// Between two pings of one host.
const PING_EVERY: Duration = Duration::from_secs(1);
/// A ping without an answer for so long is lost.
const PING_TIMEOUT: Duration = Duration::from_secs(1);
/// Results of checks that wait for the core.
const RESULTS_MAX: usize = 64;
/// Between two writes of the learned routers.
const KEEP_EVERY: Duration = Duration::from_secs(10);

/// What the operator's commands need.
pub(super) struct Hand {
    pub orders: mpsc::Sender<Order>,
    pub origin: Origin,
    pub config: watch::Sender<Arc<Config>>,
    pub fences: Fences,
}

/// Obeys the operator until nobody can command any more.
pub(super) async fn obey(mut commands: mpsc::Receiver<Command>, mut hand: Hand, shared: Shared) {
    while let Some(command) = commands.recv().await {
        let Hand { orders, origin, config, fences } = &mut hand;
        match command {
            Command::Reload(answer) => {
                let result = reload(origin, orders, config).await;
                match &result {
                    Ok(taken) => {
                        let key = config.borrow().cluster_key.as_ref().map(Seal::new);
                        shared.seal.store(Arc::new(key));
                        tracing::info!("{taken}");
                    }
                    Err(refused) => tracing::error!("{refused}"),
                }
                // Who asked may have gone; the log has it too.
                let _ = answer.send(result);
            }
            Command::Refresh(done) => drop(orders.try_send(Order::Refresh(done))),
            // A core that ended ends the daemon: nobody is left to answer.
            Command::Forget(router, answer) => drop(orders.send(Order::Forget(router, answer)).await),
            Command::Speaker { router, act, answer } => {
                let result = handle(orders, fences, &shared.view.load().snapshot, router, act).await;
                let _ = answer.send(result);
            }
        }
    }
}

/// Has the core do something with a speaker, and remembers fences beyond a restart.
async fn handle(
    orders: &mpsc::Sender<Order>,
    fences: &mut Fences,
    snapshot: &Snapshot,
    router: String,
    act: Act,
) -> Result<String, String> {
    if act == (Act::Fence { force: false }) {
        fences::replaceable(snapshot, &router)?;
    }
    let (answer, answered) = oneshot::channel();
    // If it can't be sent, its answer can't come either.
    let _ = orders.send(Order::Speaker(router.clone(), act, answer)).await;
    let done = answered.await.map_err(|_| "the daemon is stopping".to_owned())??;
    let kept = match act {
        Act::HandOver => Ok(()),
        Act::Fence { .. } => fences.insert(router),
        Act::Unfence => fences.remove(&router),
    };
    Ok(match kept {
        Ok(()) => done,
        Err(error) => format!("{done}\nbut a restart would forget that: {error}"),
    })
}

async fn reload(
    origin: &Origin,
    orders: &mpsc::Sender<Order>,
    config: &watch::Sender<Arc<Config>>,
) -> Result<String, String> {
    let Loaded { config: new, warnings, .. } = match origin.load() {
        Ok(loaded) => loaded,
        Err(errors) => {
            let _ = orders.send(Order::RefuseConfiguration).await;
            return Err(format!("configuration refused, the running one stays:\n{}", describe(&errors)));
        }
    };
    let new = Arc::new(new);
    let old = config.send_replace(new.clone());
    let (done, is_done) = oneshot::channel();
    let _ = orders.send(Order::Reconfigure(new.clone(), done)).await;
    let restarted = is_done.await.map_err(|_| "the core has ended".to_owned())?;
    let mut taken = format!(
        "configuration taken; routers: {}, peers: {}, witnesses: {}",
        new.routers.len(),
        new.peers.len(),
        new.witnesses.len()
    );
    for line in restarted {
        taken.push('\n');
        taken.push_str(&line);
    }
    for key in needs_restart(&old, &new) {
        taken.push_str(&format!("\n{key} changed: that takes a restart"));
    }
    if !warnings.is_empty() {
        taken.push('\n');
        taken.push_str(&describe(&warnings));
    }
    Ok(taken)
}

/// What a reload from one configuration to another starts anew, and what takes a restart of the daemon, in words.
pub fn restarts(old: &Config, new: &Config) -> Vec<String> {
    let routers = super::speaker::restarts(old, new);
    let daemon = needs_restart(old, new).into_iter().map(|key| format!("{key} changed: that takes a restart"));
    routers.into_iter().chain(daemon).collect()
}

fn needs_restart(old: &Config, new: &Config) -> Vec<&'static str> {
    let changed = [
        ("[web] listen", old.web.listen != new.web.listen),
        ("[web] config_file", old.web.config_file != new.web.config_file),
        ("[node] name", old.node.name != new.node.name),
        ("[node] state_dir", old.node.state_dir != new.node.state_dir),
    ];
    changed.into_iter().filter(|(_, is_changed)| *is_changed).map(|(key, _)| key).collect()
}

/// Pings peers and witnesses once a second, for as long as there is a configuration.
pub(super) async fn ping(orders: mpsc::Sender<Order>, mut config: watch::Receiver<Arc<Config>>) {
    let pinger = match Pinger::open() {
        Ok(pinger) => pinger,
        Err(error) => return tracing::warn!("peers and witnesses can't be pinged: {error}"),
    };
    let mut second = interval(PING_EVERY);
    second.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        let now = config.borrow_and_update().clone();
        let targets = targets(&now);
        tokio::select! {
            // A target is an index into the configuration: no answer may outlive the one that it belongs to.
            biased;
            changed = config.changed() => if changed.is_err() { return },
            () = round(&pinger, &orders, &targets) => drop(second.tick().await),
        }
    }
}

/// One host to ping: whose it is, its address, and through which interfaces; `None` is the one that the routes say.
type Pinged<'a> = (Target, IpAddr, Vec<Option<&'a str>>);

fn targets(config: &Config) -> Vec<Pinged<'_>> {
    let peers = config.peers.iter().enumerate().map(|(i, peer)| {
        let concerns = |router: &&Router| router.peers.as_ref().is_none_or(|names| names.contains(&peer.name));
        (Target::Peer(i), peer.address, ways(peer.address, config.routers.iter().filter(concerns)))
    });
    let witnesses = config
        .witnesses
        .iter()
        .enumerate()
        .map(|(i, witness)| (Target::Witness(i), witness.address, ways(witness.address, config.routers.iter())));
    // Of one that can't be asked there is nothing to say, a loss least of all.
    peers.chain(witnesses).filter(|(.., ways)| !ways.is_empty()).collect()
}

/// A link-local address names no interface: it is asked for on those of the routers.
fn ways<'a>(address: IpAddr, routers: impl Iterator<Item = &'a Router>) -> Vec<Option<&'a str>> {
    if !matches!(address, IpAddr::V6(v6) if v6.is_unicast_link_local()) {
        return vec![None];
    }
    let interfaces: BTreeSet<&str> = routers.map(|router| router.interface.as_str()).collect();
    interfaces.into_iter().map(Some).collect()
}

async fn round(pinger: &Pinger, orders: &mpsc::Sender<Order>, targets: &[Pinged<'_>]) {
    let pings = targets.iter().map(|(target, host, ways)| async move {
        let asked =
            ways.iter().map(|via| Box::pin(async move { pinger.ping(*host, *via, PING_TIMEOUT).await.ok_or(()) }));
        let rtt = select_ok(asked).await.ok().map(|(rtt, _)| rtt);
        // A core that is behind has better things to do than old pings.
        let _ = orders.try_send(Order::Feed(Fact::Ping { target: *target, rtt }));
    });
    join_all(pings).await;
}

/// Finds out what the routers track, for as long as there is a configuration.
pub(super) async fn track(orders: mpsc::Sender<Order>, config: watch::Receiver<Arc<Config>>) {
    let (send, mut results) = mpsc::channel(RESULTS_MAX);
    let forward = async {
        while let Some(result) = results.recv().await {
            // A core that ended ends the daemon.
            let _ = orders.send(Order::Tracked(result)).await;
        }
    };
    tokio::join!(checks::run(send, config), forward);
}

/// Writes the learned routers down when they changed, and not too often.
pub(super) async fn keep(dir: &Path, mut learned: watch::Receiver<Vec<Learned>>) {
    while learned.changed().await.is_ok() {
        let routers = learned.borrow_and_update().clone();
        save(dir, &routers);
        sleep(KEEP_EVERY).await;
    }
}

/// Writes the learned routers down. A failure is said, and is not the end.
pub(super) fn save(dir: &Path, learned: &[Learned]) {
    // Where it can't be made, the writing says so.
    let _ = std::fs::create_dir_all(dir);
    if let Err(error) = state::save(dir, learned) {
        tracing::warn!("learned routers will not survive a restart: {error}");
    }
}

/// Reads the learned routers. A failure is said, and is not the end.
pub(super) fn restore(dir: &Path) -> Vec<Learned> {
    state::load(dir).unwrap_or_else(|error| {
        tracing::warn!("no learned routers of an earlier run: {error}");
        Vec::new()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_reload_cannot_change_is_named() {
        let old = Config::discovery("lb01");
        let mut new = old.clone();
        new.watch.passive = true;
        assert!(needs_restart(&old, &new).is_empty());
        new.web.listen.clear();
        new.node.name = "lb02".into();
        assert_eq!(needs_restart(&old, &new), ["[web] listen", "[node] name"]);
    }
}
