//! The same guest before the real API server, over HTTP/2.

use tidegate_cluster::{AuthKind, Behind, Cluster, Options, Shared};
use tidegate_tests::Run;

use crate::lines;

fn on(cluster: &Cluster, words: &[&str]) -> Run {
    let kubeconfig = cluster.kubeconfig(AuthKind::Token);
    let run = Run::guest("requests")
        .flag("--transports=KubeConfig")
        .flag_path("--kubeconfig", &kubeconfig)
        .flag_path("--allow-read", &kubeconfig)
        .flag(format!("--allow-net={}", cluster.address()));
    run.arguments(words)
}

#[test]
fn the_real_server_understands_each_of_them() {
    static CLUSTER: Shared = Shared::new(|| Options::api_only().with_kubelet());
    let cluster = CLUSTER.get().unwrap();
    cluster.run_pod("requests", "web", &["web"], &Behind::default()).unwrap();
    let outcome = on(cluster, &["real", "requests"]).run().expect_code(0);
    assert_eq!(
        lines(&outcome),
        [
            "POST: 201 application/json",
            "GET: 200",
            "GET with a query: 1",
            "GET of a table: true",
            "PUT: 200",
            "PATCH: 200",
            "PATCH with a warning: unknown field \"odd\"",
            "HEAD: error status 405 MethodNotAllowed",
            "OPTIONS: error status 405 MethodNotAllowed",
            "event: EventType::Added",
            "lines: 1",
            "a silence: error timeout",
            "DELETE: 200",
            "GET of what is gone: error status 404 NotFound",
        ]
    );
    let outcome = on(cluster, &["tunnel", "requests", "web"]).run().expect_code(0);
    assert_eq!(lines(&outcome), ["tunnel: 7 \"through \\r\\n the tunnel\" \"err\\n\""]);
}
