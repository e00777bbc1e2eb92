//! What an operator and the guard do with a speaker.

use super::Speaker;
use crate::detect::Circumstances;
use crate::engine::speaker::report::Told;
use crate::fence::{self, Act};
use crate::observe::{Host, Testimony};
use crate::time::Instant;
use crate::vrrp::{Event, State, Takeover};

impl Speaker {
    /// Takes in what the watcher found out.
    pub fn on_findings(
        &mut self,
        now: Instant,
        (anyone, witness): (bool, bool),
        around: &Circumstances,
        host: &Host,
        told: &mut Told,
    ) {
        self.fencing.guard.handle_reach(now, anyone, witness);
        self.fencing.guard.handle_answers(now, &around.answers);
        self.fencing.guard.handle_testimony(now, around.witness, &around.testimonies);
        self.obey_guard(now, now, host, told);
        self.prepare(now, &around.testimonies, host, told);
        self.hear_pledges(now, &around.testimonies, host, told);
        // What was announced behind a cut is not heard here, and outlasts the cut there.
        if around.testimonies.iter().any(|said| said.signed && said.misdirected) {
            self.on_foreign_announcement(now, host, told);
        }
    }

    /// Has the router know what the peers' reports mean for its next takeover.
    fn prepare(&mut self, now: Instant, said: &[Testimony], host: &Host, told: &mut Told) {
        let followed = match self.router.takeover() {
            Some((_, Takeover::Silence(master))) => Some(master),
            _ => None,
        };
        let best = followed.zip(self.router.effective_priority());
        let names = self.fencing.guard.peers();
        let successor = best.and_then(|(master, priority)| fence::successor_until(said, names, master, priority));
        let lives = followed.and(fence::master_lives_until(said));
        if successor != self.successor {
            self.successor = successor;
            self.handle(now, Event::Successor(successor), host, told);
        }
        if let Some(until) = lives.filter(|_| lives != self.master_lives) {
            self.master_lives = lives;
            self.handle(now, Event::MasterLives(until), host, told);
        }
    }

    /// Does what the guard wants, for evidence that came in at `evidence`.
    pub(super) fn obey_guard(&mut self, now: Instant, evidence: Instant, host: &Host, told: &mut Told) {
        while let Some(act) = self.fencing.guard.poll_act() {
            match act {
                Act::Drop { reason, why } => {
                    self.fencing.by_guard(reason, evidence, self.router.holds());
                    self.handle(now, Event::Fence(why), host, told);
                }
                Act::Release if self.fencing.is_by_hand() => {}
                Act::Release => self.handle(now, Event::Unfence, host, told),
                Act::Yield { to, why } => {
                    self.alarm(now, format!("{to} does not hear this node, which yields to it: {why}"), told);
                    self.handle(now, Event::Yield(to), host, told);
                }
            }
        }
    }

    /// Gives mastership away once.
    ///
    /// # Errors
    /// In words: it is not master.
    pub fn hand_over(&mut self, now: Instant, host: &Host, told: &mut Told) -> Result<String, String> {
        let name = self.config.name.clone();
        if self.router.state() != State::Master {
            return Err(format!("{name} is not master here: nothing to give away"));
        }
        self.handle(now, Event::HandOver, host, told);
        Ok(format!("{name} gives mastership away; if nobody takes it, this node is master again"))
    }

    /// Drops the addresses and stays out.
    ///
    /// # Errors
    /// In words: it has done so already.
    pub fn fence_by_hand(&mut self, now: Instant, host: &Host, told: &mut Told) -> Result<String, String> {
        let name = self.config.name.clone();
        if !self.fencing.by_hand(now, self.router.holds()) {
            return Err(format!("{name} is fenced already"));
        }
        self.handle(now, Event::Fence("fenced by an operator".into()), host, told);
        Ok(format!("{name} is fenced, and stays so until `vipwarden unfence {name}`"))
    }

    /// Starts fenced, as an operator had wanted it before.
    pub fn stay_fenced(&mut self, now: Instant, host: &Host, told: &mut Told) {
        self.fencing.restore();
        self.handle(now, Event::Fence("fenced by an operator before the last start".into()), host, told);
    }

    /// Comes back.
    ///
    /// # Errors
    /// In words: it is not fenced, nor lets a lower master alone.
    pub fn unfence_by_hand(&mut self, now: Instant, host: &Host, told: &mut Told) -> Result<String, String> {
        let name = self.config.name.clone();
        if self.router.is_yielding() {
            self.handle(now, Event::Unyield, host, told);
            return Ok(format!("{name} lets no lower master alone any more"));
        }
        if !self.fencing.lift(now) {
            return Err(format!("{name} is not fenced"));
        }
        self.handle(now, Event::Unfence, host, told);
        Ok(format!("{name} takes part again"))
    }
}
