//! Connections through the public face, to real listeners on loopback.

use std::time::Duration;

use tidegate_authority::{Authority, ConnectFailure, Needs, NetGrant};
use tidegate_grants::{Endpoint, Grants, Kind};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio::time::Instant;

fn granted(allow: Option<&str>, deny: Option<&str>, endpoint: &str) -> NetGrant {
    let mut builder = Grants::builder();
    builder.allow(Kind::Net, allow).unwrap();
    if deny.is_some() {
        builder.deny(Kind::Net, deny).unwrap();
    }
    let endpoint = Endpoint::parse(endpoint).unwrap();
    let needs = Needs::new().net(endpoint.clone());
    let approved = Authority::from_ambient(builder.build()).approve(&needs).unwrap();
    assert!(
        approved.net(&Endpoint::parse("other.corp:1").unwrap()).is_none(),
        "only what was asked for is approved"
    );
    approved.net(&endpoint).unwrap()
}

fn soon() -> Instant {
    Instant::now() + Duration::from_secs(10)
}

#[tokio::test]
async fn a_granted_address_is_dialled() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let grant = granted(Some("127.0.0.1"), None, &address.to_string());
    let (stream, accepted) = tokio::join!(grant.connect(soon()), listener.accept());
    let mut stream = stream.unwrap();
    assert_eq!(stream.peer(), address);
    let (mut server, _) = accepted.unwrap();
    stream.write_all(b"ping").await.unwrap();
    stream.shutdown().await.unwrap();
    let mut text = String::new();
    server.read_to_string(&mut text).await.unwrap();
    assert_eq!(text, "ping");
}

#[tokio::test]
async fn localhost_reaches_a_listener_on_either_family() {
    for bind in ["127.0.0.1:0", "[::1]:0"] {
        let Ok(listener) = TcpListener::bind(bind).await else { continue };
        let port = listener.local_addr().unwrap().port();
        let grant = granted(Some("localhost"), None, &format!("localhost:{port}"));
        assert_eq!(grant.connect(soon()).await.unwrap().peer(), listener.local_addr().unwrap());
    }
}

#[tokio::test]
async fn nobody_listening_is_told_for_each_address() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    drop(listener);
    let error = granted(None, None, &address.to_string()).connect(soon()).await.unwrap_err();
    assert!(matches!(error.failure(), ConnectFailure::Dial(failures) if failures.len() == 1), "{error:?}");
    assert_eq!(error.to_string(), format!("connect to \"{address}\": no answer from {address}"));
    assert!(std::error::Error::source(&error).unwrap().to_string().contains("refused"));
}

#[tokio::test]
async fn a_denied_loopback_is_not_dialled_by_its_name() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let endpoint = format!("localhost:{}", listener.local_addr().unwrap().port());
    let error = granted(None, Some("127.0.0.0/8,::1"), &endpoint).connect(soon()).await.unwrap_err();
    assert!(error.is_refused() && error.missing().is_empty(), "{error}");
    assert!(error.to_string().contains("--deny-net=127.0.0.0/8 refuses"), "{error}");
    let accepted = tokio::time::timeout(Duration::from_millis(50), listener.accept()).await;
    assert!(accepted.is_err(), "the peer saw no connection");
}

#[tokio::test]
async fn a_name_that_does_not_exist_says_so() {
    let error = granted(None, None, "no-such-name.invalid:1").connect(soon()).await.unwrap_err();
    assert!(matches!(error.failure(), ConnectFailure::Resolve(_)), "{error:?}");
    assert_eq!(error.to_string(), "connect to \"no-such-name.invalid:1\": the name cannot be resolved");
}
