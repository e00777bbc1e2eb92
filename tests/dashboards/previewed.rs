//! The preview draws what the panels are told to say.

use serde_json::{Map, Value, json};

use crate::browser::Browser;
use crate::{boards, panels, preview};

const EVIL: &str = "</script><img src=x onerror=\"window.owned=1\">";

/// One series for each panel, of a value that its words or its unit make something of; none for two.
fn answers(board: &Value) -> Value {
    let answer = |panel: &Value| {
        let text = match panel["title"].as_str().unwrap() {
            "Verdicts" | "Worst first" => "4",
            "Time split" => "0.25",
            "From evidence to silence, 99th percentile" => "0.0004",
            "Adverts sent" => "1.5",
            "May hold without the arbiter for" => "90",
            "Vipwardens" => "1234",
            "Causes" | "Misdirected clients" => return json!([]),
            _ => "1",
        };
        let metric = json!({ "vip": "10.0.0.1", "instance": EVIL, "job": "vipwarden" });
        let values: Vec<Value> = (0..60).map(|at| json!([at, text])).collect();
        match panel["type"].as_str().unwrap() {
            "table" => json!([{ "metric": metric, "value": [59, text] }]),
            _ => json!([{ "metric": metric, "values": values }]),
        }
    };
    Value::Object(panels(board).iter().map(|panel| (panel["id"].to_string(), answer(panel))).collect::<Map<_, _>>())
}

#[test]
fn the_preview_has_each_panel_with_its_words_and_units_and_takes_no_label_for_html() {
    let directory = tempfile::tempdir().unwrap();
    let mut browser = Browser::start();
    for (name, board) in boards::all() {
        let file = directory.path().join(name).with_extension("html");
        std::fs::write(&file, preview::page(&board, "in a test", &answers(&board))).unwrap();
        let is_drawn = format!("document.querySelectorAll('.panel').length === {}", panels(&board).len());
        browser.show(&format!("file://{}", file.display()), (1600, 1200), false, &is_drawn);
        let mut text = |title: &str| {
            let found = "[...document.querySelectorAll('.panel')].find((panel) => panel.dataset.title ===";
            let panel = browser.eval(&format!("{found} {title:?}).innerText"));
            panel.as_str().unwrap().to_owned()
        };
        for panel in panels(&board) {
            let (title, description) = (panel["title"].as_str().unwrap(), panel["description"].as_str().unwrap());
            let said = text(title);
            assert!(said.starts_with(title) && said.contains(description), "{title}: {said}");
        }
        let told: &[(&str, &str)] = match name {
            "fleet.json" => &[
                ("Split brain", "1"),
                ("Vipwardens", "1.23 K"),
                ("Worst first", "SPLIT BRAIN"),
                ("Verdicts", "SPLIT BRAIN"),
                ("Who was master", EVIL),
                ("Time split", "25%"),
                ("Causes", "No data"),
            ],
            _ => &[
                ("From evidence to silence, 99th percentile", "400 µs"),
                ("May hold without the arbiter for", "1.5 mins"),
                ("Adverts sent", "1.5 p/s"),
                ("Fences", "FENCED"),
                ("Misdirected clients", "No data"),
            ],
        };
        for (title, what) in told {
            let said = text(title);
            assert!(said.contains(what), "{title}: {what:?} is not in {said:?}");
        }
        assert_eq!(browser.eval("typeof window.owned + document.images.length"), "undefined0");
    }
}
