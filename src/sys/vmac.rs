//! The virtual router's own MAC (RFC 9568 §7.3), on a macvlan over the router's interface.
//!
//! The addresses go onto the macvlan; adverts and announcements leave through the interface below it, its parent. Three
//! settings of the parent and of the host have to change for that. What they were stands in the macvlan's alias, so that a
//! later life can put it back after a crash.
//!
//! - Parent `arp_ignore` 1: Linux answers ARP for every address of the host on every interface, so the parent would answer
//!   for the virtual address too, with its own MAC.
//! - Parent `arp_announce` 2: a packet from the virtual address leaves through the parent, and the ARP request that it needs
//!   would name that address as its sender: every receiver then learns the parent's MAC for it.
//! - `all/rp_filter` and `all/arp_filter` 0 where they are 1: the route back to a client leads through the parent, so the strict
//!   reverse path filter drops what arrives on the macvlan, and the ARP filter its answers; for the filters, what is set for
//!   `all` counts on each interface. The other interfaces get the 1 instead, and so keep what they had.
//!
//! On the macvlan itself: the same two filters off; `arp_ignore` 1, or it would answer for the parent's addresses with the
//! virtual MAC. In an IPv4 router's no IPv6 at all. In an IPv6 router's no address but the virtual ones: no link-local one
//! made from the MAC, which both nodes would have (`addr_gen_mode` 1), none from router advertisements (`accept_ra`, `autoconf` 0),
//! and no duplicate detection, which a master that is just leaving would win (`accept_dad` 0).
//! Without a link-local address of its own it also lacks the route to its link-local neighbours, so it is given that.

use std::io;
use std::net::Ipv6Addr;

use rtnetlink::packet_core::{NLM_F_CREATE, NLM_F_EXCL};
use rtnetlink::packet_route::RouteNetlinkMessage;
use rtnetlink::packet_route::link::{InfoKind, InfoMacVlan, LinkAttribute, LinkInfo, LinkMessage, MacVlanMode};
use rtnetlink::{LinkMacVlan, LinkUnspec, RouteMessageBuilder};

use super::interface;
use super::requests::{Requests, in_words};
use super::sysctl::{self, Changed};
use crate::observe::IfIndex;
use crate::wire::{Family, MacAddr, frame};

/// The longest name that the kernel takes, in bytes.
const NAME_MAX: usize = 15;

/// How the aliases of our macvlans begin.
const ALIAS: &str = "vipwarden";

/// How the names of our macvlans begin.
const PREFIX: &str = "vw";

/// How many macvlans may want a broadcast until the kernel leaves it to a worker, which waits its turn like any program: on a busy machine
/// clients then ask for the address in vain, for seconds. Below 0 none is left to it. The kernel has this since Linux 6.4, and older ones
/// take no notice. It counts for all macvlans over the parent, and ends with the last of them.
const AT_ONCE: i32 = -1;

/// Link-local addresses (RFC 4291 §2.5.6).
const LINK_LOCAL: Ipv6Addr = Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0, 0, 0);
const LINK_LOCAL_BITS: u8 = 64;

/// Where the settings of an interface are that decide who answers ARP, and whose packets are taken.
const CONF: &str = "net/ipv4/conf";

/// Stands for the settings that count on every interface.
const ALL: &str = "all";

/// Why a virtual MAC can't be had, or not be given up.
#[derive(Debug, thiserror::Error)]
#[error("{parent}: the virtual MAC of VRID {vrid} over {}: {source}", .family.as_str())]
pub struct VmacError {
    /// The name of the interface below.
    pub parent: String,
    /// Whose addresses it was for.
    pub family: Family,
    /// The VRID.
    pub vrid: u8,
    /// What failed.
    pub source: io::Error,
}

/// A macvlan with a virtual router's MAC. It stays until [`Vmacs::remove`].
#[derive(Debug)]
#[must_use = "it stays until it is removed"]
pub struct Vmac {
    /// Its index: the virtual addresses go there.
    pub interface: IfIndex,
    /// Its name: `vw4.PARENT.VRID` or `vw6.PARENT.VRID`, with the index of the parent.
    pub name: String,
    /// The virtual MAC: what adverts and announcements come from.
    pub mac: MacAddr,
    parent: String,
    family: Family,
    vrid: u8,
    /// The settings that it holds.
    held: Vec<String>,
}

/// Makes and removes virtual MACs, and keeps the settings that they need.
#[derive(Debug)]
pub struct Vmacs {
    requests: Requests,
    changed: Changed,
    /// What was set on other interfaces in place of a filter for all, by that filter.
    instead: Vec<(String, String)>,
}

impl Vmacs {
    /// Connects to the network namespace of this thread. Needs a tokio runtime with I/O and time.
    ///
    /// # Errors
    /// What the kernel says.
    pub fn open() -> io::Result<Self> {
        Ok(Self { requests: Requests::open()?, changed: Changed::default(), instead: Vec::new() })
    }

    /// Makes the macvlan of a virtual router over `parent`, up and without addresses. One that an earlier life has left behind
    /// is removed first, with its addresses, and what it remembers of the settings is put back. Needs CAP_NET_ADMIN.
    ///
    /// # Errors
    /// What failed; nothing is left of it then. An interface of that name that isn't ours, or another macvlan with that MAC
    /// (of another VRRP daemon, perhaps), is left alone and named.
    pub async fn create(&mut self, parent: IfIndex, family: Family, vrid: u8) -> Result<Vmac, VmacError> {
        let mac = frame::virtual_mac(family, vrid);
        let mut vmac = Vmac {
            interface: IfIndex(0),
            name: format!("{PREFIX}{}.{}.{vrid}", if family == Family::V4 { 4 } else { 6 }, parent.0),
            mac,
            parent: interface::display(parent),
            family,
            vrid,
            held: Vec::new(),
        };
        let made = match self.make(&mut vmac, parent).await {
            Ok(()) => self.set_up(&mut vmac).await,
            Err(error) => return Err(vmac.error(error)),
        };
        let Err(error) = made else { return Ok(vmac) };
        let error = vmac.error(error);
        // The first error is the one to tell.
        let _ = self.remove(vmac).await;
        Err(error)
    }

    /// Removes a macvlan with all that is on it, and puts back the settings that no other one needs. Everything is tried; one
    /// that somebody else has removed is no error.
    ///
    /// # Errors
    /// The first thing that failed.
    pub async fn remove(&mut self, vmac: Vmac) -> Result<(), VmacError> {
        let deleted = self.delete(vmac.interface).await;
        let released: Vec<_> = vmac.held.iter().map(|key| self.let_go(key)).collect();
        let result = released.into_iter().fold(deleted, io::Result::and);
        result.map_err(|error| vmac.error(error))
    }

    async fn make(&self, vmac: &mut Vmac, parent: IfIndex) -> io::Result<()> {
        if vmac.name.len() > NAME_MAX {
            return Err(io::Error::other(format!("{} is too long for an interface's name", vmac.name)));
        }
        if let Some(existing) = self.find(&vmac.name).await? {
            self.remove_leftover(&vmac.name, parent, &existing).await?;
        }
        // In bridge mode a rival's adverts from the same MAC still reach the parent; a private macvlan would swallow them.
        let message = LinkMacVlan::new(&vmac.name, parent.0, MacVlanMode::Bridge)
            .append_info_data(InfoMacVlan::BcCutoff(AT_ONCE))
            .address(vmac.mac.octets().into())
            .build();
        let made = self.requests.ask(RouteNetlinkMessage::NewLink(message), NLM_F_CREATE | NLM_F_EXCL).await;
        made.map_err(|error| vmac.explain(error))?;
        let made =
            self.find(&vmac.name).await?.ok_or_else(|| io::Error::other("it vanished as soon as it was made"))?;
        vmac.interface = IfIndex(made.header.index);
        Ok(())
    }

    async fn set_up(&mut self, vmac: &mut Vmac) -> io::Result<()> {
        for (key, value) in own_settings(&vmac.name, vmac.family) {
            match sysctl::write(&key, value) {
                // A host without IPv6 has nothing to switch off.
                Err(error) if error.kind() == io::ErrorKind::NotFound && vmac.family == Family::V4 => {}
                written => written?,
            }
        }
        let needed = needed(&vmac.parent);
        let named = LinkUnspec::new_with_index(vmac.interface.0).alias(self.alias(&needed)?).build();
        self.requests.ask(RouteNetlinkMessage::SetLink(named), 0).await.map_err(in_words)?;
        for Needed { interface, name, value, is_wrong } in needed {
            let key = conf(&interface, name);
            if interface == ALL {
                self.filter_elsewhere(name)?;
            }
            if self.changed.hold(&key, value, is_wrong)? {
                vmac.held.push(key);
            }
        }
        let up = LinkUnspec::new_with_index(vmac.interface.0).up().build();
        self.requests.ask(RouteNetlinkMessage::SetLink(up), 0).await.map_err(|error| vmac.explain(error))?;
        if vmac.family == Family::V6 {
            let link_local = RouteMessageBuilder::<Ipv6Addr>::new()
                .destination_prefix(LINK_LOCAL, LINK_LOCAL_BITS)
                .output_interface(vmac.interface.0)
                .build();
            self.requests.ask(RouteNetlinkMessage::NewRoute(link_local), NLM_F_CREATE).await.map_err(in_words)?;
        }
        Ok(())
    }

    /// Where a filter is on for all, switches it on for each single interface, so that it can be switched off for all.
    fn filter_elsewhere(&mut self, filter: &'static str) -> io::Result<()> {
        let all = conf(ALL, filter);
        if self.changed.original(&all).is_some() || sysctl::read(&all)? != "1" {
            return Ok(());
        }
        for other in std::fs::read_dir(format!("/proc/sys/{CONF}"))? {
            let other = other?.file_name().to_string_lossy().into_owned();
            let key = conf(&other, filter);
            if other != ALL && !other.starts_with(PREFIX) && self.changed.hold(&key, "1", |value| value == "0")? {
                self.instead.push((all.clone(), key));
            }
        }
        Ok(())
    }

    fn let_go(&mut self, key: &str) -> io::Result<()> {
        if self.changed.release(key)? {
            for (_, other) in self.instead.extract_if(.., |(all, _)| all == key) {
                self.changed.release(&other)?;
            }
        }
        Ok(())
    }

    /// What stands in the alias: the settings that change, as they were before any macvlan of ours.
    fn alias(&self, needed: &[Needed]) -> io::Result<String> {
        let mut alias = ALIAS.to_owned();
        for Needed { interface, name, is_wrong, .. } in needed {
            let key = conf(interface, name);
            let original =
                self.changed.original(&key).map_or_else(|| sysctl::read(&key), |original| Ok(original.to_owned()))?;
            if is_wrong(&original) {
                alias.push_str(&format!(" {interface}/{name}={original}"));
            }
        }
        Ok(alias)
    }

    async fn find(&self, name: &str) -> io::Result<Option<LinkMessage>> {
        let mut message = LinkMessage::default();
        message.attributes.push(LinkAttribute::IfName(name.into()));
        match self.requests.ask(RouteNetlinkMessage::GetLink(message), 0).await {
            Err(error) if error.raw_os_error() == Some(libc::ENODEV) => Ok(None),
            Err(error) => Err(in_words(error)),
            Ok(answers) => Ok(answers.into_iter().find_map(|answer| match answer {
                RouteNetlinkMessage::NewLink(link) => Some(link),
                _ => None,
            })),
        }
    }

    async fn remove_leftover(&self, name: &str, parent: IfIndex, link: &LinkMessage) -> io::Result<()> {
        let alias = leftover_alias(link, parent).ok_or_else(|| {
            io::Error::new(
                io::ErrorKind::AlreadyExists,
                format!("an interface {name} is there that vipwarden has not made: remove or rename it"),
            )
        })?;
        self.delete(IfIndex(link.header.index)).await?;
        for (key, original) in alias.split_whitespace().filter_map(|word| word.split_once('=')) {
            self.changed.put_back(&format!("{CONF}/{key}"), original)?;
        }
        Ok(())
    }

    async fn delete(&self, interface: IfIndex) -> io::Result<()> {
        let mut message = LinkMessage::default();
        message.header.index = interface.0;
        match self.requests.ask(RouteNetlinkMessage::DelLink(message), 0).await {
            Err(error) if error.raw_os_error() == Some(libc::ENODEV) => Ok(()),
            answer => answer.map(drop).map_err(in_words),
        }
    }
}

impl Vmac {
    fn error(&self, source: io::Error) -> VmacError {
        VmacError { parent: self.parent.clone(), family: self.family, vrid: self.vrid, source }
    }

    /// Says who is in the way, where the kernel only says that it is busy.
    fn explain(&self, error: io::Error) -> io::Error {
        match error.raw_os_error() {
            Some(libc::EADDRINUSE) => io::Error::new(
                error.kind(),
                format!("another macvlan has {} already: does another VRRP daemon run for this VRID?", self.mac),
            ),
            _ => in_words(error),
        }
    }
}

fn conf(interface: &str, name: &str) -> String {
    format!("{CONF}/{interface}/{name}")
}

/// A setting outside the macvlan, below [`CONF`].
struct Needed {
    interface: String,
    name: &'static str,
    value: &'static str,
    /// Whether it has to change, by what it is.
    is_wrong: fn(&str) -> bool,
}

fn needed(parent: &str) -> [Needed; 4] {
    let needed = |interface: &str, name, value, is_wrong| Needed { interface: interface.into(), name, value, is_wrong };
    [
        needed(parent, "arp_ignore", "1", |value| value == "0"),
        needed(parent, "arp_announce", "2", |value| value != "2"),
        needed(ALL, "rp_filter", "0", |value| value == "1"),
        needed(ALL, "arp_filter", "0", |value| value == "1"),
    ]
}

fn own_settings(name: &str, family: Family) -> Vec<(String, &'static str)> {
    let v4 = [("arp_ignore", "1"), ("rp_filter", "0"), ("arp_filter", "0")];
    let v6: &[_] = match family {
        Family::V4 => &[("disable_ipv6", "1")],
        Family::V6 => &[("addr_gen_mode", "1"), ("accept_ra", "0"), ("autoconf", "0"), ("accept_dad", "0")],
    };
    let v4 = v4.iter().map(|(key, value)| (conf(name, key), *value));
    v4.chain(v6.iter().map(|(key, value)| (format!("net/ipv6/conf/{name}/{key}"), *value))).collect()
}

/// The alias of a link that an earlier life has made over `parent`. One that died before it had given the alias has changed
/// nothing yet.
fn leftover_alias(link: &LinkMessage, parent: IfIndex) -> Option<&str> {
    let (mut alias, mut is_macvlan, mut is_over_parent) = ("", false, false);
    for attribute in &link.attributes {
        match attribute {
            LinkAttribute::IfAlias(text) => alias = text,
            LinkAttribute::Link(index) => is_over_parent = *index == parent.0,
            LinkAttribute::LinkInfo(infos) => is_macvlan = infos.contains(&LinkInfo::Kind(InfoKind::MacVlan)),
            _ => {}
        }
    }
    let is_ours = alias.is_empty() || alias.starts_with(ALIAS);
    (is_macvlan && is_over_parent && is_ours).then_some(alias)
}

#[cfg(test)]
mod tests;
