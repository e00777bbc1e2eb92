//! What we can see, and since when: a verdict is worth no more than the eyes behind it.

use std::collections::BTreeMap;

use crate::time::{Duration, Instant};

use super::{IfIndex, Sensor};

/// How long a passing blindness (dropped frames, a late loop, a full table) stays visible as a failed sensor.
const AFTERGLOW: Duration = Duration::from_secs(5);

/// A sensor's condition.
#[derive(Clone, Debug, PartialEq)]
pub struct SensorState {
    /// `Ok`, or what can't be seen and what to do.
    pub state: Result<(), String>,
    /// Since when.
    pub since: Instant,
    /// Since when it works, or doesn't, for good: a passing blindness leaves a gap of its own.
    lasting_since: Instant,
    clears: Option<Instant>,
}

/// All sensors of this node.
#[derive(Debug, Default)]
pub struct Sight {
    sensors: BTreeMap<(Sensor, Option<IfIndex>), SensorState>,
    gaps: BTreeMap<IfIndex, Instant>,
    late: Option<(Instant, Duration)>,
}

impl Sight {
    /// Every sensor.
    pub fn sensors(&self) -> impl Iterator<Item = (Sensor, Option<IfIndex>, &SensorState)> {
        self.sensors.iter().map(|((sensor, interface), state)| (*sensor, *interface, state))
    }

    /// Takes in a lasting condition. True if it changed.
    pub fn set(&mut self, now: Instant, sensor: Sensor, interface: Option<IfIndex>, state: Result<(), String>) -> bool {
        if let Some(known) = self.sensors.get_mut(&(sensor, interface))
            && known.state == state
        {
            known.clears = None;
            return false;
        }
        let news = SensorState { state, since: now, lasting_since: now, clears: None };
        let first = self.sensors.insert((sensor, interface), news).is_none();
        !first || self.sensors[&(sensor, interface)].state.is_err()
    }

    /// Takes in a passing condition: it clears by itself. True if the sensor saw until now.
    pub fn flash(&mut self, now: Instant, sensor: Sensor, interface: Option<IfIndex>, says: String) -> bool {
        let fresh = SensorState { state: Ok(()), since: now, lasting_since: Instant::ZERO, clears: None };
        let known = self.sensors.entry((sensor, interface)).or_insert(fresh);
        let saw = known.state.is_ok();
        if saw || known.clears.is_some() {
            known.state = Err(says);
            known.clears = Some(now + AFTERGLOW);
        }
        if saw {
            known.since = now;
        }
        saw
    }

    /// Clears passing conditions whose time is over; returns those that changed.
    pub fn expire(&mut self, now: Instant) -> Vec<(Sensor, Option<IfIndex>)> {
        let mut over = Vec::new();
        for (key, sensor) in &mut self.sensors {
            if sensor.clears.is_some_and(|at| at <= now) {
                (sensor.state, sensor.since, sensor.clears) = (Ok(()), now, None);
                over.push(*key);
            }
        }
        over
    }

    /// When [`Self::expire`] has something to do.
    pub fn expires_at(&self) -> Option<Instant> {
        self.sensors.values().filter_map(|state| state.clears).min()
    }

    /// An interface is gone, and with it its sensors.
    pub fn remove_interface(&mut self, interface: IfIndex) {
        self.sensors.retain(|(_, on), _| *on != Some(interface));
        self.gaps.remove(&interface);
    }

    /// Frames may have been missed on an interface at `now`.
    pub fn gap(&mut self, now: Instant, interface: IfIndex) {
        self.gaps.insert(interface, now);
    }

    /// The loop ran late by so much.
    pub fn late(&mut self, now: Instant, by: Duration) {
        self.late = Some((now, by));
    }

    /// A sensor that is down now, of those that a verdict on this interface rests on.
    pub fn blind(&self, interface: IfIndex) -> Option<&str> {
        let needed = [(Sensor::Capture, Some(interface)), (Sensor::Carrier, Some(interface)), (Sensor::Netlink, None)];
        needed.iter().find_map(|key| {
            let sensor = self.sensors.get(key).filter(|state| state.clears.is_none());
            sensor.and_then(|state| state.state.as_ref().err().map(String::as_str))
        })
    }

    /// What was missed lately on this interface, or everywhere: dropped frames, a late loop.
    pub fn passing(&self, interface: IfIndex) -> Option<&str> {
        [(Sensor::Capture, Some(interface)), (Sensor::Loop, None)].iter().find_map(|key| {
            let sensor = self.sensors.get(key).filter(|state| state.clears.is_some());
            sensor.and_then(|state| state.state.as_ref().err().map(String::as_str))
        })
    }

    /// Since when nothing on this interface can have been missed by a router with this interval.
    pub fn clear_since(&self, interface: IfIndex, interval: Duration) -> Instant {
        let needed = [(Sensor::Capture, Some(interface)), (Sensor::Carrier, Some(interface)), (Sensor::Netlink, None)];
        let lasting = needed.iter().filter_map(|key| self.sensors.get(key)).map(|sensor| sensor.lasting_since);
        let lasting = lasting.max().unwrap_or_default();
        let gap = self.gaps.get(&interface).copied().unwrap_or_default();
        let late = self.late.filter(|(_, by)| *by > interval).map(|(at, _)| at).unwrap_or_default();
        lasting.max(gap).max(late)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ETH0: IfIndex = IfIndex(2);

    fn at(seconds: u64) -> Instant {
        Instant::from_nanos(seconds * 1_000_000_000)
    }

    #[test]
    fn a_passing_blindness_is_shown_clears_by_itself_and_leaves_a_gap_fault_22() {
        let mut sight = Sight::default();
        sight.set(at(1), Sensor::Capture, Some(ETH0), Ok(()));
        assert!(sight.flash(at(10), Sensor::Capture, Some(ETH0), "12 frames dropped".into()));
        sight.gap(at(10), ETH0);
        assert!(sight.sensors().any(|(_, _, s)| s.state.is_err()));
        assert_eq!(sight.blind(ETH0), None, "it sees again; what it missed is behind clear_since");
        assert_eq!(sight.clear_since(ETH0, Duration::from_secs(1)), at(10));
        assert_eq!(sight.passing(ETH0), Some("12 frames dropped"));
        assert_eq!(sight.expire(at(15)), [(Sensor::Capture, Some(ETH0))]);
        assert_eq!(sight.passing(ETH0), None);
        assert!(sight.sensors().all(|(_, _, s)| s.state.is_ok()));
        assert_eq!(
            sight.clear_since(ETH0, Duration::from_secs(1)),
            at(10),
            "that it is shown no more is no second gap"
        );
    }

    #[test]
    fn a_lasting_blindness_is_not_cleared_by_a_passing_one_fault_22() {
        let mut sight = Sight::default();
        sight.set(at(1), Sensor::Capture, Some(ETH0), Err("no socket".into()));
        assert!(!sight.flash(at(2), Sensor::Capture, Some(ETH0), "3 frames dropped".into()));
        assert_eq!(sight.expires_at(), None);
        assert_eq!(sight.blind(ETH0), Some("no socket"));
    }

    #[test]
    fn a_late_loop_blinds_only_routers_whose_interval_is_shorter_fault_22() {
        let mut sight = Sight::default();
        sight.late(at(10), Duration::from_millis(300));
        assert_eq!(sight.clear_since(ETH0, Duration::from_secs(1)), at(0));
        assert_eq!(sight.clear_since(ETH0, Duration::from_millis(100)), at(10));
    }

    #[test]
    fn a_lost_carrier_blinds_until_it_is_back_fault_22() {
        let mut sight = Sight::default();
        sight.set(at(5), Sensor::Carrier, Some(ETH0), Err("eth0 has no carrier".into()));
        assert_eq!(sight.blind(ETH0), Some("eth0 has no carrier"));
        sight.set(at(8), Sensor::Carrier, Some(ETH0), Ok(()));
        assert_eq!(sight.blind(ETH0), None);
        assert_eq!(sight.clear_since(ETH0, Duration::from_secs(1)), at(8));
    }
}
