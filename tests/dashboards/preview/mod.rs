//! A preview of a board: its JSON and what Prometheus answers, as a page. A look at what the panels would say where no Grafana is.

use serde_json::{Value, json};

const PAGE: &str = include_str!("preview.html");

/// The page that shows `board`; `answers` has the result of each panel's query by the panel's id: vectors for tables, matrices for all
/// others.
pub fn page(board: &Value, when: &str, answers: &Value) -> String {
    let shown = json!({ "when": when, "board": board, "answers": answers });
    // In JSON, < stands only in strings; there it must not end the element.
    PAGE.replace("SHOWN", &shown.to_string().replace('<', "\\u003c"))
}
