//! The WIT as a guest meets it: handles used twice, dropped in any order, and streams cut anywhere.

mod common;

use std::time::Duration;

use common::peer::Peer;
use common::{engine, guest, net, quiet, run, shared_cache};
use tidegate::grants::Grants;
use tidegate::{Ending, Script};
use tokio::time::{sleep, timeout};

async fn handles() -> Script {
    engine(&shared_cache()).build().unwrap().load_file(guest("handles")).await.unwrap()
}

/// What the guest prints for these arguments; `URL` among them is the peer's.
async fn printed(arguments: &[&str]) -> String {
    let script = handles().await;
    let peer = Peer::start().await;
    let url = peer.url();
    let arguments: Vec<&str> =
        arguments.iter().map(|&word| if word == "URL" { url.as_str() } else { word }).collect();
    let (text, outcome) = run(&script, net(&peer.endpoint()), &arguments).await;
    assert_eq!(outcome.ending, Ending::Exited(0), "{text}\n{outcome:?}");
    text
}

#[tokio::test]
async fn ten_thousand_pollables() {
    assert_eq!(printed(&["poll", "10000"]).await, "5000 of 10000\n[] [0, 2]\n");
}

#[tokio::test]
async fn what_is_used_up_is_closed() {
    let expected = "\
early true
take closed
try-take closed
bytes ok
json closed
stream closed
code 200
second body closed
write before start invalid-request
send invalid-request
write after refusal invalid-request
finish ok closed
write after finish closed
empty []
\"api\" invalid-request invalid-request
\"/api/../secret\" invalid-request invalid-request
\"/api/%2e%2e/secret\" invalid-request invalid-request
\"/a\\r\\nHost: b\" invalid-request invalid-request
body of GET invalid-request
supports true false
";
    assert_eq!(printed(&["misuse", "URL"]).await, expected);
}

#[tokio::test]
async fn any_drop_order_is_legal() {
    let expected = "\
pending ready false
pending gone true
lines 1
stream ready false
stream gone true
half a body closed
";
    assert_eq!(printed(&["drops", "URL"]).await, expected);
}

#[tokio::test]
async fn requests_in_flight_go_on_together() {
    let started = std::time::Instant::now();
    assert_eq!(printed(&["flight", "URL"]).await, "landed 8\n");
    assert!(started.elapsed().as_secs() < 30);
}

#[tokio::test]
async fn a_body_is_sent_while_it_is_written() {
    assert_eq!(printed(&["upload", "URL"]).await, "echoed 3300000\n");
}

#[tokio::test]
async fn streams() {
    let many = format!(
        "{}\n{}\n{}\nend\n",
        ["line"; 256].join(" | "),
        ["line"; 256].join(" | "),
        ["line"; 88].join(" | ")
    );
    let cases = [
        ("lines", "/lines", "one\ntwo | \nthree\nend\n"),
        ("lines", "/many", many.as_str()),
        (
            "json",
            "/json",
            "{\"a\":1}\n{\"b\":2}\nprotocol: line 4 of the stream is not one JSON object (column 1)\nend\n",
        ),
        (
            "events",
            "/events",
            "EventType::Added {\"kind\":\"Pod\"}\nEventType::Added {\"kind\":\"Pod\"}\nEventType::Error {\"code\":410}\nend\n",
        ),
        (
            "events",
            "/bookmarks",
            "EventType::Added {\"kind\":\"Pod\"}\nprotocol: line 2 of the watch has an unknown event type\nend\n",
        ),
        (
            "lines",
            "/long",
            "short\ntoo-large: line 2 of the stream is longer than the line cap of 16777216 bytes\nend\n",
        ),
    ];
    for (stream, path, expected) in cases {
        assert_eq!(printed(&["read", "URL", stream, path]).await, expected, "{stream} of {path}");
    }
    let bytes = printed(&["read", "URL", "bytes", "/bytes"]).await;
    let pieces: Vec<usize> = bytes.lines().filter_map(|line| line.parse().ok()).collect();
    assert_eq!(pieces.iter().sum::<usize>(), 600 << 10);
    assert!(pieces.iter().all(|&piece| piece <= 256 << 10) && bytes.ends_with("end\n"), "{pieces:?}");
}

/// What arrived before a body was cut short is delivered, the rest of a line is not.
#[tokio::test]
async fn a_body_that_is_cut_short() {
    let text = printed(&["read", "URL", "lines", "/half-then-close"]).await;
    assert!(text.starts_with("line\nprotocol: ") && text.ends_with("\nend\n"), "{text}");
}

#[tokio::test]
async fn a_guest_that_hoards_handles_is_stopped_by_name() {
    let script = handles().await;
    let (text, outcome) = run(&script, Grants::none(), &["hoard", "20000"]).await;
    assert_eq!((text.as_str(), outcome.ending), ("20000\n", Ending::Exited(0)));
    let (_, outcome) = run(&script, Grants::none(), &["hoard", "40000"]).await;
    let Ending::Trapped(trap) = outcome.ending else { panic!("{outcome:?}") };
    assert!(trap.message.contains("32768 handles"), "{trap}");
}

/// What a run opened is closed with it, wherever its guest waits.
#[tokio::test]
async fn a_run_that_is_dropped_closes_what_it_opened() {
    let script = handles().await;
    for arguments in [["read", "lines", "/endless"], ["read", "lines", "/never"], ["wait", "", ""]] {
        let peer = Peer::start().await;
        let arguments = [arguments[0], &peer.url(), arguments[1], arguments[2]];
        let (run, _, _) = quiet(&script);
        let run = run.grants(net(&peer.endpoint())).arguments(arguments).start();
        assert!(timeout(Duration::from_millis(500), run).await.is_err(), "{arguments:?}");
        let mut polls = 0;
        while peer.open() > 0 {
            polls += 1;
            assert!(polls < 500, "{arguments:?} left {} connections open", peer.open());
            sleep(Duration::from_millis(10)).await;
        }
    }
}

/// Whatever a guest hands over is bounded, by an error where it can be told and by a trap that names the cap where not.
#[tokio::test]
async fn what_a_guest_hands_over_is_bounded() {
    assert_eq!(printed(&["body", "URL", "200"]).await, "ok\n");
    assert_eq!(printed(&["body", "URL", "257"]).await, "too-large\n");
    assert_eq!(printed(&["repeat", "50000"]).await, "50000\n");
    let (_, outcome) = run(&handles().await, Grants::none(), &["repeat", "50001"]).await;
    let Ending::Trapped(trap) = outcome.ending else { panic!("{outcome:?}") };
    assert!(trap.message.ends_with("waits for 50001 pollables at once, and may for 50000"), "{trap}");
}
