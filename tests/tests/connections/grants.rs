//! A guest sees what it was granted, and what connections are made from is not its own.

use tidegate_tests::Run;

use crate::{Place, asking, without_secrets};

#[test]
fn a_guest_sees_the_names_that_it_was_granted() {
    let place = Place::new();
    for (flags, expected) in [
        ("", ""),
        ("--allow-connection", "name east\nname gone\nname west\nname west-2\n"),
        ("-A", "name east\nname gone\nname west\nname west-2\n"),
        ("--allow-connection=west", "name west\n"),
        ("--allow-connection=west*,nobody", "name west\nname west-2\n"),
        ("--allow-connection=west,east --deny-connection=w*", "name east\n"),
        ("-A --deny-connection", ""),
        ("--allow-net --allow-read --allow-env --allow-run", ""),
        ("-P ci", "name west\n"),
        ("-P all --deny-connection=west", "name east\n"),
        ("-P ci -P all --allow-connection=gone", "name east\nname gone\nname west\n"),
    ] {
        let outcome = place.ask("names").flags(flags).run().expect_code(0);
        assert_eq!(outcome.stdout, expected, "{flags}");
    }
}

#[test]
fn what_is_not_granted_looks_like_what_does_not_exist() {
    let place = Place::new();
    let (outcome, trace) = place.ask("connection=east").flag("--allow-connection=west").traced();
    let hidden = outcome.expect_code(3);
    let absent = place.ask("connection=nobody").flag("--allow-connection=west").run().expect_code(3);
    let expected = "error permission-denied: access to connection \"east\", run again with --allow-connection=east\n\
                    missing --allow-connection=east\n";
    assert_eq!(hidden.stdout, expected);
    assert_eq!(absent.stdout.replace("nobody", "east"), expected);
    let config = place.east.kubeconfig().display().to_string();
    assert!(!trace.lines().any(|line| line.contains(&config)), "the kubeconfig was touched");
    assert_eq!(place.east.connections(), 0);
    // Nothing granted at all: no configuration is read, and the answer is the same.
    let alone = asking("connection=east").run().expect_code(3);
    assert_eq!(alone.stdout, expected);
    // Granted, and not there: no flag would help.
    let granted = place.ask("connection=nobody").flag("--allow-connection=nobody").run().expect_code(3);
    assert_eq!(granted.stdout, "error not-configured: there is no connection \"nobody\"\n");
    assert!(granted.stderr.contains("warning: there is no connection \"nobody\""), "{}", granted.stderr);
    for name in ["", "e*", " east", "a\u{1b}[31m"] {
        let outcome = place.ask(&format!("connection={name}")).flag("-A").run().expect_code(3);
        assert!(outcome.stdout.starts_with("error invalid-request: "), "{name:?}: {outcome:?}");
    }
}

#[test]
fn denials_win_over_what_a_connection_needs() {
    let place = Place::new();
    let (address, config) = (place.east.address(), place.east.kubeconfig().display().to_string());
    let ca = place.east.folder().join("ca.crt").display().to_string();
    for (flag, expected) in [
        (
            "--deny-connection=east".to_owned(),
            "error permission-denied: access to connection \"east\", which --deny-connection=east refuses, run again without it".to_owned(),
        ),
        (
            format!("--deny-net={address}"),
            format!("network access to \"{address}\", which --deny-net={address} refuses, run again without it"),
        ),
        (format!("--deny-read={config}"), format!("read access to \"{config}\", which --deny-read={config} refuses")),
        (format!("--deny-read={ca}"), format!("read access to \"{ca}\", which --deny-read={ca} refuses")),
    ] {
        let outcome = place.ask("connection=east").flag("-A").flag(&flag).run().expect_code(3);
        assert!(outcome.stdout.contains("error permission-denied: "), "{flag}: {outcome:?}");
        assert!(outcome.stdout.contains(&expected), "{flag}: {outcome:?}");
        assert!(!outcome.stdout.contains("missing "), "{flag}: no flag would help: {outcome:?}");
    }
    assert_eq!(place.east.connections(), 0);
}

#[test]
fn what_connections_are_made_from_is_not_the_guests() {
    let place = Place::new();
    let (folder, address) = (place.east.folder(), place.east.address());
    for (path, grant) in [
        (folder.clone(), "--allow-connection=east"),
        (folder.join("config"), "--allow-connection=east"),
        (folder.join("ca.crt"), "--allow-connection=east"),
        // Not granted to this guest, but perhaps to the next.
        (folder.join("config"), "--allow-connection=west"),
        (place.file(), "--allow-connection=east"),
        (place.folder.path().to_path_buf(), "--allow-connection=east"),
    ] {
        let run = Run::guest("probe-wasi").flag_path("--config", &place.file()).flag(grant);
        let read = format!("read:{}", folder.join("config").display());
        let run = run.flag_path("--wasi-read", &path).argument(read).argument("preopens");
        let outcome = run.run();
        assert!(
            outcome.stderr.contains("holds credentials or tidegate's own files"),
            "{path:?}: {outcome:?}"
        );
        assert!(!outcome.stdout.contains("got "), "{path:?}: {outcome:?}");
        without_secrets(&outcome);
    }
    let run = Run::guest("probe-wasi").flag_path("--config", &place.file()).flag("--allow-connection=east");
    let outcome = run.flag("--wasi-net").argument(format!("tcp:{address}")).run();
    assert!(!outcome.stdout.contains("got "), "{outcome:?}");
    // A guest that can write what the connection is made from would choose where its credential goes.
    let run =
        place.ask("connection=east").flag("--allow-connection=east").flag_path("--allow-write", &folder);
    let outcome = run.run().expect_code(3);
    assert!(outcome.stdout.contains("--allow-write"), "{outcome:?}");
}
