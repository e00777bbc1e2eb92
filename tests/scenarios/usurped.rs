//! A third host takes a peer's address by ARP, and answers there in its name: nothing that it says is believed, each lie is alarmed with
//! what is wrong with it, and the peer is still heard over the second network.

use crate::lab::usurper::{Answer, Usurper};
use crate::lab::{Flavour, Siege, any_of, second, until};
use serde_json::Value;
use std::time::Duration;
use vipwarden::config::ClusterKey;
use vipwarden::engine::peers::seal::Seal;

const PORT: u16 = 10112;

/// What it answers with a body, at once.
fn http(body: impl Fn(&str) -> String + Send + 'static) -> Answer {
    Box::new(move |path| {
        let nonce = path.split_once("nonce=").map_or("", |(_, nonce)| nonce);
        let body = body(nonce);
        let head = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n", body.len());
        ((head + &body).into_bytes(), Duration::ZERO)
    })
}

fn raw(bytes: &'static [u8], pause: Duration) -> Answer {
    Box::new(move |_| (bytes.to_vec(), pause))
}

/// What `b` once answered, with `changed` made of it for the question of today.
fn altered(old: &Value, change: impl Fn(&mut Value, &str) + Send + 'static) -> Answer {
    let old = old.clone();
    http(move |nonce| {
        let mut answer = old.clone();
        change(&mut answer, nonce);
        answer.to_string()
    })
}

/// It says that `b` holds the address, and signs it with a key of its own.
fn with_another_key(answer: &mut Value, nonce: &str) {
    let key = ClusterKey { path: "key".into(), secret: b"0123456789abcdef0123456789abcdef".to_vec() };
    answer["facts"]["routers"][0]["held"] = serde_json::json!([{"address": "10.9.9.100", "age_ms": 1}]);
    let boot_id = answer["boot_id"].as_str().expect("a boot id").to_owned();
    let signature = Seal::new(&key).sign(nonce, &boot_id, &answer["facts"].to_string());
    answer["nonce"] = nonce.into();
    answer["signature"] = signature.into();
}

/// Each lie, and what is said of it.
fn lies(old: &Value, own: &Value) -> Vec<(&'static str, &'static str, Answer)> {
    vec![
        ("an old answer, played back", "another question", altered(old, |_, _| ())),
        ("an old answer to today's question", "key_file", altered(old, |a, nonce| a["nonce"] = nonce.into())),
        (
            "one without a signature",
            "no signature",
            altered(old, |a, nonce| {
                a["nonce"] = nonce.into();
                a["signature"] = Value::Null;
            }),
        ),
        ("one with another key", "key_file", altered(old, with_another_key)),
        (
            "one of another life",
            "key_file",
            altered(old, |a, nonce| {
                a["nonce"] = nonce.into();
                a["boot_id"] = "0123456789abcdef".into();
            }),
        ),
        ("what we once said ourselves", "this node itself", altered(own, |a, nonce| a["nonce"] = nonce.into())),
        (
            "an absurd age",
            "key_file",
            altered(old, |a, nonce| {
                a["nonce"] = nonce.into();
                a["facts"]["age_ms"] = u64::MAX.into();
            }),
        ),
        ("garbage", "", raw(b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\n\xff\0{[", Duration::ZERO)),
        ("no HTTP", "", raw(b"\x16\x03\x01\x02\0\x01\0", Duration::ZERO)),
        ("too much", "", http(|_| "x".repeat(5 << 20))),
        ("one byte a second", "", raw(b"HTTP/1.1 200 OK\r\n\r\n{}", Duration::from_secs(1))),
        ("nothing at all", "", raw(b" ", Duration::from_secs(60))),
    ]
}

/// `b`'s address is taken, and `a` asks there.
fn a_peer_is_usurped(flavour: Flavour) {
    let siege = Siege::begin(flavour, false);
    let (a, b) = (&siege.pair.a, &siege.pair.b);
    let answer = |side: &crate::lab::Side| -> Value {
        let said = side.watch.get("/api/v1/peer?nonce=0123").expect("it answers");
        serde_json::from_str(&said).expect("JSON")
    };
    let usurper = Usurper::start(&siege.x, &b.node, PORT);
    for (what, says, lie) in lies(&answer(b), &answer(a)) {
        println!("{flavour:?}: {what}");
        usurper.answer(lie);
        if says.is_empty() {
            // What comes to nothing is silence, and over the other network it is heard.
            until("nothing is refused", || a.watch.status().is_ok_and(|s| s["peers"][0]["trouble"].is_null()));
        } else {
            until(&format!("{what} is refused: {says}"), || {
                let status = a.watch.status().expect("it answers");
                status["peers"][0]["trouble"].as_str().is_some_and(|why| why.contains(says))
            });
        }
        until("it is heard over the other network", || {
            a.watch.status().is_ok_and(|status| status["peers"][0]["trusted"] == true)
        });
        siege.pair.expect_master_a();
    }
    let events = a.watch.get("/api/v1/events").expect("events are served");
    assert!(events.contains("refused"), "{events}");
    let named = format!("{} says that it has {}", siege.x.mac(), b.node.ipv4());
    assert!(events.contains(&named), "{events}");
    drop(usurper);
    siege.assert_truth_was_told(&[]);
}

#[test]
fn who_answers_at_a_peers_address_in_its_name_is_refused_and_blames_nobody() {
    a_peer_is_usurped(Flavour::V3);
}

/// By unicast the master's adverts go astray, too: then both hold, and nobody says otherwise.
#[test]
fn who_takes_the_backups_address_by_arp_hides_the_master_from_it_and_the_split_is_told() {
    let siege = Siege::begin(Flavour::Unicast, false);
    let usurper = Usurper::start(&siege.x, &siege.pair.b.node, PORT);
    siege.pair.expect_holders(true, true);
    for side in siege.sides() {
        side.watch.expect_verdict("split_brain", &["one_way_path"]);
    }
    siege.x.exec("ip addr del 10.9.9.2/32 dev eth0").expect("it gives it back");
    drop(usurper);
    siege.pair.expect_master_a();
}

/// The same without a second network: nothing is known of the peer then, and nothing is made up.
#[test]
fn a_peer_that_is_asked_at_a_usurped_address_alone_is_not_trusted_and_not_blamed() {
    let siege = Siege::begin_with(Flavour::V3, false, &["x"], |node, peer| {
        second::asks(node, peer).replace(&format!(", \"http://192.168.99.{}:10112\"", &peer.ipv4()[7..]), "")
    });
    let a = &siege.pair.a;
    let old: Value =
        serde_json::from_str(&siege.pair.b.watch.get("/api/v1/peer?nonce=0123").expect("it answers")).expect("JSON");
    let usurper = Usurper::start(&siege.x, &siege.pair.b.node, PORT);
    usurper.answer(altered(&old, with_another_key));
    until("it is not trusted", || {
        a.watch
            .status()
            .is_ok_and(|status| status["peers"][0]["trusted"] == false && status["peers"][0]["trouble"].is_string())
    });
    a.watch.expect("it is healthy still", |router| router["verdict"] == "healthy" && !any_of(router, &["partition"]));
    drop(usurper);
    siege.assert_truth_was_told(&[]);
}
