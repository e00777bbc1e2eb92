//! What was measured, as a table: one row for each thing that happens, with what came of it by kind of MAC and family.

use std::fmt::Write;
use std::time::Duration;

use crate::case::{Case, Outcome};

/// One case that was measured.
pub struct Measured {
    pub case: Case,
    pub outcomes: Vec<Outcome>,
}

impl Measured {
    /// Whether two have answered for longer than is promised, in any run.
    pub fn is_broken(&self) -> bool {
        let (meanwhile, after) = self.case.promises();
        let keeps = |Outcome { overlaps: [first, then], missed, .. }: &Outcome| {
            meanwhile.allows(*first, self.case.interval, *missed) && after.allows(*then, self.case.interval, 0)
        };
        !self.outcomes.iter().all(keeps)
    }

    /// The longest time for which two answered, while it lasted (0) or afterwards (1).
    fn overlap(&self, part: usize) -> Duration {
        self.outcomes.iter().map(|outcome| outcome.overlaps[part]).max().unwrap_or_default()
    }

    /// So many adverts had not been heard where two have answered.
    fn missed(&self) -> u32 {
        self.outcomes.iter().filter(|outcome| !outcome.overlaps[0].is_zero()).map(|outcome| outcome.missed).sum()
    }

    fn gaps(&self) -> Vec<Duration> {
        let mut gaps: Vec<_> = self.outcomes.iter().map(|outcome| outcome.gap).collect();
        gaps.sort_unstable();
        gaps
    }
}

/// The table, of cases in the order of [`Case::all`].
pub fn table(measured: &[Measured]) -> String {
    let mut table = String::from(
        "| adverts, what happens, beside | promised | both answer, ms | when it is over, ms | nobody answers, ms |\n|---|---|---|---|---|\n",
    );
    for row in measured.chunk_by(|a, b| a.case.row() == b.case.row()) {
        // Writing to a String never fails.
        let _ = writeln!(table, "{}", line(row));
    }
    table
}

fn line(row: &[Measured]) -> String {
    let case = row[0].case;
    let (meanwhile, after) = case.promises();
    let promised = if meanwhile == after { meanwhile.to_string() } else { format!("{meanwhile}; then {after}") };
    let mark = if row.iter().any(Measured::is_broken) { "**broken**: " } else { "" };
    let [first, then] = [0, 1].map(|part| by_kind(row, |measured| whole(measured.overlap(part))));
    let missed: u32 = row.iter().map(Measured::missed).sum();
    let why = if missed == 0 { String::new() } else { format!(" (adverts missed: {missed})") };
    let gap = by_kind(row, |measured| whole(measured.gaps()[measured.outcomes.len() / 2]));
    let most = row.iter().flat_map(Measured::gaps).max().unwrap_or_default();
    format!("| {mark}{} | {promised} | {first}{why} | {then} | {gap} (most {}) |", case.row(), whole(most))
}

fn by_kind(row: &[Measured], figure: impl Fn(&Measured) -> String) -> String {
    row.iter().map(figure).collect::<Vec<_>>().join(" / ")
}

fn whole(span: Duration) -> String {
    format!("{:.0}", span.as_secs_f64() * 1e3)
}
