//! The program as people meet it: help, doctor, inspect, completions, playground, colours, quiet.
// H11 but for limits; H12's half that people see.

use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::Duration;

use rustix::process::Signal;
use tidegate_tests::{Act, Outcome, Peer, Run, Shown, TOKEN, eventually, guest, program};

fn peer() -> Peer {
    Peer::answering(|asked| asked.or_api(|| vec![Act::json("{}")]))
}

fn help(command: &[&str]) -> String {
    let run = command[1..].iter().fold(Run::command(command[0]), Run::flag);
    let outcome = run.run().expect_code(0);
    assert_eq!(outcome.stderr, "", "{command:?}");
    outcome.stdout
}

#[test]
fn every_help_has_examples_whose_flags_exist() {
    for command in [
        &["--help"][..],
        &["run", "--help"],
        &["doctor", "--help"],
        &["inspect", "--help"],
        &["completions", "--help"],
    ] {
        let text = help(command);
        assert!(text.contains("Usage: tidegate"), "{command:?}: {text}");
        let examples: Vec<&str> = text.split("Example").nth(1).into_iter().flat_map(str::lines).collect();
        let examples: Vec<&str> =
            examples.into_iter().filter(|line| line.trim_start().starts_with("tidegate ")).collect();
        assert!(!examples.is_empty(), "{command:?} has no example: {text}");
        for example in examples {
            let words: Vec<&str> = example.split_whitespace().take_while(|word| *word != "--").collect();
            if words[1] == "playground" {
                continue;
            }
            let flags = help(&[words[1], "--help"]);
            for word in words.iter().filter(|word| word.starts_with("--")) {
                let flag = word.split('=').next().unwrap();
                assert!(flags.contains(flag), "{command:?}: {example}: {} has no {flag}", words[1]);
            }
        }
    }
}

#[test]
fn help_fits_a_terminal_and_names_every_exit_code() {
    for command in [&["--help"][..], &["run", "--help"], &["doctor", "--help"], &["inspect", "--help"]] {
        let text = help(command);
        let wide: Vec<&str> = text.lines().filter(|line| line.chars().count() > 100).collect();
        assert!(wide.is_empty(), "{command:?}: {wide:#?}");
    }
    let text = help(&["--help"]);
    for code in ["2 usage", "125", "126", "134"] {
        assert!(text.contains(code), "{code}: {text}");
    }
    let text = help(&["run", "--help"]);
    for flag in ["net", "read", "write", "env", "run"] {
        assert!(
            text.contains(&format!("--allow-{flag}")) && text.contains(&format!("--deny-{flag}")),
            "{flag}: {text}"
        );
    }
    assert!(help(&["--version"]).starts_with("tidegate "));
}

#[test]
fn doctor_says_what_each_transport_needs() {
    let (outcome, trace) = Run::command("doctor").traced();
    let outcome = outcome.expect_code(1);
    let account = "/var/run/secrets/kubernetes.io/serviceaccount";
    let verdicts: Vec<&str> = outcome.stdout.lines().filter(|line| !line.starts_with(' ')).collect();
    let names: Vec<&str> = verdicts.iter().filter_map(|line| line.split_whitespace().next()).collect();
    assert_eq!(names, ["InCluster", "KubeConfig", "KubectlProxy", "KubectlRaw"], "{outcome:?}");
    let grants: Vec<&str> =
        outcome.stdout.lines().filter_map(|line| line.trim().strip_prefix("grant: ")).collect();
    let expected = [
        &format!("--allow-read={account}"),
        "--allow-env=KUBECONFIG --allow-env=HOME",
        "--allow-net=localhost:8001",
        "--allow-run=kubectl",
    ];
    assert_eq!(grants, expected, "{outcome:?}");
    let own = |line: &&str| !line.contains("/tidegate\", [");
    let touched: Vec<&str> = trace
        .lines()
        .filter(own)
        .filter(|line| line.contains("connect(") || line.contains(account))
        .collect();
    assert!(touched.is_empty(), "{touched:#?}");
}

/// What doctor says to grant is enough to get on, round by round.
#[test]
fn granting_what_doctor_says_leads_to_a_transport() {
    let peer = peer();
    let mut granted: Vec<String> = Vec::new();
    for round in 0..5 {
        let run =
            Run::command("doctor").flag("--transports=KubeConfig").variable("KUBECONFIG", peer.kubeconfig());
        let outcome = granted.iter().fold(run, Run::flag).run();
        if outcome.code() == 0 {
            let mut lines = outcome.stdout.lines();
            let works = format!("KubeConfig    works: {}, namespace default", peer.url());
            assert_eq!(lines.next(), Some(works.as_str()));
            let credential = lines.next().unwrap_or_default().trim();
            assert!(credential.starts_with("credential: token: user "), "{outcome:?}");
            assert_eq!(round, 3, "{granted:?}");
            return;
        }
        let more = outcome.stdout.lines().filter_map(|line| line.trim().strip_prefix("grant: "));
        let more: Vec<String> = more.flat_map(str::split_whitespace).map(str::to_owned).collect();
        assert!(
            !more.is_empty() && more.iter().all(|flag| !granted.contains(flag)),
            "{granted:?}: {outcome:?}"
        );
        granted.extend(more);
    }
    panic!("still not enough: {granted:?}");
}

#[test]
fn doctor_tries_every_transport_and_says_why_not() {
    let good = peer();
    let refusing = Peer::answering(|_| vec![Act::respond("401 Unauthorized", "", "")]);
    let stranger = Peer::start(Shown::OtherAuthority, tidegate_tests::Manner::Usual, |_| Vec::new());
    let doctor = |peer: &Peer| {
        let run = Run::command("doctor")
            .flags("-A --transports=KubeConfig,InCluster,KubectlProxy,KubectlRaw --kubectl=/nowhere/kubectl");
        let run =
            run.flag_path("--kubeconfig", &peer.kubeconfig()).flag_path("--service-account", &good.folder());
        run.flag(format!("--in-cluster-address={}", good.address()))
            .flag("--kubectl-proxy=http://127.0.0.1:1")
            .run()
    };
    for (peer, verdict) in [(&good, "works:"), (&refusing, "unauthorized:"), (&stranger, "tls:")] {
        let outcome = doctor(peer).expect_code(0);
        let verdicts: Vec<Vec<&str>> = outcome
            .stdout
            .lines()
            .filter(|line| !line.starts_with(' '))
            .map(|line| line.split_whitespace().take(2).collect())
            .collect();
        let expected = [
            vec!["KubeConfig", verdict],
            vec!["InCluster", "works:"],
            vec!["KubectlProxy", "unreachable:"],
            vec!["KubectlRaw", "not-configured:"],
        ];
        assert_eq!(verdicts, expected, "{outcome:?}");
        assert!(outcome.stdout.contains("namespace web"), "{outcome:?}");
        assert!(!outcome.everything().contains(TOKEN));
    }
}

#[test]
fn inspect_shows_imports_and_hints_and_runs_nothing() {
    let (outcome, trace) = Run::command("inspect").flag(guest("probe-wasi")).traced();
    let outcome = outcome.expect_code(0);
    for part in [
        "probe-wasi: a component of ",
        "language: Rust",
        "rustc 1.",
        "world: fits tidegate:host/script",
        "  wasi:sockets/tcp@0.2.",
        "  wasi:cli/run@0.2.",
        "--wasi-net",
    ] {
        assert!(outcome.stdout.contains(part), "no {part:?} in {}", outcome.stdout);
    }
    assert!(!outcome.stdout.contains("nothing preopens") && !trace.contains("connect("), "{outcome:?}");

    let folder = tempfile::tempdir().unwrap();
    let strange = folder.path().join("strange.wasm");
    let bytes = std::fs::read(guest("ask")).unwrap();
    let (have, want) = (b"tidegate:host/detect@0.1.0", b"tidegate:host/detach@0.1.0");
    let mut changed = bytes.clone();
    for at in (0..bytes.len() - have.len()).filter(|at| bytes[*at..].starts_with(have)) {
        changed[at..][..want.len()].copy_from_slice(want);
    }
    std::fs::write(&strange, changed).unwrap();
    let outcome = Run::command("inspect").flag(&strange).run().expect_code(0);
    assert!(outcome.stdout.contains("world: does not fit tidegate:host/script"), "{outcome:?}");
    assert!(
        outcome.stdout.contains("  tidegate:host/detach@0.1.0 (tidegate does not offer this)"),
        "{outcome:?}"
    );
    for bytes in [&b"text"[..], b"\0asm\x01\0\0\0", b""] {
        std::fs::write(&strange, bytes).unwrap();
        let outcome = Run::command("inspect").flag(&strange).run().expect_code(125);
        assert!(
            outcome.stderr.contains("error: strange is ") && outcome.stderr.contains("cure: "),
            "{outcome:?}"
        );
    }
}

#[test]
fn completions_are_scripts_for_each_shell() {
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let outcome = Run::command("completions").flag(shell).run().expect_code(0);
        for word in ["doctor", "inspect", "allow-net", "wasi-read", "probe-deadline"] {
            assert!(outcome.stdout.contains(word), "{shell}: no {word}");
        }
        assert!(!outcome.stdout.contains('\u{1}'), "{shell}: a control byte");
        if shell == "bash" {
            let mut check = Command::new("bash").arg("-n").stdin(Stdio::piped()).spawn().unwrap();
            std::io::Write::write_all(&mut check.stdin.take().unwrap(), outcome.stdout.as_bytes()).unwrap();
            assert!(check.wait().unwrap().success());
        }
    }
    Run::command("completions").flag("tcsh").run().expect_code(2);
}

#[test]
fn quiet_shows_errors_alone() {
    let peer = Peer::start(Shown::Plain, tidegate_tests::Manner::Usual, |asked| {
        asked.or_api(|| vec![Act::json("{}")])
    });
    let run = |flags: &str| {
        Run::ask(&peer).flags("--no-cache --wasi-read=/").flags(flags).argument("/x").run().expect_code(0)
    };
    let loud = run("");
    for part in ["Compiling ask", "Compiled ask", "warning: --wasi-read", "warning: the server http://"] {
        assert!(loud.stderr.contains(part), "no {part:?} in {}", loud.stderr);
    }
    assert_eq!(run("--quiet").stderr, "");
    assert_eq!(run("-q").stdout, loud.stdout);
    let trapped = Run::guest("spin").flag("--quiet").argument("trap").run().expect_code(134);
    assert!(trapped.stderr.contains("error: "), "{trapped:?}");
    let missing = Run::command("run").flags("--quiet nothing.wasm").run().expect_code(125);
    assert!(missing.stderr.contains("error: "), "{missing:?}");
}

/// Colours are for a terminal, unless it does not want them.
#[test]
fn colours_are_for_terminals_that_want_them() {
    let doctor = || Run::command("doctor");
    assert!(doctor().on_a_terminal().1.contains("\u{1b}["));
    assert!(
        doctor().variable("NO_COLOR", "").on_a_terminal().1.contains("\u{1b}["),
        "an empty NO_COLOR does not count"
    );
    let text = doctor().variable("NO_COLOR", "1").on_a_terminal().1;
    assert!(text.contains("KubectlRaw") && !text.contains('\u{1b}'), "{text}");
    let error = Run::command("run").flag("nothing.wasm");
    assert!(error.on_a_terminal().1.contains("\u{1b}["));
    assert!(!error.variable("NO_COLOR", "1").on_a_terminal().1.contains('\u{1b}'));
    let piped = doctor().run();
    assert!(!piped.everything().contains('\u{1b}'), "{piped:?}");
}

#[test]
fn the_playground_starts_serves_and_ends() {
    let folder = tempfile::tempdir().unwrap();
    let kubeconfig = folder.path().join("kubeconfig");
    let live = Run::command("playground").flag_path("--kubeconfig-out", &kubeconfig).live();
    eventually("it listens", || kubeconfig.is_file());
    let outcome = reading(&kubeconfig, "list-pods").argument("-A").run().expect_code(0);
    assert!(outcome.stdout.starts_with("NAMESPACE"), "{outcome:?}");
    let outcome =
        reading(&kubeconfig, "ask").arguments(&["--via", "kube-config", "/version"]).run().expect_code(0);
    assert!(outcome.stdout.contains("gitVersion"), "{outcome:?}");
    let id = live.id();
    live.signal(Signal::INT);
    live.ended_within(Duration::from_secs(5));
    assert!(!tidegate_tests::is_alive(id));
}

fn reading(kubeconfig: &std::path::Path, script: &str) -> Run {
    Run::guest(script).flag("-A").flag("--transports=KubeConfig").flag_path("--kubeconfig", kubeconfig)
}

#[test]
fn a_program_that_is_not_installed_is_named_with_the_cure() {
    let folder = tempfile::tempdir().unwrap();
    let alone: PathBuf = folder.path().join("tidegate");
    std::fs::copy(program("tidegate"), &alone).unwrap();
    let run = |arguments: &[&str]| {
        let output =
            Command::new(&alone).args(arguments).env_clear().env("HOME", folder.path()).output().unwrap();
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        Outcome { status: output.status, stdout: text(&output.stdout), stderr: text(&output.stderr) }
            .expect_code(125)
    };
    let script = guest("spin");
    let playground = run(&["playground"]);
    assert!(
        playground.stderr.contains("tidegate-playground") && playground.stderr.contains("cure: "),
        "{playground:?}"
    );
    let compiler = run(&["run", "--no-cache", script.to_str().unwrap()]);
    assert!(
        compiler.stderr.contains("tidegate-compile") && compiler.stderr.contains("cure: "),
        "{compiler:?}"
    );
}
