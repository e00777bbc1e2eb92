//! What reading one frame costs.

use std::hint::black_box;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use criterion::{Criterion, criterion_group, criterion_main};
use vipwarden::time::{CentiSeconds, Seconds};
use vipwarden::wire::{Advert, Auth, ChecksumForm, Interval, LinkLayer, MacAddr, Version, dissect, frame};

const SENDER: MacAddr = MacAddr(2, 0, 0, 0, 0, 1);
const SENDER_IP: Ipv4Addr = Ipv4Addr::new(10, 9, 9, 1);
const VIP: Ipv4Addr = Ipv4Addr::new(10, 9, 9, 100);

fn advert(version: Version) -> Advert {
    let (interval, checksum) = match version {
        Version::V2 => (Interval::Seconds(Seconds(1)), ChecksumForm::Message),
        Version::V3 => (Interval::CentiSeconds(CentiSeconds(100)), ChecksumForm::PseudoHeader),
    };
    Advert {
        mac: Some(SENDER),
        source: SENDER_IP.into(),
        destination: Ipv4Addr::new(224, 0, 0, 18).into(),
        ttl: 255,
        version,
        vrid: 51,
        priority: 200,
        interval,
        auth: Auth::None,
        checksum,
        addresses: vec![VIP.into()],
    }
}

fn advert_ipv6() -> Advert {
    let link_local = |last| IpAddr::V6(Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0, 0, last));
    Advert {
        source: link_local(1),
        destination: Ipv6Addr::new(0xff02, 0, 0, 0, 0, 0, 0, 0x12).into(),
        addresses: vec![link_local(0x100), Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 0x100).into()],
        ..advert(Version::V3)
    }
}

/// A TCP segment: what an unfiltered capture mostly holds.
fn irrelevant() -> Vec<u8> {
    let mut bytes = frame::advert(&advert(Version::V2), None).expect("an advert that fits the wire");
    bytes[23] = 6;
    bytes
}

fn decode(criterion: &mut Criterion) {
    let built = |advert| frame::advert(&advert, None).expect("an advert that fits the wire");
    let frames = [
        ("advert v2", built(advert(Version::V2))),
        ("advert v3", built(advert(Version::V3))),
        ("advert v3 over IPv6", built(advert_ipv6())),
        ("irrelevant", irrelevant()),
        ("ARP", frame::arp_request(SENDER, SENDER_IP, VIP)),
    ];
    let mut group = criterion.benchmark_group("dissect");
    for (name, bytes) in frames {
        group.bench_function(name, |bencher| bencher.iter(|| dissect(black_box(&bytes), LinkLayer::Ethernet)));
    }
    group.finish();
}

criterion_group!(benches, decode);
criterion_main!(benches);
