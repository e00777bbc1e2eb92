//! The accept loop.

use std::net::IpAddr;
use std::sync::Arc;

use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use socket2::SockRef;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;

use crate::detect::Snapshot;
use crate::time::Duration;

use super::App;

/// Connections at one time; more wait in the listener's backlog.
const MAX_CONNECTIONS: usize = 512;

/// For a request's head to arrive, and for an idle connection to send another.
const HEADER_TIMEOUT: Duration = Duration::from_secs(10);

/// For sent bytes to be taken by the other side.
const SEND_TIMEOUT: Duration = Duration::from_secs(30);

/// After a failed accept: the descriptors that are missing need time to come back.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// Serves `app` on `listener` for ever. Stops, with all its connections, when the runtime does.
///
/// Connections that arrive on a VIP are closed at once: whichever node holds the VIP would answer, and a scraper must
/// know which node it scrapes.
pub async fn serve(listener: TcpListener, app: App) {
    let connections = Arc::new(Semaphore::new(MAX_CONNECTIONS));
    while let Ok(permit) = connections.clone().acquire_owned().await {
        match listener.accept().await {
            Ok((stream, _)) if is_on_vip(&stream, &app) => drop(stream),
            Ok((stream, peer)) => {
                let app = app.clone();
                tokio::spawn(async move {
                    if let Err(error) = connection(stream, app).await {
                        tracing::debug!(%peer, %error, "HTTP connection ended");
                    }
                    drop(permit);
                });
            }
            Err(error) => {
                tracing::warn!(%error, "no HTTP connection could be accepted");
                tokio::time::sleep(ACCEPT_PAUSE).await;
            }
        }
    }
}

async fn connection(stream: TcpStream, app: App) -> hyper::Result<()> {
    if let Err(error) = SockRef::from(&stream).set_tcp_user_timeout(Some(SEND_TIMEOUT)) {
        tracing::debug!(%error, "a slow reader can't be bounded");
    }
    http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEADER_TIMEOUT)
        .serve_connection(TokioIo::new(stream), TowerToHyperService::new(app.router))
        .await
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
