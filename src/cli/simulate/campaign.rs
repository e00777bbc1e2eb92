//! Many random worlds, side by side, and the rules that they broke.

use std::ops::Range;
use std::process::ExitCode;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::thread;

use serde::Serialize;

use crate::cli::CRITICAL;
use crate::cli::terminal::{complain, say};
use crate::sim::{self, Violation, worlds};

use super::story::ViolationDocument;

/// Seeds that a thread takes at a time.
const BATCH: u64 = 64;
/// Broken worlds that are told of.
const MAX_TOLD: usize = 20;

/// Reads `0..1000000`.
pub fn range(text: &str) -> Result<Range<u64>, String> {
    let want = "want two numbers, the first below the second, like 0..1000";
    let (from, to) = text.split_once("..").ok_or(want)?;
    let range = from.trim().parse().ok().zip(to.trim().parse().ok()).map(|(from, to)| Range { start: from, end: to });
    range.filter(|range| !range.is_empty()).ok_or_else(|| want.into())
}

/// Reads the name of a kind of world.
pub fn theme(text: &str) -> Result<worlds::Theme, String> {
    let names = worlds::Theme::ALL.map(worlds::Theme::as_str).join(", ");
    worlds::Theme::named(text).ok_or_else(|| format!("want one of {names}"))
}

/// A world that broke a rule.
struct Broken {
    theme: worlds::Theme,
    seed: u64,
    violations: Vec<Violation>,
}

/// What became of one kind of world.
#[derive(Debug, Serialize)]
struct Document<'a> {
    world: &'a str,
    from: u64,
    to: u64,
    runs: u64,
    broken: u64,
    hash: String,
    worst: Vec<BrokenDocument<'a>>,
}

#[derive(Debug, Serialize)]
struct BrokenDocument<'a> {
    seed: u64,
    replay: String,
    violations: Vec<ViolationDocument<'a>>,
}

/// Runs them all; 2 if any broke a rule.
pub fn run(seeds: Range<u64>, theme: Option<worlds::Theme>, threads: Option<usize>, json: bool) -> ExitCode {
    let threads = threads.unwrap_or_else(|| thread::available_parallelism().map_or(1, usize::from)).max(1);
    let themes = theme.map_or(worlds::Theme::ALL.to_vec(), |theme| vec![theme]);
    let mut is_broken = false;
    let mut documents = Vec::new();
    for theme in themes {
        let (broken, hash) = try_all(theme, &seeds, threads);
        is_broken |= !broken.is_empty();
        if json {
            documents.push(serde_json::json!(result(theme, &seeds, &broken, hash)));
        } else {
            tell(theme, &seeds, &broken, hash);
        }
    }
    if json {
        say(&serde_json::Value::from(documents).to_string());
    }
    if is_broken { CRITICAL.into() } else { ExitCode::SUCCESS }
}

/// Every broken world, by seed, and a hash over all runs that does not depend on who ran which.
fn try_all(theme: worlds::Theme, seeds: &Range<u64>, threads: usize) -> (Vec<Broken>, u64) {
    let next = AtomicU64::new(seeds.start);
    let hash = AtomicU64::new(0);
    let broken = Mutex::new(Vec::new());
    thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                loop {
                    let from = next.fetch_add(BATCH, Ordering::Relaxed);
                    if from >= seeds.end {
                        return;
                    }
                    for seed in from..(from + BATCH).min(seeds.end) {
                        let report = sim::run(worlds::random(theme, seed), false);
                        hash.fetch_xor(report.hash, Ordering::Relaxed);
                        if !report.violations.is_empty() {
                            let violations = report.violations;
                            broken.lock().unwrap_or_else(PoisonError::into_inner).push(Broken {
                                theme,
                                seed,
                                violations,
                            });
                        }
                    }
                }
            });
        }
    });
    let mut broken = broken.into_inner().unwrap_or_else(PoisonError::into_inner);
    broken.sort_by_key(|world| world.seed);
    (broken, hash.into_inner())
}

impl Broken {
    fn replay(&self) -> String {
        let (theme, seed) = (self.theme.as_str(), self.seed);
        format!("vipwarden simulate --world {theme} --seed {seed} --pcap {theme}-{seed}.pcap")
    }
}

fn result<'a>(theme: worlds::Theme, seeds: &Range<u64>, broken: &'a [Broken], hash: u64) -> Document<'a> {
    let violation = |violation: &'a Violation| ViolationDocument {
        at_seconds: violation.at.as_secs_f64(),
        rule: violation.rule,
        text: &violation.text,
    };
    let world = |world: &'a Broken| BrokenDocument {
        seed: world.seed,
        replay: world.replay(),
        violations: world.violations.iter().map(violation).collect(),
    };
    Document {
        world: theme.as_str(),
        from: seeds.start,
        to: seeds.end,
        runs: seeds.end - seeds.start,
        broken: broken.len() as u64,
        hash: format!("{hash:016x}"),
        worst: broken.iter().take(MAX_TOLD).map(world).collect(),
    }
}

fn tell(theme: worlds::Theme, seeds: &Range<u64>, broken: &[Broken], hash: u64) {
    let runs = seeds.end - seeds.start;
    say(&format!(
        "{}: {runs} worlds, seeds {}..{}, {} broke a rule (hash {hash:016x})",
        theme.as_str(),
        seeds.start,
        seeds.end,
        broken.len()
    ));
    for world in broken.iter().take(MAX_TOLD) {
        for violation in world.violations.iter().take(1) {
            let at = violation.at.as_secs_f64();
            complain(&format!("  seed {} at {at:.6} s: {}: {}", world.seed, violation.rule, violation.text));
        }
        complain(&format!("    {}", world.replay()));
    }
    if broken.len() > MAX_TOLD {
        complain(&format!("  and {} more", broken.len() - MAX_TOLD));
    }
}
