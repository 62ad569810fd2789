//! A program that embeds tidegate: connections registered at run time, from a file, from a service account's folder and from values;
//! shared by many guests, and idle by the thousand.

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use tidegate::grants::{Grants, Kind};
use tidegate::kube::Secret;
use tidegate::registry::{Configuration, Definition, Registry, ServiceAccount, Sources};
use tidegate::transport::{CertificatePair, CredentialKind, Direct, DirectCredential, Options};
use tidegate::{Cache, Engine, Input, Output, Script};
use tidegate_cluster::AuthKind;
use tidegate_tests::{Act, Peer, TOKEN, guest, program};

async fn ask(folder: &tempfile::TempDir) -> Script {
    let engine = Engine::builder()
        .cache(Cache::Folder(folder.path().join("cache")))
        .compiler(program("tidegate-compile"));
    engine.build().unwrap().load_file(guest("ask")).await.unwrap()
}

/// What the guest `ask` wrote, with a grant of these connections and nothing else.
async fn run(script: &Script, registry: &Registry, granted: &str, arguments: &[&str]) -> String {
    let (stdout, written) = Output::capture(1 << 20);
    let grants = Grants::builder().allow(Kind::Connection, Some(granted)).unwrap().build();
    let run = script.run().grants(grants).user_agent("fleet/1.4 (guest)").connections(registry.clone());
    let run = run.stdin(Input::null()).stdout(stdout).stderr(Output::null());
    run.arguments(arguments.iter().copied()).start().await.unwrap();
    written.text()
}

fn peer() -> Peer {
    Peer::answering(|asked| asked.or_api(|| vec![Act::json("{}")]))
}

/// A hundred guests, one transport; each of the other fifty has a connection of its own and sees no other.
#[tokio::test(flavor = "current_thread")]
async fn guests_share_a_connection_and_see_their_own() {
    let (folder, shared, own) = (tempfile::tempdir().unwrap(), peer(), peer());
    let script = ask(&folder).await;
    let registry = Registry::new(Options::new("fleet/1.4"));
    registry.register("shared", Definition::kube_config(shared.kubeconfig())).unwrap();
    for tenant in 0..50 {
        registry.register(&format!("tenant-{tenant}"), Definition::kube_config(own.kubeconfig())).unwrap();
    }
    let mut running = tokio::task::JoinSet::new();
    for tenant in 0..100 {
        let (script, registry) = (script.clone(), registry.clone());
        running.spawn(async move {
            let granted = if tenant < 50 { format!("tenant-{tenant}") } else { "shared".to_owned() };
            let names = run(&script, &registry, &granted, &["--via", "names"]).await;
            assert_eq!(names, format!("name {granted}\n"));
            let refused = run(&script, &registry, &granted, &["--via", "connection=tenant-99", "/x"]).await;
            assert!(refused.ends_with("missing --allow-connection=tenant-99\n"), "{refused}");
            run(&script, &registry, &granted, &["--via", &format!("connection={granted}"), "/api/v1/pods"])
                .await
        });
    }
    for written in running.join_all().await {
        assert!(written.contains("done: 1 items"), "{written}");
        assert!(!written.contains(TOKEN), "{written}");
    }
    // However many asked: one question, and no more connections than requests were in flight.
    let questions = shared.seen().iter().filter(|asked| asked.target == "/api").count();
    assert_eq!(questions, 1);
    assert_eq!(shared.seen().len(), 51);
    // Of the program, not of a guest: one transport has one user agent.
    let agents: BTreeSet<String> =
        shared.seen().iter().filter_map(|asked| asked.header("user-agent").map(str::to_owned)).collect();
    assert_eq!(agents, BTreeSet::from(["fleet/1.4".to_owned()]));
}

/// Sorted with those of file and environment, found by name, and gone when they are unregistered.
#[tokio::test(flavor = "current_thread")]
async fn code_beside_file_and_environment() {
    let (folder, peer) = (tempfile::tempdir().unwrap(), peer());
    let script = ask(&folder).await;
    let text = format!("connections: {{file: {{conn: {}}}}}", peer.kubeconfig().display());
    let variables = [("K8S_CLUSTER_CONF_PATH_env".into(), peer.kubeconfig().into())];
    let configuration = Configuration::read(&Sources {
        file: Some((Path::new("/tidegate.yaml"), text.as_bytes())),
        variables: &variables,
        ..Sources::default()
    });
    let registry = Registry::of(&configuration.unwrap(), Options::new("fleet/1.4"));
    registry.register("code", Definition::kube_config(peer.kubeconfig())).unwrap();
    let listed: Vec<String> = registry
        .list()
        .iter()
        .map(|connection| format!("{} {}", connection.name(), connection.origin().as_str()))
        .collect();
    assert_eq!(listed, ["code code", "env environment", "file file"]);
    for name in ["code", "env", "file"] {
        assert!(registry.lookup(name).is_some());
        let via = format!("connection={name}");
        let written = run(&script, &registry, name, &["--via", &via, "/api/v1/pods"]).await;
        assert!(written.contains("done: 1 items"), "{written}");
    }
    assert!(registry.unregister("env") && registry.lookup("env").is_none());
    let written = run(&script, &registry, "env", &["--via", "connection=env", "/api/v1/pods"]).await;
    assert_eq!(written, "error not-configured: there is no connection \"env\"\n");
}

/// What 10,000 weigh exactly, the registry's own tests count; here is what the process holds, beside whatever else it does.
#[tokio::test(flavor = "current_thread")]
async fn ten_thousand_idle_connections_and_one_that_is_used() {
    let (folder, peer) = (tempfile::tempdir().unwrap(), peer());
    let script = ask(&folder).await;
    let registry = Registry::new(Options::new("fleet/1.4"));
    for tenant in 0..10_000 {
        registry.register(&format!("tenant-{tenant}"), Definition::kube_config(peer.kubeconfig())).unwrap();
    }
    assert_eq!((registry.len(), peer.connections()), (10_000, 0));
    let written = run(&script, &registry, "tenant-7*", &["--via", "names"]).await;
    assert_eq!(written.lines().count(), 1_111);
    let arguments = ["--via", "connection=tenant-7777", "/api/v1/pods"];
    let written = run(&script, &registry, "tenant-7*", &arguments).await;
    assert!(written.contains("done: 1 items"), "{written}");
    assert_eq!(peer.connections(), 1);
}

/// What a program registers without a name is called as its cluster; what has none needs a name.
#[tokio::test(flavor = "current_thread")]
async fn names_that_nobody_gave() {
    let peer = peer();
    let registry = Registry::new(Options::new("fleet/1.4"));
    assert_eq!(tidegate::register(&registry, Definition::kube_config(peer.kubeconfig())).unwrap(), "c");
    tidegate::connect(&registry, "c").await.unwrap();
    let again = tidegate::register(&registry, Definition::context(peer.kubeconfig(), "x")).unwrap_err();
    assert!(again.to_string().contains("there is a connection \"c\" already"), "{again}");
    for (definition, expected) in [
        (Definition::context(peer.kubeconfig(), "nobody"), "has no name, and its cluster's cannot be told"),
        (Definition::kube_config("/nowhere"), "has no name, and its cluster's cannot be told"),
        (
            Definition::service_account(),
            "a service-account connection has no cluster to be called after; give a name",
        ),
        (
            Definition::direct(Direct::new("https://h")),
            "a direct connection has no cluster to be called after; give a name",
        ),
    ] {
        let error = tidegate::register(&registry, definition).unwrap_err().to_string();
        assert!(error.contains(expected), "{error}");
    }
}

/// Each way to define a connection, against the real server: whom it sees.
#[tokio::test(flavor = "current_thread")]
async fn every_definition_on_the_real_server() {
    let folder = tempfile::tempdir().unwrap();
    let script = ask(&folder).await;
    let cluster = tidegate_cluster::shared().expect("a real control plane");
    let account = cluster.service_account_folder("default", "default").unwrap();
    let token = std::fs::read_to_string(account.path().join("token")).unwrap();
    let ca: Arc<[u8]> = std::fs::read(account.path().join("ca.crt")).unwrap().into();
    let certificates = std::fs::read_to_string(cluster.kubeconfig(AuthKind::ClientCertificate)).unwrap();
    let pem = |field: &str| {
        let text = certificates.lines().find_map(|line| line.trim().strip_prefix(field)).unwrap();
        Secret::new(STANDARD.decode(text.trim()).unwrap())
    };
    let direct = |credential| Direct {
        ca: Some(ca.clone()),
        credential,
        ..Direct::new(format!("https://{}", cluster.address()))
    };
    let pair = CertificatePair { certificate: pem("client-certificate-data:"), key: pem("client-key-data:") };
    let folder = ServiceAccount {
        folder: Some(account.path().to_path_buf()),
        address: Some(cluster.address().to_string()),
    };
    let registry = Registry::new(Options::new("fleet/1.4"));
    for (name, definition, user, kind) in [
        (
            "file",
            Definition::kube_config(cluster.kubeconfig(AuthKind::Token)),
            "admin",
            CredentialKind::Token,
        ),
        (
            "account",
            Definition::ServiceAccount(folder),
            "system:serviceaccount:default:default",
            CredentialKind::TokenFile,
        ),
        (
            "header",
            Definition::direct(direct(DirectCredential::Header(format!("Bearer {}", token.trim()).into()))),
            "system:serviceaccount:default:default",
            CredentialKind::Header,
        ),
        (
            "pem",
            Definition::direct(direct(DirectCredential::Certificate(pair))),
            "certificate-admin",
            CredentialKind::ClientCertificate,
        ),
    ] {
        registry.register(name, definition).unwrap();
        let review = r#"{"kind":"SelfSubjectReview","apiVersion":"authentication.k8s.io/v1"}"#;
        let via = format!("connection={name}");
        let arguments = ["--via", &via, "--method", "POST", "--body", review];
        let path = "/apis/authentication.k8s.io/v1/selfsubjectreviews";
        let written = run(&script, &registry, name, &[&arguments[..], &[path]].concat()).await;
        assert!(written.contains(&format!("\"username\":\"{user}\"")), "{name}: {written}");
        assert!(!written.contains(token.trim()), "{name}");
        // Who opens it by its name learns what it proves itself with, and when that ends.
        let reports = tidegate::connect(&registry, name).await.unwrap().credentials();
        assert_eq!(reports.iter().map(|report| report.kind).collect::<Vec<_>>(), [kind], "{name}");
        assert_eq!(reports[0].expires.is_some(), name != "file", "{name}: {reports:?}");
        assert!(!format!("{reports:?}").contains(token.trim()), "{name}");
    }
}
