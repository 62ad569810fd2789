//! Lists through kubectl, and by a server that has no WatchList.

use std::path::Path;
use std::time::Duration;

use tidegate_cluster::{AuthKind, Cluster, Options, Tools};
use tidegate_tests::{Act, Peer, Run, Server};

use super::{BOTH, OBJECTS, at, done, items, populate};

const SOURCES: [&[&str]; 3] = [&["--limit", "7"], &["--source", "whole"], &["--source", "watch-list"]];

fn lists(source: &[&str], path: &str) -> Run {
    let flags =
        ["--labels", "tier", "--mask", "metadata.name", "--field-filter", "data.number!=30", "--show", "100"];
    Run::guest("lists").deadline(Duration::from_secs(180)).arguments(source).arguments(&flags).argument(path)
}

#[test]
fn masks_and_filters_through_kubectl() {
    for target in BOTH {
        let server = Server::of(target);
        let path = populate(server, "lists-kubectl");
        let (proxy, kubectl) = (server.kubectl_proxy(), server.kubectl());
        let program = Path::new(kubectl.get_program());
        for source in SOURCES {
            let through_proxy = lists(source, &path)
                .flag("--transports=KubectlProxy")
                .flag(format!("--kubectl-proxy={}", proxy.url()))
                .flag(format!("--allow-net={}", proxy.address()));
            let through_program = lists(source, &path)
                .flag("--transports=KubectlRaw")
                .flag_path("--kubectl", program)
                .flag_path("--allow-run", program)
                .variable("KUBECONFIG", &server.kubeconfig);
            for (what, run) in [("proxy", through_proxy), ("raw", through_program)] {
                let outcome = run.run().expect_code(0);
                let items = items(&outcome);
                assert_eq!(items.len(), OBJECTS - 1, "{target:?} {what} {source:?}: {}", outcome.stdout);
                assert!(items.contains(r#"{"metadata":{"name":"c-10"}}"#), "{}", outcome.stdout);
                assert!(done(&outcome).ends_with("consistent true"), "{}", outcome.stdout);
            }
        }
    }
}

/// It is asked for the beginning of a watch, refuses, and is asked for pages; any other refusal is told.
#[test]
fn a_server_without_watch_lists_is_asked_for_pages() {
    for (status, code) in
        [("422 Unprocessable Entity", 0), ("400 Bad Request", 0), ("403 Forbidden", 3), ("500 No", 3)]
    {
        let peer = Peer::answering(move |asked| {
            asked.or_api(|| match asked.target.contains("watch=true") {
                true => vec![Act::say(format!("HTTP/1.1 {status}\r\nContent-Length: 2\r\n\r\n{{}}"))],
                false => vec![Act::json(r#"{"metadata":{"resourceVersion":"7"},"items":[{"a":1},{"a":2}]}"#)],
            })
        });
        let outcome = at(&peer, &["--source", "watch-list", "--limit", "3"]).run().expect_code(code);
        let seen = peer.seen();
        let asked: Vec<&str> =
            seen.iter().map(|asked| asked.target.as_str()).filter(|target| *target != "/api").collect();
        assert!(asked[0].contains("watch=true&sendInitialEvents=true"), "{asked:?}");
        match code {
            0 => {
                assert_eq!(asked[1..], ["/api/v1/pods?limit=3"], "{status}");
                assert!(done(&outcome).starts_with("done: 2 items"), "{}", outcome.stdout);
            }
            _ => assert_eq!(asked.len(), 1, "{status}: {asked:?}"),
        }
    }
}

/// The real server whose feature gate is off.
#[test]
fn the_real_server_without_watch_lists() {
    let tools = Tools::ensure(&mut |line| eprintln!("{line}")).unwrap();
    let options = Options::api_only().api_server_flag("--feature-gates=WatchList=false");
    let cluster = Cluster::start(&tools, options).unwrap();
    let config = cluster.kubeconfig(AuthKind::Token);
    let flags = ["--source", "watch-list", "--mask", "metadata.name", "--show", "100", "/api/v1/namespaces"];
    let run = Run::guest("lists")
        .arguments(&flags)
        .flag("--transports=KubeConfig")
        .flag_path("--kubeconfig", &config)
        .flag_path("--allow-read", &config)
        .flag(format!("--allow-net={}", cluster.address()));
    let outcome = run.flag("-v").run().expect_code(0);
    assert!(items(&outcome).contains(r#"{"metadata":{"name":"default"}}"#), "{}", outcome.stdout);
    let asked: Vec<&str> =
        outcome.stderr.lines().filter(|line| line.contains("/api/v1/namespaces")).collect();
    assert_eq!(asked.len(), 2, "{asked:?}");
}
