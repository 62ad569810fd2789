//! A `client` is a handle that only the host can make, and dropping the last of what came from it closes what it opened: the server's
//! connections and kubectl's processes are the witnesses.
//!
//! Covers: H10

use std::process::Stdio;
use std::time::Duration;

use tidegate_tests::{Act, Live, Manner, Peer, Run, Shown, eventually, is_alive, kubectl};

/// Endless lines, a request that is never answered, and everything else at once.
fn server() -> Peer {
    Peer::start(Shown::Plain, Manner::Usual, |asked| match asked.target.as_str() {
        "/endless" => vec![Act::chunked_head(), Act::chunk("line\n"), Act::Hang],
        // A list of it too.
        "/never" | "/never?limit=500" => vec![Act::Hang],
        _ => asked.or_api(|| vec![Act::json("{}")]),
    })
}

/// What the guest `handles close` opened, step by step: each time it says so, `open` is looked at, and then it goes on. An idle client keeps
/// `idle` of it.
fn steps(mut live: Live, idle: usize, open: impl Fn(&Live) -> usize) {
    let expected = [
        ("a client", idle),
        ("nothing", 0),
        ("a stream whose client is gone", 1),
        ("nothing", 0),
        ("a request whose client is gone", 1),
        ("nothing", 0),
        ("a response that nobody reads", 1),
        ("nothing", 0),
        ("a watcher whose client is gone", 1),
        ("nothing", 0),
        ("nothing", 0),
        ("what the end of the run closes", 1),
    ];
    for (step, count) in expected {
        assert_eq!(live.line(), step);
        eventually(&format!("{count} open after {step:?}"), || open(&live) == count);
        live.write("\n");
    }
    let (status, _, stderr) = live.ended_within(Duration::from_secs(10));
    assert!(status.success(), "{stderr}");
}

#[test]
fn connections_are_closed_with_what_opened_them() {
    let peer = server();
    let run = Run::guest("handles").flag(format!("--allow-net={}", peer.address()));
    let live = run.argument("close").argument(peer.url()).live_with(Stdio::piped());
    // One is kept for the next request.
    steps(live, 1, |_| peer.open());
    eventually("the end of the run closes the last", || peer.open() == 0);
}

#[test]
fn processes_are_ended_with_what_started_them() {
    let peer = server();
    let run = Run::guest("handles").flag_path("--kubectl", &kubectl()).flag_path("--allow-run", &kubectl());
    let run = run.variable("KUBECONFIG", peer.kubeconfig());
    let live = run.arguments(&["close", "raw"]).live_with(Stdio::piped());
    // Its question is answered, and nothing is kept.
    steps(live, 0, |live| live.descendants().into_iter().filter(|id| is_alive(*id)).count());
    eventually("the end of the run closes the last", || peer.open() == 0);
}

/// A number is no handle: not a guessed one, not that of something else, not one that was given back.
#[test]
fn a_client_cannot_be_forged() {
    let peer = server();
    let forge = |handle: &str| {
        let run = Run::guest("handles").flag(format!("--allow-net={}", peer.address()));
        run.argument("forge").argument(peer.url()).argument(handle).run()
    };
    let own = forge("own").expect_code(0);
    assert_eq!(own.stdout, "forged KubectlProxy\n");
    for handle in ["0", "2", "3", "100", "65536", "4294967295", "pollable", "dropped"] {
        let outcome = forge(handle).expect_code(134);
        assert_eq!(outcome.stdout, "", "{handle}");
        assert!(outcome.stderr.contains("handle"), "{handle}: {outcome:?}");
    }
}
