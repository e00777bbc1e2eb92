//! What is wrong with one virtual router, on one card: the screen for three in the morning.

use crate::time::Duration;

use super::document::{Date, FindingDoc, RouterDoc, SpeakerDoc, StatusDoc};
use super::html::Text;
use super::verdict::{FENCED, Face, UNKNOWN};
use super::words::{how, speaker_of};

/// The card of `router`.
pub(super) fn render(doc: &StatusDoc, router: &RouterDoc) -> String {
    let face = Face::of(&router.verdict);
    let held = if face == UNKNOWN { "last held by" } else { "held by" };
    let mut rows = row(held, &holders(doc, router));
    rows += &row("heard", &speakers(&router.speakers));
    rows += &row("cause", &causes(&router.findings));
    for finding in router.findings.iter().filter(|f| !f.remedy.is_empty()) {
        rows += &row("do", &remedy(finding));
    }
    if router.priority.is_some() {
        rows += &row("this node", &own_part(router));
    }
    rows += &row("sensors", &sensors(doc, router));
    rows += &row("evidence", &evidence(doc, router));
    format!(
        r#"<article class="card {class}">
<h2>{badge}{fence} <span class="vip">{vip}</span></h2>
<p class="where">{place} <span class="since">since {since}</span></p>
<table class="facts"><tbody>{rows}</tbody></table>
</article>
"#,
        class = worst(router).class,
        badge = face.badge(),
        fence = if router.fenced().is_some() { FENCED.badge() } else { String::new() },
        vip = vip(router),
        place = place(router),
        since = since(doc.generated_at, router.since),
    )
}

/// The face of the worst that is to be said of a router.
pub(super) fn worst(router: &RouterDoc) -> Face {
    Face::of(&router.verdict).with_fence(router.fenced().is_some())
}

/// This node's state, and its priority where it speaks.
pub(super) fn part(router: &RouterDoc) -> String {
    let state = if router.fenced().is_some() { FENCED.badge() } else { Text(&router.state).to_string() };
    let priority = router.priority.as_ref().map(|p| format!(r#" <span class="how">priority {p}</span>"#));
    state + &priority.unwrap_or_default()
}

/// The VIP, or what stands for it.
pub(super) fn vip(router: &RouterDoc) -> String {
    router.vip.map_or_else(|| "no address known".into(), |vip| vip.to_string())
}

/// An instant and how long ago that is.
pub(super) fn since(now: Date, then: Date) -> String {
    format!("{}, {}", moment(now, then), span(now.since(then)))
}

/// An instant to the second; its date only where that is not today's.
pub(super) fn moment(now: Date, then: Date) -> String {
    let full = then.to_string();
    let is_today = full.get(..10) == now.to_string().get(..10);
    let short = match (full.get(..10), full.get(11..19)) {
        (Some(_), Some(time)) if is_today => format!("{time}Z"),
        (Some(date), Some(time)) => format!("{date} {time}Z"),
        _ => full.clone(),
    };
    format!(r#"<time datetime="{full}" title="{full}">{short}</time>"#)
}

/// A length of time in two units.
pub(super) fn span(length: Duration) -> String {
    let seconds = length.as_secs();
    let (days, hours, minutes) = (seconds / 86_400, seconds / 3600 % 24, seconds / 60 % 60);
    match (days, hours, minutes) {
        (0, 0, 0) => format!("{seconds} s"),
        (0, 0, _) => format!("{minutes} min {} s", seconds % 60),
        (0, _, _) => format!("{hours} h {minutes} min"),
        _ => format!("{days} d {hours} h"),
    }
}

fn row(head: &str, cell: &str) -> String {
    format!(r#"<tr><th scope="row">{head}</th><td>{cell}</td></tr>"#)
}

fn place(router: &RouterDoc) -> String {
    let vlan = router.vlan.map_or_else(String::new, |vlan| format!(", VLAN {vlan}"));
    format!("{}, VRID {}, {}{vlan}", Text(&router.name), router.vrid, Text(&router.interface))
}

/// What this node does as the router itself, and what keeps it from more.
fn own_part(router: &RouterDoc) -> String {
    let reason = router.fenced().map(|reason| format!("<li>{}</li>", Text(reason)));
    let not_up: String = router.not_up().map(|track| format!("<li>{}</li>", Text(&track.to_string()))).collect();
    let arbiter = router.arbiter.as_ref().map(|arbiter| format!("<li>{}</li>", Text(&arbiter.to_string())));
    let more = [reason, arbiter].into_iter().flatten().collect::<String>();
    format!("<ul><li>{}</li>{more}{not_up}</ul>", part(router))
}

fn holders(doc: &StatusDoc, router: &RouterDoc) -> String {
    if router.holders.is_empty() {
        return "nobody, as far as this node can see".into();
    }
    let lines = router.holders.iter().map(|holder| {
        let speaker = speaker_of(doc, router, holder);
        let node = holder.node.as_deref().unwrap_or("an unknown host");
        let source = speaker.map(|s| s.source.to_string()).filter(|s| s != node).unwrap_or_default();
        let mac = holder.mac.as_deref().unwrap_or_default();
        format!(
            r#"<li><strong>{}</strong> {source} <code>{}</code> <span class="how">{}</span></li>"#,
            Text(node),
            Text(mac),
            Text(&how(holder, speaker))
        )
    });
    format!("<ul>{}</ul>", lines.collect::<String>())
}

fn speakers(speakers: &[SpeakerDoc]) -> String {
    if speakers.is_empty() {
        return "no adverts".into();
    }
    let lines = speakers.iter().map(|s| {
        let name = match (&s.peer, s.local) {
            (_, true) => "this node, ".into(),
            (Some(peer), _) => format!("{}, ", Text(peer)),
            (None, _) => String::new(),
        };
        format!(
            r#"<li>{} <span class="how">{name}VRRPv{}, priority {}, every {} s, last {:.1} s ago</span></li>"#,
            s.source, s.version, s.priority, s.advert_interval_seconds, s.last_advert_seconds
        )
    });
    format!("<ul>{}</ul>", lines.collect::<String>())
}

fn causes(findings: &[FindingDoc]) -> String {
    if findings.is_empty() {
        return "none known".into();
    }
    let lines = findings.iter().map(|finding| {
        let sides = [&finding.local, &finding.remote].map(|side| Text(side).to_string());
        let sides = sides.into_iter().filter(|side| !side.is_empty()).collect::<Vec<_>>().join("; ");
        let colon = if sides.is_empty() { "" } else { ":" };
        format!("<li><strong>{}</strong>{}{colon} {sides}</li>", Text(&finding.cause), on_node(finding))
    });
    format!("<ul>{}</ul>", lines.collect::<String>())
}

fn remedy(finding: &FindingDoc) -> String {
    format!("{} <code class=\"remedy\">{}</code>", on_node(finding), Text(&finding.remedy))
}

fn on_node(finding: &FindingDoc) -> String {
    finding.node.as_ref().map_or_else(String::new, |node| format!(" on {}", Text(node)))
}

fn sensors(doc: &StatusDoc, router: &RouterDoc) -> String {
    let concerns = |interface: &str| interface.is_empty() || interface == router.interface;
    let mut blind: Vec<_> =
        doc.sensors.blind.iter().filter(|b| concerns(&b.interface)).map(|b| Text(&b.says).to_string()).collect();
    blind.dedup();
    if blind.is_empty() { "all see".into() } else { format!("<strong>blind</strong>: {}", blind.join("; ")) }
}

fn evidence(doc: &StatusDoc, router: &RouterDoc) -> String {
    if router.evidence.is_empty() {
        return "none".into();
    }
    let lines = router.evidence.iter().rev().map(|e| {
        format!("<li><code>{}</code> {} <span class=\"since\">{} ago</span></li>", Text(&e.kind), Text(&e.says), {
            span(doc.generated_at.since(e.at))
        })
    });
    format!(
        r#"<details data-key="{} {}"><summary>{}</summary><ul>{}</ul></details>"#,
        Text(&router.interface),
        Text(&router.name),
        match router.evidence.len() {
            1 => "1 piece".into(),
            n => format!("{n} pieces, newest first"),
        },
        lines.collect::<String>()
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::time::{Instant, WallClock};

    #[test]
    fn lengths_are_told_in_two_units() {
        for (seconds, text) in [(0, "0 s"), (59, "59 s"), (252, "4 min 12 s"), (3600, "1 h 0 min"), (93_600, "1 d 2 h")]
        {
            assert_eq!(span(Duration::from_secs(seconds)), text);
        }
    }

    #[test]
    fn the_date_is_told_when_it_was_another_day() {
        let date = |seconds| Date::new(WallClock::default(), Instant::ZERO + Duration::from_secs(seconds));
        assert!(since(date(86_500), date(86_440)).contains(">00:00:40Z</time>, 1 min 0 s"));
        assert!(since(date(86_500), date(10)).contains(">1970-01-01 00:00:10Z</time>, 1 d 0 h"));
    }
}
