//! The scale subresource: `autoscaling/v1` Scale over the number of replicas, wherever the kind keeps it.

use std::sync::Arc;

use http::Method;
use serde_json::{Map, Value, json};

use super::route::Target;
use super::status::{Answer, Failure};
use super::write::{self, Kept};
use super::{Reply, Request, State, body, patch, value_document};
use crate::fields;
use crate::kinds::{ScalePaths, Violation};
use crate::store::Object;

/// GET, PUT and PATCH.
pub(super) fn handle(state: &mut State, target: &Target, request: &Request) -> Answer<Reply> {
    let key = target.key()?;
    let found = state.store.get(&target.resource.table, &key).cloned();
    let before = found.ok_or_else(|| Failure::not_found(&target.resource, key.name()))?;
    let current = scale_of(target, &before);
    let wanted = match request.method {
        Method::GET => return Ok(value_document(200, &current)),
        Method::PUT => body::document(request, "Scale")?,
        Method::PATCH => patch::patched(&current, body::media_type(request), &request.body, "Scale")?,
        _ => return Err(Failure::method_not_allowed()),
    };
    if let Some(name) = wanted["metadata"]["name"].as_str().filter(|name| *name != key.name()) {
        let expected = key.name();
        return Err(Failure::bad_request(format!(
            "the name of the object ({name}) does not match the name on the URL ({expected})"
        )));
    }
    let replicas = wanted["spec"]["replicas"].as_i64().unwrap_or(0);
    if replicas < 0 {
        let violation =
            Violation::invalid("spec.replicas", &json!(replicas), "must be greater than or equal to 0");
        return Err(invalid(key.name(), &violation));
    }
    let mut after = before.value();
    set(&mut after, &paths(target).spec, json!(replicas));
    after["metadata"]["resourceVersion"] = wanted["metadata"]["resourceVersion"].clone();
    // The fields are recorded as written through `scale`; what is written is the object itself.
    fields::track(Some(&Value::Object(before.value())), &mut after, &write::writer(target, request));
    let plain = Target { subresource: None, ..target.clone() };
    let written = write::replace(state, &plain, request, &before, after, Kept::Recorded)?;
    Ok(value_document(200, &scale_of(target, &written.object)))
}

fn paths(target: &Target) -> ScalePaths {
    target.version.scale.clone().unwrap_or_else(|| ScalePaths {
        spec: ".spec.replicas".into(),
        status: ".status.replicas".into(),
        selector: None,
    })
}

fn scale_of(target: &Target, object: &Arc<Object>) -> Value {
    let value = Value::Object(object.value());
    let metadata = &value["metadata"];
    let paths = paths(target);
    let mut scale = json!({
        "kind": "Scale", "apiVersion": "autoscaling/v1",
        "metadata": {
            "name": metadata["name"], "namespace": metadata["namespace"], "uid": metadata["uid"],
            "resourceVersion": metadata["resourceVersion"], "creationTimestamp": metadata["creationTimestamp"],
        },
        "spec": {"replicas": get(&value, &paths.spec).as_i64().unwrap_or(0)},
        "status": {"replicas": get(&value, &paths.status).as_i64().unwrap_or(0)},
    });
    let selector = match &paths.selector {
        Some(path) => get(&value, path).as_str().map(str::to_owned),
        None => Some(selector_text(&value["spec"]["selector"])),
    };
    if let Some(selector) = selector.filter(|selector| !selector.is_empty()) {
        scale["status"]["selector"] = json!(selector);
    }
    scale
}

fn selector_text(selector: &Value) -> String {
    // A ReplicationController's selector is the labels themselves.
    let labels = selector.get("matchLabels").unwrap_or(selector);
    let pairs = labels.as_object().into_iter().flatten();
    pairs.filter_map(|(key, value)| Some(format!("{key}={}", value.as_str()?))).collect::<Vec<_>>().join(",")
}

fn get<'a>(value: &'a Value, path: &str) -> &'a Value {
    path.split('.').filter(|member| !member.is_empty()).fold(value, |at, member| &at[member])
}

fn set(object: &mut Map<String, Value>, path: &str, value: Value) {
    let members: Vec<&str> = path.split('.').filter(|member| !member.is_empty()).collect();
    match members.as_slice() {
        [] => {}
        [last] => drop(object.insert((*last).to_owned(), value)),
        [first, rest @ ..] => {
            let child = object.entry(*first).or_insert_with(|| json!({}));
            if let Some(child) = child.as_object_mut() {
                set(child, &rest.join("."), value);
            }
        }
    }
}

fn invalid(name: &str, violation: &Violation) -> Box<Failure> {
    let message = format!("Scale.autoscaling \"{name}\" is invalid: {}", violation.text());
    Failure::new(422, "Invalid", message)
        .with_details(json!({"name": name, "group": "autoscaling", "kind": "Scale"}))
        .with_causes(vec![violation.cause()])
}
