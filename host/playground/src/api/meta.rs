//! The metadata that the server owns.

use serde_json::{Map, Value, json};

use super::Request;
use super::entropy;
use super::route::Target;
use crate::kinds::Resource;

/// Members of the metadata that only the server writes.
const SERVER_OWNED: [&str; 4] =
    ["uid", "creationTimestamp", "deletionTimestamp", "deletionGracePeriodSeconds"];

/// Sets what the server sets on a new object.
pub(super) fn begin(target: &Target, request: &Request, object: &mut Map<String, Value>) {
    let metadata = &mut object["metadata"];
    if let Some(members) = metadata.as_object_mut() {
        for member in SERVER_OWNED.iter().chain(&["selfLink", "generation", "resourceVersion"]) {
            members.remove(*member);
        }
        members.retain(|_, value| !value.is_null());
        if target.namespace.is_none() {
            members.remove("namespace");
        }
    }
    if let Some(namespace) = &target.namespace {
        metadata["namespace"] = json!(namespace);
    }
    metadata["uid"] = json!(entropy::uuid());
    metadata["creationTimestamp"] = json!(request.timestamp());
    if target.resource.traits.generation {
        metadata["generation"] = json!(1);
    }
}

/// Keeps of the old metadata what a client cannot change.
pub(super) fn keep(before: &Value, after: &mut Map<String, Value>) {
    let Some(members) = after["metadata"].as_object_mut() else { return };
    for member in SERVER_OWNED.iter().chain(&["name", "namespace", "generateName", "generation"]) {
        match before["metadata"].get(*member) {
            Some(value) => members.insert((*member).to_owned(), value.clone()),
            None => members.remove(*member),
        };
    }
    members.remove("selfLink");
    members.retain(|_, value| !value.is_null());
}

/// Counts the generation up where what it counts has changed.
pub(super) fn count_generation(resource: &Resource, before: &Value, after: &mut Map<String, Value>) {
    if !resource.traits.generation {
        return;
    }
    let custom = resource.origin == crate::kinds::Origin::Custom;
    let has_status = resource.traits.status || resource.versions.iter().any(|version| version.status);
    let counted = |name: &str| match name {
        "metadata" | "kind" | "apiVersion" => false,
        "status" => custom && !has_status,
        "spec" => true,
        _ => custom,
    };
    let members = |object: &Map<String, Value>| -> Map<String, Value> {
        object.iter().filter(|(name, _)| counted(name)).map(|(k, v)| (k.clone(), v.clone())).collect()
    };
    let before_members = before.as_object().map(members).unwrap_or_default();
    let deleted_now = before["metadata"]["deletionTimestamp"].is_null()
        && !after["metadata"]["deletionTimestamp"].is_null();
    if members(after) != before_members || deleted_now {
        let generation = before["metadata"]["generation"].as_i64().unwrap_or(0) + 1;
        after["metadata"]["generation"] = json!(generation);
    }
}
