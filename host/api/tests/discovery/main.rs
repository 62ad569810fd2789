//! Discovery against a table: both families of documents, lookups, expiry, single flight, hostile documents.

mod hostile;
#[path = "../peer/mod.rs"]
mod peer;

use std::time::Duration;

use peer::{Says, Table};
use serde_json::{Value, json};
use tidegate_api::discovery::{
    Catalog, Discoveries, Discovery, DiscoveryOptions, DocumentError, Keep, LookupError, MAX_DOCUMENT, Scope,
};
use tidegate_api::middleware::{Asking, Middleware};
use tidegate_transport::{Code, Support};

const AGGREGATED: &str = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList";
const PLAIN: &str = "application/json";

fn plain(value: Value) -> Says {
    Says::Text(PLAIN, value.to_string())
}

/// `APIResourceList`s of a small cluster with names that collide.
fn lists() -> Vec<(&'static str, Value)> {
    let entry = |name: &str, singular: &str, kind: &str, short: &[&str]| json!({ "name": name, "singularName": singular, "kind": kind, "namespaced": true, "shortNames": short, "verbs": ["get", "list"] });
    vec![
        (
            "/api/v1",
            json!({ "kind": "APIResourceList", "groupVersion": "v1", "resources": [
                // A subresource may come before its parent.
                { "name": "pods/status", "kind": "Pod", "namespaced": true, "verbs": ["get", "patch"] },
                entry("pods", "pod", "Pod", &["po"]),
                entry("events", "event", "Event", &["ev"]),
                { "name": "nodes", "singularName": "node", "kind": "Node", "namespaced": false, "verbs": ["list"] },
                entry("podtemplates", "podtemplate", "PodTemplate", &[]),
            ]}),
        ),
        (
            "/apis/apps/v1",
            json!({ "kind": "APIResourceList", "groupVersion": "apps/v1", "resources": [
                entry("deployments", "deployment", "Deployment", &["deploy"]),
                { "name": "deployments/scale", "kind": "Scale", "group": "autoscaling", "version": "v1", "namespaced": true, "verbs": ["get"] },
            ]}),
        ),
        (
            "/apis/apps/v1beta1",
            json!({ "kind": "APIResourceList", "groupVersion": "apps/v1beta1", "resources": [
                entry("deployments", "deployment", "Deployment", &["deploy"]),
                entry("olds", "", "Old", &[]),
            ]}),
        ),
        (
            "/apis/events.k8s.io/v1",
            json!({ "kind": "APIResourceList", "groupVersion": "events.k8s.io/v1", "resources": [entry("events", "event", "Event", &["ev"])]}),
        ),
        (
            "/apis/storage.k8s.io/v1",
            json!({ "kind": "APIResourceList", "groupVersion": "storage.k8s.io/v1", "resources": [entry("storageclasses", "storageclass", "StorageClass", &["sc"])]}),
        ),
        (
            "/apis/x.example/v2",
            json!({ "kind": "APIResourceList", "groupVersion": "x.example/v2", "resources": [
                entry("pods", "pod", "Pod", &["po"]),
                entry("gadgets", "gt", "Gizmo", &["deploy", "giz"]),
            ]}),
        ),
    ]
}

fn roots() -> Vec<(&'static str, Value)> {
    let group = |name: &str, versions: &[&str]| {
        let versions: Vec<Value> =
            versions.iter().map(|v| json!({ "groupVersion": format!("{name}/{v}"), "version": v })).collect();
        json!({ "name": name, "versions": versions, "preferredVersion": versions[0] })
    };
    let groups = json!([
        group("apps", &["v1", "v1beta1"]),
        group("events.k8s.io", &["v1"]),
        group("storage.k8s.io", &["v1"]),
        group("x.example", &["v2"]),
    ]);
    vec![
        ("/api", json!({ "kind": "APIVersions", "versions": ["v1"] })),
        ("/apis", json!({ "kind": "APIGroupList", "groups": groups })),
    ]
}

fn legacy() -> Vec<(&'static str, Says)> {
    roots().into_iter().chain(lists()).map(|(path, value)| (path, plain(value))).collect()
}

fn catalog() -> Catalog {
    let all: Vec<Value> = lists().into_iter().map(|(_, value)| value).collect();
    Catalog::parse(Value::Array(all).to_string().as_bytes()).unwrap()
}

#[test]
fn names_mean_what_they_mean_to_kubectl() {
    let catalog = catalog();
    for (name, expected) in [
        ("pods", "v1 Pod"),
        ("pod", "v1 Pod"),
        ("Pod", "v1 Pod"),
        ("PODS", "v1 Pod"),
        ("po", "v1 Pod"),
        ("PO", "-"),
        ("pods.v1.", "v1 Pod"),
        ("pods.x.example", "x.example/v2 Pod"),
        ("pods.x", "x.example/v2 Pod"),
        ("po.x", "x.example/v2 Pod"),
        ("pods.v2.x.example", "x.example/v2 Pod"),
        ("Pod.v2.x.example", "x.example/v2 Pod"),
        ("pods.v9.x.example", "-"),
        ("events", "v1 Event"),
        ("events.events.k8s.io", "events.k8s.io/v1 Event"),
        ("events.events", "events.k8s.io/v1 Event"),
        ("ev.events.k8s.io", "events.k8s.io/v1 Event"),
        ("deploy", "apps/v1 Deployment"),
        ("deployments.apps", "apps/v1 Deployment"),
        ("deployments.v1beta1.apps", "apps/v1beta1 Deployment"),
        ("deploy.v1beta1.apps", "apps/v1 Deployment"),
        ("Deployment.apps", "apps/v1 Deployment"),
        ("storageclass.storage", "storage.k8s.io/v1 StorageClass"),
        ("sc.storage", "storage.k8s.io/v1 StorageClass"),
        ("olds", "apps/v1beta1 Old"),
        ("old", "apps/v1beta1 Old"),
        ("gt", "x.example/v2 Gizmo"),
        ("giz", "x.example/v2 Gizmo"),
        ("Gizmo.x.example", "x.example/v2 Gizmo"),
        // What kubectl has not: a kind of any group whose singular is another word, and paths.
        ("Gizmo", "x.example/v2 Gizmo"),
        ("gizmo", "x.example/v2 Gizmo"),
        ("apps/v1beta1/Deployment", "apps/v1beta1 Deployment"),
        ("apps/v1/deployments", "apps/v1 Deployment"),
        ("v1/Pod", "v1 Pod"),
        ("x.example/Pod", "x.example/v2 Pod"),
        ("v2/Pod", "-"),
        ("", "-"),
        (".", "-"),
        (".apps", "-"),
        ("/", "-"),
        ("a/b/c/d", "-"),
        ("pods/status", "-"),
        ("podz.apps", "-"),
    ] {
        let found = catalog.lookup(name);
        let shown = found.map_or("-".to_owned(), |one| format!("{} {}", one.api_version(), one.kind()));
        assert_eq!(shown, expected, "{name:?}");
    }
    assert!(catalog.lookup(&"x".repeat(1 << 20)).is_err());
}

#[test]
fn a_name_that_is_none_brings_those_that_are_like_it() {
    let catalog = catalog();
    for (name, near) in [
        ("pdos", &["pods", "pods.x.example"][..]),
        ("deploymnets", &["deployments.apps"]),
        ("Deploymen.apps", &["deployments.apps"]),
        ("depoly", &["deployments.apps", "gadgets.x.example"]),
        ("nods", &["pods", "nodes", "pods.x.example"]),
        ("zzzzzzzz", &[]),
        ("", &[]),
    ] {
        let error = catalog.lookup(name).unwrap_err();
        assert_eq!(error.near, near, "{name}: {error}");
    }
    let shown = catalog.lookup("pdos").unwrap_err().to_string();
    assert_eq!(shown, "the server has no resource \"pdos\"; did you mean pods or pods.x.example?");
    let hostile = catalog.lookup("\u{1b}[31m\nx").unwrap_err().to_string();
    assert!(!hostile.contains('\u{1b}') && !hostile.contains('\n'), "{hostile:?}");
}

#[test]
fn resources_say_all_that_a_path_and_a_table_need() {
    let catalog = catalog();
    let pods = catalog.lookup("pods").unwrap();
    assert_eq!(pods.path(Some("a/b")), "/api/v1/namespaces/a%2Fb/pods");
    assert_eq!(pods.subresource("status").unwrap().verbs().collect::<Vec<_>>(), ["get", "patch"]);
    let deployments = catalog.lookup("deploy").unwrap();
    let scale = deployments.subresource("scale").unwrap();
    assert_eq!((scale.group(), scale.version(), scale.kind()), ("autoscaling", "v1", "Scale"));
    assert_eq!(deployments.path(None), "/apis/apps/v1/deployments");
    let nodes = catalog.lookup("node").unwrap();
    assert_eq!((nodes.scope(), nodes.path(Some("ignored"))), (Scope::Cluster, "/api/v1/nodes".to_owned()));
    assert!(nodes.can("list") && !nodes.can("get"));
    let preferred: Vec<String> = catalog.preferred_resources().map(|one| one.qualified()).collect();
    assert_eq!(preferred.iter().filter(|name| *name == "deployments.apps").count(), 1);
    assert!(preferred.contains(&"olds.apps".to_owned()));
    assert_eq!(catalog.groups()[0].name(), "");
}

#[tokio::test]
async fn old_and_new_servers_say_the_same() {
    let table = Table::new(legacy());
    let one_by_one = Discovery::new(&table.dynamic(), DiscoveryOptions::default()).catalog().await.unwrap();
    assert_eq!(table.asked(), 8);
    let document = one_by_one.to_document();
    let (core, rest): (Vec<Value>, Vec<Value>) = document["items"]
        .as_array()
        .unwrap()
        .iter()
        .cloned()
        .partition(|group| group["metadata"]["name"] == "");
    let of = |items: Vec<Value>| {
        let list = json!({ "kind": "APIGroupDiscoveryList", "items": items });
        Says::Text(AGGREGATED, list.to_string())
    };
    let table = Table::new([("/api", of(core)), ("/apis", of(rest))]);
    let at_once = Discovery::new(&table.dynamic(), DiscoveryOptions::default()).catalog().await.unwrap();
    assert_eq!(table.asked(), 2);
    assert_eq!(at_once, one_by_one);
    assert_eq!(Catalog::parse(document.to_string().as_bytes()).unwrap(), *one_by_one);
    // A transport that cannot ask for media types gets the old documents.
    let table = Table::with_support(Support::KUBECTL, legacy());
    let kubectl = Discovery::new(&table.dynamic(), DiscoveryOptions::default()).catalog().await.unwrap();
    assert_eq!(kubectl, one_by_one);
}

#[tokio::test]
async fn a_group_that_does_not_answer_is_left_out_and_said() {
    let table = Table::new(legacy());
    table.says("/apis/storage.k8s.io/v1", Says::Code(503));
    table.says("/apis/apps/v1", plain(json!([])));
    let discovery = Discovery::new(&table.dynamic(), DiscoveryOptions::default());
    let catalog = discovery.catalog().await.unwrap();
    let gaps: Vec<String> =
        catalog.gaps().iter().map(|gap| format!("{}/{}", gap.group, gap.version)).collect();
    assert_eq!(gaps, ["apps/v1", "storage.k8s.io/v1"]);
    assert_eq!(catalog.lookup("deploy").unwrap().version(), "v1beta1");
    let error = discovery.lookup("storageclasses").await.unwrap_err().to_string();
    assert!(error.contains("storage.k8s.io/v1 (the table says 503"), "{error}");
    // Stale in an aggregated document is the same.
    let stale = json!({ "kind": "APIGroupDiscoveryList", "items": [{ "metadata": { "name": "m.example" }, "versions": [
        { "version": "v2", "freshness": "Stale", "resources": [{ "resource": "old", "responseKind": { "kind": "Old" } }] },
        { "version": "v1", "freshness": "Current", "resources": [{ "resource": "news", "responseKind": { "kind": "New" }, "scope": "Namespaced" }] },
    ]}]});
    let catalog = Catalog::parse(stale.to_string().as_bytes()).unwrap();
    assert_eq!((catalog.resources().len(), catalog.gaps().len()), (1, 1));
    assert_eq!(catalog.groups()[0].preferred_version(), "v1");
    // Without either root there is nothing to say.
    for (code, expected) in [(401, Code::Status), (404, Code::Status), (500, Code::Status)] {
        let table = Table::new([("/api", Says::Code(code)), ("/apis", Says::Code(code))]);
        let discovery = Discovery::new(&table.dynamic(), DiscoveryOptions::default());
        assert_eq!(discovery.catalog().await.unwrap_err().code(), expected);
    }
    let table =
        Table::new([("/apis", plain(roots()[1].1.clone())), ("/apis/apps/v1", plain(lists()[1].1.clone()))]);
    let catalog = Discovery::new(&table.dynamic(), DiscoveryOptions::default()).catalog().await.unwrap();
    assert!(catalog.lookup("deploy").is_ok() && catalog.lookup("pods").is_err());
}

#[tokio::test(start_paused = true)]
async fn a_catalog_is_kept_for_a_while_and_read_anew_for_a_new_kind() {
    let options =
        DiscoveryOptions { keep: Keep::For(Duration::from_secs(60)), ..DiscoveryOptions::default() };
    let table = Table::new(legacy());
    let transport = table.dynamic();
    let discovery = Discovery::new(&transport, options);
    let each = 8;
    for (wait, name, fetches) in [
        (0, "pods", 1),
        (1, "deploy", 1),
        // Not there, and known for less than 5 s: nobody is asked.
        (1, "widgets", 1),
        (4, "widgets", 2),
        (1, "widgets", 2),
        (58, "pods", 2),
        (2, "pods", 3),
    ] {
        tokio::time::advance(Duration::from_secs(wait)).await;
        _ = discovery.lookup(name).await;
        assert_eq!(table.asked(), fetches * each, "{name} after {wait} s");
    }
    let mut groups = roots()[1].1.clone();
    let version = json!({ "groupVersion": "new.example/v1", "version": "v1" });
    groups["groups"].as_array_mut().unwrap().push(json!({ "name": "new.example", "versions": [version] }));
    table.says("/apis", plain(groups));
    let widgets = json!({ "resources": [{ "name": "widgets", "kind": "Widget", "namespaced": true }] });
    table.says("/apis/new.example/v1", plain(widgets));
    tokio::time::advance(Duration::from_secs(5)).await;
    assert_eq!(discovery.lookup("widget").await.unwrap().group(), "new.example");
    let off = Discovery::new(&transport, DiscoveryOptions { keep: Keep::No, ..options });
    let before = table.asked();
    for _ in 0..3 {
        off.lookup("pods").await.unwrap();
    }
    assert_eq!(table.asked(), before + 3 * (each + 1));
    // A connection that is closed is not kept alive, and what is known of it is still known.
    drop((transport, table));
    assert!(discovery.lookup("pods").await.is_ok());
    assert!(
        matches!(off.lookup("pods").await, Err(LookupError::Discovery(error)) if error.code() == Code::Closed)
    );
}

#[tokio::test(start_paused = true)]
async fn however_many_ask_one_answer_is_fetched() {
    let table = Table::new(legacy());
    let late = |says| Says::Late(Duration::from_secs(1), Box::new(says));
    table.says("/api", late(plain(roots()[0].1.clone())));
    let transport = table.dynamic();
    let discoveries = Discoveries::default();
    let asking: Vec<_> = (0..1_000)
        .map(|_| {
            let discovery = discoveries.of(&transport);
            tokio::spawn(async move { discovery.lookup("pods").await.map(|one| one.qualified()) })
        })
        .collect();
    // Whoever leaves takes nobody along.
    asking[0].abort();
    tokio::task::yield_now().await;
    for one in asking.into_iter().skip(1) {
        assert_eq!(one.await.unwrap().unwrap(), "pods");
    }
    assert_eq!(table.asked(), 8);
    // A failure is told to all who wait, and not kept.
    table.says("/api", late(Says::Code(500)));
    let other = Discovery::new(&transport, DiscoveryOptions::default());
    let (a, b) = tokio::join!(other.catalog(), other.catalog());
    assert!(a.is_err() && b.is_err());
    assert_eq!(table.asked(), 10);
    table.says("/api", plain(roots()[0].1.clone()));
    assert!(other.catalog().await.is_ok());
}

#[tokio::test]
async fn a_document_of_the_embedders_own_is_never_asked_for() {
    let discovery = Discovery::fixed(catalog());
    assert_eq!(discovery.lookup("po").await.unwrap().kind(), "Pod");
    assert!(discovery.lookup("widgets").await.is_err());
    assert!(discovery.refresh().await.is_ok());
}

#[tokio::test]
async fn handles_to_one_connection_share_what_is_known() {
    let table = Table::new(legacy());
    let hooks = Middleware::new().on_request("none", |asking: Asking| async move { Ok(asking) });
    let (one, other) = (hooks.around(table.dynamic()), hooks.around(table.dynamic()));
    let discoveries = Discoveries::default();
    let first = discoveries.of(&one);
    assert_eq!(first.lookup("pods").await.unwrap().kind(), "Pod");
    let asked = table.asked();
    let second = discoveries.of(&other);
    assert_eq!(second.lookup("pods").await.unwrap().kind(), "Pod");
    assert_eq!(table.asked(), asked);
    // Each asks through its own handle, whoever has gone.
    drop(one);
    assert!(second.refresh().await.is_ok() && table.asked() > asked);
    assert_eq!(first.refresh().await.unwrap_err().code(), Code::Closed);
    // Other hooks may answer otherwise.
    let asked = table.asked();
    let stranger = Middleware::new().on_request("other", |asking: Asking| async move { Ok(asking) });
    let stranger = stranger.around(table.dynamic());
    assert!(discoveries.of(&stranger).catalog().await.is_ok() && table.asked() > asked);
    drop(other);
    let anew = hooks.around(table.dynamic());
    let asked = table.asked();
    assert!(discoveries.of(&anew).catalog().await.is_ok() && table.asked() > asked, "it was forgotten");
}
