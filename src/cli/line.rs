//! One advert as one line: what `decode` prints from files and `sniff` from the wire.

use std::fmt;
use std::net::IpAddr;

use jiff::Timestamp;

use crate::observe::PacketKind;
use crate::time::Duration;
use crate::wire::{Advert, ChecksumForm, Rejected, Seen};

/// One thing that was seen, when and where. Its text holds no control characters if `interface` has none.
#[derive(Debug)]
pub struct Line<'a> {
    /// Unix time in nanoseconds.
    pub unix_nanos: i64,
    /// Interface name.
    pub interface: &'a str,
    /// VLAN.
    pub vlan: Option<u16>,
    /// To whom it was addressed.
    pub kind: PacketKind,
    /// What it says.
    pub seen: &'a Seen,
}

impl Line<'_> {
    /// False for what is no redundancy protocol: ARP, neighbour discovery and the rest have no line.
    pub fn is_worth_it(&self) -> bool {
        matches!(self.seen, Seen::Advert(_) | Seen::Rejected(_) | Seen::Other(_))
    }
}

impl fmt::Display for Line<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let time = Timestamp::from_nanosecond(i128::from(self.unix_nanos)).unwrap_or(Timestamp::UNIX_EPOCH);
        write!(f, "{time:.6} {}", self.interface)?;
        if let Some(vlan) = self.vlan {
            write!(f, "/{vlan}")?;
        }
        f.write_str(" ")?;
        match self.seen {
            Seen::Advert(advert) => write_advert(f, advert)?,
            Seen::Rejected(rejected) => write_rejected(f, rejected)?,
            Seen::Other(other) => write!(f, "{other}")?,
            Seen::Arp(_) | Seen::Neighbour(_) | Seen::EchoReply(_) | Seen::Irrelevant => f.write_str("no advert")?,
        }
        if self.kind == PacketKind::Outgoing { f.write_str(" (sent by the capturing host)") } else { Ok(()) }
    }
}

fn write_advert(f: &mut fmt::Formatter<'_>, advert: &Advert) -> fmt::Result {
    let Advert { source, destination, version, vrid, priority, interval, auth, checksum, .. } = advert;
    write!(f, "{source} -> {destination} VRRPv{} vrid {vrid} priority {priority}", version.number())?;
    write!(f, " interval {:?} auth {} checksum {}", Duration::from(*interval), auth.kind(), checksum_form(*checksum))?;
    if advert.ttl != 255 {
        write!(f, " ttl {}", advert.ttl)?;
    }
    let addresses: Vec<String> = advert.addresses.iter().map(IpAddr::to_string).collect();
    write!(f, " addresses {}", addresses.join(","))?;
    advert.defect().map_or(Ok(()), |reason| write!(f, " REJECTED: {}", reason.as_str()))
}

fn write_rejected(f: &mut fmt::Formatter<'_>, rejected: &Rejected) -> fmt::Result {
    match (rejected.source, rejected.mac) {
        (Some(source), _) => write!(f, "{source} VRRP")?,
        (None, Some(mac)) => write!(f, "{mac} VRRP")?,
        (None, None) => f.write_str("VRRP")?,
    }
    if let Some(vrid) = rejected.vrid {
        write!(f, " vrid {vrid}")?;
    }
    write!(f, " REJECTED: {}", rejected.reason.as_str())
}

const fn checksum_form(form: ChecksumForm) -> &'static str {
    match form {
        ChecksumForm::Message => "message",
        ChecksumForm::PseudoHeader => "pseudo-header",
        ChecksumForm::MessageOnly => "message-only",
        ChecksumForm::MulticastPseudoHeader => "multicast-pseudo-header",
        ChecksumForm::Invalid => "invalid",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::time::{CentiSeconds, Seconds};
    use crate::wire::{Auth, Interval, OtherProtocol, RejectReason, Version};

    fn line(seen: &Seen, vlan: Option<u16>, kind: PacketKind) -> String {
        Line { unix_nanos: 1_700_000_000_123_456_789, interface: "eth0", vlan, kind, seen }.to_string()
    }

    fn advert() -> Advert {
        Advert {
            mac: None,
            source: [10, 9, 9, 1].into(),
            destination: [224, 0, 0, 18].into(),
            ttl: 255,
            version: Version::V2,
            vrid: 51,
            priority: 200,
            interval: Interval::Seconds(Seconds(1)),
            auth: Auth::Password(*b"secret12"),
            checksum: ChecksumForm::Message,
            addresses: vec![[10, 9, 9, 100].into(), [10, 9, 9, 101].into()],
        }
    }

    #[test]
    fn an_advert_is_one_line_and_never_its_password() {
        assert_eq!(
            line(&Seen::Advert(advert()), Some(12), PacketKind::Multicast),
            "2023-11-14T22:13:20.123456Z eth0/12 10.9.9.1 -> 224.0.0.18 VRRPv2 vrid 51 priority 200 interval 1s auth password \
             checksum message addresses 10.9.9.100,10.9.9.101"
        );
    }

    #[test]
    fn an_advert_that_receivers_must_refuse_says_why() {
        let interval = Interval::CentiSeconds(CentiSeconds(10));
        let seen = Advert { ttl: 254, version: Version::V3, interval, auth: Auth::None, ..advert() };
        let text = line(&Seen::Advert(seen), None, PacketKind::Outgoing);
        assert!(text.contains("VRRPv3") && text.contains("interval 100ms") && text.contains("ttl 254"), "{text}");
        assert!(text.ends_with("REJECTED: ttl (sent by the capturing host)"), "{text}");
    }

    #[test]
    fn the_unreadable_and_the_relatives_are_named() {
        let source: IpAddr = [10, 9, 9, 7].into();
        let rejected = Rejected { reason: RejectReason::Length, mac: None, source: Some(source), vrid: Some(9) };
        let text = line(&Seen::Rejected(rejected), None, PacketKind::Unknown);
        assert!(text.ends_with("eth0 10.9.9.7 VRRP vrid 9 REJECTED: length"), "{text}");
        let carp = OtherProtocol::Carp { source, vhid: 3, advbase: 1, advskew: 100 };
        let text = line(&Seen::Other(carp), None, PacketKind::Unknown);
        assert!(text.ends_with("10.9.9.7 CARP vhid 3 advbase 1 advskew 100"), "{text}");
        let hsrp = OtherProtocol::Hsrp { source, version: 2, group: Some(400) };
        assert!(line(&Seen::Other(hsrp), None, PacketKind::Unknown).ends_with("HSRPv2 group 400"));
        let glbp = OtherProtocol::Glbp { source, group: None };
        assert!(line(&Seen::Other(glbp), None, PacketKind::Unknown).ends_with("10.9.9.7 GLBP"));
    }
}
