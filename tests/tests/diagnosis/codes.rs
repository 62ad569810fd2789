//! Exit codes: the guest's own; 2 usage; 124 a limit; 125 the host could not start it; 126 an unhandled refusal; 134 a trap.

use tidegate_tests::{Act, Manner, Peer, Run, Shown};

#[test]
fn the_guests_own_exit_code_is_tidegates() {
    for code in ["0", "1", "3", "7", "42", "124", "125", "126", "134", "255"] {
        let outcome = Run::guest("spin").arguments(&["exit", code]).run();
        assert_eq!(outcome.code().to_string(), code, "{outcome:?}");
        assert!(!outcome.stderr.contains("error"), "{outcome:?}");
    }
    let outcome = Run::guest("spin").argument("error").run().expect_code(1);
    assert!(outcome.stderr.contains("as told"), "{outcome:?}");
}

#[test]
fn a_trap_names_the_functions_that_led_to_it() {
    let rows = [
        ("panic", "as told", "the guest panicked", "spin::main"),
        ("trap", "", "the guest panicked or reached code that it calls unreachable", "spin::trap"),
        ("recurse", "", "the guest", "spin::recurse"),
    ];
    for (what, own, reason, function) in rows {
        let outcome = Run::guest("spin").argument(what).run().expect_code(134);
        for part in [own, "error: ", reason, function] {
            assert!(outcome.stderr.contains(part), "{what}: no {part:?} in {}", outcome.stderr);
        }
        assert!(
            !outcome.stderr.contains("_ZN") && !outcome.stderr.contains("_RNv"),
            "{what}: {}",
            outcome.stderr
        );
        assert!(outcome.stderr.lines().count() < 80, "{what}: {}", outcome.stderr);
    }
}

#[test]
fn a_wrong_command_line_is_2_and_what_cannot_start_is_125() {
    let rows: [(&str, &[&str], i32); 12] = [
        ("run", &["--no-such-flag", "x.wasm"], 2),
        ("run", &[], 2),
        ("run", &["--allow-net=*", "x.wasm"], 2),
        ("run", &["--allow-net=10.0.0.0/33", "x.wasm"], 2),
        ("run", &["--allow-read=", "x.wasm"], 2),
        ("run", &["--transports=Telnet", "x.wasm"], 2),
        ("run", &["--probe-deadline=never", "x.wasm"], 2),
        ("run", &["--verbose", "--quiet", "x.wasm"], 2),
        ("run", &["nothing.wasm"], 125),
        ("inspect", &["nothing.wasm"], 125),
        ("inspect", &[], 2),
        ("explode", &[], 2),
    ];
    for (command, flags, code) in rows {
        let outcome = flags.iter().fold(Run::command(command), Run::flag).run();
        assert_eq!(outcome.code(), code, "{command} {flags:?}: {outcome:?}");
        assert!(outcome.stderr.contains("error: "), "{command} {flags:?}: {outcome:?}");
        assert_eq!(outcome.stdout, "", "{command} {flags:?}");
    }
}

#[test]
fn an_unhandled_refusal_is_126_and_a_handled_one_is_not() {
    let outcome = Run::guest("list-pods").run().expect_code(126);
    assert!(outcome.stderr.contains("run again with --allow-"), "{outcome:?}");
    // This guest handles it: it prints it, and ends with a code of its own.
    let outcome = Run::guest("ask").arguments(&["--via", "in-cluster", "/x"]).run().expect_code(3);
    assert!(outcome.stdout.contains("error permission-denied: "), "{outcome:?}");
    // A refusal that was followed by another failure is not what ended it.
    let peer = Peer::answering(|asked| asked.or_api(|| vec![Act::respond("404 Not Found", "", "")]));
    let run = Run::guest("list-pods")
        .flag_path("--kubeconfig", &peer.kubeconfig())
        .flag_path("--allow-read", &peer.folder());
    run.flag(format!("--allow-net={}", peer.address())).run().expect_code(1);
}

/// Each limit, named with its value and the flag that raises it. What each means is in `limits`.
#[test]
fn a_limit_is_124_and_is_named() {
    let long = "x".repeat(1 << 20);
    let peer = Peer::start(Shown::Plain, Manner::Usual, move |asked| match asked.target.as_str() {
        "/endless" => vec![Act::chunked_head(), Act::chunk("line\n"), Act::Hang],
        "/long" => vec![Act::json(&long)],
        _ => asked.or_api(|| vec![Act::json("{}")]),
    });
    let url = peer.url();
    let rows: [(&str, &str, &[&str]); 6] = [
        ("--limit-memory=16MiB", "--limit-memory=32MiB", &["memory", "1000"]),
        ("--limit-cpu=200ms", "--limit-cpu=400ms", &["loop"]),
        ("--limit-wall=500ms", "--limit-wall=1s", &["sleep"]),
        ("--limit-streams=3", "--limit-streams=6", &["streams", &url, "100"]),
        ("--limit-requests=5/h", "--limit-requests=10/h", &["requests", &url, "100"]),
        ("--limit-bytes=64KiB", "--limit-bytes=128KiB", &["read", &url, "/long"]),
    ];
    for (flag, more, what) in rows {
        let run = Run::guest("glutton").flag(format!("--allow-net={}", peer.address())).flag(flag);
        let outcome = run.argument("fails").arguments(what).run().expect_code(124);
        let (name, value) = flag.split_once('=').unwrap();
        let error = outcome.stderr.lines().find(|line| line.starts_with("error: ")).unwrap_or_default();
        assert!(error.contains(value) && error.contains(&format!("({name})")), "{flag}: {outcome:?}");
        let cure =
            outcome.stderr.lines().find(|line| line.trim_start().starts_with("cure: ")).unwrap_or_default();
        assert!(cure.contains(more), "{flag}: {outcome:?}");
    }
}
