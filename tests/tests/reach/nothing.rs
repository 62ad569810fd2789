//! Without `--wasi-*` a guest has nothing of its own; variables by `--wasi-env` alone.

use tidegate_tests::{Run, TOKEN};

use crate::files::Files;
use crate::{expect_got, plain_peer, probe};

#[test]
fn with_all_that_the_host_may_do_the_guest_itself_gets_nothing() {
    let (peer, files) = (plain_peer(), Files::new());
    let mut attempts: Vec<String> =
        ["preopens", "envs", "env:HOME", "env:PATH", "env:SECRET", "list:/", "list:.", "read:/etc/passwd"]
            .map(str::to_owned)
            .into();
    attempts.extend([
        files.attempt("read", "granted/file"),
        files.attempt("write", "granted/new"),
        files.attempt("list", "granted"),
    ]);
    attempts.extend(["token", "config"].map(|name| format!("read:{}", peer.folder().join(name).display())));
    attempts.extend(["tcp", "udp"].map(|way| format!("{way}:{}", peer.address())));
    attempts.extend(
        ["lookup:localhost", "lookup:example.org", "listen:127.0.0.1:0", "listen:0.0.0.0:0"]
            .map(str::to_owned),
    );
    let all = |run: Run| {
        let run = run
            .flag("-A")
            .flag_path("--kubeconfig", &peer.kubeconfig())
            .flag_path("--service-account", &peer.folder());
        run.flags("--allow-net --allow-read --allow-write --allow-env --allow-run").variable("SECRET", TOKEN)
    };
    let (outcome, trace) = attempts.iter().fold(all(probe()), Run::argument).traced();
    expect_got(&outcome, &[]);
    assert_eq!(
        outcome.stdout.lines().filter(|line| line.starts_with("nothing ")).count(),
        attempts.len(),
        "{outcome:?}"
    );
    assert_eq!(outcome.stderr, "");
    let own = |line: &&str| !line.contains("/tidegate\", [");
    for touched in ["/etc/passwd", "granted", "/token", "connect(", "/etc/hosts", "resolv.conf"] {
        let lines: Vec<&str> = trace.lines().filter(own).filter(|line| line.contains(touched)).collect();
        assert!(lines.is_empty(), "{touched}: {lines:#?}");
    }
    assert!(!files.at("granted/new").exists());

    let outcome = all(Run::guest("probe-wasi-http")).argument(peer.address()).run().expect_code(0);
    assert!(outcome.stdout.starts_with("nothing: "), "{outcome:?}");
    assert_eq!(peer.connections(), 0);
}

#[test]
fn variables_are_those_that_are_named() {
    let run = |flags: &str| {
        let run = probe()
            .flags("-A")
            .flags(flags)
            .variable("APP_A", "1")
            .variable("APP_B", "2")
            .variable("OTHER", "3");
        run.arguments(&["env:APP_A", "env:APP_B", "env:OTHER", "env:HOME", "env:PATH"]).run()
    };
    expect_got(&run("--wasi-env=APP_A"), &["env:APP_A"]);
    expect_got(&run("--wasi-env=APP_*"), &["env:APP_A", "env:APP_B"]);
    expect_got(&run("--wasi-env=APP_*,OTHER --deny-env=APP_B"), &["env:APP_A", "env:OTHER"]);
    expect_got(&run("--wasi-env --deny-env=HOME,PATH"), &["env:APP_A", "env:APP_B", "env:OTHER"]);
    expect_got(&run("--wasi-env --deny-env"), &[]);
}
