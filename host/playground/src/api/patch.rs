//! PATCH: JSON patch, merge patch, strategic merge patch, and server-side apply.

use std::sync::Arc;

use serde_json::Value;

use super::route::Target;
use super::status::{Answer, Failure};
use super::write::Kept;
use super::{Reply, Request, State, apply, body, document, strategic, write};
use crate::kinds::Origin;
use crate::store::Object;

const JSON: &str = "application/json-patch+json";
const MERGE: &str = "application/merge-patch+json";
const STRATEGIC: &str = "application/strategic-merge-patch+json";
const APPLY: &str = "application/apply-patch+yaml";

/// Changes an object, or its status.
pub(super) fn patch(state: &mut State, target: &Target, request: &Request) -> Answer<Reply> {
    let key = target.key()?;
    let media = body::media_type(request).to_owned();
    let custom = target.resource.origin == Origin::Custom;
    let accepted: &[&str] = if custom { &[JSON, MERGE, APPLY] } else { &[JSON, MERGE, STRATEGIC, APPLY] };
    if !accepted.contains(&media.as_str()) {
        return Err(match target.resource.origin {
            Origin::Custom => Failure::unsupported_media_type(accepted),
            // Its router refuses what no route of a built-in kind consumes.
            Origin::BuiltIn => Failure::new(415, "UnsupportedMediaType", "415: Unsupported Media Type")
                .with_details(serde_json::json!({})),
        });
    }
    if media == APPLY {
        return apply::apply(state, target, request);
    }
    let found = state.store.get(&target.resource.table, &key).cloned();
    let before = found.ok_or_else(|| Failure::not_found(&target.resource, key.name()))?;
    let after = patched(&whole(target, &before), &media, &request.body, &target.resource.kind)?;
    let after = body::checked(target, after)?;
    let written = write::replace(state, target, request, &before, after, Kept::Track)?;
    let mut reply = document(200, target, request, &written.object)?;
    if let Reply::Document { warnings, .. } = &mut reply {
        *warnings = written.warnings;
    }
    Ok(reply)
}

/// The object with its kind and version, as a patch may test them.
pub(super) fn whole(target: &Target, object: &Arc<Object>) -> Value {
    let mut value = object.value();
    value.insert("kind".into(), target.resource.kind.clone().into());
    value.insert("apiVersion".into(), target.api_version().into());
    Value::Object(value)
}

/// What `value` becomes.
pub(super) fn patched(value: &Value, media: &str, sent: &[u8], kind: &str) -> Answer<Value> {
    let patch: Value = serde_json::from_slice(sent).map_err(|why| {
        Failure::bad_request(format!("error decoding patch: {}", body::syntax_error(sent, &why)))
    })?;
    let mut after = value.clone();
    match media {
        JSON => {
            let operations: json_patch::Patch = serde_json::from_value(patch)
                .map_err(|why| Failure::bad_request(format!("error decoding patch: {why}")))?;
            json_patch::patch(&mut after, &operations).map_err(|_| {
                Failure::new(422, "Invalid", "the server rejected our request due to an error in our request")
                    .with_details(serde_json::json!({}))
            })?;
        }
        MERGE | STRATEGIC if !patch.is_object() => {
            return Err(Failure::bad_request(
                "error decoding patch: json: cannot unmarshal array into Go value of type map[string]interface {}",
            ));
        }
        MERGE => json_patch::merge(&mut after, &patch),
        STRATEGIC => strategic::merge(kind, &mut after, &patch).map_err(|why| Failure::new(500, "", why))?,
        _ => return Err(Failure::unsupported_media_type(&[JSON, MERGE, STRATEGIC])),
    }
    Ok(after)
}
