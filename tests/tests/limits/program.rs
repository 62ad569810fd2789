//! The program: a guest that reaches a limit ends with 124, and is told which it was, what it is and which flag raises it.

use std::process::Stdio;
use std::time::{Duration, Instant};

use tidegate_tests::{Act, Outcome, Peer, Run, eventually, is_alive};

use crate::requests::{glutton, server};

/// Ended by this limit, said so, and said what would have helped.
#[track_caller]
fn expect_limit(outcome: Outcome, limit: &str, cure: &str) -> Outcome {
    let outcome = outcome.expect_code(124);
    let error = outcome.stderr.lines().find(|line| line.starts_with("error: ")).unwrap_or_default();
    assert!(error.contains(limit), "no {limit:?} in {}", outcome.stderr);
    assert_eq!(outcome.stderr.matches("error: ").count(), 1, "said once: {}", outcome.stderr);
    assert!(
        outcome.stderr.contains("cure: ") && outcome.stderr.contains(cure),
        "no {cure:?} in {}",
        outcome.stderr
    );
    outcome
}

#[test]
fn memory() {
    let limited = |limit: &str| Run::guest("spin").flag(format!("--limit-memory={limit}"));
    let (reached, cure) =
        ("needs more memory than its limit of 32MiB (--limit-memory)", "--limit-memory=64MiB");
    // Rust's allocator aborts, which is a trap.
    let outcome = expect_limit(limited("32MiB").arguments(&["grow", "4000"]).run(), reached, cure);
    assert!(outcome.stdout.contains("\n20 MiB\n") && !outcome.stdout.contains("\n32 MiB\n"), "{outcome:?}");
    assert!(outcome.stderr.contains("    at spin::main"), "where: {}", outcome.stderr);
    limited("32MiB").arguments(&["grow", "20"]).run().expect_code(0);
    // Less than it begins with.
    expect_limit(
        limited("64KiB").arguments(&["exit", "0"]).run(),
        "its limit of 64KiB",
        "--limit-memory=128KiB",
    );

    // `memory.grow` is −1 to a guest that asks, and what it makes of that is its own.
    let gently = |how: &str| {
        let run = Run::guest("glutton").flag("--limit-memory=32MiB");
        run.argument(how).arguments(&["memory", "4000"]).run()
    };
    assert!(gently("handles").expect_code(0).stdout.starts_with("refused after "));
    for how in ["fails", "panics"] {
        expect_limit(gently(how), reached, cure);
    }
}

/// What the host holds for a guest is bounded by the guest's memory too.
#[test]
fn memory_of_the_host() {
    let peer = server();
    let run = |what: &[&str]| glutton(&peer, "fails").flag("--limit-memory=24MiB").arguments(what);
    let (outcome, usage) = run(&["read-whole", &peer.url(), "/endless-bytes"]).measured();
    expect_limit(outcome, "needs more memory than its limit of 24MiB", "--limit-memory=48MiB");
    assert!(usage.memory < 150 << 20, "{usage:?}");
    let (outcome, usage) = run(&["body", &peer.url(), "400"]).measured();
    expect_limit(outcome, "needs more memory than its limit of 24MiB", "--limit-memory=48MiB");
    assert!(usage.memory < 150 << 20, "{usage:?}");
}

#[test]
fn processor_time() {
    let run = |what: &str| Run::guest("glutton").flag("--limit-cpu=600ms").arguments(&["fails", what]);
    let (reached, cure) = ("has used up its 600ms of processor time (--limit-cpu)", "--limit-cpu=1s200ms");
    let (outcome, usage) = run("loop").measured();
    let outcome = expect_limit(outcome, reached, cure);
    assert!(outcome.stderr.contains("    at glutton::spin"), "where it spins: {}", outcome.stderr);
    let used = usage.processor.as_millis();
    assert!((500..1_500).contains(&used), "{used} ms");
    // Short turns add up, and what lies between them does not count.
    let begun = Instant::now();
    let (outcome, usage) = run("naps").measured();
    expect_limit(outcome, reached, cure);
    let used = usage.processor.as_millis();
    assert!((500..1_500).contains(&used), "{used} ms");
    assert!(begun.elapsed() > Duration::from_millis(700), "{:?}", begun.elapsed());
    let waits = Run::guest("spin").flag("--limit-cpu=600ms").arguments(&["sleep", "2"]);
    assert_eq!(waits.run().expect_code(0).stdout, "slept\n");
}

#[test]
fn time_on_the_clock() {
    let (reached, cure) = ("has run for 700ms, its limit (--limit-wall)", "--limit-wall=1s400ms");
    for what in ["loop", "naps", "sleep"] {
        let run = Run::guest("glutton").flag("--limit-wall=700ms").arguments(&["fails", what]);
        let begun = Instant::now();
        expect_limit(run.run(), reached, cure);
        assert!(begun.elapsed() > Duration::from_millis(700), "{what}: {:?}", begun.elapsed());
    }
    // One that waits for input.
    let waits = Run::guest("spin").flag("--limit-wall=700ms").argument("echo").live_with(Stdio::piped());
    let (status, _, stderr) = waits.ended_within(Duration::from_secs(10));
    assert_eq!(status.code(), Some(124), "{stderr}");
    let quick = Run::guest("spin").flag("--limit-wall=1h").arguments(&["exit", "7"]).run().expect_code(7);
    assert_eq!(quick.said(), [""; 0]);
}

/// `tidegate run … | less`: nothing can be told to a guest that writes where nobody reads.
#[test]
fn time_on_the_clock_of_a_guest_whose_output_nobody_reads() {
    let mut live = Run::guest("spin").flag("--limit-wall=1s").arguments(&["flood", "100000000"]).live();
    assert_eq!(live.line(), "line 0");
    let (status, _, stderr) = live.ended_within(Duration::from_secs(15));
    assert_eq!(status.code(), Some(124), "{stderr}");
    assert!(stderr.contains("has run for 1s"), "{stderr}");
}

#[test]
fn streams() {
    let (reached, cure) =
        ("would have more open than its limit of 16 streams (--limit-streams)", "--limit-streams=32");
    let run = |how: &str, what: &str, count: &str| {
        let peer = server();
        let run = glutton(&peer, how).flags("--allow-listen --limit-streams=16");
        let arguments: &[&str] =
            if what == "listeners" { &[what, count] } else { &[what, &peer.url(), count] };
        let outcome = run.arguments(arguments).run();
        assert!(peer.connections() <= 64, "{what}: {}", peer.connections());
        eventually("all are closed", || peer.open() == 0);
        outcome
    };
    // The handle to a client is dropped with each stream, so there are as many of these.
    for what in ["streams", "clients", "reflectors", "listeners"] {
        for how in ["fails", "panics"] {
            expect_limit(run(how, what, "10000"), reached, cure);
        }
        let outcome = run("handles", what, "10000").expect_code(0);
        let refused = outcome.stdout.starts_with("limit: the script would have more open")
            && outcome.stdout.ends_with(" after 16\n");
        assert!(refused, "{what}: {outcome:?}");
        assert_eq!(run("fails", what, "15").expect_code(0).stdout, "15 open\n", "{what}");
    }
}

#[test]
fn bytes() {
    let (reached, cure) = ("has received and sent its limit of 4MiB (--limit-bytes)", "--limit-bytes=8MiB");
    let peer = server();
    let run = |how: &str, what: &[&str]| {
        let run = glutton(&peer, how).flag("--limit-bytes=4MiB");
        let (name, rest) = (what[0], &what[1..]);
        run.argument(name).argument(peer.url()).arguments(rest).run()
    };
    let endless: &[&[&str]] = &[
        &["read", "/endless-bytes"],
        &["read-whole", "/endless-bytes"],
        &["requests", "100000"],
        &["send", "64"],
    ];
    for what in endless {
        for how in ["fails", "panics"] {
            expect_limit(run(how, what), reached, cure);
        }
        assert!(run("handles", what).expect_code(0).stdout.starts_with("limit: "), "{what:?}");
    }
    let outcome = run("handles", &["read", "/endless-bytes"]);
    let read: u64 =
        outcome.stdout.split(" after ").nth(1).unwrap().trim_end_matches(" KiB\n").parse().unwrap();
    assert!((3_500..=4_096).contains(&read), "{outcome:?}");
    run("fails", &["send", "3"]).expect_code(0);
    eventually("all are closed", || peer.open() == 0);
}

/// What a guest had open goes with it, also where nobody asked the guest.
#[test]
fn nothing_is_left_of_a_guest_whose_time_is_up() {
    let peer = Peer::answering(|asked| {
        asked.or_api(|| {
            vec![Act::chunked_head(), Act::chunk("{\"type\":\"ADDED\",\"object\":{}}\n"), Act::Hang]
        })
    });
    let watch = ["--read", "events", "/api/v1/pods?watch=true"];
    let outcome = Run::ask(&peer).flag("--limit-wall=4s").arguments(&watch).run();
    let outcome = expect_limit(outcome, "has run for 4s", "--limit-wall=8s");
    assert!(outcome.stdout.contains("item 1: {}"), "{outcome:?}");
    eventually("its connection is closed", || peer.open() == 0);

    let kubectl = tidegate_tests::kubectl();
    let run =
        Run::asking(&peer, "kubectl-raw").flag_path("--kubectl", &kubectl).flag_path("--allow-run", &kubectl);
    let run = run.variable("KUBECONFIG", peer.kubeconfig()).flag("--limit-wall=15s").arguments(&watch);
    let mut live = run.live();
    assert_eq!((live.line(), live.line()), ("via KubectlRaw".to_owned(), "item 1: {}".to_owned()));
    let started = live.descendants();
    assert!(!started.is_empty());
    let (status, _, stderr) = live.ended_within(Duration::from_secs(40));
    assert_eq!(status.code(), Some(124), "{stderr}");
    eventually("kubectl is gone", || !started.iter().any(|id| is_alive(*id)));
}
