//! What capturing costs under load: 200 000 unrelated packets a second, and 25 000 adverts a second, three seconds each.
//!
//! Needs root. It runs itself again in a network namespace of its own, and sends over a veth pair there.

use std::net::Ipv4Addr;
use std::process::Command;
use std::thread;
use std::time::Duration;

use vipwarden::observe::IfIndex;
use vipwarden::sys::capture::{Capture, Counters};
use vipwarden::sys::clock;
use vipwarden::sys::transmit::Transmitter;
use vipwarden::time::CentiSeconds;
use vipwarden::wire::{Advert, Auth, ChecksumForm, Interval, LinkLayer, Seen, Version, dissect, frame};

const INSIDE: &str = "--inside-namespace";
const SECONDS: u64 = 3;
/// The sender sends this often, always so many frames at once that the rate comes out.
const BURSTS_PER_SECOND: u64 = 1000;
/// How long the capture goes on after the sender.
const GRACE: Duration = Duration::from_millis(300);

fn main() {
    if std::env::args().any(|argument| argument == INSIDE) {
        measure();
    } else {
        let this = std::env::current_exe().expect("this program's path");
        let status = Command::new("unshare").arg("--net").arg(this).arg(INSIDE).status().expect("unshare is installed");
        assert!(status.success(), "the measurement failed: it needs root");
    }
}

fn measure() {
    let (near, far) = lay_cable();
    let unrelated = vec![dns_query()];
    let adverts: Vec<_> = (1..=255).map(advert).collect();
    let alone = send(far, &unrelated, 200_000);
    println!("200 000 unrelated packets/s, nobody captures: {alone}");
    report("200 000 unrelated packets/s", near, far, &unrelated, 200_000);
    report("25 000 adverts/s", near, far, &adverts, 25_000);
}

/// What came of one load.
struct Outcome {
    counters: Counters,
    adverts: u64,
    cpu: Duration,
    /// From the kernel's timestamp to the dissected value, sorted.
    delays: Vec<Duration>,
}

fn report(name: &str, near: IfIndex, far: IfIndex, frames: &[Vec<u8>], per_second: u64) {
    let (sent, outcome) = thread::scope(|scope| {
        let (ready, wait) = std::sync::mpsc::channel();
        let capturing = scope.spawn(move || capture(near, &ready));
        wait.recv().expect("the capture opens");
        (send(far, frames, per_second), capturing.join().expect("the capture works"))
    });
    let span = Duration::from_secs(SECONDS) + GRACE;
    let delay = |share: f64| {
        let last = outcome.delays.len().saturating_sub(1);
        outcome.delays.get((last as f64 * share) as usize).copied().unwrap_or_default()
    };
    println!("{name}: {sent}");
    println!("  capture thread {:.3} % of a core", outcome.cpu.as_secs_f64() / span.as_secs_f64() * 100.0);
    println!("  {:?}, dissected as adverts {}", outcome.counters, outcome.adverts);
    println!("  kernel to value: p50 {:.1?}, p99 {:.1?}, max {:.1?}", delay(0.5), delay(0.99), delay(1.0));
}

/// What sending took. A veth delivers on the sender's time, so the kernel's part of capturing is in it: the filter above all.
struct Sent {
    frames: u32,
    took: Duration,
    cpu: Duration,
}

impl std::fmt::Display for Sent {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "sent {} in {:.2?}, {:?} of processor time each", self.frames, self.took, self.cpu / self.frames)
    }
}

/// Sends in bursts at an even pace.
fn send(interface: IfIndex, frames: &[Vec<u8>], per_second: u64) -> Sent {
    let transmitter = Transmitter::open("a benchmark").expect("root");
    let mut cycle = frames.iter().cycle();
    let (start, cpu) = (clock::now(), thread_cpu_time());
    let mut sent = 0;
    for burst in 1..=SECONDS * BURSTS_PER_SECOND {
        for frame in cycle.by_ref().take((per_second / BURSTS_PER_SECOND) as usize) {
            transmitter.send(interface, frame).expect("room in the queue");
            sent += 1;
        }
        let next = start + Duration::from_micros(burst * 1_000_000 / BURSTS_PER_SECOND);
        thread::sleep(next.since(clock::now()));
    }
    Sent { frames: sent, took: clock::now().since(start), cpu: thread_cpu_time() - cpu }
}

/// Captures and dissects until the sender must have finished.
fn capture(interface: IfIndex, ready: &std::sync::mpsc::Sender<()>) -> Outcome {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    runtime.block_on(async {
        let mut capture = Capture::open(interface).expect("root");
        let mut outcome =
            Outcome { counters: Counters::default(), adverts: 0, cpu: Duration::ZERO, delays: Vec::new() };
        ready.send(()).expect("a listener");
        let before = thread_cpu_time();
        let reading = async {
            loop {
                capture.readable().await.expect("a runtime");
                let take = |captured: vipwarden::sys::capture::Captured<'_>| {
                    if let Seen::Advert(_) = dissect(captured.bytes, LinkLayer::Ethernet).seen {
                        outcome.adverts += 1;
                        outcome.delays.push(clock::now().since(captured.at));
                    }
                };
                capture.drain(256, take).expect("the interface is up");
            }
        };
        let _ = tokio::time::timeout(Duration::from_secs(SECONDS) + GRACE, reading).await;
        outcome.cpu = thread_cpu_time() - before;
        outcome.counters = capture.counters().expect("a socket");
        outcome.delays.sort();
        outcome
    })
}

/// Time that this thread spent on a processor: the first figure of its schedstat, in nanoseconds.
fn thread_cpu_time() -> Duration {
    let text = std::fs::read_to_string("/proc/thread-self/schedstat").expect("a kernel with schedstat");
    Duration::from_nanos(text.split(' ').next().and_then(|figure| figure.parse().ok()).expect("a figure"))
}

/// A veth pair in this namespace, up. Neither end has an address, so the stack itself says next to nothing.
fn lay_cable() -> (IfIndex, IfIndex) {
    ip("link add near index 10 address 02:00:00:00:00:01 type veth peer name far index 11 address 02:00:00:00:00:02");
    ip("link set near up");
    ip("link set far up");
    while !ip("link show far").contains("state UP") {
        thread::sleep(Duration::from_millis(2));
    }
    (IfIndex(10), IfIndex(11))
}

fn ip(arguments: &str) -> String {
    let output = Command::new("ip").args(arguments.split(' ')).output().expect("iproute2 is installed");
    assert!(output.status.success(), "ip {arguments}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8_lossy(&output.stdout).into_owned()
}

fn advert(vrid: u8) -> Vec<u8> {
    let advert = Advert {
        mac: None,
        source: Ipv4Addr::new(10, 9, 9, 2).into(),
        destination: Ipv4Addr::new(224, 0, 0, 18).into(),
        ttl: 255,
        version: Version::V3,
        vrid,
        priority: 200,
        interval: Interval::CentiSeconds(CentiSeconds(1)),
        auth: Auth::None,
        checksum: ChecksumForm::PseudoHeader,
        addresses: vec![Ipv4Addr::new(10, 9, 9, vrid).into()],
    };
    frame::advert(&advert, None).expect("a good advert")
}

/// A UDP packet of 64 bytes to port 53 of some host.
fn dns_query() -> Vec<u8> {
    let (near, far) = ([2, 0, 0, 0, 0, 1], [2, 0, 0, 0, 0, 2]);
    let ip_header = [0x45, 0, 0, 50, 0, 1, 0, 0, 64, 17, 0, 0, 10, 9, 9, 2, 10, 9, 9, 77];
    let udp_header = [0x9c, 0x40, 0, 53, 0, 30, 0, 0];
    [near.as_slice(), &far, &[0x08, 0x00], &ip_header, &udp_header, &[0; 22]].concat()
}
