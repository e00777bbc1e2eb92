//! Plays all rows at once, as far as the machine has room, and prints what came of them.

use super::{Row, Said, play};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::thread;

/// Plays the rows; those whose number or words contain the text in `VIPWARDEN_ROWS`, if that is set.
pub fn run(rows: &[Row]) {
    let only = std::env::var("VIPWARDEN_ROWS").unwrap_or_default();
    let is_meant = |row: &&Row| only.is_empty() || only.split(',').any(|word| word == row.fault.to_string());
    let rows: Vec<Row> = rows.iter().filter(is_meant).copied().collect();
    let outcomes: Vec<Option<[Said; 2]>> = thread::scope(|scope| {
        let played: Vec<_> =
            rows.iter().map(|row| scope.spawn(move || catch_unwind(AssertUnwindSafe(|| play(row))).ok())).collect();
        played.into_iter().map(|thread| thread.join().ok().flatten()).collect()
    });
    println!("| # | fault | VRRP | on a | verdict, cause after | on b | verdict, cause after |");
    println!("|---|---|---|---|---|---|---|");
    for (row, outcome) in rows.iter().zip(&outcomes) {
        let cells = outcome
            .as_ref()
            .map_or_else(|| "FAILED".into(), |said| said.iter().map(cell).collect::<Vec<_>>().join(" | "));
        println!("| {} | {} | {:?} | {cells} |", row.fault, row.what, row.flavour);
    }
    let failed: Vec<_> = rows
        .iter()
        .zip(&outcomes)
        .filter(|(_, outcome)| outcome.is_none())
        .map(|(row, _)| (row.fault, row.what))
        .collect();
    assert!(failed.is_empty(), "{failed:?}");
}

fn cell(said: &Said) -> String {
    let seconds =
        |ms: Option<i64>| ms.map_or_else(|| "-".into(), |ms| format!("{}.{:02} s", ms / 1000, ms % 1000 / 10));
    let causes = if said.causes.is_empty() { String::new() } else { format!(", {}", said.causes.join(" + ")) };
    let when = match (said.verdict_ms, said.cause_ms) {
        (verdict, cause) if verdict == cause || said.causes.is_empty() => seconds(verdict),
        (verdict, cause) => format!("{}, {}", seconds(verdict), seconds(cause)),
    };
    format!("{}{causes} | {when}", said.verdict)
}
