//! The Internet checksum in the forms that VRRP speakers use (RFC 1071; RFC 3768 §5.3.8; RFC 9568 §5.2.8).
//!
//! Panics: never.

use std::net::{IpAddr, Ipv4Addr};

use pnet::packet::ip::{IpNextHeaderProtocol, IpNextHeaderProtocols};
use pnet::packet::util;

use super::{ChecksumForm, Family, Version};

/// 224.0.0.18, to which IPv4 adverts go.
pub const GROUP_V4: Ipv4Addr = Ipv4Addr::new(224, 0, 0, 18);

/// The checksum field of a VRRP message, in words.
const VRRP_WORD: usize = 3;

/// The forms that a version has over a family, in the order in which they are tried.
pub const fn forms(version: Version, family: Family) -> &'static [ChecksumForm] {
    match (version, family) {
        (Version::V2, _) => &[ChecksumForm::Message],
        (Version::V3, Family::V6) => &[ChecksumForm::PseudoHeader],
        (Version::V3, Family::V4) => {
            &[ChecksumForm::PseudoHeader, ChecksumForm::MessageOnly, ChecksumForm::MulticastPseudoHeader]
        }
    }
}

/// The checksum of a VRRP message in one form; `None` for [`ChecksumForm::Invalid`].
pub fn vrrp(form: ChecksumForm, message: &[u8], source: IpAddr, destination: IpAddr) -> Option<u16> {
    let protocol = IpNextHeaderProtocols::Vrrp;
    match form {
        ChecksumForm::Message | ChecksumForm::MessageOnly => Some(util::checksum(message, VRRP_WORD)),
        ChecksumForm::PseudoHeader => with_pseudo_header(message, VRRP_WORD, source, destination, protocol),
        ChecksumForm::MulticastPseudoHeader => {
            with_pseudo_header(message, VRRP_WORD, source, GROUP_V4.into(), protocol)
        }
        ChecksumForm::Invalid => None,
    }
}

/// The checksum over pseudo-header and message, the word `skip` counted as zero; `None` if the families differ.
pub fn with_pseudo_header(
    message: &[u8],
    skip: usize,
    source: IpAddr,
    destination: IpAddr,
    protocol: IpNextHeaderProtocol,
) -> Option<u16> {
    match (source, destination) {
        (IpAddr::V4(source), IpAddr::V4(destination)) => {
            Some(util::ipv4_checksum(message, skip, &[], &source, &destination, protocol))
        }
        (IpAddr::V6(source), IpAddr::V6(destination)) => {
            Some(util::ipv6_checksum(message, skip, &[], &source, &destination, protocol))
        }
        _ => None,
    }
}

/// True if `found` is as good as `expected`: in one's complement, all zeros and all ones are the same number.
pub const fn same(found: u16, expected: u16) -> bool {
    found == expected || (found ^ expected == u16::MAX && (found == 0 || expected == 0))
}
