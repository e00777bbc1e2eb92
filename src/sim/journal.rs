//! What happened, in order: a hash over all of it, and the text of it where somebody wants to read it.

use std::rc::Rc;

use crate::time::{Duration, Instant};

use super::chance::scramble;
use super::frames::Packet;
use super::spec::Nodes;

/// Kinds of entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Kind {
    /// Something goes wrong, or is over.
    Fault,
    /// A router's state.
    State,
    /// Who answers for the address.
    Holders,
    /// A fence falls or is lifted.
    Fence,
    /// The arbiter grants a lease, or it is lost.
    Lease,
    /// The watcher's verdict.
    Verdict,
    /// A speaker complains.
    Alarm,
    /// A rule is broken.
    Violation,
}

impl Kind {
    /// A word.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Fault => "fault",
            Self::State => "state",
            Self::Holders => "holders",
            Self::Fence => "fence",
            Self::Lease => "lease",
            Self::Verdict => "verdict",
            Self::Alarm => "alarm",
            Self::Violation => "violation",
        }
    }
}

/// One thing that happened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// When, since the beginning.
    pub at: Duration,
    /// On which node, if on one.
    pub node: Option<usize>,
    /// What kind of thing.
    pub kind: Kind,
    /// Who answers for the address afterwards.
    pub holders: Nodes,
    /// In words.
    pub text: String,
}

/// The book of a run.
#[derive(Debug)]
pub(super) struct Journal {
    hash: u64,
    keeps: bool,
    pub entries: Vec<Entry>,
    pub frames: Vec<(Instant, Rc<Packet>)>,
}

impl Journal {
    /// An empty one, which keeps text and frames or only the hash.
    pub const fn new(seed: u64, keeps: bool) -> Self {
        Self { hash: scramble(seed), keeps, entries: Vec::new(), frames: Vec::new() }
    }

    /// The hash of all that was noted: equal for equal runs.
    pub const fn hash(&self) -> u64 {
        self.hash
    }

    /// Notes what happened; `text` is asked for only where it is kept.
    pub fn note(
        &mut self,
        now: Instant,
        node: Option<usize>,
        kind: Kind,
        holders: Nodes,
        text: impl FnOnce() -> String,
    ) {
        let place = node.map_or(0xff, |node| node as u64);
        self.hash = scramble(self.hash ^ now.as_nanos() ^ (place << 56) ^ ((kind as u64) << 48));
        self.hash = scramble(self.hash ^ u64::from(holders.0));
        if self.keeps {
            self.entries.push(Entry { at: now.since(Instant::ZERO), node, kind, holders, text: text() });
        }
    }

    /// Notes a frame that left a node.
    pub fn frame(&mut self, now: Instant, packet: &Rc<Packet>) {
        self.hash = scramble(self.hash ^ now.as_nanos() ^ packet.bytes.len() as u64);
        if self.keeps {
            self.frames.push((now, packet.clone()));
        }
    }
}
