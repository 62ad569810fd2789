//! Guests of this process before a real cluster, through a proxy that harms their connections: what came of them, and what is left.

use std::future::Future;
use std::pin::Pin;
use std::time::{Duration, Instant};

use tidegate::grants::{Grants, Kind};
use tidegate::transport::{Kind as Transport, Options};
use tidegate::{Cache, Captured, Engine, Input, Outcome, Output, Script};
use tidegate_cluster::{AuthKind, Cluster};
use tidegate_tests::{FaultProxy, guest, program};

/// An engine, and a folder for what its guests need.
pub(crate) struct Place {
    cluster: &'static Cluster,
    folder: tempfile::TempDir,
    engine: Engine,
    before: usize,
}

/// A guest that runs, while its end is waited for.
pub(crate) struct Running {
    arguments: String,
    pub(crate) end: Pin<Box<dyn Future<Output = Outcome>>>,
    pub(crate) stdout: Captured,
    pub(crate) stderr: Captured,
}

impl Running {
    /// What waits until the guest has written this.
    pub(crate) fn says(&self, words: &str) -> impl Future<Output = ()> + use<> {
        let (stdout, stderr) = (self.stdout.clone(), self.stderr.clone());
        let (words, arguments) = (words.to_owned(), self.arguments.clone());
        async move {
            let patience = Instant::now();
            while !stdout.text().contains(&words) {
                let (out, err) = (stdout.text(), stderr.text());
                assert!(
                    patience.elapsed() < Duration::from_secs(60),
                    "{arguments}: no {words:?} in {out:?}, {err:?}"
                );
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        }
    }
}

impl Place {
    pub(crate) fn new(cluster: &'static Cluster) -> Place {
        let folder = tempfile::tempdir().expect("a folder");
        let engine = Engine::builder()
            .cache(Cache::Folder(folder.path().join("compiled")))
            .compiler(program("tidegate-compile"));
        let engine = engine.build().expect("an engine");
        Place { cluster, folder, engine, before: tasks() }
    }

    pub(crate) async fn script(&self, name: &str) -> Script {
        self.engine.load_file(guest(name)).await.expect("a guest")
    }

    /// Starts a guest that may reach the cluster through this proxy alone, and listen on 127.0.0.1.
    pub(crate) fn run(
        &self,
        script: &Script,
        proxy: &FaultProxy,
        arguments: &[&str],
        stdin: Input,
    ) -> Running {
        let (server, proxy) = (self.cluster.address().to_string(), proxy.address().to_string());
        let config = self.folder.path().join(format!("config-{proxy}"));
        let text = std::fs::read_to_string(self.cluster.kubeconfig(AuthKind::Token)).expect("the kubeconfig");
        std::fs::write(&config, text.replace(&server, &proxy)).expect("write");
        let mut grants = Grants::builder();
        grants.allow(Kind::Read, config.to_str()).expect("a flag");
        grants.allow(Kind::Net, Some(&proxy)).expect("a flag");
        grants.allow(Kind::Listen, Some("127.0.0.1")).expect("a flag");
        let mut options = Options::new("tests/1");
        options.transports = vec![Transport::KubeConfig];
        options.kubeconfig.path = Some(config);
        let ((out, stdout), (err, stderr)) = (Output::capture(16 << 20), Output::capture(1 << 16));
        let run = script.run().grants(grants.build()).options(options).stdin(stdin).stdout(out).stderr(err);
        let run = run.arguments(arguments.iter().copied());
        let end = Box::pin(async { run.start().await.expect("a run") });
        Running { arguments: arguments.join(" "), end, stdout, stderr }
    }

    /// Waits until there are no more tasks than before.
    pub(crate) async fn no_task_is_left(&self, what: &str) {
        let patience = Instant::now();
        while tasks() > self.before {
            let left = tasks() - self.before;
            assert!(patience.elapsed() < Duration::from_secs(10), "{what}: {left} tasks");
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }
}

/// Waits until nothing goes through a proxy any more.
pub(crate) async fn closed(proxy: &FaultProxy, what: &str) {
    let patience = Instant::now();
    while proxy.open() > 0 {
        assert!(patience.elapsed() < Duration::from_secs(10), "{what}: a socket is left");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

/// Tasks of this runtime.
fn tasks() -> usize {
    tokio::runtime::Handle::current().metrics().num_alive_tasks()
}
