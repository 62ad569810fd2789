//! Proxies that do what they should not, and what a refusal says. Those that work are in tests/: real ones.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use tidegate_transport::{Choice, Code, Direct, DirectCredential, Error, Transport, connect, connect_direct};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

use crate::peer::{Peer, json, kubernetes};
use crate::pki::Authority;
use crate::setup::{authority, kubeconfig, options};

/// What a proxy does with a connection: these bytes in turn, one for each piece that comes; and then it closes, or not.
#[derive(Clone)]
struct Manners {
    says: Vec<Vec<u8>>,
    closes: bool,
}

struct Proxy {
    address: SocketAddr,
    heard: Arc<Mutex<Vec<u8>>>,
    task: JoinHandle<()>,
}

impl Proxy {
    async fn start(manners: Manners) -> Proxy {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("bind");
        let address = listener.local_addr().expect("address");
        let heard = Arc::new(Mutex::new(Vec::new()));
        let record = heard.clone();
        let task = tokio::spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                let (manners, record) = (manners.clone(), record.clone());
                tokio::spawn(async move {
                    for says in manners.says {
                        let mut bytes = vec![0; 4096];
                        let Ok(read) = stream.read(&mut bytes).await else { return };
                        record.lock().expect("lock").extend_from_slice(&bytes[..read]);
                        if stream.write_all(&says).await.is_err() {
                            return;
                        }
                    }
                    if !manners.closes {
                        std::future::pending::<()>().await;
                    }
                });
            }
        });
        Proxy { address, heard, task }
    }

    fn heard(&self) -> Vec<u8> {
        self.heard.lock().expect("lock").clone()
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn through(proxy: &str, server: &str, more: &str) -> Result<Arc<dyn Transport>, Error> {
    let cluster = format!("server: '{server}', proxy-url: '{proxy}'{more}");
    let document = kubeconfig(&cluster, "token: hunter2");
    let choice = Choice::ForKubeConfig { document: document.into_bytes(), context: None };
    let mut options = options();
    options.probe_deadline = Duration::from_secs(1);
    connect(&authority(&[("net", "")], &[]), &options, choice).await
}

#[tokio::test]
async fn a_bad_http_proxy_is_told_within_the_deadline() {
    let says = |text: &str| Manners { says: vec![text.as_bytes().to_vec()], closes: true };
    let endless = Manners {
        says: vec![[&b"HTTP/1.1 200 OK\r\n"[..], &b"X: y\r\n".repeat(200_000)].concat()],
        closes: false,
    };
    let stalls = Manners { says: vec![Vec::new()], closes: false };
    let talks = says("HTTP/1.1 200 OK\r\n\r\n<html>welcome</html>");
    for (what, manners, code, words) in [
        ("stalls", stalls, Code::Timeout, "did not connect to 10.9.9.9:443 within the deadline"),
        ("closes", says(""), Code::Unreachable, "closed the connection before"),
        ("half an answer", says("HTTP/1.1 20"), Code::Unreachable, "closed the connection before"),
        ("wants a user", says("HTTP/1.1 407 P\r\n\r\n"), Code::Forbidden, "http://user:password@host:port"),
        (
            "wants it otherwise",
            says("HTTP/1.0 401 U\r\n\r\n"),
            Code::Forbidden,
            "wants a user and a password (401)",
        ),
        ("forbids", says("HTTP/1.1 403 Filtered\r\n\r\n"), Code::Forbidden, "(403 Filtered)"),
        (
            "cannot",
            says("HTTP/1.1 502 Bad\u{1b}[31m\r\n\r\n"),
            Code::Unreachable,
            "could not connect to 10.9.9.9:443",
        ),
        ("is SSH", says("SSH-2.0-x\r\n"), Code::Unreachable, "does not answer in HTTP/1.1"),
        ("says more", talks, Code::Unreachable, "says more than an answer to CONNECT"),
        ("never ends", endless, Code::Unreachable, "larger than 32 KiB"),
    ] {
        let proxy = Proxy::start(manners).await;
        let begun = Instant::now();
        let error =
            through(&format!("http://{}", proxy.address), "https://10.9.9.9", "").await.expect_err(what);
        assert!(begun.elapsed() < Duration::from_secs(3), "{what}: {:?}", begun.elapsed());
        assert_eq!(error.code(), code, "{what}: {error:?}");
        let report = error.report();
        assert!(report.contains(words) && !report.contains('\u{1b}'), "{what}: {error:?}");
        let asked = String::from_utf8(proxy.heard()).expect("text");
        assert_eq!(
            asked,
            "CONNECT 10.9.9.9:443 HTTP/1.1\r\nHost: 10.9.9.9:443\r\nUser-Agent: tidegate/test (guest)\r\n\r\n"
        );
    }
}

#[tokio::test]
async fn a_bad_socks_proxy_is_told_within_the_deadline() {
    let manners =
        |says: &[&[u8]], closes| Manners { says: says.iter().map(|says| says.to_vec()).collect(), closes };
    for (what, manners, code, words) in [
        ("stalls", manners(&[b"\x05"], false), Code::Timeout, "within the deadline"),
        ("closes", manners(&[b""], true), Code::Unreachable, "closed the connection before"),
        (
            "is HTTP",
            manners(&[b"HTTP/1.1 400 Bad\r\n\r\n"], true),
            Code::Unreachable,
            "does not answer in SOCKS5",
        ),
        ("wants a user", manners(&[b"\x05\xff"], true), Code::Forbidden, "wants a user and a password"),
        (
            "forbids",
            manners(&[b"\x05\0", b"\x05\x02\0\x01\0\0\0\0\0\0"], true),
            Code::Forbidden,
            "does not allow",
        ),
        (
            "cannot",
            manners(&[b"\x05\0", b"\x05\x04\0\x01\0\0\0\0\0\0"], true),
            Code::Unreachable,
            "cannot reach the server",
        ),
        ("half", manners(&[b"\x05\0", b"\x05\0\0\x03\xff"], false), Code::Timeout, "within the deadline"),
    ] {
        let proxy = Proxy::start(manners).await;
        let begun = Instant::now();
        let url = format!("socks5://{}", proxy.address);
        let error = through(&url, "https://k8s.corp", "").await.expect_err(what);
        assert!(begun.elapsed() < Duration::from_secs(3), "{what}: {:?}", begun.elapsed());
        assert_eq!(error.code(), code, "{what}: {error:?}");
        assert!(error.report().contains(words), "{what}: {error:?}");
    }
}

/// User and password reach the proxy, and nobody else: no error, no name of the server, no observer.
#[tokio::test]
async fn a_proxys_password_is_a_secret() {
    let refuses = Manners { says: vec![b"HTTP/1.1 407 No\r\n\r\n".to_vec()], closes: true };
    let proxy = Proxy::start(refuses).await;
    let url = format!("http://tom:s3cr%40t@{}", proxy.address);
    let error = through(&url, "https://10.9.9.9", "").await.expect_err("refused");
    assert!(error.report().contains("does not accept the user and password of its URL"), "{error:?}");
    for secret in ["tom", "s3cr", "hunter2"] {
        assert!(!format!("{error:?}").contains(secret), "{error:?}");
    }
    let heard = String::from_utf8(proxy.heard()).expect("text");
    let basic = STANDARD.encode("tom:s3cr@t");
    assert!(heard.contains(&format!("\r\nProxy-Authorization: Basic {basic}\r\n")), "{heard}");
    // Nor does the proxy hear what is the server's.
    assert!(!heard.contains("hunter2"), "{heard}");
}

/// A plain server's requests are handed to the proxy one by one.
#[tokio::test]
async fn a_plain_server_is_asked_for_by_its_whole_url() {
    let proxy = Peer::plain(kubernetes(|_| json("{}"))).await;
    let url = format!("http://tom:pw@{}", proxy.address);
    let cluster = format!("server: 'http://k8s.corp:8080/prefix', proxy-url: '{url}'");
    let document = kubeconfig(&cluster, "token: hunter2");
    let choice = Choice::ForKubeConfig { document: document.into_bytes(), context: None };
    // The peer knows the probe by its line, which differs here.
    let error = connect(&authority(&[("net", "")], &[]), &options(), choice).await.expect_err("no such line");
    assert_eq!(error.code(), Code::NotKubernetes);
    let seen = proxy.seen().pop().expect("seen");
    assert_eq!(seen.line(), "GET http://k8s.corp:8080/prefix/api HTTP/1.1");
    assert_eq!(seen.header("host"), Some("k8s.corp:8080"));
    assert_eq!(seen.header("proxy-authorization"), Some(&*format!("Basic {}", STANDARD.encode("tom:pw"))));
    assert_eq!(seen.header("authorization"), None, "no credential over a plain connection");
}

/// Server and proxy are two needs, and both are named at once.
#[tokio::test]
async fn a_proxy_needs_a_grant_of_its_own() {
    let proxy = Proxy::start(Manners { says: vec![], closes: true }).await;
    let cluster = format!("server: 'https://k8s.corp', proxy-url: 'http://tom:pw@{}'", proxy.address);
    let document = kubeconfig(&cluster, "token: hunter2").into_bytes();
    let denied = async |flags: &[(&str, &str)]| {
        let choice = Choice::ForKubeConfig { document: document.clone(), context: None };
        connect(&authority(flags, &[]), &options(), choice).await.expect_err("denied")
    };
    let (server, own) = ("--allow-net=k8s.corp:443".to_owned(), format!("--allow-net={}", proxy.address));
    assert_eq!(denied(&[]).await.missing(), [server.clone(), own.clone()]);
    assert_eq!(denied(&[("net", "k8s.corp:443")]).await.missing(), [own]);
    assert_eq!(denied(&[("net", &proxy.address.to_string())]).await.missing().join(" "), server);
    // The name is what is judged: that an address is granted which it may have is nothing that anybody here could see.
    let by_address = [("net", &*proxy.address.to_string()), ("net", "10.0.0.0/8")];
    assert_eq!(denied(&by_address).await.missing(), [server]);
    assert!(proxy.heard().is_empty());
}

/// As kubectl: a cluster's authority is its proxy's too.
#[tokio::test]
async fn a_proxy_with_tls_is_believed_by_the_clusters_authority() {
    let (one, other) = (Authority::new("one"), Authority::new("other"));
    let peer = Peer::tls(one.issue(&["127.0.0.1"]).server(), |_| {
        vec![crate::peer::raw("HTTP/1.1 403 Filtered\r\n\r\n"), crate::peer::Act::Close]
    })
    .await;
    for (ca, code) in [(&one, Code::Forbidden), (&other, Code::Tls)] {
        let more = format!(", certificate-authority-data: {}", STANDARD.encode(&ca.pem));
        let proxy = format!("https://tom:pw@{}", peer.address);
        let error = through(&proxy, "https://10.9.9.9", &more).await.expect_err("refused");
        assert_eq!(error.code(), code, "{error:?}");
        assert!(error.report().contains("the proxy 127.0.0.1:"), "{error:?}");
    }
    assert_eq!(peer.seen().len(), 1, "who is not believed is told nothing");
}

/// The environment's proxy, where it is granted: what is not granted is not there.
#[tokio::test]
async fn the_environment_counts_where_it_is_granted() {
    let refuses = Manners { says: vec![b"HTTP/1.1 403 Filtered\r\n\r\n".to_vec()], closes: true };
    let proxy = Proxy::start(refuses).await;
    // Loopback is never behind a proxy, so the server has an address that leads nowhere.
    let cluster = "server: 'https://192.0.2.1:6443'";
    let document = kubeconfig(cluster, "token: hunter2").into_bytes();
    let variable = format!("http://{}", proxy.address);
    for (granted, proxied) in [("HTTPS_PROXY", true), ("", true), ("HOME", false), ("HTTP_PROXY", false)] {
        let authority = authority(&[("net", ""), ("env", granted)], &[("HTTPS_PROXY", &variable)]);
        let choice = Choice::ForKubeConfig { document: document.clone(), context: None };
        let mut options = options();
        options.probe_deadline = Duration::from_millis(300);
        let error = connect(&authority, &options, choice).await.expect_err("nowhere");
        assert_eq!(error.code() == Code::Forbidden, proxied, "{granted:?}: {error:?}");
    }
}

/// A cluster piece by piece too, unless a proxy is among the pieces; and the one that is given is a secret.
#[tokio::test]
async fn a_direct_connection_goes_through_a_proxy_as_any_other() {
    let refuses = Manners { says: vec![b"HTTP/1.1 403 Filtered\r\n\r\n".to_vec()], closes: true };
    let (given, around) = (Proxy::start(refuses.clone()).await, Proxy::start(refuses).await);
    let direct = |proxy: Option<String>| Direct {
        credential: DirectCredential::Header("Bearer hunter2".to_owned().into()),
        proxy: proxy.map(Into::into),
        ..Direct::new("https://192.0.2.1:6443")
    };
    let mut options = options();
    options.probe_deadline = Duration::from_millis(300);
    let variable = format!("http://{}", around.address);
    let own = format!("http://tom:s3cret@{}", given.address);
    for (proxy, env, code, heard) in [
        (None, "HTTPS_PROXY", Code::Forbidden, [0, 1]),
        (None, "HOME", Code::Timeout, [0, 0]),
        (Some(own.clone()), "HTTPS_PROXY", Code::Forbidden, [1, 0]),
    ] {
        let granted = authority(&[("net", ""), ("env", env)], &[("HTTPS_PROXY", &variable)]);
        let before = [&given, &around].map(|proxy| proxy.heard().len());
        let error = connect_direct(&granted, &options, direct(proxy)).await.expect_err("nowhere");
        // A network without a route says so at once.
        let code = if error.code() == Code::Unreachable { Code::Unreachable } else { code };
        assert_eq!(error.code(), code, "{error:?}");
        let after = [&given, &around].map(|proxy| proxy.heard().len());
        assert_eq!([0, 1].map(|at| usize::from(after[at] > before[at])), heard, "{env}");
        assert!(!error.report().contains("s3cret"), "{error:?}");
    }
    // What is not granted of it is named at once.
    let granted = authority(&[("env", "HTTPS_PROXY")], &[("HTTPS_PROXY", &variable)]);
    for (proxy, endpoint) in [(None, around.address), (Some(own), given.address)] {
        assert!(!format!("{:?}", direct(proxy.clone())).contains("s3cret"));
        let error = connect_direct(&granted, &options, direct(proxy)).await.expect_err("denied");
        let missing = ["192.0.2.1:6443".to_owned(), endpoint.to_string()];
        assert_eq!(error.missing(), missing.map(|endpoint| format!("--allow-net={endpoint}")));
    }
    let error = connect_direct(&granted, &options, direct(Some("ftp://tom:s3cret@h".to_owned()))).await;
    let report = error.expect_err("no proxy").report();
    assert!(report.contains("the proxy of a direct connection") && !report.contains("s3cret"), "{report}");
}
