use super::*;
use crate::config::ClusterKey;
use crate::detect::Watcher;
use crate::observe::{Address, Fact, IfIndex, Link, Settings};
use crate::time::WallClock;

const PEER: &str = "10.0.0.6";

fn at(ms: u64) -> Instant {
    Instant::from_nanos(3_600_000_000_000 + ms * 1_000_000)
}

fn seal(secret: &str) -> Seal {
    Seal::new(&ClusterKey { path: "key".into(), secret: secret.into() })
}

fn identity() -> Identity {
    Identity {
        node: "lb02".into(),
        version: "0.1.0",
        revision: "unknown",
        boot_id: "fedc".into(),
        started: Instant::ZERO,
    }
}

/// A node with the peer's address, and a snapshot of it as of 1000 ms.
fn snapshot() -> Snapshot {
    let mut watcher = Watcher::new(at(0), WallClock::default(), Settings::default());
    watcher.handle(at(0), &Fact::Link(Link::plain(IfIndex(2), "eth0")));
    let address = Address { interface: IfIndex(2), address: PEER.parse().unwrap(), prefix: 24, usable: true };
    watcher.handle(at(0), &Fact::Address(address));
    watcher.snapshot(at(1000))
}

/// What that node answers 300 ms later.
fn body(nonce: &str, seal: Option<&Seal>) -> Vec<u8> {
    serde_json::to_vec(&answer(&identity(), &snapshot(), at(1300), nonce, seal).unwrap()).unwrap()
}

fn question<'a>(nonce: &'a str, seal: Option<&'a Seal>) -> Question<'a> {
    Question { nonce, asked: at(1250), own_boot_id: "0123", peer: PEER.parse().unwrap(), seal }
}

#[track_caller]
fn refused(said: Result<Report, Mute>, why: &str) {
    match said {
        Err(Mute::Refused(says)) => assert!(says.contains(why), "{says}"),
        other => panic!("not refused: {other:?}"),
    }
}

#[test]
fn a_signed_answer_is_trusted_and_is_as_old_as_its_view_counted_from_the_question() {
    let key = seal("0123456789abcdef");
    let report = question("n", Some(&key)).read(&body("n", Some(&key))).unwrap();
    assert!(report.signed);
    assert_eq!((report.node.as_str(), report.as_of), ("lb02", at(950)));
}

#[test]
fn what_is_not_signed_with_our_key_is_refused_where_we_have_one_and_unsigned_where_we_have_none() {
    let (ours, theirs) = (seal("0123456789abcdef"), seal("fedcba9876543210"));
    refused(question("n", Some(&ours)).read(&body("n", Some(&theirs))), "not made with this cluster's key");
    refused(question("n", Some(&ours)).read(&body("n", None)), "no signature");
    assert!(!question("n", None).read(&body("n", Some(&theirs))).unwrap().signed);
}

#[test]
fn a_replayed_answer_our_own_and_that_of_another_host_are_refused() {
    let key = seal("0123456789abcdef");
    refused(question("new", Some(&key)).read(&body("old", Some(&key))), "another question");
    let own = Question { own_boot_id: "fedc", ..question("n", Some(&key)) };
    refused(own.read(&body("n", Some(&key))), "this node itself");
    let other = Question { peer: "10.0.0.7".parse().unwrap(), ..question("n", Some(&key)) };
    refused(other.read(&body("n", Some(&key))), "which has not the peer's address 10.0.0.7");
}

#[test]
fn a_single_changed_byte_of_the_facts_breaks_the_signature() {
    let key = seal("0123456789abcdef");
    let text = String::from_utf8(body("n", Some(&key))).unwrap().replace("\"node\":\"lb02\"", "\"node\":\"lb03\"");
    refused(question("n", Some(&key)).read(text.as_bytes()), "not made with");
}

#[test]
fn garbage_is_silence_and_its_text_is_repeated_nowhere() {
    for garbage in [
        &b"secret"[..],
        b"",
        b"{}",
        b"[1]",
        b"{\"version\":2,\"nonce\":\"n\",\"boot_id\":\"\",\"facts\":{}}",
        &[0xff; 64],
    ] {
        match question("n", None).read(garbage) {
            Err(Mute::Silent(why)) => assert!(!why.contains("secret"), "{why}"),
            other => panic!("{other:?}"),
        }
    }
}

#[test]
fn every_list_and_text_of_a_report_is_bounded() {
    let mut facts = FactsDoc::new("lb02", &snapshot(), at(1000));
    facts.node = "x\n".repeat(10_000);
    facts.addresses = vec![PEER.parse().unwrap(); 100_000];
    facts.macs = vec!["no mac".into(); 10];
    let report = facts.report(at(1000), "b".into(), true);
    assert_eq!(report.node, "x".repeat(TEXT_MAX));
    assert_eq!((report.addresses.len(), report.macs.len()), (LIST_MAX * 4, 0));
}

#[test]
fn a_promise_is_told_by_what_is_left_of_it_at_the_answer_and_counts_from_the_question() {
    let pledge = Pledge { key: "/k".into(), asks_from: Some(at(2000)), promised_until: Some(at(3000)) };
    let facts = LeaseFacts::new(&pledge, at(1300));
    assert_eq!(facts, LeaseFacts { key: "/k".into(), asks: false, promise_ms: Some(1700) });
    assert_eq!(facts.pledged(at(1250)).promise, Some((at(1250), Duration::from_millis(1700))));
    let later = LeaseFacts::new(&pledge, at(3000));
    assert_eq!((later.asks, later.promise_ms), (true, None));
}

#[test]
fn the_report_of_a_node_that_knows_of_no_promises_yet_is_read_all_the_same() {
    let router = serde_json::json!({
        "name": "web", "interface": "eth0", "vlan": null, "family": "ipv4", "vrid": 51, "addresses": [], "mode": "speak",
        "state": "backup", "verdict": "healthy", "blind": false, "held": [], "priority": null, "sends": null, "hears": [],
        "daemon": "alive", "witness": null, "findings": []
    });
    let facts: RouterFacts = serde_json::from_value(router).unwrap();
    assert_eq!(facts.reported(at(1250), at(950)).unwrap().pledge, None);
}

/// However old it says that it is, or for how long it promises.
#[test]
fn absurd_ages_and_promises_are_as_long_as_time_and_no_longer() {
    let key = seal("0123456789abcdef");
    let mut facts = FactsDoc::new("lb02", &snapshot(), at(1000));
    facts.age_ms = u64::MAX;
    let router = serde_json::json!({
        "name": "web", "interface": "eth0", "vlan": null, "family": "ipv4", "vrid": 51, "addresses": [PEER], "mode": "watch",
        "state": "master", "verdict": "healthy", "blind": false, "held": [{"address": PEER, "age_ms": u64::MAX}],
        "priority": null,
        "sends": {"source": PEER, "mac": null, "version": 3, "priority": 255, "interval_ms": u64::MAX, "auth": "none",
            "addresses": [], "active": true, "age_ms": u64::MAX, "count": u64::MAX, "delivered": null},
        "hears": [], "daemon": "alive", "witness": null, "findings": [],
        "lease": {"key": "/k", "asks": true, "promise_ms": u64::MAX}
    });
    facts.routers = vec![serde_json::from_value(router).unwrap()];
    let said = serde_json::value::to_raw_value(&facts).unwrap();
    let signature = Some(key.sign("n", "fedc", said.get()));
    let answer = AnswerDoc { version: VERSION, nonce: "n".into(), boot_id: "fedc".into(), signature, facts: said };
    let report = question("n", Some(&key)).read(&serde_json::to_vec(&answer).unwrap()).unwrap();
    assert_eq!(report.as_of, Instant::ZERO);
    let mut channel = crate::observe::Channel::new(1);
    assert!(channel.take(0, &Ok(report.into())));
    assert!(channel.fresh(at(1300)).is_none() && !channel.is_trusted(at(1300)), "it says nothing of today");
}
