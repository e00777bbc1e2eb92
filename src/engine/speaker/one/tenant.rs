//! What a speaker has to do with an arbiter: it is master only with a lease, and gives that back when the addresses are gone.

use super::{Bar, Speaker};
use crate::engine::arbiter::Answer;
use crate::engine::speaker::lease::{Change, Office, Tenancy};
use crate::engine::speaker::report::Told;
use crate::fence::lease::Holder;
use crate::observe::{Host, Testimony};
use crate::time::Instant;
use crate::vrrp::{Event, State, Takeover};

/// Why a router is no master that has not been granted a lease.
const NO_LEASE: &str = "the arbiter has granted no lease yet";

impl Speaker {
    /// Begins to ask the arbiter, if there is one. Until that has granted a lease, this is no master.
    pub fn apply(&mut self, now: Instant, office: Result<&Office, &str>, me: &Holder, host: &Host, told: &mut Told) {
        if self.arbiter.is_none() {
            return;
        }
        let waits = match office {
            Ok(office) => {
                let vip = self.report.vip().map_or_else(|| self.config.name.clone(), |vip| vip.to_string());
                self.tenancy = Some(Tenancy::new(self.id, office, me.clone(), &format!("{vip}/{}", self.config.vrid)));
                NO_LEASE.to_owned()
            }
            Err(why) => {
                self.alarm(now, why.to_owned(), told);
                why.to_owned()
            }
        };
        self.bar(now, Bar::Arbiter, Some(waits), host, told);
    }

    /// Takes in what the arbiter answered.
    pub fn on_arbiter(&mut self, now: Instant, answer: Answer, host: &Host, told: &mut Told) {
        if let Some(tenancy) = &mut self.tenancy {
            tenancy.on_answer(answer);
            self.act(now, host, told);
        }
    }

    /// Takes in what the peers say of their leases.
    pub(super) fn hear_pledges(&mut self, now: Instant, said: &[Testimony], host: &Host, told: &mut Told) {
        if let Some(tenancy) = &mut self.tenancy {
            tenancy.on_testimony(said, self.fencing.guard.peers());
            self.act(now, host, told);
        }
    }

    /// Somebody lets it be master no more, or again. Everybody has to.
    pub fn bar(&mut self, now: Instant, by: Bar, why: Option<String>, host: &Host, told: &mut Told) {
        self.set_bar(now, by, why);
        self.act(now, host, told);
    }

    fn set_bar(&mut self, now: Instant, by: Bar, why: Option<String>) {
        match why {
            Some(why) => drop(self.bars.insert(by, why)),
            None => drop(self.bars.remove(&by)),
        }
        let event = match self.bars.values().next() {
            Some(why) => Event::Forbid(why.clone()),
            None => Event::Allow,
        };
        self.router.handle(now, event);
    }

    /// Tells the lease what the router makes of things, and the router what became of the lease. True if that is news to it.
    pub(super) fn mind_the_lease(&mut self, now: Instant, told: &mut Told) -> bool {
        let Some(tenancy) = &mut self.tenancy else { return false };
        let serves = self.router.state() == State::Master || self.router.is_ready();
        // Without adverts, which nobody sends who doesn't hold, the holder can't know that it is outranked.
        let preempts = matches!(self.router.takeover(), Some((_, Takeover::Preemption(_))) if self.router.is_ready());
        let challenge = self.router.effective_priority().filter(|_| preempts);
        let wanted = serves || self.releasing;
        tenancy.want(wanted, challenge, self.leaving);
        if !wanted && !self.bars.contains_key(&Bar::Arbiter) {
            // What was granted is given back with the addresses: it has to be granted again.
            self.set_bar(now, Bar::Arbiter, Some("the arbiter has granted no new lease yet".into()));
        }
        let Some(tenancy) = &mut self.tenancy else { return false };
        if let Some((priority, node)) = tenancy.poll_challenger()
            && self.router.effective_priority().is_some_and(|own| priority > own)
        {
            tracing::info!("{} hands over to {node}, which has priority {priority}", self.config.name);
            self.router.handle(now, Event::HandOver);
            return true;
        }
        let (change, may) = (tenancy.poll_change(), tenancy.may());
        self.report.says.arbiter = Some(tenancy.report());
        let mut bar = (!may).then(|| NO_LEASE.to_owned());
        match change {
            None => {}
            Some(Change::Granted) => self.change_lease_of_gate(now, told),
            Some(Change::Kept(why)) => self.alarm(now, why, told),
            Some(Change::Excused(why)) => {
                self.alarm(now, why, told);
                self.change_lease_of_gate(now, told);
            }
            Some(Change::Lost(why)) => {
                self.alarm(now, why.clone(), told);
                self.fencing.by_arbiter(now, self.router.holds());
                bar = Some(why);
            }
        }
        // Who has given its lease back needs another one, too.
        let is_news = bar.is_some() != self.bars.contains_key(&Bar::Arbiter);
        if is_news {
            self.set_bar(now, Bar::Arbiter, bar);
        }
        is_news
    }
}
