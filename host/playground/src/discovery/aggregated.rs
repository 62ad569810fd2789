//! `APIGroupDiscoveryList`: all groups, versions and resources of `/api` or `/apis` in one document.

use std::sync::Arc;

use serde_json::{Value, json};

use super::subresources;
use crate::kinds::{Kinds, Resource, Scope};

/// The document at `/api` (the core group) or `/apis` (all others).
pub(crate) fn aggregated(kinds: &Kinds, root: &str) -> Value {
    let groups: Vec<Value> = match root {
        "api" => vec![group(kinds, "", &["v1"])],
        _ => kinds.groups().into_iter().map(|(name, versions)| group(kinds, name, &versions)).collect(),
    };
    json!({
        "kind": "APIGroupDiscoveryList", "apiVersion": "apidiscovery.k8s.io/v2", "metadata": {}, "items": groups,
    })
}

fn group(kinds: &Kinds, name: &str, versions: &[&str]) -> Value {
    let version = |version: &&str| {
        let served = |r: &&Arc<Resource>| r.group == name && r.version(version).is_some();
        let resources: Vec<Value> = kinds.all().filter(served).map(|r| resource(r, version)).collect();
        json!({"version": version, "resources": resources, "freshness": "Current"})
    };
    let metadata = if name.is_empty() {
        json!({"creationTimestamp": null})
    } else {
        json!({"name": name, "creationTimestamp": null})
    };
    json!({"metadata": metadata, "versions": versions.iter().map(version).collect::<Vec<_>>()})
}

fn resource(resource: &Resource, version: &str) -> Value {
    let mut entry = json!({
        "resource": resource.plural,
        "responseKind": {"group": resource.group, "version": version, "kind": resource.kind},
        "scope": if resource.scope == Scope::Namespaced { "Namespaced" } else { "Cluster" },
        "singularResource": resource.singular,
        "verbs": resource.verbs(),
    });
    if !resource.short_names.is_empty() {
        entry["shortNames"] = json!(resource.short_names);
    }
    if !resource.categories.is_empty() {
        entry["categories"] = json!(resource.categories);
    }
    let below = resource.version(version).map(|found| subresources(resource, found)).unwrap_or_default();
    if !below.is_empty() {
        let sub = below.into_iter().map(|sub| {
            let (group, version) = sub.of.unwrap_or((&resource.group, version));
            json!({
                "subresource": sub.name, "verbs": sub.verbs,
                "responseKind": {"group": group, "version": version, "kind": sub.kind},
            })
        });
        entry["subresources"] = Value::Array(sub.collect());
    }
    entry
}
