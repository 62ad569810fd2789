//! OpenAPI v3 as far as kubectl needs it: which kinds take `fieldValidation` and `dryRun`, and the schemas of custom
//! kinds. Built-in kinds are described by their names alone, so that `kubectl explain` has nothing to say of them.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use crate::kinds::{Kinds, Resource, Scope};

/// `/openapi/v3`: where the documents are.
pub(crate) fn openapi_index(kinds: &Kinds) -> Value {
    let mut paths = BTreeMap::new();
    for resource in kinds.all() {
        for version in &resource.versions {
            let path = path_of(&resource.group, &version.name);
            let url = format!("/openapi/v3/{path}");
            paths.insert(path, json!({"serverRelativeURL": url}));
        }
    }
    json!({ "paths": paths })
}

/// `/openapi/v3/apis/apps/v1`: one group and version; `None` where it is not served.
pub(crate) fn openapi_document(kinds: &Kinds, path: &str) -> Option<Value> {
    let mut paths = Map::new();
    let mut schemas = Map::new();
    for resource in kinds.all() {
        for version in
            resource.versions.iter().filter(|version| path_of(&resource.group, &version.name) == path)
        {
            let (url, item) = operations(resource, &version.name);
            paths.insert(url, item);
            let mut schema =
                version.schema.as_ref().map_or(json!({"type": "object"}), |schema| schema.json().clone());
            schema["x-kubernetes-group-version-kind"] = json!([gvk(resource, &version.name)]);
            schemas.insert(schema_name(resource, &version.name), schema);
        }
    }
    (!paths.is_empty()).then(|| {
        json!({
            "openapi": "3.0.0",
            "info": {"title": "tidegate playground", "version": super::GIT_VERSION},
            "paths": paths,
            "components": {"schemas": schemas},
        })
    })
}

fn operations(resource: &Resource, version: &str) -> (String, Value) {
    let scope = if resource.scope == Scope::Namespaced { "namespaces/{namespace}/" } else { "" };
    let url = format!("/{}/{scope}{}/{{name}}", path_of(&resource.group, version), resource.plural);
    let parameter =
        |name: &str| json!({"name": name, "in": "query", "schema": {"type": "string", "uniqueItems": true}});
    let reference = json!({"$ref": format!("#/components/schemas/{}", schema_name(resource, version))});
    let operation = |action: &str| {
        json!({
            "x-kubernetes-action": action,
            "x-kubernetes-group-version-kind": gvk(resource, version),
            "parameters": [parameter("dryRun"), parameter("fieldManager"), parameter("fieldValidation"), parameter("force")],
            "responses": {"200": {"description": "OK", "content": {"application/json": {"schema": reference}}}},
        })
    };
    (url, json!({"get": operation("get"), "put": operation("put"), "patch": operation("patch")}))
}

fn gvk(resource: &Resource, version: &str) -> Value {
    json!({"group": resource.group, "version": version, "kind": resource.kind})
}

fn path_of(group: &str, version: &str) -> String {
    if group.is_empty() { format!("api/{version}") } else { format!("apis/{group}/{version}") }
}

fn schema_name(resource: &Resource, version: &str) -> String {
    let group = if resource.group.is_empty() { "core" } else { &resource.group };
    format!("{group}.{version}.{}", resource.kind)
}
