//! What creates, updates and patches change belongs to who made them.

use serde_json::{Map, Value};

use super::Writer;
use super::managers::{self, Manager, Operation};
use super::set::FieldSet;

/// Records in `after` that the writer changed what differs from `before`.
///
/// A client that sends an empty `managedFields` list clears it, as in the real server.
pub(crate) fn track(before: Option<&Value>, after: &mut Map<String, Value>, writer: &Writer<'_>) {
    let cleared =
        before.is_some() && after["metadata"]["managedFields"].as_array().is_some_and(Vec::is_empty);
    let mut entries = if cleared { Vec::new() } else { managers::read(before) };
    let changed = FieldSet::changes(writer, before, after);
    let now = Value::Object(after.clone());
    for entry in &mut entries {
        entry.fields.retain_present(&now);
        if !entry.is(writer, Operation::Update) {
            entry.fields.subtract(&changed);
        }
    }
    if !changed.is_empty() {
        let own = match entries.iter().position(|entry| entry.is(writer, Operation::Update)) {
            Some(position) => position,
            None => {
                entries.push(Manager::new(writer, Operation::Update));
                entries.len() - 1
            }
        };
        entries[own].fields.add(&changed);
        entries[own].time = Value::String(writer.time.clone());
    }
    managers::write(after, &entries);
}

/// Whether two states differ in nothing but the times of `managedFields`.
pub(crate) fn same_but_for_times(before: &Value, after: &Map<String, Value>) -> bool {
    let stripped = |object: &Map<String, Value>| {
        let mut object = object.clone();
        let entries = object.get_mut("metadata").and_then(|metadata| metadata.get_mut("managedFields"));
        for entry in entries.and_then(Value::as_array_mut).into_iter().flatten() {
            if let Some(entry) = entry.as_object_mut() {
                entry.remove("time");
            }
        }
        object
    };
    before.as_object().is_some_and(|before| stripped(before) == stripped(after))
}
