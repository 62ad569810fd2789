//! The entries of `metadata.managedFields`.

use serde_json::{Map, Value, json};

use super::Writer;
use super::set::FieldSet;

/// One entry.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Manager {
    pub(super) name: String,
    pub(super) operation: Operation,
    pub(super) api_version: String,
    pub(super) subresource: Option<String>,
    pub(super) time: Value,
    pub(super) fields: FieldSet,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Operation {
    Apply,
    Update,
}

impl Manager {
    /// A new entry of the writer, owning nothing yet.
    pub(super) fn new(writer: &Writer<'_>, operation: Operation) -> Manager {
        Manager {
            name: writer.manager.clone(),
            operation,
            api_version: writer.api_version.clone(),
            subresource: writer.subresource.map(str::to_owned),
            time: json!(writer.time),
            fields: FieldSet::default(),
        }
    }

    /// Whether the entry is where that writer's fields are kept.
    pub(super) fn is(&self, writer: &Writer<'_>, operation: Operation) -> bool {
        self.name == writer.manager
            && self.operation == operation
            && self.subresource.as_deref() == writer.subresource
            && (operation == Operation::Apply || self.api_version == writer.api_version)
    }
}

/// The entries of an object.
pub(super) fn read(object: Option<&Value>) -> Vec<Manager> {
    let entries =
        object.and_then(|object| object["metadata"]["managedFields"].as_array()).into_iter().flatten();
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    entries
        .map(|entry| Manager {
            name: text(&entry["manager"]),
            operation: if entry["operation"] == "Apply" { Operation::Apply } else { Operation::Update },
            api_version: text(&entry["apiVersion"]),
            subresource: entry["subresource"].as_str().map(str::to_owned),
            time: entry["time"].clone(),
            fields: FieldSet::read(&entry["fieldsV1"]),
        })
        .collect()
}

/// Puts the entries into the object; those that own nothing are left out.
pub(super) fn write(object: &mut Map<String, Value>, managers: &[Manager]) {
    let entry = |manager: &Manager| {
        let mut entry = json!({
            "manager": manager.name,
            "operation": if manager.operation == Operation::Apply { "Apply" } else { "Update" },
            "apiVersion": manager.api_version,
            "time": manager.time,
            "fieldsType": "FieldsV1",
            "fieldsV1": manager.fields.write(),
        });
        if let Some(subresource) = &manager.subresource {
            entry["subresource"] = json!(subresource);
        }
        entry
    };
    let mut managers: Vec<&Manager> = managers.iter().filter(|manager| !manager.fields.is_empty()).collect();
    // RFC 3339 in whole seconds and UTC orders as text.
    managers.sort_by_cached_key(|m| {
        (m.operation, m.time.to_string(), m.name.clone(), m.api_version.clone(), m.subresource.clone())
    });
    let entries: Vec<Value> = managers.into_iter().map(entry).collect();
    if let Some(metadata) = object.get_mut("metadata").and_then(Value::as_object_mut) {
        if entries.is_empty() {
            metadata.remove("managedFields");
        } else {
            metadata.insert("managedFields".into(), Value::Array(entries));
        }
    }
}
