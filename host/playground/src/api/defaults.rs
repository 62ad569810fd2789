//! What the real server fills in for built-in kinds (`k8s.io/kubernetes/pkg/apis/*/v1/defaults.go`).

use serde_json::{Map, Value, json};

use crate::kinds::Resource;
use crate::store::at;

/// Fills in what the object leaves out.
pub(super) fn fill(resource: &Resource, object: &mut Map<String, Value>) {
    let status_missing = at(object, "status").is_null();
    match resource.qualified() {
        "pods" => {
            with(object, "spec", |spec| {
                pod_spec(spec);
                default(spec, "enableServiceLinks", json!(true));
            });
            if status_missing {
                let class = quality(at(object, "spec"));
                object.insert("status".into(), json!({"phase": "Pending", "qosClass": class}));
            }
        }
        "deployments.apps" => with(object, "spec", deployment),
        "replicasets.apps" | "replicationcontrollers" => with(object, "spec", replicas),
        "statefulsets.apps" => with(object, "spec", stateful),
        "daemonsets.apps" => with(object, "spec", template),
        "jobs.batch" => with(object, "spec", job),
        "services" => with(object, "spec", service),
        "namespaces" => namespace(object, status_missing),
        "secrets" => secret(object),
        "persistentvolumeclaims" if status_missing => {
            object.insert("status".into(), json!({"phase": "Pending"}));
        }
        "nodes" => {
            with(object, "spec", |_| {});
            with(object, "status", node_status);
        }
        "customresourcedefinitions.apiextensions.k8s.io" => {
            with(object, "spec", definition);
            if status_missing {
                let versions = at(object, "spec")["versions"].as_array().cloned().unwrap_or_default();
                let stored: Vec<&Value> = versions
                    .iter()
                    .filter(|version| version["storage"] == true)
                    .map(|version| &version["name"])
                    .collect();
                let names = json!({"plural": "", "kind": ""});
                let status = json!({"conditions": null, "acceptedNames": names, "storedVersions": stored});
                object.insert("status".into(), status);
            }
        }
        _ => {}
    }
    if matches!(
        resource.qualified(),
        "deployments.apps" | "statefulsets.apps" | "daemonsets.apps" | "jobs.batch" | "services"
    ) && at(object, "status").is_null()
    {
        let status = if resource.qualified() == "services" { json!({"loadBalancer": {}}) } else { json!({}) };
        object.insert("status".into(), status);
    }
    if resource.qualified() == "replicasets.apps" && at(object, "status").is_null() {
        object.insert("status".into(), json!({"replicas": 0}));
    }
}

/// Keeps what was allocated for a service where an update leaves it out.
pub(super) fn carry(resource: &Resource, before: &Value, after: &mut Map<String, Value>) {
    if resource.qualified() != "services" || at(after, "spec")["type"] == "ExternalName" {
        return;
    }
    with(after, "spec", |spec| {
        for member in ["clusterIP", "clusterIPs"] {
            let present = spec.entry(member).or_insert(Value::Null);
            if present.as_str().is_some_and(str::is_empty) || present.is_null() {
                *present = before["spec"][member].clone();
            }
        }
    });
}

fn with(object: &mut Map<String, Value>, member: &str, fill: impl FnOnce(&mut Map<String, Value>)) {
    let value = object.entry(member).or_insert_with(|| json!({}));
    if value.is_null() {
        *value = json!({});
    }
    if let Some(value) = value.as_object_mut() {
        fill(value);
    }
}

fn default(object: &mut Map<String, Value>, member: &str, value: Value) {
    let present = object.entry(member).or_insert(Value::Null);
    if present.is_null() {
        *present = value;
    }
}

fn pod_spec(spec: &mut Map<String, Value>) {
    for (member, value) in [
        ("restartPolicy", json!("Always")),
        ("terminationGracePeriodSeconds", json!(30)),
        ("dnsPolicy", json!("ClusterFirst")),
        ("schedulerName", json!("default-scheduler")),
        ("securityContext", json!({})),
    ] {
        default(spec, member, value);
    }
    for list in ["containers", "initContainers"] {
        for container in spec.get_mut(list).and_then(Value::as_array_mut).into_iter().flatten() {
            if let Some(container) = container.as_object_mut() {
                fill_container(container);
            }
        }
    }
}

fn fill_container(container: &mut Map<String, Value>) {
    let image = at(container, "image").as_str().unwrap_or_default();
    let tag = image.rsplit('/').next().unwrap_or_default();
    let latest = !tag.contains(':') && !tag.contains('@') || tag.ends_with(":latest");
    let policy = if latest { "Always" } else { "IfNotPresent" };
    for (member, value) in [
        ("imagePullPolicy", json!(policy)),
        ("terminationMessagePath", json!("/dev/termination-log")),
        ("terminationMessagePolicy", json!("File")),
        ("resources", json!({})),
    ] {
        default(container, member, value);
    }
    for port in container.get_mut("ports").and_then(Value::as_array_mut).into_iter().flatten() {
        if let Some(port) = port.as_object_mut() {
            default(port, "protocol", json!("TCP"));
        }
    }
}

/// The quality of service that a pod's requests and limits earn.
fn quality(spec: &Value) -> &'static str {
    let containers = spec["containers"].as_array().map(Vec::as_slice).unwrap_or_default();
    let resources = |container: &Value, side: &str| container["resources"][side].clone();
    let any = |c: &Value| !resources(c, "requests").is_null() || !resources(c, "limits").is_null();
    let equal = |c: &Value| {
        let (requests, limits) = (resources(c, "requests"), resources(c, "limits"));
        let bounded = ["cpu", "memory"].iter().all(|name| !limits[*name].is_null());
        bounded && (requests.is_null() || requests == limits)
    };
    if !containers.iter().any(any) {
        "BestEffort"
    } else if containers.iter().all(equal) {
        "Guaranteed"
    } else {
        "Burstable"
    }
}

fn template(spec: &mut Map<String, Value>) {
    with(spec, "template", |template| {
        with(template, "metadata", |_| {});
        with(template, "spec", pod_spec);
    });
    default(spec, "revisionHistoryLimit", json!(10));
}

fn deployment(spec: &mut Map<String, Value>) {
    template(spec);
    default(spec, "replicas", json!(1));
    default(spec, "progressDeadlineSeconds", json!(600));
    with(spec, "strategy", |strategy| {
        default(strategy, "type", json!("RollingUpdate"));
        if at(strategy, "type") == "RollingUpdate" {
            with(strategy, "rollingUpdate", |rolling| {
                default(rolling, "maxUnavailable", json!("25%"));
                default(rolling, "maxSurge", json!("25%"));
            });
        }
    });
}

fn replicas(spec: &mut Map<String, Value>) {
    default(spec, "replicas", json!(1));
    with(spec, "template", |template| {
        with(template, "metadata", |_| {});
        with(template, "spec", pod_spec);
    });
}

fn stateful(spec: &mut Map<String, Value>) {
    template(spec);
    default(spec, "replicas", json!(1));
    default(spec, "podManagementPolicy", json!("OrderedReady"));
    default(spec, "updateStrategy", json!({"type": "RollingUpdate", "rollingUpdate": {"partition": 0}}));
}

fn job(spec: &mut Map<String, Value>) {
    for (member, value) in [
        ("parallelism", json!(1)),
        ("completions", json!(1)),
        ("backoffLimit", json!(6)),
        ("completionMode", json!("NonIndexed")),
        ("suspend", json!(false)),
    ] {
        default(spec, member, value);
    }
    with(spec, "template", |template| {
        with(template, "metadata", |_| {});
        with(template, "spec", pod_spec);
    });
}

fn service(spec: &mut Map<String, Value>) {
    default(spec, "type", json!("ClusterIP"));
    default(spec, "sessionAffinity", json!("None"));
    if at(spec, "type") != "ExternalName" {
        default(spec, "clusterIP", json!(address()));
        let address = at(spec, "clusterIP").clone();
        default(spec, "clusterIPs", json!([address]));
        default(spec, "ipFamilies", json!(["IPv4"]));
        default(spec, "ipFamilyPolicy", json!("SingleStack"));
        default(spec, "internalTrafficPolicy", json!("Cluster"));
    }
    for port in spec.get_mut("ports").and_then(Value::as_array_mut).into_iter().flatten() {
        if let Some(port) = port.as_object_mut() {
            default(port, "protocol", json!("TCP"));
            let number = at(port, "port").clone();
            default(port, "targetPort", number);
        }
    }
}

/// An address of the service range; nothing listens there, so that two services may have the same.
fn address() -> String {
    let [a, b] = super::entropy::random::<2>();
    format!("10.96.{a}.{}", b.clamp(2, 254))
}

fn namespace(object: &mut Map<String, Value>, status_missing: bool) {
    with(object, "spec", |spec| default(spec, "finalizers", json!(["kubernetes"])));
    if status_missing {
        object.insert("status".into(), json!({"phase": "Active"}));
    }
    let name = at(object, "metadata")["name"].clone();
    if name.is_string() {
        let metadata = &mut object["metadata"];
        if metadata["labels"].is_null() {
            metadata["labels"] = json!({});
        }
        metadata["labels"]["kubernetes.io/metadata.name"] = name;
    }
}

/// `stringData` is written once and read as `data`.
fn secret(object: &mut Map<String, Value>) {
    use base64::Engine;
    default(object, "type", json!("Opaque"));
    if let Some(Value::Object(texts)) = object.remove("stringData") {
        with(object, "data", |data| {
            for (key, text) in texts {
                let encoded =
                    base64::engine::general_purpose::STANDARD.encode(text.as_str().unwrap_or_default());
                data.insert(key, json!(encoded));
            }
        });
    }
}

fn node_status(status: &mut Map<String, Value>) {
    default(status, "daemonEndpoints", json!({"kubeletEndpoint": {"Port": 0}}));
    with(status, "nodeInfo", |info| {
        for member in [
            "machineID",
            "systemUUID",
            "bootID",
            "kernelVersion",
            "osImage",
            "containerRuntimeVersion",
            "kubeletVersion",
            "kubeProxyVersion",
            "operatingSystem",
            "architecture",
        ] {
            default(info, member, json!(""));
        }
    });
}

fn definition(spec: &mut Map<String, Value>) {
    default(spec, "conversion", json!({"strategy": "None"}));
    with(spec, "names", |names| {
        let kind = at(names, "kind").as_str().unwrap_or_default().to_owned();
        default(names, "singular", json!(kind.to_lowercase()));
        default(names, "listKind", json!(format!("{kind}List")));
    });
}
