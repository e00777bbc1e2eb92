//! The JSON Schemas in `docs/schema` against what is served.

#[path = "support/snapshot.rs"]
mod scene;

use std::collections::BTreeSet;

use serde_json::{Map, Value};
use std::sync::Arc;

use vipwarden::config::ClusterKey;
use vipwarden::engine::Logged;
use vipwarden::engine::peers::document;
use vipwarden::engine::peers::seal::Seal;
use vipwarden::web::document::{EventDoc, StatusDoc};

const STATUS: &str = include_str!("../docs/schema/status.json");
const PEER: &str = include_str!("../docs/schema/peer.json");
const EVENTS: &str = include_str!("../docs/schema/events.json");

/// As much of JSON Schema as these two schemas use, and stricter in one thing: a key that no schema names is an error.
struct Schema {
    root: Value,
    /// Properties that occurred, as `name` or `definition/name`.
    met: BTreeSet<String>,
}

impl Schema {
    fn new(text: &str) -> Self {
        Self { root: serde_json::from_str(text).unwrap(), met: BTreeSet::new() }
    }

    fn check(&mut self, value: &Value) {
        let root = self.root.clone();
        self.walk(&root, value, "", "$").unwrap();
    }

    fn walk(&mut self, schema: &Value, value: &Value, definition: &str, path: &str) -> Result<(), String> {
        if let Some(name) = schema.get("$ref").and_then(Value::as_str) {
            let definition = name.strip_prefix("#/$defs/").unwrap();
            let target = self.root["$defs"][definition].clone();
            return self.walk(&target, value, definition, path);
        }
        if let Some(choices) = schema.get("anyOf").and_then(Value::as_array) {
            let results: Vec<_> = choices.iter().map(|choice| self.walk(choice, value, definition, path)).collect();
            return results.into_iter().min_by_key(Result::is_err).unwrap();
        }
        let types = match &schema["type"] {
            Value::Array(types) => types.clone(),
            one => vec![one.clone()],
        };
        let actual = type_of(value);
        let fits = |t: &Value| t == actual || (t == "number" && actual == "integer");
        if !types.iter().any(fits) {
            return Err(format!("{path}: {actual} where {types:?} is due"));
        }
        range(schema, value, path)?;
        match value {
            Value::Array(items) => items
                .iter()
                .enumerate()
                .try_for_each(|(i, item)| self.walk(&schema["items"], item, definition, &format!("{path}[{i}]"))),
            Value::Object(fields) => self.object(schema, fields, definition, path),
            _ => Ok(()),
        }
    }

    fn object(
        &mut self,
        schema: &Value,
        fields: &Map<String, Value>,
        definition: &str,
        path: &str,
    ) -> Result<(), String> {
        for name in schema["required"].as_array().unwrap() {
            if !fields.contains_key(name.as_str().unwrap()) {
                return Err(format!("{path}: no {name}"));
            }
        }
        for (name, value) in fields {
            let property = schema["properties"].get(name).ok_or(format!("{path}: {name} is in no schema"))?;
            self.met.insert(format!("{definition}/{name}"));
            self.walk(property, value, definition, &format!("{path}.{name}"))?;
        }
        Ok(())
    }

    /// Properties of the schema that never occurred.
    fn unmet(&self) -> Vec<String> {
        let definitions = self.root["$defs"].as_object().unwrap().iter().map(|(name, schema)| (name.as_str(), schema));
        let all = definitions.chain([("", &self.root)]).flat_map(|(definition, schema)| {
            let properties = schema.get("properties").and_then(Value::as_object).into_iter().flatten();
            properties.map(move |(name, _)| format!("{definition}/{name}"))
        });
        all.filter(|name| !self.met.contains(name)).collect()
    }
}

fn type_of(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "boolean",
        Value::Number(n) if n.is_u64() || n.is_i64() => "integer",
        Value::Number(_) => "number",
        Value::String(_) => "string",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
    }
}

fn range(schema: &Value, value: &Value, path: &str) -> Result<(), String> {
    let Some(number) = value.as_f64() else { return Ok(()) };
    let minimum = schema["minimum"].as_f64().unwrap_or(f64::NEG_INFINITY);
    let maximum = schema["maximum"].as_f64().unwrap_or(f64::INFINITY);
    if (minimum..=maximum).contains(&number) { Ok(()) } else { Err(format!("{path}: {number} is out of range")) }
}

#[test]
fn every_status_conforms_and_no_field_of_the_schema_is_an_empty_promise() {
    let mut schema = Schema::new(STATUS);
    for snapshot in [scene::rich(), scene::empty(), scene::hostile("<script>")] {
        let shared = scene::shared(snapshot.clone());
        schema.check(&serde_json::to_value(StatusDoc::new(&shared.identity, &snapshot)).unwrap());
    }
    assert_eq!(schema.unmet(), Vec::<String>::new());
}

#[test]
fn every_answer_to_a_peer_conforms_signed_or_not() {
    let mut schema = Schema::new(PEER);
    let key = ClusterKey { path: "key".into(), secret: vec![7; 32] };
    let mut snapshot = scene::rich();
    Arc::make_mut(&mut snapshot.routers[0]).findings[0].here = true;
    for seal in [None, Some(Seal::new(&key))] {
        let answer =
            document::answer(&scene::shared(snapshot.clone()).identity, &snapshot, snapshot.at, "n", seal.as_ref());
        schema.check(&serde_json::to_value(answer.unwrap()).unwrap());
    }
    assert_eq!(schema.unmet(), Vec::<String>::new());
}

#[test]
fn every_event_conforms() {
    let mut schema = Schema::new(EVENTS);
    let clock = scene::empty().clock;
    let mut node_event = scene::event("the cable was pulled");
    (node_event.router, node_event.vip, node_event.id, node_event.from) = (String::new(), None, None, None);
    let events = [scene::event("two masters"), node_event];
    let documents: Vec<_> =
        events.into_iter().zip(1..).map(|(event, id)| EventDoc::new(&Logged { id, event, clock })).collect();
    schema.check(&serde_json::to_value(documents).unwrap());
    assert_eq!(schema.unmet(), Vec::<String>::new());
}

#[test]
fn the_check_finds_a_missing_key_a_foreign_key_and_a_wrong_type() {
    let snapshot = scene::rich();
    let status = serde_json::to_value(StatusDoc::new(&scene::shared(snapshot.clone()).identity, &snapshot)).unwrap();
    let refused = |change: fn(&mut Value)| {
        let (mut schema, mut status) = (Schema::new(STATUS), status.clone());
        change(&mut status);
        let root = schema.root.clone();
        schema.walk(&root, &status, "", "$").unwrap_err()
    };
    assert_eq!(refused(|s| drop(s.as_object_mut().unwrap().remove("node"))), "$: no \"node\"");
    assert_eq!(refused(|s| s["routers"][0]["new"] = 1.into()), "$.routers[0]: new is in no schema");
    assert!(refused(|s| s["routers"][0]["vlan"] = "7".into()).starts_with("$.routers[0].vlan: string"));
    assert!(refused(|s| s["routers"][0]["vrid"] = 256.into()).ends_with("256 is out of range"));
}
