//! Listings as nft 1.0.6 prints them.

use serde_json::json;

use super::*;

/// A base chain `inet f c` in `hook` with rules of these expressions, from handle 10 on.
fn listing(hook: &str, policy: &str, rules: &[Value]) -> Value {
    let chain = json!({ "chain": { "family": "inet", "table": "f", "name": "c", "handle": 2, "type": "filter", "hook": hook,
        "prio": 0, "policy": policy } });
    let rules = rules.iter().enumerate().map(|(index, expr)| {
        json!({ "rule": { "family": "inet", "table": "f", "chain": "c", "handle": 10 + index, "expr": expr } })
    });
    json!({ "nftables": std::iter::once(chain).chain(rules).collect::<Vec<_>>() })
}

fn is(left: Value, right: Value) -> Value {
    json!({ "match": { "op": "==", "left": left, "right": right } })
}

fn ip(field: &str) -> Value {
    json!({ "payload": { "protocol": "ip", "field": field } })
}

fn meta(key: &str) -> Value {
    json!({ "meta": { "key": key } })
}

fn accept() -> Value {
    json!({ "accept": null })
}

fn deny() -> Value {
    json!({ "drop": null })
}

fn found(document: &Value) -> Vec<(Severity, String)> {
    let found = judge(document, &["eth0".into()], &[Family::V4]);
    found.into_iter().map(|finding| (finding.severity, finding.mend.unwrap_or_default())).collect()
}

fn critical(mend: &str) -> Vec<(Severity, String)> {
    vec![(Severity::Critical, mend.to_owned())]
}

#[test]
fn a_rule_that_drops_adverts_is_named_by_its_handle_fault_2() {
    let before_it = "nft insert rule inet f c handle 10 meta l4proto 112 accept";
    for condition in [
        is(meta("l4proto"), json!("vrrp")),
        is(ip("protocol"), json!({ "set": ["tcp", "vrrp"] })),
        is(ip("daddr"), json!("224.0.0.18")),
        is(ip("daddr"), json!({ "prefix": { "addr": "224.0.0.0", "len": 8 } })),
        is(ip("daddr"), json!({ "set": [{ "range": ["224.0.0.0", "224.0.0.100"] }] })),
        is(meta("iifname"), json!("eth*")),
        is(meta("pkttype"), json!("multicast")),
    ] {
        let dropped =
            listing("input", "accept", &[json!([condition, { "counter": { "packets": 0, "bytes": 0 } }, deny()])]);
        assert_eq!(found(&dropped), critical(before_it), "{condition}");
        let rejected = listing("input", "accept", &[json!([condition, { "reject": { "type": "icmp" } }])]);
        assert_eq!(found(&rejected), critical(before_it), "{condition}");
    }
}

#[test]
fn rules_about_other_traffic_are_not_blamed() {
    for condition in [
        is(meta("iif"), json!("lo")),
        is(meta("oifname"), json!("eth0")),
        is(meta("nfproto"), json!("ipv6")),
        is(json!({ "payload": { "protocol": "tcp", "field": "dport" } }), json!(22)),
        json!({ "match": { "op": "!=", "left": ip("ttl"), "right": 255 } }),
        is(ip("saddr"), json!("10.0.0.66")),
    ] {
        assert_eq!(found(&listing("input", "accept", &[json!([condition, deny()])])), [], "{condition}");
    }
    assert_eq!(found(&listing("forward", "drop", &[])), []);
}

#[test]
fn a_policy_that_drops_is_named_unless_a_rule_accepts_adverts_fault_26() {
    let dropped = critical("nft insert rule inet f c meta l4proto 112 accept");
    assert_eq!(found(&listing("output", "drop", &[])), dropped);
    let ssh = is(json!({ "payload": { "protocol": "tcp", "field": "dport" } }), json!(22));
    assert_eq!(found(&listing("output", "drop", &[json!([ssh, accept()])])), dropped);
    let vrrp = json!([is(ip("protocol"), json!("vrrp")), accept()]);
    assert_eq!(found(&listing("output", "drop", &[vrrp])), []);
    // The peer's address is named: nobody but the operator knows whether rightly.
    let of_peer = json!([is(ip("saddr"), json!("10.0.0.2")), is(ip("protocol"), json!("vrrp")), accept()]);
    assert_eq!(found(&listing("input", "drop", &[of_peer])), []);
}

#[test]
fn what_may_be_accepted_before_is_a_warning_only() {
    let trusted = json!([is(ip("saddr"), json!("10.0.0.2")), accept()]);
    assert_eq!(
        found(&listing("input", "drop", &[trusted])),
        [(Severity::Warning, "nft insert rule inet f c meta l4proto 112 accept".to_owned())]
    );
}

#[test]
fn a_verdict_map_and_a_chain_that_is_jumped_to_are_followed() {
    let map = json!([{ "vmap": { "key": meta("l4proto"), "data": { "set": [["tcp", accept()], ["vrrp", deny()]] } } }]);
    assert_eq!(
        found(&listing("input", "accept", &[map])),
        critical("nft insert rule inet f c handle 10 meta l4proto 112 accept")
    );
    let mut jumping = listing("input", "accept", &[json!([{ "jump": { "target": "d" } }])]);
    let drops = json!({ "rule": { "family": "inet", "table": "f", "chain": "d", "handle": 7,
        "expr": [is(ip("protocol"), json!(112)), deny()] } });
    jumping["nftables"].as_array_mut().expect("a list").push(drops);
    assert_eq!(found(&jumping), critical("nft insert rule inet f d handle 7 meta l4proto 112 accept"));
}

#[test]
fn chains_that_call_each_other_for_ever_end() {
    let mut endless = listing("input", "accept", &[json!([{ "jump": { "target": "c" } }])]);
    assert_eq!(found(&endless), []);
    endless["nftables"][1]["rule"]["expr"] = json!("none");
    assert_eq!(found(&endless), []);
}

#[test]
fn adverts_to_a_group_are_never_of_an_established_connection() {
    let state = |state: &str| json!([{ "match": { "op": "in", "left": { "ct": { "key": "state" } }, "right": [state] } }, accept()]);
    let dropped = critical("nft insert rule inet f c meta l4proto 112 accept");
    assert_eq!(found(&listing("input", "drop", &[state("established")])), dropped);
    assert_eq!(found(&listing("input", "drop", &[state("new")])), []);
}
