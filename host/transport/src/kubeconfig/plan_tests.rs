use super::super::ready::Credential;
use super::*;
use crate::http::Trust;
use crate::plan::tables::{PROXIES, again, failed, files, lines, ready, variables};

const CONFIG: &str = r#"
apiVersion: v1
kind: Config
current-context: dev
contexts:
- {name: dev, context: {cluster: c, user: u, namespace: team}}
- {name: plain, context: {cluster: plain, user: u}}
- {name: files, context: {cluster: files, user: files}}
- {name: exec, context: {cluster: c, user: exec}}
- {name: provider, context: {cluster: c, user: provider}}
- {name: as, context: {cluster: c, user: as}}
- {name: proxied, context: {cluster: proxied, user: u}}
clusters:
- {name: c, cluster: {server: "https://10.0.0.1:6443/k8s", tls-server-name: kubernetes, insecure-skip-tls-verify: true}}
- {name: plain, cluster: {server: "http://10.0.0.2"}}
- {name: files, cluster: {server: "https://[fd00::1]", certificate-authority: pki/ca.crt}}
- {name: proxied, cluster: {server: "https://10.0.0.3", proxy-url: "http://u:hunter2@proxy"}}
users:
- {name: u, user: {token: hunter2}}
- {name: files, user: {tokenFile: token, client-certificate: /pki/me.crt, client-key: /pki/me.key}}
- {name: exec, user: {exec: {apiVersion: client.authentication.k8s.io/v1, command: aws, interactiveMode: Never}}}
- {name: provider, user: {auth-provider: {name: gcp}}}
- {name: as, user: {token: hunter2, as: root}}
"#;

fn plan(path: Option<&str>, context: Option<&str>) -> Plan {
    let path = path.map(PathBuf::from);
    Plan::of_file(&KubeConfigOptions::default(), path, context.map(str::to_owned)).expect("plan")
}

#[test]
fn three_rounds() {
    let plan = plan(None, None);
    assert_eq!(lines(&plan.round()), [&["env KUBECONFIG", "env HOME"][..], &PROXIES].concat());
    let plan = again(plan, variables(&[("HOME", "/home/me")]));
    assert_eq!(lines(&plan.round()), ["file /home/me/.kube/config"]);
    let plan = again(plan, files(&[("/home/me/.kube/config", CONFIG)]));
    assert_eq!(lines(&plan.round()), ["net 10.0.0.1:6443"]);
    let ready = ready(plan, Inputs::default());
    assert_eq!(ready.origin.to_string(), "https://10.0.0.1:6443/k8s");
    assert_eq!(ready.namespace.as_deref(), Some("team"));
    assert!(matches!(ready.credential, Credential::Token { .. }));
    let tls = ready.tls.expect("tls");
    assert!(matches!(tls.trust, Trust::Anybody));
    assert_eq!(tls.server_name.as_deref(), Some("kubernetes"));
}

#[test]
fn the_environment_lists_files() {
    for (given, located) in [
        (&[("KUBECONFIG", "/a:/b")][..], &["file /a", "file /b"][..]),
        (&[("KUBECONFIG", ":/a::/a:"), ("HOME", "/home/me")], &["file /a"]),
        (&[("KUBECONFIG", "::"), ("HOME", "/home/me")], &["file /home/me/.kube/config"]),
        (&[("KUBECONFIG", ""), ("HOME", "/home/me")], &["file /home/me/.kube/config"]),
    ] {
        assert_eq!(lines(&again(plan(None, None), variables(given)).round()), located);
    }
    for given in [&[][..], &[("HOME", "")], &[("HOME", "me")], &[("KUBECONFIG", "config")]] {
        assert_eq!(failed(plan(None, None), variables(given)).code(), Code::NotConfigured, "{given:?}");
    }
}

#[test]
fn a_relative_entry_needs_a_working_folder() {
    let options = KubeConfigOptions { working_folder: Some("/work".into()), ..KubeConfigOptions::default() };
    let plan = Plan::of_file(&options, None, None).expect("plan");
    assert_eq!(
        lines(&again(plan, variables(&[("KUBECONFIG", "kind.yaml")])).round()),
        ["file /work/kind.yaml"]
    );
}

#[test]
fn missing_files_are_skipped_unless_chosen() {
    let search = || again(plan(None, None), variables(&[("KUBECONFIG", "/gone:/there")]));
    assert_eq!(lines(&again(search(), files(&[("/there", CONFIG)])).round()), ["net 10.0.0.1:6443"]);

    let none = failed(search(), Inputs::default());
    assert_eq!(none.code(), Code::NotConfigured);
    assert_eq!(none.report(), "there is no kubeconfig: /gone, /there does not exist");
    assert!(!none.is_broken());

    let explicit = failed(plan(Some("/gone"), None), Inputs::default());
    assert_eq!(explicit.report(), "the kubeconfig /gone does not exist");
    assert!(explicit.is_broken());
}

#[test]
fn the_last_round_names_every_file() {
    let plan = || again(plan(Some("/etc/k/config"), Some("files")), files(&[("/etc/k/config", CONFIG)]));
    let mut round = lines(&plan().round());
    round.sort();
    assert_eq!(
        round,
        [
            "file /etc/k/pki/ca.crt",
            "file /etc/k/token",
            "file /pki/me.crt",
            "file /pki/me.key",
            "net [fd00::1]:443"
        ]
    );
    let all =
        [("/etc/k/pki/ca.crt", "CA"), ("/etc/k/token", "T\n"), ("/pki/me.crt", "C"), ("/pki/me.key", "K")];
    let ready = ready(plan(), files(&all));
    assert!(matches!(ready.credential, Credential::TokenFile { .. }));
    for missing in 0..all.len() {
        let mut some = all.to_vec();
        let (path, _) = some.remove(missing);
        let error = failed(plan(), files(&some));
        assert!(error.is_broken() && error.report().starts_with(path), "{error:?}");
    }
}

#[test]
fn no_credential_over_plain_http() {
    let ready = ready(again(plan(Some("/c"), Some("plain")), files(&[("/c", CONFIG)])), Inputs::default());
    assert!(matches!(ready.credential, Credential::None) && ready.tls.is_none());
}

#[test]
fn a_proxy_is_a_need_of_its_own() {
    for (context, environment, net) in [
        ("proxied", &[][..], &["net 10.0.0.3:443", "net proxy:80"][..]),
        // What a kubeconfig says goes before what the environment says, exceptions and all.
        ("proxied", &[("HTTPS_PROXY", "other:1"), ("NO_PROXY", "*")], &["net 10.0.0.3:443", "net proxy:80"]),
        ("dev", &[("HTTPS_PROXY", "other:1")], &["net 10.0.0.1:6443", "net other:1"]),
        ("dev", &[("HTTPS_PROXY", "other:1"), ("NO_PROXY", "10.0.0.1")], &["net 10.0.0.1:6443"]),
        ("plain", &[("HTTPS_PROXY", "other:1")], &["net 10.0.0.2:80"]),
        ("plain", &[("HTTP_PROXY", "other:1")], &["net 10.0.0.2:80", "net other:1"]),
    ] {
        let plan = plan(Some("/c"), Some(context));
        assert_eq!(lines(&plan.round()), [&PROXIES[..], &["file /c"]].concat());
        let inputs = Inputs { files: files(&[("/c", CONFIG)]).files, ..variables(environment) };
        let plan = again(plan, inputs);
        assert_eq!(lines(&plan.round()), net, "{context} with {environment:?}");
        let shown = format!("{plan:?}");
        assert!(!shown.contains("hunter2"), "{shown}");
    }
    let bad = CONFIG.replace("u:hunter2@proxy", "u:hunter2@proxy:x");
    let error = failed(plan(Some("/c"), Some("proxied")), files(&[("/c", &bad)]));
    let text =
        "/c cannot be used: the proxy-url of cluster \"proxied\": its port is no number from 1 to 65535";
    assert_eq!(error.report(), text);
}

#[test]
fn broken_configurations_never_show_their_text() {
    for (config, context, words) in [
        (CONFIG, Some("prod"), r#"context "prod" does not exist; there are"#),
        ("users: [{name: u, user: {token: [hunter2]}}]", None, "/c cannot be used"),
        ("hunter2: {", None, "/c cannot be used"),
        ("", None, "/c is empty"),
    ] {
        let error = failed(plan(Some("/c"), context), files(&[("/c", config)]));
        assert_eq!(error.code(), Code::NotConfigured);
        assert!(error.report().contains(words), "{error:?}");
        assert!(!error.report().contains("hunter2"), "{error:?}");
    }
}

#[test]
fn a_guest_cannot_pair_its_choice_with_the_hosts() {
    for pinned in [
        KubeConfigOptions { cluster: Some("c".into()), ..KubeConfigOptions::default() },
        KubeConfigOptions { user: Some("u".into()), ..KubeConfigOptions::default() },
        KubeConfigOptions { server: Some("https://evil".into()), ..KubeConfigOptions::default() },
    ] {
        for (path, context) in [(Some(PathBuf::from("/c")), None), (None, Some("dev".to_owned()))] {
            let error = Plan::of_file(&pinned, path, context).expect_err("refused");
            assert_eq!(error.code(), Code::Unsupported);
        }
        assert!(Plan::of_file(&pinned, None, None).is_ok());
    }
    let relative = Plan::of_file(&KubeConfigOptions::default(), Some("c".into()), None).expect_err("refused");
    assert_eq!(relative.code(), Code::InvalidRequest);
}

#[test]
fn the_hosts_context_is_for_the_hosts_file() {
    let options = KubeConfigOptions {
        path: Some("/c".into()),
        context: Some("plain".into()),
        ..KubeConfigOptions::default()
    };
    for (path, context, net) in [
        (None, None, "net 10.0.0.2:80"),
        (None, Some("dev"), "net 10.0.0.1:6443"),
        (Some("/other"), None, "net 10.0.0.1:6443"),
    ] {
        let plan =
            Plan::of_file(&options, path.map(PathBuf::from), context.map(str::to_owned)).expect("plan");
        let given = files(&[("/c", CONFIG), ("/other", CONFIG)]);
        assert_eq!(lines(&again(plan, given).round()), [net]);
    }
}

#[test]
fn a_guests_document_is_inline_only() {
    let document = |user: &str| {
        format!(
            "current-context: x\ncontexts: [{{name: x, context: {{cluster: c, user: u}}}}]\n\
             clusters: [{{name: c, cluster: {{server: 'https://10.0.0.1'}}}}]\nusers: [{{name: u, user: {user}}}]\n"
        )
    };
    let plan = Plan::of_document(document("{token: hunter2}").as_bytes(), None).expect("plan");
    assert_eq!(lines(&plan.round()), PROXIES);
    assert_eq!(lines(&again(plan, Inputs::default()).round()), ["net 10.0.0.1:443"]);
    for user in [
        "{tokenFile: /etc/shadow}",
        "{token: x, client-key: me.key, client-certificate: me.crt}",
        "{exec: {apiVersion: client.authentication.k8s.io/v1, command: /bin/sh, interactiveMode: Never}}",
        "{auth-provider: {name: gcp, config: {cmd-path: /bin/sh}}}",
    ] {
        let error = Plan::of_document(document(user).as_bytes(), None).expect_err(user);
        assert_eq!(error.code(), Code::Unsupported, "{user}: {error:?}");
    }
}

#[test]
fn a_guests_document_has_a_cap() {
    let small = "current-context: x\n";
    for (length, code) in [(1 << 20, Code::NotConfigured), ((1 << 20) + 1, Code::TooLarge)] {
        let document = format!("{small}#{}", "x".repeat(length - small.len() - 1));
        let plan = Plan::of_document(document.as_bytes(), None);
        let error = plan.map_or_else(|error| error, |plan| failed(plan, Inputs::default()));
        assert_eq!(error.code(), code, "{error:?}");
    }
}
