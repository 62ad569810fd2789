//! Watches that go on for ever, through a guest: on the playground, on the real control plane while it forgets, restarts and refuses, and on
//! servers that mean harm.

mod hostile;
mod real;
mod told;

use std::process::{Command, Stdio};

use tidegate_tests::{FaultProxy, Server, Target, kubectl};
use told::{Told, objects, watcher};

const BOTH: [Target; 2] = [Target::Playground, Target::Real];

/// Lets kubectl do something in a namespace.
fn kubectl_in(mut kubectl: Command, namespace: &str, line: &str) {
    let status =
        kubectl.args(["-n", namespace]).args(line.split(' ')).stdout(Stdio::null()).status().unwrap();
    assert!(status.success(), "kubectl {line}");
}

/// A namespace with config maps, whose label `v` is `0`.
fn populate(kubectl: impl Fn() -> Command, namespace: &str, names: &[&str]) -> String {
    kubectl_in(kubectl(), "default", &format!("create namespace {namespace}"));
    for name in names {
        create(&kubectl, namespace, name);
    }
    format!("/api/v1/namespaces/{namespace}/configmaps")
}

fn create(kubectl: impl Fn() -> Command, namespace: &str, name: &str) {
    kubectl_in(kubectl(), namespace, &format!("create configmap {name}"));
    kubectl_in(kubectl(), namespace, &format!("label configmap {name} v=0"));
}

/// However lists come, however the guest waits, and whichever transport it goes over.
#[test]
fn what_happens_is_told() {
    for target in BOTH {
        let server = Server::of(target);
        for (number, flags) in [
            &["--limit", "2"][..],
            &["--source", "whole", "--wait", "poll", "--mask", "metadata.name", "--mask", "metadata.labels"],
            &["--source", "watch-list", "--metadata-only", "yes"],
            &["--via-kubectl"],
        ]
        .into_iter()
        .enumerate()
        {
            let namespace = &format!("watches-{number}");
            let kubectl_here = || server.kubectl();
            let path = populate(kubectl_here, namespace, &["a", "b", "c"]);
            let selected = ["--labels", "v"];
            let run = if flags == ["--via-kubectl"] {
                tidegate_tests::Run::guest("watcher")
                    .flag("--transports=KubectlRaw")
                    .flag_path("--kubectl", &kubectl())
                    .flag_path("--allow-run", &kubectl())
                    .variable("KUBECONFIG", &server.kubeconfig)
                    .arguments(&selected)
                    .argument(&path)
            } else {
                watcher(&server.kubeconfig, &server.address, &[flags, &selected, &[path.as_str()]].concat())
            };
            let mut told = Told::of(run);
            let begin: Vec<String> = (0..5).map(|_| told.next()).collect();
            assert_eq!(
                begin,
                ["init", "init-apply a 0", "init-apply b 0", "init-apply c 0", "init-done"],
                "{target:?} {flags:?}"
            );
            // A watch is opened within the second; what happens before is told all the same.
            for (line, wanted) in [
                ("label configmap a v=1 --overwrite", "apply a 1"),
                ("label configmap b v=2 --overwrite", "apply b 2"),
                ("delete configmap a", "delete a 1"),
                // What the server does not select any more is gone; it shows the object as it was.
                ("label configmap c v-", "delete c "),
            ] {
                kubectl_in(server.kubectl(), namespace, line);
                let told = told.next();
                assert!(told.starts_with(wanted), "{target:?} {flags:?} {line}: {told}");
            }
            assert_eq!(told.known, objects(&[("b", "2")]));
        }
    }
}

/// From a version that the server has forgotten, or has not.
#[test]
fn a_watcher_goes_on_from_a_version() {
    for target in BOTH {
        let server = Server::of(target);
        let namespace = "watches-from";
        let path = populate(|| server.kubectl(), namespace, &["a"]);
        let mut version = server.kubectl();
        version.args([
            "-n",
            namespace,
            "get",
            "configmap",
            "a",
            "-o",
            "jsonpath={.metadata.resourceVersion}",
        ]);
        let version = String::from_utf8(version.output().unwrap().stdout).unwrap();
        create(|| server.kubectl(), namespace, "b");
        let flags = ["--labels", "v", "--version", &version, &path];
        let mut told = Told::of(watcher(&server.kubeconfig, &server.address, &flags));
        assert_eq!(told.next(), "apply b 0", "{target:?}");

        let flags = ["--version", "1,Exact", &path];
        let refused = watcher(&server.kubeconfig, &server.address, &flags).run().expect_code(3);
        refused.expect_line("error invalid-request: a watcher goes on from a version: it takes no rule");
    }
}

/// Connections that break at any byte, while somebody writes: nothing is lost, nothing is left.
#[test]
fn whatever_breaks_in_between_all_is_known_in_the_end() {
    use tidegate_tests::{Fault, Toward};

    for target in BOTH {
        let server = Server::of(target);
        let namespace = "watches-cut";
        let path = populate(|| server.kubectl(), namespace, &["a", "b"]);
        // Past the handshake, and never for long: 3 KiB to 6 KiB, then whole connections in between.
        let proxy = FaultProxy::with(server.address.parse().unwrap(), |number| {
            let at = 3_000 + (number as u64 * 2_654_435_761) % 3_000;
            match number % 5 {
                0 => vec![Fault::Cut(Toward::Client, at)],
                1 => vec![Fault::Reset(Toward::Client, at)],
                2 => vec![Fault::Corrupt(Toward::Client, at)],
                3 => vec![Fault::Stall(Toward::Client, at)],
                _ => Vec::new(),
            }
        });
        let address = proxy.address().to_string();
        let run = watcher(
            &server.kubeconfig,
            &address,
            &["--labels", "v", "--idle-deadline", "1500", "--deadline", "3000", &path],
        );
        // The first connections are those of detection, and may break.
        let run = run.flag(format!("--server=https://{address}")).flag("--probe-deadline=20s");
        let mut told = Told::of(run);
        told.until("init-done");
        let mut wanted = objects(&[("a", "0"), ("b", "0")]);
        let mut round = 0;
        while round < 40 || (proxy.connections() < 5 && round < 400) {
            let (name, value) = (["a", "b"][round % 2], round.to_string());
            kubectl_in(server.kubectl(), namespace, &format!("label configmap {name} v={value} --overwrite"));
            wanted.insert(name.into(), value);
            if round % 8 == 7 {
                proxy.cut_all();
            }
            round += 1;
        }
        told.until_known(&wanted);
        assert!(proxy.connections() >= 5, "{} connections for {:?}", proxy.connections(), told.all);
        drop(told);
        tidegate_tests::eventually("no connection is left", || proxy.open() == 0);
    }
}
