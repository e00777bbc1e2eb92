//! This host: its interfaces, its addresses, and the VRRP daemons that run on it.

use std::collections::BTreeMap;
use std::net::IpAddr;

use crate::time::{Duration, Instant};
use crate::wire::{Family, MacAddr};

use super::{Address, Daemon, DaemonState, IfIndex, Link, LinkKind};

/// What netlink and `/proc` say of this host.
#[derive(Debug, Default)]
pub struct Host {
    links: BTreeMap<IfIndex, Link>,
    /// Since when the segment can be reached through an interface, while it can.
    carrying: BTreeMap<IfIndex, Instant>,
    addresses: BTreeMap<(IpAddr, IfIndex), (Address, Instant)>,
    daemons: [Option<Look>; 2],
    /// When the neighbour table was last seen to be full.
    full: [Option<Instant>; 2],
}

/// How long a table counts as full after that was seen: while it is, this is looked at more often.
const FULL_FOR: Duration = Duration::from_secs(5);

/// What was last seen of a family's daemon.
#[derive(Clone, Copy, Debug)]
struct Look {
    state: DaemonState,
    /// Since when it is so.
    since: Instant,
    /// When it was looked at.
    at: Instant,
}

impl Host {
    /// The kernel had no room for a neighbour.
    pub fn see_neighbours_full(&mut self, now: Instant, family: Family) {
        self.full[family as usize] = Some(now);
    }

    /// True if it had none a moment ago: what is sent over IP may not leave.
    pub fn has_no_room(&self, family: Family, now: Instant) -> bool {
        self.full[family as usize].is_some_and(|at| now < at + FULL_FOR)
    }

    /// The interface, if it is there.
    pub fn link(&self, index: IfIndex) -> Option<&Link> {
        self.links.get(&index)
    }

    /// All interfaces.
    pub fn links(&self) -> impl Iterator<Item = &Link> {
        self.links.values()
    }

    /// The index of a name.
    pub fn index_of(&self, name: &str) -> Option<IfIndex> {
        self.links.values().find(|l| l.name == name).map(|l| l.index)
    }

    /// Takes in an interface. Returns what was known of it before.
    pub fn set_link(&mut self, now: Instant, link: Link) -> Option<Link> {
        if link.up && link.carrier && !link.protodown {
            self.carrying.entry(link.index).or_insert(now);
        } else {
            self.carrying.remove(&link.index);
        }
        self.links.insert(link.index, link)
    }

    /// Drops an interface and its addresses.
    pub fn remove_link(&mut self, index: IfIndex) -> Option<Link> {
        self.addresses.retain(|(_, interface), _| *interface != index);
        self.carrying.remove(&index);
        self.links.remove(&index)
    }

    /// Takes in an address. An unchanged one keeps its age.
    pub fn set_address(&mut self, now: Instant, address: Address) {
        let key = (address.address, address.interface);
        match self.addresses.get_mut(&key) {
            Some((known, _)) if known.usable == address.usable => *known = address,
            _ => {
                self.addresses.insert(key, (address, now));
            }
        }
    }

    /// Drops an address.
    pub fn remove_address(&mut self, interface: IfIndex, address: IpAddr) {
        self.addresses.remove(&(address, interface));
    }

    /// Takes in a daemon's state. True if it changed.
    pub fn set_daemon(&mut self, now: Instant, daemon: Daemon) -> bool {
        let known = &mut self.daemons[daemon.family as usize];
        let same = known.filter(|look| look.state == daemon.state);
        *known = Some(Look { state: daemon.state, since: same.map_or(now, |look| look.since), at: now });
        same.is_none()
    }

    /// How the local VRRP daemon of a family is.
    pub fn daemon(&self, family: Family) -> DaemonState {
        self.daemons[family as usize].map_or(DaemonState::Unknown, |look| look.state)
    }

    /// When it was last looked whether a daemon of that family runs.
    pub fn daemon_looked_for(&self, family: Family) -> Option<Instant> {
        self.daemons[family as usize].map(|look| look.at)
    }

    /// True if a daemon of that family may be about to take hold of its addresses: they have been here since `held`, as FRR's are
    /// before it has its socket, and that there is none was last seen too early to tell, or one has appeared a moment ago.
    pub fn may_be_starting(&self, family: Family, held: Instant, now: Instant) -> bool {
        const START: Duration = Duration::from_millis(500);
        self.daemons[family as usize].is_some_and(|look| match look.state {
            DaemonState::Absent => look.at < held + START,
            DaemonState::Alive => look.since > held && now < look.since + START,
            DaemonState::Frozen | DaemonState::Unknown => false,
        })
    }

    /// True if the address is configured anywhere on this host, usable or not.
    pub fn has_address(&self, address: IpAddr) -> bool {
        self.entries(address).next().is_some()
    }

    /// All addresses of this host, each once.
    pub fn addresses(&self) -> impl Iterator<Item = IpAddr> {
        let mut last = None;
        self.addresses
            .keys()
            .map(|(address, _)| *address)
            .filter(move |address| last.replace(*address) != Some(*address))
    }

    /// The addresses on one interface, usable or not, each with since when it is there.
    pub fn addresses_on(&self, interface: IfIndex) -> impl Iterator<Item = (&Address, Instant)> {
        self.addresses.values().filter(move |(address, _)| address.interface == interface).map(|(a, since)| (a, *since))
    }

    fn entries(&self, address: IpAddr) -> impl Iterator<Item = &(Address, Instant)> {
        self.addresses.range((address, IfIndex(0))..=(address, IfIndex(u32::MAX))).map(|(_, entry)| entry)
    }

    /// Since when this host holds `address` such that a host on `interface`'s segment would reach it: on the interface
    /// itself, the bridge it is a port of, or a macvlan over it. One on the loopback (LVS direct routing) or on a
    /// macvlan that its owner holds down (FRR's backups) is present, and not held; that is from when it is let go.
    pub fn holds(&self, interface: IfIndex, address: IpAddr) -> Option<Instant> {
        let reached = |(entry, since): &(Address, Instant)| {
            let carrying = *self.carrying.get(&entry.interface)?;
            let is_held = entry.usable && self.is_reached_through(entry.interface, interface);
            is_held.then(|| carrying.max(*since))
        };
        self.entries(address).filter_map(reached).min()
    }

    fn is_reached_through(&self, holder: IfIndex, segment: IfIndex) -> bool {
        let Some(link) = self.links.get(&holder) else { return false };
        let port_of = self.links.get(&segment).and_then(|l| l.master);
        holder == segment
            || port_of == Some(holder)
            || (link.kind == LinkKind::Macvlan && (link.parent == Some(segment) || link.parent == port_of))
                && link.parent.is_some()
    }

    /// True if a macvlan over `interface` has that MAC.
    pub fn has_macvlan(&self, interface: IfIndex, mac: MacAddr) -> bool {
        let over = |l: &&Link| l.kind == LinkKind::Macvlan && l.parent == Some(interface);
        self.links.values().filter(over).any(|l| l.mac == Some(mac))
    }

    /// True if frames of that VLAN on `interface` are captured a second time, on a VLAN device over it.
    pub fn has_sniffed_vlan(&self, interface: IfIndex, vlan: u16) -> bool {
        let over = |l: &&Link| l.sniffed && l.parent == Some(interface);
        self.links.values().filter(over).any(|l| l.vlan == Some(vlan))
    }

    /// True if an answer that came in at `interface` from that MAC is this host's own, given by another of its interfaces.
    /// A macvlan's own answers go out through its parent and never come in there: what does is a rival's with the same
    /// virtual MAC.
    pub fn answers_as(&self, interface: IfIndex, mac: MacAddr) -> bool {
        self.has_mac(mac) && !self.has_macvlan(interface, mac)
    }

    /// Where adverts are captured that the kernel delivers to `interface`: a macvlan's parent, else the interface itself.
    pub fn segment_of(&self, interface: IfIndex) -> IfIndex {
        let macvlan = self.links.get(&interface).filter(|l| l.kind == LinkKind::Macvlan);
        macvlan.and_then(|l| l.parent).unwrap_or(interface)
    }

    /// True if the MAC is one of this host's.
    pub fn has_mac(&self, mac: MacAddr) -> bool {
        self.links.values().any(|l| l.mac == Some(mac))
    }

    /// An address of `interface` itself whose prefix covers `target`: what a probe may be sent from. Never a VIP of ours, and
    /// one that a stranger merely calls a VIP only if there is no other: forging that must not stop the probes.
    pub fn source_for(
        &self,
        interface: IfIndex,
        target: IpAddr,
        vip: impl Fn(IpAddr) -> Vipness,
    ) -> Option<(MacAddr, IpAddr)> {
        let mac = self.links.get(&interface)?.mac?;
        self.addresses
            .iter()
            .filter(|((_, on), (entry, _))| *on == interface && entry.usable)
            .map(|(_, (entry, since))| (vip(entry.address), *since, entry))
            .filter(|(vipness, _, entry)| *vipness != Vipness::Ours && covers(entry.address, entry.prefix, target))
            .min_by_key(|(vipness, since, _)| (*vipness, *since))
            .map(|(_, _, entry)| (mac, entry.address))
    }
}

/// How much of a VIP an address is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Vipness {
    /// Nobody says so.
    None,
    /// Somebody else's adverts say so.
    Claimed,
    /// The configuration or this host's own adverts say so.
    Ours,
}

/// True if `target` lies in the prefix of `address`.
fn covers(address: IpAddr, prefix: u8, target: IpAddr) -> bool {
    match (address, target) {
        (IpAddr::V4(a), IpAddr::V4(t)) => {
            let mask = u32::MAX.checked_shl(32 - u32::from(prefix.min(32))).unwrap_or(0);
            a.to_bits() & mask == t.to_bits() & mask
        }
        (IpAddr::V6(a), IpAddr::V6(t)) => {
            let mask = u128::MAX.checked_shl(128 - u32::from(prefix.min(128))).unwrap_or(0);
            a.to_bits() & mask == t.to_bits() & mask
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn link(index: u32, kind: LinkKind, parent: Option<u32>) -> Link {
        Link {
            index: IfIndex(index),
            name: format!("if{index}"),
            mac: Some(MacAddr::new(2, 0, 0, 0, 0, index as u8)),
            up: true,
            carrier: true,
            protodown: false,
            kind,
            master: None,
            parent: parent.map(IfIndex),
            vlan: None,
            sniffed: false,
        }
    }

    fn host() -> Host {
        let mut host = Host::default();
        host.set_link(Instant::ZERO, link(1, LinkKind::Loopback, None));
        host.set_link(Instant::ZERO, link(2, LinkKind::Plain, None));
        host.set_link(Instant::ZERO, link(3, LinkKind::Macvlan, Some(2)));
        host
    }

    fn put(host: &mut Host, interface: u32, address: &str, prefix: u8) {
        let address =
            Address { interface: IfIndex(interface), address: address.parse().unwrap(), prefix, usable: true };
        host.set_address(Instant::from_nanos(7), address);
    }

    #[test]
    fn a_vip_on_the_interface_or_its_macvlan_is_held_and_one_on_the_loopback_is_not_fault_32() {
        for (on, held) in [(1, false), (2, true), (3, true)] {
            let mut host = host();
            put(&mut host, on, "10.0.0.100", 32);
            assert_eq!(host.holds(IfIndex(2), "10.0.0.100".parse().unwrap()).is_some(), held, "interface {on}");
        }
    }

    #[test]
    fn a_vip_on_a_protodown_macvlan_is_present_and_not_held_fault_19() {
        let mut host = host();
        put(&mut host, 3, "10.0.0.100", 32);
        host.set_link(Instant::ZERO, Link { protodown: true, ..link(3, LinkKind::Macvlan, Some(2)) });
        assert!(host.has_address("10.0.0.100".parse().unwrap()));
        assert_eq!(host.holds(IfIndex(2), "10.0.0.100".parse().unwrap()), None);
        let let_go = Instant::from_nanos(9);
        host.set_link(let_go, link(3, LinkKind::Macvlan, Some(2)));
        assert_eq!(host.holds(IfIndex(2), "10.0.0.100".parse().unwrap()), Some(let_go));
    }

    #[test]
    fn an_answer_with_a_macvlans_mac_that_comes_in_at_its_parent_is_a_rivals() {
        let host = host();
        let mac = |index| MacAddr::new(2, 0, 0, 0, 0, index);
        assert!(!host.answers_as(IfIndex(2), mac(3)), "the macvlan's own answers go out there");
        assert!(host.answers_as(IfIndex(4), mac(3)), "at another interface on the segment they come in");
        assert!(host.answers_as(IfIndex(2), mac(2)), "another interface answered for its neighbour");
        assert!(!host.answers_as(IfIndex(2), mac(9)));
    }

    #[test]
    fn what_a_macvlan_takes_in_belongs_to_its_parents_segment() {
        let host = host();
        assert_eq!(host.segment_of(IfIndex(3)), IfIndex(2));
        assert_eq!(host.segment_of(IfIndex(2)), IfIndex(2));
        assert_eq!(host.segment_of(IfIndex(9)), IfIndex(9), "one that is not known stands for itself");
    }

    #[test]
    fn a_probe_is_sent_only_from_a_covering_prefix_and_never_from_a_vip() {
        let mut host = host();
        put(&mut host, 2, "10.0.0.5", 24);
        put(&mut host, 2, "10.0.0.100", 24);
        let vip: IpAddr = "10.0.0.100".parse().unwrap();
        let ours = |a| if a == vip { Vipness::Ours } else { Vipness::Claimed };
        let from = host.source_for(IfIndex(2), vip, ours).map(|(_, a)| a);
        assert_eq!(from, Some("10.0.0.5".parse().unwrap()), "a stranger's word does not take our last source away");
        let stray = |a| if a == vip { Vipness::Claimed } else { Vipness::None };
        assert_eq!(host.source_for(IfIndex(2), vip, stray).map(|(_, a)| a), Some("10.0.0.5".parse().unwrap()));
        assert_eq!(host.source_for(IfIndex(2), "10.0.1.100".parse().unwrap(), |_| Vipness::None), None);
        assert_eq!(host.source_for(IfIndex(2), vip, |_| Vipness::Ours), None);
    }

    #[test]
    fn a_vanished_interface_takes_its_addresses_with_it() {
        let mut host = host();
        put(&mut host, 2, "10.0.0.5", 24);
        host.remove_link(IfIndex(2));
        assert!(!host.has_address("10.0.0.5".parse().unwrap()));
    }

    #[test]
    fn prefixes_of_length_zero_and_full_length_are_compared_without_overflow() {
        assert!(covers("10.0.0.1".parse().unwrap(), 0, "192.0.2.1".parse().unwrap()));
        assert!(!covers("10.0.0.1".parse().unwrap(), 32, "10.0.0.2".parse().unwrap()));
        assert!(covers("fe80::1".parse().unwrap(), 64, "fe80::2".parse().unwrap()));
        assert!(!covers("fe80::1".parse().unwrap(), 128, "fe80::2".parse().unwrap()));
    }
}
