//! Discovery, hooks and operations: from guests and from the library, on the playground and the real control plane, beside the real kubectl.
//!
//! Covers: A12, A13, A14

use std::collections::BTreeSet;
use std::io::Write;
use std::process::Stdio;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures_util::TryStreamExt;
use serde_json::{Value, json};
use tidegate::api::discovery::{Catalog, Discovery, DiscoveryOptions};
use tidegate::api::middleware::{Answer, Asking, Middleware};
use tidegate::api::objects::{
    Apply, Delete, EventType, List, Objects, Patch, Preconditions, Propagation, Wait, Waited,
    Write as Writing, in_order,
};
use tidegate::grants::{Grants, Kind};
use tidegate::transport::{Choice, Code, Error, Options, Transport};
use tidegate_tests::{Run, Server, Target, guest};

const DEADLINE: Duration = Duration::from_secs(300);

fn granted(name: &str, server: &Server) -> Run {
    Run::guest(name)
        .deadline(DEADLINE)
        .flag("--transports=KubeConfig")
        .flag_path("--kubeconfig", &server.kubeconfig)
        .flag_path("--allow-read", &server.kubeconfig)
        .flag(format!("--allow-net={}", server.address))
}

fn guests_operations(target: Target) {
    let outcome = granted("operations", Server::of(target)).argument("ops").run();
    println!("{}", outcome.stdout);
    let passed = outcome.stdout.lines().filter(|line| line.starts_with("ok ")).count();
    assert!(outcome.expect_code(0).stdout.len() > passed && passed >= 12, "only {passed} cases passed");
}

#[test]
fn guests_operations_on_the_playground() {
    guests_operations(Target::Playground);
}

#[test]
fn guests_operations_on_the_real_server() {
    guests_operations(Target::Real);
}

/// Two versions, a short name that pods have too, and a singular that is not the kind in lower case.
const WIDGETS: &str = r#"
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: { name: widgets.lookup.tidegate.example }
spec:
  group: lookup.tidegate.example
  scope: Namespaced
  names: { kind: BigWidget, plural: widgets, singular: wgt, shortNames: [po, wd], categories: [all] }
  versions:
  - &v { name: v1, served: true, storage: true, schema: { openAPIV3Schema: { type: object } } }
  - { name: v1beta1, served: true, storage: false, schema: { openAPIV3Schema: { type: object } } }
"#;

fn define_widgets(server: &Server) {
    let mut apply = server.kubectl();
    let mut child = apply.args(["apply", "-f", "-"]).stdin(Stdio::piped()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(WIDGETS.replace("&v ", "").as_bytes()).unwrap();
    assert!(child.wait().unwrap().success());
    let mut wait = server.kubectl();
    wait.args([
        "wait",
        "--for=condition=Established",
        "--timeout=30s",
        "crd/widgets.lookup.tidegate.example",
    ]);
    assert!(wait.status().unwrap().success());
}

/// What kubectl lists for a name: the path of its request; none where it knows no such resource.
fn kubectls_path(server: &Server, name: &str) -> Option<String> {
    let mut get = server.kubectl();
    let output = get.args(["get", name, "-A", "-v=7"]).output().unwrap();
    let text = String::from_utf8_lossy(&output.stderr).into_owned();
    let urls = text.split("https://").skip(1).filter_map(|rest| rest.split(['"', ' ', '\n']).next());
    let lists: Vec<&str> = urls.filter(|url| url.contains("limit=500")).collect();
    match lists.first() {
        Some(url) => {
            let path = url.split('?').next().unwrap();
            Some(path[path.find('/').unwrap()..].to_owned())
        }
        None => {
            assert!(text.contains("the server doesn't have a resource type"), "{name}: {text}");
            None
        }
    }
}

fn names_mean_what_they_mean_to_kubectl(target: Target) {
    let server = Server::of(target);
    define_widgets(server);
    let names = [
        "pods",
        "pod",
        "po",
        "Pod",
        "PODS",
        "PO",
        "pods.v1.",
        "pods.v1",
        "po.lookup.tidegate.example",
        "po.lookup",
        "deploy",
        "deployment",
        "Deployment",
        "Deployment.apps",
        "Deployment.v1.apps",
        "deployments.apps",
        "deployments.v1.apps",
        "deployments.v9.apps",
        "deploy.v1.apps",
        "deployments.app",
        "deployments.extensions",
        "events",
        "ev",
        "events.events.k8s.io",
        "ev.events.k8s.io",
        "svc",
        "cm",
        "ns",
        "no",
        "nodes",
        "crd",
        "crds",
        "customresourcedefinition",
        "widgets",
        "widget",
        "wgt",
        "wd",
        "widgets.lookup",
        "widgets.v1beta1.lookup.tidegate.example",
        "BigWidget.lookup.tidegate.example",
        "BigWidget.v1beta1.lookup.tidegate.example",
        "bigwidget.lookup.tidegate.example",
        "sc",
        "storageclass.storage",
        "hpa",
        "ing",
        "cj",
        "jobs.batch",
        "rs",
        "sa",
        "ep",
        "nothing",
        "nothing.apps",
        "pods.apps",
        "podz",
    ];
    let run = granted("operations", server).argument("lookup");
    let outcome = names.iter().fold(run, |run, name| run.argument(name)).run().expect_code(0);
    for (name, line) in names.iter().zip(outcome.stdout.lines()) {
        let words: Vec<&str> = line.split(' ').collect();
        let ours = match words.as_slice() {
            [_, plural, version, _] => {
                let root = if version.contains('/') { "/apis" } else { "/api" };
                Some(format!("{root}/{version}/{plural}"))
            }
            _ => None,
        };
        assert_eq!(ours, kubectls_path(server, name), "{name}: {line}");
    }
    // What only tidegate takes.
    let more =
        [("BigWidget", "lookup.tidegate.example/v1"), ("apps/v1/Deployment", "apps/v1"), ("v1/Pod", "v1")];
    let run = granted("operations", server).argument("lookup");
    let outcome = more.iter().fold(run, |run, (name, _)| run.argument(name)).run().expect_code(0);
    for ((name, version), line) in more.iter().zip(outcome.stdout.lines()) {
        assert_eq!(line.split(' ').nth(2), Some(*version), "{name}: {line}");
    }
}

#[test]
fn names_mean_what_they_mean_to_kubectl_on_the_playground() {
    names_mean_what_they_mean_to_kubectl(Target::Playground);
}

#[test]
fn names_mean_what_they_mean_to_kubectl_on_the_real_server() {
    names_mean_what_they_mean_to_kubectl(Target::Real);
}

/// The same table, but for the order; the short names of a resource are in one column.
#[test]
fn the_example_shows_what_kubectl_api_resources_shows() {
    for target in [Target::Playground, Target::Real] {
        let server = Server::of(target);
        define_widgets(server);
        let rows = |text: &str| -> BTreeSet<String> {
            text.lines().map(|line| line.split_whitespace().collect::<Vec<_>>().join(" ")).collect()
        };
        let kubectl = server.kubectl().arg("api-resources").output().unwrap();
        let ours = granted("api-resources", server).run().expect_code(0);
        assert_eq!(rows(&ours.stdout), rows(&String::from_utf8_lossy(&kubectl.stdout)));
        let spaces = granted("api-resources", server).argument("get").argument("ns").run().expect_code(0);
        assert!(spaces.stdout.contains("kube-system"), "{}", spaces.stdout);
        let wrong = granted("api-resources", server).argument("get").argument("podz").run().expect_code(1);
        assert!(wrong.stderr.contains("did you mean pods?"), "{}", wrong.stderr);
    }
}

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

/// A guest's requests pass the hooks of whoever embeds it, in order; one that a hook ends never reaches the server.
#[tokio::test(flavor = "multi_thread")]
async fn hooks_are_around_a_guests_connections() {
    let server = Server::of(Target::Playground);
    let kubeconfig = server.kubeconfig.to_str().unwrap();
    let program = tidegate_tests::program("tidegate-compile");
    let engine = tidegate::Engine::builder().compiler(program).build().unwrap();
    let script = engine.load_file(guest("apply-configmap")).await.unwrap();
    let heard = Arc::new(Mutex::new(Vec::new()));
    for (allowed, expected) in [(true, tidegate::Ending::Exited(0)), (false, tidegate::Ending::Exited(1))] {
        let (first, last) = (heard.clone(), heard.clone());
        let middleware = Middleware::new()
            .on_request("look", move |asking: Asking| {
                first.lock().unwrap().push(format!("asked {}", asking.request.method));
                async move { Ok(asking) }
            })
            .on_request("no patches", move |asking: Asking| async move {
                match asking.request.method.as_str() {
                    "PATCH" if !allowed => Err("not in this house".into()),
                    _ => Ok(asking),
                }
            })
            .on_response("look", move |answer: Answer| {
                last.lock().unwrap().push(format!("answered {:?}", answer.code()));
                async move { Ok(answer) }
            });
        let mut options = Options::new("hooks-test/1");
        options.kubeconfig.path = Some(kubeconfig.into());
        options.transports = vec![tidegate::transport::Kind::KubeConfig];
        let grants = Grants::builder()
            .allow(Kind::Read, Some(kubeconfig))
            .unwrap()
            .allow(Kind::Net, Some(&server.address))
            .unwrap()
            .build();
        let (output, captured) = tidegate::Output::capture(1 << 20);
        let outcome = script
            .run()
            .grants(grants)
            .options(options)
            .arguments(["hooked"])
            .middleware(middleware)
            .stderr(output)
            .start()
            .await
            .unwrap();
        let text = captured.text();
        assert_eq!(outcome.ending, expected, "{text}");
        let said = "the request hook \"no patches\" ended PATCH";
        assert_eq!(text.contains(said), !allowed, "{text}");
        let heard = std::mem::take(&mut *heard.lock().unwrap());
        assert_eq!(heard.first().map(String::as_str), Some("asked PATCH"), "{heard:?}");
        assert_eq!(heard.iter().any(|line| line.starts_with("answered Some(20")), allowed, "{heard:?}");
    }
}
