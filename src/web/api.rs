//! `/api/v1` and the two probes of an orchestrator.

use std::net::IpAddr;

use axum::extract::{Query, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::{Extension, Json};
use serde::{Deserialize, Serialize};

use crate::detect::Verdict;
use crate::engine::peers::document;
use crate::engine::peers::seal::is_nonce;
use crate::sys::clock;

use super::document::{BlindDoc, SensorsDoc};
use super::stream::{self, Client, STREAMS_MAX};
use super::{Context, accepted};

/// Which routers to show.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Filter {
    router: Option<String>,
    vip: Option<IpAddr>,
    verdict: Option<String>,
}

pub(super) async fn status(State(context): State<Context>, Query(filter): Query<Filter>) -> Response {
    if let Some(wanted) = &filter.verdict
        && !Verdict::ALL.iter().any(|v| v.as_str() == wanted)
    {
        let names = Verdict::ALL.map(Verdict::as_str).join(", ");
        return (StatusCode::BAD_REQUEST, format!("verdict is one of {names}\n")).into_response();
    }
    let mut document = context.status();
    document.routers.retain(|r| {
        filter.router.as_ref().is_none_or(|name| *name == r.name)
            && filter.vip.is_none_or(|vip| r.vip == Some(vip) || r.addresses.iter().any(|a| a.address == vip))
            && filter.verdict.as_ref().is_none_or(|verdict| *verdict == r.verdict)
    });
    Json(document).into_response()
}

/// From where on to tell events.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct From {
    #[serde(default)]
    after: u64,
}

pub(super) async fn events(
    State(context): State<Context>,
    client: Option<Extension<Client>>,
    Query(from): Query<From>,
    headers: HeaderMap,
) -> Response {
    if !accepted(&headers).contains("text/event-stream") {
        return Json(context.events_after(from.after).0).into_response();
    }
    // A browser that reconnects repeats the address it began with: the header knows better.
    let last = headers.get("last-event-id").and_then(|id| id.to_str().ok()?.trim().parse().ok());
    match context.streams.take(client.map_or(Client::Local, |Extension(client)| client)) {
        Some(place) => stream::events(context, last.unwrap_or(from.after), place).into_response(),
        None => {
            let why = format!("{STREAMS_MAX} event streams are open, and nobody has two more of them than you\n");
            (StatusCode::SERVICE_UNAVAILABLE, why).into_response()
        }
    }
}

/// What a peer asks.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Ask {
    nonce: Option<String>,
}

/// What this node knows at first hand, of this very moment, signed if the cluster has a key.
pub(super) async fn peer(State(context): State<Context>, Query(ask): Query<Ask>) -> Response {
    let Some(nonce) = ask.nonce.filter(|nonce| is_nonce(nonce)) else {
        let message = "add ?nonce=N: letters, digits and hyphens that were never used before, 128 at most\n";
        return (StatusCode::BAD_REQUEST, message).into_response();
    };
    context.shared.refresh().await;
    let seal = context.shared.seal.load();
    let written = context.with_snapshot(|identity, snapshot| {
        // Whoever asks tells by the addresses whose host this is: without them it would take this one for another.
        let is_read = !snapshot.addresses.is_empty();
        is_read.then(|| document::answer(identity, snapshot, clock::now(), &nonce, Option::as_ref(&seal)))
    });
    match written {
        Some(Ok(answer)) => Json(answer).into_response(),
        Some(Err(_)) => StatusCode::INTERNAL_SERVER_ERROR.into_response(),
        None => (StatusCode::SERVICE_UNAVAILABLE, "this host's addresses are not read yet\n").into_response(),
    }
}

/// The loop lives. A pulled cable is no reason to kill a container.
pub(super) async fn healthy(State(context): State<Context>) -> (StatusCode, &'static str) {
    if context.shared.view.load().is_alive(clock::now()) {
        (StatusCode::OK, "the loop turns\n")
    } else {
        (StatusCode::SERVICE_UNAVAILABLE, "the loop has not turned for more than 5 s\n")
    }
}

/// What `/-/ready` answers.
#[derive(Serialize)]
struct Readiness {
    ready: bool,
    captured: Vec<String>,
    blind: Vec<BlindDoc>,
}

/// Ready if something is captured and nothing is blind.
pub(super) async fn ready(State(context): State<Context>) -> impl IntoResponse {
    let readiness = context.with_snapshot(|_, snapshot| {
        let SensorsDoc { healthy, blind } = SensorsDoc::new(&snapshot.sensors, snapshot.clock);
        let captured: Vec<_> = snapshot.captures.iter().map(|c| c.interface.clone()).collect();
        Readiness { ready: healthy && !captured.is_empty(), captured, blind }
    });
    (if readiness.ready { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE }, Json(readiness))
}
