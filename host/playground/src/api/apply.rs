//! PATCH with `application/apply-patch+yaml`.

use serde_json::{Value, json};

use super::patch::whole;
use super::route::Target;
use super::status::{Answer, Failure};
use super::write::{self, Kept};
use super::{Reply, Request, State, body, create, document};
use crate::fields::{self, Conflict};
use crate::kinds::Violation;

/// Applies a configuration; creates the object where it is not there.
pub(super) fn apply(state: &mut State, target: &Target, request: &Request) -> Answer<Reply> {
    let key = target.key()?;
    let force = request.query.flag("force");
    if request.query.get("fieldManager").is_none() {
        let violation = Violation::required("fieldManager", "is required for apply patch");
        return Err(invalid_options(&violation));
    }
    let config = body::yaml(&request.body, &target.resource.kind)?;
    if !config["kind"].is_string() || !config["apiVersion"].is_string() {
        let version = config["apiVersion"].as_str().unwrap_or("/");
        let kind = config["kind"].as_str().unwrap_or_default();
        return Err(Failure::bad_request(format!("invalid object type: {version}, Kind={kind}")));
    }
    if !config["metadata"]["managedFields"].is_null() {
        return Err(Failure::bad_request("metadata.managedFields must be nil"));
    }
    let before = state.store.get(&target.resource.table, &key).cloned();
    // What exists takes its name from the path; what is new must say it.
    if before.is_none() && !config["metadata"]["name"].is_string() {
        let text = format!(
            "the name of the object ({} based on URL) was undeterminable: name must be provided",
            key.name()
        );
        return Err(Failure::bad_request(text));
    }
    let mut config = body::checked(target, config)?;
    config["metadata"]["name"] = json!(key.name());
    if let Some(namespace) = &target.namespace {
        config["metadata"]["namespace"] = json!(namespace);
    }
    let writer = write::writer(target, request);
    let old = before.as_ref().map(|before| whole(target, before));
    let merged = fields::apply(old.as_ref(), &config, &writer, force).map_err(|found| conflict(&found))?;
    let merged = body::checked(target, Value::Object(merged))?;
    let (code, written) = match &before {
        Some(before) => (200, write::replace(state, target, request, before, merged, Kept::Recorded)?),
        None if target.subresource.is_some() => return Err(Failure::not_found(&target.resource, key.name())),
        None => (201, create::new(state, target, request, merged, Kept::Recorded)?),
    };
    let mut reply = document(code, target, request, &written.object)?;
    if let Reply::Document { warnings, .. } = &mut reply {
        *warnings = written.warnings;
    }
    Ok(reply)
}

fn conflict(found: &[Conflict]) -> Box<Failure> {
    let causes = found.iter().map(|conflict| {
        json!({
            "reason": "FieldManagerConflict",
            "message": format!("conflict with {}", conflict.manager),
            "field": conflict.field,
        })
    });
    let message = match found {
        [one] => format!("Apply failed with 1 conflict: conflict with {}: {}", one.manager, one.field),
        many => {
            let mut text = format!("Apply failed with {} conflicts:", many.len());
            for (position, conflict) in many.iter().enumerate() {
                if position == 0 || many[position - 1].manager != conflict.manager {
                    text.push_str(&format!(" conflicts with {}:", conflict.manager));
                }
                text.push_str(&format!("\n- {}", conflict.field));
            }
            text
        }
    };
    Failure::new(409, "Conflict", message).with_causes(causes.collect())
}

fn invalid_options(violation: &Violation) -> Box<Failure> {
    let message = format!("PatchOptions.meta.k8s.io \"\" is invalid: {}", violation.text());
    Failure::new(422, "Invalid", message)
        .with_details(json!({"group": "meta.k8s.io", "kind": "PatchOptions"}))
        .with_causes(vec![violation.cause()])
}
