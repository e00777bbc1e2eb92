//! Sync groups and exclusive groups of the speakers on this node.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use tokio::sync::mpsc;

use crate::config::Notify;
use crate::engine::notify::{Herald, Kind, Notice, Told as Heralded};
use crate::time::Instant;
use crate::vrrp::State;
use crate::vrrp::group::{self, Exclusive, Synced};

use super::one::{Bar, Speaker};
use super::{Id, Speakers};

/// What one member does can have the others do something, and that again; a group is at rest after a few rounds.
const ROUNDS_MAX: usize = 8;

/// Who belongs together.
#[derive(Debug, Default)]
pub(super) struct Groups {
    sync: BTreeMap<String, Sync>,
    exclusive: BTreeMap<String, Vec<Id>>,
}

#[derive(Debug, Default)]
struct Sync {
    members: Vec<Id>,
    /// What the members were told last; `None` if they were told nothing yet.
    allowed: Option<bool>,
    /// One for each FIFO of the members.
    heralds: BTreeMap<PathBuf, Herald>,
    /// What they said last.
    told: Option<Heralded>,
}

impl Sync {
    fn tell(&mut self, told: Heralded) {
        if self.told.replace(told) != Some(told) {
            self.heralds.values().for_each(|herald| herald.tell(told, 0));
        }
    }
}

impl Groups {
    /// The groups of those who are not leaving, in place of these.
    pub fn renew(&mut self, speakers: &BTreeMap<Id, Speaker>, notices: &mpsc::Sender<Notice>) {
        let mut earlier = std::mem::replace(self, Self::of(speakers, notices)).sync;
        for (name, sync) in &mut self.sync {
            sync.told = earlier.remove(name).and_then(|earlier| earlier.told);
        }
        earlier.values_mut().for_each(|gone| gone.tell(Heralded::Stop));
    }

    fn of(speakers: &BTreeMap<Id, Speaker>, notices: &mpsc::Sender<Notice>) -> Self {
        let mut groups = Self::default();
        for (&id, speaker) in speakers.iter().filter(|(_, speaker)| !speaker.is_leaving()) {
            let Some(speak) = &speaker.config().speak else { continue };
            if let Some(name) = &speak.sync_group {
                let sync = groups.sync.entry(name.clone()).or_default();
                sync.members.push(id);
                if let Some(fifo) = &speak.notify.fifo {
                    let notify = Notify { fifo: Some(fifo.clone()), ..Notify::default() };
                    let herald = || Herald::new(notices.clone(), Kind::Group, name, notify);
                    sync.heralds.entry(fifo.clone()).or_insert_with(herald);
                }
            }
            if let Some(name) = &speak.exclusive_group {
                groups.exclusive.entry(name.clone()).or_default().push(id);
            }
        }
        groups
    }

    fn is_empty(&self) -> bool {
        self.sync.is_empty() && self.exclusive.is_empty()
    }
}

impl Speakers {
    /// Draws the conclusions for the groups from whatever has just happened.
    pub(super) fn settle(&mut self, now: Instant) {
        if self.groups.is_empty() {
            return;
        }
        let mut groups = std::mem::take(&mut self.groups);
        for _ in 0..ROUNDS_MAX {
            let synced =
                groups.sync.iter_mut().fold(false, |any, (name, sync)| self.synchronise(now, name, sync) | any);
            if !synced && !self.weigh(now, &groups) {
                break;
            }
        }
        self.tell_of(&mut groups);
        self.groups = groups;
    }

    /// Tells of each sync group what has become of it, once that is at rest.
    fn tell_of(&self, groups: &mut Groups) {
        for sync in groups.sync.values_mut() {
            let members = sync.members.iter().filter_map(|id| self.speakers.get(id));
            let states: Vec<_> = members.filter(|one| !one.is_leaving()).map(|one| one.router().state()).collect();
            let told = match states.is_empty() {
                true => Some(Heralded::Stop),
                false => group::sync_state(&states).and_then(Heralded::of),
            };
            if let Some(told) = told {
                sync.tell(told);
            }
        }
    }

    /// Has all members of a sync group know whether they may be master. True if that is news.
    fn synchronise(&mut self, now: Instant, name: &str, sync: &mut Sync) -> bool {
        let members: Vec<_> = sync.members.iter().filter_map(|id| self.speakers.get(id)).collect();
        let states: Vec<_> = members
            .iter()
            .map(|speaker| Synced { state: speaker.router().state(), ready: speaker.is_ready() })
            .collect();
        let allowed = group::sync_allows(&states);
        if sync.allowed.replace(allowed) == Some(allowed) {
            return false;
        }
        let odd = |speaker: &&&Speaker| speaker.router().state() != State::Master && !speaker.is_ready();
        let odd = members.iter().find(odd).map_or_else(String::new, |speaker| speaker.config().name.clone());
        for id in &sync.members {
            self.with(now, *id, |speaker, host, told| {
                let why = (!allowed).then(|| format!("{odd} of its sync group {name} can't be master"));
                speaker.bar(now, Bar::Group, why, host, told);
            });
        }
        true
    }

    /// Tells each what its priority is worth by now. True if that is news to any.
    fn weigh(&mut self, now: Instant, groups: &Groups) -> bool {
        let mut worth: BTreeMap<Id, Option<u8>> = BTreeMap::new();
        for members in groups.exclusive.values() {
            let speakers: Vec<_> = members.iter().filter_map(|id| Some((*id, self.speakers.get(id)?))).collect();
            let exclusives: Vec<_> = speakers
                .iter()
                .map(|(_, speaker)| Exclusive { state: speaker.router().state(), priority: self.own_worth(speaker) })
                .collect();
            let priorities = group::exclusive_priorities(&exclusives);
            worth.extend(speakers.iter().map(|(id, _)| *id).zip(priorities));
        }
        let mut news = false;
        for (id, priority) in worth {
            news |=
                self.with(now, id, |speaker, host, told| speaker.set_priority(now, priority, host, told)) == Some(true);
        }
        news
    }

    /// What tracking, and for an owner its addresses, make of the configured priority.
    fn own_worth(&self, speaker: &Speaker) -> Option<u8> {
        speaker.tracked().filter(|_| speaker.owns_all(&self.host))
    }

    /// The same for those in no exclusive group.
    pub(super) fn weigh_singles(&mut self, now: Instant) {
        let grouped: BTreeSet<Id> = self.groups.exclusive.values().flatten().copied().collect();
        let single = self.speakers.iter().filter(|(id, speaker)| !grouped.contains(id) && !speaker.is_leaving());
        let worth: Vec<_> = single.map(|(id, speaker)| (*id, self.own_worth(speaker))).collect();
        for (id, priority) in worth {
            self.with(now, id, |speaker, host, told| speaker.set_priority(now, priority, host, told));
        }
    }
}
