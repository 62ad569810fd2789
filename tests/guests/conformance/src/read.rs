//! Reading: get, list, pages, selectors, other forms.

use serde_json::{Value, json};
use tidegate::k8s_openapi::api::core::v1::{ConfigMap, Namespace, Secret};
use tidegate::prelude::*;

use crate::suite::{Suite, Verdict, from_json, holds, map, names, ours, refused, same, value, version};

pub(crate) fn discovery(suite: &Suite) -> Verdict {
    let core: Value = suite.client.request(Request::get("/api"))?;
    same("kind of /api", &core["kind"], "APIVersions")?;
    let groups: Value = suite.client.request(Request::get("/apis"))?;
    same("kind of /apis", &groups["kind"], "APIGroupList")?;
    let resources: Value = suite.client.request(Request::get("/api/v1"))?;
    let has =
        |name| resources["resources"].as_array().is_some_and(|all| all.iter().any(|one| one["name"] == name));
    holds("/api/v1 has pods and configmaps", has("pods") && has("configmaps"))?;
    let version: Value = suite.client.request(Request::get("/version"))?;
    holds("/version has a gitVersion", version["gitVersion"].is_string())
}

pub(crate) fn get(suite: &Suite) -> Verdict {
    let scratch = suite.namespace("get")?;
    let made = scratch.make("one")?;
    same("what was made", scratch.maps().get("one")?, made.clone())?;
    same("the same by get_opt", scratch.maps().get_opt("one")?, Some(made.clone()))?;
    same("what is not there", scratch.maps().get_opt("two")?, None::<ConfigMap>)?;
    let fresh = GetParams::at(&version(made.metadata.resource_version.clone())?);
    same("not older than itself", scratch.maps().get_with("one", &fresh)?, made)
}

pub(crate) fn list(suite: &Suite) -> Verdict {
    let scratch = suite.namespace("list")?;
    same("an empty list", scratch.maps().list(&ours())?.items.len(), 0)?;
    for name in ["b", "a", "c"] {
        scratch.make(name)?;
    }
    let list = scratch.maps().list(&ours())?;
    same("kind", list.types.kind.as_str(), "ConfigMapList")?;
    let inherited: Vec<String> = list.items.iter().map(ResourceExt::name_any).collect();
    same("names in the order of their keys", inherited, ["a", "b", "c"])?;
    version(list.metadata.resource_version)?;
    let everywhere = Api::<ConfigMap>::all(suite.client.clone()).list(&ours())?;
    let here = everywhere.items.iter().filter(|map| map.namespace().as_deref() == Some(&scratch.name));
    same("the same among those of all namespaces", here.count(), 3)
}

pub(crate) fn paged_list(suite: &Suite) -> Verdict {
    let scratch = suite.namespace("paged-list")?;
    let secrets = scratch.secrets();
    let secret = |name: &str| from_json::<Secret>(json!({ "metadata": { "name": name } }));
    for index in 0..7 {
        secrets.create(&PostParams::default(), &secret(&format!("s{index}"))?)?;
    }
    let mut pages = Vec::new();
    for page in secrets.pages(&ListParams::default().limit(2)) {
        pages.push(page?);
        if pages.len() == 1 {
            // All pages are of one state of the cluster: what comes between them is not seen.
            secrets.create(&PostParams::default(), &secret("s3-late")?)?;
            secrets.delete("s6", &DeleteParams::default())?;
        }
    }
    let sizes: Vec<usize> = pages.iter().map(|page| page.items.len()).collect();
    same("sizes of the pages", sizes, [2, 2, 2, 1])?;
    let all: Vec<String> =
        pages.iter().flat_map(|page| page.items.iter().map(ResourceExt::name_any)).collect();
    same("what is in them", all, ["s0", "s1", "s2", "s3", "s4", "s5", "s6"])?;
    let first = version(pages[0].metadata.resource_version.clone())?;
    for page in &pages {
        same(
            "resourceVersion of each page",
            version(page.metadata.resource_version.clone())?,
            first.clone(),
        )?;
    }
    same("remaining after the first", pages[0].metadata.remaining_item_count, Some(5))?;
    same("remaining after the last", pages[3].metadata.remaining_item_count, None)
}

pub(crate) fn list_items(suite: &Suite) -> Verdict {
    let scratch = suite.namespace("list-items")?;
    for index in 0..5 {
        scratch.make(&format!("m{index}"))?;
    }
    let typed: Vec<ConfigMap> = scratch.maps().iter(&ours().limit(2)).collect::<tidegate::Result<_>>()?;
    same("typed items over pages", names(&typed), ["m0", "m1", "m2", "m3", "m4"])?;
    let request = Request::get(scratch.path()).query("labelSelector", crate::suite::OURS).query("limit", "3");
    let loose: Vec<Value> = suite.client.items(request).collect::<tidegate::Result<_>>()?;
    same("items of a type of one's own", loose.len(), 5)
}

pub(crate) fn item_streams(suite: &Suite) -> Verdict {
    let scratch = suite.namespace("item-streams")?;
    for index in 0..5 {
        scratch.make(&format!("m{index}"))?;
    }
    let masked = scratch.maps().list_stream(&ours().limit(2), &["metadata.name"])?;
    let masked: Vec<ConfigMap> = masked.collect::<tidegate::Result<_>>()?;
    same("typed items as they arrive", names(&masked), ["m0", "m1", "m2", "m3", "m4"])?;
    let bare = |map: &ConfigMap| map.data.is_none() && map.metadata.uid.is_none();
    holds("no field but the mask's", masked.iter().all(bare))?;
    let all = scratch.maps().read_all_items(&ours().limit(2))?;
    same("all of them in memory", names(&all), ["m0", "m1", "m2", "m3", "m4"])?;
    same("with all of their fields", value(&all[4]), Some("1"))?;
    for source in [tidegate::ListSource::Pages, tidegate::ListSource::Whole, tidegate::ListSource::WatchList]
    {
        let request = scratch.maps().list_items(&ours(), &["metadata.name"]).source(source);
        let request = request.filter("object.metadata.name != 'm3'");
        let mut loose: Vec<String> = suite
            .client
            .read_all_items::<Value>(&request)?
            .iter()
            .map(|item| item["metadata"]["name"].as_str().unwrap_or_default().to_owned())
            .collect();
        loose.sort_unstable();
        same(&format!("loose items by {source:?}"), loose, ["m0", "m1", "m2", "m4"])?;
    }
    Ok(())
}

pub(crate) fn label_selectors(suite: &Suite) -> Verdict {
    let scratch = suite.namespace("label-selectors")?;
    for (name, labels) in [
        ("blue", json!({ "colour": "blue", "size": "big" })),
        ("red", json!({ "colour": "red" })),
        ("plain", json!({ "size": "small" })),
    ] {
        let mut labelled = map(name, "1");
        labelled.metadata.labels = from_json(labels)?;
        scratch.maps().create(&PostParams::default(), &labelled)?;
    }
    for (selector, want) in [
        ("colour=blue", &["blue"][..]),
        ("colour==blue", &["blue"]),
        ("colour!=blue,size", &["plain"]),
        ("colour in (blue,red)", &["blue", "red"]),
        ("colour notin (blue),size", &["plain"]),
        ("colour", &["blue", "red"]),
        ("!colour,size", &["plain"]),
        ("colour=blue,size=big", &["blue"]),
        ("colour=green", &[]),
    ] {
        let found = scratch.maps().list(&ListParams::default().labels(selector))?;
        same(&format!("labels {selector}"), names(&found.items), want)?;
    }
    refused(
        "a selector that is none",
        scratch.maps().list(&ListParams::default().labels("a=(")),
        400,
        "BadRequest",
    )?;
    Ok(())
}

pub(crate) fn field_selectors(suite: &Suite) -> Verdict {
    let scratch = suite.namespace("field-selectors")?;
    for (name, kind) in [("a", "Opaque"), ("b", "example.com/other"), ("c", "Opaque")] {
        let secret = from_json(json!({ "metadata": { "name": name }, "type": kind }))?;
        scratch.secrets().create(&PostParams::default(), &secret)?;
    }
    for (selector, want) in [
        ("metadata.name=b", &["b"][..]),
        ("metadata.name!=b", &["a", "c"]),
        ("type=Opaque", &["a", "c"]),
        ("type=Opaque,metadata.name!=a", &["c"]),
        ("metadata.name=nobody", &[]),
    ] {
        let found = scratch.secrets().list(&ListParams::default().fields(selector))?;
        same(&format!("fields {selector}"), names(&found.items), want)?;
    }
    let unknown = scratch.secrets().list(&ListParams::default().fields("data.nothing=x"));
    refused("a field that cannot be selected by", unknown, 400, "BadRequest")?;
    Ok(())
}

pub(crate) fn metadata(suite: &Suite) -> Verdict {
    suite.needs("accept")?;
    let scratch = suite.namespace("metadata")?;
    let made = scratch.make("one")?;
    let one = scratch.maps().get_metadata("one")?;
    same("kind", one.types.as_ref().map(|types| types.kind.as_str()), Some("PartialObjectMetadata"))?;
    same("uid", one.metadata.uid.clone(), made.metadata.uid)?;
    let list = scratch.maps().list_metadata(&ours())?;
    same("listed", names(&list.items), ["one"])
}

pub(crate) fn table(suite: &Suite) -> Verdict {
    suite.needs("accept")?;
    let scratch = suite.namespace("table")?;
    scratch.make("one")?;
    let request = Request::get(scratch.path())
        .query("labelSelector", crate::suite::OURS)
        .accept("application/json;as=Table;v=v1;g=meta.k8s.io");
    let table: Value = suite.client.request(request)?;
    same("kind", &table["kind"], "Table")?;
    same("first column", &table["columnDefinitions"][0]["name"], "Name")?;
    same("its first cell", &table["rows"][0]["cells"][0], "one")
}

pub(crate) fn cluster_scoped(suite: &Suite) -> Verdict {
    let scratch = suite.namespace("cluster-scoped")?;
    let namespaces: Api<Namespace> = Api::all(suite.client.clone());
    let made = namespaces.get(&scratch.name)?;
    same("kind has no namespace", made.metadata.namespace.clone(), None::<String>)?;
    let mark = json!({ "metadata": { "labels": { "marked": scratch.name } } });
    namespaces.patch(&scratch.name, &PatchParams::default(), &Patch::Merge(mark))?;
    let marked = namespaces.list(&ListParams::default().labels(&format!("marked={}", scratch.name)))?;
    same("found by label", names(&marked.items), [scratch.name.as_str()])?;
    let active = format!("status.phase=Active,metadata.name={}", scratch.name);
    let active = namespaces.list(&ListParams::default().fields(&active))?;
    same("found by field", names(&active.items), [scratch.name.as_str()])?;
    same("an object in it", value(&scratch.make("inside")?), Some("1"))?;
    namespaces.delete(&scratch.name, &DeleteParams::default())?;
    match namespaces.get_opt(&scratch.name)? {
        None => Ok(()),
        Some(left) => holds("what is left is being deleted", left.metadata.deletion_timestamp.is_some()),
    }
}
