//! What monitoring sees: Prometheus, promtool, exit codes.

use crate::lab::{Firewall, Flavour, Hook, Pair, Prometheus, promtool, until};

#[test]
fn a_real_prometheus_scrapes_it_and_sees_the_split_come_and_go() {
    let pair = Pair::settled(Flavour::V3);
    let prometheus = Prometheus::start(&pair.b.node);
    let split = "max without (router, interface, vlan, vrid) (vrrp_split_brain)";
    until("the target is up", || prometheus.query("up") == Some(1.0));
    until("no split is scraped", || prometheus.query(split) == Some(0.0));
    let fault = Firewall::block(&pair.b.node, Hook::Input);
    until("the split is scraped", || prometheus.query(split) == Some(1.0));
    until("its cause is scraped", || prometheus.query("vrrp_cause{cause=\"firewall_drop\"}") == Some(1.0));
    fault.heal();
    pair.expect_master_a();
    until("the end of the split is scraped", || prometheus.query(split) == Some(0.0));
}

/// Prometheus prefers OpenMetrics. There a counter's family has a name without `_total`, and in the plain text one with it: by that
/// name it is seen which of the two was read.
#[test]
fn a_real_prometheus_reads_it_as_open_metrics_with_every_type() {
    let pair = Pair::settled(Flavour::V3);
    let prometheus = Prometheus::start(&pair.b.node);
    until("the target is up", || prometheus.query("up") == Some(1.0));
    let metadata = prometheus.get("/api/v1/targets/metadata").expect("Prometheus answers");
    let metadata: serde_json::Value = serde_json::from_str(&metadata).expect("JSON");
    let known = |name: &str| {
        let all = metadata["data"].as_array().expect("a list");
        all.iter().find(|one| one["metric"] == name).map(|one| one["type"].as_str().unwrap_or_default().to_owned())
    };
    for (name, kind) in [
        ("vrrp_split_brain_episodes", Some("counter")),
        ("vrrp_split_brain_episodes_total", None),
        ("vrrp_split_brain", Some("gauge")),
        ("vipwarden_loop_lag_seconds", Some("histogram")),
        ("vipwarden_build_info", Some("gauge")),
    ] {
        assert_eq!(known(name).as_deref(), kind, "{name}");
    }
    assert_eq!(prometheus.query("vrrp_split_brain_episodes_total"), Some(0.0));
}

#[test]
fn promtool_is_content_with_the_metrics_in_health_and_in_a_split() {
    let pair = Pair::settled(Flavour::V3);
    let check = || {
        for side in [&pair.a, &pair.b] {
            let said = promtool(&side.watch.get("/metrics").expect("metrics are served"));
            assert_eq!(said, "", "promtool has something to say");
        }
    };
    check();
    let _fault = Firewall::block(&pair.b.node, Hook::Input);
    pair.b.watch.expect_verdict("split_brain", &["firewall_drop"]);
    check();
}

#[test]
fn status_answers_with_the_exit_codes_of_a_monitoring_plugin() {
    let mut pair = Pair::settled(Flavour::V3);
    let status = |pair: &Pair| pair.b.watch.ask(&["status"]).expect("status runs").status.code();
    assert_eq!(status(&pair), Some(0));
    let fault = Firewall::block(&pair.b.node, Hook::Input);
    let router = pair.b.watch.expect_verdict("split_brain", &["firewall_drop"]);
    assert_eq!(status(&pair), Some(2));
    let explain = pair.b.watch.ask(&["explain", router["name"].as_str().expect("a name")]).expect("explain runs");
    let text = String::from_utf8_lossy(&explain.stdout).into_owned();
    assert!(text.contains("firewall_drop") && text.contains("10.9.9.100"), "{text}");
    fault.heal();
    pair.expect_master_a();
    pair.b.watch.process().stop().expect("vipwarden stops");
    assert_eq!(status(&pair), Some(3), "no daemon is unknown, not critical");
}
