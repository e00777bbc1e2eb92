//! The table as a whole: put up, taken down, and changed by one router or one interface at a time.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use super::elements::{ALIVE, DOUBT, LATCH, LEASE, PERMIT, TABLE, element};
use super::rules::{self, Chains};
use super::{Gate, Hooks, Key, NftError, Rank, Router};
use crate::observe::IfIndex;
use crate::sys::nft::connection::Connection;
use crate::sys::nft::expression::{Rule, Verdict};
use crate::sys::nft::message::{Attributes, Batch, Kind};

/// The table belongs to our socket, and stays when that is closed.
const OWNER: u32 = 2;
const PERSIST: u32 = 4;

/// Features of sets.
const MAP: u32 = 0x8;
const TIMEOUT: u32 = 0x10;
const DYNAMIC: u32 = 0x20;
/// The data of a map are verdicts.
const VERDICTS: u32 = 0xffff_ff00;
/// The most elements of a set that packets change. It is a bound for memory, far above what the rules can make.
const ELEMENTS_MAX: u32 = 65_535;

/// The kinds of keys, as `nft list` knows them, with their lengths in bytes.
const IPV4: (u32, u32) = (7, 4);
const IPV6: (u32, u32) = (8, 16);
const ETHERNET: (u32, u32) = (9, 6);
const PROTOCOL: (u32, u32) = (12, 1);
const MARK: (u32, u32) = (19, 4);
const INTERFACE: (u32, u32) = (20, 4);

/// Where our hooks stand among others: what comes in is judged first, and what goes out last. So what somebody else's egress rules
/// drop keeps no gate open.
const FIRST: i32 = -400;
const LAST: i32 = 400;
const INGRESS: u32 = 0;
const EGRESS: u32 = 1;
/// NF_ACCEPT.
const ACCEPT: u32 = 1;

/// One set or map.
struct Set {
    name: &'static str,
    key: &'static [(u32, u32)],
    flags: u32,
}

const fn timed(name: &'static str, key: &'static [(u32, u32)]) -> Set {
    Set { name, key, flags: TIMEOUT | DYNAMIC }
}

const fn map(name: &'static str, key: &'static [(u32, u32)]) -> Set {
    Set { name, key, flags: MAP }
}

const SETS: [Set; 20] = [
    timed(ALIVE, &[MARK, INTERFACE]),
    timed(LEASE, &[MARK, INTERFACE]),
    timed(DOUBT, &[MARK, INTERFACE]),
    timed(PERMIT, &[MARK, INTERFACE, MARK]),
    timed(LATCH, &[MARK, INTERFACE, IPV6]),
    Set { name: rules::ANNOUNCED, key: &[IPV4, IPV4], flags: 0 },
    map(rules::IN4, &[IPV4]),
    map(rules::OUT4, &[IPV4]),
    map(rules::ARP4, &[IPV4]),
    map(rules::IN6, &[IPV6]),
    map(rules::OUT6, &[IPV6]),
    map(rules::ND6, &[IPV6]),
    map(rules::LOCAL_IN6, &[INTERFACE, IPV6]),
    map(rules::LOCAL_OUT6, &[INTERFACE, IPV6]),
    map(rules::LOCAL_ND6, &[INTERFACE, IPV6]),
    map(rules::MACS, &[INTERFACE, ETHERNET]),
    map(rules::HEAR4, &[INTERFACE, PROTOCOL, PROTOCOL]),
    map(rules::HEAR6, &[INTERFACE, PROTOCOL, PROTOCOL]),
    map(rules::SAY4, &[INTERFACE, PROTOCOL, PROTOCOL]),
    map(rules::SAY6, &[INTERFACE, PROTOCOL, PROTOCOL]),
];

impl Set {
    /// As `nft` writes a key of several parts: six bits a part, and each part on its own words.
    fn attributes(&self, id: u32) -> Attributes {
        let kind = self.key.iter().fold(0, |kind, (part, _)| kind << 6 | part);
        let length = match self.key {
            [(_, single)] => *single,
            parts => parts.iter().map(|(_, length)| length.next_multiple_of(4)).sum(),
        };
        let set = Attributes::new().text(1, TABLE).text(2, self.name).u32(3, self.flags).u32(4, kind).u32(5, length);
        let set = if self.flags & MAP == 0 { set } else { set.u32(6, VERDICTS) };
        let set = if self.flags & DYNAMIC == 0 { set } else { set.nest(9, Attributes::new().u32(1, ELEMENTS_MAX)) };
        set.u32(10, id)
    }
}

impl Gate {
    /// The table as it is to be, in place of whatever is there.
    pub(super) fn put_up(&mut self) -> Result<(), NftError> {
        match self.replace(OWNER | PERSIST) {
            // Before Linux 6.9: anybody can remove it, and it is put up anew when that is noticed.
            Err(error) if matches!(error.code(), Some(libc::EOPNOTSUPP | libc::EINVAL)) => {
                self.guarded = false;
                self.replace(0)
            }
            done => done,
        }
    }

    fn replace(&mut self, flags: u32) -> Result<(), NftError> {
        let mut batch = self.connection.batch();
        absent(&mut batch, flags);
        let table = Attributes::new().text(1, TABLE).u32(2, flags);
        batch.add(Kind::NewTable, &table, "a table of the family netdev");
        for (id, set) in SETS.iter().enumerate() {
            batch.add(Kind::NewSet, &set.attributes(id as u32 + 1), format!("the set {}", set.name));
        }
        for (index, name) in &self.interfaces {
            self.add_interface(&mut batch, *index, name);
        }
        for router in self.routers.values() {
            add_router(&mut batch, router, None);
        }
        self.connection.commit(batch)
    }

    /// Puts the table up again, closed, if somebody has removed it. True if that was so.
    ///
    /// # Errors
    /// What the kernel says.
    pub fn restore(&mut self) -> Result<bool, NftError> {
        let mut batch = self.connection.batch();
        // A chain that is there is made again without a change; without its table it can't be.
        let Some(name) = self.routers.keys().next().map(|key| Chains::of(*key).shut) else { return Ok(false) };
        batch.add(Kind::NewChain, &chain(&name), "the table");
        match self.connection.commit(batch) {
            Err(error) if error.code() == Some(libc::ENOENT) => self.put_up().map(|()| true),
            done => done.map(|()| false),
        }
    }

    /// Removes the table: nothing is gated any more. Addresses first!
    ///
    /// # Errors
    /// What the kernel says; none if nothing is there.
    pub fn take_down(mut self) -> Result<(), NftError> {
        let flags = if self.guarded { OWNER | PERSIST } else { 0 };
        remove(&mut self.connection, flags)
    }

    /// Has a gate for a router, closed if it is a new one; one that is there stays as open as it is.
    ///
    /// # Errors
    /// What the kernel says; all is as before then.
    pub fn install(&mut self, router: Router) -> Result<(), NftError> {
        let before = self.routers.get(&router.key);
        if before == Some(&router) {
            return Ok(());
        }
        let mut batch = self.connection.batch();
        add_router(&mut batch, &router, before);
        self.connection.commit(batch)?;
        self.routers.insert(router.key, router);
        Ok(())
    }

    /// Takes a router's gate away: its addresses are not gated any more. Addresses first!
    ///
    /// # Errors
    /// What the kernel says.
    pub fn uninstall(&mut self, key: Key) -> Result<(), NftError> {
        let Some(router) = self.routers.get(&key) else { return Ok(()) };
        let mut batch = self.connection.batch();
        remove_ways(&mut batch, router);
        for chain in Chains::of(key).all() {
            batch.add(Kind::DeleteRule, &Attributes::new().text(1, TABLE).text(2, chain), "rules");
        }
        for chain in Chains::of(key).all().into_iter().rev() {
            batch.add(Kind::DeleteChain, &Attributes::new().text(1, TABLE).text(3, chain), "a chain");
        }
        self.connection.commit(batch)?;
        self.close(key)?;
        self.routers.remove(&key);
        Ok(())
    }

    /// Says whom a router gives way to from now on.
    ///
    /// # Errors
    /// What the kernel says; all is as before then.
    pub fn set_rank(&mut self, key: Key, rank: Rank) -> Result<(), NftError> {
        let Some(router) = self.routers.get_mut(&key).filter(|router| router.rank != rank) else { return Ok(()) };
        let before = std::mem::replace(&mut router.rank, rank);
        let router = router.clone();
        let mut batch = self.connection.batch();
        let hear = Chains::of(key).hear;
        batch.add(Kind::DeleteRule, &Attributes::new().text(1, TABLE).text(2, &hear), "rules");
        for rule in rules::hear(&router) {
            add_rule(&mut batch, &hear, rule);
        }
        self.connection.commit(batch).inspect_err(|_| {
            self.routers.insert(key, Router { rank: before, ..router });
        })
    }

    /// Has these interfaces gated, and no others.
    ///
    /// # Errors
    /// Those of single interfaces; the others are done.
    pub fn follow(&mut self, interfaces: &BTreeMap<IfIndex, String>) -> Result<(), NftError> {
        let mut result = Ok(());
        let known: BTreeSet<_> = self.interfaces.keys().chain(interfaces.keys()).copied().collect();
        for index in known {
            let wanted = interfaces.get(&index);
            if self.interfaces.get(&index) == wanted {
                continue;
            }
            if self.interfaces.remove(&index).is_some() {
                // With its interface a chain may have gone by itself.
                let _ = self.detach(index);
            }
            if let Some(name) = wanted {
                let mut batch = self.connection.batch();
                self.add_interface(&mut batch, index, name);
                match self.connection.commit(batch) {
                    Ok(()) => drop(self.interfaces.insert(index, name.clone())),
                    Err(error) => result = result.and(Err(error)),
                }
            }
        }
        result
    }

    fn detach(&mut self, index: IfIndex) -> Result<(), NftError> {
        let mut result = Ok(());
        for (hook, _) in self.hooks_of(index) {
            let mut batch = self.connection.batch();
            batch.add(Kind::DeleteChain, &Attributes::new().text(1, TABLE).text(3, &hook), "a chain");
            result = result.and(self.connection.commit(batch));
        }
        result
    }

    fn hooks_of(&self, index: IfIndex) -> Vec<(String, bool)> {
        let both = self.hooks == Hooks::Both;
        let out = both.then(|| (format!("out-{}", index.0), true));
        [(format!("in-{}", index.0), false)].into_iter().chain(out).collect()
    }

    fn add_interface(&self, batch: &mut Batch, index: IfIndex, name: &str) {
        for (chain, outgoing) in self.hooks_of(index) {
            let (number, priority, said) = match outgoing {
                true => (EGRESS, LAST, "egress"),
                false => (INGRESS, FIRST, "ingress"),
            };
            let hook = Attributes::new().u32(1, number).u32(2, priority.cast_unsigned()).text(3, name);
            let base = self::chain(&chain).nest(4, hook).u32(5, ACCEPT).text(7, "filter");
            batch.add(Kind::NewChain, &base, format!("the {said} hook of {name}"));
            let rules = if outgoing { rules::egress() } else { rules::ingress() };
            for rule in rules {
                add_rule(batch, &chain, rule);
            }
        }
    }
}

/// Removes the table of an earlier life, whether there is one or not. Addresses first!
///
/// # Errors
/// What the kernel says. EPERM: no capability, or a process that lives has the table.
pub fn remove_leftovers() -> Result<(), NftError> {
    let connect = |source| NftError { what: "no connection to nf_tables".into(), source };
    let mut connection = Connection::open(super::NETDEV).map_err(connect)?;
    remove(&mut connection, OWNER | PERSIST).or_else(|_| remove(&mut connection, 0))
}

fn remove(connection: &mut Connection, flags: u32) -> Result<(), NftError> {
    let mut batch = connection.batch();
    absent(&mut batch, flags);
    connection.commit(batch)
}

/// No table, whether there was one or not: only one that is there can be deleted. One that a dead process has left is ours by the
/// making.
fn absent(batch: &mut Batch, flags: u32) {
    let table = Attributes::new().text(1, TABLE);
    batch.add(Kind::NewTable, &table.clone().u32(2, flags), "a table of the family netdev");
    batch.add(Kind::DeleteTable, &table, "the table of an earlier life");
}

fn chain(name: &str) -> Attributes {
    Attributes::new().text(1, TABLE).text(3, name)
}

fn add_rule(batch: &mut Batch, chain: &str, rule: Rule) {
    let rule = Attributes::new().text(1, TABLE).text(2, chain).nest(4, rule.expressions());
    batch.add(Kind::NewRule, &rule, format!("a rule of {chain}"));
}

/// The chains of a router in place of those that are there, and the ways to them.
fn add_router(batch: &mut Batch, router: &Router, before: Option<&Router>) {
    let chains = Chains::of(router.key);
    for name in chains.all() {
        batch.add(Kind::NewChain, &chain(name), format!("the chain {name}"));
        if before.is_some() {
            batch.add(Kind::DeleteRule, &Attributes::new().text(1, TABLE).text(2, name), "rules");
        }
    }
    if let Some(before) = before {
        remove_ways(batch, before);
    }
    for (name, rule) in rules::of_router(router) {
        add_rule(batch, &name, rule);
    }
    for (map, key, to) in rules::ways(router, &chains) {
        let way = Attributes::new().nest(1, Attributes::new().bytes(1, &key)).nest(2, Verdict::Jump(to).attributes());
        let list = Attributes::new().text(1, TABLE).text(2, map).nest(3, Attributes::new().nest(1, way));
        batch.add(Kind::NewElement, &list, format!("the way from {map} to {to}"));
    }
    for pair in announcements(router) {
        batch.add(Kind::NewElement, &element(rules::ANNOUNCED, &pair, None), "an address");
    }
}

fn remove_ways(batch: &mut Batch, router: &Router) {
    let chains = Chains::of(router.key);
    for (map, key, _) in rules::ways(router, &chains) {
        batch.add(Kind::DeleteElement, &element(map, &key, None), format!("the way from {map}"));
    }
    for pair in announcements(router) {
        batch.add(Kind::DeleteElement, &element(rules::ANNOUNCED, &pair, None), "an address");
    }
}

/// Each IPv4 address twice: whom a gratuitous request asks for, and who asks.
fn announcements(router: &Router) -> impl Iterator<Item = Vec<u8>> {
    router.addresses.iter().filter_map(|address| match address {
        IpAddr::V4(v4) => Some([v4.octets(), v4.octets()].concat()),
        IpAddr::V6(_) => None,
    })
}
