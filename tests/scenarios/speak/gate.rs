//! The kernel gate: who is killed or frozen answers no client any more, before the next one does.

use std::process::Command;

use crate::lab::{Flavour, Injector, Keepalived, Stage, until};

/// Each with adverts and addresses of its own kind.
const KINDS: [Flavour; 5] = [Flavour::V3, Flavour::Vmac, Flavour::V6, Flavour::Unicast, Flavour::UnicastV6];
const MASTER: &str = "it is master, and its gate is open";

fn is_open(router: &serde_json::Value) -> bool {
    router["state"] == "master" && router["fence"]["gate_open"] == true
}

/// Whether a host that knows no MAC yet gets an answer.
fn ask(stage: &Stage, from: &crate::lab::Node) -> bool {
    from.exec("ip neigh flush all").expect("ip runs");
    from.exec(&format!("ping -c 1 -W 0.2 {}", stage.flavour.vip())).is_ok()
}

/// Row 14 and 15 of the faults, for each way to die or to sleep.
fn silent_before_the_next_one_answers(flavour: Flavour, signal: i32) {
    let stage = Stage::new(flavour);
    let mut first = stage.speaker(&stage.b, 200, &[]);
    first.expect(MASTER, is_open);
    assert_eq!(first.metric("vrrp_gate_open", &[]), 1.0);
    first.process().signal(signal).expect("it runs");
    let a = stage.a.clone();
    until("nobody answers, though the address may be there", || !ask(&stage, &a));
    if signal == libc::SIGSTOP {
        first.process().signal(libc::SIGCONT).expect("it is there");
        first.expect(MASTER, is_open);
        until("it answers again", || ask(&stage, &a));
        until("the kernel's fence is counted", || first.metric("vrrp_fences_total", &["reason=\"kernel\""]) >= 1.0);
    }
}

#[test]
fn a_killed_master_falls_silent_by_itself() {
    for flavour in KINDS {
        silent_before_the_next_one_answers(flavour, libc::SIGKILL);
    }
}

#[test]
fn a_frozen_master_falls_silent_and_answers_again_when_it_goes_on() {
    for flavour in KINDS {
        silent_before_the_next_one_answers(flavour, libc::SIGSTOP);
    }
}

#[test]
fn a_clean_end_leaves_no_table_and_a_killed_one_is_cleaned_up_by_hand() {
    let stage = Stage::new(Flavour::V3);
    let mut first = stage.speaker(&stage.b, 100, &["vmac = true"]);
    first.expect(MASTER, is_open);
    let tables = || stage.b.exec("nft list tables").expect("nft runs");
    assert!(tables().contains("vipwarden_gate"));
    first.process().stop().expect("it ends");
    assert!(!tables().contains("vipwarden_gate"), "{}", tables());
    drop(first);
    let mut second = stage.speaker(&stage.b, 100, &["vmac = true"]);
    second.expect(MASTER, is_open);
    second.process().signal(libc::SIGKILL).expect("it runs");
    second.process().wait(crate::lab::PATIENCE).expect("it dies");
    assert!(tables().contains("vipwarden_gate"), "the kernel keeps it");
    let config = stage.b.scratch().expect("a directory").join("vipwarden.toml");
    let mut command: Command = stage.b.command(crate::lab::vipwarden());
    command.args(["clean-up", "--config"]).arg(config);
    command.arg("--control").arg(stage.b.scratch().expect("a directory").join("control.sock"));
    let cleaned = command.output().expect("it runs");
    assert!(cleaned.status.success(), "{}", String::from_utf8_lossy(&cleaned.stderr));
    assert!(!tables().contains("vipwarden_gate"));
    let left = stage.b.exec("ip -o addr show").expect("ip runs");
    assert!(!left.contains(&format!(" {}/", stage.flavour.vip())) && !left.contains("vw4."), "{left}");
}

/// A keepalived takes over from a killed one, and is the only one to answer.
#[test]
fn keepalived_takes_over_from_a_killed_one_whose_address_is_still_there() {
    let stage = Stage::new(Flavour::V3);
    let mut first = stage.speaker(&stage.b, 200, &["[router.fence]", "address_lifetime = \"off\""]);
    first.expect(MASTER, is_open);
    let _keepalived = Keepalived::start(&stage.a, &stage.instance(&stage.a, 100)).expect("keepalived starts");
    first.process().signal(libc::SIGKILL).expect("it runs");
    stage.expect_holders(true, true);
    let seen_from_b = stage.flavour.vip();
    let frames = stage.a.exec(&format!("arping -D -c 3 -w 2 -I eth0 {seen_from_b}"));
    assert!(frames.is_ok(), "nobody else answers for it: {frames:?}");
}

/// A forged advert must not become a switch to turn the service off.
#[test]
fn a_forged_better_advert_of_no_configured_peer_leaves_the_gate_open() {
    let stage = Stage::new(Flavour::V3);
    let address = format!("address = \"{}\"", stage.a.ipv4());
    let only = ["only_known_speakers = true", "[[peer]]", "name = \"a\"", &address];
    let vipwarden = stage.speaker(&stage.b, 100, &only);
    vipwarden.expect(MASTER, is_open);
    let forged = crate::lab::Advert {
        priority: 254,
        ..crate::lab::Advert::from_host(66, 51, vec![crate::lab::VIP.parse().expect("an address")])
    };
    let mut injector = Injector::open(&stage.a);
    until("the stranger raises an alarm", || {
        injector.send(&forged.frame());
        vipwarden.get("/api/v1/events").expect("it answers").contains("10.9.9.66")
    });
    assert!(ask(&stage, &stage.a));
    vipwarden.expect(MASTER, is_open);
}
