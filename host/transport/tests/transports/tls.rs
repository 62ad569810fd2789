//! Who is believed, and what is said where nobody is.

use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use rustls::ServerConfig;
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use tidegate_transport::{Code, Error, Transport};

use crate::peer::{Act, Peer, Seen, json, kubernetes};
use crate::pki::{Authority, Pair, openssl_x509};
use crate::setup::{by_document, get, kubeconfig};

fn answer(seen: &Seen) -> Vec<Act> {
    kubernetes(|_| json("{}"))(seen)
}

fn data(pem: &str) -> String {
    STANDARD.encode(pem)
}

async fn with_ca(server: &str, ca: &str, more: &str) -> Result<Arc<dyn Transport>, Error> {
    let cluster = format!("server: '{server}', certificate-authority-data: {}{more}", data(ca));
    by_document(&kubeconfig(&cluster, "token: hunter2")).await
}

async fn shown_by(pair: &Pair) -> Peer {
    Peer::tls(pair.server(), answer).await
}

#[tokio::test]
async fn a_certificate_of_the_given_authority_is_believed() {
    let (one, other) = (Authority::new("one"), Authority::new("other"));
    let peer = shown_by(&one.issue(&["localhost", "127.0.0.1"])).await;
    let bundle = format!("# a bundle\n{}\n{}", other.pem, one.pem);
    for server in [format!("https://{}", peer.address), format!("https://localhost:{}", peer.address.port())]
    {
        let transport = with_ca(&server, &bundle, "").await.expect("connect");
        assert_eq!(transport.default_namespace(), Some("team"));
        get(&transport, "/x").await.expect("get");
    }
    assert!(peer.seen().iter().all(|seen| seen.header("authorization") == Some("Bearer hunter2")));
}

#[tokio::test]
async fn a_certificate_that_is_not_believed_says_why_and_sends_nothing() {
    let (one, other) = (Authority::new("one"), Authority::new("other"));
    for (pair, ca, words) in [
        (one.issue(&["127.0.0.1"]), &other.pem, "signed by nobody who is trusted here"),
        (one.issue_expired(&["127.0.0.1"]), &one.pem, "has expired"),
        (one.issue_for_later(&["127.0.0.1"]), &one.pem, "is not valid yet"),
        (one.issue(&["k8s.corp", "10.0.0.1"]), &one.pem, "is not for \"127.0.0.1\" but for"),
        (openssl_x509(&["127.0.0.1"], 2999), &one.pem, "is an authority's own"),
    ] {
        let peer = shown_by(&pair).await;
        let error = with_ca(&format!("https://{}", peer.address), ca, "").await.expect_err(words);
        assert_eq!(error.code(), Code::Tls);
        assert!(error.report().contains(words), "{error:?}");
        assert!(!error.report().contains("hunter2"));
        assert!(peer.seen().is_empty());
    }
}

#[tokio::test]
async fn what_openssl_makes_is_believed_where_it_is_given() {
    let pair = openssl_x509(&["127.0.0.1"], 2999);
    let peer = shown_by(&pair).await;
    let server = format!("https://{}", peer.address);
    with_ca(&server, &pair.certificate.pem(), "").await.expect("pinned");

    // Pinned or not, dates and names count.
    for (pair, words) in [
        (openssl_x509(&["127.0.0.1"], 2001), "has expired"),
        (openssl_x509(&["k8s.corp"], 2999), "is not for \"127.0.0.1\""),
    ] {
        let peer = shown_by(&pair).await;
        let error = with_ca(&format!("https://{}", peer.address), &pair.certificate.pem(), "")
            .await
            .expect_err(words);
        assert!(error.report().contains(words), "{error:?}");
    }
}

/// Keeps the name that a client asks for.
#[derive(Debug)]
struct Names(Mutex<Vec<Option<String>>>, Arc<CertifiedKey>);

impl ResolvesServerCert for Names {
    fn resolve(&self, hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        self.0.lock().expect("lock").push(hello.server_name().map(str::to_owned));
        Some(self.1.clone())
    }
}

#[tokio::test]
async fn tls_server_name_is_asked_for_and_checked() {
    let one = Authority::new("one");
    let pair = one.issue(&["kubernetes"]);
    let key = rustls::crypto::aws_lc_rs::sign::any_supported_type(
        &rustls::pki_types::PrivateKeyDer::try_from(pair.key.serialize_der()).expect("key"),
    );
    let key = CertifiedKey::new(vec![pair.certificate.der().clone()], key.expect("key"));
    let names = Arc::new(Names(Mutex::default(), Arc::new(key)));
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .expect("versions")
        .with_no_client_auth()
        .with_cert_resolver(names.clone());
    let peer = Peer::tls(config, answer).await;
    let server = format!("https://{}", peer.address);
    with_ca(&server, &one.pem, ", tls-server-name: kubernetes").await.expect("connect");
    let error = with_ca(&server, &one.pem, ", tls-server-name: other").await.expect_err("another name");
    assert!(error.report().contains("is not for \"other\""), "{error:?}");
    with_ca(&server, &one.pem, "").await.expect_err("the address");
    let asked: Vec<Option<String>> = names.0.lock().expect("lock").clone();
    assert_eq!(asked, [Some("kubernetes".to_owned()), Some("other".to_owned()), None]);
}

#[tokio::test]
async fn ipv6_servers() {
    let one = Authority::new("one");
    let peer = Peer::tls_at("[::1]:0", one.issue(&["::1"]).server(), answer).await;
    let transport = with_ca(&format!("https://{}", peer.address), &one.pem, "").await.expect("connect");
    assert_eq!(transport.server(), format!("https://{}", peer.address));
    assert_eq!(peer.seen()[0].header("host"), Some(peer.address.to_string().as_str()));
}

#[tokio::test]
async fn skip_verify_believes_anybody() {
    let peer = shown_by(&Authority::new("one").issue_expired(&["k8s.corp"])).await;
    let cluster = format!("server: 'https://{}', insecure-skip-tls-verify: true", peer.address);
    by_document(&kubeconfig(&cluster, "token: hunter2")).await.expect("connect");
}

#[tokio::test]
async fn without_an_authority_the_systems_count() {
    let peer = shown_by(&Authority::new("one").issue(&["127.0.0.1"])).await;
    let cluster = format!("server: 'https://{}'", peer.address);
    let error = by_document(&kubeconfig(&cluster, "token: hunter2")).await.expect_err("a stranger");
    assert_eq!(error.code(), Code::Tls);
}

#[tokio::test]
async fn client_certificates_in_every_form_of_key() {
    let one = Authority::new("one");
    let server = one.issue(&["127.0.0.1"]);
    let pkcs8 = Authority::new("clients");
    let client = pkcs8.issue(&["me"]);
    let (certificate, key) = (client.certificate.pem(), client.key.serialize_pem());
    for (certificate, key, ca) in [
        (certificate.as_str(), key.as_str(), pkcs8.pem.as_str()),
        (include_str!("keys/rsa.crt"), include_str!("keys/rsa.key"), include_str!("keys/rsa.crt")),
        (include_str!("keys/ec.crt"), include_str!("keys/ec.key"), include_str!("keys/ec.crt")),
    ] {
        let peer = Peer::tls(server.server_for(ca.as_bytes()), answer).await;
        let cluster =
            format!("server: 'https://{}', certificate-authority-data: {}", peer.address, data(&one.pem));
        let user = format!("client-certificate-data: {}, client-key-data: {}", data(certificate), data(key));
        by_document(&kubeconfig(&cluster, &user)).await.expect("client certificate");
        assert_eq!(peer.seen()[0].header("authorization"), None);

        let error = by_document(&kubeconfig(&cluster, "token: x")).await.expect_err("no client certificate");
        assert_eq!(error.code(), Code::Tls);
        assert!(error.report().contains("client certificate"), "{error:?}");
    }
}

#[tokio::test]
async fn broken_certificates_and_keys_are_named_before_anything_is_sent() {
    let one = Authority::new("one");
    let peer = shown_by(&one.issue(&["127.0.0.1"])).await;
    let (a, b) = (one.issue(&["a"]), one.issue(&["b"]));
    let server = format!("server: 'https://{}'", peer.address);
    let pair = |certificate: &str, key: &str| {
        format!("client-certificate-data: {}, client-key-data: {}", data(certificate), data(key))
    };
    let ca = |pem: &str| format!("{server}, certificate-authority-data: {}", data(pem));
    let half = one.pem.replace("MII", "!!!");
    let no_der = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
    let encrypted = "-----BEGIN ENCRYPTED PRIVATE KEY-----\nAAAA\n-----END ENCRYPTED PRIVATE KEY-----\n";
    for (cluster, user, words) in [
        (
            ca(&format!("{}{half}", one.pem)),
            "token: x".to_owned(),
            "certificate 2 in certificate-authority of cluster",
        ),
        (
            ca(&format!("{}{no_der}", one.pem)),
            "token: x".to_owned(),
            "certificate 2 in certificate-authority",
        ),
        (ca("hello"), "token: x".to_owned(), "holds no certificate"),
        (
            ca(&one.pem),
            pair(&a.certificate.pem(), &b.key.serialize_pem()),
            "does not belong to the certificate",
        ),
        (ca(&one.pem), pair(&a.certificate.pem(), encrypted), "is encrypted"),
        (ca(&one.pem), pair(&a.certificate.pem(), "hello"), "holds no private key"),
        (ca(&one.pem), pair("hello", &b.key.serialize_pem()), "holds no certificate"),
    ] {
        let error = by_document(&kubeconfig(&cluster, &user)).await.expect_err(words);
        assert_eq!(error.code(), Code::Tls, "{error:?}");
        assert!(error.report().contains(words), "{words}: {error:?}");
    }
    assert_eq!(peer.connections(), 0);
}

#[tokio::test]
async fn a_handshake_that_stalls_or_is_no_tls() {
    let silent = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("bind");
    let started = Instant::now();
    let server = format!("https://{}", silent.local_addr().expect("address"));
    let error = with_ca(&server, &Authority::new("one").pem, "").await.expect_err("silence");
    assert_eq!(error.code(), Code::Timeout);
    assert!(error.report().contains("TLS handshake"), "{error:?}");
    assert!((2..5).contains(&started.elapsed().as_secs()), "the probe's deadline is 3 s");

    let plain = Peer::plain(|_| vec![]).await;
    let server = format!("https://{}", plain.address);
    let task = tokio::spawn(async move { with_ca(&server, &Authority::new("one").pem, "").await });
    tokio::time::sleep(Duration::from_millis(50)).await;
    drop(plain);
    assert!(task.await.expect("task").is_err());

    let http = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("bind");
    let server = format!("https://{}", http.local_addr().expect("address"));
    let peer = tokio::spawn(async move {
        use tokio::io::AsyncWriteExt;
        let (mut stream, _) = http.accept().await.expect("accept");
        stream.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n").await.expect("answer");
        tokio::time::sleep(Duration::from_secs(1)).await;
    });
    let error = with_ca(&server, &Authority::new("one").pem, "").await.expect_err("no TLS");
    assert!(error.report().contains("does not answer in TLS"), "{error:?}");
    peer.abort();
}
