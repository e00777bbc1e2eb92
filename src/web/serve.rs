//! The accept loop.

mod seats;

use std::convert::Infallible;
use std::net::IpAddr;
use std::pin::pin;
use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::http::header::CONTENT_TYPE;
use axum::middleware::from_fn_with_state;
use axum::response::Response;
use hyper::body::{Body as _, Incoming};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use socket2::SockRef;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::time::timeout;
use tokio_rustls::TlsAcceptor;
use tower::ServiceExt as _;

use crate::detect::Snapshot;
use crate::sys::clock;
use crate::time::Duration;

use super::App;
use super::guard::{Guard, Rules, protect};
use seats::{Bounds, Seat, Seats};

/// For a TLS handshake, for a request's head to arrive, and for an idle connection to send another.
const HEADER_TIMEOUT: Duration = Duration::from_secs(10);

/// For an answer to be read by the other side, and for sent bytes to be taken by it.
const SEND_TIMEOUT: Duration = Duration::from_secs(30);

/// What the kernel takes of an answer at a time. Left to itself it takes megabytes for each connection, from readers that read
/// nothing too, and in one go, in which nobody else is served.
const SEND_BUFFER: usize = 256 << 10;

/// Of all connections of one `serve`. A scrape of a thousand routers has some three mebibytes.
const BOUNDS: Bounds = Bounds { connections: 512, weight: 64 << 20, quiet: SEND_TIMEOUT };

/// Between two looks for readers that are too slow.
const LOOK_EVERY: Duration = Duration::from_secs(5);

/// Of a request's head: far more than any client of this API sends. A body is never read.
const HEAD_MAX_BYTES: usize = 16 << 10;
const HEADERS_MAX: usize = 64;

/// After a failed accept: the descriptors that are missing need time to come back.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// Serves `app` on `listener` for ever, to those whom `guard` lets in. Stops, with all its connections, when the runtime does.
///
/// Connections that arrive on a VIP are closed at once: whichever node holds the VIP would answer, and a scraper must
/// know which node it scrapes.
pub async fn serve(listener: TcpListener, app: App, guard: Guard) {
    let seats = Arc::new(Seats::new(BOUNDS));
    let router = app.router.clone().layer(from_fn_with_state(guard.clone(), protect));
    let mut look = tokio::time::interval(LOOK_EVERY);
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            _ = look.tick() => {
                seats.dismiss_slow(clock::now());
                continue;
            }
        };
        match accepted {
            Ok((stream, _)) if is_on_vip(&stream, &app) => drop(stream),
            Ok((stream, peer)) => {
                let Some(seat) = seats.take() else {
                    tracing::debug!(%peer, "HTTP connection refused: all others are being answered");
                    continue;
                };
                let (router, rules) = (router.clone(), guard.rules());
                tokio::spawn(async move {
                    tokio::select! {
                        result = connection(stream, router, rules, &seat) => {
                            if let Err(error) = result {
                                tracing::debug!(%peer, %error, "HTTP connection ended");
                            }
                        }
                        () = seat.dismissed() => tracing::debug!(%peer, "HTTP connection closed: it was too quiet, or too slow"),
                    }
                });
            }
            Err(error) => {
                tracing::warn!(%error, "no HTTP connection could be accepted");
                tokio::time::sleep(ACCEPT_PAUSE).await;
            }
        }
    }
}

type Failure = Box<dyn std::error::Error + Send + Sync>;

async fn connection(stream: TcpStream, router: Router, rules: Rules, seat: &Seat) -> Result<(), Failure> {
    let socket = SockRef::from(&stream);
    let bound = socket.set_tcp_user_timeout(Some(SEND_TIMEOUT));
    if let Err(error) = bound.and_then(|()| socket.set_send_buffer_size(SEND_BUFFER)) {
        tracing::debug!(%error, "a slow reader can't be bounded");
    }
    let Rules { tls, changes } = rules;
    match tls {
        None => requests(stream, router, changes, seat).await,
        Some(config) => {
            let stream = timeout(HEADER_TIMEOUT, TlsAcceptor::from(config).accept(stream)).await??;
            requests(stream, router, changes, seat).await
        }
    }
}

/// Answers one request after the other, until the other side has had enough or is too slow; or until the rules have changed by which
/// it was let in: then it has to come again.
async fn requests<S>(stream: S, router: Router, mut changes: watch::Receiver<()>, seat: &Seat) -> Result<(), Failure>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let answer = service_fn(|request: hyper::Request<Incoming>| {
        let router = router.clone();
        async move {
            seat.asks();
            let response = router.oneshot(request.map(Body::new)).await?;
            match is_stream(&response) {
                true => seat.streams(),
                false => seat.is_answered(response.body().size_hint().lower()),
            }
            Ok::<_, Infallible>(response)
        }
    });
    let serving = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEADER_TIMEOUT)
        .max_buf_size(HEAD_MAX_BYTES)
        .max_headers(HEADERS_MAX)
        .serve_connection(TokioIo::new(stream), answer);
    let mut serving = pin!(serving);
    tokio::select! {
        result = &mut serving => return Ok(result?),
        _ = changes.changed() => serving.as_mut().graceful_shutdown(),
    }
    Ok(serving.await?)
}

/// A stream of events has no end.
pub(super) fn is_stream(response: &Response) -> bool {
    response.headers().get(CONTENT_TYPE).is_some_and(|kind| kind.as_bytes().starts_with(b"text/event-stream"))
}

fn is_on_vip(stream: &TcpStream, app: &App) -> bool {
    let Ok(local) = stream.local_addr() else { return true };
    is_vip(local.ip().to_canonical(), &app.shared.view.load().snapshot)
}

/// True for an address that a configuration, or a VRRP daemon on this host, makes a VIP. The word of a stranger does not: an
/// advert that names this node's own address could otherwise put its metrics out.
fn is_vip(local: IpAddr, snapshot: &Snapshot) -> bool {
    !local.is_loopback()
        && snapshot.routers.iter().any(|router| {
            let is_among = router.addresses.iter().any(|a| a.address == local);
            let is_ours = router.configured || router.speakers.iter().any(|s| s.local && s.addresses.contains(&local));
            is_among && is_ours
        })
}
