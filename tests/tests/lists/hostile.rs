//! Requests that make no sense, servers that mean harm, and what a list costs.

use std::time::Duration;

use tidegate_tests::{Act, Peer};

use super::{at, done};

#[test]
fn what_makes_no_sense_is_refused_before_anything_is_sent() {
    let peer = Peer::saying(vec![Act::json(r#"{"items":[]}"#)]);
    for (flags, wanted) in [
        (
            &["--mask", "spec.x[0]"][..],
            "error invalid-request: in the path `spec.x[0]`, column 8: single elements",
        ),
        (&["--filter", "object.a =="], "error invalid-request: in the expression: line 1, column "),
        (&["--label-filter", "a=b=c"], "error invalid-request: in the label selector: "),
        (&["--field-filter", "status"], "error invalid-request: in the field selector: "),
    ] {
        at(&peer, flags).run().expect_code(3).expect_line(wanted);
    }
    assert!(peer.seen().iter().all(|asked| asked.target == "/api"), "{:?}", peer.seen());
}

/// What it is, what the server does, the guest's flags, how many items come before the error, and how the error's line begins.
type Row = (&'static str, Vec<Act>, &'static [&'static str], usize, &'static str);

#[test]
fn servers_that_mean_harm_get_typed_errors() {
    let body = |text: &str| vec![Act::json(text)];
    let deep = format!(r#"{{"items":[{{"a":{}{}}}]}}"#, "[".repeat(2000), "]".repeat(2000));
    let rows: Vec<Row> = vec![
        ("no list", body(r#"{"kind":"Pod"}"#), &[], 0, "error protocol: the answer is no list"),
        ("HTML", body("<html>"), &[], 0, "error protocol: the list is malformed at byte 0"),
        (
            "items that are none",
            body(r#"{"items":{"a":1}}"#),
            &[],
            0,
            "error protocol: the list is malformed at byte 9",
        ),
        (
            "items twice",
            body(r#"{"items":[{}],"items":[{}]}"#),
            &[],
            1,
            "error protocol: the list has a second `items`",
        ),
        (
            "garbage between",
            body(r#"{"items":[{},x{}]}"#),
            &[],
            1,
            "error protocol: the list is malformed at byte 13",
        ),
        (
            "no end",
            body(r#"{"items":[{},{}"#),
            &[],
            2,
            "error protocol: the list was cut short after 15 bytes",
        ),
        (
            "deep",
            body(&deep),
            &[],
            0,
            "error too-large: the list is nested deeper than the cap of 1000 levels",
        ),
        (
            "no JSON",
            body(r#"{"items":[{},{"a":nul}]}"#),
            &[],
            1,
            "error protocol: item 2 of the list is refused: it is not one JSON object",
        ),
        (
            "wrong brackets",
            body(r#"{"items":[{"a":[}}]}"#),
            &[],
            0,
            "error protocol: item 1 of the list is refused",
        ),
        (
            "no JSON that a mask would hand out",
            body(r#"{"items":[{"a":nul,"b":1}]}"#),
            &["--mask", "a"],
            0,
            "error protocol: item 1 of the list is refused",
        ),
        (
            "no answer",
            body(r#"{"items":[{"a":1},{}]}"#),
            &["--filter", "object.a == 1"],
            1,
            "error invalid-request: the filter has no answer for item 2 of the list: No such key: a",
        ),
        (
            "a truncated chunk",
            vec![Act::chunked_head(), Act::chunk(r#"{"items":[{},"#), Act::say("ff\r\n{"), Act::Close],
            &[],
            1,
            "error protocol: ",
        ),
        (
            "silence",
            vec![Act::chunked_head(), Act::chunk(r#"{"items":[{},"#), Act::Hang],
            &["--idle-deadline", "300"],
            1,
            "error timeout: the body was silent for 0.3 s",
        ),
        (
            "a watch without its bookmark",
            body("{\"type\":\"ADDED\",\"object\":{}}\n"),
            &["--source", "watch-list"],
            1,
            "error protocol: the watch ended before the bookmark that ends its initial events",
        ),
        (
            "what changes before the bookmark is an item again, and what goes without a version leaves no list",
            body(
                "{\"type\":\"ADDED\",\"object\":{}}\n{\"type\":\"MODIFIED\",\"object\":{}}\n{\"type\":\"DELETED\",\"object\":{}}\n",
            ),
            &["--source", "watch-list"],
            2,
            "error protocol: line 3 of the watch deletes an object before the initial events have ended, and does not say at which version",
        ),
        (
            "a watch that fails",
            body(
                "{\"type\":\"ERROR\",\"object\":{\"kind\":\"Status\",\"code\":410,\"reason\":\"Expired\"}}\n",
            ),
            &["--source", "watch-list"],
            0,
            "error status 410 Expired",
        ),
    ];
    for (what, acts, flags, items, wanted) in rows {
        println!("{what}");
        let outcome = at(&Peer::saying(acts), flags).run().expect_code(3);
        outcome.expect_line(&format!("had: {items} items")).expect_line(wanted);
    }
}

#[test]
fn memory_does_not_grow_with_the_list() {
    let item = format!(r#"{{"metadata":{{"name":"p"}},"spec":{{"a":"{}"}}}},"#, "x".repeat(700));
    let list = |times: usize| {
        let (head, tail) = (r#"{"items":["#, "{}]}");
        let length = head.len() + item.len() * times + tail.len();
        let head = format!("HTTP/1.1 200 OK\r\nContent-Length: {length}\r\n\r\n{head}");
        Peer::saying(vec![Act::say(head), Act::Repeat(item.clone().into_bytes(), times), Act::say(tail)])
    };
    let flags = ["--mask", "metadata.name", "--label-filter", "!tier"];
    let (outcome, few) = at(&list(100), &flags).measured();
    assert!(done(&outcome.expect_code(0)).starts_with("done: 101 items"));
    let (outcome, many) = at(&list(50_000), &flags).measured();
    assert!(done(&outcome.expect_code(0)).starts_with("done: 50001 items"));
    assert!(many.memory < few.memory + (6 << 20), "{few:?} for 100 items, {many:?} for 50,000");

    // One item without an end, and one member that nobody wants.
    let endless = |head: &str| {
        let head = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{head}", 1 << 30);
        Peer::saying(vec![Act::say(head), Act::Repeat(vec![b'x'; 1 << 16], 1 << 14), Act::Close])
    };
    let (outcome, usage) = at(&endless(r#"{"items":[{},{"a":""#), &[]).measured();
    let outcome = outcome.expect_code(3).expect_line("had: 1 items");
    outcome.expect_line("error too-large: item 2 of the list is larger than the item cap of 16777216 bytes");
    assert!(usage.memory < few.memory + (48 << 20), "{usage:?}");
}

#[test]
fn a_guest_that_takes_nothing_holds_its_server_back() {
    let item = format!(r#"{{"a":"{}"}},"#, "x".repeat(60_000));
    let peer = Peer::saying(vec![
        Act::chunked_head(),
        Act::chunk(r#"{"items":["#),
        Act::Repeat(format!("{:x}\r\n{item}\r\n", item.len()).into_bytes(), 2_000),
        Act::chunk("{}]}"),
        Act::say("0\r\n\r\n"),
    ]);
    std::thread::scope(|scope| {
        let run = at(&peer, &["--pause-after", "3000"]);
        let running = scope.spawn(move || run.run());
        tidegate_tests::eventually("it begins", || peer.written() > 0);
        std::thread::sleep(Duration::from_millis(1500));
        let held = peer.written();
        assert!(held < 40 << 20, "{held} bytes were taken while the guest slept");
        assert!(done(&running.join().unwrap().expect_code(0)).starts_with("done: 2001 items"));
    });
}
