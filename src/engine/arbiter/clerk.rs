//! Asks the register on behalf of the core thread, on a thread of its own: neither a handshake nor an endpoint that hangs delays an advert.

use std::io;
use std::rc::Rc;
use std::thread;

use tokio::sync::mpsc;
use tokio::task::{LocalSet, spawn_local};

use super::etcd::{ANSWER_MAX, Etcd, Login};
use super::register::{CasRegister, Trouble};
use crate::config::{Arbiter, TlsFiles};
use crate::engine::http::Client;
use crate::engine::speaker::Id;
use crate::fence::lease::{Action, Outcome, Sighting, Timing};
use crate::sys::tls::{self, ClientFiles};

/// Name of the thread.
const THREAD: &str = "arbiter";
/// Requests that wait, and answers: each lease has one under way at a time.
const QUEUE_MAX: usize = 1024;

/// Takes requests. The thread ends with the last clone.
#[derive(Clone, Debug)]
pub(in crate::engine) struct Clerk(mpsc::Sender<Request>);

/// What a lease wants of the register: [`Action::Read`] or [`Action::Cas`].
#[derive(Debug)]
struct Request {
    from: Id,
    key: String,
    action: Action,
}

/// The register's answer to one lease.
#[derive(Debug)]
pub(in crate::engine) struct Answer {
    /// Whose lease.
    pub to: Id,
    /// Which request.
    pub serial: u64,
    /// What was answered.
    pub said: Said,
    /// What went wrong, in words.
    pub trouble: Option<Trouble>,
}

/// What was answered.
#[derive(Debug)]
pub(in crate::engine) enum Said {
    /// To a read; `None` if there is no answer.
    Read(Option<Sighting>),
    /// To a compare-and-set.
    Cas(Outcome),
}

impl Clerk {
    /// Starts the thread, and where its answers come out.
    ///
    /// # Errors
    /// The kernel refuses a thread.
    pub fn start(settings: &Arbiter) -> io::Result<(Self, mpsc::Receiver<Answer>)> {
        let (requests, taken) = mpsc::channel(QUEUE_MAX);
        let (answers, answered) = mpsc::channel(QUEUE_MAX);
        let settings = settings.clone();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        thread::Builder::new().name(THREAD.into()).spawn(move || {
            LocalSet::new().block_on(&runtime, work(&settings, taken, answers));
        })?;
        Ok((Self(requests), answered))
    }

    /// Passes a request on. One for which there is no room is as good as lost on the way.
    pub fn ask(&self, from: Id, key: &str, action: Action) {
        if self.0.try_send(Request { from, key: key.to_owned(), action }).is_err() {
            tracing::warn!("too many requests wait for the arbiter");
        }
    }
}

async fn work(settings: &Arbiter, mut requests: mpsc::Receiver<Request>, answers: mpsc::Sender<Answer>) {
    let mut register: Result<Rc<Etcd>, Trouble> = connect(settings);
    while let Some(request) = requests.recv().await {
        // Files that were not there may be by now.
        if register.is_err() {
            register = connect(settings);
        }
        let (register, answers) = (register.clone(), answers.clone());
        spawn_local(async move {
            let answer = serve(register, request).await;
            // A core that has ended needs no answer.
            let _ = answers.send(answer).await;
        });
    }
}

/// A client for each endpoint of an arbiter.
fn connect(settings: &Arbiter) -> Result<Rc<Etcd>, Trouble> {
    // Before the lease gives a request up, so that the next one goes to another endpoint.
    let within = Timing::for_wait(settings.wait).patience * 9 / 10;
    let mut client = Client::new(within, ANSWER_MAX);
    if settings.etcd.iter().any(|url| url.scheme_str() == Some("https")) {
        let TlsFiles { ca, cert, key } = settings.tls.clone();
        let files = ClientFiles { ca, cert, key };
        client = client.with_tls(tls::Client::load(files).map_err(|error| Trouble(error.to_string()))?);
    }
    let login =
        settings.login.as_ref().map(|login| Login { user: login.user.clone(), password: login.password.clone() });
    Ok(Rc::new(Etcd::new(client, settings.etcd.clone(), login)))
}

async fn serve(register: Result<Rc<Etcd>, Trouble>, Request { from, key, action }: Request) -> Answer {
    let (serial, said, trouble) = match (register, action) {
        (Ok(register), Action::Cas { serial, version, entry }) => {
            let (outcome, trouble) = register.cas(&key, version, &entry).await;
            (serial, Said::Cas(outcome), trouble)
        }
        (Err(trouble), Action::Cas { serial, .. }) => (serial, Said::Cas(Outcome::Failed), Some(trouble)),
        (Ok(register), Action::Read { serial }) => match register.read(&key).await {
            Ok(sighting) => (serial, Said::Read(Some(sighting)), None),
            Err(trouble) => (serial, Said::Read(None), Some(trouble)),
        },
        (Err(trouble), Action::Read { serial }) => (serial, Said::Read(None), Some(trouble)),
        (_, other) => unreachable!("{other:?} is nothing for a register"),
    };
    Answer { to: from, serial, said, trouble }
}
