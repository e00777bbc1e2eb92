//! What stands behind the kernel gate, and what there is without one.

use std::process::Command;

use crate::lab::{Firewall, Flavour, Node, Stage, Watch, holds, until};

const MASTER: &str = "it is master, and its gate is open";
/// What is held beside the VIP, and not advertised.
const EXCLUDED: &str = "10.9.9.150";

fn is_open(router: &serde_json::Value) -> bool {
    router["state"] == "master" && router["fence"]["gate_open"] == true
}

/// Whether a host that knows no MAC yet gets an answer.
fn answers(from: &Node, address: &str) -> bool {
    from.exec("ip neigh flush all").expect("ip runs");
    from.exec(&format!("ping -c 1 -W 0.2 {address}")).is_ok()
}

/// A speaker on `b` whose kernel lacks something.
fn speaker_without(stage: &Stage, what: &str, lines: &[&str]) -> Watch {
    let library = stage.b.scratch().expect("a directory").join("lacks.so");
    let mut compiler = Command::new("cc");
    compiler.args(["-shared", "-fPIC", "-o"]).arg(&library);
    let done = compiler.arg(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/support/lacks.c")).status();
    assert!(done.expect("cc is installed").success());
    let (preload, lacks) = (format!("LD_PRELOAD={}", library.display()), format!("LACKS={what}"));
    stage.speaker_by(&["env", &preload, &lacks], &stage.b, 100, lines)
}

fn says(router: &serde_json::Value, words: &str) -> bool {
    router["state"] == "master" && router["fence"]["gate_lacks"].as_str().is_some_and(|lacks| lacks.contains(words))
}

/// The documented fallback: the lifetime of the addresses, as short as can be.
#[test]
fn without_nf_tables_a_frozen_master_s_address_ends_by_its_lifetime_and_the_status_says_that_there_is_no_gate() {
    let stage = Stage::new(Flavour::V3);
    let mut b = speaker_without(&stage, "nf_tables", &[]);
    b.expect("it says so", |router| says(router, "there is no kernel gate") && router["fence"]["gate_open"].is_null());
    assert!(!b.get("/metrics").expect("they are served").contains("vrrp_gate_open{"));
    stage.expect_holders(false, true);
    b.process().signal(libc::SIGSTOP).expect("it runs");
    stage.expect_holders(false, false);
    b.process().signal(libc::SIGCONT).expect("it is there");
    stage.expect_holders(false, true);
    b.expect("it is master", |router| router["state"] == "master");
}

/// Then the daemon itself feeds the gate, and who asks for the address of a dead one gets no answer.
#[test]
fn without_an_egress_hook_a_killed_master_falls_silent_and_the_status_says_what_is_lacking() {
    let stage = Stage::new(Flavour::V3);
    let mut b = speaker_without(&stage, "egress", &["[router.fence]", "address_lifetime = \"off\""]);
    b.expect(MASTER, is_open);
    b.expect("it says so", |router| says(router, "no egress hook"));
    assert_eq!(b.metric("vrrp_gate_open", &[]), 1.0);
    until("it answers", || answers(&stage.a, stage.flavour.vip()));
    b.process().signal(libc::SIGKILL).expect("it runs");
    until("nobody answers", || !answers(&stage.a, stage.flavour.vip()));
    assert!(holds(&stage.b, stage.flavour.vip()), "nobody has taken it away");
}

/// RFC 9568 §6.1: its addresses are the host's own, and vipwarden neither adds nor removes them.
#[test]
fn an_owner_is_fenced_by_the_gate_alone_and_keeps_its_address() {
    let stage = Stage::new(Flavour::V3);
    let vip = stage.flavour.vip();
    stage.b.exec(&format!("ip addr add {vip}/24 dev eth0")).expect("it is not there yet");
    let owner = stage.speaker(&stage.b, 255, &[]);
    owner.expect(MASTER, is_open);
    until("it answers", || answers(&stage.a, vip));
    let fenced = owner.ask(&["fence", "web", "--force"]).expect("it runs");
    assert!(fenced.status.success(), "{fenced:?}");
    owner.expect("it is fenced", |router| router["state"] == "fenced" && router["fence"]["gate_open"] == false);
    assert!(!answers(&stage.a, vip));
    assert!(holds(&stage.b, vip));
    assert!(owner.ask(&["unfence", "web"]).expect("it runs").status.success());
    owner.expect(MASTER, is_open);
    until("it answers again", || answers(&stage.a, vip));
}

#[test]
fn an_excluded_address_is_gated_like_the_others() {
    let stage = Stage::new(Flavour::V3);
    let excluded = format!("excluded_addresses = [\"{EXCLUDED}/24\"]");
    let mut b = stage.speaker(&stage.b, 100, &[&excluded, "[router.fence]", "address_lifetime = \"off\""]);
    b.expect(MASTER, is_open);
    until("it answers", || answers(&stage.a, EXCLUDED));
    b.process().signal(libc::SIGSTOP).expect("it runs");
    until("it answers no more", || !answers(&stage.a, EXCLUDED));
    assert!(holds(&stage.b, EXCLUDED) && holds(&stage.b, stage.flavour.vip()), "nobody has taken them away");
}

#[test]
fn with_accept_false_the_gate_ends_the_answers_to_arp_too() {
    let stage = Stage::new(Flavour::V3);
    let vip = stage.flavour.vip();
    let knows = || stage.a.exec(&format!("arping -c 1 -w 1 -I eth0 {vip}")).is_ok();
    let mut b = stage.speaker(&stage.b, 100, &["accept = false", "[router.fence]", "address_lifetime = \"off\""]);
    b.expect(MASTER, is_open);
    until("the rules are set", || b.node().exec("nft list tables").is_ok_and(|all| all.contains("vipwarden_accept")));
    until("its MAC is told", knows);
    assert!(!answers(&stage.a, vip), "and packets are not taken");
    b.process().signal(libc::SIGSTOP).expect("it runs");
    until("nobody tells a MAC", || !knows());
    assert!(holds(&stage.b, vip), "nobody has taken it away");
}

/// What is under way to the address of another host is not this host's.
#[test]
fn a_backup_behind_its_closed_gate_forwards_to_the_holder() {
    let stage = Stage::of(Flavour::V3, &["a", "b", "c"]);
    let client = stage.node("c");
    let a = stage.speaker(&stage.a, 200, &[]);
    a.expect(MASTER, is_open);
    let b = stage.speaker(&stage.b, 100, &[]);
    b.expect("it is backup, and its gate is closed", |router| {
        router["state"] == "backup" && router["fence"]["gate_open"] == false
    });
    stage.b.exec("sysctl -w net.ipv4.ip_forward=1").expect("sysctl");
    client.exec(&format!("ip route add {}/32 via {}", stage.flavour.vip(), stage.b.ipv4())).expect("ip runs");
    let known = format!("ip neigh replace {} lladdr {} dev eth0", client.ipv4(), client.mac());
    stage.a.exec(&known).expect("ip runs");
    // No other way leads there.
    let _cut = Firewall::cut(stage.lab(), "c", "a");
    until("the holder answers", || answers(&client, stage.flavour.vip()));
}
