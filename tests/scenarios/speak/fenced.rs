//! A router that an operator has fenced, and whose configuration is not its peer's: it holds nothing, and is no master of any kind. That the
//! two will refuse each other once it is back is what both nodes say.

use serde_json::Value;

use crate::lab::{Firewall, Flavour, Stage, Watch, any_of, second, until, verdict};

/// Says it, and nothing else: a split, a silent master or a stray address are all false.
fn says_only(router: &Value, cause: &str) -> bool {
    verdict(router) == "degraded" && router["causes"] == serde_json::json!([cause])
}

fn fence(watch: &Watch) {
    let fenced = watch.ask(&["fence", "web", "--force"]).expect("it runs");
    assert!(fenced.status.success(), "{fenced:?}");
    watch.expect("it is fenced", |router| router["state"] == "fenced");
}

/// `b` is fenced, and then told something else than `a`.
fn a_fenced_backup(flavour: Flavour, cause: &str, [at_a, at_b]: [&str; 2]) {
    let stage = Stage::new(flavour);
    second::join(&stage.a, &stage.b);
    let a = stage.asking_speaker(&stage.a, 200, &[at_a]);
    stage.expect_holders(true, false);
    let mut b = stage.asking_speaker(&stage.b, 100, &[at_a]);
    b.expect("it is backup", |router| router["state"] == "backup" && verdict(router) == "healthy");
    fence(&b);
    b.process().stop().expect("it ends");
    drop(b);
    let mut b = stage.asking_speaker(&stage.b, 100, &[at_b]);
    let on_b = b.expect("it names what its peer will refuse", |r| r["state"] == "fenced" && says_only(r, cause));
    assert_eq!(on_b["findings"][0]["node"], "b", "{on_b:#}");
    let on_a = a.expect("it has its peer's word", |r| r["state"] == "master" && says_only(r, cause));
    assert_eq!(on_a["findings"][0]["node"], "b", "{on_a:#}");
    stage.expect_holders(true, false);
    expect_no_split(&[&a, &b]);

    b.process().stop().expect("it ends");
    drop(b);
    let b = stage.asking_speaker(&stage.b, 100, &[at_a]);
    b.expect("it has nothing to say", |router| router["state"] == "fenced" && verdict(router) == "healthy");
    a.expect("it has nothing to say", |router| verdict(router) == "healthy");
    assert!(b.ask(&["unfence", "web"]).expect("it runs").status.success());
    b.expect("it is backup", |router| router["state"] == "backup" && verdict(router) == "healthy");
}

fn expect_no_split(watches: &[&Watch]) {
    for watch in watches {
        let events = watch.get("/api/v1/events").expect("events are served");
        assert!(!events.contains("split_brain") && !events.contains("muted_master"), "{events}");
    }
}

#[test]
fn fault_5_a_fenced_backup_with_another_list_of_addresses_is_no_split_and_both_nodes_name_the_lists() {
    let list = |more: &str| format!("addresses = [\"10.9.9.100/24\"{more}]");
    a_fenced_backup(Flavour::V3, "addresses_mismatch", [&list(""), &list(", \"10.9.9.101/24\"")]);
}

#[test]
fn fault_8_a_fenced_backup_of_another_version_is_no_split_and_both_nodes_name_the_versions() {
    a_fenced_backup(Flavour::V3, "version_mismatch", ["version = 3", "version = 2\nadvert_interval = \"1s\""]);
}

#[test]
fn fault_9_a_fenced_backup_with_another_password_is_no_split_and_both_nodes_name_the_passwords() {
    a_fenced_backup(Flavour::V2, "auth_mismatch", ["auth_pass = \"one\"", "auth_pass = \"two\""]);
}

/// They refuse each other, and the one that holds is taken out by hand: the other one goes on alone.
#[test]
fn fault_5_a_fenced_master_whose_list_is_another_one_ends_the_split_and_both_nodes_name_the_lists() {
    let stage = Stage::new(Flavour::V3);
    second::join(&stage.a, &stage.b);
    let list = |more: &str| format!("addresses = [\"10.9.9.100/24\"{more}]");
    let a = stage.asking_speaker(&stage.a, 200, &[&list(", \"10.9.9.101/24\"")]);
    a.expect("it is master", |router| router["state"] == "master");
    let b = stage.asking_speaker(&stage.b, 100, &[&list("")]);
    a.expect("it hears of the other list", |router| any_of(router, &["addresses_mismatch"]));
    fence(&a);
    // Until it has let go, it may still say what the other one had admitted.
    let blames_itself = |r: &Value| r["findings"][0]["node"] == "a";
    a.expect("it names the lists, and itself", |r| {
        r["state"] == "fenced" && says_only(r, "addresses_mismatch") && blames_itself(r)
    });
    b.expect("it is master", |r| r["state"] == "master" && says_only(r, "addresses_mismatch"));
    stage.expect_holders(false, true);
    let heard = Firewall::count_adverts(stage.lab(), "b");
    until("it has gone on", || heard.counted() > 30);
    for (watch, state) in [(&a, "fenced"), (&b, "master")] {
        watch.expect("it still says so", |r| r["state"] == state && says_only(r, "addresses_mismatch"));
    }
}

/// RFC 9568 §6.1: its address stays with it, behind a closed gate.
#[test]
fn fault_5_a_fenced_owner_whose_list_is_another_one_is_no_split_and_no_muted_master() {
    let stage = Stage::new(Flavour::V3);
    second::join(&stage.a, &stage.b);
    for address in [stage.flavour.vip(), "10.9.9.101"] {
        stage.b.exec(&format!("ip addr add {address}/24 dev eth0")).expect("it is not there yet");
    }
    let b = stage.asking_speaker(&stage.b, 255, &["addresses = [\"10.9.9.100/24\", \"10.9.9.101/24\"]"]);
    b.expect("it is master", |router| router["state"] == "master");
    fence(&b);
    let a = stage.asking_speaker(&stage.a, 100, &[]);
    stage.expect_holders(true, true);
    let on_b = b.expect("it names the lists", |r| r["state"] == "fenced" && says_only(r, "addresses_mismatch"));
    assert_eq!(on_b["findings"][0]["node"], "b", "{on_b:#}");
    a.expect("it is master", |r| r["state"] == "master" && says_only(r, "addresses_mismatch"));
    let heard = Firewall::count_adverts(stage.lab(), "a");
    until("it has gone on", || heard.counted() > 30);
    expect_no_split(&[&a, &b]);
}

/// A backup is silent: that it is there is known from its answer alone.
#[test]
fn with_a_peer_that_has_but_a_link_local_address_and_was_never_heard_a_fence_is_not_refused() {
    let stage = Stage::new(Flavour::V6);
    let peer = |address: &str| format!("[[peer]]\nname = \"peer\"\naddress = \"{address}\"");
    let b = stage.speaker(&stage.b, 100, &[&peer(&stage.a.link_local())]);
    b.expect("it is master", |router| router["state"] == "master");
    until("its peer answers", || b.status().is_ok_and(|status| status["peers"][0]["ping"] == true));
    let fenced = b.ask(&["fence", "web"]).expect("it runs");
    assert!(fenced.status.success(), "{fenced:?}");
}
