//! Requests, as a guest makes them, and what it is given of them: each method with all that it can have, bodies in both forms, requests in
//! flight, every kind of result; and nothing else, whatever a guest says. Before a server that writes down what it saw, and the real one.
//!
//! Covers: T7

mod flight;
mod real;
mod refused;
mod results;

use std::time::Duration;

use tidegate_tests::{Act, Asked, Outcome, Peer, Run, TOKEN};

/// The guest `requests` on a peer, through its kubeconfig.
fn on(peer: &Peer, word: &str) -> Run {
    Run::guest("requests")
        .flag("--transports=KubeConfig")
        .flag_path("--kubeconfig", &peer.kubeconfig())
        .flag_path("--allow-read", &peer.folder())
        .flag(format!("--allow-net={}", peer.address()))
        .deadline(Duration::from_secs(30))
        .argument(word)
}

/// The lines that a guest wrote.
fn lines(outcome: &Outcome) -> Vec<&str> {
    outcome.stdout.lines().collect()
}

/// All that a peer saw but the first question.
fn asked(peer: &Peer) -> Vec<Asked> {
    peer.seen().into_iter().filter(|asked| !asked.target.ends_with("/api")).collect()
}

/// The names of all headers, in lower case, sorted.
fn headers(asked: &Asked) -> Vec<String> {
    let names = asked.head.lines().skip(1).filter_map(|line| line.split_once(':'));
    let mut names: Vec<String> = names.map(|(name, _)| name.to_lowercase()).collect();
    names.sort();
    names
}

#[test]
fn each_method_goes_with_its_path_query_media_types_and_body() {
    let peer = Peer::answering(|asked| {
        asked.or_api(|| match asked.method.as_str() {
            "HEAD" => vec![Act::say("HTTP/1.1 200 OK\r\nContent-Type: a/b\r\nContent-Length: 100\r\n\r\n")],
            "POST" => vec![Act::respond("201 Created", "a/b; c=d", "made")],
            "DELETE" => vec![Act::say(
                "HTTP/1.1 202 Accepted\r\nWarning: 299 - \"this is old\"\r\nWarning: 299 - \"and odd\"\r\n\
                 Content-Length: 0\r\n\r\n",
            )],
            method => vec![Act::respond("200 OK", "text/plain", method)],
        })
    });
    let outcome = on(&peer, "methods").run().expect_code(0);
    assert_eq!(
        lines(&outcome),
        [
            "GET: 200 text/plain [] GET",
            "POST: 201 a/b; c=d [] made",
            "PUT: 200 text/plain [] PUT",
            "PATCH: 200 text/plain [] PATCH",
            "DELETE: 202  [\"this is old\", \"and odd\"] ",
            "OPTIONS: 200 text/plain [] OPTIONS",
            "HEAD: 200 a/b [] ",
            "a query that ends in &: 200 text/plain [] GET",
            "an empty query: 200 text/plain [] GET",
        ]
    );
    let mut seen = asked(&peer);
    let queries: Vec<String> = seen.split_off(7).into_iter().map(|asked| asked.target).collect();
    assert_eq!(queries, ["/things?a=1&b=2", "/things?b=2"]);
    for (asked, method) in seen.iter().zip(["GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "HEAD"]) {
        assert_eq!(asked.method, method);
        assert_eq!(asked.target, "/things?at=1&flag&name=a%20b%26c%3Dd%2F%C3%A9&name=%2B", "{method}");
        // What is here, is all: a guest has no say in any other header.
        let mut expected = vec!["accept", "accept-encoding", "authorization", "host", "user-agent"];
        let has_body = matches!(method, "POST" | "PUT" | "PATCH" | "DELETE");
        if has_body {
            expected.extend(["content-length", "content-type"]);
            expected.sort_unstable();
        }
        assert_eq!(headers(asked), expected, "{}", asked.head);
        assert_eq!(asked.header("accept"), Some("application/json;as=Table"), "{method}");
        assert_eq!(asked.header("authorization"), Some(format!("Bearer {TOKEN}").as_str()), "{method}");
        assert_eq!(asked.header("host"), Some(peer.address().as_str()), "{method}");
        assert_eq!(asked.header("content-type"), has_body.then_some("application/x-things"), "{method}");
        let body = if has_body { format!("body of {method}") } else { String::new() };
        assert_eq!(asked.body, body.as_bytes(), "{method}");
    }
}

#[test]
fn bodies_arrive_byte_by_byte_whole_or_as_they_are_written() {
    let peer = Peer::answering(|asked| {
        asked.or_api(|| vec![Act::respond("200 OK", "", &asked.body.len().to_string())])
    });
    let outcome = on(&peer, "bodies").run().expect_code(0);
    assert_eq!(
        lines(&outcome),
        [
            "whole: 200  [] 256",
            "empty: 200  [] 0",
            "none: 200  [] 0",
            "before the end: false",
            "streamed: 200  [] 300512",
            "not finished: error closed",
        ]
    );
    let seen = asked(&peer);
    // What was not finished is no request that came whole.
    assert_eq!(seen.len(), 4, "{seen:?}");
    let every: Vec<u8> = (0..=255).collect();
    assert_eq!((&seen[0].body, seen[0].header("content-length")), (&every, Some("256")));
    assert_eq!(seen[1].header("content-length"), Some("0"));
    assert_eq!(seen[3].body, [&every[..], &[b'x'; 300_000], &every].concat());
    assert_eq!(seen[3].header("transfer-encoding"), Some("chunked"));
}

/// What stands in the server's own URL stays before every path, a tunnel's too.
#[test]
fn the_servers_own_prefix_is_kept() {
    let peer = Peer::answering(|asked| match asked.target.as_str() {
        "/kubernetes/global/api" => vec![Act::json(r#"{"kind":"APIVersions"}"#)],
        target if target.contains("/exec?") => asked.agree("v5.channel.k8s.io", vec![Act::Close]),
        _ => vec![Act::json("{}")],
    });
    for slash in ["", "/"] {
        let url = format!("{}/kubernetes/global{slash}", peer.url());
        peer.write("config", &peer.kubeconfig_with("{token: x}").replace(&peer.url(), &url));
        for (word, more) in [("methods", &[][..]), ("tunnel", &["n", "p"]), ("refused", &[])] {
            let before = peer.seen().len();
            let outcome = on(&peer, word).arguments(more).run().expect_code(0);
            let seen: Vec<Asked> = peer.seen().split_off(before);
            assert!(seen.iter().all(|asked| asked.target.starts_with("/kubernetes/global/")), "{seen:?}");
            let expected = match word {
                "methods" => 10,
                "tunnel" => 2,
                _ => 1,
            };
            assert_eq!(seen.len(), expected, "{word}: {outcome:?}");
        }
    }
    let tunnel = peer.seen().into_iter().find(|asked| asked.target.contains("exec")).unwrap();
    let path = "/kubernetes/global/api/v1/namespaces/n/pods/p/exec?command=sh&command=-c&command=";
    assert!(tunnel.target.starts_with(path), "{}", tunnel.target);
}
