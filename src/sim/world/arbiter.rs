//! The way to the arbiter and back, and what a lease does with the gate.

use crate::fence::lease::Action;
use crate::time::{Duration, Instant};

use super::super::process::Input;
use super::super::register::Said;
use super::{Happening, TICK, World};

/// The way to the arbiter, or back.
const WAY: (Duration, Duration) = (Duration::from_micros(200), Duration::from_millis(3));

impl World {
    /// A lease has something done with the gate.
    pub(super) fn transact(&mut self, node: usize, act: &Action) {
        let late = self.chance.between(Duration::ZERO, TICK);
        let local = self.local(node);
        let Some(gate) = &mut self.nodes[node].kernel.gate else { return };
        let done = gate.transact(local, act, late);
        if let Action::Permit { serial, .. }
        | Action::Open { serial, .. }
        | Action::Refresh { serial, .. }
        | Action::Close { serial } = act
        {
            self.input(node, Input::Gate(*serial, done));
        }
        if matches!(act, Action::Open { .. } | Action::Refresh { .. }) {
            self.checks.on_lease(self.now, node, &self.nodes, &mut self.journal);
        }
    }

    /// A request leaves for the arbiter.
    pub(super) fn send_request(&mut self, node: usize, life: u32, request: Action) {
        if !self.register.is_cut(node) && !self.is_lost() {
            let at = self.now + self.way();
            self.queue.push(at, Happening::Register { node, life, request: Box::new(request) });
        }
    }

    /// It arrives.
    pub(super) fn on_request(&mut self, node: usize, life: u32, request: &Action) {
        if self.register.is_down() {
            return;
        }
        if self.register.is_stalled() && matches!(request, Action::Cas { .. }) {
            // It is written when there is a leader again.
            return self.register.queue(node, life, request.clone());
        }
        let Some(said) = self.register.take(request) else { return };
        self.send_answer(node, life, said);
    }

    /// What waited for a leader is written now.
    pub(super) fn write_queued(&mut self) {
        for (node, life, request) in self.register.take_queue() {
            if let Some(said) = self.register.take(&request) {
                self.send_answer(node, life, said);
            }
        }
    }

    fn send_answer(&mut self, node: usize, life: u32, said: Said) {
        if !self.register.is_cut(node) && !self.is_lost() {
            let at = self.now + self.way();
            self.queue.push(at, Happening::Reply { node, life, said: Box::new(said) });
        }
    }

    fn is_calm(&self) -> bool {
        self.now >= Instant::ZERO + self.spec.calm_from
    }

    pub(super) fn is_lost(&mut self) -> bool {
        !self.is_calm() && self.chance.ppm(self.spec.hazards.lost_ppm)
    }

    pub(super) fn way(&mut self) -> Duration {
        let hazards = self.spec.hazards;
        if !self.is_calm() && self.chance.ppm(hazards.slow_ppm) {
            return self.chance.any_magnitude(WAY.1, hazards.slow_max);
        }
        self.chance.between(WAY.0, WAY.1)
    }
}
