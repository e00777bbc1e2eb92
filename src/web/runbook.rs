//! What to do, as written in `docs/runbooks`: the daemon serves it, for the network that led elsewhere may be what is broken.

use axum::extract::Path;
use axum::http::StatusCode;
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};

use crate::detect::Cause;

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

/// Serves a page as it is written.
pub(super) async fn page(Path(name): Path<String>) -> Response {
    match PAGES.iter().find(|(known, _)| *known == name) {
        Some((_, text)) => ([(CONTENT_TYPE, "text/plain; charset=utf-8")], *text).into_response(),
        None => StatusCode::NOT_FOUND.into_response(),
    }
}
