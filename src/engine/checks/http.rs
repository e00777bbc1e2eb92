//! One GET, of which only the status counts.

use std::pin::pin;

use http_body_util::Empty;
use hyper::body::Bytes;
use hyper::client::conn::http1;
use hyper::header::{CONNECTION, HOST, USER_AGENT};
use hyper::{Request, Uri};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;

use super::Failure;

/// The port of an `http://` URL that names none.
const PORT: u16 = 80;

/// The status of the answer. The body is not read, however long it is, and no redirection is followed.
pub(super) async fn status(url: &Uri) -> Result<u16, Failure> {
    let failure = |error: &dyn std::fmt::Display| format!("{url}: {error}");
    let authority = url.authority().ok_or_else(|| failure(&"it names no host"))?;
    // An IPv6 address stands in brackets there, and must not here.
    let host = authority.host().trim_start_matches('[').trim_end_matches(']');
    let port = authority.port_u16().unwrap_or(PORT);
    let stream = TcpStream::connect((host, port)).await.map_err(|error| failure(&error))?;
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await.map_err(|error| failure(&error))?;
    let path = url.path_and_query().map_or("/", |path| path.as_str());
    let request = Request::get(path)
        .header(HOST, authority.as_str())
        .header(USER_AGENT, concat!("vipwarden/", env!("CARGO_PKG_VERSION")))
        .header(CONNECTION, "close")
        .body(Empty::<Bytes>::new())
        .map_err(|error| failure(&error))?;
    let mut answer = pin!(sender.send_request(request));
    let answer = tokio::select! {
        answer = &mut answer => answer,
        // The answer may have come with the end of the connection; if not, this says what went wrong.
        _ = connection => answer.await,
    };
    answer.map(|answer| answer.status().as_u16()).map_err(|error| failure(&error))
}
