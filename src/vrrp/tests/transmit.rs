//! RFC 9568 §7.2, RFC 3768 §7.2: sending adverts. The bytes are those that keepalived sends for the same settings.

use super::super::*;
use super::bench::*;
use crate::wire::{LinkLayer, MacAddr, Seen, dissect, emit_advert, frame};

const SOURCE: &str = "10.9.9.1";

fn message(settings: &Settings, priority: u8, source: &str) -> String {
    let mut bytes = Vec::new();
    emit_advert(&advert(settings, priority, ip(source)), &mut bytes).unwrap();
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[test]
fn rfc3768_5_the_message_of_version_2() {
    assert_eq!(message(&version_2(), 0, SOURCE), "213300010001cb5d0a0909640000000000000000");
    let with_password = Settings { auth: Auth::Password(*b"secret12"), ..version_2() };
    assert_eq!(message(&with_password, 200, SOURCE), "2133c801010194de0a0909647365637265743132");
}

#[test]
fn rfc9568_5_2_the_message_of_version_3() {
    assert_eq!(message(&settings(), 200, SOURCE), "3133c8010064ff600a090964");
    assert_eq!(message(&settings(), 0, SOURCE), "313300010064c7610a090964");
    let message_only = Settings { checksum: ChecksumForm::MessageOnly, ..settings() };
    assert_eq!(message(&message_only, 200, SOURCE), "3133c8010064f2f90a090964");
    assert_eq!(message(&message_only, 0, SOURCE), "313300010064bafa0a090964");
}

#[test]
fn rfc9568_5_2_the_message_over_ipv6_has_the_link_local_address_first() {
    let settings = Settings { checksum: ChecksumForm::MessageOnly, ..over_ipv6() };
    assert_eq!(
        message(&settings, 200, "fe80::1"),
        "3133c8020064d9fcfe80000000000000000000000000010020010db8000000000000000000000100"
    );
}

#[test]
fn rfc9568_7_2_an_advert_is_what_another_router_of_the_same_settings_accepts() {
    let password = Settings { auth: Auth::Password(*b"1111\0\0\0\0"), ..version_2() };
    for settings in kinds().into_iter().chain([password]) {
        let bytes = frame::advert(&heard(&settings, 200, HIGHER), None).unwrap();
        let Seen::Advert(seen) = dissect(&bytes, LinkLayer::Ethernet).seen else { panic!("no advert") };
        let group = if settings.family == Family::V4 { "224.0.0.18" } else { "ff02::12" };
        assert_eq!((seen.ttl, seen.destination, seen.priority), (255, ip(group), 200));
        let mut bench = Bench::master(settings);
        assert_eq!(bench.tell(Event::Advert(&seen)), "release, -> backup");
    }
}

#[test]
fn rfc9568_7_3_an_advert_comes_from_the_virtual_mac_unless_told_otherwise() {
    let bytes = frame::advert(&advert(&settings(), 200, ip(SOURCE)), None).unwrap();
    assert_eq!(bytes[6..12], [0, 0, 0x5e, 0, 1, 51]);
    let mac = MacAddr(2, 0, 0, 0, 0, 1);
    let unicast =
        crate::wire::Advert { mac: Some(mac), destination: ip("10.9.9.2"), ..advert(&settings(), 200, ip(SOURCE)) };
    let bytes = frame::advert(&unicast, Some(MacAddr(2, 0, 0, 0, 0, 2))).unwrap();
    assert_eq!(bytes[..12], [2, 0, 0, 0, 0, 2, 2, 0, 0, 0, 0, 1]);
    assert!(bytes.ends_with(&[0x31, 0x33, 200, 1, 0, 100, 0xcc, 0x68, 10, 9, 9, 100]));
}

#[test]
fn rfc9568_5_2_7_intervals_are_centiseconds_in_version_3_and_seconds_in_version_2() {
    for (millis, word) in [(10, "0001"), (1000, "0064"), (40_950, "0fff")] {
        let settings = Settings { advert_interval: Duration::from_millis(millis), ..settings() };
        assert_eq!(message(&settings, 1, SOURCE)[8..12], *word);
    }
    let slow = Settings { advert_interval: 255 * SECOND, ..version_2() };
    assert_eq!(message(&slow, 1, SOURCE)[8..12], *"00ff");
}
