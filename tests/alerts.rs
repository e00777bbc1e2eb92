//! The alerts, their tests and runbooks, and the examples for Prometheus and Alertmanager, held by the tools that read them.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;
use vipwarden::detect::Cause;
use vipwarden::metrics::{FAMILIES, Kind};
use vipwarden::web::runbook;

const RULE_FILES: [&str; 2] = ["alerts/vipwarden.rules.yml", "alerts/keepalived-exporter.rules.yml"];

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn text(path: impl AsRef<Path>) -> String {
    let path = root().join(path);
    std::fs::read_to_string(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display()))
}

fn yaml(path: impl AsRef<Path>) -> Value {
    serde_norway::from_str(&text(&path)).unwrap_or_else(|e| panic!("{}: {e}", path.as_ref().display()))
}

/// Runs a tool that must be content.
fn tool(program: &str, arguments: &[&str]) {
    let output = Command::new(program).args(arguments).current_dir(root()).output();
    let output = output.unwrap_or_else(|e| panic!("{program} (see tests/run.sh): {e}"));
    let said = [output.stdout, output.stderr].concat();
    assert!(output.status.success(), "{program} {arguments:?}:\n{}", String::from_utf8_lossy(&said));
}

fn items(value: &Value) -> &[Value] {
    value.as_array().map(Vec::as_slice).unwrap_or_default()
}

fn rules(file: &str) -> Vec<Value> {
    items(&yaml(file)["groups"]).iter().flat_map(|group| items(&group["rules"]).to_vec()).collect()
}

fn alerts() -> Vec<Value> {
    rules(RULE_FILES[0])
}

fn name(alert: &Value) -> &str {
    alert["alert"].as_str().expect("an alert has a name")
}

fn test_files() -> Vec<PathBuf> {
    let entries = std::fs::read_dir(root().join("alerts/tests")).expect("alerts/tests is there");
    entries.map(|entry| entry.expect("an entry").path()).collect()
}

#[test]
fn the_tools_take_every_rule_and_both_examples() {
    tool("promtool", &["check", "rules", RULE_FILES[0], RULE_FILES[1]]);
    tool("promtool", &["check", "config", "alerts/prometheus.yml"]);
    tool("amtool", &["check-config", "alerts/alertmanager.yml"]);
}

#[test]
fn every_rule_fires_when_it_must_and_is_quiet_when_it_must() {
    let files: Vec<String> = test_files().iter().map(|file| file.display().to_string()).collect();
    let arguments: Vec<&str> = ["test", "rules"].into_iter().chain(files.iter().map(String::as_str)).collect();
    tool("promtool", &arguments);
}

#[test]
fn every_alert_has_a_case_in_which_it_fires_and_one_of_its_own_in_which_it_never_does() {
    for alert in alerts() {
        let alert = name(&alert);
        let file = yaml(format!("alerts/tests/{alert}.yml"));
        let fires = |case: &Value| {
            items(&case["alert_rule_test"])
                .iter()
                .any(|check| check["alertname"] == alert && !items(&check["exp_alerts"]).is_empty())
        };
        let cases = items(&file["tests"]);
        assert!(cases.iter().any(&fires), "{alert} never fires in its tests");
        assert!(cases.iter().any(|case| !fires(case)), "{alert} has no quiet case");
    }
}

#[test]
fn every_alert_says_what_where_and_how_bad_and_has_a_runbook() {
    let mut pages: BTreeSet<String> = BTreeSet::new();
    for alert in alerts() {
        let (alert_name, annotations) = (name(&alert), &alert["annotations"]);
        let page = format!("docs/runbooks/{alert_name}.md");
        assert_eq!(annotations["runbook_url"], *page, "{alert_name}");
        let page_text = text(&page);
        for heading in ["## Look here", "## Do this", "## How it ends"] {
            assert!(page_text.contains(heading), "{page} has no section {heading}");
        }
        assert!(page_text.starts_with(&format!("# {alert_name}\n")), "{page} has another title");
        assert!(runbook::PAGES.iter().any(|(name, text)| page.ends_with(name) && *text == page_text), "{page}");
        let severity = &alert["labels"]["severity"];
        assert!(severity == "critical" || severity == "warning", "{alert_name}: {severity}");
        for key in ["summary", "description"] {
            let annotation = annotations[key].as_str().unwrap_or_default();
            assert!(annotation.contains("{{ $"), "{alert_name}: its {key} names no value");
        }
        let description = annotations["description"].as_str().unwrap_or_default().to_lowercase();
        assert!(description.contains("cause"), "{alert_name}: its description names no cause");
        pages.insert(format!("{alert_name}.md"));
    }
    let written: BTreeSet<String> = runbook::PAGES.iter().map(|(name, _)| (*name).to_owned()).collect();
    pages.insert("causes.md".into());
    assert_eq!(pages, written, "a page without an alert, or the reverse");
}

/// What is about one virtual IP says which: nodes are joined by it, and pages are grouped by it.
#[test]
fn an_alert_has_the_label_vip_unless_it_is_about_a_node() {
    let about_nodes = ["VrrpPeerUnreachable", "VrrpMonitorBlind", "VrrpExporterDown"];
    for alert in alerts() {
        let alert = name(&alert);
        let file = yaml(format!("alerts/tests/{alert}.yml"));
        let checks = items(&file["tests"]).iter().flat_map(|case| items(&case["alert_rule_test"]));
        for expected in checks.flat_map(|check| items(&check["exp_alerts"])) {
            assert_eq!(expected["exp_labels"]["vip"].is_string(), !about_nodes.contains(&alert), "{alert}");
        }
    }
}

/// Words that look like metrics of ours, without the suffixes of a histogram's series.
fn metrics_in(text: &str) -> BTreeSet<&str> {
    let words = text.split(|c: char| !(c.is_ascii_alphanumeric() || c == '_'));
    words.filter(|w| w.starts_with("vrrp_") || w.starts_with("vipwarden_")).collect()
}

fn exists(metric: &str) -> bool {
    // A directive of keepalived's.
    metric == "vrrp_version"
        || FAMILIES.iter().any(|family| {
            let histogram = family.kind == Kind::Histogram;
            family.name == metric
                || histogram
                    && ["_bucket", "_sum", "_count"].iter().any(|s| metric.strip_suffix(s) == Some(family.name))
        })
}

#[test]
fn every_metric_in_a_rule_a_test_or_a_runbook_is_exported() {
    let mut files: Vec<PathBuf> = RULE_FILES.iter().map(PathBuf::from).chain(test_files()).collect();
    files.extend(runbook::PAGES.iter().map(|(name, _)| Path::new("docs/runbooks").join(name)));
    files.push("docs/migration.md".into());
    let mut seen = 0;
    for file in files {
        for metric in metrics_in(&text(&file)) {
            assert!(exists(metric), "{}: {metric} is in no row of src/metrics/table.rs", file.display());
            seen += 1;
        }
    }
    assert!(seen > 100, "{seen} names found");
}

#[test]
fn every_cause_has_its_section_where_findings_point_to() {
    for cause in Cause::ALL {
        let link = runbook::of(cause);
        let (page, anchor) = link.split_once('#').expect("an anchor");
        assert!(text(page).contains(&format!("\n### {anchor}\n")), "{page} has no section {anchor}");
    }
}

#[test]
fn links_between_runbooks_lead_somewhere() {
    for (page, page_text) in runbook::PAGES {
        for link in page_text.split("](").skip(1).filter_map(|rest| rest.split(')').next()) {
            let (target, anchor) = link.split_once('#').unwrap_or((link, ""));
            let target = runbook::PAGES.iter().find(|(name, _)| *name == target);
            let (_, target) = target.unwrap_or_else(|| panic!("{page}: {link} leads nowhere"));
            assert!(anchor.is_empty() || target.contains(&format!("\n### {anchor}\n")), "{page}: {link}");
        }
    }
}

/// A label that is missing on both sides counts as equal, so an inhibition without these guards silences strangers.
#[test]
fn every_inhibition_names_alerts_that_exist_and_wants_its_equal_labels_to_be_there() {
    let known: BTreeSet<String> = alerts().iter().map(|alert| name(alert).to_owned()).collect();
    let config = yaml("alerts/alertmanager.yml");
    let rules = items(&config["inhibit_rules"]);
    assert!(!rules.is_empty());
    for rule in rules {
        let equal: Vec<&str> = items(&rule["equal"]).iter().filter_map(Value::as_str).filter(|l| *l != "job").collect();
        assert!(!equal.is_empty(), "{rule}");
        for side in ["source_matchers", "target_matchers"] {
            let matchers: Vec<&str> = items(&rule[side]).iter().filter_map(Value::as_str).collect();
            let named = matchers.iter().find_map(|m| m.strip_prefix("alertname=")).expect("alerts are named");
            for alert in named.trim_matches(['~', '"']).split('|') {
                assert!(known.contains(alert), "{alert} is no alert of ours");
            }
            for label in &equal {
                let guard = format!("{label}!=\"\"");
                assert!(matchers.contains(&guard.as_str()), "{side} of {rule} lacks {guard}");
            }
        }
    }
}
