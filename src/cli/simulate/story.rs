//! What `simulate` prints: who answered when, and what happened.

use std::fmt::Write as _;

use serde::Serialize;

use crate::cli::CRITICAL;
use crate::cli::terminal::{complain, plain, say};
use crate::sim::{Entry, Kind, Report, Spec};
use crate::time::Duration;

/// What is told of the world before it begins.
pub struct Told {
    headline: String,
    names: Vec<String>,
    interval: Duration,
    /// Everything is told: it is a random world.
    pub seed: u64,
}

impl Told {
    /// Of this one.
    pub fn of(spec: &Spec) -> Self {
        let node = |node: &crate::sim::NodeSpec| format!("{} ({})", node.name, node.settings.priority);
        let nodes: Vec<String> = spec.nodes.iter().map(node).collect();
        let first = &spec.nodes[0].settings;
        let headline = format!(
            "{}: {} by priority, an advert every {:?}{}{}",
            first.addresses.first().map(|(address, _)| address.to_string()).unwrap_or_default(),
            nodes.join(", "),
            first.advert_interval,
            if first.preempt { "" } else { ", no preemption" },
            match (spec.gate, spec.arbiter) {
                (true, None) => ", kernel gate".into(),
                (true, Some(wait)) => format!(
                    ", kernel gate, an arbiter with a wait of {wait:?}{}",
                    if spec.unanimous { ", and without it the promises of all peers" } else { "" },
                ),
                (false, _) => ", no kernel gate".to_owned(),
            },
        );
        let names = spec.nodes.iter().map(|node| node.name.clone()).collect();
        Self { headline, names, interval: first.advert_interval, seed: spec.seed }
    }

    fn holders(&self, entry: &Entry) -> Vec<&str> {
        entry.holders.iter().filter_map(|node| self.names.get(node)).map(String::as_str).collect()
    }
}

/// Prints it.
pub fn print(told: &Told, report: &Report, json: bool) {
    if json {
        match serde_json::to_string_pretty(&document(told, report)) {
            Ok(text) => say(&text),
            Err(error) => complain(&error.to_string()),
        }
    } else {
        say(plain(&text(told, report), true).trim_end());
    }
}

/// 2 if two answered for longer than an advert interval, nobody does at the end, or a rule was broken; 0 else.
pub fn exit_code(told: &Told, report: &Report) -> u8 {
    let split = report.spans.several.1 > told.interval;
    if split || !report.violations.is_empty() || nobody_at_the_end(report) { CRITICAL } else { 0 }
}

fn nobody_at_the_end(report: &Report) -> bool {
    report.entries.iter().rev().find(|entry| entry.kind != Kind::Violation).is_none_or(|last| last.holders.count() == 0)
}

fn text(told: &Told, report: &Report) -> String {
    let mut text = format!("{}\n\n{:>11}   {:<20} what happens\n", told.headline, "time", "who answers");
    for entry in &report.entries {
        let holders = told.holders(entry);
        let holders = match holders.len() {
            0 => "nobody".into(),
            1 => holders[0].to_owned(),
            _ => format!("{} !", holders.join(" + ")),
        };
        let who = entry.node.and_then(|node| told.names.get(node)).map_or(String::new(), |name| format!("{name}: "));
        let who = if matches!(entry.kind, Kind::Holders) { String::new() } else { who };
        // Writing to a string can't fail.
        let _ =
            writeln!(text, "{:>9.6} s   {holders:<20} {}{who}{}", entry.at.as_secs_f64(), mark(entry.kind), entry.text);
    }
    let spans = &report.spans;
    text.push('\n');
    for (name, held) in told.names.iter().zip(&spans.held) {
        let _ = writeln!(text, "{name} answered for {}", seconds(*held));
    }
    let _ = writeln!(
        text,
        "nobody for {} after the first, {} at the longest",
        seconds(spans.nobody.0),
        seconds(spans.nobody.1)
    );
    let _ = writeln!(text, "two at once for {}, {} at the longest", seconds(spans.several.0), seconds(spans.several.1));
    if nobody_at_the_end(report) {
        text.push_str("at the end nobody answers\n");
    }
    for violation in &report.violations {
        let _ = writeln!(text, "RULE BROKEN at {}: {}: {}", seconds(violation.at), violation.rule, violation.text);
    }
    text
}

const fn mark(kind: Kind) -> &'static str {
    match kind {
        Kind::Fault => "! ",
        Kind::Violation => "RULE BROKEN: ",
        Kind::Verdict => "verdict of ",
        Kind::Fence => "fence on ",
        Kind::Lease => "lease of ",
        Kind::Alarm => "alarm on ",
        Kind::State | Kind::Holders => "",
    }
}

fn seconds(duration: Duration) -> String {
    format!("{:.3} s", duration.as_secs_f64())
}

/// The JSON of one run.
#[derive(Debug, Serialize)]
struct Document<'a> {
    world: &'a str,
    seed: u64,
    hash: String,
    length_seconds: f64,
    nodes: Vec<NodeDocument<'a>>,
    nobody_seconds: f64,
    nobody_longest_seconds: f64,
    overlap_seconds: f64,
    overlap_longest_seconds: f64,
    timeline: Vec<EntryDocument<'a>>,
    violations: Vec<ViolationDocument<'a>>,
}

#[derive(Debug, Serialize)]
struct NodeDocument<'a> {
    name: &'a str,
    held_seconds: f64,
}

#[derive(Debug, Serialize)]
struct EntryDocument<'a> {
    at_seconds: f64,
    node: Option<&'a str>,
    kind: &'static str,
    holders: Vec<&'a str>,
    text: &'a str,
}

#[derive(Debug, Serialize)]
pub(super) struct ViolationDocument<'a> {
    pub at_seconds: f64,
    pub rule: &'a str,
    pub text: &'a str,
}

fn document<'a>(told: &'a Told, report: &'a Report) -> Document<'a> {
    let spans = &report.spans;
    let node = |(name, held): (&'a String, &Duration)| NodeDocument { name, held_seconds: held.as_secs_f64() };
    let entry = |entry: &'a Entry| EntryDocument {
        at_seconds: entry.at.as_secs_f64(),
        node: entry.node.and_then(|node| told.names.get(node)).map(String::as_str),
        kind: entry.kind.as_str(),
        holders: told.holders(entry),
        text: &entry.text,
    };
    let violation = |violation: &'a crate::sim::Violation| ViolationDocument {
        at_seconds: violation.at.as_secs_f64(),
        rule: violation.rule,
        text: &violation.text,
    };
    Document {
        world: &told.headline,
        seed: told.seed,
        hash: format!("{:016x}", report.hash),
        length_seconds: report.length.as_secs_f64(),
        nodes: told.names.iter().zip(&spans.held).map(node).collect(),
        nobody_seconds: spans.nobody.0.as_secs_f64(),
        nobody_longest_seconds: spans.nobody.1.as_secs_f64(),
        overlap_seconds: spans.several.0.as_secs_f64(),
        overlap_longest_seconds: spans.several.1.as_secs_f64(),
        timeline: report.entries.iter().map(entry).collect(),
        violations: report.violations.iter().map(violation).collect(),
    }
}
