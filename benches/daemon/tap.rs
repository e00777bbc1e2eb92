//! Who looks at the cable from the far end: when the daemon's adverts come, by the kernel's clock there.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::mpsc;
use std::thread::{self, JoinHandle};
use std::time::Duration;

use tokio::sync::oneshot;
use vipwarden::sys::capture::{Capture, Captured};
use vipwarden::sys::netns;
use vipwarden::time::Instant;
use vipwarden::wire::{LinkLayer, Seen, dissect};

use super::load::FAR;

/// A thread that reads every advert of one host.
pub struct Tap {
    stop: oneshot::Sender<()>,
    thread: JoinHandle<Heard>,
}

/// When each virtual router was advertised.
#[derive(Default)]
pub struct Heard {
    seen: HashMap<u8, Vec<Instant>>,
    dropped: u64,
}

impl Tap {
    /// Listens in a namespace to what `source` says.
    pub fn start(namespace: &str, source: IpAddr) -> Self {
        let (stop, stopped) = oneshot::channel();
        let (open, is_open) = mpsc::channel();
        let namespace = namespace.to_owned();
        let thread = thread::spawn(move || {
            netns::inside(&namespace, || listen(source, &open, stopped)).expect("the namespace is there")
        });
        is_open.recv().expect("the tap opens (root)");
        Self { stop, thread }
    }

    /// What it saw.
    pub fn stop(self) -> Heard {
        self.stop.send(()).expect("the tap listens");
        self.thread.join().expect("the tap works")
    }
}

fn listen(source: IpAddr, open: &mpsc::Sender<()>, mut stopped: oneshot::Receiver<()>) -> Heard {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    let mut heard = Heard::default();
    runtime.block_on(async {
        let capture = Capture::open(FAR).expect("root");
        open.send(()).expect("somebody waits");
        let mut take = |captured: Captured<'_>| {
            if let Seen::Advert(advert) = dissect(captured.bytes, LinkLayer::Ethernet).seen
                && advert.source == source
            {
                heard.seen.entry(advert.vrid).or_default().push(captured.at);
            }
        };
        loop {
            tokio::select! {
                readable = capture.readable() => readable.expect("a runtime"),
                _ = &mut stopped => break,
            }
            capture.drain(256, &mut take).expect("the cable is up");
        }
        heard.dropped = capture.counters().expect("a socket").dropped;
    });
    heard
}

impl Heard {
    /// How far each time between two adverts of a virtual router was from the interval, one row of all; and how many routers these are.
    pub fn deviations(&self, interval: Duration) -> (Vec<Duration>, usize) {
        assert_eq!(self.dropped, 0, "the tap lost frames: what it saw says nothing");
        let gaps = self.seen.values().flat_map(|times| times.windows(2).map(|pair| pair[1].since(pair[0])));
        (gaps.map(|gap| gap.abs_diff(interval)).collect(), self.seen.len())
    }
}
