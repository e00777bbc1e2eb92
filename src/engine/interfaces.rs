//! Which interfaces are sniffed: a pure decision over the links that are there and what the configuration asks for.

use std::collections::{BTreeMap, BTreeSet};

use crate::config::Config;
use crate::observe::{IfIndex, Link, LinkKind};

/// Every interface of this network namespace.
pub type Links = BTreeMap<IfIndex, Link>;

/// What the configuration asks to be sniffed, by name.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Wanted {
    /// Named one by one, in `[watch] interfaces` or by a `[[router]]`: sniffed whatever they are.
    named: BTreeSet<String>,
    /// Whether others are picked by what they are.
    pick: bool,
}

impl Wanted {
    /// What `config` asks for.
    pub fn of(config: &Config) -> Self {
        let listed = config.watch.interfaces.iter().flatten();
        let routers = config.routers.iter().map(|router| &router.interface);
        Self { named: listed.chain(routers).cloned().collect(), pick: config.watch.interfaces.is_none() }
    }

    /// The interfaces to sniff.
    pub fn choose(&self, links: &Links) -> BTreeSet<IfIndex> {
        let chosen = |link: &&Link| self.named.contains(&link.name) || (self.pick && is_fit(link, links));
        links.values().filter(chosen).map(|link| link.index).collect()
    }

    /// What of it can't be sniffed for want of an interface, in words for people; `None` if all is there.
    pub fn lacks(&self, links: &Links) -> Option<String> {
        let is_there = |name: &String| links.values().any(|link| link.name == *name);
        let missing: Vec<&str> = self.named.iter().filter(|name| !is_there(name)).map(String::as_str).collect();
        if !missing.is_empty() {
            return Some(format!(
                "no such interface: {}; waiting for it to appear (see `ip link`, or mend the configuration)",
                missing.join(", ")
            ));
        }
        self.choose(links).is_empty().then(|| {
            "no interface is fit to be sniffed by default: name one with --interface or [watch] interfaces".into()
        })
    }
}

/// Picked by default: what is seen there is seen nowhere else, and it may carry VRRP. A VLAN device and its parent both are: the
/// model ignores on the parent what the device sees, and the parent's untagged frames are seen there alone.
fn is_fit(link: &Link, links: &Links) -> bool {
    // One that went down while it was sniffed stays: it is blind, not unwanted.
    let is_up = link.up || link.sniffed;
    let is_shadow = match link.kind {
        LinkKind::Loopback | LinkKind::Veth => true,
        // In a container the parent may live in another namespace, and then nobody here sees its frames.
        LinkKind::Macvlan => link.parent.is_some(),
        _ => false,
    };
    let is_port = link
        .master
        .and_then(|master| links.get(&master))
        .is_some_and(|master| matches!(master.kind, LinkKind::Bridge | LinkKind::Bond));
    is_up && link.mac.is_some() && !is_shadow && !is_port
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::MacAddr;

    fn link(index: u32, name: &str, kind: LinkKind) -> Link {
        Link {
            index: IfIndex(index),
            name: name.into(),
            mac: Some(MacAddr::new(2, 0, 0, 0, 0, 1)),
            up: true,
            carrier: true,
            protodown: false,
            kind,
            master: None,
            parent: None,
            vlan: None,
            sniffed: false,
        }
    }

    fn chosen(wanted: &Wanted, links: &[Link]) -> Vec<String> {
        let links: Links = links.iter().map(|link| (link.index, link.clone())).collect();
        wanted.choose(&links).iter().map(|index| links[index].name.clone()).collect()
    }

    fn by_default() -> Wanted {
        Wanted { named: BTreeSet::new(), pick: true }
    }

    fn only(names: &[&str]) -> Wanted {
        Wanted { named: names.iter().map(|name| (*name).into()).collect(), pick: false }
    }

    #[test]
    fn by_default_loopback_veth_and_interfaces_that_are_down_are_left_out() {
        let down = Link { up: false, ..link(4, "eth1", LinkKind::Plain) };
        let tunnel = Link { mac: None, ..link(5, "tun0", LinkKind::Other) };
        let links = [link(1, "lo", LinkKind::Loopback), link(2, "eth0", LinkKind::Plain)];
        let links = [&links[..], &[link(3, "veth0", LinkKind::Veth), down, tunnel]].concat();
        assert_eq!(chosen(&by_default(), &links), ["eth0"]);
    }

    #[test]
    fn bridges_and_bonds_are_sniffed_and_their_ports_are_not_but_a_vrf_takes_nothing_away() {
        let port = |index, name, master| Link { master: Some(IfIndex(master)), ..link(index, name, LinkKind::Plain) };
        let links = [
            link(1, "br0", LinkKind::Bridge),
            link(2, "bond0", LinkKind::Bond),
            link(3, "vrf0", LinkKind::Other),
            port(4, "eth0", 1),
            port(5, "eth1", 2),
            port(6, "eth2", 3),
        ];
        assert_eq!(chosen(&by_default(), &links), ["br0", "bond0", "vrf0", "eth2"]);
    }

    #[test]
    fn a_macvlan_is_seen_by_its_parent_unless_that_lives_in_another_namespace() {
        let beneath = Link { parent: Some(IfIndex(1)), ..link(2, "vrrp.51", LinkKind::Macvlan) };
        let container = link(3, "eth9", LinkKind::Macvlan);
        assert_eq!(chosen(&by_default(), &[link(1, "eth0", LinkKind::Plain), beneath, container]), ["eth0", "eth9"]);
    }

    #[test]
    fn a_vlan_device_and_its_parent_are_both_sniffed() {
        let vlan = Link { parent: Some(IfIndex(1)), vlan: Some(100), ..link(2, "eth0.100", LinkKind::Vlan) };
        let links = [link(1, "eth0", LinkKind::Plain), vlan];
        assert_eq!(chosen(&by_default(), &links), ["eth0", "eth0.100"]);
    }

    #[test]
    fn an_interface_that_flaps_stays_sniffed() {
        let flapping = Link { up: false, sniffed: true, ..link(1, "eth0", LinkKind::Plain) };
        assert_eq!(chosen(&by_default(), &[flapping]), ["eth0"]);
    }

    #[test]
    fn a_named_interface_is_sniffed_whatever_it_is_and_a_list_excludes_all_others() {
        let down = Link { up: false, ..link(3, "veth1", LinkKind::Veth) };
        let links = [link(1, "eth0", LinkKind::Plain), link(2, "veth0", LinkKind::Veth), down];
        assert_eq!(chosen(&only(&["veth0", "veth1"]), &links), ["veth0", "veth1"]);
    }

    #[test]
    fn the_interface_of_a_router_is_sniffed_beside_those_picked_by_default() {
        let mut config = Config::discovery("lb01");
        let router: crate::config::Router = crate::config::Router {
            name: "web".into(),
            interface: "veth0".into(),
            vrid: 51,
            family: crate::wire::Family::V4,
            addresses: Vec::new(),
            excluded_addresses: Vec::new(),
            peers: None,
            version: None,
            advert_interval: None,
            auth: None,
            unicast_peers: Vec::new(),
            only_known_speakers: false,
            speak: None,
        };
        config.routers.push(router);
        let links = [link(1, "eth0", LinkKind::Plain), link(2, "veth0", LinkKind::Veth)];
        assert_eq!(chosen(&Wanted::of(&config), &links), ["eth0", "veth0"]);
    }

    #[test]
    fn a_missing_interface_is_named_and_nothing_to_sniff_is_said() {
        let veth: Links = [(IfIndex(1), link(1, "veth0", LinkKind::Veth))].into();
        assert_eq!(only(&["veth0"]).lacks(&veth), None);
        assert!(
            only(&["veth0", "eth7"])
                .lacks(&veth)
                .is_some_and(|words| words.contains("eth7") && !words.contains("veth0"))
        );
        assert!(by_default().lacks(&veth).is_some_and(|words| words.contains("--interface")));
    }
}
