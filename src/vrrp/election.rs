//! Adverts received, and the master-down timer (RFC 3768 §6.4.2, §6.4.3, RFC 9568 §6.4.2, §6.4.3).

use super::admit::{self, Complaint, Raised};
use super::phase::{Backup, Phase};
use super::router::Router;
use super::{Action, Heard, Takeover, Turn};
use crate::time::{Duration, Instant};
use crate::wire::{Advert, Version};

impl Router {
    pub(super) fn on_advert(&mut self, now: Instant, advert: &Advert) {
        if self.is_own(advert.source) {
            return;
        }
        if let Err(complaint) = admit::admit(advert, &self.settings) {
            match complaint {
                Complaint::Refused(reason) => *self.counters.refused.entry(reason).or_default() += 1,
                _ => self.counters.strangers += 1,
            }
            return self.complain(advert, complaint);
        }
        self.remark(advert);
        self.counters.adverts_received += 1;
        self.counters.priority_zero_received += u64::from(advert.priority == 0);
        let interval = Duration::from(advert.interval);
        self.heard = Some(Heard { source: advert.source, priority: advert.priority, interval, at: now });
        match self.phase {
            Phase::Master(_) => self.contest(now, advert),
            Phase::Backup(_) => self.watch(now, advert),
            _ if advert.priority > 0 => self.learn(advert),
            _ => {}
        }
    }

    /// As master: the better one stays, and says so at once.
    fn contest(&mut self, now: Instant, advert: &Advert) {
        let ours = (self.priority(), self.primary());
        if advert.priority == 0 {
            self.answer_farewell(now);
        } else if (advert.priority, Some(advert.source)) > ours {
            // Mastership is taken, not given: priority 0 would only wake the other backups.
            self.resign(false);
            self.learn(advert);
            let backup = Backup::until(now + self.master_down(), Takeover::Silence(advert.source));
            let reason = format!("{} advertises priority {} against {}", advert.source, advert.priority, ours.0);
            self.enter(Phase::Backup(backup), reason);
        } else {
            self.answer_rival(now);
        }
    }

    /// As backup: follow a master, or wait for the moment to take over from it.
    fn watch(&mut self, now: Instant, advert: &Advert) {
        let Phase::Backup(mut backup) = self.phase else { return };
        if advert.priority == 0 {
            backup.resigned(now + self.skew(), advert.source);
        } else {
            let spared = backup.spares(advert.source);
            if !self.settings.preempt || spared || advert.priority >= self.priority() {
                self.learn(advert);
                backup.follow(now + self.master_down(), advert.source);
            } else {
                self.forget_farewell();
                backup.outrank(now + self.master_down(), now + self.settings.preempt_delay, advert.source);
            }
        }
        self.phase = Phase::Backup(backup);
    }

    /// There is another master: its interval counts, and a farewell of ours would only make others doubt it.
    fn learn(&mut self, advert: &Advert) {
        self.forget_farewell();
        if self.settings.version == Version::V3 {
            self.learned_interval = Some(advert.interval.into());
        }
    }

    fn forget_farewell(&mut self) {
        if let Some(parting) = &mut self.parting {
            parting.farewell = false;
        }
    }

    pub(super) fn on_master_down(&mut self, turn: Turn) {
        let now = turn.now;
        let interval = self.master_interval();
        let forbidden = self.forbidden();
        let Phase::Backup(backup) = &mut self.phase else { return };
        if !turn.drained {
            return;
        }
        if now.since(backup.down_at) > interval && !backup.extended {
            // Later than an interval (which no skew exceeds) the master's adverts may not have been received at all: it gets
            // the chance of one more.
            backup.extended = true;
            backup.down_at = now + interval;
        } else if let Some(parting) = &mut self.parting {
            backup.down_at = now + interval;
            if !std::mem::replace(&mut parting.overdue, true) {
                let name = &self.settings.name;
                let alarm = format!("{name} can't become master: the kernel has not confirmed the last release yet");
                self.push(Action::Alarm(alarm));
            }
        } else if forbidden {
            backup.ready = true;
            backup.down_at = now + interval;
        } else {
            let reason = match backup.takeover {
                Takeover::NoMaster => "no master is heard".into(),
                Takeover::Silence(master) => format!("the master {master} is silent"),
                Takeover::Resigned(master) => format!("the master {master} gave up"),
                Takeover::Preemption(master) => format!("the master {master} has a lower priority"),
            };
            self.take(now, reason);
        }
    }

    /// Alarms about an advert that is obeyed.
    fn remark(&mut self, advert: &Advert) {
        let mut complaints = Vec::new();
        if !admit::lists_are_equal(advert, &self.settings) {
            complaints.push(Complaint::ListDiffers);
        }
        if self.is_owner() {
            complaints.push(Complaint::OwnerHears);
        }
        self.alarms.keep_only(advert.source, &complaints);
        for complaint in complaints {
            self.complain(advert, complaint);
        }
    }

    fn complain(&mut self, advert: &Advert, complaint: Complaint) {
        match self.alarms.raise(advert.source, complaint) {
            Raised::New => self.push(Action::Alarm(complaint.describe(advert, &self.settings))),
            Raised::Known => {}
            Raised::NoRoom => self.counters.alarms_suppressed += 1,
        }
    }
}
