//! Asks the daemon over its control socket.

use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use hyper::{Method, Uri};
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::engine::http::{Client, Error};
use crate::sys::tls::{self, ClientFiles};
use crate::time::Duration;
use crate::web::document::StatusDoc;
use crate::web::words::quote;

use super::FAILED;
use super::select::select;
use super::terminal::{complain, plain, say};

/// The daemon answers in milliseconds; a reload waits for its disk.
const TIMEOUT: Duration = Duration::from_secs(10);
/// An answer is never larger: a thousand routers take some four mebibytes.
const ANSWER_MAX: usize = 64 << 20;

/// Where a reader asks.
#[derive(Clone, Debug, Default, clap::Args)]
pub struct Remote {
    /// Ask a vipwarden elsewhere, over HTTP, and not the one behind the control socket: http://lb02:10112 or https://lb02:10112.
    #[arg(long, value_name = "URL")]
    url: Option<String>,
    /// The CA of its certificate, in PEM [default: the system's].
    #[arg(long, value_name = "FILE", requires = "url")]
    ca: Option<PathBuf>,
    /// A certificate to show it, in PEM.
    #[arg(long, value_name = "FILE", requires = "key", requires = "url")]
    cert: Option<PathBuf>,
    /// The key of that.
    #[arg(long, value_name = "FILE", requires = "cert", requires = "url")]
    key: Option<PathBuf>,
    /// A file with USER:PASSWORD in its first line.
    #[arg(long, value_name = "FILE", requires = "url")]
    user_file: Option<PathBuf>,
}

impl Remote {
    /// What every path is put behind.
    fn base(&self) -> &str {
        self.url.as_deref().unwrap_or_default().trim_end_matches('/')
    }
}

/// The door that is knocked at.
#[derive(Clone, Copy, Debug)]
pub struct Door<'a> {
    control: &'a Path,
    remote: Option<&'a Remote>,
}

impl<'a> From<&'a Path> for Door<'a> {
    fn from(control: &'a Path) -> Self {
        Self { control, remote: None }
    }
}

impl<'a> Door<'a> {
    /// The URL's, if there is one; else the control socket.
    pub fn new(control: &'a Path, remote: &'a Remote) -> Self {
        Self { control, remote: remote.url.is_some().then_some(remote) }
    }
}

/// Asks for a JSON document. Its strings hold no control characters: much of what they say comes from the wire.
///
/// # Errors
/// In words: nobody answers, or not so.
pub fn get<'a>(door: impl Into<Door<'a>>, path: &str) -> Result<Value, String> {
    let door = door.into();
    let body = match door.remote {
        Some(remote) => ask_remote(remote, path)?,
        None => ask(door.control, Method::GET, path)?,
    };
    let mut document =
        serde_json::from_str(&body).map_err(|error| format!("the daemon's answer is no JSON: {error}"))?;
    scrub(&mut document);
    Ok(document)
}

/// The daemon's view. Where it was asked by its URL, its runbooks are told by theirs.
///
/// # Errors
/// Those of [`get`] and [`read`].
pub fn status<'a>(door: impl Into<Door<'a>>) -> Result<StatusDoc, String> {
    let door = door.into();
    let mut document: StatusDoc = read(get(door, "/api/v1/status")?)?;
    if let Some(remote) = door.remote {
        let findings = document.routers.iter_mut().flat_map(|router| &mut router.findings);
        for path in findings.filter_map(|finding| finding.runbook.as_mut()) {
            *path = format!("{}/{path}", remote.base());
        }
    }
    Ok(document)
}

/// A document's values.
///
/// # Errors
/// In words: it has not the form of version 1.
pub fn read<T: DeserializeOwned>(document: Value) -> Result<T, String> {
    serde_json::from_value(document).map_err(|error| format!("the daemon is of another version: {error}"))
}

/// Prints what became of a request, and turns it into an exit code.
pub fn tell(result: Result<String, String>) -> ExitCode {
    match result {
        Ok(done) => {
            say(&done);
            ExitCode::SUCCESS
        }
        Err(why) => {
            complain(&why);
            FAILED.into()
        }
    }
}

/// Has the daemon do something; its answer in words.
///
/// # Errors
/// In words: nobody answers, or the daemon refuses.
pub fn post(control: &Path, path: &str) -> Result<String, String> {
    ask(control, Method::POST, path).map(|words| plain(&words, true))
}

/// Has the daemon do something with the router that is called so in its status; `more` is the rest of the query.
///
/// # Errors
/// Those of [`status`] and [`post`], or there is no such router.
pub fn act(control: &Path, what: &str, router: &str, more: &str) -> Result<String, String> {
    let document = status(control)?;
    let name = quote(&select(&document, router)?.name);
    post(control, &format!("/control/{what}?router={name}{more}"))
}

#[tokio::main(flavor = "current_thread")]
async fn ask(control: &Path, method: Method, path: &str) -> Result<String, String> {
    let at = control.display();
    let url = format!("http://localhost{path}").parse().map_err(|error| format!("{path}: {error}"))?;
    let client = Client::new(TIMEOUT, ANSWER_MAX).over_socket(control.to_owned());
    let answer = if method == Method::POST { client.post(&url).await } else { client.get(&url).await };
    let answer = answer.map_err(|error| match error {
        Error::Connect { error, .. } => match error.kind() {
            ErrorKind::NotFound | ErrorKind::ConnectionRefused => format!(
                "no daemon answers on {at}: start one with `systemctl start vipwarden` or `vipwarden run`, or name its socket with --control"
            ),
            ErrorKind::PermissionDenied => format!("{at} may not be opened: run this as root, or as one of the socket's group"),
            ErrorKind::InvalidInput => format!("{at}: {}", super::control::TOO_LONG),
            _ => format!("{at}: {error}"),
        },
        Error::Late { within, .. } => format!("the daemon on {at} does not answer within {} s", within.as_secs()),
        other => format!("the daemon on {at} does not speak as it should: {other}"),
    })?;
    let body = String::from_utf8_lossy(&answer.body).into_owned();
    if (200..300).contains(&answer.status) { Ok(body) } else { Err(plain(&body, true)) }
}

#[tokio::main(flavor = "current_thread")]
async fn ask_remote(remote: &Remote, path: &str) -> Result<String, String> {
    let base = remote.base();
    let url: Uri = format!("{base}{path}").parse().map_err(|error| format!("{base}: {error}"))?;
    let mut client = Client::new(TIMEOUT, ANSWER_MAX);
    if url.scheme_str() == Some("https") {
        let files = ClientFiles { ca: remote.ca.clone(), cert: remote.cert.clone(), key: remote.key.clone() };
        client = client.with_tls(tls::Client::load(files).map_err(|error| error.to_string())?);
    }
    if let Some(file) = &remote.user_file {
        let text = std::fs::read_to_string(file).map_err(|error| format!("{}: {error}", file.display()))?;
        let login = text.lines().next().unwrap_or_default().split_once(':');
        let (user, password) =
            login.ok_or_else(|| format!("{}: its first line is to be USER:PASSWORD", file.display()))?;
        client = client.with_basic_auth(user, password);
    }
    let answer = client.get(&url).await.map_err(|error| match error {
        Error::Tls { .. } => format!("{error} (on the command line: --ca, --cert and --key)"),
        other => other.to_string(),
    })?;
    match answer.status {
        200..300 => Ok(String::from_utf8_lossy(&answer.body).into_owned()),
        401 => Err(match &remote.user_file {
            None => format!("{base} wants to know who asks: name a file with USER:PASSWORD by --user-file"),
            Some(file) => {
                format!("{base} refuses the name and password of {}: mend that file, or its users", file.display())
            }
        }),
        status => Err(format!(
            "{base} answers with status {status}: {}",
            plain(&String::from_utf8_lossy(&answer.body), false)
        )),
    }
}

fn scrub(value: &mut Value) {
    match value {
        Value::String(text) => *text = plain(text, false),
        Value::Array(values) => values.iter_mut().for_each(scrub),
        Value::Object(fields) => fields.values_mut().for_each(scrub),
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_from_the_wire_steers_the_terminal() {
        let mut document = serde_json::json!({ "routers": [{ "name": "a\u{1b}[2J\nb\u{202e}c" }] });
        scrub(&mut document);
        assert_eq!(document["routers"][0]["name"], "a\u{fffd}[2J\u{fffd}b\u{fffd}c");
    }

    #[test]
    fn without_a_daemon_it_says_how_to_start_one() {
        let error = get(Path::new("/nonexistent/control.sock"), "/").expect_err("nobody is there");
        assert!(error.contains("vipwarden run"), "{error}");
    }
}
