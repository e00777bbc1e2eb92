//! Finds out, on the edge, whether what the routers track works: checks, processes and files, and what numbers they say. Each has a task of its own, so
//! one that hangs delays no other.

mod tally;

use std::collections::BTreeMap;
use std::future::pending;
use std::path::PathBuf;
use std::sync::Arc;

use tokio::net::TcpStream;
use tokio::sync::{mpsc, watch};
use tokio::task::{AbortHandle, JoinSet, spawn_blocking};
use tokio::time::{MissedTickBehavior, interval, timeout};

use super::http::Client;
use super::tracker::CheckResult;
use crate::config::{Check, Config, Probe, Tracked};
use crate::sys::script::{self, Script, User};
use crate::sys::track::{file_number, process_running};
use crate::time::Duration;
use crate::vrrp::track::Found;
use tally::Tally;

/// Between two looks at a process or into a file.
const LOOK_EVERY: Duration = Duration::from_millis(500);

/// What is quoted of a failing script's output, in characters.
const QUOTE_MAX: usize = 200;

/// Why something doesn't work, in words.
type Failure = String;

/// Runs everything that some router tracks, for as long as there is a configuration. A change of it leaves what stays the same alone.
/// Nothing is sent for what stopped being tracked.
pub async fn run(results: mpsc::Sender<CheckResult>, mut config: watch::Receiver<Arc<Config>>) {
    let mut tasks = JoinSet::new();
    let mut running: BTreeMap<Tracked, (Job, AbortHandle)> = BTreeMap::new();
    loop {
        let wanted = jobs(&config.borrow_and_update());
        running.retain(|what, (job, task)| {
            let stays = wanted.get(what) == Some(job);
            if !stays {
                task.abort();
            }
            stays
        });
        for (what, job) in wanted {
            running.entry(what).or_insert_with_key(|what| {
                let task = tasks.spawn(repeat(what.clone(), job.clone(), results.clone()));
                (job, task)
            });
        }
        while tasks.try_join_next().is_some() {}
        if config.changed().await.is_err() {
            return;
        }
    }
}

/// Something that is found out again and again.
#[derive(Clone, Debug, PartialEq)]
enum Job {
    Check(Check),
    Process(String),
    File(PathBuf),
    Number(PathBuf),
}

/// What is to be found out for all routers together.
fn jobs(config: &Config) -> BTreeMap<Tracked, Job> {
    let tracks = config.routers.iter().filter_map(|router| router.speak.as_ref()).flat_map(|speak| &speak.track);
    let job = |what: &Tracked| match what {
        Tracked::Check(name) => config.checks.iter().find(|check| check.name == *name).cloned().map(Job::Check),
        Tracked::Process(name) => Some(Job::Process(name.clone())),
        Tracked::File(path) => Some(Job::File(path.clone())),
        Tracked::Number(path) => Some(Job::Number(path.clone())),
        // Netlink tells of these.
        Tracked::Interface(_) => None,
    };
    tracks.filter_map(|track| Some((track.what.clone(), job(&track.what)?))).collect()
}

/// One run after the other, never two at a time.
async fn repeat(what: Tracked, job: Job, results: mpsc::Sender<CheckResult>) {
    let (every, rise, fall) = match &job {
        Job::Check(check) => (check.interval, check.rise, check.fall),
        Job::Process(_) | Job::File(_) | Job::Number(_) => (LOOK_EVERY, 1, 1),
    };
    let mut ticks = interval(every);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let (mut tally, mut known) = (Tally::new(rise, fall), None);
    loop {
        ticks.tick().await;
        let outcome = job.once().await;
        let changed = tally.count(outcome.is_ok());
        match (&outcome, changed) {
            (Ok(_), Some(_)) => tracing::info!("{what} works"),
            (Err(failure), Some(_)) => tracing::warn!("{what} fails: {failure}"),
            (_, None) => {}
        }
        let found = match (outcome, &job) {
            (Ok(Found::Number(number)), _) => Some(Found::Number(number)),
            // It may be just being written: the last one counts.
            (Err(_), Job::Number(_)) => None,
            _ => changed.map(Found::Up),
        };
        let Some(found) = found.filter(|found| known != Some(*found)) else { continue };
        known = Some(found);
        if results.send(CheckResult { what: what.clone(), found }).await.is_err() {
            return;
        }
    }
}

impl Job {
    /// What was found, if it works.
    async fn once(&self) -> Result<Found, Failure> {
        match self {
            Self::Check(check) => check.once().await?,
            Self::Process(name) => {
                let name = name.clone();
                let failure = format!("there is no process {name:?}");
                if !blocking(move || process_running(&name).map_err(|error| error.to_string())).await? {
                    return Err(failure);
                }
            }
            Self::File(path) => {
                let path = path.clone();
                let there = blocking(move || match path.try_exists() {
                    Ok(there) => Ok(there),
                    Err(error) => Err(format!("{}: {error}", path.display())),
                });
                if there.await? {
                    return Err("the file is there".into());
                }
            }
            Self::Number(path) => {
                let path = path.clone();
                let number = blocking(move || file_number(&path).map_err(|error| error.to_string()));
                return number.await.map(Found::Number);
            }
        }
        Ok(Found::Up(true))
    }
}

/// Looks into a file system, which may hang: then there is no news of this thing, and of no other.
async fn blocking<T: Send + 'static>(look: impl FnOnce() -> Result<T, Failure> + Send + 'static) -> Result<T, Failure> {
    match spawn_blocking(look).await {
        Ok(found) => found,
        // Cancelled, so the daemon ends; or a panic, which has been reported.
        Err(_) => pending().await,
    }
}

impl Check {
    async fn once(&self) -> Result<(), Failure> {
        match &self.probe {
            Probe::Command { command, user } => execute(command, user, self.timeout).await,
            Probe::Http { url, expect_status } => {
                let client = Client::new(self.timeout, 0);
                let status = client.status(url).await.map_err(|error| error.to_string())?;
                match expect_status.contains(&status) {
                    true => Ok(()),
                    false => Err(format!("{url} answers with status {status}")),
                }
            }
            Probe::Tcp(address) => {
                let connected = timeout(self.timeout, TcpStream::connect(address)).await;
                let late = |_| format!("{address}: it took longer than {:?}", self.timeout);
                connected.map_err(late)?.map(drop).map_err(|error| format!("{address}: {error}"))
            }
        }
    }
}

/// Runs a command as `user` to its end.
pub(super) async fn execute(command: &[String], user: &str, timeout: Duration) -> Result<(), Failure> {
    let user = User::lookup(user).map_err(|error| error.to_string())?;
    let script = Script { command, environment: &[], user: &user, timeout };
    let finished = script::run(script).await.map_err(|error| error.to_string())?;
    let how = match finished.status {
        Some(status) if status.success() => return Ok(()),
        Some(status) => status.to_string(),
        None => format!("it took longer than {timeout:?}"),
    };
    Err(format!("{how}{}", quote(&finished.output)))
}

/// The last line of a script's output, such that no terminal and no log can be led astray by it.
fn quote(output: &[u8]) -> String {
    let text = String::from_utf8_lossy(output);
    match text.lines().rfind(|line| !line.trim().is_empty()) {
        Some(line) => format!(": {:?}", line.trim().chars().take(QUOTE_MAX).collect::<String>()),
        None => String::new(),
    }
}

#[cfg(test)]
pub(super) mod tests;
