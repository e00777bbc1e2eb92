//! The accept loop.

mod seats;

use std::net::IpAddr;
use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::http::header::CONTENT_TYPE;
use axum::middleware::from_fn_with_state;
use axum::response::Response;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use socket2::SockRef;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::timeout;
use tokio_rustls::TlsAcceptor;
use tower::ServiceExt as _;

use crate::detect::Snapshot;
use crate::time::Duration;

use super::App;
use super::guard::{Guard, protect};
use seats::{Seat, Seats};

/// Connections at one time, over all listeners of one `serve`; one more makes the quietest one go.
const MAX_CONNECTIONS: usize = 512;

/// For a TLS handshake, for a request's head to arrive, and for an idle connection to send another.
const HEADER_TIMEOUT: Duration = Duration::from_secs(10);

/// For sent bytes to be taken by the other side.
const SEND_TIMEOUT: Duration = Duration::from_secs(30);

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
    let seats = Arc::new(Seats::new(MAX_CONNECTIONS));
    let router = app.router.clone().layer(from_fn_with_state(guard.clone(), protect));
    loop {
        match listener.accept().await {
            Ok((stream, _)) if is_on_vip(&stream, &app) => drop(stream),
            Ok((stream, peer)) => {
                let Some(seat) = seats.take() else {
                    tracing::debug!(%peer, "HTTP connection refused: all others are being answered");
                    continue;
                };
                let (router, tls) = (router.clone(), guard.tls());
                tokio::spawn(async move {
                    tokio::select! {
                        result = connection(stream, tls, router, &seat) => {
                            if let Err(error) = result {
                                tracing::debug!(%peer, %error, "HTTP connection ended");
                            }
                        }
                        () = seat.given_away() => tracing::debug!(%peer, "HTTP connection closed: its place was needed"),
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

async fn connection(
    stream: TcpStream,
    tls: Option<Arc<rustls::ServerConfig>>,
    router: Router,
    seat: &Seat,
) -> Result<(), Failure> {
    if let Err(error) = SockRef::from(&stream).set_tcp_user_timeout(Some(SEND_TIMEOUT)) {
        tracing::debug!(%error, "a slow reader can't be bounded");
    }
    match tls {
        None => requests(stream, router, seat).await,
        Some(config) => {
            let stream = timeout(HEADER_TIMEOUT, TlsAcceptor::from(config).accept(stream)).await??;
            requests(stream, router, seat).await
        }
    }
}

/// Answers one request after the other, until the other side has had enough or is too slow.
async fn requests<S>(stream: S, router: Router, seat: &Seat) -> Result<(), Failure>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let answer = service_fn(|request: hyper::Request<Incoming>| {
        let router = router.clone();
        async move {
            let answering = seat.answering();
            let response = router.oneshot(request.map(Body::new)).await;
            if response.as_ref().is_ok_and(is_stream) {
                answering.keep();
            }
            response
        }
    });
    http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEADER_TIMEOUT)
        .max_buf_size(HEAD_MAX_BYTES)
        .max_headers(HEADERS_MAX)
        .serve_connection(TokioIo::new(stream), answer)
        .await?;
    Ok(())
}

/// A stream of events stays as long as its reader likes; they are bounded elsewhere.
fn is_stream(response: &Response) -> bool {
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
