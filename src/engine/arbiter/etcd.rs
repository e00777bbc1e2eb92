//! etcd as the arbiter, through the JSON gateway of its API v3. Not through its leases: those once trusted a leader that was one no more
//! (fixed in 3.4.31 and 3.5.13), while a transaction always needs a majority.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use futures_util::StreamExt as _;
use futures_util::stream::FuturesUnordered;
use hyper::Uri;
use hyper::body::Bytes;
use hyper::header::HeaderValue;
use serde::Deserialize;
use serde_json::{Value as Json, json};
use tokio::time::timeout;

use super::register::{CasRegister, Trouble, value};
use crate::engine::http::{Answer, Client, Error};
use crate::fence::lease::{Entry, Outcome, Sighting, Value};
use crate::time::Duration;

/// After so long without an answer the next endpoint is asked as well. What a member has passed on to a leader that is dead is lost, and
/// etcd says so only after seconds; so a request has to be there again soon after the others have elected one.
const NEXT_AFTER: Duration = Duration::from_millis(150);
/// The same with a login: a password costs a member much to check, on purpose.
const NEXT_LOGIN_AFTER: Duration = Duration::from_millis(500);

/// No answer to what is asked here is larger.
pub const ANSWER_MAX: usize = 64 << 10;

/// What is quoted of an error message, in characters.
const QUOTE_MAX: usize = 200;

/// Codes of gRPC.
const INVALID_ARGUMENT: i64 = 3;
const PERMISSION_DENIED: i64 = 7;
const FAILED_PRECONDITION: i64 = 9;
const UNAUTHENTICATED: i64 = 16;

/// User and password.
#[derive(Clone)]
pub struct Login {
    /// The user.
    pub user: String,
    /// Its password, shown nowhere.
    pub password: String,
}

/// A cluster of etcd.
pub struct Etcd {
    client: Client,
    endpoints: Vec<Uri>,
    /// The endpoint that is asked first: the last one that answered.
    first: AtomicUsize,
    login: Option<Login>,
    token: Mutex<Option<HeaderValue>>,
}

/// Why a request came to nothing.
struct Refusal {
    trouble: Trouble,
    /// Nothing is written, nor will be.
    for_sure: bool,
    /// To ask another endpoint would not help: the time is over, or it is the token.
    is_final: bool,
    /// Another token may be all that is missing.
    wants_token: bool,
}

impl Etcd {
    /// One with these endpoints, at least one: `http://` or `https://`, host and port.
    pub fn new(client: Client, endpoints: Vec<Uri>, login: Option<Login>) -> Self {
        Self { client, endpoints, first: AtomicUsize::new(0), login, token: Mutex::new(None) }
    }

    /// Sends a request until it is answered. With a login, a token is fetched first, and once more if it has expired meanwhile.
    async fn ask(&self, path: &str, body: &Json) -> Result<Json, Refusal> {
        let (mut fetched, mut for_sure) = (false, true);
        loop {
            if self.login.is_some() && self.token().is_none() {
                self.fetch_token().await.map_err(|refusal| refusal.after(for_sure))?;
                fetched = true;
            }
            match self.post(path, body, NEXT_AFTER).await.map_err(|refusal| refusal.after(for_sure)) {
                Err(refusal) if refusal.wants_token && self.login.is_some() => {
                    self.set_token(None);
                    if fetched {
                        return Err(refusal);
                    }
                    for_sure = refusal.for_sure;
                }
                other => return other,
            }
        }
    }

    /// Sends a request to one endpoint after the other, whenever one has failed or none has answered for a while, until one answers it or
    /// the first one has had all the time that there is. What is written at most once does no harm if it is sent twice.
    async fn post(&self, path: &str, body: &Json, next_after: Duration) -> Result<Json, Refusal> {
        let count = self.endpoints.len();
        let mut next = self.first.load(Ordering::Relaxed);
        let mut under_way = FuturesUnordered::new();
        let mut for_sure = true;
        let mut failed = 0;
        loop {
            let index = next % count;
            next += 1;
            under_way.push(async move { (index, self.post_to(index, path, body).await) });
            loop {
                let Ok(answer) = timeout(next_after, under_way.next()).await else {
                    failed = 0;
                    break;
                };
                match answer {
                    Some((index, Ok(answer))) => {
                        self.first.store(index, Ordering::Relaxed);
                        return Ok(answer);
                    }
                    Some((_, Err(refusal))) => {
                        for_sure &= refusal.for_sure;
                        failed += 1;
                        // The time is over, or all have failed. Those that are still at it may have taken it.
                        if refusal.is_final || under_way.is_empty() && failed >= count {
                            return Err(refusal.after(for_sure && under_way.is_empty()));
                        }
                        if failed < count {
                            break;
                        }
                    }
                    None => unreachable!("the last one returns"),
                }
            }
        }
    }

    async fn post_to(&self, index: usize, path: &str, body: &Json) -> Result<Json, Refusal> {
        let base = self.endpoints[index].to_string();
        let at = base.trim_end_matches('/');
        let url = format!("{at}{path}").parse().map_err(|_| Refusal::unsent(format!("{at} is no URL")))?;
        let token = self.token();
        let sent = self.client.post_json(&url, token.as_ref(), Bytes::from(body.to_string())).await;
        let answer = sent.map_err(|error: Error| Refusal {
            for_sure: !error.may_have_arrived(),
            is_final: matches!(error, Error::Late { .. }),
            wants_token: false,
            trouble: Trouble(error.to_string()),
        })?;
        read_answer(at, &answer)
    }

    async fn fetch_token(&self) -> Result<(), Refusal> {
        let Some(Login { user, password }) = &self.login else { return Ok(()) };
        let login = json!({ "name": user, "password": password });
        let answer = self.post("/v3/auth/authenticate", &login, NEXT_LOGIN_AFTER).await;
        let answer = answer.map_err(|refusal| Refusal { for_sure: true, wants_token: false, ..refusal })?;
        let token = answer["token"].as_str().and_then(|token| HeaderValue::try_from(token).ok());
        let mut token = token.ok_or_else(|| Refusal::unsent("etcd's answer to the login holds no token".into()))?;
        token.set_sensitive(true);
        self.set_token(Some(token));
        Ok(())
    }

    fn token(&self) -> Option<HeaderValue> {
        self.token.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn set_token(&self, token: Option<HeaderValue>) {
        *self.token.lock().unwrap_or_else(PoisonError::into_inner) = token;
    }
}

impl CasRegister for Etcd {
    async fn read(&self, key: &str) -> Result<Sighting, Trouble> {
        let answer = self.ask("/v3/kv/range", &json!({ "key": STANDARD.encode(key) })).await;
        answer.map_err(|refusal| refusal.trouble).and_then(|answer| sighting(&answer))
    }

    async fn cas(&self, key: &str, version: u64, entry: &Entry) -> (Outcome, Option<Trouble>) {
        let key = STANDARD.encode(key);
        let put = json!({ "key": key, "value": STANDARD.encode(entry.to_text()) });
        let body = json!({
            "compare": [{ "key": key, "target": "MOD", "result": "EQUAL", "modRevision": version.to_string() }],
            "success": [{ "requestPut": put }],
            "failure": [{ "requestRange": { "key": key } }],
        });
        match self.ask("/v3/kv/txn", &body).await.map(|answer| outcome(&answer)) {
            Ok(Ok(outcome)) => (outcome, None),
            Ok(Err(trouble)) => (Outcome::Unknown, Some(trouble)),
            Err(Refusal { trouble, for_sure: true, .. }) => (Outcome::Failed, Some(trouble)),
            Err(Refusal { trouble, .. }) => (Outcome::Unknown, Some(trouble)),
        }
    }
}

impl Refusal {
    fn unsent(why: String) -> Self {
        Self { trouble: Trouble(why), for_sure: true, is_final: false, wants_token: false }
    }

    /// The same, of a request that had been sent before as well: whether it is known for sure that nothing came of that.
    fn after(self, for_sure: bool) -> Self {
        Self { for_sure: self.for_sure && for_sure, ..self }
    }
}

/// What an endpoint answered, if that is no error.
fn read_answer(at: &str, answer: &Answer) -> Result<Json, Refusal> {
    let body: Result<Json, _> = serde_json::from_slice(&answer.body);
    if answer.status == 200 {
        return body.map_err(|_| Refusal {
            trouble: Trouble(format!("{at} answers without JSON: is that the client port of etcd 3.4 or newer?")),
            for_sure: false,
            is_final: false,
            wants_token: false,
        });
    }
    let error: Option<ErrorText> = body.ok().and_then(|body| serde_json::from_value(body).ok());
    let ErrorText { code, message, error } = error.unwrap_or_default();
    let said = if message.is_empty() { error } else { message };
    let said: String = said.chars().filter(|c| !c.is_control()).take(QUOTE_MAX).collect();
    let is_old = said.contains("revision of auth store is old");
    let remedy = match code {
        INVALID_ARGUMENT if said.contains("user name is empty") => ": it wants a login, set user and password_file",
        INVALID_ARGUMENT if said.contains("authentication failed") => ": check user and password_file",
        FAILED_PRECONDITION if said.contains("authentication is not enabled") => ": remove user and password_file",
        PERMISSION_DENIED => ": grant the user a role that may read and write under key_prefix",
        _ => "",
    };
    let wants_token = code == UNAUTHENTICATED || is_old;
    let status = answer.status;
    let what = if said.is_empty() { format!("status {status}") } else { said };
    Err(Refusal {
        trouble: Trouble(format!("{at}: {what}{remedy}")),
        for_sure: matches!(code, INVALID_ARGUMENT | PERMISSION_DENIED | FAILED_PRECONDITION | UNAUTHENTICATED),
        is_final: wants_token,
        wants_token,
    })
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct ErrorText {
    code: i64,
    message: String,
    error: String,
}

fn outcome(answer: &Json) -> Result<Outcome, Trouble> {
    // What is false is left out.
    if answer["succeeded"].as_bool() == Some(true) {
        return Ok(Outcome::Done(number(&answer["header"]["revision"])?));
    }
    sighting(&answer["responses"][0]["response_range"]).map(Outcome::Conflict)
}

fn sighting(range: &Json) -> Result<Sighting, Trouble> {
    if !range.is_object() {
        return Err(misunderstood());
    }
    let kv = &range["kvs"][0];
    if kv.is_null() {
        return Ok(Sighting { version: 0, value: Value::Absent });
    }
    let text = kv["value"].as_str().unwrap_or_default();
    let value = STANDARD.decode(text).map_or(Value::Foreign, |bytes| value(&bytes));
    Ok(Sighting { version: number(&kv["mod_revision"])?, value })
}

/// A number of 64 bits, which JSON has as text.
fn number(json: &Json) -> Result<u64, Trouble> {
    json.as_str().and_then(|text| text.parse().ok()).filter(|number| *number > 0).ok_or_else(misunderstood)
}

fn misunderstood() -> Trouble {
    Trouble("etcd's answer is not as its API v3 says: is that etcd 3.4 or newer?".into())
}
