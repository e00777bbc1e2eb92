//! Every query of the boards in `dashboards/`, asked of a live Prometheus in health, failover, split and blindness: which panels are
//! empty, and which must not be.

use crate::lab::{Alarm, Firewall, Flavour, Hook, Pair, until};
use serde_json::Value;
use std::collections::BTreeSet;
use std::path::Path;

/// (what asks, query) of both boards: panels, annotations and variables.
fn queries() -> Vec<(String, String)> {
    let mut all = Vec::new();
    for file in ["fleet.json", "node.json"] {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("dashboards").join(file);
        let board: Value = serde_json::from_str(&std::fs::read_to_string(path).expect("a board")).expect("JSON");
        let list = |value: &Value| value.as_array().cloned().unwrap_or_default();
        for panel in list(&board["panels"]) {
            let targets = list(&panel["targets"]);
            all.extend(targets.iter().map(|target| (text(&panel["title"]), text(&target["expr"]))));
        }
        let annotations = list(&board["annotations"]["list"]);
        all.extend(annotations.iter().map(|one| (format!("annotation {}", text(&one["name"])), text(&one["expr"]))));
        for variable in list(&board["templating"]["list"]) {
            // label_values(SELECTOR, LABEL) is Grafana's word for this.
            let definition = text(&variable["definition"]);
            let inner = definition.strip_prefix("label_values(").and_then(|rest| rest.strip_suffix(')'));
            if let Some((selector, label)) = inner.and_then(|inner| inner.rsplit_once(", ")) {
                let values = format!("group by ({label}) ({selector})");
                all.push((format!("variable {}", text(&variable["name"])), values));
            }
        }
    }
    let filled = |query: String| {
        let query = query.replace("$__rate_interval", "10s");
        ["$job", "$instance", "$vip"].iter().fold(query, |query, variable| query.replace(variable, ".+"))
    };
    all.into_iter().map(|(asker, query)| (asker, filled(query))).collect()
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}

/// Waits until just those who are named get no answer. An error is none at all.
fn expect_empty(alarm: &Alarm, when: &str, expected: &[&str]) {
    let expected: BTreeSet<String> = expected.iter().map(|&name| name.to_owned()).collect();
    let mut empty = BTreeSet::new();
    until(&format!("{when}, {expected:?} and nothing else is empty"), || {
        empty = queries()
            .into_iter()
            .filter_map(|(asker, query)| {
                let answer = alarm.prometheus.ask(&query);
                assert_eq!(answer["status"], "success", "{asker}: {query}: {answer}");
                answer["data"]["result"].as_array().is_none_or(Vec::is_empty).then_some(asker)
            })
            .collect();
        empty == expected
    });
}

#[test]
fn every_query_of_the_boards_is_answered_as_it_must_be_in_health_failover_split_and_blindness() {
    const IN_HEALTH: [&str; 3] = ["Causes", "Misdirected clients", "annotation Split brain"];
    let mut pair = Pair::settled(Flavour::V2);
    // Beside b, so that b is scraped without a cable too.
    let alarm = Alarm::start(&pair.b.node, &[&pair.a.node, &pair.b.node]);
    expect_empty(&alarm, "in health", &IN_HEALTH);
    pair.a.stop();
    pair.expect_holders(false, true);
    expect_empty(&alarm, "after a failover", &IN_HEALTH);
    pair.a.start();
    pair.expect_master_a();
    let fault = Firewall::block(&pair.b.node, Hook::Input);
    pair.expect_holders(true, true);
    expect_empty(&alarm, "in a split", &["Misdirected clients"]);
    fault.heal();
    pair.expect_master_a();
    let plug = |state: &str| {
        let arguments = ["-n", pair.b.node.switch(), "link", "set", "dev", pair.b.node.name(), state];
        assert!(std::process::Command::new("ip").args(arguments).status().expect("ip runs").success());
    };
    plug("down");
    pair.b.watch.expect_verdict("unknown", &[]);
    let blind = "count(vrrp_sensor_up == 0)";
    until("its blindness is scraped", || alarm.prometheus.query(blind).is_some_and(|sensors| sensors > 0.0));
    // `a` can't be scraped: nobody else knows who holds, and who answers.
    let unknown = [IN_HEALTH.as_slice(), &["Who holds what", "Hosts that answer"]].concat();
    expect_empty(&alarm, "in blindness", &unknown);
    plug("up");
}
