//! What a process has to do with an arbiter: it is master only with a lease, and gives that back when the addresses are gone.

use crate::fence::lease::{Action, Holder, Lease, Outcome, Timing};
use crate::time::{Duration, Instant};
use crate::vrrp::{Event, State};

use super::super::register::Said;
use super::super::spec::Spec;
use super::{News, Op, Process};

/// The lease of one life of a daemon.
#[derive(Debug)]
pub(super) struct Tenant {
    pub lease: Lease,
    /// The router was told that it may be master.
    may: bool,
    /// It takes every grant for one of the last request.
    loose: bool,
    asked_last: u64,
}

impl Tenant {
    pub fn new(now: Instant, me: usize, life: u32, wait: Duration, spec: &Spec) -> Self {
        let node = spec.nodes[me].name.clone();
        let timing = Timing::for_wait(wait);
        // Where the wait is not what it must be, everybody believes that the hold is shorter than it is.
        let timing = if spec.rules.long_wait { timing } else { Timing { wait: wait / 2, ..timing } };
        let holder = Holder { id: format!("{me}/{life}"), node };
        Self { lease: Lease::new(now, holder, timing), may: false, loose: !spec.rules.bound, asked_last: 0 }
    }

    pub fn poll_timeout(&self) -> Option<Instant> {
        self.lease.poll_timeout()
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
        tenant.lease.want(now, wanted);
        let mut told = None;
        if !wanted && self.rules.ask_again && std::mem::take(&mut tenant.may) {
            told = Some(Event::Forbid("the lease was given back".into()));
        }
        while let Some(act) = tenant.lease.poll_action() {
            match act {
                Action::Read { .. } => self.ops.push_back(Op::Register(act)),
                Action::Cas { serial, .. } => {
                    tenant.asked_last = serial;
                    self.ops.push_back(Op::Register(act));
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
        let is_news = told.is_some();
        told.into_iter().for_each(|event| self.router.handle(now, event));
        is_news
    }
}
