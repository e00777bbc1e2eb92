//! Plays all rows at once, as far as the machine has room, and prints what came of them.

use super::{Row, Said, Wanted, Within, play};
use crate::lab::Flavour;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::thread;

/// Plays the rows; only those whose number, flavour or daemons are in `VIPWARDEN_ROWS`, if that is set. Those that are timed are played
/// `VIPWARDEN_RUNS` times each.
pub fn run(rows: &[Row]) {
    let only = std::env::var("VIPWARDEN_ROWS").unwrap_or_default();
    let runs: usize =
        std::env::var("VIPWARDEN_RUNS").map_or(1, |runs| runs.parse().expect("VIPWARDEN_RUNS is a number"));
    let is_it = |row: &Row, word: &str| word == row.fault.to_string() || daemons(row).split(", ").any(|by| by == word);
    let is_meant = |row: &&Row| only.is_empty() || only.split(',').any(|word| is_it(row, word));
    let rows: Vec<Row> = rows.iter().filter(is_meant).copied().collect();
    let played = |row: &Row| {
        let times = if is_timed(row) { runs } else { 1 };
        (0..times).map(|_| catch_unwind(AssertUnwindSafe(|| play(row))).ok()).collect()
    };
    let outcomes: Vec<Option<Vec<[Said; 2]>>> = thread::scope(|scope| {
        let threads: Vec<_> = rows.iter().map(|row| scope.spawn(move || played(row))).collect();
        threads.into_iter().map(|thread| thread.join().ok().flatten()).collect()
    });
    println!("| # | fault | VRRP | on a | verdict, cause after | on b | verdict, cause after | target |");
    println!("|---|---|---|---|---|---|---|---|");
    for (row, outcome) in rows.iter().zip(&outcomes) {
        let cells = outcome.as_ref().map_or_else(|| "FAILED".into(), |runs| cells(row, runs));
        println!("| {} | {} | {} | {cells} |", row.fault, row.what, daemons(row));
    }
    println!("\n{runs} runs of each row that is timed, one of the others.\n");
    let failed: Vec<_> = rows
        .iter()
        .zip(&outcomes)
        .filter(|(_, outcome)| outcome.is_none())
        .map(|(row, _)| (row.fault, row.what, daemons(row)))
        .collect();
    assert!(failed.is_empty(), "{failed:?}");
}

fn daemons(row: &Row) -> String {
    let by = match row.frr {
        [false, false] => "",
        [true, true] => ", FRR",
        [true, false] => ", FRR and keepalived",
        [false, true] => ", keepalived and FRR",
    };
    format!("{:?}{by}", row.flavour)
}

fn cells(row: &Row, runs: &[[Said; 2]]) -> String {
    let of = |side: usize| runs.iter().map(|said| said[side].clone()).collect::<Vec<_>>();
    let sides = [(of(0), row.a), (of(1), row.b)];
    let missed = sides.iter().any(|(said, wanted)| is_missed(row, wanted, said));
    let target = if !is_timed(row) {
        "-"
    } else if missed {
        "missed"
    } else {
        "met"
    };
    let [a, b] = sides.map(|(said, _)| cell(&said));
    format!("{a} | {b} | {target}")
}

/// True if something is to be told.
fn is_timed(row: &Row) -> bool {
    [row.a, row.b].iter().any(|wanted| wanted.verdicts != ["healthy"])
}

/// True if the median time to the verdict is beyond what is aimed at. An advert is late from a quarter of its interval on, and
/// never before 25 ms: that much is allowed for it.
fn is_missed(row: &Row, wanted: &Wanted, said: &[Said]) -> bool {
    let interval = if matches!(row.flavour, Flavour::V2) { 1000 } else { 100 };
    let late = (interval / 4).max(25);
    let limit = match wanted.within {
        Within::Advert => interval + late,
        Within::Asked => 2000,
        Within::Silence => interval * 4 + late,
    };
    median(said.iter().filter_map(|said| said.verdict_ms)).is_some_and(|(median, ..)| median > limit)
}

/// What was said, and after how many seconds: the median, and the least and the most. The cause's time only where it is another.
fn cell(said: &[Said]) -> String {
    let mut named: Vec<String> = Vec::new();
    for one in said {
        let word = [vec![one.verdict.clone()], one.causes.clone()].concat().join(", ");
        if !named.contains(&word) {
            named.push(word);
        }
    }
    let told = said.iter().filter(|said| said.verdict != "healthy");
    let verdict = median(told.filter_map(|said| said.verdict_ms));
    let cause = median(said.iter().filter_map(|said| said.cause_ms))
        .filter(|_| said.iter().any(|said| !said.causes.is_empty()));
    let times = match (verdict, cause) {
        (verdict, cause) if verdict == cause || cause.is_none() => seconds(verdict),
        (verdict, cause) => format!("{}; {}", seconds(verdict), seconds(cause)),
    };
    format!("{} | {times}", named.join(" / "))
}

/// The median, the least and the most.
fn median(times: impl Iterator<Item = i64>) -> Option<(i64, i64, i64)> {
    let mut times: Vec<i64> = times.collect();
    times.sort_unstable();
    Some((*times.get(times.len() / 2)?, *times.first()?, *times.last()?))
}

fn seconds(times: Option<(i64, i64, i64)>) -> String {
    let text = |ms: i64| format!("{}.{:02}", ms / 1000, ms % 1000 / 10);
    match times {
        None => "-".into(),
        Some((median, least, most)) if least == most => format!("{} s", text(median)),
        Some((median, least, most)) => format!("{} s ({}-{})", text(median), text(least), text(most)),
    }
}
