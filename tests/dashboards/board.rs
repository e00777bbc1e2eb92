//! The boards, as values: what Grafana's classic JSON wants around each query is written here, once.

use serde_json::{Map, Value, json};

/// What selects the series of a panel; every query of a router has it.
pub const OF_ROUTERS: &str = r#"job=~"$job", instance=~"$instance", vip=~"$vip""#;
/// The same for what belongs to a node.
pub const OF_NODES: &str = r#"job=~"$job", instance=~"$instance""#;

/// Grafana's grid.
const COLUMNS: usize = 24;

/// (value, text, colour): numbers as words.
pub type Words = &'static [(&'static str, &'static str, &'static str)];

/// How it looks.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    Stat,
    Table,
    States,
    Series,
}

/// One panel: what it says, and what it asks.
pub struct Panel {
    kind: Kind,
    title: &'static str,
    description: &'static str,
    unit: &'static str,
    /// `R` and `N` in braces stand for the two selections above.
    query: &'static str,
    legend: &'static str,
    words: Words,
    /// From 1 on it is red, below green.
    is_alarm: bool,
}

impl Panel {
    const fn new(kind: Kind, title: &'static str, description: &'static str, query: &'static str) -> Self {
        Self { kind, title, description, unit: "short", query, legend: "", words: &[], is_alarm: false }
    }

    /// One number for each series.
    pub const fn stat(title: &'static str, description: &'static str, query: &'static str) -> Self {
        Self::new(Kind::Stat, title, description, query)
    }

    /// How many there are of what nobody wants.
    pub const fn alarm(title: &'static str, description: &'static str, query: &'static str) -> Self {
        Self { words: &[("0", "none", "green")], is_alarm: true, ..Self::stat(title, description, query) }
    }

    /// One line for each series.
    pub const fn table(title: &'static str, description: &'static str, query: &'static str) -> Self {
        Self::new(Kind::Table, title, description, query)
    }

    /// One bar for each series, over time.
    pub const fn states(title: &'static str, description: &'static str, query: &'static str) -> Self {
        Self::new(Kind::States, title, description, query)
    }

    /// One curve for each series.
    pub const fn series(title: &'static str, description: &'static str, query: &'static str) -> Self {
        Self::new(Kind::Series, title, description, query)
    }

    pub const fn of_unit(self, unit: &'static str) -> Self {
        Self { unit, ..self }
    }

    pub const fn named(self, legend: &'static str) -> Self {
        Self { legend, ..self }
    }

    pub const fn in_words(self, words: Words) -> Self {
        Self { words, ..self }
    }

    fn options(&self) -> Value {
        let legend = json!({ "calcs": [], "displayMode": "list", "placement": "bottom", "showLegend": true });
        match self.kind {
            Kind::Stat => {
                json!({ "colorMode": "background", "graphMode": "none", "justifyMode": "auto", "orientation": "auto",
                "reduceOptions": { "calcs": ["lastNotNull"], "fields": "", "values": false }, "textMode": "auto",
                "percentChangeColorMode": "standard", "showPercentChange": false, "wideLayout": true })
            }
            Kind::Table => json!({ "cellHeight": "sm", "frameIndex": 0, "showHeader": true,
                "sortBy": [{ "displayName": "Value", "desc": true }] }),
            Kind::States => json!({ "alignValue": "left", "mergeValues": true, "rowHeight": 0.9, "showValue": "auto",
                "legend": legend, "tooltip": { "mode": "single", "sort": "none" } }),
            Kind::Series => json!({ "legend": legend, "tooltip": { "mode": "multi", "sort": "none" } }),
        }
    }

    fn target(&self) -> Value {
        let is_table = self.kind == Kind::Table;
        json!({ "datasource": source(), "editorMode": "code", "expr": query(self.query), "legendFormat": self.legend,
            "refId": "A", "instant": is_table, "range": !is_table, "format": if is_table { "table" } else { "time_series" } })
    }

    fn defaults(&self) -> Value {
        let words: Map<String, Value> = (self.words.iter().enumerate())
            .map(|(index, (value, text, color))| {
                (value.to_string(), json!({ "text": text, "color": color, "index": index }))
            })
            .collect();
        let mappings = if words.is_empty() { json!([]) } else { json!([{ "type": "value", "options": words }]) };
        let steps = if self.is_alarm {
            json!([{ "color": "green", "value": null }, { "color": "red", "value": 1 }])
        } else {
            json!([{ "color": "text", "value": null }])
        };
        let mut defaults = json!({ "unit": self.unit, "mappings": mappings, "color": { "mode": "thresholds" },
            "thresholds": { "mode": "absolute", "steps": steps } });
        if self.kind == Kind::Series {
            defaults["color"] = json!({ "mode": "palette-classic" });
            defaults["custom"] = json!({ "drawStyle": "line", "lineWidth": 1, "fillOpacity": 10 });
        }
        defaults
    }

    fn json(&self, id: usize, place: &Value) -> Value {
        let kind = match self.kind {
            Kind::Stat => "stat",
            Kind::Table => "table",
            Kind::States => "state-timeline",
            Kind::Series => "timeseries",
        };
        let mut value = json!({
            "id": id, "type": kind, "title": self.title, "description": self.description, "datasource": source(),
            "gridPos": place, "targets": [self.target()], "options": self.options(),
            "fieldConfig": { "defaults": self.defaults(), "overrides": [] },
        });
        if self.kind == Kind::Table {
            let hidden = json!({ "Time": true, "__name__": true, "job": true, "local": true });
            value["transformations"] = json!([{ "id": "organize", "options": { "excludeByName": hidden } }]);
        }
        value
    }
}

/// Panels side by side, of one width, with their height.
pub type Row = (usize, &'static [Panel]);

fn source() -> Value {
    json!({ "type": "prometheus", "uid": "${datasource}" })
}

fn query(text: &str) -> String {
    text.replace("{R", &format!("{{{OF_ROUTERS}")).replace("{N", &format!("{{{OF_NODES}"))
}

fn variable(name: &str, label: &str, asks: &str) -> Value {
    json!({ "name": name, "label": label, "type": "query", "datasource": source(), "definition": asks,
        "query": { "query": asks, "refId": name }, "refresh": 2, "sort": 1, "multi": true, "includeAll": true, "allValue": ".+",
        "current": { "text": "All", "value": "$__all" }, "hide": 0, "options": [], "regex": "" })
}

fn placed(rows: &[Row]) -> Vec<Value> {
    let (mut panels, mut y) = (Vec::new(), 0);
    for (height, row) in rows {
        let width = COLUMNS / row.len();
        for (index, panel) in row.iter().enumerate() {
            let place = json!({ "x": index * width, "y": y, "w": width, "h": height });
            panels.push(panel.json(panels.len() + 1, &place));
        }
        y += height;
    }
    panels
}

/// A whole board.
pub fn board(uid: &str, title: &str, description: &str, rows: &[Row]) -> Value {
    let split = format!("max by (vip) (vrrp_split_brain{{{OF_ROUTERS}}}) == 1");
    json!({
        "uid": uid, "title": title, "description": description, "tags": ["vipwarden", "vrrp"], "schemaVersion": 39, "version": 1,
        "editable": false, "graphTooltip": 1, "refresh": "10s", "time": { "from": "now-1h", "to": "now" }, "timezone": "browser",
        "links": [{ "type": "dashboards", "title": "vipwarden", "tags": ["vipwarden"], "asDropdown": false, "icon": "external link",
            "includeVars": true, "keepTime": true, "targetBlank": false, "tooltip": "", "url": "" }],
        "templating": { "list": [
            { "name": "datasource", "label": "Data source", "type": "datasource", "query": "prometheus", "refresh": 1, "hide": 0,
              "options": [], "regex": "", "multi": false, "includeAll": false },
            variable("job", "Job", "label_values(vipwarden_build_info, job)"),
            variable("instance", "Instance", r#"label_values(vipwarden_build_info{job=~"$job"}, instance)"#),
            variable("vip", "Virtual IP", r#"label_values(vrrp_router_info{job=~"$job", instance=~"$instance"}, vip)"#),
        ] },
        "annotations": { "list": [
            { "builtIn": 0, "name": "Split brain", "enable": true, "hide": false, "iconColor": "red", "datasource": source(),
              "target": { "expr": split, "interval": "10s", "refId": "Anno" }, "titleFormat": "split brain on {{vip}}" },
        ] },
        "panels": placed(rows),
    })
}
