//! What is known of tracked things, and what that makes of a router's priority.

use std::collections::BTreeMap;

use crate::config::{Track, Tracked};
use crate::observe::{self, Fact, IfIndex};
use crate::vrrp::track;

/// One tracked thing was found to work, or not to. Sent on change, and once when it is first known.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CheckResult {
    /// What.
    pub what: Tracked,
    /// Whether it works.
    pub up: bool,
}

/// The state of all tracked things on this node, whichever router tracks them. It outlives a reload, so that none of them
/// has to be found out again.
#[derive(Clone, Debug, Default)]
pub struct Tracker {
    found: BTreeMap<Tracked, bool>,
    links: BTreeMap<IfIndex, (String, bool)>,
}

impl Tracker {
    /// Takes in a result. True if it is news.
    pub fn take(&mut self, result: CheckResult) -> bool {
        self.found.insert(result.what, result.up) != Some(result.up)
    }

    /// Takes in what a fact says of an interface. True if it is news.
    pub fn observe(&mut self, fact: &Fact) -> bool {
        match fact {
            Fact::Link(link) => {
                let state = (link.name.clone(), link.up && link.carrier && !link.protodown);
                self.links.insert(link.index, state.clone()) != Some(state)
            }
            Fact::LinkGone(index) => self.links.remove(index).is_some(),
            _ => false,
        }
    }

    /// Whether it works; `None` if that isn't known yet. An interface that isn't there doesn't.
    pub fn is_up(&self, what: &Tracked) -> Option<bool> {
        match what {
            Tracked::Interface(name) => Some(self.links.values().any(|(named, up)| named == name && *up)),
            _ => self.found.get(what).copied(),
        }
    }

    /// The effective priority of a router that is configured with `base`; `None` is a fault. What isn't known yet counts as
    /// failing: nobody takes over on the strength of a service that it has not looked at.
    pub fn effective(&self, base: u8, tracks: &[Track]) -> Option<u8> {
        let tracked = tracks.iter().map(|track| {
            let up = self.is_up(&track.what).unwrap_or(track.reverse);
            track::Tracked { weight: track.weight, reverse: track.reverse, up }
        });
        track::effective(base, &tracked.collect::<Vec<_>>())
    }

    /// The same, for people.
    pub fn report(&self, tracks: &[Track]) -> Vec<observe::Tracked> {
        let describe = |track: &Track| observe::Tracked {
            name: track.what.name().into_owned(),
            kind: track.what.kind().into(),
            up: self.is_up(&track.what),
            weight: track.weight,
        };
        tracks.iter().map(describe).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::observe::Link;

    fn link(name: &str, carrier: bool) -> Link {
        Link { carrier, ..Link::plain(IfIndex(3), name) }
    }

    fn check(name: &str) -> Tracked {
        Tracked::Check(name.into())
    }

    #[test]
    fn weights_move_the_priority_and_zero_makes_a_fault() {
        let tracks =
            [(check("nginx"), -20), (Tracked::Process("haproxy".into()), 30), (Tracked::File("/run/drain".into()), 0)]
                .map(|(what, weight)| Track { what, weight, reverse: false });
        let mut tracker = Tracker::default();
        assert_eq!(tracker.effective(100, &tracks), None, "nothing is known of the file");
        for (what, up, priority) in [
            (tracks[2].what.clone(), true, Some(80)),
            (tracks[0].what.clone(), true, Some(100)),
            (tracks[1].what.clone(), true, Some(130)),
            (tracks[0].what.clone(), false, Some(110)),
            (tracks[2].what.clone(), false, None),
        ] {
            let result = CheckResult { what, up };
            assert!(tracker.take(result.clone()));
            assert!(!tracker.take(result), "no news");
            assert_eq!(tracker.effective(100, &tracks), priority);
        }
        assert_eq!(tracker.effective(100, &[]), Some(100), "another router tracks nothing");
    }

    #[test]
    fn what_is_tracked_in_reverse_counts_as_failing_while_it_works_and_before_it_is_known() {
        let maintenance = Track { what: check("maintenance"), weight: -20, reverse: true };
        let mut tracker = Tracker::default();
        assert_eq!(tracker.effective(100, std::slice::from_ref(&maintenance)), Some(80), "nothing is known yet");
        for (up, priority) in [(true, Some(80)), (false, Some(100))] {
            tracker.take(CheckResult { what: maintenance.what.clone(), up });
            assert_eq!(tracker.effective(100, std::slice::from_ref(&maintenance)), priority);
        }
    }

    #[test]
    fn a_tracked_interface_works_while_it_is_there_up_with_carrier_and_not_held_down() {
        let eth1 = Tracked::Interface("eth1".into());
        let mut tracker = Tracker::default();
        assert_eq!(tracker.is_up(&eth1), Some(false), "it isn't there");
        for (fact, news, up) in [
            (Fact::Link(link("eth1", true)), true, true),
            (Fact::Link(link("eth1", true)), false, true),
            (Fact::Link(link("eth1", false)), true, false),
            (Fact::Link(Link { protodown: true, ..link("eth1", true) }), false, false),
            (Fact::Link(link("eth1", true)), true, true),
            (Fact::Link(link("renamed", true)), true, false),
            (Fact::Link(link("eth1", true)), true, true),
            (Fact::LinkGone(IfIndex(3)), true, false),
            (Fact::LinkGone(IfIndex(3)), false, false),
        ] {
            assert_eq!((tracker.observe(&fact), tracker.is_up(&eth1)), (news, Some(up)), "{fact:?}");
        }
    }

    #[test]
    fn a_report_names_what_is_tracked_and_leaves_open_what_is_not_known() {
        let tracks =
            [("nginx", -20), ("db", 0)].map(|(name, weight)| Track { what: check(name), weight, reverse: false });
        let mut tracker = Tracker::default();
        tracker.take(CheckResult { what: check("db"), up: false });
        let report = tracker.report(&tracks);
        let told: Vec<_> = report.iter().map(|t| (t.name.as_str(), &*t.kind, t.up, t.weight)).collect();
        assert_eq!(told, [("nginx", "check", None, -20), ("db", "check", Some(false), 0)]);
    }
}
