//! Who may read, and how it is kept from others: the web-config file in force, and the next one.

mod logins;
mod tls;

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use arc_swap::ArcSwap;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::header::{AUTHORIZATION, RETRY_AFTER, WWW_AUTHENTICATE};
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use futures_util::StreamExt as _;
use rustls::ServerConfig;
use tokio::sync::watch;

use crate::config::Diagnostic;
use crate::config::web_file::{self, ClientAuth, WebFile};
use crate::engine::describe;
use crate::sys::tls::Stamp;
use crate::time::Duration;

use super::serve::is_stream;
use logins::{Answer, Logins};

/// How often the files are looked at: a renewed certificate is served as long afterwards at most.
const LOOK_EVERY: Duration = Duration::from_secs(2);

/// What is in force.
struct Protection {
    tls: Option<Arc<ServerConfig>>,
    /// `None` lets everybody read.
    logins: Option<Logins>,
    headers: Vec<(HeaderName, HeaderValue)>,
    /// When the first certificate of the chain expires, in Unix seconds.
    expires: Option<i64>,
    stamp: Stamp,
}

/// The web-config file in force. Cloning shares it.
#[derive(Clone)]
pub struct Guard {
    file: Option<Arc<Path>>,
    current: Arc<ArcSwap<Protection>>,
    /// Changes after each change of `current`.
    changes: watch::Sender<()>,
    /// The files as they were when they were looked at last, good or not.
    seen: Arc<Mutex<Stamp>>,
}

/// By what a connection is let in.
pub(super) struct Rules {
    /// What it is greeted with; `None` is HTTP in the clear.
    pub tls: Option<Arc<ServerConfig>>,
    /// Changes when others are in force.
    pub changes: watch::Receiver<()>,
}

impl fmt::Debug for Guard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Guard").field("file", &self.file).finish_non_exhaustive()
    }
}

impl Guard {
    /// Reads `file` and the certificates that it names; without one everybody may read, in the clear.
    ///
    /// # Errors
    /// In words: everything that is wrong with the files.
    pub fn load(file: Option<&Path>) -> Result<Self, String> {
        let protection = match file {
            Some(path) => Protection::load(path)?.0,
            None => Protection::new(&WebFile::default(), Stamp::default())?,
        };
        let seen = Arc::new(Mutex::new(protection.stamp.clone()));
        let current = Arc::new(ArcSwap::from_pointee(protection));
        Ok(Self { file: file.map(Arc::from), current, changes: watch::Sender::new(()), seen })
    }

    /// Looks at the files for ever, and takes them when they have changed. `expires` is told when the certificate expires.
    pub async fn follow(self, expires: impl Fn(Option<i64>)) {
        loop {
            expires(self.current.load().expires);
            tokio::time::sleep(LOOK_EVERY).await;
            match self.look() {
                Ok(false) => {}
                Ok(true) => tracing::info!("web configuration read anew"),
                Err(why) => tracing::error!("web configuration refused, the running one stays in force:\n{why}"),
            }
        }
    }

    /// Takes the files if they have changed since they were looked at last; true if so.
    ///
    /// # Errors
    /// In words: what is wrong with them. Nothing changes then.
    pub fn look(&self) -> Result<bool, String> {
        let Some(file) = &self.file else { return Ok(false) };
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        let stamp = stamp(file);
        if stamp == *seen {
            return Ok(false);
        }
        *seen = stamp;
        let (protection, warnings) = Protection::load(file)?;
        for warning in warnings {
            tracing::warn!("{warning}");
        }
        self.current.store(Arc::new(protection));
        self.changes.send_replace(());
        Ok(true)
    }

    /// For a new connection. Who subscribes first misses no change of what is read then.
    pub(super) fn rules(&self) -> Rules {
        let changes = self.changes.subscribe();
        Rules { tls: self.current.load().tls.clone(), changes }
    }
}

impl Protection {
    /// With what is worth saying of the files.
    fn load(path: &Path) -> Result<(Self, Vec<Diagnostic>), String> {
        // Taken before reading: what changes meanwhile is seen as a change.
        let stamp = stamp(path);
        let file = web_file::read(path).map_err(|errors| describe(&errors))?;
        Ok((Self::new(&file, stamp)?, file.warnings))
    }

    fn new(file: &WebFile, stamp: Stamp) -> Result<Self, String> {
        let served = file.tls.as_ref().map(tls::serve).transpose()?;
        let headers = file.headers.iter().map(|(name, value)| {
            let value = HeaderValue::from_str(value).map_err(|_| format!("{name}: no header can have this value"))?;
            let name = HeaderName::from_bytes(name.as_bytes()).map_err(|error| format!("{name}: {error}"))?;
            Ok((name, value))
        });
        Ok(Self {
            headers: headers.collect::<Result<_, String>>()?,
            logins: (!file.users.is_empty()).then(|| Logins::new(file.users.clone())).transpose()?,
            expires: served.as_ref().map(|served| served.expires),
            tls: served.map(|served| Arc::new(served.config)),
            stamp,
        })
    }
}

/// What changes when the file, or one that it names, is replaced or written to.
fn stamp(path: &Path) -> Stamp {
    let tls = web_file::read(path).ok().and_then(|file| file.tls);
    let named: Vec<PathBuf> = tls.map_or_else(Vec::new, |tls| {
        let ca = match tls.client_auth {
            ClientAuth::None => None,
            ClientAuth::IfGiven(ca) | ClientAuth::Required(ca) => Some(ca),
        };
        [tls.cert_file, tls.key_file].into_iter().chain(ca).collect()
    });
    Stamp::of([path].into_iter().chain(named.iter().map(PathBuf::as_path)))
}

/// Lets through who may read, and adds the headers. A stream ends when somebody else may read.
pub(super) async fn protect(State(guard): State<Guard>, request: Request, next: Next) -> Response {
    let mut changes = guard.changes.subscribe();
    let protection = guard.current.load_full();
    let refused = match &protection.logins {
        Some(logins) => refuse(logins, request.headers()).await,
        None => None,
    };
    let mut response = match refused {
        Some(refusal) => refusal,
        None => next.run(request).await,
    };
    if is_stream(&response) {
        let changed = async move { changes.changed().await };
        response = response.map(|body| Body::from_stream(body.into_data_stream().take_until(changed)));
    }
    for (name, value) in &protection.headers {
        response.headers_mut().insert(name, value.clone());
    }
    response
}

/// The refusal, unless the request comes from one of the users.
async fn refuse(logins: &Logins, headers: &HeaderMap) -> Option<Response> {
    let answer = match headers.get(AUTHORIZATION).and_then(credentials) {
        Some((name, password)) => logins.check(&name, &password).await,
        None => Answer::No,
    };
    match answer {
        Answer::Yes => None,
        Answer::No => {
            let challenge = [(WWW_AUTHENTICATE, "Basic realm=\"vipwarden\", charset=\"UTF-8\"")];
            Some((StatusCode::UNAUTHORIZED, challenge, "name and password of a user, please\n").into_response())
        }
        Answer::Busy => {
            let again = [(RETRY_AFTER, "5")];
            Some((StatusCode::SERVICE_UNAVAILABLE, again, "too many passwords are being checked\n").into_response())
        }
    }
}

/// Name and password of an `Authorization: Basic` header.
fn credentials(value: &HeaderValue) -> Option<(String, Vec<u8>)> {
    let (scheme, encoded) = value.to_str().ok()?.split_once(' ')?;
    if !scheme.eq_ignore_ascii_case("basic") {
        return None;
    }
    let decoded = BASE64_STANDARD.decode(encoded.trim()).ok()?;
    let colon = decoded.iter().position(|byte| *byte == b':')?;
    let name = String::from_utf8(decoded[..colon].to_vec()).ok()?;
    Some((name, decoded[colon + 1..].to_vec()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_broken_file_changes_nothing_and_is_told_once() {
        let directory = tempfile::tempdir().expect("a directory");
        let path = directory.path().join("web.yml");
        std::fs::write(&path, "http_server_config: {headers: {X-Frame-Options: deny}}").expect("a file");
        let guard = Guard::load(Some(&path)).expect("a good file");
        assert_eq!(guard.look(), Ok(false));
        std::fs::write(&path, "http_server_config: {headers: {Server: mine}}").expect("a file");
        let why = guard.look().expect_err("a broken file");
        assert!(why.contains("web.yml:1:") && why.contains("`Server`"), "{why}");
        assert_eq!(guard.look(), Ok(false));
        assert_eq!(guard.current.load().headers.len(), 1);
        std::fs::remove_file(&path).expect("it was there");
        assert!(guard.look().expect_err("no file").contains("there is no such file"));
        std::fs::write(&path, "{}").expect("a file");
        assert_eq!(guard.look(), Ok(true));
        assert!(guard.current.load().headers.is_empty());
    }
}
