//! Worlds in which nodes know of each other in more ways than by adverts: a second channel, a witness, an informed yield; and routers of
//! other forms, unicast ones and owners.

use crate::fence::Policy;
use crate::time::Duration;
use crate::vrrp::{OWNER, Settings};

use super::super::chance::{Chance, scramble};
use super::super::spec::{Fault, Hazards, Mishap, NodeSpec, Nodes, Rules, Spec, Weather, primary};
use super::{settings, sides};

const SECOND: Duration = Duration::from_secs(1);
/// From when on nothing goes wrong, and when it is over.
const CALM: Duration = Duration::from_secs(20);
const LENGTH: Duration = Duration::from_secs(20 + 14);

/// The world of this seed.
pub fn random(seed: u64) -> Spec {
    let chance = &mut Chance::new(scramble(seed ^ (0x3c << 56)));
    let count = chance.pick(&[2, 2, 3, 3, 4]);
    let interval = Duration::from_millis(chance.pick(&[100, 200, 500]));
    let unicast = chance.below(3) == 0;
    let owner = (chance.below(3) == 0).then(|| chance.below(count as u64) as usize);
    let node = |index: usize| {
        let priority = if owner == Some(index) { OWNER } else { 1 + chance.below(254) as u8 };
        let base = settings(priority, interval);
        let others = (0..count).filter(|node| unicast && *node != index);
        NodeSpec {
            name: format!("lb{:02}", index + 1),
            settings: Settings { unicast_peers: others.map(|node| primary(base.family, node)).collect(), ..base },
            drift_ppm: chance.below(401) as i32 - 200,
            starts_at: chance.between(Duration::ZERO, interval * 3),
        }
    };
    let nodes: Vec<NodeSpec> = (0..count).map(node).collect();
    let policy = Policy {
        hold_down: SECOND,
        informed_yield: chance.pick(&[0, 3, 5]),
        on_isolation: chance.below(2) == 0,
        isolation_time: SECOND * 2,
        ..Policy::default()
    };
    let hazards = match chance.below(3) {
        0 => Hazards { pause_ppm: 500, pause_max: interval * 8, ..Hazards::NONE },
        _ => Hazards::NONE,
    };
    let faults = (0..1 + chance.below(4)).map(|_| mishap(count, owner, chance)).collect();
    Spec {
        seed,
        nodes,
        weather: Weather { delay_max: interval / 100, ..Weather::CLEAR },
        gate: true,
        arbiter: None,
        reports: true,
        witness: true,
        unanimous: false,
        watch: false,
        policy,
        length: LENGTH,
        calm_from: CALM,
        faults,
        hazards,
        rules: Rules::ALL,
    }
}

fn mishap(count: usize, owner: Option<usize>, chance: &mut Chance) -> Mishap {
    let node = chance.below(count as u64) as usize;
    let at = chance.between(SECOND, CALM - SECOND * 2);
    let fault = match chance.below(12) {
        0..=3 => {
            let (from, to) = sides(count, chance);
            Fault::Cut { from, to }
        }
        4 | 5 => Fault::Cut { from: Nodes::one(node), to: Nodes(0xff) },
        6 | 7 => Fault::Isolate(node),
        8 => Fault::Pause(node),
        9 => chance.pick(&[Fault::Kill(node), Fault::PowerOff(node), Fault::Stop(node)]),
        10 => Fault::ChannelCut(node),
        _ if owner.is_some() => Fault::Cable(node),
        _ => chance.pick(&[Fault::Priority(node, 254), Fault::HandOver(node), Fault::DeleteAddress(node)]),
    };
    Mishap { at, lasts: Some(chance.between(SECOND, CALM - at)), fault }
}
