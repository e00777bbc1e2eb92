//! The second channel: what a process tells its peers, and what it makes of what they tell. All of it counts as signed.

use crate::fence::{master_lives_until, shown, successor_until};
use crate::observe::{Pledge, Pledged, Testimony};
use crate::time::{Duration, Instant};
use crate::vrrp::{Event, State, Takeover};

use super::super::spec::{Spec, primary};
use super::{Op, Process};

/// Between two questions to a peer.
const ASK_EVERY: Duration = Duration::from_millis(200);
/// How old an answer may be and still say how things are.
const FRESH: Duration = Duration::from_secs(3);
/// The only router's key in the arbiter.
pub(super) const KEY: &str = "web";

/// What a process knows of its peers, and they of it.
#[derive(Debug)]
pub(super) struct Channel {
    ask_at: Instant,
    names: Vec<String>,
    /// What each said last.
    heard: Vec<Option<Testimony>>,
    /// There is a witness, and whether it answers.
    has_witness: bool,
    witness: Option<bool>,
    published: Published,
}

/// What was so at some moment.
#[derive(Clone, Debug)]
struct Published {
    at: Instant,
    state: State,
    effective: Option<u8>,
    holds: bool,
    witness: Option<bool>,
    pledge: Option<Pledge>,
}

/// An answer: what was published, how old it was by then, and what of it is told as of the answer itself.
#[derive(Clone, Debug)]
pub(in super::super) struct Answer {
    from: usize,
    said: Published,
    age: Duration,
    asks: bool,
    promise: Option<Duration>,
}

impl Channel {
    pub fn new(now: Instant, me: usize, spec: &Spec) -> Self {
        let names: Vec<String> = spec.nodes.iter().map(|node| node.name.clone()).collect();
        let published =
            Published { at: now, state: State::Init, effective: None, holds: false, witness: None, pledge: None };
        // Not all in step.
        let ask_at = now + ASK_EVERY * (me as u32 + 1) / 10;
        Self { ask_at, heard: vec![None; names.len()], names, has_witness: spec.witness, witness: None, published }
    }

    pub const fn poll_timeout(&self) -> Instant {
        self.ask_at
    }

    /// What the peers say, as far as it is fresh.
    fn said(&self, now: Instant) -> Vec<Testimony> {
        self.heard.iter().flatten().filter(|one| now.since(one.as_of) <= FRESH).cloned().collect()
    }
}

impl Process {
    /// Asks all peers, if it is time.
    pub(super) fn inquire(&mut self, now: Instant) {
        let Some(channel) = self.channel.as_mut().filter(|channel| channel.ask_at <= now) else { return };
        channel.ask_at = now + ASK_EVERY;
        let peers = (0..channel.names.len()).filter(|node| *node != self.me);
        self.ops.extend(peers.map(|peer| Op::Inquire(peer, now)));
        self.ops.extend(channel.has_witness.then_some(Op::Ping));
    }

    /// Takes in whom it reaches.
    pub(super) fn hear_pings(&mut self, now: Instant, anyone: bool, witness: bool) {
        if let Some(channel) = &mut self.channel {
            channel.witness = Some(witness);
        }
        if self.rules.reaches {
            self.guard.handle_reach(now, anyone, witness);
            self.obey_guard(now);
        }
    }

    /// Has the peers know how things are.
    pub(super) fn publish(&mut self, now: Instant) {
        let Some(channel) = &mut self.channel else { return };
        channel.published = Published {
            at: now,
            state: self.router.state(),
            effective: self.router.effective_priority(),
            holds: self.address,
            witness: channel.witness,
            pledge: self.tenant.as_ref().and_then(|tenant| tenant.lease.pledge()),
        };
    }

    /// What it answers a peer.
    pub fn answer(&self, now: Instant) -> Option<Answer> {
        let said = self.channel.as_ref()?.published.clone();
        let age = now.since(said.at);
        let asks = said.pledge.as_ref().and_then(|pledge| pledge.asks_from).is_some_and(|from| from <= now);
        let kept = said.pledge.as_ref().and_then(|pledge| pledge.promised_until).map(|until| until.since(now));
        let broken = self.tenant.as_ref().filter(|tenant| !self.rules.keeps_promise && !tenant.holds());
        let promise = kept.filter(|left| !left.is_zero()).or(broken.map(|tenant| tenant.wait));
        Some(Answer { from: self.me, said, age, asks, promise })
    }

    /// Takes in a peer's answer to what was `asked` then.
    pub(super) fn hear_report(&mut self, now: Instant, asked: Instant, answer: &Answer) {
        let asked = if self.rules.from_question { asked } else { now };
        let family = self.settings.family;
        let Some(channel) = &mut self.channel else { return };
        channel.heard[answer.from] =
            Some(answer.testimony(asked, &channel.names[answer.from], |node| primary(family, node)));
        let said = channel.said(now);
        let witness = channel.witness;
        if self.rules.told {
            self.guard.handle_testimony(now, witness, &said);
            self.obey_guard(now);
        }
        self.prepare(now, &said);
        self.hear_pledges(now, &said);
    }

    /// Has the router know what the reports mean for its next takeover.
    fn prepare(&mut self, now: Instant, said: &[Testimony]) {
        let followed = match self.router.takeover() {
            Some((_, Takeover::Silence(master))) => Some(master),
            _ => None,
        };
        let best = followed.zip(self.router.effective_priority());
        let peers = self.guard.peers();
        let successor = best.and_then(|(master, priority)| successor_until(said, peers, master, priority));
        let lives = followed.and(master_lives_until(said));
        self.handle(now, Event::Successor(successor));
        if let Some(lives) = lives {
            self.handle(now, Event::MasterLives(lives));
        }
    }

    fn hear_pledges(&mut self, now: Instant, said: &[Testimony]) {
        let Some(tenant) = &mut self.tenant else { return };
        let matters =
            |one: &Testimony| one.pledge.as_ref().is_some_and(|pledge| pledge.asks || pledge.promise.is_some());
        let counts =
            |peer: &&String| self.rules.all_promise || said.iter().any(|one| one.peer == **peer && matters(one));
        let peers: Vec<String> = self.guard.peers().iter().filter(counts).cloned().collect();
        let mut said = said.to_vec();
        if !self.rules.keeps_promise {
            said.iter_mut().filter_map(|one| one.pledge.as_mut()).for_each(|pledge| pledge.asks = false);
        }
        tenant.lease.handle_testimony(now, &said, &peers);
        self.act(now);
    }
}

impl Answer {
    /// Who reads it was `asked` before it was asked: nothing in it is older than that less its age.
    fn testimony(&self, asked: Instant, name: &str, address: impl Fn(usize) -> std::net::IpAddr) -> Testimony {
        let Published { state, effective, holds, .. } = self.said;
        let is_master = state == State::Master;
        Testimony {
            peer: name.to_owned(),
            signed: true,
            as_of: asked - self.age,
            blind: false,
            holds,
            speaks: true,
            effective,
            sends: effective.filter(|_| is_master).map(|priority| (address(self.from), priority)),
            state: shown(state),
            witness: self.said.witness,
            hears: Vec::new(),
            misdirected: false,
            pledge: self.said.pledge.as_ref().map(|_| Pledged {
                key: KEY.into(),
                asks: self.asks,
                promise: self.promise.map(|lasts| (asked, lasts)),
            }),
        }
    }
}
