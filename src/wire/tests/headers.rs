//! Link layers, VLAN tags, IP headers, fragments, and the frames built here.

use super::*;
use crate::wire::{ArpOperation, Echo, EmitError, Neighbour, NeighbourKind, Rejected, Version, frame};

fn with_mac() -> Advert {
    Advert { mac: Some(MAC), ..golden_advert(Version::V3) }
}

fn golden_frame() -> Vec<u8> {
    frame::advert(&with_mac(), None).expect("an advert that fits the wire")
}

/// The golden frame with bytes put in behind the two MACs.
fn tagged(tags: &str) -> Vec<u8> {
    let mut bytes = golden_frame();
    bytes.splice(12..12, hex(tags));
    bytes
}

fn assert_vlan(bytes: &[u8], vlan: Option<u16>) {
    let dissected = dissect(bytes, LinkLayer::Ethernet);
    assert_eq!((dissected.vlan, dissected.seen), (vlan, Seen::Advert(with_mac())));
}

#[test]
fn rfc9568_7_3_an_advert_goes_from_the_virtual_mac_to_the_group_mac() {
    let bytes = frame::advert(&golden_advert(Version::V3), None).expect("a frame");
    assert_eq!(bytes[..14], hex("01005e000012 00005e000133 0800"));
    assert_eq!((bytes[15], bytes[22]), (0xc0, 255), "TOS and TTL");
    assert_eq!(golden_frame()[6..12], MAC.octets());
    let over_ipv6 = Advert {
        source: address("fe80::1"),
        destination: address("ff02::12"),
        addresses: vec![address("fe80::100")],
        ..golden_advert(Version::V3)
    };
    let bytes = frame::advert(&over_ipv6, None).expect("a frame");
    assert_eq!(bytes[..16], hex("333300000012 00005e000233 86dd 6c00"));
}

#[test]
fn rfc1112_6_4_a_group_mac_carries_the_lower_23_bits_of_its_group() {
    let other_group = Advert { destination: address("239.129.2.3"), ..with_mac() };
    let bytes = frame::advert(&other_group, None).expect("a frame");
    assert_eq!(bytes[..6], hex("01005e010203"));
}

#[test]
fn a_unicast_advert_needs_the_mac_of_its_peer() {
    let unicast = Advert { destination: address("10.9.9.2"), ..with_mac() };
    assert_eq!(frame::advert(&unicast, None), Err(EmitError::UnknownPeer(address("10.9.9.2"))));
    let bytes = frame::advert(&unicast, Some(MacAddr(2, 0, 0, 0, 0, 2))).expect("a frame");
    assert_eq!(bytes[..6], [2, 0, 0, 0, 0, 2]);
    assert_eq!(dissect(&bytes, LinkLayer::Ethernet).seen, Seen::Advert(unicast));
}

#[test]
fn vlan_tags_are_taken_off_and_the_outermost_counts() {
    assert_vlan(&golden_frame(), None);
    assert_vlan(&tagged("8100 0064"), Some(100));
    assert_vlan(&tagged("8100 e064"), Some(100));
    assert_vlan(&tagged("88a8 00c8 8100 0064"), Some(200));
    assert_vlan(&tagged("9100 00c8 8100 0064"), Some(200));
}

#[test]
fn ieee_802_1q_9_6_a_priority_tag_is_no_vlan() {
    assert_vlan(&tagged("8100 e000"), None);
    assert_vlan(&tagged("8100 0000 8100 0064"), Some(100));
}

#[test]
fn linux_cooked_captures_are_read() {
    let packet = &golden_frame()[14..];
    let sll = [&hex("0002 0001 0006 02000000000a 0000 0800")[..], packet].concat();
    assert_eq!(dissect(&sll, LinkLayer::Sll).seen, Seen::Advert(with_mac()));
    let sll2 = [&hex("0800 0000 00000003 0001 02 06 02000000000a 0000")[..], packet].concat();
    assert_eq!(dissect(&sll2, LinkLayer::Sll2).seen, Seen::Advert(with_mac()));
    let tagged = [&hex("0002 0001 0006 02000000000a 0000 8100 0064 0800")[..], packet].concat();
    assert_eq!(dissect(&tagged, LinkLayer::Sll).vlan, Some(100));
    let no_mac = [&hex("0002 0200 0000 0000000000000000 0800")[..], packet].concat();
    assert_eq!(dissect(&no_mac, LinkLayer::Sll).seen, Seen::Advert(golden_advert(Version::V3)));
}

#[test]
fn a_cooked_capture_tells_no_destination_but_broadcast() {
    let request = frame::arp_request(MAC, [10, 9, 9, 7].into(), [10, 9, 9, 100].into());
    for (kind, destination) in [("0001", MacAddr::broadcast()), ("0000", MacAddr::zero())] {
        let header = hex(&format!("{kind} 0001 0006 02000000000a 0000 0806"));
        let Seen::Arp(arp) = dissect(&[&header, &request[14..]].concat(), LinkLayer::Sll).seen else {
            panic!("no ARP");
        };
        assert_eq!((arp.frame_source, arp.frame_destination), (MAC, destination));
    }
}

#[test]
fn ethernet_padding_behind_the_packet_is_no_part_of_it() {
    for padding in [1, 14, 28, 1000] {
        let bytes = [&golden_frame()[..], &vec![0xee; padding]].concat();
        assert_eq!(dissect(&bytes, LinkLayer::Ethernet).seen, Seen::Advert(with_mac()));
    }
}

#[test]
fn rfc791_3_1_options_are_skipped() {
    let mut bytes = golden_frame();
    bytes.splice(34..34, [0x94, 4, 0, 0]);
    bytes[14] = 0x46;
    bytes[17] += 4;
    assert_eq!(dissect(&bytes, LinkLayer::Ethernet).seen, Seen::Advert(with_mac()));
}

#[test]
fn rfc791_3_1_impossible_header_lengths_are_rejected() {
    let truncated =
        |vrid| Rejected { reason: RejectReason::Truncated, mac: Some(MAC), source: Some(address("10.9.9.1")), vrid };
    for (version_and_length, vrid) in [(0x40, Some(51)), (0x44, Some(51)), (0x4f, None)] {
        let mut bytes = golden_frame();
        bytes[14] = version_and_length;
        assert_eq!(dissect(&bytes, LinkLayer::Ethernet).seen, Seen::Rejected(truncated(vrid)));
    }
}

#[test]
fn rfc791_3_2_a_first_fragment_is_truncated_and_a_later_one_irrelevant() {
    let mut first = golden_frame();
    first[20] = 0x20;
    let Seen::Rejected(rejected) = dissect(&first, LinkLayer::Ethernet).seen else { panic!("not rejected") };
    assert_eq!((rejected.reason, rejected.vrid), (RejectReason::Truncated, Some(51)));
    let mut later = golden_frame();
    (later[20], later[21]) = (0x00, 0x01);
    assert_eq!(dissect(&later, LinkLayer::Ethernet).seen, Seen::Irrelevant);
}

/// The IPv6 advert with extension headers, given as (protocol, bytes behind the next-header byte).
fn ipv6_with(extensions: &[(u8, &str)]) -> Vec<u8> {
    let message = hex("3133c8010064 0000 fe800000000000000000000000000100");
    let mut payload = Vec::new();
    for (index, (_, rest)) in extensions.iter().enumerate() {
        payload.push(extensions.get(index + 1).map_or(112, |(protocol, _)| *protocol));
        payload.extend(hex(rest));
    }
    payload.extend(message);
    let first = IpNextHeaderProtocol(extensions.first().map_or(112, |(protocol, _)| *protocol));
    packet("fe80::1", "ff02::12", first, &payload)
}

#[test]
fn rfc8200_4_extension_headers_are_walked() {
    const OPTIONS: &str = "00 0104 00000000";
    for extensions in [
        &[][..],
        &[(0, OPTIONS)],
        &[(0, OPTIONS), (60, "01 010c 000000000000000000000000"), (43, OPTIONS), (60, OPTIONS)],
        &[(44, "00 0000 00000001")],
    ] {
        let advert = advert_in_ip(&ipv6_with(extensions));
        assert_eq!((advert.vrid, advert.addresses), (51, vec![address("fe80::100")]), "{extensions:?}");
    }
}

#[test]
fn rfc8200_4_the_walk_is_bounded() {
    const OPTIONS: &str = "00 0104 00000000";
    assert!(matches!(seen_in_ip(&ipv6_with(&[(60, OPTIONS); 8])), Seen::Advert(_)));
    assert_eq!(seen_in_ip(&ipv6_with(&[(60, OPTIONS); 9])), Seen::Irrelevant);
}

#[test]
fn rfc8200_4_5_fragments_over_ipv6_are_judged_like_those_over_ipv4() {
    assert_eq!(reason_in_ip(&ipv6_with(&[(44, "00 0001 00000001")])), RejectReason::Truncated);
    assert_eq!(seen_in_ip(&ipv6_with(&[(44, "00 0008 00000001")])), Seen::Irrelevant);
}

#[test]
fn rfc4302_an_authentication_header_stands_around_version_3_too() {
    for advert in [
        with_mac(),
        Advert {
            source: address("fe80::1"),
            destination: address("ff02::12"),
            addresses: vec![address("fe80::100")],
            ..with_mac()
        },
    ] {
        let advert = Advert { auth: Auth::Header, ..advert };
        let bytes = frame::advert(&advert, None).expect("a frame");
        assert_eq!(dissect(&bytes, LinkLayer::Ethernet).seen, Seen::Advert(advert));
    }
}

#[test]
fn rfc4302_a_header_that_ends_beyond_the_packet_is_truncated() {
    let mut wrapped = ip::emit_authentication_header(IpNextHeaderProtocols::Vrrp, &V3_MESSAGE);
    wrapped[1] = 200;
    let bytes = packet("10.9.9.1", "224.0.0.18", IpNextHeaderProtocols::Ah, &wrapped);
    assert_eq!(reason_in_ip(&bytes), RejectReason::Truncated);
}

#[test]
fn what_concerns_no_virtual_ip_is_irrelevant() {
    let frames = [
        Vec::new(),
        vec![0; 13],
        hex("01005e000012 02000000000a 0026 424203"),
        hex("01005e000012 02000000000a 8100 00"),
        hex("01005e000012 02000000000a 88cc 0207"),
        hex("01005e000012 02000000000a 0800"),
        hex("01005e000012 02000000000a 0800 60"),
    ];
    for bytes in frames {
        assert_eq!(dissect(&bytes, LinkLayer::Ethernet).seen, Seen::Irrelevant, "{bytes:02x?}");
    }
    assert_eq!(dissect(&[0x50; 60], LinkLayer::Ip).seen, Seen::Irrelevant);
    let tcp = packet("10.9.9.1", "10.9.9.2", IpNextHeaderProtocols::Tcp, &[0; 20]);
    assert_eq!(seen_in_ip(&tcp), Seen::Irrelevant);
}

#[test]
fn rfc826_an_arp_request_is_broadcast() {
    let bytes = frame::arp_request(MAC, [10, 9, 9, 7].into(), [10, 9, 9, 100].into());
    assert_eq!(
        bytes,
        hex("ffffffffffff 02000000000a 0806 0001 0800 06 04 0001 02000000000a 0a090907 000000000000 0a090964")
    );
    let Seen::Arp(arp) = dissect(&bytes, LinkLayer::Ethernet).seen else { panic!("no ARP") };
    assert_eq!((arp.operation, arp.sender_mac, arp.is_gratuitous()), (ArpOperation::Request, MAC, false));
}

#[test]
fn rfc826_other_hardware_and_protocols_and_operations_are_irrelevant() {
    let good = frame::arp_request(MAC, [10, 9, 9, 7].into(), [10, 9, 9, 100].into());
    for (offset, value) in [(15, 6), (17, 1), (18, 8), (19, 16), (21, 3), (20, 1)] {
        let mut bytes = good.clone();
        bytes[offset] = value;
        assert_eq!(dissect(&bytes, LinkLayer::Ethernet).seen, Seen::Irrelevant, "byte {offset}");
    }
}

#[test]
fn rfc4861_4_3_a_solicitation_goes_to_the_solicited_node_group() {
    let (IpAddr::V6(source), IpAddr::V6(target)) = (address("fe80::7"), address("2001:db8::12:3456")) else {
        unreachable!()
    };
    let bytes = frame::neighbour_solicitation(MAC, source, target);
    assert_eq!(bytes[..14], hex("3333ff123456 02000000000a 86dd"));
    let expected = Neighbour {
        frame_source: MAC,
        source,
        destination: "ff02::1:ff12:3456".parse().expect("an address"),
        target,
        kind: NeighbourKind::Solicitation,
        link_address: Some(MAC),
    };
    assert_eq!(dissect(&bytes, LinkLayer::Ethernet).seen, Seen::Neighbour(expected));
}

#[test]
fn rfc4861_7_2_2_a_duplicate_check_doesnt_say_who_asks() {
    let IpAddr::V6(target) = address("2001:db8::1") else { unreachable!() };
    let bytes = frame::neighbour_solicitation(MAC, std::net::Ipv6Addr::UNSPECIFIED, target);
    let Seen::Neighbour(neighbour) = dissect(&bytes, LinkLayer::Ethernet).seen else { panic!("no solicitation") };
    assert_eq!(neighbour.link_address, None);
}

#[test]
fn rfc792_an_echo_request_goes_to_one_mac_and_no_further() {
    let request = |source, target, identifier, sequence| {
        let (from, to) = ((MAC, address(source)), (MacAddr(2, 0, 0, 0, 0, 2), address(target)));
        frame::echo(Echo::Request, from, to, identifier, sequence)
    };
    let bytes = request("10.9.9.7", "10.9.9.100", 0x1234, 5).expect("one family");
    assert_eq!(bytes[..14], hex("020000000002 02000000000a 0800"));
    assert_eq!((bytes[22], &bytes[34..]), (1, &hex("0800 e5c6 1234 0005")[..]));
    let bytes = request("fe80::7", "fe80::1", 1, 2).expect("one family");
    assert_eq!((bytes[21], bytes[54]), (1, 128), "hop limit and type");
    let mixed = request("fe80::7", "10.9.9.100", 1, 2);
    assert_eq!(mixed, Err(EmitError::MixedFamilies(address("10.9.9.100"), address("fe80::7"))));
}
