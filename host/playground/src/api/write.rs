//! The last steps that all writes share.

use std::sync::Arc;

use serde_json::{Map, Value};

use super::chores::{self, Chore};
use super::route::Target;
use super::status::{Answer, Failure};
use super::{Request, State, admit, defaults, meta, validate};
use crate::fields::{self, Writer};
use crate::kinds::{Origin, Resource, Violation};
use crate::store::{Key, Object};

/// How a write came about, which decides how `managedFields` record it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kept {
    /// What changed is recorded here.
    Track,
    /// Server-side apply has recorded it already.
    Recorded,
}

/// What a write made.
pub(super) struct Written {
    pub(super) object: Arc<Object>,
    pub(super) warnings: Vec<String>,
}

/// Stores a new object whose metadata has begun.
pub(super) fn insert(
    state: &mut State,
    target: &Target,
    request: &Request,
    mut object: Map<String, Value>,
    kept: Kept,
) -> Answer<Written> {
    let resource = target.resource.clone();
    if target.version.status && resource.qualified() != "nodes" {
        object.remove("status");
    }
    defaults::fill(&resource, &mut object);
    let warnings = fit_schema(target, request, &mut object)?;
    let name = object["metadata"]["name"].as_str().unwrap_or_default().to_owned();
    let violations = validate::created(&resource, &object);
    if !violations.is_empty() {
        return Err(Failure::invalid(&resource, &name, &violations));
    }
    let key = Key::new(target.namespace.as_deref(), &name);
    if let Some(present) = state.store.get(&resource.table, &key) {
        let failure = Failure::already_exists(&resource, &name);
        return Err(if present.is_going() { failure.prefixed("object is being deleted: ") } else { failure });
    }
    if kept == Kept::Track {
        fields::track(None, &mut object, &writer(target, request));
    }
    // What admission adds has no owner.
    admit::complete(&resource, &mut object);
    if request.query.dry_run(request.options())? {
        let unsaved = Object::unsaved(key, &object, 0, &resource.indexed);
        return Ok(Written { object: Arc::new(unsaved), warnings });
    }
    let stored = put(state, &resource, key, object);
    Ok(Written { object: stored, warnings })
}

/// Stores what an object has become, unless nothing has changed.
pub(super) fn replace(
    state: &mut State,
    target: &Target,
    request: &Request,
    before: &Arc<Object>,
    mut after: Map<String, Value>,
    kept: Kept,
) -> Answer<Written> {
    let resource = target.resource.clone();
    let name = before.key.name().to_owned();
    let old = Value::Object(before.value());
    check_preconditions(&resource, &name, before, &after)?;
    split_status(target, &old, &mut after);
    meta::keep(&old, &mut after);
    defaults::carry(&resource, &old, &mut after);
    defaults::fill(&resource, &mut after);
    let warnings = fit_schema(target, request, &mut after)?;
    let mut violations = validate::finalizers(&old, &after);
    if target.subresource.is_none() {
        violations.extend(validate::updated(&resource, &old, &after));
    }
    if !violations.is_empty() {
        return Err(Failure::invalid(&resource, &name, &violations));
    }
    meta::count_generation(&resource, &old, &mut after);
    if kept == Kept::Track {
        fields::track(Some(&old), &mut after, &writer(target, request));
    }
    after["metadata"]["resourceVersion"] = old["metadata"]["resourceVersion"].clone();
    if fields::same_but_for_times(&old, &after) {
        return Ok(Written { object: before.clone(), warnings });
    }
    if request.query.dry_run(request.options())? {
        let unsaved = Object::unsaved(before.key.clone(), &after, before.revision, &resource.indexed);
        return Ok(Written { object: Arc::new(unsaved), warnings });
    }
    let finished = chores::is_finished(&after);
    let object = put(state, &resource, before.key.clone(), after);
    if finished {
        remove(state, &resource, &before.key, None);
    }
    Ok(Written { object, warnings })
}

/// Writes an object and leaves the controllers what it means for them.
pub(super) fn put(
    state: &mut State,
    resource: &Resource,
    key: Key,
    value: Map<String, Value>,
) -> Arc<Object> {
    let object = state.store.put(&resource.table, key, value, &resource.indexed);
    chores::note_written(state, resource, &object);
    object
}

/// Removes an object and leaves the controllers what it means for them.
///
/// `last` is its last state where that is not the one that is stored.
pub(super) fn remove(
    state: &mut State,
    resource: &Resource,
    key: &Key,
    last: Option<Map<String, Value>>,
) -> Option<Arc<Object>> {
    let object = state.store.remove(&resource.table, key, last, &resource.indexed)?;
    state.chores.push(Chore::Gone { resource: resource.qualified().into(), object: object.clone() });
    Some(object)
}

/// Who writes, for `managedFields`.
pub(super) fn writer<'a>(target: &'a Target, request: &Request) -> Writer<'a> {
    Writer {
        manager: request.manager(),
        api_version: target.api_version(),
        subresource: target.subresource.as_deref(),
        time: request.timestamp(),
        schema: target.version.schema.as_deref(),
        kind: &target.resource.kind,
        leaves_status: target.version.status && target.subresource.is_none(),
    }
}

fn check_preconditions(
    resource: &Resource,
    name: &str,
    before: &Object,
    after: &Map<String, Value>,
) -> Answer<()> {
    let metadata = &after["metadata"];
    let text = |member: &str| metadata[member].as_str().filter(|text| !text.is_empty());
    if let Some(uid) = text("uid").filter(|uid| **uid != *before.uid) {
        let found = &before.uid;
        let group =
            if resource.origin == Origin::Custom { format!("{}/", resource.group) } else { String::new() };
        let place = format!("/registry/{group}{}/{}", resource.plural, before.key.as_str());
        let why = format!(
            "StorageError: invalid object, Code: 4, Key: {place}, ResourceVersion: 0, AdditionalErrorMsg: Precondition failed: UID in precondition: {uid}, UID in object meta: {found}"
        );
        return Err(Failure::conflict(resource, name, &why));
    }
    match text("resourceVersion").map(str::parse::<u64>) {
        None => Ok(()),
        Some(Ok(revision)) if revision == before.revision => Ok(()),
        Some(Ok(_)) => Err(Failure::modified(resource, name)),
        Some(Err(_)) => {
            let sent = &metadata["resourceVersion"];
            Err(Failure::new(500, "", format!("strconv.ParseUint: parsing {sent}: invalid syntax")))
        }
    }
}

/// `status` is written through its subresource and nothing else is.
fn split_status(target: &Target, old: &Value, after: &mut Map<String, Value>) {
    if !target.version.status {
        return;
    }
    let set = |object: &mut Map<String, Value>, value: Option<&Value>| match value {
        Some(value) => drop(object.insert("status".into(), value.clone())),
        None => drop(object.remove("status")),
    };
    if target.subresource.as_deref() == Some("status") {
        let status = after.remove("status");
        let managed = after["metadata"].get("managedFields").cloned();
        *after = old.as_object().cloned().unwrap_or_default();
        set(after, status.as_ref());
        if let Some(managed) = managed {
            after["metadata"]["managedFields"] = managed;
        }
    } else {
        set(after, old.get("status"));
    }
}

/// Drops unknown fields of a custom object, fills in its defaults and checks it; returns warnings.
fn fit_schema(target: &Target, request: &Request, object: &mut Map<String, Value>) -> Answer<Vec<String>> {
    let (Origin::Custom, Some(schema)) = (target.resource.origin, &target.version.schema) else {
        return Ok(Vec::new());
    };
    let unknown: Vec<String> =
        schema.prune(object).iter().map(|path| format!("unknown field \"{path}\"")).collect();
    let validation = request.query.get("fieldValidation");
    if validation == Some("Strict") && !unknown.is_empty() {
        let (kind, version) = (&target.resource.kind, &target.version.name);
        return Err(Failure::bad_request(format!(
            "{kind} in version \"{version}\" cannot be handled as a {kind}: strict decoding error: {}",
            unknown.join(", ")
        )));
    }
    schema.default(object);
    let mut violations = schema.violations(object);
    if let Some(scale) = &target.version.scale {
        let replicas =
            scale.spec.split('.').skip(1).fold(&Value::Object(object.clone()), |at, name| &at[name]).clone();
        if replicas.as_i64().is_some_and(|replicas| replicas < 0) {
            violations.push(Violation::invalid(&scale.spec, &replicas, "should be a non-negative integer"));
        }
    }
    if !violations.is_empty() {
        let name = object["metadata"]["name"].as_str().unwrap_or_default();
        return Err(Failure::invalid(&target.resource, name, &violations));
    }
    Ok(if validation == Some("Ignore") { Vec::new() } else { unknown })
}
