//! The one HTTP client: for checks, peers, an arbiter, and the command line. Over TCP, TLS or a Unix socket; each request has a time
//! within which it is answered whole, and each answer a size. No redirection is followed.

use std::error::Error as _;
use std::fmt;
use std::io;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http_body_util::{BodyExt as _, Full, Limited};
use hyper::body::{Bytes, Incoming};
use hyper::client::conn::http1::{SendRequest, handshake};
use hyper::header::{AUTHORIZATION, CONTENT_TYPE, HOST, HeaderValue, USER_AGENT};
use hyper::http::uri::Scheme;
use hyper::{Method, Request, Response, Uri};
use hyper_util::rt::TokioIo;
use rustls::pki_types::ServerName;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpStream, UnixStream};
use tokio::time::timeout;
use tokio_rustls::TlsConnector;

use crate::sys::tls;
use crate::time::Duration;

/// Why there is no answer. No message has a user or a password in it.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The URL can't be asked.
    #[error("{0}: {1}")]
    Url(String, &'static str),
    /// Nobody is there.
    #[error("{at}: {error}")]
    Connect {
        /// Who was to be asked.
        at: String,
        /// Why not.
        error: io::Error,
    },
    /// Whoever is there can't be trusted, or doesn't trust us.
    #[error("{at}: {why}")]
    Tls {
        /// Who was to be asked.
        at: String,
        /// What is wrong and what to do.
        why: String,
    },
    /// The connection broke, or what came is no HTTP.
    #[error("{at}: {why}")]
    Exchange {
        /// Who was asked.
        at: String,
        /// What happened.
        why: String,
    },
    /// The answer is too long.
    #[error("{at}: the answer has more than {max} bytes")]
    TooLong {
        /// Who was asked.
        at: String,
        /// The bound, in bytes.
        max: usize,
    },
    /// The answer did not come in time.
    #[error("{at}: no answer within {within:?}")]
    Late {
        /// Who was asked.
        at: String,
        /// How long it could have taken.
        within: Duration,
        /// True if the request may have arrived.
        was_sent: bool,
    },
}

impl Error {
    /// True if the server may have taken the request all the same.
    pub fn may_have_arrived(&self) -> bool {
        match self {
            Self::Url(..) | Self::Connect { .. } | Self::Tls { .. } => false,
            Self::Exchange { .. } | Self::TooLong { .. } => true,
            Self::Late { was_sent, .. } => *was_sent,
        }
    }
}

/// A whole answer.
#[derive(Clone, Debug)]
pub struct Answer {
    /// Its status.
    pub status: u16,
    /// All of its body.
    pub body: Bytes,
}

type Sender = SendRequest<Full<Bytes>>;

/// Asks, and keeps the last connection for the next request to the same server.
pub struct Client {
    within: Duration,
    answer_max: usize,
    tls: Option<tls::Client>,
    authorization: Option<HeaderValue>,
    socket: Option<PathBuf>,
    idle: Mutex<Option<(String, Sender)>>,
}

impl Client {
    /// One for `http://` alone. A request takes `within` at most, name resolution and all, and an answer has `answer_max` bytes at most.
    pub fn new(within: Duration, answer_max: usize) -> Self {
        Self { within, answer_max, tls: None, authorization: None, socket: None, idle: Mutex::new(None) }
    }

    /// One that speaks TLS where the URL says `https://`.
    #[must_use]
    pub fn with_tls(self, tls: tls::Client) -> Self {
        Self { tls: Some(tls), ..self }
    }

    /// One that shows user and password (RFC 7617).
    #[must_use]
    pub fn with_basic_auth(self, user: &str, password: &str) -> Self {
        let text = format!("Basic {}", STANDARD.encode(format!("{user}:{password}")));
        let mut value = HeaderValue::try_from(text).unwrap_or_else(|_| unreachable!("base64 fits into a header"));
        value.set_sensitive(true);
        Self { authorization: Some(value), ..self }
    }

    /// One that asks whoever listens on a Unix socket, whatever host the URL names.
    #[must_use]
    pub fn over_socket(self, path: PathBuf) -> Self {
        Self { socket: Some(path), ..self }
    }

    /// Asks for a document.
    ///
    /// # Errors
    /// There is no whole answer in time, or it is too long. A status that tells of a failure is an answer.
    pub async fn get(&self, url: &Uri) -> Result<Answer, Error> {
        self.send(self.request(Method::GET, url)?, url).await
    }

    /// Sends an empty POST.
    ///
    /// # Errors
    /// Those of [`Client::get`].
    pub async fn post(&self, url: &Uri) -> Result<Answer, Error> {
        self.send(self.request(Method::POST, url)?, url).await
    }

    /// Sends JSON; with the value of a header `Authorization`, if one is given.
    ///
    /// # Errors
    /// Those of [`Client::get`].
    pub async fn post_json(&self, url: &Uri, token: Option<&HeaderValue>, body: Bytes) -> Result<Answer, Error> {
        let mut request = self.request(Method::POST, url)?;
        request.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        if let Some(token) = token {
            request.headers_mut().insert(AUTHORIZATION, token.clone());
        }
        *request.body_mut() = Full::new(body);
        self.send(request, url).await
    }

    /// The status of what a GET answers. Its body is not read, however long it is.
    ///
    /// # Errors
    /// There is no answer in time.
    pub async fn status(&self, url: &Uri) -> Result<u16, Error> {
        let server = Server::of(url)?;
        let request = self.request(Method::GET, url)?;
        let sent = AtomicBool::new(false);
        let head = timeout(self.within, self.head(&server, request, &sent)).await;
        head.unwrap_or_else(|_| Err(self.late(&server, &sent))).map(|(answer, _)| answer.status().as_u16())
    }

    async fn send(&self, request: Request<Full<Bytes>>, url: &Uri) -> Result<Answer, Error> {
        let server = Server::of(url)?;
        let sent = AtomicBool::new(false);
        let answer = timeout(self.within, self.whole(&server, request, &sent)).await;
        answer.unwrap_or_else(|_| Err(self.late(&server, &sent)))
    }

    fn late(&self, server: &Server, sent: &AtomicBool) -> Error {
        Error::Late { at: server.at.clone(), within: self.within, was_sent: sent.load(Ordering::Relaxed) }
    }

    fn request(&self, method: Method, url: &Uri) -> Result<Request<Full<Bytes>>, Error> {
        let path = url.path_and_query().map_or("/", |path| path.as_str());
        let server = Server::of(url)?;
        let mut request = Request::builder()
            .method(method)
            .uri(path)
            .header(HOST, &server.authority)
            .header(USER_AGENT, concat!("vipwarden/", env!("CARGO_PKG_VERSION")))
            .body(Full::default())
            .map_err(|_| Error::Url(server.at, "it can't be written as a request"))?;
        if let Some(value) = &self.authorization {
            request.headers_mut().insert(AUTHORIZATION, value.clone());
        }
        Ok(request)
    }

    async fn whole(&self, server: &Server, request: Request<Full<Bytes>>, sent: &AtomicBool) -> Result<Answer, Error> {
        let (answer, sender) = self.head(server, request, sent).await?;
        let status = answer.status().as_u16();
        let body = Limited::new(answer.into_body(), self.answer_max).collect().await.map_err(|error| match error
            .downcast::<hyper::Error>(
        ) {
            Ok(error) => server.broken(&error),
            Err(_) => Error::TooLong { at: server.at.clone(), max: self.answer_max },
        })?;
        *self.idle.lock().unwrap_or_else(PoisonError::into_inner) = Some((server.at.clone(), sender));
        Ok(Answer { status, body: body.to_bytes() })
    }

    /// Sends over the connection that was kept, if it still stands, or over a new one. What may have been sent is never sent again.
    async fn head(
        &self,
        server: &Server,
        mut request: Request<Full<Bytes>>,
        sent: &AtomicBool,
    ) -> Result<(Response<Incoming>, Sender), Error> {
        let kept = self.idle.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some((_, mut sender)) = kept.filter(|(at, _)| *at == server.at)
            && sender.ready().await.is_ok()
        {
            sent.store(true, Ordering::Relaxed);
            match sender.try_send_request(request).await {
                Ok(answer) => return Ok((answer, sender)),
                Err(mut error) => match error.take_message() {
                    Some(unsent) => request = unsent,
                    None => return Err(server.broken(&error.into_error())),
                },
            }
            sent.store(false, Ordering::Relaxed);
        }
        let mut sender = self.connect(server).await?;
        sent.store(true, Ordering::Relaxed);
        let answer = sender.send_request(request).await.map_err(|error| server.broken(&error))?;
        Ok((answer, sender))
    }

    async fn connect(&self, server: &Server) -> Result<Sender, Error> {
        let failure = |error| Error::Connect { at: server.at.clone(), error };
        if let Some(path) = &self.socket {
            let stream = UnixStream::connect(path).await.map_err(failure)?;
            return shake_hands(server, stream).await;
        }
        let stream = TcpStream::connect((server.host.as_str(), server.port)).await.map_err(failure)?;
        stream.set_nodelay(true).map_err(failure)?;
        if !server.is_secret {
            return shake_hands(server, stream).await;
        }
        let refused = |why| Error::Tls { at: server.at.clone(), why };
        let tls = self.tls.as_ref().ok_or_else(|| refused("no TLS is set up here: write http://".into()))?;
        let name = ServerName::try_from(server.host.clone()).map_err(|_| {
            refused(format!("{:?} can't stand in a certificate: use a name or an address", server.host))
        })?;
        let connecting = TlsConnector::from(tls.config()).connect(name, stream);
        let stream = connecting.await.map_err(|error| refused(tls::explain(&error, &server.host)))?;
        shake_hands(server, stream).await
    }
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Client").field("within", &self.within).field("socket", &self.socket).finish_non_exhaustive()
    }
}

async fn shake_hands(
    server: &Server,
    stream: impl AsyncRead + AsyncWrite + Send + Unpin + 'static,
) -> Result<Sender, Error> {
    let (sender, connection) = handshake(TokioIo::new(stream)).await.map_err(|error| server.broken(&error))?;
    // It ends with the last sender. What goes wrong in it is seen in the answer.
    tokio::spawn(connection);
    Ok(sender)
}

/// Who a URL names.
struct Server {
    /// Scheme and authority, for people, and to tell servers apart.
    at: String,
    authority: String,
    host: String,
    port: u16,
    is_secret: bool,
}

impl Server {
    fn of(url: &Uri) -> Result<Self, Error> {
        let authority = url.authority().map_or("", |authority| authority.as_str());
        let is_secret = match url.scheme() {
            Some(scheme) if *scheme == Scheme::HTTP => false,
            Some(scheme) if *scheme == Scheme::HTTPS => true,
            _ => return Err(Error::Url("a URL".into(), "write one that begins with http:// or https://")),
        };
        if authority.contains('@') {
            return Err(Error::Url("a URL".into(), "no user and no password may stand in it"));
        }
        // An IPv6 address stands in brackets there, and must not here.
        let host = url.host().unwrap_or("").trim_start_matches('[').trim_end_matches(']');
        if host.is_empty() {
            return Err(Error::Url(url.to_string(), "it names no host"));
        }
        let scheme = if is_secret { "https" } else { "http" };
        Ok(Self {
            at: format!("{scheme}://{authority}"),
            authority: authority.to_owned(),
            host: host.to_owned(),
            port: url.port_u16().unwrap_or(if is_secret { 443 } else { 80 }),
            is_secret,
        })
    }

    /// What broke a connection: hyper says only where it happened, its sources say what.
    fn broken(&self, error: &hyper::Error) -> Error {
        let mut why = error.to_string();
        let mut source = error.source();
        while let Some(error) = source {
            why = error.downcast_ref().map_or_else(|| error.to_string(), |error| tls::explain(error, &self.host));
            source = error.source();
        }
        Error::Exchange { at: self.at.clone(), why }
    }
}
