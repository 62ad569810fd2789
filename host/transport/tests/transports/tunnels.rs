//! Tunnels: agreed on or not, and how they end.

use std::sync::Arc;
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use tidegate_kube::request::Method;
use tidegate_transport::{Choice, Code, connect};

use crate::peer::{Act, Peer, Seen, json, kubernetes, raw, reply};
use crate::pki::Authority;
use crate::setup::{Heard, authority, by_document, kubeconfig, options, request, to};
use crate::tunnel_peer::{PATH, PROTOCOLS, agreed, agrees, all, frame, open, says};

#[tokio::test]
async fn what_is_asked_for_is_a_websocket_over_http_1() {
    let ca = Authority::new("one");
    let peer = Peer::tls(ca.issue(&["127.0.0.1"]).server(), |seen| match seen.line().contains("/api ") {
        true => json(r#"{"kind":"APIVersions"}"#),
        false => agrees(seen, vec![says(b"\x01hello"), Act::Send(frame(0x88, b"\x03\xe8"))]),
    })
    .await;
    let pem = STANDARD.encode(&ca.pem);
    let cluster = format!("server: 'https://{}/k8s/global', certificate-authority-data: {pem}", peer.address);
    let document = kubeconfig(&cluster, "token: hunter2, as: jane, as-groups: [a, b]");
    let transport = by_document(&document).await.expect("connect");
    let tunnel = open(&transport).await.expect("a tunnel");
    assert_eq!(tunnel.protocol(), "v5.channel.k8s.io");
    let (pieces, end) = all(&tunnel).await;
    assert_eq!(pieces, ["1 hello"]);
    end.expect("a regular end");
    let seen = peer.seen().pop().expect("a request");
    let mut lines: Vec<&str> = seen.head.trim_end().lines().collect();
    lines[1..].sort();
    lines.retain(|line| !line.starts_with("sec-websocket-key: "));
    assert_eq!(
        lines,
        [
            format!("GET /k8s/global{PATH} HTTP/1.1").as_str(),
            "accept-encoding: gzip",
            "accept: application/json",
            "authorization: Bearer hunter2",
            "connection: Upgrade",
            &format!("host: {}", peer.address),
            "impersonate-group: a",
            "impersonate-group: b",
            "impersonate-user: jane",
            "sec-websocket-protocol: v5.channel.k8s.io, v4.channel.k8s.io",
            "sec-websocket-version: 13",
            "upgrade: websocket",
            "user-agent: tidegate/test (guest)",
        ]
    );
}

#[tokio::test]
async fn a_server_that_does_not_agree_says_why() {
    type Script = fn(&Seen) -> Vec<Act>;
    let cases: [(Script, Code, &str); 9] = [
        (
            |_| {
                reply(
                    "403 Forbidden",
                    "application/json",
                    r#"{"kind":"Status","reason":"Forbidden","message":"no exec for you","code":403}"#,
                )
            },
            Code::Status,
            "no exec for you (403 Forbidden)",
        ),
        (|_| reply("404 Not Found", "text/plain", "no such page"), Code::Status, "no such page"),
        (|_| json("{}"), Code::Protocol, "answered 200, and did not open a tunnel"),
        (
            |_| vec![raw("HTTP/1.1 302 Found\r\nLocation: https://login/\r\nContent-Length: 0\r\n\r\n")],
            Code::Redirect,
            "never followed",
        ),
        (
            |_| {
                vec![
                    raw(
                        "HTTP/1.1 101 Switching Protocols\r\nUpgrade: SPDY/3.1\r\nConnection: Upgrade\r\n\r\n",
                    ),
                    Act::Stall,
                ]
            },
            Code::Protocol,
            "another protocol than WebSocket",
        ),
        (|_| vec![raw(&agreed("another key")), Act::Stall], Code::Protocol, "not for our request"),
        (|_| vec![Act::Close], Code::Unreachable, "closed the connection before it answered"),
        (|_| vec![raw("SSH-2.0-x\r\n\r\n"), Act::Close], Code::Protocol, "does not answer in HTTP/1.1"),
        (|_| vec![Act::Stall], Code::Timeout, "did not open a tunnel within the request's deadline"),
    ];
    for (script, code, words) in cases {
        let peer = Peer::plain(kubernetes(script)).await;
        let transport = to(&peer).await;
        let mut asked = request(Method::Get, PATH);
        asked.deadline = Duration::from_secs(1);
        let error = transport.tunnel(asked, PROTOCOLS).await.expect_err(words);
        assert_eq!(error.code(), code, "{error:?}");
        assert!(error.to_string().contains(words), "{error}");
    }
}

#[tokio::test]
async fn what_makes_no_sense_is_never_asked() {
    let peer = Peer::plain(kubernetes(|_| json("{}"))).await;
    let transport = to(&peer).await;
    for (method, path) in [(Method::Post, PATH), (Method::Get, "/a/../b"), (Method::Get, "x")] {
        let error = transport.clone().tunnel(request(method, path), PROTOCOLS).await.expect_err(path);
        assert_eq!(error.code(), Code::InvalidRequest);
    }
    assert_eq!(peer.lines(), Vec::<String>::new());
}

#[tokio::test]
async fn a_credential_that_was_replaced_is_tried_once() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("token");
    std::fs::write(&file, "old").expect("write");
    let ca = Authority::new("one");
    let own = file.clone();
    let peer = Peer::tls(
        ca.issue(&["127.0.0.1"]).server(),
        kubernetes(move |seen| match seen.header("authorization") {
            Some("Bearer new") => agrees(seen, vec![Act::Send(frame(0x88, b""))]),
            _ => {
                std::fs::write(&own, "new").expect("write");
                reply("401 Unauthorized", "application/json", r#"{"kind":"Status","reason":"Unauthorized"}"#)
            }
        }),
    )
    .await;
    let cluster = format!(
        "server: 'https://{}', certificate-authority-data: {}",
        peer.address,
        STANDARD.encode(&ca.pem)
    );
    let config = folder.path().join("config");
    std::fs::write(&config, kubeconfig(&cluster, &format!("tokenFile: '{}'", file.display())))
        .expect("write");
    let granted = authority(&[("net", ""), ("read", folder.path().to_str().expect("text"))], &[]);
    let choice = Choice::ReadKubeConfig { path: Some(config), context: None };
    let mut options = options();
    let heard = Arc::new(Heard::default());
    options.observer = heard.clone();
    let transport = connect(&granted, &options, choice).await.expect("connect");
    open(&transport).await.expect("a tunnel");
    assert_eq!(peer.lines().len(), 2);
    assert_eq!(heard.lines().pop(), Some(format!("GET {PATH} 101")));
}

#[tokio::test]
async fn every_end_but_the_regular_one_is_an_error() {
    let cut = |bytes: &'static [u8]| Act::Send(bytes.to_vec());
    for (acts, pieces, expected) in [
        (vec![says(b"\x01a"), Act::Send(frame(0x88, b"\x03\xe8")), Act::Stall], &["1 a"][..], None),
        (vec![says(b"\x01a"), Act::Send(frame(0x88, b"")), Act::Close], &["1 a"], None),
        (vec![says(b"\x01"), says(b""), Act::Send(frame(0x88, b""))], &["1 "], None),
        (
            vec![says(b"\x01a"), Act::Send(frame(0x88, b"\x03\xf3boom")), Act::Close],
            &["1 a"],
            Some((Code::Protocol, "the server broke the tunnel off: 1011 boom")),
        ),
        (
            vec![says(b"\x01a"), Act::Close],
            &["1 a"],
            Some((Code::Protocol, "the tunnel was cut after 4 bytes")),
        ),
        (
            vec![cut(b"\x82\x09\x01abc"), Act::Close],
            &["1 abc"],
            Some((Code::Protocol, "was cut after 6 bytes")),
        ),
        (vec![cut(b"\x82"), Act::Close], &[], Some((Code::Protocol, "was cut after 1 bytes"))),
        (vec![Act::Close], &[], Some((Code::Protocol, "was cut after 0 bytes"))),
        (
            vec![says(b"\x01a"), cut(b"HTTP/1.1 200 OK\r\n\r\n"), Act::Stall],
            &["1 a"],
            Some((Code::Protocol, "does not speak WebSocket")),
        ),
        (vec![cut(b"\x82\xff\xff\xff"), Act::Stall], &[], Some((Code::Protocol, "does not speak WebSocket"))),
    ] {
        let script = acts.clone();
        let peer = Peer::plain(kubernetes(move |seen| agrees(seen, script.clone()))).await;
        let tunnel = open(&to(&peer).await).await.expect("a tunnel");
        let (came, end) = all(&tunnel).await;
        assert_eq!(came, pieces, "{acts:?}");
        match (end, expected) {
            (Ok(()), None) => {
                let mut bytes = Bytes::from_static(b"x");
                assert_eq!(tunnel.try_send(0, &mut bytes).expect_err("closed").code(), Code::Closed);
            }
            (Err(error), Some((code, words))) => {
                assert_eq!(error.code(), code, "{acts:?}");
                assert!(error.to_string().contains(words), "{error}");
                // For ever after.
                assert_eq!(tunnel.next().await.expect_err("again").to_string(), error.to_string());
                assert!(tunnel.send(0, Bytes::from_static(b"x")).await.is_err());
            }
            (end, _) => panic!("{acts:?}: {end:?}"),
        }
    }
}
