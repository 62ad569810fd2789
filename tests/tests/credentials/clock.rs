//! A token in a file that changes while a guest has a client: looked at again after a minute, and at once when the server refuses it.
//!
//! The host is a library here, so that its clock can be set forward; the server and the files are real.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use tidegate::grants::{Grants, Kind};
use tidegate::transport::{Kind as Transport, Options};
use tidegate::{Cache, Engine, Input, Output};
use tidegate_tests::{Act, Peer, guest, program};
use tokio::io::AsyncWriteExt as _;

/// A server that takes whatever is in `good`.
struct Place {
    peer: Peer,
    good: Arc<Mutex<Vec<&'static str>>>,
}

impl Place {
    fn new() -> Place {
        let good = Arc::new(Mutex::new(vec!["one", "two", "three"]));
        let own = good.clone();
        let peer = Peer::answering(move |asked| {
            let told = asked.header("authorization").and_then(|value| value.strip_prefix("Bearer "));
            if told.is_some_and(|token| own.lock().unwrap().contains(&token)) {
                asked.or_api(|| vec![Act::json("{}")])
            } else {
                vec![Act::respond("401 Unauthorized", "application/json", "{}")]
            }
        });
        peer.write("token", "one\n");
        peer.write("config", &peer.kubeconfig_with("{tokenFile: token}"));
        Place { peer, good }
    }

    fn options(&self, transport: Transport) -> Options {
        let mut options = Options::new("tidegate-tests (clock)");
        options.transports = vec![transport];
        options.kubeconfig.path = Some(self.peer.kubeconfig());
        options.in_cluster.folder = Some(self.peer.folder());
        options.in_cluster.address = Some(self.peer.address());
        options
    }

    fn grants(&self) -> Grants {
        let mut grants = Grants::builder();
        grants.allow(Kind::Read, self.peer.folder().to_str()).unwrap();
        grants.allow(Kind::Net, Some(&self.peer.address())).unwrap();
        grants.build()
    }

    /// What the server was told with each request of the guest, once there were as many.
    async fn told(&self, requests: usize) -> Vec<String> {
        loop {
            let seen = self.peer.seen();
            let own = seen.iter().filter(|asked| asked.target.starts_with("/step"));
            let told: Vec<String> = own
                .map(|asked| asked.header("authorization").unwrap_or_default().replace("Bearer ", ""))
                .collect();
            if told.len() >= requests {
                return told;
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }
}

async fn a_minute_later() {
    tokio::time::pause();
    tokio::time::advance(Duration::from_secs(61)).await;
    tokio::time::resume();
}

#[tokio::test(flavor = "current_thread")]
async fn a_token_file_is_read_again_after_a_minute_and_when_it_is_refused() {
    let cache = tempfile::tempdir().unwrap();
    let engine = Engine::builder()
        .cache(Cache::Folder(cache.path().join("compiled")))
        .compiler(program("tidegate-compile"))
        .build()
        .unwrap();
    let script = engine.load_file(guest("ask")).await.unwrap();
    for (transport, via) in [(Transport::KubeConfig, "kube-config"), (Transport::InCluster, "in-cluster")] {
        let place = Place::new();
        let (mut lines, stdin) = tokio::io::duplex(64);
        let (stdout, written) = Output::capture(1 << 16);
        let steps =
            ["/step/1", "@wait", "/step/2", "@wait", "/step/3", "@wait", "/step/4", "@wait", "/step/5"];
        let run = script
            .run()
            .options(place.options(transport))
            .grants(place.grants())
            .stdin(Input::reader(stdin))
            .stdout(stdout)
            .stderr(Output::null())
            .arguments(["--via", via].into_iter().chain(steps));
        let drive = async {
            place.told(1).await;
            // The old one is good, and a minute is not over: nobody looks.
            place.peer.write("token", "two\n");
            lines.write_all(b"\n").await.unwrap();
            place.told(2).await;
            a_minute_later().await;
            lines.write_all(b"\n").await.unwrap();
            place.told(3).await;
            // Refused, it is read at once, and the guest hears nothing of it.
            place.peer.write("token", "  three \r\n");
            place.good.lock().unwrap().retain(|token| *token != "two");
            lines.write_all(b"\n").await.unwrap();
            place.told(5).await;
            // Empty while it is replaced, it stays as it was.
            place.peer.write("token", "");
            a_minute_later().await;
            lines.write_all(b"\n").await.unwrap();
        };
        let (outcome, ()) = tokio::join!(run.start(), drive);
        assert_eq!(outcome.unwrap().exit_code(), 0, "{via}: {}", written.text());
        assert_eq!(place.told(6).await, ["one", "one", "two", "two", "three", "three"], "{via}");
    }
}
