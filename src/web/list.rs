//! All virtual routers, one a line, and the means to find one among hundreds.

use std::fmt::Write as _;

use super::document::{PeerDoc, RouterDoc, StatusDoc};
use super::html::{Text, since};
use super::verdict::Face;
use super::words::quote;
use super::{card, fleet};

/// Lines at most.
const MAX_ROWS: usize = 1024;

/// From so many lines on there is a filter.
const MANY: usize = 10;

/// The table of `routers`.
pub(super) fn render(doc: &StatusDoc, routers: &[&RouterDoc]) -> String {
    if routers.is_empty() {
        return r#"<p data-key="list" class="hint">Virtual routers appear here with their first advert, or when a [[router]] names them.</p>"#
            .into();
    }
    let peers = fleet::columns(&doc.peers);
    let rows: String = routers.iter().take(MAX_ROWS).map(|router| line(doc, router, &peers)).collect();
    let more = match routers.len().saturating_sub(MAX_ROWS) {
        0 => String::new(),
        n => format!(
            r#"<p class="hint" data-key="more">{n} more are in the <a href="/api/v1/status">status JSON</a>.</p>"#
        ),
    };
    let filter = if routers.len() >= MANY { filter() } else { String::new() };
    let heads: String = peers.iter().map(|peer| format!(r#"<th scope="col">{}</th>"#, Text(&peer.name))).collect();
    format!(
        r#"<section data-key="list" data-parts aria-labelledby="all"><h2 id="all" data-key="head">Virtual routers</h2>{filter}<table class="list" data-key="table" data-parts><thead data-key="heads"><tr><th scope="col">verdict</th><th scope="col">VIP</th>
<th scope="col">name</th><th scope="col">VRID</th><th scope="col">interface</th><th scope="col">held by</th>
<th scope="col">this node</th>{heads}<th scope="col">since</th></tr></thead><tbody id="routers" data-key="rows" data-parts>{rows}</tbody></table>{more}</section>"#
    )
}

/// It works by script alone, and is hidden without.
fn filter() -> String {
    let choices: String = ["split_brain", "no_master", "unknown", "degraded", "healthy"]
        .map(|verdict| format!(r#"<option value="{verdict}">{}</option>"#, Face::of(verdict).word.to_lowercase()))
        .concat();
    format!(
        r#"<form id="filter" class="script" data-key="filter" role="search" hidden><label>Find <input type="search" name="q" autocomplete="off" placeholder="VIP, name, node, interface"></label>
<label>Verdict <select name="verdict"><option value="">all</option>{choices}</select></label> <span id="shown" role="status" aria-live="polite"></span></form>"#
    )
}

fn line(doc: &StatusDoc, router: &RouterDoc, peers: &[&PeerDoc]) -> String {
    let holders: Vec<_> =
        router.holders.iter().map(|h| h.node.as_ref().or(h.mac.as_ref()).map_or("?", String::as_str)).collect();
    let vlan = router.vlan.map_or_else(String::new, |vlan| format!(" VLAN {vlan}"));
    let part = if router.role == "observer" { Text(&router.role).to_string() } else { card::part(router) };
    let held = if holders.is_empty() { "nobody".to_owned() } else { holders.join(", ") };
    let vip = card::vip(router);
    // What is looked for is looked for here: reading it off the cells would cost a layout.
    let text = format!("{vip} {} {} {}{vlan} {held} vrid {}", router.name, router.state, router.interface, router.vrid);
    let mut cells = String::new();
    for peer in peers {
        // Writing to a String can't fail.
        let _ = write!(cells, r#"<td data-head="{}">{}</td>"#, Text(&peer.name), fleet::cell(peer, router));
    }
    format!(
        r#"<tr data-key="{key}" data-verdict="{verdict}" data-text="{text}"><td>{badge}</td><td data-head="VIP"><a href="/?router={query}">{vip}</a></td><td data-head="name">{name}</td><td data-head="VRID">{vrid}</td>
<td data-head="interface">{interface}{vlan}</td><td data-head="held by">{held}</td><td data-head="this node">{part}</td>{cells}<td data-head="since">{since}</td></tr>"#,
        key = Text(&router.key()),
        verdict = Face::of(&router.verdict).class,
        text = Text(&text.to_lowercase()),
        badge = Face::of(&router.verdict).badge(),
        query = quote(&router.name),
        name = Text(&router.name),
        vrid = router.vrid,
        interface = Text(&router.interface),
        held = Text(&held),
        since = since(doc.generated_at, router.since),
    )
}
