//! The program as people meet it: help, completions, playground, colours, quiet. What it diagnoses is in `diagnosis`.
// H12's half that people see.

use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::Duration;

use rustix::process::Signal;
use tidegate_tests::{Act, Outcome, Peer, Run, Shown, eventually, guest, program};

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
    for code in ["2 usage", "124", "125", "126", "134"] {
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
