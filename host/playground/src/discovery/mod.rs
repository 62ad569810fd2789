//! What is served, as clients ask for it: group by group, all at once, and as OpenAPI.

mod aggregated;
mod openapi;

use serde_json::{Value, json};

use crate::kinds::{Kinds, Origin, Resource, Scope, Version};

pub(crate) use aggregated::aggregated;
pub(crate) use openapi::{openapi_document, openapi_index};

/// The release whose behaviour is shown.
pub(crate) const GIT_VERSION: &str = "v1.36.3";

/// `/version`.
pub(crate) fn version() -> Value {
    json!({
        "major": "1", "minor": "36", "emulationMajor": "1", "emulationMinor": "36",
        "minCompatibilityMajor": "1", "minCompatibilityMinor": "35",
        "gitVersion": format!("{GIT_VERSION}+tidegate-playground"),
        "gitCommit": "", "gitTreeState": "clean", "buildDate": "1970-01-01T00:00:00Z",
        "goVersion": "none", "compiler": "rustc", "platform": format!("{}/{}", std::env::consts::OS, std::env::consts::ARCH),
    })
}

/// `/api`, `/apis`, `/apis/<group>` and `/api…/<version>`; `None` for a group or version that is not served.
pub(crate) fn document(kinds: &Kinds, segments: &[String], address: &str) -> Option<Value> {
    let segments: Vec<&str> = segments.iter().map(String::as_str).collect();
    match segments.as_slice() {
        ["api"] => Some(json!({
            "kind": "APIVersions", "versions": ["v1"],
            "serverAddressByClientCIDRs": [{"clientCIDR": "0.0.0.0/0", "serverAddress": address}],
        })),
        ["apis"] => {
            let groups = kinds.groups().into_iter().map(|(group, versions)| group_of(group, &versions));
            Some(json!({"kind": "APIGroupList", "apiVersion": "v1", "groups": groups.collect::<Vec<_>>()}))
        }
        ["apis", group] => {
            let versions = kinds.groups().remove(group)?;
            let mut document = group_of(group, &versions);
            document["kind"] = json!("APIGroup");
            document["apiVersion"] = json!("v1");
            Some(document)
        }
        ["api", version] => resources(kinds, "", version),
        ["apis", group, version] => resources(kinds, group, version),
        _ => None,
    }
}

fn group_of(group: &str, versions: &[&str]) -> Value {
    let version = |version: &&str| json!({"groupVersion": format!("{group}/{version}"), "version": version});
    let versions: Vec<Value> = versions.iter().map(version).collect();
    json!({"name": group, "preferredVersion": versions.first(), "versions": versions})
}

fn resources(kinds: &Kinds, group: &str, version: &str) -> Option<Value> {
    let served =
        |resource: &&std::sync::Arc<Resource>| resource.group == group && resource.version(version).is_some();
    let list: Vec<Value> =
        kinds.all().filter(served).flat_map(|resource| entries(resource, version)).collect();
    let group_version = if group.is_empty() { version.to_owned() } else { format!("{group}/{version}") };
    (!list.is_empty()).then(|| {
        json!({"kind": "APIResourceList", "apiVersion": "v1", "groupVersion": group_version, "resources": list})
    })
}

fn entries(resource: &Resource, version: &str) -> Vec<Value> {
    let Some(version) = resource.version(version) else { return Vec::new() };
    let namespaced = resource.scope == Scope::Namespaced;
    let mut main = json!({
        "name": resource.plural, "singularName": resource.singular, "namespaced": namespaced,
        "kind": resource.kind, "verbs": resource.verbs(), "storageVersionHash": storage_hash(resource),
    });
    if !resource.short_names.is_empty() {
        main["shortNames"] = json!(resource.short_names);
    }
    if !resource.categories.is_empty() {
        main["categories"] = json!(resource.categories);
    }
    let below = subresources(resource, version).into_iter().map(|sub| {
        let mut entry = json!({
            "name": format!("{}/{}", resource.plural, sub.name), "singularName": "", "namespaced": namespaced,
            "kind": sub.kind, "verbs": sub.verbs,
        });
        if let Some((group, version)) = sub.of {
            entry["group"] = json!(group);
            entry["version"] = json!(version);
        }
        entry
    });
    std::iter::once(main).chain(below).collect()
}

/// A path below an object.
struct Subresource {
    name: &'static str,
    kind: String,
    verbs: &'static [&'static str],
    /// Group and version of its kind, where they are not the resource's own.
    of: Option<(&'static str, &'static str)>,
}

fn subresources(resource: &Resource, version: &Version) -> Vec<Subresource> {
    const STATUS: &[&str] = &["get", "patch", "update"];
    let mut found = Vec::new();
    if resource.qualified() == "pods" {
        let of = Some(("policy", "v1"));
        found.push(Subresource { name: "eviction", kind: "Eviction".into(), verbs: &["create"], of });
    }
    if resource.qualified() == "namespaces" {
        found.push(Subresource { name: "finalize", kind: "Namespace".into(), verbs: &["update"], of: None });
    }
    if resource.traits.scale || version.scale.is_some() {
        let of = Some(("autoscaling", "v1"));
        found.push(Subresource { name: "scale", kind: "Scale".into(), verbs: STATUS, of });
    }
    if version.status {
        found.push(Subresource { name: "status", kind: resource.kind.clone(), verbs: STATUS, of: None });
    }
    if resource.origin == Origin::Custom {
        found.reverse();
    }
    found
}

/// A short name for how the objects are stored; clients only compare it.
fn storage_hash(resource: &Resource) -> String {
    use base64::Engine;
    // FNV-1a: stable between runs, which is all that is asked of it.
    let hash = resource.qualified().bytes().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    });
    base64::engine::general_purpose::STANDARD.encode(hash.to_be_bytes())
}
