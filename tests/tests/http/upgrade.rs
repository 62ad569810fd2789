//! Upgrades: over HTTP/1.1, each over a connection of its own, beside what goes over HTTP/2.

use futures_util::future::join_all;
use tidegate::kube::channels::process;
use tidegate::kube::request::{Method, Request};
use tidegate::transport::{Code, Feature};
use tidegate_cluster::{Behind, Cluster, Options, Tools};

use crate::Place;
use crate::counter::{Counter, Pace};

const EXEC: &str = "/api/v1/namespaces/shop/pods/web/exec?container=web&stdin=true&stdout=true&command=cat";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_upgrade_has_an_http_1_1_connection_of_its_own() {
    let tools = Tools::ensure(&mut |line| eprintln!("{line}")).unwrap();
    let cluster = Cluster::start(&tools, Options::api_only().with_kubelet()).unwrap();
    cluster.run_pod("shop", "web", &["web"], &Behind::default()).unwrap();
    let counter = Counter::before(cluster.address(), Pace::Free);
    let transport = Place::new(&cluster, counter.address).reach().await;
    assert!(transport.support().has(Feature::Exec), "{:?}", transport.support());
    let ask = || async {
        let request = Request::new(Method::Get, "/api/v1/namespaces/shop");
        transport.clone().send(request, None).await.unwrap().body.whole(1 << 20).await.unwrap()
    };
    join_all((0..20).map(|_| ask())).await;
    assert_eq!(counter.connections(), 1, "HTTP/2");

    let mut tunnels = Vec::new();
    for open in 1..=3 {
        let exec = Request::new(Method::Get, EXEC);
        let tunnel = transport.clone().tunnel(exec, process::PROTOCOLS).await.unwrap();
        assert_eq!(tunnel.protocol(), process::V5);
        tunnels.push(tunnel);
        join_all((0..20).map(|_| ask())).await;
        assert_eq!(counter.connections(), 1 + open, "a connection for each, and one that all else shares");
    }
    for (index, tunnel) in tunnels.iter().enumerate() {
        let word = format!("word {index}");
        tunnel.send(process::STDIN, word.clone().into()).await.unwrap();
        let mut said = Vec::new();
        while said.len() < word.len() {
            let piece = tunnel.next().await.unwrap().expect("it goes on");
            if piece.channel == process::STDOUT {
                said.extend_from_slice(&piece.bytes);
            }
        }
        assert_eq!(said, word.as_bytes());
    }
    drop(tunnels);

    // What is refused is refused before the upgrade, with the server's words.
    let nobody = Request::new(Method::Get, EXEC.replace("/web/", "/nobody/"));
    let error = transport.clone().tunnel(nobody, process::PROTOCOLS).await.unwrap_err();
    assert_eq!(error.code(), Code::Status, "{error:?}");
    assert_eq!(error.status().unwrap().code, 404, "{error:?}");
    // And what was not upgraded goes on as before.
    let before = counter.connections();
    join_all((0..20).map(|_| ask())).await;
    assert_eq!(counter.connections(), before);
}
