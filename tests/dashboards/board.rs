//! The boards, as values: what Grafana's classic JSON wants around each query is written here, once.

use serde_json::{Value, json};

/// What selects the series of a panel; every query of a router has it.
pub const OF_ROUTERS: &str = r#"job=~"$job", instance=~"$instance", vip=~"$vip""#;
/// The same for what belongs to a node.
pub const OF_NODES: &str = r#"job=~"$job", instance=~"$instance""#;

/// One panel: its kind, what it says, and what it asks.
pub struct Panel {
    pub kind: &'static str,
    pub title: &'static str,
    pub description: &'static str,
    pub unit: &'static str,
    /// (query, legend); `R` and `N` in braces stand for the two selections above.
    pub targets: &'static [(&'static str, &'static str)],
    /// (value, text, colour), in words and colours.
    pub mappings: &'static [(&'static str, &'static str, &'static str)],
    pub width: u8,
    pub height: u8,
}

fn source() -> Value {
    json!({ "type": "prometheus", "uid": "${datasource}" })
}

fn query(text: &str) -> String {
    text.replace("{R", &format!("{{{OF_ROUTERS}")).replace("{N", &format!("{{{OF_NODES}"))
}

fn is_table(panel: &Panel) -> bool {
    panel.kind == "table"
}

fn options(panel: &Panel) -> Value {
    match panel.kind {
        "stat" => json!({ "colorMode": "background", "graphMode": "none", "justifyMode": "auto", "orientation": "auto",
            "reduceOptions": { "calcs": ["lastNotNull"], "fields": "", "values": false }, "textMode": "auto" }),
        "state-timeline" => json!({ "alignValue": "left", "mergeValues": true, "rowHeight": 0.9, "showValue": "auto",
            "legend": { "displayMode": "list", "placement": "bottom", "showLegend": true }, "tooltip": { "mode": "single", "sort": "none" } }),
        "table" => {
            json!({ "cellHeight": "sm", "showHeader": true, "sortBy": [{ "displayName": "Value", "desc": true }] })
        }
        _ => json!({ "legend": { "calcs": [], "displayMode": "list", "placement": "bottom", "showLegend": true },
            "tooltip": { "mode": "multi", "sort": "none" } }),
    }
}

fn panel(id: usize, panel: &Panel, x: u8, y: u16) -> Value {
    let mappings: serde_json::Map<String, Value> = panel
        .mappings
        .iter()
        .enumerate()
        .map(|(index, (value, text, color))| {
            ((*value).to_owned(), json!({ "text": text, "color": color, "index": index }))
        })
        .collect();
    let mappings = if mappings.is_empty() { json!([]) } else { json!([{ "type": "value", "options": mappings }]) };
    let targets: Vec<Value> = panel
        .targets
        .iter()
        .zip('A'..)
        .map(|((text, legend), letter)| {
            json!({ "datasource": source(), "editorMode": "code", "expr": query(text), "legendFormat": legend,
                "refId": letter.to_string(), "instant": is_table(panel), "range": !is_table(panel),
                "format": if is_table(panel) { "table" } else { "time_series" } })
        })
        .collect();
    let mut value = json!({
        "id": id, "type": panel.kind, "title": panel.title, "description": panel.description, "datasource": source(),
        "gridPos": { "x": x, "y": y, "w": panel.width, "h": panel.height }, "targets": targets, "options": options(panel),
        "fieldConfig": { "defaults": { "unit": panel.unit, "mappings": mappings, "color": { "mode": "thresholds" },
            "thresholds": { "mode": "absolute", "steps": [{ "color": "text", "value": null }] } }, "overrides": [] },
    });
    if panel.kind == "timeseries" {
        value["fieldConfig"]["defaults"]["color"] = json!({ "mode": "palette-classic" });
        value["fieldConfig"]["defaults"]["custom"] = json!({ "drawStyle": "line", "lineWidth": 1, "fillOpacity": 10 });
    }
    if is_table(panel) {
        let hidden = json!({ "Time": true, "__name__": true, "job": true, "local": true });
        value["transformations"] = json!([{ "id": "organize", "options": { "excludeByName": hidden } }]);
    }
    value
}

fn variable(name: &str, label: &str, asks: &str) -> Value {
    json!({ "name": name, "label": label, "type": "query", "datasource": source(), "definition": asks,
        "query": { "query": asks, "refId": name }, "refresh": 2, "sort": 1, "multi": true, "includeAll": true, "allValue": ".+",
        "current": { "text": "All", "value": "$__all" }, "hide": 0, "options": [], "regex": "" })
}

/// A whole board.
pub fn board(uid: &str, title: &str, description: &str, panels: &[Panel]) -> Value {
    let (mut x, mut y, mut row) = (0, 0, 0);
    let mut placed = Vec::new();
    for (index, one) in panels.iter().enumerate() {
        if x + one.width > 24 {
            (x, y, row) = (0, y + row, 0);
        }
        placed.push(panel(index + 1, one, x, y));
        (x, row) = (x + one.width, row.max(u16::from(one.height)));
    }
    let split = format!("max by (vip) (vrrp_split_brain{{{OF_ROUTERS}}}) == 1");
    json!({
        "uid": uid, "title": title, "description": description, "tags": ["vipwarden", "vrrp"], "schemaVersion": 39, "version": 1,
        "editable": false, "graphTooltip": 1, "refresh": "10s", "time": { "from": "now-1h", "to": "now" }, "timezone": "browser",
        "links": [{ "type": "dashboards", "title": "vipwarden", "tags": ["vipwarden"], "asDropdown": false, "icon": "external link",
            "includeVars": true, "keepTime": true, "targetBlank": false, "tooltip": "", "url": "" }],
        "templating": { "list": [
            { "name": "datasource", "label": "Data source", "type": "datasource", "query": "prometheus", "refresh": 1, "hide": 0,
              "current": {}, "options": [], "regex": "", "multi": false, "includeAll": false },
            variable("job", "Job", "label_values(vipwarden_build_info, job)"),
            variable("instance", "Instance", r#"label_values(vipwarden_build_info{job=~"$job"}, instance)"#),
            variable("vip", "Virtual IP", r#"label_values(vrrp_router_info{job=~"$job", instance=~"$instance"}, vip)"#),
        ] },
        "annotations": { "list": [
            { "builtIn": 0, "name": "Split brain", "enable": true, "hide": false, "iconColor": "red", "datasource": source(),
              "expr": split, "titleFormat": "split brain on {{vip}}", "step": "10s" },
        ] },
        "panels": placed,
    })
}
