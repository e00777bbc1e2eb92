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

use std::sync::Arc;

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
use tokio::sync::{Mutex, Semaphore};
use tokio::task::{JoinError, spawn_blocking};

use crate::detect::Snapshot;
use crate::engine::{Identity, Shared, View};
use crate::metrics;
use crate::sys::clock;

use document::{EventDoc, StatusDoc};
use told::Told;

pub use guard::Guard;
pub use serve::serve;

/// Event streams at one time; each holds a connection for as long as its reader likes.
const MAX_STREAMS: usize = 64;

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
    streams: Arc<Semaphore>,
    scraped: Arc<Mutex<Option<Scraped>>>,
    told: Arc<Mutex<Told>>,
}

/// The last scrape.
struct Scraped {
    view: Arc<View>,
    format: metrics::Format,
    text: Bytes,
}

impl Context {
    /// Printed once for each snapshot, however many ask: who scrapes a thousand times a second costs hardly more than who does so
    /// once, and slow readers share one text. On a thread of its own: meanwhile others are told what happens. A loop that is dead is
    /// not cached: how long it has been so changes.
    async fn scrape(&self, format: metrics::Format) -> Result<Bytes, JoinError> {
        let mut scraped = self.scraped.lock().await;
        let view = self.shared.view.load_full();
        let same = scraped.as_ref().filter(|last| Arc::ptr_eq(&last.view, &view) && last.format == format);
        if let Some(last) = same.filter(|_| view.is_alive(clock::now())) {
            return Ok(last.text.clone());
        }
        let shared = self.shared.clone();
        let text = Bytes::from(spawn_blocking(move || metrics::scrape(&shared, format)).await?);
        *scraped = Some(Scraped { view, format, text: text.clone() });
        Ok(text)
    }

    /// The page of all routers, of which a reader who has the version `known` needs only what is new.
    ///
    /// Put together once for each snapshot and event, however many look at it, and on a thread of its own, as a scrape is.
    async fn tell(&self, known: Option<String>) -> Result<String, JoinError> {
        let mut told = self.told.clone().lock_owned().await;
        let context = self.clone();
        spawn_blocking(move || {
            let shared = &context.shared;
            let now = (shared.view.load_full(), *shared.events.subscribe().borrow());
            // A loop that is dead has been so for longer at each look.
            if !now.0.is_alive(clock::now()) || !told.is_of(&now) {
                told.renew(now, &shared.identity.boot_id, |version| context.page(None, Some(version)));
            }
            told.since(known.as_deref())
        })
        .await
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
    let context = Context {
        shared: shared.clone(),
        streams: Arc::new(Semaphore::new(MAX_STREAMS)),
        scraped: Arc::default(),
        told: Arc::default(),
    };
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

async fn status_page(State(context): State<Context>, Query(asked): Query<Asked>) -> Response {
    let page = match asked.router {
        Some(router) => spawn_blocking(move || context.page(Some(&router), None)).await.map(|page| told::whole(&page)),
        None => context.tell(asked.known).await,
    };
    page.map_or_else(|_| StatusCode::INTERNAL_SERVER_ERROR.into_response(), |page| Html(page).into_response())
}

async fn scrape(State(context): State<Context>, headers: HeaderMap) -> Response {
    let format = metrics::Format::preferred(&accepted(&headers));
    match context.scrape(format).await {
        Ok(text) => ([(CONTENT_TYPE, format.content_type())], text).into_response(),
        Err(_) => StatusCode::INTERNAL_SERVER_ERROR.into_response(),
    }
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
