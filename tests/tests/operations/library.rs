//! Every operation of the library's own.

use std::sync::Arc;
use std::time::Duration;

use futures_util::TryStreamExt;
use serde_json::{Value, json};
use tidegate::api::discovery::{Catalog, Discovery, DiscoveryOptions};
use tidegate::api::objects::{
    Apply, Delete, EventType, List, Objects, Patch, Preconditions, Propagation, Wait, Waited,
    Write as Writing, in_order,
};
use tidegate::grants::{Grants, Kind};
use tidegate::transport::{Choice, Code, Error, Options, Transport};
use tidegate_tests::{Server, Target};

/// A connection of the library's own.
async fn connect(server: &Server) -> Arc<dyn Transport> {
    let kubeconfig = server.kubeconfig.to_str().unwrap();
    let grants = Grants::builder()
        .allow(Kind::Read, Some(kubeconfig))
        .unwrap()
        .allow(Kind::Net, Some(&server.address))
        .unwrap()
        .build();
    let choice = Choice::ReadKubeConfig { path: Some(kubeconfig.into()), context: None };
    tidegate::reach(grants, &Options::new("operations-test/1"), Some(choice)).await.unwrap()
}

fn names(objects: &[Value]) -> Vec<&str> {
    objects.iter().filter_map(|object| object["metadata"]["name"].as_str()).collect()
}

fn code(error: &Error) -> u16 {
    error.status().map_or(0, |status| status.code)
}

async fn librarys_operations(target: Target) {
    let server = Server::of(target);
    let transport = connect(server).await;
    let discovery = Discovery::new(&transport, DiscoveryOptions::default());
    let (write, wait) = (Writing::default(), Wait::default());
    let namespace = Objects::new(transport.clone(), &discovery.lookup("ns").await.unwrap());
    let made =
        namespace.create(&json!({ "metadata": { "generateName": "library-" } }), &write).await.unwrap();
    let name = made["metadata"]["name"].as_str().unwrap().to_owned();
    assert!(name.starts_with("library-") && name.len() > "library-".len(), "{name}");
    let maps = Objects::new(transport.clone(), &discovery.lookup("cm").await.unwrap()).within(&name);

    // Parallel, in order, bounded.
    let create = |n: usize| {
        let (maps, write) = (maps.clone(), write.clone());
        let labels =
            json!({ "suite": "library", "parity": if n.is_multiple_of(2) { "even" } else { "odd" } });
        async move {
            maps.create(&json!({ "metadata": { "name": format!("m{n:02}"), "labels": labels }, "data": { "at": "0" } }), &write).await
        }
    };
    let made: Vec<Value> = in_order(4, (0..25).map(create)).try_collect().await.unwrap();
    let all: Vec<String> = (0..25).map(|n| format!("m{n:02}")).collect();
    assert_eq!(names(&made), all);

    // Lists, pages and selectors, here and there.
    let ours = List::selected("suite=library", "").unwrap();
    let paged = List { limit: Some(10), ..ours.clone() };
    let pages: Vec<usize> = maps.pages(&paged).map_ok(|page| page.items().len()).try_collect().await.unwrap();
    assert_eq!(pages, [10, 10, 5]);
    let streamed: Vec<Value> = maps.stream(&paged).try_collect().await.unwrap();
    assert_eq!(names(&streamed), all);
    for (labels, fields, count) in [
        ("suite=library,parity=even", "", 13),
        ("suite=library,parity!=even", "", 12),
        ("parity in (odd,even),suite", "", 25),
        ("suite,parity notin (odd)", "", 13),
        ("suite,!parity", "", 0),
        ("suite", "metadata.name=m03", 1),
        ("suite", "metadata.name!=m03", 24),
    ] {
        let selected = List::selected(labels, fields).unwrap();
        let there = maps.list(&selected).await.unwrap().into_items();
        let here: Vec<Value> = streamed.iter().filter(|one| selected.matches(one)).cloned().collect();
        assert_eq!((there.len(), names(&here)), (count, names(&there)), "{labels} {fields}");
    }
    let broken = List { continue_token: Some("broken".to_owned()), ..paged.clone() };
    assert_eq!(code(&maps.list(&broken).await.unwrap_err()), 400);

    // Every patch.
    let apply = |manager: &str, force| Apply { field_manager: manager.to_owned(), force };
    let at = |object: &Value| object["data"]["at"].as_str().unwrap_or_default().to_owned();
    for (patch, expected) in [
        (Patch::Merge(json!({ "data": { "at": "1" } })), "1"),
        (Patch::Strategic(json!({ "data": { "at": "2" } })), "2"),
        (Patch::Json(json!([{ "op": "replace", "path": "/data/at", "value": "3" }])), "3"),
        (Patch::Apply(json!({ "data": { "at": "4" } }), apply("library", true)), "4"),
    ] {
        assert_eq!(at(&maps.patch("m00", &patch, &write).await.unwrap()), expected, "{patch:?}");
    }
    let mine = json!({ "metadata": { "name": "m00" }, "data": { "at": "5" } });
    assert_eq!(code(&maps.apply(&mine, apply("other", false), &write).await.unwrap_err()), 409);
    assert_eq!(at(&maps.apply(&mine, apply("other", true), &write).await.unwrap()), "5");
    let mut replaced = maps.get("m01").await.unwrap();
    replaced["data"]["at"] = json!("6");
    let stale = replaced.clone();
    let dry = Writing { dry_run: true, ..write.clone() };
    maps.replace(&replaced, &dry).await.unwrap();
    assert_eq!(at(&maps.get("m01").await.unwrap()), "0");
    assert_eq!(at(&maps.replace(&replaced, &write).await.unwrap()), "6");
    assert_eq!(code(&maps.replace(&stale, &write).await.unwrap_err()), 409);

    // Subresources.
    let sets = Objects::new(transport.clone(), &discovery.lookup("rs").await.unwrap()).within(&name);
    let labels = json!({ "app": "none" });
    let set = json!({ "metadata": { "name": "set" }, "spec": {
        "replicas": 0, "selector": { "matchLabels": labels },
        "template": { "metadata": { "labels": labels }, "spec": { "containers": [{ "name": "a", "image": "none" }] } },
    }});
    sets.create(&set, &write).await.unwrap();
    let scale = sets.clone().subresource("scale");
    assert_eq!(scale.get("set").await.unwrap()["kind"], "Scale");
    let up = Patch::Merge(json!({ "spec": { "replicas": 2 } }));
    assert_eq!(scale.patch("set", &up, &write).await.unwrap()["spec"]["replicas"], 2);
    assert_eq!(sets.clone().subresource("status").get("set").await.unwrap()["kind"], "ReplicaSet");
    assert_eq!(scale.list(&List::default()).await.unwrap_err().code(), Code::InvalidRequest);
    sets.delete("set", &Delete { propagation: Some(Propagation::Foreground), ..Delete::default() })
        .await
        .unwrap();

    // Watch: what there is, then what happens.
    let version = maps.list(&ours).await.unwrap().resource_version().to_owned();
    let mut watch = maps.watch(&List { resource_version: Some(version), ..ours.clone() }).await.unwrap();
    maps.patch("m02", &Patch::Merge(json!({ "data": { "at": "7" } })), &write).await.unwrap();
    let event = loop {
        let event = watch.next().await.unwrap().unwrap();
        if event.event_type != EventType::Bookmark {
            break event;
        }
    };
    assert_eq!((event.event_type, names(&[event.object])), (EventType::Modified, vec!["m02"]));
    drop(watch);

    // Wait.
    let condition = |text: &str| text.parse::<tidegate::api::objects::Condition>().unwrap();
    let later = async {
        tokio::time::sleep(Duration::from_millis(200)).await;
        maps.create(&json!({ "metadata": { "name": "later" } }), &write).await.unwrap();
        tokio::time::sleep(Duration::from_millis(200)).await;
        maps.patch("later", &Patch::Merge(json!({ "data": { "at": "done" } })), &write).await.unwrap();
        tokio::time::sleep(Duration::from_millis(200)).await;
        maps.delete("later", &Delete::default()).await.unwrap();
    };
    let waits = async {
        assert!(matches!(maps.wait("later", &condition("create"), &wait).await.unwrap(), Waited::Met(_)));
        let Waited::Met(seen) =
            maps.wait("later", &condition("jsonpath={.data.at}=done"), &wait).await.unwrap()
        else {
            panic!("gone")
        };
        assert_eq!(at(&seen), "done");
        assert_eq!(maps.wait("later", &condition("delete"), &wait).await.unwrap(), Waited::Gone);
    };
    tokio::join!(later, waits);
    let short = Wait { timeout: Duration::from_millis(200), ..wait };
    assert_eq!(maps.wait("m00", &condition("delete"), &short).await.unwrap_err().code(), Code::Timeout);
    assert_eq!(code(&maps.wait("none", &condition("condition=Ready"), &wait).await.unwrap_err()), 404);
    let odd = maps.wait("m00", &condition("jsonpath={.data}=x"), &wait).await.unwrap_err();
    assert_eq!(odd.code(), Code::InvalidRequest);

    // Delete: preconditions, one by one, and as a collection.
    let other = Preconditions { uid: Some("another".to_owned()), resource_version: None };
    let refused = maps.delete("m00", &Delete { preconditions: Some(other), ..Delete::default() }).await;
    assert_eq!(code(&refused.unwrap_err()), 409);
    assert_eq!(maps.get("").await.unwrap_err().code(), Code::InvalidRequest);
    let everywhere = Objects::new(transport.clone(), maps.resource());
    let even = List::selected("suite=library,parity=even", "").unwrap();
    assert_eq!(everywhere.delete_all(&Delete::default(), &even).await.unwrap().len(), 13);
    assert_eq!(maps.delete_all(&Delete::default(), &ours).await.unwrap().len(), 12);
    assert!(maps.list(&ours).await.unwrap().items().is_empty());
    assert_eq!(maps.get_opt("m01").await.unwrap(), None);
    namespace.delete(&name, &Delete::default()).await.unwrap();

    // What was discovered is a document that can be kept.
    let catalog = discovery.catalog().await.unwrap();
    let kept = Catalog::parse(catalog.to_document().to_string().as_bytes()).unwrap();
    assert_eq!(kept, *catalog);
}

#[tokio::test(flavor = "multi_thread")]
async fn librarys_operations_on_the_playground() {
    librarys_operations(Target::Playground).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn librarys_operations_on_the_real_server() {
    librarys_operations(Target::Real).await;
}
