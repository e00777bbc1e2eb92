//! Tells others of a router's changes of state, on the edge: by commands, and by lines in a FIFO as keepalived writes them.
//!
//! The core's end is a [`Herald`], which never waits. [`run`] takes its notices in: lines are written at once, or not at all;
//! commands run one after the other for each router, so that none overtakes an earlier one, and a router whose
//! commands hang delays no other's.

use std::collections::{BTreeMap, VecDeque};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use tokio::sync::mpsc;
use tokio::task::JoinSet;

use super::checks::execute;
use crate::config::Notify;
use crate::sys::fifo::Fifo;
use crate::vrrp::State;

/// Notices that wait for the edge.
pub const NOTICES_MAX: usize = 4096;

/// Commands of one router that wait for the one that runs.
const COMMANDS_MAX: usize = 64;

/// What others are told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Told {
    /// It became master.
    Master,
    /// It became backup.
    Backup,
    /// It can't serve.
    Fault,
    /// It was fenced.
    Fenced,
    /// The daemon ends, or the router is configured no more.
    Stop,
}

impl Told {
    /// What is told of a state that was entered; nothing of one that only precedes the start.
    pub const fn of(state: State) -> Option<Self> {
        match state {
            State::Init => None,
            State::Master => Some(Self::Master),
            State::Backup => Some(Self::Backup),
            State::Fault => Some(Self::Fault),
            State::Fenced => Some(Self::Fenced),
        }
    }

    /// As keepalived writes it.
    const fn as_str(self) -> &'static str {
        match self {
            Self::Master => "MASTER",
            Self::Backup => "BACKUP",
            Self::Fault => "FAULT",
            Self::Fenced => "FENCED",
            Self::Stop => "STOP",
        }
    }

    fn command(self, notify: &Notify) -> &[String] {
        match self {
            Self::Master => &notify.master,
            Self::Backup => &notify.backup,
            Self::Fault => &notify.fault,
            Self::Fenced => &notify.fenced,
            Self::Stop => &notify.stop,
        }
    }
}

/// Of what a notice speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// One router.
    Instance,
    /// A sync group.
    Group,
}

impl Kind {
    /// As keepalived writes it.
    const fn as_str(self) -> &'static str {
        match self {
            Self::Instance => "INSTANCE",
            Self::Group => "GROUP",
        }
    }
}

/// The core's end for one router or group.
#[derive(Debug)]
pub struct Herald {
    queue: mpsc::Sender<Notice>,
    kind: Kind,
    name: Arc<str>,
    notify: Arc<Notify>,
    failures: Arc<AtomicU64>,
}

impl Herald {
    /// One that speaks through `queue`, which has room for [`NOTICES_MAX`]. What has neither command nor FIFO in `notify` says nothing.
    pub fn new(queue: mpsc::Sender<Notice>, kind: Kind, name: &str, notify: Notify) -> Self {
        Self { queue, kind, name: name.into(), notify: Arc::new(notify), failures: Arc::default() }
    }

    /// Takes new commands. What is on its way goes by the old ones.
    pub fn reconfigure(&mut self, notify: Notify) {
        self.notify = Arc::new(notify);
    }

    /// Tells of a state, with the effective priority (0 for a group). Never waits: if the edge is too far behind, it counts as failed.
    pub fn tell(&self, told: Told, priority: u8) {
        if told.command(&self.notify).is_empty() && self.notify.fifo.is_none() {
            return;
        }
        let notice = Notice {
            kind: self.kind,
            name: self.name.clone(),
            told,
            priority,
            notify: self.notify.clone(),
            failures: self.failures.clone(),
        };
        if self.queue.try_send(notice).is_err() {
            self.failures.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Commands and lines that failed, took too long or were dropped.
    pub fn failures(&self) -> u64 {
        self.failures.load(Ordering::Relaxed)
    }
}

/// One thing to tell.
#[derive(Clone, Debug)]
pub struct Notice {
    kind: Kind,
    name: Arc<str>,
    told: Told,
    priority: u8,
    notify: Arc<Notify>,
    failures: Arc<AtomicU64>,
}

impl Notice {
    /// keepalived's line.
    fn line(&self) -> String {
        format!("{} \"{}\" {} {}\n", self.kind.as_str(), self.name, self.told.as_str(), self.priority)
    }

    /// The command with keepalived's arguments behind its own; empty if there is none.
    fn command(&self) -> Vec<String> {
        let mut command = self.told.command(&self.notify).to_vec();
        if !command.is_empty() {
            let arguments = [self.kind.as_str(), &self.name, self.told.as_str(), &self.priority.to_string()];
            command.extend(arguments.map(String::from));
        }
        command
    }

    fn fail(&self, why: &str) {
        self.failures.fetch_add(1, Ordering::Relaxed);
        tracing::warn!("notify of {} ({}): {why}", self.name, self.told.as_str());
    }
}

/// Delivers notices until nobody can send any more and all commands have ended; each has its timeout.
pub async fn run(mut notices: mpsc::Receiver<Notice>) {
    let mut desk = Desk::default();
    loop {
        tokio::select! {
            notice = notices.recv() => match notice {
                Some(notice) => desk.deliver(notice),
                None => break,
            },
            Some(ended) = desk.running.join_next() => desk.go_on(ended.ok()),
        }
    }
    while let Some(ended) = desk.running.join_next().await {
        desk.go_on(ended.ok());
    }
}

/// Whose commands run one after the other.
type Line = (Kind, Arc<str>);

#[derive(Default)]
struct Desk {
    fifos: BTreeMap<PathBuf, Fifo>,
    /// What waits for the command that runs; a router is in here while one does.
    waiting: BTreeMap<Line, VecDeque<Notice>>,
    running: JoinSet<Line>,
}

impl Desk {
    fn deliver(&mut self, notice: Notice) {
        if let Some(path) = &notice.notify.fifo {
            let fifo = self.fifos.entry(path.clone()).or_insert_with(|| Fifo::new(path));
            if let Err(error) = fifo.write(notice.line().as_bytes()) {
                notice.fail(&error.to_string());
            }
        }
        if notice.told.command(&notice.notify).is_empty() {
            return;
        }
        match self.waiting.get_mut(&(notice.kind, notice.name.clone())) {
            Some(queue) if queue.len() < COMMANDS_MAX => queue.push_back(notice),
            Some(_) => notice.fail("dropped: too many commands wait for one that takes long"),
            None => self.start(notice),
        }
    }

    fn start(&mut self, notice: Notice) {
        let line = (notice.kind, notice.name.clone());
        self.waiting.entry(line.clone()).or_default();
        self.running.spawn(async move {
            let Notify { user, timeout, .. } = &*notice.notify;
            if let Err(failure) = execute(&notice.command(), user, *timeout).await {
                notice.fail(&failure);
            }
            line
        });
    }

    fn go_on(&mut self, ended: Option<Line>) {
        let Some(line) = ended else { return };
        match self.waiting.get_mut(&line).and_then(VecDeque::pop_front) {
            Some(next) => self.start(next),
            None => drop(self.waiting.remove(&line)),
        }
    }
}

#[cfg(test)]
mod tests;
