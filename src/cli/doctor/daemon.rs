//! The VRRP daemon on this host: whether one runs, whether it reads what comes, and whether it has joined the multicast groups.

use std::io;

use super::finding::{Finding, Severity};
use crate::config::Config;
use crate::observe::DaemonState;
use crate::sys::daemon::Owner;
use crate::wire::Family;

/// What was seen of one family's daemons.
pub(super) struct Daemons {
    pub family: Family,
    pub owners: Vec<Owner>,
    /// `None` where the wire was not looked at.
    pub state: Option<DaemonState>,
    /// Interfaces that had joined the group before this program did.
    pub joined: io::Result<Vec<String>>,
}

const CHECK: &str = "VRRP daemon";

fn family_name(family: Family) -> &'static str {
    match family {
        Family::V4 => "VRRP over IPv4",
        Family::V6 => "VRRP over IPv6",
    }
}

/// The findings on one family. `expected`: a virtual router of the family is configured here to be spoken by this host.
pub(super) fn check(seen: &Daemons, config: &Config) -> Vec<Finding> {
    let what = family_name(seen.family);
    let mut found: Vec<Finding> =
        seen.owners.iter().filter(|owner| owner.stopped).map(|owner| stopped(owner, what)).collect();
    let named = |owners: &[Owner]| {
        owners.iter().map(|owner| format!("{} (pid {})", owner.name, owner.pid)).collect::<Vec<_>>().join(", ")
    };
    match (seen.state, seen.owners.is_empty()) {
        _ if !found.is_empty() => {}
        (Some(DaemonState::Frozen), _) => found.push(frozen(&seen.owners, what)),
        (_, false) => found.push(Finding::ok(CHECK, what, named(&seen.owners))),
        (Some(DaemonState::Alive), true) => {
            found.push(Finding::ok(CHECK, what, "one runs (only root can tell which)"));
        }
        (_, true) if config.routers.iter().any(|router| router.family == seen.family) => {
            let why =
                "a virtual router is configured here, and this host takes no part in it: right only on a bystander";
            let finding = Finding::new(CHECK, Severity::Info, what, "none has a socket for protocol 112", why);
            found.push(finding.mended_by("systemctl start keepalived"));
        }
        _ => {}
    }
    found.extend(group(seen, config));
    found
}

fn stopped(owner: &Owner, what: &str) -> Finding {
    let Owner { pid, name, .. } = owner;
    let seen = format!("{name} (pid {pid}) is stopped (state T)");
    let why = "it advertises nothing and keeps the addresses that it has: the other node takes them too";
    Finding::new(CHECK, Severity::Critical, what, seen, why).mended_by(format!("kill -CONT {pid}"))
}

fn frozen(owners: &[Owner], what: &str) -> Finding {
    let name = owners.first().map_or("keepalived", |owner| owner.name.as_str());
    let seen = format!("{name} does not read what comes in: adverts pile up in its socket");
    let why = "it takes part in no election and keeps the addresses that it has";
    Finding::new(CHECK, Severity::Critical, what, seen, why).mended_by(format!("systemctl restart {name}"))
}

/// Membership: every interface of a configured router that is not spoken by unicast, and some interface where a socket waits for
/// the group.
fn group(seen: &Daemons, config: &Config) -> Vec<Finding> {
    let check = "multicast group";
    let Ok(joined) = &seen.joined else { return Vec::new() };
    let address = match seen.family {
        Family::V4 => "224.0.0.18",
        Family::V6 => "ff02::12",
    };
    let Some(owner) = seen.owners.iter().find(|owner| owner.group) else { return Vec::new() };
    let is_multicast =
        |router: &&crate::config::Router| router.family == seen.family && router.unicast_peers.is_empty();
    // With a virtual MAC the interface over it has joined, whatever its name is.
    let vmac = joined.iter().any(|name| !config.routers.iter().any(|router| router.interface == *name));
    let lacks: Vec<&str> = config.routers.iter().filter(is_multicast).map(|router| router.interface.as_str()).collect();
    let lacks: Vec<&str> =
        lacks.into_iter().filter(|name| !vmac && !joined.iter().any(|joined| joined == name)).collect();
    let nowhere = joined.is_empty();
    if !nowhere && lacks.is_empty() {
        return vec![Finding::ok(check, joined.join(", "), format!("{address} is joined"))];
    }
    let subject = if nowhere { String::new() } else { lacks.join(", ") };
    let seen = format!("{} (pid {}) waits for {address}, which is not joined there", owner.name, owner.pid);
    let why = "it hears no advert, and becomes a second master: it happens when an interface is made anew under a running daemon";
    let restart = format!("systemctl restart {}", owner.name);
    vec![Finding::new(check, Severity::Critical, subject, seen, why).mended_by(restart)]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn daemons(stopped: bool, joined: &[&str], state: DaemonState) -> Daemons {
        let owner = Owner { pid: 7, name: "keepalived".into(), stopped, group: true };
        let joined = Ok(joined.iter().map(|name| (*name).to_owned()).collect());
        Daemons { family: Family::V4, owners: vec![owner], state: Some(state), joined }
    }

    fn found(seen: &Daemons) -> Vec<(Severity, Option<String>)> {
        let found = check(seen, &Config::discovery("lb01"));
        found.into_iter().map(|finding| (finding.severity, finding.mend)).collect()
    }

    #[test]
    fn a_stopped_and_a_frozen_daemon_are_told_from_a_living_one_fault_15() {
        assert!(
            found(&daemons(false, &["eth0"], DaemonState::Alive)).iter().all(|(severity, _)| *severity == Severity::Ok)
        );
        let thaw = (Severity::Critical, Some("kill -CONT 7".to_owned()));
        assert_eq!(found(&daemons(true, &["eth0"], DaemonState::Alive))[0], thaw);
        let restart = (Severity::Critical, Some("systemctl restart keepalived".to_owned()));
        assert_eq!(found(&daemons(false, &["eth0"], DaemonState::Frozen))[0], restart);
    }

    #[test]
    fn a_daemon_that_waits_for_a_group_that_is_joined_nowhere_is_named() {
        let restart = (Severity::Critical, Some("systemctl restart keepalived".to_owned()));
        assert_eq!(found(&daemons(false, &[], DaemonState::Alive))[1], restart);
    }
}
