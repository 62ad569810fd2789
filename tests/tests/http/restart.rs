//! The real API server over HTTP/2: what shares a connection, and a server that ends and comes back.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::process::Stdio;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use tidegate_cluster::{Cluster, Ending, Options, Tools};
use tidegate_tests::Run;

/// Passes bytes on to a server, and counts the connections.
struct Counter {
    address: SocketAddr,
    connections: Arc<AtomicUsize>,
}

impl Counter {
    fn before(server: SocketAddr) -> Counter {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let connections = Arc::new(AtomicUsize::new(0));
        let count = connections.clone();
        std::thread::spawn(move || {
            for client in listener.incoming().map_while(Result::ok) {
                count.fetch_add(1, Ordering::SeqCst);
                let Ok(upstream) = TcpStream::connect(server) else { continue };
                let (back, forth) = (client.try_clone().unwrap(), upstream.try_clone().unwrap());
                std::thread::spawn(move || copy(client, forth));
                std::thread::spawn(move || copy(upstream, back));
            }
        });
        Counter { address, connections }
    }
}

fn copy(mut from: TcpStream, mut to: TcpStream) {
    let mut bytes = [0; 16 << 10];
    while let Ok(read @ 1..) = from.read(&mut bytes) {
        if to.write_all(&bytes[..read]).is_err() {
            break;
        }
    }
    let _ = to.shutdown(std::net::Shutdown::Write);
}

fn run(cluster: &Cluster, address: SocketAddr) -> (Run, tempfile::TempDir) {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("ca.crt"), cluster.ca_pem()).unwrap();
    let text = format!(
        "clusters: [{{name: c, cluster: {{server: 'https://{address}', certificate-authority: ca.crt}}}}]
users: [{{name: u, user: {{token: {}}}}}]
contexts: [{{name: x, context: {{cluster: c, user: u}}}}]
current-context: x\n",
        cluster.admin_token()
    );
    let config = folder.path().join("config");
    std::fs::write(&config, text).unwrap();
    let run = Run::guest("ask")
        .flag("--transports=KubeConfig")
        .flag_path("--kubeconfig", &config)
        .flag_path("--allow-read", folder.path())
        .flag(format!("--allow-net={address}"));
    (run.argument("--via").argument("kube-config"), folder)
}

/// A request that changes something is sent once the server is back, over a connection that died meanwhile, and nobody hears of it.
#[test]
fn a_server_that_comes_back_is_no_error() {
    let tools = Tools::ensure(&mut |line| eprintln!("{line}")).unwrap();
    let mut cluster = Cluster::start(&tools, Options::api_only()).unwrap();
    let counter = Counter::before(cluster.address());
    let (run, _folder) = run(&cluster, counter.address);
    let review = tidegate_tests::REVIEW;
    let mut live = run.reviews(&[review, review, "@wait", review, "@wait", review]).live_with(Stdio::piped());
    live.line_of("done");
    live.line_of("done");
    for ending in [Ending::Asked, Ending::Killed] {
        live.line_of("waiting");
        let before = counter.connections.load(Ordering::SeqCst);
        cluster.restart_api_server(ending).unwrap();
        live.write("\n");
        assert!(live.line_of("item 1").contains("\"username\":\"admin\""), "{ending:?}");
        assert_eq!(counter.connections.load(Ordering::SeqCst), before + 1, "{ending:?}");
    }
}

/// Short requests go over one connection, one after the other; a watch takes it for itself.
#[test]
fn requests_share_and_watches_do_not() {
    let tools = Tools::ensure(&mut |line| eprintln!("{line}")).unwrap();
    let cluster = Cluster::start(&tools, Options::api_only()).unwrap();
    let counter = Counter::before(cluster.address());
    let (run, _folder) = run(&cluster, counter.address);
    let mut paths = vec!["/api/v1/namespaces"; 30];
    paths.push("/api/v1/namespaces?watch=true&timeoutSeconds=1");
    paths.push("/api/v1/namespaces");
    run.arguments(&paths).run().expect_code(0);
    assert_eq!(counter.connections.load(Ordering::SeqCst), 1, "one after the other they need no second");
}
