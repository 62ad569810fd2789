//! tidegate as a library: many guests and tenants in one process on one thread, who share compiled code and nothing else; and what an API
//! server's log says of who asked.
//!
//! Covers: A7, H9

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use tidegate::grants::{Grants, Kind};
use tidegate::transport::{Kind as Transport, Options};
use tidegate::{
    Allocator, Cache, Ending, Engine, EngineBuilder, Input, Outcome, Output, Pooling, Progress, RunError,
    Script,
};
use tidegate_tests::{Act, Peer, Run, Server, Target, guest, kubectl, program};

/// An engine with its cache in this folder.
fn engine(cache: &Path) -> EngineBuilder {
    Engine::builder().cache(Cache::Folder(cache.to_owned())).compiler(program("tidegate-compile"))
}

fn peer() -> Peer {
    Peer::answering(|asked| asked.or_api(|| vec![Act::json("{}")]))
}

/// Who wants a script to run, and where.
struct Tenant {
    name: String,
    kubeconfig: PathBuf,
    reads: PathBuf,
    server: String,
}

impl Tenant {
    fn of_peer(name: String, peer: &Peer) -> Tenant {
        Tenant { name, kubeconfig: peer.kubeconfig(), reads: peer.folder(), server: peer.address() }
    }

    fn of_server(name: String, server: &Server) -> Tenant {
        let kubeconfig = server.kubeconfig.clone();
        Tenant { name, reads: kubeconfig.clone(), kubeconfig, server: server.address.clone() }
    }

    fn options(&self) -> Options {
        let mut options = Options::new(format!("fleet/1.4 ({})", self.name));
        options.transports = vec![Transport::KubeConfig];
        options.kubeconfig.path = Some(self.kubeconfig.clone());
        options
    }

    fn grants(&self) -> Grants {
        let mut builder = Grants::builder();
        builder.allow(Kind::Read, self.reads.to_str()).unwrap();
        builder.allow(Kind::Net, Some(&self.server)).unwrap();
        builder.wasi(Kind::Env, Some("TENANT")).unwrap();
        builder.build()
    }

    /// What the script wrote for it, and how it ended.
    async fn run(&self, script: &Script, arguments: &[&str]) -> (String, Outcome) {
        let (stdout, written) = Output::capture(1 << 20);
        let run = script.run().grants(self.grants()).options(self.options());
        let run = run
            .environment([("TENANT", &self.name)])
            .stdin(Input::null())
            .stdout(stdout)
            .stderr(Output::null());
        let outcome = run.arguments(arguments.iter().copied()).start().await.unwrap();
        (written.text(), outcome)
    }
}

/// A hundred guests of two tenants at once, on one thread: each sees its own cluster.
#[tokio::test(flavor = "current_thread")]
async fn tenants_of_real_servers_run_side_by_side() {
    let cache = tempfile::tempdir().unwrap();
    let pooling = Pooling { guests: 100, ..Pooling::default() };
    let engine =
        engine(&cache.path().join("compiled")).allocator(Allocator::Pooling(pooling)).build().unwrap();
    let script = engine.load_file(guest("ask")).await.unwrap();
    let servers = [Target::Playground, Target::Real].map(Server::of);
    for (name, server) in ["of-one", "of-other"].into_iter().zip(servers) {
        let mut kubectl = server.kubectl();
        assert!(kubectl.args(["create", "namespace", name]).status().unwrap().success());
    }
    let tenants: Vec<Tenant> =
        (0..100).map(|index| Tenant::of_server(format!("tenant-{index}"), servers[index % 2])).collect();
    let runs = tenants.iter().enumerate().map(|(index, tenant)| {
        let script = &script;
        async move {
            let names = ["of-one", "of-other"];
            let (own, other) = (names[index % 2], names[(index + 1) % 2]);
            let paths = [own, other].map(|name| format!("/api/v1/namespaces/{name}"));
            let (text, outcome) = tenant.run(script, &["--via", "auto", &paths[0], &paths[1]]).await;
            assert!(text.contains("done: 1 items"), "{own}: {text}");
            assert!(text.contains(&format!("error status 404 NotFound: namespaces \"{other}\"")), "{text}");
            assert_eq!(outcome.ending, Ending::Exited(3), "{text}");
        }
    });
    all(runs).await;
}

/// Waits for all of them, which run together.
async fn all(runs: impl Iterator<Item = impl Future<Output = ()>>) {
    let mut left: Vec<_> = runs.map(Box::pin).collect();
    std::future::poll_fn(|context| {
        left.retain_mut(|run| run.as_mut().poll(context).is_pending());
        if left.is_empty() { std::task::Poll::Ready(()) } else { std::task::Poll::Pending }
    })
    .await;
}

/// What one tenant is granted, configured with or given, no other has, even in the same engine.
#[tokio::test(flavor = "current_thread")]
async fn tenants_share_no_grant_no_option_and_no_environment() {
    let cache = tempfile::tempdir().unwrap();
    let engine = engine(&cache.path().join("compiled")).build().unwrap();
    let (ask, probe) =
        (engine.load_file(guest("ask")).await.unwrap(), engine.load_file(guest("probe-wasi")).await.unwrap());
    let (one, other) = (peer(), peer());
    let tenants = [Tenant::of_peer("one".to_owned(), &one), Tenant::of_peer("other".to_owned(), &other)];
    for (tenant, foreign) in tenants.iter().zip([&other, &one]) {
        let config = format!("kube-config={}", foreign.kubeconfig().display());
        let (text, _) = tenant.run(&ask, &["--via", &config, "/x"]).await;
        assert!(text.starts_with("error permission-denied: "), "{text}");
        let (text, _) = tenant.run(&ask, &["--via", &format!("kubectl-proxy={}", foreign.url()), "/x"]).await;
        assert!(text.starts_with("error permission-denied: "), "{text}");
        let (text, _) = tenant.run(&probe, &["env:TENANT", "env:HOME", "env:PATH"]).await;
        let got: Vec<&str> = text.lines().filter(|line| line.starts_with("got ")).collect();
        assert_eq!(got, [format!("got env:TENANT: {}", tenant.name)], "{text}");
    }
    assert_eq!(one.connections() + other.connections(), 0);
    for (tenant, own) in tenants.iter().zip([&one, &other]) {
        let (text, outcome) = tenant.run(&ask, &["/x"]).await;
        assert_eq!(outcome.ending, Ending::Exited(0), "{text}");
        assert!(
            own.seen()
                .iter()
                .all(|asked| asked.header("user-agent") == Some(&format!("fleet/1.4 ({})", tenant.name)))
        );
    }
}

/// Engines know nothing of each other, and leave nothing behind in the process.
#[tokio::test(flavor = "current_thread")]
async fn there_is_no_global_state() {
    let folder = tempfile::tempdir().unwrap();
    let working = std::env::current_dir().unwrap();
    let variables: Vec<_> = std::env::vars_os().collect();
    let caches = ["one", "other"].map(|name| folder.path().join(name));
    let told = [Arc::new(Mutex::new(0)), Arc::new(Mutex::new(0))];
    let build = |index: usize, allocator: Allocator| {
        let told = told[index].clone();
        let builder = engine(&caches[index]).allocator(allocator);
        builder.progress(move |_| *told.lock().unwrap() += 1).build().unwrap()
    };
    let one = build(0, Allocator::OnDemand);
    let other = build(1, Allocator::Pooling(Pooling { guests: 2, ..Pooling::default() }));
    let peer = peer();
    let tenant = Tenant::of_peer("x".to_owned(), &peer);
    let first = one.load_file(guest("ask")).await.unwrap();
    assert!(*told[0].lock().unwrap() > 0 && *told[1].lock().unwrap() == 0 && !caches[1].exists());
    let second = other.load_file(guest("ask")).await.unwrap();
    assert!(*told[1].lock().unwrap() > 0);
    drop(one);
    for script in [&first, &second, &first] {
        let (text, outcome) = tenant.run(script, &["/x"]).await;
        assert_eq!(outcome.ending, Ending::Exited(0), "{text}");
    }
    assert!(rustls::crypto::CryptoProvider::get_default().is_none(), "an embedder chooses that");
    assert_eq!(
        (std::env::current_dir().unwrap(), std::env::vars_os().collect::<Vec<_>>()),
        (working, variables)
    );
}

/// A guest that waits holds nobody up, one that computes gives way when it is told to, and a run that is dropped is over.
#[tokio::test(flavor = "current_thread")]
async fn one_thread_serves_guests_that_wait_and_guests_that_compute() {
    let cache = tempfile::tempdir().unwrap();
    let engine = engine(&cache.path().join("compiled")).build().unwrap();
    let script = engine.load_file(guest("spin")).await.unwrap();
    let run = |arguments: &[&str]| {
        let run = script.run().user_agent("tests/1").stdout(Output::null()).stderr(Output::null());
        run.arguments(arguments.iter().copied())
    };
    let begun = Instant::now();
    all((0..20).map(|_| {
        let run = run(&["sleep", "1"]).start();
        async { assert_eq!(run.await.unwrap().ending, Ending::Exited(0)) }
    }))
    .await;
    assert!(begun.elapsed() < Duration::from_secs(8), "{:?}", begun.elapsed());

    let ticker = engine.clone();
    std::thread::spawn(move || {
        for _ in 0..1_000 {
            std::thread::sleep(Duration::from_millis(10));
            ticker.interrupt();
        }
    });
    let until = tokio::time::sleep(Duration::from_millis(300));
    assert_eq!(run(&["loop"]).until(until).start().await.unwrap().ending, Ending::Interrupted);
    let dropped = tokio::time::timeout(Duration::from_millis(300), run(&["loop"]).start()).await;
    assert!(dropped.is_err());
    assert_eq!(run(&["exit", "7"]).start().await.unwrap().ending, Ending::Exited(7));
}

/// Found by what the component is, not by its name or place; by another engine, without a compiler; and anew where one byte differs.
#[tokio::test(flavor = "current_thread")]
async fn compiled_code_is_kept_by_the_hash_of_the_component() {
    let folder = tempfile::tempdir().unwrap();
    let cache = folder.path().join("compiled");
    let entries = || std::fs::read_dir(&cache).map_or(0, Iterator::count);
    let compiled = Arc::new(Mutex::new(Vec::new()));
    let build = |compiler: PathBuf| {
        let compiled = compiled.clone();
        let tell = move |progress: &Progress| {
            if let Progress::Compiled { name, .. } = progress {
                compiled.lock().unwrap().push(name.clone());
            }
        };
        engine(&cache).compiler(compiler).progress(tell).build().unwrap()
    };
    let first = build(program("tidegate-compile"));
    first.load_file(guest("spin")).await.unwrap();
    assert_eq!((compiled.lock().unwrap().as_slice(), entries()), (&["spin".to_owned()][..], 1));

    let without = build("/nowhere/tidegate-compile".into());
    let moved = folder.path().join("moved.wasm");
    let mut bytes = std::fs::read(guest("spin")).unwrap();
    std::fs::write(&moved, &bytes).unwrap();
    for script in
        [without.load_file(&moved).await.unwrap(), without.load_bytes("given", &bytes).await.unwrap()]
    {
        let run = script.run().user_agent("tests/1").arguments(["exit", "7"]).start().await.unwrap();
        assert_eq!(run.ending, Ending::Exited(7));
    }
    assert_eq!(entries(), 1);

    // A custom section more, of no name and no content: another component.
    bytes.extend([0, 1, 0]);
    assert!(without.load_bytes("given", &bytes).await.is_err());
    first.load_bytes("other", &bytes).await.unwrap();
    assert_eq!((compiled.lock().unwrap().len(), entries()), (2, 2));
    without.load_bytes("given", &bytes).await.unwrap();
    // And the same file under the same name with other bytes is not what was kept for it.
    std::fs::write(&moved, b"text").unwrap();
    assert!(first.load_file(&moved).await.is_err());
}

/// An embedder has to say who asks, whichever way the run is described.
#[tokio::test(flavor = "current_thread")]
async fn an_embedder_has_to_name_a_user_agent() {
    let cache = tempfile::tempdir().unwrap();
    let engine = engine(&cache.path().join("compiled")).build().unwrap();
    let script = engine.load_file(guest("ask")).await.unwrap();
    let peer = peer();
    let tenant = Tenant::of_peer("x".to_owned(), &peer);
    for run in [
        script.run(),
        script.run().user_agent(""),
        script.run().user_agent(" \t"),
        script.run().options(Options::new("")),
        script.run().options(tenant.options()).user_agent(""),
    ] {
        let error = run.grants(tenant.grants()).arguments(["/x"]).start().await.unwrap_err();
        assert!(matches!(error, RunError::NoUserAgent) && error.cure().is_some(), "{error}");
    }
    assert_eq!(peer.connections(), 0);
    // Besides options it replaces theirs; what no header can hold is written otherwise.
    for (given, sent) in
        [("fleet-view/1.4", "fleet-view/1.4"), ("fleet\r\nX-Evil: yes", "fleet__X-Evil: yes")]
    {
        let run = script.run().options(tenant.options()).user_agent(given).grants(tenant.grants());
        let run = run.arguments(["/x"]).stdout(Output::null()).stderr(Output::null());
        assert_eq!(run.start().await.unwrap().ending, Ending::Exited(0));
        let seen = peer.seen().pop().unwrap();
        assert_eq!((seen.header("user-agent"), seen.header("x-evil")), (Some(sent), None));
    }
}

/// `tidegate/<version> (<guest name>)`, of every transport whose requests are ours, for every request; the script has no say in it.
#[test]
fn the_program_names_its_version_and_the_script() {
    let version = Run::command("--version").run().expect_code(0);
    let version = version.stdout.trim().strip_prefix("tidegate ").unwrap().to_owned();
    let folder = tempfile::tempdir().unwrap();
    let renamed = folder.path().join("fleet view.wasm");
    std::fs::copy(guest("ask"), &renamed).unwrap();
    for via in ["in-cluster", "kube-config", "kubectl-proxy"] {
        for (script, name) in [("ask", "ask"), (renamed.to_str().unwrap(), "fleet view")] {
            let peer = peer();
            let run = Run::guest(script).flag("--allow-read").flag(format!("--allow-net={}", peer.address()));
            let run = run
                .flag_path("--kubeconfig", &peer.kubeconfig())
                .flag_path("--service-account", &peer.folder());
            let run = run.flag(format!("--in-cluster-address={}", peer.address()));
            // The proxy's endpoint over TLS is not for its CA: plain.
            let proxy = Peer::saying(vec![Act::json("{}")]);
            let run = run
                .flag(format!("--allow-net={}", proxy.address()))
                .flag(format!("--kubectl-proxy={}", proxy.url()));
            run.arguments(&["--via", via, "/x", "/y?watch=true"]).run().expect_code(0);
            let seen: Vec<_> = peer.seen().into_iter().chain(proxy.seen()).collect();
            assert_eq!(seen.len(), 3, "{via}: {seen:?}");
            for asked in seen {
                assert_eq!(
                    asked.header("user-agent"),
                    Some(format!("tidegate/{version} ({name})").as_str()),
                    "{via}"
                );
            }
        }
    }
    let peer = peer();
    let doctor = Run::command("doctor")
        .flags("-A --transports=KubeConfig")
        .flag_path("--kubeconfig", &peer.kubeconfig());
    doctor.run().expect_code(0);
    assert_eq!(peer.seen()[0].header("user-agent"), Some(format!("tidegate/{version} (doctor)").as_str()));
    // kubectl speaks for itself, and takes no other name; doctor's question was the first.
    let run = Run::guest("ask").flag_path("--kubectl", &kubectl()).flag_path("--allow-run", &kubectl());
    let run = run.variable("KUBECONFIG", peer.kubeconfig()).arguments(&["--via", "kubectl-raw", "/x"]);
    run.run().expect_code(0);
    let seen = peer.seen();
    assert!(seen.len() > 1);
    for asked in &seen[1..] {
        let sent = asked.header("user-agent").unwrap_or_default();
        assert!(sent.contains("kubernetes/") && !sent.contains("tidegate"), "{sent}");
    }
}
