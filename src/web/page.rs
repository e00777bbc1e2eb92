//! The status page: worst first, plain HTML, the same facts as `/api/v1/status`.

use super::card;
use super::document::{EventDoc, RouterDoc, StatusDoc};
use super::html::Text;
use super::verdict::{Face, UNKNOWN};

/// Cards and table rows at most: a mirror port may see thousands of routers, and a person reads the worst.
const MAX_CARDS: usize = 50;
const MAX_ROWS: usize = 500;

/// The page.
pub(super) fn render(doc: &StatusDoc, events: &[EventDoc]) -> String {
    let mut routers: Vec<&RouterDoc> = doc.routers.iter().collect();
    routers.sort_by_key(|r| std::cmp::Reverse((card::worst(r).severity, Face::of(&r.verdict).severity)));
    let ill: Vec<_> = routers.iter().copied().filter(|r| card::worst(r).severity > 0).collect();
    let fences = routers.iter().filter(|r| r.fenced().is_some()).count();
    let cards: String = ill.iter().take(MAX_CARDS).map(|router| card::render(doc, router)).collect();
    // With nothing to watch there is nothing to call healthy.
    let face = if routers.is_empty() { UNKNOWN } else { Face::of(&doc.verdict).with_fence(fences > 0) };
    let word = if routers.is_empty() { "NOTHING SEEN YET" } else { face.word };
    let subject = if let [only] = ill[..] { format!(" {}", card::vip(only)) } else { String::new() };
    let title = format!("{word}{subject} · {} · vipwarden", Text(&doc.node));
    let main = format!(
        r#"<header class="{class}"><h1>{shape} {word}</h1>
<p>{node}: {count}. As of <time datetime="{now}">{now}</time>.</p></header>
{banner}{cards}{table}{others}{events}"#,
        class = face.class,
        shape = face.shape(),
        node = Text(&doc.node),
        count = count(&routers, fences),
        now = doc.generated_at,
        banner = banner(doc),
        table = table(doc, &routers),
        others = reachability(doc),
        events = happened(doc, events),
    );
    let last_event = events.last().map_or(0, |e| e.id);
    frame(&title, face, &format!(r#"<main id="view" data-last-event="{last_event}">{main}</main>"#), doc)
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
{main}
<footer><nav><a href="/metrics">metrics</a> <a href="/api/v1/status">status JSON</a> <a href="/api/v1/events">events JSON</a>
<a href="/-/healthy">healthy</a> <a href="/-/ready">ready</a></nav>
<p>vipwarden {version}, up {uptime}</p></footer>
</body>
</html>
"#,
        icon = face.icon(),
        stale_icon = UNKNOWN.icon(),
        version = Text(&doc.version),
        uptime = card::span(crate::time::Duration::try_from_secs_f64(doc.uptime_seconds).unwrap_or_default()),
    )
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
        let since = card::since(doc.generated_at, b.since);
        format!("<li><strong>{}</strong>{place}, since {since}: {}</li>", Text(&b.sensor), Text(&b.says))
    });
    format!(
        r#"<section class="blind" role="status"><h2>This node is partly blind</h2><ul>{}</ul>
<p>What depends on it is unknown; what is shown of it is what was last known.</p></section>"#,
        lines.collect::<String>()
    )
}

fn table(doc: &StatusDoc, routers: &[&RouterDoc]) -> String {
    if routers.is_empty() {
        return r#"<p class="hint">Virtual routers appear here with their first advert, or when a [[router]] names them.</p>"#
            .into();
    }
    let rows: String = routers.iter().take(MAX_ROWS).map(|router| line(doc, router)).collect();
    let more = match routers.len().saturating_sub(MAX_ROWS) {
        0 => String::new(),
        n => format!(r#"<p class="hint">{n} more are in the <a href="/api/v1/status">status JSON</a>.</p>"#),
    };
    format!(
        r#"<section><h2>Virtual routers</h2><table class="list"><thead><tr><th scope="col">verdict</th><th scope="col">VIP</th>
<th scope="col">name</th><th scope="col">VRID</th><th scope="col">interface</th><th scope="col">held by</th>
<th scope="col">this node</th><th scope="col">since</th></tr></thead><tbody>{rows}</tbody></table>{more}</section>"#
    )
}

fn line(doc: &StatusDoc, router: &RouterDoc) -> String {
    let holders: Vec<_> =
        router.holders.iter().map(|h| h.node.as_ref().or(h.mac.as_ref()).map_or("?", String::as_str)).collect();
    let vlan = router.vlan.map_or_else(String::new, |vlan| format!(" VLAN {vlan}"));
    let part = if router.role == "observer" { Text(&router.role).to_string() } else { card::part(router) };
    format!(
        r#"<tr><td>{}</td><td data-head="VIP">{}</td><td data-head="name">{}</td><td data-head="VRID">{}</td>
<td data-head="interface">{}{vlan}</td><td data-head="held by">{}</td><td data-head="this node">{}</td>
<td data-head="since">{}</td></tr>"#,
        Face::of(&router.verdict).badge(),
        card::vip(router),
        Text(&router.name),
        router.vrid,
        Text(&router.interface),
        if holders.is_empty() { "nobody".into() } else { Text(&holders.join(", ")).to_string() },
        part,
        card::since(doc.generated_at, router.since),
    )
}

fn reachability(doc: &StatusDoc) -> String {
    if doc.peers.is_empty() && doc.witnesses.is_empty() {
        return String::new();
    }
    let line = |kind: &str, name: &str, address: &std::net::IpAddr, ping: Option<bool>, rtt: Option<f64>| {
        let answers = match ping {
            Some(true) => "answers ping",
            Some(false) => "does not answer",
            None => "not known yet",
        };
        let rtt = rtt.filter(|_| ping == Some(true)).map_or_else(String::new, |s| format!(", {:.2} ms", s * 1000.0));
        format!(
            r#"<tr><td>{kind}</td><td data-head="name">{}</td><td data-head="address">{address}</td>
<td data-head="reachable">{answers}{rtt}</td></tr>"#,
            Text(name)
        )
    };
    let peers = doc.peers.iter().map(|p| line("peer", &p.name, &p.address, p.ping, p.rtt_seconds));
    let witnesses = doc.witnesses.iter().map(|w| line("witness", &w.name, &w.address, w.ping, None));
    format!(
        r#"<section><h2>Peers and witnesses</h2><table class="list"><thead><tr><th scope="col">kind</th>
<th scope="col">name</th><th scope="col">address</th><th scope="col">reachable</th></tr></thead><tbody>{}</tbody></table></section>"#,
        peers.chain(witnesses).collect::<String>()
    )
}

fn happened(doc: &StatusDoc, events: &[EventDoc]) -> String {
    if events.is_empty() {
        return String::new();
    }
    let lines = events.iter().rev().map(|event| {
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
            at = card::moment(doc.generated_at, event.at),
        )
    });
    format!(
        r#"<section><h2>What happened</h2><table class="list"><thead><tr><th scope="col">at</th><th scope="col">router</th>
<th scope="col">what</th><th scope="col">why</th></tr></thead><tbody>{}</tbody></table></section>"#,
        lines.collect::<String>()
    )
}
