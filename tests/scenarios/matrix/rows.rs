//! The rows: what is done, and what each node must say.

use super::{Case, Effect, Row, Wanted, serves};
use crate::lab::{Advert, Firewall, Flavour, Frr, Hook, Injector, Instance, Pair, Speaker, holds, until};
use std::net::Ipv4Addr;

const fn says(verdicts: &'static [&'static str], causes: &'static [&'static str]) -> Wanted {
    Wanted { verdicts, causes }
}

const HEALTHY: Wanted = says(&["healthy"], &[]);
const SPLIT: &[&str] = &["split_brain"];

const fn split(causes: &'static [&'static str]) -> Wanted {
    says(SPLIT, causes)
}

/// A fault that is made in a settled pair, and ends with its filters and players.
const MADE: Row = Row {
    fault: 0,
    what: "",
    flavour: Flavour::V3,
    differ: |_| (),
    settles: true,
    inject: |_| (),
    effect: Effect::Both,
    a: HEALTHY,
    b: HEALTHY,
    heal: |_| (),
    quiet: false,
};

/// A fault in what the two are told; `b` is given what `a` has in the end.
const TOLD: Row = Row { settles: false, inject: |case| case.pair.start(), heal: align, ..MADE };

/// Nothing that anyone may call a split.
const QUIET: Row = Row { effect: Effect::Done, quiet: true, ..MADE };

fn align(case: &mut Case) {
    let pair = &mut case.pair;
    pair.b.stop();
    pair.b.instance = Instance { priority: pair.b.instance.priority, ..pair.a.instance.clone() };
    pair.b.start();
    announce(case);
}

/// keepalived's winner does not announce itself again (fault 29), and the page says so: the remedy is done here.
fn announce(case: &mut Case) {
    let vip = case.pair.vip;
    until("the split is over", || {
        case.sides().iter().all(|side| side.watch.router(51).is_some_and(|r| r["verdict"] != "split_brain"))
    });
    if !vip.contains(':') && case.pair.a.instance.lines.iter().all(|line| line != "use_vmac") {
        case.pair.a.node.exec(&format!("arping -U -c 1 -I eth0 {vip}")).expect("arping announces");
    }
}

fn mend_and_announce(case: &mut Case) {
    case.clear();
    announce(case);
}

fn block(case: &mut Case, on_a: bool, hook: Hook) {
    let node = if on_a { &case.pair.a.node } else { &case.pair.b.node };
    case.rules.push(Firewall::block(node, hook));
}

fn cut(case: &mut Case, from: &str, to: &str) {
    case.rules.push(Firewall::cut(&case.pair.lab, from, to));
}

fn cut_both(case: &mut Case) {
    cut(case, "a", "b");
    cut(case, "b", "a");
}

fn kill(case: &mut Case) {
    case.pair.a.kill();
}

fn restart(case: &mut Case) {
    case.pair.a.start();
}

fn add(case: &mut Case, stranger: bool) {
    let node = if stranger { &case.x } else { &case.pair.b.node };
    let (prefix, nodad) = if case.pair.vip.contains(':') { (128, "nodad") } else { (32, "") };
    node.exec(&format!("ip addr add {}/{prefix} dev eth0 {nodad}", case.pair.vip)).expect("the address is added");
}

fn remove(case: &mut Case, stranger: bool) {
    let node = if stranger { &case.x } else { &case.pair.b.node };
    let prefix = if case.pair.vip.contains(':') { 128 } else { 32 };
    node.exec(&format!("ip addr del {}/{prefix} dev eth0", case.pair.vip)).expect("the address goes");
}

fn plug(case: &Case, state: &str) {
    let node = &case.pair.b.node;
    let arguments = ["-n", node.switch(), "link", "set", "dev", node.name(), state];
    assert!(std::process::Command::new("ip").args(arguments).status().expect("ip runs").success());
}

fn gratuitous(case: &Case, from: [u8; 6]) {
    let mut frame = [&[0xff; 6][..], &from, &[8, 6, 0, 1, 8, 0, 6, 4, 0, 1], &from].concat();
    frame.extend([10, 9, 9, 100, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 10, 9, 9, 100]);
    Injector::open(&case.pair.b.node).send(&frame);
}

const B_MAC: [u8; 6] = [2, 0, 0, 9, 9, 2];
const ADMITTED: &[&str] = &["firewall_drop"];

/// All rows.
pub fn rows() -> Vec<Row> {
    [takeovers(), filters(), paths(), mismatches(), addresses(), silence()].concat()
}

fn takeovers() -> Vec<Row> {
    vec![
        Row {
            fault: 1,
            what: "a stops properly, and comes back",
            inject: |case| {
                case.pair.a.stop();
                case.pair.expect_master_b();
            },
            heal: restart,
            ..QUIET
        },
        Row {
            fault: 17,
            what: "the VIP is deleted by hand on the master",
            inject: |case| drop(case.pair.a.node.exec("ip addr del 10.9.9.100/24 dev eth0").expect("it goes")),
            ..QUIET
        },
        Row {
            fault: 25,
            what: "both daemons reload, again and again",
            inject: |case| {
                for _ in 0..3 {
                    for side in case.sides() {
                        side.keepalived().reload(&side.instance).expect("keepalived reloads");
                    }
                }
            },
            ..QUIET
        },
        Row {
            fault: 19,
            what: "FRR: a backup with the VIP on its protodown macvlan",
            settles: false,
            inject: |case| {
                case.frrs = vec![Frr::start(&case.pair.a.node, 200), Frr::start(&case.pair.b.node, 100)];
                until("a serves alone", || serves(&case.pair.a.node) && !serves(&case.pair.b.node));
            },
            ..QUIET
        },
        Row {
            fault: 32,
            what: "a backup has the VIP on its loopback (LVS-DR)",
            inject: |case| {
                let node = &case.pair.b.node;
                node.exec("sysctl -qw net.ipv4.conf.all.arp_ignore=1").expect("sysctl");
                node.exec("ip addr add 10.9.9.100/32 dev lo").expect("the address is added");
            },
            heal: |case| drop(case.pair.b.node.exec("ip addr del 10.9.9.100/32 dev lo").expect("it goes")),
            ..QUIET
        },
        Row {
            fault: 23,
            what: "the same VRID on a VLAN",
            inject: |case| {
                let mut tagged = Advert::from_host(3, 51, vec![Ipv4Addr::new(10, 100, 0, 100)]);
                tagged.vlan = Some(100);
                case.things.push(Box::new(Speaker::start(&case.x, tagged.frame())));
            },
            ..QUIET
        },
        Row {
            fault: 29,
            what: "ghost takeover: b announced last, a is master",
            inject: |case| gratuitous(case, B_MAC),
            a: says(&["degraded"], &["misdirected"]),
            b: says(&["degraded"], &["misdirected"]),
            heal: announce,
            ..QUIET
        },
    ]
}

fn filters() -> Vec<Row> {
    let input = Row {
        fault: 2,
        what: "INPUT of b drops protocol 112",
        inject: |case| block(case, false, Hook::Input),
        a: split(ADMITTED),
        b: split(ADMITTED),
        ..MADE
    };
    let output = Row {
        fault: 26,
        what: "OUTPUT of a drops protocol 112",
        inject: |case| block(case, true, Hook::Output),
        ..input
    };
    vec![
        input,
        Row { flavour: Flavour::V2, ..input },
        Row { flavour: Flavour::V6, ..input },
        Row { flavour: Flavour::Unicast, ..input },
        Row { fault: 24, flavour: Flavour::Vmac, ..input },
        Row {
            fault: 27,
            what: "netdev ingress of b drops protocol 112",
            inject: |case| block(case, false, Hook::Ingress),
            ..input
        },
        output,
        Row { flavour: Flavour::V6, ..output },
        Row {
            fault: 34,
            what: "INPUT of b drops protocol 112, and nothing has happened yet",
            flavour: Flavour::V2,
            effect: Effect::Done,
            a: says(&["degraded", "split_brain"], ADMITTED),
            b: says(&["degraded", "split_brain"], ADMITTED),
            ..input
        },
    ]
}

fn paths() -> Vec<Row> {
    let one_way = Row {
        fault: 3,
        what: "the switch forwards from a to b no more",
        inject: |case| cut(case, "a", "b"),
        a: split(&["one_way_path"]),
        b: split(&["one_way_path"]),
        heal: mend_and_announce,
        ..MADE
    };
    let partition = Row {
        fault: 4,
        what: "the switch cuts a from b",
        inject: cut_both,
        a: split(&["partition"]),
        b: split(&["partition"]),
        ..one_way
    };
    vec![
        one_way,
        Row { flavour: Flavour::V6, ..one_way },
        Row { flavour: Flavour::Vmac, ..one_way },
        partition,
        Row { flavour: Flavour::V2, ..partition },
        Row { flavour: Flavour::V6, ..partition },
        Row { flavour: Flavour::Vmac, ..partition },
        Row {
            fault: 31,
            what: "a's unicast list lacks b",
            flavour: Flavour::Unicast,
            differ: |pair| {
                let lines = &mut pair.a.instance.lines;
                lines.iter_mut().for_each(|line| *line = line.replace("10.9.9.2", "10.9.9.3"));
            },
            heal: |case| {
                let pair = &mut case.pair;
                pair.a.stop();
                let lines = &mut pair.a.instance.lines;
                lines.iter_mut().for_each(|line| *line = line.replace("10.9.9.3", "10.9.9.2"));
                pair.a.start();
            },
            a: split(&["one_way_path"]),
            b: split(&["one_way_path"]),
            ..TOLD
        },
        Row {
            fault: 11,
            what: "a TTL below 255: a router in between",
            inject: |case| case.rules.push(Firewall::rewrite_ttl(&case.pair.lab)),
            a: split(&["ttl_invalid"]),
            b: split(&["ttl_invalid"]),
            heal: mend_and_announce,
            ..MADE
        },
    ]
}

fn mismatches() -> Vec<Row> {
    let lists = Row {
        fault: 5,
        what: "the lists of addresses differ",
        differ: |pair| pair.a.instance.addresses.push("10.9.9.101/24".into()),
        a: split(&["addresses_mismatch"]),
        b: split(&["addresses_mismatch"]),
        ..TOLD
    };
    let told = |fault, what, flavour, differ, causes| Row {
        fault,
        what,
        flavour,
        differ,
        a: split(causes),
        b: split(causes),
        ..TOLD
    };
    vec![
        lists,
        Row {
            flavour: Flavour::V6,
            differ: |pair| pair.a.instance.addresses.push("2001:db8:9::101/64".into()),
            ..lists
        },
        told(
            6,
            "the v2 intervals differ",
            Flavour::V2,
            |pair| pair.b.instance.advert_int = 2.0,
            &["interval_mismatch"],
        ),
        Row {
            fault: 7,
            what: "the v3 intervals differ",
            differ: |pair: &mut Pair| pair.b.instance.advert_int = 0.2,
            ..QUIET
        },
        told(8, "version 2 against version 3", Flavour::V2, |pair| pair.b.instance.version = 3, &["version_mismatch"]),
        told(
            9,
            "the passwords differ",
            Flavour::V2,
            |pair| {
                for (side, password) in [(&mut pair.a, "hunter2x"), (&mut pair.b, "swordfis")] {
                    side.instance.lines.push(format!("authentication {{\n auth_type PASS\n auth_pass {password}\n}}"));
                }
            },
            &["auth_mismatch"],
        ),
        Row {
            fault: 10,
            what: "checksums with and without pseudo-header",
            differ: |_| (),
            inject: |case| {
                case.pair.a.start();
                until("a holds", || holds(&case.pair.a.node, case.pair.vip));
                case.pair.b.node.exec("ip addr add 10.9.9.100/24 dev eth0").expect("it takes the address");
                let mut advert = Advert::from_host(2, 51, vec![Ipv4Addr::new(10, 9, 9, 100)]);
                (advert.mac, advert.pseudo_header) = (B_MAC, false);
                case.things.push(Box::new(Speaker::start(&case.pair.b.node, advert.frame())));
            },
            a: split(&["checksum_mismatch"]),
            // The kernel there answers for nobody's daemon: its own word is that the address is stray.
            b: split(&["checksum_mismatch"]),
            heal: |case| {
                case.clear();
                case.pair.b.node.exec("ip addr del 10.9.9.100/24 dev eth0").expect("it lets the address go");
                case.pair.b.start();
            },
            ..TOLD
        },
        Row {
            fault: 12,
            what: "the same VRID for unrelated addresses",
            differ: |pair| pair.b.instance.addresses = vec!["10.9.9.200/24".into()],
            inject: |case| {
                case.pair.start();
                until("each holds its own", || {
                    holds(&case.pair.a.node, "10.9.9.100") && holds(&case.pair.b.node, "10.9.9.200")
                });
            },
            effect: Effect::Done,
            a: says(&["degraded"], &["vrid_collision"]),
            b: says(&["degraded"], &["vrid_collision"]),
            ..TOLD
        },
        Row {
            fault: 13,
            what: "equal priority and the same source address",
            differ: |pair| {
                // A cloned machine.
                pair.b.node.exec("ip addr add 10.9.9.1/24 dev eth0").expect("it takes the other's address");
                for side in [&mut pair.a, &mut pair.b] {
                    side.instance.priority = 150;
                    side.instance.lines.push("mcast_src_ip 10.9.9.1".into());
                }
            },
            a: split(&["priority_tie"]),
            b: split(&["priority_tie"]),
            heal: |case| {
                let pair = &mut case.pair;
                pair.b.stop();
                pair.b.instance.priority = 100;
                pair.b.instance.lines.clear();
                pair.b.node.exec("ip addr del 10.9.9.1/24 dev eth0").expect("it lets the address go");
                pair.b.start();
                announce(case);
            },
            ..TOLD
        },
        Row {
            fault: 28,
            what: "a master muted by the lists that it refuses",
            differ: |pair| {
                pair.a.instance.addresses.push("10.9.9.101/24".into());
                pair.b.instance.advert_int = 0.3;
            },
            a: split(&["muted_master"]),
            b: split(&["muted_master"]),
            ..lists
        },
        Row {
            fault: 30,
            what: "the VRIDs differ",
            differ: |pair| pair.b.instance.vrid = 52,
            a: split(&["vrid_mismatch"]),
            b: split(&["vrid_mismatch"]),
            ..TOLD
        },
    ]
}

fn addresses() -> Vec<Row> {
    let killed = Row {
        fault: 14,
        what: "a's daemon is killed",
        inject: kill,
        a: split(&["stale_address"]),
        b: split(&["stale_address"]),
        heal: restart,
        ..MADE
    };
    let stray = Row {
        fault: 16,
        what: "the VIP is added by hand on the backup",
        inject: |case| add(case, false),
        a: split(&["stray_address"]),
        b: split(&["stray_address"]),
        heal: |case| remove(case, false),
        ..MADE
    };
    let foreign = Row {
        fault: 18,
        what: "a stranger answers for the VIP",
        inject: |case| add(case, true),
        effect: Effect::Done,
        a: split(&["foreign_claim"]),
        b: split(&["foreign_claim"]),
        heal: |case| remove(case, true),
        ..MADE
    };
    vec![
        killed,
        Row { flavour: Flavour::V2, ..killed },
        Row { flavour: Flavour::V6, ..killed },
        Row { flavour: Flavour::Vmac, ..killed },
        Row {
            fault: 15,
            what: "a's daemon is frozen",
            inject: |case| case.pair.a.keepalived().signal_child(libc::SIGSTOP).expect("it stops"),
            heal: |case| case.pair.a.keepalived().signal_child(libc::SIGCONT).expect("it goes on"),
            ..killed
        },
        stray,
        Row { flavour: Flavour::V6, ..stray },
        Row { flavour: Flavour::Vmac, ..stray },
        foreign,
        Row { flavour: Flavour::V6, ..foreign },
        Row {
            fault: 33,
            what: "a master that does not hold the address",
            inject: |case| {
                let mut advert = Advert::from_host(3, 51, vec![Ipv4Addr::new(10, 9, 9, 100)]);
                (advert.mac, advert.priority) = ([2, 0, 0, 9, 9, 3], 250);
                case.things.push(Box::new(Speaker::start(&case.x, advert.frame())));
                until("nobody holds", || case.sides().iter().all(|side| !holds(&side.node, case.pair.vip)));
            },
            effect: Effect::Done,
            a: says(&["degraded", "no_master"], &["hollow_master"]),
            b: says(&["degraded", "no_master"], &["hollow_master"]),
            ..MADE
        },
    ]
}

fn silence() -> Vec<Row> {
    let silent = Row {
        fault: 20,
        what: "both daemons are gone, and the address too",
        inject: |case| {
            case.pair.b.stop();
            case.pair.a.kill();
            let (prefix, vip) = (if case.pair.vip.contains(':') { 64 } else { 24 }, case.pair.vip);
            case.pair.a.node.exec(&format!("ip addr del {vip}/{prefix} dev eth0")).expect("the address goes");
            if vip.contains(':') {
                case.pair.a.node.exec("ip addr del fe80::100/64 dev eth0").expect("the address goes");
            }
        },
        a: says(&["no_master"], &[]),
        b: says(&["no_master"], &[]),
        heal: |case| case.pair.start(),
        ..QUIET
    };
    vec![
        silent,
        Row { flavour: Flavour::V6, ..silent },
        Row {
            fault: 21,
            what: "the master is gone, and the backup is in fault",
            differ: |pair| {
                let node = &pair.b.node;
                node.exec("ip link add up0 type veth peer name up1").expect("an uplink");
                for end in ["up0", "up1"] {
                    node.exec(&format!("ip link set {end} up")).expect("it is up");
                }
                pair.b.instance.lines.push("track_interface {\n up0\n}".into());
            },
            inject: |case| {
                case.pair.b.node.exec("ip link set up1 down").expect("it goes down");
                case.pair.a.kill();
                case.pair.a.node.exec("ip addr del 10.9.9.100/24 dev eth0").expect("the address goes");
            },
            heal: |case| {
                case.pair.b.node.exec("ip link set up1 up").expect("it comes up");
                case.pair.a.start();
            },
            ..silent
        },
        Row {
            fault: 22,
            what: "b's cable is pulled: b is blind",
            inject: |case| plug(case, "down"),
            a: HEALTHY,
            b: says(&["unknown"], &[]),
            heal: |case| plug(case, "up"),
            ..QUIET
        },
    ]
}
