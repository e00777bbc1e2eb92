//! Several sources may feed one sensor, and it sees only while all of them do.

use std::collections::BTreeMap;

use crate::observe::{IfIndex, Sensor};

/// What each source last said.
#[derive(Debug, Default)]
pub struct Blindness {
    sources: BTreeMap<(Sensor, Option<IfIndex>), BTreeMap<&'static str, Result<(), String>>>,
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
        let sources = self.sources.entry((sensor, interface)).or_default();
        let before = (!sources.is_empty()).then(|| state(sources));
        sources.insert(source, says);
        let now = state(sources);
        (before.as_ref() != Some(&now)).then_some(now)
    }

    /// Forgets what was said of an interface. The sensors that were blind there.
    pub fn forget(&mut self, interface: IfIndex) -> Vec<Sensor> {
        let mut blind = Vec::new();
        self.sources.retain(|(sensor, on), sources| {
            let is_gone = *on == Some(interface);
            if is_gone && state(sources).is_err() {
                blind.push(*sensor);
            }
            !is_gone
        });
        blind
    }
}

fn state(sources: &BTreeMap<&'static str, Result<(), String>>) -> Result<(), String> {
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
    fn what_was_blind_on_an_interface_is_told_when_it_is_forgotten() {
        let mut blindness = Blindness::default();
        let eth0 = Some(IfIndex(2));
        blindness.note(Sensor::Capture, eth0, "capture", Err("down".into()));
        blindness.note(Sensor::Delivered, eth0, "ip", Ok(()));
        assert_eq!(blindness.forget(IfIndex(2)), [Sensor::Capture]);
        assert_eq!(blindness.note(Sensor::Capture, eth0, "capture", Ok(())), Some(Ok(())));
    }
}
