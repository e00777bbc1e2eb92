//! Being master: claim, confirm, advertise, announce (RFC 9568 §6.4.3, §8.2).

use super::phase::{Announcements, Grip, Held, Phase, Tenure};
use super::router::Router;
use super::{Action, OWNER, Settings, timer};
use crate::time::Instant;

/// How often a refused claim is repeated.
const CLAIM_RETRIES: u8 = 3;

/// Addresses that are taken away this often...
const LOSSES_MAX: usize = 3;
/// ...within this many advert intervals are given up with the next loss.
const LOSSES_WINDOW: u32 = 10;

impl Held {
    /// Everything counted from now: an advert and a row of announcements have just gone out.
    fn begin(now: Instant, settings: &Settings) -> Self {
        let announcements = Announcements::new(now, settings.garp);
        Self { advert_at: now + settings.advert_interval, answered_rival: None, answered_farewell: None, announcements }
    }

    /// Other settings hold from now on.
    pub(super) fn reschedule(&mut self, now: Instant, settings: &Settings) {
        self.advert_at = self.advert_at.min(now + settings.advert_interval);
        self.announcements.reschedule(now, settings.garp);
    }
}

impl Router {
    /// The kernel confirmed the addresses: advert, then announcements.
    pub(super) fn on_claimed(&mut self, now: Instant) {
        let Phase::Master(tenure) = &mut self.phase else { return };
        if matches!(tenure.grip, Grip::Held(_)) {
            return;
        }
        tenure.grip = Grip::Held(Held::begin(now, &self.settings));
        tenure.spoke = true;
        self.setbacks = 0;
        self.advertise(self.priority());
        self.announce(self.settings.garp.repeat);
    }

    pub(super) fn on_claim_failed(&mut self, now: Instant, why: &str) {
        let Phase::Master(tenure) = &mut self.phase else { return };
        let Grip::Claiming { failures, .. } = tenure.grip else { return };
        if failures >= CLAIM_RETRIES {
            return self.give_up(now, format!("the addresses can't be claimed: {why}"));
        }
        tenure.grip = Grip::Refused { failures: failures + 1, again: now + self.settings.advert_interval };
    }

    /// Somebody took an address away: it is claimed again, unless this goes on and on.
    pub(super) fn on_address_lost(&mut self, now: Instant) {
        let window = self.settings.advert_interval * LOSSES_WINDOW;
        let owner = self.is_owner();
        let Phase::Master(tenure) = &mut self.phase else { return };
        if owner || !matches!(tenure.grip, Grip::Held(_)) {
            return;
        }
        tenure.losses.retain(|at| now.since(*at) < window);
        if tenure.losses.len() >= LOSSES_MAX {
            return self.give_up(now, "somebody keeps taking the addresses away".into());
        }
        tenure.losses.push(now);
        let name = &self.settings.name;
        self.push(Action::Alarm(format!("somebody took an address of {name} away: it is claimed again")));
        self.claim(now, 0);
    }

    /// Asks the kernel for the addresses. Until it confirms there are no adverts.
    pub(super) fn claim(&mut self, now: Instant, failures: u8) {
        if let Phase::Master(tenure) = &mut self.phase {
            tenure.grip = Grip::claiming(now, failures, self.setbacks);
            self.push(Action::Claim);
        }
    }

    pub(super) fn on_tenure_timer(&mut self, now: Instant) {
        let Phase::Master(tenure) = &mut self.phase else { return };
        match &mut tenure.grip {
            Grip::Claiming { .. } => self.give_up(now, "the kernel does not answer the claim".into()),
            Grip::Refused { failures, .. } => {
                let failures = *failures;
                self.claim(now, failures);
            }
            Grip::Held(held) => {
                let advert_due = held.advert_at <= now;
                if advert_due {
                    // What was missed is not made up for.
                    let interval = self.settings.advert_interval;
                    let next = timer::in_step(held.advert_at + interval, interval);
                    held.advert_at = if next > now { next } else { now + interval };
                }
                let announcements = held.announcements.take_due(now, self.settings.garp);
                if advert_due {
                    self.advertise(self.priority());
                }
                self.announce(announcements);
            }
        }
    }

    /// Another host claims mastership with less right: an advert at once shows who is master (RFC 9568 §6.4.3). Not twice
    /// within half an interval, or two that are deaf to each other's right would storm. When it has fallen silent, caches may
    /// still point at it.
    pub(super) fn answer_rival(&mut self, now: Instant) {
        let healed_at = now + self.master_down();
        let interval = self.settings.advert_interval;
        let Some(held) = self.held() else { return };
        held.announcements.heal(healed_at);
        if held.answered_rival.is_none_or(|at| now.since(at) >= interval / 2) {
            held.answered_rival = Some(now);
            held.advert_at = now + interval;
            self.advertise(self.priority());
        }
    }

    /// Another host gave up: an advert at once keeps the backups from taking over. Of many farewells at a time some are
    /// answered together, but sooner than the best backup's skew.
    pub(super) fn answer_farewell(&mut self, now: Instant) {
        let interval = self.settings.advert_interval;
        let spacing = timer::skew(self.settings.version, OWNER, interval);
        let Some(held) = self.held() else { return };
        if held.answered_farewell.is_none_or(|at| now.since(at) >= spacing) {
            held.answered_farewell = Some(now);
            held.advert_at = now + interval;
            self.advertise(self.priority());
        } else {
            held.advert_at = held.advert_at.min(now + spacing);
        }
    }

    /// A row now, and one later, as on becoming master.
    pub(super) fn announce_again(&mut self, now: Instant) {
        let garp = self.settings.garp;
        let Some(held) = self.held() else { return };
        held.announcements = Announcements::new(now, garp);
        self.announce(garp.repeat);
    }

    fn held(&mut self) -> Option<&mut Held> {
        match &mut self.phase {
            Phase::Master(Tenure { grip: Grip::Held(held), .. }) => Some(held),
            _ => None,
        }
    }

    fn announce(&mut self, times: u8) {
        self.counters.announcements += u64::from(times);
        for _ in 0..times {
            self.push(Action::Announce);
        }
    }
}
