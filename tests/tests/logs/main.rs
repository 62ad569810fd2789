//! Logs through the real API server, with a kubelet behind it, beside what the real kubectl shows; cut at any byte, and stalled.
// Covers: T14

mod harm;
#[path = "../common/harmed.rs"]
mod harmed;

use std::path::Path;
use std::process::Command;
use std::time::{Duration, SystemTime};

use serde_json::json;
use tidegate_cluster::{
    AuthKind, Behind, Cluster, ContainerLog, ContainerLogs, ContainerState, Ending, Options, Shared, Tools,
};
use tidegate_tests::{FaultProxy, Live, Run, eventually};

static CLUSTER: Shared = Shared::new(|| Options::api_only().with_kubelet());

fn cluster() -> &'static Cluster {
    CLUSTER.get().unwrap()
}

/// A run of the example with the grants for this kubeconfig.
fn tail(kubeconfig: &Path, port: u16, arguments: &str) -> Run {
    let run = Run::guest("tail-logs")
        .flag("--transports=KubeConfig")
        .flag_path("--kubeconfig", kubeconfig)
        .flag_path("--allow-read", kubeconfig)
        .flag(format!("--allow-net=127.0.0.1:{port}"));
    arguments.split_whitespace().fold(run, Run::argument)
}

fn tail_of(cluster: &Cluster, arguments: &str) -> Run {
    tail(&cluster.kubeconfig(AuthKind::Token), cluster.port(), arguments)
}

fn kubectl(cluster: &Cluster, arguments: &str) -> Command {
    let mut kubectl = cluster.kubectl();
    kubectl.args(arguments.split_whitespace());
    kubectl
}

fn container(name: &str, log: &ContainerLog, previous: Option<&ContainerLog>) -> ContainerLogs {
    ContainerLogs {
        container: name.into(),
        log: log.path().into(),
        previous: previous.map(|log| log.path().into()),
        state: ContainerState::Running,
    }
}

fn behind(logs: impl IntoIterator<Item = ContainerLogs>) -> Behind {
    Behind { logs: logs.into_iter().collect(), ..Behind::default() }
}

/// A log of the cluster's with these lines, a second apart, the last one now.
fn log(cluster: &Cluster, name: &str, lines: u64) -> ContainerLog {
    let log = ContainerLog::create(cluster.folder().join(format!("{name}.log"))).unwrap();
    let texts: Vec<String> = (0..lines).map(|number| format!("{name} {number}")).collect();
    let now = SystemTime::now();
    let at = |number: u64| now - Duration::from_secs(lines - number);
    log.lines((0..lines).map(|number| (at(number), texts[number as usize].as_str()))).unwrap();
    log
}

/// Lines with prefixes, those of one container together and in their order.
fn by_container(lines: &str) -> String {
    let mut lines: Vec<&str> = lines.split_inclusive('\n').collect();
    lines.sort_by_key(|line| {
        line.starts_with('[').then(|| line.split_once(' ').map_or(*line, |(prefix, _)| prefix))
    });
    lines.concat()
}

#[test]
fn as_kubectl_shows_them() {
    let cluster = cluster();
    let (app, before, side) = (log(cluster, "app", 400), log(cluster, "before", 3), log(cluster, "side", 5));
    let logs = behind([container("app", &app, Some(&before)), container("side", &side, None)]);
    cluster.run_pod("alike", "web", &["app", "side"], &logs).unwrap();
    cluster.run_pod("alike", "other", &["app"], &behind([container("app", &side, None)])).unwrap();
    for arguments in [
        "web",
        "web -c side",
        "web -c app --previous",
        "web --timestamps",
        "web --tail=7",
        "web --since=30s",
        "web --tail=0",
        "web --all-containers --prefix",
        "-l app=other --prefix",
    ] {
        let theirs = kubectl(cluster, &format!("logs -n alike {arguments}")).output().unwrap();
        assert!(theirs.status.success(), "{arguments}: {}", String::from_utf8_lossy(&theirs.stderr));
        let ours = arguments.replace('=', " ").replace("app other", "app=other").replace("30s", "30");
        let ours = ours.replace(" --prefix", "");
        let ours = tail_of(cluster, &format!("-n alike {ours}")).run().expect_code(0);
        let theirs = String::from_utf8(theirs.stdout).unwrap();
        if arguments.contains("since") {
            // A second or two may pass between them.
            let (short, long) = (theirs.lines().count(), ours.stdout.lines().count());
            let is_tail = ours.stdout.ends_with(&theirs) || theirs.ends_with(&ours.stdout);
            assert!(
                is_tail && short.abs_diff(long) <= 10 && long > 10,
                "{arguments}: {}\n{theirs}",
                ours.stdout
            );
            continue;
        }
        // kubectl takes containers in any order, one after another; ours come in the pod's.
        assert_eq!(ours.stdout, by_container(&theirs), "{arguments}");
    }
    for (arguments, says) in [
        ("none", "pods \"none\" not found"),
        ("web -c nothing", "container nothing is not in pod web, which has app, side"),
        ("other --previous", "previous terminated container"),
    ] {
        let failed = tail_of(cluster, &format!("-n alike {arguments}")).run();
        assert!(failed.stderr.contains(says) && failed.code() == 1, "{arguments}: {}", failed.stderr);
    }
}

/// Reads lines up to one.
fn read_to(live: &mut Live, last: &str) -> Vec<String> {
    let mut lines = Vec::new();
    loop {
        let line = live.line();
        assert!(!line.is_empty(), "ended after {lines:?}");
        let found = line == last;
        lines.push(line);
        if found {
            return lines;
        }
    }
}

#[test]
fn followed_as_kubectl_follows_until_the_container_ends() {
    let cluster = cluster();
    let app = log(cluster, "followed", 50);
    cluster.run_pod("followed", "web", &["app"], &behind([container("app", &app, None)])).unwrap();
    let mut ours = tail_of(cluster, "-n followed web -f").live();
    let theirs = kubectl(cluster, "logs -n followed web -f").stdout(std::process::Stdio::piped()).spawn();
    let theirs = theirs.unwrap();
    read_to(&mut ours, "followed 49");
    for number in 50..90 {
        app.line(&format!("followed {number}")).unwrap();
    }
    let more = read_to(&mut ours, "followed 89");
    assert_eq!(more.len(), 40);
    // The container ends, as its pod does.
    let mut ended = container("app", &app, None);
    ended.state = ContainerState::Ended;
    patch(cluster, "followed", "web", &json!({ "phase": "Succeeded" }));
    cluster.put_behind("followed", "web", &behind([ended])).unwrap();
    let (status, _, stderr) = ours.ended_within(Duration::from_secs(20));
    assert!(status.success(), "{stderr}");
    let theirs = theirs.wait_with_output().unwrap();
    let all: String = (0..90).map(|number| format!("followed {number}\n")).collect();
    assert_eq!(String::from_utf8(theirs.stdout).unwrap(), all);
}

fn patch(cluster: &Cluster, namespace: &str, pod: &str, status: &serde_json::Value) {
    let patch = json!({ "status": status }).to_string();
    let mut kubectl = kubectl(cluster, &format!("-n {namespace} patch pod {pod} --subresource=status"));
    let done = kubectl.args(["--type=merge", "-p", &patch]).output().unwrap();
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
}

fn restarted(container: &str, times: u32) -> serde_json::Value {
    let state = json!({ "running": { "startedAt": "2026-01-01T00:00:00Z" } });
    let status = json!({
        "name": container, "image": "none", "imageID": "", "ready": true, "restartCount": times, "state": state,
    });
    json!({ "containerStatuses": [status] })
}

#[test]
fn a_container_that_is_started_again_is_followed_on() {
    let cluster = cluster();
    let (first, second) = (log(cluster, "first", 3), log(cluster, "second", 0));
    cluster.run_pod("again", "web", &["app"], &behind([container("app", &first, None)])).unwrap();
    let mut live = tail_of(cluster, "-n again web -f").live();
    read_to(&mut live, "first 2");
    first.line("the end of the first").unwrap();
    patch(cluster, "again", "web", &restarted("app", 1));
    cluster.put_behind("again", "web", &behind([container("app", &second, Some(&first))])).unwrap();
    // What the run before wrote last comes before what the new one writes.
    first.line("the last word of the first").unwrap();
    second.line("the begin of the second").unwrap();
    assert_eq!(
        read_to(&mut live, "the begin of the second"),
        ["the end of the first", "the last word of the first", "the begin of the second"]
    );
    second.line("on and on").unwrap();
    assert_eq!(read_to(&mut live, "on and on"), ["on and on"]);
}

#[test]
fn no_line_is_lost_or_comes_twice_over_connections_that_are_cut() {
    let cluster = cluster();
    let app = log(cluster, "cut", 0);
    cluster.run_pod("cut", "web", &["app"], &behind([container("app", &app, None)])).unwrap();
    let proxy = FaultProxy::before(cluster.address());
    let kubeconfig = cluster.folder().join("through-proxy.kubeconfig");
    let text = std::fs::read_to_string(cluster.kubeconfig(AuthKind::Token)).unwrap();
    let through = format!("https://{}", proxy.address());
    std::fs::write(&kubeconfig, text.replace(&cluster.server_url(), &through)).unwrap();
    let mut live = tail(&kubeconfig, proxy.address().port(), "-n cut web -f").live();
    let mut expected = Vec::new();
    for round in 0..8 {
        let lines: Vec<String> = (0..200).map(|number| format!("round {round} line {number}")).collect();
        let now = SystemTime::now();
        app.lines(lines.iter().map(|line| (now, line.as_str()))).unwrap();
        if round % 2 == 0 {
            proxy.reset_all()
        } else {
            proxy.cut_all()
        }
        expected.extend(lines);
        app.line(&format!("end of {round}")).unwrap();
        expected.push(format!("end of {round}"));
    }
    assert_eq!(read_to(&mut live, "end of 7"), expected);
    drop(live);
    eventually("no connection is left", || proxy.open() == 0);
}

#[test]
fn the_api_server_may_be_killed_and_come_back() {
    let tools = Tools::ensure(&mut |line| eprintln!("{line}")).unwrap();
    let mut cluster = Cluster::start(&tools, Options::api_only().with_kubelet()).unwrap();
    let app = log(&cluster, "killed", 10);
    cluster.run_pod("killed", "web", &["app"], &behind([container("app", &app, None)])).unwrap();
    let mut live = tail_of(&cluster, "-n killed -l app=web -f --all-containers").live();
    read_to(&mut live, "[pod/web/app] killed 9");
    for how in [Ending::Killed, Ending::Asked] {
        app.line(&format!("before {how:?}")).unwrap();
        cluster.restart_api_server(how).unwrap();
        app.line(&format!("after {how:?}")).unwrap();
        let lines = read_to(&mut live, &format!("[pod/web/app] after {how:?}"));
        assert_eq!(lines, [format!("[pod/web/app] before {how:?}"), format!("[pod/web/app] after {how:?}")]);
    }
    // A pod that comes later is found.
    let later = log(&cluster, "later", 1);
    cluster.run_pod("killed", "second", &["app"], &behind([container("app", &later, None)])).unwrap();
    patch_label(&cluster);
    read_to(&mut live, "[pod/second/app] later 0");
}

fn patch_label(cluster: &Cluster) {
    let labelled = kubectl(cluster, "-n killed label pod second app=web --overwrite").status().unwrap();
    assert!(labelled.success());
}

#[test]
fn over_kubectl_as_well() {
    let cluster = cluster();
    let app = log(cluster, "kubectl", 300);
    cluster.run_pod("over-kubectl", "web", &["app"], &behind([container("app", &app, None)])).unwrap();
    let run = |arguments: &str| {
        let run = Run::guest("tail-logs")
            .flag("--transports=KubectlRaw")
            .flag_path("--kubectl", Path::new(cluster.kubectl().get_program()))
            .flag_path("--allow-run", Path::new(cluster.kubectl().get_program()))
            .variable("KUBECONFIG", cluster.kubeconfig(AuthKind::Token));
        arguments.split_whitespace().fold(run, Run::argument)
    };
    let theirs = kubectl(cluster, "logs -n over-kubectl web").output().unwrap();
    let ours = run("-n over-kubectl web").run().expect_code(0);
    assert_eq!(ours.stdout, String::from_utf8(theirs.stdout).unwrap());
    let mut live = run("-n over-kubectl -l app=web --tail 5 -f").live();
    assert_eq!(read_to(&mut live, "[pod/web/app] kubectl 299").len(), 5);
    app.line("one more").unwrap();
    assert_eq!(read_to(&mut live, "[pod/web/app] one more"), ["[pod/web/app] one more"]);
}

#[test]
fn more_containers_than_may_be_followed_wait_their_turn() {
    let cluster = cluster();
    let (first, second) = (log(cluster, "turn-1", 2), log(cluster, "turn-2", 2));
    let logs = behind([container("a", &first, None), container("b", &second, None)]);
    cluster.run_pod("turns", "web", &["a", "b"], &logs).unwrap();
    let mut live = tail_of(cluster, "-n turns web --all-containers -f --at-once 1").live();
    read_to(&mut live, "[pod/web/a] turn-1 1");
    let mut ended = container("a", &first, None);
    ended.state = ContainerState::Ended;
    cluster.put_behind("turns", "web", &behind([ended, container("b", &second, None)])).unwrap();
    // Once it has ended for good, the next one has its turn.
    cluster.call("DELETE", "/api/v1/namespaces/turns/pods/web?gracePeriodSeconds=0", None).unwrap();
    let (status, _, stderr) = live.ended_within(Duration::from_secs(20));
    assert!(
        status.success()
            && stderr.contains("web/b: waits: 1 containers are followed at a time, which is the cap"),
        "{stderr}"
    );
}

#[test]
fn a_hundred_megabytes_come_as_they_are() {
    let cluster = cluster();
    let big = ContainerLog::create(cluster.folder().join("big.log")).unwrap();
    let now = SystemTime::now();
    let lines: Vec<String> =
        (0..100_000).map(|number| format!("{number:>10} {}", "x".repeat(1_000))).collect();
    let at = |number: usize| now - Duration::from_millis(100_000 - number as u64);
    big.lines(lines.iter().enumerate().map(|(number, line)| (at(number), line.as_str()))).unwrap();
    cluster.run_pod("big", "web", &["app"], &behind([container("app", &big, None)])).unwrap();
    let theirs = kubectl(cluster, "logs -n big web").output().unwrap().stdout;
    assert!(theirs.len() > 100_000_000);
    for follow in ["", "-f --lines 100000"] {
        let ours = tail_of(cluster, &format!("-n big web {follow}")).run().expect_code(0);
        assert!(
            ours.stdout.as_bytes() == theirs,
            "{follow}: {} of {} bytes",
            ours.stdout.len(),
            theirs.len()
        );
    }
}
