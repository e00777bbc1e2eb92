//! A node's process: the daemon as the core sees it. What comes in waits in its sockets; it takes one thing at a time, and what
//! follows from that is done one act after the other, with room for a pause before each.
//!
//! It does with the core what `engine::speaker` does. All instants are the node's own.

use std::collections::VecDeque;
use std::net::IpAddr;
use std::rc::Rc;

use crate::fence::{Act, Guard, Reason, Scope, lease};
use crate::observe::{Delivered, Fact, PROMOTION_ECHO_IDENTIFIER, Request, Tap};
use crate::time::{Duration, Instant};
use crate::vrrp::{Action, Event, Question, Router, Settings, State, Takeover, Turn};
use crate::wire::{Advert, ArpOperation, MacAddr, Neighbour, NeighbourKind, Seen};

use super::chance::Chance;
use super::frames::{self, Packet};
use super::register::Said;
use super::spec::{Rules, Spec, mac, primary, vip};
use super::watch::{Findings, INTERFACE, Watch};

mod channel;
mod gated;
mod tenant;

pub(super) use channel::Answer;
use channel::Channel;
use gated::Door;
use tenant::Tenant;

/// The wait before what the kernel refused is tried again.
const RETRY: Duration = Duration::from_millis(100);
/// Between two corrections of what others announce.
const CORRECT_EVERY: Duration = Duration::from_secs(5);
/// What a socket holds, in frames.
const BUFFER_MAX: usize = 4096;

/// A request by netlink.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Job {
    /// What an earlier life left behind is removed.
    Clean,
    Claim,
    Release,
}

/// One thing that the process has done to the world.
#[derive(Clone, Debug)]
pub(super) enum Op {
    Send(Rc<Packet>),
    /// A word about the address, for everybody's caches.
    Announce(Rc<Packet>),
    Gate(AtGate),
    Ask(Job),
    /// What a lease wants done with the gate, or asked of the arbiter.
    Lease(lease::Action),
    Register(lease::Action),
    /// A question to another node over the second channel, and the time before it.
    Inquire(usize, Instant),
    /// Who answers on the wire: peers, the witness.
    Ping,
}

/// What a process does with its gate; see `engine::speaker::gate`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum AtGate {
    Close,
    SetPriority(u8),
    /// It looks whether it is open.
    Look,
    /// It asks for leave to open it again, and uses that, for so long.
    Permit,
    Reopen(Duration),
}

/// What waits for the process besides frames.
#[derive(Clone, Debug)]
pub(super) enum Input {
    /// The kernel's answer to a request, or that it refused.
    Answer(Job, bool),
    /// Netlink tells of the interface and the address.
    Carrier(bool),
    Address(bool),
    Priority(u8),
    HandOver,
    Shutdown,
    /// The answer to the output test.
    Output(bool),
    /// What the gate answers to a lease, and the arbiter.
    Gate(u64, bool),
    Register(Said),
    /// A peer's answer over the second channel, and when it was asked.
    Report(Instant, Box<Answer>),
    /// Whether anyone answers pings, and whether the witness does.
    Reach {
        anyone: bool,
        witness: bool,
    },
}

/// A frame as it waits in the socket.
#[derive(Clone, Debug)]
pub(super) struct Waiting {
    pub at: Instant,
    pub packet: Rc<Packet>,
    pub outgoing: bool,
    /// Which further taps saw it.
    pub taps: [bool; 2],
}

/// What the process wants next.
#[derive(Debug)]
pub(super) enum Step {
    /// It does this.
    Do(Op),
    /// It has taken something in.
    Again,
    /// It sleeps until something comes in, or until then.
    Sleep(Option<Instant>),
    /// It has ended.
    Gone,
}

/// What it has to tell.
#[derive(Clone, Debug)]
pub(super) enum News {
    Entered(State, State, String),
    Dropped(Reason, String),
    Released,
    Yielded(String),
    /// It became master without a lease.
    Unleased,
    /// The arbiter grants, or what was granted is lost.
    Lease(String),
    Alarm(String),
    /// It became master because this one is silent, whose last advert came in so long before.
    TookOver(IpAddr, Duration),
    /// The watcher came to another verdict.
    Verdict(&'static str, String),
    /// The watcher wants to know if the firewall lets adverts out.
    TestOutput,
}

/// The daemon on one node.
#[derive(Debug)]
pub(super) struct Process {
    me: usize,
    rules: Rules,
    settings: Settings,
    pub router: Router,
    pub guard: Guard,
    pub watch: Option<Box<Watch>>,
    tenant: Option<Tenant>,
    channel: Option<Channel>,
    frames: VecDeque<Waiting>,
    inputs: VecDeque<Input>,
    ops: VecDeque<Op>,
    pub news: Vec<News>,
    /// A timer is due since this moment, and the sockets are being drained.
    turn: Option<Instant>,
    retry: Option<(Instant, Job)>,
    /// When the last advert above 0 of each other came into the socket.
    arrived: Vec<(IpAddr, Instant)>,
    /// Leftovers are gone.
    ready: bool,
    carrier: bool,
    /// The address is on the interface, as netlink tells.
    address: bool,
    leaving: bool,
    releasing: bool,
    door: Door,
    /// The last thorough question, and to whom.
    question: Option<(MacAddr, Question)>,
    corrected_at: Option<Instant>,
    correct_at: Option<Instant>,
}

impl Process {
    /// One that has just been started.
    pub fn new(now: Instant, me: usize, life: u32, spec: &Spec) -> Self {
        let settings = spec.nodes[me].settings.clone();
        let others = (0..spec.nodes.len()).filter(|node| *node != me);
        let named = others.clone().filter(|_| spec.reports).map(|node| spec.nodes[node].name.clone());
        let scope = Scope {
            addresses: settings.addresses.iter().map(|(address, _)| *address).collect(),
            peers: others.map(|node| primary(settings.family, node)).collect(),
            names: named.collect(),
            interval: settings.advert_interval,
        };
        let ops = [Op::Gate(AtGate::Close), Op::Gate(AtGate::SetPriority(settings.priority)), Op::Ask(Job::Clean)];
        let mut router = Router::new(now, settings.clone());
        let tenant = spec.arbiter.map(|wait| Tenant::new(now, me, life, wait, spec));
        if tenant.is_some() {
            router.handle(now, Event::Forbid("the arbiter has granted no lease yet".into()));
        }
        Self {
            me,
            rules: spec.rules,
            router,
            tenant,
            channel: spec.reports.then(|| Channel::new(now, me, spec)),
            guard: Guard::new(spec.policy.clone(), scope),
            watch: spec.watch.then(|| Box::new(Watch::new(now, me, spec))),
            frames: VecDeque::new(),
            inputs: VecDeque::new(),
            ops: ops.into(),
            news: Vec::new(),
            turn: None,
            retry: None,
            arrived: Vec::new(),
            ready: false,
            carrier: false,
            address: false,
            leaving: false,
            releasing: false,
            door: Door::new(settings.priority),
            settings,
            question: None,
            corrected_at: None,
            correct_at: None,
        }
    }

    // ---- what waits for it ----------------------------------------------------------------------------------------

    /// A frame is in the socket.
    pub fn receive(&mut self, waiting: Waiting) {
        if let (Seen::Advert(Advert { source, priority: 1.., .. }), false) = (&waiting.packet.seen, waiting.outgoing) {
            self.arrived.retain(|(from, _)| from != source);
            self.arrived.push((*source, waiting.at));
        }
        if self.frames.len() < BUFFER_MAX {
            self.frames.push_back(waiting);
        }
    }

    /// Something else waits.
    pub fn push(&mut self, input: Input) {
        self.inputs.push_back(input);
    }

    /// An act that was about to be done has to wait: the process was stopped just before it.
    pub fn put_back(&mut self, op: Op) {
        self.ops.push_front(op);
    }

    // ---- one step -------------------------------------------------------------------------------------------------

    /// Does the next thing.
    pub fn step(&mut self, now: Instant, chance: &mut Chance) -> Step {
        if let Some(op) = self.ops.pop_front() {
            return Step::Do(op);
        }
        if self.leaving && !self.releasing && self.tenant.as_ref().is_none_or(Tenant::is_over) {
            return Step::Gone;
        }
        if self.turn.is_none() && self.due(now).is_some_and(|due| due <= now) {
            self.turn = Some(now);
        }
        if let Some(turn) = self.turn {
            if self.rules.drain
                && let Some(waiting) = self.frames.pop_front()
            {
                self.take_frame(now, &waiting);
                return Step::Again;
            }
            self.turn = None;
            self.on_timer(turn);
            return Step::Again;
        }
        if let Some((at, job)) = self.retry
            && at <= now
        {
            self.retry = None;
            return Step::Do(Op::Ask(job));
        }
        // Which socket is read first is anybody's guess.
        let inputs_first = !self.inputs.is_empty() && (self.frames.is_empty() || chance.below(2) == 0);
        if inputs_first && let Some(input) = self.inputs.pop_front() {
            self.take_input(now, input);
            return Step::Again;
        }
        if let Some(waiting) = self.frames.pop_front() {
            self.take_frame(now, &waiting);
            return Step::Again;
        }
        if self.turn_watch(now) {
            return Step::Again;
        }
        let watch = self.watch.as_ref().map(|watch| watch.due());
        Step::Sleep([self.due(now), self.retry.map(|(at, _)| at), watch].into_iter().flatten().min())
    }

    fn due(&self, now: Instant) -> Option<Instant> {
        let tenant = self.tenant.as_ref().and_then(Tenant::poll_timeout);
        let channel = self.channel.as_ref().map(Channel::poll_timeout);
        let own = [self.router.poll_timeout(), self.guard.poll_timeout(now), self.correct_at, tenant, channel];
        let own = own.into_iter().chain([self.door.reopen_at]);
        own.flatten().min()
    }

    fn on_timer(&mut self, now: Instant) {
        self.reopen_gate(now);
        let waited_for = self.router.takeover();
        self.router.handle_timeout(Turn { now, drained: true });
        if let (Some((_, Takeover::Silence(silent))), State::Master) = (waited_for, self.router.state())
            && let Some((_, at)) = self.arrived.iter().find(|(from, at)| *from == silent && *at <= now)
        {
            self.news.push(News::TookOver(silent, now.since(*at)));
        }
        self.act(now);
        if self.guard.poll_timeout(now).is_some_and(|at| at <= now) {
            self.guard.handle_timeout(now);
            self.obey_guard(now);
        }
        if self.correct_at.is_some_and(|at| at <= now) {
            self.correct(now);
        }
        if let Some(tenant) = &mut self.tenant {
            tenant.lease.handle_timeout(now);
            self.act(now);
        }
        self.inquire(now);
    }

    fn handle(&mut self, now: Instant, event: Event<'_>) {
        match event {
            Event::Released => self.releasing = false,
            Event::Shutdown => self.leaving = true,
            _ => {}
        }
        self.router.handle(now, event);
        self.act(now);
    }

    fn take_input(&mut self, now: Instant, input: Input) {
        match input {
            Input::Answer(Job::Claim, true) => self.handle(now, Event::Claimed),
            Input::Answer(Job::Claim, false) => self.handle(now, Event::ClaimFailed("the kernel is busy".into())),
            Input::Answer(Job::Clean, true) => {
                self.ready = true;
                self.look(now);
            }
            Input::Answer(Job::Release, true) => self.handle(now, Event::Released),
            Input::Answer(job, false) => self.retry = Some((now + RETRY, job)),
            Input::Carrier(carrier) => {
                self.carrier = carrier;
                self.learn(now, Watch::link(self.me, carrier));
                self.look(now);
            }
            Input::Address(is_there) => {
                self.address = is_there;
                self.learn(now, Watch::address(vip(self.settings.family), is_there));
                if !is_there && self.router.holds() {
                    self.handle(now, Event::AddressLost);
                }
            }
            Input::Priority(worth) => self.handle(now, Event::Priority(Some(worth))),
            Input::HandOver => self.handle(now, Event::HandOver),
            Input::Shutdown => self.handle(now, Event::Shutdown),
            Input::Gate(serial, done) => {
                self.tenant.iter_mut().for_each(|tenant| tenant.lease.handle_gate(now, serial, done));
                self.act(now);
            }
            Input::Register(said) => {
                self.tenant.iter_mut().for_each(|tenant| tenant.hear(now, &said));
                self.act(now);
            }
            Input::Report(asked, answer) => self.hear_report(now, asked, &answer),
            Input::Reach { anyone, witness } => self.hear_pings(now, anyone, witness),
            Input::Output(blocked) => {
                let family = self.settings.family;
                self.learn(now, Fact::OutputTest { interface: INTERFACE, family, blocked });
            }
        }
    }

    /// Tells the router whether its interface can be used.
    fn look(&mut self, now: Instant) {
        if self.ready {
            let address = primary(self.settings.family, self.me);
            self.handle(now, Event::Interface(self.carrier.then_some(address)));
        }
    }

    fn take_frame(&mut self, now: Instant, waiting: &Waiting) {
        let Waiting { at, packet, outgoing, taps } = waiting;
        if !outgoing {
            match &packet.seen {
                Seen::Advert(advert) => self.on_advert(now, advert),
                Seen::Arp(arp) if arp.is_gratuitous() => self.on_announcement(now, arp.sender_ip.into()),
                Seen::Neighbour(Neighbour {
                    kind: NeighbourKind::Advertisement { solicited: false, .. },
                    target,
                    ..
                }) => {
                    self.on_announcement(now, (*target).into());
                }
                _ => {}
            }
            if let Some(question) = self.answered(packet) {
                self.handle(now, Event::Answered(question));
            }
        }
        let Some(watch) = self.watch.as_mut().filter(|_| self.rules.hears || *outgoing) else { return };
        watch.feed(*at, &packet.fact(self.me, *outgoing));
        if let (Seen::Advert(advert), false) = (&packet.seen, outgoing) {
            for tap in [Tap::Ip, Tap::Raw].into_iter().filter(|tap| taps[*tap as usize]) {
                let (source, vrid) = (advert.source, advert.vrid);
                watch.feed(*at, &Fact::Delivered(Delivered { interface: INTERFACE, tap, source, vrid }));
            }
        }
    }

    fn on_advert(&mut self, now: Instant, advert: &Advert) {
        if advert.vrid != self.settings.vrid || advert.family() != self.settings.family {
            return;
        }
        let taken = self.router.counters().adverts_received;
        self.handle(now, Event::Advert(advert));
        let obeyed = self.router.counters().adverts_received > taken;
        self.doubt_gate();
        self.guard.handle_advert(now, advert, obeyed);
        self.obey_guard(now);
    }

    fn on_announcement(&mut self, now: Instant, address: IpAddr) {
        let is_ours = self.settings.addresses.iter().any(|(own, _)| *own == address);
        if !is_ours || !self.router.holds() || self.correct_at.is_some() {
            return;
        }
        match self.corrected_at.map(|last| last + CORRECT_EVERY) {
            Some(next) if now < next => self.correct_at = Some(next),
            _ => self.correct(now),
        }
    }

    fn correct(&mut self, now: Instant) {
        self.correct_at = None;
        self.corrected_at = Some(now);
        self.handle(now, Event::AnnounceAgain);
    }

    // ---- what follows ---------------------------------------------------------------------------------------------

    fn act(&mut self, now: Instant) {
        self.obey_router(now);
        while self.mind_the_lease(now) {
            self.obey_router(now);
        }
        if self.router.state() != State::Master {
            self.guard.handle_stopped(now);
        }
        if let Some(watch) = &mut self.watch {
            watch.report(now, &self.router);
        }
        self.publish(now);
    }

    fn obey_router(&mut self, now: Instant) {
        self.shut_gate();
        while let Some(action) = self.router.poll_action() {
            match action {
                Action::Advertise { priority } => self.advertise(now, priority),
                Action::Claim => {
                    self.ops.push_back(Op::Ask(Job::Claim));
                    if !self.rules.confirm {
                        self.router.handle(now, Event::Claimed);
                    }
                }
                Action::Release => self.release(now),
                Action::Ask { host, question } => self.ask(host, question),
                Action::Announce => {
                    if !self.waits_for_gate() {
                        let frames = frames::announcements(self.me, &self.settings);
                        self.ops.extend(frames.map(Op::Announce));
                    }
                }
                Action::Entered { from, to, reason } => {
                    if to == State::Master && self.tenant.as_ref().is_some_and(|tenant| !tenant.holds()) {
                        self.news.push(News::Unleased);
                    }
                    self.news.push(News::Entered(from, to, reason));
                }
                Action::Alarm(why) => self.news.push(News::Alarm(why)),
            }
        }
    }

    /// Asks the host of a silent master, and no other, whether it has the address; a thorough question goes to all, and its
    /// answer tells the host.
    fn ask(&mut self, host: MacAddr, question: Question) {
        if question.thorough {
            self.question = Some((host, question));
        }
        let asker = (INTERFACE, mac(self.me), primary(self.settings.family, self.me));
        let target = vip(self.settings.family);
        let request = Request::before_promotion(asker, target, host, question.number, question.thorough);
        self.ops.extend(frames::probe(&request).map(Op::Send));
    }

    /// The question that a frame to this host answers, if it answers one about the address.
    fn answered(&self, packet: &Packet) -> Option<Question> {
        let asked = vip(self.settings.family);
        let thorough = |address: IpAddr, from: MacAddr| {
            self.question.filter(|(host, _)| *host == from && address == asked).map(|(_, question)| question)
        };
        match &packet.seen {
            _ if packet.destination() != mac(self.me) => None,
            Seen::EchoReply(reply) if reply.identifier == PROMOTION_ECHO_IDENTIFIER && reply.source == asked => {
                Some(Question { number: reply.sequence, thorough: false })
            }
            Seen::Arp(arp) if arp.operation == ArpOperation::Reply => thorough(arp.sender_ip.into(), arp.sender_mac),
            Seen::Neighbour(Neighbour { kind: NeighbourKind::Advertisement { .. }, target, frame_source, .. }) => {
                thorough((*target).into(), *frame_source)
            }
            _ => None,
        }
    }

    fn release(&mut self, now: Instant) {
        self.ops.push_back(Op::Ask(Job::Release));
        self.releasing = true;
        if !self.rules.await_release {
            self.releasing = false;
            self.router.handle(now, Event::Released);
        }
    }

    fn advertise(&mut self, now: Instant, priority: u8) {
        self.before_advert(priority);
        let adverts = frames::adverts(self.me, &self.settings, priority, self.rules.to_all_peers);
        self.ops.extend(adverts.map(Op::Send));
        if priority > 0 {
            self.after_advert(now, priority);
            self.guard.handle_sent(now, priority, primary(self.settings.family, self.me));
        }
    }

    fn obey_guard(&mut self, now: Instant) {
        while let Some(act) = self.guard.poll_act() {
            match act {
                Act::Drop { reason, why } => {
                    self.news.push(News::Dropped(reason, why.clone()));
                    self.handle(now, Event::Fence(why));
                    if !self.rules.hold_down {
                        self.guard.unfence(now);
                        self.handle(now, Event::Unfence);
                    }
                }
                Act::Release => {
                    self.news.push(News::Released);
                    self.handle(now, Event::Unfence);
                }
                Act::Yield { to, why } if self.rules.yields => {
                    self.news.push(News::Yielded(why));
                    self.handle(now, Event::Yield(to));
                }
                Act::Yield { .. } => {}
            }
        }
    }

    fn learn(&mut self, now: Instant, fact: Fact) {
        if let Some(watch) = &mut self.watch {
            watch.feed(now, &fact);
        }
    }

    /// Lets the watcher judge, if it is time. True if it did.
    fn turn_watch(&mut self, now: Instant) -> bool {
        let Some(watch) = self.watch.as_mut().filter(|watch| watch.due() <= now) else { return false };
        let turned = watch.turn(now);
        self.ops.extend(turned.probes.into_iter().map(Op::Send));
        if turned.test_output {
            self.news.push(News::TestOutput);
        }
        for (to, why) in turned.verdicts {
            self.news.push(News::Verdict(to, why));
        }
        if let Some(Findings { answers, anyone, witness }) = turned.findings {
            self.guard.handle_reach(now, anyone, witness);
            self.guard.handle_answers(now, &answers);
            self.obey_guard(now);
        }
        true
    }
}
