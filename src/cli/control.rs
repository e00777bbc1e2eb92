//! The control socket: the pages and the API again, and the operator's hand, which exists only here.

use std::io::{self, ErrorKind};
use std::os::unix::fs::{FileTypeExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::{fs, mem};

use axum::Router;
use axum::extract::{Query, State};
use axum::http::StatusCode;
use axum::routing::post;
use serde::Deserialize;
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::{mpsc, oneshot};

use crate::engine::{Act, Command};
use crate::observe::RouterId;
use crate::wire::Family;

/// Owner and group: whoever may connect may command.
const MODE: u32 = 0o660;

/// What the standard library says of it names a constant of C.
pub const TOO_LONG: &str = "the path of a socket has 107 bytes at most";

/// A bound control socket. Its file goes when this is dropped.
#[derive(Debug)]
pub struct Socket {
    path: PathBuf,
    listener: Option<UnixListener>,
}

impl Socket {
    /// Binds `path`, replacing what a dead daemon left behind. `None`, with a warning, where it can't be had: watching is worth
    /// more than being asked.
    ///
    /// # Errors
    /// In words: another daemon answers there.
    pub async fn bind(path: &Path) -> Result<Option<Self>, String> {
        if UnixStream::connect(path).await.is_ok() {
            return Err(format!(
                "already running: a daemon answers on {}. Stop it first, or give this one another --control",
                path.display()
            ));
        }
        match open(path) {
            Ok(listener) => Ok(Some(Self { path: path.into(), listener: Some(listener) })),
            Err(error) => {
                let why = if error.kind() == ErrorKind::InvalidInput { TOO_LONG.into() } else { error.to_string() };
                tracing::warn!(
                    "no control socket at {}: {why}; status, explain, events, and all that steers it can't reach this daemon \
                     (give it a path that it may write to with --control)",
                    path.display()
                );
                Ok(None)
            }
        }
    }

    /// Serves `app` on it, for as long as the runtime lives.
    pub fn serve(&mut self, app: Router) -> impl Future<Output = ()> + use<> {
        let listener = mem::take(&mut self.listener);
        async move {
            if let Some(listener) = listener {
                // It retries by itself whatever goes wrong with one connection.
                let _ = axum::serve(listener, app).await;
            }
        }
    }
}

impl Drop for Socket {
    fn drop(&mut self) {
        // Whoever removed it already has spared us the work.
        let _ = fs::remove_file(&self.path);
    }
}

fn open(path: &Path) -> io::Result<UnixListener> {
    if let Some(dir) = path.parent() {
        fs::create_dir_all(dir)?;
    }
    match fs::symlink_metadata(path) {
        Ok(found) if found.file_type().is_socket() => fs::remove_file(path)?,
        Ok(_) => return Err(io::Error::new(ErrorKind::AlreadyExists, "a file that is no socket is in the way")),
        Err(_) => {}
    }
    let listener = UnixListener::bind(path)?;
    fs::set_permissions(path, fs::Permissions::from_mode(MODE))?;
    Ok(listener)
}

/// What only the control socket takes.
pub fn routes(commands: mpsc::Sender<Command>) -> Router {
    Router::new()
        .route("/control/reload", post(reload))
        .route("/control/forget", post(forget))
        .route("/control/handover", post(handover))
        .route("/control/fence", post(fence))
        .route("/control/unfence", post(unfence))
        .with_state(commands)
}

type Answer = (StatusCode, String);

async fn reload(State(commands): State<mpsc::Sender<Command>>) -> Answer {
    command(&commands, Command::Reload).await
}

/// What tells one virtual router from all others; two on different VLANs may have one name.
#[derive(Deserialize)]
struct Forget {
    interface: String,
    vlan: Option<u16>,
    family: String,
    vrid: u8,
}

async fn forget(State(commands): State<mpsc::Sender<Command>>, Query(wanted): Query<Forget>) -> Answer {
    let Forget { interface, vlan, family, vrid } = wanted;
    let Some(family) = Family::named(&family) else {
        return (StatusCode::BAD_REQUEST, "family is ipv4 or ipv6".into());
    };
    command(&commands, |answer| Command::Forget(RouterId { interface, vlan, family, vrid }, answer)).await
}

/// The name of a configured one says it all.
#[derive(Deserialize)]
struct Named {
    router: String,
    #[serde(default)]
    force: bool,
}

async fn handover(State(commands): State<mpsc::Sender<Command>>, Query(named): Query<Named>) -> Answer {
    act(&commands, named.router, Act::HandOver).await
}

async fn fence(State(commands): State<mpsc::Sender<Command>>, Query(named): Query<Named>) -> Answer {
    act(&commands, named.router, Act::Fence { force: named.force }).await
}

async fn unfence(State(commands): State<mpsc::Sender<Command>>, Query(named): Query<Named>) -> Answer {
    act(&commands, named.router, Act::Unfence).await
}

async fn act(commands: &mpsc::Sender<Command>, router: String, act: Act) -> Answer {
    command(commands, |answer| Command::Speaker { router, act, answer }).await
}

async fn command(
    commands: &mpsc::Sender<Command>,
    make: impl FnOnce(oneshot::Sender<Result<String, String>>) -> Command,
) -> Answer {
    let (sender, answer) = oneshot::channel();
    // If it can't be sent, its answer can't come either.
    let _ = commands.send(make(sender)).await;
    match answer.await {
        Ok(Ok(done)) => (StatusCode::OK, done),
        Ok(Err(refused)) => (StatusCode::CONFLICT, refused),
        Err(_) => (StatusCode::SERVICE_UNAVAILABLE, "the daemon is stopping".into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn the_socket_of_a_dead_daemon_is_replaced_and_that_of_a_living_one_is_not() {
        let dir = tempfile::tempdir().expect("a directory");
        let path = dir.path().join("control.sock");
        drop(UnixListener::bind(&path).expect("a first socket"));
        let socket = Socket::bind(&path).await.expect("nobody answers").expect("it may be written");
        assert_eq!(fs::metadata(&path).expect("it exists").permissions().mode() & 0o777, MODE);
        let refused = Socket::bind(&path).await.expect_err("the first one answers");
        assert!(refused.contains("already running"), "{refused}");
        drop(socket);
        assert!(!path.exists());
    }

    #[tokio::test]
    async fn a_file_that_is_no_socket_is_left_alone() {
        let dir = tempfile::tempdir().expect("a directory");
        let path = dir.path().join("precious");
        fs::write(&path, "data").expect("a file");
        assert!(Socket::bind(&path).await.expect("nobody answers").is_none());
        assert_eq!(fs::read_to_string(&path).expect("it is still there"), "data");
    }
}
