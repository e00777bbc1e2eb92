//! What the room promises, held against recorded bytes, the RFCs' rules, and arbitrary input.

mod checks;
mod golden;
mod headers;
mod neighbours;
mod other;
mod property;

use std::net::IpAddr;

use super::{Advert, Auth, ChecksumForm, Interval, LinkLayer, MacAddr, RejectReason, Seen, Version, dissect, ip};
use crate::time::{CentiSeconds, Seconds};
use pnet::packet::ip::{IpNextHeaderProtocol, IpNextHeaderProtocols};

const MAC: MacAddr = MacAddr(0x02, 0, 0, 0, 0, 0x0a);

/// The golden version 3 message from 10.9.9.1 to the group.
const V3_MESSAGE: [u8; 12] = [0x31, 51, 200, 1, 0, 100, 0xff, 0x60, 10, 9, 9, 100];

fn hex(text: &str) -> Vec<u8> {
    let digit = |c: char| c.to_digit(16).expect("a hex digit") as u8;
    let digits: Vec<u8> = text.chars().filter(|c| !c.is_whitespace()).map(digit).collect();
    digits.chunks_exact(2).map(|pair| pair[0] << 4 | pair[1]).collect()
}

fn address(text: &str) -> IpAddr {
    text.parse().expect("an IP address")
}

/// An IP packet with hop limit 255 around `payload`.
fn packet(source: &str, destination: &str, protocol: IpNextHeaderProtocol, payload: &[u8]) -> Vec<u8> {
    let header = ip::Header { ttl: 255, tos: 0, protocol };
    match (address(source), address(destination)) {
        (IpAddr::V4(source), IpAddr::V4(destination)) => ip::emit_v4(header, source, destination, payload),
        (IpAddr::V6(source), IpAddr::V6(destination)) => ip::emit_v6(header, source, destination, payload),
        _ => panic!("{source} and {destination} are of different families"),
    }
}

fn vrrp_packet(source: &str, destination: &str, message: &[u8]) -> Vec<u8> {
    packet(source, destination, IpNextHeaderProtocols::Vrrp, message)
}

fn seen_in_ip(bytes: &[u8]) -> Seen {
    dissect(bytes, LinkLayer::Ip).seen
}

fn advert_in_ip(bytes: &[u8]) -> Advert {
    match seen_in_ip(bytes) {
        Seen::Advert(advert) => advert,
        other => panic!("{other:?} is no advert"),
    }
}

fn reason_in_ip(bytes: &[u8]) -> RejectReason {
    match seen_in_ip(bytes) {
        Seen::Rejected(rejected) => rejected.reason,
        other => panic!("{other:?} is not rejected"),
    }
}

/// The advertisement that the golden vectors carry: VRID 51, priority 200, 10.9.9.100 from 10.9.9.1, every second.
fn golden_advert(version: Version) -> Advert {
    let (interval, checksum) = match version {
        Version::V2 => (Interval::Seconds(Seconds(1)), ChecksumForm::Message),
        Version::V3 => (Interval::CentiSeconds(CentiSeconds(100)), ChecksumForm::PseudoHeader),
    };
    Advert {
        mac: None,
        source: address("10.9.9.1"),
        destination: address("224.0.0.18"),
        ttl: 255,
        version,
        vrid: 51,
        priority: 200,
        interval,
        auth: Auth::None,
        checksum,
        addresses: vec![address("10.9.9.100")],
    }
}
