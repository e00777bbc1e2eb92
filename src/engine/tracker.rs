//! What is known of tracked things, and what that makes of a router's priority.

use std::collections::BTreeMap;

use crate::config::{Track, Tracked};
use crate::observe::{self, Fact, IfIndex};
use crate::vrrp::track::{self, Found};

/// What was found of one tracked thing. Sent on change, and once when it is first known.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CheckResult {
    /// What.
    pub what: Tracked,
    /// Whether it works; of a number, which one.
    pub found: Found,
}

/// The state of all tracked things on this node, whichever router tracks them. It outlives a reload, so that none of them
/// has to be found out again.
#[derive(Clone, Debug, Default)]
pub struct Tracker {
    found: BTreeMap<Tracked, Found>,
    links: BTreeMap<IfIndex, (String, bool)>,
}

impl Tracker {
    /// Takes in a result. True if it is news.
    pub fn take(&mut self, result: CheckResult) -> bool {
        self.found.insert(result.what, result.found) != Some(result.found)
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

    /// What is known of it; `None` if nothing is yet. An interface that isn't there doesn't work.
    fn found(&self, what: &Tracked) -> Option<Found> {
        match what {
            Tracked::Interface(name) => Some(Found::Up(self.links.values().any(|(named, up)| named == name && *up))),
            _ => self.found.get(what).copied(),
        }
    }

    fn weigh(&self, track: &Track) -> Option<track::Tracked> {
        let found = self.found(&track.what)?;
        Some(track::Tracked { weight: track.weight, reverse: track.reverse, found })
    }

    /// The effective priority of a router that is configured with `base`; `None` is a fault. What isn't known yet counts as
    /// failing: nobody takes over on the strength of a service that it has not looked at.
    pub fn effective(&self, base: u8, tracks: &[Track]) -> Option<u8> {
        let unknown = |track: &Track| {
            let Track { weight, reverse, .. } = *track;
            track::Tracked { weight, reverse, found: Found::Up(reverse) }
        };
        let tracked = tracks.iter().map(|track| self.weigh(track).unwrap_or_else(|| unknown(track)));
        track::effective(base, &tracked.collect::<Vec<_>>())
    }

    /// The same, for people. A number is down where it is a fault, and else it weighs what it adds.
    pub fn report(&self, tracks: &[Track]) -> Vec<observe::Tracked> {
        let describe = |track: &Track| {
            let weighed = self.weigh(track);
            let (up, weight) = match weighed.map(|weighed| (weighed.found, weighed.worth())) {
                None => (None, track.weight),
                Some((Found::Up(up), _)) => (Some(up), track.weight),
                Some((Found::Number(_), worth)) => (Some(worth.is_some()), as_weight(worth)),
            };
            observe::Tracked { name: track.what.name().into_owned(), kind: track.what.kind().into(), up, weight }
        };
        tracks.iter().map(describe).collect()
    }
}

/// Beyond what a priority can be, more is no more.
fn as_weight(worth: Option<i32>) -> i16 {
    i16::try_from(worth.unwrap_or_default()).unwrap_or(i16::MAX)
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

    fn result(what: &Tracked, found: Found) -> CheckResult {
        CheckResult { what: what.clone(), found }
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
            let result = result(&what, Found::Up(up));
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
            tracker.take(result(&maintenance.what, Found::Up(up)));
            assert_eq!(tracker.effective(100, std::slice::from_ref(&maintenance)), priority);
        }
    }

    #[test]
    fn a_tracked_interface_works_while_it_is_there_up_with_carrier_and_not_held_down() {
        let eth1 = Tracked::Interface("eth1".into());
        let mut tracker = Tracker::default();
        assert_eq!(tracker.found(&eth1), Some(Found::Up(false)), "it isn't there");
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
            assert_eq!((tracker.observe(&fact), tracker.found(&eth1)), (news, Some(Found::Up(up))), "{fact:?}");
        }
    }

    #[test]
    fn a_report_names_what_is_tracked_and_leaves_open_what_is_not_known() {
        let tracks =
            [("nginx", -20), ("db", 0)].map(|(name, weight)| Track { what: check(name), weight, reverse: false });
        let mut tracker = Tracker::default();
        tracker.take(result(&check("db"), Found::Up(false)));
        let report = tracker.report(&tracks);
        let told: Vec<_> = report.iter().map(|t| (t.name.as_str(), &*t.kind, t.up, t.weight)).collect();
        assert_eq!(told, [("nginx", "check", None, -20), ("db", "check", Some(false), 0)]);
    }

    #[test]
    fn a_number_is_reported_with_what_it_adds_and_as_down_where_it_is_a_fault() {
        let adjust = Track { what: Tracked::Number("/run/adjust".into()), weight: -2, reverse: false };
        let tracks = std::slice::from_ref(&adjust);
        let mut tracker = Tracker::default();
        assert_eq!(tracker.effective(100, tracks), Some(98), "what isn't known yet counts as failing");
        for (number, priority, up, adds) in
            [(10, Some(80), true, -20), (0, Some(100), true, 0), (-10, Some(120), true, 20), (127, None, false, 0)]
        {
            assert!(tracker.take(result(&adjust.what, Found::Number(number))));
            assert_eq!(tracker.effective(100, tracks), priority, "{number}");
            let report = &tracker.report(tracks)[0];
            let told = (report.name.as_str(), &*report.kind, report.up, report.weight);
            assert_eq!(told, ("/run/adjust", "number", Some(up), adds), "{number}");
        }
    }
}
