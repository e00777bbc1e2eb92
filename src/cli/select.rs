//! Finds the virtual router that an operator means, and names what the documents hold as people do.

use std::net::IpAddr;

use crate::web::document::{BlindDoc, RouterDoc, StatusDoc};

/// The one router whose name, VIP or VRID `wanted` is. Learned routers on different interfaces or VLANs may have all three in
/// common: `@eth0` behind it, or `@eth0/100` for VLAN 100, says which one is meant.
///
/// # Errors
/// In words: there is none, or several, which are listed.
pub fn select<'a>(document: &'a StatusDoc, wanted: &str) -> Result<&'a RouterDoc, String> {
    let mut found = meant(document.routers.iter(), wanted);
    // A configured name may hold an @ itself: as a whole it goes first.
    if let (true, Some((what, place))) = (found.is_empty(), wanted.rsplit_once('@')) {
        found = meant(document.routers.iter().filter(|router| lies_at(router) == place), what);
    }
    match found[..] {
        [one] => Ok(one),
        [] if document.routers.is_empty() => Err(format!("{wanted}: no virtual router is known yet")),
        [] => Err(format!(
            "{wanted}: no virtual router has this name, VIP or VRID; there are:\n{}",
            list(document, document.routers.iter())
        )),
        _ => Err(format!(
            "{wanted}: several virtual routers are meant; name one of:\n{}",
            list(document, found.into_iter())
        )),
    }
}

/// A name goes before a VIP, and a VIP before a VRID.
fn meant<'a>(routers: impl Iterator<Item = &'a RouterDoc> + Clone, wanted: &str) -> Vec<&'a RouterDoc> {
    let address: Option<IpAddr> = wanted.parse().ok();
    let vrid: Option<u8> = wanted.parse().ok();
    let has_address = |router: &&RouterDoc| {
        address
            .is_some_and(|address| router.vip == Some(address) || router.addresses.iter().any(|a| a.address == address))
    };
    let by_name: Vec<_> = routers.clone().filter(|router| router.name == wanted).collect();
    let by_address: Vec<_> = routers.clone().filter(has_address).collect();
    let by_vrid: Vec<_> = routers.filter(|router| Some(router.vrid) == vrid).collect();
    [by_name, by_address, by_vrid].into_iter().find(|found| !found.is_empty()).unwrap_or_default()
}

/// Interface and VLAN as an operator writes them. No interface's name holds a slash.
fn lies_at(router: &RouterDoc) -> String {
    let vlan = router.vlan.map_or_else(String::new, |vlan| format!("/{vlan}"));
    format!("{}{vlan}", router.interface)
}

/// Each with words that select it and no other.
fn list<'a>(document: &StatusDoc, routers: impl Iterator<Item = &'a RouterDoc>) -> String {
    let line = |router: &RouterDoc| {
        let namesakes = document.routers.iter().filter(|other| other.name == router.name).count();
        let at = if namesakes > 1 { format!("@{}", lies_at(router)) } else { String::new() };
        format!("  {}{at}  ({})", router.name, place(router))
    };
    routers.map(line).collect::<Vec<_>>().join("\n")
}

/// VRID, interface and VLAN, in words.
pub fn place(router: &RouterDoc) -> String {
    let vlan = router.vlan.map(|vlan| format!(", VLAN {vlan}")).unwrap_or_default();
    format!("VRID {}, {}{vlan}, {}", router.vrid, router.interface, family(router))
}

fn family(router: &RouterDoc) -> &str {
    match router.family.as_str() {
        "ipv4" => "IPv4",
        "ipv6" => "IPv6",
        other => other,
    }
}

/// The VIP as people know it, or the name where none is known yet.
pub fn vip(router: &RouterDoc) -> String {
    router.vip.map_or_else(|| router.name.clone(), |vip| vip.to_string())
}

/// This node's state and how it comes to it, and its priority where it speaks.
pub fn part(router: &RouterDoc) -> String {
    let how = match router.mode.as_str() {
        _ if router.role == "observer" => return router.role.clone(),
        "speak" => "speaks",
        "watch" => "watches",
        other => other,
    };
    let priority = router.priority.as_ref().map(|priority| format!(", priority {priority}")).unwrap_or_default();
    format!("{}, {how}{priority}", router.state)
}

/// Why this node is fenced, if it is.
pub fn fence(router: &RouterDoc) -> Option<String> {
    router.fenced().map(|reason| format!("fenced: {}", reason.strip_prefix("fenced ").unwrap_or(reason)))
}

/// A sensor and, where it has one, its interface.
pub fn sense(blind: &BlindDoc) -> String {
    format!("{} {}", blind.sensor, blind.interface).trim_end().into()
}

/// A blind sensor, since when, and why.
pub fn blindness(blind: &BlindDoc) -> String {
    format!("{} since {}: {}", sense(blind), blind.since, blind.says)
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use serde_json::json;

    /// A document with these routers: name, VIP, VRID and verdict.
    pub fn document(verdict: &str, routers: &[(&str, &str, u8, &str)]) -> StatusDoc {
        let router = |&(name, vip, vrid, verdict): &(&str, &str, u8, &str)| {
            json!({
                "name": name, "vip": vip, "interface": "eth0", "vlan": null, "family": "ipv4", "vrid": vrid,
                "mode": "watch", "role": "member", "state": "master", "verdict": verdict,
                "since": "2026-11-20T10:00:00.000Z", "causes": [], "findings": [], "masters": [], "holders": [],
                "speakers": [], "addresses": [], "priority": null, "tracks": [], "fence": null, "arbiter": null,
                "evidence": [],
            })
        };
        let document = json!({
            "node": "lb01", "version": "0.1.0", "generated_at": "2026-11-20T10:04:12.000Z", "boot_id": "00",
            "uptime_seconds": 300.0, "verdict": verdict, "routers": routers.iter().map(router).collect::<Vec<_>>(),
            "peers": [], "witnesses": [], "sensors": { "healthy": true, "blind": [] },
        });
        serde_json::from_value(document).expect("the form of version 1")
    }

    /// `router`, spoken by this daemon: fenced, with one thing down and one up.
    pub fn fenced(router: &RouterDoc) -> RouterDoc {
        let mut router = serde_json::to_value(router).expect("it is JSON");
        (router["mode"], router["state"]) = ("speak".into(), "fenced".into());
        router["priority"] = json!({ "base": 100, "effective": 80 });
        router["tracks"] = json!([
            { "name": "nginx", "kind": "check", "up": false, "weight": -20 },
            { "name": "eth1", "kind": "interface", "up": true, "weight": 0 },
        ]);
        router["fence"] = json!({ "fenced": true, "reason": "lb02 holds 10.0.0.3 too", "gate_open": null });
        serde_json::from_value(router).expect("the form of version 1")
    }

    #[test]
    fn a_router_is_found_by_name_vip_or_vrid() {
        let document = document("healthy", &[("web", "10.0.0.3", 51, "healthy"), ("52", "10.0.0.4", 7, "healthy")]);
        for (wanted, name) in [("web", "web"), ("10.0.0.3", "web"), ("51", "web"), ("52", "52"), ("7", "52")] {
            assert_eq!(select(&document, wanted).map(|router| router.name.as_str()), Ok(name), "{wanted}");
        }
    }

    #[test]
    fn namesakes_are_told_apart_by_interface_and_vlan() {
        let name = "10.0.0.3/51";
        let mut document = document("healthy", &[(name, "10.0.0.3", 51, "healthy"); 3]);
        document.routers[1].vlan = Some(100);
        document.routers[2].interface = "eth1".into();
        let error = select(&document, "51").expect_err("three are meant");
        for (wanted, index) in [("eth0", 0), ("eth0/100", 1), ("eth1", 2)] {
            assert!(error.contains(&format!("  {name}@{wanted}  ")), "{error}");
            for what in [name, "10.0.0.3", "51"] {
                let found = select(&document, &format!("{what}@{wanted}")).expect("one is meant");
                assert!(std::ptr::eq(found, &document.routers[index]), "{what}@{wanted}");
            }
        }
        assert!(select(&document, "51@eth0/7").is_err());
        document.routers[2].name = "51@eth0".into();
        assert!(std::ptr::eq(select(&document, "51@eth0").expect("a name"), &document.routers[2]));
    }

    #[test]
    fn an_ambiguous_or_unknown_router_is_answered_with_the_candidates() {
        let document = document("healthy", &[("web", "10.0.0.3", 51, "healthy"), ("db", "10.0.0.4", 51, "healthy")]);
        for wanted in ["51", "mail"] {
            let error = select(&document, wanted).expect_err("not one");
            assert!(error.contains("web") && error.contains("db"), "{error}");
        }
    }
}
