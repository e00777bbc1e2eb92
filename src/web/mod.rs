//! axum: pages and API.
//!
//! Everything is read from [`Shared`]; nothing here can delay the loop. Only GET and HEAD: the operator's acts go by the
//! control socket. What comes from the wire is escaped in exactly one place, `html`.

mod api;
mod card;
pub mod document;
mod fleet;
mod guard;
mod html;
mod list;
mod page;
pub mod runbook;
mod serve;
mod stream;
mod timeline;
mod told;
mod verdict;
pub mod words;

use std::sync::{Arc, Weak};

use axum::Router;
use axum::body::Bytes;
use axum::extract::{Query, State};
use axum::http::header::{
    ACCEPT, CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, REFERRER_POLICY, X_CONTENT_TYPE_OPTIONS,
};
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use axum::middleware::map_response;
use axum::response::{Html, IntoResponse, Response};
use axum::routing::get;
use serde::Deserialize;
use tokio::sync::Mutex;

use crate::detect::Snapshot;
use crate::engine::{Identity, Shared, View};
use crate::metrics;
use crate::sys::clock;

use document::{EventDoc, StatusDoc};
use told::Told;

pub use guard::Guard;
pub use serve::{Server, serve};
use stream::Places;

/// How many events the page shows.
const RECENT_EVENTS: usize = 20;

/// The pages and the API, with what [`serve`] has to know to refuse connections on a VIP.
#[derive(Clone, Debug)]
pub struct App {
    router: Router,
    shared: Shared,
}

impl App {
    /// The pages and the API alone, to be served on another kind of socket too.
    pub fn router(&self) -> Router {
        self.router.clone()
    }
}

/// What handlers read.
#[derive(Clone)]
struct Context {
    shared: Shared,
    streams: Arc<Places>,
    scraped: Arc<Mutex<Option<Scraped>>>,
    told: Arc<Mutex<Told>>,
}

/// The last scrape. Its view is not kept alive: that would be a second snapshot in memory for as long as nobody asks.
struct Scraped {
    view: Weak<View>,
    format: metrics::Format,
    text: Bytes,
}

impl Context {
    /// Printed once for each snapshot, however many ask: who scrapes a thousand times a second costs hardly more than who does so
    /// once, and slow readers share one text. A loop that is dead is not cached: how long it has been so changes.
    async fn scrape(&self, format: metrics::Format) -> Bytes {
        let mut scraped = self.scraped.lock().await;
        let view = self.shared.view.load_full();
        let same = scraped.as_ref().filter(|last| last.view.as_ptr() == Arc::as_ptr(&view) && last.format == format);
        if let Some(last) = same.filter(|_| view.is_alive(clock::now())) {
            return last.text.clone();
        }
        let text = Bytes::from(metrics::scrape(&self.shared, format));
        *scraped = Some(Scraped { view: Arc::downgrade(&view), format, text: text.clone() });
        text
    }

    /// The page of all routers, of which a reader who has the version `known` needs only what is new.
    ///
    /// Put together once for each snapshot and event, however many look at it. A loop that is dead has been so for longer at each look.
    async fn tell(&self, known: Option<&str>) -> String {
        let mut told = self.told.lock().await;
        let shared = &self.shared;
        let now = (shared.view.load_full(), *shared.events.subscribe().borrow());
        if !now.0.is_alive(clock::now()) || !told.is_of(&now) {
            told.renew(&now, &shared.identity.boot_id, |version| self.page(None, Some(version)));
        }
        told.since(known)
    }

    /// The page, in its parts.
    fn page(&self, router: Option<&str>, version: Option<&str>) -> String {
        let (events, _) = self.events_after(0);
        page::render(&self.status(), &events, RECENT_EVENTS, router, version)
    }

    /// Calls `read` with the snapshot as far as it can be believed now.
    fn with_snapshot<T>(&self, read: impl FnOnce(&Identity, &Snapshot) -> T) -> T {
        let view = self.shared.view.load();
        read(&self.shared.identity, &view.believable(clock::now()))
    }

    fn status(&self) -> StatusDoc {
        self.with_snapshot(StatusDoc::new)
    }

    /// Events above `after`, oldest first, and whether some were lost in between. A number that was never given is one
    /// of an earlier life of the daemon: everything since is new to whoever asks, and what lies between is lost.
    fn events_after(&self, after: u64) -> (Vec<EventDoc>, bool) {
        let newest = *self.shared.events.subscribe().borrow();
        let is_stale = after > newest;
        let (events, lost) = self.shared.events.after(if is_stale { 0 } else { after });
        (events.iter().map(|event| EventDoc::new(event)).collect(), lost || is_stale)
    }
}

/// Builds the pages and the API.
pub fn app(shared: Shared) -> App {
    let context =
        Context { shared: shared.clone(), streams: Arc::default(), scraped: Arc::default(), told: Arc::default() };
    let router = Router::new()
        .route("/", get(status_page))
        .route("/app.css", get(|| asset("text/css; charset=utf-8", include_str!("assets/app.css"))))
        .route("/app.js", get(|| asset("text/javascript; charset=utf-8", include_str!("assets/app.js"))))
        .route("/metrics", get(scrape))
        .route("/api/v1/status", get(api::status))
        .route("/api/v1/events", get(api::events))
        .route("/api/v1/peer", get(api::peer))
        .route("/docs/runbooks/{name}", get(runbook::page))
        .route("/-/healthy", get(api::healthy))
        .route("/-/ready", get(api::ready))
        .fallback(not_found)
        .layer(map_response(harden))
        .with_state(context);
    App { router, shared }
}

/// What is asked of the page.
#[derive(Deserialize)]
struct Asked {
    /// The router that it is to be about; all without.
    router: Option<String>,
    /// The version that the reader has.
    known: Option<String>,
}

async fn status_page(State(context): State<Context>, Query(asked): Query<Asked>) -> Html<String> {
    Html(match asked.router {
        Some(router) => told::whole(&context.page(Some(&router), None)),
        None => context.tell(asked.known.as_deref()).await,
    })
}

async fn scrape(State(context): State<Context>, headers: HeaderMap) -> impl IntoResponse {
    let format = metrics::Format::preferred(&accepted(&headers));
    ([(CONTENT_TYPE, format.content_type())], context.scrape(format).await)
}

async fn not_found() -> impl IntoResponse {
    (StatusCode::NOT_FOUND, Html(page::not_found()))
}

async fn asset(content_type: &'static str, text: &'static str) -> impl IntoResponse {
    ([(CONTENT_TYPE, content_type)], text)
}

/// All `Accept` headers as one.
fn accepted(headers: &HeaderMap) -> String {
    headers.get_all(ACCEPT).iter().filter_map(|value| value.to_str().ok()).collect::<Vec<_>>().join(",")
}

/// The page loads nothing from elsewhere, runs nothing inline, and can't be framed.
async fn harden(mut response: Response) -> Response {
    const HEADERS: [(HeaderName, &str); 4] = [
        (
            CONTENT_SECURITY_POLICY,
            "default-src 'none'; style-src 'self'; script-src 'self'; connect-src 'self'; img-src data:; base-uri 'none'; \
             form-action 'none'; frame-ancestors 'none'",
        ),
        (X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (REFERRER_POLICY, "no-referrer"),
        (CACHE_CONTROL, "no-store"),
    ];
    for (name, value) in HEADERS {
        response.headers_mut().insert(name, HeaderValue::from_static(value));
    }
    response
}
