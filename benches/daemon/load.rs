//! Frames, and threads that send them at a pace.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use vipwarden::observe::IfIndex;
use vipwarden::sys::clock;
use vipwarden::sys::transmit::Transmitter;
use vipwarden::time::CentiSeconds;
use vipwarden::wire::{Advert, Auth, ChecksumForm, Family, Interval, MacAddr, Version, frame};

/// The index that the far end of the cable was given.
pub const FAR: IfIndex = IfIndex(11);
/// The daemon's own address.
pub const NEAR_ADDRESS: Ipv4Addr = Ipv4Addr::new(10, 9, 0, 1);
const FAR_MAC: MacAddr = MacAddr(2, 0, 0, 0, 0, 2);

/// What sending took. A veth delivers on the sender's time, so the kernel's part of capturing is in it.
pub struct Sent {
    pub frames: u64,
    pub per_second: f64,
    pub processor_time_each: Duration,
}

/// A thread that sends the same frames over and over.
pub struct Sender {
    stop: Arc<AtomicBool>,
    thread: JoinHandle<Sent>,
}

impl Sender {
    pub fn start(transmitter: Transmitter, frames: Vec<Vec<u8>>, per_second: u32) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let until = stop.clone();
        let thread = thread::spawn(move || send(&transmitter, &frames, per_second, &until));
        Self { stop, thread }
    }

    pub fn stop(self) -> Sent {
        self.stop.store(true, Ordering::Relaxed);
        self.thread.join().expect("the sender works")
    }
}

/// A millisecond's share each millisecond. What the sender missed while the machine was busy elsewhere is left out, for it
/// would come as a burst.
fn send(transmitter: &Transmitter, frames: &[Vec<u8>], per_second: u32, stop: &AtomicBool) -> Sent {
    const TICK: Duration = Duration::from_millis(1);
    let mut cycle = frames.iter().cycle();
    let (start, cpu) = (clock::now(), thread_cpu_time());
    let (mut sent, mut last, mut due) = (0, start, 0.0);
    while !stop.load(Ordering::Relaxed) {
        let now = clock::now();
        due += now.since(last).min(TICK * 20).as_secs_f64() * f64::from(per_second);
        last = now;
        while due >= 1.0 {
            // A full queue loses a frame, as a switch would.
            let _ = transmitter.send(FAR, cycle.next().expect("an endless cycle of some frames"));
            due -= 1.0;
            sent += 1;
        }
        thread::sleep(TICK);
    }
    let took = clock::now().since(start).as_secs_f64();
    let each = (thread_cpu_time() - cpu).as_secs_f64() / sent as f64;
    Sent { frames: sent, per_second: sent as f64 / took, processor_time_each: Duration::from_secs_f64(each) }
}

/// The first figure of a thread's schedstat, in nanoseconds.
fn thread_cpu_time() -> Duration {
    let text = std::fs::read_to_string("/proc/thread-self/schedstat").expect("a kernel with schedstat");
    Duration::from_nanos(text.split(' ').next().and_then(|figure| figure.parse().ok()).expect("a figure"))
}

/// The address of a virtual router.
pub fn vip(family: Family, vrid: u8) -> IpAddr {
    match family {
        Family::V4 => Ipv4Addr::new(10, 9, 9, vrid).into(),
        Family::V6 => Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0, 9, vrid.into()).into(),
    }
}

/// The `number`th host that advertises.
fn host(family: Family, number: u16) -> IpAddr {
    match family {
        Family::V4 => Ipv4Addr::from(0x0a09_0000 | u32::from(number)).into(),
        Family::V6 => Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0, 0, number).into(),
    }
}

/// The advert of a well-behaved master.
pub fn advert(family: Family, vrid: u8, centiseconds: u16) -> Advert {
    let destination = match family {
        Family::V4 => Ipv4Addr::new(224, 0, 0, 18).into(),
        Family::V6 => Ipv6Addr::new(0xff02, 0, 0, 0, 0, 0, 0, 0x12).into(),
    };
    Advert {
        mac: Some(FAR_MAC),
        source: host(family, 2),
        destination,
        ttl: 255,
        version: Version::V3,
        vrid,
        priority: 200,
        interval: Interval::CentiSeconds(CentiSeconds(centiseconds)),
        auth: Auth::None,
        checksum: ChecksumForm::PseudoHeader,
        addresses: vec![vip(family, vrid)],
    }
}

/// Another host's advert for the same virtual router.
pub fn rival(family: Family, vrid: u8) -> Vec<u8> {
    let mac = Some(MacAddr(2, 0, 0, 0, 0, 3));
    emit(&Advert { mac, source: host(family, 3), priority: 100, ..advert(family, vrid, 100) })
}

pub fn emit(advert: &Advert) -> Vec<u8> {
    frame::advert(advert, None).expect("a good advert")
}

/// All 255 virtual routers of both families on one segment.
pub fn segment(centiseconds: u16) -> Vec<Vec<u8>> {
    segment_of(Family::V4, centiseconds).chain(segment_of(Family::V6, centiseconds)).collect()
}

/// Those of one family.
pub fn segment_of(family: Family, centiseconds: u16) -> impl Iterator<Item = Vec<u8>> {
    (1..=255).map(move |vrid| emit(&advert(family, vrid, centiseconds)))
}

/// The same frames behind a VLAN tag.
pub fn tagged(frames: &[Vec<u8>], vlan: u16) -> impl Iterator<Item = Vec<u8>> {
    frames.iter().map(move |frame| {
        let mut frame = frame.clone();
        frame.splice(12..12, [[0x81, 0x00], vlan.to_be_bytes()].concat());
        frame
    })
}

/// A UDP packet of 64 bytes to port 53 of some host.
pub fn dns_query() -> Vec<u8> {
    let (near, far) = ([2, 0, 0, 0, 0, 1], [2, 0, 0, 0, 0, 2]);
    let ip_header = [0x45, 0, 0, 50, 0, 1, 0, 0, 64, 17, 0, 0, 10, 9, 0, 2, 10, 9, 77, 77];
    let udp_header = [0x9c, 0x40, 0, 53, 0, 30, 0, 0];
    [near.as_slice(), &far, &[0x08, 0x00], &ip_header, &udp_header, &[0; 22]].concat()
}

/// What a stranger sends who means harm: random VRIDs and sources in both families and in VLANs, adverts that change all their
/// 255 addresses, and broken ones.
pub fn harm(count: u32) -> Vec<Vec<u8>> {
    let mut random = Random(0x9e37_79b9_7f4a_7c15);
    (0..count).map(|turn| harmful(turn, &mut random)).collect()
}

fn harmful(turn: u32, random: &mut Random) -> Vec<u8> {
    let family = if turn % 10 == 3 { Family::V6 } else { Family::V4 };
    let mut forged = advert(family, random.below(255) as u8 + 1, 100);
    forged.source = host(family, random.next() as u16);
    forged.mac = Some(MacAddr(2, 9, 0, 0, random.next() as u8, random.next() as u8));
    match turn % 5 {
        0 => forged.addresses = (0..255).map(|_| Ipv4Addr::from(random.next() as u32).into()).collect(),
        1 => {
            // One speaker of few routers, which says something else each time.
            forged = advert(family, random.below(8) as u8 + 1, 100);
            forged.addresses = (0..255).map(|_| Ipv4Addr::from(random.next() as u32).into()).collect();
        }
        _ => {}
    }
    let mut frame = emit(&forged);
    match turn % 5 {
        2 => {
            let length = frame.len() as u64;
            let at = 14 + random.below(length - 14) as usize;
            frame[at] ^= random.next() as u8;
            frame.truncate(34 + random.below(length - 33) as usize);
        }
        4 => frame = tagged(&[frame], random.below(4094) as u16 + 1).collect::<Vec<_>>().concat(),
        _ => {}
    }
    frame
}

/// Xorshift: the same flood at each run.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    fn below(&mut self, bound: u64) -> u64 {
        self.next() % bound
    }
}
