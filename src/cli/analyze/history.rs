//! What was seen and what was said of it, for the document at the end.

use std::collections::{BTreeMap, BTreeSet};

use crate::detect::{RouterView, Snapshot};
use crate::engine::Logged;
use crate::observe::RouterId;
use crate::time::Duration;
use crate::web::document::{AnalyzeDoc, AnalyzedDoc, Date, EpisodeDoc, EventDoc, RouterDoc, TransitionDoc};
use crate::wire::Seen;

/// Events kept.
const MAX_EVENTS: usize = 100_000;

/// Transitions kept of one router.
const MAX_KEPT: usize = 10_000;

/// What the frames amounted to, and what happened.
#[derive(Default)]
pub struct History {
    frames: u64,
    adverts: u64,
    rejected: BTreeMap<String, u64>,
    transitions: BTreeMap<RouterId, Vec<TransitionDoc>>,
    events: Vec<EventDoc>,
    events_left_out: u64,
    max_routers: usize,
}

impl History {
    /// An empty history of so many routers at most.
    pub fn new(max_routers: usize) -> Self {
        Self { max_routers, ..Self::default() }
    }

    /// Counts a frame.
    pub fn count(&mut self, seen: &Seen) {
        self.frames += 1;
        let defect = match seen {
            Seen::Advert(advert) => {
                self.adverts += u64::from(advert.defect().is_none());
                advert.defect()
            }
            Seen::Rejected(rejected) => Some(rejected.reason),
            _ => None,
        };
        if let Some(reason) = defect {
            *self.rejected.entry(reason.as_str().into()).or_default() += 1;
        }
    }

    /// Takes in an event.
    pub fn take(&mut self, logged: &Logged) {
        if self.events.len() < MAX_EVENTS {
            self.events.push(EventDoc::new(logged));
        } else {
            self.events_left_out += 1;
        }
        let event = &logged.event;
        let Some(id) = &event.id else { return };
        if self.transitions.len() == self.max_routers && !self.transitions.contains_key(id) {
            return;
        }
        let transitions = self.transitions.entry(id.clone()).or_default();
        if event.kind == "master" && transitions.len() < MAX_KEPT {
            let at = Date::new(logged.clock, event.at);
            transitions.push(TransitionDoc { at, from: event.from.clone(), to: event.to.clone() });
        }
    }

    /// The document with the view at the end, and what had to be left out of it.
    pub fn finish(mut self, end: &Snapshot) -> (AnalyzeDoc, Vec<String>) {
        let routers = end.routers.iter().map(|view| self.analyzed(view, end)).collect();
        let mut omissions = Vec::new();
        if self.events_left_out > 0 {
            omissions.push(format!("{} events more than {MAX_EVENTS} are not shown", self.events_left_out));
        }
        for (table, count) in end.table_full.iter().filter(|(_, count)| *count > 0) {
            omissions.push(format!("the table of {table} was full {count} times: not everything is judged"));
        }
        let Self { frames, adverts, rejected, events, .. } = self;
        (AnalyzeDoc { frames, adverts, rejected, routers, events }, omissions)
    }

    /// How many routers something happened to that are not there at the end.
    pub fn forgotten(&self, end: &Snapshot) -> usize {
        let ends: BTreeSet<RouterId> = end.routers.iter().map(|view| id(view)).collect();
        self.transitions.keys().filter(|id| !ends.contains(id)).count()
    }

    fn analyzed(&mut self, view: &RouterView, end: &Snapshot) -> AnalyzedDoc {
        let seconds: Duration = view.episodes.iter().map(|e| e.end.unwrap_or(end.at).since(e.start)).sum();
        AnalyzedDoc {
            router: RouterDoc::from_view(view, end.clock, end.at),
            transitions: self.transitions.remove(&id(view)).unwrap_or_default(),
            split_brain_episodes: view.episodes.iter().map(|e| EpisodeDoc::new(e, end.clock)).collect(),
            split_brain_seconds: seconds.as_secs_f64(),
        }
    }
}

fn id(view: &RouterView) -> RouterId {
    let RouterView { interface, vlan, family, vrid, .. } = view;
    RouterId { interface: interface.clone(), vlan: *vlan, family: *family, vrid: *vrid }
}
