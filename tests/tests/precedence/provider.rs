//! Credentials by code of the embedder's own, under a name: of a kubeconfig's `auth-provider`, of values, of a connection.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, SystemTime};

use futures_util::future::BoxFuture;
use tidegate::grants::{Grants, Kind};
use tidegate::kube::Secret;
use tidegate::registry::{Definition, Registry};
use tidegate::transport::{
    Choice, Code, CredentialProvider, CredentialRequest, DirectCredential, Error, Explicit, Options,
    Provided, ProviderError, Providers, Transport,
};
use tidegate::{Engine, Output};
use tidegate_cluster::TOKEN_LEEWAY;
use tidegate_tests::{guest, program};

use crate::{BY_CERTIFICATE, cluster, direct, grants, pem, review, user};

const ROBOT: &str = "system:serviceaccount:default:robot";

/// Gives what its configuration says, and counts.
#[derive(Clone, Default)]
struct Vault(Arc<AtomicUsize>);

impl Vault {
    fn asked(&self) -> usize {
        self.0.load(Ordering::SeqCst)
    }

    fn options(&self) -> Options {
        let mut options = Options::new("operator/1.0");
        options.providers = Providers::default().with("vault", self.clone());
        options
    }
}

impl CredentialProvider for Vault {
    fn provide<'a>(
        &'a self,
        request: &'a CredentialRequest,
    ) -> BoxFuture<'a, Result<Provided, ProviderError>> {
        Box::pin(async move {
            let turn = self.0.fetch_add(1, Ordering::SeqCst);
            assert_eq!(request.server, cluster().server_url());
            match request.config.get("role").ok_or("no role is configured")?.expose().as_str() {
                "robot" => Ok(Provided { expires: None, ..Provided::bearer(token()) }),
                // The server takes the first for seconds.
                "short" if turn == 0 => Ok(Provided::bearer(ending())),
                "short" => Ok(Provided::bearer(token())),
                // Its end is told, so that no server has to refuse it.
                "told" => {
                    let expires = Some(SystemTime::now() + Duration::from_secs(1));
                    Ok(Provided { expires, ..Provided::bearer(token()) })
                }
                "certificate" => Ok(Provided { certificate: Some(pem()), ..Provided::default() }),
                "wrong" => Ok(Provided::bearer("hush-4f1d")),
                "nothing" => Ok(Provided::default()),
                _ => std::future::pending().await,
            }
        })
    }
}

/// As a real one would: it asks the server for a token.
fn token() -> String {
    drop(cluster().service_account_folder("default", "robot").unwrap());
    cluster().request_service_account_token("default", "robot", Duration::from_secs(600)).unwrap()
}

/// A token that the server takes for two seconds more, and ten beyond that if it saw it before.
fn ending() -> String {
    let account = cluster().service_account_folder("default", "robot").unwrap();
    let issued = SystemTime::now() - Duration::from_secs(3600);
    let lifetime = Duration::from_secs(3602) - TOKEN_LEEWAY;
    cluster().sign_service_account_token("default", "robot", account.uid(), issued, lifetime).unwrap()
}

fn kubeconfig(role: &str) -> String {
    use base64::Engine as _;
    let ca = base64::engine::general_purpose::STANDARD.encode(cluster().ca_pem());
    format!(
        "clusters: [{{name: c, cluster: {{server: '{}', certificate-authority-data: {ca}}}}}]
users: [{{name: u, user: {{auth-provider: {{name: vault, config: {{role: {role}}}}}}}}}]
contexts: [{{name: x, context: {{cluster: c, user: u}}}}]
current-context: x\n",
        cluster().server_url()
    )
}

/// By name through a kubeconfig, and through values.
async fn both(vault: &Vault, role: &str) -> Vec<Result<Arc<dyn Transport>, Error>> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("config");
    std::fs::write(&path, kubeconfig(role)).unwrap();
    let config = BTreeMap::from([("role".to_owned(), Secret::new(role.to_owned()))]);
    let provider = DirectCredential::Provider { name: "vault".to_owned(), config };
    let mut options = vault.options();
    options.plugins.deadline = Duration::from_secs(3);
    let mut reached = Vec::new();
    for explicit in [
        Explicit::Choice(Choice::ReadKubeConfig { path: Some(path), context: None }),
        Explicit::Direct(direct(provider)),
    ] {
        let granted = grants(&[(Kind::Read, None), (Kind::Net, Some(&cluster().address().to_string()))]);
        reached.push(tidegate::reach_by_precedence(granted, &options, Some(explicit)).await);
    }
    reached
}

#[tokio::test]
async fn by_name_through_a_kubeconfig_and_through_values() {
    for (role, expected) in [("robot", ROBOT), ("certificate", BY_CERTIFICATE)] {
        let vault = Vault::default();
        for transport in both(&vault, role).await {
            let transport = transport.unwrap();
            for _ in 0..3 {
                assert_eq!(user(&transport).await, expected);
            }
            assert!(!format!("{:?}", transport.credentials()).contains("eyJ"), "no report holds a token");
        }
        assert_eq!(vault.asked(), 2, "once for each connection");
    }
}

#[tokio::test]
async fn one_that_ends_is_asked_for_again() {
    // Told beforehand: no request is refused.
    let vault = Vault::default();
    let transport = both(&vault, "told").await.remove(0).unwrap();
    tokio::time::sleep(Duration::from_millis(1_500)).await;
    let before = vault.asked();
    assert_eq!(user(&transport).await, ROBOT);
    assert_eq!(vault.asked(), before + 1);
}

#[tokio::test]
async fn one_that_the_server_refuses_is_asked_for_once_more() {
    let vault = Vault::default();
    let transport = both(&vault, "short").await.remove(0).unwrap();
    let before = vault.asked();
    tokio::time::sleep(Duration::from_secs(14)).await;
    // However many requests are refused at once.
    let reviews = (0..8).map(|_| review(&transport));
    for review in futures_util::future::join_all(reviews).await {
        assert_eq!(review.unwrap()["status"]["userInfo"]["username"], ROBOT);
    }
    assert_eq!(vault.asked(), before + 1);
}

#[tokio::test]
async fn one_that_gives_nothing_good_is_an_error() {
    for (role, code, words) in [
        ("wrong", Code::Unauthorized, "401"),
        (
            "nothing",
            Code::NotConfigured,
            "credential provider \"vault\" gave neither a header nor a certificate",
        ),
        ("hang", Code::Timeout, "credential provider \"vault\" gave nothing within 3 s"),
    ] {
        for reached in both(&Vault::default(), role).await {
            let error = reached.unwrap_err();
            assert_eq!(error.code(), code, "{role}: {}", error.report());
            assert!(error.report().contains(words), "{role}: {}", error.report());
            assert!(!error.report().contains("hush"), "{role}: {}", error.report());
        }
    }
    let unknown = DirectCredential::Provider { name: "safe".to_owned(), config: BTreeMap::new() };
    let explicit = Some(Explicit::Direct(direct(unknown)));
    let options = Vault::default().options();
    let error = tidegate::reach_by_precedence(grants(&[(Kind::Net, None)]), &options, explicit).await;
    assert!(error.unwrap_err().report().contains("no credential provider \"safe\" is registered"));
}

/// Nobody asks it for a credential that could not be used.
#[tokio::test]
async fn it_is_not_asked_where_the_server_is_not_granted() {
    let vault = Vault::default();
    let config = BTreeMap::from([("role".to_owned(), Secret::new("robot".to_owned()))]);
    let provider = DirectCredential::Provider { name: "vault".to_owned(), config };
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("config");
    std::fs::write(&path, kubeconfig("robot")).unwrap();
    for explicit in [
        Explicit::Direct(direct(provider)),
        Explicit::Choice(Choice::ReadKubeConfig { path: Some(path), context: None }),
    ] {
        let reached =
            tidegate::reach_by_precedence(grants(&[(Kind::Read, None)]), &vault.options(), Some(explicit))
                .await;
        let error = reached.unwrap_err();
        assert_eq!(error.missing(), [format!("--allow-net={}", cluster().address())]);
    }
    assert_eq!(vault.asked(), 0);
}

/// What the guest `ask` wrote.
async fn ask(options: Options, registry: Option<&Registry>, grants: Grants, via: &str) -> String {
    let engine = Engine::builder().compiler(program("tidegate-compile")).build().unwrap();
    let script = engine.load_file(guest("ask")).await.unwrap();
    let (stdout, written) = Output::capture(1 << 20);
    let mut run = script.run().grants(grants).options(options).stdout(stdout).stderr(Output::null());
    if let Some(registry) = registry {
        run = run.connections(registry.clone());
    }
    let body = r#"{"apiVersion":"authentication.k8s.io/v1","kind":"SelfSubjectReview"}"#;
    let arguments =
        ["--via", via, "--method", "POST", "--body", body, "--show", "4096", tidegate_tests::REVIEW];
    run.arguments(arguments).start().await.unwrap();
    written.text()
}

/// A guest uses it without knowing, through what its embedder configured; what the guest brings itself cannot name it.
#[tokio::test]
async fn guests_use_it_and_cannot_choose_it() {
    let vault = Vault::default();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("config");
    std::fs::write(&path, kubeconfig("robot")).unwrap();
    let address = cluster().address().to_string();
    let granted = || grants(&[(Kind::Read, path.to_str()), (Kind::Net, Some(&address))]);
    let mut options = vault.options();
    options.kubeconfig.path = Some(path.clone());
    let written = ask(options.clone(), None, granted(), "kube-config").await;
    assert!(written.contains(&format!("\"username\":\"{ROBOT}\"")) && !written.contains("eyJ"), "{written}");

    let registry = Registry::new(vault.options());
    registry.register("robot", Definition::kube_config(&path)).unwrap();
    let config = BTreeMap::from([("role".to_owned(), Secret::new("robot".to_owned()))]);
    let provider = DirectCredential::Provider { name: "vault".to_owned(), config };
    registry.register("values", Definition::direct(direct(provider))).unwrap();
    for name in ["robot", "values"] {
        let only = grants(&[(Kind::Connection, Some(name))]);
        let written = ask(vault.options(), Some(&registry), only, &format!("connection={name}")).await;
        assert!(written.contains(&format!("\"username\":\"{ROBOT}\"")), "{name}: {written}");
    }
    let asked = vault.asked();
    assert_eq!(asked, 3);

    let document = Choice::ForKubeConfig { document: kubeconfig("robot").into(), context: None };
    let reached = tidegate::reach(granted(), &options, Some(document)).await;
    let error = reached.unwrap_err();
    assert!(error.report().contains("no Auth Provider found for name \"vault\""), "{}", error.report());
    assert_eq!(vault.asked(), asked);
}
