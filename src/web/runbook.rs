//! What to do, as written in `docs/runbooks`: the daemon serves it, for the network that led elsewhere may be what is broken.

use axum::extract::Path;
use axum::http::header::CONTENT_TYPE;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{Html, IntoResponse, Response};

use crate::detect::Cause;

use super::accepted;
use super::html::Text;

/// Each page with its name.
macro_rules! pages {
    ($($name:literal),+ $(,)?) => {
        &[$(($name, include_str!(concat!("../../docs/runbooks/", $name)))),+]
    };
}

/// Every page, by file name: one for each alert, and one on causes.
pub const PAGES: &[(&str, &str)] = pages![
    "VrrpAdvertsNotDelivered.md",
    "VrrpArbiterUnreachable.md",
    "VrrpArpConflict.md",
    "VrrpConfigMismatch.md",
    "VrrpExporterDown.md",
    "VrrpFenced.md",
    "VrrpFlapping.md",
    "VrrpMasterWithoutVip.md",
    "VrrpMonitorBlind.md",
    "VrrpNoMaster.md",
    "VrrpPeerUnreachable.md",
    "VrrpRedundancyLost.md",
    "VrrpSplitBrain.md",
    "VrrpSplitBrainBurst.md",
    "VrrpVipHeldByMultipleNodes.md",
    "VrrpVipMisdirected.md",
    "VrrpVipUnowned.md",
    "VrrpVipWithoutAdverts.md",
    "causes.md",
];

/// Where to read what to do about a cause: a path in this repository, and below the daemon's address.
pub fn of(cause: Cause) -> String {
    format!("docs/runbooks/causes.md#{}", cause.as_str())
}

/// Serves a page as it is written; to a browser so that links find its headings.
pub(super) async fn page(Path(name): Path<String>, headers: HeaderMap) -> Response {
    match PAGES.iter().find(|(known, _)| *known == name) {
        Some((name, text)) if accepted(&headers).contains("text/html") => Html(in_html(name, text)).into_response(),
        Some((_, text)) => ([(CONTENT_TYPE, "text/plain; charset=utf-8")], *text).into_response(),
        None => StatusCode::NOT_FOUND.into_response(),
    }
}

/// The text as it is written, with its third headings (the causes) as targets.
fn in_html(name: &str, text: &str) -> String {
    let lines = text.lines().map(|line| match line.strip_prefix("### ") {
        Some(heading) => format!("<strong id=\"{0}\">{0}</strong>\n", Text(heading)),
        None => format!("{}\n", Text(line)),
    });
    format!(
        r#"<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark"><title>{name} · vipwarden</title><link rel="stylesheet" href="/app.css"></head>
<body><main><p><a href="/">To the status page</a></p><pre class="runbook">{}</pre></main></body></html>
"#,
        lines.collect::<String>()
    )
}
