//! What a guest opens by itself, through WASI, is bounded by the same limits.

use std::time::{Duration, Instant};

use tidegate_tests::{Outcome, Peer, Run, eventually};

use crate::requests::server;

fn glutton(how: &str, flags: &str, what: &[&str]) -> Outcome {
    Run::guest("glutton").flags(flags).argument(how).arguments(what).run()
}

#[test]
fn files_and_sockets() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("file"), "text").unwrap();
    let path = folder.path().to_str().unwrap();
    let files = format!("--wasi-read={path} --limit-streams=16");
    let sockets = "--wasi-net --limit-streams=16";
    let rows: [(&str, &str, &[&str]); 4] = [
        ("files", &files, &[path]),
        ("file-streams", &files, &[]),
        ("tcp", sockets, &[]),
        ("udp", sockets, &[]),
    ];
    for (what, flags, rest) in rows {
        let run = |how: &str, count: &str| {
            let words: Vec<&str> = [what].iter().chain(rest).chain([&count]).copied().collect();
            glutton(how, flags, &words)
        };
        let outcome = run("handles", "1000").expect_code(0);
        assert!(outcome.stdout.ends_with(" after 16\n"), "{what}: {outcome:?}");
        for how in ["fails", "panics"] {
            let outcome = run(how, "1000").expect_code(124);
            assert!(
                outcome.stderr.contains("its limit of 16 streams (--limit-streams)"),
                "{what}: {outcome:?}"
            );
        }
        assert_eq!(run("fails", "16").expect_code(0).stdout, "16 open\n", "{what}");
    }
}

#[test]
fn requests() {
    let run = |peer: &Peer, how: &str, limit: &str, path: &str| {
        let flags = format!("--wasi-net={} {limit}", peer.address());
        glutton(how, &flags, &["web", &peer.address(), path, "25"])
    };
    let peer = server();
    let begun = Instant::now();
    run(&peer, "fails", "--limit-requests=10/s", "/x").expect_code(0);
    assert!(begun.elapsed() > Duration::from_millis(1_400), "{:?}", begun.elapsed());
    for (limit, path, told) in [
        (
            "--limit-streams=16",
            "/endless",
            "would have more open than its limit of 16 streams (--limit-streams)",
        ),
        ("--limit-bytes=10kB", "/x", "has received and sent its limit of 10kB (--limit-bytes)"),
        ("--limit-bytes=1MiB", "/endless-bytes", "has received and sent its limit of 1MiB (--limit-bytes)"),
        ("--limit-requests=10/h", "/x", "makes more requests than its limit of 10/h (--limit-requests)"),
    ] {
        for how in ["fails", "panics"] {
            let outcome = run(&peer, how, limit, path).expect_code(124);
            assert!(outcome.stderr.contains(told), "{limit}: {outcome:?}");
        }
        run(&peer, "handles", limit, path).expect_code(0);
    }
    eventually("all are closed", || peer.open() == 0);
}

#[test]
fn what_is_kept_of_requests_is_bounded_by_memory() {
    for what in ["unsent", "fields"] {
        let run = |limit: &str, count: &str| glutton("fails", limit, &[what, count]);
        // Unlimited, these hold as much as they may.
        run("", "400").expect_code(0);
        run("--limit-memory=64MiB", "40").expect_code(0);
        let outcome = run("--limit-memory=16MiB", "4000").expect_code(124);
        let told = "needs more memory than its limit of 16MiB (--limit-memory)";
        assert!(outcome.stderr.contains(told), "{what}: {outcome:?}");
        let made = outcome.stdout.lines().count();
        assert!((20..200).contains(&made), "{what}: {made}");
    }
}

#[test]
fn looking_names_up_counts() {
    let run = |limit: &str| {
        let flags = format!("--wasi-net=localhost:80 {limit}");
        glutton("fails", &flags, &["names", "100"])
    };
    run("").expect_code(0);
    run("--limit-streams=100 --limit-requests=100/s").expect_code(0);
    for (limit, told) in [
        ("--limit-requests=10/h", "makes more requests than its limit of 10/h (--limit-requests)"),
        (
            "--limit-streams=16 --limit-requests=10/s",
            "would have more open than its limit of 16 streams (--limit-streams)",
        ),
    ] {
        let outcome = run(limit).expect_code(124);
        assert!(outcome.stderr.contains(told), "{limit}: {outcome:?}");
    }
}
