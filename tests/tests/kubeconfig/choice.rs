//! Guests that choose among kubeconfigs, bring their own or write one: no credential goes where its owner did not send it.

use std::os::unix::fs::symlink;

use tidegate_tests::{Act, Outcome, Peer, Run, TOKEN};

fn peer() -> Peer {
    Peer::answering(|asked| asked.or_api(|| vec![Act::json("{}")]))
}

/// The values of `Authorization` that the peer was sent; empty for none.
fn credentials(peer: &Peer) -> Vec<String> {
    peer.seen().iter().map(|asked| asked.header("authorization").unwrap_or_default().to_owned()).collect()
}

fn last_line(outcome: &Outcome) -> &str {
    outcome.stdout.lines().last().unwrap_or_default()
}

#[test]
fn a_guests_document_holds_inline_data_only() {
    let peer = peer();
    let token = peer.folder().join("token").display().to_string();
    let inline = peer.kubeconfig_with("{token: mine}").replace(
        &format!("certificate-authority: '{}'", peer.folder().join("ca.crt").display()),
        "insecure-skip-tls-verify: true",
    );
    let user = |user: &str| inline.replace("{token: mine}", user);
    let exec =
        "{exec: {apiVersion: client.authentication.k8s.io/v1, command: /bin/true, interactiveMode: Never}}";
    let rows = [
        ("tokenFile", user(&format!("{{tokenFile: '{token}'}}"))),
        ("tokenFile beside a token", user(&format!("{{token: mine, tokenFile: '{token}'}}"))),
        ("relative tokenFile", user("{tokenFile: token}")),
        ("client certificate", user(&format!("{{client-certificate: '{token}', client-key: '{token}'}}"))),
        ("exec", user(exec)),
        ("exec beside a token", user(&exec.replace("{exec", "{token: mine, exec"))),
        ("certificate authority", peer.kubeconfig_with("{token: mine}")),
        (
            "exec of another user",
            format!("{inline}---\n").replace("users: [", &format!("users: [{{name: v, user: {exec}}}, ")),
        ),
        ("auth provider", user("{auth-provider: {name: gcp, config: {cmd-path: /bin/true}}}")),
    ];
    for (what, document) in rows {
        let run = Run::asking(&peer, &format!("document={document}")).flag("-A").argument("/x");
        let (outcome, trace) = run.traced();
        assert_eq!(outcome.code(), 3, "{what}: {outcome:?}");
        assert!(last_line(&outcome).starts_with("error unsupported: "), "{what}: {outcome:?}");
        let opened = trace
            .lines()
            .filter(|line| !line.contains("/tidegate\", ["))
            .any(|line| line.contains(&token) || line.contains("/bin/true"));
        assert!(!opened, "{what}");
    }
    assert_eq!(peer.connections(), 0, "{:?}", peer.seen());

    let run = Run::asking(&peer, &format!("document={inline}")).argument("/x");
    run.run().expect_code(0).expect_line("via KubeConfig");
    assert_eq!(credentials(&peer), ["Bearer mine", "Bearer mine"]);
}

/// Whatever a guest names of its own, no credential of the host's goes there.
#[test]
fn a_guests_own_server_gets_no_credential_of_the_hosts() {
    let (host, own) = (peer(), peer());
    let document = format!(
        "clusters: [{{name: c, cluster: {{server: '{}', insecure-skip-tls-verify: true}}}}]
users: []
contexts: [{{name: x, context: {{cluster: c}}}}]
current-context: x\n",
        own.url()
    );
    let plain = Peer::start(tidegate_tests::Shown::Plain, tidegate_tests::Manner::Usual, |asked| {
        asked.or_api(|| vec![Act::json("{}")])
    });
    let run = |via: &str| {
        let run = Run::ask(&host).flag("-A").flag_path("--service-account", &host.folder());
        run.flag(format!("--in-cluster-address={}", host.address()))
            .argument("--via")
            .argument(via)
            .argument("/x")
            .run()
    };
    run(&format!("document={document}")).expect_code(0);
    run(&format!("document={}", document.replace("cluster: c}", "cluster: c, user: u}"))).expect_code(3);
    run(&format!("kubectl-proxy={}", plain.url())).expect_code(0);
    for url in
        [own.url(), own.url().replace("https://", "http://user:pass@"), "file:///etc/passwd".to_owned()]
    {
        run(&format!("kubectl-proxy={url}")).expect_code(3);
    }
    assert!(credentials(&own).iter().all(String::is_empty), "{:?}", credentials(&own));
    assert!(credentials(&plain).iter().all(String::is_empty), "{:?}", credentials(&plain));
    assert_eq!(host.connections(), 0);
}

#[test]
fn a_guest_pairs_no_cluster_with_anothers_user() {
    let (ours, theirs) = (peer(), peer());
    let ca = ours.folder().join("ca.crt");
    let both = format!(
        "clusters:
- {{name: ours, cluster: {{server: '{}', certificate-authority: '{}'}}}}
- {{name: theirs, cluster: {{server: '{}', certificate-authority: '{}'}}}}
users: [{{name: admin, user: {{token: '{TOKEN}'}}}}, {{name: guest, user: {{token: other}}}}]
contexts: [{{name: ours, context: {{cluster: ours, user: admin}}}}, {{name: theirs, context: {{cluster: theirs, user: guest}}}}]
current-context: ours\n",
        ours.url(),
        ca.display(),
        theirs.url(),
        theirs.folder().join("ca.crt").display()
    );
    ours.write("config", &both);
    let run = |flags: &str, arguments: &[&str]| {
        let run = Run::asking(&ours, "kube-config")
            .flag("-A")
            .flag_path("--kubeconfig", &ours.kubeconfig())
            .flags(flags);
        run.arguments(arguments).argument("/x").run()
    };
    run("", &["--context", "theirs"]).expect_code(0);
    assert_eq!(credentials(&theirs), ["Bearer other", "Bearer other"]);
    let seen = theirs.seen().len();
    let config = ours.kubeconfig().display().to_string();
    let path = format!("kube-config={config}");
    let server = format!("--server={}", ours.url());
    for flags in ["--user=admin", "--cluster=ours", &server] {
        for arguments in
            [vec!["--context", "theirs"], vec!["--via", &path], vec!["--via", &path, "--context", "theirs"]]
        {
            let outcome = run(flags, &arguments).expect_code(3);
            assert!(last_line(&outcome).starts_with("error unsupported: the host pinned"), "{outcome:?}");
        }
    }
    for name in ["nobody", "admin", "ours,theirs", "", "../ours"] {
        let outcome = run("", &["--context", name]);
        assert!(outcome.code() == 3 || name.is_empty(), "{name}: {outcome:?}");
    }
    assert_eq!(theirs.seen().len(), seen);
    assert!(!credentials(&theirs).iter().any(|sent| sent.contains(TOKEN)));
}

#[test]
fn a_path_of_the_guests_own_must_be_granted_and_lead_where_it_says() {
    let peer = peer();
    let folder = tempfile::tempdir().unwrap();
    let (granted, outside) = (folder.path().join("granted"), folder.path().join("outside"));
    std::fs::create_dir_all(granted.join("sub")).unwrap();
    std::fs::create_dir(&outside).unwrap();
    let config = peer.kubeconfig_with(&format!("{{token: '{TOKEN}'}}"));
    std::fs::write(outside.join("config"), &config).unwrap();
    std::fs::write(granted.join("config"), &config).unwrap();
    symlink(outside.join("config"), granted.join("link")).unwrap();
    symlink("../outside", granted.join("folder")).unwrap();
    symlink("loop", granted.join("loop")).unwrap();
    symlink("/proc/self/environ", granted.join("environ")).unwrap();
    symlink("config", granted.join("inside")).unwrap();
    rustix::fs::mknodat(
        rustix::fs::CWD,
        granted.join("fifo"),
        rustix::fs::FileType::Fifo,
        rustix::fs::Mode::RWXU,
        0,
    )
    .unwrap();
    let run = |path: &str| {
        let run = Run::asking(&peer, &format!("kube-config={path}")).flag_path("--allow-read", &granted);
        run.flag_path("--allow-read", &peer.folder().join("ca.crt")).argument("/x").run()
    };
    let at = |path: &str| granted.join(path).display().to_string();
    for path in [at("config"), at("inside"), at("sub/../config"), at("./config")] {
        run(&path).expect_code(0);
    }
    let seen = peer.seen().len();
    for (path, code) in [
        (outside.join("config").display().to_string(), "permission-denied"),
        (at("../outside/config"), "permission-denied"),
        (at("sub/../../outside/config"), "permission-denied"),
        (at("link"), ""),
        (at("folder/config"), ""),
        (at("folder/../../outside/config"), ""),
        (at("loop"), ""),
        (at("environ"), ""),
        (at("fifo"), ""),
        (at("sub"), ""),
        (at("nothing"), "not-configured"),
        ("config".to_owned(), "invalid-request"),
        ("~/.kube/config".to_owned(), "invalid-request"),
        (String::new(), ""),
        ("/dev/zero".to_owned(), "permission-denied"),
        ("/proc/self/environ".to_owned(), "permission-denied"),
    ] {
        let outcome = run(&path);
        assert_eq!(outcome.code(), 3, "{path}: {outcome:?}");
        assert!(outcome.stdout.contains(&format!("error {code}")), "{path}, {code}: {outcome:?}");
    }
    assert_eq!(peer.seen().len(), seen);
}

/// Who can write what the host reads would choose which credential goes where, and what is run.
#[test]
fn a_guest_that_writes_the_kubeconfig_gets_nothing_from_it() {
    let (host, evil) = (peer(), peer());
    let folder = tempfile::tempdir().unwrap();
    let (writable, token) = (folder.path().join("writable"), folder.path().join("token"));
    let config = writable.join("config");
    std::fs::create_dir(&writable).unwrap();
    std::fs::write(&token, TOKEN).unwrap();
    let marker = folder.path().join("marker");
    let file = evil.kubeconfig_with(&format!("{{tokenFile: '{}'}}", token.display()));
    let exec = evil.kubeconfig_with(&format!(
        "{{exec: {{apiVersion: client.authentication.k8s.io/v1, command: /usr/bin/touch, args: ['{}'], interactiveMode: Never}}}}",
        marker.display()
    ));
    let linked = folder.path().join("linked");
    symlink(&config, &linked).unwrap();
    for (granted, asked, exists) in [
        (vec![&config], &config, false),
        (vec![&config], &config, true),
        (vec![&writable], &config, false),
        (vec![&writable], &config, true),
        (vec![&linked, &config], &linked, false),
        (vec![&linked, &config], &linked, true),
    ] {
        for document in [&file, &exec] {
            let what = format!("{granted:?}, exists: {exists}");
            let _ = std::fs::remove_file(&config);
            if exists {
                std::fs::write(&config, host.kubeconfig_with("{token: x}")).unwrap();
            }
            let run = Run::asking(&evil, &format!("kube-config={}", asked.display()));
            let run = [&granted[..], &[&token, &evil.folder().join("ca.crt")]]
                .concat()
                .iter()
                .fold(run, |run, path| run.flag_path("--allow-read", path))
                .flag_path("--wasi-write", &writable);
            let write = format!("{}={document}", config.display());
            let outcome = run.flag("--allow-run").arguments(&["--write", &write, "/x"]).run().expect_code(3);
            // Either what it writes is not read, or it cannot write at all.
            let refused = outcome.stdout.contains("error permission-denied: ")
                && outcome.stdout.contains("--wasi-write");
            let shut = outcome.stdout.contains("error guest: ")
                && outcome.stderr.contains("warning: --wasi-write of");
            assert!(refused || shut, "{what}: {outcome:?}");
            assert!(evil.seen().is_empty(), "{what}: {:?}, {outcome:?}", evil.seen());
            assert!(!marker.exists(), "{what}: {outcome:?}");
        }
    }
}
