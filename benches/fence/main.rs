//! For how long two hosts answer for one virtual address, and for how long none does, when something happens to its holder: a third host
//! asks every millisecond. In network namespaces of their own (needs root), several at a time.
//!
//! Without arguments everything is measured, in about an hour; with words only what is called by all of them:
//! `cargo bench --bench fence -- 100ms killed`.
#![allow(missing_docs)]

mod case;
#[allow(dead_code, unused_imports)]
#[path = "../../tests/scenarios/lab/mod.rs"]
mod lab;
#[path = "../../tests/support/oracle.rs"]
mod oracle;

use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use case::Case;

const RUNS: u32 = 5;
/// They mostly wait.
const AT_A_TIME: usize = 4;

fn main() {
    let wanted: Vec<String> = std::env::args().skip(1).filter(|argument| !argument.starts_with('-')).collect();
    let is_wanted = |case: &Case| wanted.iter().all(|word| case.to_string().contains(word.as_str()));
    let cases: Vec<Case> = Case::all().into_iter().filter(is_wanted).collect();
    println!("| adverts, MAC, family, what happens, successor | both answer, ms | nobody answers, ms |\n|---|---|---|");
    let (next, out) = (AtomicUsize::new(0), Mutex::new(()));
    std::thread::scope(|scope| {
        for _ in 0..AT_A_TIME {
            scope.spawn(|| {
                while let Some(case) = cases.get(next.fetch_add(1, Ordering::Relaxed)) {
                    let runs: Vec<_> = (0..RUNS).map(|run| case.measure(run, RUNS)).collect();
                    let (overlaps, gaps) = runs.into_iter().unzip();
                    let _line = out.lock().expect("nobody fails while printing");
                    println!("| {case} | {} | {} |", summary(overlaps), summary(gaps));
                }
            });
        }
    });
}

fn summary(mut spans: Vec<Duration>) -> String {
    spans.sort_unstable();
    let ms = |at: usize| spans[at].as_secs_f64() * 1e3;
    format!("{:.0} ({:.0} to {:.0})", ms(spans.len() / 2), ms(0), ms(spans.len() - 1))
}
