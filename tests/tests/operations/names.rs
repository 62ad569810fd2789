//! What a name means, and what there is: as for kubectl.

use std::collections::BTreeSet;
use std::io::Write;
use std::process::Stdio;

use tidegate_tests::{Server, Target};

use super::granted;

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
