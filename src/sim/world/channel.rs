//! Whom a node reaches beside its adverts: by pings on the wire, and over the second channel.
//!
//! The second channel is another network than the addresses'. What is asked on it is answered from what a process last published,
//! even while its core does not come to it: a stale answer is the worst that a peer can get.

use crate::time::Instant;

use super::super::process::Input;
use super::{Happening, World};

impl World {
    /// A node asks another one.
    pub(super) fn inquire(&mut self, from: usize, life: u32, node: usize, asked: Instant) {
        if self.reaches(from, node) {
            let at = self.now + self.way();
            self.queue.push(at, Happening::Inquiry { from, life, node, asked });
        }
    }

    /// The question arrives.
    pub(super) fn on_inquiry(&mut self, from: usize, life: u32, node: usize, asked: Instant) {
        let local = self.local(node);
        let this = &self.nodes[node];
        let is_deaf = this.pauses > 0 && self.chance.below(2) == 0;
        let Some(process) = this.process.as_ref().filter(|_| this.kernel.is_powered() && !is_deaf) else { return };
        let Some(answer) = process.answer(local).map(Box::new) else { return };
        if self.reaches(node, from) {
            let at = self.now + self.way();
            self.queue.push(at, Happening::Answer { node: from, life, asked, answer });
        }
    }

    /// A node pings the others and the witness.
    pub(super) fn ping(&mut self, node: usize) {
        let witness = self.spec.witness && self.is_linked(node) && self.isolations[node] == 0;
        let anyone = self.reaches_anyone(node);
        self.input(node, Input::Reach { anyone, witness });
    }

    /// True if any other node, or the witness, would answer this one.
    pub(super) fn reaches_anyone(&self, node: usize) -> bool {
        let witness = self.spec.witness && self.isolations[node] == 0;
        let answers =
            |other| other != node && self.is_linked(other) && self.network.audible_since(node, other).is_some();
        self.is_linked(node) && (witness || (0..self.nodes.len()).any(answers))
    }

    fn is_linked(&self, node: usize) -> bool {
        let kernel = &self.nodes[node].kernel;
        kernel.is_powered() && kernel.has_carrier()
    }

    fn reaches(&mut self, from: usize, to: usize) -> bool {
        let is_cut = [from, to].iter().any(|node| self.channel_cuts[*node] > 0);
        !is_cut && !self.is_lost()
    }
}
