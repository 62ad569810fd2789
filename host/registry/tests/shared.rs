//! One transport for all who open a connection, against a server that counts.
#![allow(
    clippy::disallowed_methods,
    clippy::disallowed_types,
    reason = "the peer of these tests is the outside world"
)]

mod peer;

use std::sync::Arc;
use std::time::Duration;

use peer::Peer;
use tidegate_authority::{Authority, HostAuthority};
use tidegate_grants::{Flag, Grants};
use tidegate_kube::request::{Method, Request};
use tidegate_registry::{Definition, Registry, View};
use tidegate_transport::{Code, Error, Options, Transport};

/// A guest with these flags.
fn guest(registry: &Registry, flags: &str) -> View {
    let mut builder = Grants::builder();
    for flag in flags.split_whitespace() {
        builder.add(&Flag::parse(flag).unwrap()).unwrap();
    }
    let authority = Authority::from_ambient(builder.build());
    let own = authority.for_connections(&HostAuthority::from_ambient());
    registry.narrowed(authority, own)
}

fn registry(peer: &Peer) -> Registry {
    let registry = Registry::new(Options::new("tidegate/test"));
    registry.register("east", Definition::kube_config(peer.kubeconfig())).unwrap();
    registry
}

async fn get(transport: &Arc<dyn Transport>) -> Result<u16, Error> {
    let response = transport.clone().send(Request::new(Method::Get, "/api/v1/pods"), None).await?;
    let code = response.code;
    response.body.whole(1024).await?;
    Ok(code)
}

/// Lets time pass that nobody waits for.
async fn later(seconds: u64) {
    tokio::time::pause();
    tokio::time::advance(Duration::from_secs(seconds)).await;
    tokio::time::resume();
}

#[tokio::test]
async fn two_hundred_guests_share_one_transport_and_one_question() {
    let peer = Peer::start().await;
    let registry = registry(&peer);
    let mut opening = tokio::task::JoinSet::new();
    for _ in 0..200 {
        let view = guest(&registry, "--allow-connection=east");
        opening.spawn(async move { view.open("east").await });
    }
    let opened: Vec<_> = opening.join_all().await.into_iter().map(Result::unwrap).collect();
    assert_eq!((peer.asked("/api"), peer.connections()), (1, 1));
    for transport in &opened {
        assert_eq!(get(transport).await.unwrap(), 200);
    }
    assert_eq!((peer.asked("/api"), peer.asked("/api/v1/pods"), peer.connections()), (1, 200, 1));
    assert_eq!(opened[0].kind().as_str(), "KubeConfig");
    assert_eq!(opened[0].default_namespace(), Some("web"));
    // Much later somebody else asks again, over the same connection.
    later(20).await;
    guest(&registry, "-A").open("east").await.unwrap();
    assert_eq!((peer.asked("/api"), peer.connections()), (2, 1));
}

#[tokio::test]
async fn other_denials_are_another_transport() {
    let peer = Peer::start().await;
    let registry = registry(&peer);
    for flags in [
        "--allow-connection=east",
        "-A",
        "--allow-connection --allow-net=10.0.0.1:1 --allow-env",
        "-A --deny-net=10.0.0.0/8",
        "--allow-connection --deny-net=10.0.0.0/8",
    ] {
        guest(&registry, flags).open("east").await.unwrap();
    }
    // Two sets of bounds: none, and that denial; what is allowed besides changes nothing.
    assert_eq!((peer.asked("/api"), peer.connections()), (2, 2));
    let denied =
        guest(&registry, &format!("-A --deny-net={}", peer.address())).open("east").await.unwrap_err();
    assert_eq!(denied.code(), Code::PermissionDenied);
    assert_eq!(peer.connections(), 2);
}

#[tokio::test]
async fn what_was_granted_is_all_that_there_is() {
    let peer = Peer::start().await;
    let registry = registry(&peer);
    let view = guest(&registry, "--allow-connection=east,tenant-*");
    assert_eq!(view.names(), ["east"]);
    // Registered while the guest runs.
    registry.register("tenant-1", Definition::kube_config(peer.kubeconfig())).unwrap();
    registry.register("secret", Definition::kube_config(peer.kubeconfig())).unwrap();
    assert_eq!(view.names(), ["east", "tenant-1"]);
    view.open("tenant-1").await.unwrap();
    let refusals = ["secret", "nobody"].map(|name| view.open(name));
    for (refusal, name) in refusals.into_iter().zip(["secret", "nobody"]) {
        let error = refusal.await.unwrap_err();
        assert_eq!(error.code(), Code::PermissionDenied);
        assert_eq!(error.missing(), [format!("--allow-connection={name}")]);
    }
    for (name, code) in
        [("tenant-2", Code::NotConfigured), ("*", Code::InvalidRequest), ("", Code::InvalidRequest)]
    {
        assert_eq!(view.open(name).await.unwrap_err().code(), code, "{name:?}");
    }
    for (name, definition, expected) in [
        ("east", Definition::service_account(), "there is a connection \"east\" already"),
        ("a*", Definition::service_account(), "has a *"),
        ("", Definition::service_account(), "is empty"),
        ("x", Definition::kube_config("config"), "config is relative"),
    ] {
        let error = registry.register(name, definition).unwrap_err().to_string();
        assert!(error.contains(expected), "{error}");
    }
}

#[tokio::test]
async fn who_was_unregistered_is_gone() {
    let peer = Peer::start().await;
    let registry = registry(&peer);
    let view = guest(&registry, "-A");
    let transport = view.open("east").await.unwrap();
    assert!(registry.unregister("east") && !registry.unregister("east"));
    assert_eq!(get(&transport).await.unwrap_err().code(), Code::Closed);
    assert_eq!(view.open("east").await.unwrap_err().code(), Code::NotConfigured);
    assert_eq!(peer.asked("/api/v1/pods"), 0);
    registry.register("east", Definition::kube_config(peer.kubeconfig())).unwrap();
    get(&view.open("east").await.unwrap()).await.unwrap();
    assert_eq!(get(&transport).await.unwrap_err().code(), Code::Closed, "the old one stays gone");
}

#[tokio::test]
async fn a_failure_is_told_to_all_who_waited_for_it() {
    let peer = Peer::start().await;
    let registry = registry(&peer);
    peer.answer(500);
    let mut opening = tokio::task::JoinSet::new();
    for _ in 0..50 {
        let view = guest(&registry, "-A");
        opening.spawn(async move { view.open("east").await });
    }
    for opened in opening.join_all().await {
        let error = opened.unwrap_err();
        assert_eq!(error.code(), Code::NotKubernetes);
        assert!(error.report().starts_with("the connection \"east\" cannot be opened: "), "{error:?}");
    }
    assert_eq!(peer.asked("/api"), 1);
    peer.answer(200);
    later(2).await;
    guest(&registry, "-A").open("east").await.unwrap();
}

#[tokio::test]
async fn a_refused_credential_makes_the_transport_anew() {
    let peer = Peer::start().await;
    let registry = registry(&peer);
    let transport = guest(&registry, "-A").open("east").await.unwrap();
    peer.answer(401);
    assert_eq!(get(&transport).await.unwrap_err().status().unwrap().code, 401);
    let probes = peer.asked("/api");
    // At once it would be asked for nothing: the definition was read a moment ago.
    assert!(get(&transport).await.is_err());
    assert_eq!(peer.asked("/api"), probes);
    peer.answer(200);
    later(6).await;
    assert_eq!(get(&transport).await.unwrap(), 200);
    assert_eq!(peer.asked("/api"), probes + 1, "the definition was read again");
    assert_eq!(get(&transport).await.unwrap(), 200);
    assert_eq!(peer.asked("/api"), probes + 1);
}

#[tokio::test]
async fn a_handle_never_changes_its_server() {
    let (first, second) = (Peer::start().await, Peer::start().await);
    let registry = registry(&first);
    let transport = guest(&registry, "-A").open("east").await.unwrap();
    // The file leads elsewhere from now on, and the old credential is refused.
    std::fs::write(first.kubeconfig(), std::fs::read(second.kubeconfig()).unwrap()).unwrap();
    first.answer(401);
    assert!(get(&transport).await.is_err());
    later(6).await;
    assert!(get(&transport).await.is_err(), "it is the first server's to the end");
    assert_eq!(second.asked("/api/v1/pods"), 0);
    let anew = guest(&registry, "-A").open("east").await.unwrap();
    assert_eq!(get(&anew).await.unwrap(), 200);
    assert_eq!((anew.server(), second.asked("/api/v1/pods")), (second.url(), 1));
}

#[tokio::test]
async fn what_nobody_holds_is_let_go_of() {
    let peer = Peer::start().await;
    let registry = registry(&peer);
    registry.register("other", Definition::kube_config(peer.kubeconfig())).unwrap();
    let view = guest(&registry, "-A");
    let held = view.open("other").await.unwrap();
    drop(view.open("east").await.unwrap());
    assert_eq!(peer.connections(), 2);
    later(400).await;
    // Opening anything looks through what is kept.
    drop(view.open("other").await.unwrap());
    assert_eq!(peer.connections(), 2, "the one that is held is the same");
    drop(view.open("east").await.unwrap());
    assert_eq!(peer.connections(), 3, "the other one was let go of");
    get(&held).await.unwrap();
}
