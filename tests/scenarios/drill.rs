//! `drill` against a real failover, held against what tcpdump saw of it.

use crate::lab::{Flavour, Instance, Keepalived, Lab, Node, Recording, Slot, VIP, holds, until, vipwarden};
use serde_json::Value;
use std::io::{BufRead, BufReader, Read};
use std::process::{Child, Stdio};

/// Two keepaliveds with 100 ms adverts, and a client.
fn lab() -> (Slot, Lab, Keepalived, Keepalived) {
    let slot = Slot::take();
    let lab = Lab::new(&["a", "b", "c"]).expect("the laboratory is made (needs root)");
    let (a, b) = (lab.node("a").clone(), lab.node("b").clone());
    let first = Keepalived::start(&a, &Instance::new(3, 0.1, 200)).expect("keepalived starts");
    until("a holds the VIP", || holds(&a, VIP));
    let second = Keepalived::start(&b, &Instance::new(3, 0.1, 100)).expect("keepalived starts");
    (slot, lab, first, second)
}

/// A drill that asks already.
fn start(client: &Node, more: &[&str]) -> Child {
    start_for(client, VIP, more)
}

fn start_for(client: &Node, vip: &str, more: &[&str]) -> Child {
    let mut command = client.command(vipwarden());
    command.args(["drill", "--vip", vip, "--interval", "5ms", "--json"]).args(more);
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("vipwarden runs");
    let mut said = String::new();
    BufReader::new(child.stderr.take().expect("a pipe")).read_line(&mut said).expect("it says what it sends");
    assert!(said.contains("requests a second"), "{said}");
    child
}

fn finish(mut child: Child) -> (Value, Option<i32>) {
    let mut text = String::new();
    child.stdout.take().expect("a pipe").read_to_string(&mut text).expect("its output");
    let code = child.wait().expect("it ends").code();
    let document: Value = serde_json::from_str(&text).unwrap_or_else(|error| panic!("{error}: {text}"));
    (document[0].clone(), code)
}

/// The answers to a drill by ARP, as tshark is told.
fn arp_answers() -> String {
    format!("arp.opcode == 2 && arp.src.proto_ipv4 == {VIP} && arp.dst.proto_ipv4 != {VIP}")
}

/// The longest time between two answers in a recording, in seconds.
fn longest_gap(recording: &mut Recording, answers: &str) -> f64 {
    let times = recording.packets(answers, &["frame.time_epoch"]);
    let times: Vec<f64> = times.iter().filter_map(|time| time.parse().ok()).collect();
    times.windows(2).map(|pair| pair[1] - pair[0]).fold(0.0, f64::max)
}

#[test]
fn a_drill_reports_the_gap_of_a_failover_as_tcpdump_saw_it_and_who_answered() {
    let (_slot, lab, first, _second) = lab();
    let (a, b, client) = (lab.node("a"), lab.node("b"), lab.node("c"));
    let mut recording = Recording::start(client);
    let drill = start(client, &["--duration", "4s", "--expect-gap", "1ms"]);
    a.exec("ip link set eth0 down").expect("the cable is pulled");
    until("b holds the VIP", || holds(b, VIP));
    let (report, code) = finish(drill);
    let seen = longest_gap(&mut recording, &arp_answers());
    let told = report["longest_gap_seconds"].as_f64().expect("a number");
    assert!((told - seen).abs() < 0.001, "told {told}, seen {seen}");
    assert_eq!(code, Some(1), "no failover is that fast: {report}");
    let gaps = report["gaps"].as_array().expect("a list");
    let longest = gaps.iter().find(|gap| gap["seconds"].as_f64() == Some(told)).expect("the longest is listed");
    assert_eq!((longest["before"].as_str(), longest["after"].as_str()), (Some(&*a.mac()), Some(&*b.mac())), "{report}");
    assert_eq!(report["last_answer_from"], b.mac());
    drop(first);
}

#[test]
fn a_drill_names_two_that_answer_at_the_end() {
    let (_slot, lab, _first, _second) = lab();
    let drill = start(lab.node("c"), &["--duration", "2s"]);
    lab.node("b").exec(&format!("ip addr add {VIP}/24 dev eth0")).expect("the stray address is there");
    let (report, code) = finish(drill);
    assert_eq!(code, Some(2), "{report}");
    let mut two: Vec<_> = report["two_answer"].as_array().expect("both are named").iter().collect();
    two.sort_by_key(|mac| mac.to_string());
    let mut wanted = [lab.node("a").mac(), lab.node("b").mac()];
    wanted.sort();
    assert_eq!(two, wanted.iter().map(|mac| Value::from(mac.as_str())).collect::<Vec<_>>().iter().collect::<Vec<_>>());
}

#[test]
fn a_quiet_drill_has_no_gap_as_long_as_expected_at_most() {
    let (_slot, lab, _first, _second) = lab();
    let (report, code) = finish(start(lab.node("c"), &["--duration", "1s", "--expect-gap", "900ms"]));
    assert_eq!((code, &report["as_expected"]), (Some(0), &Value::Bool(true)), "{report}");
    assert_eq!(report["last_answer_from"], lab.node("a").mac());
}

#[test]
fn a_drill_over_ipv6_reports_the_gap_as_tcpdump_saw_it_and_who_answered() {
    let slot = Slot::take();
    let lab = Lab::new(&["a", "b", "c"]).expect("the laboratory is made (needs root)");
    let (a, b, client, vip) = (lab.node("a"), lab.node("b"), lab.node("c"), Flavour::V6.vip());
    let _first = Keepalived::start(a, &Flavour::V6.instance(a, b, 200)).expect("keepalived starts");
    until("a holds the VIP", || holds(a, vip));
    let _second = Keepalived::start(b, &Flavour::V6.instance(b, a, 100)).expect("keepalived starts");
    let mut recording = Recording::start(client);
    let drill = start_for(client, vip, &["--duration", "4s"]);
    a.exec("ip link set eth0 down").expect("the cable is pulled");
    until("b holds the VIP", || holds(b, vip));
    let (report, _) = finish(drill);
    let solicited = format!("icmpv6.type == 136 && icmpv6.nd.na.flag.s == 1 && icmpv6.nd.na.target_address == {vip}");
    let (told, seen) =
        (report["longest_gap_seconds"].as_f64().expect("a number"), longest_gap(&mut recording, &solicited));
    assert!((told - seen).abs() < 0.001, "told {told}, seen {seen}");
    assert_eq!((&report["by"], &report["last_answer_from"]), (&"nd".into(), &b.mac().into()), "{report}");
    let gaps = report["gaps"].as_array().expect("a list");
    let longest = gaps.iter().find(|gap| gap["seconds"].as_f64() == Some(told)).expect("the longest is listed");
    assert_eq!((longest["before"].as_str(), longest["after"].as_str()), (Some(&*a.mac()), Some(&*b.mac())), "{report}");
    drop(slot);
}

/// Puts `r` before `c` as a router, and takes `c` from the pair's segment.
fn route(lab: &Lab) {
    let (r, c) = (lab.node("r"), lab.node("c"));
    let cable = format!("ip link add up0 type veth peer name up0 netns {}", c.namespace());
    let on_r = [&*cable, "ip addr add 10.50.0.1/24 dev up0", "ip link set up0 up", "sysctl -qw net.ipv4.ip_forward=1"];
    on_r.iter().for_each(|line| drop(r.exec(line).expect("r routes")));
    for line in [
        "ip addr flush dev eth0",
        "ip link set eth0 down",
        "ip addr add 10.50.0.2/24 dev up0",
        "ip link set up0 up",
        "ip route add default via 10.50.0.1",
    ] {
        c.exec(line).expect("c is behind r");
    }
    for name in ["a", "b"] {
        let way = format!("ip route add 10.50.0.0/24 via {}", r.ipv4());
        lab.node(name).exec(&way).expect("there is a way back");
    }
    until("c reaches the VIP", || c.exec(&format!("ping -c 1 -W 1 {VIP}")).is_ok());
}

/// Across a router a client can't ask by ARP, and nobody's MAC is seen.
fn across_a_router(by: &[&str], answers: &str) {
    let slot = Slot::take();
    let lab = Lab::new(&["a", "b", "r", "c"]).expect("the laboratory is made (needs root)");
    let (a, b, client) = (lab.node("a"), lab.node("b"), lab.node("c"));
    let _first = Keepalived::start(a, &Instance::new(3, 0.1, 200)).expect("keepalived starts");
    until("a holds the VIP", || holds(a, VIP));
    let _second = Keepalived::start(b, &Instance::new(3, 0.1, 100)).expect("keepalived starts");
    route(&lab);
    let refused = client.command(vipwarden()).args(["drill", "--vip", VIP]).output().expect("it runs");
    let said = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert!(refused.status.code() == Some(64) && said.contains("--by icmp"), "{said}");
    let mut recording = Recording::start(lab.node("r"));
    let drill = start(client, &[by, &["--duration", "5s", "--expect-gap", "1ms"]].concat());
    a.exec("ip link set eth0 down").expect("the cable is pulled");
    until("b holds the VIP", || holds(b, VIP));
    let (report, code) = finish(drill);
    let (told, seen) =
        (report["longest_gap_seconds"].as_f64().expect("a number"), longest_gap(&mut recording, answers));
    assert!((told - seen).abs() < 0.02, "told {told}, seen {seen} at the router");
    assert_eq!((code, &report["as_expected"]), (Some(1), &Value::Bool(false)), "{report}");
    let last = report["gaps"].as_array().and_then(|gaps| gaps.last()).expect("a gap");
    assert!(last["end"].is_string(), "it is answered again: {report}");
    assert!(report["last_answer_from"].is_null() && report["last_answer_at"].is_string(), "{report}");
    assert_eq!(report["handovers"], serde_json::json!([]));
    drop(slot);
}

#[test]
fn a_drill_by_icmp_across_a_router_reports_the_gap_as_the_router_saw_it() {
    across_a_router(&["--by", "icmp"], &format!("icmp.type == 0 && ip.src == {VIP}"));
}

#[test]
fn a_drill_by_tcp_across_a_router_takes_a_refusal_for_an_answer() {
    across_a_router(&["--by", "tcp", "--port", "9"], &format!("tcp.flags.reset == 1 && ip.src == {VIP}"));
}
