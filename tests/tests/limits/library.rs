//! The library: guests of one process that reach each limit, beside others who go on.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use tidegate::grants::{Grants, Kind, LimitKind, Limits, Rate};
use tidegate::transport::Options;
use tidegate::{Allocator, Cache, Ending, Engine, EngineBuilder, Input, Output, Pooling, RunBuilder, Script};
use tidegate_tests::{Peer, eventually, guest, program};
use tokio::sync::Mutex;
use tokio::task::JoinSet;

use crate::requests::server;

/// The process' threads are looked at, so one test at a time.
static ALONE: Mutex<()> = Mutex::const_new(());

fn engine(cache: &Path) -> EngineBuilder {
    Engine::builder().cache(Cache::Folder(cache.to_owned())).compiler(program("tidegate-compile"))
}

/// A guest that may reach this server and writes nowhere.
fn run(script: &Script, peer: &Peer, limits: Limits, arguments: &[&str]) -> RunBuilder {
    let grants = Grants::builder().allow(Kind::Net, Some(&peer.address())).unwrap().build();
    let mut options = Options::new("tests/1");
    // They all begin at once, on a machine that may have other things to do.
    options.probe_deadline = Duration::from_secs(60);
    let run = script.run().grants(grants).options(options).limits(limits);
    let run = run.stdin(Input::null()).stdout(Output::null()).stderr(Output::null());
    run.arguments(arguments.iter().copied())
}

/// What each limit is reached by.
fn gluttons(url: &str) -> Vec<(LimitKind, Limits, Vec<String>)> {
    let none = Limits::none();
    let (short, long) = (Duration::from_millis(300), Duration::from_millis(900));
    let rows: [(LimitKind, Limits, &[&str]); 10] = [
        (LimitKind::Memory, none.memory(8 << 20), &["memory", "4000"]),
        (LimitKind::Cpu, none.cpu(short), &["loop"]),
        (LimitKind::Cpu, none.cpu(short).wall(Duration::from_secs(600)), &["naps"]),
        (LimitKind::Wall, none.wall(long), &["loop"]),
        (LimitKind::Wall, none.wall(long), &["sleep"]),
        (LimitKind::Streams, none.streams(8), &["streams", url, "10000"]),
        (LimitKind::Streams, none.streams(8), &["reflectors", url, "10000"]),
        (LimitKind::Requests, none.requests(Rate::per_second(10)), &["flood", url, "1000"]),
        (LimitKind::Bytes, none.bytes(1 << 20), &["read", url, "/endless-bytes"]),
        (LimitKind::Bytes, none.bytes(1 << 20), &["send", url, "1000"]),
    ];
    let owned = |words: &[&str]| words.iter().map(ToString::to_string).collect();
    rows.into_iter().map(|(kind, limits, words)| (kind, limits, owned(words))).collect()
}

/// The names of this process' threads.
fn threads() -> Vec<String> {
    let tasks = std::fs::read_dir("/proc/self/task").unwrap();
    tasks
        .filter_map(|task| std::fs::read_to_string(task.ok()?.path().join("comm")).ok())
        .map(|name| name.trim().to_owned())
        .collect()
}

/// Every glutton in three ways to take a refusal, among as many guests that want little and have all limits.
async fn side_by_side(engine: &Engine) {
    let script = Arc::new(engine.load_file(guest("glutton")).await.unwrap());
    let peer = Arc::new(server());
    let (url, mut runs) = (peer.url(), JoinSet::new());
    // As one who serves many does, so that each gets its turn.
    let (fair, ended) = (engine.clone(), Arc::new(AtomicBool::new(false)));
    let until = ended.clone();
    let ticking = std::thread::spawn(move || {
        while !until.load(Ordering::Relaxed) {
            std::thread::sleep(Duration::from_millis(10));
            fair.interrupt();
        }
    });
    let modest = Limits::none().memory(64 << 20).cpu(Duration::from_secs(60)).wall(Duration::from_secs(3600));
    let modest = modest.streams(8).requests(Rate::per_second(1000)).bytes(64 << 20);
    for how in ["fails", "panics"] {
        for (kind, limits, what) in gluttons(&url) {
            let (script, peer) = (script.clone(), peer.clone());
            runs.spawn(async move {
                let words: Vec<&str> = std::iter::once(how).chain(what.iter().map(String::as_str)).collect();
                let outcome = run(&script, &peer, limits, &words).start().await.unwrap();
                let Ending::Limited(limited) = &outcome.ending else { panic!("{words:?}: {outcome:?}") };
                assert_eq!(limited.limit, limits.get(kind).unwrap(), "{words:?}");
                assert_eq!(outcome.exit_code(), 124);
            });
        }
    }
    for number in 0..20 {
        let (script, peer, url) = (script.clone(), peer.clone(), url.clone());
        runs.spawn(async move {
            let (words, limits): (&[&str], _) = match number % 4 {
                0 => (&["fails", "memory", "30"], modest),
                1 => (&["fails", "requests", &url, "50"], modest),
                2 => (&["fails", "streams", &url, "7"], Limits::none()),
                _ => (&["fails", "send", &url, "16"], modest),
            };
            let (stdout, written) = Output::capture(1 << 20);
            let outcome = run(&script, &peer, limits, words).stdout(stdout).start().await.unwrap();
            assert_eq!(outcome.ending, Ending::Exited(0), "{words:?}: {}", written.text());
        });
    }
    while let Some(run) = runs.join_next().await {
        run.unwrap();
    }
    ended.store(true, Ordering::Relaxed);
    ticking.join().unwrap();
    assert_eq!(engine.reflected().stores, 0);
    eventually("all connections are closed", || peer.open() == 0);
    eventually("no thread looks at clocks", || !threads().contains(&"limits".to_owned()));
}

#[tokio::test(flavor = "current_thread")]
async fn on_one_thread_the_others_go_on() {
    let _alone = ALONE.lock().await;
    let cache = tempfile::tempdir().unwrap();
    side_by_side(&engine(&cache.path().join("compiled")).build().unwrap()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn on_several_threads_and_in_a_pool_the_others_go_on() {
    let _alone = ALONE.lock().await;
    let cache = tempfile::tempdir().unwrap();
    let pooling = Pooling { guests: 100, ..Pooling::default() };
    let engine = engine(&cache.path().join("compiled")).allocator(Allocator::Pooling(pooling));
    side_by_side(&engine.build().unwrap()).await;
}

/// Nothing that one guest uses up is missing to the next.
#[tokio::test(flavor = "current_thread")]
async fn limits_are_each_guests_own() {
    let _alone = ALONE.lock().await;
    let cache = tempfile::tempdir().unwrap();
    let engine = engine(&cache.path().join("compiled")).build().unwrap();
    let script = engine.load_file(guest("glutton")).await.unwrap();
    let peer = server();
    let url = peer.url();
    let limits =
        Limits::none().bytes(100 << 10).streams(4).requests(Rate::new(60, Duration::from_secs(36_000_000)));
    for _ in 0..3 {
        let outcome = run(&script, &peer, limits, &["fails", "requests", &url, "50"]).start().await.unwrap();
        assert_eq!(outcome.ending, Ending::Exited(0));
        let outcome = run(&script, &peer, limits, &["fails", "requests", &url, "500"]).start().await.unwrap();
        assert!(matches!(outcome.ending, Ending::Limited(_)), "{outcome:?}");
    }
}

/// What a pool reserves for one memory bounds every guest; a guest that wants more has not come to a limit of its own.
#[tokio::test(flavor = "current_thread")]
async fn a_pools_own_maximum_is_no_limit_of_the_guests() {
    let _alone = ALONE.lock().await;
    let cache = tempfile::tempdir().unwrap();
    let pooling = Pooling { guests: 2, memory: 16 << 20 };
    let engine =
        engine(&cache.path().join("compiled")).allocator(Allocator::Pooling(pooling)).build().unwrap();
    let script = engine.load_file(guest("glutton")).await.unwrap();
    let peer = server();
    for (limits, limited) in [
        (Limits::none(), false),
        (Limits::none().memory(64 << 20), false),
        (Limits::none().memory(8 << 20), true),
    ] {
        for how in ["fails", "panics"] {
            let outcome = run(&script, &peer, limits, &[how, "memory", "30"]).start().await.unwrap();
            match (&outcome.ending, limited) {
                (Ending::Limited(it), true) => assert_eq!(Some(it.limit), limits.get(LimitKind::Memory)),
                (Ending::Exited(1), false) => assert_eq!(how, "fails"),
                (Ending::Trapped(trap), false) => {
                    let why =
                        "more memory than the 16MiB that the engine's pool has for one (Pooling::memory)";
                    assert!(how == "panics" && trap.message.ends_with(why), "{trap}");
                }
                _ => panic!("{how}: {outcome:?}"),
            }
        }
    }
}

/// Whoever limits no time pays for no thread, and a guest that was dropped is forgotten.
#[tokio::test(flavor = "current_thread")]
async fn a_thread_only_while_time_is_limited() {
    let _alone = ALONE.lock().await;
    let cache = tempfile::tempdir().unwrap();
    let engine = engine(&cache.path().join("compiled")).build().unwrap();
    let script = engine.load_file(guest("glutton")).await.unwrap();
    let peer = server();
    let has_thread = || threads().contains(&"limits".to_owned());
    let sleep = ["fails", "sleep"];
    let short = Duration::from_millis(300);
    let unlimited = Limits::none().memory(64 << 20).streams(1).bytes(1);
    let run_unlimited = run(&script, &peer, unlimited, &sleep).start();
    let begun = Instant::now();
    assert!(
        tokio::time::timeout(short, run_unlimited).await.is_err()
            && begun.elapsed() >= short
            && !has_thread()
    );
    let mut limited =
        Box::pin(run(&script, &peer, Limits::none().cpu(Duration::from_secs(60)), &sleep).start());
    assert!(tokio::time::timeout(short, &mut limited).await.is_err());
    assert!(has_thread(), "{:?}", threads());
    drop(limited);
    eventually("it ends with the guest", || !has_thread());
}
