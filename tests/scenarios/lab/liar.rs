//! A host that answers for addresses that it has not, by ARP and by neighbour advertisements.

use super::{INTERFACE, Node, frames::neighbour_advertisement};
use pnet::datalink::{self, Channel, DataLinkReceiver, DataLinkSender};
use std::net::{IpAddr, Ipv6Addr};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

/// Lies until it is dropped.
pub struct Liar {
    ends: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

/// What is said, and of what.
#[derive(Clone, Copy, Debug)]
pub struct Lie {
    /// Where the address is said to be.
    pub at: [u8; 6],
    /// The source of the frames.
    pub from: [u8; 6],
    /// Of which address; `None` is of every one.
    pub of: Option<IpAddr>,
}

impl Liar {
    /// What it says that every address is at.
    pub const MAC: [u8; 6] = [2, 0, 0, 0xba, 0xd0, 1];

    /// Begins on a host: every address that anybody asks for is at its own MAC.
    pub fn start(node: &Node) -> Self {
        Self::telling(node, Lie { at: Self::MAC, from: Self::MAC, of: None })
    }

    /// The same with another lie.
    pub fn telling(node: &Node, lie: Lie) -> Self {
        let config = datalink::Config { read_timeout: Some(Duration::from_millis(50)), ..Default::default() };
        let channel = node.inside(|| {
            let found = datalink::interfaces().into_iter().find(|i| i.name == INTERFACE);
            datalink::channel(&found.expect("the host has its interface"), config)
        });
        let (sender, receiver) = match channel.expect("the host's namespace is there").expect("a packet socket opens") {
            Channel::Ethernet(sender, receiver) => (sender, receiver),
            _ => unreachable!("an Ethernet interface has an Ethernet channel"),
        };
        let ends = Arc::new(AtomicBool::new(false));
        let told = Arc::clone(&ends);
        let thread = Some(std::thread::spawn(move || lie.tell(sender, receiver, &told)));
        Self { ends, thread }
    }
}

impl Drop for Liar {
    fn drop(&mut self) {
        self.ends.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            let ended = thread.join();
            assert!(std::thread::panicking() || ended.is_ok(), "it could lie to its end");
        }
    }
}

impl Lie {
    fn tell(self, mut sender: Box<dyn DataLinkSender>, mut receiver: Box<dyn DataLinkReceiver>, ends: &AtomicBool) {
        while !ends.load(Ordering::Relaxed) {
            // It comes back empty-handed now and then, to look whether it is to end.
            let Ok(frame) = receiver.next() else { continue };
            if let Some(lie) = self.arp_reply(frame).or_else(|| self.advertisement(frame)) {
                sender.send_to(&lie, None).expect("the socket takes frames").expect("the frame leaves");
            }
        }
    }

    fn is_of(&self, target: IpAddr) -> bool {
        self.of.is_none_or(|address| address == target)
    }

    /// The answer to an ARP request of another host.
    fn arp_reply(&self, frame: &[u8]) -> Option<Vec<u8>> {
        let arp = frame.get(14..42).filter(|_| frame[12..14] == [8, 6])?;
        let (asks, mac) = (arp[6..8] == [0, 1], &arp[8..14]);
        let target = <[u8; 4]>::try_from(&arp[24..28]).expect("4 bytes");
        (asks && mac != Liar::MAC && self.is_of(target.into())).then(|| {
            let head = [&arp[8..14], &self.from, &[8, 6, 0, 1, 8, 0, 6, 4, 0, 2]].concat();
            [&head[..], &self.at, &target, &arp[8..14], &arp[14..18]].concat()
        })
    }

    /// The answer to a neighbour solicitation of a host that has an address.
    fn advertisement(&self, frame: &[u8]) -> Option<Vec<u8>> {
        let packet = frame.get(14..78).filter(|_| frame[12..14] == [0x86, 0xdd])?;
        let asks = packet[6] == 58 && packet[40] == 135;
        let address = |at: usize| Ipv6Addr::from(<[u8; 16]>::try_from(&packet[at..at + 16]).expect("16 bytes"));
        let (mac, from, target) = (<[u8; 6]>::try_from(&frame[6..12]).expect("6 bytes"), address(8), address(48));
        // Solicited, and to override what is known.
        (asks && !from.is_unspecified() && self.is_of(target.into())).then(|| {
            let mut frame = neighbour_advertisement(self.at, target, 0x60, (mac, from));
            frame[6..12].copy_from_slice(&self.from);
            frame
        })
    }
}
