//! PUT to an object.

use super::create;
use super::route::Target;
use super::status::{Answer, Failure};
use super::write::Kept;
use super::{Reply, Request, State, body, document, write};

/// Replaces an object, or its status.
pub(super) fn put(state: &mut State, target: &Target, request: &Request) -> Answer<Reply> {
    let key = target.key()?;
    let after = body::object(target, request)?;
    let revision = after["metadata"]["resourceVersion"].as_str().unwrap_or_default();
    let Some(before) = state.store.get(&target.resource.table, &key).cloned() else {
        if create::on_update(target) && target.subresource.is_none() && revision.is_empty() {
            let written = create::new(state, target, request, after, Kept::Track)?;
            return document(201, target, request, &written.object);
        }
        return Err(Failure::not_found(&target.resource, key.name()));
    };
    if after["metadata"]["name"].as_str().unwrap_or_default().is_empty() {
        return Err(Failure::bad_request("name must be provided"));
    }
    if revision.is_empty() && target.resource.traits.needs_revision {
        return Err(Failure::revision_missing(&target.resource, key.name()));
    }
    let written = write::replace(state, target, request, &before, after, Kept::Track)?;
    let mut reply = document(200, target, request, &written.object)?;
    if let Reply::Document { warnings, .. } = &mut reply {
        *warnings = written.warnings;
    }
    Ok(reply)
}
