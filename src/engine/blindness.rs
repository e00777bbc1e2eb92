//! Several sources may feed one sensor, and it sees only while all of them do.

use std::collections::BTreeMap;

use crate::observe::{IfIndex, Sensor};

/// What the sources of one sensor last said, by their names.
type Sources = BTreeMap<&'static str, Result<(), String>>;

/// What each source of each sensor last said.
#[derive(Debug, Default)]
pub struct Blindness {
    sensors: BTreeMap<(Sensor, Option<IfIndex>), Sources>,
}

impl Blindness {
    /// Notes what `source` says of `sensor`. The sensor's state, if that changed by it.
    pub fn note(
        &mut self,
        sensor: Sensor,
        interface: Option<IfIndex>,
        source: &'static str,
        says: Result<(), String>,
    ) -> Option<Result<(), String>> {
        let sources = self.sensors.entry((sensor, interface)).or_default();
        let before = (!sources.is_empty()).then(|| state(sources));
        sources.insert(source, says);
        let now = state(sources);
        (before.as_ref() != Some(&now)).then_some(now)
    }

    /// Forgets what was said of an interface.
    pub fn forget(&mut self, interface: IfIndex) {
        self.sensors.retain(|(_, on), _| *on != Some(interface));
    }
}

fn state(sources: &Sources) -> Result<(), String> {
    sources.values().find(|says| says.is_err()).cloned().unwrap_or(Ok(()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sensor_sees_only_while_all_its_sources_do() {
        let mut blindness = Blindness::default();
        let mut note = |source, says| blindness.note(Sensor::Delivered, None, source, says);
        assert_eq!(note("raw ipv4", Ok(())), Some(Ok(())));
        assert_eq!(note("raw ipv6", Err("no".into())), Some(Err("no".into())));
        assert_eq!(note("raw ipv4", Ok(())), None, "the other source is still blind");
        assert_eq!(note("raw ipv6", Ok(())), Some(Ok(())));
    }

    #[test]
    fn what_was_said_of_an_interface_that_is_gone_does_not_blind_the_next_one_of_its_index() {
        let mut blindness = Blindness::default();
        let eth0 = Some(IfIndex(2));
        blindness.note(Sensor::Capture, eth0, "capture", Err("down".into()));
        blindness.forget(IfIndex(2));
        assert_eq!(blindness.note(Sensor::Capture, eth0, "another", Ok(())), Some(Ok(())));
    }
}
