//! One revision of one object: its serialised body, and the little that selectors and the collector need of it.

use std::collections::BTreeMap;
use std::sync::Arc;

use bytes::{BufMut, Bytes, BytesMut};
use serde_json::{Map, Value};

use super::Key;

/// A field that a field selector may name: its name in the selector and where its value is.
#[derive(Clone, Debug)]
pub(crate) struct Indexed {
    /// As a client writes it, `status.phase`.
    pub(crate) name: Arc<str>,
    /// The members to walk, `["status", "phase"]`.
    pub(crate) path: Box<[Box<str>]>,
    /// The value where the object says nothing: `""`, or `"false"` for a switch.
    pub(crate) absent: &'static str,
}

impl Indexed {
    /// The field `name`, found where its dots say, with `absent` where it is not there.
    pub(crate) fn new(name: &str, absent: &'static str) -> Indexed {
        Indexed {
            name: name.into(),
            path: name.trim_start_matches('.').split('.').map(Into::into).collect(),
            absent,
        }
    }

    fn read(&self, value: &Map<String, Value>) -> Box<str> {
        let mut members = self.path.iter();
        let found = members.next().and_then(|first| value.get(&**first));
        match members.try_fold(found, |at, member| at.map(|at| at.get(&**member))).flatten() {
            Some(Value::String(text)) => text.as_str().into(),
            Some(Value::Bool(_) | Value::Number(_)) => found_text(&self.path, value),
            _ => self.absent.into(),
        }
    }
}

/// A member of an object; null where it is not there.
pub(crate) fn at<'a>(object: &'a Map<String, Value>, member: &str) -> &'a Value {
    object.get(member).unwrap_or(&Value::Null)
}

fn found_text(path: &[Box<str>], value: &Map<String, Value>) -> Box<str> {
    let pointer = format!("/{}", path[1..].join("/"));
    let found = if path.len() == 1 { value.get(&*path[0]) } else { value[&*path[0]].pointer(&pointer) };
    found.map(Value::to_string).unwrap_or_default().into()
}

/// One immutable revision of one object.
pub(crate) struct Object {
    /// Where it stands in its table.
    pub(crate) key: Key,
    /// Its `metadata.resourceVersion`.
    pub(crate) revision: u64,
    /// Its `metadata.uid`.
    pub(crate) uid: Box<str>,
    /// Its labels.
    pub(crate) labels: BTreeMap<String, String>,
    /// The uids that its ownerReferences name.
    pub(crate) owners: Box<[Box<str>]>,
    /// The members of the object without the braces and without `kind` and `apiVersion`, `metadata` first: one
    /// serialisation serves every version, lists (which leave out the kind of built-in items) and watches.
    pub(crate) body: Bytes,
    fields: Box<[(Arc<str>, Box<str>)]>,
    going: bool,
}

impl Object {
    pub(super) fn seal(
        key: Key,
        value: &mut Map<String, Value>,
        revision: u64,
        indexed: &[Indexed],
    ) -> Object {
        let metadata = value.entry("metadata").or_insert_with(|| Value::Object(Map::new()));
        metadata["resourceVersion"] = Value::String(revision.to_string());
        Object::unsaved(key, value, revision, indexed)
    }

    /// The object as it is, as a dry run answers it: nothing is stored and no revision is set.
    pub(crate) fn unsaved(
        key: Key,
        value: &Map<String, Value>,
        revision: u64,
        indexed: &[Indexed],
    ) -> Object {
        let metadata = at(value, "metadata");
        let labels = metadata["labels"].as_object().into_iter().flatten();
        let owners = metadata["ownerReferences"].as_array().into_iter().flatten();
        Object {
            revision,
            uid: metadata["uid"].as_str().unwrap_or_default().into(),
            labels: labels.filter_map(|(k, v)| Some((k.clone(), v.as_str()?.to_owned()))).collect(),
            owners: owners.filter_map(|owner| owner["uid"].as_str().map(Into::into)).collect(),
            fields: indexed.iter().map(|field| (field.name.clone(), field.read(value))).collect(),
            going: !metadata["deletionTimestamp"].is_null(),
            body: body_of(value),
            key,
        }
    }

    /// The object as a tree, without `kind` and `apiVersion`, which depend on the version that is asked for.
    pub(crate) fn value(&self) -> Map<String, Value> {
        let mut text = Vec::with_capacity(self.body.len() + 2);
        text.push(b'{');
        text.extend_from_slice(&self.body);
        text.push(b'}');
        // What was serialised here parses here.
        serde_json::from_slice(&text).unwrap_or_default()
    }

    /// Whether it is marked as deleted.
    pub(crate) fn is_going(&self) -> bool {
        self.going
    }

    /// The same object with another key, revision and body, and with its small texts passed through `fill`.
    pub(super) fn filled(
        &self,
        key: Key,
        revision: u64,
        body: Bytes,
        fill: impl Fn(&str) -> String,
    ) -> Object {
        Object {
            key,
            revision,
            uid: fill(&self.uid).into(),
            labels: self.labels.iter().map(|(name, value)| (name.clone(), fill(value))).collect(),
            owners: self.owners.clone(),
            body,
            fields: self.fields.iter().map(|(name, value)| (name.clone(), fill(value).into())).collect(),
            going: self.going,
        }
    }

    /// The same object under another revision, as an event about its leaving a selection carries it.
    pub(crate) fn at(&self, revision: u64) -> Object {
        Object::seal(self.key.clone(), &mut self.value(), revision, &[])
    }

    /// The value of a field that a selector names; `None` where the kind does not index it.
    pub(crate) fn field(&self, name: &str) -> Option<&str> {
        match name {
            "metadata.name" => Some(self.key.name()),
            "metadata.namespace" => Some(self.key.namespace().unwrap_or_default()),
            _ => self.fields.iter().find(|(indexed, _)| **indexed == *name).map(|(_, value)| &**value),
        }
    }
}

fn body_of(value: &Map<String, Value>) -> Bytes {
    let mut out = BytesMut::with_capacity(512).writer();
    let rest = value.iter().filter(|(name, _)| !matches!(name.as_str(), "metadata" | "kind" | "apiVersion"));
    let metadata = value.get_key_value("metadata");
    for (position, (name, member)) in metadata.into_iter().chain(rest).enumerate() {
        if position > 0 {
            out.get_mut().put_u8(b',');
        }
        // Writing JSON into memory cannot fail.
        let _ = serde_json::to_writer(&mut out, name);
        out.get_mut().put_u8(b':');
        let _ = serde_json::to_writer(&mut out, member);
    }
    out.into_inner().freeze()
}
