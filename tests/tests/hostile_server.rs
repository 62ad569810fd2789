//! Servers that answer wrongly, slowly, endlessly or elsewhere: each gives the guest a typed error in good time, and no more.
//!
//! Covers: T8

use std::time::{Duration, Instant};

use tidegate_tests::{Act, Peer, Run};

/// Asks for `/x` within half a second of patience; the line that says what came of it.
fn ask(peer: &Peer, arguments: &[&str]) -> String {
    let patience = ["--deadline", "700", "--idle-deadline", "400"];
    let begun = Instant::now();
    let outcome = Run::ask(peer)
        .flag("--probe-deadline=700ms")
        .arguments(&patience)
        .arguments(arguments)
        .argument("/x")
        .run();
    // The deadlines, and the time that a busy machine takes for all the rest.
    assert!(begun.elapsed() < Duration::from_secs(9), "{:?}: {outcome:?}", begun.elapsed());
    assert!(matches!(outcome.code(), 0 | 3), "{outcome:?}");
    outcome.stdout.lines().last().unwrap_or_default().to_owned()
}

/// Rows: what it is, what the peer does, how the guest reads, how the last line begins.
type Row = (&'static str, Vec<Act>, &'static str, &'static str);

fn check(rows: Vec<Row>) {
    for (what, acts, read, expected) in rows {
        println!("{what}");
        let line = ask(&Peer::saying(acts), &["--read", read]);
        assert!(line.starts_with(expected), "{what}: expected {expected:?}, found {line:?}");
    }
}

#[test]
fn any_answer_but_2xx_is_a_typed_status_whatever_its_body() {
    let half = r#"{"kind":"Status","apiVersion":"v1","status":"Failure","message":"half of "#;
    let whole = r#"{"kind":"Status","apiVersion":"v1","status":"Failure","message":"gone fishing","reason":"Expired","code":410}"#;
    let html = "<html><head><title>Bad Gateway</title></head><body>nginx</body></html>";
    let long = "x".repeat(3 << 20);
    check(vec![
        (
            "a Status",
            vec![Act::respond("410 Gone", "application/json", whole)],
            "text",
            "error status 410 Expired: gone fishing",
        ),
        (
            "another media type",
            vec![Act::respond("410 Gone", "text/plain", whole)],
            "text",
            "error status 410 Expired: gone fishing",
        ),
        ("HTML", vec![Act::respond("502 Bad Gateway", "text/html", html)], "text", "error status 502 "),
        (
            "HTML to a stream",
            vec![Act::respond("502 Bad Gateway", "text/html", html)],
            "events",
            "error status 502 ",
        ),
        ("nothing", vec![Act::respond("404 Not Found", "", "")], "text", "error status 404 NotFound: "),
        (
            "nothing, 401",
            vec![Act::respond("401 Unauthorized", "", "")],
            "text",
            "error status 401 Unauthorized: ",
        ),
        (
            "nothing, 500",
            vec![Act::respond("500 Internal Server Error", "", "")],
            "json",
            "error status 500 InternalError: ",
        ),
        (
            "half JSON",
            vec![Act::respond("503 Service Unavailable", "application/json", half)],
            "text",
            "error status 503 ServiceUnavailable: ",
        ),
        (
            "half JSON, 409",
            vec![Act::respond("409 Conflict", "application/json", half)],
            "text",
            "error status 409 ",
        ),
        (
            "no reason phrase",
            vec![Act::say("HTTP/1.1 422 \r\nContent-Length: 2\r\n\r\n{}")],
            "text",
            "error status 422 Invalid: ",
        ),
        ("a code that nobody knows", vec![Act::respond("599 What", "", "")], "text", "error status 599 "),
        (
            "megabytes",
            vec![Act::respond("429 Too Many Requests", "text/plain", &long)],
            "text",
            "error status 429 TooManyRequests: ",
        ),
        (
            "no Location",
            vec![Act::respond("300 Multiple Choices", "text/html", html)],
            "text",
            "error status 300 ",
        ),
        ("not modified", vec![Act::say("HTTP/1.1 304 Not Modified\r\n\r\n")], "text", "error status 304 "),
        (
            "a body that never comes",
            vec![Act::say("HTTP/1.1 500 Internal Server Error\r\nContent-Length: 10\r\n\r\n"), Act::Hang],
            "text",
            "error status 500 InternalError: ",
        ),
        (
            "a body that is cut short",
            vec![
                Act::say("HTTP/1.1 500 Internal Server Error\r\nContent-Length: 10\r\n\r\nhalf"),
                Act::Close,
            ],
            "text",
            "error status 500 InternalError: ",
        ),
    ]);
}

#[test]
fn a_body_that_breaks_or_stalls_is_an_error_never_an_end() {
    let sized = |length: &str, body: &str| {
        Act::say(format!("HTTP/1.1 200 OK\r\nContent-Length: {length}\r\n\r\n{body}"))
    };
    let event = r#"{"type":"ADDED","object":{}}"#;
    let two_lengths = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\n{}x";
    let both = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nx\r\n";
    check(vec![
        ("cut short", vec![sized("100", "{\"kind\":"), Act::Close], "text", "error protocol: "),
        ("cut short, as bytes", vec![sized("100", "{\"kind\":"), Act::Close], "bytes", "error protocol: "),
        (
            "cut short, as lines",
            vec![sized("100", "a line\nhalf a"), Act::Close],
            "lines",
            "error protocol: ",
        ),
        (
            "a truncated chunk",
            vec![Act::chunked_head(), Act::say("ff\r\nabc"), Act::Close],
            "bytes",
            "error protocol: ",
        ),
        (
            "no last chunk",
            vec![Act::chunked_head(), Act::chunk("abc"), Act::Close],
            "bytes",
            "error protocol: ",
        ),
        (
            "no last chunk of a watch",
            vec![Act::chunked_head(), Act::chunk(event), Act::Close],
            "events",
            "error protocol: ",
        ),
        (
            "a broken chunk size",
            vec![Act::chunked_head(), Act::say("zz\r\nabc\r\n"), Act::Close],
            "bytes",
            "error protocol: ",
        ),
        (
            "a vast chunk size",
            vec![Act::chunked_head(), Act::say("ffffffffffffffffff\r\nabc\r\n"), Act::Close],
            "bytes",
            "error protocol: ",
        ),
        ("a negative length", vec![sized("-1", "abc"), Act::Close], "text", "error protocol: "),
        ("two lengths", vec![Act::say(two_lengths), Act::Close], "text", "error protocol: "),
        ("a length and chunks, cut short", vec![Act::say(both), Act::Close], "text", "error protocol: "),
        ("silent after the head", vec![sized("100", ""), Act::Hang], "text", "error timeout: "),
        (
            "silent after the head, as bytes",
            vec![sized("100", ""), Act::Hang],
            "bytes",
            "error timeout: the body was silent for 0.4 s",
        ),
        (
            "silent in the body",
            vec![sized("100", "half"), Act::Hang],
            "bytes",
            "error timeout: the body was silent for 0.4 s",
        ),
        (
            "silent in a chunk",
            vec![Act::chunked_head(), Act::say("ff\r\nabc"), Act::Hang],
            "lines",
            "error timeout: ",
        ),
        (
            "silent after an event",
            vec![Act::chunked_head(), Act::chunk(event), Act::Hang],
            "events",
            "error timeout: ",
        ),
        ("silent at once", vec![Act::Hang], "text", "error timeout: "),
        (
            "silent in the head",
            vec![Act::say("HTTP/1.1 200 OK\r\nContent-"), Act::Hang],
            "text",
            "error timeout: ",
        ),
        (
            "a vast length, then silence",
            vec![sized("9223372036854775807", "x"), Act::Hang],
            "text",
            "error timeout: ",
        ),
    ]);
}

#[test]
fn a_drip_is_ended_by_the_deadline_of_what_is_read_whole() {
    let drip = std::iter::repeat_with(|| [Act::chunk("x"), Act::Pause(Duration::from_millis(150))])
        .take(40)
        .flatten();
    let line = ask(&Peer::saying([Act::chunked_head()].into_iter().chain(drip).collect()), &[]);
    assert!(line.starts_with("error timeout: the body did not end within the request's deadline"), "{line}");
}

#[test]
fn what_is_no_http_or_no_json_says_so() {
    check(vec![
        ("closed at once", vec![Act::Close], "text", "error unreachable: "),
        (
            "another protocol",
            vec![Act::say("SSH-2.0-OpenSSH_9.2\r\n"), Act::Hang],
            "text",
            "error protocol: ",
        ),
        (
            "HTTP/2 unasked",
            vec![Act::Say(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".to_vec()), Act::Hang],
            "text",
            "error protocol: ",
        ),
        ("bytes", vec![Act::Say(vec![0xff; 64]), Act::Hang], "text", "error protocol: "),
        (
            "another protocol, politely",
            vec![
                Act::say("HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n"),
                Act::Hang,
            ],
            "text",
            "error protocol: ",
        ),
        (
            "a line break in a header",
            vec![Act::say("HTTP/1.1 200 OK\r\nX: a\rb\r\nContent-Length: 0\r\n\r\n")],
            "text",
            "error protocol: ",
        ),
        (
            "HTML",
            vec![Act::respond("200 OK", "text/html", "<html>login</html>")],
            "json",
            "error protocol: the body is not one JSON document",
        ),
        (
            "HTML as lines of JSON",
            vec![Act::respond("200 OK", "text/html", "<html>\n")],
            "json-lines",
            "error protocol: ",
        ),
        (
            "HTML as events",
            vec![Act::respond("200 OK", "text/html", "<html>\n")],
            "events",
            "error protocol: ",
        ),
        ("half a document", vec![Act::json("{\"items\":[")], "json", "error protocol: "),
        ("no object", vec![Act::json("[]\n")], "json-lines", "error protocol: "),
        ("no event", vec![Act::json("{\"type\":\"ADDED\"}\n")], "events", "error protocol: "),
        (
            "an unknown event",
            vec![Act::json("{\"type\":\"EXPLODED\",\"object\":{}}\n")],
            "events",
            "error protocol: ",
        ),
    ]);
}

#[test]
fn what_never_ends_hits_a_cap_that_is_named() {
    check(vec![
        (
            "headers",
            vec![Act::say("HTTP/1.1 200 OK\r\n"), Act::Repeat(b"X-More: and more\r\n".to_vec(), 1 << 20)],
            "text",
            "error too-large: the response's head is larger than",
        ),
        (
            "a header",
            vec![Act::say("HTTP/1.1 200 OK\r\nX-Long: "), Act::Repeat(vec![b'a'; 1 << 10], 1 << 16)],
            "text",
            "error too-large: the response's head is larger than",
        ),
        ("status lines", vec![Act::Repeat(vec![b'H'; 1 << 10], 1 << 16)], "text", "error "),
        (
            "chunk extensions",
            vec![Act::chunked_head(), Act::say("1;x="), Act::Repeat(vec![b'a'; 1 << 10], 1 << 18)],
            "text",
            "error protocol: ",
        ),
        (
            "trailers",
            vec![Act::chunked_head(), Act::say("0\r\n"), Act::Repeat(b"X: y\r\n".to_vec(), 1 << 24)],
            "text",
            "error ",
        ),
    ]);
}

#[test]
fn interim_answers_without_end_hit_a_cap() {
    let answers = b"HTTP/1.1 100 Continue\r\n\r\n".repeat(1 << 10);
    check(vec![("interim answers", vec![Act::Repeat(answers, 1 << 14)], "text", "error too-large: ")]);
}

#[test]
fn a_line_of_a_gibibyte_hits_the_cap_in_bounded_memory() {
    for read in ["lines", "json-lines", "events"] {
        let peer = Peer::saying(vec![
            Act::say("HTTP/1.1 200 OK\r\n\r\n"),
            Act::say("{\"type\":\"ADDED\",\"object\":{}}\n{\"type\":\"ADDED\",\"object\":\""),
            Act::Repeat(vec![b'x'; 1 << 20], 1 << 10),
        ]);
        let run = Run::ask(&peer).arguments(&["--read", read, "/api/v1/pods?watch=true"]);
        let (outcome, usage) = run.deadline(Duration::from_secs(60)).measured();
        let outcome = outcome.expect_code(3).expect_line("item 1: ");
        let last = outcome.stdout.lines().last().unwrap();
        assert!(last.starts_with("error too-large: ") && last.contains("16"), "{read}: {last}");
        assert!(usage.memory < 150 << 20, "{read}: {usage:?}");
    }
}

#[test]
fn a_redirect_is_told_and_not_followed() {
    let other = Peer::answering(|_| vec![Act::json("{}")]);
    for code in [
        "301 Moved Permanently",
        "302 Found",
        "303 See Other",
        "307 Temporary Redirect",
        "308 Permanent Redirect",
    ] {
        for method in ["GET", "POST"] {
            let head = format!(
                "HTTP/1.1 {code}\r\nLocation: {}/x?token=abc\r\nContent-Length: 0\r\n\r\n",
                other.url()
            );
            let peer = Peer::answering(move |asked| asked.or_api(|| vec![Act::say(head.clone())]));
            let run = Run::ask(&peer).flag("--allow-net").arguments(&["--method", method]);
            let run = if method == "POST" { run.arguments(&["--body", "{}"]) } else { run };
            let outcome = run.argument("/x").run().expect_code(3).expect_line("error redirect: ");
            let line = outcome.stdout.lines().last().unwrap();
            assert!(line.contains(&other.url()) && !line.contains("abc"), "{line}");
            assert_eq!(peer.seen().len(), 2, "{:?}", peer.seen());
        }
    }
    assert_eq!(other.connections(), 0);
}
