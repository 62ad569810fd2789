//! Lists and watches of just what is wanted, through a guest: on the playground, the real control plane, and servers that mean harm.
//!
//! Covers: T15

mod hostile;
mod narrowed;
mod transports;

use std::collections::BTreeSet;
use std::io::Write;
use std::process::Stdio;
use std::time::Duration;

use tidegate_tests::{Outcome, Peer, Run, Server, Target};

const BOTH: [Target; 2] = [Target::Playground, Target::Real];

/// How many objects the servers hold for these tests, in a namespace of their own.
const OBJECTS: usize = 25;

fn on(server: &Server, guest: &str, arguments: &[&str]) -> Run {
    Run::guest(guest)
        .flag("--transports=KubeConfig")
        .flag_path("--kubeconfig", &server.kubeconfig)
        .flag_path("--allow-read", &server.kubeconfig)
        .flag(format!("--allow-net={}", server.address))
        .deadline(Duration::from_secs(180))
        .arguments(arguments)
}

fn at(peer: &Peer, arguments: &[&str]) -> Run {
    Run::guest("lists")
        .flag("--transports=KubeConfig")
        .flag_path("--kubeconfig", &peer.kubeconfig())
        .flag_path("--allow-read", &peer.folder())
        .flag(format!("--allow-net={}", peer.address()))
        .deadline(Duration::from_secs(120))
        .arguments(arguments)
        .argument("/api/v1/pods")
}

fn create(server: &Server, documents: &str) {
    let mut kubectl = server.kubectl();
    let mut child = kubectl.args(["create", "-f", "-"]).stdin(Stdio::piped()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(documents.as_bytes()).unwrap();
    assert!(child.wait().unwrap().success());
}

/// A namespace with `OBJECTS` config maps `c-10` to `c-34`: labelled by whether they are even, with their number.
fn populate(server: &Server, namespace: &str) -> String {
    let mut documents = format!("apiVersion: v1\nkind: Namespace\nmetadata: {{name: {namespace}}}\n");
    for number in 10..10 + OBJECTS {
        let tier = if number % 2 == 0 { "even" } else { "odd" };
        documents += &format!(
            "---\napiVersion: v1\nkind: ConfigMap\nmetadata: {{name: c-{number}, namespace: {namespace}, labels: {{tier: {tier}}}, \
             annotations: {{'a.b/c': 'x\"{number}'}}}}\ndata: {{number: '{number}', other: '{}'}}\n",
            "y".repeat(200)
        );
    }
    create(server, &documents);
    format!("/api/v1/namespaces/{namespace}/configmaps")
}

fn items(outcome: &Outcome) -> BTreeSet<String> {
    outcome.stdout.lines().filter_map(|line| line.strip_prefix("item: ")).map(str::to_owned).collect()
}

fn done(outcome: &Outcome) -> &str {
    outcome.stdout.lines().rev().find(|line| line.starts_with("done: ")).unwrap_or_default()
}
