//! `sys::netlink` against the kernel: what happens to links and addresses becomes facts.

mod netns;

use std::collections::BTreeMap;
use std::net::IpAddr;

use netns::{Neighbour, PATIENCE, in_fresh_netns, ip, ip_batch, run};
use vipwarden::observe::{Address, Fact, IfIndex, Link, LinkKind, Sensor};
use vipwarden::sys::netlink::Netlink;

/// What the facts add up to.
struct World {
    netlink: Netlink,
    links: BTreeMap<IfIndex, Link>,
    addresses: BTreeMap<(IfIndex, IpAddr), Address>,
    netlink_states: Vec<bool>,
    log: Vec<Fact>,
}

impl World {
    async fn open() -> Self {
        Self::from(Netlink::open().await.unwrap()).await
    }

    async fn from(netlink: Netlink) -> Self {
        let mut world = Self {
            netlink,
            links: BTreeMap::new(),
            addresses: BTreeMap::new(),
            netlink_states: Vec::new(),
            log: Vec::new(),
        };
        world.step("the first batch").await;
        world
    }

    async fn step(&mut self, what: &str) {
        let facts = tokio::time::timeout(PATIENCE, self.netlink.next()).await;
        for fact in facts.unwrap_or_else(|_| panic!("waited in vain until {what}")).unwrap() {
            self.log.push(fact.clone());
            match fact {
                Fact::Link(link) => drop(self.links.insert(link.index, link)),
                Fact::LinkGone(index) => assert!(self.links.remove(&index).is_some(), "an unknown link is gone"),
                Fact::Address(a) => _ = self.addresses.insert((a.interface, a.address), a),
                Fact::AddressGone { interface, address } => {
                    assert!(self.addresses.remove(&(interface, address)).is_some(), "an unknown address is gone");
                }
                Fact::Sensor { sensor: Sensor::Netlink, interface: None, state } => {
                    self.netlink_states.push(state.is_ok());
                }
                other => panic!("not a fact of netlink: {other:?}"),
            }
        }
    }

    /// Follows until `condition` holds.
    async fn until(&mut self, what: &str, condition: impl Fn(&Self) -> bool) {
        while !condition(self) {
            self.step(what).await;
        }
    }

    fn link(&self, name: &str) -> Option<&Link> {
        self.links.values().find(|l| l.name == name)
    }

    fn address(&self, address: &str) -> Option<&Address> {
        let address: IpAddr = address.parse().unwrap();
        self.addresses.values().find(|a| a.address == address)
    }
}

#[test]
fn the_first_batch_is_everything_that_is_there() {
    in_fresh_netns(|| async {
        ip("link add vip0 type veth peer name vip1");
        ip("addr add 192.0.2.7/24 dev vip0");
        let world = World::open().await;
        assert_eq!(world.link("lo").unwrap().kind, LinkKind::Loopback);
        assert!(world.link("lo").unwrap().up);
        assert_eq!(world.link("vip0").unwrap().kind, LinkKind::Veth);
        assert_eq!(world.address("192.0.2.7").unwrap().prefix, 24);
        assert_eq!(world.address("127.0.0.1").unwrap().interface, IfIndex(1));
        assert_eq!(world.netlink_states, [true]);
    });
}

#[test]
fn a_link_appears_flaps_is_renamed_and_vanishes() {
    in_fresh_netns(|| async {
        let mut world = World::open().await;
        ip("link add vip0 type veth peer name vip1");
        world.until("vip0 appears", |w| w.link("vip0").is_some_and(|l| !l.up && !l.carrier)).await;
        assert!(world.link("vip0").unwrap().mac.is_some());
        assert_eq!(world.link("vip0").unwrap().parent, None, "a veth's other end is not beneath it");

        ip("link set vip0 up");
        world.until("vip0 is up without carrier", |w| w.link("vip0").is_some_and(|l| l.up && !l.carrier)).await;
        ip("link set vip1 up");
        world.until("vip0 has carrier", |w| w.link("vip0").is_some_and(|l| l.up && l.carrier)).await;
        ip("link set vip1 down");
        world.until("vip0 lost carrier", |w| w.link("vip0").is_some_and(|l| l.up && !l.carrier)).await;

        ip("link set vip1 name other");
        world.until("vip1 is renamed", |w| w.link("other").is_some() && w.link("vip1").is_none()).await;

        let index = world.link("vip0").unwrap().index;
        ip("link del vip0");
        ip("link add vip0 type veth peer name vip1");
        world.until("vip0 is made anew", |w| w.link("vip0").is_some_and(|l| l.index != index)).await;
        assert!(!world.links.contains_key(&index));
        ip("link del vip0");
        world.until("vip0 is gone", |w| w.link("vip0").is_none() && w.link("vip1").is_none()).await;
    });
}

#[test]
fn addresses_of_both_families_come_and_go() {
    in_fresh_netns(|| async {
        ip("link add vip0 type veth peer name vip1");
        ip("link set vip0 up");
        ip("link set vip1 up");
        let mut world = World::open().await;
        ip("addr add 192.0.2.1/24 dev vip0");
        ip("addr add 192.0.2.1/32 dev vip0");
        ip("addr add 2001:db8::1/64 dev vip0");
        world.until("the IPv4 address is there", |w| w.address("192.0.2.1").is_some_and(|a| a.usable)).await;
        world
            .until("duplicate address detection is over", |w| w.address("2001:db8::1").is_some_and(|a| a.usable))
            .await;
        let tentative = |f: &Fact| matches!(f, Fact::Address(a) if a.address.is_ipv6() && !a.usable);
        assert!(world.log.iter().any(tentative), "it was tentative first");

        ip("addr del 192.0.2.1/24 dev vip0");
        world.until("the longer prefix remains", |w| w.address("192.0.2.1").is_some_and(|a| a.prefix == 32)).await;
        ip("addr del 192.0.2.1/32 dev vip0");
        ip("link set vip0 down");
        world
            .until("IPv4 was deleted, IPv6 went with the link", |w| {
                w.address("192.0.2.1").is_none() && w.address("2001:db8::1").is_none()
            })
            .await;
    });
}

#[test]
fn an_address_that_another_host_holds_is_not_usable() {
    in_fresh_netns(|| async {
        ip("link add vip0 type veth peer name vip1");
        ip("link set vip0 up");
        ip("link set vip1 up");
        ip("addr add 2001:db8::1/64 dev vip1 nodad");
        let mut world = World::open().await;
        let vip0 = world.link("vip0").unwrap().index;
        let held: IpAddr = "2001:db8::1".parse().unwrap();
        ip("addr add 2001:db8::1/64 dev vip0");
        netns::wait_for("duplicate address detection fails", || {
            netns::output("ip", "-6 addr show dev vip0 dadfailed").contains("2001:db8::1/64")
        })
        .await;
        ip("addr add 192.0.2.1/24 dev vip0");
        world.until("later changes are known", |w| w.address("192.0.2.1").is_some()).await;
        assert!(!world.addresses[&(vip0, held)].usable);
    });
}

#[test]
fn a_macvlan_names_its_parent_and_its_protodown() {
    in_fresh_netns(|| async {
        ip("link add vip0 type veth peer name vip1");
        ip("link set vip0 up");
        ip("link set vip1 up");
        ip("link add vrrp4-2-1 link vip0 type macvlan mode bridge");
        ip("link set vrrp4-2-1 address 00:00:5e:00:01:01");
        ip("link set vrrp4-2-1 up");
        let mut world = World::open().await;
        let mac = "00:00:5e:00:01:01".parse().unwrap();
        world.until("the macvlan has carrier", |w| w.link("vrrp4-2-1").is_some_and(|l| l.carrier)).await;
        let link = world.link("vrrp4-2-1").unwrap();
        assert_eq!((link.kind, link.mac, link.protodown), (LinkKind::Macvlan, Some(mac), false));
        assert_eq!(link.parent, Some(world.link("vip0").unwrap().index));

        ip("link set vrrp4-2-1 protodown on");
        world.until("it is held down", |w| w.link("vrrp4-2-1").is_some_and(|l| l.protodown && !l.carrier)).await;
        assert!(world.link("vrrp4-2-1").unwrap().up, "protodown is not administratively down");
        ip("link set vrrp4-2-1 protodown off");
        world.until("it is released", |w| w.link("vrrp4-2-1").is_some_and(|l| !l.protodown && l.carrier)).await;
    });
}

#[test]
fn a_parent_in_another_namespace_is_no_parent() {
    in_fresh_netns(|| async {
        ip("link add vip0 type veth peer name vip1");
        let neighbour = Neighbour::with_link("vip1").await;
        let mut world = World::open().await;
        assert_eq!(world.link("vip0").unwrap().parent, None);
        let here = std::fs::read_link("/proc/thread-self").unwrap();
        let here = here.file_name().unwrap().to_str().unwrap();
        run(&(neighbour.enter() + "ip link add moved link vip1 type macvlan mode bridge"));
        run(&(neighbour.enter() + "ip link set moved netns " + here));
        world.until("the macvlan has moved here", |w| w.link("moved").is_some()).await;
        assert_eq!(world.link("moved").map(|l| (l.kind, l.parent)), Some((LinkKind::Macvlan, None)));
        drop(neighbour);
        world.until("it went with its parent", |w| w.link("moved").is_none() && w.link("vip0").is_none()).await;
    });
}

#[test]
fn a_bridge_port_has_a_master_and_leaving_the_bridge_is_not_vanishing() {
    in_fresh_netns(|| async {
        ip("link add vip0 type veth peer name vip1");
        ip("link add br0 type bridge");
        ip("link set vip0 master br0");
        let mut world = World::open().await;
        let bridge = world.link("br0").unwrap().index;
        assert_eq!(world.link("br0").unwrap().kind, LinkKind::Bridge);
        assert_eq!(world.link("vip0").unwrap().master, Some(bridge));
        ip("link set vip0 nomaster");
        world.until("vip0 left", |w| w.link("vip0").unwrap().master.is_none()).await;
        ip("link del br0");
        world.until("the bridge is gone", |w| w.link("br0").is_none()).await;
        assert!(!world.log.iter().any(|f| matches!(f, Fact::LinkGone(i) if *i != bridge)));
    });
}

#[test]
fn after_an_overrun_the_table_is_right_again() {
    in_fresh_netns(|| async {
        const ADDRESSES: u32 = 3000;
        ip("link add vip0 type veth peer name vip1");
        ip("addr add 192.0.2.1/32 dev vip0");
        let mut world = World::from(Netlink::open_with_buffer(4096).await.unwrap()).await;
        // Nothing is read while this runs: the runtime has one thread, and it waits for `ip`.
        let mut lines = String::from("addr del 192.0.2.1/32 dev vip0\n");
        for i in 0..ADDRESSES {
            lines += &format!("addr add 10.0.{}.{}/32 dev vip0\n", i / 250, i % 250);
        }
        for i in (0..ADDRESSES).step_by(2) {
            lines += &format!("addr del 10.0.{}.{}/32 dev vip0\n", i / 250, i % 250);
        }
        ip_batch(&lines);
        ip("link del vip0");
        ip("link add vip0 type veth peer name vip1");
        ip("addr add 192.0.2.2/32 dev vip0");
        world.until("the last change is known", |w| w.address("192.0.2.2").is_some()).await;
        world.until("netlink sees again", |w| w.netlink_states.last() == Some(&true)).await;
        assert!(world.netlink_states.starts_with(&[true, false]), "an overrun was reported");
        assert_eq!(world.links.len(), 3, "lo and one veth pair");

        ip("addr add 10.0.0.1/32 dev vip0");
        world.until("following goes on", |w| w.address("10.0.0.1").is_some()).await;
        // What was announced before the overrun, and whose end was lost in it, must not come back after the dump.
        let known: Vec<String> = world.addresses.values().map(|a| a.address.to_string()).collect();
        assert_eq!(known, ["127.0.0.1", "::1", "10.0.0.1", "192.0.2.2"]);
    });
}
