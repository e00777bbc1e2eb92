//! The checks on receipt that need the configuration (RFC 3768 §7.1, RFC 9568 §7.1), and the alarms that they raise.

use std::collections::BTreeSet;
use std::net::IpAddr;

use super::Settings;
use crate::time::Duration;
use crate::wire::{Advert, Auth, RejectReason, Version};

/// Alarms that stand at one time. A stranger can make up sources; it can't make us remember them all.
const MAX_STANDING: usize = 32;

/// What is to be said about an advert.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Complaint {
    /// Not obeyed, for a reason that the wire knows.
    Refused(RejectReason),
    /// Not obeyed: its source is no known speaker.
    Stranger,
    /// Obeyed, though its addresses are not exactly ours.
    ListDiffers,
    /// Obeyed and learned, though its interval is not ours.
    IntervalDiffers,
    /// Obeyed, though nobody else should speak for an owner's addresses.
    OwnerHears,
}

impl Complaint {
    /// In words. Addresses are shown, passwords never are.
    pub(super) fn describe(self, advert: &Advert, settings: &Settings) -> String {
        let (source, vrid, name) = (advert.source, settings.vrid, &settings.name);
        match self {
            Self::Refused(RejectReason::Addresses) => format!(
                "{source} advertises VRID {vrid} for other addresses than {name}: two virtual routers share the VRID, \
                 give one of them another"
            ),
            Self::Refused(RejectReason::Interval) => format!(
                "{name} refuses the adverts of {source}: their interval is {:?} and ours {:?}, in version 2 they must be equal",
                Duration::from(advert.interval),
                settings.advert_interval
            ),
            Self::Refused(RejectReason::Auth) => format!(
                "{name} refuses the adverts of {source}: authentication {} does not match ours, {}",
                advert.auth.kind(),
                settings.auth.kind()
            ),
            Self::Refused(RejectReason::Version) => format!(
                "{name} refuses the adverts of {source}: version {} where we speak version {}",
                advert.version.number(),
                settings.version.number()
            ),
            Self::Refused(reason) => format!("{name} refuses the adverts of {source}: wrong {}", reason.as_str()),
            Self::Stranger => {
                format!("{source} advertises VRID {vrid} and is no known speaker of {name}: its adverts are not obeyed")
            }
            Self::ListDiffers => format!(
                "{source} advertises VRID {vrid} with another list of addresses than {name}: configure both alike"
            ),
            Self::IntervalDiffers => format!(
                "{source} advertises {name} every {:?} where we would every {:?}: who becomes backup follows the master's, but \
                 configure both alike",
                Duration::from(advert.interval),
                settings.advert_interval
            ),
            Self::OwnerHears => {
                format!(
                    "{source} advertises the addresses of {name}, which this host owns: only one may have priority 255"
                )
            }
        }
    }
}

/// Whether the advert is obeyed, and if not, why.
pub(super) fn admit(advert: &Advert, settings: &Settings) -> Result<(), Complaint> {
    let refuse = |reason| Err(Complaint::Refused(reason));
    if let Some(reason) = advert.defect() {
        return refuse(reason);
    }
    if advert.version != settings.version || advert.family() != settings.family {
        return refuse(RejectReason::Version);
    }
    if advert.vrid != settings.vrid {
        return refuse(RejectReason::Vrid);
    }
    if !auth_fits(advert, settings) {
        return refuse(RejectReason::Auth);
    }
    let interval = Duration::from(advert.interval);
    if interval.is_zero() || (advert.version == Version::V2 && interval != settings.advert_interval) {
        return refuse(RejectReason::Interval);
    }
    if settings.known_speakers.as_ref().is_some_and(|known| !known.contains(&advert.source)) {
        return Err(Complaint::Stranger);
    }
    if !advert.addresses.iter().any(|address| settings.advertises(address)) {
        return refuse(RejectReason::Addresses);
    }
    Ok(())
}

/// Version 3 has no authentication: a signature behind the message is somebody else's matter.
fn auth_fits(advert: &Advert, settings: &Settings) -> bool {
    match settings.version {
        Version::V2 => advert.auth == settings.auth,
        Version::V3 => matches!(advert.auth, Auth::None | Auth::HmacTrailer),
    }
}

/// True if the advert carries exactly the configured addresses, in any order.
pub(super) fn lists_are_equal(advert: &Advert, settings: &Settings) -> bool {
    let ours = || settings.addresses.iter().map(|(address, _)| address);
    // The common case at once; only a differing order costs a comparison of each with each.
    advert.addresses.iter().eq(ours())
        || advert.addresses.iter().all(|address| settings.advertises(address))
            && ours().all(|address| advert.addresses.contains(address))
}

/// The alarms that stand, so that each is raised once.
#[derive(Clone, Debug, Default)]
pub(super) struct Alarms {
    standing: BTreeSet<(IpAddr, Complaint)>,
}

/// What became of a complaint.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Raised {
    New,
    Known,
    NoRoom,
}

impl Alarms {
    pub(super) fn raise(&mut self, source: IpAddr, complaint: Complaint) -> Raised {
        if self.standing.contains(&(source, complaint)) {
            return Raised::Known;
        }
        if self.standing.len() >= MAX_STANDING {
            return Raised::NoRoom;
        }
        self.standing.insert((source, complaint));
        Raised::New
    }

    /// An advert of `source` gave cause for these complaints and no others.
    pub(super) fn keep_only(&mut self, source: IpAddr, complaints: &[Complaint]) {
        if !self.standing.is_empty() {
            self.standing.retain(|(from, complaint)| *from != source || complaints.contains(complaint));
        }
    }

    pub(super) fn clear(&mut self) {
        self.standing.clear();
    }
}
