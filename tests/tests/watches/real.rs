//! The real API server: it forgets its history, restarts, and has too much to do.

use std::process::{Child, Stdio};
use std::time::Duration;

use tidegate_cluster::{AuthKind, Cluster, Ending, Options, Tools};
use tidegate_tests::FaultProxy;

use crate::told::{Told, objects, watcher};
use crate::{create, kubectl_in, populate};

/// One whose lists are not served from memory once etcd has forgotten them.
fn cluster() -> Cluster {
    let tools = Tools::ensure(&mut |line| eprintln!("{line}")).unwrap();
    let forgets = "--feature-gates=ListFromCacheSnapshot=false";
    Cluster::start(&tools, Options::api_only().api_server_flag(forgets)).unwrap()
}

/// 410 in the stream: the watch breaks, and what comes next is forgotten before it goes on. The list tells what was deleted meanwhile.
#[test]
fn what_was_forgotten_in_a_gap_is_told_by_a_list() {
    let mut cluster = cluster();
    let path = populate(|| cluster.kubectl(), "gap", &["a", "b"]);
    let proxy = FaultProxy::before(cluster.address());
    let address = proxy.address().to_string();
    let run = watcher(&cluster.kubeconfig(AuthKind::Token), &address, &["--labels", "v", &path]);
    let mut told = Told::of(run.flag(format!("--server=https://{address}")));
    told.until("init-done");
    kubectl_in(cluster.kubectl(), "gap", "label configmap a v=1 --overwrite");
    assert_eq!(told.next(), "apply a 1");

    proxy.refuse(true);
    proxy.cut_all();
    assert!(told.next().starts_with("error "), "{:?}", told.all);
    kubectl_in(cluster.kubectl(), "gap", "delete configmap b");
    create(|| cluster.kubectl(), "gap", "c");
    cluster.compact().unwrap();
    // Its watch cache begins anew with what there is.
    cluster.restart_api_server(Ending::Asked).unwrap();
    proxy.refuse(false);
    told.until("error status 410 Expired: ");
    told.until_known(&objects(&[("a", "1"), ("c", "0")]));
    let told_twice = told.all.iter().filter(|line| *line == "init").count();
    assert_eq!(told_twice, 2, "{:?}", told.all);
    kubectl_in(cluster.kubectl(), "gap", "label configmap c v=1 --overwrite");
    assert_eq!(told.next(), "apply c 1");
}

/// 410 in the status: the state of a list is forgotten between two of its pages.
#[test]
fn a_list_that_is_forgotten_between_two_pages_begins_anew() {
    let cluster = cluster();
    let names = ["a", "b", "c", "d", "e", "f", "g", "h"];
    let path = populate(|| cluster.kubectl(), "pages", &names);
    let flags = ["--labels", "v", "--limit", "1", "--pause-at", "init-apply:4000", path.as_str()];
    let kubeconfig = cluster.kubeconfig(AuthKind::Token);
    let mut told = Told::of(watcher(&kubeconfig, &cluster.address().to_string(), &flags));
    assert_eq!(told.next(), "init");
    told.until("init-apply a 0");
    kubectl_in(cluster.kubectl(), "pages", "delete configmap h");
    cluster.compact().unwrap();
    told.until("error status 410 Expired: ");
    assert_eq!(told.next(), "init");
    told.until("init-done");
    let wanted: Vec<(&str, &str)> = names[..7].iter().map(|name| (*name, "0")).collect();
    assert_eq!(told.known, objects(&wanted), "{:?}", told.all);
}

/// A server that ends in mid-watch and comes back, asked to or killed: nothing is lost.
#[test]
fn a_server_that_restarts_is_waited_for() {
    let mut cluster = cluster();
    let path = populate(|| cluster.kubectl(), "restart", &["a"]);
    let kubeconfig = cluster.kubeconfig(AuthKind::Token);
    let address = cluster.address().to_string();
    let mut told = Told::of(watcher(&kubeconfig, &address, &["--labels", "v", &path]));
    told.until("init-done");
    let mut wanted = objects(&[]);
    for (round, ending) in [Ending::Asked, Ending::Killed, Ending::Asked].into_iter().enumerate() {
        cluster.restart_api_server(ending).unwrap();
        let name = format!("n{round}");
        create(|| cluster.kubectl(), "restart", &name);
        kubectl_in(cluster.kubectl(), "restart", &format!("label configmap a v=r{round} --overwrite"));
        wanted.extend(objects(&[(&name, "0"), ("a", &format!("r{round}"))]));
        told.until_known(&wanted);
    }
    let errors = told.all.iter().filter(|line| line.starts_with("error ")).count();
    assert!(errors < 20, "{:?}", told.all);
}

const NOTHING_LEFT: &str = "
apiVersion: flowcontrol.apiserver.k8s.io/v1
kind: PriorityLevelConfiguration
metadata: {name: jail}
spec: {type: Limited, limited: {nominalConcurrencyShares: 0, lendablePercent: 0, borrowingLimitPercent: 0, limitResponse: {type: Reject}}}
---
apiVersion: flowcontrol.apiserver.k8s.io/v1
kind: FlowSchema
metadata: {name: jail}
spec:
  priorityLevelConfiguration: {name: jail}
  matchingPrecedence: 2
  rules:
  - subjects: [{kind: User, user: {name: nobody}}]
    resourceRules: [{verbs: ['*'], apiGroups: [''], resources: [configmaps], namespaces: ['*']}]
";

/// A request of the guest's user that takes its time, so that nothing is left to the guest.
struct Held(Child);

impl Held {
    fn on(cluster: &Cluster, path: &str) -> Held {
        let mut kubectl = cluster.kubectl();
        kubectl.env("KUBECONFIG", cluster.kubeconfig(AuthKind::Nobody)).stdin(Stdio::piped());
        Held(kubectl.args(["create", "--raw", path, "-f", "-"]).spawn().unwrap())
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// API priority and fairness gives the guest nothing (429 with a Retry-After), and later does.
#[test]
fn a_server_that_has_too_much_to_do_is_left_alone() {
    let cluster = cluster();
    let path = populate(|| cluster.kubectl(), "busy", &["a"]);
    let bind = "create clusterrolebinding nobody --clusterrole=cluster-admin --user=nobody";
    kubectl_in(cluster.kubectl(), "busy", bind);
    let schema = cluster.folder().join("jail.yaml");
    std::fs::write(&schema, NOTHING_LEFT).unwrap();
    kubectl_in(cluster.kubectl(), "busy", &format!("apply -f {}", schema.display()));
    let (kubeconfig, address) = (cluster.kubeconfig(AuthKind::Nobody), cluster.address().to_string());
    let busy = "error status 429 TooManyRequests: ";
    // Flow control hears of it within a moment; until then lists are answered.
    let held = (0..30).find_map(|_| {
        let held = Held::on(&cluster, &path);
        std::thread::sleep(Duration::from_millis(500));
        let flags = ["--take", "1", path.as_str()];
        let outcome = watcher(&kubeconfig, &address, &flags).run().expect_code(0);
        outcome.stdout.starts_with(busy).then_some(held)
    });
    let held = held.expect("flow control refuses nothing");
    let mut told = Told::of(watcher(&kubeconfig, &address, &["--labels", "v", &path]));
    for _ in 0..2 {
        assert!(told.next().starts_with(busy), "{:?}", told.all);
    }
    drop(held);
    told.until("init-done");
    assert_eq!(told.known, objects(&[("a", "0")]));
}
