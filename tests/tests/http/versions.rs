//! HTTP/2 where the server offers it, else HTTP/1.1; and what shares a connection.

use futures_util::future::join_all;
use tidegate::kube::request::{Method, Request};
use tidegate_cluster::{Cluster, Options, Shared};
use tidegate_tests::{Door, Recorder, Run};

use crate::Place;
use crate::counter::{Counter, Pace};

fn cluster() -> &'static Cluster {
    static CLUSTER: Shared = Shared::new(Options::api_only);
    CLUSTER.get().unwrap()
}

/// Fifty at once over one connection are fifty streams of HTTP/2.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_asked_at_once_shares_a_connection_where_http_2_is_offered() {
    let counter = Counter::before(cluster().address(), Pace::Free);
    let transport = Place::new(cluster(), counter.address).reach().await;
    let ask = || async {
        let request = Request::new(Method::Get, "/api/v1/namespaces");
        transport.clone().send(request, None).await.unwrap().body.whole(1 << 20).await.unwrap()
    };
    for _ in 0..3 {
        let bodies = join_all((0..50).map(|_| ask())).await;
        assert!(bodies.iter().all(|body| body.starts_with(b"{\"kind\":\"NamespaceList\"")));
    }
    assert_eq!(counter.connections(), 1);
}

/// The recorder speaks HTTP/1.1 alone, and writes down what it was offered.
#[test]
fn http_1_1_where_http_2_is_not_offered() {
    let recorder = Recorder::start();
    let folder = tempfile::tempdir().unwrap();
    let config = folder.path().join("config");
    let address = recorder.address(Door::Tls);
    let text = format!(
        "clusters: [{{name: c, cluster: {{server: 'https://{address}', insecure-skip-tls-verify: true}}}}]
contexts: [{{name: x, context: {{cluster: c}}}}]
current-context: x\n"
    );
    std::fs::write(&config, text).unwrap();
    let run = Run::guest("ask").flag("-A").flag_path("--kubeconfig", &config);
    run.arguments(&["--via", "kube-config"])
        .arguments(&["/api/v1/namespaces/web/pods"; 3])
        .run()
        .expect_code(0);
    let records = recorder.records();
    assert_eq!((records.len(), recorder.connections()), (4, 1), "one connection, kept");
    assert!(records.iter().all(|record| record.protocols == ["h2", "http/1.1"]), "{records:?}");
}

/// Short requests go over one connection, one after the other; a watch takes it for itself, and another is opened beside it.
#[test]
fn requests_share_and_watches_do_not() {
    let counter = Counter::before(cluster().address(), Pace::Free);
    let place = Place::new(cluster(), counter.address);
    let mut paths = vec!["/api/v1/namespaces"; 30];
    paths.push("/api/v1/namespaces?watch=true&timeoutSeconds=1");
    paths.push("/api/v1/namespaces");
    place.run().arguments(&paths).run().expect_code(0);
    assert_eq!(counter.connections(), 1, "one after the other they need no second");
}

/// Of three watches and what is asked meanwhile, each watch has a connection to itself.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn long_streams_have_connections_of_their_own() {
    let counter = Counter::before(cluster().address(), Pace::Free);
    let transport = Place::new(cluster(), counter.address).reach().await;
    let ask =
        async |path: &str| transport.clone().send(Request::new(Method::Get, path), None).await.unwrap().body;
    let mut watches = Vec::new();
    for open in 1..=3 {
        watches.push(ask("/api/v1/namespaces?watch=true&timeoutSeconds=300").await);
        let asked = join_all((0..20).map(|_| ask("/api/v1/namespaces"))).await;
        for body in asked {
            body.whole(1 << 20).await.unwrap();
        }
        // One for each watch, and one that all else shares.
        assert_eq!(counter.connections(), open + 1);
    }
    drop(watches);
    join_all((0..20).map(|_| ask("/api/v1/namespaces"))).await;
    assert_eq!(counter.connections(), 4, "what a watch gives back is used again");
}
