//! What an operator may wish of a router beyond the protocol: delays, and giving up where the network is broken.

use jiff::Timestamp;
use serde_json::Value;
use vipwarden::sys::clock;

use crate::lab::{Firewall, Flavour, Keepalived, Stage, Watch, until};

const MASTER: &str = "it is master";
const BACKUP: &str = "it is backup";

fn is(state: &'static str) -> impl Fn(&Value) -> bool {
    move |router| router["state"] == state && router["verdict"] == "healthy"
}

/// When it first entered a state.
fn entered(vipwarden: &Watch, state: &str) -> Timestamp {
    let events: Value = serde_json::from_str(&vipwarden.get("/api/v1/events").expect("it answers")).expect("JSON");
    let found = events.as_array().expect("a list").iter().find(|event| event["to"] == state);
    let at = found.and_then(|event| event["at"].as_str()?.parse().ok());
    at.unwrap_or_else(|| panic!("it was never {state}: {events:#}"))
}

/// RFC 9568 has a backup wait Master_Down_Interval at its start, which is 0.4 s here.
#[test]
fn with_startup_delay_it_only_listens_for_so_long() {
    let stage = Stage::new(Flavour::V3);
    let started = clock::now();
    let vipwarden = stage.speaker(&stage.b, 200, &["startup_delay = \"3s\""]);
    vipwarden.expect(MASTER, is("master"));
    let waited = clock::now().since(started);
    assert!(waited.as_secs() >= 3, "{waited:?}");
    let events = vipwarden.get("/api/v1/events").expect("it answers");
    assert!(events.contains("the startup delay is over"), "{events}");
}

#[test]
fn with_preempt_delay_it_leaves_a_lower_keepalived_alone_for_so_long() {
    // At an interval by which a keepalived that waits for a core has not fallen silent.
    let stage = Stage::new(Flavour::V2);
    let _keepalived = Keepalived::start(&stage.a, &stage.instance(&stage.a, 100)).expect("keepalived starts");
    stage.expect_holders(true, false);
    let vipwarden = stage.speaker(&stage.b, 200, &["preempt_delay = \"3s\""]);
    vipwarden.expect(MASTER, is("master"));
    let waited = entered(&vipwarden, "master").duration_since(entered(&vipwarden, "backup"));
    assert!(waited.as_secs_f64() >= 3.0, "{waited}");
    stage.expect_holders(false, true);
}

#[test]
fn preempt_delay_puts_off_no_takeover_from_one_that_ends() {
    let stage = Stage::new(Flavour::V3);
    let mut keepalived = Keepalived::start(&stage.a, &stage.instance(&stage.a, 100)).expect("keepalived starts");
    stage.expect_holders(true, false);
    let vipwarden = stage.speaker(&stage.b, 200, &["preempt_delay = \"15m\""]);
    vipwarden.expect(BACKUP, is("backup"));
    keepalived.stop().expect("keepalived stops");
    vipwarden.expect(MASTER, is("master"));
}

/// The one that is cut off from everybody drops; the one that still reaches the witness serves.
#[test]
fn with_on_isolation_a_node_that_reaches_neither_peer_nor_witness_drops_and_comes_back() {
    let stage = Stage::of(Flavour::V3, &["a", "b", "c"]);
    let peer = format!("[[peer]]\nname = \"b\"\naddress = \"{}\"", stage.b.ipv4());
    let witness = format!("[[witness]]\nname = \"c\"\naddress = \"{}\"", stage.node("c").ipv4());
    let fence = "[router.fence]\non_isolation = true\nisolation_time = \"1s\"";
    let a = stage.speaker(&stage.a, 200, &[fence, &peer, &witness]);
    a.expect(MASTER, is("master"));
    let b = stage.speaker(&stage.b, 100, &[]);
    b.expect(BACKUP, is("backup"));
    until("the witness answers", || a.metric("vrrp_witness_up", &[]) == 1.0);
    let cuts = [("a", "b"), ("b", "a"), ("a", "c"), ("c", "a")];
    let cuts = cuts.map(|(from, to)| Firewall::cut(stage.lab(), from, to));
    a.expect("it is fenced", |router| router["state"] == "fenced");
    stage.expect_holders(false, true);
    assert_eq!(a.metric("vrrp_fences_total", &["reason=\"isolation\""]), 1.0);
    cuts.into_iter().for_each(Firewall::heal);
    a.expect("it is master again", is("master"));
    b.expect(BACKUP, is("backup"));
    stage.expect_holders(true, false);
}

/// The lower one is deaf, so it would never stop by itself: the better one gives way, and one holder is left.
#[test]
fn with_informed_yield_a_master_gives_way_to_a_lower_one_that_does_not_hear_it() {
    let stage = Stage::new(Flavour::V3);
    let peer = format!("[[peer]]\nname = \"b\"\naddress = \"{}\"", stage.b.ipv4());
    let a = stage.speaker(&stage.a, 200, &["[router.fence]", "informed_yield = 5", &peer]);
    a.expect(MASTER, is("master"));
    let b = stage.speaker(&stage.b, 100, &[]);
    b.expect(BACKUP, is("backup"));
    let cut = Firewall::cut(stage.lab(), "a", "b");
    stage.expect_holders(false, true);
    let source = stage.b.ipv4();
    a.expect("it follows the lower one", |router| {
        router["state"] == "backup" && router["masters"] == serde_json::json!([source])
    });
    assert_eq!(a.metric("vrrp_fences_total", &[]), 0.0, "it gave up mastership, not the service");
    cut.heal();
}
