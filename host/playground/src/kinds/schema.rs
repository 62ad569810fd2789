//! Structural schemas of custom kinds: unknown fields are dropped, defaults filled in, the rest checked.

use serde_json::{Map, Value};

use super::Violation;

/// The `openAPIV3Schema` of one version.
///
/// `pattern` and the CEL rules of `x-kubernetes-validations` are not evaluated.
#[derive(Clone, Debug)]
pub(crate) struct Schema(Value);

impl Schema {
    /// Takes the schema as the definition gives it.
    pub(crate) fn new(schema: Value) -> Schema {
        Schema(schema)
    }

    /// The schema as the definition gave it.
    pub(crate) fn json(&self) -> &Value {
        &self.0
    }

    /// The part of the schema that describes what is at `path`, member names without positions; null where it says
    /// nothing.
    pub(crate) fn at(&self, path: &[String]) -> &Value {
        path.iter().fold(&self.0, |at, name| {
            // The list's own schema is asked for at its name, its items' at the next.
            let at = if at["items"].is_object() { &at["items"] } else { at };
            let extra = &at["additionalProperties"];
            at["properties"].get(name).unwrap_or(extra)
        })
    }

    /// Drops what the schema does not know, and names it.
    pub(crate) fn prune(&self, object: &mut Map<String, Value>) -> Vec<String> {
        let mut dropped = Vec::new();
        let known = self.0["properties"].as_object();
        if self.0["x-kubernetes-preserve-unknown-fields"] == true {
            return dropped;
        }
        let root = |name: &str| matches!(name, "apiVersion" | "kind" | "metadata");
        object.retain(|name, value| match known.and_then(|known| known.get(name)) {
            _ if root(name) => true,
            Some(schema) => {
                prune(schema, value, name, &mut dropped);
                true
            }
            None => {
                dropped.push(name.clone());
                false
            }
        });
        dropped
    }

    /// Fills in defaults.
    pub(crate) fn default(&self, object: &mut Map<String, Value>) {
        fill(&self.0, object);
    }

    /// What does not fit.
    pub(crate) fn violations(&self, object: &Map<String, Value>) -> Vec<Violation> {
        let mut found = Vec::new();
        check_members(&self.0, object, "", &mut found);
        found
    }
}

fn prune(schema: &Value, value: &mut Value, path: &str, dropped: &mut Vec<String>) {
    if schema["x-kubernetes-preserve-unknown-fields"] == true && schema["properties"].is_null() {
        return;
    }
    match value {
        Value::Array(items) => {
            for (position, item) in items.iter_mut().enumerate() {
                prune(&schema["items"], item, &format!("{path}[{position}]"), dropped);
            }
        }
        Value::Object(members) => {
            let extra = &schema["additionalProperties"];
            let keep = schema["x-kubernetes-preserve-unknown-fields"] == true || *extra == true;
            let embedded = schema["x-kubernetes-embedded-resource"] == true;
            members.retain(|name, member| {
                let path = format!("{path}.{name}");
                let known = schema["properties"].get(name).or(extra.is_object().then_some(extra));
                match known {
                    Some(schema) => prune(schema, member, &path, dropped),
                    None if keep
                        || (embedded && matches!(name.as_str(), "apiVersion" | "kind" | "metadata")) => {}
                    None => {
                        dropped.push(path);
                        return false;
                    }
                }
                true
            });
        }
        _ => {}
    }
}

fn fill(schema: &Value, object: &mut Map<String, Value>) {
    for (name, schema) in schema["properties"].as_object().into_iter().flatten() {
        let nullable = schema["nullable"] == true;
        let missing = object.get(name).is_none_or(|value| value.is_null() && !nullable);
        match schema.get("default") {
            Some(default) if missing => {
                object.insert(name.clone(), default.clone());
            }
            _ => {}
        }
        if let Some(value) = object.get_mut(name) {
            fill_value(schema, value);
        }
    }
    let extra = &schema["additionalProperties"];
    if extra.is_object() {
        object.values_mut().for_each(|value| fill_value(extra, value));
    }
}

fn fill_value(schema: &Value, value: &mut Value) {
    match value {
        Value::Object(members) => fill(schema, members),
        Value::Array(items) => items.iter_mut().for_each(|item| fill_value(&schema["items"], item)),
        _ => {}
    }
}

fn check_members(schema: &Value, members: &Map<String, Value>, path: &str, found: &mut Vec<Violation>) {
    let at = |name: &str| if path.is_empty() { name.to_owned() } else { format!("{path}.{name}") };
    for name in schema["required"].as_array().into_iter().flatten().filter_map(Value::as_str) {
        if !members.contains_key(name) {
            found.push(Violation::required(at(name), ""));
        }
    }
    for (name, value) in members {
        if path.is_empty() && matches!(name.as_str(), "metadata" | "kind" | "apiVersion") {
            continue;
        }
        let extra = &schema["additionalProperties"];
        if let Some(schema) = schema["properties"].get(name).or(extra.is_object().then_some(extra)) {
            check(schema, value, &at(name), found);
        }
    }
}

fn check(schema: &Value, value: &Value, path: &str, found: &mut Vec<Violation>) {
    if value.is_null() && schema["nullable"] == true {
        return;
    }
    if schema["x-kubernetes-int-or-string"] == true {
        if !value.is_i64() && !value.is_u64() && !value.is_string() {
            let detail = format!("{path} in body must be of type integer,string: \"{}\"", type_of(value));
            found.push(Violation::wrong_type(path, type_of(value), &detail));
        }
        return;
    }
    if let Some(expected) = schema["type"].as_str() {
        let integer = expected == "number" && type_of(value) == "integer";
        if expected != type_of(value) && !integer {
            let detail = format!("{path} in body must be of type {expected}: \"{}\"", type_of(value));
            found.push(Violation::wrong_type(path, type_of(value), &detail));
            return;
        }
    }
    if let Some(allowed) = schema["enum"].as_array()
        && !allowed.contains(value)
    {
        found.push(Violation::unsupported(path, value, allowed));
    }
    check_bounds(schema, value, path, found);
    match value {
        Value::Object(members) => check_members(schema, members, path, found),
        Value::Array(items) => {
            for (position, item) in items.iter().enumerate() {
                check(&schema["items"], item, &format!("{path}[{position}]"), found);
            }
        }
        _ => {}
    }
}

fn check_bounds(schema: &Value, value: &Value, path: &str, found: &mut Vec<Violation>) {
    let size = match value {
        Value::String(text) => Some((text.chars().count(), "Length", "chars long")),
        Value::Array(items) => Some((items.len(), "Items", "items")),
        Value::Object(members) => Some((members.len(), "Properties", "properties")),
        _ => None,
    };
    let mut refuse = |detail: String| found.push(Violation::invalid(path, value, &detail));
    if let Some((size, unit, words)) = size {
        let bound = |side: &str| schema[format!("{side}{unit}")].as_u64().map(|bound| bound as usize);
        if let Some(bound) = bound("min").filter(|bound| size < *bound) {
            refuse(format!("{path} in body should be at least {bound} {words}"));
        }
        if let Some(bound) = bound("max").filter(|bound| size > *bound) {
            refuse(format!("{path} in body should be at most {bound} {words}"));
        }
    }
    if let Some(number) = value.as_f64() {
        if let Some(bound) = schema["minimum"].as_f64().filter(|bound| number < *bound) {
            refuse(format!("{path} in body should be greater than or equal to {bound}"));
        }
        if let Some(bound) = schema["maximum"].as_f64().filter(|bound| number > *bound) {
            refuse(format!("{path} in body should be less than or equal to {bound}"));
        }
    }
}

fn type_of(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "boolean",
        Value::Number(number) if number.is_f64() => "number",
        Value::Number(_) => "integer",
        Value::String(_) => "string",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn schema() -> Schema {
        Schema::new(json!({"type": "object", "required": ["spec"], "properties": {
            "spec": {"type": "object", "required": ["size"], "properties": {
                "size": {"type": "integer", "minimum": 1, "maximum": 9},
                "color": {"type": "string", "default": "blue", "enum": ["blue", "red"]},
                "tags": {"type": "object", "additionalProperties": {"type": "string"}},
                "port": {"x-kubernetes-int-or-string": true},
                "any": {"type": "object", "x-kubernetes-preserve-unknown-fields": true},
            }},
        }}))
    }

    fn map(value: Value) -> Map<String, Value> {
        value.as_object().cloned().unwrap_or_default()
    }

    #[test]
    fn unknown_fields_go_and_defaults_come() {
        let mut object = map(json!({"metadata": {"x": 1}, "extra": 1, "spec":
            {"size": 2, "bad": {}, "tags": {"a": "b"}, "any": {"deep": {"er": 1}}}}));
        let dropped = schema().prune(&mut object);
        schema().default(&mut object);
        assert_eq!(dropped, ["extra", "spec.bad"]);
        assert_eq!(
            Value::Object(object),
            json!({"metadata": {"x": 1}, "spec":
                {"size": 2, "color": "blue", "tags": {"a": "b"}, "any": {"deep": {"er": 1}}}})
        );
    }

    #[test]
    fn violations_are_all_named() {
        let cases = [
            (json!({}), vec!["spec: Required value"]),
            (json!({"spec": {}}), vec!["spec.size: Required value"]),
            (json!({"spec": {"size": 3, "port": "http"}}), vec![]),
            (
                json!({"spec": {"size": "3"}}),
                vec![
                    "spec.size: Invalid value: \"string\": spec.size in body must be of type integer: \"string\"",
                ],
            ),
            (
                json!({"spec": {"size": 10, "color": "green"}}),
                vec![
                    "spec.color: Unsupported value: \"green\": supported values: \"blue\", \"red\"",
                    "spec.size: Invalid value: 10: spec.size in body should be less than or equal to 9",
                ],
            ),
            (
                json!({"spec": {"size": 1, "port": true}}),
                vec![
                    "spec.port: Invalid value: \"boolean\": spec.port in body must be of type integer,string: \"boolean\"",
                ],
            ),
        ];
        for (object, expected) in cases {
            let mut texts: Vec<_> =
                schema().violations(&map(object.clone())).iter().map(Violation::text).collect();
            texts.sort();
            assert_eq!(texts, expected, "{object}");
        }
    }
}
