//! The boards in `dashboards/` are made here: `WRITE_DASHBOARDS=1 cargo test --test dashboards` writes them. Each test holds a rule
//! that Grafana's own dashboard linter has, or one of ours.
#![allow(missing_docs)]

mod board;
mod boards;

use std::collections::BTreeSet;
use std::path::Path;

use serde_json::Value;
use vipwarden::metrics::{FAMILIES, Kind};

fn panels(board: &Value) -> &[Value] {
    board["panels"].as_array().map(Vec::as_slice).unwrap_or_default()
}

fn expressions(panel: &Value) -> Vec<&str> {
    panel["targets"].as_array().into_iter().flatten().filter_map(|target| target["expr"].as_str()).collect()
}

#[test]
fn the_committed_boards_are_the_generated_ones() {
    for (name, board) in boards::all() {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("dashboards").join(name);
        let text = serde_json::to_string_pretty(&board).unwrap() + "\n";
        if std::env::var_os("WRITE_DASHBOARDS").is_some() {
            std::fs::write(&path, &text).unwrap();
        }
        let committed = std::fs::read_to_string(&path).unwrap();
        assert!(committed == text, "{name}: run WRITE_DASHBOARDS=1 cargo test --test dashboards");
    }
}

#[test]
fn every_panel_says_what_it_shows_in_which_unit_from_the_chosen_data_source() {
    for (name, board) in boards::all() {
        let mut ids = BTreeSet::new();
        for panel in panels(&board) {
            let title = panel["title"].as_str().unwrap_or_default();
            assert!(
                !title.is_empty() && panel["description"].as_str().is_some_and(|d| d.len() > 20),
                "{name}: {title}"
            );
            assert!(
                panel["fieldConfig"]["defaults"]["unit"].as_str().is_some_and(|u| !u.is_empty()),
                "{name}: {title}"
            );
            assert!(!expressions(panel).is_empty(), "{name}: {title} asks nothing");
            assert!(ids.insert(panel["id"].as_u64().unwrap()), "{name}: {title} has another's id");
            for asker in panel["targets"].as_array().unwrap().iter().chain([panel]) {
                assert_eq!(asker["datasource"]["uid"], "${datasource}", "{name}: {title}");
            }
        }
    }
}

#[test]
fn every_query_is_of_the_chosen_jobs_and_instances_and_counters_are_rated_over_the_right_window() {
    for (name, board) in boards::all() {
        for expression in panels(&board).iter().flat_map(expressions) {
            for (at, _) in expression.match_indices("vrrp_").chain(expression.match_indices("vipwarden_")) {
                let rest = &expression[at..];
                let selector = &rest[..rest.find('}').unwrap_or(rest.len())];
                assert!(selector.contains(r#"job=~"$job", instance=~"$instance""#), "{name}: {rest}");
                let metric = &selector[..selector.find('{').unwrap()];
                let of = |family: &&vipwarden::metrics::Family| {
                    metric == family.name
                        || family.kind == Kind::Histogram && metric.strip_suffix("_bucket") == Some(family.name)
                };
                let family = FAMILIES.iter().find(of).unwrap_or_else(|| panic!("{name}: {metric} is not exported"));
                if family.is_per_router() {
                    assert!(selector.contains(r#"vip=~"$vip""#), "{name}: {selector}");
                }
                let window = rest[selector.len()..].strip_prefix("}[$__rate_interval]").is_some();
                assert_eq!(window, family.kind != Kind::Gauge, "{name}: {metric}");
                let rated = expression[..at].ends_with("rate(") || expression[..at].ends_with("increase(");
                assert_eq!(rated, family.kind != Kind::Gauge, "{name}: {metric}");
            }
        }
    }
}

#[test]
fn the_data_source_and_the_usual_choices_are_variables_and_nothing_has_to_be_filled_in_on_import() {
    for (name, board) in boards::all() {
        assert!(board.get("__inputs").is_none() && board["editable"] == false, "{name}");
        let list = board["templating"]["list"].as_array().unwrap();
        let names: Vec<_> = list.iter().filter_map(|variable| variable["name"].as_str()).collect();
        assert_eq!(names, ["datasource", "job", "instance", "vip"], "{name}");
        assert_eq!((&list[0]["type"], &list[0]["query"]), (&"datasource".into(), &"prometheus".into()));
        for variable in &list[1..] {
            assert_eq!(variable["datasource"]["uid"], "${datasource}", "{name}");
            assert!(variable["multi"] == true && variable["allValue"] == ".+", "{name}: linter's template-job-rule");
            assert_eq!(variable["refresh"], 2, "{name}: reloaded when the time range changes");
        }
    }
}

#[test]
fn no_panel_lies_over_another_or_beyond_the_edge() {
    for (name, board) in boards::all() {
        let mut taken = BTreeSet::new();
        for panel in panels(&board) {
            let at = |key: &str| panel["gridPos"][key].as_u64().unwrap();
            for (x, y) in (at("x")..at("x") + at("w")).flat_map(|x| (at("y")..at("y") + at("h")).map(move |y| (x, y))) {
                assert!(x < 24 && taken.insert((x, y)), "{name}: {}", panel["title"]);
            }
        }
    }
}
