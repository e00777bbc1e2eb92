//! The table in the room's documentation, row by row, and what holds for any two nodes.

mod lease;
mod lease_world;
mod pairs;
mod promise;
mod rows;
mod succession;
mod testimony;

use std::net::IpAddr;

use super::*;
use crate::time::{CentiSeconds, Instant};
use crate::wire::*;

const VIP: &str = "10.9.9.100";
const A: &str = "10.9.9.1";
const B: &str = "10.9.9.2";
const STRANGER: &str = "10.9.9.9";
const INTERVAL_MS: u64 = 1000;

fn at(ms: u64) -> Instant {
    Instant::from_nanos(3_600_000_000_000 + ms * 1_000_000)
}

fn ip(text: &str) -> IpAddr {
    text.parse().unwrap()
}

fn mac(source: &str) -> MacAddr {
    MacAddr(2, 0, 0, 0, 0, source.bytes().last().unwrap() - b'0')
}

fn advert(source: &str, priority: u8) -> Advert {
    Advert {
        mac: Some(mac(source)),
        source: ip(source),
        destination: ip("224.0.0.18"),
        ttl: 255,
        version: Version::V3,
        vrid: 51,
        priority,
        interval: Interval::CentiSeconds(CentiSeconds(100)),
        auth: Auth::None,
        checksum: ChecksumForm::PseudoHeader,
        addresses: vec![ip(VIP)],
    }
}

fn scope(peers: &[&str]) -> Scope {
    Scope {
        addresses: vec![ip(VIP)],
        peers: peers.iter().map(|peer| ip(peer)).collect(),
        names: Vec::new(),
        interval: Duration::from_millis(INTERVAL_MS),
    }
}

fn acts(guard: &mut Guard) -> Vec<Act> {
    std::iter::from_fn(|| guard.poll_act()).collect()
}
