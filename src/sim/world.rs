//! The world: nodes, the wire between them, and what happens next.

use std::rc::Rc;

use crate::fence::Reason;
use crate::fence::lease::Action;
use crate::time::{Duration, Instant};
use crate::vrrp::OWNER;
use crate::wire::Seen;

use super::chance::Chance;
use super::checks::Checks;
use super::clock::Clock;
use super::frames::{self, Packet};
use super::gate::Gate;
use super::journal::{Journal, Kind};
use super::kernel::Kernel;
use super::network::Network;
use super::process::{Answer, AtGate, Input, Job, News, Op, Process, Step, Waiting};
use super::queue::Queue;
use super::register::{Register, Said};
use super::report::Report;
use super::spec::{Fault, MAX_NODES, Nodes, Spec, Wall, mac, primary, vip};

/// What an act costs the process, and how long it takes to wake up.
const ACT: (Duration, Duration) = (Duration::from_micros(2), Duration::from_micros(20));
const WAKE: (Duration, Duration) = (Duration::from_micros(5), Duration::from_micros(80));
/// What a request by netlink takes.
const NETLINK: (Duration, Duration) = (Duration::from_micros(20), Duration::from_micros(300));
/// A kernel's timeouts are as late as its clock's ticks are long.
const TICK: Duration = Duration::from_millis(4);
/// How much of a node's clock is behind it when the world begins, per node: no two show the same.
const AGE: Duration = Duration::from_secs(3600);
/// How long leave to open a gate again lives, as in `engine::speaker::gate`.
const LEAVE: Duration = Duration::from_millis(100);

/// What is to happen.
#[derive(Debug)]
enum Happening {
    /// A process does its next step, if it was not asked to do it earlier.
    Run {
        node: usize,
        token: u64,
    },
    /// A frame arrives.
    Arrive {
        from: usize,
        node: usize,
        packet: Rc<Packet>,
    },
    /// The kernel has done the oldest request.
    Netlink {
        node: usize,
    },
    /// A gate may have closed by time.
    Lapse {
        node: usize,
    },
    /// A mishap begins, or is over.
    Begin(usize),
    End(usize),
    /// A pause is over, if the process still lives.
    Resume {
        node: usize,
        life: u32,
    },
    /// A node's daemon is started.
    Start(usize),
    /// A request reaches the arbiter.
    Register {
        node: usize,
        life: u32,
        request: Box<Action>,
    },
    /// Its answer reaches the node.
    Reply {
        node: usize,
        life: u32,
        said: Box<Said>,
    },
    /// A question over the second channel reaches the node that is asked; it comes from this one.
    Inquiry {
        from: usize,
        life: u32,
        node: usize,
        asked: Instant,
    },
    /// Its answer reaches the one who asked.
    Answer {
        node: usize,
        life: u32,
        asked: Instant,
        answer: Box<Answer>,
    },
}

/// A node.
#[derive(Debug)]
pub(super) struct Node {
    pub kernel: Kernel,
    pub process: Option<Process>,
    /// Tells processes apart.
    life: u32,
    /// How many pauses the process is in.
    pub pauses: u32,
    token: u64,
    run_at: Option<Instant>,
    lapse_at: Option<Instant>,
    walls: [u32; 3],
    netlink_delay: Option<Duration>,
    netlink_broken: u32,
}

impl Node {
    /// True if its daemon runs.
    pub const fn runs(&self) -> bool {
        self.process.is_some() && self.pauses == 0
    }
}

/// A world in motion.
#[derive(Debug)]
pub(super) struct World {
    spec: Rc<Spec>,
    now: Instant,
    queue: Queue<Happening>,
    chance: Chance,
    nodes: Vec<Node>,
    network: Network,
    register: Register,
    /// How many cuts each node's second channel has.
    channel_cuts: [u32; MAX_NODES],
    /// How often each node is isolated.
    isolations: [u32; MAX_NODES],
    journal: Journal,
    checks: Checks,
    holders: Nodes,
}

impl World {
    /// A world at its beginning; with `keeps` it remembers all that happens.
    pub fn new(spec: Spec, keeps: bool) -> Self {
        let spec = Rc::new(spec);
        let mut world = Self {
            now: Instant::ZERO,
            queue: Queue::new(),
            chance: Chance::new(spec.seed),
            nodes: (0..spec.nodes.len()).map(|node| new_node(&spec, node)).collect(),
            network: Network::new(spec.weather),
            register: Register::default(),
            channel_cuts: [0; MAX_NODES],
            isolations: [0; MAX_NODES],
            journal: Journal::new(spec.seed, keeps),
            checks: Checks::new(&spec),
            holders: Nodes::default(),
            spec,
        };
        for (node, told) in world.spec.nodes.iter().enumerate() {
            world.queue.push(Instant::ZERO + told.starts_at, Happening::Start(node));
        }
        for (index, mishap) in world.spec.faults.iter().enumerate() {
            world.queue.push(Instant::ZERO + mishap.at, Happening::Begin(index));
        }
        world
    }

    /// Lets it run to its end.
    pub fn run(mut self) -> Report {
        let end = Instant::ZERO + self.spec.length;
        while let Some((at, happening)) = self.queue.pop() {
            if at > end {
                break;
            }
            self.now = at;
            self.happen(happening);
        }
        self.now = end;
        self.checks.finish(end, &self.nodes, &self.network, self.holders, &mut self.journal);
        Report::new(&self.spec, self.journal, self.checks)
    }

    fn happen(&mut self, happening: Happening) {
        match happening {
            Happening::Run { node, token } => self.on_run(node, token),
            Happening::Arrive { from, node, packet } => self.on_arrival(from, node, &packet),
            Happening::Netlink { node } => self.on_netlink(node),
            Happening::Lapse { node } => {
                self.nodes[node].lapse_at = None;
                self.look_at(node);
            }
            Happening::Begin(index) => self.begin(index, true),
            Happening::End(index) => self.begin(index, false),
            Happening::Resume { node, life } => {
                if self.nodes[node].life == life && self.nodes[node].process.is_some() {
                    self.resume(node);
                }
            }
            Happening::Start(node) => self.start(node),
            Happening::Register { node, life, request } => self.on_request(node, life, &request),
            Happening::Reply { node, life, said } => {
                if self.nodes[node].life == life {
                    self.input(node, Input::Register(*said));
                }
            }
            Happening::Inquiry { from, life, node, asked } => self.on_inquiry(from, life, node, asked),
            Happening::Answer { node, life, asked, answer } => {
                if self.nodes[node].life == life {
                    self.input(node, Input::Report(asked, answer));
                }
            }
        }
    }

    // ---- processes ------------------------------------------------------------------------------------------------

    fn local(&self, node: usize) -> Instant {
        self.nodes[node].kernel.clock.local(self.now)
    }

    /// Has a process do its next step `after` this, or earlier if that was wanted already.
    fn wake(&mut self, node: usize, after: (Duration, Duration)) {
        let at = self.now + self.chance.between(after.0, after.1);
        self.wake_at(node, at);
    }

    fn wake_at(&mut self, node: usize, at: Instant) {
        let this = &mut self.nodes[node];
        if this.run_at.is_none_or(|wanted| at < wanted) {
            this.run_at = Some(at);
            this.token += 1;
            self.queue.push(at, Happening::Run { node, token: this.token });
        }
    }

    fn on_run(&mut self, node: usize, token: u64) {
        let now = self.local(node);
        let this = &mut self.nodes[node];
        if this.token != token {
            return;
        }
        this.run_at = None;
        if this.pauses > 0 {
            return;
        }
        loop {
            let Some(process) = &mut self.nodes[node].process else { return };
            let step = process.step(now, &mut self.chance);
            let news = std::mem::take(&mut process.news);
            news.into_iter().for_each(|news| self.tell(node, news));
            match step {
                Step::Again => {}
                Step::Do(op) => {
                    self.attempt(node, op);
                    break;
                }
                Step::Sleep(until) => {
                    if let Some(until) = until {
                        let at = self.nodes[node].kernel.clock.world(until);
                        let late = self.chance.between(WAKE.0, WAKE.1);
                        self.wake_at(node, at.max(self.now) + late);
                    }
                    break;
                }
                Step::Gone => {
                    self.end_process(node, "has ended");
                    return;
                }
            }
        }
        self.checks.on_turn(self.now, node, &self.nodes, &self.network, self.holders, &mut self.journal);
    }

    /// Does what a process has decided, unless it is stopped just before.
    fn attempt(&mut self, node: usize, op: Op) {
        let hazards = self.spec.hazards;
        let is_calm = self.now >= Instant::ZERO + self.spec.calm_from;
        if !is_calm && self.chance.ppm(hazards.pause_ppm) {
            let rest = (Instant::ZERO + self.spec.calm_from).since(self.now);
            let pause = self.chance.any_magnitude(Duration::from_millis(1), hazards.pause_max).min(rest);
            if let Some(process) = &mut self.nodes[node].process {
                process.put_back(op);
            }
            let life = self.nodes[node].life;
            self.queue.push(self.now + pause, Happening::Resume { node, life });
            self.pause(node, || format!("stopped for {pause:.1?} just before an act"));
            return;
        }
        self.carry_out(node, op);
        self.wake(node, ACT);
        self.look_at(node);
    }

    fn carry_out(&mut self, node: usize, op: Op) {
        let life = self.nodes[node].life;
        match op {
            Op::Send(packet) => self.transmit(node, &packet),
            Op::Lease(act) => self.transact(node, &act),
            Op::Register(request) => self.send_request(node, life, request),
            Op::Inquire(peer, asked) => self.inquire(node, life, peer, asked),
            Op::Ping => self.ping(node),
            Op::Announce(packet) => self.announce(node, &packet),
            Op::Gate(act) => self.at_gate(node, act),
            Op::Ask(job) => {
                if job == Job::Release {
                    let answers = self.nodes[node].kernel.answers_until(self.local(node)).is_some();
                    self.checks.on_release(self.now, node, answers, &mut self.journal);
                }
                let jobs = &mut self.nodes[node].kernel.jobs;
                jobs.push_back((job, life));
                if jobs.len() == 1 {
                    self.begin_job(node);
                }
            }
        }
    }

    /// What a process does with its gate, and what it learns from that at once.
    fn at_gate(&mut self, node: usize, act: AtGate) {
        let local = self.local(node);
        let this = &mut self.nodes[node];
        let Some(gate) = &mut this.kernel.gate else { return };
        let stands = match act {
            AtGate::Close => return gate.close(),
            AtGate::SetPriority(priority) => return gate.set_priority(priority),
            AtGate::Permit => {
                let late = self.chance.between(Duration::ZERO, TICK);
                return gate.permit_reopening(local + LEAVE + late);
            }
            AtGate::Look => gate.is_open(local),
            AtGate::Reopen(lifetime) => gate.reopen(local, lifetime) || gate.is_open(local),
        };
        if let Some(process) = &mut this.process {
            process.see_gate(local, act != AtGate::Look, stands);
        }
    }

    /// A closed gate lets no word about the address out.
    fn announce(&mut self, node: usize, packet: &Rc<Packet>) {
        let local = self.local(node);
        if self.nodes[node].kernel.gate.as_ref().is_none_or(|gate| gate.is_open(local)) {
            self.transmit(node, packet);
        }
    }

    fn begin_job(&mut self, node: usize) {
        let usual = self.chance.between(NETLINK.0, NETLINK.1);
        let takes = self.nodes[node].netlink_delay.unwrap_or_default() + usual;
        self.queue.push(self.now + takes, Happening::Netlink { node });
    }

    fn on_netlink(&mut self, node: usize) {
        let this = &mut self.nodes[node];
        let Some((job, life)) = this.kernel.jobs.pop_front() else { return };
        let works = this.netlink_broken == 0;
        let is_own = self.spec.rules.keeps_own && self.spec.nodes[node].settings.priority == OWNER;
        if works && !(job == Job::Clean && is_own) {
            let wanted = job == Job::Claim;
            let is_news = this.kernel.address != wanted;
            (this.kernel.address, this.kernel.tampered) = (wanted, false);
            if is_news {
                self.input(node, Input::Address(wanted));
            }
        }
        if self.nodes[node].life == life {
            self.input(node, Input::Answer(job, works));
        }
        if !self.nodes[node].kernel.jobs.is_empty() {
            self.begin_job(node);
        }
        self.look_at(node);
    }

    fn input(&mut self, node: usize, input: Input) {
        if let Some(process) = &mut self.nodes[node].process {
            process.push(input);
            self.wake(node, WAKE);
        }
    }

    fn tell(&mut self, node: usize, news: News) {
        let holders = self.holders;
        let mut note = |kind, text: &dyn Fn() -> String| self.journal.note(self.now, Some(node), kind, holders, text);
        match news {
            News::Entered(from, to, reason) => {
                note(Kind::State, &|| format!("{from:?} -> {to:?}: {reason}"));
                self.checks.on_state(self.now, node, to);
            }
            News::Dropped(reason, why) => {
                note(Kind::Fence, &|| format!("drops its addresses: {why}"));
                match reason {
                    Reason::SplitBrain => {
                        self.checks.on_drop(self.now, node, &self.nodes, self.holders, &mut self.journal);
                    }
                    Reason::Isolation => {
                        let reaches = self.reaches_anyone(node);
                        self.checks.on_isolated(self.now, node, reaches, &mut self.journal);
                    }
                }
            }
            News::Released => note(Kind::Fence, &|| "the fence is lifted".into()),
            News::Unleased => self.checks.on_unleased(self.now, node, &mut self.journal),
            News::Lease(what) => note(Kind::Lease, &|| what.clone()),
            News::Yielded(why) => note(Kind::Fence, &|| format!("yields: {why}")),
            News::TookOver(silent, ago) => self.checks.on_takeover(self.now, node, silent, ago, &mut self.journal),
            News::Alarm(why) => note(Kind::Alarm, &|| why.clone()),
            News::Verdict(to, why) => note(Kind::Verdict, &|| format!("{to}: {}", why.trim())),
            News::TestOutput => {
                let blocked = self.nodes[node].walls[Wall::Output as usize] > 0;
                self.input(node, Input::Output(blocked));
            }
        }
    }

    // ---- frames ---------------------------------------------------------------------------------------------------

    fn transmit(&mut self, node: usize, packet: &Rc<Packet>) {
        let local = self.local(node);
        let is_watched = self.spec.watch;
        let this = &mut self.nodes[node];
        let advert = match &packet.seen {
            Seen::Advert(advert) => Some(advert),
            _ => None,
        };
        if let Some(advert) = advert {
            self.checks.on_advert(self.now, node, advert.priority, &this.kernel, &mut self.journal, self.holders);
            if let Some(gate) = &mut this.kernel.gate {
                gate.on_egress(local, advert);
            }
        }
        self.journal.frame(self.now, packet);
        if is_watched && let Some(process) = &mut this.process {
            process.receive(Waiting { at: local, packet: packet.clone(), outgoing: true, taps: [false; 2] });
        }
        self.spread(node, packet, advert.is_some());
    }

    fn spread(&mut self, from: usize, packet: &Rc<Packet>, is_advert: bool) {
        let destination = packet.destination();
        let is_linked = self.nodes[from].kernel.is_powered() && self.nodes[from].kernel.has_carrier();
        for node in (0..self.nodes.len()).filter(|node| *node != from) {
            if !destination.is_multicast() && destination != mac(node) {
                continue;
            }
            if !is_linked {
                self.network.lose(self.now, from, node, is_advert);
                continue;
            }
            let arrivals = self.network.send(self.now, &mut self.chance, from, node, is_advert);
            for at in arrivals.into_iter().flatten() {
                self.queue.push(at, Happening::Arrive { from, node, packet: packet.clone() });
            }
        }
    }

    fn on_arrival(&mut self, from: usize, node: usize, packet: &Rc<Packet>) {
        let local = self.local(node);
        let this = &mut self.nodes[node];
        let advert = match &packet.seen {
            Seen::Advert(advert) => Some(advert),
            _ => None,
        };
        if !(this.kernel.is_powered() && this.kernel.has_carrier()) {
            return self.network.lose(self.now, from, node, advert.is_some());
        }
        if let (Some(advert), Some(gate)) = (advert, &mut this.kernel.gate) {
            gate.on_ingress(local, advert);
        }
        let [ingress, input, _] = this.walls.map(|count| count == 0);
        let answers = this.kernel.answers_until(local).is_some();
        if let Some(process) = &mut this.process {
            let taps = [ingress, ingress && input];
            process.receive(Waiting { at: local, packet: packet.clone(), outgoing: false, taps });
            self.wake(node, WAKE);
        }
        self.look_at(node);
        if let Some(question) = &packet.asks {
            let family = self.spec.nodes[node].settings.family;
            let is_answered = question.target == primary(family, node) || answers && question.target == vip(family);
            if is_answered && let Some(answer) = frames::answer(node, question) {
                self.spread(node, &answer, false);
            }
        }
    }

    // ---- what the world sees of a node ----------------------------------------------------------------------------

    /// Takes note of whether a node answers for the address now, and looks again when time alone would change that.
    fn look_at(&mut self, node: usize) {
        let local = self.local(node);
        let this = &mut self.nodes[node];
        let until = this.kernel.answers_until(local);
        if let Some(until) = until.filter(|until| until.as_nanos() != u64::MAX) {
            let at = this.kernel.clock.world(until);
            if this.lapse_at.is_none_or(|known| at < known) {
                this.lapse_at = Some(at);
                self.queue.push(at, Happening::Lapse { node });
            }
        }
        if self.holders.has(node) == until.is_some() {
            return;
        }
        self.holders.set(node, until.is_some());
        let names = &self.spec.nodes;
        self.journal.note(self.now, Some(node), Kind::Holders, self.holders, || {
            format!("{} {}", names[node].name, if until.is_some() { "answers" } else { "answers no more" })
        });
        self.checks.on_holders(self.now, &self.nodes, &self.network, self.holders, &mut self.journal);
    }
}

mod arbiter;
mod channel;
mod mishaps;

fn new_node(spec: &Spec, node: usize) -> Node {
    let told = &spec.nodes[node];
    let kernel = Kernel {
        clock: Clock { origin: Instant::ZERO + AGE * (node as u32 + 1), drift_ppm: told.drift_ppm },
        outages: 0,
        pulls: 0,
        address: told.settings.priority == OWNER,
        tampered: false,
        gate: spec.gate.then(|| new_gate(spec, node)),
        jobs: Default::default(),
    };
    Node {
        kernel,
        process: None,
        life: 0,
        pauses: 0,
        token: 0,
        run_at: None,
        lapse_at: None,
        walls: [0; 3],
        netlink_delay: None,
        netlink_broken: 0,
    }
}

fn new_gate(spec: &Spec, node: usize) -> Gate {
    let settings = &spec.nodes[node].settings;
    let gate = Gate::new(settings, primary(settings.family, node), spec.rules);
    if spec.arbiter.is_some() { gate.with_lease() } else { gate }
}

/// Something that goes wrong on one node.
const fn place(fault: &Fault) -> Option<usize> {
    match fault {
        Fault::Pause(node)
        | Fault::Kill(node)
        | Fault::PowerOff(node)
        | Fault::Stop(node)
        | Fault::Cable(node)
        | Fault::Firewall(node, _)
        | Fault::DeleteAddress(node)
        | Fault::AddAddress(node)
        | Fault::SlowKernel(node, _)
        | Fault::BrokenKernel(node)
        | Fault::Priority(node, _)
        | Fault::HandOver(node) => Some(*node),
        Fault::ArbiterCut(node) | Fault::ChannelCut(node) | Fault::Isolate(node) => Some(*node),
        Fault::Cut { .. } | Fault::Weather(_) | Fault::ArbiterStalls | Fault::ArbiterDown | Fault::ArbiterForgets => {
            None
        }
    }
}
