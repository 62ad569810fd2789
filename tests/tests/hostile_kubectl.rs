//! A kubectl that misbehaves, and guests that would have it do more than they were let: every request ends, typed, and what it runs
//! with is the host's choice.

use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use tempfile::TempDir;
use tidegate_tests::{Outcome, Run};

const API: &str = "case \"$*\" in *--raw=/api) echo '{\"kind\":\"APIVersions\"}'; exit;; esac";

/// A program that is called kubectl, and notes how it was called.
struct Kubectl {
    folder: TempDir,
}

impl Kubectl {
    /// It does this for everything but the first question.
    fn that(script: &str) -> Kubectl {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("kubectl");
        let here = folder.path().display();
        let note = format!(
            "for a in \"$@\"; do printf '%s\\0' \"$a\"; done > {here}/arguments; env -0 > {here}/environment"
        );
        std::fs::write(&path, format!("#!/bin/sh\n{API}\n{note}\n{script}\n")).unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o700)).unwrap();
        Kubectl { folder }
    }

    fn path(&self) -> PathBuf {
        self.folder.path().join("kubectl")
    }

    fn noted(&self, what: &str) -> Vec<String> {
        let text = std::fs::read_to_string(self.folder.path().join(what)).unwrap_or_default();
        text.split_terminator('\0').map(str::to_owned).collect()
    }

    /// The guest `ask`, which may run this and nothing else.
    fn ask(&self, arguments: &[&str]) -> Run {
        let run =
            Run::guest("ask").flag_path("--kubectl", &self.path()).flag_path("--allow-run", &self.path());
        run.arguments(&["--via", "kubectl-raw"]).arguments(arguments).deadline(Duration::from_secs(20))
    }
}

#[track_caller]
fn last_line(outcome: &Outcome) -> &str {
    outcome.stdout.lines().last().unwrap_or_default()
}

#[test]
fn whatever_it_does_the_request_ends_typed() {
    let not_found = "echo 'Error from server (NotFound): pods \"x\" not found' >&2; exit 1";
    let rows = [
        ("a status", not_found, "text", "error status 404 NotFound: "),
        ("a failure without words", "exit 7", "text", "error "),
        ("half a body, then failure", "printf '{\"kind\":'; exit 1", "text", "error "),
        ("half a body, then a signal", "printf '{\"kind\":'; kill -9 $$", "text", "error "),
        ("killed", "kill -9 $$", "text", "error "),
        ("silence", "sleep 100", "text", "error timeout: "),
        ("half a body, then silence", "printf '{\"kind\":'; sleep 100", "bytes", "error timeout: "),
        ("a child that holds the pipes", "sleep 100 & exit 1", "text", "error "),
        (
            "a child that holds the pipes, and success",
            "echo '{}'; sleep 100 & exit 0",
            "bytes",
            "error timeout: ",
        ),
        ("words without end", "yes complaint >&2", "text", "error timeout: "),
        (
            "words without end, then success",
            "yes complaint | head -c 9000000 >&2; echo '{}'",
            "text",
            "done: 1 items",
        ),
        ("no JSON", "echo '<html>'", "json", "error protocol: "),
        ("no event", "echo '<html>'", "events", "error protocol: "),
        ("nothing at all", "exit 0", "json", "error protocol: "),
        (
            "a prompt",
            "printf 'Password: ' >&2; read x; echo \"{\\\"got\\\":\\\"$x\\\"}\"",
            "json",
            "item 1: {\"got\":\"\"}",
        ),
    ];
    for (what, script, read, expected) in rows {
        println!("{what}");
        let begun = Instant::now();
        let patience = ["--deadline", "1500", "--idle-deadline", "800"];
        let outcome = Kubectl::that(script).ask(&patience).arguments(&["--read", read, "/x"]).run();
        assert!(outcome.stdout.lines().any(|line| line.starts_with(expected)), "{what}: {outcome:?}");
        assert!(begun.elapsed() < Duration::from_secs(10), "{what}: {:?}", begun.elapsed());
    }
}

#[test]
fn a_line_or_complaint_without_end_is_bounded() {
    for (what, script, read, expected) in [
        ("a line", "head -c 1073741824 /dev/zero | tr '\\0' x", "lines", "error too-large: "),
        ("complaints", "head -c 200000000 /dev/zero | tr '\\0' x >&2; exit 1", "text", "error "),
    ] {
        let kubectl = Kubectl::that(script);
        let (outcome, usage) =
            kubectl.ask(&["--read", read, "/x"]).deadline(Duration::from_secs(60)).measured();
        assert!(last_line(&outcome).starts_with(expected), "{what}: {outcome:?}");
        assert!(usage.memory < 150 << 20, "{what}: {usage:?}");
        assert!(outcome.stdout.len() < 200_000, "{what}: {} bytes are told", outcome.stdout.len());
    }
}

/// A name that looks like a flag is a name, or is refused.
#[test]
fn a_guest_gives_it_no_argument_of_its_own() {
    let marker = tempfile::tempdir().unwrap();
    let touched = marker.path().join("touched");
    let shell = format!("/x?a=$(touch {0})`touch {0}`;touch {0}", touched.display());
    let kubectl = Kubectl::that("echo '{}'");
    for path in
        ["/-f", "/x?-f=/etc/passwd", "/x?a=--kubeconfig", "/--kubeconfig=evil", shell.as_str(), "/x?a='b' c"]
    {
        let outcome = kubectl.ask(&[path]).run();
        if outcome.code() == 0 {
            let arguments = kubectl.noted("arguments");
            let expected = ["--cache-dir=", "get", "--raw=/"];
            assert_eq!(arguments.len(), expected.len(), "{path}: {arguments:?}");
            assert!(
                arguments.iter().zip(expected).all(|(given, start)| given.starts_with(start)),
                "{path}: {arguments:?}"
            );
        } else {
            assert!(last_line(&outcome).starts_with("error invalid-request: "), "{path}: {outcome:?}");
        }
    }
    let patch = ["--method", "PATCH", "--content-type", "application/merge-patch+json", "--body", "{}"];
    for (namespace, resource, name) in [
        ("--kubeconfig=evil", "pods", "x"),
        ("web", "-f", "x"),
        ("web", "pods", "--server=https://evil"),
        ("web", "pods", "x%20--server=evil"),
        ("web", "pods%2Fy", "x"),
        ("web", "pods", "x%2Fy"),
        ("web", "pods,secrets", "x"),
        ("web%0a", "pods", "x"),
        ("WEB", "pods", "x"),
    ] {
        let path = format!("/api/v1/namespaces/{namespace}/{resource}/{name}");
        let outcome = kubectl.ask(&patch).argument(&path).run();
        assert_eq!(outcome.code(), 3, "{path}: {outcome:?}, {:?}", kubectl.noted("arguments"));
        let codes = ["error unsupported: ", "error invalid-request: "];
        assert!(codes.iter().any(|code| last_line(&outcome).starts_with(code)), "{path}: {outcome:?}");
    }
    for query in ["fieldManager=--kubeconfig", "fieldManager=a --server=evil"] {
        kubectl
            .ask(&patch)
            .arguments(&["--query", query, "/api/v1/namespaces/web/pods/x"])
            .run()
            .expect_code(0);
        let arguments = kubectl.noted("arguments");
        let value = query.split_once('=').unwrap().1;
        assert!(arguments.contains(&format!("--field-manager={value}")), "{arguments:?}");
        assert!(
            !arguments.iter().any(|argument| argument == value || argument.starts_with("--server")),
            "{arguments:?}"
        );
    }
    assert!(!touched.exists());
}

#[test]
fn a_guest_chooses_its_context_by_name_alone() {
    let kubectl = Kubectl::that("echo '{}'");
    for context in ["other", "--kubeconfig=evil", "a b", ""] {
        let outcome = kubectl.ask(&["--context", context, "/x"]).run();
        if outcome.code() == 0 {
            let arguments = kubectl.noted("arguments");
            assert!(arguments.contains(&format!("--context={context}")), "{context:?}: {arguments:?}");
            assert_eq!(arguments.len(), 4, "{context:?}: {arguments:?}");
        }
    }
}

/// It acts with the user's rights, so its environment is the user's; what would load code into it is not.
#[test]
fn its_environment_is_the_hosts_less_what_loads_code() {
    let kubectl = Kubectl::that("echo '{}'");
    let run = |flags: &str| {
        let run = kubectl
            .ask(&["/x"])
            .flags(flags)
            .variable("AWS_PROFILE", "work")
            .variable("KUBECONFIG", "/some/config");
        let run = run.variable("LD_PRELOAD", "/nowhere/evil.so").variable("LD_LIBRARY_PATH", "/nowhere");
        run.variable("DYLD_INSERT_LIBRARIES", "/nowhere/evil").run().expect_code(0);
        let environment = kubectl.noted("environment");
        environment
            .iter()
            .filter_map(|line| line.split_once('='))
            .map(|(name, _)| name.to_owned())
            .collect::<Vec<String>>()
    };
    let names = run("");
    for expected in ["AWS_PROFILE", "KUBECONFIG", "HOME", "PATH", "KUBERC"] {
        assert!(names.iter().any(|name| name == expected), "{expected}: {names:?}");
    }
    let names_loading: Vec<&String> =
        names.iter().filter(|name| name.starts_with("LD_") || name.starts_with("DYLD_")).collect();
    assert!(names_loading.is_empty(), "{names_loading:?}");
    let narrowed = run("--child-env=HOME,PATH");
    assert!(narrowed.iter().any(|name| name == "HOME"), "{narrowed:?}");
    assert!(!narrowed.iter().any(|name| name == "AWS_PROFILE" || name == "KUBECONFIG"), "{narrowed:?}");
}

/// A name is looked up once, in the user's PATH; one that is granted is no other of that name.
#[test]
fn a_program_of_another_place_is_not_granted_by_its_name() {
    let (ours, theirs) =
        (Kubectl::that("echo '{\"whose\":\"ours\"}'"), Kubectl::that("echo '{\"whose\":\"theirs\"}'"));
    let run = |program: &str, grant: String, path: String| {
        let run = Run::guest("ask").flag(format!("--kubectl={program}")).flag(format!("--allow-run={grant}"));
        run.variable("PATH", path).arguments(&["--via", "kubectl-raw", "/x"]).run()
    };
    let folder = |kubectl: &Kubectl| kubectl.folder.path().display().to_string();
    let path = format!("{}:{}:/usr/bin:/bin", folder(&ours), folder(&theirs));
    let by_name = run("kubectl", "kubectl".to_owned(), path.clone()).expect_code(0);
    assert!(by_name.stdout.contains("ours"), "{by_name:?}");
    let program = |kubectl: &Kubectl| kubectl.path().display().to_string();
    let outcome = run(&program(&theirs), program(&ours), path.clone()).expect_code(3);
    assert!(outcome.stdout.contains("error permission-denied: "), "{outcome:?}");
    assert!(theirs.noted("arguments").is_empty());
    // A path that is granted is that file, whatever PATH has under its name.
    let by_path = run("kubectl", program(&theirs), path).expect_code(0);
    assert!(by_path.stdout.contains("theirs"), "{by_path:?}");
}
