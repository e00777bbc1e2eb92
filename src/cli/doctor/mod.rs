//! `vipwarden doctor`: checks this host. Each finding says what was seen, why it matters, and the command that mends it.
//!
//! It changes nothing. For a few seconds it watches as the daemon does, beside whatever runs already; with `[watch] passive` it
//! sends nothing either.

mod certificates;
mod daemon;
mod finding;
mod firewall;
mod host;
mod links;
mod look;
mod wire;

use std::net::IpAddr;
use std::path::PathBuf;
use std::process::ExitCode;

use super::terminal::complain;
use super::{CRITICAL, FAILED, USAGE};
use crate::config::{self, Config};
use crate::sys::{daemon as sys_daemon, group};
use crate::wire::Family;
use daemon::Daemons;
use finding::{Finding, Severity};
use look::Look;

/// What `doctor` takes.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Configuration file, with conf.d/*.toml beside it [default: /etc/vipwarden/vipwarden.toml, or none where that is missing].
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Print JSON.
    #[arg(long)]
    json: bool,
}

/// Runs it: 0 if all is fine, 1 if there is a warning, 2 if something is critical, 64 for a bad configuration.
pub fn run(args: &Args) -> ExitCode {
    let loaded = match config::load_or_discover(args.config.as_deref()) {
        Ok(loaded) => loaded,
        Err(errors) => {
            super::check_config::print_all("error", &errors);
            return USAGE.into();
        }
    };
    let config = loaded.config;
    let mut findings = host::capabilities(&config);
    let may_look = findings.iter().all(|finding| finding.severity == Severity::Ok);
    findings.extend(examine(&config, may_look));
    let worst = finding::worst(&findings);
    finding::print(&config.node.name, findings, args.json);
    match worst {
        Severity::Ok | Severity::Info => ExitCode::SUCCESS,
        Severity::Warning => FAILED.into(),
        Severity::Critical => CRITICAL.into(),
    }
}

/// All checks but that of the capabilities, in the order of what they are worth.
fn examine(config: &Config, may_look: bool) -> Vec<Finding> {
    // Before the look, which joins the groups itself.
    let joined = [Family::V4, Family::V6].map(|family| (family, group::joined(family)));
    let links = pnet::datalink::interfaces();
    let changes: Vec<u64> = links.iter().map(|link| links::carrier_changes(&link.name)).collect();
    let mut findings = Vec::new();
    let look = may_look.then(|| {
        complain("looking at the wire for a few seconds…");
        look::look(config)
    });
    let look = match look {
        Some(Ok(look)) => Some(look),
        Some(Err(why)) => {
            let matters = "nothing is known of what is on the wire";
            findings.push(Finding::new("wire", Severity::Critical, "", why, matters));
            None
        }
        None => None,
    };
    let interfaces = interfaces(config, look.as_ref());
    findings.extend(look.iter().flat_map(wire::output));
    findings.extend(firewall::check(&interfaces, &families(config, look.as_ref())));
    findings.extend(look.iter().flat_map(wire::routers));
    let peers: Vec<IpAddr> =
        config.peers.iter().flat_map(|peer| std::iter::once(peer.address).chain(peer.vrrp_addresses.clone())).collect();
    let snapshot = look.as_ref().map(|look| &look.snapshot);
    for interface in &interfaces {
        findings.extend(links::settings(interface, snapshot, &peers, &links));
        let before = links.iter().position(|link| link.name == *interface).map_or(0, |index| changes[index]);
        findings.push(links::carrier(interface, before, &links));
    }
    for (family, joined) in joined {
        let state = look.as_ref().and_then(|look| look.daemon(family));
        let seen = Daemons { family, owners: owners(family), state, joined };
        findings.extend(daemon::check(&seen, config));
    }
    findings.extend(look.iter().map(wire::neighbours));
    findings.push(host::clock(config));
    findings.extend(certificates::check(config));
    findings.extend(host::gate(config));
    findings.extend(look.iter().flat_map(wire::senses));
    findings
}

/// The processes with sockets for VRRP, but for this one.
fn owners(family: Family) -> Vec<sys_daemon::Owner> {
    let mut owners = sys_daemon::owners(family);
    owners.retain(|owner| owner.pid != std::process::id());
    owners
}

/// What is listened to, and what the configuration names.
fn interfaces(config: &Config, look: Option<&Look>) -> Vec<String> {
    let named = config.routers.iter().map(|router| router.interface.clone());
    let mut all: Vec<String> = named.chain(config.watch.interfaces.iter().flatten().cloned()).collect();
    all.extend(look.into_iter().flat_map(Look::interfaces));
    all.sort();
    all.dedup();
    all
}

/// The families whose adverts matter here: of what is configured and seen; both while nothing is known.
fn families(config: &Config, look: Option<&Look>) -> Vec<Family> {
    let seen = look.into_iter().flat_map(|look| look.snapshot.routers.iter().map(|router| router.family));
    let known: Vec<Family> = config.routers.iter().map(|router| router.family).chain(seen).collect();
    let both = [Family::V4, Family::V6];
    both.into_iter().filter(|family| known.is_empty() || known.contains(family)).collect()
}
