//! The rules: what each chain says. Everything about one router is in four chains of its own; the chains of an interface only find
//! the way there, by maps, so that their length doesn't grow with the number of routers.

use std::net::IpAddr;

use super::elements::{ALIVE, DOUBT, LATCH, LEASE, latch, parts};
use super::{Key, MARK, Router};
use crate::sys::nft::expression::{Base, Change, Is, Meta, R0, Register, Rule, Verdict};
use crate::time::Duration;
use crate::wire::{Auth, Family, Version};

/// How long a challenged gate stays open without an advert of ours.
pub(super) const CHALLENGE: Duration = Duration::from_millis(20);

/// The protocol number of VRRP, and its TTL.
const VRRP: u8 = 112;
const TTL: u8 = 255;

const IPV4: [u8; 2] = [0x08, 0x00];
const IPV6: [u8; 2] = [0x86, 0xdd];
const ARP: [u8; 2] = [0x08, 0x06];
const ARP_REQUEST: [u8; 2] = [0, 1];
const ICMPV6: u8 = 58;
const SOLICITATION: u8 = 135;
const ADVERTISEMENT: u8 = 136;

/// Maps by address: what becomes of packets, and of ARP or neighbour discovery about it. Those of link-local addresses
/// are by interface and address.
pub(super) const IN4: &str = "in4";
pub(super) const OUT4: &str = "out4";
pub(super) const ARP4: &str = "arp4";
pub(super) const IN6: &str = "in6";
pub(super) const OUT6: &str = "out6";
pub(super) const ND6: &str = "nd6";
pub(super) const LOCAL_IN6: &str = "local_in6";
pub(super) const LOCAL_OUT6: &str = "local_out6";
pub(super) const LOCAL_ND6: &str = "local_nd6";
/// A set of pairs: an address announced by its holder.
pub(super) const ANNOUNCED: &str = "announced4";
/// By interface and virtual MAC.
pub(super) const MACS: &str = "macs";
/// By interface, protocol (VRRP's) and VRID: where adverts that are received and sent are judged.
pub(super) const HEAR4: &str = "hear4";
pub(super) const HEAR6: &str = "hear6";
pub(super) const SAY4: &str = "say4";
pub(super) const SAY6: &str = "say6";

/// A key in the registers that follow those in which rules compare.
const KEY: Register = Register(12);

/// What the chains of one router are called.
#[derive(Debug)]
pub(super) struct Chains {
    /// Drops where the gate is closed.
    pub shut: String,
    /// The same, if the destination is this host's.
    pub to: String,
    /// The same, if the source is.
    pub from: String,
    /// Judges peers' adverts.
    pub hear: String,
    /// Judges ours.
    pub say: String,
}

impl Chains {
    pub fn of(key: Key) -> Self {
        let name = |what| format!("{what}-{}-{}-{}", key.family.as_str(), key.interface.0, key.vrid);
        Self { shut: name("shut"), to: name("to"), from: name("from"), hear: name("hear"), say: name("say") }
    }

    pub fn all(&self) -> [&str; 5] {
        [&self.shut, &self.to, &self.from, &self.hear, &self.say]
    }
}

/// All rules of a router: the chain, and the rule.
pub(super) fn of_router(router: &Router) -> Vec<(String, Rule)> {
    let chains = Chains::of(router.key);
    let mut rules = Vec::new();
    let closed = |set| Rule::new().put_key(&parts(router.key), KEY).outside(set, KEY).then(Verdict::Drop);
    rules.push((chains.shut.clone(), closed(ALIVE)));
    if router.leased {
        rules.push((chains.shut.clone(), closed(LEASE)));
    }
    rules.push((chains.to.clone(), Rule::new().local(false).then(Verdict::Jump(&chains.shut))));
    rules.push((chains.from.clone(), Rule::new().local(true).then(Verdict::Jump(&chains.shut))));
    rules.extend(say(router).into_iter().map(|rule| (chains.say.clone(), rule)));
    rules.extend(hear(router).into_iter().map(|rule| (chains.hear.clone(), rule)));
    rules
}

/// Our own adverts.
fn say(router: &Router) -> Vec<Rule> {
    let own = parts(router.key);
    let ends = Rule::new().has(Base::Transport, 2, &[0]).put_key(&own, KEY).change(ALIVE, Change::Delete, KEY, None);
    let mut rules = vec![ends.then(Verdict::Return)];
    for peer in &router.peers {
        let latched = Rule::new().put_key(&latch(router.key, *peer), KEY).within(LATCH, KEY);
        rules.push(latched.then(Verdict::Return));
    }
    rules.push(Rule::new().put_key(&own, KEY).change(ALIVE, Change::Update, KEY, Some(router.timeout)));
    rules
}

/// What peers advertise.
pub(super) fn hear(router: &Router) -> Vec<Rule> {
    router.peers.iter().flat_map(|peer| hear_peer(router, *peer)).collect()
}

fn hear_peer(router: &Router, peer: IpAddr) -> Vec<Rule> {
    let (own, latch) = (parts(router.key), latch(router.key, peer));
    let from_peer = || {
        let rule = match peer {
            IpAddr::V4(v4) => Rule::new().has(Base::Network, 12, &v4.octets()).has(Base::Network, 8, &[TTL]),
            IpAddr::V6(v6) => Rule::new().has(Base::Network, 8, &v6.octets()).has(Base::Network, 7, &[TTL]),
        };
        let version = if router.version == Version::V2 { 0x21 } else { 0x31 };
        authentic(router, rule.has(Base::Transport, 0, &[version]))
    };
    let unlatch = |rule: Rule| rule.put_key(&latch, KEY).change(LATCH, Change::Delete, KEY, None);
    let gives_up = unlatch(from_peer().has(Base::Transport, 2, &[0])).then(Verdict::Return);
    let wins_ties = router.rank.source.is_some_and(|own| peer > own);
    let better = if wins_ties { Is::AtLeast } else { Is::Above };
    let is_better = from_peer().load(Base::Transport, 2, 1, R0).compare(R0, better, &[router.rank.priority]);
    let closes = is_better
        .put_key(&own, KEY)
        .change(ALIVE, Change::Delete, KEY, None)
        .put_key(&latch, KEY)
        .change(LATCH, Change::Update, KEY, Some(router.interval * 2))
        .then(Verdict::Return);
    let mut rules = vec![gives_up, closes, unlatch(from_peer())];
    // A gate that closes by itself about as soon needs no challenge.
    if router.timeout > CHALLENGE * 2 {
        let forgotten_after = (router.interval * 3 / 4).max(CHALLENGE * 2);
        rules.push(
            from_peer()
                .put_key(&own, KEY)
                .within(ALIVE, KEY)
                .outside(DOUBT, KEY)
                .change(ALIVE, Change::Update, KEY, Some(CHALLENGE))
                .change(DOUBT, Change::Add, KEY, Some(forgotten_after)),
        );
    }
    rules
}

/// Version 2 has receivers compare two more bytes: the kind of authentication, and the interval in seconds.
fn authentic(router: &Router, rule: Rule) -> Rule {
    if router.version != Version::V2 {
        return rule;
    }
    let kind = if matches!(router.auth, Auth::None) { 0 } else { 1 };
    rule.has(Base::Transport, 4, &[kind, u8::try_from(router.interval.as_secs()).unwrap_or(u8::MAX)])
}

fn with_interface(rule: Rule, meta: Meta) -> Rule {
    rule.meta(meta, KEY)
}

/// Everything about packets of VRRP in one direction: judged, and then let pass.
fn adverts(meta: Meta, maps: [(&[u8], &str); 2], own: bool) -> Vec<Rule> {
    let mut rules: Vec<_> = maps
        .into_iter()
        .map(|(kind, map)| {
            let rule = if own { Rule::new().is(Meta::Mark, &MARK.to_ne_bytes()) } else { Rule::new() };
            // By the frame's own bytes: a tagged one is another segment's.
            let rule = with_interface(rule.has(Base::Link, 12, kind), meta);
            // The protocol is a part of the key: `nft list` fails on bytes of a protocol that it has no description of.
            let rule = rule.meta(Meta::L4Protocol, KEY.plus(1));
            rule.load(Base::Transport, 1, 1, KEY.plus(2)).map(map, KEY)
        })
        .collect();
    rules.push(Rule::new().is(Meta::L4Protocol, &[VRRP]).then(Verdict::Accept));
    rules
}

/// Packets by an IPv6 address in them, which may be one that is known everywhere or on this interface alone.
fn by_v6(start: &Rule, (base, offset): (Base, u32), meta: Meta, everywhere: &str, here: &str) -> [Rule; 2] {
    [
        start.clone().load(base, offset, 16, KEY).map(everywhere, KEY),
        with_interface(start.clone(), meta).load(base, offset, 16, KEY.plus(1)).map(here, KEY),
    ]
}

fn discovery(kind: u8) -> Rule {
    Rule::new().is(Meta::Protocol, &IPV6).is(Meta::L4Protocol, &[ICMPV6]).has(Base::Transport, 0, &[kind])
}

/// What comes in at an interface.
pub(super) fn ingress() -> Vec<Rule> {
    let meta = Meta::InterfaceIn;
    let mut rules = adverts(meta, [(&IPV4, HEAR4), (&IPV6, HEAR6)], false);
    let request = || Rule::new().has(Base::Link, 12, &ARP).has(Base::Network, 6, &ARP_REQUEST);
    let holder_says = request().load(Base::Network, 24, 4, KEY).load(Base::Network, 14, 4, KEY.plus(1));
    rules.push(holder_says.within(ANNOUNCED, KEY).then(Verdict::Accept));
    rules.push(request().load(Base::Network, 24, 4, KEY).map(ARP4, KEY));
    rules.extend(by_v6(&discovery(SOLICITATION), (Base::Transport, 8), meta, ND6, LOCAL_ND6));
    rules.push(Rule::new().is(Meta::Protocol, &IPV4).load(Base::Network, 16, 4, KEY).map(IN4, KEY));
    rules.extend(by_v6(&Rule::new().is(Meta::Protocol, &IPV6), (Base::Network, 24), meta, IN6, LOCAL_IN6));
    rules.push(with_interface(Rule::new(), meta).load(Base::Link, 0, 6, KEY.plus(1)).map(MACS, KEY));
    rules
}

/// What leaves by an interface.
pub(super) fn egress() -> Vec<Rule> {
    let meta = Meta::InterfaceOut;
    let mut rules = adverts(meta, [(&IPV4, SAY4), (&IPV6, SAY6)], true);
    rules.push(Rule::new().has(Base::Link, 12, &ARP).load(Base::Network, 14, 4, KEY).map(ARP4, KEY));
    rules.extend(by_v6(&discovery(ADVERTISEMENT), (Base::Transport, 8), meta, ND6, LOCAL_ND6));
    rules.push(Rule::new().is(Meta::Protocol, &IPV4).load(Base::Network, 12, 4, KEY).map(OUT4, KEY));
    rules.extend(by_v6(&Rule::new().is(Meta::Protocol, &IPV6), (Base::Network, 8), meta, OUT6, LOCAL_OUT6));
    rules.push(with_interface(Rule::new(), meta).load(Base::Link, 6, 6, KEY.plus(1)).map(MACS, KEY));
    rules
}

/// The maps that lead to a router's chains: the map, the key in it, and the chain.
pub(super) fn ways<'a>(router: &Router, chains: &'a Chains) -> Vec<(&'static str, Vec<u8>, &'a str)> {
    let on = |bytes: &[u8]| [&router.key.interface.0.to_ne_bytes()[..], bytes].concat();
    let vrid = on(&[VRRP, 0, 0, 0, router.key.vrid, 0, 0, 0]);
    let mut ways = match router.key.family {
        Family::V4 => vec![(HEAR4, vrid.clone(), &*chains.hear), (SAY4, vrid, &*chains.say)],
        Family::V6 => vec![(HEAR6, vrid.clone(), &*chains.hear), (SAY6, vrid, &*chains.say)],
    };
    for address in &router.addresses {
        let (maps, bytes) = match address {
            IpAddr::V4(v4) => ([IN4, OUT4, ARP4], v4.octets().to_vec()),
            IpAddr::V6(v6) if v6.is_unicast_link_local() => ([LOCAL_IN6, LOCAL_OUT6, LOCAL_ND6], on(&v6.octets())),
            IpAddr::V6(v6) => ([IN6, OUT6, ND6], v6.octets().to_vec()),
        };
        for (map, chain) in maps.into_iter().zip([&*chains.to, &*chains.from, &*chains.shut]) {
            ways.push((map, bytes.clone(), chain));
        }
    }
    if router.vmac {
        let mac = crate::wire::frame::virtual_mac(router.key.family, router.key.vrid);
        ways.push((MACS, on(&[&mac.octets()[..], &[0, 0]].concat()), &chains.shut));
    }
    ways
}
