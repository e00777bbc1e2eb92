//! Worlds made out of a seed: everything that can go wrong does, in some of them.

use std::net::IpAddr;

use crate::fence::Policy;
use crate::time::Duration;
use crate::vrrp::{Garp, Settings};
use crate::wire::{Auth, ChecksumForm, Family, Version};

use super::chance::{Chance, scramble};
use super::spec::{Fault, Hazards, Mishap, NodeSpec, Nodes, Rules, Spec, Wall, Weather, vip};

/// Kinds of world.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Theme {
    /// Elections and fences under every fault, with the kernel gate.
    Election,
    /// The same, with a watcher on every node.
    Watch,
    /// Nothing goes wrong.
    Faultless,
    /// Everything goes wrong, with an arbiter.
    Lease,
    /// Elections and fences as in the first, where nodes ask each other over a second channel and reach a witness; some of them
    /// yield to a lower one that does not hear them, some speak by unicast, some own the addresses.
    Second,
    /// With an arbiter again, and who does not reach it holds on by the promises of all others.
    Council,
}

impl Theme {
    /// All of them.
    pub const ALL: [Self; 6] = [Self::Election, Self::Watch, Self::Faultless, Self::Lease, Self::Second, Self::Council];

    /// Its name.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Election => "election",
            Self::Watch => "watch",
            Self::Faultless => "faultless",
            Self::Lease => "lease",
            Self::Second => "second",
            Self::Council => "council",
        }
    }

    /// The theme of that name.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|theme| theme.as_str() == name)
    }
}

mod lease;
mod second;

/// VRID of every world.
const VRID: u8 = 51;
/// Crystals differ by tens of parts in a million, and clocks are slewed by up to 500: two of them by this much.
const DRIFT_PPM: u64 = 400;

/// An ordinary virtual router on node number `node`.
pub fn settings(priority: u8, interval: Duration) -> Settings {
    Settings {
        name: "web".into(),
        family: Family::V4,
        version: Version::V3,
        vrid: VRID,
        priority,
        advert_interval: interval,
        preempt: true,
        preempt_delay: Duration::ZERO,
        startup_delay: Duration::ZERO,
        addresses: vec![(vip(Family::V4), 24)],
        excluded_addresses: Vec::new(),
        auth: Auth::None,
        checksum: ChecksumForm::PseudoHeader,
        unicast_peers: Vec::new(),
        known_speakers: None,
        probe_before_promote: true,
        promote_grace: None,
        garp: Garp { repeat: 1, delay: Duration::ZERO, refresh: Duration::ZERO },
    }
}

/// The world of this seed.
pub fn random(theme: Theme, seed: u64) -> Spec {
    match theme {
        Theme::Lease => return lease::random(seed),
        Theme::Council => return lease::council(seed),
        Theme::Second => return second::random(seed),
        Theme::Election | Theme::Watch | Theme::Faultless => {}
    }
    let chance = &mut Chance::new(scramble(seed ^ ((theme as u64) << 56)));
    let count = chance.pick(&[2, 2, 2, 3, 3, 4, 5, 8]);
    let family = chance.pick(&[Family::V4, Family::V4, Family::V4, Family::V6]);
    let old = family == Family::V4 && chance.below(4) == 0;
    let interval = if old { 1000 } else { chance.pick(&[100, 100, 200, 500, 1000]) };
    let interval = Duration::from_millis(interval);
    let base = Settings {
        family,
        version: if old { Version::V2 } else { Version::V3 },
        preempt: chance.below(4) > 0,
        preempt_delay: chance.pick(&[Duration::ZERO, Duration::ZERO, interval * 2]),
        addresses: vec![(vip(family), if family == Family::V4 { 24 } else { 64 })],
        garp: Garp { repeat: 2, delay: interval * 5, refresh: Duration::ZERO },
        ..settings(100, interval)
    };
    let ties = chance.below(4) == 0;
    let node = |index: usize| NodeSpec {
        name: format!("lb{:02}", index + 1),
        settings: Settings { priority: if ties { 100 } else { 1 + chance.below(254) as u8 }, ..base.clone() },
        drift_ppm: chance.below(DRIFT_PPM + 1) as i32 - (DRIFT_PPM / 2) as i32,
        starts_at: Duration::from_nanos(chance.below(interval.as_nanos() as u64 * 3)),
    };
    let nodes: Vec<NodeSpec> = (0..count).map(node).collect();
    let calm = if theme == Theme::Faultless { interval * 10 } else { interval * 30 };
    let policy = Policy { hold_down: interval * 10, ..Policy::default() };
    let mut spec = Spec {
        seed,
        weather: Weather { delay_max: interval / 100, ..Weather::CLEAR },
        nodes,
        gate: true,
        arbiter: None,
        reports: false,
        witness: false,
        unanimous: false,
        watch: theme != Theme::Election,
        policy,
        length: calm + interval * 30 + Duration::from_millis(500),
        calm_from: calm,
        faults: Vec::new(),
        hazards: Hazards::NONE,
        rules: Rules::ALL,
    };
    if theme != Theme::Faultless {
        trouble(&mut spec, chance);
    }
    spec
}

fn trouble(spec: &mut Spec, chance: &mut Chance) {
    let interval = spec.nodes[0].settings.advert_interval;
    if chance.below(2) == 0 {
        let pause_ppm = chance.pick(&[500, 5_000, 20_000]);
        spec.hazards = Hazards { pause_ppm, pause_max: interval * 8, ..Hazards::NONE };
    }
    if chance.below(3) == 0 {
        spec.weather = storm(interval, chance);
    }
    if spec.nodes.len() == 2 && chance.below(3) == 0 {
        mismatch(&mut spec.nodes[0].settings, chance);
    }
    let count = chance.below(7);
    for _ in 0..count {
        let mishap = mishap(spec, chance);
        spec.faults.push(mishap);
    }
    if chance.below(8) == 0 {
        let (from, to) = sides(spec.nodes.len(), chance);
        let at = chance.between(Duration::ZERO, spec.calm_from);
        let cut = |from, to| Mishap { at, lasts: None, fault: Fault::Cut { from, to } };
        spec.faults.extend([cut(from, to), cut(to, from)]);
    }
    // In calm weather nothing is lost any more.
    let calm = Weather { delay_max: interval / 100, ..Weather::CLEAR };
    spec.faults.push(Mishap { at: spec.calm_from, lasts: None, fault: Fault::Weather(calm) });
}

fn mishap(spec: &Spec, chance: &mut Chance) -> Mishap {
    let interval = spec.nodes[0].settings.advert_interval;
    let count = spec.nodes.len();
    let node = chance.below(count as u64) as usize;
    let at = chance.between(Duration::ZERO, spec.calm_from - interval);
    let mut left = spec.calm_from - at;
    let fault = match chance.below(16) {
        0..=2 => Fault::Pause(node),
        3 | 4 => Fault::Kill(node),
        5 => Fault::PowerOff(node),
        6 => Fault::Stop(node),
        7 | 8 => {
            let (from, to) = sides(count, chance);
            Fault::Cut { from, to }
        }
        9 => Fault::Cable(node),
        10 => Fault::Weather(storm(interval, chance)),
        11 => Fault::Firewall(node, chance.pick(&[Wall::Ingress, Wall::Input, Wall::Output])),
        12 => {
            let delay = chance.any_magnitude(Duration::from_millis(1), interval * 4).min(left / 2);
            left -= delay;
            Fault::SlowKernel(node, delay)
        }
        13 => chance.pick(&[Fault::DeleteAddress(node), Fault::BrokenKernel(node)]),
        14 => Fault::Priority(node, 1 + chance.below(254) as u8),
        _ => Fault::HandOver(node),
    };
    Mishap { at, lasts: Some(chance.any_magnitude(Duration::from_millis(1), left).min(left)), fault }
}

/// Some nodes, and the others.
fn sides(count: usize, chance: &mut Chance) -> (Nodes, Nodes) {
    let all = ((1u16 << count) - 1) as u8;
    let some = 1 + chance.below(u64::from(all) - 1) as u8;
    (Nodes(some), Nodes(all & !some))
}

fn storm(interval: Duration, chance: &mut Chance) -> Weather {
    Weather {
        delay_min: Duration::from_micros(20),
        delay_max: chance.any_magnitude(Duration::from_micros(100), interval / 20),
        loss_ppm: chance.pick(&[0, 1_000, 20_000, 200_000]),
        duplicate_ppm: chance.pick(&[0, 10_000, 200_000]),
        reorder_ppm: chance.pick(&[0, 10_000, 200_000]),
    }
}

/// Makes a router one that others refuse, or that refuses others.
fn mismatch(settings: &mut Settings, chance: &mut Chance) {
    let is_old = settings.version == Version::V2;
    match chance.below(4) {
        0 if is_old => settings.auth = Auth::Password(*b"secret\0\0"),
        1 if is_old => settings.advert_interval *= 2,
        0 | 1 if settings.family == Family::V4 => settings.checksum = ChecksumForm::MessageOnly,
        2 if settings.family == Family::V4 => {
            let version = if is_old { Version::V3 } else { Version::V2 };
            if !is_old {
                settings.advert_interval = Duration::from_secs(1);
            }
            settings.version = version;
        }
        _ => {
            let more = match vip(settings.family) {
                IpAddr::V4(v4) => IpAddr::from((v4.to_bits() + 1).to_be_bytes()),
                IpAddr::V6(v6) => IpAddr::from((v6.to_bits() + 1).to_be_bytes()),
            };
            settings.addresses.push((more, 32));
        }
    }
}
