//! The accept loop, and the thread that it runs on.
//!
//! Scrapes and pages may be large and many, and strangers ask for them. They are answered on a thread of their own that gives way to
//! all others: neither the core nor those who are told what happens wait for them.

mod line;
mod seats;

use std::convert::Infallible;
use std::future::poll_fn;
use std::io;
use std::net::IpAddr;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::Poll;
use std::thread;

use axum::Router;
use axum::body::Body;
use axum::http::header::CONTENT_TYPE;
use axum::middleware::from_fn_with_state;
use axum::response::Response;
use futures_util::future::join_all;
use hyper::body::{Body as _, Incoming};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use socket2::SockRef;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::Handle;
use tokio::sync::{oneshot, watch};
use tokio::time::timeout;
use tokio_rustls::TlsAcceptor;
use tower::ServiceExt as _;

use crate::detect::Snapshot;
use crate::sys::clock;
use crate::sys::process::give_way;
use crate::time::Duration;

use super::App;
use super::guard::{Guard, Rules, protect};
use super::stream::Client;
use line::Line;
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

/// The thread that serves. Dropping this ends it, with all its connections.
#[derive(Debug)]
pub struct Server {
    _serves: oneshot::Sender<Infallible>,
}

impl Server {
    /// Serves `app` on `listeners`, to those whom `guard` lets in. Streams of events are told on the runtime of the caller, which has
    /// little else to do.
    ///
    /// # Errors
    /// The kernel refuses a thread or what it needs to wait.
    pub fn start(listeners: Vec<TcpListener>, app: App, guard: Guard) -> io::Result<Self> {
        let streams = Handle::current();
        let listeners = listeners.into_iter().map(TcpListener::into_std).collect::<io::Result<Vec<_>>>()?;
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let (serves, ended) = oneshot::channel();
        thread::Builder::new().name("web".into()).spawn(move || {
            if let Err(error) = give_way() {
                tracing::warn!("scrapes and pages are answered with the precedence of all else: {error}");
            }
            runtime.block_on(async {
                let serving = listeners.into_iter().map(|listener| async {
                    match TcpListener::from_std(listener) {
                        Ok(listener) => accept(listener, app.clone(), guard.clone(), streams.clone()).await,
                        Err(error) => tracing::error!("an address can't be served: {error}"),
                    }
                });
                tokio::select! {
                    _ = join_all(serving) => {}
                    _ = ended => {}
                }
            });
        })?;
        Ok(Self { _serves: serves })
    }
}

/// Serves `app` on `listener` for ever, to those whom `guard` lets in. Stops, with all its connections, when the runtime does.
///
/// Connections that arrive on a VIP are closed at once: whichever node holds the VIP would answer, and a scraper must
/// know which node it scrapes.
pub async fn serve(listener: TcpListener, app: App, guard: Guard) {
    accept(listener, app, guard, Handle::current()).await;
}

async fn accept(listener: TcpListener, app: App, guard: Guard, streams: Handle) {
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
                let Some(seat) = seats.take().map(Arc::new) else {
                    tracing::debug!(%peer, "HTTP connection refused: all others are being answered");
                    continue;
                };
                let (router, rules, its) = (router.clone(), guard.rules(), seat.clone());
                let answering = async move {
                    tokio::select! {
                        result = connection(stream, peer.ip(), router, rules, &its) => {
                            if let Err(error) = result {
                                tracing::debug!(%peer, %error, "HTTP connection ended");
                            }
                        }
                        () = its.dismissed() => tracing::debug!(%peer, "HTTP connection cut off: it was too quiet, or too slow"),
                    }
                };
                tokio::spawn(attend(Box::pin(answering), seat, streams.clone()));
            }
            Err(error) => {
                tracing::warn!(%error, "no HTTP connection could be accepted");
                tokio::time::sleep(ACCEPT_PAUSE).await;
            }
        }
    }
}

/// Answers here, and has a stream of events go on where they are told.
async fn attend(mut answering: Pin<Box<dyn Future<Output = ()> + Send>>, seat: Arc<Seat>, streams: Handle) {
    let has_ended = poll_fn(|context| match answering.as_mut().poll(context) {
        Poll::Ready(()) => Poll::Ready(true),
        Poll::Pending if seat.has_streamed() => Poll::Ready(false),
        Poll::Pending => Poll::Pending,
    });
    if !has_ended.await {
        streams.spawn(answering);
    }
}

type Failure = Box<dyn std::error::Error + Send + Sync>;

async fn connection(
    stream: TcpStream,
    peer: IpAddr,
    router: Router,
    rules: Rules,
    seat: &Arc<Seat>,
) -> Result<(), Failure> {
    let socket = SockRef::from(&stream);
    let bound = socket.set_tcp_user_timeout(Some(SEND_TIMEOUT));
    if let Err(error) = bound.and_then(|()| socket.set_send_buffer_size(SEND_BUFFER)) {
        tracing::debug!(%error, "a slow reader can't be bounded");
    }
    let Rules { tls, changes } = rules;
    let client = Client::at(peer);
    let line = Line::new(stream, seat.clone());
    match tls {
        None => requests(line, client, router, changes, seat).await,
        Some(config) => {
            let line = timeout(HEADER_TIMEOUT, TlsAcceptor::from(config).accept(line)).await??;
            requests(line, client, router, changes, seat).await
        }
    }
}

/// Answers one request after the other, until the other side has had enough or is too slow; or until the rules have changed by which
/// it was let in: then it has to come again.
async fn requests<S>(
    stream: S,
    client: Client,
    router: Router,
    mut changes: watch::Receiver<()>,
    seat: &Seat,
) -> Result<(), Failure>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let answer = service_fn(|request: hyper::Request<Incoming>| {
        let router = router.clone();
        async move {
            seat.asks();
            let mut request = request.map(Body::new);
            request.extensions_mut().insert(client);
            let response = router.oneshot(request).await?;
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

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use super::*;

    #[test]
    fn a_stream_goes_on_where_streams_are_told_and_all_else_stays_where_it_is() {
        for streams in [true, false] {
            let seat = Arc::new(Seats::new(BOUNDS)).take().map(Arc::new).expect("a free place");
            let (here, there) = (runtime(), runtime());
            let seen = Arc::new(Mutex::new(Vec::new()));
            let answering = Box::pin({
                let (seat, seen) = (seat.clone(), seen.clone());
                async move {
                    let note = || seen.lock().expect("nobody panicked").push(Handle::current().id());
                    note();
                    if streams {
                        seat.streams();
                    }
                    tokio::task::yield_now().await;
                    note();
                }
            });
            here.block_on(attend(answering, seat, there.handle().clone()));
            there.block_on(tokio::task::yield_now());
            let end = if streams { there.handle().id() } else { here.handle().id() };
            assert_eq!(*seen.lock().expect("nobody panicked"), [here.handle().id(), end]);
        }
    }

    fn runtime() -> tokio::runtime::Runtime {
        tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime")
    }
}
