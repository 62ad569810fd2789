//! POST to a collection.

use serde_json::{Map, Value, json};

use super::route::Target;
use super::status::{Answer, Failure};
use super::write::{Kept, Written};
use super::{Reply, Request, State, body, document, entropy, meta, write};
use crate::kinds::{Origin, Scope};
use crate::store::{Key, TableId};

/// How often a generated name is tried, as the real server does since 1.30.
const ATTEMPTS: usize = 8;

/// The longest `generateName` that leaves room for its five random characters in 63.
const MAX_GENERATED_BASE: usize = 58;

/// Creates an object.
pub(super) fn create(state: &mut State, target: &Target, request: &Request) -> Answer<Reply> {
    if target.resource.scope == Scope::Namespaced && target.namespace.is_none() {
        return Err(Failure::method_not_allowed());
    }
    let object = body::object(target, request)?;
    let written = new(state, target, request, object, Kept::Track)?;
    let mut reply = document(201, target, request, &written.object)?;
    if let Reply::Document { warnings, .. } = &mut reply {
        *warnings = written.warnings;
    }
    Ok(reply)
}

/// Creates the object under its own or a generated name.
pub(super) fn new(
    state: &mut State,
    target: &Target,
    request: &Request,
    mut object: Map<String, Value>,
    kept: Kept,
) -> Answer<Written> {
    if object["metadata"]["resourceVersion"].as_str().is_some_and(|revision| !revision.is_empty()) {
        return Err(Failure::new(500, "", "resourceVersion should not be set on objects to be created"));
    }
    admit_namespace(state, target, &object)?;
    meta::begin(target, request, &mut object);
    let named = object["metadata"]["name"].as_str().is_some_and(|name| !name.is_empty());
    let base = object["metadata"]["generateName"].as_str().unwrap_or_default().to_owned();
    if named || base.is_empty() {
        return write::insert(state, target, request, object, kept);
    }
    let stem: String = base.chars().take(MAX_GENERATED_BASE).collect();
    for _ in 1..ATTEMPTS {
        object["metadata"]["name"] = json!(format!("{stem}{}", entropy::suffix()));
        match write::insert(state, target, request, object.clone(), kept) {
            Err(failure) if failure.code == 409 => {}
            other => return other,
        }
    }
    object["metadata"]["name"] = json!(format!("{stem}{}", entropy::suffix()));
    write::insert(state, target, request, object, kept)
}

/// The namespace must be there and must not be going.
fn admit_namespace(state: &State, target: &Target, object: &Map<String, Value>) -> Answer<()> {
    let Some(namespace) = target.namespace.as_deref() else { return Ok(()) };
    let namespaces = TableId::new("", "namespaces");
    let Some(found) = state.store.get(&namespaces, &Key::new(None, namespace)) else {
        let missing = state.kinds.of_table(&namespaces).ok_or_else(Failure::no_such_resource)?;
        return Err(Failure::not_found(missing, namespace));
    };
    if found.field("status.phase") != Some("Terminating") {
        return Ok(());
    }
    let name = object["metadata"]["name"].as_str().unwrap_or_default();
    let why = format!("unable to create new content in namespace {namespace} because it is being terminated");
    let cause = json!({
        "reason": "NamespaceTerminating",
        "message": format!("namespace {namespace} is being terminated"),
        "field": "metadata.namespace",
    });
    Err(Failure::forbidden(&target.resource, name, &why).with_causes(vec![cause]))
}

/// Whether a PUT or an apply to a name that is not there creates it.
pub(super) fn on_update(target: &Target) -> bool {
    target.resource.traits.create_on_update && target.resource.origin == Origin::BuiltIn
}
