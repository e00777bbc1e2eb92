//! What a process has to do with an arbiter: it is master only with a lease, and gives that back when the addresses are gone.

use crate::fence::lease::{Action, Entry, Holder, Lease, Outcome, Standing, Timing};
use crate::time::{Duration, Instant};
use crate::vrrp::{Event, State, Takeover};

use super::super::register::Said;
use super::super::spec::Spec;
use super::{News, Op, Process};

/// The lease of one life of a daemon.
#[derive(Debug)]
pub(super) struct Tenant {
    pub lease: Lease,
    pub wait: Duration,
    /// The router was told that it may be master.
    may: bool,
    /// It holds by its peers' promises.
    kept: bool,
    /// It takes every grant for one of the last request.
    loose: bool,
    asked_last: u64,
}

impl Tenant {
    pub fn new(now: Instant, me: usize, life: u32, wait: Duration, spec: &Spec) -> Self {
        let node = spec.nodes[me].name.clone();
        let timing = Timing::for_wait(wait);
        let timing = if spec.rules.long_wait { timing } else { Timing { wait: wait / 2, ..timing } };
        let holder = Holder { id: format!("{me}/{life}"), node };
        let lease = Lease::new(now, holder, timing);
        let lease = if spec.unanimous { lease.with_council(super::channel::KEY.into()) } else { lease };
        Self { lease, wait, may: false, kept: false, loose: !spec.rules.bound, asked_last: 0 }
    }

    pub fn poll_timeout(&self) -> Option<Instant> {
        self.lease.poll_timeout()
    }

    /// True from the grant on to its loss.
    pub fn holds(&self) -> bool {
        matches!(self.lease.standing(), Standing::Holding(_))
    }

    /// True if a process that leaves need not wait for it.
    pub fn is_over(&self) -> bool {
        self.lease.is_given_up()
    }

    /// Takes in what the arbiter says.
    pub fn hear(&mut self, now: Instant, said: &Said) {
        match said {
            Said::Read(serial, sighting) => self.lease.handle_read(now, *serial, Some(sighting.clone())),
            Said::Cas(serial, outcome) => {
                let is_grant = matches!(outcome, Outcome::Done(_));
                let serial = if self.loose && is_grant { self.asked_last } else { *serial };
                self.lease.handle_cas(now, serial, outcome.clone());
            }
        }
    }
}

impl Process {
    /// Tells the lease what the router makes of things, and the router what became of the lease. True if that is news to it.
    pub(super) fn mind_the_lease(&mut self, now: Instant) -> bool {
        let Some(tenant) = &mut self.tenant else { return false };
        let wanted = self.router.state() == State::Master || self.router.is_ready() || self.releasing;
        // Without adverts, which nobody sends who doesn't hold, the holder can't know that it is outranked.
        let preempts = matches!(self.router.takeover(), Some((_, Takeover::Preemption(_))) if self.router.is_ready());
        tenant.lease.challenge(now, self.router.effective_priority().filter(|_| preempts));
        tenant.lease.want(now, wanted);
        if let Some(challenger) = tenant.lease.poll_challenger()
            && self.router.effective_priority().is_some_and(|own| challenger.priority > own)
        {
            self.router.handle(now, Event::HandOver);
            return true;
        }
        let mut told = None;
        if !wanted && self.rules.ask_again && std::mem::take(&mut tenant.may) {
            told = Some(Event::Forbid("the lease was given back".into()));
        }
        while let Some(act) = tenant.lease.poll_action() {
            match act {
                Action::Read { .. } => self.ops.push_back(Op::Register(act)),
                Action::Cas { serial, version, entry } => {
                    tenant.asked_last = serial;
                    // Where the rule is left out, the others believe in half of the hold.
                    let hold = if self.rules.long_wait { entry.hold } else { entry.hold / 2 };
                    let entry = Entry { hold, ..entry };
                    self.ops.push_back(Op::Register(Action::Cas { serial, version, entry }));
                }
                Action::Permit { .. } | Action::Open { .. } | Action::Refresh { .. } | Action::Close { .. } => {
                    self.ops.push_back(Op::Lease(act));
                }
                Action::Granted => {
                    tenant.may = true;
                    self.news.push(News::Lease("granted".into()));
                    told = Some(Event::Allow);
                }
                Action::Lost(loss) => {
                    tenant.may = false;
                    self.news.push(News::Lease(format!("lost: {loss:?}")));
                    told = Some(Event::Forbid(format!("the lease is lost: {loss:?}")));
                }
            }
        }
        if std::mem::replace(&mut tenant.kept, tenant.lease.is_kept()) != tenant.lease.is_kept() {
            let how =
                if tenant.kept { "goes on by the promises of all peers" } else { "rests on no promises any more" };
            self.news.push(News::Lease(how.into()));
        }
        let is_news = told.is_some();
        told.into_iter().for_each(|event| self.router.handle(now, event));
        is_news
    }
}
