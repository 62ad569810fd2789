//! The rate of requests: a guest that asks too often waits its turn, within its deadline.

use std::time::{Duration, Instant};

use tidegate_tests::{Act, Manner, Peer, Run, Shown};

/// A server over plain HTTP that can go on for ever.
pub(crate) fn server() -> Peer {
    let megabyte = vec![b'x'; 1 << 20];
    let chunk = [format!("{:x}\r\n", megabyte.len()).into_bytes(), megabyte, b"\r\n".to_vec()].concat();
    Peer::start(Shown::Plain, Manner::Usual, move |asked| match asked.target.split('?').next() {
        Some("/endless") => vec![Act::chunked_head(), Act::chunk("line\n"), Act::Hang],
        Some("/endless-bytes") => vec![Act::chunked_head(), Act::Repeat(chunk.clone(), 10_000)],
        Some("/length") => vec![Act::json(&asked.body.len().to_string())],
        Some("/x") => vec![Act::json(&format!("{:1000}", "{}"))],
        _ => asked.or_api(|| vec![Act::json("{}")]),
    })
}

/// The guest `glutton`, which takes a refusal as it is told to, with the network to the peer granted.
pub(crate) fn glutton(peer: &Peer, how: &str) -> Run {
    Run::guest("glutton").flag(format!("--allow-net={}", peer.address())).argument(how)
}

#[test]
fn one_after_another_they_are_paced() {
    let peer = server();
    let run = |rate: &str, count: &str| {
        let run = glutton(&peer, "fails").flag(format!("--limit-requests={rate}"));
        let begun = Instant::now();
        let outcome = run.argument("requests").argument(peer.url()).argument(count).run().expect_code(0);
        (begun.elapsed(), outcome)
    };
    // Detection counts as one: 31 in all, of which 10 may come at once.
    let (took, outcome) = run("10/s", "30");
    assert!(took > Duration::from_millis(2_000), "{took:?}");
    assert_eq!(outcome.stdout, "30 made\n");
    let warning = "warning: the script makes more than 10/s requests (--limit-requests): from now on it waits for its turn";
    assert_eq!(outcome.said(), [warning]);
    let (_, outcome) = run("1000/m", "30");
    assert_eq!(outcome.said(), [""; 0]);
}

#[test]
fn a_flood_is_held_back_and_what_would_wait_too_long_is_refused() {
    let run = |how: &str, flags: &str| {
        let peer = server();
        let run = glutton(&peer, how).flags("--limit-requests=20/s").flags(flags);
        let begun = Instant::now();
        let outcome = run.argument("flood").argument(peer.url()).argument("1000").run();
        let seen = peer.seen().iter().filter(|asked| asked.target == "/x").count();
        (outcome, seen, begun.elapsed())
    };
    let (outcome, seen, took) = run("handles", "");
    let outcome = outcome.expect_code(0);
    // One of twenty was for detection, and each second brings twenty more.
    let most = 20.0 + 20.0 * took.as_secs_f64();
    assert!(seen >= 20 && (seen as f64) <= most, "{seen} in {took:?}: {outcome:?}");
    assert!(
        outcome
            .stdout
            .contains(" of 1000 answered\nlimit: the script makes more requests than its limit of 20/s"),
        "{outcome:?}"
    );
    for how in ["fails", "panics"] {
        let outcome = run(how, "").0.expect_code(124);
        assert!(
            outcome.stderr.contains("(--limit-requests)") && outcome.stderr.contains("--limit-requests=40/s"),
            "{outcome:?}"
        );
    }
    // Who waits has a place among what is open.
    let (outcome, seen, _) = run("fails", "--limit-streams=5");
    assert!(outcome.expect_code(124).stderr.contains("its limit of 5 streams"));
    assert_eq!(seen, 5);
}

/// Looking for servers asks them too.
#[test]
fn detection_is_paced() {
    let peer = server();
    let run = glutton(&peer, "fails").flags("--limit-requests=10/s --limit-streams=100");
    let begun = Instant::now();
    run.argument("clients").argument(peer.url()).argument("25").run().expect_code(0);
    assert!(begun.elapsed() > Duration::from_millis(1_500), "{:?}", begun.elapsed());
}
