//! How long a second holder stays untold: real keepalived in network namespaces (needs root), a probe a second. Prints the
//! median and the extremes of what each node took, from the moment when the second kernel had the address.
#![allow(missing_docs)]

#[allow(dead_code, unused_imports)]
#[path = "../tests/scenarios/lab/mod.rs"]
mod lab;

use lab::{Delays, Flavour, Intruder};

const RUNS: usize = 11;

fn main() {
    for flavour in [Flavour::V2, Flavour::V3, Flavour::V6] {
        for intruder in [Intruder::Stale, Intruder::Stray, Intruder::Stranger] {
            let mut delays = Delays::prepare(flavour, intruder);
            let runs: Vec<_> = (0..RUNS).map(|_| delays.measure()).collect();
            for (index, node) in ["a", "b"].iter().enumerate() {
                let mut ms: Vec<_> = runs.iter().map(|run| run[index].as_millis()).collect();
                ms.sort_unstable();
                let (least, median, most) = (ms[0], ms[RUNS / 2], ms[RUNS - 1]);
                println!("{flavour:?} {intruder:?} on {node}: median {median} ms, {least}-{most} ms, {RUNS} runs");
            }
        }
    }
}
