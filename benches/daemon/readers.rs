//! Who reads too much: scrapers at a pace, and connections that say nothing.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use vipwarden::sys::clock;
use vipwarden::sys::netns;

/// How many scrapers share the pace, each with a connection of its own.
const SCRAPERS: u32 = 8;
/// Between two looks at which of the silent connections were closed.
const LOOK_EVERY: Duration = Duration::from_millis(200);
/// The longest wait for an answer, or for a connection.
const PATIENCE: Duration = Duration::from_secs(10);

/// What came of it so far, and whether it is enough.
#[derive(Default)]
struct Tally {
    stop: AtomicBool,
    answers: AtomicU64,
    bytes: AtomicU64,
    failures: AtomicU64,
    reopened: AtomicU64,
}

/// What one of them does.
type Reader = Box<dyn FnOnce(&Tally) + Send>;

/// All of them; they go on until they are stopped.
pub struct Readers {
    tally: Arc<Tally>,
    threads: Vec<JoinHandle<()>>,
    start: vipwarden::time::Instant,
}

impl Readers {
    /// From a namespace: `per_second` scrapes of `server`, and so many silent connections, which are opened again when they are closed.
    pub fn start(namespace: &str, server: SocketAddr, per_second: u32, idle: usize) -> Self {
        let pause = Duration::from_secs(1) * SCRAPERS / per_second;
        let silent: Reader = Box::new(move |tally| say_nothing(server, idle, tally));
        let scrapers = (0..SCRAPERS).map(|_| Box::new(move |tally: &Tally| scrape_on(server, pause, tally)) as Reader);
        Self::spawn(namespace, std::iter::once(silent).chain(scrapers))
    }

    /// One scraper, and none that is silent.
    pub fn scrape(namespace: &str, server: SocketAddr, pause: Duration) -> Self {
        let scraper: Reader = Box::new(move |tally| scrape_on(server, pause, tally));
        Self::spawn(namespace, std::iter::once(scraper))
    }

    fn spawn(namespace: &str, readers: impl Iterator<Item = Reader>) -> Self {
        let tally = Arc::new(Tally::default());
        let spawn = |read: Reader| {
            let (namespace, tally) = (namespace.to_owned(), tally.clone());
            thread::spawn(move || {
                give_way();
                netns::inside(&namespace, || read(&tally)).expect("the namespace is there");
            })
        };
        let threads = readers.map(spawn).collect();
        Self { tally, threads, start: clock::now() }
    }

    /// Stops them, and says what they got.
    pub fn stop(self) -> String {
        self.tally.stop.store(true, Ordering::Relaxed);
        let seconds = clock::now().since(self.start).as_secs_f64();
        self.threads.into_iter().for_each(|thread| thread.join().expect("a reader works"));
        let of = |count: &AtomicU64| count.load(Ordering::Relaxed) as f64;
        format!(
            "{:.1}/s, {:.0} MiB/s, {} failed; silent ones closed and opened again {}",
            of(&self.tally.answers) / seconds,
            of(&self.tally.bytes) / seconds / f64::from(1 << 20),
            of(&self.tally.failures),
            of(&self.tally.reopened)
        )
    }
}

/// Has this thread run after all others: those who read elsewhere take no core from the daemon.
fn give_way() {
    let thread = std::fs::read_link("/proc/thread-self").expect("this is Linux");
    let number = thread.file_name().expect("PID/task/TID");
    let output = Command::new("renice").args(["-n", "19", "-p"]).arg(number).output().expect("util-linux is installed");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

fn connect(server: SocketAddr) -> io::Result<TcpStream> {
    let stream = TcpStream::connect_timeout(&server, PATIENCE)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    Ok(stream)
}

/// One scrape each `pause`; what can't be answered in time is left out.
fn scrape_on(server: SocketAddr, pause: Duration, tally: &Tally) {
    let mut connection = None;
    let mut due = clock::now();
    while !tally.stop.load(Ordering::Relaxed) {
        match scrape(&mut connection, server) {
            Ok(bytes) => {
                tally.answers.fetch_add(1, Ordering::Relaxed);
                tally.bytes.fetch_add(bytes, Ordering::Relaxed);
            }
            Err(_) => {
                tally.failures.fetch_add(1, Ordering::Relaxed);
                connection = None;
            }
        }
        let now = clock::now();
        due = (due + pause).max(now);
        thread::sleep(due.since(now));
    }
}

/// The size of an answer.
fn scrape(connection: &mut Option<BufReader<TcpStream>>, server: SocketAddr) -> io::Result<u64> {
    let reader = match connection {
        Some(reader) => reader,
        None => connection.insert(BufReader::with_capacity(256 << 10, connect(server)?)),
    };
    reader.get_mut().write_all(b"GET /metrics HTTP/1.1\r\nHost: bench\r\n\r\n")?;
    let mut length = None;
    let mut line = String::new();
    while line != "\r\n" {
        line.clear();
        if reader.read_line(&mut line)? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        let header = line.to_ascii_lowercase();
        length = length.or(header.strip_prefix("content-length:").and_then(|value| value.trim().parse().ok()));
    }
    let length: u64 = length.ok_or(io::ErrorKind::InvalidData)?;
    match io::copy(&mut reader.take(length), &mut io::sink())? {
        read if read == length => Ok(length),
        _ => Err(io::ErrorKind::UnexpectedEof.into()),
    }
}

/// Holds connections open.
fn say_nothing(server: SocketAddr, count: usize, tally: &Tally) {
    let mut held: Vec<TcpStream> = Vec::new();
    let mut opened = 0_u64;
    while !tally.stop.load(Ordering::Relaxed) {
        held.retain(is_open);
        while held.len() < count {
            match connect(server).and_then(|stream| stream.set_nonblocking(true).map(|()| stream)) {
                Ok(stream) => held.push(stream),
                Err(_) => break,
            }
            opened += 1;
        }
        thread::sleep(LOOK_EVERY);
    }
    tally.reopened.store(opened.saturating_sub(count as u64), Ordering::Relaxed);
}

fn is_open(stream: &TcpStream) -> bool {
    matches!(stream.peek(&mut [0]), Err(error) if error.kind() == io::ErrorKind::WouldBlock)
}
