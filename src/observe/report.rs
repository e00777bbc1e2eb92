//! The second channel: what a peer's vipwarden says of itself, asked over HTTP, and how far it can be believed.
//!
//! A report is a claim like any other. It is bound to the question that it answers (a nonce), so that an old one can't be
//! played back, and its age is counted from when the question left: everything in it was so at [`Report::as_of`] or later.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::time::{Duration, Instant};
use crate::wire::{Family, MacAddr};

use super::{DaemonState, State};

/// How old a report may be and still say how things are.
const FRESH: Duration = Duration::from_secs(3);

/// What a peer's vipwarden says.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(from = "Unindexed")]
pub struct Report {
    /// What it calls itself.
    pub node: String,
    /// Random for each of its starts.
    pub boot_id: String,
    /// True if it is signed with the cluster's key, which only vipwardens of this cluster have.
    pub signed: bool,
    /// Everything in it was so then or later: when the question left, less the age of the peer's own view.
    pub as_of: Instant,
    /// The addresses of its host.
    pub addresses: Vec<IpAddr>,
    /// The hardware addresses of its host.
    pub macs: Vec<MacAddr>,
    routers: Vec<Reported>,
    /// Which of them have an address.
    #[serde(skip)]
    by_address: BTreeMap<IpAddr, Vec<usize>>,
}

/// A report as it is read back: the index is made anew.
#[derive(Deserialize)]
struct Unindexed {
    node: String,
    boot_id: String,
    signed: bool,
    as_of: Instant,
    addresses: Vec<IpAddr>,
    macs: Vec<MacAddr>,
    routers: Vec<Reported>,
}

impl From<Unindexed> for Report {
    fn from(read: Unindexed) -> Self {
        let Unindexed { node, boot_id, signed, as_of, addresses, macs, routers } = read;
        Self { addresses, macs, ..Self::new(node, boot_id, signed, as_of) }.with_routers(routers)
    }
}

/// One virtual router as a peer reports it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Reported {
    /// Its name there.
    pub name: String,
    /// Its interface there.
    pub interface: String,
    /// IPv4 or IPv6.
    pub family: Family,
    /// VRID.
    pub vrid: u8,
    /// All its addresses that are known there.
    pub addresses: Vec<IpAddr>,
    /// True if that vipwarden itself is the router there.
    pub speaks: bool,
    /// The peer's own part.
    pub state: State,
    /// True where its sensors are blind to this router: what it does not say proves nothing then.
    pub blind: bool,
    /// The addresses that its host holds, by netlink.
    pub held: Vec<IpAddr>,
    /// Base and effective priority, where it speaks.
    pub priority: Option<(u8, Option<u8>)>,
    /// What leaves its host.
    pub sends: Option<Sent>,
    /// Whom it hears.
    pub hears: Vec<Heard>,
    /// How the VRRP daemon is there.
    pub daemon: DaemonState,
    /// Whether a witness answers it through the virtual address's own interface; `None` where none is asked.
    pub witness: Option<bool>,
    /// What it found out that is to be mended on its own host.
    pub findings: Vec<ReportedFinding>,
    /// True if another host than the master was the last one that it saw announce an address: clients there are misled.
    #[serde(default)]
    pub misdirected: bool,
    /// What it says of the arbiter's lease, where it may hold by its peers' promises.
    pub pledge: Option<Pledged>,
}

/// A peer's word on an arbiter's lease, for the time in which the arbiter can't be asked.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pledged {
    /// Under which name the arbiter knows the router.
    pub key: String,
    /// It holds, could not renew its lease in time, and asks the others to take nothing.
    pub asks: bool,
    /// It neither holds nor takes the lease: when it was asked, and for how long from its answer on, by its own clock.
    pub promise: Option<(Instant, Duration)>,
}

/// A peer's own adverts, as they leave its host.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sent {
    /// Their source.
    pub source: IpAddr,
    /// Their priority.
    pub priority: u8,
    /// True while it believes itself an active master.
    pub active: bool,
    /// The last one left then or later.
    pub last: Instant,
}

/// Somebody whose adverts a peer hears on its wire.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Heard {
    /// Source of the adverts.
    pub source: IpAddr,
    /// Source of the frames.
    pub mac: Option<MacAddr>,
    /// Priority.
    pub priority: u8,
    /// True while it is believed there to be an active master.
    pub active: bool,
    /// The last one came then or later.
    pub last: Instant,
    /// How many came on the wire, got past ingress, and got past netfilter; the last two where that can be told.
    pub counts: (u64, Option<(u64, u64)>),
}

/// A finding that a peer made on its own host.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReportedFinding {
    /// Name of the cause.
    pub cause: String,
    /// What is so there.
    pub local: String,
    /// What is so on the other side.
    pub remote: String,
    /// The one thing to do, there.
    pub remedy: String,
}

/// A peer's word on one router, as far as a fence asks: who holds, and who is the better one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Testimony {
    /// Name of the peer.
    pub peer: String,
    /// True if it is signed with the cluster's key.
    pub signed: bool,
    /// It was so then or later.
    pub as_of: Instant,
    /// True where the peer is blind to this router.
    pub blind: bool,
    /// True if its host holds an address of it.
    pub holds: bool,
    /// True if that vipwarden itself is the router there.
    pub speaks: bool,
    /// Its effective priority, where it speaks and has no fault.
    pub effective: Option<u8>,
    /// Source and priority of its adverts, while they leave.
    pub sends: Option<(IpAddr, u8)>,
    /// Its own part.
    pub state: State,
    /// Whether a witness answers it through the address's own interface; `None` where none is asked.
    pub witness: Option<bool>,
    /// The sources whose adverts it hears at present.
    pub hears: Vec<IpAddr>,
    /// True if another host than the master was the last one that it saw announce an address: clients there are misled.
    pub misdirected: bool,
    /// What it says of the arbiter's lease.
    pub pledge: Option<Pledged>,
}

impl Testimony {
    /// What `report`, of the peer of that name, says of one of its routers.
    pub fn new(peer: &str, report: &Report, said: &Reported) -> Self {
        let sends = said.sends.as_ref().filter(|_| said.advertises());
        Self {
            peer: peer.into(),
            signed: report.signed,
            as_of: report.as_of,
            blind: said.blind,
            holds: !said.held.is_empty(),
            speaks: said.speaks,
            effective: said.priority.and_then(|(_, effective)| effective),
            sends: sends.map(|sent| (sent.source, sent.priority)),
            state: said.state,
            witness: said.witness,
            hears: said.hears.iter().filter(|heard| heard.active).map(|heard| heard.source).collect(),
            misdirected: said.misdirected,
            pledge: said.pledge.clone(),
        }
    }
}

/// Why a question to a peer came to nothing.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Mute {
    /// No answer, or one that can't be read.
    Silent(String),
    /// An answer that is not what it should be: without the cluster's signature, or somebody else's.
    Refused(String),
}

impl Mute {
    /// In words.
    pub fn why(&self) -> &str {
        let (Self::Silent(why) | Self::Refused(why)) = self;
        why
    }
}

impl Report {
    /// The memory that it takes, about, in bytes.
    pub fn size(&self) -> usize {
        let of_router = |router: &Reported| {
            let text =
                |found: &ReportedFinding| [&found.cause, &found.local, &found.remote, &found.remedy].map(|t| t.len());
            let findings = router.findings.iter().flat_map(text).sum::<usize>();
            // Each address is in the index, too.
            let addresses = router.addresses.len() * 4 + router.held.len();
            let lists = addresses * size_of::<IpAddr>() + size_of_val(router.hears.as_slice());
            size_of::<Reported>() + size_of_val(router.findings.as_slice()) + findings + lists
        };
        let own = size_of_val(self.addresses.as_slice()) + size_of_val(self.macs.as_slice());
        own + self.routers.iter().map(of_router).sum::<usize>()
    }

    /// A report on no router, as of `as_of`.
    pub fn new(node: String, boot_id: String, signed: bool, as_of: Instant) -> Self {
        Self {
            node,
            boot_id,
            signed,
            as_of,
            addresses: Vec::new(),
            macs: Vec::new(),
            routers: Vec::new(),
            by_address: BTreeMap::new(),
        }
    }

    /// The same report on these routers.
    #[must_use]
    pub fn with_routers(mut self, routers: Vec<Reported>) -> Self {
        self.by_address.clear();
        for (i, router) in routers.iter().enumerate() {
            for address in &router.addresses {
                self.by_address.entry(*address).or_default().push(i);
            }
        }
        self.routers = routers;
        self
    }

    /// Until when it says how things are.
    pub fn fresh_until(&self) -> Instant {
        self.as_of + FRESH
    }

    /// Its virtual routers.
    pub fn routers(&self) -> &[Reported] {
        &self.routers
    }

    /// The router of the same family that shares one of `addresses`; the one with the same VRID before others.
    pub fn router(&self, family: Family, vrid: u8, addresses: impl IntoIterator<Item = IpAddr>) -> Option<&Reported> {
        let sharing = addresses.into_iter().filter_map(|address| self.by_address.get(&address)).flatten();
        let known = sharing.filter_map(|i| self.routers.get(*i)).filter(|r| r.family == family);
        known.max_by_key(|r| r.vrid == vrid)
    }
}

impl Reported {
    /// A watched backup with these addresses, of which nothing else is known.
    pub fn backup(family: Family, vrid: u8, addresses: Vec<IpAddr>) -> Self {
        Self {
            name: "web".into(),
            interface: "eth0".into(),
            family,
            vrid,
            addresses,
            speaks: false,
            state: State::Backup,
            blind: false,
            held: Vec::new(),
            priority: None,
            sends: None,
            hears: Vec::new(),
            daemon: DaemonState::Alive,
            witness: None,
            findings: Vec::new(),
            misdirected: false,
            pledge: None,
        }
    }

    /// True if `other` says the same of who holds and who advertises, and why.
    pub fn agrees_with(&self, other: &Self) -> bool {
        (self.state, self.blind, &self.held, &self.findings) == (other.state, other.blind, &other.held, &other.findings)
            && self.advertises() == other.advertises()
    }

    /// True if it advertises, as far as the peer can tell.
    pub fn advertises(&self) -> bool {
        self.sends.as_ref().is_some_and(|sent| sent.active && sent.priority > 0)
    }
}

/// What is known of the way to one peer's vipwarden.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Channel {
    /// The outcome of the last question, by URL.
    urls: Vec<Option<Result<(), Mute>>>,
    report: Option<Arc<Report>>,
}

impl Channel {
    /// A channel over so many URLs, none of which was asked yet.
    pub fn new(urls: usize) -> Self {
        Self { urls: vec![None; urls], report: None }
    }

    /// Takes in what became of a question to the `url`th URL. True if something changed that people should be told: whether
    /// it answers, whether an answer is refused, whether it is signed, which life of its daemon it is.
    pub fn take(&mut self, url: usize, said: &Result<Arc<Report>, Mute>) -> bool {
        let before = self.summary();
        let Some(last) = self.urls.get_mut(url) else { return false };
        *last = Some(said.as_ref().map(|_| ()).map_err(Clone::clone));
        if let Ok(report) = said
            && self.report.as_ref().is_none_or(|known| known.as_of <= report.as_of)
        {
            self.report = Some(report.clone());
        }
        before != self.summary()
    }

    fn summary(&self) -> (Option<bool>, bool, Option<(bool, String)>) {
        let life = self.report.as_ref().map(|report| (report.signed, report.boot_id.clone()));
        (self.is_up(), self.is_refused(), life)
    }

    /// Whether it answers over any of its URLs; `None` where it is not asked, or was not yet.
    pub fn is_up(&self) -> Option<bool> {
        let mut known = self.urls.iter().flatten().peekable();
        known.peek()?;
        Some(known.any(Result::is_ok))
    }

    /// The newest report, however old.
    pub fn newest(&self) -> Option<&Arc<Report>> {
        self.report.as_ref()
    }

    /// The newest report, if it still says how things are.
    pub fn fresh(&self, now: Instant) -> Option<&Arc<Report>> {
        self.report.as_ref().filter(|report| now <= report.fresh_until())
    }

    /// True if its newest answer is fresh and signed.
    pub fn is_trusted(&self, now: Instant) -> bool {
        self.fresh(now).is_some_and(|report| report.signed)
    }

    /// Why one of its answers is refused, or else, if none comes, why not.
    pub fn trouble(&self) -> Option<&str> {
        let failures = || self.urls.iter().flatten().filter_map(|said| said.as_ref().err());
        let refused = failures().find(|mute| matches!(mute, Mute::Refused(_)));
        let silent = || failures().next().filter(|_| self.is_up() == Some(false));
        refused.or_else(silent).map(Mute::why)
    }

    /// True if one of its answers is refused: somebody else answers in its place, or its key is another.
    pub fn is_refused(&self) -> bool {
        self.urls.iter().flatten().any(|said| matches!(said, Err(Mute::Refused(_))))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(ms: u64) -> Instant {
        Instant::from_nanos(ms * 1_000_000)
    }

    fn report(as_of: Instant) -> Arc<Report> {
        Arc::new(Report::new("lb02".into(), "b".into(), true, as_of))
    }

    #[test]
    fn a_channel_is_up_while_one_of_its_urls_answers_and_its_report_grows_old_by_itself() {
        let mut channel = Channel::new(2);
        assert_eq!(channel.is_up(), None);
        assert!(channel.take(0, &Err(Mute::Silent("no route".into()))));
        assert_eq!((channel.is_up(), channel.trouble()), (Some(false), Some("no route")));
        assert!(channel.take(1, &Ok(report(at(1000)))));
        assert_eq!((channel.is_up(), channel.trouble()), (Some(true), None));
        assert!(channel.is_trusted(at(4000)) && !channel.is_trusted(at(4001)));
    }

    #[test]
    fn an_older_report_over_a_slower_url_replaces_no_newer_one() {
        let mut channel = Channel::new(2);
        channel.take(0, &Ok(report(at(2000))));
        channel.take(1, &Ok(report(at(1000))));
        assert_eq!(channel.newest().unwrap().as_of, at(2000));
    }

    #[test]
    fn a_refused_answer_is_told_although_another_url_answers_well() {
        let mut channel = Channel::new(2);
        channel.take(0, &Ok(report(at(2000))));
        assert!(channel.take(1, &Err(Mute::Refused("signed with another key".into()))));
        assert!(channel.is_refused());
        assert_eq!((channel.is_up(), channel.trouble()), (Some(true), Some("signed with another key")));
    }

    #[test]
    fn a_question_to_an_unknown_url_changes_nothing() {
        let mut channel = Channel::new(1);
        assert!(!channel.take(7, &Ok(report(at(0)))));
        assert_eq!(channel.is_up(), None);
    }

    #[test]
    fn routers_are_matched_by_a_shared_address_and_the_same_vrid_goes_first() {
        let vip: IpAddr = "10.0.0.100".parse().unwrap();
        let router = |vrid, addresses: &[IpAddr]| Reported::backup(Family::V4, vrid, addresses.to_vec());
        let routers = vec![router(51, &[vip]), router(52, &[vip]), router(51, &["10.0.0.9".parse().unwrap()])];
        let said = Report::clone(&report(at(0))).with_routers(routers);
        assert_eq!(said.router(Family::V4, 51, [vip]).map(|r| r.vrid), Some(51));
        assert_eq!(said.router(Family::V4, 52, [vip]).map(|r| r.vrid), Some(52));
        assert_eq!(said.router(Family::V4, 7, [vip]).map(|r| r.addresses.contains(&vip)), Some(true));
        assert!(said.router(Family::V6, 51, [vip]).is_none());
    }
}
