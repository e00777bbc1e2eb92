//! Other first-hop redundancy protocols: told from VRRP, named, and not judged.

use super::*;
use crate::wire::OtherProtocol;

/// vhid 7, advskew 100, advbase 1.
const CARP: &str = "2107 64 07 00 01 cafe 0011223344556677 000102030405060708090a0b0c0d0e0f10111213";

fn other(bytes: &[u8]) -> OtherProtocol {
    match seen_in_ip(bytes) {
        Seen::Other(other) => other,
        seen => panic!("{seen:?} is no other protocol"),
    }
}

fn udp(source: &str, destination: &str, port: u16, message: &str) -> Vec<u8> {
    let message = hex(message);
    let length = u16::try_from(message.len() + 8).expect("a short message");
    let datagram = [&port.to_be_bytes()[..], &port.to_be_bytes(), &length.to_be_bytes(), &[0, 0], &message].concat();
    packet(source, destination, IpNextHeaderProtocols::Udp, &datagram)
}

#[test]
fn carp_on_protocol_112_is_no_broken_vrrp() {
    for (source, destination) in [("10.9.9.1", "224.0.0.18"), ("fe80::1", "ff02::12")] {
        let expected = OtherProtocol::Carp { source: address(source), vhid: 7, advbase: 1, advskew: 100 };
        assert_eq!(other(&vrrp_packet(source, destination, &hex(CARP))), expected);
    }
}

#[test]
fn carp_behind_ethernet_padding_is_still_carp() {
    let padded = [vrrp_packet("10.9.9.1", "224.0.0.18", &hex(CARP)), vec![0; 8]].concat();
    assert!(matches!(other(&padded), OtherProtocol::Carp { .. }));
}

#[test]
fn rfc3768_5_3_5_seven_addresses_make_no_carp() {
    let seven = Advert { addresses: vec![address("10.9.9.100"); 7], ..golden_advert(Version::V2) };
    let mut message = Vec::new();
    crate::wire::emit_advert(&seven, &mut message).expect("an advert that fits the wire");
    assert_eq!(advert_in_ip(&vrrp_packet("10.9.9.1", "224.0.0.18", &message)), seven);
}

#[test]
fn of_carp_s_length_and_not_of_its_shape_is_vrrp() {
    let five = Advert { addresses: vec![address("10.9.9.100"); 5], ..golden_advert(Version::V2) };
    let mut message = Vec::new();
    crate::wire::emit_advert(&five, &mut message).expect("an advert that fits the wire");
    assert_eq!(message.len(), 36);
    assert_eq!(advert_in_ip(&vrrp_packet("10.9.9.1", "224.0.0.18", &message)), five);
}

#[test]
fn rfc2281_5_1_hsrp_version_1_is_named_with_its_group() {
    let hello = "00 00 10 03 0a 78 2a 00 636973636f000000 0a090964";
    let seen = other(&udp("10.9.9.1", "224.0.0.2", 1985, hello));
    assert_eq!(seen, OtherProtocol::Hsrp { source: address("10.9.9.1"), version: 1, group: Some(42) });
    let advertise = "00 03 0001 000a 01 00 0001 0000 00000000";
    let seen = other(&udp("10.9.9.1", "224.0.0.2", 1985, advertise));
    assert_eq!(seen, OtherProtocol::Hsrp { source: address("10.9.9.1"), version: 1, group: None });
}

#[test]
fn hsrp_version_2_is_named_with_its_group_over_both_families() {
    let state = format!("01 28 02 00 06 04 0102 02000000000a {}", "00".repeat(28));
    for (source, destination, port) in [("10.9.9.1", "224.0.0.102", 1985), ("fe80::1", "ff02::66", 2029)] {
        let expected = |group| OtherProtocol::Hsrp { source: address(source), version: 2, group };
        assert_eq!(other(&udp(source, destination, port, &state)), expected(Some(0x0102)));
        assert_eq!(other(&udp(source, destination, port, "04 1c")), expected(None));
    }
}

#[test]
fn glbp_is_named_with_its_group() {
    for (source, destination) in [("10.9.9.1", "224.0.0.102"), ("fe80::1", "ff02::66")] {
        let expected = |group| OtherProtocol::Glbp { source: address(source), group };
        assert_eq!(other(&udp(source, destination, 3222, "01 00 000a 0000 02000000000a")), expected(Some(10)));
        assert_eq!(other(&udp(source, destination, 3222, "01")), expected(None));
    }
}

#[test]
fn the_same_ports_to_other_destinations_are_irrelevant() {
    for (destination, port) in [("10.9.9.2", 1985), ("224.0.0.2", 3222), ("224.0.0.102", 2029), ("224.0.0.251", 5353)] {
        assert_eq!(seen_in_ip(&udp("10.9.9.1", destination, port, "00 00")), Seen::Irrelevant);
    }
}
