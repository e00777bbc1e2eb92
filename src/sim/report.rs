//! What became of a run.

use std::rc::Rc;

use crate::time::Duration;

use super::checks::{Checks, Spans, Violation};
use super::frames::Packet;
use super::journal::{Entry, Journal};
use super::spec::Spec;

/// What became of a run.
#[derive(Debug)]
pub struct Report {
    /// Names of the nodes.
    pub names: Vec<String>,
    /// How long it was.
    pub length: Duration,
    /// Equal for equal runs.
    pub hash: u64,
    /// The rules that were broken, in order.
    pub violations: Vec<Violation>,
    /// Who answered, and for how long nobody or several did.
    pub spans: Spans,
    /// What happened, if it was kept.
    pub entries: Vec<Entry>,
    frames: Vec<(Duration, Rc<Packet>)>,
}

impl Report {
    pub(super) fn new(spec: &Spec, journal: Journal, checks: Checks) -> Self {
        let hash = journal.hash();
        let frames = journal.frames.into_iter().map(|(at, packet)| (at.since(Default::default()), packet));
        Self {
            names: spec.nodes.iter().map(|node| node.name.clone()).collect(),
            length: spec.length,
            hash,
            violations: checks.violations,
            spans: checks.spans,
            entries: journal.entries,
            frames: frames.collect(),
        }
    }

    /// Every frame that left a node, if they were kept: when, and its bytes.
    pub fn frames(&self) -> impl Iterator<Item = (Duration, &[u8])> {
        self.frames.iter().map(|(at, packet)| (*at, packet.bytes.as_slice()))
    }
}
