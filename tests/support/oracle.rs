//! Who answers for an address, as a third host sees it: it asks every millisecond. Hosts are told apart at the switch, by the port that
//! an answer comes in at: those with one virtual MAC look alike everywhere else.
#![allow(dead_code)]

use std::net::IpAddr;
use std::ops::RangeBounds;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use vipwarden::cli::demo::lab::{INTERFACE, Node};
use vipwarden::observe::PacketKind;
use vipwarden::sys::capture::Capture;
use vipwarden::sys::transmit::Transmitter;
use vipwarden::sys::{clock, interface, netns};
use vipwarden::time::Instant;
use vipwarden::wire::{ArpOperation, LinkLayer, NeighbourKind, Seen, dissect, frame};

const EVERY: Duration = Duration::from_millis(1);
/// What is asked last may still be answered.
const LAST_ANSWERS: Duration = Duration::from_millis(20);
/// Frames that are read at once.
const READ_MAX: usize = 1024;

/// One at work.
pub struct Oracle {
    stop: Arc<AtomicBool>,
    heard: Arc<[AtomicU64; 2]>,
    thread: JoinHandle<Record>,
}

/// What it has heard.
pub struct Record {
    /// When it asked, and who of the two answered then.
    questions: Vec<(Instant, [bool; 2])>,
    /// The kernel's times of the first and the last answer of each.
    spans: [Option<(Instant, Instant)>; 2],
    /// The kernel's times of each one's adverts, farewells excepted.
    adverts: [Vec<Instant>; 2],
}

impl Oracle {
    /// Begins to ask from a host who of two others has `address`.
    pub fn start(from: &Node, suspects: [&Node; 2], address: IpAddr) -> Self {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_io().build().expect("a runtime");
        let taps = netns::inside(from.switch(), || {
            let _guard = runtime.enter();
            suspects.map(|node| Capture::open(interface::index(node.name()).expect("a port")).expect("root"))
        });
        let way_out = from.inside(|| (Transmitter::open("the oracle"), interface::index(INTERFACE)));
        let (transmitter, out) = way_out.expect("the host is there");
        let (transmitter, out) = (transmitter.expect("root"), out.expect("an interface"));
        let question = question(from, address);
        let (stop, heard) = (Arc::new(AtomicBool::new(false)), Arc::new([AtomicU64::new(0), AtomicU64::new(0)]));
        let (until, count) = (stop.clone(), heard.clone());
        let mut listener =
            Listener { taps: taps.expect("the switch is there"), address, heard: count, record: Record::new() };
        let thread = thread::spawn(move || {
            // The taps are registered there.
            let _runtime = runtime;
            let mut next = clock::now();
            while !until.load(Ordering::Relaxed) {
                listener.record.questions.push((clock::now(), [false; 2]));
                // A full queue is a question less.
                let _ = transmitter.send(out, &question);
                next += EVERY;
                thread::sleep(next.since(clock::now()));
                listener.hear();
            }
            thread::sleep(LAST_ANSWERS);
            listener.hear();
            listener.record
        });
        Self { stop, heard, thread }
    }

    /// How often one of the two has answered.
    pub fn answers(&self, suspect: usize) -> u64 {
        self.heard[suspect].load(Ordering::Relaxed)
    }

    /// Ends, and says what was heard.
    pub fn stop(self) -> Record {
        self.stop.store(true, Ordering::Relaxed);
        self.thread.join().expect("the oracle works")
    }
}

fn question(from: &Node, address: IpAddr) -> Vec<u8> {
    let mac = from.mac().parse().expect("a MAC");
    match address {
        IpAddr::V4(target) => frame::arp_request(mac, from.ipv4().parse().expect("an address"), target),
        IpAddr::V6(target) => {
            frame::neighbour_solicitation(mac, from.link_local().parse().expect("an address"), target)
        }
    }
}

struct Listener {
    taps: [Capture; 2],
    address: IpAddr,
    heard: Arc<[AtomicU64; 2]>,
    record: Record,
}

impl Listener {
    fn hear(&mut self) {
        let Self { taps, address, heard, record } = self;
        for (suspect, tap) in taps.iter().enumerate() {
            // A port that went down says so once.
            let _ = tap.drain(READ_MAX, |captured| {
                if captured.kind == PacketKind::Outgoing {
                    return;
                }
                match dissect(captured.bytes, LinkLayer::Ethernet).seen {
                    Seen::Advert(advert) if advert.priority > 0 => record.adverts[suspect].push(captured.at),
                    seen if answers(&seen, *address) => {
                        heard[suspect].fetch_add(1, Ordering::Relaxed);
                        record.take(suspect, captured.at);
                    }
                    _ => {}
                }
            });
        }
    }
}

/// Whether a frame is an answer to whoever asked, and no announcement.
fn answers(seen: &Seen, address: IpAddr) -> bool {
    match seen {
        Seen::Arp(arp) => {
            arp.operation == ArpOperation::Reply && !arp.is_gratuitous() && IpAddr::V4(arp.sender_ip) == address
        }
        Seen::Neighbour(neighbour) => {
            let is_solicited = matches!(neighbour.kind, NeighbourKind::Advertisement { solicited: true, .. });
            is_solicited && IpAddr::V6(neighbour.target) == address
        }
        _ => false,
    }
}

impl Record {
    const fn new() -> Self {
        Self { questions: Vec::new(), spans: [None; 2], adverts: [Vec::new(), Vec::new()] }
    }

    fn take(&mut self, suspect: usize, at: Instant) {
        let span = self.spans[suspect].get_or_insert((at, at));
        span.1 = span.1.max(at);
        let asked = self.questions.partition_point(|(sent, _)| *sent <= at);
        if let Some((_, answered)) = asked.checked_sub(1).and_then(|index| self.questions.get_mut(index)) {
            answered[suspect] = true;
        }
    }

    /// When one of the two answered for the first time.
    pub fn first(&self, suspect: usize) -> Option<Instant> {
        self.spans[suspect].map(|(first, _)| first)
    }

    /// When one of the two answered for the last time.
    pub fn last(&self, suspect: usize) -> Option<Instant> {
        self.spans[suspect].map(|(_, last)| last)
    }

    /// How long both answered of a time: from each question that both have answered to the next one.
    pub fn overlap(&self, during: impl RangeBounds<Instant>) -> Duration {
        let twice = self.questions.windows(2).filter(|pair| pair[0].1 == [true; 2] && during.contains(&pair[0].0));
        twice.map(|pair| pair[1].0.since(pair[0].0)).sum()
    }

    /// The longest time between two questions in a row that somebody has answered, of those asked during a time.
    pub fn gap(&self, during: impl RangeBounds<Instant>) -> Duration {
        let asked = self.questions.iter().filter(|(at, _)| during.contains(at));
        let answered: Vec<_> = asked.filter(|(_, by)| *by != [false; 2]).map(|(at, _)| *at).collect();
        answered.windows(2).map(|pair| pair[1].since(pair[0])).max().unwrap_or_default()
    }

    /// How long the first one had sent no advert, by the switch, when the second one sent its first one after `from`.
    pub fn silence(&self, from: Instant) -> Option<Duration> {
        let took = self.adverts[1].iter().find(|at| **at >= from)?;
        let last = self.adverts[0].iter().rev().find(|at| *at < took)?;
        Some(took.since(*last))
    }
}
