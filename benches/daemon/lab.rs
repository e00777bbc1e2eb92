//! Two network namespaces with a cable between them, and the release daemon in one of them.

use std::fmt;
use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::Duration;

use serde_json::Value;
use socket2::{Domain, Protocol, Socket, Type};
use vipwarden::engine::CORE_THREAD;
use vipwarden::sys::clock;
use vipwarden::sys::netns;
use vipwarden::sys::transmit::Transmitter;

/// How long a condition may take to come true on a busy machine.
const PATIENCE: Duration = Duration::from_secs(120);

/// The daemon's end of the cable is `near`, the senders' is `far`. Both namespaces go with this value.
pub struct Lab {
    here: String,
    there: String,
    dir: tempfile::TempDir,
}

impl Lab {
    /// Needs root.
    pub fn new() -> Self {
        let [here, there] = ["here", "there"].map(|end| format!("vipwarden-bench-{end}-{}", std::process::id()));
        let lab = Self { here, there, dir: tempfile::tempdir().expect("a temporary directory") };
        let (here, there) = (&lab.here, &lab.there);
        for line in [
            format!("netns add {here}"),
            format!("netns add {there}"),
            format!("-n {here} link set lo up"),
            format!(
                "-n {here} link add near index 10 address 02:00:00:00:00:01 type veth peer name far index 11 netns {there}"
            ),
            format!("-n {there} link set far address 02:00:00:00:00:02"),
            format!("-n {here} address add 10.9.0.1/16 dev near"),
            format!("-n {there} address add 10.9.0.2/16 dev far"),
            format!("-n {here} link set near up"),
            format!("-n {there} link set far up"),
        ] {
            ip(&line);
        }
        lab
    }

    /// Gives the far end these addresses: it answers for them then.
    pub fn hold(&self, addresses: impl Iterator<Item = String>) {
        let lines: String = addresses.map(|address| format!("address add {address} dev far\n")).collect();
        let mut child = Command::new("ip")
            .args(["-n", &self.there, "-batch", "-"])
            .stdin(Stdio::piped())
            .spawn()
            .expect("iproute2 is installed");
        child.stdin.take().expect("it is piped").write_all(lines.as_bytes()).expect("ip reads");
        assert!(child.wait().expect("ip ends").success(), "the far end takes its addresses");
    }

    /// A socket that sends out of the far end.
    pub fn transmitter(&self) -> Transmitter {
        netns::inside(&self.there, || Transmitter::open("a bench")).expect("the namespace is there").expect("root")
    }

    /// A place for a file.
    pub fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// The namespace of the far end.
    pub fn far(&self) -> &str {
        &self.there
    }

    /// The near end's sockets of a VRRP daemon, bound where nothing comes in: without one its host is no member of what it watches.
    pub fn sockets(&self) -> [Socket; 2] {
        let open = |domain, address: IpAddr| {
            let socket = Socket::new(domain, Type::RAW, Some(Protocol::from(112)))?;
            socket.bind(&SocketAddr::from((address, 0)).into())?;
            Ok::<_, std::io::Error>(socket)
        };
        let both = [(Domain::IPV4, Ipv4Addr::LOCALHOST.into()), (Domain::IPV6, Ipv6Addr::LOCALHOST.into())];
        both.map(|(domain, address)| {
            netns::inside(&self.here, || open(domain, address)).expect("the namespace is there").expect("root")
        })
    }

    /// Starts `vipwarden run` with this configuration, and waits until it captures.
    pub fn start(&self, config: &str) -> Daemon {
        self.start_with(&[], config, None)
    }

    /// The same, of a daemon that is asked over the cable, too.
    pub fn start_on(&self, listen: &[SocketAddr], config: &str) -> Daemon {
        self.start_with(listen, config, None)
    }

    /// The same, of a daemon that records, where a file is named.
    pub fn start_with(&self, listen: &[SocketAddr], config: &str, recording: Option<&Path>) -> Daemon {
        let [file, control, state] = ["vipwarden.toml", "control.sock", "state"].map(|name| self.path(name));
        let _ = fs::remove_dir_all(&state);
        let listen: Vec<String> = listen.iter().map(ToString::to_string).collect();
        let head =
            format!("[node]\nname = \"bench\"\nstate_dir = \"{}\"\n[web]\nlisten = {listen:?}\n", state.display());
        fs::write(&file, head + config).expect("a directory of our own");
        let child = Command::new("ip")
            .args([
                "netns",
                "exec",
                &self.here,
                env!("CARGO_BIN_EXE_vipwarden"),
                "run",
                "--interface",
                "near",
                "--config",
            ])
            .arg(&file)
            .arg("--control")
            .arg(&control)
            .args(recording.into_iter().flat_map(|file| [Path::new("--record"), file]))
            .stdout(Stdio::null())
            .stderr(fs::File::create(self.path("log")).expect("a directory of our own"))
            .spawn()
            .expect("the release build is there");
        let daemon = Daemon { child, control };
        until("the daemon captures", || daemon.connect().is_some() && daemon.is_ready());
        daemon
    }
}

impl Drop for Lab {
    fn drop(&mut self) {
        for namespace in [&self.here, &self.there] {
            let _ = Command::new("ip").args(["netns", "delete", namespace]).status();
        }
    }
}

/// Shares of one core, in per cent. A daemon that waited much was starved by the machine: its drops and delays say little then.
pub struct Load {
    ran: f64,
    waited: f64,
}

impl fmt::Display for Load {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:.2} % (and waited for a core {:.2} %)", self.ran, self.waited)
    }
}

/// A running daemon. It ends with this value.
pub struct Daemon {
    child: Child,
    control: PathBuf,
}

impl Daemon {
    fn connect(&self) -> Option<UnixStream> {
        UnixStream::connect(&self.control).ok()
    }

    fn ask(&self, path: &str, accept: &str) -> BufReader<UnixStream> {
        let mut stream = self.connect().expect("the daemon runs");
        let request = format!("GET {path} HTTP/1.1\r\nHost: bench\r\nAccept: {accept}\r\nConnection: close\r\n\r\n");
        stream.write_all(request.as_bytes()).expect("the daemon reads");
        let mut reader = BufReader::new(stream);
        let mut line = String::new();
        while line != "\r\n" {
            line.clear();
            reader.read_line(&mut line).expect("the daemon answers");
        }
        reader
    }

    /// The body of an answer. Bodies here have a length, so that the rest of the connection is the body.
    pub fn get(&self, path: &str) -> String {
        let mut body = String::new();
        self.ask(path, "*/*").read_to_string(&mut body).expect("the daemon answers in text");
        body
    }

    fn is_ready(&self) -> bool {
        self.get("/-/ready").contains("\"ready\":true")
    }

    /// The lines of the event stream.
    pub fn events(&self) -> impl Iterator<Item = Value> + use<> {
        let lines = self.ask("/api/v1/events", "text/event-stream").lines().map_while(Result::ok);
        lines.filter_map(|line| serde_json::from_str(line.strip_prefix("data:")?).ok())
    }

    /// The routers of the status document that a query leaves.
    pub fn routers(&self, query: &str) -> Vec<Value> {
        let mut document: Value =
            serde_json::from_str(&self.get(&format!("/api/v1/status{query}"))).expect("the API speaks JSON");
        match document["routers"].take() {
            Value::Array(routers) => routers,
            _ => Vec::new(),
        }
    }

    /// Waits until so many routers are healthy.
    pub fn wait_for_healthy(&self, count: usize) {
        until("all routers are healthy", || self.routers("?verdict=healthy").len() >= count);
    }

    /// The sum of a metric's series.
    pub fn metric(&self, name: &str) -> f64 {
        let text = self.get("/metrics");
        let of_name =
            text.lines().filter(|line| line.strip_prefix(name).is_some_and(|rest| rest.starts_with(['{', ' '])));
        of_name.filter_map(|line| line.rsplit(' ').next()?.parse::<f64>().ok()).sum()
    }

    /// What all its threads together, and its core thread alone, had of the processors so far, and how long they waited for one: the
    /// first two figures of each one's schedstat, in nanoseconds.
    fn processor_time(&self) -> [[Duration; 2]; 2] {
        let tasks = fs::read_dir(format!("/proc/{}/task", self.child.id())).expect("the daemon runs");
        let mut sums = [[Duration::ZERO; 2]; 2];
        for task in tasks.flatten() {
            let read = |name| fs::read_to_string(task.path().join(name)).unwrap_or_default();
            let (name, text) = (read("comm"), read("schedstat"));
            let mut figures = text.split(' ').filter_map(|figure| figure.parse().ok());
            let its = [0; 2].map(|_| Duration::from_nanos(figures.next().unwrap_or(0)));
            for sum in sums.iter_mut().take(if name.trim() == CORE_THREAD { 2 } else { 1 }) {
                *sum = [sum[0] + its[0], sum[1] + its[1]];
            }
        }
        sums
    }

    /// What it takes over a span from now on.
    pub fn load_over(&self, span: Duration) -> Load {
        let [all, _] = self.loads_over(span);
        all
    }

    /// The same, and what its core thread has of it.
    pub fn loads_over(&self, span: Duration) -> [Load; 2] {
        let (start, before) = (clock::now(), self.processor_time());
        thread::sleep(span);
        let (after, took) = (self.processor_time(), clock::now().since(start).as_secs_f64());
        [0, 1].map(|threads| {
            let share = |i: usize| (after[threads][i] - before[threads][i]).as_secs_f64() / took * 100.0;
            Load { ran: share(0), waited: share(1) }
        })
    }

    /// Resident memory now and at its highest, in MiB.
    pub fn memory(&self) -> (f64, f64) {
        let text = fs::read_to_string(format!("/proc/{}/status", self.child.id())).expect("the daemon runs");
        let field = |name: &str| {
            let line = text.lines().find_map(|line| line.strip_prefix(name)).unwrap_or_default();
            line.trim().trim_end_matches(" kB").parse::<f64>().unwrap_or(f64::NAN) / 1024.0
        };
        (field("VmRSS:"), field("VmHWM:"))
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Polls until a condition holds.
///
/// # Panics
/// When that takes too long.
pub fn until(what: &str, mut condition: impl FnMut() -> bool) {
    let deadline = clock::now() + PATIENCE;
    while !condition() {
        assert!(clock::now() < deadline, "waited in vain until {what}");
        thread::sleep(Duration::from_millis(100));
    }
}

fn ip(line: &str) {
    let output = Command::new("ip").args(line.split(' ')).output().expect("iproute2 is installed");
    assert!(output.status.success(), "ip {line}: {} (needs root)", String::from_utf8_lossy(&output.stderr));
}
