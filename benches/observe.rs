//! What one advert costs the watching core in steady state: 255 virtual routers, one master each, one advert a second.

use std::hint::black_box;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use vipwarden::detect::Watcher;
use vipwarden::observe::{Fact, Frame, IfIndex, Link, PacketKind, Settings};
use vipwarden::time::{Duration, Instant, Seconds, WallClock};
use vipwarden::wire::{Advert, Auth, ChecksumForm, Interval, LinkLayer, MacAddr, Seen, Version, dissect, frame};

const INTERFACE: IfIndex = IfIndex(2);
const ROUTERS: u64 = 255;

fn advert(vrid: u8) -> Advert {
    Advert {
        mac: Some(MacAddr(2, 0, 0, 0, 0, 1)),
        source: [10, 9, 8, 1].into(),
        destination: [224, 0, 0, 18].into(),
        ttl: 255,
        version: Version::V2,
        vrid,
        priority: 150,
        interval: Interval::Seconds(Seconds(1)),
        auth: Auth::None,
        checksum: ChecksumForm::Message,
        addresses: vec![[10, 9, 9, vrid].into()],
    }
}

fn fact(vrid: u8) -> Fact {
    let seen = Seen::Advert(advert(vrid));
    Fact::Frame(Frame { interface: INTERFACE, vlan: None, kind: PacketKind::Multicast, seen })
}

fn link() -> Fact {
    Fact::Link(Link { sniffed: true, ..Link::plain(INTERFACE, "eth0") })
}

/// One second of all routers: their adverts, evenly spread, and what is due in between.
fn one_second(watcher: &mut Watcher, now: &mut Instant, facts: &[Fact]) {
    for fact in facts {
        *now += Duration::from_secs(1) / ROUTERS as u32;
        watcher.handle(*now, fact);
        watcher.handle_timeout(*now);
        while let Some(event) = watcher.poll_event() {
            black_box(event);
        }
    }
}

fn observe(c: &mut Criterion) {
    let facts: Vec<Fact> = (1..=u8::MAX).map(fact).collect();
    let mut now = Instant::from_nanos(3_600_000_000_000);
    let settings = Settings { passive: true, ..Settings::default() };
    let mut watcher = Watcher::new(now, WallClock::default(), settings);
    watcher.handle(now, &link());
    for _ in 0..10 {
        one_second(&mut watcher, &mut now, &facts);
    }

    let mut group = c.benchmark_group("observe");
    group.throughput(Throughput::Elements(ROUTERS));
    group.bench_function("a second of 255 routers", |b| b.iter(|| one_second(&mut watcher, &mut now, &facts)));
    group.throughput(Throughput::Elements(1));
    group.bench_function("snapshot of 255 routers", |b| b.iter(|| black_box(watcher.snapshot(now))));
    let bytes = frame::advert(&advert(51), None).expect("a valid advert");
    group.bench_function("dissect an advert", |b| b.iter(|| dissect(black_box(&bytes), LinkLayer::Ethernet)));
    group.finish();
}

criterion_group!(benches, observe);
criterion_main!(benches);
