//! Sets of fields in their `FieldsV1` form.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use super::Writer;
use super::lists::{ListKind, apply_list, is_atomic_map};

/// Paths into an object. An element is `f:name`, `k:{"key":"value"}` (an item of a list by its keys) or `v:"value"`
/// (an item of a set), as `FieldsV1` writes them.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct FieldSet {
    /// Whether the path that leads here is itself in the set.
    own: bool,
    children: BTreeMap<String, FieldSet>,
}

/// Metadata that has no owner.
const UNOWNED: [&str; 10] = [
    "name",
    "namespace",
    "uid",
    "creationTimestamp",
    "resourceVersion",
    "generation",
    "managedFields",
    "selfLink",
    "deletionTimestamp",
    "deletionGracePeriodSeconds",
];

/// Which containers are in a set beside what they contain.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Dots {
    /// Items of lists.
    Items,
    /// Those and maps of the user's own keys: what was compared owns them, what was applied does not.
    Maps,
}

/// How sets are made.
struct Walk<'a> {
    writer: &'a Writer<'a>,
    dots: Dots,
}

impl FieldSet {
    fn leaf() -> FieldSet {
        FieldSet { own: true, children: BTreeMap::new() }
    }

    /// The fields that `object` sets.
    pub(super) fn of(writer: &Writer<'_>, object: &Map<String, Value>) -> FieldSet {
        FieldSet::walk(writer, Dots::Items, None, object)
    }

    /// The fields of `after` that are not the same in `before`.
    pub(super) fn changes(
        writer: &Writer<'_>,
        before: Option<&Value>,
        after: &Map<String, Value>,
    ) -> FieldSet {
        FieldSet::walk(writer, Dots::Maps, before, after)
    }

    fn walk(writer: &Writer<'_>, dots: Dots, before: Option<&Value>, after: &Map<String, Value>) -> FieldSet {
        let mut set = Walk { writer, dots }.members(before, after, &mut Vec::new());
        if writer.leaves_status {
            set.children.remove("f:status");
        }
        set.children.retain(|element, _| !matches!(element.as_str(), "f:kind" | "f:apiVersion"));
        if let Some(metadata) = set.children.get_mut("f:metadata") {
            metadata
                .children
                .retain(|element, _| !element.strip_prefix("f:").is_some_and(|n| UNOWNED.contains(&n)));
            metadata.own = false;
        }
        set.children.retain(|element, child| element != "f:metadata" || !child.children.is_empty());
        set
    }

    pub(super) fn is_empty(&self) -> bool {
        !self.own && self.children.is_empty()
    }

    pub(super) fn contains(&self, path: &[String]) -> bool {
        match path.split_first() {
            None => self.own,
            Some((first, rest)) => self.children.get(first).is_some_and(|child| child.contains(rest)),
        }
    }

    /// Whether the set has the path or one below it.
    pub(super) fn reaches(&self, path: &[String]) -> bool {
        match path.split_first() {
            None => !self.is_empty(),
            Some((first, rest)) => self.children.get(first).is_some_and(|child| child.reaches(rest)),
        }
    }

    pub(super) fn add(&mut self, other: &FieldSet) {
        self.own |= other.own;
        for (element, child) in &other.children {
            self.children.entry(element.clone()).or_default().add(child);
        }
    }

    pub(super) fn subtract(&mut self, other: &FieldSet) {
        if other.own {
            self.own = false;
        }
        self.children.retain(|element, child| {
            if let Some(gone) = other.children.get(element) {
                child.subtract(gone);
            }
            !child.is_empty()
        });
    }

    /// Keeps only what `value` has.
    pub(super) fn retain_present(&mut self, value: &Value) {
        self.children.retain(|element, child| match child_of(value, element) {
            None => false,
            Some(present) => {
                child.retain_present(present);
                !child.is_empty()
            }
        });
    }

    pub(super) fn insert(&mut self, path: &[String]) {
        match path.split_first() {
            None => self.own = true,
            Some((first, rest)) => self.children.entry(first.clone()).or_default().insert(rest),
        }
    }

    /// Every path in the set, parents first.
    pub(super) fn paths(&self) -> Vec<Vec<String>> {
        let mut found = Vec::new();
        self.collect(&mut Vec::new(), &mut found);
        found
    }

    pub(super) fn read(fields: &Value) -> FieldSet {
        let mut set = FieldSet::default();
        for (element, child) in fields.as_object().into_iter().flatten() {
            if element == "." {
                set.own = true;
            } else {
                let mut child = FieldSet::read(child);
                child.own |= child.children.is_empty();
                set.children.insert(element.clone(), child);
            }
        }
        set
    }

    pub(super) fn write(&self) -> Value {
        let mut fields: Map<String, Value> =
            self.children.iter().map(|(element, child)| (element.clone(), child.write())).collect();
        if self.own && !self.children.is_empty() {
            fields.insert(".".into(), json!({}));
        }
        Value::Object(fields)
    }

    fn collect(&self, path: &mut Vec<String>, found: &mut Vec<Vec<String>>) {
        if self.own {
            found.push(path.clone());
        }
        for (element, child) in &self.children {
            path.push(element.clone());
            child.collect(path, found);
            path.pop();
        }
    }
}

/// What an element leads to.
pub(super) fn child_of<'a>(value: &'a Value, element: &str) -> Option<&'a Value> {
    let (form, text) = element.split_once(':')?;
    match form {
        "f" => value.get(text),
        _ => value.as_array()?.iter().find(|item| is_item(item, form, text)),
    }
}

/// Whether a list's item is the one that a `k:` or `v:` element names.
pub(super) fn is_item(item: &Value, form: &str, text: &str) -> bool {
    let Ok(wanted) = serde_json::from_str::<Value>(text) else { return false };
    match (form, wanted) {
        ("k", Value::Object(keys)) => keys.iter().all(|(key, value)| item_key(item, key) == *value),
        (_, wanted) => *item == wanted,
    }
}

/// The value of an item's key; a port's protocol is TCP unless it says otherwise.
fn item_key(item: &Value, key: &str) -> Value {
    match item.get(key) {
        None | Some(Value::Null) if key == "protocol" => json!("TCP"),
        found => found.cloned().unwrap_or(Value::Null),
    }
}

/// The element that names an item.
pub(super) fn element_of(kind: &ListKind, item: &Value) -> String {
    match kind {
        ListKind::Map(keys) => {
            let keys: Map<String, Value> =
                keys.iter().map(|key| (key.clone(), item_key(item, key))).collect();
            format!("k:{}", Value::Object(keys))
        }
        _ => format!("v:{item}"),
    }
}

impl Walk<'_> {
    fn members(
        &self,
        before: Option<&Value>,
        after: &Map<String, Value>,
        path: &mut Vec<String>,
    ) -> FieldSet {
        let mut set = FieldSet::default();
        for (name, value) in after {
            let old = before.and_then(|before| before.get(name));
            if old == Some(value) {
                continue;
            }
            path.push(name.clone());
            let child = self.node(old, value, path);
            path.pop();
            if !child.is_empty() {
                set.children.insert(format!("f:{name}"), child);
            }
        }
        set
    }

    fn node(&self, before: Option<&Value>, after: &Value, path: &mut Vec<String>) -> FieldSet {
        match after {
            Value::Object(object) if !object.is_empty() && !is_atomic_map(self.writer, path) => {
                let mut set = self.members(before, object, path);
                // A map of the user's own keys is owned beside its entries.
                set.own = self.dots == Dots::Maps && before.is_none() && self.is_map(path);
                set
            }
            Value::Array(items) => match apply_list(self.writer, path) {
                ListKind::Atomic => FieldSet::leaf(),
                kind => self.list(before, items, path, &kind),
            },
            _ => FieldSet::leaf(),
        }
    }

    fn list(
        &self,
        before: Option<&Value>,
        items: &[Value],
        path: &mut Vec<String>,
        kind: &ListKind,
    ) -> FieldSet {
        let mut set = FieldSet { own: items.is_empty(), children: BTreeMap::new() };
        for item in items {
            let element = element_of(kind, item);
            let old = before.and_then(|before| child_of(before, &element));
            if old == Some(item) {
                continue;
            }
            let mut child = match item {
                Value::Object(object) => self.members(old, object, path),
                _ => FieldSet::leaf(),
            };
            child.own |= old.is_none();
            if !child.is_empty() {
                set.children.insert(element, child);
            }
        }
        set
    }

    /// Whether the object at `path` has keys of the user's own; all objects of a custom kind count as such.
    fn is_map(&self, path: &[String]) -> bool {
        const MAPS: [&str; 7] =
            ["labels", "annotations", "data", "binaryData", "limits", "requests", "rollingUpdate"];
        let in_metadata = path.first().is_some_and(|first| first == "metadata");
        let custom = self.writer.schema.is_some() && !in_metadata;
        custom || path.last().is_some_and(|last| MAPS.contains(&last.as_str()))
    }
}
