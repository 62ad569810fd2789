//! Requests in flight: waited for, polled, dropped, too late.

use std::process::Stdio;
use std::time::{Duration, Instant};

use tidegate_tests::{Act, Peer, eventually};

use crate::{lines, on};

fn server() -> Peer {
    Peer::answering(|asked| {
        asked.or_api(|| match asked.target.split('?').next().unwrap_or_default() {
            "/slow" => {
                vec![Act::Pause(Duration::from_millis(300)), Act::respond("200 OK", "", &asked.target)]
            }
            "/half" => vec![Act::chunked_head(), Act::chunk("a line\n"), Act::Hang],
            _ => vec![Act::Hang],
        })
    })
}

#[test]
fn a_request_in_flight_is_waited_for_or_polled() {
    let outcome = on(&server(), "pending").run().expect_code(0);
    assert_eq!(
        lines(&outcome),
        [
            "waited for: 200  [] /slow",
            "at once: true",
            "polled: 200  [] /slow",
            "again: error closed",
            "one of four: 200  [] /slow?3",
            "one of four: 200  [] /slow?2",
            "one of four: 200  [] /slow?1",
            "one of four: 200  [] /slow?0",
        ]
    );
}

/// The server sees it: there is nobody at the other end any more.
#[test]
fn what_is_dropped_is_cancelled() {
    let peer = server();
    let mut live = on(&peer, "hold").live_with(Stdio::piped());
    for step in ["a request", "a body", "a response", "a stream"] {
        assert_eq!(live.line(), step);
        eventually(step, || peer.open() == 1);
        live.write("\n");
        assert_eq!(live.line(), "dropped", "{step}");
        eventually(&format!("{step} is cancelled"), || peer.open() == 0);
        live.write("\n");
    }
    let (status, _, stderr) = live.ended_within(Duration::from_secs(10));
    assert!(status.success(), "{stderr}");
}

#[test]
fn a_deadline_ends_what_takes_too_long() {
    let peer = server();
    let begun = Instant::now();
    let outcome = on(&peer, "deadlines").run().expect_code(0);
    assert!(begun.elapsed() < Duration::from_secs(10), "{:?}", begun.elapsed());
    assert_eq!(
        lines(&outcome),
        [
            "a head: error timeout",
            "a body: error timeout",
            "a silence: error timeout",
            "0ns: error invalid-request",
            "86401s: error invalid-request",
        ]
    );
    eventually("nothing is left", || peer.open() == 0);
}
