//! The lease of one speaker: what the state machine of `fence::lease` wants is done here, by the register and the kernel's gate.

use std::rc::Rc;

use tokio::task::spawn_local;

use super::Id;
use super::gate::Gates;
use crate::config::{Arbiter, Unreachable};
use crate::engine::arbiter::{Answer, Clerk, Said};
use crate::engine::hub::Hub;
use crate::fence::lease::{Action, Entry, Holder, Lease, Loss, Standing, Timing};
use crate::observe::{Leased, Testimony};
use crate::sys::clock;
use crate::sys::nft::gate::{Key, Permit};
use crate::time::{Duration, Instant};

/// How long a speaker that leaves waits until its lease is given back. The others wait longer if it isn't.
const LEAVE_MAX: Duration = Duration::from_millis(500);

/// An arbiter with the clerk who asks it.
#[derive(Debug)]
pub(super) struct Office {
    settings: Arbiter,
    clerk: Clerk,
}

impl Office {
    /// Opens one. Answers come back to the speakers through the hub, as long as anyone waits for one.
    ///
    /// # Errors
    /// In words: the kernel refuses a thread.
    pub fn open(hub: &Rc<Hub>, settings: &Arbiter) -> Result<Self, String> {
        let started = Clerk::start(settings);
        let (clerk, mut answers) = started.map_err(|error| format!("no thread for the arbiter: {error}"))?;
        let hub = hub.clone();
        spawn_local(async move {
            while let Some(answer) = answers.recv().await {
                hub.on_arbiter(answer);
            }
        });
        Ok(Self { settings: settings.clone(), clerk })
    }

    /// What it was opened with.
    pub const fn settings(&self) -> &Arbiter {
        &self.settings
    }
}

/// What of the kernel's gate a lease opens. Without a gate everything is taken for done: then the daemon itself has to drop the addresses.
#[derive(Debug)]
pub(super) struct Latch {
    gates: Rc<Gates>,
    key: Key,
    permit: Option<(u64, Permit)>,
}

impl Latch {
    /// That of one gate.
    pub const fn new(gates: Rc<Gates>, key: Key) -> Self {
        Self { gates, key, permit: None }
    }

    /// Does what a lease wants of the gate. True if it is done.
    fn act(&mut self, action: &Action) -> bool {
        let Some(mut gate) = self.gates.gate() else { return true };
        let done = match *action {
            Action::Permit { serial, lifetime } => gate.permit(self.key, lifetime).map(|permit| {
                self.permit = Some((serial, permit));
                true
            }),
            Action::Open { permit: wanted, slice, .. } => match self.permit.take_if(|(serial, _)| *serial == wanted) {
                Some((_, permit)) => gate.grant(permit, slice),
                None => Ok(false),
            },
            Action::Refresh { slice, .. } => gate.renew(self.key, slice),
            Action::Close { .. } => {
                self.permit = None;
                gate.close(self.key).map(|()| true)
            }
            _ => Ok(true),
        };
        done.unwrap_or_else(|error| {
            tracing::error!("the arbiter's lease and the kernel gate: {error}");
            false
        })
    }
}

/// What became of a lease.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Change {
    /// The addresses may be taken.
    Granted,
    /// They may be taken although nobody could be asked: `unreachable = "ignore"`; in words.
    Excused(String),
    /// They stay, though the arbiter is silent, for every peer promises not to take them; in words.
    Kept(String),
    /// They must go; why, in words.
    Lost(String),
}

/// One speaker's lease.
#[derive(Debug)]
pub(super) struct Tenancy {
    id: Id,
    lease: Lease,
    clerk: Clerk,
    latch: Option<Latch>,
    key: String,
    timing: Timing,
    policy: Unreachable,
    change: Option<Change>,
    /// May be master.
    may: bool,
    /// Holds by the peers' promises.
    kept: bool,
    /// Since when the register does not answer.
    down_since: Option<Instant>,
    /// Nobody could be asked, and that is to be ignored; with the entry that stood there last.
    excused: Option<Option<Entry>>,
    trouble: Option<String>,
    /// When a speaker that leaves waits for its lease no more.
    leave_by: Option<Instant>,
}

impl Tenancy {
    /// That of the router that the arbiter knows by `name`, which does not want it yet.
    pub fn new(id: Id, office: &Office, me: Holder, name: &str) -> Self {
        let now = clock::now();
        let timing = Timing::for_wait(office.settings.wait);
        let (key, policy) = (format!("{}{name}", office.settings.key_prefix), office.settings.unreachable);
        let lease = Lease::new(now, me, timing);
        let mut tenancy = Self {
            id,
            lease: if policy == Unreachable::HoldIfUnanimous { lease.with_council(key.clone()) } else { lease },
            clerk: office.clerk.clone(),
            latch: None,
            key,
            timing,
            policy,
            change: None,
            may: false,
            kept: false,
            down_since: Some(now),
            excused: None,
            trouble: None,
            leave_by: None,
        };
        tenancy.work();
        tenancy
    }

    // ---- getters --------------------------------------------------------------------------------------------------

    /// Whether the router may be master, as far as the arbiter has a say.
    pub const fn may(&self) -> bool {
        self.may
    }

    /// When something is due.
    pub fn poll_timeout(&self) -> Option<Instant> {
        let excused_at = self.down_since.filter(|_| self.may_be_excused()).map(|since| since + self.timing.wait);
        [self.lease.poll_timeout(), excused_at, self.leave_by].into_iter().flatten().min()
    }

    /// What became of it since the last call.
    pub const fn poll_change(&mut self) -> Option<Change> {
        self.change.take()
    }

    /// True if a speaker that leaves need not wait for it.
    pub fn is_over(&self) -> bool {
        self.lease.is_given_up() || self.leave_by.is_some_and(|by| by <= clock::now())
    }

    /// For people and metrics.
    pub fn report(&self) -> Leased {
        let until = match self.lease.standing() {
            Standing::Holding(until) => Some(until),
            Standing::Idle | Standing::Waiting(_) | Standing::Asking => None,
        };
        let entry = self.lease.entry().filter(|entry| !entry.released);
        Leased {
            up: self.lease.is_up(),
            until,
            holder: entry.map(|entry| entry.node.clone()),
            excused: self.excused.is_some(),
            promised: self.kept,
            pledge: self.lease.pledge(),
            trouble: self.trouble.clone().or_else(|| {
                let stray =
                    format!("what stands under {} is no entry of vipwarden: remove it with etcdctl del", self.key);
                self.lease.is_foreign().then_some(stray)
            }),
        }
    }

    /// The priority of who asks for the addresses that we hold, and its name; told once.
    pub fn poll_challenger(&mut self) -> Option<(u8, String)> {
        self.lease.poll_challenger().map(|challenger| (challenger.priority, challenger.node))
    }

    /// Whether the gate is to ask for a lease: not while the arbiter is ignored.
    pub const fn guards_gate(&self) -> bool {
        self.excused.is_none()
    }

    // ---- what happens ---------------------------------------------------------------------------------------------

    /// Whether the router is master, or would be. Who no longer wants to has taken the addresses from the host before.
    /// With `challenge` the holder is told of this higher priority.
    pub fn want(&mut self, wanted: bool, challenge: Option<u8>, leaving: bool) {
        let now = clock::now();
        self.lease.challenge(now, challenge);
        self.lease.want(now, wanted);
        if !wanted {
            self.may = false;
            self.excused = None;
        }
        if leaving && !wanted && self.leave_by.is_none() {
            self.leave_by = Some(now + LEAVE_MAX);
        }
        self.work();
    }

    /// The gate that it opens; none where there is none.
    pub fn set_latch(&mut self, latch: Option<Latch>) {
        self.latch = latch;
    }

    /// Takes in what the register answered.
    pub fn on_answer(&mut self, answer: Answer) {
        let now = clock::now();
        self.trouble = answer.trouble.map(|trouble| trouble.0);
        match answer.said {
            Said::Read(sighting) => self.lease.handle_read(now, answer.serial, sighting),
            Said::Cas(outcome) => self.lease.handle_cas(now, answer.serial, outcome),
        }
        self.work();
    }

    /// Takes in what the peers say of their leases; `peers` are the names of all of them.
    pub fn on_testimony(&mut self, said: &[Testimony], peers: &[String]) {
        self.lease.handle_testimony(clock::now(), said, peers);
        self.work();
    }

    /// Does what is due.
    pub fn handle_timeout(&mut self) {
        self.lease.handle_timeout(clock::now());
        self.work();
    }

    fn work(&mut self) {
        while let Some(action) = self.lease.poll_action() {
            match action {
                Action::Read { .. } | Action::Cas { .. } => self.clerk.ask(self.id, &self.key, action),
                Action::Permit { serial, .. }
                | Action::Open { serial, .. }
                | Action::Refresh { serial, .. }
                | Action::Close { serial } => {
                    let done = self.latch.as_mut().is_none_or(|latch| latch.act(&action));
                    // The time after it is done: a request that waits for a permit is sent later than that.
                    self.lease.handle_gate(clock::now(), serial, done);
                }
                Action::Granted => self.on_granted(),
                Action::Lost(loss) => self.on_lost(&loss),
            }
        }
        self.down_since = if self.lease.is_up() { None } else { self.down_since.or_else(|| Some(clock::now())) };
        self.mind_the_excuse();
        self.mind_the_promises();
    }

    fn mind_the_promises(&mut self) {
        let is_kept = self.lease.is_kept();
        if is_kept && !self.kept {
            let trouble = self.trouble.as_deref().unwrap_or("it does not answer");
            let why = format!(
                "the arbiter can't be asked, and every peer promises to take nothing: this node holds on: {trouble}"
            );
            self.change.get_or_insert(Change::Kept(why));
        }
        self.kept = is_kept;
    }

    fn on_granted(&mut self) {
        self.excused = None;
        self.may = true;
        self.change = Some(Change::Granted);
    }

    fn on_lost(&mut self, loss: &Loss) {
        if *loss == Loss::Expired && self.policy == Unreachable::Ignore {
            return self.excuse();
        }
        self.may = false;
        self.change = Some(Change::Lost(match loss {
            Loss::Taken(Some(node)) => format!("the arbiter says that {node} holds"),
            Loss::Taken(None) => {
                format!("the arbiter no longer says that this node holds: {} was removed or overwritten", self.key)
            }
            Loss::Expired => {
                let peers = match self.policy {
                    Unreachable::HoldIfUnanimous => ", and not every peer has promised to take nothing",
                    Unreachable::Drop | Unreachable::Ignore => "",
                };
                let trouble = self.trouble.as_ref().map(|trouble| format!(": {trouble}")).unwrap_or_default();
                format!("the arbiter could not be asked in time{peers}{trouble}")
            }
        }));
    }

    fn may_be_excused(&self) -> bool {
        self.policy == Unreachable::Ignore && self.excused.is_none() && !self.may
    }

    fn excuse(&mut self) {
        let trouble = self.trouble.as_deref().unwrap_or("it does not answer");
        let why = format!("the arbiter is ignored, as configured, and two nodes may hold: {trouble}");
        self.excused = Some(self.lease.entry().cloned());
        self.may = true;
        self.change = Some(Change::Excused(why));
    }

    /// Begins what may go without the arbiter, and ends it when that speaks up for another one.
    fn mind_the_excuse(&mut self) {
        let is_wanted = self.lease.standing() != Standing::Idle;
        if is_wanted
            && self.may_be_excused()
            && self.down_since.is_some_and(|since| since + self.timing.wait <= clock::now())
        {
            return self.excuse();
        }
        let Some(before) = &self.excused else { return };
        let entry = self.lease.entry().filter(|entry| !entry.released);
        // An entry that stands still may be that of a dead one.
        let other = entry.filter(|entry| before.as_ref() != Some(*entry) && !self.lease.is_own(entry));
        if let Some(node) = other.map(|entry| entry.node.clone()).filter(|_| self.lease.is_up()) {
            self.excused = None;
            self.on_lost(&Loss::Taken(Some(node)));
        }
    }
}
