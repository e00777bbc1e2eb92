//! The last known state, so that only differences become facts.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use super::parse::Change;
use crate::observe::{Address, Fact, IfIndex, Link};

/// An interface may hold one address several times, with different prefix lengths (a VIP as /32 beside the host's own
/// /24). Facts know an address once, so entries are kept one by one, and it is gone with the last of them.
type Key = (IfIndex, IpAddr, u8);

/// The links and addresses that are known.
#[derive(Debug, Default)]
pub(super) struct Table {
    links: BTreeMap<IfIndex, Link>,
    addresses: BTreeMap<Key, bool>,
}

impl Table {
    /// Takes one change; yields what is new in it.
    pub(super) fn apply(&mut self, change: Change) -> Vec<Fact> {
        match change {
            Change::Link(link) => {
                if self.links.get(&link.index) == Some(&link) {
                    return Vec::new();
                }
                self.links.insert(link.index, link.clone());
                vec![Fact::Link(link)]
            }
            Change::LinkGone(index) => self.remove_link(index),
            Change::Address(address) => self.set_address(&address, Some(address.usable)).into_iter().collect(),
            Change::AddressGone(address) => self.set_address(&address, None).into_iter().collect(),
        }
    }

    /// Takes a whole dump: what is not in it is gone. Vanished things come first, so that a link that was created anew
    /// under an old name never meets its predecessor.
    pub(super) fn replace(&mut self, dump: Vec<Change>) -> Vec<Fact> {
        let mut links = BTreeSet::new();
        let mut addresses = BTreeSet::new();
        for change in &dump {
            match change {
                Change::Link(link) => {
                    links.insert(link.index);
                }
                Change::Address(address) => {
                    addresses.insert(key(address));
                }
                Change::LinkGone(_) | Change::AddressGone(_) => {}
            }
        }
        let lost: Vec<Key> = self.addresses.keys().filter(|k| !addresses.contains(*k)).copied().collect();
        let gone: Vec<IfIndex> = self.links.keys().filter(|i| !links.contains(*i)).copied().collect();
        let mut facts = Vec::new();
        for (interface, address, prefix) in lost {
            let address = Address { interface, address, prefix, usable: false };
            facts.extend(self.apply(Change::AddressGone(address)));
        }
        facts.extend(gone.into_iter().flat_map(|index| self.remove_link(index)));
        facts.extend(dump.into_iter().flat_map(|change| self.apply(change)));
        facts
    }

    fn remove_link(&mut self, index: IfIndex) -> Vec<Fact> {
        let held: BTreeSet<IpAddr> = self.addresses.keys().filter(|k| k.0 == index).map(|k| k.1).collect();
        self.addresses.retain(|key, _| key.0 != index);
        let mut facts: Vec<Fact> =
            held.into_iter().map(|address| Fact::AddressGone { interface: index, address }).collect();
        if self.links.remove(&index).is_some() {
            facts.push(Fact::LinkGone(index));
        }
        facts
    }

    fn set_address(&mut self, of: &Address, usable: Option<bool>) -> Option<Fact> {
        let before = self.view(of.interface, of.address);
        match usable {
            Some(usable) => self.addresses.insert(key(of), usable),
            None => self.addresses.remove(&key(of)),
        };
        let after = self.view(of.interface, of.address);
        match after {
            _ if after == before => None,
            Some(address) => Some(Fact::Address(address)),
            None => Some(Fact::AddressGone { interface: of.interface, address: of.address }),
        }
    }

    /// An address with the shortest of its prefix lengths; usable if any entry is.
    fn view(&self, interface: IfIndex, address: IpAddr) -> Option<Address> {
        let mut entries = self.addresses.range((interface, address, 0)..=(interface, address, u8::MAX));
        let (&(_, _, prefix), &first) = entries.next()?;
        Some(Address { interface, address, prefix, usable: first || entries.any(|(_, &usable)| usable) })
    }
}

fn key(address: &Address) -> Key {
    (address.interface, address.address, address.prefix)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const ETH: IfIndex = IfIndex(2);

    fn link(index: u32, name: &str) -> Link {
        Link::plain(IfIndex(index), name)
    }

    fn vip(prefix: u8, usable: bool) -> Address {
        Address { interface: ETH, address: [192, 0, 2, 1].into(), prefix, usable }
    }

    fn vip_gone() -> Fact {
        Fact::AddressGone { interface: ETH, address: [192, 0, 2, 1].into() }
    }

    #[test]
    fn a_repeated_message_is_no_fact() {
        let mut table = Table::default();
        assert_eq!(table.apply(Change::Link(link(2, "eth0"))), [Fact::Link(link(2, "eth0"))]);
        assert_eq!(table.apply(Change::Link(link(2, "eth0"))), []);
        assert_eq!(table.apply(Change::Address(vip(24, true))), [Fact::Address(vip(24, true))]);
        assert_eq!(table.apply(Change::Address(vip(24, true))), []);
    }

    #[test]
    fn an_address_held_twice_is_gone_with_the_second() {
        let mut table = Table::default();
        table.apply(Change::Address(vip(24, true)));
        assert_eq!(table.apply(Change::Address(vip(32, true))), []);
        assert_eq!(table.apply(Change::AddressGone(vip(24, true))), [Fact::Address(vip(32, true))]);
        assert_eq!(table.apply(Change::AddressGone(vip(32, true))), [vip_gone()]);
    }

    #[test]
    fn a_vanished_link_takes_its_addresses_with_it() {
        let mut table = Table::default();
        table.apply(Change::Link(link(2, "eth0")));
        table.apply(Change::Address(vip(24, true)));
        assert_eq!(table.apply(Change::LinkGone(ETH)), [vip_gone(), Fact::LinkGone(ETH)]);
        assert_eq!(table.apply(Change::LinkGone(ETH)), []);
    }

    #[test]
    fn after_a_dump_only_differences_are_facts_and_the_vanished_come_first() {
        let mut table = Table::default();
        table.apply(Change::Link(link(1, "lo")));
        table.apply(Change::Link(link(2, "eth0")));
        table.apply(Change::Address(vip(24, true)));
        let facts = table.replace(vec![Change::Link(link(1, "lo")), Change::Link(link(3, "eth0"))]);
        assert_eq!(facts, [vip_gone(), Fact::LinkGone(ETH), Fact::Link(link(3, "eth0"))]);
    }

    #[test]
    fn an_address_that_turns_usable_is_a_fact() {
        let mut table = Table::default();
        table.apply(Change::Address(vip(64, false)));
        assert_eq!(table.apply(Change::Address(vip(64, true))), [Fact::Address(vip(64, true))]);
    }

    fn any_change() -> impl Strategy<Value = Change> {
        let address = (1..4u32, 1..4u8, prop_oneof![Just(24u8), Just(32)], any::<bool>()).prop_map(
            |(index, last, prefix, usable)| Address {
                interface: IfIndex(index),
                address: [192, 0, 2, last].into(),
                prefix,
                usable,
            },
        );
        prop_oneof![
            (1..4u32, prop_oneof![Just("eth0"), Just("eth1")]).prop_map(|(i, name)| Change::Link(link(i, name))),
            (1..4u32).prop_map(|i| Change::LinkGone(IfIndex(i))),
            address.clone().prop_map(Change::Address),
            address.prop_map(Change::AddressGone),
        ]
    }

    /// A listener's picture, from facts alone.
    #[derive(Default)]
    struct Picture {
        links: BTreeMap<IfIndex, Link>,
        addresses: BTreeMap<(IfIndex, IpAddr), Address>,
    }

    impl Picture {
        fn take(&mut self, fact: Fact) {
            let news = match fact {
                Fact::Link(l) => self.links.insert(l.index, l.clone()) != Some(l),
                Fact::LinkGone(index) => self.links.remove(&index).is_some(),
                Fact::Address(a) => self.addresses.insert((a.interface, a.address), a) != Some(a),
                Fact::AddressGone { interface, address } => self.addresses.remove(&(interface, address)).is_some(),
                other => panic!("not of this table: {other:?}"),
            };
            assert!(news, "a fact that changes nothing");
        }
    }

    proptest! {
        #[test]
        fn facts_add_up_to_the_table(
            live in prop::collection::vec(any_change(), 0..40),
            dump in prop::collection::vec(any_change(), 0..10),
            after in prop::collection::vec(any_change(), 0..10),
        ) {
            let (mut table, mut picture) = (Table::default(), Picture::default());
            let is_there = |c: &Change| matches!(c, Change::Link(_) | Change::Address(_));
            let dump: Vec<Change> = dump.into_iter().filter(is_there).collect();
            live.into_iter().for_each(|c| table.apply(c).into_iter().for_each(|f| picture.take(f)));
            table.replace(dump).into_iter().for_each(|f| picture.take(f));
            after.into_iter().for_each(|c| table.apply(c).into_iter().for_each(|f| picture.take(f)));
            prop_assert_eq!(&picture.links, &table.links);
            let held: BTreeSet<_> = table.addresses.keys().map(|k| (k.0, k.1)).collect();
            prop_assert_eq!(picture.addresses.keys().copied().collect::<BTreeSet<_>>(), held);
            for ((interface, address), shown) in picture.addresses {
                prop_assert_eq!(Some(shown), table.view(interface, address));
            }
        }
    }
}
