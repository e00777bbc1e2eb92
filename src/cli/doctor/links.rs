//! Interfaces: whether they are up and have a carrier, how often they lost it, and the settings that bite where several stand on one
//! segment.

use std::fs;
use std::net::IpAddr;

use pnet::datalink::NetworkInterface;

use super::finding::{Finding, Severity};
use crate::detect::Snapshot;
use crate::sys::sysctl;
use crate::wire::Family;

/// So many changes since the interface is there are no longer those of a start or two.
const FLAPS_MANY: u64 = 20;

/// How often an interface has gained or lost its carrier.
pub(super) fn carrier_changes(interface: &str) -> u64 {
    let text = fs::read_to_string(format!("/sys/class/net/{interface}/carrier_changes")).unwrap_or_default();
    text.trim().parse().unwrap_or(0)
}

/// The findings on carrier and flaps; `before` is what [`carrier_changes`] was some seconds ago.
pub(super) fn carrier(interface: &str, before: u64, links: &[NetworkInterface]) -> Finding {
    let Some(link) = links.iter().find(|link| link.name == interface) else {
        return Finding::new(
            "link",
            Severity::Critical,
            interface,
            "there is no such interface",
            "nothing is sent or heard on it",
        )
        .mended_by("ip link");
    };
    if !link.is_up() {
        return Finding::new("link", Severity::Critical, interface, "it is down", "nothing is sent or heard on it")
            .mended_by(format!("ip link set {interface} up"));
    }
    let has_carrier =
        fs::read_to_string(format!("/sys/class/net/{interface}/carrier")).is_ok_and(|text| text.trim() == "1");
    judge_carrier(interface, has_carrier, before, carrier_changes(interface))
}

fn judge_carrier(interface: &str, has_carrier: bool, before: u64, now: u64) -> Finding {
    let look = format!("ethtool {interface}; dmesg | grep {interface}");
    let why = "each loss of carrier is a failover; the cause lies in cable, transceiver or switch port";
    // One that comes and goes may be looked at while it has none; one that went for good has changed once.
    if now > before + u64::from(!has_carrier) {
        let seen = format!("its carrier changed {} times while this looked", now - before);
        return Finding::new("link", Severity::Critical, interface, seen, why).mended_by(look);
    }
    if !has_carrier {
        let why = "no cable, or the other end is off: adverts neither go nor come";
        return Finding::new("link", Severity::Critical, interface, "it has no carrier", why).mended_by(look);
    }
    if now >= FLAPS_MANY {
        let seen = format!("its carrier changed {now} times since it is there");
        return Finding::new("link", Severity::Warning, interface, seen, why).mended_by(look);
    }
    Finding::ok("link", interface, format!("up; its carrier changed {now} times"))
}

/// Whether strict reverse-path filtering drops what speakers send, and whether several interfaces of one segment answer for each
/// other's addresses.
pub(super) fn settings(
    interface: &str,
    snapshot: Option<&Snapshot>,
    peers: &[IpAddr],
    links: &[NetworkInterface],
) -> Vec<Finding> {
    let Some(link) = links.iter().find(|link| link.name == interface) else { return Vec::new() };
    let routers = snapshot.into_iter().flat_map(|snapshot| &snapshot.routers);
    let speakers = routers.filter(|router| router.interface == interface && router.family == Family::V4);
    let sources = speakers.flat_map(|router| router.speakers.iter().filter(|speaker| !speaker.local).map(|s| s.source));
    let mut sources: Vec<IpAddr> = sources.chain(peers.iter().copied()).filter(IpAddr::is_ipv4).collect();
    sources.sort_unstable();
    sources.dedup();
    let others: Vec<&NetworkInterface> =
        links.iter().filter(|other| other.name != interface && other.is_up()).collect();
    let mut found = vec![reverse_path(link, &others, &sources, setting("rp_filter", interface))];
    found.extend(answers(link, &others, |key| setting(key, interface)));
    found
}

/// The greater of what is set for all interfaces and for this: that is how the kernel reads these keys.
fn setting(key: &str, interface: &str) -> u8 {
    let read = |of: &str| sysctl::read(&format!("net/ipv4/conf/{of}/{key}")).ok()?.parse().ok();
    read("all").max(read(interface)).unwrap_or(0)
}

fn set(key: &str, interface: &str, value: u8) -> String {
    // With slashes: an interface may have a dot in its name.
    format!("sysctl -w net/ipv4/conf/{interface}/{key}={value}")
}

/// The longest prefix that an interface has for an address.
fn prefix(link: &NetworkInterface, address: IpAddr) -> Option<u8> {
    link.ips.iter().filter(|network| network.contains(address)).map(|network| network.prefix()).max()
}

fn reverse_path(link: &NetworkInterface, others: &[&NetworkInterface], sources: &[IpAddr], filter: u8) -> Finding {
    let check = "rp_filter";
    if filter != 1 {
        return Finding::ok(check, &link.name, format!("it is {filter}"));
    }
    // Which of two equal routes the kernel takes hangs on the order in which they came.
    let rival = |source: IpAddr| {
        let own = prefix(link, source);
        let others = others.iter().filter(|other| !has_virtual_mac(other));
        let other = others.filter_map(|other| Some((prefix(other, source)?, &other.name))).max();
        other.filter(|(prefix, _)| Some(*prefix) >= own).map(|(prefix, name)| (Some(prefix) > own, source, name))
    };
    let Some((surely, source, other)) = sources.iter().filter_map(|source| rival(*source)).max() else {
        return Finding::ok(check, &link.name, "strict, and every speaker's way back is the way it came");
    };
    let drops = if surely { "drops" } else { "may drop" };
    let severity = if surely { Severity::Critical } else { Severity::Warning };
    let seen = format!("strict (1), and the route to {source} leads through {other}: the kernel {drops} its adverts");
    let why = "the local daemon never hears them and becomes a second master; captures show them all the same";
    Finding::new(check, severity, &link.name, seen, why).mended_by(set(check, &link.name, 2))
}

/// An interface of a VRRP daemon's own: it sees to its settings itself, and its address is the virtual one.
fn has_virtual_mac(link: &NetworkInterface) -> bool {
    link.mac.is_some_and(|mac| matches!(mac.octets(), [0, 0, 0x5e, 0, 1 | 2, _]))
}

/// Two interfaces of one segment: by default each answers ARP for the addresses of both.
fn answers(link: &NetworkInterface, others: &[&NetworkInterface], setting: impl Fn(&str) -> u8) -> Vec<Finding> {
    let twin = others.iter().find(|other| {
        other.ips.iter().any(|network| {
            network.is_ipv4() && network.prefix() < 32 && link.ips.iter().any(|own| own.contains(network.ip()))
        })
    });
    let Some(twin) = twin else { return Vec::new() };
    let mut found = Vec::new();
    for (key, least, does) in [
        ("arp_ignore", 1, "answers ARP requests for addresses of the other"),
        ("arp_announce", 2, "asks by ARP in the name of the other's addresses"),
    ] {
        let value = setting(key);
        if key == "arp_announce" && has_virtual_mac(twin) {
            continue;
        }
        if value < least {
            let seen = format!("it is {value}, and {} stands in the same network: each {does}", twin.name);
            let why = "the virtual IP's MAC address changes back and forth in the caches of clients and switches";
            found.push(
                Finding::new(key, Severity::Warning, &link.name, seen, why).mended_by(set(key, &link.name, least)),
            );
        } else {
            found.push(Finding::ok(key, &link.name, format!("it is {value}")));
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    fn link(name: &str, networks: &[&str]) -> NetworkInterface {
        let ips = networks.iter().map(|network| network.parse().expect("a network")).collect();
        NetworkInterface { name: name.into(), description: String::new(), index: 1, mac: None, ips, flags: 1 }
    }

    fn severity(own: &[&str], other: &[&str], filter: u8) -> Severity {
        let (own, other) = (link("eth0", own), link("eth1", other));
        let sources = ["10.0.0.2".parse().expect("an address")];
        reverse_path(&own, &[&other], &sources, filter).severity
    }

    #[test]
    fn strict_reverse_path_filtering_is_blamed_only_where_the_way_back_is_another() {
        assert_eq!(severity(&["10.0.0.1/24"], &["10.0.0.5/29"], 1), Severity::Critical);
        assert_eq!(severity(&["10.0.0.1/24"], &["10.0.0.5/24"], 1), Severity::Warning);
        assert_eq!(severity(&["10.0.0.1/24"], &["10.1.0.5/24"], 1), Severity::Ok);
        assert_eq!(severity(&["10.0.0.1/24"], &["10.0.0.5/29"], 2), Severity::Ok);
    }

    #[test]
    fn two_interfaces_in_one_network_answer_for_each_other() {
        let (own, twin, far) =
            (link("eth0", &["10.0.0.1/24"]), link("eth1", &["10.0.0.9/24"]), link("eth2", &["10.1.0.1/24"]));
        let found = answers(&own, &[&far, &twin], |_| 0);
        let mends: Vec<_> = found.iter().filter_map(|finding| finding.mend.as_deref()).collect();
        assert_eq!(mends, ["sysctl -w net/ipv4/conf/eth0/arp_ignore=1", "sysctl -w net/ipv4/conf/eth0/arp_announce=2"]);
        assert!(answers(&own, &[&twin], |_| 2).iter().all(|finding| finding.severity == Severity::Ok));
        assert!(answers(&own, &[&far], |_| 0).is_empty());
    }

    #[test]
    fn a_carrier_that_flaps_now_is_worse_than_one_that_did() {
        assert_eq!(judge_carrier("eth0", true, 2, 2).severity, Severity::Ok);
        assert_eq!(judge_carrier("eth0", true, 40, 40).severity, Severity::Warning);
        assert_eq!(judge_carrier("eth0", true, 2, 4).severity, Severity::Critical);
        assert_eq!(judge_carrier("eth0", false, 2, 2).severity, Severity::Critical);
        assert_eq!(judge_carrier("eth0", false, 2, 3).seen, "it has no carrier");
        assert_eq!(judge_carrier("eth0", false, 2, 7).seen, "its carrier changed 5 times while this looked");
    }
}
