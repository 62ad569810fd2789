//! A thousand guests of one process whose shared credential is refused at the same moment: it is had anew once, and no guest sees a failure.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Barrier};

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use tidegate::grants::{Grants, Kind};
use tidegate::registry::{Definition, Registry};
use tidegate::transport::Options;
use tidegate::{Cache, Engine, Input, Output};
use tidegate_tests::{Act, Peer, guest, program};

const GUESTS: usize = 1_000;

/// A server that takes one token at a time. Once all guests have asked for `/first`, it takes the next one only.
fn fickle() -> Peer {
    let valid = Arc::new(AtomicUsize::new(1));
    let barrier = Barrier::new(GUESTS);
    Peer::answering(move |asked| {
        let expected = format!("Bearer storm-{}", valid.load(Ordering::SeqCst));
        if asked.header("authorization") != Some(&expected) {
            return vec![Act::respond("401 Unauthorized", "application/json", "{}")];
        }
        if asked.target == "/first" {
            if barrier.wait().is_leader() {
                valid.store(2, Ordering::SeqCst);
            }
            // Nobody is answered before the old token is refused.
            barrier.wait();
        }
        asked.or_api(|| vec![Act::json("{}")])
    })
}

/// A kubeconfig whose plugin counts its runs, and gives their number as a token after a while.
fn plugin(peer: &Peer) {
    let script = "echo run >>\"$1/runs\"\nsleep 0.3\nprintf \
        '{\"apiVersion\":\"client.authentication.k8s.io/v1\",\"kind\":\"ExecCredential\",\"status\":{\"token\":\"storm-%s\"}}' \
        $(wc -l <\"$1/runs\")\n";
    let script = peer.write("plugin.sh", script);
    let user = format!(
        "{{exec: {{apiVersion: client.authentication.k8s.io/v1, interactiveMode: Never, command: /bin/sh, args: ['{}', '{}']}}}}",
        script.display(),
        peer.folder().display()
    );
    peer.write("config", &peer.kubeconfig_with(&user));
}

#[tokio::test(flavor = "current_thread")]
async fn a_storm_of_refusals_is_one_refresh() {
    let limit = getrlimit(Resource::Nofile);
    setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, ..limit }).unwrap();
    let peer = fickle();
    plugin(&peer);
    let registry = Registry::new(Options::new("tidegate-tests (storm)"));
    registry.register("prod", Definition::kube_config(peer.kubeconfig())).unwrap();
    let cache = tempfile::tempdir().unwrap();
    let engine = Engine::builder()
        .cache(Cache::Folder(cache.path().join("compiled")))
        .compiler(program("tidegate-compile"))
        .build()
        .unwrap();
    let script = engine.load_file(guest("ask")).await.unwrap();
    let mut grants = Grants::builder();
    grants.allow(Kind::Connection, Some("prod")).unwrap();
    let grants = grants.build();

    let runs = (0..GUESTS).map(|_| {
        let (stdout, written) = Output::capture(1 << 16);
        let run = script
            .run()
            .user_agent("tidegate-tests (storm)")
            .grants(grants.clone())
            .connections(registry.clone());
        let run = run.stdin(Input::null()).stdout(stdout).stderr(Output::null());
        let arguments = ["--via", "connection=prod", "--deadline", "60000", "/first", "/second"];
        let run = run.arguments(arguments).start();
        async move { (run.await.unwrap().exit_code(), written.text()) }
    });
    let outcomes = futures_util::future::join_all(runs).await;
    let failed: Vec<_> = outcomes.iter().filter(|(code, _)| *code != 0).collect();
    assert!(failed.is_empty(), "{} guests failed, the first with {:?}", failed.len(), failed[0]);
    let runs = std::fs::read_to_string(peer.folder().join("runs")).unwrap();
    assert_eq!(runs.lines().count(), 2, "once at first, once for all refusals");
    let seconds = peer.seen().iter().filter(|asked| asked.target == "/second").count();
    assert!((GUESTS..=2 * GUESTS).contains(&seconds), "{seconds} requests for {GUESTS} answers");
}
