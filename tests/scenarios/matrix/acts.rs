//! What is done to a pair, and undone.

use super::Case;
use crate::lab::{
    Firewall, Hook, Injector, Instance, Pair, Recording, Side, Speaker, holds, neighbour_advertisement, until,
};
use std::net::Ipv6Addr;

pub const VIP_V6: Ipv6Addr = Ipv6Addr::new(0x2001, 0xdb8, 9, 0, 0, 0, 0, 0x100);
pub const A_MAC: [u8; 6] = [2, 0, 0, 9, 9, 1];
pub const B_MAC: [u8; 6] = [2, 0, 0, 9, 9, 2];

pub fn align(case: &mut Case) {
    let pair = &mut case.pair;
    pair.b.stop();
    pair.b.instance = Instance { priority: pair.b.instance.priority, ..pair.a.instance.clone() };
    pair.b.start();
    announce(case);
}

/// keepalived's winner does not announce itself again (fault 29), and the page says so: the remedy is done here.
pub fn announce(case: &mut Case) {
    let vip = case.pair.vip;
    until("the split is over", || {
        case.sides().iter().all(|side| side.watch.router(51).is_some_and(|r| r["verdict"] != "split_brain"))
    });
    let virtual_mac = case.pair.a.prefers_frr || case.pair.a.instance.lines.iter().any(|line| line == "use_vmac");
    if !vip.contains(':') && !virtual_mac {
        case.pair.a.node.exec(&format!("arping -U -c 1 -I eth0 {vip}")).expect("arping announces");
    }
}

pub fn mend_and_announce(case: &mut Case) {
    case.clear();
    announce(case);
}

pub fn block(case: &mut Case, on_a: bool, hook: Hook) {
    let node = if on_a { &case.pair.a.node } else { &case.pair.b.node };
    case.rules.push(Firewall::block(node, hook));
}

pub fn cut(case: &mut Case, from: &str, to: &str) {
    case.rules.push(Firewall::cut(&case.pair.lab, from, to));
}

pub fn cut_both(case: &mut Case) {
    cut(case, "a", "b");
    cut(case, "b", "a");
}

/// Two become masters behind a cut, and meet.
pub fn meet(case: &mut Case) {
    cut_both(case);
    case.pair.start();
    case.pair.expect_holders(true, true);
    let mut taps = case.sides().map(|side| Recording::start(&side.node));
    case.clear();
    for side in case.sides() {
        side.watch.expect_verdict("split_brain", &["priority_tie"]);
    }
    for ((tap, mac), met) in taps.iter_mut().zip([A_MAC, B_MAC]).zip(&mut case.met) {
        let own = mac.map(|byte| format!("{byte:02x}")).join(":");
        let times = tap.packets(&format!("vrrp and eth.src != {own}"), &["frame.time_epoch"]);
        let first: f64 = times.first().and_then(|time| time.parse().ok()).expect("the other was heard");
        *met = (first * 1000.0) as i64;
    }
}

pub fn kill(case: &mut Case) {
    case.pair.a.kill();
}

pub fn restart(case: &mut Case) {
    case.pair.a.start();
}

pub fn restart_backup(case: &mut Case) {
    case.pair.b.stop();
    case.pair.expect_master_a();
    case.pair.b.start();
}

pub fn add(case: &mut Case, stranger: bool) {
    let node = if stranger { &case.x } else { &case.pair.b.node };
    let (prefix, nodad) = if case.pair.vip.contains(':') { (128, "nodad") } else { (32, "") };
    node.exec(&format!("ip addr add {}/{prefix} dev eth0 {nodad}", case.pair.vip)).expect("the address is added");
}

/// Takes the address that a dead daemon left on `a`.
pub fn strip(case: &Case) {
    let (side, vip) = (&case.pair.a, case.pair.vip);
    let lines = match (&side.frr, vip.contains(':')) {
        (Some(frr), _) => vec![format!("ip link del {}", frr.link())],
        _ if side.node.exec("ip link show dev vrrp.51").is_ok() => vec!["ip link del vrrp.51".into()],
        (None, true) => vec![format!("ip addr del {vip}/64 dev eth0"), "ip addr del fe80::100/64 dev eth0".into()],
        (None, false) => vec![format!("ip addr del {vip}/24 dev eth0")],
    };
    for line in lines {
        side.node.exec(&line).expect("the address goes");
    }
}

pub fn remove(case: &mut Case, stranger: bool) {
    let node = if stranger { &case.x } else { &case.pair.b.node };
    let prefix = if case.pair.vip.contains(':') { 128 } else { 32 };
    node.exec(&format!("ip addr del {}/{prefix} dev eth0", case.pair.vip)).expect("the address goes");
}

pub fn plug(case: &Case, state: &str) {
    let node = &case.pair.b.node;
    let arguments = ["-n", node.switch(), "link", "set", "dev", node.name(), state];
    assert!(std::process::Command::new("ip").args(arguments).status().expect("ip runs").success());
}

pub fn gratuitous(side: &Side, from: [u8; 6]) {
    let mut frame = [&[0xff; 6][..], &from, &[8, 6, 0, 1, 8, 0, 6, 4, 0, 1], &from].concat();
    frame.extend([10, 9, 9, 100, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 10, 9, 9, 100]);
    Injector::open(&side.node).send(&frame);
}

/// The same over IPv6.
pub fn unsolicited(side: &Side, from: [u8; 6]) {
    let all_nodes = ([0x33, 0x33, 0, 0, 0, 1], Ipv6Addr::new(0xff02, 0, 0, 0, 0, 0, 0, 1));
    Injector::open(&side.node).send(&neighbour_advertisement(from, VIP_V6, 0x20, all_nodes));
}

/// Replaces a peer in `a`'s list.
pub fn list(pair: &mut Pair, old: &str, new: &str) {
    pair.a.instance.lines.iter_mut().for_each(|line| *line = line.replace(old, new));
}

/// Gives `a`'s list its peer back, which has `wrong` in its place.
pub fn relist(case: &mut Case, wrong: &str) {
    let node = &case.pair.b.node;
    let peer = if case.pair.vip.contains(':') { node.link_local() } else { node.ipv4() };
    case.pair.a.stop();
    list(&mut case.pair, wrong, &peer);
    case.pair.a.start();
}

/// A cloned machine: `b` has `a`'s address and sends from it.
pub fn clone_source(pair: &mut Pair) {
    pair.b.node.exec("ip addr add 10.9.9.1/24 dev eth0").expect("it takes the other's address");
    for side in [&mut pair.a, &mut pair.b] {
        side.instance.priority = 150;
        side.instance.lines.push("mcast_src_ip 10.9.9.1".into());
    }
}

/// And its end.
pub fn part(case: &mut Case) {
    let pair = &mut case.pair;
    pair.b.stop();
    pair.b.instance.priority = 100;
    pair.b.instance.lines.clear();
    pair.b.node.exec("ip addr del 10.9.9.1/24 dev eth0").expect("it lets the address go");
    pair.b.start();
    announce(case);
}

/// The same over IPv6.
pub fn clone_source_v6(pair: &mut Pair) {
    let source = pair.a.node.link_local();
    pair.b.node.exec(&format!("ip addr add {source}/64 dev eth0 nodad")).expect("it takes the other's address");
    for side in [&mut pair.a, &mut pair.b] {
        side.instance.priority = 150;
        side.instance.lines.push(format!("mcast_src_ip {source}"));
    }
}

/// And its end.
pub fn part_v6(case: &mut Case) {
    let source = case.pair.a.node.link_local();
    let pair = &mut case.pair;
    pair.b.stop();
    pair.b.instance.priority = 100;
    pair.b.instance.lines.clear();
    pair.b.node.exec(&format!("ip addr del {source}/64 dev eth0")).expect("it lets the address go");
    pair.b.start();
}

/// A bystander advertises with a better priority, and holds nothing.
pub fn usurp(case: &mut Case, frame: Vec<u8>) {
    case.things.push(Box::new(Speaker::start(&case.x, frame)));
    until("nobody holds", || case.sides().iter().all(|side| !holds(&side.node, case.pair.vip)));
}

/// FRR's backup has the VIP on its macvlan, and by default its parent answers ARP for it, with its own MAC. Beside another that
/// uses the virtual MAC nobody is misled; beside a keepalived without one clients are.
pub fn quieten(pair: &mut Pair) {
    for side in [&pair.a, &pair.b] {
        side.node.exec("sysctl -qw net.ipv4.conf.all.arp_ignore=1").expect("sysctl");
    }
}
