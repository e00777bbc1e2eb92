//! Forged adverts, put on a host's cable as they are.

use super::{INTERFACE, Node};
use pnet::datalink::{self, Channel, DataLinkSender};
use std::net::{Ipv4Addr, Ipv6Addr};
use std::sync::mpsc;
use std::thread::JoinHandle;
use std::time::Duration;

/// A VRRPv3 advert over IPv4.
#[derive(Clone, Debug)]
pub struct Advert {
    pub mac: [u8; 6],
    pub source: Ipv4Addr,
    pub vlan: Option<u16>,
    pub ttl: u8,
    pub vrid: u8,
    pub priority: u8,
    pub centiseconds: u16,
    pub addresses: Vec<Ipv4Addr>,
    /// False: the checksum covers the message only, as RFC 9568 has it.
    pub pseudo_header: bool,
}

impl Advert {
    /// From 10.9.9.`host`, every 100 ms, priority 100.
    pub fn from_host(host: u8, vrid: u8, addresses: Vec<Ipv4Addr>) -> Self {
        let source = Ipv4Addr::new(10, 9, 9, host);
        let mac = [2, 0, 0, 0xf0, 0, host];
        Self {
            mac,
            source,
            vlan: None,
            ttl: 255,
            vrid,
            priority: 100,
            centiseconds: 10,
            addresses,
            pseudo_header: true,
        }
    }

    /// The Ethernet frame.
    pub fn frame(&self) -> Vec<u8> {
        let message = self.message();
        let mut frame = vec![0x01, 0x00, 0x5e, 0x00, 0x00, 0x12];
        frame.extend(self.mac);
        if let Some(vlan) = self.vlan {
            frame.extend([0x81, 0x00]);
            frame.extend(vlan.to_be_bytes());
        }
        frame.extend([0x08, 0x00]);
        let length = u16::try_from(20 + message.len()).expect("at most 255 addresses");
        let mut header = vec![0x45, 0xc0];
        header.extend(length.to_be_bytes());
        header.extend([0, 1, 0, 0, self.ttl, 112, 0, 0]);
        header.extend(self.source.octets());
        header.extend(GROUP);
        let sum = checksum(&header);
        header[10..12].copy_from_slice(&sum);
        frame.extend(header);
        frame.extend(message);
        frame
    }

    fn message(&self) -> Vec<u8> {
        let count = u8::try_from(self.addresses.len()).expect("at most 255 addresses");
        let [high, low] = self.centiseconds.to_be_bytes();
        let mut message = vec![0x31, self.vrid, self.priority, count, high, low, 0, 0];
        message.extend(self.addresses.iter().flat_map(Ipv4Addr::octets));
        let length = u16::try_from(message.len()).expect("at most 255 addresses").to_be_bytes();
        let covered = match self.pseudo_header {
            true => [&self.source.octets()[..], &GROUP, &[0, 112], &length, &message].concat(),
            false => message.clone(),
        };
        message[6..8].copy_from_slice(&checksum(&covered));
        message
    }
}

/// A VRRPv3 advert over IPv6.
#[derive(Clone, Debug)]
pub struct AdvertV6 {
    pub mac: [u8; 6],
    pub source: Ipv6Addr,
    pub vrid: u8,
    pub priority: u8,
    pub centiseconds: u16,
    pub addresses: Vec<Ipv6Addr>,
}

impl AdvertV6 {
    /// The Ethernet frame.
    pub fn frame(&self) -> Vec<u8> {
        let count = u8::try_from(self.addresses.len()).expect("at most 255 addresses");
        let [high, low] = self.centiseconds.to_be_bytes();
        let mut message = vec![0x31, self.vrid, self.priority, count, high, low, 0, 0];
        message.extend(self.addresses.iter().flat_map(Ipv6Addr::octets));
        let head = [[0x33, 0x33, 0, 0, 0, 0x12], self.mac].concat();
        over_ipv6(head, self.source, Ipv6Addr::new(0xff02, 0, 0, 0, 0, 0, 0, 0x12), 112, (message, 6))
    }
}

/// A neighbour advertisement from `mac`: `target` is there. Flags as in RFC 4861 §4.4.
pub fn neighbour_advertisement(mac: [u8; 6], target: Ipv6Addr, flags: u8, to: ([u8; 6], Ipv6Addr)) -> Vec<u8> {
    let message = [&[136, 0, 0, 0, flags, 0, 0, 0][..], &target.octets(), &[2, 1], &mac].concat();
    over_ipv6([to.0, mac].concat(), target, to.1, 58, (message, 2))
}

/// A message whose checksum is at an offset, in an IPv6 packet behind a head of two MACs.
fn over_ipv6(
    mut frame: Vec<u8>,
    from: Ipv6Addr,
    to: Ipv6Addr,
    protocol: u8,
    (mut message, sum_at): (Vec<u8>, usize),
) -> Vec<u8> {
    let length = u16::try_from(message.len()).expect("at most 65535 bytes").to_be_bytes();
    let ends = [from.octets(), to.octets()].concat();
    let sum = checksum(&[&ends[..], &[0, 0], &length, &[0, 0, 0, protocol], &message].concat());
    message[sum_at..sum_at + 2].copy_from_slice(&sum);
    frame.extend([0x86, 0xdd, 0x60, 0, 0, 0, length[0], length[1], protocol, 255]);
    frame.extend(ends);
    frame.extend(message);
    frame
}

const GROUP: [u8; 4] = [224, 0, 0, 18];

fn checksum(bytes: &[u8]) -> [u8; 2] {
    let words = bytes.chunks(2).map(|w| u32::from(w[0]) << 8 | u32::from(w.get(1).copied().unwrap_or(0)));
    let mut sum: u32 = words.sum();
    while sum > 0xffff {
        sum = (sum & 0xffff) + (sum >> 16);
    }
    u16::try_from(!sum & 0xffff).expect("16 bits").to_be_bytes()
}

/// Sends frames out of a host's interface.
pub struct Injector(Box<dyn DataLinkSender>);

impl Injector {
    /// Opens a packet socket on the host's cable to the switch.
    pub fn open(node: &Node) -> Self {
        Self::on(node, INTERFACE)
    }

    /// Opens one on another interface of the host.
    pub fn on(node: &Node, interface: &str) -> Self {
        let channel = node.inside(|| {
            let found = datalink::interfaces().into_iter().find(|i| i.name == interface);
            datalink::channel(&found.expect("the host has its interface"), datalink::Config::default())
        });
        match channel.expect("the host's namespace is there").expect("a packet socket opens") {
            Channel::Ethernet(sender, _) => Self(sender),
            _ => unreachable!("an Ethernet interface has an Ethernet channel"),
        }
    }

    /// Sends one frame.
    pub fn send(&mut self, frame: &[u8]) {
        self.0.send_to(frame, None).expect("the socket takes frames").expect("the frame leaves");
    }
}

/// Sends one frame every 100 ms until it is dropped.
pub struct Speaker {
    stop: Option<mpsc::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Speaker {
    /// Starts it on a host. The first advert goes out at once.
    pub fn start(node: &Node, frame: Vec<u8>) -> Self {
        let mut injector = Injector::open(node);
        let (stop, stopped) = mpsc::channel();
        injector.send(&frame);
        let thread = std::thread::spawn(move || {
            while stopped.recv_timeout(Duration::from_millis(100)) == Err(mpsc::RecvTimeoutError::Timeout) {
                injector.send(&frame);
            }
        });
        Self { stop: Some(stop), thread: Some(thread) }
    }
}

impl Drop for Speaker {
    fn drop(&mut self) {
        drop(self.stop.take());
        let ended = self.thread.take().map(JoinHandle::join);
        assert!(std::thread::panicking() || matches!(ended, Some(Ok(()))), "the speaker could send to its end");
    }
}
