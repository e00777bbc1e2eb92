//! Neighbour discovery and echo replies: what RFC 4861 §7.1 makes a node ignore is not seen.

use super::*;
use crate::wire::{Echo, EchoReply, Neighbour, NeighbourKind, frame, icmp, nd};

const TARGET_MAC: MacAddr = MacAddr(0x02, 0, 0, 0, 0, 0x0b);

fn v6(text: &str) -> std::net::Ipv6Addr {
    text.parse().expect("an IPv6 address")
}

fn advertisement(solicited: bool, destination: &str) -> Neighbour {
    Neighbour {
        frame_source: MacAddr::zero(),
        source: v6("fe80::1"),
        destination: v6(destination),
        target: v6("2001:db8::100"),
        kind: NeighbourKind::Advertisement { router: false, solicited, override_: true },
        link_address: Some(TARGET_MAC),
    }
}

/// The message of `neighbour` with more options behind it and its checksum made right, in a packet.
fn with_options(neighbour: &Neighbour, options: &str) -> Vec<u8> {
    let mut message = nd::emit(neighbour);
    message.extend(hex(options));
    let (source, destination) = (&neighbour.source, &neighbour.destination);
    let sum = pnet::packet::util::ipv6_checksum(&message, 1, &[], source, destination, IpNextHeaderProtocols::Icmpv6);
    message[2..4].copy_from_slice(&sum.to_be_bytes());
    packet(&source.to_string(), &destination.to_string(), IpNextHeaderProtocols::Icmpv6, &message)
}

fn seen_with_options(neighbour: &Neighbour, options: &str) -> Seen {
    seen_in_ip(&with_options(neighbour, options))
}

const LINUX_SOLICITATION: &str = "3333ff000002 02000000000a 86dd 6000000000203aff \
    20010db8000000000000000000000001 ff0200000000000000000001ff000002 \
    87001c1e00000000 20010db8000000000000000000000002 010102000000000a";
const LINUX_ADVERTISEMENT: &str = "02000000000a 02000000000b 86dd 6000000000203aff \
    20010db8000000000000000000000002 20010db8000000000000000000000001 \
    88008a6860000000 20010db8000000000000000000000002 020102000000000b";
const LINUX_DUPLICATE_CHECK: &str = "3333ff00000a 02000000000a 86dd 6000000000203aff \
    00000000000000000000000000000000 ff0200000000000000000001ff00000a \
    87005fe600000000 fe80000000000000000000fffe00000a 0e0128b5a3ea4284";
const LINUX_ECHO_REPLY: &str = "02000000000a 02000000000b 0800 4500001cb43a00004001a092 \
    0a090902 0a090901 0000ee2411da0001";
const LINUX_ECHO_REPLY_V6: &str = "02000000000a 02000000000b 86dd 600b08ee00083a40 \
    20010db8000000000000000000000002 20010db8000000000000000000000001 8100116c11db0001";

fn neighbour_in_frame(bytes: &str) -> Neighbour {
    match dissect(&hex(bytes), LinkLayer::Ethernet).seen {
        Seen::Neighbour(neighbour) => neighbour,
        seen => panic!("{seen:?} is no neighbour message"),
    }
}

#[test]
fn rfc4861_4_3_a_solicitation_is_written_as_linux_writes_it() {
    let bytes = frame::neighbour_solicitation(MAC, v6("2001:db8::1"), v6("2001:db8::2"));
    assert_eq!(bytes, hex(LINUX_SOLICITATION));
}

#[test]
fn rfc4861_4_4_an_advertisement_from_linux_is_read() {
    let expected = Neighbour {
        frame_source: TARGET_MAC,
        source: v6("2001:db8::2"),
        destination: v6("2001:db8::1"),
        target: v6("2001:db8::2"),
        kind: NeighbourKind::Advertisement { router: false, solicited: true, override_: true },
        link_address: Some(TARGET_MAC),
    };
    assert_eq!(neighbour_in_frame(LINUX_ADVERTISEMENT), expected);
}

#[test]
fn rfc7527_4_a_duplicate_check_from_linux_is_read_past_its_nonce() {
    let check = neighbour_in_frame(LINUX_DUPLICATE_CHECK);
    assert_eq!((check.kind, check.target), (NeighbourKind::Solicitation, v6("fe80::ff:fe00:a")));
    assert_eq!((check.source, check.link_address), (std::net::Ipv6Addr::UNSPECIFIED, None));
}

#[test]
fn rfc792_and_rfc4443_4_2_echo_replies_from_linux_are_read() {
    for (bytes, source, identifier) in
        [(LINUX_ECHO_REPLY, "10.9.9.2", 4570), (LINUX_ECHO_REPLY_V6, "2001:db8::2", 4571)]
    {
        let reply = EchoReply { frame_source: TARGET_MAC, source: address(source), identifier, sequence: 1 };
        assert_eq!(dissect(&hex(bytes), LinkLayer::Ethernet).seen, Seen::EchoReply(reply));
    }
}

#[test]
fn rfc4861_7_1_hop_limit_checksum_and_code_must_be_right() {
    let good = with_options(&advertisement(false, "ff02::1"), "");
    assert!(matches!(seen_in_ip(&good), Seen::Neighbour(_)));
    for (offset, value) in [(7, 254), (41, 1), (42, 0xee), (44, 0x60)] {
        let mut bytes = good.clone();
        bytes[offset] = value;
        assert_eq!(seen_in_ip(&bytes), Seen::Irrelevant, "byte {offset}");
    }
}

#[test]
fn rfc4861_7_1_an_option_of_length_zero_spoils_the_message() {
    assert_eq!(seen_with_options(&advertisement(false, "ff02::1"), "0e00 000000000000"), Seen::Irrelevant);
}

#[test]
fn rfc4861_7_1_an_option_longer_than_the_message_spoils_it() {
    for options in ["0e02 000000000000", "0eff 000000000000", "0e"] {
        assert_eq!(seen_with_options(&advertisement(false, "ff02::1"), options), Seen::Irrelevant, "{options}");
    }
}

#[test]
fn rfc4861_4_6_unknown_options_are_skipped_and_long_ones_walked() {
    let plain = Neighbour { link_address: None, ..advertisement(false, "ff02::1") };
    let long = format!("0e20 {}", "00".repeat(254));
    for options in ["", "0e01 000000000000", &long] {
        let with_address = format!("{options} 0201 02000000000b");
        assert_eq!(seen_with_options(&plain, options), Seen::Neighbour(plain));
        let expected = Neighbour { link_address: Some(TARGET_MAC), ..plain };
        assert_eq!(seen_with_options(&plain, &with_address), Seen::Neighbour(expected));
    }
}

#[test]
fn rfc4861_4_6_1_of_two_addresses_the_first_counts() {
    let claim = advertisement(false, "ff02::1");
    assert_eq!(seen_with_options(&claim, "0201 0200000000ee"), Seen::Neighbour(claim));
}

#[test]
fn rfc4861_4_6_1_the_other_message_s_address_option_is_not_taken() {
    let plain = Neighbour { link_address: None, ..advertisement(false, "ff02::1") };
    assert_eq!(seen_with_options(&plain, "0101 02000000000b"), Seen::Neighbour(plain));
    assert_eq!(seen_with_options(&plain, "0202 02000000000b 0000000000000000"), Seen::Neighbour(plain));
}

#[test]
fn rfc4861_7_1_2_a_multicast_advertisement_claims_no_solicitation() {
    assert_eq!(seen_with_options(&advertisement(true, "ff02::1"), ""), Seen::Irrelevant);
    let unicast = advertisement(true, "fe80::7");
    assert_eq!(seen_with_options(&unicast, ""), Seen::Neighbour(unicast));
}

#[test]
fn rfc4861_7_1_1_a_duplicate_check_names_no_address_and_goes_to_the_group() {
    let check = Neighbour {
        source: std::net::Ipv6Addr::UNSPECIFIED,
        destination: v6("ff02::1:ff00:100"),
        kind: NeighbourKind::Solicitation,
        link_address: None,
        ..advertisement(false, "ff02::1")
    };
    assert_eq!(seen_with_options(&check, ""), Seen::Neighbour(check));
    assert_eq!(seen_with_options(&check, "0101 02000000000b"), Seen::Irrelevant);
    let astray = Neighbour { destination: v6("fe80::1"), ..check };
    assert_eq!(seen_with_options(&astray, ""), Seen::Irrelevant);
}

#[test]
fn rfc4861_7_1_a_multicast_target_is_ignored() {
    let multicast = Neighbour { target: v6("ff02::1"), ..advertisement(false, "ff02::1") };
    assert_eq!(seen_with_options(&multicast, ""), Seen::Irrelevant);
}

#[test]
fn rfc6980_5_a_fragmented_message_is_ignored() {
    let mut bytes = with_options(&advertisement(false, "ff02::1"), "");
    bytes[6] = 44;
    bytes[5] += 8;
    bytes.splice(40..40, hex("3a00 0001 00000001"));
    assert_eq!(seen_in_ip(&bytes), Seen::Irrelevant);
}

fn echo(echo: Echo, source: &str, destination: &str) -> Vec<u8> {
    let (from, to) = (address(source), address(destination));
    let message = icmp::emit(echo, from, to, 0x1234, 7).expect("one family");
    let protocol = if from.is_ipv4() { IpNextHeaderProtocols::Icmp } else { IpNextHeaderProtocols::Icmpv6 };
    packet(source, destination, protocol, &message)
}

#[test]
fn rfc792_and_rfc4443_4_2_echo_replies_are_read_and_requests_are_not() {
    for (source, destination) in [("10.9.9.100", "10.9.9.7"), ("2001:db8::100", "fe80::7")] {
        let reply =
            EchoReply { frame_source: MacAddr::zero(), source: address(source), identifier: 0x1234, sequence: 7 };
        assert_eq!(seen_in_ip(&echo(Echo::Reply, source, destination)), Seen::EchoReply(reply));
        assert_eq!(seen_in_ip(&echo(Echo::Request, source, destination)), Seen::Irrelevant);
    }
}

#[test]
fn an_echo_reply_that_is_damaged_or_of_the_other_family_s_kind_is_irrelevant() {
    for (source, destination, other) in [("10.9.9.100", "10.9.9.7", 58), ("2001:db8::100", "fe80::7", 1)] {
        let good = echo(Echo::Reply, source, destination);
        let mut damaged = good.clone();
        *damaged.last_mut().expect("a byte") ^= 1;
        assert_eq!(seen_in_ip(&damaged), Seen::Irrelevant);
        let mut foreign = good;
        let protocol = if address(source).is_ipv4() { 9 } else { 6 };
        foreign[protocol] = other;
        assert_eq!(seen_in_ip(&foreign), Seen::Irrelevant);
    }
}

#[test]
fn rfc792_a_fragment_of_an_echo_reply_or_one_with_a_code_is_irrelevant() {
    let good = echo(Echo::Reply, "10.9.9.100", "10.9.9.7");
    let mut fragment = good.clone();
    fragment[6] |= 0x20;
    assert_eq!(seen_in_ip(&fragment), Seen::Irrelevant);
    let mut coded = good;
    coded[21] = 1;
    coded[23] -= 1;
    assert_eq!(seen_in_ip(&coded), Seen::Irrelevant);
}
