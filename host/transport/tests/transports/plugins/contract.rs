//! What a plugin is told and needs, and what is said of it.

use super::*;

#[tokio::test]
async fn a_plugin_is_told_what_client_go_tells_it_and_asked_once() {
    let stage = Stage::new(believes("hunter2")).await;
    stage.plugin(&format!(
        "#!/bin/sh\nprintf x >>$T/runs\nprintf %s \"$KUBERNETES_EXEC_INFO\" >$T/info\nenv >$T/env\n\
         printf '%s\\n' \"$@\" >$T/args\necho 'logging in' >&2\necho '{}'\n",
        answer(r#"{"token":"hunter2"}"#)
    ));
    stage.kubeconfig(
        "provideClusterInfo: true, args: [get-token, 'a b'], env: [{name: REGION, value: 'eu 1'}, {name: HOME, value: /else}]",
    );
    let transport = stage.connect().await.expect("connect");
    for _ in 0..3 {
        get(&transport, "/x").await.expect("get");
    }
    assert_eq!(stage.runs(), 1);
    assert_eq!(stage.read("args"), "get-token\na b\n");
    let environment = stage.read("env");
    for (line, there) in [("REGION=eu 1", true), ("HOME=/else", true), ("LD_PRELOAD=/evil.so", false)] {
        assert_eq!(environment.lines().any(|given| given == line), there, "{line}");
    }
    // A shell drops the last line break of a variable that it prints, and nothing else.
    use base64::Engine as _;
    let ca = base64::engine::general_purpose::STANDARD.encode(&stage.ca.pem);
    assert_eq!(
        stage.read("info").trim_end(),
        format!(
            r#"{{"kind":"ExecCredential","apiVersion":"{V1}","spec":{{"cluster":{{"server":"https://{}","certificate-authority-data":"{ca}","config":null}},"interactive":false}}}}"#,
            stage.peer.address
        )
    );
    let heard = stage.heard.lines();
    assert!(heard.contains(&"plugin: logging in".to_owned()), "{heard:?}");
    assert!(!heard.iter().any(|line| line.contains("hunter2")), "{heard:?}");

    let reports = transport.credentials();
    assert_eq!(reports[0].kind, CredentialKind::ExecPlugin);
    assert!(reports[0].refreshed.is_some() && reports[0].expires.is_none(), "{reports:?}");
}

#[tokio::test]
async fn everything_that_a_plugin_needs_is_named_at_once_and_nothing_is_run() {
    let stage = Stage::new(believes("hunter2")).await;
    stage.plugin("#!/bin/sh\nprintf x >>$T/runs\n");
    stage.kubeconfig("args: [x]");
    let config = stage.path("config");
    let error = stage.connect_with(&authority(&[("read", config.to_str().expect("path"))], &[])).await;
    let folder = stage.folder.path().display();
    assert_eq!(
        error.expect_err("denied").missing(),
        [
            format!("--allow-read={folder}/ca.crt"),
            format!("--allow-net={}", stage.peer.address),
            format!("--allow-run={folder}/plugin")
        ]
    );
    // Another program's grant is not this one's.
    let error = stage.connect_with(&authority(&[("read", ""), ("net", ""), ("run", "/bin/sh")], &[])).await;
    assert_eq!(error.expect_err("denied").missing(), [format!("--allow-run={folder}/plugin")]);
    assert_eq!((stage.runs(), stage.peer.connections()), (0, 0));
}

#[tokio::test]
async fn the_older_versions_are_spoken_too() {
    for version in ["v1beta1", "v1alpha1"] {
        let stage = Stage::new(believes("hunter2")).await;
        stage.plugin(&format!(
            "#!/bin/sh\nprintf %s \"$KUBERNETES_EXEC_INFO\" >$T/info\ncat <<END\napiVersion: client.authentication.k8s.io/{version}\n\
             kind: ExecCredential\nstatus: {{token: hunter2}}\nEND\n"
        ));
        stage.kubeconfig(&format!("apiVersion: client.authentication.k8s.io/{version}"));
        stage.connect().await.expect(version);
        assert!(stage.read("info").contains(&format!("client.authentication.k8s.io/{version}\"")));
    }
}

#[tokio::test]
async fn a_plugin_that_is_not_installed_says_how_to_install_it() {
    let stage = Stage::new(believes("never")).await;
    stage.kubeconfig("command: corp-login, installHint: \"run\\n\\e[1mapt install corp-login\"");
    let granted = authority(&[("run", "corp-login"), ("read", ""), ("net", "")], &[("PATH", "/usr/bin")]);
    let error = stage.connect_with(&granted).await.expect_err("missing").report();
    assert!(error.starts_with("getting credentials: exec: executable corp-login not found; "), "{error}");
    assert!(error.contains("apt install corp-login") && !error.contains('\u{1b}'), "{error}");
}

#[tokio::test]
async fn a_plugin_that_must_have_a_terminal_is_not_run() {
    let stage = Stage::new(believes("never")).await;
    stage.plugin("#!/bin/sh\nprintf x >>$T/runs\n");
    stage.kubeconfig("interactiveMode: Always");
    let error = stage.connect().await.expect_err("no terminal").report();
    assert!(
        error.contains("exec plugin cannot support interactive mode: standard input is unavailable"),
        "{error}"
    );
    assert_eq!(stage.runs(), 0);
}

#[tokio::test]
async fn a_diagnosis_explains_the_credential_whatever_came_of_it() {
    let mut stage = Stage::new(believes("hunter2")).await;
    stage.options.transports = vec![Kind::KubeConfig];
    stage.options.kubeconfig.path = Some(stage.path("config"));
    let end = "2999-01-01T00:00:00Z";
    let status = format!(r#"{{"token":"hunter2","expirationTimestamp":"{end}"}}"#);
    stage.plugin(&format!("#!/bin/sh\n[ -e $T/broken ] && exit 3\necho '{}'\n", answer(&status)));
    stage.kubeconfig("args: [hunter2]");
    let source = format!("{}, user \"u\"", stage.path("plugin").display());
    for (broken, granted, works, had) in [
        (false, stage.granted(), true, true),
        (true, stage.granted(), false, false),
        (false, authority(&[("read", "")], &[]), false, false),
    ] {
        match broken {
            true => write(&stage.path("broken"), ""),
            false => drop(std::fs::remove_file(stage.path("broken"))),
        }
        let found = diagnose(&granted, &stage.options).await;
        assert_eq!(found[0].verdict.is_ok(), works, "{found:?}");
        let [report] = found[0].credentials.as_slice() else { panic!("{found:?}") };
        assert_eq!((report.kind, &report.source), (CredentialKind::ExecPlugin, &source));
        assert_eq!(report.expires, tidegate_kube::date::parse(end).filter(|_| had));
        assert_eq!(report.refreshed.is_some(), had);
        assert!(!format!("{found:?}").contains("hunter2"), "{found:?}");
    }
}
