//! Two speakers and an arbiter: real etcd on a third host.

use vipwarden::sys::clock;
use vipwarden::time::Duration;

use crate::etcd::{Cluster, Site};
use crate::lab::{Firewall, Flavour, Node, Stage, Watch, holds, second, until};
use crate::oracle::Oracle;

/// The key of the router, as `docs/arbiter.md` says.
const KEY: &str = "/vipwarden/10.9.9.100/51";

struct Court {
    stage: Stage,
    etcd: Cluster,
}

impl Court {
    fn new(members: usize) -> Self {
        let stage = Stage::of(Flavour::V3, &["a", "b", "c"]);
        let third = stage.node("c");
        let host = third.ipv4().to_string();
        let etcd = Cluster::start_at(Site { host, command: Box::new(move |program| third.command(program)) }, members);
        Self { stage, etcd }
    }

    fn speaker(&self, node: &Node, priority: u8, more: &str) -> Watch {
        self.stage.speaker(node, priority, &[&self.arbiter(more)])
    }

    fn arbiter(&self, more: &str) -> String {
        self.patient_arbiter("2s", more)
    }

    fn patient_arbiter(&self, wait: &str, more: &str) -> String {
        format!("[arbiter]\netcd = {:?}\nwait = \"{wait}\"\n{more}", self.etcd.urls())
    }

    /// What stands in the register, by one member.
    fn entry(&self, member: usize) -> Option<serde_json::Value> {
        serde_json::from_str(&self.etcd.ctl(&["get", "--print-value-only", KEY], member).ok()?).ok()
    }

    fn holding(&self, node: &Node) -> bool {
        holds(node, self.stage.flavour.vip())
    }
}

fn is_master(router: &serde_json::Value) -> bool {
    router["state"] == "master" && router["arbiter"]["holding"] == true
}

#[test]
fn one_holds_by_the_arbiter_s_leave_and_a_better_one_gets_it_from_hand_to_hand() {
    let mut court = Court::new(1);
    let (node_a, node_b) = (&court.stage.a.clone(), &court.stage.b.clone());
    let b = court.speaker(node_b, 100, "");
    b.expect("it is master by the arbiter's leave", is_master);
    court.stage.expect_holders(false, true);
    let entry = court.entry(0).expect("etcdctl reads it");
    assert_eq!((&entry["node"], &entry["released"]), (&"b".into(), &false.into()), "{entry}");
    assert!(b.metric("vrrp_arbiter_hold_remaining_seconds", &[]) > 0.0);

    // A higher priority preempts, though nobody hears of it before it holds.
    let a = court.speaker(node_a, 200, "");
    a.expect("it is master by the arbiter's leave", is_master);
    b.expect("it is backup", |router| router["state"] == "backup" && router["arbiter"]["holder"] == "a");
    court.stage.expect_holders(true, false);

    let handed = a.ask(&["handover", "web"]).expect("it runs");
    assert!(handed.status.success(), "{handed:?}");
    b.expect("it is master by the arbiter's leave", is_master);
    court.stage.expect_holders(false, true);

    assert_eq!(a.metric("vrrp_fences_total", &["reason=\"arbiter\""]), 0.0);

    // Who has had a lease, and gave it back, is no master without another one.
    court.etcd.kill(0);
    b.expect("it drops", |router| router["state"] == "backup" && router["arbiter"]["up"] == false);
    a.expect("nobody is master", |router| router["verdict"] == "no_master");
    a.expect("it waits", |router| router["state"] == "backup" && router["arbiter"]["trouble"].is_string());
    court.stage.expect_holders(false, false);
    court.etcd.revive(0);
    until("one is master by the arbiter's leave", || {
        [&a, &b].iter().any(|one| one.router(51).is_some_and(|r| is_master(&r)))
    });
}

#[test]
fn without_its_arbiter_a_holder_drops_and_comes_back_with_it() {
    let mut court = Court::new(1);
    let node = court.stage.b.clone();
    let b = court.speaker(&node, 100, "");
    b.expect("it is master by the arbiter's leave", is_master);
    court.etcd.kill(0);
    b.expect("it is no master", |router| router["state"] != "master" && router["arbiter"]["up"] == false);
    until("the address is gone", || !court.holding(&node));
    assert_eq!(b.metric("vrrp_fences_total", &["reason=\"arbiter\""]), 1.0);
    assert_eq!(b.metric("vrrp_arbiter_up", &[]), 0.0);
    let router = b.router(51).expect("it is known");
    assert!(router["arbiter"]["trouble"].as_str().is_some_and(|why| why.contains("http://10.9.9.3:")), "{router}");
    court.etcd.revive(0);
    b.expect("it is master again", is_master);
}

/// Whoever leads etcd dies, again and again: the lease outlives that each time, and nobody else gets it.
#[test]
fn a_holder_goes_on_answering_while_etcd_elects_another_leader() {
    let mut court = Court::new(3);
    let [node_a, node_b, third] = ["a", "b", "c"].map(|name| court.stage.node(name));
    // Twice the usual: on a busy machine etcd takes longer to elect one.
    let patient = court.patient_arbiter("6s", "");
    let a = court.stage.speaker(&node_a, 200, &[&patient]);
    a.expect("it is master by the arbiter's leave", is_master);
    let b = court.stage.speaker(&node_b, 100, &[&patient]);
    b.expect("it is backup", |router| router["state"] == "backup" && router["arbiter"]["holder"] == "a");
    let vip = court.stage.flavour.vip().parse().expect("an address");
    let oracle = Oracle::start(&third, [&node_a, &node_b], vip);
    until("the holder answers", || oracle.answers(0) > 100);
    for _ in 0..2 {
        let leader = court.etcd.leader();
        court.etcd.kill(leader);
        let counter = |member| court.entry(member).and_then(|entry| entry["counter"].as_u64()).unwrap_or(0);
        let left = (leader + 1) % 3;
        let mut before = 0;
        until("another one leads", || {
            before = counter(left);
            before > 0
        });
        until("it renews its lease", || counter(left) > before + 2);
        court.etcd.revive(leader);
        court.etcd.wait_for_leader();
    }
    a.expect("it is master", is_master);
    assert_eq!(a.metric("vrrp_state_transitions_total", &["to=\"master\""]), 1.0);
    assert_eq!(a.metric("vrrp_fences_total", &["reason=\"arbiter\""]), 0.0);
    assert_eq!(oracle.stop().first(1), None, "the other one answered");
}

#[test]
fn an_arbiter_that_is_to_be_ignored_is_missed_with_an_alarm_and_obeyed_again() {
    let mut court = Court::new(1);
    let (node_a, node_b) = (court.stage.a.clone(), court.stage.b.clone());
    let b = court.speaker(&node_b, 100, "unreachable = \"ignore\"\n");
    b.expect("it is master by the arbiter's leave", is_master);
    court.etcd.kill(0);
    b.expect("it is ignored", |router| router["arbiter"]["ignored"] == true);
    assert!(court.holding(&node_b));
    assert!(b.get("/api/v1/events").expect("events").contains("two nodes may hold"));
    // Plain VRRP meanwhile.
    let a = court.speaker(&node_a, 200, "unreachable = \"ignore\"\n");
    a.expect("it preempts", |router| router["state"] == "master" && router["arbiter"]["ignored"] == true);
    b.expect("it is backup", |router| router["state"] == "backup");
    court.etcd.revive(0);
    a.expect("it is master by the arbiter's leave", |router| {
        is_master(router) && router["arbiter"]["ignored"] == false
    });
    court.stage.expect_holders(true, false);
}

#[test]
fn while_every_peer_promises_to_take_nothing_a_holder_outlasts_its_arbiter_and_no_longer() {
    let mut court = Court::new(1);
    let [node_a, node_b, third] = ["a", "b", "c"].map(|name| court.stage.node(name));
    second::join(&node_a, &node_b);
    let council = court.arbiter("unreachable = \"hold-if-unanimous\"\n");
    let a = court.stage.asking_speaker(&node_a, 200, &[&council]);
    a.expect("it is master by the arbiter's leave", is_master);
    let mut b = court.stage.asking_speaker(&node_b, 100, &[&council]);
    b.expect("it is backup", |router| router["state"] == "backup" && router["arbiter"]["holder"] == "a");
    let trusts = |watch: &Watch| watch.status().is_ok_and(|status| status["peers"][0]["trusted"] == true);
    until("each trusts the other's reports", || trusts(&a) && trusts(&b));

    let vip = court.stage.flavour.vip().parse().expect("an address");
    let oracle = Oracle::start(&third, [&node_a, &node_b], vip);
    until("the holder answers", || oracle.answers(0) > 100);
    court.etcd.kill(0);
    let promised = |router: &serde_json::Value| router["arbiter"]["promised"] == true && is_master(router);
    a.expect("it holds on", |router| promised(router) && router["arbiter"]["up"] == false);
    // Five times as long as a lease lasts.
    let heard = Firewall::count_adverts(court.stage.lab(), "a");
    until("it has gone on", || heard.counted() > 100);
    a.expect("it holds on", promised);
    assert!(a.get("/api/v1/events").expect("events").contains("every peer promises"));
    assert_eq!(a.metric("vrrp_fences_total", &["reason=\"arbiter\""]), 0.0);

    court.etcd.revive(0);
    a.expect("it has a lease again", |router| is_master(router) && router["arbiter"]["promised"] == false);

    court.etcd.kill(0);
    a.expect("it holds on", promised);
    b.process().signal(libc::SIGSTOP).expect("it runs");
    a.expect("who says nothing has promised nothing", |router| router["state"] != "master");
    until("the address is gone", || !court.holding(&node_a));
    assert_eq!(a.metric("vrrp_fences_total", &["reason=\"arbiter\""]), 1.0);
    let resumed = clock::now();
    b.process().signal(libc::SIGCONT).expect("it is there");
    court.etcd.revive(0);
    a.expect("it is master by the arbiter's leave", is_master);
    let record = oracle.stop();
    // Nobody holds when etcd is back: the other one may be the first to ask it.
    assert!(record.first(1).is_none_or(|at| at > resumed), "the other one answered");
    assert_eq!(record.overlap(..), Duration::ZERO, "both answered");
}

/// A host that asks every millisecond hears the old holder for the last time before it hears the next one for the first time.
fn the_old_one_is_silent_before_the_next_one_answers(signal: i32) {
    let court = Court::new(1);
    let [node_a, node_b, third] = ["a", "b", "c"].map(|name| court.stage.node(name));
    let lasting = ["[router.fence]", "address_lifetime = \"off\"", &court.arbiter("")];
    let mut a = court.stage.speaker(&node_a, 200, &lasting);
    a.expect("it is master, and its gate is open", |router| is_master(router) && router["fence"]["gate_open"] == true);
    let b = court.speaker(&node_b, 100, "");
    b.expect("it is backup", |router| router["state"] == "backup" && router["arbiter"]["holder"] == "a");
    let vip = court.stage.flavour.vip().parse().expect("an address");
    let oracle = Oracle::start(&third, [&node_a, &node_b], vip);
    until("the holder answers", || oracle.answers(0) > 100);
    assert_eq!(oracle.answers(1), 0);
    a.process().signal(signal).expect("it runs");
    until("the next one answers", || oracle.answers(1) > 100);
    assert!(court.holding(&node_a), "nobody has taken the address from the old one: it is the kernel that is silent");
    if signal == libc::SIGSTOP {
        a.process().signal(libc::SIGCONT).expect("it is there");
        a.expect("it has noticed", |router| router["state"] == "backup");
        until("it drops the address", || !court.holding(&node_a));
    }
    let record = oracle.stop();
    let (last, first) = (record.last(0).expect("it answered"), record.first(1).expect("it answers"));
    assert!(last < first, "both have answered, for {:?}", record.overlap(..));
}

#[test]
fn a_killed_holder_is_silent_before_the_next_one_answers() {
    the_old_one_is_silent_before_the_next_one_answers(libc::SIGKILL);
}

#[test]
fn a_frozen_holder_is_silent_before_the_next_one_answers_and_stays_so_when_it_goes_on() {
    the_old_one_is_silent_before_the_next_one_answers(libc::SIGSTOP);
}

#[test]
fn where_no_gate_ends_the_lease_the_status_says_that_two_holders_are_not_ruled_out() {
    let court = Court::new(1);
    let node = court.stage.b.clone();
    let b = court.stage.speaker(&node, 100, &["[router.fence]", "gate = false", &court.arbiter("")]);
    b.expect("it says so", |router| {
        is_master(router) && router["fence"]["gate_lacks"].as_str().is_some_and(|why| why.contains("not ruled out"))
    });
}
