//! What the peers' vipwardens say of the same addresses. This node has asked them; the browser asks nobody else.

use super::document::{PeerDoc, PeerRouterDoc, RouterDoc};
use super::html::{Text, part};

/// An older report tells what was, and not what is.
const FRESH_SECONDS: f64 = 5.0;

/// Columns for peers at most.
const COLUMNS_MAX: usize = 4;

/// The peers that have a column in the table of routers.
pub(super) fn columns(peers: &[PeerDoc]) -> Vec<&PeerDoc> {
    peers.iter().filter(|peer| peer.api.is_some()).take(COLUMNS_MAX).collect()
}

/// What a peer says of `router`, as HTML; `None` where it not there, or has said nothing for too long.
pub(super) fn seen(peer: &PeerDoc, router: &RouterDoc) -> Option<String> {
    let reported = fresh(peer)?.iter().find(|r| {
        r.family == router.family && router.vip.is_some_and(|vip| r.addresses.contains(&vip)) && r.vrid == router.vrid
    });
    reported.map(words)
}

/// The cell of a peer in the row of `router`.
pub(super) fn cell(peer: &PeerDoc, router: &RouterDoc) -> String {
    match (fresh(peer), seen(peer, router)) {
        (_, Some(seen)) => seen,
        (Some(_), None) => r#"<span class="how">not known</span>"#.into(),
        (None, None) => r#"<span class="how">no word</span>"#.into(),
    }
}

/// What peers know and this node does not: a table, or nothing.
pub(super) fn elsewhere(peers: &[PeerDoc], routers: &[&RouterDoc]) -> String {
    let is_here = |reported: &PeerRouterDoc| {
        routers.iter().any(|r| r.addresses.iter().any(|address| reported.addresses.contains(&address.address)))
    };
    let lines = peers.iter().flat_map(|peer| {
        let known = fresh(peer).unwrap_or_default().iter().filter(|reported| !is_here(reported));
        known.map(|reported| line(peer, reported))
    });
    let lines: String = lines.collect();
    if lines.is_empty() {
        return String::new();
    }
    let table = format!(
        r#"<h2>Seen by peers alone</h2><table class="list"><thead><tr><th scope="col">peer</th>
<th scope="col">VIP</th><th scope="col">name there</th><th scope="col">VRID</th><th scope="col">interface there</th>
<th scope="col">state there</th></tr></thead><tbody>{lines}</tbody></table>"#
    );
    part("section", "elsewhere", "", &table)
}

fn line(peer: &PeerDoc, reported: &PeerRouterDoc) -> String {
    let addresses: Vec<String> = reported.addresses.iter().map(ToString::to_string).collect();
    format!(
        r#"<tr><td data-head="peer">{}</td><td data-head="VIP">{}</td><td data-head="name there">{}</td>
<td data-head="VRID">{}</td><td data-head="interface">{}</td><td data-head="state there">{}</td></tr>"#,
        Text(&peer.name),
        Text(&addresses.join(", ")),
        Text(&reported.name),
        reported.vrid,
        Text(&reported.interface),
        words(reported)
    )
}

fn fresh(peer: &PeerDoc) -> Option<&[PeerRouterDoc]> {
    let is_fresh = peer.report_age_seconds.is_some_and(|age| age <= FRESH_SECONDS);
    is_fresh.then_some(&peer.routers)
}

fn words(reported: &PeerRouterDoc) -> String {
    let holds = if reported.holds { ", holds it" } else { "" };
    let blind = if reported.blind { ", <strong>blind</strong>" } else { "" };
    format!("{}{holds}{blind}", Text(&reported.state))
}
