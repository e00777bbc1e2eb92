//! Who holds a virtual router's addresses, by any evidence: adverts, this host's own addresses, answers to probes.

use std::net::IpAddr;

use crate::observe::{Claim, Model, Router, Speaker, Vouched};
use crate::time::Instant;
use crate::wire::MacAddr;

use super::conflict;
use super::remote::{self, Standing, Word};

/// One host that holds, or says so.
#[derive(Clone, Debug)]
pub struct Party<'a> {
    /// Its adverts, if it is believed an active master.
    pub active: Option<&'a Speaker>,
    /// Its last adverts, if it ever sent any.
    pub speaker: Option<&'a Speaker>,
    /// True if it is this host.
    pub here: bool,
    /// Its hardware address, where known.
    pub mac: Option<MacAddr>,
    /// Since when this host holds an address of the router; only for `here`.
    pub held: Option<Instant>,
    /// The answers it gave, with the address it answered for.
    pub claims: Vec<(IpAddr, &'a Claim)>,
    /// What its vipwarden says of itself.
    pub word: Option<Word<'a>>,
    /// Until when the peer whose MAC its answers have may yet say whether they are its own.
    pub awaited: Option<Instant>,
    /// The MAC in whose name it answers, if that host says that these answers are none of its own.
    pub borrowed: Option<MacAddr>,
}

impl<'a> Party<'a> {
    fn new(speaker: Option<&'a Speaker>, active: bool) -> Self {
        Self {
            active: speaker.filter(|_| active),
            speaker,
            here: speaker.is_some_and(|s| s.local),
            mac: speaker.and_then(Speaker::mac),
            held: None,
            claims: Vec::new(),
            word: None,
            awaited: None,
            borrowed: None,
        }
    }

    /// Since when it holds, as far as is known without its answers to probes.
    pub fn start(&self) -> Option<Instant> {
        self.active.map(|s| s.spell).max(self.held)
    }

    /// True if it stands for `address`: advertises it, holds it, or answers for it.
    pub fn covers(&self, address: IpAddr, router: &Router) -> bool {
        let vip = router.vips.iter().find(|v| v.address == address);
        let excluded = vip.is_some_and(|v| v.configured) && self.active.is_some();
        excluded
            || self.active.is_some_and(|s| s.advert.addresses.contains(&address))
            || (self.here && vip.is_some_and(|v| v.held.is_some()))
            || self.claims.iter().any(|(a, _)| *a == address)
            || self.word.is_some_and(|word| word.said.held.contains(&address))
    }

    /// True if anything shows that it holds since its last advert, and it is not about to send its first.
    pub fn holds_on(&self, router: &Router) -> bool {
        let fell_silent = self.speaker.map_or(Instant::ZERO, |s| s.last);
        let answers_since = |(_, claim): &(_, &Claim)| claim.last > fell_silent;
        let answers_first = |(_, claim): &(_, &Claim)| conflict::begins(router, claim);
        let begins = !self.claims.is_empty() && self.claims.iter().all(answers_first);
        let holds = self.here || self.says_held().is_some() || self.claims.iter().any(answers_since);
        holds && !begins && !self.says_that_it_begins(router)
    }

    /// What its vipwarden says, if that is that it holds.
    pub fn says_held(&self) -> Option<Word<'a>> {
        self.word.filter(|word| !word.said.held.is_empty())
    }

    /// True if its vipwarden says that it holds with a virtual MAC and does not advertise, and knows of nothing that is wrong: it may be
    /// about to begin.
    pub fn says_that_it_begins(&self, router: &Router) -> bool {
        let has_virtual_mac = |word: &Word<'_>| word.report.macs.contains(&router.virtual_mac());
        let is_quiet = |word: &Word<'_>| !word.said.advertises() && word.said.findings.is_empty();
        self.says_held().is_some_and(|word| has_virtual_mac(&word) && is_quiet(&word))
    }

    /// Its name: this node, a peer, its address, or its MAC.
    pub fn name(&self, model: &Model) -> String {
        if self.here {
            return model.settings.node.clone();
        }
        if self.borrowed.is_some() {
            return self.mac.map_or_else(|| "a host".into(), |mac| mac.to_string());
        }
        let told = self.word.map(|word| word.peer);
        let peer = told.or(self.speaker.and_then(|s| s.peer)).or(self.mac.and_then(|mac| model.peer_by_mac(mac)));
        match (peer.and_then(|i| model.settings.peers.get(i)), self.speaker, self.mac) {
            (Some(peer), ..) => peer.name.clone(),
            (None, Some(speaker), _) => stated(model, speaker),
            (None, None, Some(mac)) => mac.to_string(),
            (None, None, None) => "a host".into(),
        }
    }

    /// By what evidence it holds.
    pub fn how(&self) -> Vec<&'static str> {
        let mut how = Vec::new();
        if self.held.is_some() {
            how.push("netlink");
        }
        if self.active.is_some() {
            how.push("advert");
        }
        if let Some((address, _)) = self.claims.first() {
            how.push(if address.is_ipv4() { "arp" } else { "nd" });
        }
        if self.claims.iter().any(|(_, claim)| claim.echoed) {
            how.push("echo");
        }
        if self.says_held().is_some() {
            how.push("report");
        }
        how
    }
}

/// Everyone who holds at `now`, or did in the split that stands and can't say that it does no more; a host that does so by several
/// evidences is one party.
pub fn parties<'a>(model: &'a Model, router: &'a Router, standing: Option<Standing>, now: Instant) -> Vec<Party<'a>> {
    let mut parties: Vec<Party<'a>> = router.active(now).into_iter().map(|s| Party::new(Some(s), true)).collect();
    add_own(&mut parties, router);
    for vip in &router.vips {
        for claim in vip.claims() {
            add_claim(&mut parties, model, router, (vip.address, claim), now);
        }
    }
    for word in remote::words_in(model, router, standing, now) {
        add_word(&mut parties, router, word);
    }
    let is_idle = |p: &Party<'_>| p.active.is_some_and(|s| router.is_idle_talk(s));
    if !parties.iter().all(is_idle) {
        // Its adverts may keep the one that holds from sending its own.
        parties.retain(|p| !is_idle(p));
    }
    parties
}

/// A peer's word belongs to the host that it speaks of, and makes one where it holds and nothing else shows it.
fn add_word<'a>(parties: &mut Vec<Party<'a>>, router: &'a Router, word: Word<'a>) {
    let is_source =
        |s: &Speaker| !s.stranger && (s.peer == Some(word.peer) || word.report.addresses.contains(&s.advert.source));
    let has_mac = |p: &Party<'_>, mac: MacAddr| {
        p.borrowed.is_none() && mac != router.virtual_mac() && word.report.macs.contains(&mac)
    };
    let theirs = parties.iter_mut().find(|p| {
        !p.here && (p.speaker.is_some_and(is_source) || p.speaker.is_none() && p.mac.is_some_and(|mac| has_mac(p, mac)))
    });
    if let Some(party) = theirs {
        party.word = Some(word);
    } else if !word.said.held.is_empty() && !word.said.blind && word.alone {
        let past = router.judged().filter(|s| !s.local && is_source(s)).max_by_key(|s| s.last);
        let mac = past.and_then(Speaker::mac).or(word.report.macs.first().copied());
        parties.push(Party { mac, word: Some(word), ..Party::new(past, false) });
    }
}

fn add_own<'a>(parties: &mut Vec<Party<'a>>, router: &'a Router) {
    let Some(held) = router.vips.iter().filter_map(|v| v.held).min() else { return };
    match parties.iter_mut().find(|p| p.here) {
        Some(own) => own.held = Some(held),
        None => parties.push(Party { held: Some(held), here: true, ..Party::new(router.local(), false) }),
    }
}

fn add_claim<'a>(
    parties: &mut Vec<Party<'a>>,
    model: &Model,
    router: &'a Router,
    (address, claim): (IpAddr, &'a Claim),
    now: Instant,
) {
    // A host that let go a moment ago denies with reason what it answered before that.
    let spoke =
        router.judged().filter(|s| !s.local && s.mac() == Some(claim.mac)).map(|s| s.last).max().unwrap_or_default();
    let vouched = model.vouched(router, address, claim, now);
    if vouched == Vouched::Denied && claim.persists_since(spoke) {
        return add_borrower(parties, address, claim);
    }
    let awaited = if let Vouched::NotYet(until) = vouched { Some(until) } else { None };
    let virtual_mac = router.virtual_mac();
    // The last advert counts also when nobody is master at the moment: its sender has just stopped.
    let last = router.cluster().max_by_key(|s| s.last);
    let by_virtual_mac = parties.iter().filter_map(|p| p.active).chain(last).any(|s| s.mac() == Some(virtual_mac));
    let is_strange = router.is_impostor(claim.mac)
        || parties.iter().any(|p| p.speaker.is_some_and(|s| s.stranger && s.mac() == Some(claim.mac)));
    if by_virtual_mac && claim.mac != virtual_mac && !is_strange {
        // The parent of a virtual MAC's interface may answer too, with its own: FRR's backups do, and hold nothing.
        return;
    }
    let masters = parties.iter().filter(|p| p.active.is_some()).count();
    // Answers from the virtual MAC came in over the wire: they are another host's, though this one may have that MAC, too.
    let own = parties.iter_mut().find(|p| match p.here {
        true => claim.mac != virtual_mac && model.host.has_mac(claim.mac),
        false => {
            p.mac == Some(claim.mac)
                || p.speaker.is_some_and(|s| is_mac_of(model, router, s, claim.mac))
                || claim.mac == virtual_mac && masters == 1 && p.active.is_some()
        }
    });
    if let Some(party) = own {
        party.claims.push((address, claim));
        party.awaited = party.awaited.or(awaited);
        return;
    }
    let past = router.judged().filter(|s| !s.local && is_mac_of(model, router, s, claim.mac)).max_by_key(|s| s.last);
    if past.is_some_and(|s| s.mac() == Some(virtual_mac)) && claim.mac != virtual_mac && !is_strange {
        // That parent again, told by its own address although the master of today has no virtual MAC.
        return;
    }
    let claims = vec![(address, claim)];
    parties.push(Party { mac: Some(claim.mac), claims, awaited, ..Party::new(past, false) });
}

/// Somebody answers in another's name: whoever that is, it is neither.
fn add_borrower<'a>(parties: &mut Vec<Party<'a>>, address: IpAddr, claim: &'a Claim) {
    if let Some(party) = parties.iter_mut().find(|p| p.borrowed == Some(claim.mac)) {
        return party.claims.push((address, claim));
    }
    let claims = vec![(address, claim)];
    parties.push(Party { mac: Some(claim.from), claims, borrowed: Some(claim.mac), ..Party::new(None, false) });
}

/// True if a MAC is that speaker's, and its host does not say otherwise.
fn is_mac_of(model: &Model, router: &Router, speaker: &Speaker, mac: MacAddr) -> bool {
    router.is_mac_of(speaker, mac) && !speaker.peer.is_some_and(|peer| model.is_disowned(peer, mac))
}

/// Who a speaker is that is no peer: its address, or its MAC if the address is this host's or a peer's.
fn stated(model: &Model, speaker: &Speaker) -> String {
    let source = speaker.advert.source;
    let is_borrowed = model.host.has_address(source)
        || model.settings.peers.iter().any(|peer| peer.address == source || peer.vrrp_addresses.contains(&source));
    match speaker.mac().filter(|_| speaker.stranger && is_borrowed) {
        Some(mac) => mac.to_string(),
        None => source.to_string(),
    }
}
