//! Messages captured from keepalived 2.2.7, and computed again by hand.

use super::*;
use crate::wire::emit_advert;

const V2: &str = "45c0002800010000ff70c7880a090901e00000122133c8010001035d0a0909640000000000000000";
const V2_PRIORITY_0: &str = "213300010001cb5d0a0909640000000000000000";
const V2_PASSWORD: &str = "2133c801010194de0a0909647365637265743132";
const V2_PASSWORD_NOT_SUMMED: &str = "2133c8010101025d0a0909647365637265743132";
const V2_AH: &str = "45c0004000010000ff33c7ad0a090901e0000012700400000a0909010000000100db7ae781c66b37796f5c17\
                     2133c8010201015d0a0909640000000000000000";
const V3: &str = "45c0002000010000ff70c7900a090901e00000123133c8010064ff600a090964";
const V3_UNICAST: &str = "3133c8010064cc680a090964";
const V3_MESSAGE_ONLY: &str = "3133c8010064f2f90a090964";
const V3_PRIORITY_0: &str = "313300010064c7610a090964";
const V3_PRIORITY_0_MESSAGE_ONLY: &str = "313300010064bafa0a090964";
const V3_IPV6: &str = "3133c8020064d9fcfe80000000000000000000000000010020010db8000000000000000000000100";
const V3_IPV6_MESSAGE_ONLY: &str = "3133c8020064d82bfe80000000000000000000000000010020010db8000000000000000000000100";

const GROUP: &str = "224.0.0.18";

fn from_keepalived(destination: &str, message: &str) -> Advert {
    advert_in_ip(&vrrp_packet("10.9.9.1", destination, &hex(message)))
}

fn emitted(advert: &Advert) -> Vec<u8> {
    let mut bytes = Vec::new();
    emit_advert(advert, &mut bytes).expect("an advert that fits the wire");
    bytes
}

fn password_advert() -> Advert {
    Advert { auth: Auth::Password(*b"secret12"), ..golden_advert(Version::V2) }
}

fn ipv6_advert() -> Advert {
    Advert {
        source: address("fe80::1"),
        destination: address("ff02::12"),
        addresses: vec![address("fe80::100"), address("2001:db8::100")],
        ..golden_advert(Version::V3)
    }
}

#[test]
fn rfc3768_5_version_2_is_read_from_a_whole_ip_packet() {
    assert_eq!(advert_in_ip(&hex(V2)), golden_advert(Version::V2));
}

#[test]
fn rfc3768_5_version_2_is_written_as_keepalived_writes_it() {
    assert_eq!(emitted(&golden_advert(Version::V2)), hex(V2)[20..]);
}

#[test]
fn rfc3768_5_3_4_priority_0_is_read_and_written() {
    let resignation = Advert { priority: 0, ..golden_advert(Version::V2) };
    assert_eq!(from_keepalived(GROUP, V2_PRIORITY_0), resignation);
    assert_eq!(emitted(&resignation), hex(V2_PRIORITY_0));
}

#[test]
fn rfc2338_5_3_10_a_password_is_read_and_written_and_summed() {
    assert_eq!(from_keepalived(GROUP, V2_PASSWORD), password_advert());
    assert_eq!(emitted(&password_advert()), hex(V2_PASSWORD));
}

#[test]
fn rfc3768_5_3_8_a_checksum_without_the_password_is_wrong() {
    let advert = from_keepalived(GROUP, V2_PASSWORD_NOT_SUMMED);
    assert_eq!(advert.defect(), Some(RejectReason::Checksum));
    assert_eq!(advert, Advert { checksum: ChecksumForm::Invalid, ..password_advert() });
}

#[test]
fn rfc2338_5_3_6_an_authentication_header_is_seen_and_the_message_in_it_checked() {
    let advert = advert_in_ip(&hex(V2_AH));
    assert_eq!(advert, Advert { auth: Auth::Header, ..golden_advert(Version::V2) });
    assert_eq!(emitted(&advert), hex(V2_AH)[44..]);
}

#[test]
fn rfc9568_5_version_3_is_read_from_a_whole_ip_packet_and_written() {
    assert_eq!(advert_in_ip(&hex(V3)), golden_advert(Version::V3));
    assert_eq!(emitted(&golden_advert(Version::V3)), hex(V3)[20..]);
}

#[test]
fn rfc9568_5_2_8_all_checksum_forms_over_ipv4_are_told_apart() {
    let forms = [
        (GROUP, &hex(V3)[20..], ChecksumForm::PseudoHeader),
        ("10.9.9.2", &hex(V3_UNICAST), ChecksumForm::PseudoHeader),
        (GROUP, &hex(V3_MESSAGE_ONLY), ChecksumForm::MessageOnly),
        ("10.9.9.2", &hex(V3_MESSAGE_ONLY), ChecksumForm::MessageOnly),
        ("10.9.9.2", &hex(V3)[20..], ChecksumForm::MulticastPseudoHeader),
        (GROUP, &hex(V3_UNICAST), ChecksumForm::Invalid),
    ];
    for (destination, message, checksum) in forms {
        let expected = Advert { destination: address(destination), checksum, ..golden_advert(Version::V3) };
        assert_eq!(advert_in_ip(&vrrp_packet("10.9.9.1", destination, message)), expected);
        if checksum != ChecksumForm::Invalid {
            assert_eq!(emitted(&expected), message);
        }
    }
}

#[test]
fn rfc9568_5_2_4_priority_0_is_read_in_both_checksum_forms() {
    for (message, checksum) in
        [(V3_PRIORITY_0, ChecksumForm::PseudoHeader), (V3_PRIORITY_0_MESSAGE_ONLY, ChecksumForm::MessageOnly)]
    {
        let resignation = Advert { priority: 0, checksum, ..golden_advert(Version::V3) };
        assert_eq!(from_keepalived(GROUP, message), resignation);
        assert_eq!(emitted(&resignation), hex(message));
    }
}

#[test]
fn rfc9568_5_2_8_ipv6_sums_its_pseudo_header() {
    assert_eq!(advert_in_ip(&vrrp_packet("fe80::1", "ff02::12", &hex(V3_IPV6))), ipv6_advert());
    assert_eq!(emitted(&ipv6_advert()), hex(V3_IPV6));
}

#[test]
fn rfc9568_5_2_8_ipv6_without_its_pseudo_header_is_wrong() {
    let advert = advert_in_ip(&vrrp_packet("fe80::1", "ff02::12", &hex(V3_IPV6_MESSAGE_ONLY)));
    assert_eq!(advert, Advert { checksum: ChecksumForm::Invalid, ..ipv6_advert() });
}

#[test]
fn a_password_is_never_printed() {
    let printed = format!("{:?}", from_keepalived(GROUP, V2_PASSWORD));
    assert!(printed.contains("auth: password"), "{printed}");
    assert!(!printed.contains("secret12") && !printed.contains("115, 101"), "{printed}");
}
