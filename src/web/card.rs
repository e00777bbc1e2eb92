//! What is known of one virtual router, on one card: the screen for three in the morning.

use super::document::{FindingDoc, HolderDoc, PeerDoc, RouterDoc, SpeakerDoc, StatusDoc};
use super::fleet;
use super::html::{Text, age, part, since};
use super::verdict::{FENCED, Face, UNKNOWN};
use super::words::{how, speaker_of};

/// The card of `router`, with its `timeline`.
pub(super) fn render(doc: &StatusDoc, router: &RouterDoc, timeline: &str) -> String {
    let face = Face::of(&router.verdict);
    let held = if face == UNKNOWN { "last held by" } else { "held by" };
    let key = router.key();
    let mut rows = row(held, &holders(doc, router));
    rows += &row("heard", &speakers(doc, &router.speakers));
    rows += &row("cause", &causes(&router.findings));
    for (index, finding) in router.findings.iter().enumerate().filter(|(_, f)| !f.remedy.is_empty()) {
        rows += &row("do", &remedy(finding, &format!("{key} {index}")));
    }
    if router.priority.is_some() {
        rows += &row("this node", &own_part(router));
    }
    rows += &row("sensors", &sensors(doc, router));
    rows += &row("evidence", &evidence(doc, router));
    let head = format!(
        r#"<h2>{badge}{fence} <span class="vip">{vip}</span></h2>
<p class="where"><span>({place})</span> <span class="since">since {since}</span></p>"#,
        badge = face.badge(),
        fence = if router.fenced().is_some() { FENCED.badge() } else { String::new() },
        vip = vip(router),
        place = place(router),
        since = since(doc.generated_at, router.since),
    );
    format!(
        r#"<article class="card {class}" data-key="{key}" data-parts>
{head}
{facts}
{timeline}
</article>
"#,
        class = worst(router).class,
        key = Text(&key),
        head = part("header", &format!("head {key}"), "", &head),
        facts = part("table", &format!("facts {key}"), r#"class="facts""#, &format!("<tbody>{rows}</tbody>")),
        timeline = part("div", &format!("history {key}"), "", timeline),
    )
}

/// The face of the worst that is to be said of a router.
pub(super) fn worst(router: &RouterDoc) -> Face {
    Face::of(&router.verdict).with_fence(router.fenced().is_some())
}

/// This node's state, and its priority where it speaks.
pub(super) fn own_state(router: &RouterDoc) -> String {
    let state = if router.fenced().is_some() { FENCED.badge() } else { Text(&router.state).to_string() };
    let priority = router.priority.as_ref().map(|p| format!(r#" <span class="how">priority {p}</span>"#));
    state + &priority.unwrap_or_default()
}

/// The VIP, or what stands for it.
pub(super) fn vip(router: &RouterDoc) -> String {
    router.vip.map_or_else(|| "no address known".into(), |vip| vip.to_string())
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
    let mut lines = vec![own_state(router)];
    lines.extend(router.fenced().map(|reason| Text(reason).to_string()));
    lines.extend(router.guarded().iter().map(|line| Text(line).to_string()));
    lines.extend(router.not_up().map(|track| Text(&track.to_string()).to_string()));
    list(lines)
}

fn list(lines: impl IntoIterator<Item = String>) -> String {
    let lines = lines.into_iter().map(|line| format!("<li>{line}</li>"));
    format!("<ul>{}</ul>", lines.collect::<String>())
}

fn holders(doc: &StatusDoc, router: &RouterDoc) -> String {
    if router.holders.is_empty() {
        return "nobody, as far as this node can see".into();
    }
    let reached = reached(router);
    list(router.holders.iter().map(|holder| {
        let speaker = speaker_of(doc, router, holder);
        let node = holder.node.as_deref().unwrap_or("an unknown host");
        let source = speaker.map(|s| s.source.to_string()).filter(|s| s != node).unwrap_or_default();
        let mac = holder.mac.as_deref().unwrap_or_default();
        let is_reached = reached.is_some_and(|reached| std::ptr::eq(reached, holder));
        let clients = if is_reached { r#" <span class="reached">← clients reach this one</span>"# } else { "" };
        format!(
            r#"<strong>{}</strong> {source} <code>{}</code> <span class="how">{}</span>{clients}"#,
            Text(node),
            Text(mac),
            Text(&how(holder, speaker))
        )
    }))
}

/// Which of several holders was the last to announce the VIP: clients' caches point at it.
fn reached(router: &RouterDoc) -> Option<&HolderDoc> {
    let vip = router.addresses.iter().find(|address| Some(address.address) == router.vip)?;
    let announced = vip.announced_by.as_ref()?;
    let mut named = router.holders.iter().filter(|holder| holder.mac.as_ref() == Some(announced));
    named.next().filter(|_| router.holders.len() > 1 && named.next().is_none())
}

fn speakers(doc: &StatusDoc, speakers: &[SpeakerDoc]) -> String {
    if speakers.is_empty() {
        return "no adverts".into();
    }
    list(speakers.iter().map(|s| {
        let name = match (&s.peer, s.local) {
            (_, true) => "this node, ".into(),
            (Some(peer), _) => format!("{}, ", Text(peer)),
            (None, _) => String::new(),
        };
        let last = doc.generated_at.before(crate::time::Duration::from_secs_f64(s.last_advert_seconds.clamp(0.0, 1e9)));
        format!(
            r#"{} <span class="how">{name}VRRPv{}, priority {}, every {} s, last {} ago</span>"#,
            s.source,
            s.version,
            s.priority,
            s.advert_interval_seconds,
            age(doc.generated_at, last)
        )
    }))
}

fn causes(findings: &[FindingDoc]) -> String {
    if findings.is_empty() {
        return "none known".into();
    }
    list(findings.iter().map(|finding| {
        let sides = [&finding.local, &finding.remote].map(|side| Text(side).to_string());
        let sides = sides.into_iter().filter(|side| !side.is_empty()).collect::<Vec<_>>().join("; ");
        let colon = if sides.is_empty() { "" } else { ":" };
        format!("<strong>{}</strong>{}{colon} {sides}", Text(&finding.cause), on_node(finding))
    }))
}

/// The one thing to do; `id` tells it from all others.
fn remedy(finding: &FindingDoc, id: &str) -> String {
    let (on, what, id) = (on_node(finding), Text(&finding.remedy), Text(id));
    let runbook = finding.runbook.as_ref().map(|path| {
        format!(r#" <a data-focus="runbook {id}" href="/{}">runbook</a>"#, Text(path.trim_start_matches('/')))
    });
    let on = if on.is_empty() { on } else { format!("{}: ", on.trim_start()) };
    format!(
        r#"{on}<code class="remedy" id="do {id}">{what}</code> <button type="button" class="script" hidden data-focus="copy {id}" data-copies="do {id}">copy</button>{}"#,
        runbook.unwrap_or_default()
    )
}

fn on_node(finding: &FindingDoc) -> String {
    finding.node.as_ref().map_or_else(String::new, |node| format!(" on {}", Text(node)))
}

/// What this node and its peers see of it.
fn sensors(doc: &StatusDoc, router: &RouterDoc) -> String {
    let concerns = |interface: &str| interface.is_empty() || interface == router.interface;
    let mut blind: Vec<_> =
        doc.sensors.blind.iter().filter(|b| concerns(&b.interface)).map(|b| Text(&b.says).to_string()).collect();
    blind.dedup();
    let own = if blind.is_empty() { "all see".into() } else { format!("<strong>blind</strong>: {}", blind.join("; ")) };
    let seen_by = doc.peers.iter().filter_map(|peer| seen_by(peer, router));
    let lines: Vec<String> = [own].into_iter().chain(seen_by).collect();
    if let [only] = &lines[..] { only.clone() } else { list(lines) }
}

fn seen_by(peer: &PeerDoc, router: &RouterDoc) -> Option<String> {
    let seen = fleet::seen(peer, router)?;
    let kind = if peer.trusted { "signed report" } else { "report without a signature" };
    let old = peer.report_age_seconds.unwrap_or_default();
    Some(format!(
        r#"{} says: {seen} <span class="how">({kind}, <span class="age">{old:.1} s</span> old)</span>"#,
        Text(&peer.name)
    ))
}

fn evidence(doc: &StatusDoc, router: &RouterDoc) -> String {
    if router.evidence.is_empty() {
        return "none".into();
    }
    let now = doc.generated_at;
    let lines = router.evidence.iter().rev().map(|e| {
        format!("<code>{}</code> {} <span class=\"since\">{} ago</span>", Text(&e.kind), Text(&e.says), age(now, e.at))
    });
    let key = router.key();
    let key = Text(&key);
    format!(
        r#"<details data-key="evidence {key}"><summary data-focus="evidence {key}">{}</summary>{}</details>"#,
        match router.evidence.len() {
            1 => "1 piece".into(),
            n => format!("{n} pieces, newest first"),
        },
        list(lines)
    )
}
