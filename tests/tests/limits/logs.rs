//! Logs that are followed: each is one stream, and a limit that passes is no end.

use tidegate_tests::{Act, Outcome, Peer, Run};

/// A pod of two containers whose logs have one line each, and then go as they are told to.
fn tail(then: Act, flags: &str, arguments: &str) -> Outcome {
    const POD: &str = r#"{"metadata":{"name":"web","namespace":"default","uid":"u"},
        "spec":{"containers":[{"name":"a"},{"name":"b"}]},
        "status":{"phase":"Running","containerStatuses":[
            {"name":"a","restartCount":0,"state":{"running":{}}},{"name":"b","restartCount":0,"state":{"running":{}}}]}}"#;
    let peer = Peer::answering(move |asked| {
        asked.or_api(|| match asked.target.split('?').next() {
            Some("/api/v1/namespaces/default/pods/web") => vec![Act::json(POD)],
            Some("/api/v1/namespaces/default/pods/web/log") => {
                vec![Act::chunked_head(), Act::chunk("2026-01-31T12:00:00Z hello\n"), then.clone()]
            }
            _ => vec![Act::respond("404 Not Found", "", "")],
        })
    });
    Run::guest("tail-logs")
        .flag(format!("--allow-net={}", peer.address()))
        .flag("--transports=KubeConfig")
        .flag_path("--kubeconfig", &peer.kubeconfig())
        .flag_path("--allow-read", &peer.folder())
        .flags(flags)
        .arguments(&arguments.split(' ').collect::<Vec<_>>())
        .run()
}

#[test]
fn each_log_is_one_stream() {
    for (streams, what) in [(1, "web -c a -f --lines 1"), (2, "web --all-containers -f --lines 2")] {
        let outcome = tail(Act::Hang, &format!("--limit-streams={streams}"), what).expect_code(0);
        assert_eq!(outcome.stdout.matches("hello").count(), streams, "{outcome:?}");
        assert_eq!(outcome.said(), [""; 0]);
    }
    let outcome = tail(Act::Hang, "--limit-streams=1", "web --all-containers -f --seconds 2").expect_code(0);
    assert!(outcome.stderr.contains("(--limit-streams)"), "{outcome:?}");
}

/// It is followed again once there is room, or a turn.
#[test]
fn a_limit_that_passes_is_an_interruption() {
    let end = || Act::say("0\r\n\r\n");
    // Enough to begin with, and to look at the pod once the log has ended.
    let outcome = tail(end(), "--limit-requests=6/h", "web -c a -f --seconds 3").expect_code(0);
    assert_eq!(outcome.stdout, "hello\n");
    let told = "web/a: the connection was lost: the script makes more requests than its limit of 6/h";
    assert!(outcome.stderr.matches(told).count() > 1, "it is tried again: {outcome:?}");
    // One that lasts is told as what it is.
    let outcome = tail(end(), "--limit-bytes=600", "web -c a -f --seconds 10").expect_code(124);
    assert!(outcome.stderr.contains("(--limit-bytes)"), "{outcome:?}");
}
