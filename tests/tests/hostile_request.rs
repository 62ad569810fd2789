//! Guests that try to say more than a request: to another path, with another header, as somebody else.

use tidegate_tests::{Act, Outcome, Peer, Run, TOKEN};

fn peer() -> Peer {
    Peer::answering(|asked| asked.or_api(|| vec![Act::json("{}")]))
}

fn ask(peer: &Peer, arguments: &[&str]) -> Outcome {
    Run::ask(peer).arguments(arguments).run()
}

/// The peer saw the first question and nothing else.
#[track_caller]
fn refused(what: &str, arguments: &[&str]) {
    let peer = peer();
    let outcome = ask(&peer, arguments);
    let line = outcome.stdout.lines().last().unwrap_or_default();
    assert!(line.starts_with("error invalid-request: "), "{what}: {line}");
    let targets: Vec<String> = peer.seen().into_iter().map(|asked| asked.target).collect();
    assert_eq!(targets, ["/api"], "{what}");
}

#[test]
fn a_path_that_is_none_is_refused_before_anything_is_sent() {
    for path in [
        "/api/v1/../../metrics",
        "/api/v1/..",
        "/..",
        "/api/%2e%2e/metrics",
        "/api/%2E%2E/metrics",
        "/api/%2e./metrics",
        "/api/.%2E",
        "/api/..%2fmetrics",
        "/api\\..\\metrics",
        "//other.example/api",
        "https://other.example/api",
        "other.example/api",
        "@other.example/",
        "",
        "/api#fragment",
        "/api v1",
        "/api\tv1",
        "/api\r\nAuthorization: Bearer x",
        "/api HTTP/1.1\r\nHost: other.example\r\n\r\nGET /",
        "/api\nX: y",
        "/api\u{0}",
        "/api\u{7f}",
        "/api?x=\r\nX: y",
        "/api?x=\u{0}",
        "/api/%0d%0aX:y",
        "/api/%00",
        "/api/%zz",
    ] {
        // An argument of a program cannot hold a zero byte, so the guest cannot be told to send one.
        if !path.contains('\0') {
            refused(&format!("path {path:?}"), &[path]);
        }
    }
}

#[test]
fn a_media_type_that_is_none_is_refused_before_anything_is_sent() {
    for value in ["a/b\r\nX-More: yes", "a/b\nX: y", "a/b\r", "\u{7f}", "a/b\u{e9}", "\t\r\n"] {
        refused(&format!("accept {value:?}"), &["--accept", value, "/x"]);
        refused(
            &format!("content type {value:?}"),
            &["--method", "POST", "--body", "{}", "--content-type", value, "/x"],
        );
    }
}

#[test]
fn what_a_query_holds_arrives_as_its_value_and_nothing_more() {
    let peer = peer();
    let value = "a\r\nX-Evil: yes\r\n\r\nGET /secret HTTP/1.1 &b=c#d?e%20é";
    ask(&peer, &["--query", &format!("fieldSelector={value}"), "--query", "a&b=1", "/x?first=1"])
        .expect_code(0);
    let seen = peer.seen();
    let targets: Vec<&str> = seen.iter().map(|asked| asked.target.as_str()).collect();
    assert_eq!(targets.len(), 2, "{targets:?}");
    let (path, query) = targets[1].split_once('?').unwrap();
    assert_eq!(path, "/x");
    let pairs: Vec<&str> = query.split('&').collect();
    assert_eq!(pairs.len(), 3, "{query}");
    assert_eq!(
        (pairs[0], decoded(pairs[1]).as_str()),
        ("first=1", format!("fieldSelector={value}").as_str())
    );
    assert_eq!(decoded(pairs[2]), "a&b=1");
    assert_eq!(seen[1].header("x-evil"), None, "{}", seen[1].head);
}

fn decoded(text: &str) -> String {
    let mut bytes = Vec::new();
    let mut rest = text.as_bytes();
    while let Some((first, others)) = rest.split_first() {
        let hex = |digits: &[u8]| u8::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok();
        match (first, others) {
            (b'%', [a, b, tail @ ..]) if hex(&[*a, *b]).is_some() => {
                bytes.extend(hex(&[*a, *b]));
                rest = tail;
            }
            (b'+', tail) => {
                bytes.push(b' ');
                rest = tail;
            }
            (byte, tail) => {
                bytes.push(*byte);
                rest = tail;
            }
        }
    }
    String::from_utf8(bytes).unwrap()
}

#[test]
fn headers_are_the_hosts_but_for_two() {
    let peer = peer();
    let body = r#"{"metadata":{"name":"x"}}"#;
    let types = ["--accept", "application/json;as=Table", "--content-type", "application/yaml"];
    let outcome = Run::ask(&peer)
        .arguments(&["--method", "POST", "--body", body])
        .arguments(&types)
        .argument("/x")
        .run();
    outcome.expect_code(0);
    let asked = peer.seen().pop().unwrap();
    let mut names: Vec<String> =
        asked.head.lines().skip(1).filter_map(|line| Some(line.split_once(':')?.0.to_lowercase())).collect();
    names.sort();
    assert_eq!(
        names,
        [
            "accept",
            "accept-encoding",
            "authorization",
            "content-length",
            "content-type",
            "host",
            "user-agent"
        ],
        "{}",
        asked.head
    );
    assert_eq!(asked.header("accept"), Some("application/json;as=Table"));
    assert_eq!(asked.header("content-type"), Some("application/yaml"));
    assert_eq!(asked.header("host"), Some(peer.address().as_str()));
    assert_eq!(asked.header("authorization"), Some(format!("Bearer {TOKEN}").as_str()));
    assert!(asked.header("user-agent").unwrap().starts_with("tidegate/"), "{}", asked.head);
    assert!(asked.header("user-agent").unwrap().ends_with("(ask)"), "{}", asked.head);
    assert_eq!(asked.body, body.as_bytes());
}

#[test]
fn a_method_without_a_body_takes_none() {
    for method in ["GET", "HEAD", "OPTIONS"] {
        refused(method, &["--method", method, "--body", "{}", "/x"]);
    }
}

/// The prefix of a server's URL stays, and cannot be climbed out of.
#[test]
fn a_servers_own_prefix_is_kept() {
    let peer = Peer::answering(|asked| match asked.target.as_str() {
        "/kubernetes/global/api" => vec![Act::json(r#"{"kind":"APIVersions"}"#)],
        _ => vec![Act::json("{}")],
    });
    let config = peer
        .kubeconfig_with("{token: x}")
        .replace(&peer.url(), &format!("{}/kubernetes/global/", peer.url()));
    peer.write("config", &config);
    ask(&peer, &["/api/v1/pods?limit=1"]).expect_code(0);
    ask(&peer, &["/../../metrics"]).expect_code(3);
    let targets: Vec<String> = peer.seen().into_iter().map(|asked| asked.target).collect();
    let prefixed =
        ["/kubernetes/global/api", "/kubernetes/global/api/v1/pods?limit=1", "/kubernetes/global/api"];
    assert_eq!(targets, prefixed);
}
