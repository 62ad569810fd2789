//! What must hold for built-in kinds before a write: names everywhere, and for the kinds that first guests write the
//! fields that the real server would refuse first (`k8s.io/kubernetes/pkg/apis/core/validation`).

use serde_json::{Map, Value, json};

use crate::kinds::{Resource, Violation, is_dns_label, is_dns_subdomain};
use crate::select::LabelSelector;
use crate::store::at;

const LABEL: &str = "a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and must \
start and end with an alphanumeric character (e.g. 'my-name',  or '123-abc', regex used for validation is \
'[a-z0-9]([-a-z0-9]*[a-z0-9])?')";

const SUBDOMAIN: &str = "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', \
and must start and end with an alphanumeric character (e.g. 'example.com', regex used for validation is \
'[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')";

const LABEL_VALUE: &str = "a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or \
'.', and must start and end with an alphanumeric character (e.g. 'MyValue',  or 'my_value',  or '12345', regex used \
for validation is '(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?')";

const POD_UPDATE: &str = "pod updates may not change fields other than `spec.containers[*].image`,\
`spec.initContainers[*].image`,`spec.activeDeadlineSeconds`,`spec.tolerations` (only additions to existing \
tolerations),`spec.terminationGracePeriodSeconds` (allow it to be set to 1 if it was previously negative)";

/// What is wrong with a new object.
pub(super) fn created(resource: &Resource, object: &Map<String, Value>) -> Vec<Violation> {
    let mut found = name(resource, object);
    found.extend(labels(object));
    found.extend(body(resource, object));
    found
}

/// What is wrong with a changed object.
pub(super) fn updated(resource: &Resource, before: &Value, after: &Map<String, Value>) -> Vec<Violation> {
    let mut found = labels(after);
    found.extend(body(resource, after));
    found.extend(immutable(resource, before, after));
    found
}

/// An object that is going takes no new finalizers.
pub(super) fn finalizers(before: &Value, after: &Map<String, Value>) -> Vec<Violation> {
    if before["metadata"]["deletionTimestamp"].is_null() {
        return Vec::new();
    }
    let had = before["metadata"]["finalizers"].as_array().map(Vec::as_slice).unwrap_or_default();
    let new = after["metadata"]["finalizers"].as_array().into_iter().flatten().filter(|f| !had.contains(f));
    let new: Vec<String> = new.map(Value::to_string).collect();
    if new.is_empty() {
        return Vec::new();
    }
    let why = format!(
        "no new finalizers can be added if the object is being deleted, found new finalizers []string{{{}}}",
        new.join(", ")
    );
    vec![Violation::forbidden("metadata.finalizers", &why)]
}

fn name(resource: &Resource, object: &Map<String, Value>) -> Vec<Violation> {
    let name = object["metadata"]["name"].as_str().unwrap_or_default();
    if name.is_empty() {
        return vec![Violation::required("metadata.name", "name or generateName is required")];
    }
    let (valid, rule) = match resource.qualified() {
        "namespaces" | "services" => (is_dns_label(name), LABEL),
        // Roles and bindings are named after path segments: `system:node`.
        role if role.ends_with("rbac.authorization.k8s.io") => {
            (!name.contains(['/', '%']), "may not contain '/' or '%'")
        }
        _ => (is_dns_subdomain(name), SUBDOMAIN),
    };
    if valid { Vec::new() } else { vec![Violation::invalid("metadata.name", &json!(name), rule)] }
}

fn labels(object: &Map<String, Value>) -> Vec<Violation> {
    let labels = object["metadata"]["labels"].as_object().into_iter().flatten();
    let wrong =
        labels.filter(|(_, value)| !crate::select::is_label_value(value.as_str().unwrap_or_default()));
    wrong.map(|(_, value)| Violation::invalid("metadata.labels", value, LABEL_VALUE)).collect()
}

fn body(resource: &Resource, object: &Map<String, Value>) -> Vec<Violation> {
    let spec = at(object, "spec");
    match resource.qualified() {
        "pods" => pod_spec(spec, "spec"),
        "deployments.apps" | "replicasets.apps" | "statefulsets.apps" | "daemonsets.apps" => workload(spec),
        "jobs.batch" => pod_spec(&spec["template"]["spec"], "spec.template.spec"),
        "services" => service(spec),
        "configmaps" | "secrets" => data(object),
        "customresourcedefinitions.apiextensions.k8s.io" => {
            let mut kinds = crate::kinds::Kinds::default();
            kinds.define(&Value::Object(object.clone())).err().unwrap_or_default()
        }
        _ => Vec::new(),
    }
}

fn pod_spec(spec: &Value, path: &str) -> Vec<Violation> {
    let containers = spec["containers"].as_array().map(Vec::as_slice).unwrap_or_default();
    if containers.is_empty() {
        return vec![Violation::required(format!("{path}.containers"), "")];
    }
    let mut found = Vec::new();
    let mut names = Vec::new();
    for (position, container) in containers.iter().enumerate() {
        let field = |member: &str| format!("{path}.containers[{position}].{member}");
        match container["name"].as_str().unwrap_or_default() {
            "" => found.push(Violation::required(field("name"), "")),
            name if !is_dns_label(name) => found.push(Violation::invalid(field("name"), &json!(name), LABEL)),
            name if names.contains(&name) => found.push(Violation::duplicate(field("name"), &json!(name))),
            name => names.push(name),
        }
        if container["image"].as_str().unwrap_or_default().is_empty() {
            found.push(Violation::required(field("image"), ""));
        }
    }
    let policies = ["Always", "OnFailure", "Never"];
    if let Some(policy) = spec["restartPolicy"].as_str().filter(|policy| !policies.contains(policy)) {
        let allowed = policies.map(Value::from);
        found.push(Violation::unsupported(format!("{path}.restartPolicy"), &json!(policy), &allowed));
    }
    found
}

fn workload(spec: &Value) -> Vec<Violation> {
    let mut found = Vec::new();
    if let Some(replicas) = spec["replicas"].as_i64().filter(|replicas| *replicas < 0) {
        found.push(Violation::invalid(
            "spec.replicas",
            &json!(replicas),
            "must be greater than or equal to 0",
        ));
    }
    let selector = LabelSelector::from_spec(&spec["selector"]);
    if spec["selector"].is_null() {
        found.push(Violation::required("spec.selector", ""));
    } else if let Err(why) = &selector {
        found.push(Violation::invalid("spec.selector", &spec["selector"], &why.to_string()));
    } else if selector.as_ref().is_ok_and(LabelSelector::is_everything) {
        let why = "empty selector is invalid for deployment";
        found.push(Violation::invalid("spec.selector", &spec["selector"], why));
    }
    let labels = &spec["template"]["metadata"]["labels"];
    let pairs = labels.as_object().into_iter().flatten();
    let pairs = pairs.filter_map(|(k, v)| Some((k.clone(), v.as_str()?.to_owned()))).collect();
    if spec["selector"].is_null() || !selector.is_ok_and(|selector| selector.matches(&pairs)) {
        let why = "`selector` does not match template `labels`";
        found.push(Violation::invalid("spec.template.metadata.labels", labels, why));
    }
    found.extend(pod_spec(&spec["template"]["spec"], "spec.template.spec"));
    found
}

fn service(spec: &Value) -> Vec<Violation> {
    let ports = spec["ports"].as_array().map(Vec::as_slice).unwrap_or_default();
    let headless = spec["clusterIP"] == "None" || spec["type"] == "ExternalName";
    if ports.is_empty() && !headless {
        return vec![Violation::required("spec.ports", "")];
    }
    let out_of_range = |port: &Value| !port.as_i64().is_some_and(|port| (1..=65535).contains(&port));
    let wrong = ports.iter().enumerate().filter(|(_, port)| out_of_range(&port["port"]));
    wrong
        .map(|(position, port)| {
            let field = format!("spec.ports[{position}].port");
            Violation::invalid(field, &port["port"], "must be between 1 and 65535, inclusive")
        })
        .collect()
}

fn data(object: &Map<String, Value>) -> Vec<Violation> {
    let valid = |key: &str| {
        (1..=253).contains(&key.len())
            && !matches!(key, "." | "..")
            && key.bytes().all(|c| c.is_ascii_alphanumeric() || b"-_.".contains(&c))
    };
    let why = "a valid config key must consist of alphanumeric characters, '-', '_' or '.' (e.g. 'key.name',  or \
               'KEY_NAME',  or 'key-name', regex used for validation is '[-._a-zA-Z0-9]+')";
    let keys = ["data", "binaryData", "stringData"]
        .map(|member| at(object, member).as_object().map(|map| (member, map)));
    let keys = keys.into_iter().flatten().flat_map(|(member, map)| map.keys().map(move |key| (member, key)));
    keys.filter(|(_, key)| !valid(key))
        .map(|(member, key)| Violation::invalid(format!("{member}[{key}]"), &json!(key), why))
        .collect()
}

fn immutable(resource: &Resource, before: &Value, after: &Map<String, Value>) -> Vec<Violation> {
    let spec = at(after, "spec");
    let fixed = |field: &str, value: &Value| Violation::invalid(field, value, "field is immutable");
    match resource.qualified() {
        "pods" if mutable_parts_removed(&before["spec"]) != mutable_parts_removed(spec) => {
            vec![Violation::forbidden("spec", POD_UPDATE)]
        }
        "deployments.apps" | "replicasets.apps" | "daemonsets.apps"
            if before["spec"]["selector"] != spec["selector"] =>
        {
            vec![fixed("spec.selector", &spec["selector"])]
        }
        "jobs.batch" if before["spec"]["template"] != spec["template"] => {
            vec![fixed("spec.template", &spec["template"])]
        }
        "configmaps" | "secrets" if before["immutable"] == true => {
            let changed = ["data", "binaryData"].iter().find(|member| before[**member] != *at(after, member));
            let why = "field is immutable when `immutable` is set";
            changed.map(|member| Violation::forbidden(*member, why)).into_iter().collect()
        }
        "secrets" if before["type"] != *at(after, "type") => vec![fixed("type", at(after, "type"))],
        "services"
            if before["spec"]["clusterIP"].is_string()
                && before["spec"]["clusterIP"] != spec["clusterIP"] =>
        {
            let value = json!([spec["clusterIP"]]);
            vec![Violation::invalid("spec.clusterIPs[0]", &value, "may not change once set")]
        }
        _ => Vec::new(),
    }
}

/// A pod's spec without what may change.
fn mutable_parts_removed(spec: &Value) -> Value {
    let mut spec = spec.clone();
    for member in ["activeDeadlineSeconds", "tolerations", "terminationGracePeriodSeconds"] {
        if let Some(spec) = spec.as_object_mut() {
            spec.remove(member);
        }
    }
    for list in ["containers", "initContainers", "ephemeralContainers"] {
        for container in spec[list].as_array_mut().into_iter().flatten() {
            if let Some(container) = container.as_object_mut() {
                container.remove("image");
            }
        }
        if spec[list].is_null()
            && let Some(spec) = spec.as_object_mut()
        {
            spec.remove(list);
        }
    }
    spec
}
