//! For how long two hosts answer for one virtual address, and for how long none does, when something happens to its holder: a third host
//! asks every millisecond. In network namespaces of their own (needs root), four at a time, unless `VIPWARDEN_AT_ONCE` says otherwise.
//! It fails if two answer for longer than `docs/fencing.md` promises.
//!
//! Without arguments everything is measured, in about an hour; with words only what is called by all of them:
//! `cargo bench --bench fence -- 100ms killed`. The word `duration` asks how long a fence takes instead,
//! with `operator`, `split` or `lease` one by that alone, and fails if that is too long.
#![allow(missing_docs)]

mod case;
mod duration;
#[path = "../../tests/support/etcd.rs"]
mod etcd;
#[allow(dead_code, unused_imports)]
#[path = "../../tests/scenarios/lab/mod.rs"]
mod lab;
mod line;
#[path = "../../tests/support/oracle.rs"]
mod oracle;
mod pair;
mod promise;
mod spin;
mod table;

use std::process::ExitCode;
use std::sync::{Condvar, LazyLock, Mutex, PoisonError};
use std::thread;

use case::Case;
use duration::{Durations, Why};
use table::Measured;

/// What cases may take of the machine together. They mostly wait; but all their questions are read by vipwardens that go before what else
/// the machine has to do, and with too many of them at a time nothing is left for a kernel's work on broadcasts.
pub static MACHINE: LazyLock<usize> = LazyLock::new(|| {
    std::env::var("VIPWARDEN_AT_ONCE").map_or(4, |n| n.parse().expect("VIPWARDEN_AT_ONCE is a number"))
});

fn main() -> ExitCode {
    let wanted: Vec<String> = std::env::args().skip(1).filter(|argument| !argument.starts_with('-')).collect();
    if wanted.iter().any(|word| word == duration::WORD) {
        return measure_durations(&wanted);
    }
    let is_wanted = |case: &Case| wanted.iter().all(|word| case.to_string().contains(word.as_str()));
    let (machine, all) = (Machine::default(), Mutex::new(Vec::new()));
    thread::scope(|scope| {
        for (number, case) in Case::all().into_iter().filter(is_wanted).enumerate() {
            let share = machine.take(case.weight());
            let all = &all;
            scope.spawn(move || {
                let outcomes: Vec<_> = (0..case.runs()).map(|run| case.measure(run)).collect();
                drop(share);
                let measured = Measured { case, outcomes };
                eprintln!("{case}: {:?}{}", measured.outcomes, if measured.is_broken() { " **broken**" } else { "" });
                all.lock().expect("nobody fails with it").push((number, measured));
            });
        }
    });
    let mut all = all.into_inner().expect("nobody failed with it");
    all.sort_by_key(|(number, _)| *number);
    let all: Vec<Measured> = all.into_iter().map(|(_, measured)| measured).collect();
    print!("{}", table::table(&all));
    if all.iter().any(Measured::is_broken) { ExitCode::FAILURE } else { ExitCode::SUCCESS }
}

fn measure_durations(wanted: &[String]) -> ExitCode {
    let kinds = [(false, false), (false, true), (true, false), (true, true)];
    let is_wanted = |why: &Why| wanted.iter().all(|word| word == duration::WORD || *word == why.to_string());
    println!("| by, MAC, family | fences | mean | p50 within | p99 within | all within |\n|---|---|---|---|---|---|");
    let mut all_fast = true;
    for why in Why::ALL.into_iter().filter(is_wanted) {
        let measured = thread::scope(|scope| {
            let measuring = kinds.map(|(vmac, v6)| scope.spawn(move || duration::measure(why, vmac, v6)));
            measuring.map(|kind| kind.join().expect("it is measured"))
        });
        measured.iter().for_each(|durations| println!("{durations}"));
        all_fast &= measured.iter().all(Durations::is_fast);
    }
    if all_fast { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// What is free of the machine.
struct Machine {
    free: Mutex<usize>,
    freed: Condvar,
}

/// A part of it, until it is dropped.
struct Share<'a> {
    machine: &'a Machine,
    weight: usize,
}

impl Default for Machine {
    fn default() -> Self {
        Self { free: Mutex::new(*MACHINE), freed: Condvar::new() }
    }
}

impl Machine {
    /// Waits for a part.
    fn take(&self, weight: usize) -> Share<'_> {
        let free = self.free.lock().unwrap_or_else(PoisonError::into_inner);
        *self.freed.wait_while(free, |free| *free < weight).unwrap_or_else(PoisonError::into_inner) -= weight;
        Share { machine: self, weight }
    }
}

impl Drop for Share<'_> {
    fn drop(&mut self) {
        *self.machine.free.lock().unwrap_or_else(PoisonError::into_inner) += self.weight;
        self.machine.freed.notify_all();
    }
}
