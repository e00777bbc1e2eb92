//! Who held an address when, told from the log of events: a bar to look at, and the same in words.

use crate::time::Duration;

use super::document::{Date, EventDoc, RouterDoc, StatusDoc};
use super::html::{Text, age, moment, moving, span};

/// What is looked back at, at most.
const WINDOW: Duration = Duration::from_secs(24 * 3600);

/// Of one bar; the newest are drawn.
const SPANS_MAX: usize = 200;

/// How far a bar goes on for what is so now, in seconds: beyond any daemon's life.
const FAR: f64 = 1e9;

/// Holders that have a tone of their own.
const TONES: usize = 4;

/// What was so for a while.
#[derive(Clone, Debug, PartialEq)]
enum What {
    /// One held it.
    Held(String),
    /// More than one did, for these causes.
    Split(Vec<String>),
    /// Nobody did.
    Nobody,
    /// That can't be told.
    Unknown,
}

#[derive(Debug, PartialEq)]
struct Span {
    from: Date,
    to: Date,
    what: What,
}

/// The bar of `router`, with all that is known of it since the daemon started, or since the log begins.
///
/// It is drawn in seconds since the daemon's start, of which the view shows the last day: so time alone moves the view, and changes
/// nothing of what is drawn.
pub(super) fn render(doc: &StatusDoc, router: &RouterDoc, events: &[EventDoc]) -> String {
    let now = doc.generated_at;
    let uptime = Duration::try_from_secs_f64(doc.uptime_seconds).unwrap_or_default();
    let origin = now.before(uptime).whole_seconds();
    let mut start = origin.max(now.before(WINDOW));
    if let Some(first) = events.first().filter(|first| first.id > 1) {
        start = start.max(first.at);
    }
    let mut spans = spans(router, events, start, now);
    let skipped = spans.len().saturating_sub(SPANS_MAX);
    spans.drain(..skipped);
    let start = spans.first().map_or(start, |span| span.from);
    let splits = spans.iter().filter(|span| matches!(span.what, What::Split(_))).count();
    format!(
        r#"<div class="timeline"><svg class="age" viewBox="{left} 0 {width:.0} 20" preserveAspectRatio="none" role="img" aria-label="{label}">{bars}</svg>
<p class="scale"><span>{from}</span><span>now</span></p>
<details data-key="timeline {key}"><summary data-focus="timeline {key}">{count}</summary><ol>{words}</ol></details></div>"#,
        left = start.since(origin).as_secs(),
        width = now.since(start).as_secs_f64().max(1.0),
        label = Text(&label(&spans, splits)),
        bars = bars(&spans, origin),
        from = moving(now, start),
        key = Text(&router.key()),
        count = count(&spans, splits),
        words = words(&spans, now),
    )
}

fn spans(router: &RouterDoc, events: &[EventDoc], start: Date, now: Date) -> Vec<Span> {
    let own: Vec<&EventDoc> = events.iter().filter(|event| event.concerns(router)).collect();
    let first = |kind: &str| own.iter().find(|event| event.kind == kind);
    let now_held = router.masters.first().map(ToString::to_string);
    let mut holder = first("master").map_or(now_held, |event| event.from.clone());
    let mut verdict = first("verdict").map_or_else(|| Some(router.verdict.clone()), |event| event.from.clone());
    let mut causes = first("verdict").map_or_else(|| router.causes.clone(), |_| Vec::new());
    let mut spans: Vec<Span> = Vec::new();
    let mut since = start;
    for event in own {
        let before = what(verdict.as_deref(), holder.as_deref(), &causes);
        match event.kind.as_str() {
            "master" => holder.clone_from(&event.to),
            "verdict" => {
                verdict.clone_from(&event.to);
                causes.clone_from(&event.causes);
            }
            _ => continue,
        }
        if event.at > since && what(verdict.as_deref(), holder.as_deref(), &causes) != before {
            push(&mut spans, Span { from: since, to: event.at, what: before });
            since = event.at;
        }
    }
    push(&mut spans, Span { from: since, to: now, what: what(verdict.as_deref(), holder.as_deref(), &causes) });
    spans
}

/// A span that goes on as the last one was makes that one longer.
fn push(spans: &mut Vec<Span>, span: Span) {
    match spans.last_mut() {
        Some(last) if last.what == span.what => last.to = span.to,
        _ => spans.push(span),
    }
}

fn what(verdict: Option<&str>, holder: Option<&str>, causes: &[String]) -> What {
    match (verdict, holder) {
        (Some("split_brain"), _) => What::Split(causes.to_vec()),
        (Some("no_master"), _) => What::Nobody,
        (Some("healthy" | "degraded"), Some(holder)) => What::Held(holder.to_owned()),
        _ => What::Unknown,
    }
}

fn bars(spans: &[Span], origin: Date) -> String {
    let at = |date: Date| date.since(origin).as_secs_f64();
    let mut holders: Vec<&str> = Vec::new();
    for span in spans {
        if let What::Held(holder) = &span.what
            && !holders.contains(&holder.as_str())
        {
            holders.push(holder);
        }
    }
    let bar = |(index, span): &(usize, &Span)| {
        let class = match &span.what {
            What::Held(holder) => {
                let index = holders.iter().position(|known| known == holder).unwrap_or_default();
                format!("held tone{}", index % TONES)
            }
            What::Split(_) => "split".into(),
            What::Nobody => "nobody".into(),
            What::Unknown => "unseen".into(),
        };
        // The first and the last go beyond what is in view.
        let x = if *index == 0 { 0.0 } else { at(span.from) };
        let width = if index + 1 == spans.len() { FAR } else { at(span.to) - x };
        format!(
            r#"<rect class="{class}" x="{x:.1}" width="{width:.1}" height="20"><title>{}</title></rect>"#,
            Text(&title(span))
        )
    };
    // The worst on top: a short one would be hidden below its neighbours.
    let is_bad = |(_, span): &(usize, &Span)| matches!(span.what, What::Split(_) | What::Nobody);
    let (bad, calm): (Vec<_>, Vec<_>) = spans.iter().enumerate().partition(is_bad);
    calm.iter().chain(&bad).map(bar).collect()
}

fn title(span: &Span) -> String {
    match &span.what {
        What::Held(holder) => format!("held by {holder}"),
        What::Split(causes) if causes.is_empty() => "split brain".into(),
        What::Split(causes) => format!("split brain: {}", causes.join(", ")),
        What::Nobody => "no master".into(),
        What::Unknown => "unknown".into(),
    }
}

fn label(spans: &[Span], splits: usize) -> String {
    let last = spans.last().map(title).unwrap_or_default();
    format!("Timeline: {} spans, {splits} of them split brain; now {last}", spans.len())
}

fn count(spans: &[Span], splits: usize) -> String {
    let changes = spans.len().saturating_sub(1);
    let changes = match changes {
        0 => "no change".to_owned(),
        1 => "1 change".to_owned(),
        n => format!("{n} changes"),
    };
    match splits {
        0 => changes,
        1 => format!("{changes}, 1 split brain"),
        n => format!("{changes}, {n} split brains"),
    }
}

/// Newest first. When the first began, and for how long the first and the last have lasted, moves with the time.
fn words(spans: &[Span], now: Date) -> String {
    let line = |(index, it): (usize, &Span)| {
        let class = if matches!(it.what, What::Split(_)) { r#" class="split""# } else { "" };
        let from = if index == 0 { moving(now, it.from) } else { moment(now, it.from) };
        let length = match span(it.to.since(it.from)) {
            _ if index + 1 == spans.len() => age(now, it.from),
            length if index == 0 => format!(r#"<span class="age">{length}</span>"#),
            length => length,
        };
        format!("<li{class}>{from} {} <span class=\"how\">for {length}</span></li>", Text(&title(it)))
    };
    spans.iter().enumerate().rev().map(line).collect()
}

#[cfg(test)]
mod tests {
    use super::super::html::{self, part};
    use super::*;
    use crate::time::{Instant, WallClock};

    fn at(seconds: u64) -> Date {
        Date::new(WallClock::default(), Instant::ZERO + Duration::from_secs(seconds))
    }

    fn router(verdict: &str) -> RouterDoc {
        serde_json::from_value(serde_json::json!({
            "name": "web", "vip": "10.0.0.3", "interface": "eth0", "vlan": null, "family": "ipv4", "vrid": 51,
            "mode": "watch", "role": "member", "state": "master", "verdict": verdict,
            "since": at(0), "causes": [], "findings": [], "masters": ["10.0.0.6"], "holders": [], "speakers": [],
            "addresses": [], "priority": null, "tracks": [], "fence": null, "arbiter": null, "evidence": [],
        }))
        .expect("the form of version 1")
    }

    fn event(seconds: u64, kind: &str, from: &str, to: &str) -> EventDoc {
        serde_json::from_value(serde_json::json!({
            "id": seconds, "at": at(seconds), "router": "web", "vip": "10.0.0.3", "interface": "eth0", "vlan": null,
            "kind": kind, "from": from, "to": to, "reason": "", "causes": ["partition"], "evidence": [],
        }))
        .expect("the form of version 1")
    }

    #[test]
    fn the_log_becomes_who_held_it_when_with_splits_and_their_causes() {
        let mut stranger = event(40, "master", "10.0.0.8", "10.0.0.9");
        stranger.interface = Some("eth1".into());
        let log = [
            event(10, "verdict", "healthy", "split_brain"),
            event(20, "verdict", "split_brain", "healthy"),
            event(20, "master", "10.0.0.5", "10.0.0.6"),
            event(30, "state", "master", "backup"),
            stranger,
            event(50, "verdict", "healthy", "no_master"),
            event(60, "verdict", "no_master", "unknown"),
        ];
        let told: Vec<_> =
            spans(&router("unknown"), &log, at(0), at(100)).iter().map(|s| (s.from, s.to, title(s))).collect();
        let expected = [
            (0, 10, "held by 10.0.0.5"),
            (10, 20, "split brain: partition"),
            (20, 50, "held by 10.0.0.6"),
            (50, 60, "no master"),
            (60, 100, "unknown"),
        ];
        assert_eq!(told, expected.map(|(from, to, what)| (at(from), at(to), what.to_owned())));
    }

    #[test]
    fn without_events_it_is_as_it_was_at_the_start_and_unknown_is_nobody_s() {
        let told = |verdict: &str| spans(&router(verdict), &[], at(0), at(9)).iter().map(title).collect::<Vec<_>>();
        assert_eq!((told("healthy"), told("unknown")), (vec!["held by 10.0.0.6".into()], vec!["unknown".into()]));
    }

    #[test]
    fn splits_are_drawn_on_top_of_their_neighbours() {
        let log = [event(5000, "verdict", "healthy", "split_brain"), event(5001, "verdict", "split_brain", "healthy")];
        let drawn = bars(&spans(&router("healthy"), &log, at(0), at(86_400)), at(0));
        assert!(drawn.contains(r#"<rect class="split" x="5000.0" width="1.0""#), "{drawn}");
        assert!(drawn.rfind("class=\"held").expect("held") < drawn.find("class=\"split").expect("split"), "{drawn}");
    }

    #[test]
    fn time_alone_is_no_news() {
        let mark = |now: u64, log: &[EventDoc]| {
            let doc: StatusDoc = serde_json::from_value(serde_json::json!({
                "node": "lb01", "version": "1", "generated_at": at(now), "boot_id": "", "uptime_seconds": now,
                "verdict": "healthy", "routers": [], "peers": [], "witnesses": [], "others": [],
                "sensors": { "healthy": true, "blind": [] },
            }))
            .expect("the form of version 1");
            let bar = part("div", "timeline", "", &render(&doc, &router("healthy"), log));
            html::mark(&bar).to_owned()
        };
        let log = [
            event(70_000, "verdict", "healthy", "split_brain"),
            event(70_060, "verdict", "split_brain", "healthy"),
            event(86_000, "master", "10.0.0.5", "10.0.0.6"),
        ];
        assert_eq!(mark(86_001, &log), mark(86_390, &log), "less than a day after the start");
        assert_eq!(mark(90_000, &log), mark(95_000, &log), "more than a day");
        assert_ne!(mark(90_000, &log), mark(90_000, &log[..2]));
    }
}
