//! Server-side apply: the configuration is merged in, what its manager set before and leaves out now goes, and what
//! belongs to others is refused unless forced.

use serde_json::{Map, Value};

use super::Writer;
use super::lists::{ListKind, apply_list, is_atomic_map};
use super::managers::{self, Manager, Operation};
use super::set::{FieldSet, child_of, element_of, is_item};

/// A field that another manager owns and has another value for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Conflict {
    /// `"kubectl-edit" using v1`, as the refusal names it.
    pub(crate) manager: String,
    /// `.spec.replicas`
    pub(crate) field: String,
}

/// What `before` becomes when the writer applies `config`.
///
/// # Errors
/// The conflicts, unless `force`.
pub(crate) fn apply(
    before: Option<&Value>,
    config: &Map<String, Value>,
    writer: &Writer<'_>,
    force: bool,
) -> Result<Map<String, Value>, Vec<Conflict>> {
    let wanted = FieldSet::of(writer, config);
    let config_value = Value::Object(config.clone());
    let mut entries = managers::read(before);
    let mut conflicts = Vec::new();
    for entry in entries.iter_mut().filter(|entry| !entry.is(writer, Operation::Apply)) {
        let mut taken = FieldSet::default();
        for path in entry.fields.paths().into_iter().filter(|path| wanted.contains(path)) {
            let theirs = before.and_then(|before| follow(before, &path));
            if differs(theirs, follow(&config_value, &path), &wanted, &path) {
                conflicts.push(Conflict { manager: described(entry), field: dotted(&path) });
                taken.insert(&path);
            }
        }
        entry.fields.subtract(&taken);
    }
    if !conflicts.is_empty() && !force {
        return Err(conflicts);
    }
    let mut after = before.and_then(Value::as_object).cloned().unwrap_or_default();
    merge_members(writer, &mut after, config, &mut Vec::new());
    let mut after = Value::Object(after);
    let own = entries.iter().position(|entry| entry.is(writer, Operation::Apply));
    let previous = own.map(|own| entries.remove(own));
    if let Some(previous) = &previous {
        for path in previous.fields.paths().iter().rev() {
            let kept = wanted.reaches(path) || entries.iter().any(|entry| entry.fields.reaches(path));
            if !kept {
                prune(&mut after, path);
            }
        }
    }
    let same = previous.as_ref().is_some_and(|previous| previous.fields == wanted) && before == Some(&after);
    let time = previous.filter(|_| same).map(|previous| previous.time);
    let mut manager = Manager::new(writer, Operation::Apply);
    manager.fields = wanted;
    manager.time = time.unwrap_or(manager.time);
    entries.push(manager);
    let mut after = after.as_object().cloned().unwrap_or_default();
    managers::write(&mut after, &entries);
    Ok(after)
}

/// Whether a leaf has another value; a path that leads on into the set is judged by what is below it.
fn differs(theirs: Option<&Value>, ours: Option<&Value>, wanted: &FieldSet, path: &[String]) -> bool {
    let has_more = wanted.paths().iter().any(|other| other.len() > path.len() && other.starts_with(path));
    !has_more && theirs != ours
}

fn described(entry: &Manager) -> String {
    let subresource =
        entry.subresource.as_ref().map(|name| format!(" with subresource \"{name}\"")).unwrap_or_default();
    match entry.operation {
        Operation::Apply => format!("\"{}\"{subresource}", entry.name),
        Operation::Update => format!("\"{}\"{subresource} using {}", entry.name, entry.api_version),
    }
}

/// A path as conflicts name it: `.spec.containers[name="a"].image`.
fn dotted(path: &[String]) -> String {
    let element = |element: &String| match element.split_once(':') {
        Some(("f", name)) => format!(".{name}"),
        Some(("k", keys)) => {
            let keys: Map<String, Value> = serde_json::from_str(keys).unwrap_or_default();
            let keys: Vec<String> = keys.iter().map(|(key, value)| format!("{key}={value}")).collect();
            format!("[{}]", keys.join(","))
        }
        Some((_, value)) => format!("[={value}]"),
        None => element.clone(),
    };
    path.iter().map(element).collect()
}

fn follow<'a>(value: &'a Value, path: &[String]) -> Option<&'a Value> {
    path.iter().try_fold(value, |at, element| child_of(at, element))
}

fn merge_members(
    writer: &Writer<'_>,
    into: &mut Map<String, Value>,
    config: &Map<String, Value>,
    path: &mut Vec<String>,
) {
    for (name, value) in config {
        path.push(name.clone());
        match into.get_mut(name) {
            Some(present) => merge_value(writer, present, value, path),
            None => drop(into.insert(name.clone(), value.clone())),
        }
        path.pop();
    }
}

fn merge_value(writer: &Writer<'_>, into: &mut Value, config: &Value, path: &mut Vec<String>) {
    match (&mut *into, config) {
        (Value::Object(into), Value::Object(config)) if !is_atomic_map(writer, path) => {
            merge_members(writer, into, config, path);
        }
        (Value::Array(into), Value::Array(config)) => match apply_list(writer, path) {
            ListKind::Atomic => *into = config.clone(),
            kind => {
                for item in config {
                    let element = element_of(&kind, item);
                    let (form, text) = element.split_once(':').unwrap_or_default();
                    match (into.iter_mut().find(|present| is_item(present, form, text)), item) {
                        (Some(Value::Object(present)), Value::Object(item)) => {
                            merge_members(writer, present, item, path);
                        }
                        (Some(_), _) => {}
                        (None, _) => into.push(item.clone()),
                    }
                }
            }
        },
        _ => *into = config.clone(),
    }
}

/// Removes what a path leads to.
fn prune(value: &mut Value, path: &[String]) {
    let Some((element, rest)) = path.split_first() else { return };
    let Some((form, text)) = element.split_once(':') else { return };
    match (&mut *value, form) {
        (Value::Object(object), "f") if rest.is_empty() => drop(object.remove(text)),
        (Value::Object(object), "f") => {
            if let Some(child) = object.get_mut(text) {
                prune(child, rest);
            }
        }
        (Value::Array(items), _) if rest.is_empty() => items.retain(|item| !is_item(item, form, text)),
        (Value::Array(items), _) => {
            if let Some(item) = items.iter_mut().find(|item| is_item(item, form, text)) {
                prune(item, rest);
            }
        }
        _ => {}
    }
}
