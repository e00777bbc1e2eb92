//! All virtual routers, one a line, and the means to find one among hundreds.

use std::fmt::Write as _;

use super::document::{PeerDoc, RouterDoc, StatusDoc};
use super::html::{Text, moment, part};
use super::verdict::Face;
use super::words::quote;
use super::{card, fleet};

/// Lines at most.
const MAX_ROWS: usize = 1024;

/// From so many lines on there is a filter.
const MANY: usize = 10;

/// From so many lines on, those out of sight are laid out later than the others: all at once would jerk.
const HUNDRED: usize = 100;

/// The table of `routers`.
pub(super) fn render(doc: &StatusDoc, routers: &[&RouterDoc]) -> String {
    if routers.is_empty() {
        let hint = "Virtual routers appear here with their first advert, or when a [[router]] names them.";
        return part("p", "list", r#"class="hint""#, hint);
    }
    let peers = fleet::columns(&doc.peers);
    let rows: String = routers.iter().take(MAX_ROWS).map(|router| line(doc, router, &peers)).collect();
    let more = match routers.len().saturating_sub(MAX_ROWS) {
        0 => String::new(),
        n => {
            let hint = format!(r#"{n} more are in the <a href="/api/v1/status">status JSON</a>."#);
            part("p", "more", r#"class="hint""#, &hint)
        }
    };
    let filter = if routers.len() >= MANY { filter() } else { String::new() };
    let peer_heads: String = peers.iter().map(|peer| format!(r#"<th scope="col">{}</th>"#, Text(&peer.name))).collect();
    let heads = format!(
        r#"<tr><th scope="col">verdict</th><th scope="col">VIP</th><th scope="col">name</th><th scope="col">VRID</th>
<th scope="col">interface</th><th scope="col">held by</th><th scope="col">this node</th>{peer_heads}<th scope="col">since</th></tr>"#
    );
    let many = if routers.len() >= HUNDRED { " many" } else { "" };
    format!(
        r#"<section data-key="list" data-parts aria-labelledby="all">{title}{filter}<table class="list routers{many}" role="table" data-key="table" data-parts>{heads}<tbody id="routers" role="rowgroup" data-key="rows" data-parts>{rows}</tbody></table>{more}</section>"#,
        title = part("h2", "head", r#"id="all""#, "Virtual routers"),
        heads = part("thead", "heads", "", &heads),
    )
}

/// It works by script alone, and is hidden without.
fn filter() -> String {
    let choices: String = ["split_brain", "no_master", "unknown", "degraded", "healthy"]
        .map(|verdict| format!(r#"<option value="{verdict}">{}</option>"#, Face::of(verdict).word.to_lowercase()))
        .concat();
    let fields = format!(
        r#"<label>Find <input type="search" name="q" autocomplete="off" placeholder="VIP, name, node, interface"></label>
<label>Verdict <select name="verdict"><option value="">all</option>{choices}</select></label> <span id="shown" role="status" aria-live="polite"></span>"#
    );
    part("form", "filter", r#"id="filter" class="script" role="search" hidden"#, &fields)
}

fn line(doc: &StatusDoc, router: &RouterDoc, peers: &[&PeerDoc]) -> String {
    let holders: Vec<_> =
        router.holders.iter().map(|h| h.node.as_ref().or(h.mac.as_ref()).map_or("?", String::as_str)).collect();
    let vlan = router.vlan.map_or_else(String::new, |vlan| format!(" VLAN\u{a0}{vlan}"));
    let own = if router.role == "observer" { Text(&router.role).to_string() } else { card::own_state(router) };
    let held = if holders.is_empty() { "nobody".to_owned() } else { holders.join(", ") };
    let vip = card::vip(router);
    // What is looked for is looked for here: reading it off the cells would cost a layout.
    let text = format!("{vip} {} {} {}{vlan} {held} vrid {}", router.name, router.state, router.interface, router.vrid);
    let mut cells = String::new();
    for peer in peers {
        // Writing to a String can't fail.
        let _ = write!(cells, r#"<td role="cell" data-head="{}">{}</td>"#, Text(&peer.name), fleet::cell(peer, router));
    }
    let key = router.key();
    let attributes = format!(
        r#"role="row" data-verdict="{}" data-text="{}""#,
        Face::of(&router.verdict).class,
        Text(&text.to_lowercase())
    );
    // The style sheet lays rows out by themselves, and browsers differ in what they then take for a table: hence the roles.
    // A date and no age: hundreds of lines that grow older would all be news, each second.
    let cells = format!(
        r#"<td role="cell">{badge}</td><td role="cell" data-head="VIP"><a data-focus="{key}" href="/?router={query}">{vip}</a></td>
<td role="cell" data-head="name">{name}</td><td role="cell" data-head="VRID">{vrid}</td>
<td role="cell" data-head="interface">{interface}{vlan}</td><td role="cell" data-head="held by">{held}</td>
<td role="cell" data-head="this node">{own}</td>{cells}<td role="cell" data-head="since">{since}</td>"#,
        key = Text(&key),
        badge = Face::of(&router.verdict).badge(),
        query = quote(&router.name),
        name = Text(&router.name),
        vrid = router.vrid,
        interface = Text(&router.interface),
        held = Text(&held),
        since = moment(doc.generated_at, router.since),
    );
    part("tr", &key, &attributes, &cells) + "\n"
}
