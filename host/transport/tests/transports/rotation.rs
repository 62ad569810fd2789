//! Tokens that are replaced while a transport lives, and files that nobody should trust.

use std::path::Path;
use std::sync::Arc;

use tidegate_kube::request::Method;
use tidegate_transport::{Choice, Code, Kind, Options, connect};

use crate::peer::{Peer, json, kubernetes, reply};
use crate::pki::Authority;
use crate::setup::{authority, get, kubeconfig, options, request, send, write};

fn in_cluster(folder: &Path, address: &str) -> Options {
    let mut options = options();
    options.in_cluster.folder = Some(folder.to_owned());
    options.in_cluster.address = Some(address.to_owned());
    options
}

fn service_account(folder: &Path, ca: &str, token: &str) {
    write(&folder.join("ca.crt"), ca);
    write(&folder.join("token"), token);
    write(&folder.join("namespace"), "prod\n");
}

/// Believes one token.
async fn server_of(ca: &Authority, token: &'static str) -> Peer {
    Peer::tls(ca.issue(&["127.0.0.1"]).server(), move |seen| {
        match seen.header("authorization") == Some(&format!("Bearer {token}"))
            || seen.line().contains("/api ")
        {
            true => kubernetes(|_| json("{}"))(seen),
            false => {
                reply("401 Unauthorized", "application/json", r#"{"kind":"Status","reason":"Unauthorized"}"#)
            }
        }
    })
    .await
}

#[tokio::test]
async fn a_service_account() {
    let (ca, folder) = (Authority::new("one"), tempfile::tempdir().expect("folder"));
    let peer = server_of(&ca, "hunter2").await;
    service_account(folder.path(), &ca.pem, "hunter2\n");
    let read = folder.path().to_str().expect("path");
    let host = peer.address.to_string();
    let options = in_cluster(folder.path(), &host);
    let granted = authority(&[("read", read), ("net", &host)], &[]);
    let transport = connect(&granted, &options, Choice::InCluster).await.expect("connect");
    assert_eq!((transport.kind(), transport.default_namespace()), (Kind::InCluster, Some("prod")));
    get(&transport, "/x").await.expect("get");
    assert_eq!(peer.seen()[0].header("authorization"), Some("Bearer hunter2"));

    // The environment, where it is granted, says where; here nowhere.
    let mut by_environment = options.clone();
    by_environment.in_cluster.address = None;
    let set = [("KUBERNETES_SERVICE_HOST", "127.0.0.1"), ("KUBERNETES_SERVICE_PORT", "1")];
    let granted = authority(&[("read", read), ("net", "127.0.0.1"), ("env", "KUBERNETES_SERVICE_*")], &set);
    let error = connect(&granted, &by_environment, Choice::InCluster).await.expect_err("port 1");
    assert_eq!(error.code(), Code::Unreachable, "{error:?}");
    let error = connect(&authority(&[("read", read)], &set), &by_environment, Choice::InCluster).await;
    assert_eq!(error.expect_err("default").missing(), ["--allow-net=kubernetes.default.svc:443"]);
}

#[tokio::test]
async fn a_token_that_was_replaced_is_read_again_when_it_is_refused() {
    let (ca, folder) = (Authority::new("one"), tempfile::tempdir().expect("folder"));
    let peer = server_of(&ca, "new").await;
    service_account(folder.path(), &ca.pem, "old");
    let options = in_cluster(folder.path(), &peer.address.to_string());
    let granted = authority(&[("read", folder.path().to_str().expect("path")), ("net", "")], &[]);
    let transport = connect(&granted, &options, Choice::InCluster).await.expect("connect");
    let error = get(&transport, "/old").await.expect_err("still old");
    assert_eq!(error.status().expect("status").code, 401);
    write(&folder.path().join("token"), "new\n");
    let mut post = request(Method::Post, "/new");
    post.body = Some("{\"a\":1}".into());
    send(&transport, post).await.expect("new token");
    get(&transport, "/kept").await.expect("kept");
    assert_eq!(
        peer.lines(),
        ["GET /old HTTP/1.1", "POST /new HTTP/1.1", "POST /new HTTP/1.1", "GET /kept HTTP/1.1"]
    );
    assert_eq!(peer.seen()[3].body, b"{\"a\":1}");
    // While it is being replaced it may be empty or gone: what is known is used.
    write(&folder.path().join("token"), "");
    get(&transport, "/x").await.expect("get");
    assert_eq!(peer.connections(), 1, "a refused request gives its connection back");
}

#[tokio::test]
async fn what_a_guest_can_write_is_no_credential() {
    let peer = Arc::new(Peer::plain(kubernetes(|_| json("{}"))).await);
    let folder = tempfile::tempdir().expect("folder");
    let (path, text) = (folder.path().join("config"), kubeconfig(&format!("server: '{}'", peer.url()), ""));
    write(&path, &text);
    let (file, root) = (path.to_str().expect("path"), folder.path().to_str().expect("path"));
    let choice = || Choice::ReadKubeConfig { path: Some(path.clone()), context: None };
    for flags in [&[("write", root)][..], &[("write", file)], &[("wasi-write", root)], &[("wasi-write", "")]]
    {
        let flags = [flags, &[("read", ""), ("net", "")]].concat();
        let error = connect(&authority(&flags, &[]), &options(), choice()).await.expect_err("writable");
        assert_eq!(error.code(), Code::PermissionDenied);
        assert!(error.report().contains("can be written by the guest (--"), "{error:?}");
        assert_eq!(peer.connections(), 0);
    }
    // A link of the host's own that has always led there.
    let (granted, link) = (tempfile::tempdir().expect("folder"), "config");
    std::os::unix::fs::symlink(&path, granted.path().join(link)).expect("link");
    let choice_of_link = || Choice::ReadKubeConfig { path: Some(granted.path().join(link)), context: None };
    for flags in [&[("write", root)][..], &[("wasi-write", root)]] {
        let flags = [flags, &[("read", ""), ("net", "")]].concat();
        let error =
            connect(&authority(&flags, &[]), &options(), choice_of_link()).await.expect_err("writable");
        assert_eq!(error.code(), Code::PermissionDenied);
        assert!(error.report().contains("leads to") && error.report().contains("(--"), "{error:?}");
        assert_eq!(peer.connections(), 0);
    }
    for flags in [&[("write", "/somewhere/else")][..], &[("write", "")], &[]] {
        let flags = [flags, &[("read", file), ("net", "")]].concat();
        connect(&authority(&flags, &[]), &options(), choice()).await.expect("connect");
    }
}
