//! The cases.

use std::time::Duration;

use serde_json::{Value, json};
use tidegate::k8s_openapi::api::core::v1::{ConfigMap, Namespace};
use tidegate::k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use tidegate::prelude::*;
use tidegate::{Error, Request, Result, conditions, discovery};

pub(crate) type Case = fn(&Client, &str) -> Result<()>;

pub(crate) const ALL: &[(&str, Case)] = &[
    ("resources", resources),
    ("unsupported-resource", unsupported_resource),
    ("new-kind", new_kind),
    ("wait-create-delete", wait_create_delete),
    ("wait-jsonpath", wait_jsonpath),
    ("wait-condition", wait_condition),
    ("wait-timeout", wait_timeout),
    ("selectors", selectors),
    ("apply", apply),
    ("subresources", subresources),
    ("delete-collection", delete_collection),
    ("batch", batch),
];

const PATIENCE: Duration = Duration::from_secs(30);

/// A namespace of a case's own, deleted when dropped.
struct Scratch {
    client: Client,
    name: String,
}

impl Scratch {
    fn new(client: &Client, prefix: &str, case: &str) -> Result<Self> {
        let name = format!("{prefix}-{case}");
        let namespaces: Api<Namespace> = Api::all(client.clone());
        namespaces.create(&PostParams::default(), &of(json!({ "metadata": { "name": name } })))?;
        Ok(Self { client: client.clone(), name })
    }

    fn of(&self, name: &str) -> Result<Api<DynamicObject>> {
        Api::of_name(&self.client, name, Some(&self.name))
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let namespaces: Api<Namespace> = Api::all(self.client.clone());
        _ = namespaces.delete(&self.name, &DeleteParams::default());
    }
}

fn of<T: serde::de::DeserializeOwned>(value: Value) -> T {
    serde_json::from_value(value).expect("the case itself")
}

fn map(name: &str, labels: Value) -> DynamicObject {
    of(
        json!({ "apiVersion": "v1", "kind": "ConfigMap", "metadata": { "name": name, "labels": labels }, "data": { "at": "first" } }),
    )
}

fn holds(what: &str, it: bool) -> Result<()> {
    if it { Ok(()) } else { Err(Error::other(format!("not so: {what}"))) }
}

fn same<T: PartialEq<U> + std::fmt::Debug, U: std::fmt::Debug>(what: &str, got: T, want: U) -> Result<()> {
    if got == want { Ok(()) } else { Err(Error::other(format!("{what}: {got:?}, want {want:?}"))) }
}

fn resources(client: &Client, _: &str) -> Result<()> {
    let all = discovery::resources(client)?;
    let names: Vec<String> = all.iter().map(ToString::to_string).collect();
    for name in ["pods", "deployments.apps", "customresourcedefinitions.apiextensions.k8s.io"] {
        holds(name, names.iter().filter(|one| *one == name).count() == 1)?;
    }
    let groups = discovery::groups(client)?;
    same("the core group comes first", groups[0].name.as_str(), "")?;
    holds("apps has v1", groups.iter().any(|group| group.name == "apps" && group.preferred_version == "v1"))?;
    holds("every version has more", discovery::all_resources(client)?.len() >= all.len())?;
    same("gaps", discovery::gaps(client)?, [])?;
    let deployment = discovery::lookup(client, "deploy")?;
    let scale = deployment.subresource("scale").ok_or_else(|| Error::other("no scale"))?;
    same("scale", (scale.kind.as_str(), scale.group.as_str()), ("Scale", "autoscaling"))?;
    same("path", deployment.path(Some("n")).as_str(), "/apis/apps/v1/namespaces/n/deployments")?;
    holds("deletecollection", deployment.supports_operation("deletecollection"))
}

fn unsupported_resource(client: &Client, _: &str) -> Result<()> {
    let Err(error) = discovery::lookup(client, "deploymnets") else { return Err(Error::other("found")) };
    same("code", error.code(), "unsupported-resource")?;
    holds(error.message(), error.message().contains("did you mean deployments.apps?"))
}

/// A definition that is deleted when dropped.
struct Defined(Api<CustomResourceDefinition>, String);

impl Drop for Defined {
    fn drop(&mut self) {
        _ = self.0.delete(&self.1, &DeleteParams::default());
    }
}

fn new_kind(client: &Client, prefix: &str) -> Result<()> {
    let group = format!("{prefix}.operations.tidegate.example");
    let name = format!("gizmos.{group}");
    let schema = json!({ "type": "object", "x-kubernetes-preserve-unknown-fields": true });
    let definition = json!({
        "metadata": { "name": name },
        "spec": {
            "group": group, "scope": "Namespaced",
            "names": { "kind": "Gizmo", "plural": "gizmos", "singular": "gizmo", "shortNames": ["gz"] },
            "versions": [
                { "name": "v1", "served": true, "storage": true, "schema": { "openAPIV3Schema": schema }, "subresources": { "status": {} } },
            ],
        },
    });
    // What is known now does not have it, and is not quite fresh when it is asked for.
    same("not yet", discovery::lookup(client, &name).is_err(), true)?;
    let definitions: Api<CustomResourceDefinition> = Api::all(client.clone());
    definitions.create(&PostParams::default(), &of(definition))?;
    let defined = Defined(definitions, name.clone());
    let found = defined.0.await_condition(&name, conditions::is_crd_established(), PATIENCE)?;
    holds("established", found.is_some())?;
    let end = tidegate::after(PATIENCE);
    let kind = loop {
        match discovery::lookup(client, &name) {
            Ok(kind) => break kind,
            Err(error) if error.is_unsupported_resource() && !end.ready() => tidegate::sleep(PATIENCE / 30),
            Err(error) => return Err(error),
        }
    };
    same("scope", kind.scope, discovery::Scope::Namespaced)?;
    for other in [
        format!("gz.{group}"),
        format!("gizmo.{group}"),
        format!("{group}/v1/Gizmo"),
        format!("gizmos.v1.{group}"),
    ] {
        same(&other, discovery::lookup(client, &other)?, kind.clone())?;
    }
    let scratch = Scratch::new(client, prefix, "new-kind")?;
    let gizmos = kind.api(client, Some(&scratch.name));
    let gizmo = DynamicObject::new("one", &kind.api_resource()).data(json!({ "spec": { "size": 1 } }));
    let end = tidegate::after(PATIENCE);
    // Established is not served everywhere at once.
    while let Err(error) = gizmos.create(&PostParams::default(), &gizmo) {
        if end.ready() || !error.is_not_found() {
            return Err(error);
        }
        tidegate::sleep(PATIENCE / 100);
    }
    gizmos.patch_status(
        "one",
        &PatchParams::default(),
        &Patch::Merge(json!({ "status": { "phase": "Done" } })),
    )?;
    let seen = gizmos.wait("one", "jsonpath={.status.phase}=Done", PATIENCE)?;
    holds("it is given", seen.is_some_and(|one| one.data["status"]["phase"] == "Done"))
}

fn wait_create_delete(client: &Client, prefix: &str) -> Result<()> {
    let scratch = Scratch::new(client, prefix, "wait")?;
    let maps = scratch.of("cm")?;
    // Made while it is waited for.
    let body = serde_json::to_vec(&map("later", json!({})))?;
    let path = format!("/api/v1/namespaces/{}/configmaps", scratch.name);
    let pending = client.start(Request::post(&path).body(body))?;
    holds("created", maps.wait("later", "create", PATIENCE)?.is_some())?;
    pending.take()?;
    let uid = maps.get("later")?.metadata.uid.unwrap_or_default();
    let pending = client.start(Request::delete(format!("{path}/later")))?;
    holds("deleted", maps.wait("later", "delete", PATIENCE)?.is_none())?;
    pending.take()?;
    // Another of its name is its end too, and what is not there is gone.
    maps.create(&PostParams::default(), &map("later", json!({})))?;
    holds("another", maps.await_condition("later", conditions::is_deleted(&uid), PATIENCE)?.is_some())?;
    holds("never there", maps.wait("never", "delete", PATIENCE)?.is_none())
}

fn wait_jsonpath(client: &Client, prefix: &str) -> Result<()> {
    let scratch = Scratch::new(client, prefix, "jsonpath")?;
    let maps = scratch.of("ConfigMap")?;
    maps.create(&PostParams::default(), &map("one", json!({})))?;
    let path = format!("/api/v1/namespaces/{}/configmaps/one", scratch.name);
    let request = Request::patch(&path).content_type("application/merge-patch+json");
    let pending =
        client.start(request.body(json!({ "data": { "at": "second" } }).to_string().into_bytes()))?;
    let seen = maps.wait("one", "jsonpath={.data.at}=second", PATIENCE)?;
    pending.take()?;
    holds("it is given", seen.is_some_and(|one| one.data["data"]["at"] == "second"))?;
    let closure = |one: Option<&DynamicObject>| one.is_some_and(|one| one.data["data"]["at"] == "second");
    holds("a closure", maps.await_condition("one", closure, PATIENCE)?.is_some())?;
    for (condition, code) in [
        ("ready", "invalid-request"),
        ("jsonpath={.data}=x", "invalid-request"),
        ("jsonpath={", "invalid-request"),
    ] {
        let error = maps.wait("one", condition, PATIENCE).err();
        same(condition, error.as_ref().map(|error| error.code()), Some(code))?;
    }
    let missing = maps.wait("missing", "jsonpath={.data.at}", PATIENCE).err();
    holds("404", missing.is_some_and(|error| error.is_not_found()))
}

fn wait_condition(client: &Client, prefix: &str) -> Result<()> {
    let scratch = Scratch::new(client, prefix, "condition")?;
    let deployments = scratch.of("deploy")?;
    let labels = json!({ "app": "web" });
    let deployment = json!({
        "apiVersion": "apps/v1", "kind": "Deployment", "metadata": { "name": "web" },
        "spec": {
            "replicas": 1, "selector": { "matchLabels": labels },
            "template": { "metadata": { "labels": labels }, "spec": { "containers": [{ "name": "web", "image": "none" }] } },
        },
    });
    deployments.create(&PostParams::default(), &of(deployment))?;
    // Nobody may run the pods: the condition is written here, as a controller would.
    let status = json!({ "status": { "conditions": [
        { "type": "Tested", "status": "True", "reason": "Case", "message": "", "lastUpdateTime": null },
    ]}});
    deployments.patch_status("web", &PatchParams::default(), &Patch::Merge(status))?;
    holds("tested", deployments.wait("web", "condition=tested", PATIENCE)?.is_some())?;
    let error = deployments.wait("web", "condition=Tested=False", Duration::from_millis(300)).err();
    holds("not false", error.is_some_and(|error| error.is_timeout()))
}

fn wait_timeout(client: &Client, prefix: &str) -> Result<()> {
    let scratch = Scratch::new(client, prefix, "timeout")?;
    let maps = scratch.of("configmaps")?;
    maps.create(&PostParams::default(), &map("one", json!({})))?;
    for (name, condition) in [("one", "delete"), ("one", "jsonpath={.data.never}"), ("never", "create")] {
        let error = maps.wait(name, condition, Duration::from_millis(300)).err();
        holds(condition, error.is_some_and(|error| error.is_timeout()))?;
    }
    // Without time it is looked at once.
    holds("at once", maps.wait("one", "create", Duration::ZERO)?.is_some())
}

fn selectors(client: &Client, prefix: &str) -> Result<()> {
    let scratch = Scratch::new(client, prefix, "selectors")?;
    let maps = scratch.of("cm")?;
    for (name, labels) in [
        ("a", json!({ "suite": "x", "app": "web", "tier": "front" })),
        ("b", json!({ "suite": "x", "app": "api" })),
        ("c", json!({ "suite": "x", "app": "db", "tier": "back" })),
    ] {
        maps.create(&PostParams::default(), &map(name, labels))?;
    }
    let values = |values: &[&str]| values.iter().map(ToString::to_string).collect();
    for (expression, want) in [
        (Expression::Equal("app".into(), "web".into()), &["a"][..]),
        (Expression::NotEqual("app".into(), "web".into()), &["b", "c"]),
        (Expression::In("app".into(), values(&["web", "db"])), &["a", "c"]),
        (Expression::NotIn("tier".into(), values(&["front"])), &["b", "c"]),
        (Expression::Exists("tier".into()), &["a", "c"]),
        (Expression::DoesNotExist("tier".into()), &["b"]),
    ] {
        let selector: Selector =
            [Expression::Equal("suite".into(), "x".into()), expression.clone()].into_iter().collect();
        let selected: Vec<String> = maps
            .list(&ListParams::default().labels_from(&selector))?
            .items
            .iter()
            .map(ResourceExt::name_any)
            .collect();
        same(&format!("{expression:?} of the server"), selected, want)?;
        let all = maps.list(&ListParams::default())?.items;
        let here = all.iter().filter(|one| selector.matches(one.labels()));
        same(&format!("{expression:?} here"), here.map(ResourceExt::name_any).collect::<Vec<_>>(), want)?;
    }
    let named = maps.list(&ListParams::default().fields("metadata.name=b"))?;
    same("fields", named.items.len(), 1)
}

fn apply(client: &Client, prefix: &str) -> Result<()> {
    let scratch = Scratch::new(client, prefix, "apply")?;
    let maps = scratch.of("cm")?;
    let wanted = |at: &str| json!({ "apiVersion": "v1", "kind": "ConfigMap", "metadata": { "name": "m" }, "data": { "at": at } });
    let one = PatchParams::apply("one");
    let nameless = json!({ "apiVersion": "v1", "kind": "ConfigMap" });
    let error = maps.patch("m", &one, &Patch::Apply(nameless)).err();
    same("without a name", error.and_then(|error| error.status().map(|status| status.code)), Some(400))?;
    maps.patch("m", &one, &Patch::Apply(wanted("first")))?;
    let other = PatchParams::apply("other");
    let error = maps.patch("m", &other, &Patch::Apply(wanted("second"))).err();
    holds("a conflict", error.is_some_and(|error| error.is_conflict()))?;
    let forced = maps.patch("m", &other.force(), &Patch::Apply(wanted("second")))?;
    same("forced", &forced.data["data"]["at"], "second")
}

fn subresources(client: &Client, prefix: &str) -> Result<()> {
    let scratch = Scratch::new(client, prefix, "subresources")?;
    let sets = scratch.of("rs")?;
    let labels = json!({ "app": "none" });
    sets.create(&PostParams::default(), &of(json!({
        "apiVersion": "apps/v1", "kind": "ReplicaSet", "metadata": { "name": "one" },
        "spec": {
            "replicas": 0, "selector": { "matchLabels": labels },
            "template": { "metadata": { "labels": labels }, "spec": { "containers": [{ "name": "a", "image": "none" }] } },
        },
    })))?;
    let scaled = sets.patch_scale(
        "one",
        &PatchParams::default(),
        &Patch::Merge(json!({ "spec": { "replicas": 0 } })),
    )?;
    same("scale", scaled.metadata.name.as_deref(), Some("one"))?;
    same("get_scale", sets.get_scale("one")?.metadata.name.as_deref(), Some("one"))?;
    same("get_status", sets.get_status("one")?.name_any().as_str(), "one")?;
    let accounts = scratch.of("sa")?;
    accounts.create(
        &PostParams::default(),
        &of(json!({ "apiVersion": "v1", "kind": "ServiceAccount", "metadata": { "name": "one" } })),
    )?;
    same("an account", accounts.get("one")?.name_any().as_str(), "one")
}

fn delete_collection(client: &Client, prefix: &str) -> Result<()> {
    let scratch = Scratch::new(client, prefix, "collection")?;
    let maps = scratch.of("cm")?;
    for (name, group) in [("a", "x"), ("b", "x"), ("c", "y")] {
        maps.create(&PostParams::default(), &map(name, json!({ "group": group })))?;
    }
    maps.delete_collection(&DeleteParams::default(), &ListParams::default().labels("group=x"))?;
    let left = maps.list(&ListParams::default().labels("group"))?;
    same("left", left.items.iter().map(ResourceExt::name_any).collect::<Vec<_>>(), ["c"])?;
    let gone = maps.get("c")?;
    let other = Preconditions { uid: Some("another".to_owned()), resource_version: None };
    let refused = maps.delete("c", &DeleteParams { preconditions: Some(other), ..DeleteParams::default() });
    holds("a precondition", refused.err().is_some_and(|error| error.is_conflict()))?;
    let own = Preconditions { uid: gone.metadata.uid, resource_version: None };
    maps.delete("c", &DeleteParams { preconditions: Some(own), ..DeleteParams::background() })?;
    holds("gone", maps.get_opt("c")?.is_none())
}

fn batch(client: &Client, prefix: &str) -> Result<()> {
    let scratch = Scratch::new(client, prefix, "batch")?;
    let maps: Api<ConfigMap> = Api::namespaced(client.clone(), &scratch.name);
    let path = maps.resource_url().to_owned();
    let create_named =
        |name: &str| Request::post(&path).body(serde_json::to_vec(&map(name, json!({}))).unwrap_or_default());
    client.send(create_named("there"))?;
    // Every seventh is there already.
    let create = |n: usize| create_named(&if n % 7 == 6 { "there".to_owned() } else { format!("m{n}") });
    let results = client.batch(8, (0..30).map(create));
    same("one result each", results.len(), 30)?;
    for (n, result) in results.into_iter().enumerate() {
        match result {
            Err(error) => holds(&format!("{n}: {error}"), n % 7 == 6 && error.is_already_exists())?,
            Ok(response) => same("in order", response.json::<ConfigMap>()?.name_any(), format!("m{n}"))?,
        }
    }
    same("nothing", client.batch::<Request>(0, []).len(), 0)
}
