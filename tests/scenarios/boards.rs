//! Every query of the boards in `dashboards/`, asked of a live Prometheus in health, failover, split, blindness and a fence: which panels
//! are empty, and which must not be. With `BOARD_PREVIEWS` set to a directory, previews of the boards are left there.

#[path = "../dashboards/preview/mod.rs"]
mod preview;

use crate::lab::{Alarm, Firewall, Flavour, Hook, Instance, Keepalived, Pair, Stage, until};
use serde_json::{Map, Value};
use std::collections::BTreeSet;
use std::path::Path;
use vipwarden::sys::clock;

/// What a preview looks back at.
const PREVIEW_SECONDS: i64 = 90;

fn board(file: &str) -> Value {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("dashboards").join(file);
    serde_json::from_str(&std::fs::read_to_string(path).expect("a board")).expect("JSON")
}

fn list(value: &Value) -> Vec<Value> {
    value.as_array().cloned().unwrap_or_default()
}

/// A query with all that Grafana would put in.
fn filled(query: &Value) -> String {
    let query = text(query).replace("$__rate_interval", "10s");
    ["$job", "$instance", "$vip"].iter().fold(query, |query, variable| query.replace(variable, ".+"))
}

/// (what asks, query) of both boards: panels, annotations and variables.
fn queries() -> Vec<(String, String)> {
    let mut all = Vec::new();
    for board in ["fleet.json", "node.json"].map(board) {
        for panel in list(&board["panels"]) {
            let targets = list(&panel["targets"]);
            all.extend(targets.iter().map(|target| (text(&panel["title"]), filled(&target["expr"]))));
        }
        let annotations = list(&board["annotations"]["list"]);
        all.extend(
            annotations
                .iter()
                .map(|one| (format!("annotation {}", text(&one["name"])), filled(&one["target"]["expr"]))),
        );
        for variable in list(&board["templating"]["list"]) {
            // label_values(SELECTOR, LABEL) is Grafana's word for this.
            let definition = filled(&variable["definition"]);
            let inner = definition.strip_prefix("label_values(").and_then(|rest| rest.strip_suffix(')'));
            if let Some((selector, label)) = inner.and_then(|inner| inner.rsplit_once(", ")) {
                let values = format!("group by ({label}) ({selector})");
                all.push((format!("variable {}", text(&variable["name"])), values));
            }
        }
    }
    all
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}

/// Leaves a preview of each board, if they are wanted: of what every node says after this moment.
fn keep_previews(alarm: &Alarm, when: &str) {
    let Some(directory) = std::env::var_os("BOARD_PREVIEWS") else { return };
    let seconds = || clock::wall().unix_nanos(clock::now()) as f64 / 1e9;
    let from = seconds();
    until("every node was scraped since", || alarm.prometheus.query("min(timestamp(up))").is_some_and(|at| at > from));
    // The last step of a range is a whole second: one that is not over yet, or what was scraped last is not in it.
    let now = seconds().ceil() as i64;
    for name in ["fleet", "node"] {
        let board = board(&format!("{name}.json"));
        let answers: Map<String, Value> = list(&board["panels"])
            .iter()
            .map(|panel| {
                let query = filled(&panel["targets"][0]["expr"]);
                let answer = match panel["type"] == "table" {
                    true => alarm.prometheus.ask(&query),
                    false => alarm.prometheus.ask_range(&query, now - PREVIEW_SECONDS, now),
                };
                (panel["id"].to_string(), answer["data"]["result"].clone())
            })
            .collect();
        let file = Path::new(&directory).join(format!("{}-{name}.html", when.replace(' ', "-")));
        std::fs::write(file, preview::page(&board, when, &Value::Object(answers))).expect("the preview is written");
    }
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
    keep_previews(alarm, when);
}

/// Panels that are empty where nobody speaks but keepalived.
const OF_SPEAKERS: [&str; 12] = [
    "Fences",
    "Kernel gate",
    "The kernel keeps addresses for",
    "Asked before taking over",
    "Answered by a silent master's host",
    "Takeovers put off",
    "Fences by reason",
    "From evidence to silence, 99th percentile",
    "Priority in effect",
    "Tracked and down",
    "Arbiter answers",
    "May hold without the arbiter for",
];

/// Panels that are empty because the pairs here have no such thing.
const NOT_HERE: [&str; 3] = ["Adverts refused", "Certificate runs out in", "Witnesses answer"];

#[test]
fn every_query_of_the_boards_is_answered_as_it_must_be_in_health_failover_split_and_blindness() {
    let without = [OF_SPEAKERS.as_slice(), &NOT_HERE, &["Peers answer"]].concat();
    let in_health = [without.as_slice(), &["Causes", "Misdirected clients", "annotation Split brain"]].concat();
    let mut pair = Pair::settled(Flavour::V2);
    // Beside b, so that b is scraped without a cable too.
    let alarm = Alarm::start(&pair.b.node, &[&pair.a.node, &pair.b.node]);
    expect_empty(&alarm, "in health", &in_health);
    pair.a.stop();
    pair.expect_holders(false, true);
    expect_empty(&alarm, "after a failover", &in_health);
    pair.a.start();
    pair.expect_master_a();
    let fault = Firewall::block(&pair.b.node, Hook::Input);
    pair.expect_holders(true, true);
    expect_empty(&alarm, "in a split", &[without.as_slice(), &["Misdirected clients"]].concat());
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
    let unknown = [in_health.as_slice(), &["Who holds what", "Hosts that answer"]].concat();
    expect_empty(&alarm, "in blindness", &unknown);
    plug("up");
}

/// What the panel of the daemons says of the worst.
fn worst_daemon() -> String {
    let (_, runs) = queries().into_iter().find(|(asker, _)| asker == "VRRP daemon runs").expect("the panel is there");
    format!("min({runs})")
}

#[test]
fn the_panels_of_speakers_are_answered_where_vipwarden_itself_is_the_router() {
    const WELL: [&str; 3] = ["Causes", "Misdirected clients", "annotation Split brain"];
    const NO_ARBITER: [&str; 2] = ["Arbiter answers", "May hold without the arbiter for"];
    let stage = Stage::new(Flavour::V3);
    let drained = stage.a.scratch().expect("a scratch directory").join("drain");
    std::fs::write(&drained, "").expect("the file is written");
    let track = format!("track = [{{ file = \"{}\", weight = -10 }}]", drained.display());
    let a = stage.asking_speaker(&stage.a, 200, &[&track]);
    let b = stage.asking_speaker(&stage.b, 100, &[]);
    a.expect("it is master", |router| router["state"] == "master");
    b.expect("it is backup", |router| router["state"] == "backup" && router["verdict"] == "healthy");
    let alarm = Alarm::start(&stage.b, &[&stage.a, &stage.b]);
    expect_empty(&alarm, "with speakers", &[WELL.as_slice(), &NO_ARBITER, &NOT_HERE].concat());
    assert_eq!(alarm.prometheus.query(&worst_daemon()), Some(1.0), "no other daemon has to run there");
    assert!(a.ask(&["fence", "web", "--force"]).expect("it runs").status.success());
    stage.expect_holders(false, true);
    until("the fence is scraped", || alarm.prometheus.query("sum(vrrp_fenced)") == Some(1.0));
    expect_empty(&alarm, "with a fence", &[WELL.as_slice(), &NO_ARBITER, &NOT_HERE].concat());
}

#[test]
fn a_dead_keepalived_is_red_on_a_node_that_speaks_for_another_router_too() {
    let stage = Stage::new(Flavour::V3);
    let watched = "[[router]]\nname = \"mail\"\ninterface = \"eth0\"\nvrid = 52\naddresses = [\"10.9.9.102/24\"]";
    let b = stage.speaker(&stage.b, 100, &[watched]);
    b.expect("it is master", |router| router["state"] == "master");
    let addresses = vec!["10.9.9.102/24".into()];
    let mut keepalived =
        Keepalived::start(&stage.b, &Instance { vrid: 52, addresses, ..stage.instance(&stage.b, 100) })
            .expect("it starts");
    until("keepalived is master", || b.router(52).is_some_and(|router| router["state"] == "master"));
    let alarm = Alarm::start(&stage.b, &[&stage.b]);
    until("both run", || alarm.prometheus.query(&worst_daemon()) == Some(1.0));
    keepalived.stop().expect("it ends");
    until("one is dead", || alarm.prometheus.query(&worst_daemon()) == Some(0.0));
}
