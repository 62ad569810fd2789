//! Many guests in one process: one store and one watch for those who ask for the same.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use tidegate::grants::{Grants, Kind};
use tidegate::registry::{Definition, Registry};
use tidegate::transport::Options;
use tidegate::{Allocator, Cache, Engine, Input, Output, Pooling, Reflected, Script};
use tidegate_tests::{Act, Peer, guest, program};

/// An engine for many guests, and the guest.
pub(crate) async fn engine(folder: &tempfile::TempDir) -> (Engine, Script) {
    let engine = Engine::builder()
        .cache(Cache::Folder(folder.path().join("cache")))
        .compiler(program("tidegate-compile"))
        .allocator(Allocator::Pooling(Pooling { guests: 64, ..Pooling::default() }))
        .build()
        .unwrap();
    let script = engine.load_file(guest("reflect")).await.unwrap();
    (engine, script)
}

/// What the guest wrote, that was granted this connection and nothing else.
pub(crate) async fn run(script: &Script, registry: &Registry, connection: &str, arguments: &str) -> String {
    let (stdout, written) = Output::capture(64 << 20);
    let grants = Grants::builder().allow(Kind::Connection, Some(connection)).unwrap().build();
    let run = script.run().grants(grants).user_agent("fleet/1.4 (guest)").connections(registry.clone());
    let run = run.stdin(Input::null()).stdout(stdout).stderr(Output::null());
    let arguments = ["--connection", connection].into_iter().chain(arguments.split(' '));
    let outcome = run.arguments(arguments).start().await.unwrap();
    assert_eq!(outcome.exit_code(), 0, "{}", written.text());
    written.text()
}

/// A server with three pods, whose watches tell of one more after a while.
fn peer() -> Peer {
    Peer::answering(|asked| {
        asked.or_api(|| {
            let pod = |name: &str| format!(r#"{{"metadata":{{"name":"{name}","namespace":"n"}}}}"#);
            if !asked.target.contains("watch=true") {
                let items = ["a", "b", "c"].map(pod).join(",");
                return vec![Act::json(&format!(
                    r#"{{"kind":"PodList","metadata":{{"resourceVersion":"5"}},"items":[{items}]}}"#
                ))];
            }
            let event = format!("{{\"type\":\"ADDED\",\"object\":{}}}\n", pod("end"));
            let event = event.replace(r#""namespace""#, r#""resourceVersion":"6","namespace""#);
            let later = Act::Pause(Duration::from_secs(6));
            vec![Act::chunked_head(), later, Act::chunk(&event), Act::Hang]
        })
    })
}

/// Tasks of this runtime, this test's own apart.
pub(crate) fn tasks() -> usize {
    tokio::runtime::Handle::current().metrics().num_alive_tasks()
}

#[tokio::test(flavor = "current_thread")]
async fn fifty_guests_have_one_watch_for_each_thing_that_they_ask_for() {
    let (folder, east, west) = (tempfile::tempdir().unwrap(), peer(), peer());
    let (engine, script) = engine(&folder).await;
    let registry = Registry::new(Options::new("fleet/1.4"));
    for (name, peer) in [("east", &east), ("west", &west)] {
        registry.register(name, Definition::kube_config(peer.kubeconfig())).unwrap();
    }
    let began = Instant::now();
    let mut running = tokio::task::JoinSet::new();
    for guest in 0..50 {
        let (script, registry) = (script.clone(), registry.clone());
        running.spawn(async move {
            // What each guest wants of a store is its own; three differ in what is kept, or where.
            let (connection, arguments) = match guest {
                0 => ("west", "--until end /api/v1/pods"),
                1 => ("east", "--mask metadata --until end /api/v1/pods"),
                2 => ("east", "--labels x --until end /api/v1/pods"),
                3 => ("east", "--pause 300 --until end /api/v1/pods"),
                4 => ("east", "--field-filter metadata.name=end --until end /api/v1/pods"),
                5 => ("east", "--view metadata.name --batch 1 --until end /api/v1/pods"),
                _ => ("east", "--until end /api/v1/pods"),
            };
            run(&script, &registry, connection, arguments).await
        });
    }
    let mut most = Reflected::default();
    while began.elapsed() < Duration::from_secs(5) {
        tokio::time::sleep(Duration::from_millis(50)).await;
        let now = engine.reflected();
        most = if now.stores > most.stores { now } else { most };
    }
    let written = running.join_all().await;
    assert_eq!(most.stores, 4);
    for (text, count) in written.iter().map(|text| (text, text.matches("ADDED").count())) {
        let filtered = count == 1;
        assert!(count == 4 || filtered, "{text}");
        assert!(text.contains(if filtered { "done: 1 stored" } else { "done: 4 stored" }), "{text}");
        assert!(text.ends_with("faults 0\n"), "{text}");
    }
    let mut requests: BTreeMap<String, usize> = BTreeMap::new();
    for asked in east.seen().iter().chain(&west.seen()).filter(|asked| asked.target != "/api") {
        let kind = if asked.target.contains("watch=true") { "watches" } else { "lists" };
        *requests.entry(kind.to_owned()).or_default() += 1;
    }
    assert_eq!(requests, BTreeMap::from([("lists".to_owned(), 4), ("watches".to_owned(), 4)]));
    // With the last guest it all ends.
    for _ in 0..100 {
        tokio::time::sleep(Duration::from_millis(20)).await;
        if engine.reflected() == Reflected::default() && tasks() == 0 {
            break;
        }
    }
    assert_eq!((engine.reflected(), tasks()), (Reflected::default(), 0));
}
