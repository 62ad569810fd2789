//! What a guest reaches by itself: nothing, whatever its host may do for it; with `--wasi-*` just what they name, and never a credential,
//! a server of a transport or tidegate's own files.
//!
//! Covers: H6

use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

use tempfile::TempDir;
use tidegate_tests::{Act, Manner, Outcome, Peer, Run, Shown, TOKEN};

/// What a row adds to its run.
type With<'a> = dyn Fn(Run) -> Run + 'a;

fn plain_peer() -> Peer {
    Peer::start(Shown::Plain, Manner::Usual, |asked| asked.or_api(|| vec![Act::json("{}")]))
}

fn probe() -> Run {
    Run::guest("probe-wasi")
}

/// All of these were got, in this order, and everything else that was tried was not.
#[track_caller]
fn expect_got(outcome: &Outcome, got: &[&str]) {
    let lines = outcome.stdout.lines().filter_map(|line| line.strip_prefix("got "));
    let found: Vec<&str> =
        lines.map(|line| line.rsplit_once(": ").map_or(line, |(attempt, _)| attempt)).collect();
    assert_eq!(found, got, "{outcome:?}");
    assert_eq!(outcome.code(), i32::from(!got.is_empty()), "{outcome:?}");
    assert!(!outcome.everything().contains(TOKEN), "{outcome:?}");
}

/// Folders and files that nothing protects.
struct Files {
    folder: TempDir,
}

impl Files {
    fn new() -> Files {
        let folder = tempfile::tempdir().unwrap();
        for name in ["granted/sub", "outside"] {
            std::fs::create_dir_all(folder.path().join(name)).unwrap();
        }
        for name in ["granted/file", "granted/sub/file", "outside/file"] {
            std::fs::write(folder.path().join(name), "text").unwrap();
        }
        symlink(folder.path().join("outside"), folder.path().join("granted/absolute")).unwrap();
        symlink("../outside", folder.path().join("granted/relative")).unwrap();
        Files { folder }
    }

    fn at(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn attempt(&self, what: &str, name: &str) -> String {
        format!("{what}:{}", self.at(name).display())
    }
}

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
fn files_are_those_of_the_folder_that_is_named() {
    let files = Files::new();
    let attempts = [
        files.attempt("read", "granted/file"),
        files.attempt("read", "granted/sub/file"),
        files.attempt("list", "granted"),
        files.attempt("read", "granted/../outside/file"),
        files.attempt("read", "granted/absolute/file"),
        files.attempt("read", "granted/relative/file"),
        files.attempt("read", "outside/file"),
        files.attempt("write", "granted/new"),
        files.attempt("write", "granted/file"),
        "list:/".to_owned(),
        "read:/etc/passwd".to_owned(),
    ];
    let attempts: Vec<&str> = attempts.iter().map(String::as_str).collect();
    let run = |flag: &str| probe().flag_path(flag, &files.at("granted")).arguments(&attempts);
    expect_got(&run("--wasi-read").run(), &attempts[..3]);
    assert_eq!(std::fs::read(files.at("granted/file")).unwrap(), b"text");
    let got = [&attempts[..3], &attempts[7..9]].concat();
    expect_got(&run("--wasi-write").run(), &got);
    assert_eq!(std::fs::read(files.at("granted/new")).unwrap(), b"probe");
}

#[test]
fn a_folder_with_something_denied_in_it_or_above_it_is_refused() {
    let files = Files::new();
    for (flag, denied) in [
        ("--deny-read", "granted/sub"),
        ("--deny-read", "granted/sub/file"),
        ("--deny-read", "granted"),
        ("--deny-read", ""),
        ("--deny-read", "granted/nothing-yet"),
    ] {
        for wasi in ["--wasi-read", "--wasi-write"] {
            let run = probe().flag_path(wasi, &files.at("granted")).flag_path(flag, &files.at(denied));
            let outcome = run.argument(files.attempt("read", "granted/file")).run();
            expect_got(&outcome, &[]);
            assert!(outcome.stderr.contains(&format!("warning: {wasi} of")), "{flag}={denied}: {outcome:?}");
        }
    }
    let run = probe()
        .flag_path("--wasi-write", &files.at("granted"))
        .flag_path("--deny-write", &files.at("granted/sub"));
    let outcome = run.argument(files.attempt("write", "granted/sub/file")).run();
    expect_got(&outcome, &[]);
    assert!(outcome.stderr.contains("warning: --wasi-write of"), "{outcome:?}");
    let elsewhere =
        probe().flag_path("--wasi-read", &files.at("granted")).flag_path("--deny-read", &files.at("outside"));
    let attempt = files.attempt("read", "granted/file");
    expect_got(&elsewhere.argument(&attempt).run(), &[&attempt]);
}

/// What a transport may take a credential from, whoever named it; each is tried by the root folder, by its own folder and by itself.
#[test]
fn credentials_and_tidegates_own_files_are_out_of_reach() {
    let peer = Peer::answering(|_| Vec::new());
    let place = tempfile::tempdir().unwrap();
    let at = |name: &str| place.path().join(name);
    for folder in
        ["named", "home/.kube", "account", "variable", "cache/tidegate", "own-cache", "config/tidegate"]
    {
        std::fs::create_dir_all(at(folder)).unwrap();
    }
    let write = |name: &str, text: &str| std::fs::write(at(name), text).unwrap();
    write("named/token", TOKEN);
    write(
        "home/.kube/config",
        &peer.kubeconfig_with(&format!("{{tokenFile: '{}'}}", at("named/token").display())),
    );
    std::fs::copy(at("home/.kube/config"), at("variable/config")).unwrap();
    write("account/token", TOKEN);
    write("account/ca.crt", "");
    write("cache/tidegate/entry", "machine code");
    write("own-cache/entry", "machine code");
    write("config/tidegate/tidegate.yaml", "");
    std::fs::create_dir(at("link")).unwrap();
    symlink(at("account"), at("link/account")).unwrap();

    let nothing = |run: Run| run;
    let rows: [(&str, &str, &With); 9] = [
        ("a kubeconfig of HOME", "home/.kube/config", &nothing),
        ("what it names", "named/token", &nothing),
        ("a kubeconfig of KUBECONFIG", "variable/config", &|run| {
            run.variable("KUBECONFIG", at("variable/config"))
        }),
        ("what that names", "named/token", &|run| {
            run.variable("KUBECONFIG", at("variable/config")).variable("HOME", "/nowhere")
        }),
        ("a kubeconfig of --kubeconfig", "variable/config", &|run| {
            run.flag_path("--kubeconfig", &at("variable/config"))
        }),
        ("a service account", "account/token", &|run| run.flag_path("--service-account", &at("account"))),
        ("the user's cache", "cache/tidegate/entry", &|run| run.variable("XDG_CACHE_HOME", at("cache"))),
        ("the chosen cache", "own-cache/entry", &|run| run.flag_path("--cache", &at("own-cache"))),
        ("the configuration", "config/tidegate/tidegate.yaml", &|run| {
            run.variable("XDG_CONFIG_HOME", at("config"))
        }),
    ];
    std::fs::set_permissions(at("own-cache"), std::os::unix::fs::PermissionsExt::from_mode(0o700)).unwrap();
    for (what, file, with) in rows {
        let file = at(file);
        let folder = file.parent().unwrap();
        for wasi in [Path::new("/"), place.path(), folder, &file] {
            for flag in ["--wasi-read", "--wasi-write"] {
                let run = with(probe().flag("-A").variable("HOME", at("home"))).flag_path(flag, wasi);
                let outcome = run
                    .argument(format!("read:{}", file.display()))
                    .argument("read:/proc/self/environ")
                    .run();
                expect_got(&outcome, &[]);
                assert!(
                    outcome.stderr.contains(&format!("warning: {flag} of")),
                    "{what}, {flag}={}: {outcome:?}",
                    wasi.display()
                );
            }
        }
    }
    let run = probe().flag_path("--service-account", &at("account")).flag_path("--wasi-read", &at("link"));
    expect_got(&run.argument(format!("read:{}", at("link/account/token").display())).run(), &[]);
    let run =
        probe().flag_path("--service-account", &at("account")).flag_path("--wasi-read", &at("link/account"));
    expect_got(&run.argument(format!("read:{}", at("link/account/token").display())).run(), &[]);
}

/// What `--allow-read` names is the transports': a guest may choose any kubeconfig in it, under any name, and what that names.
#[test]
fn what_transports_may_read_is_out_of_the_guests_reach() {
    let peer = plain_peer();
    let place = tempfile::tempdir().unwrap();
    let at = |name: &str| place.path().join(name);
    for folder in ["granted/sub", "keys", "outside"] {
        std::fs::create_dir_all(at(folder)).unwrap();
    }
    let config = peer.kubeconfig_with(&format!("{{tokenFile: '{}'}}", at("keys/token").display()));
    for name in ["granted/production.yaml", "granted/sub/config", "outside/file"] {
        std::fs::write(at(name), &config).unwrap();
    }
    std::fs::write(at("keys/token"), TOKEN).unwrap();
    symlink(at("granted"), at("link")).unwrap();
    let rows = [
        ("granted", "granted", "granted/production.yaml"),
        ("granted", "granted/sub", "granted/sub/config"),
        ("granted", "", "granted/sub/config"),
        ("link", "granted", "granted/production.yaml"),
        ("granted", "link", "link/production.yaml"),
        ("granted/production.yaml", "granted", "granted/production.yaml"),
        // Not granted itself: what a granted kubeconfig names.
        ("granted/production.yaml", "keys", "keys/token"),
    ];
    for (allowed, wasi, file) in rows {
        for flag in ["--wasi-read", "--wasi-write"] {
            let run = probe().flag_path("--allow-read", &at(allowed)).flag_path(flag, &at(wasi));
            let outcome = run.argument(format!("read:{}", at(file).display())).run();
            expect_got(&outcome, &[]);
            assert!(
                outcome.stderr.contains(&format!("warning: {flag} of")),
                "{allowed}, {wasi}: {outcome:?}"
            );
        }
    }
    let attempt = format!("read:{}", at("outside/file").display());
    let run = probe().flag_path("--allow-read", &at("granted")).flag_path("--wasi-read", &at("outside"));
    let outcome = run.argument(&attempt).run();
    expect_got(&outcome, &[&attempt]);
    assert_eq!(outcome.stderr, "");

    // Nor the server of one that the guest may choose.
    let run = probe().flag_path("--allow-read", &at("granted/production.yaml")).flag("--wasi-net");
    expect_got(&run.argument(format!("tcp:{}", peer.address())).run(), &[]);
    assert_eq!(peer.connections(), 0, "{:?}", peer.seen());
}

/// With all files granted, a guest may choose any kubeconfig but those that it reads by itself, or whose credentials it does.
#[test]
fn no_credential_is_taken_from_what_the_guest_has_open() {
    let peer = plain_peer();
    let place = tempfile::tempdir().unwrap();
    let at = |name: &str| place.path().join(name);
    std::fs::create_dir(at("open")).unwrap();
    std::fs::write(at("open/token"), TOKEN).unwrap();
    std::fs::write(at("open/config"), peer.kubeconfig_with("{token: x}")).unwrap();
    symlink(at("open/config"), at("link")).unwrap();
    for name in ["open/config", "link"] {
        let ask = |run: Run| run.flag("-A").argument("/x").run();
        let run = || Run::asking(&peer, &format!("kube-config={}", at(name).display()));
        let before = peer.connections();
        let outcome = ask(run().flag_path("--wasi-read", &at("open"))).expect_code(3);
        assert_eq!(peer.connections(), before, "{name}: {:?}", peer.seen());
        assert!(outcome.stdout.contains("error permission-denied: "), "{name}: {outcome:?}");
        assert!(outcome.stdout.contains("(--wasi-read)"), "{name}: {outcome:?}");
        ask(run()).expect_code(0);
        assert!(peer.connections() > before, "{name}");
    }
}

#[test]
fn without_a_value_wasi_read_still_reaches_no_credential() {
    let peer = Peer::answering(|_| Vec::new());
    let run = probe().flags("-A --wasi-read --wasi-write").flag_path("--kubeconfig", &peer.kubeconfig());
    let attempts = [
        peer.folder().join("token"),
        peer.kubeconfig(),
        "/proc/self/mem".into(),
        "/proc/self/fd/0".into(),
        "/dev/mem".into(),
    ];
    let outcome =
        attempts.iter().fold(run, |run, path| run.argument(format!("read:{}", path.display()))).run();
    expect_got(&outcome, &[]);
    assert!(outcome.stderr.contains("warning: --wasi-read of"), "{outcome:?}");
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

#[test]
fn sockets_go_where_they_were_granted_and_nowhere_else() {
    let (ours, other) = (plain_peer(), plain_peer());
    let port = |peer: &Peer| peer.address().rsplit(':').next().unwrap().to_owned();
    let to_ours = format!("tcp:{}", ours.address());
    let to_other = format!("tcp:{}", other.address());
    let run = |flags: &str| {
        let run = probe().flag("-A").flags(flags).arguments(&[
            &to_ours,
            &to_other,
            "lookup:localhost",
            "listen:127.0.0.1:0",
        ]);
        run.argument(format!("tcp:[::ffff:127.0.0.1]:{}", port(&other))).run()
    };
    let (a, b) = (ours.address(), other.address());
    expect_got(&run(&format!("--wasi-net={a}")), &[&to_ours]);
    expect_got(&run(&format!("--wasi-net=127.0.0.0/8:{}", port(&ours))), &[&to_ours]);
    expect_got(&run(&format!("--wasi-net=127.0.0.1 --deny-net={b}")), &[&to_ours]);
    expect_got(&run("--wasi-net --deny-net=127.0.0.0/8,localhost"), &[]);
    expect_got(&run("--wasi-net --deny-net"), &[]);
    expect_got(&run(&format!("--wasi-net=localhost:{}", port(&ours))), &["lookup:localhost"]);
    assert_eq!(other.connections(), 0, "{:?}", other.seen());

    let http = |flags: &str, to: &Peer| {
        Run::guest("probe-wasi-http").flag("-A").flags(flags).argument(to.address()).run()
    };
    assert_eq!(http(&format!("--wasi-net={a}"), &ours).expect_code(1).stdout.trim(), "got 200");
    for flags in ["", &format!("--wasi-net={a}"), &format!("--wasi-net --deny-net={b}")] {
        assert!(http(flags, &other).expect_code(0).stdout.starts_with("nothing: "), "{flags}");
    }
    assert_eq!(other.connections(), 0);
    assert!(ours.seen().iter().all(|asked| asked.header("authorization").is_none()), "{:?}", ours.seen());
}

/// A guest that could speak to the server by itself could do there what its handle does not let it.
#[test]
fn the_servers_of_transports_are_out_of_reach() {
    let peer = plain_peer();
    let localhost = peer.address().replace("127.0.0.1", "localhost");
    let config =
        peer.write("other", &peer.kubeconfig_with("{token: x}").replace(&peer.address(), &localhost));
    let rows: [(&str, &With); 6] = [
        ("of --kubeconfig", &|run| run.flag_path("--kubeconfig", &peer.kubeconfig())),
        ("of KUBECONFIG", &|run| run.variable("KUBECONFIG", peer.kubeconfig())),
        ("by its other name", &|run| run.flag_path("--kubeconfig", &config)),
        ("of --server", &|run| run.flag(format!("--server={}", peer.url()))),
        ("of --in-cluster-address", &|run| run.flag(format!("--in-cluster-address={}", peer.address()))),
        ("of --kubectl-proxy", &|run| run.flag(format!("--kubectl-proxy={}", peer.url()))),
    ];
    for (what, with) in rows {
        for wasi in
            ["--wasi-net", "--wasi-net=127.0.0.0/8,localhost", &format!("--wasi-net={}", peer.address())]
        {
            println!("{what}, {wasi}");
            let run = with(probe().flag("-A").flag(wasi));
            let outcome = run
                .arguments(&[&format!("tcp:{}", peer.address()), &format!("udp:{}", peer.address())])
                .run();
            expect_got(&outcome, &[]);
            for authority in [peer.address(), localhost.clone()] {
                let outcome =
                    with(Run::guest("probe-wasi-http").flag("-A").flag(wasi)).argument(authority).run();
                assert!(outcome.stdout.starts_with("nothing: "), "{what}, {wasi}: {outcome:?}");
            }
        }
    }
    assert_eq!(peer.connections(), 0, "{:?}", peer.seen());
}

/// However the address is written: the system takes the unspecified one for this machine as well.
#[test]
fn no_spelling_of_an_address_gets_a_request_past_a_denial_or_to_a_server() {
    let peer = plain_peer();
    let port = peer.address().rsplit(':').next().unwrap().to_owned();
    let server = format!("--wasi-net --kubectl-proxy={}", peer.url());
    for flags in ["--wasi-net --deny-net=127.0.0.0/8,localhost", server.as_str()] {
        for host in [
            "127.1",
            "2130706433",
            "0x7f.1",
            "[::ffff:127.0.0.1]",
            "[::ffff:7f00:1]",
            "LOCALHOST",
            "0.0.0.0",
            "0",
        ] {
            let outcome = Run::guest("probe-wasi-http").flags(flags).argument(format!("{host}:{port}")).run();
            assert!(outcome.stdout.starts_with("nothing: "), "{host}, {flags}: {outcome:?}");
        }
    }
    assert_eq!(peer.connections(), 0, "{:?}", peer.seen());
}
