//! Exchanges: what is sent, what is kept, what is sent again.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use tidegate_kube::request::{Method, Request};
use tidegate_transport::{Choice, Code, body_channel, connect};

use crate::peer::{Act, Peer, json, kubernetes, raw, reply};
use crate::setup::{authority, get, options, request, send, to, to_url};

#[tokio::test]
async fn one_connection_serves_request_after_request() {
    let peer = Peer::plain(kubernetes(|seen| json(&format!("{:?}", seen.line())))).await;
    let transport = to(&peer).await;
    for path in ["/a", "/b", "/c?x=1"] {
        assert_eq!(
            get(&transport, path).await.expect("get"),
            format!("{:?}", format!("GET {path} HTTP/1.1"))
        );
    }
    assert_eq!(peer.connections(), 1);
}

#[tokio::test]
async fn a_body_without_bytes_gives_its_connection_back() {
    let peer = Peer::plain(kubernetes(|seen| match seen.line() {
        line if line.starts_with("HEAD") => vec![raw("HTTP/1.1 200 OK\r\nContent-Length: 500\r\n\r\n")],
        _ => vec![raw("HTTP/1.1 204 No Content\r\n\r\n")],
    }))
    .await;
    let transport = to(&peer).await;
    for method in [Method::Head, Method::Delete, Method::Options, Method::Head] {
        // The body is dropped unread: there is nothing in it.
        send(&transport, request(method, "/x")).await.expect("send");
    }
    assert_eq!(peer.connections(), 1);
}

#[tokio::test]
async fn exactly_these_headers_are_sent() {
    let peer = Peer::plain(|seen| match seen.line().contains("/api ") {
        true => json(r#"{"kind":"APIVersions"}"#),
        false => json("{}"),
    })
    .await;
    let transport = to_url(&format!("{}/k8s/global/", peer.url())).await;
    assert_eq!(transport.server(), format!("{}/k8s/global", peer.url()));

    let mut post = request(Method::Post, "/api/v1/pods?a=1").with_query("name", "x y&\r\n");
    post.body = Some("{}".into());
    post.accept = Some("application/json;as=Table".into());
    send(&transport, post).await.expect("send");
    let seen = peer.seen().pop().expect("request");
    let mut headers: Vec<&str> = seen.head.trim_end().lines().collect();
    headers[1..].sort();
    assert_eq!(
        headers,
        [
            "POST /k8s/global/api/v1/pods?a=1&name=x%20y%26%0D%0A HTTP/1.1",
            "accept-encoding: gzip",
            "accept: application/json;as=Table",
            "content-length: 2",
            "content-type: application/json",
            &format!("host: {}", peer.address),
            "user-agent: tidegate/test (guest)",
        ]
    );
}

#[tokio::test]
async fn what_is_invalid_is_never_sent() {
    let peer = Peer::plain(kubernetes(|_| json("{}"))).await;
    let transport = to(&peer).await;
    for path in ["/a/../b", "/a/%2e%2e/b", "/a\r\nX: y", "//evil/x", "http://evil/", "", "/a#b", "/a b"] {
        let error = send(&transport, request(Method::Get, path)).await.expect_err(path);
        assert_eq!(error.code(), Code::InvalidRequest, "{path:?}");
    }
    let mut both = request(Method::Post, "/x");
    both.body = Some("{}".into());
    let (_writer, reader) = body_channel();
    let error = transport.clone().send(both, Some(reader)).await.expect_err("two bodies");
    assert_eq!(error.code(), Code::InvalidRequest);
    let mut header = request(Method::Get, "/x");
    header.accept = Some("a\r\nAuthorization: Bearer x".into());
    assert_eq!(send(&transport, header).await.expect_err("header").code(), Code::InvalidRequest);
    assert_eq!(peer.lines(), Vec::<String>::new());
}

/// A server that closes a kept connection just when it is used again.
async fn closes_when_used_again() -> Peer {
    let requests = AtomicUsize::new(0);
    Peer::plain(kubernetes(move |_| match requests.fetch_add(1, Ordering::SeqCst) {
        0 => vec![Act::Close],
        _ => json("\"again\""),
    }))
    .await
}

#[tokio::test]
async fn what_changes_nothing_is_sent_again_when_a_kept_connection_dies() {
    let peer = closes_when_used_again().await;
    assert_eq!(get(&to(&peer).await, "/x").await.expect("get"), "\"again\"");
    assert_eq!((peer.lines().len(), peer.connections()), (2, 2));
}

#[tokio::test]
async fn what_may_have_changed_something_is_not_sent_again() {
    for method in [Method::Post, Method::Put, Method::Patch, Method::Delete] {
        let peer = closes_when_used_again().await;
        let transport = to(&peer).await;
        let mut change = request(method, "/x");
        change.body = Some("{}".into());
        let error = send(&transport, change).await.expect_err("lost");
        assert_eq!((error.code(), peer.lines().len()), (Code::Unreachable, 1), "{method}");
    }
}

#[tokio::test]
async fn a_kept_connection_that_closed_meanwhile_is_not_used() {
    let peer = Peer::plain(|seen| {
        let mut acts = kubernetes(|_| json("\"new\""))(seen);
        acts.push(Act::Close);
        acts
    })
    .await;
    let transport = to(&peer).await;
    // A guest that computes: the runtime sees nothing meanwhile.
    tokio::time::sleep(Duration::from_millis(50)).await;
    std::thread::sleep(Duration::from_millis(600));
    for _ in 0..2 {
        let mut post = request(Method::Post, "/x");
        post.body = Some("{}".into());
        let response = send(&transport, post).await.expect("post");
        assert_eq!(response.body.whole(100).await.expect("body"), "\"new\"");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    assert_eq!((peer.lines().len(), peer.connections()), (2, 3));
}

#[tokio::test]
async fn an_address_that_is_not_granted_is_a_missing_grant() {
    let peer = Peer::plain(kubernetes(|_| json("{}"))).await;
    let granted = authority(&[("net", "tidegate.test.localhost")], &[]);
    let url = format!("http://127.0.0.1:{}", peer.address.port());
    let choice = Choice::KubectlProxy { url: Some(url) };
    let error = connect(&granted, &options(), choice).await.expect_err("not granted");
    assert_eq!(error.missing(), [format!("--allow-net={}", peer.address)]);

    // Granted by a name whose address no name may stand for. Machines without this name in /etc/hosts do not get that far.
    let granted = authority(&[("net", "ip6-loopback")], &[]);
    let url = format!("http://ip6-loopback:{}", peer.address.port());
    let error =
        connect(&granted, &options(), Choice::KubectlProxy { url: Some(url) }).await.expect_err("refused");
    if error.code() != Code::Unreachable {
        assert_eq!(error.missing(), [format!("--allow-net=[::1]:{}", peer.address.port())], "{error:?}");
    }
    assert_eq!(peer.connections(), 0);
}

#[tokio::test]
async fn redirects_are_refused_and_not_followed() {
    let other = Peer::plain(|_| json("{}")).await;
    let location = format!("{}/login?token=hunter2", other.url());
    let peer = Peer::plain(kubernetes(move |_| {
        vec![raw(&format!("HTTP/1.1 302 Found\r\nLocation: {location}\r\nContent-Length: 0\r\n\r\n"))]
    }))
    .await;
    let error = get(&to(&peer).await, "/x").await.expect_err("redirect");
    assert_eq!(error.code(), Code::Redirect);
    assert!(error.report().contains("/login\"") && !error.report().contains("hunter2"), "{error:?}");
    assert_eq!(other.connections(), 0);
}

#[tokio::test]
async fn anything_but_2xx_is_a_typed_status() {
    let full =
        r#"{"kind":"Status","reason":"Conflict","message":"try again","code":409,"details":{"name":"x"}}"#;
    for (head, content_type, body, code, reason) in [
        ("404 Not Found", "text/html", "<html><body>nginx</body></html>", 404, "NotFound"),
        ("500 Oops", "application/json", "", 500, "InternalError"),
        ("422 Unprocessable", "application/json", &full[..40], 422, "Invalid"),
        ("409 Conflict", "application/json", full, 409, "Conflict"),
        ("304 Not Modified", "text/plain", "", 304, ""),
        ("503 Unavailable", "text/plain", "upstream is down", 503, "ServiceUnavailable"),
    ] {
        let body = body.to_owned();
        let peer = Peer::plain(kubernetes(move |_| reply(head, content_type, &body))).await;
        let error = get(&to(&peer).await, "/x").await.expect_err(head);
        let status = error.status().expect("status");
        assert_eq!((error.code(), status.code), (Code::Status, code));
        assert!(reason.is_empty() || status.reason == reason, "{head}: {status:?}");
        assert_eq!(status.details.is_some(), code == 409);
    }
}

#[tokio::test]
async fn a_status_whose_body_never_ends_is_still_a_status() {
    let huge = "x".repeat(3 << 20);
    let peer = Peer::plain(kubernetes(move |seen| match seen.line() {
        "GET /stall HTTP/1.1" => vec![raw("HTTP/1.1 403 No\r\nContent-Length: 9\r\n\r\nha"), Act::Stall],
        "GET /cut HTTP/1.1" => vec![raw("HTTP/1.1 403 No\r\nContent-Length: 9\r\n\r\nha"), Act::Close],
        _ => reply("403 No", "text/plain", &huge),
    }))
    .await;
    let transport = to(&peer).await;
    for path in ["/stall", "/cut", "/huge"] {
        let mut get = request(Method::Get, path);
        get.deadline = Duration::from_millis(500);
        let error = send(&transport, get).await.expect_err(path);
        assert_eq!(error.status().expect("status").code, 403, "{path}");
    }
}

#[tokio::test]
async fn answers_that_are_no_http_are_protocol_errors() {
    let long = format!("HTTP/1.1 200 OK\r\nX: {}\r\n\r\n", "x".repeat(300 << 10));
    let many = format!("HTTP/1.1 200 OK\r\n{}\r\n", "X: y\r\n".repeat(200));
    for (answer, code) in [
        ("SSH-2.0-OpenSSH_9.6\r\n".to_owned(), Code::Protocol),
        ("HTTP/1.1 200 OK\r\nContent-Length: -5\r\n\r\n".to_owned(), Code::Protocol),
        ("HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\n\r\n".to_owned(), Code::Protocol),
        (long, Code::TooLarge),
        (many, Code::TooLarge),
        (String::new(), Code::Unreachable),
    ] {
        let shown: String = answer.chars().take(40).collect();
        let peer = Peer::plain(kubernetes(move |_| vec![raw(&answer), Act::Close])).await;
        let mut post = request(Method::Post, "/x");
        post.body = Some("{}".into());
        let error = send(&to(&peer).await, post).await.expect_err("no HTTP");
        assert_eq!(error.code(), code, "{shown}: {error:?}");
    }
}

#[tokio::test]
async fn every_wait_has_a_deadline_that_says_its_name() {
    let peer = Peer::plain(kubernetes(|_| vec![Act::Stall])).await;
    let mut slow = request(Method::Get, "/x");
    slow.deadline = Duration::from_millis(100);
    let started = Instant::now();
    let error = send(&to(&peer).await, slow).await.expect_err("stall");
    assert_eq!(error.code(), Code::Timeout);
    assert!(error.report().contains("did not answer within the request's deadline"), "{error:?}");
    assert!(started.elapsed() < Duration::from_secs(2));
}

#[tokio::test]
async fn warnings_are_told() {
    let peer = Peer::plain(kubernetes(|_| {
        let warnings =
            "Warning: 299 - \"old\"\r\nWarning: 199 - \"no\"\r\nWarning: 299 kube \"a \\\"b\\\"\"\r\n";
        vec![raw(&format!(
            "HTTP/1.1 201 Created\r\nContent-Type: text/x\r\n{warnings}Content-Length: 0\r\n\r\n"
        ))]
    }))
    .await;
    let response = send(&to(&peer).await, Request::new(Method::Post, "/x")).await.expect("send");
    assert_eq!((response.code, response.content_type.as_deref()), (201, Some("text/x")));
    assert_eq!(response.warnings, ["old", "a \"b\""]);
}

#[tokio::test]
async fn dropping_a_request_closes_its_connection() {
    let peer = Peer::plain(kubernetes(|seen| match seen.line() {
        "GET /slow HTTP/1.1" => vec![Act::Stall],
        _ => json("{}"),
    }))
    .await;
    let transport = to(&peer).await;
    let slow = send(&transport, request(Method::Get, "/slow"));
    assert!(tokio::time::timeout(Duration::from_millis(100), slow).await.is_err());
    get(&transport, "/x").await.expect("get");
    assert_eq!(peer.connections(), 2);
}
