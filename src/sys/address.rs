//! Virtual addresses on this host: claimed and released, and neither is said to be done before the kernel has said so.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use futures_util::future::join_all;
use rtnetlink::AddressMessageBuilder;
use rtnetlink::packet_core::{NLM_F_CREATE, NLM_F_EXCL, NLM_F_REPLACE};
use rtnetlink::packet_route::address::{AddressAttribute, AddressHeaderFlags, AddressMessage, CacheInfo};
use rtnetlink::packet_route::{AddressFamily, RouteNetlinkMessage};

use super::netlink::parse;
use super::requests::{Requests, in_words};
use super::{interface, sysctl};
use crate::observe::{Address, IfIndex};

/// An address with its prefix length.
pub type Prefixed = (IpAddr, u8);

/// As often as one address can be on one interface: IPv4 has one for each prefix length.
const COPIES_MAX: usize = 33;

/// What the kernel says of an address that is not there: not on this interface, no such interface, no such family on it, or
/// not on this host.
const ABSENT: [i32; 4] = [libc::EADDRNOTAVAIL, libc::ENODEV, libc::ENXIO, libc::EOPNOTSUPP];

/// Why the addresses of a router are not on this host. Whatever of them the claim had added was removed again.
#[derive(Debug, thiserror::Error)]
#[error("{interface}: {address}/{prefix} can't be claimed: {source}{}", .left.as_ref().map(|e| format!("; {e}")).unwrap_or_default())]
pub struct ClaimError {
    /// The interface's name.
    pub interface: String,
    /// The first address that failed.
    pub address: IpAddr,
    /// Its prefix length.
    pub prefix: u8,
    /// What the kernel says.
    pub source: io::Error,
    /// What could not be removed again.
    pub left: Option<ReleaseError>,
}

/// Which addresses are perhaps still on this host.
#[derive(Debug, thiserror::Error)]
#[error("{interface}: {} can't be removed, and clients may still reach it here: {}", .failures[0].0, .failures[0].1)]
pub struct ReleaseError {
    /// The interface's name.
    pub interface: String,
    /// The addresses, at least one, and what the kernel says.
    pub failures: Vec<(IpAddr, io::Error)>,
}

/// What became of one address of a claim.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Claimed {
    Added,
    /// It was there before.
    Found,
}

/// Adds and removes addresses, over a netlink connection of its own.
#[derive(Debug)]
pub struct Addresses {
    requests: Requests,
}

impl Addresses {
    /// Connects to the network namespace of this thread. Needs a tokio runtime with I/O and time.
    ///
    /// # Errors
    /// What the kernel says.
    pub fn open() -> io::Result<Self> {
        Ok(Self { requests: Requests::open()? })
    }

    /// Puts all addresses on an interface, or none. `Ok` means that the kernel has confirmed each of them: added now, or
    /// already there and usable. Needs CAP_NET_ADMIN.
    ///
    /// IPv6 addresses are usable at once (no duplicate detection: the old master may still be there). The kernel adds the
    /// route to a prefix that is shorter than the address, as for any address: a host without another address in that subnet
    /// answers nobody without it. An IPv4 address of such a prefix may become its subnet's primary one, with which the kernel
    /// would later delete every other address of that subnet: so `promote_secondaries` is switched on for the interface,
    /// and stays on.
    ///
    /// # Errors
    /// The first address that failed, and why. Those that were added are removed again; those that were there stay.
    ///
    /// With a `lifetime` in seconds the kernel removes them by itself when it has run out, unless [`Self::renew`] is called in time.
    pub async fn claim(
        &self,
        interface: IfIndex,
        addresses: &[Prefixed],
        lifetime: Option<u32>,
    ) -> Result<(), ClaimError> {
        let adding = addresses.iter().map(|&(address, prefix)| self.add(interface, address, prefix, lifetime));
        let mut results = join_all(adding).await;
        let Some(failed) = results.iter().position(Result::is_err) else { return Ok(()) };
        // What failed is removed too, unless it was there before: an answer that was lost may have been a yes.
        let ours = |result: &io::Result<Claimed>| match result {
            Ok(claimed) => *claimed == Claimed::Added,
            Err(error) => error.kind() != io::ErrorKind::AlreadyExists,
        };
        let added: Vec<_> = addresses.iter().zip(&results).filter(|(_, r)| ours(r)).map(|(a, _)| *a).collect();
        let left = self.release(interface, &added).await.err();
        let (address, prefix) = addresses[failed];
        let source = results.swap_remove(failed).err().map_or_else(|| io::Error::other("unknown"), in_words);
        Err(ClaimError { interface: interface::display(interface), address, prefix, source, left })
    }

    /// Takes all addresses from an interface. `Ok` means that the kernel has confirmed that none of them is on it, whatever the
    /// prefix length; one that was never there, or an interface that is gone, is no error. Needs CAP_NET_ADMIN. All are
    /// tried, whichever fails.
    ///
    /// # Errors
    /// Those that are perhaps still there, and why.
    pub async fn release(&self, interface: IfIndex, addresses: &[Prefixed]) -> Result<(), ReleaseError> {
        let removing = addresses.iter().map(|&(address, prefix)| async move {
            let removed = match address {
                IpAddr::V4(address) => self.remove_v4(interface, address).await,
                IpAddr::V6(address) => self.remove_v6(interface, address, prefix).await,
            };
            removed.err().map(|error| (address, in_words(error)))
        });
        let failures: Vec<_> = join_all(removing).await.into_iter().flatten().collect();
        match failures.is_empty() {
            true => Ok(()),
            false => Err(ReleaseError { interface: interface::display(interface), failures }),
        }
    }

    /// Has the lifetime of addresses begin anew. One that is gone comes back by it, so it is for who holds them and no other.
    ///
    /// # Errors
    /// What the kernel says; all are tried.
    pub async fn renew(&self, interface: IfIndex, addresses: &[Prefixed], lifetime: u32) -> io::Result<()> {
        let renewing = addresses.iter().map(|&(address, prefix)| {
            let message = RouteNetlinkMessage::NewAddress(message(interface, address, prefix, Some(lifetime)));
            self.requests.ask(message, NLM_F_CREATE | NLM_F_REPLACE)
        });
        join_all(renewing).await.into_iter().try_for_each(|renewed| renewed.map(drop)).map_err(in_words)
    }

    async fn add(&self, interface: IfIndex, address: IpAddr, prefix: u8, lifetime: Option<u32>) -> io::Result<Claimed> {
        if address.is_ipv4() && prefix < 32 {
            let name = interface::name(interface)?;
            sysctl::ensure(&format!("net/ipv4/conf/{name}/promote_secondaries"), "1")?;
        }
        let message = RouteNetlinkMessage::NewAddress(message(interface, address, prefix, lifetime));
        match self.requests.ask(message, NLM_F_CREATE | NLM_F_EXCL).await {
            Ok(_) => Ok(Claimed::Added),
            Err(error) if error.raw_os_error() == Some(libc::EEXIST) => self.found(interface, address).await,
            Err(error) => Err(error),
        }
    }

    /// The kernel says that it is there: is it on this interface, and usable?
    async fn found(&self, interface: IfIndex, address: IpAddr) -> io::Result<Claimed> {
        let trouble = match self.find(interface, address).await? {
            Some(found) if found.usable => return Ok(Claimed::Found),
            Some(_) => "it is there already, but waits for or has failed duplicate detection: delete it",
            None => "the kernel has it already, but not on this interface",
        };
        Err(io::Error::new(io::ErrorKind::AlreadyExists, trouble))
    }

    async fn find(&self, interface: IfIndex, address: IpAddr) -> io::Result<Option<Address>> {
        let request = RouteNetlinkMessage::GetAddress(message(interface, address, 0, None));
        let answer = match address {
            // Only IPv6 can be asked for one address.
            IpAddr::V4(_) => self.requests.dump(request).await,
            IpAddr::V6(_) => self.requests.ask(request, 0).await,
        };
        let answers = answer.or_else(|error| if is_absent(&error) { Ok(Vec::new()) } else { Err(error) })?;
        Ok(answers.iter().find_map(|answer| match answer {
            RouteNetlinkMessage::NewAddress(message) => {
                parse::address(message).filter(|found| found.interface == interface && found.address == address)
            }
            _ => None,
        }))
    }

    /// Deletes it under every prefix length, until the kernel says that there is none.
    async fn remove_v4(&self, interface: IfIndex, address: Ipv4Addr) -> io::Result<()> {
        for _ in 0..=COPIES_MAX {
            let mut message = AddressMessage::default();
            message.header.family = AddressFamily::Inet;
            message.header.index = interface.0;
            // No IFA_ADDRESS: the kernel then takes any prefix length.
            message.attributes.push(AddressAttribute::Local(address.into()));
            match self.requests.ask(RouteNetlinkMessage::DelAddress(message), 0).await {
                Err(error) if is_absent(&error) => return Ok(()),
                Err(error) => return Err(error),
                Ok(_) => {}
            }
        }
        Err(put_back_by_others())
    }

    /// An IPv6 address is on an interface once, under one prefix length, and only that deletes it.
    async fn remove_v6(&self, interface: IfIndex, address: Ipv6Addr, mut prefix: u8) -> io::Result<()> {
        for _ in 0..=COPIES_MAX {
            let message = message(interface, address.into(), prefix, None);
            match self.requests.ask(RouteNetlinkMessage::DelAddress(message), 0).await {
                Err(error) if !is_absent(&error) => return Err(error),
                Ok(_) => return Ok(()),
                Err(_) => match self.find(interface, address.into()).await? {
                    Some(found) => prefix = found.prefix,
                    None => return Ok(()),
                },
            }
        }
        Err(put_back_by_others())
    }
}

fn message(interface: IfIndex, address: IpAddr, prefix: u8, lifetime: Option<u32>) -> AddressMessage {
    let mut message = match address {
        IpAddr::V4(address) => {
            AddressMessageBuilder::<Ipv4Addr>::new().index(interface.0).address(address, prefix).build()
        }
        IpAddr::V6(address) => {
            let mut message =
                AddressMessageBuilder::<Ipv6Addr>::new().index(interface.0).address(address, prefix).build();
            message.header.flags = AddressHeaderFlags::Nodad;
            message
        }
    };
    if let Some(seconds) = lifetime {
        let mut times = CacheInfo::default();
        (times.ifa_valid, times.ifa_preferred) = (seconds, seconds);
        message.attributes.push(AddressAttribute::CacheInfo(times));
    }
    message
}

fn is_absent(error: &io::Error) -> bool {
    error.raw_os_error().is_some_and(|code| ABSENT.contains(&code))
}

fn put_back_by_others() -> io::Error {
    io::Error::other("it comes back each time: some other program adds it")
}

#[cfg(test)]
mod tests {
    use super::super::testing::*;
    use super::*;

    const V4: IpAddr = IpAddr::V4(Ipv4Addr::new(10, 9, 9, 100));
    const V6: IpAddr = IpAddr::V6(Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 0x100));
    const LINK_LOCAL: IpAddr = IpAddr::V6(Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0, 0, 0x100));
    const VIPS: [Prefixed; 3] = [(V4, 32), (LINK_LOCAL, 128), (V6, 128)];

    fn on_near() -> String {
        ip("address show dev near")
    }

    fn has_any_vip() -> bool {
        VIPS.iter().any(|(address, _)| on_near().contains(&format!(" {address}/")))
    }

    #[test]
    fn a_confirmed_claim_is_there_and_usable_and_a_confirmed_release_is_gone() {
        with_neighbour(async |_| {
            let (addresses, near) = (Addresses::open().expect("netlink"), index_of("near"));
            addresses.claim(near, &VIPS, None).await.expect("root");
            let shown = on_near();
            for (address, prefix) in VIPS {
                let line = shown.lines().find(|line| line.contains(&format!("{address}/{prefix}")));
                let line = line.unwrap_or_else(|| panic!("{address} is not in {shown}"));
                assert!(!line.contains("tentative"), "{line}");
            }
            addresses.release(near, &VIPS).await.expect("root");
            assert!(!has_any_vip(), "{}", on_near());
            assert!(on_near().contains("10.9.9.1/24") && on_near().contains("fe80::1/64"), "the host's own stay");
        });
    }

    #[test]
    fn an_address_with_a_lifetime_goes_by_itself_unless_it_is_renewed() {
        with_neighbour(async |_| {
            let (addresses, near) = (Addresses::open().expect("netlink"), index_of("near"));
            addresses.claim(near, &VIPS, Some(600)).await.expect("root");
            assert_eq!(on_near().matches("valid_lft 600sec").count(), 3, "{}", on_near());
            addresses.renew(near, &VIPS, 1).await.expect("root");
            while has_any_vip() {
                tokio::time::sleep(std::time::Duration::from_millis(20)).await;
            }
            assert!(on_near().contains("10.9.9.1/24"), "the host's own stay");
        });
    }

    #[test]
    fn hundreds_of_addresses_are_claimed_and_released_at_once() {
        with_neighbour(async |_| {
            let (addresses, near) = (Addresses::open().expect("netlink"), index_of("near"));
            let many: Vec<Prefixed> =
                (0..500).map(|i: u16| (Ipv4Addr::from(0x0a0b_0000 + u32::from(i)).into(), 32)).collect();
            addresses.claim(near, &many, None).await.expect("root");
            assert_eq!(on_near().matches(" 10.11.").count(), 500);
            addresses.release(near, &many).await.expect("root");
            assert_eq!(on_near().matches(" 10.11.").count(), 0);
        });
    }

    #[test]
    fn what_is_there_already_counts_and_stays_when_the_claim_fails() {
        with_neighbour(async |_| {
            let (addresses, near) = (Addresses::open().expect("netlink"), index_of("near"));
            ip(&format!("address add {V4}/32 dev near"));
            ip(&format!("address add {V6}/128 dev near nodad"));
            addresses.claim(near, &VIPS, None).await.expect("present and usable");
            addresses.release(near, &VIPS[1..2]).await.expect("root");
            let refused = (IpAddr::V4(Ipv4Addr::new(224, 0, 0, 18)), 40);
            let error = addresses.claim(near, &[VIPS[0], VIPS[1], refused], None).await.expect_err("no such prefix");
            assert_eq!((error.address, error.prefix), refused);
            assert!(error.left.is_none() && error.to_string().contains("near: 224.0.0.18/40"), "{error}");
            assert!(on_near().contains("10.9.9.100/32"), "it was not ours to remove");
            assert!(!on_near().contains("fe80::100"), "the claim had added it");
        });
    }

    #[test]
    fn the_same_address_elsewhere_does_not_count() {
        with_neighbour(async |_| {
            let (addresses, near) = (Addresses::open().expect("netlink"), index_of("near"));
            ip(&format!("address add {V4}/32 dev lo"));
            ip(&format!("address add {V6}/128 dev lo"));
            addresses.claim(near, &VIPS, None).await.expect("root");
            assert!(on_near().contains("10.9.9.100/32") && on_near().contains("2001:db8::100/128"));
            addresses.release(near, &VIPS).await.expect("root");
            assert!(!has_any_vip());
            assert!(ip("address show dev lo").contains("10.9.9.100/32"), "only the interface that was named");
        });
    }

    #[test]
    fn an_address_that_waits_for_duplicate_detection_is_not_held() {
        with_neighbour(async |_| {
            let (addresses, near) = (Addresses::open().expect("netlink"), index_of("near"));
            std::fs::write("/proc/sys/net/ipv6/conf/near/accept_dad", "1").expect("sysctl");
            std::fs::write("/proc/sys/net/ipv6/conf/near/dad_transmits", "100").expect("sysctl");
            ip(&format!("address add {V6}/128 dev near"));
            let error = addresses.claim(near, &VIPS, None).await.expect_err("tentative").to_string();
            assert!(error.contains("2001:db8::100/128") && error.contains("duplicate detection"), "{error}");
        });
    }

    #[test]
    fn a_release_removes_every_copy_whatever_its_prefix_length() {
        with_neighbour(async |_| {
            let (addresses, near) = (Addresses::open().expect("netlink"), index_of("near"));
            for prefix in [32, 24, 16] {
                ip(&format!("address add {V4}/{prefix} dev near"));
            }
            ip(&format!("address add {V6}/64 dev near nodad"));
            addresses.release(near, &VIPS).await.expect("root");
            assert!(!has_any_vip(), "{}", on_near());
            addresses.release(near, &VIPS).await.expect("absent ones are fine");
            addresses.release(IfIndex(4000), &VIPS).await.expect("so is an interface that is gone");
        });
    }

    #[test]
    fn a_vip_that_was_its_subnets_primary_takes_no_other_address_with_it() {
        with_neighbour(async |_| {
            let (addresses, near) = (Addresses::open().expect("netlink"), index_of("near"));
            let vip = [("10.20.0.100".parse().expect("an address"), 24)];
            addresses.claim(near, &vip, None).await.expect("root");
            ip("address add 10.20.0.7/24 dev near");
            addresses.release(near, &vip).await.expect("root");
            assert!(on_near().contains("10.20.0.7/24") && !on_near().contains("10.20.0.100"), "{}", on_near());
        });
    }

    #[test]
    fn an_address_that_somebody_else_deletes_is_seen() {
        with_neighbour(async |_| {
            let (addresses, near) = (Addresses::open().expect("netlink"), index_of("near"));
            let mut netlink = super::super::netlink::Netlink::open().await.expect("netlink");
            addresses.claim(near, &VIPS, None).await.expect("root");
            ip(&format!("address delete {V4}/32 dev near"));
            let is_it = |fact: &crate::observe::Fact| match fact {
                crate::observe::Fact::AddressGone { interface, address } => *interface == near && *address == V4,
                _ => false,
            };
            within_deadline(async { while !netlink.next().await.expect("netlink").iter().any(is_it) {} }).await;
        });
    }

    #[test]
    fn without_the_capability_the_error_names_it_the_address_and_the_interface() {
        with_neighbour(async |_| {
            let (addresses, near) = (Addresses::open().expect("netlink"), index_of("near"));
            addresses.claim(near, &VIPS[..1], None).await.expect("root");
            drop_capabilities();
            let claim = addresses.claim(near, &VIPS[2..], None).await.expect_err("no capability").to_string();
            assert!(claim.contains("near: 2001:db8::100/128") && claim.contains("CAP_NET_ADMIN"), "{claim}");
            let release = addresses.release(near, &VIPS[..1]).await.expect_err("no capability").to_string();
            assert!(release.contains("near: 10.9.9.100") && release.contains("CAP_NET_ADMIN"), "{release}");
        });
    }
}
