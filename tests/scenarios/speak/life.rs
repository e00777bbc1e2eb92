//! Starts, ends and the operator's hand.

use vipwarden::wire::MacAddr;
use vipwarden::wire::frame::gratuitous_arp;

use crate::lab::{Flavour, INTERFACE, Injector, Keepalived, Recording, Stage, holds, until};

const MASTER: &str = "it is master";
const BACKUP: &str = "it is backup";

#[test]
fn what_a_killed_one_left_behind_is_removed_at_the_next_start() {
    let stage = Stage::new(Flavour::V3);
    let mut first = stage.speaker(&stage.b, 100, &[]);
    first.expect(MASTER, |router| router["state"] == "master");
    first.process().signal(libc::SIGKILL).expect("it runs");
    first.process().wait(crate::lab::PATIENCE).expect("it dies");
    assert!(holds(&stage.b, stage.flavour.vip()), "it could not clear up");
    let _keepalived = Keepalived::start(&stage.a, &stage.instance(&stage.a, 200)).expect("keepalived starts");
    stage.expect_holders(true, true);
    let second = stage.speaker(&stage.b, 100, &[]);
    stage.expect_holders(true, false);
    second.expect(BACKUP, |router| router["state"] == "backup" && router["verdict"] == "healthy");
}

#[test]
fn an_address_that_somebody_deletes_is_claimed_again() {
    let stage = Stage::new(Flavour::V3);
    let vipwarden = stage.speaker(&stage.b, 100, &[]);
    vipwarden.expect(MASTER, |router| router["state"] == "master");
    stage.expect_holders(false, true);
    stage.b.exec(&format!("ip addr del {}/24 dev {INTERFACE}", stage.flavour.vip())).expect("it is there");
    until("the loss is told", || events(&vipwarden).contains("took an address of web away"));
    stage.expect_holders(false, true);
    assert_eq!(vipwarden.router(51).expect("it is known")["state"], "master");
}

/// Invariant 2: RFC 9568 §6.4.1 has a router advertise before its addresses are there; this one never does.
#[test]
fn while_the_kernel_refuses_an_address_no_advert_above_priority_0_leaves() {
    let stage = Stage::new(Flavour::V6);
    let mut recording = Recording::start(&stage.b);
    let mut keepalived = Keepalived::start(&stage.a, &stage.instance(&stage.a, 200)).expect("keepalived starts");
    let vipwarden = stage.speaker(&stage.b, 100, &[]);
    vipwarden.expect(BACKUP, |router| router["state"] == "backup" && router["verdict"] == "healthy");
    // A duplicate, for the master has it too: there, and not usable.
    stage.b.exec(&format!("sysctl -w net.ipv6.conf.{INTERFACE}.accept_dad=1")).expect("sysctl");
    stage.b.exec(&format!("ip addr add {}/64 dev {INTERFACE}", stage.flavour.vip())).expect("it is not there yet");
    until("the address is found a duplicate", || {
        stage.b.exec("ip -6 addr show").expect("ip lists addresses").contains("dadfailed")
    });
    keepalived.stop().expect("keepalived stops");
    // Giving up, it takes away what is in its way, and its next attempt succeeds.
    vipwarden.expect(MASTER, |router| router["state"] == "master" && router["verdict"] == "healthy");
    let events: serde_json::Value = serde_json::from_str(&events(&vipwarden)).expect("JSON");
    let fault = events.as_array().expect("a list").iter().find(|event| event["to"] == "fault").expect("it was refused");
    assert!(fault["reason"].as_str().is_some_and(|why| why.contains("duplicate detection")), "{fault}");
    let refused: jiff::Timestamp = fault["at"].as_str().and_then(|at| at.parse().ok()).expect("a date");
    let own = format!("vrrp.prio > 0 && eth.src == {}", stage.b.mac());
    let first = recording.packets(&own, &["frame.time_epoch"]).first().and_then(|at| at.parse::<f64>().ok());
    assert!(first.expect("it advertises") > refused.as_millisecond() as f64 / 1e3, "{first:?}, {refused}");
}

#[test]
fn a_fence_by_hand_is_refused_without_a_successor_and_outlives_a_restart() {
    let stage = Stage::new(Flavour::V3);
    let mut vipwarden = stage.speaker(&stage.b, 100, &[]);
    vipwarden.expect(MASTER, |router| router["state"] == "master");
    let refused = vipwarden.ask(&["fence", "web"]).expect("it runs");
    assert_eq!(refused.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&refused.stderr).contains("--force"));
    let fenced = vipwarden.ask(&["fence", "web", "--force"]).expect("it runs");
    assert!(fenced.status.success(), "{fenced:?}");
    stage.expect_holders(false, false);
    vipwarden.expect("it is fenced", |router| router["state"] == "fenced" && router["fence"]["fenced"] == true);
    assert_eq!(vipwarden.metric("vrrp_fences_total", &["reason=\"operator\""]), 1.0);
    until("the fence was timed", || vipwarden.metric("vrrp_fence_duration_seconds_count", &[]) == 1.0);
    vipwarden.process().stop().expect("it ends");
    drop(vipwarden);
    let vipwarden = stage.speaker(&stage.b, 100, &[]);
    vipwarden.expect("it is fenced still", |router| router["state"] == "fenced");
    assert!(vipwarden.ask(&["unfence", "web"]).expect("it runs").status.success());
    vipwarden.expect(MASTER, |router| router["state"] == "master");
    assert_eq!(vipwarden.ask(&["unfence", "web"]).expect("it runs").status.code(), Some(1), "it is not fenced");
}

#[test]
fn a_handover_gives_mastership_to_a_lower_router_that_keeps_it() {
    let stage = Stage::new(Flavour::V3);
    let a = stage.speaker(&stage.a, 200, &[]);
    let b = stage.speaker(&stage.b, 100, &[]);
    a.expect(MASTER, |router| router["state"] == "master");
    b.expect(BACKUP, |router| router["state"] == "backup" && router["verdict"] == "healthy");
    assert!(a.ask(&["handover", "web"]).expect("it runs").status.success());
    stage.expect_holders(false, true);
    a.expect(BACKUP, |router| router["state"] == "backup" && router["verdict"] == "healthy");
    assert_eq!(a.ask(&["handover", "web"]).expect("it runs").status.code(), Some(1), "it is not master");
}

#[test]
fn a_reload_keeps_mastership_where_it_can_and_says_where_it_starts_anew() {
    let stage = Stage::new(Flavour::V3);
    let vipwarden = stage.speaker(&stage.b, 100, &[]);
    vipwarden.expect(MASTER, |router| router["state"] == "master");
    stage.rewrite(&stage.b, 150, &[]);
    let kept = vipwarden.ask(&["reload"]).expect("it runs");
    assert!(kept.status.success() && !String::from_utf8_lossy(&kept.stdout).contains("anew"), "{kept:?}");
    vipwarden.expect("its priority is the new one", |router| router["priority"]["effective"] == 150);
    assert_eq!(vipwarden.metric("vrrp_state_transitions_total", &["to=\"master\""]), 1.0);
    stage.rewrite(&stage.b, 150, &["vmac = true"]);
    let anew = vipwarden.ask(&["reload"]).expect("it runs");
    assert!(String::from_utf8_lossy(&anew.stdout).contains("web starts anew, for its vmac changed"), "{anew:?}");
    until("the virtual MAC is there", || on_vmac(&stage));
    vipwarden.expect(MASTER, |router| router["state"] == "master");
}

fn on_vmac(stage: &Stage) -> bool {
    let links = stage.b.exec("ip -o addr show").expect("ip lists addresses");
    links.lines().any(|line| line.contains(" vw4.") && line.contains(stage.flavour.vip()))
}

#[test]
fn the_end_takes_the_virtual_mac_away_and_puts_settings_back() {
    let stage = Stage::new(Flavour::Vmac);
    let read = || stage.b.exec(&format!("sysctl -n net.ipv4.conf.{INTERFACE}.arp_ignore")).expect("sysctl");
    let before = read();
    let mut vipwarden = stage.speaker(&stage.b, 100, &[]);
    vipwarden.expect(MASTER, |router| router["state"] == "master");
    until("the address is on the macvlan", || on_vmac(&stage));
    assert_ne!(read(), before);
    vipwarden.process().stop().expect("it ends");
    assert_eq!(read(), before);
    assert!(!stage.b.exec("ip link").expect("ip lists links").contains("vw4."));
}

#[test]
fn another_daemon_for_the_same_router_on_this_host_is_an_alarm() {
    let stage = Stage::new(Flavour::V3);
    let vipwarden = stage.speaker(&stage.b, 100, &[]);
    vipwarden.expect(MASTER, |router| router["state"] == "master");
    let _keepalived = Keepalived::start(&stage.b, &stage.instance(&stage.b, 200)).expect("keepalived starts");
    until("the other daemon is named", || events(&vipwarden).contains("another VRRP daemon on this host"));
}

fn events(vipwarden: &crate::lab::Watch) -> String {
    vipwarden.get("/api/v1/events").expect("it answers")
}

#[test]
fn what_is_tracked_moves_the_priority_and_every_change_is_told_in_order() {
    let stage = Stage::new(Flavour::V3);
    let scratch = stage.b.scratch().expect("a scratch directory");
    let (drain, told) = (scratch.join("drain"), scratch.join("told"));
    std::fs::write(&told, "").expect("a file");
    stage.b.exec(&format!("chmod 666 {}", told.display())).expect("it is there");
    let command = format!("[\"/bin/sh\", \"-c\", 'echo \"$@\" >> {}', \"sh\"]", told.display());
    let notify = format!("notify = {{ master = {command}, backup = {command}, stop = {command} }}");
    let track = format!("track = [{{ file = \"{}\", weight = -150 }}]", drain.display());
    let _keepalived = Keepalived::start(&stage.a, &stage.instance(&stage.a, 100)).expect("keepalived starts");
    let mut vipwarden = stage.speaker(&stage.b, 200, &[&notify, &track]);
    stage.expect_holders(false, true);
    std::fs::write(&drain, "").expect("a file");
    stage.expect_holders(true, false);
    vipwarden.expect(BACKUP, |router| router["state"] == "backup" && router["priority"]["effective"] == 50);
    std::fs::remove_file(&drain).expect("it is there");
    stage.expect_holders(false, true);
    vipwarden.process().stop().expect("it ends");
    let lines = std::fs::read_to_string(&told).expect("a file");
    let states: Vec<_> = lines.lines().filter_map(|line| line.split(' ').nth(2)).collect();
    assert_eq!(states, ["BACKUP", "MASTER", "BACKUP", "MASTER", "STOP"], "{lines}");
}

/// keepalived's `track_file` beside ours: of two nodes, both with the same file, each adds what stands in it.
#[test]
fn a_number_in_a_file_moves_the_priority_as_keepalived_s_track_file_does() {
    let stage = Stage::new(Flavour::V3);
    let file = |node: &crate::lab::Node| node.scratch().expect("a scratch directory").join("adjust");
    let (theirs, ours) = (file(&stage.a), file(&stage.b));
    let say = |file: &std::path::Path, number: i16| std::fs::write(file, format!("{number}\n")).expect("a file");
    say(&theirs, 0);
    let mut instance = stage.instance(&stage.a, 150);
    instance.blocks.push(format!("track_file adjust {{\nfile \"{}\"\nweight 1\n}}", theirs.display()));
    instance.lines.push("track_file {\nadjust\n}".into());
    let _keepalived = Keepalived::start(&stage.a, &instance).expect("keepalived starts");
    let track = format!("track = [{{ number = \"{}\", weight = 1 }}]", ours.display());
    let vipwarden = stage.speaker(&stage.b, 100, &[&track]);
    vipwarden.expect(BACKUP, |router| router["state"] == "backup" && router["priority"]["effective"] == 100);
    say(&ours, 100);
    stage.expect_holders(false, true);
    vipwarden.expect(MASTER, |router| router["state"] == "master" && router["priority"]["effective"] == 200);
    say(&theirs, 100);
    stage.expect_holders(true, false);
    say(&theirs, -200);
    stage.expect_holders(false, true);
    say(&ours, -254);
    vipwarden.expect("it is at fault", |router| router["state"] == "fault" && router["tracks"][0]["up"] == false);
    stage.expect_holders(true, false);
}

#[test]
fn an_owner_is_master_at_once_and_its_addresses_are_never_touched() {
    let stage = Stage::new(Flavour::V3);
    stage.b.exec(&format!("ip addr add {}/24 dev {INTERFACE}", stage.flavour.vip())).expect("it is not there yet");
    let mut vipwarden = stage.speaker(&stage.b, 255, &[]);
    vipwarden.expect(MASTER, |router| router["state"] == "master" && router["verdict"] == "healthy");
    vipwarden.process().stop().expect("it ends");
    assert!(holds(&stage.b, stage.flavour.vip()), "it is the host's own");
    drop(vipwarden);
    stage.b.exec(&format!("ip addr del {}/24 dev {INTERFACE}", stage.flavour.vip())).expect("it is there");
    let vipwarden = stage.speaker(&stage.b, 255, &[]);
    vipwarden.expect("it can't serve", |router| router["state"] == "fault");
    stage.b.exec(&format!("ip addr add {}/24 dev {INTERFACE}", stage.flavour.vip())).expect("it is not there");
    vipwarden.expect(MASTER, |router| router["state"] == "master");
}

#[test]
fn an_interface_that_goes_down_and_comes_back_is_a_fault_meanwhile() {
    let stage = Stage::new(Flavour::V3);
    let vipwarden = stage.speaker(&stage.b, 100, &[]);
    vipwarden.expect(MASTER, |router| router["state"] == "master");
    stage.b.exec(&format!("ip link set {INTERFACE} down")).expect("it is there");
    vipwarden.expect("it can't serve", |router| router["state"] == "fault");
    stage.expect_holders(false, false);
    stage.b.exec(&format!("ip link set {INTERFACE} up")).expect("it is there");
    vipwarden.expect(MASTER, |router| router["state"] == "master");
    stage.expect_holders(false, true);
}

#[test]
fn what_somebody_else_announces_is_announced_again() {
    let stage = Stage::new(Flavour::V3);
    let vipwarden = stage.speaker(&stage.b, 100, &["garp = { repeat = 1, delay = \"0s\" }"]);
    vipwarden.expect(MASTER, |router| router["state"] == "master");
    until("it has announced", || vipwarden.metric("vrrp_garp_sent_total", &[]) == 1.0);
    let vip = stage.flavour.vip().parse().expect("an address");
    let [request, _] = gratuitous_arp(MacAddr::new(2, 0, 0, 0xf0, 0, 7), vip);
    Injector::open(&stage.a).send(&request);
    until("it announces again", || vipwarden.metric("vrrp_garp_sent_total", &[]) == 2.0);
}

#[test]
fn a_router_that_is_only_watched_after_a_reload_lets_go() {
    let stage = Stage::new(Flavour::V3);
    let vipwarden = stage.speaker(&stage.b, 100, &[]);
    vipwarden.expect(MASTER, |router| router["state"] == "master");
    let watched = "[[router]]\nname = \"web\"\ninterface = \"eth0\"\nvrid = 51\naddresses = [\"10.9.9.100/24\"]\n";
    crate::lab::Daemon::configure(&stage.b, watched).expect("the file is written");
    assert!(vipwarden.ask(&["reload"]).expect("it runs").status.success());
    stage.expect_holders(false, false);
    vipwarden.expect("it watches", |router| router["mode"] == "watch" && router["state"] == "init");
}

#[test]
fn without_the_right_to_have_addresses_it_refuses_to_start_and_names_it() {
    let stage = Stage::new(Flavour::V3);
    stage.rewrite(&stage.b, 100, &[]);
    let config = stage.b.scratch().expect("a scratch directory").join("vipwarden.toml");
    let program = crate::lab::vipwarden().display();
    let control = config.with_file_name("control.sock");
    let line = format!(
        "setpriv --bounding-set=-net_admin --inh-caps=-net_admin {program} run --config {} --control {} --listen 127.0.0.1:10112",
        config.display(),
        control.display()
    );
    let refused = stage.b.exec(&line).expect_err("it can't do its work");
    assert!(refused.to_string().contains("CAP_NET_ADMIN"), "{refused}");
}

/// RFC 9568 §6.1, Accept_Mode.
#[test]
fn with_accept_false_it_answers_arp_for_the_address_and_nothing_else() {
    let stage = Stage::new(Flavour::V3);
    let ping = |node: &crate::lab::Node| node.exec(&format!("ping -c 1 -W 1 {}", stage.flavour.vip()));
    let mut vipwarden = stage.speaker(&stage.b, 100, &[]);
    vipwarden.expect(MASTER, |router| router["state"] == "master");
    ping(&stage.a).expect("accept is true by default");
    vipwarden.process().stop().expect("it ends");
    drop(vipwarden);
    let mut vipwarden = stage.speaker(&stage.b, 100, &["accept = false"]);
    vipwarden.expect(MASTER, |router| router["state"] == "master");
    let rules = || stage.b.exec("nft list tables").expect("nft lists tables");
    until("the rules are set", || rules().contains("vipwarden_accept"));
    ping(&stage.a).expect_err("no packet for the address is taken");
    let neighbours = stage.a.exec("ip neigh show").expect("ip lists neighbours");
    let learned = |line: &str| line.starts_with(stage.flavour.vip()) && line.contains(&stage.b.mac());
    assert!(neighbours.lines().any(learned), "{neighbours}");
    vipwarden.process().stop().expect("it ends");
    assert!(!rules().contains("vipwarden_accept"));
}
