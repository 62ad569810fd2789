//! What transports take credentials from, and what is tidegate's own, is no guest's to read.

use std::os::unix::fs::symlink;
use std::path::Path;

use tidegate_tests::{Peer, Run, TOKEN};

use crate::{With, expect_got, plain_peer, probe};

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
