//! The wire between the nodes: who hears whom, how late, how often, and when last something was lost.

use crate::time::{Duration, Instant};

use super::chance::Chance;
use super::spec::{MAX_NODES, Nodes, Weather};

/// How much later than others a frame may come that is overtaken, in longest delays.
const OVERTAKEN: u32 = 3;

/// One directed path.
#[derive(Clone, Copy, Debug, Default)]
struct Path {
    /// How many cuts it has.
    cuts: u32,
    /// The latest arrival so far.
    last: Instant,
    /// When an advert, or any frame, was last lost on it.
    advert_lost: Option<Instant>,
    any_lost: Option<Instant>,
}

/// All paths.
#[derive(Debug)]
pub(super) struct Network {
    weather: Weather,
    ordinary: Weather,
    paths: [[Path; MAX_NODES]; MAX_NODES],
}

impl Network {
    pub fn new(weather: Weather) -> Self {
        Self { weather, ordinary: weather, paths: Default::default() }
    }

    /// Changes the weather, or brings the ordinary one back.
    pub fn set_weather(&mut self, weather: Option<Weather>) {
        self.weather = weather.unwrap_or(self.ordinary);
    }

    /// Cuts paths, or mends them.
    pub fn cut(&mut self, now: Instant, from: Nodes, to: Nodes, is_cut: bool) {
        for (a, b) in from.iter().flat_map(|a| to.iter().map(move |b| (a, b))).filter(|(a, b)| a != b) {
            let path = &mut self.paths[a][b];
            path.cuts = if is_cut { path.cuts + 1 } else { path.cuts.saturating_sub(1) };
            (path.advert_lost, path.any_lost) = (Some(now), Some(now));
        }
    }

    /// When a frame that is sent now arrives: never, once or twice.
    pub fn send(
        &mut self,
        now: Instant,
        chance: &mut Chance,
        from: usize,
        to: usize,
        is_advert: bool,
    ) -> [Option<Instant>; 2] {
        let Weather { delay_min, delay_max, loss_ppm, duplicate_ppm, reorder_ppm } = self.weather;
        if self.paths[from][to].cuts > 0 || chance.ppm(loss_ppm) {
            self.lose(now, from, to, is_advert);
            return [None; 2];
        }
        let path = &mut self.paths[from][to];
        let mut arrival = || {
            let at = now + chance.between(delay_min, delay_max);
            if chance.ppm(reorder_ppm) {
                return at + chance.between(Duration::ZERO, delay_max * (OVERTAKEN - 1));
            }
            path.last = path.last.max(at);
            path.last
        };
        let first = arrival();
        let second = chance_of(duplicate_ppm, first).then(&mut arrival);
        [Some(first), second]
    }

    /// A frame got lost, here or at an end of the path.
    pub fn lose(&mut self, now: Instant, from: usize, to: usize, is_advert: bool) {
        let path = &mut self.paths[from][to];
        path.any_lost = Some(now);
        if is_advert {
            path.advert_lost = Some(now);
        }
    }

    /// Since when these two have heard all of each other's adverts; `None` if they don't now.
    pub fn audible_since(&self, a: usize, b: usize) -> Option<Instant> {
        self.clear_since(a, b, |path| path.advert_lost)
    }

    /// Since when all adverts of one have arrived at the other; `None` if they don't now.
    pub fn heard_since(&self, from: usize, by: usize) -> Option<Instant> {
        let path = &self.paths[from][by];
        (path.cuts == 0).then(|| path.advert_lost.unwrap_or_default())
    }

    /// Since when nothing was lost between these two; `None` if it is now.
    pub fn lossless_since(&self, a: usize, b: usize) -> Option<Instant> {
        self.clear_since(a, b, |path| path.any_lost)
    }

    fn clear_since(&self, a: usize, b: usize, lost: impl Fn(&Path) -> Option<Instant>) -> Option<Instant> {
        let both = [&self.paths[a][b], &self.paths[b][a]];
        let is_cut = both.iter().any(|path| path.cuts > 0);
        (!is_cut).then(|| both.into_iter().filter_map(lost).max().unwrap_or_default())
    }
}

/// Spread over the arrival times, so that no number is drawn where nothing is ever duplicated.
const fn chance_of(ppm: u32, at: Instant) -> bool {
    ppm > 0 && super::chance::scramble(at.as_nanos()) % 1_000_000 < ppm as u64
}

/// The longest way that a frame may take in such weather.
pub(super) fn longest_delay(weather: &Weather) -> Duration {
    weather.delay_max * if weather.reorder_ppm > 0 { OVERTAKEN } else { 1 }
}
