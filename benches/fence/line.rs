//! The way to the members of an etcd cluster, which can be made slow.

use std::io::{self, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::{self, sleep};
use std::time::Duration;

use crate::lab::Node;

/// What is added to a member's port.
const OFFSET: u16 = 1000;
/// The longest delay of a request, in milliseconds.
const SLOWEST: u64 = 2000;
/// A step that comes everywhere between none and the longest.
const STEP: u64 = 1237;
const LOOK_EVERY: Duration = Duration::from_millis(10);

#[derive(Default)]
struct State {
    slow: AtomicBool,
    over: AtomicBool,
    requests: AtomicU64,
}

/// The way.
pub struct Line(Arc<State>);

impl Line {
    /// One to the members at `urls`, all on `node`, and the URLs that lead there by it.
    pub fn lay(node: &Node, urls: &[String]) -> (Self, Vec<String>) {
        let state = Arc::new(State::default());
        let lead = |url: &String| {
            let member: SocketAddr = url.trim_start_matches("http://").parse().expect("an address");
            let entry = SocketAddr::new(member.ip(), member.port() + OFFSET);
            let listener = node.inside(|| TcpListener::bind(entry)).expect("the node is there").expect("a free port");
            listener.set_nonblocking(true).expect("a socket");
            let (node, state) = (node.clone(), state.clone());
            thread::spawn(move || node.inside(|| serve(&listener, member, &state)));
            format!("http://{entry}")
        };
        let leads = urls.iter().map(lead).collect();
        (Self(state), leads)
    }

    /// Requests take up to two seconds from now on, or no time.
    pub fn slow(&self, slow: bool) {
        self.0.slow.store(slow, Ordering::Relaxed);
    }
}

impl Drop for Line {
    fn drop(&mut self) {
        self.0.over.store(true, Ordering::Relaxed);
    }
}

fn serve(listener: &TcpListener, member: SocketAddr, state: &Arc<State>) {
    while !state.over.load(Ordering::Relaxed) {
        let Ok((client, _)) = listener.accept() else {
            sleep(LOOK_EVERY);
            continue;
        };
        let state = state.clone();
        // A member that is not there, or not any more, ends the connection.
        thread::spawn(move || drop(carry(client, member, &state)));
    }
}

/// Requests to the member, after their delay, and its answers back.
fn carry(mut client: TcpStream, member: SocketAddr, state: &State) -> io::Result<()> {
    client.set_nonblocking(false)?;
    let mut server = TcpStream::connect(member)?;
    let (mut answers, mut back) = (server.try_clone()?, client.try_clone()?);
    thread::spawn(move || {
        let _ = io::copy(&mut answers, &mut back);
        back.shutdown(Shutdown::Both)
    });
    let mut request = vec![0; 64 << 10];
    loop {
        let length = client.read(&mut request)?;
        if length == 0 {
            return server.shutdown(Shutdown::Both);
        }
        if state.slow.load(Ordering::Relaxed) {
            let number = state.requests.fetch_add(1, Ordering::Relaxed);
            sleep(Duration::from_millis(number * STEP % (SLOWEST + 1)));
        }
        server.write_all(&request[..length])?;
    }
}
