//! What a drill prints.

use serde_json::{Value, json};

use super::Drill;
use super::tally::{Answerer, Gap, Handover};
use crate::cli::terminal::say;
use crate::sys::clock;
use crate::time::{Duration, Instant};
use crate::web::document::Date;

/// Prints it.
pub(super) fn print(drills: &[Drill], json: bool, expected: Option<Duration>) {
    if json {
        say(&format!("{:#}", Value::Array(drills.iter().map(|drill| document(drill, expected)).collect())));
    } else {
        say(drills.iter().map(|drill| text(drill, expected)).collect::<Vec<_>>().join("\n\n").as_str());
    }
}

fn date(at: Instant) -> String {
    Date::new(clock::wall(), at).to_string()
}

fn millis(time: Duration) -> String {
    format!("{:.1} ms", time.as_secs_f64() * 1e3)
}

fn who(answerer: Option<Answerer>) -> String {
    answerer.map_or_else(|| "nobody".into(), |who| who.to_string())
}

fn text(drill: &Drill, expected: Option<Duration>) -> String {
    let Drill { vip, tally, .. } = drill;
    let lost = tally.sent - tally.answered;
    let mut lines = vec![format!(
        "{vip}: {} probes, {lost} unanswered; last answer from {}",
        tally.sent,
        who(tally.last().map(|(_, who)| who))
    )];
    for Gap { start, end, length, before, after } in &tally.gaps {
        let until = if end.is_some() { "" } else { ", to the end" };
        lines.push(format!(
            "  gap       {}  {}{until}  {} -> {}",
            date(*start),
            millis(*length),
            who(*before),
            who(*after)
        ));
    }
    for Handover { at, from, to, overlap } in &tally.handovers {
        let both = if overlap.is_zero() { "never both".into() } else { format!("both for {}", millis(*overlap)) };
        lines.push(format!("  handover  {}  {from} -> {to}, {both}", date(*at)));
    }
    if let Some((one, other)) = drill.both {
        lines.push(format!(
            "  TWO ANSWER at the end: {one} and {other}: split brain; vipwarden explain {vip} on either"
        ));
    }
    if let Some(expected) = expected {
        let word = if tally.longest() > expected { "FAILED" } else { "ok" };
        lines.push(format!(
            "  {word}: the longest gap is {}, {} expected at most",
            millis(tally.longest()),
            millis(expected)
        ));
    }
    lines.join("\n")
}

fn document(drill: &Drill, expected: Option<Duration>) -> Value {
    let Drill { vip, way, tally, both } = drill;
    let mac = |who: Option<Answerer>| who.and_then(Answerer::mac).map(|mac| mac.to_string());
    let gaps = tally.gaps.iter().map(|gap| {
        json!({
            "start": date(gap.start), "end": gap.end.map(date), "seconds": gap.length.as_secs_f64(),
            "before": mac(gap.before), "after": mac(gap.after),
        })
    });
    let handovers = tally.handovers.iter().map(|one| {
        json!({
            "at": date(one.at), "from": one.from.to_string(), "to": one.to.to_string(),
            "overlap_seconds": one.overlap.as_secs_f64(),
        })
    });
    json!({
        "vip": vip, "by": way.name(), "interface": way.interface(), "probes": tally.sent, "unanswered": tally.sent - tally.answered,
        "gaps": gaps.collect::<Vec<_>>(), "handovers": handovers.collect::<Vec<_>>(),
        "longest_gap_seconds": tally.longest().as_secs_f64(),
        "as_expected": expected.map(|expected| tally.longest() <= expected),
        "last_answer_from": mac(tally.last().map(|(_, who)| who)), "last_answer_at": tally.last().map(|(at, _)| date(at)),
        "two_answer": both.map(|(one, other)| [one.to_string(), other.to_string()]),
    })
}
