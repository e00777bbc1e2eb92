//! The status page: worst first, plain HTML, the same facts as `/api/v1/status`.
//!
//! What has a `data-key` is a part that the script knows again; `data-parts` says that there are smaller ones in it, and `data-mark`
//! is the same as long as the part says the same. `class="age"` is on what only grows older. A reader who names the `data-version`
//! that it has is sent the parts that are new since, and of the others only that they are the same (`told`).

use super::document::{EventDoc, RouterDoc, StatusDoc};
use super::html::{Text, moment, part, since, span};
use super::verdict::{Face, UNKNOWN};
use super::{card, fleet, list, timeline};

/// Cards at most: a mirror port may see thousands of routers, and a person reads the worst.
const MAX_CARDS: usize = 50;

/// Up to so many routers have their timelines on the first page, well or not.
const FEW: usize = 8;

/// The page, in its parts; with a `chosen` router, its card and nothing of others.
pub(super) fn render(
    doc: &StatusDoc,
    events: &[EventDoc],
    recent: usize,
    chosen: Option<&str>,
    version: Option<&str>,
) -> String {
    let mut routers: Vec<&RouterDoc> =
        doc.routers.iter().filter(|router| chosen.is_none_or(|name| router.name == name)).collect();
    routers.sort_by_key(|r| std::cmp::Reverse((card::worst(r).severity, Face::of(&r.verdict).severity)));
    let ill: Vec<_> = routers.iter().copied().filter(|r| card::worst(r).severity > 0).collect();
    let fences = routers.iter().filter(|r| r.fenced().is_some()).count();
    // With nothing to watch there is nothing to call healthy.
    let worst = routers.first().map_or(UNKNOWN, |router| Face::of(&router.verdict));
    let worst = if chosen.is_none() { Face::of(&doc.verdict) } else { worst };
    let face = if routers.is_empty() { UNKNOWN } else { worst.with_fence(fences > 0) };
    let word = if routers.is_empty() { "NOTHING SEEN YET" } else { face.word };
    let subject = if let [only] = ill[..] { format!(" {}", card::vip(only)) } else { String::new() };
    let title = format!("{word}{subject} · {} · vipwarden", Text(&doc.node));
    let shown = if chosen.is_some() { &routers } else { &ill };
    let cards =
        shown.iter().take(MAX_CARDS).map(|router| card::render(doc, router, &timeline::render(doc, router, events)));
    let head = format!(
        r#"<h1>{shape} {word}</h1>
<p>{node}: {count}. As of <time class="age" datetime="{now}">{now}</time>.</p>"#,
        shape = face.shape(),
        node = Text(&doc.node),
        count = count(&routers, fences),
        now = doc.generated_at,
    );
    let main = format!(
        "{head}\n{banner}{cards}{timelines}{table}{elsewhere}{others}{happened}",
        head = part("header", "head", &format!(r#"class="{}""#, face.class), &head),
        banner = banner(doc),
        cards = cards.collect::<String>(),
        timelines = if chosen.is_none() { timelines(doc, &routers, events) } else { String::new() },
        table = if chosen.is_some() { back() } else { list::render(doc, &routers) },
        elsewhere = if chosen.is_some() { String::new() } else { fleet::elsewhere(&doc.peers, &routers) },
        others = reachability(doc),
        happened = happened(doc, events, recent, chosen.and(routers.first().copied())),
    );
    let last_event = events.last().map_or(0, |e| e.id);
    let version = version.map_or_else(String::new, |version| format!(r#" data-version="{version}""#));
    let view = format!(r#"<main id="view" data-last-event="{last_event}"{version} data-parts>{main}</main>"#);
    frame(&title, face, &view, doc)
}

/// What is served where there is nothing.
pub(super) fn not_found() -> String {
    r#"<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>Not found · vipwarden</title><link rel="stylesheet" href="/app.css"></head>
<body><main><h1>There is nothing here</h1><p><a href="/">To the status page</a></p></main></body></html>
"#
    .into()
}

fn frame(title: &str, face: Face, main: &str, doc: &StatusDoc) -> String {
    format!(
        r#"<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>{title}</title>
<link rel="icon" type="image/svg+xml" href="{icon}">
<link rel="stylesheet" href="/app.css">
<noscript><meta http-equiv="refresh" content="10"></noscript>
<script src="/app.js" defer></script>
</head>
<body data-stale-icon="{stale_icon}">
<p id="stale" role="alert" hidden></p>
<p id="news" role="status" aria-live="polite"></p>
{main}
<footer><nav aria-label="Machine-readable"><a href="/metrics">metrics</a> <a href="/api/v1/status">status JSON</a> <a href="/api/v1/events">events JSON</a>
<a href="/-/healthy">healthy</a> <a href="/-/ready">ready</a></nav>
<p>vipwarden {version}, up {uptime}</p></footer>
</body>
</html>
"#,
        icon = face.icon(),
        stale_icon = UNKNOWN.icon(),
        version = Text(&doc.version),
        uptime = span(crate::time::Duration::try_from_secs_f64(doc.uptime_seconds).unwrap_or_default()),
    )
}

fn back() -> String {
    part("p", "back", r#"class="hint""#, r#"<a href="/">All virtual routers</a>"#)
}

fn count(routers: &[&RouterDoc], fences: usize) -> String {
    let mut parts = Vec::new();
    for chunk in routers.chunk_by(|a, b| Face::of(&a.verdict) == Face::of(&b.verdict)) {
        parts.push(format!("{} {}", chunk.len(), Face::of(&chunk[0].verdict).word.to_lowercase()));
    }
    if fences > 0 {
        parts.push(format!("{fences} fenced here"));
    }
    match routers.len() {
        0 => "no virtual router is seen or configured yet".into(),
        1 => format!("1 virtual router, {}", parts.join(", ")),
        n => format!("{n} virtual routers, {}", parts.join(", ")),
    }
}

/// What can't be seen, and since when.
fn banner(doc: &StatusDoc) -> String {
    if doc.sensors.healthy {
        return String::new();
    }
    let lines = doc.sensors.blind.iter().map(|b| {
        let place = if b.interface.is_empty() { String::new() } else { format!(" on {}", Text(&b.interface)) };
        let since = since(doc.generated_at, b.since);
        format!("<li><strong>{}</strong>{place}, since {since}: {}</li>", Text(&b.sensor), Text(&b.says))
    });
    let banner = format!(
        r#"<h2>This node is partly blind</h2><ul>{}</ul>
<p>What depends on it is unknown; what is shown of it is what was last known.</p>"#,
        lines.collect::<String>()
    );
    part("section", "blind", r#"class="blind" role="status""#, &banner)
}

/// Those of the routers that have no card, where they are few.
fn timelines(doc: &StatusDoc, routers: &[&RouterDoc], events: &[EventDoc]) -> String {
    let well: Vec<_> = routers.iter().filter(|router| card::worst(router).severity == 0).collect();
    if routers.len() > FEW || well.is_empty() {
        return String::new();
    }
    let lines = well.iter().map(|router| {
        let bar = timeline::render(doc, router, events);
        let line = format!(r#"<h3>{} <span class="how">{}</span></h3>{bar}"#, card::vip(router), Text(&router.name));
        part("div", &router.key(), "", &line)
    });
    format!(
        r#"<section data-key="timelines" data-parts>{}{}</section>"#,
        part("h2", "head", "", "Who held what"),
        lines.collect::<String>()
    )
}

fn reachability(doc: &StatusDoc) -> String {
    if doc.peers.is_empty() && doc.witnesses.is_empty() {
        return String::new();
    }
    let line = |kind: &str, name: &str, address: &std::net::IpAddr, ping: Option<bool>, rtt: Option<f64>, api: &str| {
        let answers = match ping {
            Some(true) => "answers ping",
            Some(false) => "does not answer",
            None => "not known yet",
        };
        let rtt = rtt.filter(|_| ping == Some(true));
        let rtt = rtt.map_or_else(String::new, |s| format!(r#"<span class="age">, {:.2} ms</span>"#, s * 1000.0));
        format!(
            r#"<tr><td>{kind}</td><td data-head="name">{}</td><td data-head="address">{address}</td>
<td data-head="reachable">{answers}{rtt}</td><td data-head="vipwarden">{}</td></tr>"#,
            Text(name),
            Text(api)
        )
    };
    let peers = doc.peers.iter().map(|p| {
        let api = match (p.api, p.trusted) {
            (Some(true), true) => "answers, signed",
            (Some(true), false) => "answers, not signed",
            (Some(false), _) => p.trouble.as_deref().unwrap_or("does not answer"),
            (None, _) => "not asked",
        };
        line("peer", &p.name, &p.address, p.ping, p.rtt_seconds, api)
    });
    let witnesses = doc.witnesses.iter().map(|w| line("witness", &w.name, &w.address, w.ping, None, "–"));
    let table = format!(
        r#"<h2>Peers and witnesses</h2><table class="list"><thead><tr><th scope="col">kind</th>
<th scope="col">name</th><th scope="col">address</th><th scope="col">reachable</th><th scope="col">vipwarden</th></tr></thead><tbody>{}</tbody></table>"#,
        peers.chain(witnesses).collect::<String>()
    );
    part("section", "reachability", "", &table)
}

fn happened(doc: &StatusDoc, events: &[EventDoc], recent: usize, router: Option<&RouterDoc>) -> String {
    let concerned: Vec<_> = events.iter().filter(|event| router.is_none_or(|r| event.concerns(r))).collect();
    if concerned.is_empty() {
        return String::new();
    }
    let lines = concerned.iter().rev().take(recent).map(|event| {
        let side = |side: &Option<String>| side.as_deref().map_or_else(|| "–".into(), |s| Text(s).to_string());
        let router = if event.router.is_empty() { "this node" } else { &event.router };
        format!(
            r#"<tr><td>{at}</td><td data-head="router">{}</td>
<td data-head="what">{}: {} → {}</td><td data-head="why">{}</td></tr>"#,
            Text(router),
            Text(&event.kind),
            side(&event.from),
            side(&event.to),
            Text(&event.reason),
            at = moment(doc.generated_at, event.at),
        )
    });
    let table = format!(
        r#"<h2>What happened</h2><table class="list"><thead><tr><th scope="col">at</th><th scope="col">router</th>
<th scope="col">what</th><th scope="col">why</th></tr></thead><tbody>{}</tbody></table>"#,
        lines.collect::<String>()
    );
    part("section", "happened", "", &table)
}
