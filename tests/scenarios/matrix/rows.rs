//! The rows: what is done, and what each node must say.

use super::acts::*;
use super::{Effect, Row, Wanted, Within};
use crate::lab::{Advert, AdvertV6, Firewall, Flavour, Hook, Pair, Speaker, holds, until};
use std::net::{Ipv4Addr, Ipv6Addr};

/// What is told within two probe intervals.
const fn says(verdicts: &'static [&'static str], causes: &'static [&'static str]) -> Wanted {
    Wanted { verdicts, causes, within: Within::Asked }
}

const HEALTHY: Wanted = says(&["healthy"], &[]);
const SPLIT: &[&str] = &["split_brain"];
const NOBODY: Wanted = Wanted { within: Within::Silence, ..says(&["no_master"], &[]) };

/// A split that is on the wire.
const fn split(causes: &'static [&'static str]) -> Wanted {
    Wanted { within: Within::Advert, ..asked(causes) }
}

/// A split of which nothing is on this node's wire.
const fn asked(causes: &'static [&'static str]) -> Wanted {
    says(SPLIT, causes)
}

/// A fault that is made in a settled pair, and ends with its filters and players.
const MADE: Row = Row {
    fault: 0,
    what: "",
    flavour: Flavour::V3,
    frr: [false; 2],
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

const ADMITTED: &[&str] = &["firewall_drop"];

/// All rows.
pub fn rows() -> Vec<Row> {
    [takeovers(), filters(), paths(), mismatches(), addresses(), silence()].concat()
}

fn takeovers() -> Vec<Row> {
    let stopped = Row {
        fault: 1,
        what: "a stops properly, and comes back",
        inject: |case| {
            case.pair.a.stop();
            case.pair.expect_master_b();
        },
        heal: restart,
        ..QUIET
    };
    let deleted = Row {
        fault: 17,
        what: "the VIP is deleted by hand on the master",
        inject: |case| drop(case.pair.a.node.exec("ip addr del 10.9.9.100/24 dev eth0").expect("it goes")),
        ..QUIET
    };
    let reloaded = Row {
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
    };
    let protodown = Row {
        fault: 19,
        what: "FRR: a backup with the VIP on its protodown macvlan stops, and comes back",
        frr: [true; 2],
        inject: restart_backup,
        ..QUIET
    };
    let on_loopback = Row {
        fault: 32,
        what: "a backup has the VIP on its loopback (LVS-DR)",
        inject: |case| {
            let node = &case.pair.b.node;
            node.exec("sysctl -qw net.ipv4.conf.all.arp_ignore=1").expect("sysctl");
            node.exec("ip addr add 10.9.9.100/32 dev lo").expect("the address is added");
        },
        heal: |case| drop(case.pair.b.node.exec("ip addr del 10.9.9.100/32 dev lo").expect("it goes")),
        ..QUIET
    };
    let ghost = Row {
        fault: 29,
        what: "ghost takeover: b announced last, a is master",
        inject: |case| gratuitous(&case.pair.b, B_MAC),
        a: says(&["degraded"], &["misdirected"]),
        b: says(&["degraded"], &["misdirected"]),
        heal: announce,
        ..QUIET
    };
    vec![
        stopped,
        Row { flavour: Flavour::V6, ..stopped },
        Row { flavour: Flavour::Vmac, ..stopped },
        Row { frr: [true; 2], ..stopped },
        Row { frr: [true; 2], flavour: Flavour::V6, ..stopped },
        deleted,
        Row {
            flavour: Flavour::V6,
            inject: |case| drop(case.pair.a.node.exec("ip addr del 2001:db8:9::100/64 dev eth0").expect("it goes")),
            ..deleted
        },
        Row {
            flavour: Flavour::Vmac,
            inject: |case| drop(case.pair.a.node.exec("ip addr del 10.9.9.100/24 dev vrrp.51").expect("it goes")),
            ..deleted
        },
        reloaded,
        Row { flavour: Flavour::V6, ..reloaded },
        Row { flavour: Flavour::Vmac, ..reloaded },
        protodown,
        Row { flavour: Flavour::V6, ..protodown },
        on_loopback,
        Row {
            flavour: Flavour::V6,
            inject: |case| {
                let line = "ip addr add 2001:db8:9::100/128 dev lo nodad";
                drop(case.pair.b.node.exec(line).expect("the address is added"));
            },
            heal: |case| drop(case.pair.b.node.exec("ip addr del 2001:db8:9::100/128 dev lo").expect("it goes")),
            ..on_loopback
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
        ghost,
        Row {
            flavour: Flavour::V6,
            inject: |case| unsolicited(&case.pair.b, B_MAC),
            heal: |case| unsolicited(&case.pair.a, A_MAC),
            ..ghost
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
        a: asked(ADMITTED),
        b: asked(ADMITTED),
        ..input
    };
    let ingress = Row {
        fault: 27,
        what: "netdev ingress of b drops protocol 112",
        inject: |case| block(case, false, Hook::Ingress),
        ..input
    };
    let early = Row {
        fault: 34,
        what: "INPUT of b drops protocol 112, and nothing has happened yet",
        flavour: Flavour::V2,
        inject: |case| {
            let raw = ["tap=\"raw\""];
            until("b's firewall has let one in", || {
                case.pair.b.watch.metric("vrrp_adverts_delivered_total", &raw) > 0.0
            });
            block(case, false, Hook::Input);
        },
        effect: Effect::Done,
        a: says(&["degraded", "split_brain"], ADMITTED),
        b: Wanted { within: Within::Advert, ..says(&["degraded", "split_brain"], ADMITTED) },
        ..input
    };
    vec![
        input,
        Row { frr: [true; 2], ..input },
        Row { frr: [true; 2], flavour: Flavour::V6, ..input },
        Row { frr: [false, true], differ: quieten, ..input },
        Row { flavour: Flavour::V2, ..input },
        Row { flavour: Flavour::V6, ..input },
        Row { flavour: Flavour::Unicast, ..input },
        Row { fault: 24, flavour: Flavour::Vmac, ..input },
        ingress,
        Row { flavour: Flavour::V6, ..ingress },
        Row { flavour: Flavour::Vmac, ..ingress },
        output,
        Row { flavour: Flavour::V6, ..output },
        Row { flavour: Flavour::Vmac, ..output },
        early,
    ]
}

fn paths() -> Vec<Row> {
    let one_way = Row {
        fault: 3,
        what: "the switch forwards from a to b no more",
        inject: |case| cut(case, "a", "b"),
        a: split(&["one_way_path"]),
        b: asked(&["one_way_path"]),
        heal: mend_and_announce,
        ..MADE
    };
    let partition = Row {
        fault: 4,
        what: "the switch cuts a from b",
        inject: cut_both,
        a: asked(&["partition"]),
        b: asked(&["partition"]),
        ..one_way
    };
    let unlisted = Row {
        fault: 31,
        what: "a's unicast list lacks b",
        flavour: Flavour::Unicast,
        differ: |pair| list(pair, "10.9.9.2", "10.9.9.3"),
        heal: |case| relist(case, "10.9.9.3"),
        a: split(&["one_way_path"]),
        b: asked(&["one_way_path"]),
        ..TOLD
    };
    let nobody = Row {
        what: "a's unicast list has an address that is nobody's for b's",
        differ: |pair| list(pair, "10.9.9.2", "10.9.9.99"),
        heal: |case| relist(case, "10.9.9.99"),
        a: asked(&["one_way_path"]),
        ..unlisted
    };
    let routed = Row {
        fault: 11,
        what: "a TTL below 255: a router in between",
        inject: |case| case.rules.push(Firewall::rewrite_ttl(&case.pair.lab)),
        a: split(&["ttl_invalid"]),
        b: split(&["ttl_invalid"]),
        heal: mend_and_announce,
        ..MADE
    };
    vec![
        one_way,
        Row { flavour: Flavour::V6, ..one_way },
        Row { flavour: Flavour::Vmac, ..one_way },
        Row { frr: [true; 2], ..one_way },
        Row { frr: [true; 2], flavour: Flavour::V6, ..one_way },
        Row { frr: [false, true], differ: quieten, ..one_way },
        partition,
        Row { flavour: Flavour::V2, ..partition },
        Row { flavour: Flavour::V6, ..partition },
        Row { flavour: Flavour::Vmac, ..partition },
        Row { frr: [true; 2], ..partition },
        Row { frr: [true; 2], flavour: Flavour::V6, ..partition },
        Row { frr: [false, true], differ: quieten, ..partition },
        unlisted,
        Row {
            flavour: Flavour::UnicastV6,
            differ: |pair| list(pair, &pair.b.node.link_local(), &pair.lab.node("x").link_local()),
            heal: |case| {
                let x = case.x.link_local();
                relist(case, &x);
            },
            ..unlisted
        },
        nobody,
        Row {
            flavour: Flavour::UnicastV6,
            differ: |pair| list(pair, &pair.b.node.link_local(), "fe80::bad"),
            heal: |case| relist(case, "fe80::bad"),
            ..nobody
        },
        routed,
        Row { flavour: Flavour::V6, ..routed },
        Row { flavour: Flavour::Vmac, ..routed },
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
    let slower = Row {
        fault: 7,
        what: "the v3 intervals differ",
        differ: |pair: &mut Pair| pair.b.instance.advert_int = 0.2,
        ..QUIET
    };
    let sums = Row {
        fault: 10,
        what: "checksums with and without pseudo-header",
        inject: |case| {
            case.pair.a.start();
            until("a holds", || holds(&case.pair.a.node, case.pair.vip));
            case.pair.b.node.exec("ip addr add 10.9.9.100/24 dev eth0").expect("it takes the address");
            let mut advert = Advert::from_host(2, 51, vec![Ipv4Addr::new(10, 9, 9, 100)]);
            (advert.mac, advert.pseudo_header) = (B_MAC, false);
            case.things.push(Box::new(Speaker::start(&case.pair.b.node, advert.frame())));
        },
        a: split(&["checksum_mismatch"]),
        b: split(&["checksum_mismatch"]),
        heal: |case| {
            case.clear();
            case.pair.b.node.exec("ip addr del 10.9.9.100/24 dev eth0").expect("it lets the address go");
            case.pair.b.start();
        },
        ..TOLD
    };
    let strangers = Row {
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
    };
    let tie = Row {
        fault: 13,
        what: "equal priority and the same source address",
        differ: clone_source,
        a: split(&["priority_tie"]),
        b: split(&["priority_tie"]),
        heal: part,
        ..TOLD
    };
    let muted = Row {
        fault: 28,
        what: "a master muted by the lists that it refuses",
        differ: |pair| {
            pair.a.instance.addresses.push("10.9.9.101/24".into());
            pair.b.instance.advert_int = 0.3;
        },
        a: asked(&["muted_master"]),
        b: asked(&["muted_master"]),
        ..lists
    };
    let typo = Row {
        fault: 30,
        what: "the VRIDs differ",
        differ: |pair| pair.b.instance.vrid = 52,
        a: split(&["vrid_mismatch"]),
        b: split(&["vrid_mismatch"]),
        ..TOLD
    };
    vec![
        lists,
        Row {
            flavour: Flavour::V6,
            differ: |pair| pair.a.instance.addresses.push("2001:db8:9::101/64".into()),
            ..lists
        },
        Row { flavour: Flavour::Vmac, ..lists },
        told(
            6,
            "the v2 intervals differ",
            Flavour::V2,
            |pair| pair.b.instance.advert_int = 2.0,
            &["interval_mismatch"],
        ),
        slower,
        Row { flavour: Flavour::V6, ..slower },
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
        sums,
        Row { flavour: Flavour::Vmac, ..sums },
        strangers,
        Row {
            flavour: Flavour::V6,
            differ: |pair| pair.b.instance.addresses = vec!["fe80::200/64".into(), "2001:db8:9::200/64".into()],
            inject: |case| {
                case.pair.start();
                until("each holds its own", || {
                    holds(&case.pair.a.node, case.pair.vip) && holds(&case.pair.b.node, "2001:db8:9::200")
                });
            },
            ..strangers
        },
        tie,
        // By IPv6 the kernel lets the other's adverts in, and a backup obeys them: two masters have to meet.
        Row {
            flavour: Flavour::V6,
            differ: |pair| clone_source_v6(pair),
            inject: meet,
            effect: Effect::Met,
            heal: |case| part_v6(case),
            ..tie
        },
        muted,
        Row {
            flavour: Flavour::V6,
            differ: |pair| {
                pair.a.instance.addresses.push("2001:db8:9::101/64".into());
                pair.b.instance.advert_int = 0.3;
            },
            ..muted
        },
        typo,
        Row { flavour: Flavour::V6, ..typo },
        Row { flavour: Flavour::Vmac, ..typo },
    ]
}

fn addresses() -> Vec<Row> {
    let killed = Row {
        fault: 14,
        what: "a's daemon is killed",
        inject: kill,
        a: asked(&["stale_address"]),
        b: asked(&["stale_address"]),
        heal: restart,
        ..MADE
    };
    let stray = Row {
        fault: 16,
        what: "the VIP is added by hand on the backup",
        inject: |case| add(case, false),
        a: asked(&["stray_address"]),
        b: asked(&["stray_address"]),
        heal: |case| remove(case, false),
        ..MADE
    };
    let foreign = Row {
        fault: 18,
        what: "a stranger answers for the VIP",
        inject: |case| add(case, true),
        effect: Effect::Done,
        a: asked(&["foreign_claim"]),
        b: asked(&["foreign_claim"]),
        heal: |case| remove(case, true),
        ..MADE
    };
    let frozen = Row {
        fault: 15,
        what: "a's daemon is frozen",
        inject: |case| case.pair.a.keepalived().signal_child(libc::SIGSTOP).expect("it stops"),
        heal: |case| case.pair.a.keepalived().signal_child(libc::SIGCONT).expect("it goes on"),
        ..killed
    };
    let hollow = Row {
        fault: 33,
        what: "a master that does not hold the address",
        inject: |case| {
            let mut advert = Advert::from_host(3, 51, vec![Ipv4Addr::new(10, 9, 9, 100)]);
            (advert.mac, advert.priority) = ([2, 0, 0, 9, 9, 3], 250);
            let frame = advert.frame();
            usurp(case, frame);
        },
        effect: Effect::Done,
        a: says(&["degraded", "no_master"], &["hollow_master"]),
        b: says(&["degraded", "no_master"], &["hollow_master"]),
        ..MADE
    };
    vec![
        killed,
        Row { flavour: Flavour::V2, ..killed },
        Row { flavour: Flavour::V6, ..killed },
        Row { flavour: Flavour::Vmac, ..killed },
        Row { frr: [true; 2], ..killed },
        Row { frr: [true; 2], flavour: Flavour::V6, ..killed },
        Row { frr: [true, false], differ: quieten, ..killed },
        frozen,
        Row { flavour: Flavour::V6, ..frozen },
        Row { flavour: Flavour::Vmac, ..frozen },
        stray,
        Row { flavour: Flavour::V6, ..stray },
        Row { flavour: Flavour::Vmac, ..stray },
        foreign,
        Row { flavour: Flavour::V6, ..foreign },
        hollow,
        Row {
            flavour: Flavour::V6,
            inject: |case| {
                let source = case.x.link_local().parse().expect("an address");
                let addresses = vec![Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0, 0, 0x100), VIP_V6];
                let mac = [2, 0, 0, 9, 9, 3];
                let advert = AdvertV6 { mac, source, vrid: 51, priority: 250, centiseconds: 10, addresses };
                usurp(case, advert.frame());
            },
            ..hollow
        },
        Row { flavour: Flavour::Vmac, ..hollow },
    ]
}

fn silence() -> Vec<Row> {
    let silent = Row {
        fault: 20,
        what: "both daemons are gone, and the address too",
        inject: |case| {
            case.pair.b.stop();
            case.pair.a.kill();
            strip(case);
        },
        a: NOBODY,
        b: NOBODY,
        heal: |case| case.pair.start(),
        ..QUIET
    };
    let blocked = Row {
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
            strip(case);
        },
        heal: |case| {
            case.pair.b.node.exec("ip link set up1 up").expect("it comes up");
            case.pair.a.start();
        },
        ..silent
    };
    let blind = Row {
        fault: 22,
        what: "b's cable is pulled: b is blind",
        inject: |case| plug(case, "down"),
        a: HEALTHY,
        b: says(&["unknown"], &[]),
        heal: |case| plug(case, "up"),
        ..QUIET
    };
    vec![
        silent,
        Row { flavour: Flavour::V2, ..silent },
        Row { flavour: Flavour::V6, ..silent },
        Row { flavour: Flavour::Vmac, ..silent },
        Row { frr: [true; 2], ..silent },
        Row { frr: [true; 2], flavour: Flavour::V6, ..silent },
        blocked,
        Row { flavour: Flavour::V6, ..blocked },
        Row { flavour: Flavour::Vmac, ..blocked },
        blind,
        Row { flavour: Flavour::V6, ..blind },
    ]
}
