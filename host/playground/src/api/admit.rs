//! What the admission plugins that every cluster runs add to new objects: service accounts, priorities and
//! tolerations of pods, the taint of a node that has not said that it is ready.

use serde_json::{Map, Value, json};

use super::entropy;
use crate::kinds::Resource;

/// Where a pod finds its service account.
const ACCOUNT_FOLDER: &str = "/var/run/secrets/kubernetes.io/serviceaccount";

/// Completes a new object.
pub(super) fn complete(resource: &Resource, object: &mut Map<String, Value>) {
    match resource.qualified() {
        "pods" => {
            if let Some(spec) = object.get_mut("spec") {
                priority(spec);
                tolerations(spec);
                service_account(spec);
            }
        }
        "nodes" => node(object),
        _ => {}
    }
}

fn priority(spec: &mut Value) {
    if spec["priority"].is_null() {
        spec["priority"] = json!(0);
    }
    if spec["preemptionPolicy"].is_null() {
        spec["preemptionPolicy"] = json!("PreemptLowerPriority");
    }
}

/// A pod stays on a node that is lost for five minutes unless it says otherwise.
fn tolerations(spec: &mut Value) {
    if !spec["tolerations"].is_array() {
        spec["tolerations"] = json!([]);
    }
    let Some(tolerations) = spec["tolerations"].as_array_mut() else { return };
    for key in ["node.kubernetes.io/not-ready", "node.kubernetes.io/unreachable"] {
        let tolerates = |t: &Value| {
            (t["key"] == key || t["key"].as_str().unwrap_or_default().is_empty() && t["operator"] == "Exists")
                && matches!(t["effect"].as_str(), None | Some("" | "NoExecute"))
        };
        if !tolerations.iter().any(tolerates) {
            tolerations.push(
                json!({"key": key, "operator": "Exists", "effect": "NoExecute", "tolerationSeconds": 300}),
            );
        }
    }
}

fn service_account(spec: &mut Value) {
    let account =
        spec["serviceAccountName"].as_str().filter(|name| !name.is_empty()).unwrap_or("default").to_owned();
    spec["serviceAccountName"] = json!(account);
    spec["serviceAccount"] = json!(account);
    if spec["automountServiceAccountToken"] == false {
        return;
    }
    let name = format!("kube-api-access-{}", entropy::suffix());
    let mut mounted = false;
    for list in ["containers", "initContainers"] {
        for container in spec[list].as_array_mut().into_iter().flatten() {
            if !container.is_object() {
                continue;
            }
            if !container["volumeMounts"].is_array() {
                container["volumeMounts"] = json!([]);
            }
            let Some(mounts) = container["volumeMounts"].as_array_mut() else { continue };
            if !mounts.iter().any(|mount| mount["mountPath"] == ACCOUNT_FOLDER) {
                mounts.push(json!({"name": name, "readOnly": true, "mountPath": ACCOUNT_FOLDER}));
                mounted = true;
            }
        }
    }
    // An absent list of init containers reads as null above; it stays absent.
    if let Some(spec) = spec.as_object_mut() {
        spec.retain(|_, value| !value.is_null());
    }
    if !mounted {
        return;
    }
    if !spec["volumes"].is_array() {
        spec["volumes"] = json!([]);
    }
    if let Some(volumes) = spec["volumes"].as_array_mut() {
        volumes.push(account_volume(&name));
    }
}

fn account_volume(name: &str) -> Value {
    let namespace =
        json!({"path": "namespace", "fieldRef": {"apiVersion": "v1", "fieldPath": "metadata.namespace"}});
    json!({"name": name, "projected": {"defaultMode": 420, "sources": [
        {"serviceAccountToken": {"expirationSeconds": 3607, "path": "token"}},
        {"configMap": {"name": "kube-root-ca.crt", "items": [{"key": "ca.crt", "path": "ca.crt"}]}},
        {"downwardAPI": {"items": [namespace]}},
    ]}})
}

fn node(object: &mut Map<String, Value>) {
    let spec = object.entry("spec").or_insert_with(|| json!({}));
    if !spec["taints"].is_array() {
        spec["taints"] = json!([]);
    }
    let key = "node.kubernetes.io/not-ready";
    if let Some(taints) = spec["taints"].as_array_mut()
        && !taints.iter().any(|taint| taint["key"] == key)
    {
        taints.push(json!({"key": key, "effect": "NoSchedule"}));
    }
}
