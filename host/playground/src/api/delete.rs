//! DELETE of one object and of a collection.

use std::sync::Arc;

use serde_json::{Map, Value, json};
use time::{Duration, OffsetDateTime};

use super::query::Query;
use super::route::Target;
use super::status::{Answer, Failure, details};
use super::view::{ListMeta, View};
use super::{Reply, Request, State, body, document, read, shape, timestamp, value_document, write};
use crate::kinds::Resource;
use crate::store::{Key, Object, at};

/// The finalizer that the collector removes once the dependents are gone.
pub(super) const FOREGROUND: &str = "foregroundDeletion";
/// The finalizer that the collector removes once the dependents no longer name their owner.
pub(super) const ORPHAN: &str = "orphan";

/// The finalizer that keeps a definition until its objects are gone.
pub(super) const CLEANUP: &str = "customresourcecleanup.apiextensions.k8s.io";

/// The table of custom kinds' definitions.
pub(super) const DEFINITIONS: &str = "customresourcedefinitions.apiextensions.k8s.io";

/// What becomes of dependents.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Propagation {
    /// They go after their owner.
    #[default]
    Background,
    /// They go before it.
    Foreground,
    /// They stay.
    Orphan,
}

/// `DeleteOptions`, from the body and the query.
#[derive(Clone, Debug, Default)]
pub(super) struct Options {
    pub(super) grace: Option<i64>,
    pub(super) propagation: Propagation,
    uid: Option<String>,
    revision: Option<String>,
    dry_run: bool,
}

/// What a delete did.
pub(super) enum Outcome {
    /// The object is no more.
    Gone(Arc<Object>),
    /// It is marked, and goes when its grace or its finalizers end.
    Going(Arc<Object>),
}

/// Deletes one object.
pub(super) fn delete(state: &mut State, target: &Target, request: &Request) -> Answer<Reply> {
    let options = Options::read(request)?;
    let key = target.key()?;
    match remove(state, &target.resource, &key, &options, request.now)? {
        Outcome::Going(object) => document(200, target, request, &object),
        Outcome::Gone(object) if target.resource.traits.returns_deleted => {
            document(200, target, request, &object)
        }
        Outcome::Gone(object) => {
            let mut about = details(&target.resource.group, &target.resource.plural, key.name());
            about["uid"] = json!(object.uid);
            let status = json!({
                "kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success", "details": about,
            });
            Ok(value_document(200, &status))
        }
    }
}

/// Deletes what a list with the same selectors shows, and answers with that list.
pub(super) fn collection(state: &mut State, target: &Target, request: &Request) -> Answer<Reply> {
    let options = Options::read(request)?;
    let page = read::list(&state.store, target, &request.query)?;
    for object in &page.objects {
        match remove(state, &target.resource, &object.key, &options, request.now) {
            // Somebody else removing it meanwhile is what was asked for.
            Err(failure) if failure.code != 404 => return Err(failure),
            _ => {}
        }
    }
    let view = View::new(target, shape(request)?, request.now.unix_timestamp());
    let meta = ListMeta { revision: state.store.revision(), ..page.meta };
    Ok(Reply::List { view: Box::new(view), meta, objects: page.objects })
}

/// Removes the object at `key`, or marks it.
pub(super) fn remove(
    state: &mut State,
    resource: &Resource,
    key: &Key,
    options: &Options,
    now: OffsetDateTime,
) -> Answer<Outcome> {
    let name = key.name();
    let before =
        state.store.get(&resource.table, key).ok_or_else(|| Failure::not_found(resource, name))?.clone();
    check(resource, &before, options)?;
    if resource.qualified() == "namespaces" && matches!(name, "default" | "kube-system" | "kube-public") {
        return Err(Failure::forbidden(resource, name, "this namespace may not be deleted"));
    }
    let mut value = before.value();
    let grace = grace(resource, &value, options);
    match options.propagation {
        Propagation::Background => {}
        Propagation::Foreground => add_finalizer(&mut value, FOREGROUND),
        Propagation::Orphan => add_finalizer(&mut value, ORPHAN),
    }
    if resource.qualified() == DEFINITIONS {
        add_finalizer(&mut value, CLEANUP);
    }
    let finalizers = value["metadata"]["finalizers"].as_array().map_or(0, Vec::len)
        + if resource.qualified() == "namespaces" { 1 } else { 0 };
    if grace == 0 && finalizers == 0 {
        // A pod's last state says that it was to go at once; other kinds vanish as they are.
        if resource.qualified() == "pods" && mark(&mut value, 0, now) {
            count_up(resource, &mut value);
        }
        if options.dry_run {
            return Ok(Outcome::Gone(before));
        }
        return Ok(Outcome::Gone(write::remove(state, resource, key, Some(value)).unwrap_or(before)));
    }
    if !mark(&mut value, grace, now) || options.dry_run {
        return Ok(Outcome::Going(before));
    }
    if resource.qualified() == "namespaces" {
        value.insert("status".into(), json!({"phase": "Terminating"}));
    }
    if resource.qualified() == DEFINITIONS {
        if let Some(metadata) = value["metadata"].as_object_mut() {
            metadata.remove("deletionGracePeriodSeconds");
        }
        terminating(&mut value, now);
    } else {
        count_up(resource, &mut value);
    }
    Ok(Outcome::Going(write::put(state, resource, key.clone(), value)))
}

fn count_up(resource: &Resource, value: &mut Map<String, Value>) {
    if resource.traits.generation {
        let generation = value["metadata"]["generation"].as_i64().unwrap_or(0) + 1;
        value["metadata"]["generation"] = json!(generation);
    }
}

/// A definition that is to go says that its objects go first.
fn terminating(value: &mut Map<String, Value>, now: OffsetDateTime) {
    let condition = json!({
        "type": "Terminating", "status": "True", "lastTransitionTime": timestamp(now),
        "reason": "InstanceDeletionPending",
        "message": "CustomResourceDefinition marked for deletion; CustomResource deletion will begin soon",
    });
    if let Some(conditions) = value.get_mut("status").and_then(|status| status["conditions"].as_array_mut()) {
        conditions.push(condition);
    }
}

impl Options {
    fn read(request: &Request) -> Answer<Options> {
        let body = match request.body.is_empty() {
            true => Value::Null,
            false => body::document(request, "DeleteOptions")?,
        };
        Options::of(&body, &request.query)
    }

    pub(super) fn of(body: &Value, query: &Query) -> Answer<Options> {
        let text = |value: &Value| value.as_str().map(str::to_owned);
        let policy = text(&body["propagationPolicy"]).or(query.get("propagationPolicy").map(str::to_owned));
        let orphan =
            body["orphanDependents"].as_bool().or(query.get("orphanDependents").map(|v| v != "false"));
        let propagation = match policy.as_deref() {
            None if orphan == Some(true) => Propagation::Orphan,
            None | Some("Background") => Propagation::Background,
            Some("Foreground") => Propagation::Foreground,
            Some("Orphan") => Propagation::Orphan,
            Some(other) => {
                let allowed = [json!("Foreground"), json!("Background"), json!("Orphan"), json!("nil")];
                let violation =
                    crate::kinds::Violation::unsupported("propagationPolicy", &json!(other), &allowed);
                return Err(Failure::invalid_options("DeleteOptions", &[violation]));
            }
        };
        Ok(Options {
            grace: body["gracePeriodSeconds"].as_i64().or(query.number("gracePeriodSeconds")?),
            propagation,
            uid: text(&body["preconditions"]["uid"]),
            revision: text(&body["preconditions"]["resourceVersion"]),
            dry_run: query.dry_run("DeleteOptions")?
                || body["dryRun"].as_array().is_some_and(|modes| !modes.is_empty()),
        })
    }
}

fn check(resource: &Resource, before: &Object, options: &Options) -> Answer<()> {
    let name = before.key.name();
    if let Some(uid) = options.uid.as_deref().filter(|uid| **uid != *before.uid) {
        let found = &before.uid;
        let why = format!(
            "the UID in the precondition ({uid}) does not match the UID in record ({found}). The object might have been deleted and then recreated"
        );
        return Err(Failure::precondition(resource, name, &why));
    }
    let found = before.revision.to_string();
    if let Some(revision) = options.revision.as_deref().filter(|revision| *revision != found) {
        let why = format!(
            "the ResourceVersion in the precondition ({revision}) does not match the ResourceVersion in record ({found}). The object might have been modified"
        );
        return Err(Failure::precondition(resource, name, &why));
    }
    Ok(())
}

/// Seconds until a pod may go: none for one that never reached a node or has ended, and none for other kinds.
fn grace(resource: &Resource, value: &Map<String, Value>, options: &Options) -> i64 {
    let spec = at(value, "spec");
    let bound = spec["nodeName"].as_str().is_some_and(|node| !node.is_empty());
    let phase = at(value, "status")["phase"].as_str();
    if resource.qualified() != "pods" || !bound || matches!(phase, Some("Succeeded" | "Failed")) {
        return 0;
    }
    let asked = options.grace.or(spec["terminationGracePeriodSeconds"].as_i64()).unwrap_or(30);
    asked.max(0)
}

fn add_finalizer(value: &mut Map<String, Value>, finalizer: &str) {
    let metadata = &mut value["metadata"];
    if !metadata["finalizers"].is_array() {
        metadata["finalizers"] = json!([]);
    }
    if let Some(finalizers) = metadata["finalizers"].as_array_mut()
        && !finalizers.iter().any(|present| present == finalizer)
    {
        finalizers.push(json!(finalizer));
    }
}

/// Sets the deletion timestamp; whether anything changed. A grace can only become shorter.
fn mark(value: &mut Map<String, Value>, grace: i64, now: OffsetDateTime) -> bool {
    let metadata = &mut value["metadata"];
    let deleting = !metadata["deletionTimestamp"].is_null();
    if deleting && metadata["deletionGracePeriodSeconds"].as_i64().is_some_and(|present| present <= grace) {
        return false;
    }
    metadata["deletionTimestamp"] = json!(timestamp(now + Duration::seconds(grace)));
    metadata["deletionGracePeriodSeconds"] = json!(grace);
    true
}
