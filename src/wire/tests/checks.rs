//! The checks on receipt (RFC 3768 §7.1, RFC 9568 §7.1), and their order.

use super::*;
use crate::wire::{EmitError, Rejected, emit_advert, frame};

/// The version 3 message with some bytes changed, from 10.9.9.1 to the group.
fn version_3_with(changes: &[(usize, u8)]) -> Vec<u8> {
    let mut message = V3_MESSAGE;
    for (offset, value) in changes {
        message[*offset] = *value;
    }
    vrrp_packet("10.9.9.1", "224.0.0.18", &message)
}

/// A version 2 message with its checksum made right.
fn version_2_with(auth_type: u8, interval: u8) -> Vec<u8> {
    let mut message = [&[0x21, 51, 200, 1, auth_type, interval, 0, 0, 10, 9, 9, 100][..], &[0; 8]].concat();
    let sum = pnet::packet::util::checksum(&message, 3);
    message[6..8].copy_from_slice(&sum.to_be_bytes());
    vrrp_packet("10.9.9.1", "224.0.0.18", &message)
}

/// A version 3 message with its checksum made right in the message-only form.
fn summed(mut message: Vec<u8>) -> Vec<u8> {
    let sum = pnet::packet::util::checksum(&message, 3);
    message[6..8].copy_from_slice(&sum.to_be_bytes());
    vrrp_packet("10.9.9.1", "224.0.0.18", &message)
}

fn with_ttl(mut packet: Vec<u8>, ttl: u8) -> Vec<u8> {
    packet[8] = ttl;
    packet
}

#[test]
fn rfc9568_7_1_version_must_be_2_or_3() {
    for version in [0x01, 0x11, 0x41, 0xf1] {
        assert_eq!(reason_in_ip(&version_3_with(&[(0, version)])), RejectReason::Version);
    }
}

#[test]
fn rfc3768_5_version_2_over_ipv6_is_rejected_for_its_version() {
    let message = [&V3_MESSAGE[..8], &[0; 24]].concat();
    let mut version_2 = vrrp_packet("fe80::1", "ff02::12", &message);
    version_2[40] = 0x21;
    assert_eq!(reason_in_ip(&version_2), RejectReason::Version);
}

#[test]
fn rfc9568_7_1_type_must_be_advertisement() {
    for kind in [0x30, 0x32, 0x3f] {
        assert_eq!(reason_in_ip(&version_3_with(&[(0, kind)])), RejectReason::Type);
    }
}

#[test]
fn rfc9568_7_1_the_address_count_must_fit_the_length() {
    for count in [0, 2, 255] {
        assert_eq!(reason_in_ip(&version_3_with(&[(3, count)])), RejectReason::Length);
    }
    let too_long = [&V3_MESSAGE[..], &[0; 4]].concat();
    assert_eq!(reason_in_ip(&vrrp_packet("10.9.9.1", "224.0.0.18", &too_long)), RejectReason::Length);
}

#[test]
fn erratum_8299_a_message_without_addresses_is_rejected_for_its_length() {
    assert_eq!(reason_in_ip(&summed(vec![0x31, 51, 200, 0, 0, 100, 0, 0])), RejectReason::Length);
}

#[test]
fn rfc9568_7_1_a_message_shorter_than_its_fixed_fields_is_truncated_and_its_vrid_still_read() {
    let expected =
        |vrid| Rejected { reason: RejectReason::Truncated, mac: None, source: Some(address("10.9.9.1")), vrid };
    for length in 0..8 {
        let packet = vrrp_packet("10.9.9.1", "224.0.0.18", &V3_MESSAGE[..length]);
        assert_eq!(seen_in_ip(&packet), Seen::Rejected(expected((length > 1).then_some(51))));
    }
}

#[test]
fn rfc3768_7_1_a_version_2_message_without_its_authentication_data_is_not_complete() {
    for missing in [1, 4, 8] {
        let mut message = vec![0x21, 51, 200, 1, 0, 1, 0, 0, 10, 9, 9, 100];
        message.resize(message.len() + 8 - missing, 0);
        assert_eq!(reason_in_ip(&summed(message)), RejectReason::Length, "{missing} bytes are missing");
    }
}

#[test]
fn rfc9568_5_2_3_vrid_0_is_rejected() {
    assert_eq!(reason_in_ip(&summed(vec![0x31, 0, 200, 1, 0, 100, 0, 0, 10, 9, 9, 100])), RejectReason::Vrid);
}

#[test]
fn erratum_8301_an_interval_of_zero_is_rejected_and_reserved_bits_are_not_part_of_it() {
    let version_3 = |high| summed(vec![0x31, 51, 200, 1, high, 0, 0, 0, 10, 9, 9, 100]);
    assert_eq!(reason_in_ip(&version_3(0)), RejectReason::Interval);
    assert_eq!(reason_in_ip(&version_3(0xf0)), RejectReason::Interval);
    assert_eq!(reason_in_ip(&version_2_with(0, 0)), RejectReason::Interval);
    let reserved_set = advert_in_ip(&summed(vec![0x31, 51, 200, 1, 0xff, 0xff, 0, 0, 10, 9, 9, 100]));
    assert_eq!(reserved_set.interval, Interval::CentiSeconds(CentiSeconds(4095)));
}

#[test]
fn erratum_8300_ipv6_must_begin_with_a_link_local_address() {
    let mut message = [&[0x31, 51, 200, 1, 0, 100, 0, 0][..], &[0x20, 1, 0x0d, 0xb8], &[0; 12]].concat();
    let (IpAddr::V6(source), IpAddr::V6(group)) = (address("fe80::1"), address("ff02::12")) else { unreachable!() };
    let protocol = IpNextHeaderProtocols::Vrrp;
    let sum = pnet::packet::util::ipv6_checksum(&message, 3, &[], &source, &group, protocol);
    message[6..8].copy_from_slice(&sum.to_be_bytes());
    assert_eq!(reason_in_ip(&vrrp_packet("fe80::1", "ff02::12", &message)), RejectReason::Addresses);
}

#[test]
fn rfc2338_5_3_6_unknown_authentication_types_are_rejected() {
    for kind in [3, 254, 255] {
        assert_eq!(reason_in_ip(&version_2_with(kind, 1)), RejectReason::Auth);
    }
}

#[test]
fn rfc2338_5_3_6_type_2_without_an_authentication_header_is_rejected() {
    assert_eq!(reason_in_ip(&version_2_with(2, 1)), RejectReason::Auth);
}

#[test]
fn rfc9568_7_1_a_well_formed_advert_from_off_link_stays_an_advert_with_a_defect() {
    let advert = advert_in_ip(&with_ttl(version_3_with(&[]), 254));
    assert_eq!(advert, Advert { ttl: 254, ..golden_advert(Version::V3) });
    assert_eq!(advert.defect(), Some(RejectReason::Ttl));
}

#[test]
fn rfc9568_5_1_2_3_a_hop_limit_below_255_is_the_same_defect_over_ipv6() {
    let sent = Advert {
        source: address("fe80::1"),
        destination: address("ff02::12"),
        addresses: vec![address("fe80::100")],
        ttl: 254,
        ..golden_advert(Version::V3)
    };
    let frame = frame::advert(&sent, None).expect("a frame");
    let seen = advert_in_ip(&frame[14..]);
    assert_eq!((seen.ttl, seen.defect()), (254, Some(RejectReason::Ttl)));
    let to_a_peer = Advert { destination: address("fe80::2"), ..sent };
    let frame = frame::advert(&to_a_peer, Some(MAC)).expect("a frame");
    assert_eq!(advert_in_ip(&frame[14..]).defect(), None, "a unicast peer may be further away");
}

#[test]
fn rfc9568_7_1_a_well_formed_advert_with_a_wrong_checksum_stays_an_advert_with_a_defect() {
    let advert = advert_in_ip(&version_3_with(&[(2, 199)]));
    assert_eq!(advert, Advert { priority: 199, checksum: ChecksumForm::Invalid, ..golden_advert(Version::V3) });
    assert_eq!(advert.defect(), Some(RejectReason::Checksum));
}

#[test]
fn rfc9568_7_1_the_first_failing_check_gives_the_reason() {
    let rising = [
        (with_ttl(version_3_with(&[(0, 0x41)]), 1), RejectReason::Ttl),
        (with_ttl(version_3_with(&[(1, 0)]), 1), RejectReason::Ttl),
        (version_3_with(&[(0, 0x42), (3, 9)]), RejectReason::Version),
        (version_3_with(&[(0, 0x32), (3, 9)]), RejectReason::Type),
        (version_3_with(&[(3, 9), (1, 0)]), RejectReason::Length),
        (version_3_with(&[(1, 0), (5, 0)]), RejectReason::Checksum),
        (summed(vec![0x31, 0, 200, 0, 0, 0, 0, 0]), RejectReason::Vrid),
        (summed(vec![0x31, 1, 200, 0, 0, 0, 0, 0]), RejectReason::Length),
        (version_2_with(9, 0), RejectReason::Interval),
    ];
    for (packet, reason) in rising {
        assert_eq!(reason_in_ip(&packet), reason);
    }
}

#[test]
fn keepalived_2_4_a_28_byte_trailer_is_recognised_and_not_malformed() {
    for version in [Version::V2, Version::V3] {
        let signed = Advert { auth: Auth::HmacTrailer, ..golden_advert(version) };
        let plain = golden_advert(version);
        let length = |advert: &Advert| {
            let mut message = Vec::new();
            emit_advert(advert, &mut message).map(|()| message.len())
        };
        assert_eq!(length(&signed), length(&plain).map(|length| length + 28));
        let frame = frame::advert(&signed, None).expect("a frame");
        assert_eq!(dissect(&frame[14..], LinkLayer::Ip).seen, Seen::Advert(signed));
    }
}

#[test]
fn a_trailer_that_the_checksum_covers_is_recognised_too() {
    let mut message = [&V3_MESSAGE[..], &[0xa5; 28]].concat();
    message[6..8].fill(0);
    let advert = advert_in_ip(&summed(message));
    let expected =
        Advert { auth: Auth::HmacTrailer, checksum: ChecksumForm::MessageOnly, ..golden_advert(Version::V3) };
    assert_eq!(advert, expected);
}

#[test]
fn a_trailer_inside_an_authentication_header_does_not_fit_the_length() {
    let message = [&version_2_with(2, 1)[20..], &[0; 28]].concat();
    let wrapped = ip::emit_authentication_header(IpNextHeaderProtocols::Vrrp, &message);
    let packet = packet("10.9.9.1", "224.0.0.18", IpNextHeaderProtocols::Ah, &wrapped);
    assert_eq!(reason_in_ip(&packet), RejectReason::Length);
}

#[test]
fn rfc1624_3_all_zeros_and_all_ones_are_the_same_sum() {
    // The words of this message add up to 0xffff without the checksum field.
    let message = |sum| [0x31, 51, 200, 1, 0, 100, sum, sum, 0, 0, 6, 0x67];
    let form = |sum| advert_in_ip(&vrrp_packet("10.9.9.1", "224.0.0.18", &message(sum))).checksum;
    assert_eq!([form(0), form(0xff)], [ChecksumForm::MessageOnly; 2]);
    assert_eq!(form(1), ChecksumForm::Invalid);
}

#[test]
fn an_authentication_header_around_another_authentication_type_is_rejected() {
    for (kind, header) in [(0, true), (1, true), (2, false)] {
        let message = &version_2_with(kind, 1)[20..];
        let wrapped = ip::emit_authentication_header(IpNextHeaderProtocols::Vrrp, message);
        let payload = if header { wrapped } else { message.to_vec() };
        let protocol = if header { IpNextHeaderProtocols::Ah } else { IpNextHeaderProtocols::Vrrp };
        assert_eq!(reason_in_ip(&packet("10.9.9.1", "224.0.0.18", protocol, &payload)), RejectReason::Auth);
    }
}

#[test]
fn what_no_receiver_would_take_is_not_emitted() {
    let v2 = || golden_advert(Version::V2);
    let v3 = || golden_advert(Version::V3);
    let over_ipv6 = |version, first| Advert {
        source: address("fe80::1"),
        destination: address("ff02::12"),
        addresses: vec![address(first)],
        ..golden_advert(version)
    };
    let refused = [
        (over_ipv6(Version::V2, "fe80::100"), RejectReason::Version),
        (over_ipv6(Version::V3, "2001:db8::1"), RejectReason::Addresses),
        (Advert { destination: address("ff02::12"), ..v3() }, RejectReason::Addresses),
        (Advert { addresses: vec![address("10.9.9.100"), address("fe80::1")], ..v3() }, RejectReason::Addresses),
        (Advert { addresses: Vec::new(), ..v3() }, RejectReason::Length),
        (Advert { addresses: vec![address("10.9.9.100"); 256], ..v3() }, RejectReason::Length),
        (Advert { vrid: 0, ..v3() }, RejectReason::Vrid),
        (Advert { interval: v2().interval, ..v3() }, RejectReason::Interval),
        (Advert { interval: v3().interval, ..v2() }, RejectReason::Interval),
        (Advert { interval: Interval::CentiSeconds(CentiSeconds(4096)), ..v3() }, RejectReason::Interval),
        (Advert { interval: Interval::CentiSeconds(CentiSeconds(0)), ..v3() }, RejectReason::Interval),
        (Advert { checksum: ChecksumForm::PseudoHeader, ..v2() }, RejectReason::Checksum),
        (Advert { auth: Auth::Password(*b"secret12"), ..v3() }, RejectReason::Auth),
    ];
    for (advert, reason) in refused {
        let mut out = vec![7];
        assert_eq!(emit_advert(&advert, &mut out), Err(EmitError::Refused(reason)), "{advert:?}");
        assert_eq!(out, [7], "nothing may be left behind");
    }
}
