//! `vipwarden events`: what happened.

use std::path::Path;
use std::process::ExitCode;

use crate::sys::clock;
use crate::web::document::{Date, EventDoc};

use super::client::{self, Door};
use super::select::select;

/// What `events` takes.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Name, VIP or VRID of one virtual router; all by default. Where several are meant: with @eth0 behind it, or @eth0/100 on VLAN 100.
    router: Option<String>,
    /// From then on: a date, like 2026-11-20T10:00:00Z, or how long ago, like 10m or 2h.
    #[arg(long, value_name = "T", value_parser = parse_since)]
    since: Option<Date>,
    #[command(flatten, next_help_heading = "Elsewhere")]
    remote: client::Remote,
}

fn parse_since(text: &str) -> Result<Date, String> {
    if let Ok(ago) = humantime::parse_duration(text) {
        return Ok(Date::new(clock::wall(), clock::now() - ago));
    }
    text.parse().map_err(|_| "want a date, like 2026-11-20T10:00:00Z, or how long ago, like 10m or 2h".into())
}

/// Prints the events, oldest first.
pub fn run(args: Args, control: &Path) -> ExitCode {
    match events(&args, control) {
        Ok(events) if events.is_empty() => ExitCode::SUCCESS,
        events => client::tell(events.map(|events| events.iter().map(line).collect::<Vec<_>>().join("\n"))),
    }
}

fn events(args: &Args, control: &Path) -> Result<Vec<EventDoc>, String> {
    let door = Door::new(control, &args.remote);
    let mut events: Vec<EventDoc> = client::read(client::get(door, "/api/v1/events")?)?;
    if let Some(wanted) = &args.router {
        // A router that was forgotten has events still.
        if events.iter().any(|event| event.router == *wanted) {
            events.retain(|event| event.router == *wanted);
        } else {
            let document = client::status(door)?;
            let router = select(&document, wanted)?;
            events.retain(|event| event.concerns(router));
        }
    }
    events.retain(|event| args.since.is_none_or(|since| event.at >= since));
    Ok(events)
}

fn line(event: &EventDoc) -> String {
    let who = if event.router.is_empty() { "(node)" } else { &event.router };
    let what = match (&event.from, &event.to) {
        (Some(from), Some(to)) => format!("{from} -> {to}"),
        (None, Some(one)) => one.clone(),
        (Some(one), None) => format!("{one} no more"),
        (None, None) => String::new(),
    };
    let causes = if event.causes.is_empty() { String::new() } else { format!(" ({})", event.causes.join(", ")) };
    let at = event.at.to_string();
    let words: [&str; 5] = [&at, who, &event.kind, &format!("{what}{causes}"), &event.reason];
    words.into_iter().filter(|word| !word.is_empty()).collect::<Vec<_>>().join("  ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_event_is_one_line() {
        let event: EventDoc = serde_json::from_value(serde_json::json!({
            "id": 7, "at": "2026-11-20T10:00:00.123Z", "router": "web", "vip": "10.0.0.3", "interface": "eth0", "vlan": null, "kind": "verdict",
            "from": "healthy", "to": "split_brain", "reason": "two masters", "causes": ["undetermined"], "evidence": [],
        }))
        .expect("the form of version 1");
        assert_eq!(
            line(&event),
            "2026-11-20T10:00:00.123Z  web  verdict  healthy -> split_brain (undetermined)  two masters"
        );
    }

    #[test]
    fn an_event_without_a_change_has_no_hole() {
        let event: EventDoc = serde_json::from_value(serde_json::json!({
            "id": 8, "at": "2026-11-20T10:00:00.123Z", "router": "", "vip": null, "interface": "eth0", "vlan": null, "kind": "alarm",
            "from": null, "to": null, "reason": "it is late", "causes": [], "evidence": [],
        }))
        .expect("the form of version 1");
        assert_eq!(line(&event), "2026-11-20T10:00:00.123Z  (node)  alarm  it is late");
    }

    #[test]
    fn since_takes_a_date_or_how_long_ago() {
        assert!(parse_since("2026-11-20T10:00:00Z").is_ok());
        assert!(parse_since("10m").expect("a duration") < parse_since("1m").expect("a duration"));
        assert!(parse_since("yesterday").is_err());
    }
}
