//! Kinds that a cluster learns at run time.

use std::time::Duration;

use serde_json::{Value, json};
use tidegate::kube_core::{ApiResource, DynamicObject, GroupVersionKind};
use tidegate::prelude::*;

use crate::suite::{
    PATIENCE, Suite, Verdict, described, fail, from_json, holds, names, next, refused, same, version,
};

const GROUP: &str = "conformance.tidegate.example";

/// A kind of the suite's own; deleted, with all its objects, when dropped.
pub(crate) struct Kind {
    client: Client,
    /// For `Api::namespaced_with`.
    pub(crate) resource: ApiResource,
}

impl Kind {
    /// Creates `KIND` in a group of this prefix and waits until the server serves it.
    pub(crate) fn create(suite: &Suite, kind: &str) -> Verdict<Self> {
        let group = format!("{}.{GROUP}", suite.prefix);
        let resource = ApiResource::from_gvk(&GroupVersionKind::gvk(&group, "v1", kind));
        let made = Self { client: suite.client.clone(), resource };
        made.definitions().create(&PostParams::default(), &made.definition()?)?;
        made.wait_until_served()?;
        Ok(made)
    }

    fn definitions(&self) -> Api<DynamicObject> {
        let gvk = GroupVersionKind::gvk("apiextensions.k8s.io", "v1", "CustomResourceDefinition");
        Api::all_with(self.client.clone(), &ApiResource::from_gvk(&gvk))
    }

    fn name(&self) -> String {
        format!("{}.{}", self.resource.plural, self.resource.group)
    }

    fn definition(&self) -> Verdict<DynamicObject> {
        let ApiResource { group, version, kind, plural, .. } = &self.resource;
        from_json(json!({
            "apiVersion": "apiextensions.k8s.io/v1",
            "kind": "CustomResourceDefinition",
            "metadata": { "name": self.name() },
            "spec": {
                "group": group,
                "scope": "Namespaced",
                "names": { "kind": kind, "plural": plural, "singular": kind.to_lowercase() },
                "versions": [{
                    "name": version, "served": true, "storage": true,
                    "subresources": { "status": {} },
                    "schema": { "openAPIV3Schema": {
                        "type": "object",
                        "properties": {
                            "spec": {
                                "type": "object",
                                "required": ["size"],
                                "properties": {
                                    "size": { "type": "integer", "minimum": 1 },
                                    "text": { "type": "string" },
                                },
                            },
                            "status": { "type": "object", "properties": { "seen": { "type": "integer" } } },
                        },
                    } },
                }],
            },
        }))
    }

    /// Established, then listed and watched: a real server's handler follows the condition by a moment (404), and its watch cache that
    /// one (429).
    fn wait_until_served(&self) -> Verdict {
        let end = tidegate::after(PATIENCE);
        while !end.ready() {
            let definition = self.definitions().get(&self.name())?;
            let conditions = definition.data["status"]["conditions"].as_array().cloned().unwrap_or_default();
            let established =
                conditions.iter().any(|one| one["type"] == "Established" && one["status"] == "True");
            if established && self.served()? {
                return Ok(());
            }
            tidegate::sleep(Duration::from_millis(100));
        }
        fail("the kind was not established in 30 s")
    }

    fn served(&self) -> Verdict<bool> {
        let all = Api::<DynamicObject>::all_with(self.client.clone(), &self.resource);
        let tried = all.list(&ListParams::default()).and_then(|list| {
            let version = list.metadata.resource_version.unwrap_or_default();
            all.watch(&WatchParams::default().timeout(1), &version)
        });
        match tried {
            Ok(_) => Ok(true),
            Err(error) if error.status().is_some_and(|status| matches!(status.code, 404 | 429)) => Ok(false),
            Err(error) => Err(error.into()),
        }
    }
}

impl Drop for Kind {
    fn drop(&mut self) {
        _ = self.definitions().delete(&self.name(), &DeleteParams::default());
    }
}

pub(crate) fn custom_resource(suite: &Suite) -> Verdict {
    let scratch = suite.namespace("custom-resource")?;
    let kind = Kind::create(suite, "Widget")?;
    let widgets: Api<DynamicObject> =
        Api::namespaced_with(suite.client.clone(), &scratch.name, &kind.resource);
    let empty = widgets.list(&ListParams::default())?;
    same("kind of the list", empty.types.kind.as_str(), "WidgetList")?;
    let mut watch = widgets
        .watch(&WatchParams::default().disable_bookmarks(), &version(empty.metadata.resource_version)?)?;

    let widget = |name: &str, spec: Value| {
        DynamicObject::new(name, &kind.resource).data(json!({ "spec": spec, "status": { "seen": 9 } }))
    };
    let made = widgets.create(&PostParams::default(), &widget("one", json!({ "size": 1 })))?;
    same("spec", &made.data["spec"], &json!({ "size": 1 }))?;
    same("a status is not created with it", made.data.get("status"), None::<&Value>)?;
    same("generation", made.metadata.generation, Some(1))?;
    let bad = widgets.create(&PostParams::default(), &widget("bad", json!({ "size": 0 })));
    refused("what the schema forbids", bad, 422, "Invalid")?;

    let status = Patch::Merge(json!({ "spec": { "size": 7 }, "status": { "seen": 1 } }));
    let seen = widgets.patch_status("one", &PatchParams::default(), &status)?;
    same("the status subresource", &seen.data, &json!({ "spec": { "size": 1 }, "status": { "seen": 1 } }))?;
    let grown = widgets.patch(
        "one",
        &PatchParams::default(),
        &Patch::Merge(json!({ "spec": { "size": 2 }, "status": { "seen": 5 } })),
    )?;
    same("the main resource", &grown.data, &json!({ "spec": { "size": 2 }, "status": { "seen": 1 } }))?;
    same("generation counts what was asked for", grown.metadata.generation, Some(2))?;
    same("get_status", &widgets.get_status("one")?.data["status"]["seen"], 1)?;
    let strategic =
        widgets.patch("one", &PatchParams::default(), &Patch::Strategic(json!({ "spec": { "size": 3 } })));
    refused("a strategic patch of a custom kind", strategic, 415, "UnsupportedMediaType")?;
    let mut replaced = grown.clone();
    replaced.data["spec"]["size"] = json!(4);
    same("replaced", &widgets.replace("one", &PostParams::default(), &replaced)?.data["spec"]["size"], 4)?;
    same("listed", names(&widgets.list(&ListParams::default())?.items), ["one"])?;
    widgets.delete("one", &DeleteParams::default())?;
    holds("deleted", widgets.get_opt("one")?.is_none())?;

    for want in ["ADDED one", "MODIFIED one", "MODIFIED one", "MODIFIED one", "DELETED one"] {
        same("event", described(&next(&mut watch)?).as_str(), want)?;
    }
    Ok(())
}
