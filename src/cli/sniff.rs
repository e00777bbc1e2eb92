//! `vipwarden sniff`: the wire as one line an advert, until interrupted.

use std::fmt;
use std::io::{self, Write};
use std::process::ExitCode;

use futures_util::future::select_all;
use pnet::datalink::NetworkInterface;
use tokio::signal::unix::{SignalKind, signal};

use crate::observe::IfIndex;
use crate::sys::capture::{Capture, Captured};
use crate::sys::clock;
use crate::wire::{LinkLayer, Seen, dissect};

use super::line::Line;
use super::terminal::{complain, plain};

/// Frames read from one interface before the others have their turn.
const TURN: usize = 64;

/// Arguments.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Interface to sniff; may be repeated. Default: every Ethernet interface that is up.
    #[arg(long = "interface", short, value_name = "IF")]
    interfaces: Vec<String>,
}

/// Runs it until SIGINT or SIGTERM.
pub fn run(args: Args) -> ExitCode {
    let sniffed = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| error.to_string())
        .and_then(|runtime| runtime.block_on(sniff(&args.interfaces)));
    match sniffed {
        Ok(counts) => {
            complain(&counts.to_string());
            ExitCode::SUCCESS
        }
        Err(message) => {
            complain(&plain(&message, false));
            super::FAILED.into()
        }
    }
}

async fn sniff(names: &[String]) -> Result<Counts, String> {
    let mut taps = choose(names)?.iter().map(Tap::open).collect::<Result<Vec<_>, _>>()?;
    let listen = |kind| signal(kind).map_err(|error| format!("signals: {error}"));
    let (mut interrupt, mut terminate) = (listen(SignalKind::interrupt())?, listen(SignalKind::terminate())?);
    let mut counts = Counts::default();
    loop {
        let ready = select_all(taps.iter().map(|tap| Box::pin(tap.capture.readable())));
        let (result, index) = tokio::select! {
            (result, index, _) = ready => (result, index),
            _ = interrupt.recv() => return Ok(counts),
            _ = terminate.recv() => return Ok(counts),
        };
        let read = match result {
            Ok(()) => taps[index].drain(&mut counts),
            Err(error) => Err(error),
        };
        match read {
            Ok(Reader::Listens) => {}
            Ok(Reader::HasLeft) => return Ok(counts),
            // Frames come again when it is up again.
            Err(error) if error.kind() == io::ErrorKind::NetworkDown => {
                complain(&format!("{}: {error}", taps[index].name));
            }
            Err(error) => {
                let gone = taps.swap_remove(index);
                let message = format!("{}: {error}; it is sniffed no more", gone.name);
                if taps.is_empty() {
                    return Err(message);
                }
                complain(&message);
            }
        }
    }
}

/// Whether whoever reads our output is still there (`| head`).
enum Reader {
    Listens,
    HasLeft,
}

/// The named interfaces, or all that are worth it.
fn choose(names: &[String]) -> Result<Vec<NetworkInterface>, String> {
    let all = pnet::datalink::interfaces();
    if names.is_empty() {
        let chosen: Vec<_> = all.into_iter().filter(|i| i.is_up() && !i.is_loopback() && i.mac.is_some()).collect();
        let none = || "no Ethernet interface is up; name one with --interface".to_owned();
        return if chosen.is_empty() { Err(none()) } else { Ok(chosen) };
    }
    let find = |name: &String| {
        let missing = || format!("{name}: no such interface; `ip link` lists them");
        all.iter().find(|interface| interface.name == *name).cloned().ok_or_else(missing)
    };
    names.iter().map(find).collect()
}

/// One interface that is listened to.
struct Tap {
    name: String,
    capture: Capture,
}

impl Tap {
    fn open(interface: &NetworkInterface) -> Result<Self, String> {
        let name = plain(&interface.name, false);
        match Capture::open(IfIndex(interface.index)) {
            Ok(capture) => Ok(Self { name, capture }),
            Err(error) => Err(format!("{name}: {error}")),
        }
    }

    fn drain(&mut self, counts: &mut Counts) -> io::Result<Reader> {
        let wall = clock::wall();
        let mut out = io::stdout().lock();
        let mut reader = Reader::Listens;
        self.capture.drain(TURN, |Captured { at, vlan, kind, bytes }| {
            let dissected = dissect(bytes, LinkLayer::Ethernet);
            let vlan = vlan.or(dissected.vlan).filter(|vlan| *vlan != 0);
            let (interface, unix_nanos) = (&self.name, wall.unix_nanos(at));
            let line = Line { unix_nanos, interface, vlan, kind, seen: &dissected.seen };
            counts.add(&dissected.seen);
            if line.is_worth_it() && writeln!(out, "{line}").is_err() {
                reader = Reader::HasLeft;
            }
        })?;
        Ok(reader)
    }
}

/// What was seen in all.
#[derive(Debug, Default, PartialEq, Eq)]
struct Counts {
    adverts: u64,
    rejected: u64,
    others: u64,
}

impl Counts {
    fn add(&mut self, seen: &Seen) {
        match seen {
            Seen::Advert(advert) if advert.defect().is_none() => self.adverts += 1,
            Seen::Advert(_) | Seen::Rejected(_) => self.rejected += 1,
            Seen::Other(_) => self.others += 1,
            Seen::Arp(_) | Seen::Neighbour(_) | Seen::EchoReply(_) | Seen::Irrelevant => {}
        }
    }
}

impl fmt::Display for Counts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} adverts, {} rejected, {} of other protocols", self.adverts, self.rejected, self.others)
    }
}
