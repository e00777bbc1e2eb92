//! As much of JSON Schema as the schemas here use, and stricter in one thing: a key that no schema names is an error unless the schema
//! says of what type such keys are.

use std::collections::BTreeSet;

use serde_json::{Map, Value};

pub struct Schema {
    root: Value,
    /// Properties that occurred, as `name` or `definition/name`.
    met: BTreeSet<String>,
}

impl Schema {
    pub fn new(text: &str) -> Self {
        Self { root: serde_json::from_str(text).unwrap(), met: BTreeSet::new() }
    }

    /// The first thing that is wrong with `value`, with its path.
    pub fn check(&mut self, value: &Value) -> Result<(), String> {
        let root = self.root.clone();
        self.walk(&root, value, "", "$")
    }

    /// Properties of the schema that never occurred.
    #[allow(dead_code, reason = "a schema of others is an offer, not a promise")]
    pub fn unmet(&self) -> Vec<String> {
        let definitions = self.root["$defs"].as_object().unwrap().iter().map(|(name, schema)| (name.as_str(), schema));
        let all = definitions.chain([("", &self.root)]).flat_map(|(definition, schema)| {
            let properties = schema.get("properties").and_then(Value::as_object).into_iter().flatten();
            properties.map(move |(name, _)| format!("{definition}/{name}"))
        });
        all.filter(|name| !self.met.contains(name)).collect()
    }

    fn walk(&mut self, schema: &Value, value: &Value, definition: &str, path: &str) -> Result<(), String> {
        if let Some(reference) = schema.get("$ref").and_then(Value::as_str) {
            let definition = reference.rsplit('/').next().unwrap();
            return self.walk(&self.target(reference), value, definition, path);
        }
        if let Some(choices) = schema.get("anyOf").and_then(Value::as_array) {
            return self.any_of(choices, value, definition, path);
        }
        type_fits(schema, value, path)?;
        chosen(schema, value, path)?;
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

    fn target(&self, reference: &str) -> Value {
        self.root["$defs"][reference.strip_prefix("#/$defs/").unwrap()].clone()
    }

    /// What is wrong is told of the choice that has the value's type, or else of the one that gets furthest.
    fn any_of(&mut self, choices: &[Value], value: &Value, definition: &str, path: &str) -> Result<(), String> {
        let kind = |choice: &Value| {
            let schema = choice["$ref"].as_str().map_or_else(|| choice.clone(), |reference| self.target(reference));
            schema["properties"]["type"]["const"].clone()
        };
        let meant = choices.iter().find(|choice| value["type"].is_string() && kind(choice) == value["type"]);
        if let Some(choice) = meant {
            return self.walk(choice, value, definition, path);
        }
        let results: Vec<_> = choices.iter().map(|choice| self.walk(choice, value, definition, path)).collect();
        let depth = |error: &String| error.find(": ");
        if results.iter().any(Result::is_ok) {
            return Ok(());
        }
        Err(results.into_iter().filter_map(Result::err).max_by_key(depth).unwrap())
    }

    fn object(
        &mut self,
        schema: &Value,
        fields: &Map<String, Value>,
        definition: &str,
        path: &str,
    ) -> Result<(), String> {
        for name in schema["required"].as_array().into_iter().flatten() {
            if !fields.contains_key(name.as_str().unwrap()) {
                return Err(format!("{path}: no {name}"));
            }
        }
        let others = Some(&schema["additionalProperties"]).filter(|others| others.is_object());
        for (name, value) in fields {
            let property =
                schema["properties"].get(name).or(others).ok_or(format!("{path}: {name} is in no schema"))?;
            let property = property.clone();
            self.met.insert(format!("{definition}/{name}"));
            self.walk(&property, value, definition, &format!("{path}.{name}"))?;
        }
        Ok(())
    }
}

fn type_fits(schema: &Value, value: &Value, path: &str) -> Result<(), String> {
    let types = match &schema["type"] {
        Value::Array(types) => types.clone(),
        Value::Null => return Ok(()),
        one => vec![one.clone()],
    };
    let actual = type_of(value);
    let fits = |t: &Value| t == actual || (t == "number" && actual == "integer");
    if types.iter().any(fits) { Ok(()) } else { Err(format!("{path}: {actual} where {types:?} is due")) }
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

fn chosen(schema: &Value, value: &Value, path: &str) -> Result<(), String> {
    let is_listed = schema["enum"].as_array().is_none_or(|choices| choices.contains(value));
    let is_it = schema.get("const").is_none_or(|only| only == value);
    if is_listed && is_it { Ok(()) } else { Err(format!("{path}: {value} is none of the choices")) }
}

fn range(schema: &Value, value: &Value, path: &str) -> Result<(), String> {
    let Some(number) = value.as_f64() else { return Ok(()) };
    let minimum = schema["minimum"].as_f64().unwrap_or(f64::NEG_INFINITY);
    let maximum = schema["maximum"].as_f64().unwrap_or(f64::INFINITY);
    if (minimum..=maximum).contains(&number) { Ok(()) } else { Err(format!("{path}: {number} is out of range")) }
}
