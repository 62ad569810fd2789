//! Real proxies before a real API server: tinyproxy, which speaks HTTP, and microsocks, which speaks SOCKS5.

use std::fs;

use tempfile::TempDir;
use tidegate_cluster::{Cluster, Options, Shared};
use tidegate_tests::{Outcome, Proxy, ProxyKind, Run};

const KINDS: [ProxyKind; 2] = [ProxyKind::Tinyproxy, ProxyKind::Microsocks];

fn cluster() -> &'static Cluster {
    static CLUSTER: Shared = Shared::new(Options::api_only);
    CLUSTER.get().unwrap()
}

/// A run of `ask` with a kubeconfig that names this proxy.
fn through(url: &str, server: &str, granted: &str, arguments: &[&str]) -> (Run, TempDir) {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("ca.crt"), cluster().ca_pem()).unwrap();
    let text = format!(
        "clusters: [{{name: c, cluster: {{server: '{server}', certificate-authority: ca.crt, proxy-url: '{url}'}}}}]
users: [{{name: u, user: {{token: {}}}}}]
contexts: [{{name: x, context: {{cluster: c, user: u}}}}]
current-context: x\n",
        cluster().admin_token()
    );
    let config = folder.path().join("config");
    fs::write(&config, text).unwrap();
    let run = Run::guest("ask")
        .flags("--transports=KubeConfig -v")
        .flag_path("--kubeconfig", &config)
        .flag_path("--allow-read", folder.path())
        .flag(format!("--allow-net={granted}"))
        .argument("--via")
        .argument("kube-config");
    (run.arguments(arguments), folder)
}

fn ask(url: &str, server: &str, granted: &str, arguments: &[&str]) -> Outcome {
    through(url, server, granted, arguments).0.run()
}

#[test]
fn lists_and_watches_go_through_each_proxy_with_and_without_a_password() {
    let server = cluster().address();
    for kind in KINDS {
        for user in [None, Some(("tom", "s3cr3t"))] {
            let proxy = Proxy::start(kind, user);
            let granted = format!("{server},{}", proxy.address());
            let paths = ["/api/v1/namespaces/default", "/api/v1/namespaces?watch=true&timeoutSeconds=1"];
            let came = ask(&proxy.url(user), &cluster().server_url(), &granted, &paths).expect_code(0);
            assert!(came.stdout.contains("\"name\":\"default\""), "{kind:?}: {}", came.stdout);
            assert!(came.stdout.contains("\"type\":\"ADDED\""), "{kind:?}: {}", came.stdout);
            assert!(proxy.log().contains(&server.to_string()), "{kind:?}: {}", proxy.log());
            assert!(!format!("{came:?}").contains("s3cr3t"), "{came:?}");
        }
    }
}

/// The server's name is looked up by the proxy, and what is granted is the name.
#[test]
fn a_name_is_looked_up_by_the_proxy() {
    let server = format!("localhost:{}", cluster().port());
    for kind in KINDS {
        let proxy = Proxy::start(kind, None);
        let granted = format!("{server},{}", proxy.address());
        let url = format!("https://{server}");
        ask(&proxy.url(None), &url, &granted, &["/api/v1/namespaces/default"]).expect_code(0);
        assert!(proxy.log().contains("localhost"), "{kind:?}: {}", proxy.log());
    }
}

#[test]
fn a_wrong_password_is_told_and_not_shown() {
    let server = cluster().address();
    for kind in KINDS {
        let proxy = Proxy::start(kind, Some(("tom", "s3cr3t")));
        let granted = format!("{server},{}", proxy.address());
        for (user, words) in
            [(None, "wants a user and a password"), (Some(("tom", "wr0ng")), "does not accept")]
        {
            let url = proxy.url(user);
            let came = ask(&url, &cluster().server_url(), &granted, &["/api"]).expect_code(3);
            assert!(came.stdout.starts_with("error forbidden"), "{kind:?}: {}", came.stdout);
            assert!(came.stdout.contains(words), "{kind:?}: {}", came.stdout);
            assert!(!format!("{came:?}").contains("wr0ng"), "{came:?}");
        }
    }
}

#[test]
fn server_and_proxy_are_granted_each_for_itself() {
    let server = cluster().address();
    let proxy = Proxy::start(ProxyKind::Tinyproxy, None);
    let missing = |granted: &str| {
        let came = ask(&proxy.url(None), &cluster().server_url(), granted, &["/api"]).expect_code(3);
        let flags = came.stdout.lines().filter_map(|line| line.strip_prefix("missing ")).map(str::to_owned);
        flags.collect::<Vec<_>>()
    };
    let (to_server, to_proxy) = (format!("--allow-net={server}"), format!("--allow-net={}", proxy.address()));
    assert_eq!(missing("192.0.2.1"), [to_server.clone(), to_proxy.clone()]);
    assert_eq!(missing(&server.to_string()), [to_proxy]);
    assert_eq!(missing(&proxy.address().to_string()), [to_server]);
    assert!(!proxy.log().contains("Request ("), "nobody asked the proxy for anything: {}", proxy.log());
}
