//! Which transport is chosen, what is said of the others, and what a withheld grant leaves untouched.

use std::os::unix::fs::PermissionsExt;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tempfile::TempDir;
use tidegate_transport::{
    Code, Error, Kind, NoClient, Options, Reason, auto_detect, credential_paths, diagnose,
};

use crate::peer::{Act, Peer, json, kubernetes, raw, reply};
use crate::pki::Authority;
use crate::setup::{Heard, authority, kubeconfig, options, write};

/// A machine on which every transport works.
struct Machine {
    folder: TempDir,
    account: Peer,
    config: Peer,
    proxy: Peer,
    options: Options,
    heard: Arc<Heard>,
}

impl Machine {
    async fn new() -> Machine {
        let folder = tempfile::tempdir().expect("folder");
        let ca = Authority::new("one");
        let peer = async || Peer::tls(ca.issue(&["127.0.0.1"]).server(), kubernetes(|_| json("{}"))).await;
        let (account, config) = (peer().await, peer().await);
        let proxy = Peer::plain(kubernetes(|_| json("{}"))).await;
        let at = |name: &str| folder.path().join(name);
        write(&at("sa/ca.crt"), &ca.pem);
        write(&at("sa/token"), "hunter2\n");
        write(&at("sa/namespace"), "prod");
        write(&at("home/.kube/ca.crt"), &ca.pem);
        let cluster = format!("server: 'https://{}', certificate-authority: ca.crt", config.address);
        write(&at("home/.kube/config"), &kubeconfig(&cluster, "token: hunter2"));
        let script =
            format!("#!/bin/sh\ntouch {}\necho '{{\"kind\":\"APIVersions\"}}'\n", at("ran").display());
        write(&at("kubectl"), &script);
        std::fs::set_permissions(at("kubectl"), std::fs::Permissions::from_mode(0o755)).expect("mode");
        let heard = Arc::new(Heard::default());
        let mut options = options();
        options.in_cluster.folder = Some(at("sa"));
        options.in_cluster.address = Some(account.address.to_string());
        options.kubectl_proxy.url = Some(proxy.url());
        options.observer = heard.clone();
        Machine { folder, account, config, proxy, options, heard }
    }

    fn path(&self, name: &str) -> String {
        self.folder.path().join(name).to_str().expect("path").to_owned()
    }

    fn authority(&self, flags: &[(&str, String)]) -> tidegate_authority::Authority {
        let flags: Vec<(&str, &str)> = flags.iter().map(|(kind, value)| (*kind, value.as_str())).collect();
        let path = format!("{}:/usr/bin:/bin", self.folder.path().display());
        authority(&flags, &[("HOME", &self.path("home")), ("KUBECONFIG", ""), ("PATH", &path)])
    }

    /// The grants of each transport, one by one.
    fn grants(&self, kind: Kind) -> Vec<(&'static str, String)> {
        match kind {
            Kind::InCluster => vec![("read", self.path("sa")), ("net", self.account.address.to_string())],
            Kind::KubeConfig => vec![
                ("env", "KUBECONFIG".to_owned()),
                ("env", "HOME".to_owned()),
                ("read", self.path("home/.kube/config")),
                ("read", self.path("home/.kube/ca.crt")),
                ("net", self.config.address.to_string()),
            ],
            Kind::KubectlProxy => vec![("net", self.proxy.address.to_string())],
            Kind::KubectlRaw => vec![("run", "kubectl".to_owned())],
        }
    }

    fn connections(&self) -> usize {
        self.account.connections() + self.config.connections() + self.proxy.connections()
    }

    fn ran(&self) -> bool {
        self.folder.path().join("ran").exists()
    }
}

#[tokio::test]
async fn the_first_that_works_is_chosen() {
    let machine = Machine::new().await;
    let all: Vec<_> = Kind::ALL.iter().flat_map(|kind| machine.grants(*kind)).collect();
    let mut first = 0;
    for kind in Kind::ALL {
        let flags = &all[first..];
        let detected = auto_detect(&machine.authority(flags), &machine.options).await.expect("detected");
        assert_eq!(detected.transport.kind(), kind);
        let failed: Vec<Kind> = detected.failures.iter().map(|failure| failure.transport).collect();
        assert_eq!(failed, Kind::ALL[..failed.len()]);
        assert!(detected.failures.iter().all(|failure| failure.reason == Reason::PermissionDenied));
        first += machine.grants(kind).len();
    }
    // Missing grants are no surprise.
    assert!(!machine.heard.lines().iter().any(|line| line.starts_with("warning")));

    let mut pinned = machine.options.clone();
    pinned.transports = vec![Kind::KubectlRaw, Kind::InCluster];
    let detected = auto_detect(&machine.authority(&all), &pinned).await.expect("detected");
    assert_eq!((detected.transport.kind(), detected.failures.len()), (Kind::KubectlRaw, 0));
    assert!(!machine.heard.lines().join("\n").contains("hunter2"));
}

#[tokio::test]
async fn without_grants_there_are_four_lines_and_nothing_is_touched() {
    let machine = Machine::new().await;
    let none = auto_detect(&machine.authority(&[]), &machine.options).await.expect_err("no client");
    let (sa, proxy) = (machine.path("sa"), machine.proxy.address);
    assert_eq!(
        none.to_string(),
        format!(
            "Failed to load any possible Kubernetes clients:\n\
             - InCluster PermissionDenied: read access to \"{sa}\", run again with --allow-read={sa}\n\
             - KubeConfig PermissionDenied: access to environment variable \"KUBECONFIG\" and access to environment \
             variable \"HOME\", run again with --allow-env=KUBECONFIG --allow-env=HOME\n\
             - KubectlProxy PermissionDenied: network access to \"{proxy}\", run again with --allow-net={proxy}\n\
             - KubectlRaw PermissionDenied: access to run \"kubectl\", run again with --allow-run=kubectl"
        )
    );
    assert_eq!((machine.connections(), machine.ran()), (0, false));
    let error = Error::from(none);
    assert_eq!((error.code(), error.failures().len(), error.missing().len()), (Code::NoClient, 4, 5));
}

#[tokio::test]
async fn each_grant_withheld_is_named_exactly_and_guards_what_it_guards() {
    for kind in Kind::ALL {
        for withheld in 0..Machine::new().await.grants(kind).len() {
            let mut machine = Machine::new().await;
            machine.options.transports = vec![kind];
            let mut flags = machine.grants(kind);
            let (flag, value) = flags.remove(withheld);
            let NoClient { failures } =
                auto_detect(&machine.authority(&flags), &machine.options).await.expect_err("withheld");
            assert_eq!(failures[0].reason, Reason::PermissionDenied);
            assert_eq!(failures[0].missing, [format!("--allow-{flag}={value}")]);
            assert!(failures[0].detail.ends_with(&format!("run again with --allow-{flag}={value}")));
            assert_eq!((machine.connections(), machine.ran()), (0, false), "{kind} without {flag}={value}");
        }
    }
}

#[tokio::test]
async fn a_probe_tells_servers_apart() {
    let user = |name: &str| {
        format!(
            r#"{{"kind":"Status","code":403,"reason":"Forbidden","message":"forbidden: User \"{name}\" cannot get path \"/api\""}}"#
        )
    };
    let unauthorized = r#"{"kind":"Status","code":401,"reason":"Unauthorized","message":"Unauthorized"}"#;
    let chunked = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";
    for (name, acts, reason) in [
        ("known", reply("403 Forbidden", "application/json", &user("me")), None),
        (
            "anonymous",
            reply("403 Forbidden", "application/json", &user("system:anonymous")),
            Some(Reason::Unauthorized),
        ),
        ("401", reply("401 Unauthorized", "application/json", unauthorized), Some(Reason::Unauthorized)),
        ("bare 401", reply("401 Unauthorized", "text/html", "<html>"), Some(Reason::Unauthorized)),
        ("403 of a proxy", reply("403 Forbidden", "text/html", "<html>User \"me\""), Some(Reason::Forbidden)),
        ("a web site", reply("200 OK", "text/html", "<html>"), Some(Reason::NotKubernetes)),
        ("other JSON", json(r#"{"kind":"PodList"}"#), Some(Reason::NotKubernetes)),
        ("no JSON object", json("[1]"), Some(Reason::NotKubernetes)),
        ("nothing", json(""), Some(Reason::NotKubernetes)),
        ("404", reply("404 Not Found", "text/plain", "404"), Some(Reason::NotKubernetes)),
        (
            "redirect",
            vec![raw("HTTP/1.1 302 Found\r\nLocation: /ui\r\nContent-Length: 0\r\n\r\n")],
            Some(Reason::NotKubernetes),
        ),
        (
            "too large",
            vec![raw(chunked), raw(&format!("200000\r\n{}\r\n", " ".repeat(2 << 20)))],
            Some(Reason::NotKubernetes),
        ),
        ("no HTTP", vec![raw("SSH-2.0\r\n"), Act::Close], Some(Reason::NotKubernetes)),
        ("silence", vec![Act::Stall], Some(Reason::Timeout)),
        ("half an answer", vec![raw(chunked), raw("1\r\n{\r\n"), Act::Stall], Some(Reason::Timeout)),
        ("hangs up", vec![Act::Close], Some(Reason::Unreachable)),
    ] {
        let peer = Peer::plain(move |_| acts.clone()).await;
        let mut options = options();
        options.transports = vec![Kind::KubectlProxy];
        options.kubectl_proxy.url = Some(peer.url());
        options.probe_deadline = Duration::from_millis(400);
        let started = Instant::now();
        let found = auto_detect(&authority(&[("net", "")], &[]), &options).await;
        let found = found.err().map(|none| none.failures[0].reason);
        assert_eq!(found, reason, "{name}");
        assert!(started.elapsed() < Duration::from_secs(2), "{name}");
        assert_eq!(
            peer.seen().first().map(|seen| seen.line().to_owned()).as_deref(),
            Some("GET /api HTTP/1.1")
        );
    }
}

#[tokio::test]
async fn falling_through_from_what_was_configured_is_told() {
    let machine = Machine::new().await;
    let all: Vec<_> = Kind::ALL.iter().flat_map(|kind| machine.grants(*kind)).collect();
    let warnings = || -> Vec<String> {
        machine.heard.lines().into_iter().filter(|line| line.starts_with("warning")).collect()
    };
    // No service account at all is nothing to warn of.
    let mut options = machine.options.clone();
    options.in_cluster.folder = Some(machine.folder.path().join("none"));
    let grants = [all.clone(), vec![("read", machine.path("none"))]].concat();
    let detected = auto_detect(&machine.authority(&grants), &options).await.expect("detected");
    assert_eq!((detected.transport.kind(), warnings().len()), (Kind::KubeConfig, 0));
    assert_eq!(detected.failures[0].reason, Reason::NotConfigured);

    // A broken kubeconfig and a service account for another authority are.
    write(&machine.folder.path().join("sa/ca.crt"), &Authority::new("other").pem);
    write(&machine.folder.path().join("home/.kube/config"), "users: [{name: u, user: {token: [hunter2]}}]");
    let detected = auto_detect(&machine.authority(&all), &machine.options).await.expect("detected");
    assert_eq!(detected.transport.kind(), Kind::KubectlProxy);
    let reasons: Vec<Reason> = detected.failures.iter().map(|failure| failure.reason).collect();
    assert_eq!(reasons, [Reason::Tls, Reason::NotConfigured]);
    let warnings = warnings();
    assert_eq!(warnings.len(), 2);
    for (warning, kind) in warnings.iter().zip(["InCluster", "KubeConfig"]) {
        assert!(warning.starts_with(&format!("warning: {kind} ")), "{warning}");
        assert!(
            warning.contains(&format!("KubectlProxy ({}) is used instead", machine.proxy.url())),
            "{warning}"
        );
        assert!(!warning.contains("hunter2"), "{warning}");
    }
}

#[tokio::test]
async fn diagnosis_tries_every_transport() {
    let machine = Machine::new().await;
    let mut flags = machine.grants(Kind::InCluster);
    flags.extend(machine.grants(Kind::KubectlProxy));
    let findings = diagnose(&machine.authority(&flags), &machine.options).await;
    let kinds: Vec<Kind> = findings.iter().map(|finding| finding.transport).collect();
    assert_eq!(kinds, Kind::ALL);
    let reached = findings[0].verdict.as_ref().expect("InCluster");
    assert_eq!(reached.server, format!("https://{}", machine.account.address));
    assert_eq!(reached.default_namespace.as_deref(), Some("prod"));
    assert_eq!(findings[1].verdict.as_ref().expect_err("KubeConfig").missing.len(), 2);
    assert!(findings[2].verdict.is_ok() && findings[3].verdict.is_err());
}

#[test]
fn where_credentials_may_be() {
    let env = |name: &str| match name {
        "KUBECONFIG" => Some("/a::/b".into()),
        "HOME" => Some("/home/me".into()),
        _ => None,
    };
    let mut options = options();
    options.kubeconfig.path = Some("/explicit".into());
    let paths: Vec<String> =
        credential_paths(&env, &options).iter().map(|path| path.display().to_string()).collect();
    let folder = "/var/run/secrets/kubernetes.io/serviceaccount";
    assert_eq!(paths, [folder, "/explicit", "/a", "/b", "/home/me/.kube"]);
}
