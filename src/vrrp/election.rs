//! Adverts received, and the master-down timer (RFC 3768 §6.4.2, §6.4.3, RFC 9568 §6.4.2, §6.4.3).

use super::admit::{self, Complaint, Raised};
use super::phase::{Backup, Phase};
use super::probing::{Probing, Question};
use super::router::Router;
use super::{Action, Heard, Takeover, Turn};
use crate::time::{Duration, Instant};
use crate::wire::{Advert, MacAddr, Version};

/// What the best successor waits after a farewell, in place of a longer skew: a master that lives answers a forged one
/// within this time.
const SUCCESSOR_WAIT: Duration = Duration::from_millis(4);

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
            if let Phase::Backup(backup) = &mut self.phase {
                backup.refuse(advert.source);
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
            let probing = self.probing(now, advert);
            let backup =
                Backup { probing, ..Backup::until(now + self.master_down(), Takeover::Silence(advert.source)) };
            let reason = format!("{} advertises priority {} against {}", advert.source, advert.priority, ours.0);
            self.enter(Phase::Backup(backup), reason);
        } else {
            self.answer_rival(now);
        }
    }

    /// As backup: follow a master, or wait for the moment to take over from it.
    fn watch(&mut self, now: Instant, advert: &Advert) {
        let (skew, may_hurry) = (self.skew(), now < self.successor_until);
        let Phase::Backup(backup) = &mut self.phase else { return };
        if advert.priority == 0 {
            let hurries = may_hurry && backup.takeover == Takeover::Silence(advert.source);
            let wait = if hurries { skew.min(SUCCESSOR_WAIT) } else { skew };
            return backup.resigned(now + wait, advert.source);
        }
        let spared = backup.spares(advert.source);
        let is_followed = !self.settings.preempt || spared || advert.priority >= self.priority();
        match is_followed {
            true => self.learn(advert),
            false => self.forget_farewell(),
        }
        let (silent_at, not_before) = (now + self.master_down(), now + self.settings.preempt_delay);
        let probing = self.probing(now, advert);
        let Phase::Backup(backup) = &mut self.phase else { return };
        match is_followed {
            true => backup.follow(silent_at, advert.source, probing),
            false => backup.outrank(silent_at, not_before, advert.source),
        }
    }

    /// Our priority has changed: a master that is outranked no more is followed, and not preempted by the priority of before.
    pub(super) fn reconsider(&mut self, now: Instant) {
        let (own, Some(heard)) = (self.priority(), self.heard) else { return };
        let Phase::Backup(backup) = &self.phase else { return };
        if backup.takeover != Takeover::Preemption(heard.source) || heard.priority < own {
            return;
        }
        self.follow_interval(heard.interval);
        let silent_at = now.max(heard.at + self.master_down());
        if let Phase::Backup(backup) = &mut self.phase {
            backup.follow(silent_at, heard.source, None);
        }
    }

    /// What is to be asked should this master fall silent.
    fn probing(&self, now: Instant, advert: &Advert) -> Option<(MacAddr, Probing)> {
        let host = advert.mac.filter(|_| self.settings.probe_before_promote && !self.is_owner())?;
        Some((host, Probing::after(now, advert.interval.into())))
    }

    /// There is another master: its interval counts, and a farewell of ours would only make others doubt it.
    fn learn(&mut self, advert: &Advert) {
        self.forget_farewell();
        self.follow_interval(advert.interval.into());
    }

    fn follow_interval(&mut self, interval: Duration) {
        if self.settings.version == Version::V3 {
            self.learned_interval = Some(interval);
        }
    }

    fn forget_farewell(&mut self) {
        if let Some(parting) = &mut self.parting {
            parting.farewell = false;
        }
    }

    /// Asks what is due to be asked; then the master-down timer may have run out.
    pub(super) fn on_backup_timer(&mut self, turn: Turn) {
        let Phase::Backup(backup) = &mut self.phase else { return };
        let is_down = backup.down_at <= turn.now;
        let asked = backup.probing.as_mut().map(|(host, probing)| (*host, probing.ask(turn.now)));
        if let Some((host, questions)) = asked {
            questions.for_each(|question| {
                self.counters.probes_sent += 1;
                self.push(Action::Ask { host, question });
            });
        }
        if is_down {
            self.on_master_down(turn);
        }
    }

    /// The host of a silent master still has its addresses.
    pub(super) fn on_answered(&mut self, now: Instant, question: Question) {
        let Phase::Backup(Backup { probing: Some((host, probing)), takeover, .. }) = &mut self.phase else { return };
        let had_insisted = probing.insists;
        self.counters.probes_answered += u64::from(probing.answer(now, question));
        if !probing.insists || had_insisted {
            return;
        }
        self.counters.held_off += 1;
        let (name, Takeover::Silence(master)) = (&self.settings.name, *takeover) else { return };
        let alarm = format!(
            "the master {master} of {name} is silent, but its host {host} still answers for the address, which is therefore \
             not taken: its VRRP daemon is dead or frozen, or its adverts are filtered. Mend it there, or take the \
             address from that host"
        );
        self.push(Action::Alarm(alarm));
    }

    fn on_master_down(&mut self, turn: Turn) {
        let now = turn.now;
        let interval = self.master_interval();
        let forbidden = self.forbidden();
        let grace = self.settings.promote_grace.filter(|_| self.master_lives_until <= now);
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
        } else if let Some(again) = still_holds(backup, now, grace) {
            backup.down_at = again;
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
        if Duration::from(advert.interval) != self.settings.advert_interval {
            complaints.push(Complaint::IntervalDiffers);
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

/// When to look again whether the host of a silent master still has the addresses; `None` if they can be taken.
fn still_holds(backup: &mut Backup, now: Instant, grace: Option<Duration>) -> Option<Instant> {
    let (_, probing) = backup.probing.as_mut()?;
    let again = probing.is_silent(now).err()?;
    let is_over = grace.is_some_and(|grace| probing.held_off_for(now).is_some_and(|held_off| held_off >= grace));
    (!is_over).then_some(again)
}
