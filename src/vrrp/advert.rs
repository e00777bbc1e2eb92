//! The advertisement that a router sends.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::Settings;
use crate::time::{CentiSeconds, Duration, Seconds};
use crate::wire::{Advert, Auth, ChecksumForm, Family, Interval, Version};

/// Nobody on the way may have forwarded it (RFC 9568 §5.1.1.3, §5.1.2.3).
const TTL: u8 = 255;

const GROUP_V4: IpAddr = IpAddr::V4(Ipv4Addr::new(224, 0, 0, 18));
const GROUP_V6: IpAddr = IpAddr::V6(Ipv6Addr::new(0xff02, 0, 0, 0, 0, 0, 0, 0x12));

const CENTISECOND: Duration = Duration::from_millis(10);

/// The advert of a router with this `priority` (0-255) from `source`, as `wire::frame::advert` wants it.
///
/// It goes to the group and from the virtual MAC: for a unicast peer the caller sets `destination`, for another MAC `mac`.
pub fn advert(settings: &Settings, priority: u8, source: IpAddr) -> Advert {
    let version = settings.version;
    Advert {
        mac: None,
        source,
        destination: match settings.family {
            Family::V4 => GROUP_V4,
            Family::V6 => GROUP_V6,
        },
        ttl: TTL,
        version,
        vrid: settings.vrid,
        priority,
        interval: interval(version, settings.advert_interval),
        auth: if version == Version::V2 { settings.auth } else { Auth::None },
        checksum: match (version, settings.family) {
            (Version::V2, _) => ChecksumForm::Message,
            (Version::V3, Family::V4) => settings.checksum,
            (Version::V3, Family::V6) => ChecksumForm::PseudoHeader,
        },
        addresses: settings.addresses.iter().map(|(address, _)| *address).collect(),
    }
}

/// As the wire writes it. The settings were validated; what doesn't fit all the same is cut to what the field can hold.
fn interval(version: Version, interval: Duration) -> Interval {
    match version {
        Version::V2 => Interval::Seconds(Seconds(u8::try_from(interval.as_secs()).unwrap_or(u8::MAX))),
        Version::V3 => {
            let centiseconds = interval.as_nanos() / CENTISECOND.as_nanos();
            Interval::CentiSeconds(CentiSeconds(u16::try_from(centiseconds).unwrap_or(u16::MAX)))
        }
    }
}
