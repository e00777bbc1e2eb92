//! The boards in `dashboards/` are made here: `WRITE_DASHBOARDS=1 cargo test --test dashboards` writes them. Each test holds a rule
//! that Grafana's own dashboard linter has, or one of ours.
#![allow(missing_docs)]
#![allow(clippy::disallowed_methods, reason = "a test waits by the clock")]

mod board;
mod boards;
#[path = "../page/browser.rs"]
#[allow(dead_code, reason = "the page's tests use more of it")]
mod browser;
#[path = "../support/json_schema.rs"]
mod json_schema;
mod preview;
mod previewed;

use json_schema::Schema;

use std::collections::BTreeSet;
use std::path::Path;

use serde_json::{Value, json};
use vipwarden::metrics::{FAMILIES, Kind};

const SCHEMA: &str = include_str!("schema/board.json");

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
fn the_boards_are_what_grafana_s_own_types_allow() {
    for (name, board) in boards::all() {
        assert_eq!(Schema::new(SCHEMA).check(&board), Ok(()), "{name}");
    }
}

#[test]
fn the_schema_finds_what_is_broken_in_each_part_of_a_board_and_says_where() {
    const MISSING: Value = Value::Null;
    let place = |pointer: &str| boards::all()[1].1.pointer(pointer).cloned().unwrap_or(MISSING);
    let of_kind = |kind: &str| {
        let (_, board) = &boards::all()[1];
        let at = panels(board).iter().position(|panel| panel["type"] == kind).unwrap();
        format!("/panels/{at}")
    };
    let [stat, table, states, series] = ["stat", "table", "state-timeline", "timeseries"].map(of_kind);
    // (where, what is put there: nothing takes it away, what is said)
    let broken = [
        ("/schemaVersion".into(), json!("39"), "$.schemaVersion: string"),
        ("/panells".into(), json!([]), "$: panells is in no schema"),
        ("/graphTooltip".into(), json!(3), "$.graphTooltip: 3 is none of the choices"),
        ("/links/0/type".into(), json!("dashboard"), "$.links[0].type: \"dashboard\" is none"),
        ("/links/0/icon".into(), MISSING, "$.links[0]: no \"icon\""),
        ("/time/to".into(), MISSING, "$.time: no \"to\""),
        ("/templating/list/1/type".into(), json!("querry"), "$.templating.list[1].type"),
        ("/templating/list/1/refresh".into(), json!(7), "$.templating.list[1].refresh: 7 is none"),
        ("/templating/list/1/current/value".into(), MISSING, "$.templating.list[1].current: no \"value\""),
        ("/annotations/list/0/iconColor".into(), MISSING, "$.annotations.list[0]: no \"iconColor\""),
        ("/annotations/list/0/expr".into(), json!("up"), "$.annotations.list[0]: expr is in no schema"),
        ("/annotations/list/0/target/expr".into(), MISSING, "$.annotations.list[0].target: no \"expr\""),
        (format!("{stat}/type"), json!("stats"), "$.panels["),
        (format!("{stat}/gridPos/w"), json!("12"), ".gridPos.w: string"),
        (format!("{stat}/targets/0/refId"), MISSING, ".targets[0]: no \"refId\""),
        (format!("{stat}/targets/0/format"), json!("timeseries"), ".targets[0].format: \"timeseries\" is none"),
        (format!("{stat}/targets/0/query"), json!("up"), ".targets[0]: query is in no schema"),
        (format!("{stat}/options/colorMode"), json!("backgrounds"), ".options.colorMode: \"backgrounds\" is none"),
        (format!("{stat}/options/reduceOptions/calcs"), json!("last"), ".options.reduceOptions.calcs: string"),
        (format!("{stat}/options/showHeader"), json!(true), ".options: showHeader is in no schema"),
        (format!("{stat}/fieldConfig/overrides"), MISSING, ".fieldConfig: no \"overrides\""),
        (format!("{stat}/fieldConfig/defaults/unit"), json!(1), ".fieldConfig.defaults.unit: integer"),
        (format!("{stat}/fieldConfig/defaults/units"), json!("s"), ".fieldConfig.defaults: units is in no schema"),
        (format!("{stat}/fieldConfig/defaults/color/mode"), json!("palette"), ".color.mode: \"palette\" is none"),
        (format!("{stat}/fieldConfig/defaults/thresholds/steps/0/color"), MISSING, ".steps[0]: no \"color\""),
        (format!("{stat}/fieldConfig/defaults/mappings/0/options/0/colour"), json!("red"), "colour is in no schema"),
        (format!("{stat}/fieldConfig/defaults/mappings/0/type"), json!("values"), ".mappings[0].type"),
        (format!("{table}/options/cellHeight"), json!("small"), ".options.cellHeight: \"small\" is none"),
        (format!("{table}/options/sortBy/0/displayName"), MISSING, ".options.sortBy[0]: no \"displayName\""),
        (format!("{table}/transformations/0/id"), json!("organise"), ".transformations[0].id: \"organise\" is none"),
        (format!("{states}/options/showValue"), json!("sometimes"), ".options.showValue: \"sometimes\" is none"),
        (format!("{states}/options/rowHeight"), MISSING, ".options: no \"rowHeight\""),
        (format!("{series}/options/legend/placement"), json!("top"), ".options.legend.placement: \"top\" is none"),
        (format!("{series}/options/tooltip/mode"), MISSING, ".options.tooltip: no \"mode\""),
        (format!("{series}/fieldConfig/defaults/custom/drawStyle"), json!("curve"), ".custom.drawStyle: \"curve\""),
    ];
    for (pointer, put, said) in broken {
        assert_ne!(place(&pointer), put, "{pointer}: this breaks nothing");
        let mut board = boards::all()[1].1.clone();
        let (parent, key) = pointer.rsplit_once('/').unwrap();
        let parent = board.pointer_mut(parent).unwrap_or_else(|| panic!("{pointer} is nowhere"));
        match (parent, put) {
            (Value::Object(fields), MISSING) => drop(fields.remove(key)),
            (parent, put) => parent[key] = put,
        }
        let error = Schema::new(SCHEMA).check(&board).expect_err(&pointer);
        assert!(error.contains(said), "{pointer}: {error}");
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
