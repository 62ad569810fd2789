//! Client certificates that are replaced while a transport lives, and impersonation.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use tidegate_transport::{Choice, CredentialKind, Transport, connect};

use crate::peer::{Peer, Seen, json, kubernetes, reply};
use crate::pki::{self, Pair};
use crate::setup::{authority, get, kubeconfig, options, write};

fn put(folder: &Path, certificate: &Pair, key: &Pair) {
    write(&folder.join("me.crt"), &certificate.certificate.pem());
    write(&folder.join("me.key"), &key.key.serialize_pem());
}

async fn transport(folder: &Path, peer: &Peer, user: &str) -> Arc<dyn Transport> {
    let cluster = format!("server: 'https://{}', certificate-authority: ca.crt", peer.address);
    write(&folder.join("config"), &kubeconfig(&cluster, user));
    let choice = Choice::ReadKubeConfig { path: Some(folder.join("config")), context: None };
    connect(&authority(&[("read", ""), ("net", "")], &[]), &options(), choice).await.expect("connect")
}

#[tokio::test]
async fn files_that_are_replaced_are_read_when_the_server_refuses() {
    let (server, clients) = (pki::Authority::new("server"), pki::Authority::new("clients"));
    let [one, two] = [clients.issue(&["one"]), clients.issue(&["two"])];
    let folder = tempfile::tempdir().expect("folder");
    write(&folder.path().join("ca.crt"), &server.pem);
    let refuse = Arc::new(AtomicBool::new(false));
    let (refusing, first) = (refuse.clone(), one.certificate.der().to_vec());
    let peer = Peer::tls(server.issue(&["127.0.0.1"]).server_for_any(), move |seen: &Seen| {
        match refusing.load(Ordering::SeqCst) && seen.client.as_ref() == Some(&first) {
            true => reply("401 Unauthorized", "application/json", r#"{"kind":"Status"}"#),
            false => kubernetes(|_| json("{}"))(seen),
        }
    })
    .await;
    put(folder.path(), &one, &one);
    let transport = transport(folder.path(), &peer, "client-certificate: me.crt, client-key: me.key").await;
    get(&transport, "/one").await.expect("get");
    assert_eq!(peer.connections(), 1);
    assert_eq!(transport.credentials()[0].kind, CredentialKind::ClientCertificate);
    assert!(transport.credentials()[0].expires.is_some());

    refuse.store(true, Ordering::SeqCst);
    // Caught between the two files: what is known is used on.
    put(folder.path(), &two, &one);
    assert_eq!(get(&transport, "/torn").await.expect_err("refused").status().expect("status").code, 401);
    assert_eq!(peer.seen().last().and_then(|seen| seen.client.clone()), Some(one.certificate.der().to_vec()));
    std::fs::remove_file(folder.path().join("me.key")).expect("remove");
    assert_eq!(get(&transport, "/gone").await.expect_err("refused").status().expect("status").code, 401);

    put(folder.path(), &two, &two);
    get(&transport, "/two").await.expect("the new certificate");
    assert_eq!(peer.seen().last().and_then(|seen| seen.client.clone()), Some(two.certificate.der().to_vec()));
    assert_eq!(peer.connections(), 2, "what the server saw once it sees for the whole connection");
    get(&transport, "/two").await.expect("kept");
    assert_eq!(peer.connections(), 2);
}

#[tokio::test]
async fn a_certificate_beside_a_token_file() {
    let (server, clients) = (pki::Authority::new("server"), pki::Authority::new("clients"));
    let one = clients.issue(&["one"]);
    let folder = tempfile::tempdir().expect("folder");
    write(&folder.path().join("ca.crt"), &server.pem);
    let peer = Peer::tls(server.issue(&["127.0.0.1"]).server_for_any(), |seen: &Seen| {
        match seen.header("authorization") {
            Some("Bearer old") if !seen.line().contains("/api ") => {
                reply("401 Unauthorized", "application/json", r#"{"kind":"Status"}"#)
            }
            _ => kubernetes(|_| json("{}"))(seen),
        }
    })
    .await;
    put(folder.path(), &one, &one);
    for user in [
        "client-certificate: me.crt, client-key: me.key, tokenFile: token".to_owned(),
        format!(
            "client-certificate-data: {}, client-key-data: {}, tokenFile: token",
            base64(&one.certificate.pem()),
            base64(&one.key.serialize_pem())
        ),
    ] {
        write(&folder.path().join("token"), "old");
        let transport = transport(folder.path(), &peer, &user).await;
        write(&folder.path().join("token"), "new");
        get(&transport, "/x").await.expect("get");
        let seen = peer.seen().last().cloned().expect("request");
        assert_eq!(seen.header("authorization"), Some("Bearer new"));
        assert_eq!(seen.client.as_deref(), Some(one.certificate.der().as_ref()));
        let kinds: Vec<_> = transport.credentials().iter().map(|report| report.kind).collect();
        assert_eq!(kinds, [CredentialKind::TokenFile, CredentialKind::ClientCertificate]);
    }
}

#[tokio::test]
async fn in_somebody_elses_name() {
    let (server, folder) = (pki::Authority::new("server"), tempfile::tempdir().expect("folder"));
    write(&folder.path().join("ca.crt"), &server.pem);
    let peer = Peer::tls(server.issue(&["127.0.0.1"]).server(), kubernetes(|_| json("{}"))).await;
    let user = "token: hunter2, as: jane, as-uid: '7', as-groups: [dev, 'the ops'], \
                as-user-extra: {acme.com/project: [one, two], scopes: [view]}";
    transport(folder.path(), &peer, user).await;
    let head = peer.seen()[0].head.clone();
    let sent: Vec<&str> = head.lines().filter(|line| line.starts_with("impersonate-")).collect();
    assert_eq!(
        sent,
        [
            "impersonate-user: jane",
            "impersonate-uid: 7",
            "impersonate-group: dev",
            "impersonate-group: the ops",
            "impersonate-extra-acme.com%2fproject: one",
            "impersonate-extra-acme.com%2fproject: two",
            "impersonate-extra-scopes: view",
        ]
    );
    assert!(head.contains("authorization: Bearer hunter2"), "{head}");
}

fn base64(text: &str) -> String {
    use base64::Engine as _;
    base64::engine::general_purpose::STANDARD.encode(text)
}
