//! What goes wrong in a world, and how it is over.

use crate::time::Duration;
use crate::vrrp::OWNER;

use super::super::journal::Kind;
use super::super::process::{Input, Process};
use super::super::spec::{Fault, Nodes};
use super::{Happening, World, new_gate, place};

/// An instant that a wake-up takes.
const AT_ONCE: (Duration, Duration) = (Duration::from_micros(1), Duration::from_micros(50));

impl World {
    /// A mishap begins, or is over.
    pub(super) fn begin(&mut self, index: usize, begins: bool) {
        let mishap = self.spec.faults[index];
        let names: Vec<&str> = self.spec.nodes.iter().map(|node| node.name.as_str()).collect();
        let text = || format!("{}{}", if begins { "" } else { "over: " }, mishap.fault.describe(&names));
        self.journal.note(self.now, place(&mishap.fault), Kind::Fault, self.holders, text);
        if begins {
            self.break_it(mishap.fault);
            if let Some(lasts) = mishap.lasts {
                self.queue.push(self.now + lasts, Happening::End(index));
            }
        } else {
            self.mend(mishap.fault);
        }
        if let Some(node) = place(&mishap.fault) {
            self.look_at(node);
        }
        self.checks.on_fault(self.now, &self.nodes, &self.network, self.holders, &mut self.journal);
        let disturbed = match place(&mishap.fault).filter(|_| !matches!(mishap.fault, Fault::Isolate(_))) {
            Some(node) => node..node + 1,
            None => 0..self.nodes.len(),
        };
        disturbed.for_each(|node| self.checks.on_disturbance(self.now, node));
    }

    fn break_it(&mut self, fault: Fault) {
        match fault {
            Fault::Pause(node) => self.pause(node, || "stopped".into()),
            Fault::Kill(node) => self.end_process(node, "is killed"),
            Fault::PowerOff(node) => self.power(node, false),
            Fault::Stop(node) => self.input(node, Input::Shutdown),
            Fault::Cut { from, to } => {
                self.checks.on_fault(self.now, &self.nodes, &self.network, self.holders, &mut self.journal);
                self.network.cut(self.now, from, to, true);
            }
            Fault::Cable(node) => self.plug(node, false),
            Fault::Weather(weather) => self.network.set_weather(Some(weather)),
            Fault::Firewall(node, wall) => self.nodes[node].walls[wall as usize] += 1,
            Fault::DeleteAddress(node) => self.tamper(node, false),
            Fault::AddAddress(node) => self.tamper(node, true),
            Fault::SlowKernel(node, delay) => self.nodes[node].netlink_delay = Some(delay),
            Fault::BrokenKernel(node) => self.nodes[node].netlink_broken += 1,
            Fault::Priority(node, worth) => self.weigh(node, worth),
            Fault::HandOver(node) => self.input(node, Input::HandOver),
            Fault::ArbiterStalls => self.register.stalls += 1,
            Fault::ArbiterDown => self.register.outages += 1,
            Fault::ArbiterCut(node) => self.register.cuts[node] += 1,
            Fault::ArbiterForgets => self.register.forget(),
            Fault::ChannelCut(node) => self.mute(node, true),
            Fault::Isolate(node) => self.isolate(node, true),
        }
    }

    fn mend(&mut self, fault: Fault) {
        match fault {
            Fault::Pause(node) => self.resume(node),
            Fault::Kill(node) | Fault::Stop(node) => self.start(node),
            Fault::PowerOff(node) => self.power(node, true),
            Fault::Cut { from, to } => self.network.cut(self.now, from, to, false),
            Fault::Cable(node) => self.plug(node, true),
            Fault::Weather(_) => self.network.set_weather(None),
            Fault::Firewall(node, wall) => {
                let walls = &mut self.nodes[node].walls[wall as usize];
                *walls = count(*walls, false);
            }
            Fault::SlowKernel(node, _) => self.nodes[node].netlink_delay = None,
            Fault::BrokenKernel(node) => {
                let broken = &mut self.nodes[node].netlink_broken;
                *broken = count(*broken, false);
            }
            Fault::Priority(node, _) => {
                self.weigh(node, self.spec.nodes[node].settings.priority);
            }
            Fault::ArbiterStalls => {
                self.register.stalls = count(self.register.stalls, false);
                self.write_queued();
            }
            Fault::ArbiterDown => self.register.outages = count(self.register.outages, false),
            Fault::ArbiterCut(node) => self.register.cuts[node] = count(self.register.cuts[node], false),
            Fault::ChannelCut(node) => self.mute(node, false),
            Fault::Isolate(node) => self.isolate(node, false),
            Fault::DeleteAddress(_) | Fault::AddAddress(_) | Fault::HandOver(_) | Fault::ArbiterForgets => {}
        }
    }

    /// Stops a process; its kernel runs on.
    pub(super) fn pause(&mut self, node: usize, why: impl FnOnce() -> String) {
        self.nodes[node].pauses += 1;
        self.journal.note(self.now, Some(node), Kind::Fault, self.holders, why);
    }

    /// Lets it go on.
    pub(super) fn resume(&mut self, node: usize) {
        let this = &mut self.nodes[node];
        this.pauses = this.pauses.saturating_sub(1);
        if this.pauses == 0 {
            self.journal.note(self.now, Some(node), Kind::Fault, self.holders, || "goes on".into());
            self.checks.on_resume(self.now, node);
            self.wake(node, AT_ONCE);
        }
    }

    /// Starts the daemon, unless it runs already or the machine is off.
    pub(super) fn start(&mut self, node: usize) {
        let local = self.local(node);
        let this = &mut self.nodes[node];
        if this.process.is_some() || !this.kernel.is_powered() {
            return;
        }
        this.life += 1;
        this.pauses = 0;
        let mut process = Process::new(local, node, this.life, &self.spec);
        process.push(Input::Carrier(this.kernel.has_carrier()));
        if this.kernel.address {
            process.push(Input::Address(true));
        }
        this.process = Some(process);
        if let Some(gate) = &mut this.kernel.gate {
            // A new life installs its rules anew, closed.
            *gate = new_gate(&self.spec, node);
        }
        self.checks.on_start(self.now, node);
        self.journal.note(self.now, Some(node), Kind::Fault, self.holders, || "starts".into());
        self.look_at(node);
        self.wake(node, AT_ONCE);
    }

    /// The process is no more; what it has left in its kernel stays.
    pub(super) fn end_process(&mut self, node: usize, how: &str) {
        let this = &mut self.nodes[node];
        if this.process.take().is_some() {
            this.pauses = 0;
            this.life += 1;
            self.journal.note(self.now, Some(node), Kind::Fault, self.holders, || format!("the daemon {how}"));
        }
        self.look_at(node);
    }

    fn power(&mut self, node: usize, is_on: bool) {
        let kernel = &mut self.nodes[node].kernel;
        let was_on = kernel.is_powered();
        kernel.outages = count(kernel.outages, !is_on);
        if kernel.is_powered() == was_on {
            return;
        }
        kernel.address = self.spec.nodes[node].settings.priority == OWNER;
        kernel.jobs.clear();
        kernel.gate = self.spec.gate.then(|| new_gate(&self.spec, node));
        if is_on {
            self.start(node);
        } else {
            self.end_process(node, "is gone with its machine");
        }
    }

    fn plug(&mut self, node: usize, is_in: bool) {
        let kernel = &mut self.nodes[node].kernel;
        kernel.pulls = count(kernel.pulls, !is_in);
        let has_carrier = kernel.has_carrier();
        self.checks.on_carrier(self.now, node);
        self.input(node, Input::Carrier(has_carrier));
    }

    fn isolate(&mut self, node: usize, is_cut: bool) {
        let (one, all) = (Nodes::one(node), Nodes(0xff));
        self.checks.on_fault(self.now, &self.nodes, &self.network, self.holders, &mut self.journal);
        self.network.cut(self.now, one, all, is_cut);
        self.network.cut(self.now, all, one, is_cut);
        self.isolations[node] = count(self.isolations[node], is_cut);
        let is_isolated = self.isolations[node] > 0;
        self.checks.on_isolation(self.now, node, is_isolated, &self.nodes, self.holders, &mut self.journal);
    }

    fn mute(&mut self, node: usize, is_cut: bool) {
        self.checks.on_fault(self.now, &self.nodes, &self.network, self.holders, &mut self.journal);
        self.checks.on_disturbance(self.now, node);
        self.channel_cuts[node] = count(self.channel_cuts[node], is_cut);
        self.checks.on_mute(node, self.channel_cuts[node] > 0);
    }

    fn weigh(&mut self, node: usize, worth: u8) {
        self.checks.on_rank(node, worth);
        self.input(node, Input::Priority(worth));
    }

    fn tamper(&mut self, node: usize, add: bool) {
        let this = &mut self.nodes[node];
        if this.kernel.address != add && this.kernel.is_powered() {
            (this.kernel.address, this.kernel.tampered) = (add, true);
            self.input(node, Input::Address(add));
        }
    }
}

/// One more, or one less.
const fn count(count: u32, more: bool) -> u32 {
    if more { count + 1 } else { count.saturating_sub(1) }
}
