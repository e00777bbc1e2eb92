//! What holds for all input: what is written is read back, and nothing read can do harm.

use std::net::{Ipv4Addr, Ipv6Addr};

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;

use super::*;
use crate::wire::{
    Arp, ArpOperation, Echo, EchoReply, Family, Neighbour, NeighbourKind, Rejected, checksum, frame, icmp, nd,
};

const LINK_LAYERS: [LinkLayer; 4] = [LinkLayer::Ethernet, LinkLayer::Sll, LinkLayer::Sll2, LinkLayer::Ip];

fn mac() -> impl Strategy<Value = MacAddr> {
    any::<[u8; 6]>().prop_map(MacAddr::from)
}

fn unicast_v4() -> impl Strategy<Value = Ipv4Addr> {
    any::<u32>().prop_map(|bits| Ipv4Addr::from(bits & 0x7fff_ffff))
}

fn link_local() -> impl Strategy<Value = Ipv6Addr> {
    any::<u64>().prop_map(|bits| Ipv6Addr::from(0xfe80 << 112 | u128::from(bits)))
}

fn addresses(family: Family) -> BoxedStrategy<Vec<IpAddr>> {
    match family {
        Family::V4 => vec(any::<Ipv4Addr>().prop_map(IpAddr::V4), 1..=255).boxed(),
        Family::V6 => (link_local(), vec(any::<Ipv6Addr>(), 0..=254))
            .prop_map(|(first, rest)| std::iter::once(first).chain(rest).map(IpAddr::V6).collect())
            .boxed(),
    }
}

/// Source and destination; the group or a peer.
fn ends(family: Family) -> BoxedStrategy<(IpAddr, IpAddr)> {
    match family {
        Family::V4 => (unicast_v4(), prop_oneof![Just(checksum::GROUP_V4), unicast_v4()])
            .prop_map(|(source, destination)| (source.into(), destination.into()))
            .boxed(),
        Family::V6 => (link_local(), prop_oneof![Just(Ipv6Addr::new(0xff02, 0, 0, 0, 0, 0, 0, 0x12)), link_local()])
            .prop_map(|(source, destination)| (source.into(), destination.into()))
            .boxed(),
    }
}

fn auth(version: Version) -> BoxedStrategy<Auth> {
    let common = select(vec![Auth::None, Auth::Header, Auth::HmacTrailer]);
    match version {
        Version::V2 => prop_oneof![common, any::<[u8; 8]>().prop_map(Auth::Password)].boxed(),
        Version::V3 => common.boxed(),
    }
}

fn interval(version: Version) -> BoxedStrategy<Interval> {
    match version {
        Version::V2 => (1..=u8::MAX).prop_map(|seconds| Interval::Seconds(Seconds(seconds))).boxed(),
        Version::V3 => (1..=4095_u16).prop_map(|hundredths| Interval::CentiSeconds(CentiSeconds(hundredths))).boxed(),
    }
}

fn form(version: Version, family: Family) -> impl Strategy<Value = ChecksumForm> {
    let mut forms = checksum::forms(version, family).to_vec();
    forms.push(ChecksumForm::Invalid);
    select(forms)
}

fn any_advert() -> impl Strategy<Value = Advert> {
    select(vec![(Version::V2, Family::V4), (Version::V3, Family::V4), (Version::V3, Family::V6)]).prop_flat_map(
        |(version, family)| {
            let header = (mac().prop_map(Some), ends(family), any::<u8>());
            let message = (1..=u8::MAX, any::<u8>(), interval(version), auth(version), form(version, family));
            (header, message, addresses(family)).prop_map(
                move |((mac, (source, destination), ttl), (vrid, priority, interval, auth, checksum), addresses)| {
                    Advert {
                        mac,
                        source,
                        destination,
                        ttl,
                        version,
                        vrid,
                        priority,
                        interval,
                        auth,
                        checksum,
                        addresses,
                    }
                },
            )
        },
    )
}

/// Forms with the same sum can't be told apart: the first of them is read.
fn as_read_back(advert: Advert, message: &[u8]) -> Advert {
    let sum = |form| checksum::vrrp(form, message, advert.source, advert.destination);
    let alike = |form: &&ChecksumForm| sum(**form) == sum(advert.checksum);
    let first = checksum::forms(advert.version, advert.family()).iter().find(alike).copied();
    Advert { checksum: first.unwrap_or(ChecksumForm::Invalid), ..advert }
}

fn any_neighbour() -> impl Strategy<Value = Neighbour> {
    let kind = prop_oneof![
        Just(NeighbourKind::Solicitation),
        any::<[bool; 3]>().prop_map(|[router, solicited, override_]| NeighbourKind::Advertisement {
            router,
            solicited,
            override_
        }),
    ];
    (mac(), link_local(), link_local(), link_local(), kind, proptest::option::of(mac())).prop_map(
        |(frame_source, source, destination, target, kind, link_address)| Neighbour {
            frame_source,
            source,
            destination,
            target,
            kind,
            link_address,
        },
    )
}

/// True if `cut` says no more than `whole` does.
fn says_no_more(cut: &Seen, whole: &Seen) -> bool {
    let only_truncated =
        matches!(cut, Seen::Rejected(Rejected { reason: RejectReason::Truncated, .. }) | Seen::Irrelevant);
    only_truncated || cut == whole
}

fn assert_every_truncation_says_no_more(bytes: &[u8]) -> Result<(), TestCaseError> {
    let whole = dissect(bytes, LinkLayer::Ethernet).seen;
    for length in 0..bytes.len() {
        let cut = dissect(&bytes[..length], LinkLayer::Ethernet).seen;
        prop_assert!(says_no_more(&cut, &whole), "{} of {} bytes: {:?}", length, bytes.len(), cut);
    }
    Ok(())
}

proptest! {
    #[test]
    fn an_advert_that_was_written_is_read_back(advert in any_advert()) {
        let bytes = frame::advert(&advert, Some(MAC)).expect("an advert that fits the wire");
        let mut message = Vec::new();
        crate::wire::emit_advert(&advert, &mut message).expect("an advert that fits the wire");
        let trailer = if advert.auth == Auth::HmacTrailer { 28 } else { 0 };
        let expected = as_read_back(advert, &message[..message.len() - trailer]);
        prop_assert_eq!(dissect(&bytes, LinkLayer::Ethernet).seen, Seen::Advert(expected));
    }

    #[test]
    fn a_truncated_advert_is_never_another_advert(advert in any_advert()) {
        let bytes = frame::advert(&advert, Some(MAC)).expect("an advert that fits the wire");
        assert_every_truncation_says_no_more(&bytes)?;
    }

    #[test]
    fn an_arp_packet_that_was_written_is_read_back(
        macs in any::<[[u8; 6]; 4]>(),
        sender_ip in any::<Ipv4Addr>(),
        target_ip in any::<Ipv4Addr>(),
        operation in select(vec![ArpOperation::Request, ArpOperation::Reply]),
    ) {
        let [frame_source, frame_destination, sender_mac, target_mac] = macs.map(MacAddr::from);
        let arp = Arp { frame_source, frame_destination, operation, sender_mac, sender_ip, target_mac, target_ip };
        let bytes = frame::arp(&arp);
        prop_assert_eq!(dissect(&bytes, LinkLayer::Ethernet).seen, Seen::Arp(arp));
        assert_every_truncation_says_no_more(&bytes)?;
    }

    #[test]
    fn a_neighbour_message_that_was_written_is_read_back(neighbour in any_neighbour()) {
        let bytes = frame::neighbour(&neighbour, MAC);
        prop_assert_eq!(dissect(&bytes, LinkLayer::Ethernet).seen, Seen::Neighbour(neighbour));
        assert_every_truncation_says_no_more(&bytes)?;
    }

    #[test]
    fn a_gratuitous_arp_is_read_back_as_one_in_both_forms(octets in any::<[u8; 6]>(), ip in any::<Ipv4Addr>()) {
        let mac = MacAddr::from(octets);
        for (bytes, wanted) in frame::gratuitous_arp(mac, ip).iter().zip([ArpOperation::Request, ArpOperation::Reply]) {
            let Seen::Arp(arp) = dissect(bytes, LinkLayer::Ethernet).seen else { panic!("no ARP") };
            prop_assert_eq!((arp.frame_source, arp.frame_destination), (mac, MacAddr::broadcast()));
            prop_assert_eq!((arp.sender_mac, arp.sender_ip, arp.target_ip), (mac, ip, ip));
            prop_assert_eq!((arp.operation, arp.is_gratuitous()), (wanted, !ip.is_unspecified()));
        }
    }

    #[test]
    fn an_unsolicited_advertisement_is_read_back_as_one(
        octets in any::<[u8; 6]>(),
        ip in link_local(),
        router in any::<bool>(),
    ) {
        let mac = MacAddr::from(octets);
        let bytes = frame::unsolicited_na(mac, ip, router);
        let expected = Neighbour {
            frame_source: mac,
            source: ip,
            destination: Ipv6Addr::new(0xff02, 0, 0, 0, 0, 0, 0, 1),
            target: ip,
            kind: NeighbourKind::Advertisement { router, solicited: false, override_: true },
            link_address: Some(mac),
        };
        prop_assert_eq!(dissect(&bytes, LinkLayer::Ethernet).seen, Seen::Neighbour(expected));
        prop_assert_eq!(&bytes[..6], &[0x33, 0x33, 0, 0, 0, 1]);
        assert_every_truncation_says_no_more(&bytes)?;
    }

    #[test]
    fn an_echo_reply_that_was_written_is_read_back(
        (source, destination) in prop_oneof![ends(Family::V4), ends(Family::V6)],
        identifier in any::<u16>(),
        sequence in any::<u16>(),
    ) {
        let message = icmp::emit(Echo::Reply, source, destination, identifier, sequence).expect("one family");
        let protocol = if source.is_ipv4() { IpNextHeaderProtocols::Icmp } else { IpNextHeaderProtocols::Icmpv6 };
        let bytes = packet(&source.to_string(), &destination.to_string(), protocol, &message);
        let reply = EchoReply { frame_source: MacAddr::zero(), source, identifier, sequence };
        prop_assert_eq!(seen_in_ip(&bytes), Seen::EchoReply(reply));
    }

    #[test]
    fn arbitrary_bytes_are_read_without_harm_on_every_link_layer(bytes in vec(any::<u8>(), 0..200)) {
        for link in LINK_LAYERS {
            if let Seen::Advert(advert) = dissect(&bytes, link).seen {
                prop_assert!(advert.vrid != 0 && !advert.addresses.is_empty());
            }
        }
    }

    #[test]
    fn a_damaged_frame_is_read_without_harm(
        advert in any_advert(),
        damage in vec((any::<prop::sample::Index>(), any::<u8>()), 1..8),
    ) {
        let mut bytes = frame::advert(&advert, Some(MAC)).expect("an advert that fits the wire");
        for (index, value) in damage {
            let offset = index.index(bytes.len());
            bytes[offset] = value;
        }
        if let Seen::Advert(read) = dissect(&bytes, LinkLayer::Ethernet).seen {
            prop_assert!(read.vrid != 0 && !read.addresses.is_empty());
        }
    }

    #[test]
    fn neighbour_options_of_any_kind_are_walked_without_harm(
        neighbour in any_neighbour(),
        options in vec(any::<u8>(), 0..600),
    ) {
        let message = [nd::emit(&Neighbour { link_address: None, ..neighbour }), options].concat();
        let mut bytes = packet(
            &neighbour.source.to_string(),
            &neighbour.destination.to_string(),
            IpNextHeaderProtocols::Icmpv6,
            &message,
        );
        let (source, destination) = (neighbour.source.into(), neighbour.destination.into());
        let sum = checksum::with_pseudo_header(&message, 1, source, destination, IpNextHeaderProtocols::Icmpv6);
        bytes[42..44].copy_from_slice(&sum.expect("one family").to_be_bytes());
        let seen = seen_in_ip(&bytes);
        prop_assert!(matches!(seen, Seen::Neighbour(_) | Seen::Irrelevant), "{:?}", seen);
    }
}
