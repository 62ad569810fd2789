//! How lists and maps merge: from the schema of a custom kind, and for built-in kinds from the `patchMergeKey`,
//! `listType` and `mapType` markers in `k8s.io/api`.

use serde_json::Value;

use super::Writer;

/// What makes two items of a list the same.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum ListKind {
    /// The list is one value.
    Atomic,
    /// Equal items.
    Set,
    /// Items with equal values of these members.
    Map(Vec<String>),
}

/// The list at `path` (member names, without positions) as a strategic merge patch sees it.
pub(crate) fn patch_list(kind: &str, path: &[String]) -> ListKind {
    match built_in(kind, path) {
        // A strategic merge patch goes by the first key alone.
        ListKind::Map(mut keys) => {
            keys.truncate(1);
            ListKind::Map(keys)
        }
        other => other,
    }
}

/// The list at `path` as server-side apply sees it.
pub(super) fn apply_list(writer: &Writer<'_>, path: &[String]) -> ListKind {
    let in_metadata = path.first().is_some_and(|first| first == "metadata");
    let Some(schema) = writer.schema.filter(|_| !in_metadata) else { return built_in(writer.kind, path) };
    let at = schema.at(path);
    match at["x-kubernetes-list-type"].as_str() {
        Some("set") => ListKind::Set,
        Some("map") => {
            let keys = at["x-kubernetes-list-map-keys"].as_array().into_iter().flatten();
            ListKind::Map(keys.filter_map(Value::as_str).map(str::to_owned).collect())
        }
        _ => ListKind::Atomic,
    }
}

/// Whether the object at `path` is one value for server-side apply.
pub(super) fn is_atomic_map(writer: &Writer<'_>, path: &[String]) -> bool {
    if let Some(schema) = writer.schema {
        return schema.at(path)["x-kubernetes-map-type"] == "atomic";
    }
    const ATOMIC: [&str; 9] = [
        "selector",
        "nodeSelector",
        "labelSelector",
        "namespaceSelector",
        "configMapKeyRef",
        "secretKeyRef",
        "fieldRef",
        "resourceFieldRef",
        "involvedObject",
    ];
    path.len() > 1 && path.last().is_some_and(|last| ATOMIC.contains(&last.as_str()))
}

fn built_in(kind: &str, path: &[String]) -> ListKind {
    let keys = |keys: &[&str]| ListKind::Map(keys.iter().map(|key| (*key).to_owned()).collect());
    let Some((last, above)) = path.split_last() else { return ListKind::Atomic };
    let parent = above.last().map(String::as_str).unwrap_or_default();
    match last.as_str() {
        "finalizers" if parent == "metadata" => ListKind::Set,
        "ownerReferences" => keys(&["uid"]),
        "containers"
        | "initContainers"
        | "ephemeralContainers"
        | "volumes"
        | "imagePullSecrets"
        | "env"
        | "webhooks"
        | "resourceClaims" => keys(&["name"]),
        "claims" if parent == "resources" => keys(&["name"]),
        "secrets" if kind == "ServiceAccount" => keys(&["name"]),
        "volumeMounts" => keys(&["mountPath"]),
        "volumeDevices" => keys(&["devicePath"]),
        "hostAliases" | "podIPs" => keys(&["ip"]),
        "conditions" => keys(&["type"]),
        "addresses" if kind == "Node" => keys(&["type"]),
        "topologySpreadConstraints" => keys(&["topologyKey", "whenUnsatisfiable"]),
        "ports" if kind == "Service" && parent == "spec" => keys(&["port", "protocol"]),
        "ports" if is_container_list(parent) => keys(&["containerPort", "protocol"]),
        _ => ListKind::Atomic,
    }
}

fn is_container_list(name: &str) -> bool {
    matches!(name, "containers" | "initContainers" | "ephemeralContainers")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_merge_by_the_key_of_their_kind() {
        let cases = [
            ("Pod", "spec.containers", "name"),
            ("Pod", "spec.containers.ports", "containerPort+protocol"),
            ("Service", "spec.ports", "port+protocol"),
            ("Service", "status.loadBalancer.ingress", "atomic"),
            ("EndpointSlice", "ports", "atomic"),
            ("Deployment", "spec.template.spec.volumes", "name"),
            ("Namespace", "spec.finalizers", "atomic"),
            ("Namespace", "metadata.finalizers", "set"),
        ];
        for (kind, path, expected) in cases {
            let path: Vec<String> = path.split('.').map(str::to_owned).collect();
            let found = match built_in(kind, &path) {
                ListKind::Atomic => "atomic".into(),
                ListKind::Set => "set".into(),
                ListKind::Map(keys) => keys.join("+"),
            };
            assert_eq!(found, expected, "{kind} {path:?}");
        }
    }
}
