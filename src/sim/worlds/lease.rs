//! Worlds with an arbiter, short ones: processes stop at every act, clocks run as unevenly as is assumed at the worst, and answers
//! come late or never.

use crate::fence::Policy;
use crate::time::Duration;

use super::super::chance::{Chance, scramble};
use super::super::spec::{Fault, Hazards, Mishap, NodeSpec, Nodes, Rules, Spec, Weather};
use super::{settings, sides};

/// ρ, as `fence::lease` assumes it: 1 %.
const DRIFT_PPM: u64 = 10_000;
const WAIT: Duration = Duration::from_secs(3);
const INTERVAL: Duration = Duration::from_secs(1);
/// From when on nothing goes wrong, and when it is over.
const CALM: Duration = Duration::from_secs(16);
const LENGTH: Duration = Duration::from_secs(16 + 9 + 9 + 6);
const SHORT: Duration = Duration::from_millis(1);

/// The world of this seed.
pub fn random(seed: u64) -> Spec {
    let chance = &mut Chance::new(scramble(seed ^ (0xa5 << 56)));
    let count = chance.pick(&[2, 2, 2, 3, 3, 4]);
    let preempt = chance.below(4) > 0;
    let node = |index: usize| NodeSpec {
        name: format!("lb{:02}", index + 1),
        settings: crate::vrrp::Settings { preempt, ..settings(1 + chance.below(254) as u8, INTERVAL) },
        // The extremes more often than what lies between: they are where it hurts.
        drift_ppm: match chance.below(3) {
            0 => -(DRIFT_PPM as i32),
            1 => DRIFT_PPM as i32,
            _ => chance.below(2 * DRIFT_PPM + 1) as i32 - DRIFT_PPM as i32,
        },
        starts_at: chance.any_magnitude(SHORT, INTERVAL * 2),
    };
    let nodes: Vec<NodeSpec> = (0..count).map(node).collect();
    let hazards = Hazards {
        pause_ppm: chance.pick(&[2_000, 10_000, 30_000]),
        pause_max: INTERVAL * 6,
        slow_ppm: chance.pick(&[0, 20_000, 150_000]),
        slow_max: INTERVAL * 4,
        lost_ppm: chance.pick(&[0, 20_000, 100_000]),
    };
    let faults = (0..chance.below(6)).map(|_| mishap(count, chance)).collect();
    Spec {
        seed,
        nodes,
        weather: Weather { loss_ppm: 0, ..Weather::CLEAR },
        gate: true,
        arbiter: Some(WAIT),
        reports: false,
        witness: false,
        unanimous: false,
        watch: false,
        policy: Policy { hold_down: INTERVAL, ..Policy::default() },
        length: LENGTH,
        calm_from: CALM,
        faults,
        hazards,
        rules: Rules::ALL,
    }
}

/// The same with a council: the arbiter is away more often, and so is the second channel now and then. In half of the worlds a
/// node first does not reach the arbiter, and then the others don't hear it, so that they would take over what they have promised.
pub fn council(seed: u64) -> Spec {
    let mut spec = random(seed);
    let chance = &mut Chance::new(scramble(seed ^ (0x5a << 56)));
    (spec.reports, spec.unanimous) = (true, true);
    spec.hazards.slow_ppm = chance.pick(&[0, 20_000, 200_000]);
    let count = spec.nodes.len();
    let mut add = |chance: &mut Chance, from: Duration, fault: Fault| {
        let at = chance.between(from, CALM - INTERVAL);
        let lasts = chance.between(Duration::ZERO, CALM - at);
        spec.faults.push(Mishap { at, lasts: Some(lasts), fault });
        at
    };
    let node = chance.below(count as u64) as usize;
    if chance.below(2) == 0 {
        let at = add(chance, Duration::ZERO, Fault::ArbiterCut(node));
        add(chance, at, Fault::Cut { from: Nodes::one(node), to: Nodes(0xff) });
    } else {
        let away = chance.pick(&[Fault::ArbiterDown, Fault::ArbiterStalls]);
        add(chance, Duration::ZERO, away);
    }
    for _ in 0..chance.below(3) {
        let node = chance.below(count as u64) as usize;
        add(chance, Duration::ZERO, Fault::ChannelCut(node));
    }
    spec
}

fn mishap(count: usize, chance: &mut Chance) -> Mishap {
    let node = chance.below(count as u64) as usize;
    let at = chance.between(Duration::ZERO, CALM - INTERVAL);
    let fault = match chance.below(16) {
        0..=2 => Fault::Pause(node),
        3 => Fault::Kill(node),
        4 => Fault::Stop(node),
        5 => Fault::PowerOff(node),
        6..=8 => {
            let (from, to) = if chance.below(2) == 0 { sides(count, chance) } else { (Nodes::one(node), Nodes(0xff)) };
            Fault::Cut { from, to }
        }
        9 | 10 => Fault::ArbiterStalls,
        11 => Fault::ArbiterDown,
        12 => Fault::ArbiterCut(node),
        13 => Fault::ArbiterForgets,
        14 => Fault::SlowKernel(node, chance.any_magnitude(SHORT, INTERVAL)),
        _ => chance.pick(&[Fault::HandOver(node), Fault::Priority(node, 254), Fault::Cable(node)]),
    };
    Mishap { at, lasts: Some(chance.any_magnitude(SHORT * 10, CALM - at)), fault }
}
