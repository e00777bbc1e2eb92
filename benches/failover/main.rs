//! How long a virtual address is gone when its holder goes, as a client sees it: vipwarden and keepalived in one run, in network
//! namespaces of their own (needs root).
//!
//! Without arguments everything is measured, in about twenty minutes; with words only what is called by all of them:
//! `cargo bench --bench failover -- 100ms cut`. With `scale` alone: 255 virtual routers in one process, and what they cost.

mod adverts;
mod client;
mod pair;
mod scale;

use std::time::Duration;

use adverts::Adverts;
use client::Client;
use pair::{End, Kind, Pair};

const RUNS: u32 = 10;
const INTERVALS: [Duration; 3] = [Duration::from_secs(1), Duration::from_millis(100), Duration::from_millis(10)];

fn main() {
    let wanted: Vec<String> = std::env::args().skip(1).filter(|argument| !argument.starts_with('-')).collect();
    if wanted == ["scale"] {
        return scale();
    }
    println!("{:<10} {:<9} {:<11} time without an answer, {RUNS} runs", "adverts", "end", "daemon");
    for interval in INTERVALS {
        for end in End::ALL {
            let asked = |kind: &Kind| {
                let name = format!("{interval:?} {end} {kind}");
                end.fits(*kind) && wanted.iter().all(|word| name.contains(word.as_str()))
            };
            let kinds: Vec<Kind> = Kind::ALL.into_iter().filter(asked).collect();
            for (kind, gaps) in measure(interval, end, &kinds) {
                println!("{:<10} {end:<9} {kind:<11} {}", format!("{interval:?}"), summary(gaps));
            }
        }
    }
}

fn scale() {
    for interval in [Duration::from_secs(1), Duration::from_millis(100)] {
        for kind in Kind::ALL {
            println!("{:<10} {kind:<11} {}", format!("{interval:?}"), scale::measure(kind, interval));
        }
    }
}

/// The runs of all kinds take turns: what disturbs the machine disturbs all alike.
fn measure(interval: Duration, end: End, kinds: &[Kind]) -> Vec<(Kind, Vec<Duration>)> {
    let mut pairs: Vec<_> = kinds.iter().map(|kind| (*kind, Pair::new(*kind, interval), Vec::new())).collect();
    for run in 0..RUNS {
        for (_, pair, gaps) in &mut pairs {
            pair.settle();
            let client = Client::start(pair.client(), pair::ADDRESS);
            std::thread::sleep(Duration::from_millis(50));
            // At another moment between two adverts each time, and at the same ones for all kinds.
            Adverts::listen(pair.client()).next();
            std::thread::sleep(interval * run / RUNS);
            pair.end(end);
            std::thread::sleep(Duration::from_millis(50));
            gaps.push(client.stop());
            pair.mend(end);
        }
    }
    pairs.into_iter().map(|(kind, _, gaps)| (kind, gaps)).collect()
}

fn summary(mut gaps: Vec<Duration>) -> String {
    gaps.sort_unstable();
    let ms = |at: usize| gaps[at].as_secs_f64() * 1e3;
    format!("median {:.0} ms, {:.0} to {:.0} ms", ms(gaps.len() / 2), ms(0), ms(gaps.len() - 1))
}
