//! `accept = false` (RFC 9568 §6.1): this host has the virtual addresses, and takes no packet for them.
//!
//! ARP and neighbour discovery go on, so that the host forwards for its clients as before. The rules stand in a table of our own,
//! which the `nft` program sets and removes; whatever other tables say stays true.

use std::collections::BTreeSet;
use std::io;
use std::net::IpAddr;
use std::process::{Output, Stdio};

use tokio::io::AsyncWriteExt;
use tokio::process::Command;

use crate::time::Duration;
use crate::wire::Family;

const TABLE: &str = "inet vipwarden_accept";

/// `nft` takes milliseconds; one that waits for a lock for ever must not hold up anything.
const TIMEOUT: Duration = Duration::from_secs(10);

/// The most of what `nft` says that goes into an error, in characters.
const COMPLAINT_MAX: usize = 300;

/// Why packets to the virtual addresses are not dropped as they should be.
#[derive(Debug, thiserror::Error)]
pub enum AcceptError {
    /// There is no `nft`.
    #[error("accept = false needs the program nft, and it is not there: install nftables, or write accept = true")]
    Missing,
    /// It refused.
    #[error("accept = false: nft refused the rules: {0}; the process needs CAP_NET_ADMIN, and the kernel nf_tables")]
    Refused(String),
    /// It could not be run, or didn't end.
    #[error("accept = false: nft can't be run: {0}")]
    Io(#[from] io::Error),
}

/// Drops from now on what is addressed to these addresses, and to no others: it replaces what was set before. Where they are
/// not on this host, nothing changes: what is forwarded to them passes.
///
/// # Errors
/// [`AcceptError`]; what was set before is then still set.
pub async fn drop_packets_to(addresses: &[IpAddr]) -> Result<(), AcceptError> {
    nft("nft", &rules(addresses)).await
}

/// Takes all again. No error if nothing was set.
///
/// # Errors
/// [`AcceptError`].
pub async fn take_all() -> Result<(), AcceptError> {
    nft("nft", &absence()).await
}

/// Deletes the table, which has to be there for that.
fn absence() -> String {
    format!("add table {TABLE}\ndelete table {TABLE}\n")
}

/// One transaction: the new table stands as the old one goes.
fn rules(addresses: &[IpAddr]) -> String {
    let set = |name: &str, kind: &str, family: Family| {
        let of_family: BTreeSet<_> =
            addresses.iter().filter(|a| Family::of(a) == family).map(IpAddr::to_string).collect();
        let elements = match of_family.is_empty() {
            true => String::new(),
            false => format!("elements = {{ {} }};", Vec::from_iter(of_family).join(", ")),
        };
        format!("set {name} {{ type {kind}; {elements} }}\n")
    };
    let (v4, v6) = (set("v4", "ipv4_addr", Family::V4), set("v6", "ipv6_addr", Family::V6));
    let discovery = "nd-router-solicit, nd-router-advert, nd-neighbor-solicit, nd-neighbor-advert, nd-redirect";
    format!(
        "{}table {TABLE} {{\n{v4}{v6}chain input {{\ntype filter hook input priority filter;\nip daddr @v4 drop\n\
         ip6 daddr @v6 icmpv6 type {{ {discovery} }} accept\nip6 daddr @v6 drop\n}}\n}}\n",
        absence()
    )
}

async fn nft(program: &str, script: &str) -> Result<(), AcceptError> {
    let mut command = Command::new(program);
    command.args(["-f", "-"]).stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::piped()).kill_on_drop(true);
    let mut child = command.spawn().map_err(|error| match error.kind() {
        io::ErrorKind::NotFound => AcceptError::Missing,
        _ => AcceptError::Io(error),
    })?;
    let mut stdin = child.stdin.take().ok_or_else(|| io::Error::other("it has no standard input"))?;
    let talk = async {
        // One that has died already says better why than a broken pipe does.
        let _ = stdin.write_all(script.as_bytes()).await;
        drop(stdin);
        child.wait_with_output().await
    };
    let Output { status, stderr, .. } = tokio::time::timeout(TIMEOUT, talk).await.map_err(io::Error::from)??;
    if status.success() {
        return Ok(());
    }
    Err(AcceptError::Refused(String::from_utf8_lossy(&stderr).trim().chars().take(COMPLAINT_MAX).collect()))
}

#[cfg(test)]
mod tests {
    use std::net::{Ipv4Addr, Ipv6Addr};

    use super::super::address::Addresses;
    use super::super::testing::*;
    use super::*;

    const VIPS: [IpAddr; 2] =
        [IpAddr::V4(Ipv4Addr::new(10, 9, 9, 100)), IpAddr::V6(Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0, 0, 0x100))];

    /// Whether the far host gets an answer to a ping, and whether it knows our MAC for the address then.
    fn ping(far: &Host, vip: IpAddr) -> (bool, bool) {
        far.run(move || {
            ip("neighbour flush all");
            let target = if vip.is_ipv6() { format!("{vip}%far") } else { vip.to_string() };
            let mut command = std::process::Command::new("ping");
            let pinged = command.args(["-c", "1", "-W", "1", &target]).stdout(Stdio::null()).status();
            let known = ip(&format!("neighbour show {vip}")).contains("02:00:00:00:00:01");
            (pinged.expect("ping is installed").success(), known)
        })
    }

    #[test]
    fn rfc9568_6_1_without_accept_mode_the_address_answers_arp_and_nd_and_nothing_else() {
        with_neighbour(async |far| {
            let near = index_of("near");
            let vips = VIPS.map(|vip| (vip, if vip.is_ipv4() { 32 } else { 128 }));
            Addresses::open().expect("netlink").claim(near, &vips, None).await.expect("root");
            take_all().await.expect("nothing was set, and that is fine");
            drop_packets_to(&["10.9.9.101".parse().expect("an address")]).await.expect("root and nft");
            for vip in VIPS {
                // A new IPv6 address is solicited for in vain until the kernel listens for it.
                assert!((0..10).any(|_| ping(far, vip) == (true, true)), "{vip}");
            }
            drop_packets_to(&VIPS).await.expect("root and nft");
            for vip in VIPS {
                assert_eq!(ping(far, vip), (false, true), "{vip}");
            }
            assert!(ping(far, Ipv4Addr::new(10, 9, 9, 1).into()).0, "other addresses are as before");
            take_all().await.expect("root and nft");
            for vip in VIPS {
                assert_eq!(ping(far, vip), (true, true), "{vip}");
            }
        });
    }

    #[test]
    fn a_refusal_says_why_and_a_missing_nft_what_to_do() {
        with_neighbour(async |_| {
            let error = nft("nft", "add rule nowhere").await.expect_err("no such table").to_string();
            assert!(error.contains("nft refused") && error.contains("nowhere"), "{error}");
            let error = nft("/nowhere/nft", "").await.expect_err("no such program").to_string();
            assert!(error.contains("install nftables"), "{error}");
        });
    }
}
