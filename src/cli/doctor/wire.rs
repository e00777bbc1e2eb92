//! What the look at the wire says: verdicts and causes, whether adverts get out, and how peers' vipwardens answer.

use std::io;

use super::finding::{Finding, Severity};
use super::look::Look;
use crate::detect::{PeerView, RouterView, Verdict};
use crate::wire::Family;

/// The findings on every virtual router that is configured or was seen.
pub(super) fn routers(look: &Look) -> Vec<Finding> {
    let mut found: Vec<Finding> = look.snapshot.routers.iter().flat_map(|view| router(view)).collect();
    if found.is_empty() {
        let why = "no pair is on these segments, or its adverts don't reach this host";
        found.push(Finding::new("virtual router", Severity::Info, "", "none was seen and none is configured", why));
    }
    found
}

fn router(view: &RouterView) -> Vec<Finding> {
    let check = "virtual router";
    let vlan = view.vlan.map_or(String::new(), |vlan| format!("/{vlan}"));
    let subject = format!("{} on {}{vlan} (VRID {})", view.name, view.interface, view.vrid);
    let masters: Vec<String> = view.masters.iter().map(ToString::to_string).collect();
    let masters = if masters.is_empty() { "no master".into() } else { format!("master {}", masters.join(" and ")) };
    let severity = match view.verdict {
        Verdict::Healthy => Severity::Ok,
        Verdict::Unknown => Severity::Info,
        Verdict::Degraded => Severity::Warning,
        Verdict::SplitBrain | Verdict::NoMaster => Severity::Critical,
    };
    let verdict = view.verdict.as_str();
    let mut found: Vec<Finding> = view
        .findings
        .iter()
        .map(|cause| {
            let node = cause.node.as_deref().map_or(String::new(), |node| format!(" on {node}"));
            let seen = format!("{verdict}, {masters}: {}{node}: {}", cause.cause.as_str(), cause.local);
            Finding::new(check, severity.max(Severity::Info), &subject, seen, &cause.remote).mended_by(&cause.remedy)
        })
        .collect();
    if found.is_empty() {
        let seen = format!("{verdict}, {masters}");
        let why = match view.verdict {
            Verdict::Healthy => "",
            Verdict::Unknown => "a look of a few seconds does not suffice to say more",
            Verdict::Degraded => "it works, and something is wrong or in motion",
            Verdict::SplitBrain => "two hosts hold the address: connections break at random",
            Verdict::NoMaster => "nobody serves the address",
        };
        let finding = Finding::new(check, severity, &subject, seen, why);
        found.push(if severity > Severity::Info {
            finding.mended_by("vipwarden run, then vipwarden explain")
        } else {
            finding
        });
    }
    found
}

/// Whether this host's firewall lets adverts out, tried.
pub(super) fn output(look: &Look) -> Vec<Finding> {
    look.output.iter().filter_map(|(interface, family, blocked)| tried(interface, *family, blocked)).collect()
}

fn tried(interface: &str, family: Family, blocked: &io::Result<bool>) -> Option<Finding> {
    let (check, hook) = (
        "output test",
        match family {
            Family::V4 => "iptables -I OUTPUT -p 112 -j ACCEPT",
            Family::V6 => "ip6tables -I OUTPUT -p 112 -j ACCEPT",
        },
    );
    match blocked {
        Ok(false) => Some(Finding::ok(check, interface, "adverts get out")),
        Ok(true) => {
            let seen = format!("the kernel refuses to send protocol 112 over {}", family.as_str());
            let why = "the other node hears nothing from here and becomes master too; where nft is installed, the finding on the firewall names the rule";
            Some(Finding::new(check, Severity::Critical, interface, seen, why).mended_by(hook))
        }
        // An interface without an address of that family is none for its adverts.
        Err(_) => None,
    }
}

/// Whether the kernel had room for its neighbours meanwhile.
pub(super) fn neighbours(look: &Look) -> Finding {
    match &look.crowded {
        Ok(turned_away) => room(*turned_away),
        Err(error) => Finding::new(NEIGHBOURS, Severity::Info, "", error.to_string(), "nothing is known of it"),
    }
}

const NEIGHBOURS: &str = "neighbour table";

fn room(turned_away: [u64; 2]) -> Finding {
    let crowded = [Family::V4, Family::V6].into_iter().find(|family| turned_away[*family as usize] > 0);
    let Some(family) = crowded else { return Finding::ok(NEIGHBOURS, "", "has room") };
    let (count, name) = (turned_away[family as usize], family.as_str());
    let seen = format!("full: {count} neighbours over {name} were turned away while this looked");
    let why = "what is sent to a host or a group that it does not know is dropped without a word: adverts, too";
    Finding::new(NEIGHBOURS, Severity::Critical, "", seen, why).mended_by(format!(
        "sudo sysctl -w net.{name}.neigh.default.gc_thresh3=8192   # and find who asks in many names"
    ))
}

/// What this host can't see just now, and its peers.
pub(super) fn senses(look: &Look) -> Vec<Finding> {
    let blind = look.snapshot.sensors.iter().filter_map(|sensor| Some((sensor, sensor.state.as_ref().err()?)));
    let mut found: Vec<Finding> = blind
        .map(|(sensor, why)| {
            let seen = format!("blind: {why}");
            Finding::new("sensor", Severity::Warning, &sensor.interface, seen, "a fault could be there and is not seen")
        })
        .collect();
    found.extend(look.snapshot.peers.iter().map(peer));
    found
}

fn peer(peer: &PeerView) -> Finding {
    let (check, reach) = ("peer", &peer.reach);
    let ping = || format!("ping -c 3 {}", reach.address);
    match (reach.up, peer.api, &peer.trouble) {
        (Some(false), ..) => {
            let seen = format!("{} does not answer pings", reach.address);
            Finding::new(
                check,
                Severity::Warning,
                &reach.name,
                seen,
                "it is down, cut off, or its firewall drops pings",
            )
            .mended_by(ping())
        }
        (_, Some(false), trouble) => {
            let seen = trouble.clone().unwrap_or_else(|| "its vipwarden does not answer".into());
            let why = "what it holds and hears is not known here: mismatches and one-way paths stay unnamed";
            Finding::new(check, Severity::Warning, &reach.name, seen, why)
                .mended_by(format!("ssh {} systemctl status vipwarden", reach.address))
        }
        (_, Some(true), Some(trouble)) => {
            let why = "its report is shown and never acted upon";
            Finding::new(check, Severity::Warning, &reach.name, trouble.clone(), why)
                .mended_by("vipwarden check-config   # on both: [cluster] key_file must name the same key")
        }
        _ => Finding::ok(check, &reach.name, "it answers"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_full_neighbour_table_is_named_with_its_family_and_how_to_make_room() {
        let found = room([0, 7]);
        assert_eq!(found.severity, Severity::Critical);
        assert!(found.seen.contains("7 neighbours over ipv6"), "{found:?}");
        assert!(found.mend.is_some_and(|command| command.contains("net.ipv6.neigh.default.gc_thresh3")));
        assert_eq!(room([0, 0]).severity, Severity::Ok);
    }
}
