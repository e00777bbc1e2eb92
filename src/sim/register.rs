//! The arbiter: one key in a register that knows compare-and-set, linearizable whatever happens to it.

use crate::fence::lease::{Action, Entry, Outcome, Sighting, Value};

use super::spec::MAX_NODES;

/// What it answers.
#[derive(Clone, Debug)]
pub(super) enum Said {
    Read(u64, Sighting),
    Cas(u64, Outcome),
}

/// The register, and what keeps requests from it.
#[derive(Debug, Default)]
pub(super) struct Register {
    /// Counts every write: no version is ever used again, whatever is removed.
    revision: u64,
    entry: Option<(u64, Entry)>,
    pub outages: u32,
    pub stalls: u32,
    /// How many cuts lie between each node and it.
    pub cuts: [u32; MAX_NODES],
    waiting: Vec<(usize, u32, Action)>,
}

impl Register {
    pub const fn is_down(&self) -> bool {
        self.outages > 0
    }

    pub const fn is_stalled(&self) -> bool {
        self.stalls > 0
    }

    pub const fn is_cut(&self, node: usize) -> bool {
        self.cuts[node] > 0
    }

    /// A request waits until there is a leader.
    pub fn queue(&mut self, node: usize, life: u32, request: Action) {
        self.waiting.push((node, life, request));
    }

    pub fn take_queue(&mut self) -> Vec<(usize, u32, Action)> {
        std::mem::take(&mut self.waiting)
    }

    /// Somebody removes the key.
    pub fn forget(&mut self) {
        self.revision += 1;
        self.entry = None;
    }

    /// Answers a request; `None` for what is none.
    pub fn take(&mut self, request: &Action) -> Option<Said> {
        match request {
            Action::Read { serial } => Some(Said::Read(*serial, self.sighting())),
            Action::Cas { serial, version, entry } => {
                if *version != self.sighting().version {
                    return Some(Said::Cas(*serial, Outcome::Conflict(self.sighting())));
                }
                self.revision += 1;
                self.entry = Some((self.revision, entry.clone()));
                Some(Said::Cas(*serial, Outcome::Done(self.revision)))
            }
            _ => None,
        }
    }

    fn sighting(&self) -> Sighting {
        match &self.entry {
            Some((version, entry)) => Sighting { version: *version, value: Value::Entry(entry.clone()) },
            None => Sighting { version: 0, value: Value::Absent },
        }
    }
}
