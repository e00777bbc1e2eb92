//! VRRP advertisements, versions 2 and 3, over both families (RFC 3768 §5, RFC 9568 §5), read and written.
//!
//! Panics: the accessors of [`Packet`] panic only on a buffer that [`Packet::new_checked`] refuses. [`parse`] and
//! [`emit_advert`] never panic.

use std::net::IpAddr;

use super::ip;
use super::{
    Advert, Auth, ChecksumForm, EmitError, Family, Interval, MacAddr, RejectReason, Rejected, Seen, Version, checksum,
};
use crate::time::{CentiSeconds, Seconds};

/// Fields of a message. Versions differ in the second word only.
mod field {
    use std::ops::Range;

    pub const VERSION_AND_TYPE: usize = 0;
    pub const VRID: usize = 1;
    pub const PRIORITY: usize = 2;
    pub const COUNT: usize = 3;
    /// Version 2.
    pub const AUTH_TYPE: usize = 4;
    /// Version 2, in seconds.
    pub const INTERVAL: usize = 5;
    /// Version 3, in centiseconds; the upper four bits are reserved.
    pub const MAX_INTERVAL: Range<usize> = 4..6;
    pub const CHECKSUM: Range<usize> = 6..8;
    pub const ADDRESSES: usize = 8;
}

const ADVERTISEMENT: u8 = 1;
const MAX_INTERVAL_MASK: u16 = 0x0fff;

/// Authentication types of version 2 (RFC 2338 §5.3.6).
const AUTH_NONE: u8 = 0;
const AUTH_PASSWORD: u8 = 1;
const AUTH_HEADER: u8 = 2;
/// Version 2 ends with authentication data, used or not.
const AUTH_DATA: usize = 8;

/// What keepalived 2.4 puts behind the message when it signs it.
const HMAC_TRAILER: usize = 28;

/// A view of the bytes of a message.
#[derive(Clone, Copy, Debug)]
pub struct Packet<T> {
    buffer: T,
}

impl<T: AsRef<[u8]>> Packet<T> {
    /// A view of `buffer`; `None` if it ends before the fixed fields do.
    fn new_checked(buffer: T) -> Option<Self> {
        (buffer.as_ref().len() >= field::ADDRESSES).then_some(Self { buffer })
    }

    fn bytes(&self) -> &[u8] {
        self.buffer.as_ref()
    }

    fn version(&self) -> Option<Version> {
        match self.bytes()[field::VERSION_AND_TYPE] >> 4 {
            2 => Some(Version::V2),
            3 => Some(Version::V3),
            _ => None,
        }
    }

    fn kind(&self) -> u8 {
        self.bytes()[field::VERSION_AND_TYPE] & 0xf
    }

    fn vrid(&self) -> u8 {
        self.bytes()[field::VRID]
    }

    fn priority(&self) -> u8 {
        self.bytes()[field::PRIORITY]
    }

    fn count(&self) -> usize {
        self.bytes()[field::COUNT].into()
    }

    fn auth_type(&self) -> u8 {
        self.bytes()[field::AUTH_TYPE]
    }

    fn interval(&self, version: Version) -> Interval {
        let bytes = self.bytes();
        match version {
            Version::V2 => Interval::Seconds(Seconds(bytes[field::INTERVAL])),
            Version::V3 => {
                let word = u16::from_be_bytes([bytes[field::AUTH_TYPE], bytes[field::INTERVAL]]);
                Interval::CentiSeconds(CentiSeconds(word & MAX_INTERVAL_MASK))
            }
        }
    }

    fn checksum(&self) -> u16 {
        let bytes = self.bytes();
        u16::from_be_bytes([bytes[field::CHECKSUM.start], bytes[field::CHECKSUM.start + 1]])
    }

    /// How long the message says that it is, authentication data included.
    fn length(&self, version: Version, family: Family) -> usize {
        let authentication = if version == Version::V2 { AUTH_DATA } else { 0 };
        field::ADDRESSES + self.count() * address_length(family) + authentication
    }

    /// The addresses, at most as many as there is room for.
    fn addresses(&self, family: Family) -> Vec<IpAddr> {
        let list = &self.bytes()[field::ADDRESSES..];
        match family {
            Family::V4 => list.as_chunks::<4>().0.iter().take(self.count()).map(|octets| (*octets).into()).collect(),
            Family::V6 => list.as_chunks::<16>().0.iter().take(self.count()).map(|octets| (*octets).into()).collect(),
        }
    }

    /// The form in which the checksum is right. A trailer may or may not be covered.
    fn checksum_form(&self, version: Version, length: usize, source: IpAddr, destination: IpAddr) -> ChecksumForm {
        let family = Family::of(&source);
        let fits = |form: &ChecksumForm, message: &[u8]| {
            checksum::vrrp(*form, message, source, destination)
                .is_some_and(|expected| checksum::same(self.checksum(), expected))
        };
        let message = self.bytes().get(..length).unwrap_or(self.bytes());
        checksum::forms(version, family)
            .iter()
            .find(|form| fits(form, message) || (length < self.bytes().len() && fits(form, self.bytes())))
            .copied()
            .unwrap_or(ChecksumForm::Invalid)
    }
}

impl<T: AsRef<[u8]> + AsMut<[u8]>> Packet<T> {
    fn set_checksum(&mut self, sum: u16) {
        self.buffer.as_mut()[field::CHECKSUM].copy_from_slice(&sum.to_be_bytes());
    }

    /// Sets a checksum that is wrong in every form. The forms are a handful, so one of the first few sums is.
    fn spoil_checksum(&mut self, advert: &Advert, length: usize) {
        for sum in 0..=u16::MAX {
            self.set_checksum(sum);
            let form = self.checksum_form(advert.version, length, advert.source, advert.destination);
            if form == ChecksumForm::Invalid {
                break;
            }
        }
    }

    fn set_interval(&mut self, interval: Interval) {
        match interval {
            Interval::Seconds(seconds) => self.buffer.as_mut()[field::INTERVAL] = seconds.0,
            Interval::CentiSeconds(centiseconds) => {
                self.buffer.as_mut()[field::MAX_INTERVAL].copy_from_slice(&centiseconds.0.to_be_bytes());
            }
        }
    }
}

/// Reads the payload of a packet with protocol 112.
pub fn parse(packet: &ip::Packet<'_>, mac: Option<MacAddr>) -> Seen {
    read(packet, mac).map_or_else(
        |reason| {
            let vrid = packet.payload.get(field::VRID).copied();
            Seen::Rejected(Rejected { reason, mac, source: Some(packet.source), vrid })
        },
        Seen::Advert,
    )
}

/// The checks on receipt, and the reason that comes first in the order of RFC 9568 §7.1: a wrong TTL goes before all
/// that is read from the message, a wrong checksum before all that it covers. Those two alone don't refuse it here.
fn read(packet: &ip::Packet<'_>, mac: Option<MacAddr>) -> Result<Advert, RejectReason> {
    if !packet.whole {
        return Err(RejectReason::Truncated);
    }
    let view = Packet::new_checked(packet.payload).ok_or(RejectReason::Truncated)?;
    let (version, length) = shape(&view, packet).map_err(|reason| off_link(packet).unwrap_or(reason))?;
    let checksum = view.checksum_form(version, length, packet.source, packet.destination);
    let damaged = (checksum == ChecksumForm::Invalid).then_some(RejectReason::Checksum);
    let addresses = view.addresses(packet.family());
    let auth = content(&view, version, packet, addresses.first())
        .map_err(|reason| off_link(packet).or(damaged).unwrap_or(reason))?;
    Ok(Advert {
        mac,
        source: packet.source,
        destination: packet.destination,
        ttl: packet.ttl,
        version,
        vrid: view.vrid(),
        priority: view.priority(),
        interval: view.interval(version),
        auth,
        checksum,
        addresses,
    })
}

/// The group is link-local: a TTL below 255 says that somebody forwarded it. A unicast peer may be further away.
fn off_link(packet: &ip::Packet<'_>) -> Option<RejectReason> {
    (packet.ttl != 255 && packet.destination.is_multicast()).then_some(RejectReason::Ttl)
}

/// The checks that come before the checksum: version, type, length.
fn shape(view: &Packet<&[u8]>, packet: &ip::Packet<'_>) -> Result<(Version, usize), RejectReason> {
    let family = packet.family();
    let version = view.version().ok_or(RejectReason::Version)?;
    if version == Version::V2 && family == Family::V6 {
        return Err(RejectReason::Version);
    }
    if view.kind() != ADVERTISEMENT {
        return Err(RejectReason::Type);
    }
    let length = view.length(version, family);
    match packet.payload.len().checked_sub(length) {
        Some(0) => Ok((version, length)),
        Some(HMAC_TRAILER) if !packet.authenticated => Ok((version, length)),
        _ => Err(RejectReason::Length),
    }
}

/// The checks that come after the checksum: VRID, address count, first address, interval, authentication.
fn content(
    view: &Packet<&[u8]>,
    version: Version,
    packet: &ip::Packet<'_>,
    first: Option<&IpAddr>,
) -> Result<Auth, RejectReason> {
    if view.vrid() == 0 {
        return Err(RejectReason::Vrid);
    }
    if matches!(first.ok_or(RejectReason::Length)?, IpAddr::V6(address) if !address.is_unicast_link_local()) {
        return Err(RejectReason::Addresses);
    }
    if matches!(view.interval(version), Interval::Seconds(Seconds(0)) | Interval::CentiSeconds(CentiSeconds(0))) {
        return Err(RejectReason::Interval);
    }
    authentication(view, version, packet)
}

fn authentication(view: &Packet<&[u8]>, version: Version, packet: &ip::Packet<'_>) -> Result<Auth, RejectReason> {
    let length = view.length(version, packet.family());
    let kind = if version == Version::V2 { view.auth_type() } else { AUTH_NONE };
    match (kind, packet.authenticated) {
        (AUTH_HEADER, true) => Ok(Auth::Header),
        (AUTH_NONE, true) if version == Version::V3 => Ok(Auth::Header),
        (AUTH_NONE | AUTH_PASSWORD, false) if packet.payload.len() > length => Ok(Auth::HmacTrailer),
        (AUTH_NONE, false) => Ok(Auth::None),
        (AUTH_PASSWORD, false) => {
            packet.payload[..length].last_chunk().copied().map(Auth::Password).ok_or(RejectReason::Auth)
        }
        _ => Err(RejectReason::Auth),
    }
}

/// Appends the VRRP message of `advert` to `out`: what stands behind the IP header, or behind the Authentication Header
/// with [`Auth::Header`]. A signature can't be made here, so an HMAC trailer is zeros.
///
/// With [`ChecksumForm::Invalid`] the checksum is wrong in every form.
///
/// # Errors
/// [`EmitError::Refused`] with the reason for which a receiver would refuse it, or for which the wire has no room for
/// it; `out` is then as it was.
pub fn emit_advert(advert: &Advert, out: &mut Vec<u8>) -> Result<(), EmitError> {
    let auth_type = encodable(advert).map_err(EmitError::Refused)?;
    let count = u8::try_from(advert.addresses.len()).map_err(|_| EmitError::Refused(RejectReason::Length))?;
    let mut message = vec![0; field::ADDRESSES];
    message[field::VERSION_AND_TYPE] = advert.version.number() << 4 | ADVERTISEMENT;
    message[field::VRID] = advert.vrid;
    message[field::PRIORITY] = advert.priority;
    message[field::COUNT] = count;
    message[field::AUTH_TYPE] = auth_type;
    for address in &advert.addresses {
        match address {
            IpAddr::V4(address) => message.extend_from_slice(&address.octets()),
            IpAddr::V6(address) => message.extend_from_slice(&address.octets()),
        }
    }
    if advert.version == Version::V2 {
        message.extend_from_slice(&if let Auth::Password(password) = advert.auth { password } else { [0; AUTH_DATA] });
    }
    let length = message.len();
    if advert.auth == Auth::HmacTrailer {
        message.resize(length + HMAC_TRAILER, 0);
    }
    let mut packet = Packet { buffer: message };
    packet.set_interval(advert.interval);
    match checksum::vrrp(advert.checksum, &packet.bytes()[..length], advert.source, advert.destination) {
        Some(sum) => packet.set_checksum(sum),
        None => packet.spoil_checksum(advert, length),
    }
    out.extend_from_slice(packet.bytes());
    Ok(())
}

/// Checks that `advert` can stand on the wire, and tells its authentication type.
fn encodable(advert: &Advert) -> Result<u8, RejectReason> {
    let family = advert.family();
    if advert.version == Version::V2 && family == Family::V6 {
        return Err(RejectReason::Version);
    }
    let known_form = checksum::forms(advert.version, family).contains(&advert.checksum);
    if !known_form && advert.checksum != ChecksumForm::Invalid {
        return Err(RejectReason::Checksum);
    }
    if advert.vrid == 0 {
        return Err(RejectReason::Vrid);
    }
    if advert.addresses.is_empty() {
        return Err(RejectReason::Length);
    }
    let same_family = |address: &IpAddr| Family::of(address) == family;
    let first_fits = !matches!(advert.addresses[0], IpAddr::V6(first) if !first.is_unicast_link_local());
    if !first_fits || !same_family(&advert.destination) || !advert.addresses.iter().all(same_family) {
        return Err(RejectReason::Addresses);
    }
    match (advert.version, advert.interval) {
        (Version::V2, Interval::Seconds(Seconds(1..))) => {}
        (Version::V3, Interval::CentiSeconds(CentiSeconds(1..=MAX_INTERVAL_MASK))) => {}
        _ => return Err(RejectReason::Interval),
    }
    match (advert.version, advert.auth) {
        (_, Auth::None | Auth::HmacTrailer) | (Version::V3, Auth::Header) => Ok(AUTH_NONE),
        (Version::V2, Auth::Password(_)) => Ok(AUTH_PASSWORD),
        (Version::V2, Auth::Header) => Ok(AUTH_HEADER),
        (Version::V3, Auth::Password(_)) => Err(RejectReason::Auth),
    }
}

const fn address_length(family: Family) -> usize {
    match family {
        Family::V4 => 4,
        Family::V6 => 16,
    }
}
