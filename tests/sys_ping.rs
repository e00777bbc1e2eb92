//! `sys::ping` against the kernel: only an echo reply is an answer.

mod netns;

use std::net::IpAddr;
use std::time::Duration;

use netns::{Neighbour, PATIENCE, in_fresh_netns, ip, run};
use vipwarden::sys::ping::Pinger;

/// Long enough for an answer that is refused at once to arrive, short enough to wait for none.
const BRIEF: Duration = Duration::from_millis(300);

const LOOPBACK: IpAddr = IpAddr::V4(std::net::Ipv4Addr::LOCALHOST);

/// Which sockets the kernel grants: datagram ICMP to this process's group, or only raw ones.
fn grant_datagram_sockets(yes: bool) {
    let range = if yes { "0 2147483647" } else { "1 0" };
    std::fs::write("/proc/sys/net/ipv4/ping_group_range", range).unwrap();
}

fn address(text: &str) -> IpAddr {
    text.parse().unwrap()
}

#[test]
fn loopback_answers_over_both_families_and_both_kinds_of_socket() {
    for datagram in [false, true] {
        in_fresh_netns(move || async move {
            grant_datagram_sockets(datagram);
            let pinger = Pinger::open().unwrap();
            assert!(pinger.ping(LOOPBACK, None, PATIENCE).await.is_some(), "datagram: {datagram}");
            assert!(pinger.ping(address("::1"), None, PATIENCE).await.is_some(), "datagram: {datagram}");
        });
    }
}

#[test]
fn silence_is_no_answer() {
    in_fresh_netns(|| async {
        ip("link add vip0 type veth peer name vip1");
        ip("link set vip0 up");
        ip("link set vip1 up");
        ip("addr add 192.0.2.1/24 dev vip0");
        let pinger = Pinger::open().unwrap();
        assert_eq!(pinger.ping(address("192.0.2.9"), None, BRIEF).await, None, "nobody has this address");
        assert_eq!(pinger.ping(address("198.51.100.1"), None, BRIEF).await, None, "no route");
        assert_eq!(pinger.ping(address("fe80::1"), None, BRIEF).await, None, "a link-local address names no interface");
    });
}

#[test]
fn a_link_local_address_answers_through_the_interface_that_is_named() {
    for datagram in [false, true] {
        in_fresh_netns(move || async move {
            grant_datagram_sockets(datagram);
            ip("link add vip0 type veth peer name vip1");
            let neighbour = Neighbour::with_link("vip1").await;
            run(&format!("{}ip link set vip1 up", neighbour.enter()));
            run(&format!("{}ip addr add fe80::9/64 dev vip1 nodad", neighbour.enter()));
            ip("link set vip0 up");
            ip("link add other type veth peer name far");
            ip("link set far up");
            ip("link set other up");
            ip("addr add fe80::8/64 dev vip0 nodad");
            ip("addr add fe80::8/64 dev other nodad");
            let pinger = Pinger::open().unwrap();
            let host = address("fe80::9");
            assert!(pinger.ping(host, Some("vip0"), PATIENCE).await.is_some(), "datagram: {datagram}");
            assert_eq!(pinger.ping(host, Some("other"), BRIEF).await, None, "another link");
            assert_eq!(pinger.ping(host, Some("gone"), BRIEF).await, None, "no such interface");
        });
    }
}

#[test]
fn an_icmp_unreachable_is_no_answer() {
    for datagram in [false, true] {
        in_fresh_netns(move || async move {
            grant_datagram_sockets(datagram);
            run("nft add table inet t");
            run("nft add chain inet t in { type filter hook input priority 0 ; }");
            run("nft add rule inet t in icmp type echo-request reject with icmp type host-unreachable");
            run("nft add rule inet t in icmpv6 type echo-request reject with icmpv6 type admin-prohibited");
            let pinger = Pinger::open().unwrap();
            assert_eq!(pinger.ping(LOOPBACK, None, BRIEF).await, None, "datagram: {datagram}");
            assert_eq!(pinger.ping(address("::1"), None, BRIEF).await, None, "datagram: {datagram}");
        });
    }
}

#[test]
fn pings_of_one_host_at_once_do_not_collide() {
    in_fresh_netns(|| async {
        let (one, other) = (Pinger::open().unwrap(), Pinger::open().unwrap());
        let all = (0..50).flat_map(|_| [&one, &other]).map(|pinger| pinger.ping(LOOPBACK, None, PATIENCE));
        let answers = futures_util::future::join_all(all).await;
        assert!(answers.iter().all(Option::is_some), "{answers:?}");
    });
}
