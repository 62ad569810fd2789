//! What a guest reaches by itself (row H6): nothing without `--wasi-*`, and never what is tidegate's or a transport's.
#![allow(
    clippy::disallowed_methods,
    clippy::disallowed_types,
    reason = "tests make files and peers themselves"
)]

mod common;

use std::fs;
use std::path::Path;
use std::sync::{Arc, Mutex};

use common::peer::Peer;
use common::{engine, guest, quiet, shared_cache};
use tidegate::grants::{Grants, Kind};
use tidegate::transport::{Event, Observer, Options};

#[derive(Default)]
struct Warnings(Mutex<Vec<String>>);

impl Observer for Warnings {
    fn event(&self, event: &Event<'_>) {
        if let Event::Warning { text } = event {
            self.0.lock().unwrap().push((*text).to_owned());
        }
    }
}

/// A host of a tenant's own: a home with a kubeconfig, and an environment.
struct Host {
    home: tempfile::TempDir,
    warnings: Arc<Warnings>,
}

impl Host {
    fn new() -> Self {
        let home = tempfile::tempdir().unwrap();
        let file = |name: &str, text: &str| {
            let path = home.path().join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        };
        file("data/hello", "hello");
        file("keys/client.key", "secret");
        file("keys/other", "other");
        file(
            ".kube/config",
            "apiVersion: v1\nkind: Config\nclusters: [{name: a, cluster: {server: 'https://127.0.0.1:16443'}}]\n\
             users: [{name: u, user: {client-certificate: ../keys/client.crt, client-key: ../keys/client.key}}]\n",
        );
        Self { home, warnings: Arc::default() }
    }

    fn path(&self, name: &str) -> String {
        self.home.path().join(name).to_string_lossy().into_owned()
    }

    /// What the guest got or did not get, a line each, without the reasons for what it did not.
    async fn probe(&self, program: &str, grants: Grants, attempts: &[&str]) -> Vec<String> {
        let engine = engine(&shared_cache()).build().unwrap();
        let script = engine.load_file(guest(program)).await.unwrap();
        let mut options = Options::new("tests");
        options.observer = self.warnings.clone();
        let (run, out, err) = quiet(&script);
        let run = run.options(options).grants(grants).arguments(attempts.iter().copied());
        let run =
            run.environment([("HOME", self.path("")), ("SECRET", "x".to_owned()), ("APP_A", "1".to_owned())]);
        run.start().await.unwrap();
        let lines = out.text();
        assert!(!lines.is_empty(), "{}", err.text());
        lines
            .lines()
            .map(|line| if line.starts_with("nothing") { first_words(line) } else { line.to_owned() })
            .collect()
    }
}

fn first_words(line: &str) -> String {
    line.split(": ").next().unwrap_or(line).to_owned()
}

fn grants(flags: &[(Kind, Option<&str>)]) -> Grants {
    let mut builder = Grants::builder();
    for &(kind, value) in flags {
        builder.wasi(kind, value).unwrap();
    }
    builder.build()
}

#[tokio::test]
async fn what_the_host_may_do_is_not_what_the_guest_may_do() {
    let host = Host::new();
    let mut everything = Grants::builder();
    everything.allow_all();
    let everything = everything.build();
    let hello = format!("read:{}", host.path("data/hello"));
    let attempts = [
        "preopens",
        "envs",
        &hello,
        "lookup:localhost",
        "tcp:127.0.0.1:9",
        "listen:127.0.0.1:0",
        "udp:127.0.0.1:53",
    ];
    for line in host.probe("probe-wasi", everything.clone(), &attempts).await {
        assert!(line.starts_with("nothing"), "{line}");
    }
    let peer = Peer::start().await;
    for line in host.probe("probe-wasi-http", everything, &[&peer.endpoint()]).await {
        assert!(line.starts_with("nothing"), "{line}");
    }
}

#[tokio::test]
async fn folders_and_variables_that_are_named() {
    let host = Host::new();
    let data = host.path("data");
    let (read, write) = (format!("read:{data}/hello"), format!("write:{data}/new"));
    let outside = format!("read:{data}/../keys/other");
    let attempts = [read.as_str(), &write, &outside, "env:APP_A", "env:SECRET", "env:HOME"];
    let reading = [(Kind::Read, Some(data.as_str())), (Kind::Env, Some("APP_*"))];
    let lines = host.probe("probe-wasi", grants(&reading), &attempts).await;
    let expected = [
        format!("got {read}: 5 bytes"),
        format!("nothing {write}"),
        format!("nothing {outside}"),
        "got env:APP_A: 1".to_owned(),
        "nothing env:SECRET".to_owned(),
        "nothing env:HOME".to_owned(),
    ];
    assert_eq!(lines, expected);
    let writing = [(Kind::Write, Some(data.as_str()))];
    let lines = host.probe("probe-wasi", grants(&writing), &[&read, &write]).await;
    assert_eq!(lines, [format!("got {read}: 5 bytes"), format!("got {write}: written")]);
    assert!(host.warnings.0.lock().unwrap().is_empty());
}

/// A folder in or above something protected is refused as a whole, with a warning that names it, and the run goes on.
#[tokio::test]
async fn what_transports_and_tidegate_keep_is_out_of_reach() {
    let cache = shared_cache();
    let cases = [
        ("/", "/"),
        ("", ".kube/config"),
        (".kube", ".kube/config"),
        ("keys", "keys/client.key"),
        ("/proc", "/proc/self/environ"),
        ("/proc/self", "/proc/self/environ"),
        ("/dev", "/dev/fd/0"),
        (cache.to_str().unwrap(), cache.to_str().unwrap()),
        (cache.parent().unwrap().to_str().unwrap(), cache.to_str().unwrap()),
    ];
    for (folder, file) in cases {
        let host = Host::new();
        let (folder, file) = (host.home.path().join(folder), host.home.path().join(file));
        let flag = [(Kind::Read, folder.to_str())];
        let (read, list) = (format!("read:{}", file.display()), format!("list:{}", folder.display()));
        let lines = host.probe("probe-wasi", grants(&flag), &["preopens", &read, &list]).await;
        assert!(lines.iter().all(|line| line.starts_with("nothing")), "{folder:?}: {lines:?}");
        let warnings = host.warnings.0.lock().unwrap().join("\n");
        assert!(
            warnings.contains(&format!("{folder:?}").replace("/\"", "\"").replace("\"\"", "\"/\"")),
            "{folder:?}: {warnings}"
        );
    }
}

#[tokio::test]
async fn a_link_out_of_a_folder_leads_nowhere() {
    let host = Host::new();
    std::os::unix::fs::symlink(host.path("keys/other"), host.path("data/link")).unwrap();
    let data = host.path("data");
    let read = format!("read:{data}/link");
    let lines = host.probe("probe-wasi", grants(&[(Kind::Read, Some(&data))]), &[&read]).await;
    assert_eq!(lines, [format!("nothing {read}")]);
}

#[tokio::test]
async fn sockets_look_ups_and_requests_that_are_named() {
    let (host, peer, other) = (Host::new(), Peer::start().await, Peer::start().await);
    let tcp = |peer: &Peer| format!("tcp:{}", peer.endpoint());
    let (own, others) = (tcp(&peer), tcp(&other));
    let attempts = [own.as_str(), &others, "lookup:localhost", "lookup:example.org", "listen:127.0.0.1:0"];
    let by_address = [(Kind::Net, Some(peer.endpoint()))].map(|(kind, value)| (kind, value));
    let by_address: Vec<(Kind, Option<&str>)> =
        by_address.iter().map(|(kind, value)| (*kind, value.as_deref())).collect();
    let lines = host.probe("probe-wasi", grants(&by_address), &attempts).await;
    let expected = [
        format!("got {own}: connected"),
        format!("nothing {others}"),
        "nothing lookup:localhost".to_owned(),
        "nothing lookup:example.org".to_owned(),
        "nothing listen:127.0.0.1:0".to_owned(),
    ];
    assert_eq!(lines, expected);

    // By name: an address is reached only through a look-up of that name.
    let port = peer.endpoint().rsplit_once(':').unwrap().1.to_owned();
    let name = format!("localhost:{port}");
    let by_name = [(Kind::Net, Some(name.as_str()))];
    let lines = host.probe("probe-wasi", grants(&by_name), &[&own]).await;
    assert_eq!(lines, [format!("nothing {own}")]);
    let lines = host.probe("probe-wasi", grants(&by_name), &["lookup:localhost", &own, &others]).await;
    assert!(lines[0].starts_with("got lookup:localhost") && lines[1].starts_with("got"), "{lines:?}");
    assert_eq!(lines[2], format!("nothing {others}"));

    assert_eq!(host.probe("probe-wasi-http", grants(&by_name), &[&name]).await, ["got 200"]);
    assert_eq!(host.probe("probe-wasi-http", grants(&by_name), &[&other.endpoint()]).await, ["nothing"]);
}

/// The endpoint of a transport stays the transport's, whatever the flags say.
#[tokio::test]
async fn a_transports_endpoint_is_out_of_reach() {
    let (host, peer) = (Host::new(), Peer::start().await);
    let config = format!(
        "apiVersion: v1\nkind: Config\nclusters: [{{name: a, cluster: {{server: '{}'}}}}]\n",
        peer.url()
    );
    fs::write(host.home.path().join(".kube/config"), config).unwrap();
    let own = format!("tcp:{}", peer.endpoint());
    let lines = host.probe("probe-wasi", grants(&[(Kind::Net, None)]), &[&own]).await;
    assert_eq!(lines, [format!("nothing {own}")]);
    let lines = host.probe("probe-wasi-http", grants(&[(Kind::Net, None)]), &[&peer.endpoint()]).await;
    assert!(lines[0].starts_with("nothing"), "{lines:?}");
    assert!(Path::new(&host.path(".kube/config")).is_file());
}
