//! auth-provider oidc and gcp, and an embedder's own: with a real issuer and real commands.

use std::collections::BTreeMap;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use futures_util::future::BoxFuture;
use tidegate_kube::Secret;
use tidegate_transport::{
    Choice, Code, CredentialKind, CredentialProvider, CredentialRequest, Direct, DirectCredential, Error,
    Options, Provided, ProviderError, Providers, Transport, connect, connect_direct,
};

use crate::peer::{Act, Peer, Seen, json, kubernetes, raw, reply};
use crate::pki;
use crate::setup::{authority, get, kubeconfig, options, write};

/// A JSON Web Token that ends so many seconds from now.
fn token(subject: &str, seconds: i64) -> String {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).expect("clock").as_secs() as i64;
    let claims = format!(r#"{{"sub":"{subject}","exp":{}}}"#, now + seconds);
    format!("e30.{}.c2ln", URL_SAFE_NO_PAD.encode(claims))
}

/// An API server, and an issuer beside it.
struct Stage {
    folder: tempfile::TempDir,
    ca: pki::Authority,
    server: Peer,
    options: Options,
}

impl Stage {
    async fn new() -> Stage {
        let ca = pki::Authority::new("ca");
        let server = Peer::tls(ca.issue(&["127.0.0.1"]).server(), kubernetes(|_| json("{}"))).await;
        let folder = tempfile::tempdir().expect("folder");
        write(&folder.path().join("ca.crt"), &ca.pem);
        Stage { folder, ca, server, options: options() }
    }

    async fn issuer(&self, script: impl Fn(&Seen) -> Vec<Act> + Send + Sync + 'static) -> Peer {
        Peer::tls(self.ca.issue(&["127.0.0.1", "issuer.example"]).server(), script).await
    }

    async fn connect(&self, user: &str, flags: &[(&str, &str)]) -> Result<Arc<dyn Transport>, Error> {
        self.connect_in(user, flags, &[]).await
    }

    async fn connect_in(
        &self,
        user: &str,
        flags: &[(&str, &str)],
        environment: &[(&str, String)],
    ) -> Result<Arc<dyn Transport>, Error> {
        let cluster = format!("server: 'https://{}', certificate-authority: ca.crt", self.server.address);
        let config = self.folder.path().join("config");
        write(&config, &kubeconfig(&cluster, user));
        let path = std::env::var("PATH").expect("PATH");
        let choice = Choice::ReadKubeConfig { path: Some(config), context: None };
        let mut variables = vec![("PATH", path.as_str())];
        variables.extend(environment.iter().map(|(name, value)| (*name, value.as_str())));
        connect(&authority(&[&[("read", "")], flags].concat(), &variables), &self.options, choice).await
    }

    /// The last `Authorization` that the API server saw.
    fn seen(&self) -> String {
        let seen = self.server.seen();
        seen.last().and_then(|seen| seen.header("authorization").map(str::to_owned)).unwrap_or_default()
    }

    fn script(&self, name: &str, text: &str) -> String {
        let path = self.folder.path().join(name);
        write(&path, &text.replace("$T", self.folder.path().to_str().expect("path")));
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o700)).expect("mode");
        path.to_str().expect("path").to_owned()
    }
}

fn oidc(issuer: &str, ca: &str, fields: &str) -> String {
    format!(
        "auth-provider: {{name: oidc, config: {{idp-issuer-url: '{issuer}', client-id: tidegate, \
         idp-certificate-authority-data: {}, {fields}}}}}",
        STANDARD.encode(ca)
    )
}

/// Gives an ID token that lasts one minute for the refresh token that it gave last, which it changes each time.
fn rotating(by_form: bool, discovery: String) -> impl Fn(&Seen) -> Vec<Act> {
    let turn = AtomicU64::new(0);
    move |seen| {
        let form = String::from_utf8_lossy(&seen.body).into_owned();
        if seen.line().starts_with("GET /realm/.well-known/openid-configuration ") {
            return json(&discovery);
        }
        if !seen.line().starts_with("POST /oauth/token ") {
            return reply("404 Not Found", "text/plain", "no such page");
        }
        let basic = format!("Basic {}", STANDARD.encode("tidegate:s%26cret"));
        let named = match by_form {
            true => form.contains("client_id=tidegate&client_secret=s%26cret&"),
            false => seen.header("authorization") == Some(&basic),
        };
        let now = turn.load(Ordering::SeqCst);
        if !named || !form.ends_with(&format!("grant_type=refresh_token&refresh_token=refresh-{now}")) {
            let body = r#"{"error":"invalid_grant","error_description":"hush-hush"}"#;
            return reply("400 Bad Request", "application/json", body);
        }
        turn.store(now + 1, Ordering::SeqCst);
        let id = token(&format!("turn-{now}"), 60);
        json(&format!(
            r#"{{"access_token":"a","token_type":"Bearer","id_token":"{id}","refresh_token":"refresh-{}"}}"#,
            now + 1
        ))
    }
}

fn subject(authorization: &str) -> String {
    let payload = authorization.split('.').nth(1).expect("payload");
    let claims = String::from_utf8(URL_SAFE_NO_PAD.decode(payload).expect("base64")).expect("text");
    claims.split('"').nth(3).expect("subject").to_owned()
}

#[tokio::test]
async fn an_id_token_is_used_until_it_ends_and_no_issuer_is_asked() {
    let stage = Stage::new().await;
    let user = oidc("https://issuer.invalid", &stage.ca.pem, &format!("id-token: {}", token("me", 3600)));
    let transport = stage.connect(&user, &[("net", "127.0.0.1")]).await.expect("connect");
    assert_eq!(subject(&stage.seen()), "me");
    let report = &transport.credentials()[0];
    assert_eq!(report.kind, CredentialKind::Oidc);
    assert!(report.expires.is_some_and(|end| end > SystemTime::now()), "{report:?}");

    // With a refresh token the issuer is a need of the same round.
    let user = user.replace("id-token", "refresh-token: r, id-token");
    let error = stage.connect(&user, &[("net", "127.0.0.1")]).await.expect_err("issuer");
    assert_eq!(error.missing(), ["--allow-net=issuer.invalid:443"]);
}

#[tokio::test]
async fn an_id_token_that_ended_is_refreshed_through_the_issuer() {
    for by_form in [false, true] {
        let stage = Stage::new().await;
        let endpoint = stage.issuer(rotating(by_form, String::new())).await;
        let discovery = format!(r#"{{"token_endpoint":"https://{}/oauth/token"}}"#, endpoint.address);
        let issuer = stage.issuer(rotating(by_form, discovery)).await;
        let url = format!("https://{}/realm/", issuer.address);
        for (turn, old) in [token("old", -5), token("old", 5)].iter().enumerate() {
            let fields = format!("client-secret: 's&cret', refresh-token: refresh-{turn}, id-token: {old}");
            let user = oidc(&url, &stage.ca.pem, &fields);
            let transport = stage.connect(&user, &[("net", "")]).await.expect("connect");
            get(&transport, "/x").await.expect("get");
            assert_eq!(subject(&stage.seen()), format!("turn-{turn}"));
        }
        assert_eq!(issuer.seen().len(), 2, "once for each connection");
    }
}

/// As kubectl: where the environment says so, the issuer is behind a proxy, whatever is before the cluster.
#[tokio::test]
async fn an_issuer_behind_the_environments_proxy() {
    let stage = Stage::new().await;
    let issuer = stage
        .issuer(rotating(false, r#"{"token_endpoint":"https://issuer.example/oauth/token"}"#.to_owned()))
        .await;
    let to = issuer.address;
    let proxy = Peer::plain(move |_| vec![raw("HTTP/1.1 200 OK\r\n\r\n"), Act::Tunnel(to)]).await;
    let user = oidc(
        "https://issuer.example/realm",
        &stage.ca.pem,
        "client-secret: 's&cret', refresh-token: refresh-0",
    );
    let environment = [("HTTPS_PROXY", format!("http://{}", proxy.address))];
    let flags = |net| [("net", net), ("env", "HTTPS_PROXY")];
    let error = stage.connect_in(&user, &flags("127.0.0.2"), &environment).await.expect_err("denied");
    let missing =
        [stage.server.address.to_string(), "issuer.example:443".to_owned(), proxy.address.to_string()];
    assert_eq!(error.missing(), missing.map(|endpoint| format!("--allow-net={endpoint}")));
    assert!(proxy.seen().is_empty());
    stage.connect_in(&user, &flags(""), &environment).await.expect("connect");
    assert_eq!(subject(&stage.seen()), "turn-0");
    let asked: Vec<_> = proxy.seen().iter().map(|seen| seen.line().to_owned()).collect();
    assert_eq!(asked, ["CONNECT issuer.example:443 HTTP/1.1"; 2], "to discover, and for the token");
    assert!(proxy.seen().iter().all(|seen| seen.header("authorization").is_none()));
}

#[tokio::test]
async fn a_rotated_refresh_token_is_kept_in_memory() {
    let stage = Stage::new().await;
    let refuse = Arc::new(AtomicU64::new(0));
    let refusing = refuse.clone();
    let server = Peer::tls(stage.ca.issue(&["127.0.0.1"]).server(), move |seen: &Seen| {
        if seen.line().contains("/x") && refusing.fetch_add(1, Ordering::SeqCst).is_multiple_of(2) {
            return reply("401 Unauthorized", "application/json", r#"{"kind":"Status"}"#);
        }
        kubernetes(|_| json("{}"))(seen)
    })
    .await;
    let stage = Stage { server, ..stage };
    let endpoint = stage.issuer(rotating(false, String::new())).await;
    let discovery = format!(r#"{{"token_endpoint":"https://{}/oauth/token"}}"#, endpoint.address);
    let issuer = stage.issuer(rotating(false, discovery)).await;
    let user = oidc(
        &format!("https://{}/realm", issuer.address),
        &stage.ca.pem,
        "client-secret: 's&cret', refresh-token: refresh-0",
    );
    let transport = stage.connect(&user, &[("net", "")]).await.expect("connect");
    let before = std::fs::read(stage.folder.path().join("config")).expect("config");
    for turn in 1..4 {
        // Refused once each time: another token is had with the refresh token that came with the last.
        get(&transport, "/x").await.expect("get");
        assert_eq!(subject(&stage.seen()), format!("turn-{turn}"));
    }
    assert_eq!(std::fs::read(stage.folder.path().join("config")).expect("config"), before);
    assert_eq!(issuer.seen().len(), 1, "discovered once");
}

#[tokio::test]
async fn an_issuer_that_gives_nothing_is_told_without_its_words() {
    let stage = Stage::new().await;
    let endpoint = stage.issuer(rotating(false, String::new())).await;
    let at = |path: &str| format!(r#"{{"token_endpoint":"https://{}{path}"}}"#, endpoint.address);
    for (discovery, fields, code, words) in [
        (at("/oauth/token"), "refresh-token: stolen", Code::Unauthorized, "answered 400, invalid_grant"),
        (at("/gone"), "refresh-token: r", Code::Unauthorized, "answered 404"),
        ("{}".to_owned(), "refresh-token: r", Code::NotConfigured, "doesn't contain a token_endpoint"),
        (
            "hush-hush".to_owned(),
            "refresh-token: r",
            Code::NotConfigured,
            "failed to decode provider discovery object",
        ),
        (
            r#"{"token_endpoint":"http://127.0.0.1/"}"#.to_owned(),
            "refresh-token: r",
            Code::NotConfigured,
            "is not sent in the clear",
        ),
        (
            r#"{"token_endpoint":"https://elsewhere.invalid/token"}"#.to_owned(),
            "refresh-token: r",
            Code::PermissionDenied,
            "--allow-net=elsewhere.invalid:443",
        ),
        (
            String::new(),
            "extra-scopes: x",
            Code::NotConfigured,
            "No valid id-token, and cannot refresh without refresh-token",
        ),
        (String::new(), "id-token: hush-hush", Code::NotConfigured, "ID Token is not a valid JWT"),
    ] {
        let issuer = stage.issuer(rotating(false, discovery)).await;
        let user = oidc(&format!("https://{}/realm", issuer.address), &stage.ca.pem, fields);
        let error = stage.connect(&user, &[("net", "127.0.0.1")]).await.expect_err(words);
        assert_eq!(error.code(), code, "{error:?}");
        assert!(error.report().contains(words), "{words}: {error:?}");
        assert!(!error.report().contains("hush"), "{error:?}");
    }
    for (user, words) in [
        ("auth-provider: {name: oidc, config: {client-id: x}}", "Must provide idp-issuer-url"),
        ("auth-provider: {name: oidc, config: {idp-issuer-url: 'https://x'}}", "Must provide client-id"),
        ("auth-provider: {name: azure}", "no Auth Provider found for name \"azure\""),
    ] {
        let error = stage.connect(user, &[("net", "")]).await.expect_err(words);
        assert!(error.report().contains(words), "{error:?}");
        assert_eq!(error.code(), Code::NotConfigured);
    }
}

#[tokio::test]
async fn gcp_takes_what_was_kept_or_what_its_command_prints() {
    let stage = Stage::new().await;
    let kept = "auth-provider: {name: gcp, config: {access-token: kept, expiry: '2999-01-01T00:00:00Z'}}";
    stage.connect(kept, &[("net", "")]).await.expect("kept");
    assert_eq!(stage.seen(), "Bearer kept");

    let command = stage.script(
        "gcloud",
        "#!/bin/sh\necho \"$@\" >$T/args\necho '{\"credential\":{\"access_token\":\"printed\",\"token_expiry\":\"2999-01-01T00:00:00.5Z\"}}'\necho printed >&2\n",
    );
    let user = format!(
        "auth-provider: {{name: gcp, config: {{access-token: kept, expiry: '2001-01-01T00:00:00Z', cmd-path: '{command}', \
         cmd-args: 'config config-helper --format=json', token-key: '{{.credential.access_token}}', \
         expiry-key: '{{.credential.token_expiry}}'}}}}"
    );
    let error = stage.connect(&user, &[("net", "")]).await.expect_err("run");
    assert_eq!(error.missing(), [format!("--allow-run={command}")]);
    let transport = stage.connect(&user, &[("net", ""), ("run", &command)]).await.expect("command");
    assert_eq!(stage.seen(), "Bearer printed");
    assert_eq!(read(&stage, "args"), "config config-helper --format=json\n");
    assert!(transport.credentials()[0].expires.is_some());

    let ended = "auth-provider: {name: gcp, config: {access-token: kept, expiry: '2001-01-01T00:00:00Z'}}";
    let error = stage.connect(ended, &[("net", "")]).await.expect_err("ended");
    assert!(error.report().contains("gke-gcloud-auth-plugin"), "{error:?}");
}

fn read(stage: &Stage, name: &str) -> String {
    std::fs::read_to_string(Path::new(stage.folder.path()).join(name)).expect("file")
}

/// Counts, and tells what it was asked.
struct Vault(Arc<AtomicU64>);

impl CredentialProvider for Vault {
    fn provide<'a>(
        &'a self,
        request: &'a CredentialRequest,
    ) -> BoxFuture<'a, Result<Provided, ProviderError>> {
        Box::pin(async move {
            let turn = self.0.fetch_add(1, Ordering::SeqCst);
            let role = request.config.get("role").ok_or("no role")?;
            match role.expose().as_str() {
                "hang" => std::future::pending().await,
                "nothing" => Ok(Provided::default()),
                role => Ok(Provided::bearer(format!("{role}-{turn}"))),
            }
        })
    }
}

#[tokio::test]
async fn an_embedders_own_provider() {
    let mut stage = Stage::new().await;
    let asked = Arc::new(AtomicU64::new(0));
    stage.options.providers = Providers::default().with("vault", Vault(asked.clone()));
    stage.options.plugins.deadline = Duration::from_millis(200);
    let user = |config: &str| format!("auth-provider: {{name: vault, config: {{{config}}}}}");
    let transport = stage.connect(&user("role: dev"), &[("net", "")]).await.expect("connect");
    get(&transport, "/x").await.expect("get");
    assert_eq!((stage.seen().as_str(), asked.load(Ordering::SeqCst)), ("Bearer dev-0", 1));
    assert_eq!(transport.credentials()[0].kind, CredentialKind::Provider);
    for (config, code, words) in [
        ("role: nothing", Code::NotConfigured, "gave neither a header nor a certificate"),
        ("role: hang", Code::Timeout, "gave nothing within 0.2 s"),
        ("x: z", Code::NotConfigured, "has no credential: no role"),
    ] {
        let error = stage.connect(&user(config), &[("net", "")]).await.expect_err(words);
        assert_eq!(error.code(), code);
        assert!(error.report().contains(words), "{error:?}");
    }

    // A guest's own document would send it to a server of the guest's.
    let asked_before = asked.load(Ordering::SeqCst);
    let cluster = format!("server: 'https://{}', insecure-skip-tls-verify: true", stage.server.address);
    let document = kubeconfig(&cluster, &user("role: dev")).into_bytes();
    let choice = Choice::ForKubeConfig { document, context: None };
    let error = connect(&authority(&[("net", "")], &[]), &stage.options, choice).await.expect_err("guest");
    assert!(error.report().contains("no Auth Provider found for name \"vault\""), "{error:?}");
    assert_eq!(asked.load(Ordering::SeqCst), asked_before);
}

#[tokio::test]
async fn a_cluster_piece_by_piece() {
    let mut stage = Stage::new().await;
    stage.options.providers = Providers::default().with("vault", Vault(Arc::default()));
    let url = format!("https://{}", stage.server.address);
    let direct =
        |credential| Direct { ca: Some(stage.ca.pem.as_bytes().into()), credential, ..Direct::new(&url) };
    let provider = DirectCredential::Provider {
        name: "vault".to_owned(),
        config: BTreeMap::from([("role".to_owned(), Secret::new("dev".to_owned()))]),
    };
    let granted = authority(&[("net", "127.0.0.1")], &[]);
    for (credential, seen) in [
        (DirectCredential::None, ""),
        (DirectCredential::Header(Secret::new("Custom hunter2".to_owned())), "Custom hunter2"),
        (provider, "Bearer dev-0"),
    ] {
        let direct = direct(credential);
        assert!(!format!("{direct:?}").contains("hunter2"));
        connect_direct(&granted, &stage.options, direct).await.expect("connect");
        assert_eq!(stage.seen(), seen);
    }
    let none = authority(&[], &[]);
    let error = connect_direct(&none, &stage.options, direct(DirectCredential::None)).await.expect_err("net");
    assert_eq!(error.missing(), [format!("--allow-net={}", stage.server.address)]);
    for (server, header, words) in [
        ("http://127.0.0.1:1", "Bearer hunter2", "has no TLS, so that no credential is sent to it"),
        (
            "https://127.0.0.1:1",
            "Bearer a\nb",
            "an Authorization header that is empty or holds control bytes",
        ),
        ("https://", "x", "cannot be used"),
    ] {
        let credential = DirectCredential::Header(Secret::new(header.to_owned()));
        let direct = Direct { credential, ..Direct::new(server) };
        let error = connect_direct(&granted, &stage.options, direct).await.expect_err(words);
        assert!(error.report().contains(words) && !error.report().contains("hunter2"), "{error:?}");
    }
}
