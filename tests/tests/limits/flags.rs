//! How limits are said: flags, permission sets, help, `doctor`.

use tidegate_tests::Run;

/// Spins for a moment, so that a limit of nothing would end it.
fn run() -> Run {
    Run::guest("spin").arguments(&["grow", "20"])
}

#[test]
fn a_value_that_is_none_is_a_wrong_command_line() {
    for (flag, cure) in [
        ("--limit-memory=lots", "write bytes, or a number and Ki, Mi, Gi, K, M or G, e.g. 64MiB"),
        ("--limit-memory=0", "e.g. 64MiB"),
        ("--limit-cpu=-1s", "write a number and ms, s, m or h, e.g. 10s or 1m30s"),
        ("--limit-wall=1d", "e.g. 10s or 1m30s"),
        ("--limit-streams=many", "write a whole number from 1, e.g. 16"),
        ("--limit-requests=100", "write how many in a second, minute or hour, e.g. 100/s or 600/m"),
        ("--limit-bytes=1.5GiB", "e.g. 64MiB"),
    ] {
        let outcome = run().flag(flag).run().expect_code(2);
        let name = flag.split('=').next().unwrap();
        assert!(outcome.stderr.contains(name) && outcome.stderr.contains(cure), "{flag}: {outcome:?}");
        assert_eq!(outcome.stdout, "", "{flag}");
    }
    for flags in ["--limit-memory", "--limit-patience=1s"] {
        Run::command("run").flags(flags).run().expect_code(2);
    }
}

#[test]
fn every_way_to_write_a_limit() {
    for flags in [
        "--limit-memory=64Mi --limit-cpu=30 --limit-wall=1m30s --limit-streams=16 --limit-requests=600/m --limit-bytes=1G",
        "--limit-memory 64MiB",
        "--limit-memory=1 --limit-memory=64MiB",
        "--limit-memory=1 --limit-memory=none",
    ] {
        assert_eq!(run().flags(flags).run().expect_code(0).said(), [""; 0], "{flags}");
    }
}

#[test]
fn permission_sets_hold_limits_and_the_command_line_has_the_last_word() {
    let folder = tempfile::tempdir().unwrap();
    let config = folder.path().join("tidegate.yaml");
    let text = "permissions:
  small: [--limit-memory=4MiB, --limit-wall=1h]
  large: [--limit-memory=64MiB]\n";
    std::fs::write(&config, text).unwrap();
    for (flags, code) in [
        ("-P small", 124),
        ("-P small -P large", 0),
        ("-P large -P small", 124),
        ("-P small --limit-memory=64MiB", 0),
        ("-P small --limit-memory=none", 0),
        ("-P large --limit-memory=4MiB", 124),
    ] {
        let outcome = run().flag_path("--config", &config).flags(flags).run();
        assert_eq!(outcome.code(), code, "{flags}: {outcome:?}");
    }
    std::fs::write(&config, "permissions:\n  ci:\n    - --limit-cpu=soon\n").unwrap();
    let outcome = run().flag_path("--config", &config).flags("-P ci").run().expect_code(125);
    assert!(outcome.stderr.contains(":3: --limit-cpu has a wrong value; write a number"), "{outcome:?}");
}

#[test]
fn help_and_doctor_show_limits() {
    let help = Run::command("run").flag("--help").run().expect_code(0).stdout;
    for kind in ["memory", "cpu", "wall", "streams", "requests", "bytes"] {
        let line = help.lines().find(|line| line.trim_start().starts_with(&format!("--limit-{kind}")));
        assert!(line.is_some(), "{kind}: {help}");
        assert!(
            help.lines().filter(|line| line.contains(&format!("--limit-{kind}="))).count() > 0,
            "no example of {kind}"
        );
    }
    let doctor = |flags: &str| Run::command("doctor").flags(flags).run().expect_code(1).stdout;
    assert!(
        doctor("--limit-cpu=90s --limit-memory=64Mi").ends_with("\nLimits        memory 64MiB, cpu 1m30s\n")
    );
    assert!(!doctor("").contains("Limits"));
}
