//! What the controllers of a real cluster do: garbage collection by owner, emptying of namespaces, serving of custom
//! kinds. Done after the write that called for it, under the same lock, so that a guest's test never waits for it.

use std::sync::Arc;

use serde_json::{Map, Value, json};
use time::OffsetDateTime;

use super::delete::{self, CLEANUP, DEFINITIONS, FOREGROUND, ORPHAN, Options};
use super::query::Query;
use super::{State, entropy, timestamp, write};
use crate::kinds::{Resource, established};
use crate::store::{Key, Object, Place, TableId, at};

/// Work that a write left.
pub(crate) enum Chore {
    /// An object is gone: its dependents go after it, its kind is served no longer.
    Gone {
        /// The name of its table.
        resource: String,
        /// Its last state.
        object: Arc<Object>,
    },
    /// An object that names owners was written: they must be there.
    Owned(Place),
    /// An object that waits for the collector was written.
    Going(Place),
    /// A namespace was made.
    NamespaceMade(String),
    /// A CustomResourceDefinition was written.
    Defined(Key),
}

/// The root certificate of the playground, published to every namespace as the real cluster does.
const ROOT_CA: &str = "kube-root-ca.crt";

pub(super) fn run(state: &mut State, now: OffsetDateTime) {
    // A chore makes writes, which make chores; each pass handles what the one before left.
    while !state.chores.is_empty() {
        for chore in std::mem::take(&mut state.chores) {
            match chore {
                Chore::Gone { resource, object } => gone(state, &resource, &object, now),
                Chore::Owned(place) => owned(state, &place, now),
                Chore::Going(place) => going(state, &place, now),
                Chore::NamespaceMade(name) => namespace_made(state, &name, now),
                Chore::Defined(key) => defined(state, &key, now),
            }
        }
    }
}

/// Whether nothing keeps an object that is marked as deleted.
pub(super) fn is_finished(value: &Map<String, Value>) -> bool {
    let metadata = at(value, "metadata");
    let kept = metadata["finalizers"].as_array().is_some_and(|list| !list.is_empty());
    !metadata["deletionTimestamp"].is_null() && metadata["deletionGracePeriodSeconds"].as_i64().unwrap_or(0) == 0 && !kept
        // A namespace goes when it is empty, which `going` sees to.
        && at(value, "spec")["finalizers"].is_null()
}

pub(super) fn note_written(state: &mut State, resource: &Resource, object: &Arc<Object>) {
    let place = || (resource.table.clone(), object.key.clone());
    if !object.owners.is_empty() {
        state.chores.push(Chore::Owned(place()));
    }
    let marked = object.is_going();
    if marked {
        state.chores.push(Chore::Going(place()));
    }
    match resource.qualified() {
        "namespaces" if !marked => state.chores.push(Chore::NamespaceMade(object.key.name().into())),
        DEFINITIONS if !marked => {
            state.chores.push(Chore::Defined(object.key.clone()));
        }
        _ => {}
    }
}

fn gone(state: &mut State, resource: &str, object: &Object, now: OffsetDateTime) {
    for place in state.store.dependents_of(&object.uid) {
        owned(state, &place, now);
    }
    if resource == DEFINITIONS {
        let (group, plural) = names_of(&object.value());
        state.kinds.forget(&group, &plural);
    }
    // The last object of a namespace that is going lets it go; so does the last dependent of a waiting owner.
    if let Some(namespace) = object.key.namespace() {
        state.chores.push(Chore::Going((TableId::new("", "namespaces"), Key::new(None, namespace))));
    }
    if let Some(definition) = definition_of(state, resource) {
        state.chores.push(Chore::Going(definition));
    }
    for owner in &object.owners {
        if let Some(place) = state.store.place_of(owner).cloned() {
            state.chores.push(Chore::Going(place));
        }
    }
}

/// Where the definition of a custom kind stands.
fn definition_of(state: &State, resource: &str) -> Option<Place> {
    let table = TableId::new("apiextensions.k8s.io", "customresourcedefinitions");
    let key = Key::new(None, resource);
    state.store.get(&table, &key).map(|_| (table.clone(), key))
}

/// Deletes a dependent none of whose owners is there, as the collector does (absent owners are taken out of a
/// dependent that has others).
fn owned(state: &mut State, place: &Place, now: OffsetDateTime) {
    let Some(object) = state.store.get(&place.0, &place.1).cloned() else { return };
    let absent = |owner: &str| state.store.place_of(owner).is_none();
    if object.owners.is_empty() || !object.owners.iter().any(|owner| absent(owner)) {
        return;
    }
    if object.owners.iter().all(|owner| absent(owner)) {
        return remove_one(state, place, now);
    }
    let mut value = object.value();
    if let Some(owners) = value["metadata"]["ownerReferences"].as_array_mut() {
        owners.retain(|owner| !absent(owner["uid"].as_str().unwrap_or_default()));
    }
    rewrite(state, place, value);
}

fn going(state: &mut State, place: &Place, now: OffsetDateTime) {
    let Some(object) = state.store.get(&place.0, &place.1).cloned() else { return };
    let value = object.value();
    if at(&value, "metadata")["deletionTimestamp"].is_null() {
        return;
    }
    match place.0.as_str() {
        "namespaces" => return empty_namespace(state, place, now),
        DEFINITIONS => empty_definition(state, place, &value, now),
        _ => {}
    }
    let has = |finalizer: &str| {
        at(&value, "metadata")["finalizers"]
            .as_array()
            .is_some_and(|list| list.iter().any(|f| f == finalizer))
    };
    if has(ORPHAN) {
        for dependent in state.store.dependents_of(&object.uid) {
            disown(state, &dependent, &object.uid);
        }
        drop_finalizer(state, place, ORPHAN);
    } else if has(FOREGROUND) {
        for dependent in state.store.dependents_of(&object.uid) {
            remove_one(state, &dependent, now);
        }
        if state.store.dependents_of(&object.uid).is_empty() {
            drop_finalizer(state, place, FOREGROUND);
        }
    }
}

/// The objects of a custom kind go before their definition.
fn empty_definition(state: &mut State, place: &Place, value: &Map<String, Value>, now: OffsetDateTime) {
    let (group, plural) = names_of(value);
    let table = TableId::new(&group, &plural);
    remove_all(state, &table, None, now);
    let left = state.store.snapshot(&table, None).map_or(0, |all| all.after(None, None).count());
    if left == 0 {
        drop_finalizer(state, place, CLEANUP);
    }
}

fn names_of(definition: &Map<String, Value>) -> (String, String) {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let spec = at(definition, "spec");
    (text(&spec["group"]), text(&spec["names"]["plural"]))
}

fn empty_namespace(state: &mut State, place: &Place, now: OffsetDateTime) {
    let namespace = place.1.name().to_owned();
    let mut left = 0;
    for table in state.store.tables() {
        remove_all(state, &table, Some(&namespace), now);
        left += state.store.snapshot(&table, None).map_or(0, |all| all.after(Some(&namespace), None).count());
    }
    let kept = state.store.get(&place.0, &place.1).is_some_and(|object| {
        at(&object.value(), "metadata")["finalizers"].as_array().is_some_and(|list| !list.is_empty())
    });
    if left == 0
        && !kept
        && let Some(resource) = state.kinds.of_table(&place.0).cloned()
    {
        write::remove(state, &resource, &place.1, None);
    }
}

fn namespace_made(state: &mut State, name: &str, now: OffsetDateTime) {
    let metadata = |object: &str| json!({"name": object, "namespace": name, "uid": entropy::uuid(), "creationTimestamp": timestamp(now)});
    let account = json!({"metadata": metadata("default")});
    let mut root = json!({"metadata": metadata(ROOT_CA), "data": {"ca.crt": state.root_ca}});
    let text = "Contains a CA bundle that can be used to verify the kube-apiserver when using internal endpoints such \
                as the internal service IP or kubernetes.default.svc. No other usage is guaranteed across distributions \
                of Kubernetes clusters.";
    root["metadata"]["annotations"] = json!({"kubernetes.io/description": text});
    for (plural, value) in [("serviceaccounts", account), ("configmaps", root)] {
        let table = TableId::new("", plural);
        let key = Key::new(Some(name), value["metadata"]["name"].as_str().unwrap_or_default());
        if state.store.get(&table, &key).is_none() {
            state.store.put(&table, key, value.as_object().cloned().unwrap_or_default(), &[]);
        }
    }
}

fn defined(state: &mut State, key: &Key, now: OffsetDateTime) {
    let table = TableId::new("apiextensions.k8s.io", "customresourcedefinitions");
    let Some(object) = state.store.get(&table, key).cloned() else { return };
    let mut value = object.value();
    let definition = Value::Object(value.clone());
    if state.kinds.define(&definition).is_err()
        || definition["status"]["acceptedNames"]["kind"].as_str().is_some_and(|kind| !kind.is_empty())
    {
        return;
    }
    value.insert("status".into(), established(&definition, &timestamp(now)));

    rewrite(state, &(table, key.clone()), value);
}

fn remove_all(state: &mut State, table: &TableId, namespace: Option<&str>, now: OffsetDateTime) {
    let places: Vec<Place> = match state.store.snapshot(table, None) {
        Ok(all) => all.after(namespace, None).map(|object| (table.clone(), object.key.clone())).collect(),
        Err(_) => return,
    };
    // Cluster-scoped objects have no namespace to be in.
    for place in places.iter().filter(|(_, key)| namespace.is_none() || key.namespace().is_some()) {
        remove_one(state, place, now);
    }
}

fn remove_one(state: &mut State, place: &Place, now: OffsetDateTime) {
    let Some(resource) = state.kinds.of_table(&place.0).cloned() else { return };
    if let Ok(options) = Options::of(&Value::Null, &Query::default()) {
        // Already gone, or waiting for its finalizers: both are right.
        let _ = delete::remove(state, &resource, &place.1, &options, now);
    }
}

fn disown(state: &mut State, place: &Place, owner: &str) {
    let Some(object) = state.store.get(&place.0, &place.1) else { return };
    let mut value = object.value();
    if let Some(owners) = value["metadata"]["ownerReferences"].as_array_mut() {
        owners.retain(|reference| reference["uid"] != owner);
        if owners.is_empty()
            && let Some(metadata) = value["metadata"].as_object_mut()
        {
            metadata.remove("ownerReferences");
        }
    }
    rewrite(state, place, value);
}

fn drop_finalizer(state: &mut State, place: &Place, finalizer: &str) {
    let Some(object) = state.store.get(&place.0, &place.1) else { return };
    let mut value = object.value();
    if let Some(finalizers) = value["metadata"]["finalizers"].as_array_mut() {
        finalizers.retain(|present| present != finalizer);
        if finalizers.is_empty()
            && let Some(metadata) = value["metadata"].as_object_mut()
        {
            metadata.remove("finalizers");
        }
    }
    let finished = is_finished(&value);
    rewrite(state, place, value);
    if finished && let Some(resource) = state.kinds.of_table(&place.0).cloned() {
        write::remove(state, &resource, &place.1, None);
    }
}

fn rewrite(state: &mut State, place: &Place, value: Map<String, Value>) {
    if let Some(resource) = state.kinds.of_table(&place.0).cloned() {
        write::put(state, &resource, place.1.clone(), value);
    }
}
