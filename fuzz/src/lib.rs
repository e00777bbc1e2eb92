//! What the fuzz targets do with their bytes, one function for each parser of bytes from strangers. The test suite
//! replays the seed corpus through the same functions (`tests/fuzz_corpus.rs`).
//!
//! A target fails by panicking: the parser did, or what it read breaks one of the promises asserted here.
//!
//! `cargo +nightly fuzz run vrrp -- -runs=200000` runs one. Without cargo-fuzz, from this directory:
//!
//! ```sh
//! RUSTFLAGS="-Cpasses=sancov-module -Cllvm-args=-sanitizer-coverage-level=4 -Cllvm-args=-sanitizer-coverage-inline-8bit-counters \
//!   -Cllvm-args=-sanitizer-coverage-pc-table -Cllvm-args=-sanitizer-coverage-trace-compares --cfg fuzzing -Zsanitizer=address \
//!   -Cdebug-assertions -Ccodegen-units=1" cargo +nightly build --release --target x86_64-unknown-linux-gnu
//! target/x86_64-unknown-linux-gnu/release/vrrp -max_total_time=75 NEW-INPUTS corpus/vrrp
//! ```
//!
//! A new target is a function here, its line in [`TARGETS`], a
//! file in `fuzz_targets/`, a `[[bin]]` in the manifest, and seeds in `corpus/` with names that say what they are.

use std::net::Ipv6Addr;

use pnet::packet::ip::IpNextHeaderProtocols;
use pnet::packet::util;
use vipwarden::config::keepalived::{Alone, parse};
use vipwarden::engine::record;
use vipwarden::wire::pcap::{MAX_BLOCK, Reader};
use vipwarden::wire::{Advert, LinkLayer, MacAddr, Seen, dissect, frame};

/// One fuzz target: takes any bytes.
pub type Target = fn(&[u8]);

/// All targets by name. Each has a file in `fuzz_targets/` and seeds in `corpus/`.
pub const TARGETS: [(&str, Target); 10] = [
    ("dissect_ethernet", dissect_ethernet),
    ("dissect_sll", dissect_sll),
    ("dissect_sll2", dissect_sll2),
    ("dissect_ip", dissect_ip),
    ("vrrp", vrrp),
    ("arp", arp),
    ("nd", nd),
    ("pcap", pcap),
    ("keepalived", keepalived),
    ("recording", recording),
];

const PEER: MacAddr = MacAddr(2, 0, 0, 0, 0, 2);
const ETHERNET_ARP: [u8; 14] = [0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 2, 0, 0, 0, 0, 1, 8, 6];
const FROM: Ipv6Addr = Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0, 0, 1);

/// An Ethernet frame.
pub fn dissect_ethernet(bytes: &[u8]) {
    check(bytes, LinkLayer::Ethernet);
}

/// A cooked capture, version 1.
pub fn dissect_sll(bytes: &[u8]) {
    check(bytes, LinkLayer::Sll);
}

/// A cooked capture, version 2.
pub fn dissect_sll2(bytes: &[u8]) {
    check(bytes, LinkLayer::Sll2);
}

/// An IP packet of either family.
pub fn dissect_ip(bytes: &[u8]) {
    check(bytes, LinkLayer::Ip);
}

/// A VRRP message, in an IPv4 and in an IPv6 packet.
pub fn vrrp(message: &[u8]) {
    check(&in_ipv4(message), LinkLayer::Ip);
    check(&in_ipv6(112, group(0x12), message), LinkLayer::Ip);
}

/// An ARP packet.
pub fn arp(packet: &[u8]) {
    check(&[&ETHERNET_ARP, packet].concat(), LinkLayer::Ethernet);
}

/// An ICMPv6 message. Its checksum is made right, or nothing behind it would be reached.
pub fn nd(message: &[u8]) {
    let mut message = message.to_vec();
    let all_nodes = group(1);
    let sum = util::ipv6_checksum(&message, 1, &[], &FROM, &all_nodes, IpNextHeaderProtocols::Icmpv6);
    if let Some(field) = message.get_mut(2..4) {
        field.copy_from_slice(&sum.to_be_bytes());
    }
    check(&in_ipv6(58, all_nodes, &message), LinkLayer::Ip);
}

/// A capture file. What is cut off its end takes nothing from before the cut.
pub fn pcap(file: &[u8]) {
    let whole = packets(file);
    let cut = packets(&file[..file.len() / 2]);
    assert!(whole.starts_with(&cut), "cut to half its length it holds other packets");
}

fn packets(file: &[u8]) -> Vec<(i64, Vec<u8>)> {
    let mut packets = Vec::new();
    let Ok(mut reader) = Reader::new(file) else { return packets };
    while let Ok(Some(packet)) = reader.next_packet() {
        assert!(packet.bytes.len() <= MAX_BLOCK as usize);
        dissect(packet.bytes, packet.link);
        packets.push((packet.unix_nanos, packet.bytes.to_vec()));
    }
    packets
}

const fn group(last: u16) -> Ipv6Addr {
    Ipv6Addr::new(0xff02, 0, 0, 0, 0, 0, 0, last)
}

fn in_ipv4(payload: &[u8]) -> Vec<u8> {
    let mut packet = vec![0x45, 0xc0, 0, 0, 0, 0, 0, 0, 255, 112, 0, 0, 10, 9, 9, 1, 224, 0, 0, 18];
    packet.extend_from_slice(payload);
    let length = u16::try_from(packet.len()).unwrap_or(u16::MAX);
    packet[2..4].copy_from_slice(&length.to_be_bytes());
    packet
}

fn in_ipv6(protocol: u8, destination: Ipv6Addr, payload: &[u8]) -> Vec<u8> {
    let [high, low] = u16::try_from(payload.len()).unwrap_or(u16::MAX).to_be_bytes();
    [&[0x60, 0, 0, 0, high, low, protocol, 255], &FROM.octets()[..], &destination.octets(), payload].concat()
}

fn check(bytes: &[u8], link: LinkLayer) {
    let whole = dissect(bytes, link).seen;
    match &whole {
        Seen::Advert(advert) => check_advert(advert),
        Seen::Arp(arp) => assert_eq!(dissect(&frame::arp(arp), LinkLayer::Ethernet).seen, whole),
        Seen::Neighbour(message) => {
            assert_eq!(dissect(&frame::neighbour(message, PEER), LinkLayer::Ethernet).seen, whole);
        }
        _ => {}
    }
    for length in [bytes.len() / 2, bytes.len().saturating_sub(1)] {
        let cut = dissect(&bytes[..length], link).seen;
        assert!(!matches!(cut, Seen::Advert(_)) || cut == whole, "cut to {length} bytes it is another advert: {cut:?}");
    }
}

/// What was read keeps the type's promises, and written again it reads the same.
fn check_advert(advert: &Advert) {
    assert_ne!(advert.vrid, 0);
    assert!(!advert.addresses.is_empty());
    let advert = Advert { mac: Some(PEER), ..advert.clone() };
    let bytes = frame::advert(&advert, Some(PEER)).expect("what was read can be written");
    assert_eq!(dissect(&bytes, LinkLayer::Ethernet).seen, Seen::Advert(advert));
}

/// A `keepalived.conf`.
pub fn keepalived(bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes);
    let conf = parse("fuzz.conf", &text, "node", &mut Alone);
    let lines = text.lines().count();
    for note in &conf.notes {
        assert!((1..=lines).contains(&note.place.line), "{note}");
        assert!(!note.says.is_empty() && note.says.len() < 1000, "{note}");
    }
    for instance in &conf.instances {
        assert!(instance.advertised().count() <= instance.addresses.len());
    }
}

/// A recording. As much as can be read of it is replayed.
pub fn recording(bytes: &[u8]) {
    let Ok(mut reader) = record::Reader::new(bytes) else { return };
    let Ok(Some(first)) = reader.next_record() else { return };
    let Ok(mut replay) = record::Replay::start(first) else { return };
    let mut last = 0;
    while let Ok(Some(record)) = reader.next_record() {
        let Ok(events) = replay.take(record) else { return };
        for event in events {
            assert_eq!(event.id, last + 1);
            last = event.id;
        }
    }
    replay.snapshot();
}
