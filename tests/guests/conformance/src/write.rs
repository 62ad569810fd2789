//! Writing: create, update, each patch, delete, finalizers, scale.

use either::Either;
use serde_json::{Value, json};
use tidegate::k8s_openapi::api::apps::v1::Deployment;
use tidegate::k8s_openapi::api::core::v1::ConfigMap;
use tidegate::prelude::*;

use crate::suite::{Stop, Suite, Verdict, from_json, holds, map, names, ours, refused, same, value, version};

pub(crate) fn create(suite: &Suite) -> Verdict {
    let scratch = suite.namespace("create")?;
    let made = scratch.make("one")?;
    let meta = &made.metadata;
    same("namespace", meta.namespace.as_deref(), Some(scratch.name.as_str()))?;
    same("data", value(&made), Some("1"))?;
    holds("it has a uid", meta.uid.as_ref().is_some_and(|uid| !uid.is_empty()))?;
    holds("it has a creationTimestamp", meta.creation_timestamp.is_some())?;
    version(meta.resource_version.clone())?;
    Ok(())
}

pub(crate) fn generate_name(suite: &Suite) -> Verdict {
    let scratch = suite.namespace("generate-name")?;
    let mut unnamed = map("", "1");
    unnamed.metadata.name = None;
    unnamed.metadata.generate_name = Some("gen-".to_owned());
    let (one, two) = (
        scratch.maps().create(&PostParams::default(), &unnamed)?,
        scratch.maps().create(&PostParams::default(), &unnamed)?,
    );
    holds("names differ", one.name_any() != two.name_any())?;
    holds("they begin as told", one.name_any().starts_with("gen-") && one.name_any().len() > 4)?;
    same("both are there", scratch.maps().list(&ours())?.items.len(), 2)
}

pub(crate) fn update(suite: &Suite) -> Verdict {
    let scratch = suite.namespace("update")?;
    let mut made = scratch.make("one")?;
    let before = version(made.metadata.resource_version.clone())?;
    made.data = Some([("value".to_owned(), "2".to_owned())].into());
    let replaced = scratch.maps().replace("one", &PostParams::default(), &made)?;
    same("data", value(&replaced), Some("2"))?;
    holds("the version changed", version(replaced.metadata.resource_version.clone())? != before)?;
    same("uid stays", replaced.metadata.uid.clone(), made.metadata.uid)?;
    let again = scratch.maps().replace("one", &PostParams::default(), &replaced)?;
    same(
        "nothing changed, nor does the version",
        again.metadata.resource_version,
        replaced.metadata.resource_version,
    )?;
    let unconditional = scratch.maps().replace("one", &PostParams::default(), &map("one", "3"))?;
    same("without a version it wins", value(&unconditional), Some("3"))
}

pub(crate) fn patch_json(suite: &Suite) -> Verdict {
    let scratch = suite.namespace("patch-json")?;
    scratch.make("one")?;
    let patch = |operations: Value| from_json(operations).map(Patch::<()>::Json);
    let changed = scratch.maps().patch(
        "one",
        &PatchParams::default(),
        &patch(json!([
            { "op": "test", "path": "/data/value", "value": "1" },
            { "op": "replace", "path": "/data/value", "value": "2" },
            { "op": "add", "path": "/metadata/annotations", "value": { "a/b": "1" } },
            { "op": "replace", "path": "/metadata/annotations/a~1b", "value": "2" },
            { "op": "copy", "from": "/data/value", "path": "/data/copied" },
        ]))?,
    )?;
    same("data", json!(changed.data), json!({ "value": "2", "copied": "2" }))?;
    same("annotations", json!(changed.metadata.annotations), json!({ "a/b": "2" }))?;
    let failing = patch(json!([{ "op": "test", "path": "/data/value", "value": "1" }]))?;
    refused(
        "a test that fails",
        scratch.maps().patch("one", &PatchParams::default(), &failing),
        422,
        "Invalid",
    )?;
    Ok(())
}

pub(crate) fn patch_merge(suite: &Suite) -> Verdict {
    let scratch = suite.namespace("patch-merge")?;
    scratch.make("one")?;
    let patch = Patch::Merge(json!({
        "metadata": { "labels": { "suite": null, "left": "yes" }, "annotations": { "a/b": "c" } },
        "data": { "more": "2" },
    }));
    let changed = scratch.maps().patch("one", &PatchParams::default(), &patch)?;
    same("data", json!(changed.data), json!({ "value": "1", "more": "2" }))?;
    same("labels", json!(changed.metadata.labels), json!({ "left": "yes" }))?;
    same("annotations", json!(changed.metadata.annotations), json!({ "a/b": "c" }))?;
    let nobody = scratch.maps().patch("nobody", &PatchParams::default(), &patch);
    refused("a merge into nothing", nobody, 404, "NotFound")?;
    Ok(())
}

pub(crate) fn patch_strategic(suite: &Suite) -> Verdict {
    let scratch = suite.namespace("patch-strategic")?;
    let deployments: Api<Deployment> = Api::namespaced(suite.client.clone(), &scratch.name);
    deployments.create(&PostParams::default(), &deployment("one")?)?;
    let patch = Patch::Strategic(json!({ "spec": { "template": { "spec": { "containers": [
        { "name": "a", "image": "example.com/a:2" },
        { "name": "b", "image": "example.com/b:1" },
    ] } } } }));
    let changed = deployments.patch("one", &PatchParams::default(), &patch)?;
    let containers = json!(changed.spec.and_then(|spec| spec.template.spec).map(|spec| spec.containers));
    let images = |name: &str| {
        let all = containers.as_array().map(Vec::as_slice).unwrap_or_default();
        all.iter().find(|one| one["name"] == name).map(|one| (one["image"].clone(), one["env"].clone()))
    };
    let kept = json!([{ "name": "KEPT", "value": "yes" }]);
    same("container a is merged", images("a"), Some((json!("example.com/a:2"), kept)))?;
    same("container b is added", images("b"), Some((json!("example.com/b:1"), Value::Null)))
}

pub(crate) fn patch_apply(suite: &Suite) -> Verdict {
    let scratch = suite.namespace("patch-apply")?;
    let apply = |manager: &str, force: bool, data: Value| {
        let wanted =
            json!({ "apiVersion": "v1", "kind": "ConfigMap", "metadata": { "name": "one" }, "data": data });
        let params = PatchParams { force, ..PatchParams::apply(manager) };
        scratch.maps().patch("one", &params, &Patch::Apply(wanted))
    };
    let made = apply("first", false, json!({ "a": "1", "b": "1" }))?;
    let managers: Vec<_> = made.metadata.managed_fields.iter().flatten().collect();
    same(
        "managers",
        managers.iter().map(|entry| entry.manager.as_deref()).collect::<Vec<_>>(),
        [Some("first")],
    )?;
    same("their operation", managers[0].operation.as_deref(), Some("Apply"))?;
    let again = apply("first", false, json!({ "a": "1", "b": "1" }))?;
    same("the same again changes nothing", again.metadata.resource_version, made.metadata.resource_version)?;
    let less = apply("first", false, json!({ "a": "1" }))?;
    same("what is not named any more goes", json!(less.data), json!({ "a": "1" }))?;
    refused("another manager's field", apply("second", false, json!({ "a": "2" })), 409, "Conflict")?;
    same(
        "beside it",
        json!(apply("second", false, json!({ "c": "3" }))?.data),
        json!({ "a": "1", "c": "3" }),
    )?;
    same("by force", json!(apply("second", true, json!({ "a": "2" }))?.data), json!({ "a": "2" }))
}

pub(crate) fn dry_run(suite: &Suite) -> Verdict {
    let scratch = suite.namespace("dry-run")?;
    let dry = PostParams { dry_run: true, ..PostParams::default() };
    let tried = scratch.maps().create(&dry, &map("one", "1"))?;
    same("what would be", value(&tried), Some("1"))?;
    same("is not", scratch.maps().get_opt("one")?, None::<ConfigMap>)
}

pub(crate) fn delete(suite: &Suite) -> Verdict {
    let scratch = suite.namespace("delete")?;
    let made = scratch.make("one")?;
    let other = Preconditions {
        uid: Some("00000000-0000-0000-0000-000000000000".to_owned()),
        resource_version: None,
    };
    let guarded = DeleteParams { preconditions: Some(other), ..DeleteParams::default() };
    refused("another uid", scratch.maps().delete("one", &guarded), 409, "Conflict")?;
    let uid = made.metadata.uid.clone();
    let guarded = DeleteParams {
        preconditions: Some(Preconditions { uid, resource_version: None }),
        ..DeleteParams::default()
    };
    if let Either::Right(status) = scratch.maps().delete("one", &guarded)? {
        holds("the status is success", status.is_success())?;
    }
    same("what is left", scratch.maps().get_opt("one")?, None::<ConfigMap>)?;
    refused("twice", scratch.maps().delete("one", &DeleteParams::default()), 404, "NotFound")?;
    Ok(())
}

pub(crate) fn delete_collection(suite: &Suite) -> Verdict {
    let scratch = suite.namespace("delete-collection")?;
    for (name, keep) in [("a", "no"), ("b", "yes"), ("c", "no")] {
        let mut labelled = map(name, "1");
        labelled.labels_mut().insert("keep".to_owned(), keep.to_owned());
        scratch.maps().create(&PostParams::default(), &labelled)?;
    }
    scratch.maps().delete_collection(&DeleteParams::default(), &ListParams::default().labels("keep=no"))?;
    same("what is left", names(&scratch.maps().list(&ours())?.items), ["b"])
}

pub(crate) fn finalizers(suite: &Suite) -> Verdict {
    let scratch = suite.namespace("finalizers")?;
    let mut guarded = map("one", "1");
    guarded.finalizers_mut().push("example.com/guard".to_owned());
    scratch.maps().create(&PostParams::default(), &guarded)?;
    scratch.maps().delete("one", &DeleteParams::default())?;
    let held = scratch.maps().get("one")?;
    let released = release(&scratch.maps());
    holds("it is being deleted", held.metadata.deletion_timestamp.is_some())?;
    same("and held", held.finalizers(), ["example.com/guard"])?;
    released?;
    same("without its finalizer it goes", scratch.maps().get_opt("one")?, None::<ConfigMap>)
}

fn release(maps: &Api<ConfigMap>) -> Result<(), Stop> {
    let patch = Patch::Merge(json!({ "metadata": { "finalizers": null } }));
    maps.patch("one", &PatchParams::default(), &patch)?;
    Ok(())
}

pub(crate) fn scale(suite: &Suite) -> Verdict {
    let scratch = suite.namespace("scale")?;
    let deployments: Api<Deployment> = Api::namespaced(suite.client.clone(), &scratch.name);
    deployments.create(&PostParams::default(), &deployment("one")?)?;
    let scale = deployments.get_scale("one")?;
    // A real server leaves 0 out.
    same("replicas", scale.spec.and_then(|spec| spec.replicas).unwrap_or_default(), 0)?;
    let patch = Patch::Merge(json!({ "spec": { "replicas": 3 } }));
    let scale = deployments.patch_scale("one", &PatchParams::default(), &patch)?;
    same("replicas of the scale", scale.spec.and_then(|spec| spec.replicas), Some(3))?;
    same("of the deployment", deployments.get("one")?.spec.and_then(|spec| spec.replicas), Some(3))
}

/// No replicas: where controllers run, they have nothing to do.
fn deployment(name: &str) -> Verdict<Deployment> {
    from_json(json!({
        "metadata": { "name": name },
        "spec": {
            "replicas": 0,
            "selector": { "matchLabels": { "app": name } },
            "template": {
                "metadata": { "labels": { "app": name } },
                "spec": { "containers": [
                    { "name": "a", "image": "example.com/a:1", "env": [{ "name": "KEPT", "value": "yes" }] },
                ] },
            },
        },
    }))
}
