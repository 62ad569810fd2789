//! `additionalPrinterColumns` of custom kinds.

use serde_json::{Value, json};

use super::age;
use crate::kinds::{Column, Version};

pub(super) fn columns(version: &Version) -> Vec<Value> {
    if version.columns.is_empty() {
        return vec![json!({"name": "Age", "type": "date", "format": "", "description": "", "priority": 0})];
    }
    let column = |column: &Column| {
        json!({
            "name": column.name, "type": column.kind, "format": column.format,
            "description": described(column), "priority": column.priority,
        })
    };
    version.columns.iter().map(column).collect()
}

fn described(column: &Column) -> String {
    match column.description.as_str() {
        "" => format!("Custom resource definition column (in JSONPath format): {}", column.path),
        text => text.to_owned(),
    }
}

pub(super) fn row(version: &Version, object: &Value, now: i64) -> Vec<Value> {
    if version.columns.is_empty() {
        return vec![age::of(object, now)];
    }
    version.columns.iter().map(|column| cell(column, object, now)).collect()
}

/// The cell of a column: null where there is nothing or something of another type, as in the real server.
fn cell(column: &Column, object: &Value, now: i64) -> Value {
    let found = find(object, &column.path);
    let Some(first) = found.first() else { return Value::Null };
    match column.kind.as_str() {
        "date" => age::since(first, now),
        "integer" => first.as_i64().map_or(Value::Null, Value::from),
        "number" => first.as_f64().map_or(Value::Null, Value::from),
        "boolean" => first.as_bool().map_or(Value::Null, Value::from),
        _ => {
            let text = |value: &&Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
            json!(found.iter().map(text).collect::<Vec<_>>().join(" "))
        }
    }
}

/// What a JSON path leads to: members, `[0]`, `[*]`, `['name']` and `[?(@.type=="Ready")]`.
fn find<'a>(object: &'a Value, path: &str) -> Vec<&'a Value> {
    let mut found = vec![object];
    let mut rest = path.trim_start_matches('$');
    while !rest.is_empty() {
        let step;
        (step, rest) = match rest.strip_prefix('[') {
            Some(inner) => inner.split_once(']').unwrap_or((inner, "")),
            None => {
                let name = rest.strip_prefix('.').unwrap_or(rest);
                // A dot that is part of a name is written `\.`.
                let mut end = name.len();
                for (at, c) in name.char_indices() {
                    if (c == '.' && !name[..at].ends_with('\\')) || c == '[' {
                        end = at;
                        break;
                    }
                }
                name.split_at(end)
            }
        };
        found = found.into_iter().flat_map(|value| one_step(value, step)).collect();
    }
    found.retain(|value| !value.is_null());
    found
}

fn one_step<'a>(value: &'a Value, step: &str) -> Vec<&'a Value> {
    if step == "*" {
        return match value {
            Value::Array(items) => items.iter().collect(),
            Value::Object(members) => members.values().collect(),
            _ => Vec::new(),
        };
    }
    if let Some(filter) = step.strip_prefix("?(@.").and_then(|filter| filter.strip_suffix(')')) {
        let Some((member, wanted)) = filter.split_once("==") else { return Vec::new() };
        let wanted = wanted.trim().trim_matches(['"', '\'']);
        let items = value.as_array().into_iter().flatten();
        return items.filter(|item| item[member.trim()] == wanted).collect();
    }
    match (value, step.parse::<usize>()) {
        (Value::Array(items), Ok(position)) => items.get(position).into_iter().collect(),
        _ => value.get(step.trim_matches(['"', '\'']).replace("\\.", ".")).into_iter().collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_find_what_the_columns_show() {
        let object = json!({"spec": {"size": 3, "a.b": "dot", "list": [{"n": "x"}, {"n": "y"}]},
            "status": {"conditions": [{"type": "Ready", "status": "True"}, {"type": "Other", "status": "False"}]}});
        let cases = [
            (".spec.size", "integer", json!(3)),
            (".spec.size", "string", json!("3")),
            (".spec.a\\.b", "string", json!("dot")),
            (".spec['a\\.b']", "string", json!("dot")),
            (".spec.list[0].n", "string", json!("x")),
            (".spec.list[*].n", "string", json!("x y")),
            (".status.conditions[?(@.type==\"Ready\")].status", "string", json!("True")),
            (".spec.none", "string", Value::Null),
            (".spec.list", "integer", Value::Null),
        ];
        for (path, kind, expected) in cases {
            let column = Column {
                name: String::new(),
                kind: kind.into(),
                format: String::new(),
                description: String::new(),
                priority: 0,
                path: path.into(),
            };
            assert_eq!(cell(&column, &object, 0), expected, "{path}");
        }
    }
}
