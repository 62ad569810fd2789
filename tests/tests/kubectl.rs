//! The real kubectl works against the playground as it does against the real server.
//!
//! Covers: H12

use std::io::{BufRead, BufReader};
use std::process::Stdio;

use tidegate_tests::{Server, Target};

const BOTH: [Target; 2] = [Target::Playground, Target::Real];

/// Runs kubectl to its end; what it wrote, standard error after standard output.
fn kubectl(server: &Server, line: &str) -> (bool, String) {
    let output = server.kubectl().args(line.split(' ')).output().unwrap();
    let text = [output.stdout, output.stderr].concat();
    (output.status.success(), String::from_utf8_lossy(&text).into_owned())
}

#[track_caller]
fn done(server: &Server, line: &str, expected: &str) {
    let (success, text) = kubectl(server, line);
    assert!(success && text.contains(expected), "{:?}: kubectl {line}: {text}", server.target);
}

#[test]
fn create_get_patch_label_scale_and_delete() {
    for target in BOTH {
        let server = Server::of(target);
        done(server, "create namespace k1", "namespace/k1 created");
        done(server, "create deployment web --image=none --replicas=2 -n k1", "deployment.apps/web created");
        done(server, "get deployment -o wide -n k1", "SELECTOR");
        done(
            server,
            "patch deployment web --type merge -p {\"metadata\":{\"labels\":{\"a\":\"b\"}}} -n k1",
            "web patched",
        );
        done(server, "get deployment -l a=b -o name -n k1", "deployment.apps/web");
        done(server, "label deployment web a- -n k1", "unlabeled");
        done(server, "scale deployment web --replicas=0 -n k1", "scaled");
        done(server, "get deployment web -o jsonpath={.spec.replicas} -n k1", "0");
        done(server, "delete deployment web -n k1", "deleted");
        done(server, "delete namespace k1", "deleted");
    }
}

#[test]
fn errors_read_the_same() {
    for line in [
        "get pod missing",
        "get nothing",
        "create namespace default",
        "create configmap Bad_Name",
        "get pods --field-selector=spec.odd=1",
        "patch configmap missing --type merge -p {}",
    ] {
        let [playground, real] = BOTH.map(|target| kubectl(Server::of(target), line));
        assert!(!playground.0 && !real.0, "{line}: {playground:?} {real:?}");
        assert_eq!(playground.1, real.1, "kubectl {line}");
    }
}

#[test]
fn watch_shows_what_is_made() {
    for target in BOTH {
        let server = Server::of(target);
        let mut watch = server.kubectl();
        watch
            .args(["get", "configmaps", "-w", "-o", "name", "-n", "default"])
            .stdin(Stdio::null())
            .stdout(Stdio::piped());
        let mut watch = watch.spawn().unwrap();
        let mut lines = BufReader::new(watch.stdout.take().unwrap()).lines();
        let made = std::thread::spawn(move || {
            lines.by_ref().map_while(Result::ok).find(|line| line == "configmap/seen")
        });
        done(server, "create configmap seen -n default", "created");
        // The watch may begin after it was made: then it is listed.
        let found = within_seconds(10, || made.is_finished());
        watch.kill().unwrap();
        watch.wait().unwrap();
        assert!(found, "{target:?}");
        assert_eq!(made.join().unwrap().as_deref(), Some("configmap/seen"));
    }
}

fn within_seconds(seconds: u64, check: impl Fn() -> bool) -> bool {
    let end = std::time::Instant::now() + std::time::Duration::from_secs(seconds);
    while std::time::Instant::now() < end {
        if check() {
            return true;
        }
        std::thread::sleep(std::time::Duration::from_millis(20));
    }
    check()
}
