//! One virtual router as it is seen: its speakers, its addresses, its counters.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::time::{Duration, Instant};
use crate::wire::{Advert, Family, MacAddr, Version};

use super::{Expected, Histogram, IfIndex, Report, Reported, Speaker, Speaking, Tap, Vip};

/// Addresses remembered for a learned router; the wire can carry 255.
const MAX_VIPS: usize = 255;

/// What tells one virtual router from another.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct RouterId {
    /// Interface name.
    pub interface: String,
    /// VLAN, where the adverts are tagged.
    pub vlan: Option<u16>,
    /// Family.
    pub family: Family,
    /// VRID.
    pub vrid: u8,
}

/// A virtual router.
#[derive(Debug)]
pub struct Router {
    /// Identity.
    pub id: RouterId,
    /// The interface, while it is there.
    pub interface: Option<IfIndex>,
    /// Its `[[router]]`, if one names it.
    pub expected: Option<Expected>,
    /// Those who advertise or did.
    pub speakers: Vec<Speaker>,
    /// Its addresses: the configured ones, and those of the speakers.
    pub vips: Vec<Vip>,
    /// The speakers' own addresses, asked for while somebody unexpected answers for a virtual one: whoever answers for a speaker's
    /// address, too, is that speaker (a second network card on the segment, the parent of a virtual MAC's interface).
    pub primaries: Vec<Vip>,
    /// This host's own address, asked for at the same time: whoever answers for that answers for anything, and what it answers for
    /// tells nothing of who it is.
    pub decoy: Option<Vip>,
    /// When it was first known.
    pub known_since: Instant,
    /// Interval and version of the last advert with a priority above 0; after a restart, as remembered.
    pub last_known: Option<(Duration, Version)>,
    /// When its last advert was seen, in this life or an earlier one.
    pub last_advert: Option<Instant>,
    /// True if this node is a member of it and not a bystander.
    pub member: bool,
    /// True if another router of its interface has one of its addresses, too.
    pub shares: bool,
    /// The speaker whose adverts are no news: set by the judge while all is well.
    pub steady: Option<IpAddr>,
    /// The last result of the output test: when, and whether the firewall refused.
    pub output: Option<(Instant, bool)>,
    /// When that test was last asked for.
    pub output_asked: Option<Instant>,
    /// Adverts that left this host.
    pub adverts_sent: u64,
    /// Priority-0 adverts from others.
    pub priority_zero_received: u64,
    /// Adverts heard in all.
    pub adverts: u64,
    /// Gaps between adverts, as multiples of the advertised interval.
    pub gaps: Histogram<7>,
    /// What this daemon does as its speaker.
    pub speaking: Option<Arc<Speaking>>,
}

/// Upper bounds of the buckets of [`Router::gaps`].
pub const GAP_BUCKETS: [f64; 7] = [0.5, 1.05, 1.5, 2.0, 2.5, 3.0, 4.0];

impl Router {
    /// A router of which nothing was heard.
    pub fn new(now: Instant, id: RouterId, interface: Option<IfIndex>, expected: Option<Expected>) -> Self {
        let mut router = Self {
            id,
            interface,
            expected: None,
            speakers: Vec::new(),
            vips: Vec::new(),
            primaries: Vec::new(),
            decoy: None,
            known_since: now,
            last_known: None,
            last_advert: None,
            member: false,
            shares: false,
            steady: None,
            output: None,
            output_asked: None,
            adverts_sent: 0,
            priority_zero_received: 0,
            adverts: 0,
            gaps: Histogram::default(),
            speaking: None,
        };
        router.expect(now, expected);
        router
    }

    /// Takes a `[[router]]` or its absence.
    pub fn expect(&mut self, now: Instant, expected: Option<Expected>) {
        self.expected = expected;
        self.refresh_vips(now, &[]);
    }

    /// The address that joins nodes: the lowest one that is not link-local, or the lowest of all.
    pub fn vip(&self) -> Option<IpAddr> {
        let routable = self.vips.iter().map(|v| v.address).filter(|a| !is_link_local(*a)).min();
        routable.or_else(|| self.vips.iter().map(|v| v.address).min())
    }

    /// Its configured name, or `VIP/VRID`.
    pub fn name(&self) -> String {
        match (&self.expected, self.vip()) {
            (Some(expected), _) => expected.name.clone(),
            (None, Some(vip)) => format!("{vip}/{}", self.id.vrid),
            (None, None) => format!("{}/{}", self.id.interface, self.id.vrid),
        }
    }

    /// The interval to expect: the last master's, else the configured one.
    pub fn interval(&self) -> Option<Duration> {
        self.last_known.map(|(interval, _)| interval).or_else(|| self.expected.as_ref()?.advert_interval)
    }

    /// Speakers that count: known ones.
    pub fn judged(&self) -> impl Iterator<Item = &Speaker> {
        self.speakers.iter().filter(|s| s.known)
    }

    /// Speakers believed to be masters at `now`: those whose adverts are on time, and those for whom the backups still wait and whom
    /// nobody succeeded. Beside one of the cluster none who merely says so.
    pub fn active(&self, now: Instant) -> Vec<&Speaker> {
        let succeeds = |other: &Speaker, s: &Speaker| other.is_fresh(now) || other.last > s.overdue_at();
        let may = |other: &Speaker, s: &Speaker| {
            !other.intrudes_upon(s) && (s.gives_way_to(&other.advert) || !self.is_idle_talk(other))
        };
        let succeeded = |s: &Speaker| self.judged().any(|other| succeeds(other, s) && may(other, s));
        let awaited = |s: &Speaker| !s.resigned() && now <= s.gone_at() && !succeeded(s);
        let mut active: Vec<&Speaker> = self.judged().filter(|s| s.is_fresh(now) || awaited(s)).collect();
        if active.iter().all(|s| self.is_idle_talk(s)) {
            // Nor are several who merely say so each other's rivals.
            return active.into_iter().max_by_key(|s| (s.advert.priority, s.advert.source)).into_iter().collect();
        }
        active.retain(|s| !self.is_idle_talk(s));
        active
    }

    /// The speaker on this host, whether it still speaks or not.
    pub fn local(&self) -> Option<&Speaker> {
        self.judged().filter(|s| s.local).max_by_key(|s| s.last)
    }

    /// True if this host's speaker has advertised for what is here since `held`: since then, or a moment before, as keepalived does, whose
    /// first advert leaves before it has the address.
    pub fn has_spoken_for(&self, held: Instant) -> bool {
        self.local().is_some_and(|s| s.last >= held || s.is_fresh(held))
    }

    /// The speaker that this advert belongs to.
    pub fn speaker_of(&mut self, advert: &Advert, local: bool) -> Option<&mut Speaker> {
        self.speakers.iter_mut().find(|s| s.is_source_of(advert, local))
    }

    /// True if this speaker is none of the cluster, and others are.
    pub fn is_stranger(&self, speaker: &Speaker) -> bool {
        speaker.stranger && self.speakers.iter().any(|s| !s.stranger)
    }

    /// True if a stranger advertises, and does not answer for an address, as far as it is asked: it is nobody's rival.
    pub fn is_idle_talk(&self, speaker: &Speaker) -> bool {
        // The virtual MAC is everyone's: what it answers is the cluster's.
        let own = speaker.mac().filter(|mac| *mac != self.virtual_mac());
        let answers = || self.vips.iter().flat_map(Vip::claims).any(|claim| own == Some(claim.mac));
        self.is_stranger(speaker) && !answers()
    }

    /// The speakers of the cluster, who may have to let go, and are waited for.
    pub fn cluster(&self) -> impl Iterator<Item = &Speaker> {
        self.judged().filter(|s| !self.is_stranger(s))
    }

    /// Counts an advert. Beside the cluster's own, a stranger's tells neither the interval nor that somebody is master.
    pub fn count(&mut self, now: Instant, advert: &Advert, local: bool, stranger: bool) {
        let stranger = stranger && self.speakers.iter().any(|s| !s.stranger);
        self.adverts += 1;
        if !stranger || advert.priority > 0 {
            self.last_advert = Some(now);
        }
        if local {
            self.adverts_sent += 1;
        }
        if advert.priority > 0 && !stranger {
            self.last_known = Some((advert.interval.into(), advert.version));
        } else if advert.priority == 0 && !local {
            self.priority_zero_received += 1;
        }
    }

    /// Takes in an advert of a speaker that is known here. `expected`: the further taps that must see it, too.
    pub fn hear(&mut self, now: Instant, advert: &Advert, local: bool, expected: &[Tap]) {
        let succeeded = self.was_succeeded(now, advert, local);
        let beside = self.firm_on_time(now, advert, local);
        let taken = self.taken_by(advert, local);
        let Some(speaker) = self.speaker_of(advert, local) else { return };
        let gap = speaker.hear(now, advert, succeeded);
        if speaker.spell == now {
            // What a tap lacked before a silence may have come while nobody was there to take it in.
            speaker.undelivered = [(0, now); 2];
            speaker.beside = beside;
            speaker.taken = taken.filter(|taken| now <= *taken + speaker.patience());
        }
        speaker.expect_delivery(now, expected);
        if let Some(intervals) = gap {
            self.gaps.observe(&GAP_BUCKETS, intervals);
        }
        self.note_contest(now, advert, local);
    }

    /// True if another was master since this speaker's last advert, and is no more. Two who refuse each other's adverts may be
    /// silent in turn, too, but then the other is still on time.
    fn was_succeeded(&self, now: Instant, advert: &Advert, local: bool) -> bool {
        let speaker = self.judged().find(|s| s.is_source_of(advert, local));
        speaker.is_some_and(|speaker| self.judged().any(|s| s.last > speaker.last))
            && !self.judged().any(|s| s.is_fresh(now))
    }

    /// The newest advert of those that are on time and give no way to this.
    fn firm_on_time(&self, now: Instant, advert: &Advert, local: bool) -> Option<Instant> {
        let is_firm = |s: &&Speaker| s.is_fresh(now) && !s.gives_way_to(advert) && !s.is_source_of(advert, local);
        self.judged().filter(is_firm).map(|s| s.last).max()
    }

    /// Remembers each speaker's first advert since two were on time at once: what each of them sends a moment after the
    /// other's was sent in the knowledge of it, if it can hear at all.
    fn note_contest(&mut self, now: Instant, advert: &Advert, local: bool) {
        let contested = self.judged().filter(|s| s.is_fresh(now) && !self.is_idle_talk(s)).nth(1).is_some();
        if !contested {
            self.speakers.iter_mut().for_each(|s| s.contested = None);
        } else if let Some(speaker) = self.speaker_of(advert, local) {
            speaker.contested.get_or_insert(now);
        }
    }

    /// When the sender of an advert took hold of an address, as far as that is seen: on this host, or because it announced it.
    fn taken_by(&self, advert: &Advert, local: bool) -> Option<Instant> {
        let announced =
            |vip: &Vip| vip.announced_elsewhere.filter(|(mac, _)| advert.mac == Some(*mac)).map(|(_, at)| at);
        self.vips.iter().filter_map(|vip| if local { vip.held } else { announced(vip) }).max()
    }

    /// What a peer's report says of it.
    pub fn reported_in<'a>(&self, report: &'a Report) -> Option<&'a Reported> {
        report.router(self.id.family, self.id.vrid, self.vips.iter().map(|vip| vip.address))
    }

    /// Until when nothing but news can change a verdict, if its master is in good standing: its adverts are on time and nothing here
    /// drops them.
    pub fn steady_until(&self, now: Instant) -> Option<Instant> {
        let source = self.steady?;
        let master = self.judged().find(|s| s.advert.source == source)?;
        (master.is_fresh(now) && master.dropped_before(now).is_none()).then(|| master.gone_at())
    }

    /// How much it matters to ask who holds an address, 0 most: the configured ones, those that this host holds or advertises,
    /// those of a master in good standing, and last whatever else was ever advertised.
    pub fn rank(&self, vip: &Vip) -> u8 {
        let says = |s: &Speaker| s.advert.addresses.contains(&vip.address);
        if vip.configured {
            0
        } else if vip.held.is_some() || self.local().is_some_and(says) {
            1
        } else if self.judged().any(|s| Some(s.advert.source) == self.steady && says(s)) {
            2
        } else {
            3
        }
    }

    /// All addresses that are asked for.
    pub fn asked(&mut self) -> impl Iterator<Item = &mut Vip> {
        self.vips.iter_mut().chain(&mut self.primaries).chain(&mut self.decoy)
    }

    /// The same, to look at.
    pub fn all_asked(&self) -> impl Iterator<Item = &Vip> {
        self.vips.iter().chain(&self.primaries).chain(&self.decoy)
    }

    /// True if answers for this address concern it.
    pub fn asks_about(&self, address: IpAddr) -> bool {
        self.all_asked().any(|v| v.address == address)
    }

    /// When the first of the open probe rounds ends.
    pub fn round_ends(&self) -> Option<Instant> {
        self.all_asked().filter_map(Vip::round_ends).min()
    }

    /// Ends the probe rounds whose time is over. True if one ended: who did not answer is known then.
    pub fn end_rounds(&mut self, now: Instant) -> bool {
        let mut ended = false;
        for vip in self.asked() {
            ended |= vip.end_round(now);
        }
        if !ended {
            return false;
        }
        let unexpected = |vip: &Vip| vip.claims().iter().any(|claim| !self.is_expected_claimant(now, claim.mac));
        let silent = self.vips.iter().any(Vip::is_silent) && self.active(now).iter().any(|s| !s.local);
        if silent {
            // Does its host answer at all?
            self.ask_primaries(now);
        } else if !self.vips.iter().any(unexpected) {
            self.primaries.clear();
            self.decoy = None;
        }
        true
    }

    /// Somebody unexpected answers, or nobody does: the speakers' own addresses are asked for from now on.
    pub fn ask_primaries(&mut self, now: Instant) {
        let sources: Vec<IpAddr> = self.judged().filter(|s| !s.local).map(|s| s.advert.source).collect();
        for source in sources {
            if !self.primaries.iter().any(|p| p.address == source) {
                self.primaries.push(Vip::new(source, false, now));
            }
        }
    }

    /// Somebody unexpected answers: does it answer for `own`, which is this host's, too?
    pub fn ask_decoy(&mut self, now: Instant, own: IpAddr) {
        self.decoy = Some(Vip::new(own, false, now));
    }

    /// True if `mac` answers for this host's own address: for anything.
    pub fn is_impostor(&self, mac: MacAddr) -> bool {
        self.decoy.iter().flat_map(Vip::claims).any(|claim| claim.mac == mac)
    }

    /// True if this speaker's host answers for its own address.
    pub fn is_reachable(&self, speaker: &Speaker) -> bool {
        self.primaries.iter().any(|p| p.address == speaker.advert.source && !p.claims().is_empty())
    }

    /// True if `mac` is that speaker's: the one that it advertises from, or one that answers for its own address.
    pub fn is_mac_of(&self, speaker: &Speaker, mac: MacAddr) -> bool {
        let own = self.primaries.iter().filter(|p| p.address == speaker.advert.source).flat_map(Vip::claims);
        speaker.mac() == Some(mac) || !self.is_impostor(mac) && own.into_iter().any(|claim| claim.mac == mac)
    }

    /// True if an answer from `mac` is what the adverts of others lead one to expect.
    pub fn is_expected_claimant(&self, now: Instant, mac: MacAddr) -> bool {
        self.active(now).iter().filter(|s| !s.local).any(|s| s.mac() == Some(mac) || mac == self.virtual_mac())
    }

    /// Makes room for one more speaker: the one that has been silent longest goes, if it is gone for good, or a stranger and the new one is
    /// none. False if there is none.
    pub fn make_room(&mut self, now: Instant, max_speakers: usize, stranger: bool) -> bool {
        if self.speakers.len() < max_speakers {
            return true;
        }
        let goes = |s: &Speaker| s.stranger && !stranger || !s.local && now > s.gone_at() + s.interval();
        let silent = self.speakers.iter().enumerate().filter(|(_, s)| goes(s));
        match silent.min_by_key(|(_, s)| (s.peer.is_some(), s.last)).map(|(i, _)| i) {
            Some(oldest) => {
                self.speakers.remove(oldest);
                true
            }
            None => false,
        }
    }

    /// Sets the addresses anew from the configuration, the speakers that matter and `remembered` ones. Those that stay keep their claims.
    pub fn refresh_vips(&mut self, now: Instant, remembered: &[IpAddr]) {
        let newest = self.judged().map(|s| s.last).max();
        let speaking =
            self.speakers.iter().filter(|s| s.known && (s.local || Some(s.last) == newest || s.is_fresh(now)));
        let mut wanted: BTreeMap<IpAddr, bool> = BTreeMap::new();
        for address in speaking.flat_map(|s| &s.advert.addresses).chain(remembered).take(MAX_VIPS) {
            wanted.insert(*address, false);
        }
        for address in self.expected.iter().flat_map(|e| e.addresses.iter().chain(&e.excluded_addresses)) {
            wanted.insert(*address, true);
        }
        let mut old: BTreeMap<IpAddr, Vip> = self.vips.drain(..).map(|v| (v.address, v)).collect();
        let keep = |(address, configured): (IpAddr, bool)| match old.remove(&address) {
            Some(mut vip) => {
                vip.configured = configured;
                vip
            }
            None => Vip::new(address, configured, now),
        };
        self.vips = wanted.into_iter().map(keep).collect();
    }

    /// The virtual MAC of this router (RFC 9568 §7.3).
    pub fn virtual_mac(&self) -> MacAddr {
        let family = if self.id.family == Family::V4 { 1 } else { 2 };
        MacAddr(0x00, 0x00, 0x5e, 0x00, family, self.id.vrid)
    }
}

/// 169.254.0.0/16 or fe80::/10.
pub fn is_link_local(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(a) => a.is_link_local(),
        IpAddr::V6(a) => a.is_unicast_link_local(),
    }
}
