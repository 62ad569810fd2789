//! Every kind of credential against a real API server, which says whom it took the guest for: certificates, service accounts whose tokens
//! end, an OpenID Connect issuer, impersonation, and plugins as programs of their own.

use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::LazyLock;
use std::time::{Duration, SystemTime};

use tempfile::TempDir;
use tidegate_cluster::{Cluster, Options, Shared, TOKEN_LEEWAY, Tools};
use tidegate_tests::{CLIENT, Grant, Issuer, Live, Run};

static ISSUER: LazyLock<Issuer> = LazyLock::new(Issuer::start);

/// An API server that takes the issuer's tokens too.
fn cluster() -> &'static Cluster {
    static CLUSTER: Shared = Shared::new(|| {
        Options::api_only()
            .api_server_flag(format!("--oidc-issuer-url={}", ISSUER.url()))
            .api_server_flag(format!("--oidc-ca-file={}", ISSUER.authority().display()))
            .api_server_flag(format!("--oidc-client-id={}", CLIENT.0))
            .api_server_flag("--oidc-username-claim=email")
            .api_server_flag("--oidc-groups-claim=groups")
    });
    CLUSTER.get().unwrap()
}

/// The path that says who asks.
const REVIEW: &str = "/apis/authentication.k8s.io/v1/selfsubjectreviews";

/// A folder with a kubeconfig for the cluster.
struct Place {
    cluster: &'static Cluster,
    folder: TempDir,
}

impl Place {
    fn new() -> Place {
        let place = Place { cluster: cluster(), folder: tempfile::tempdir().unwrap() };
        place.write("ca.crt", place.cluster.ca_pem());
        place
    }

    fn write(&self, name: &str, text: &str) -> PathBuf {
        let path = self.folder.path().join(name);
        std::fs::write(&path, text).unwrap();
        path
    }

    /// A file that can be run.
    fn program(&self, name: &str, text: &str) -> PathBuf {
        use std::os::unix::fs::PermissionsExt as _;
        let path = self.write(name, text);
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
        path
    }

    /// A guest that asks who it is, once for each pair of brackets; `wait` between two of them.
    fn run(&self, user: &str, paths: &[&str]) -> Run {
        let text = format!(
            "clusters: [{{name: c, cluster: {{server: '{}', certificate-authority: ca.crt}}}}]\nusers: [{{name: u, user: {user}}}]
contexts: [{{name: x, context: {{cluster: c, user: u}}}}]\ncurrent-context: x\n",
            self.cluster.server_url()
        );
        let run = Run::guest("ask")
            .flag("--transports=KubeConfig")
            .flag_path("--kubeconfig", &self.write("config", &text))
            .flag_path("--allow-read", self.folder.path())
            .flag(format!("--allow-net={}", self.cluster.address()));
        asking(run.argument("--via").argument("kube-config"), paths)
    }
}

fn asking(run: Run, paths: &[&str]) -> Run {
    let body = r#"{"apiVersion":"authentication.k8s.io/v1","kind":"SelfSubjectReview"}"#;
    let run = run.arguments(&["--method", "POST", "--content-type", "application/json", "--body", body]);
    run.arguments(&["--show", "4096"]).arguments(paths)
}

/// Whom the server took the guest for, in JSON, for each time that it asked.
fn reviewed(stdout: &str) -> Vec<&str> {
    let items = stdout.lines().filter(|line| line.starts_with("item "));
    items.map(|line| line.split_once("\"userInfo\":").unwrap_or(("", line)).1).collect()
}

#[track_caller]
fn expect_user(run: Run, expected: &str) {
    let outcome = run.run().expect_code(0);
    let users = reviewed(&outcome.stdout);
    let expected = format!("{{\"username\":\"{expected}\"");
    assert!(
        !users.is_empty() && users.iter().all(|user| user.starts_with(&expected)),
        "{expected}: {outcome:?}"
    );
}

/// The next line of a running guest that begins so.
fn line(live: &mut Live, start: &str) -> String {
    loop {
        let line = live.line();
        assert!(!line.is_empty(), "the guest ended before it said {start:?}");
        if line.starts_with(start) {
            return line;
        }
        assert!(start.starts_with("error") || !line.starts_with("error"), "{line}");
    }
}

/// A certificate that lasts as long as any test.
fn certificate(user: &str) -> (String, String) {
    cluster().client_certificate(user, "people", Duration::from_secs(3600)).unwrap()
}

#[test]
fn a_client_certificate_that_ends_and_is_replaced() {
    let place = Place::new();
    let short = cluster().client_certificate("ann", "people", Duration::from_secs(4)).unwrap();
    let [file, key] = [place.write("c.crt", &short.0), place.write("c.key", &short.1)];
    let run = place
        .run("{client-certificate: c.crt, client-key: c.key}", &[REVIEW, "@wait", REVIEW, "@wait", REVIEW]);
    let mut live = run.live_with(Stdio::piped());
    assert!(line(&mut live, "item 1").contains("\"username\":\"ann\""));
    line(&mut live, "waiting");
    std::thread::sleep(Duration::from_secs(5));

    // Replaced by half: certificate and key do not belong together, and what the guest had is refused.
    let ben = certificate("ben");
    replace(&file, &ben.0);
    live.write("\n");
    assert!(line(&mut live, "error").starts_with("error status 401"));
    line(&mut live, "waiting");
    replace(&key, &ben.1);
    live.write("\n");
    assert!(line(&mut live, "item 1").contains("\"username\":\"ben\""));
}

/// As a rotation does: never half a file.
fn replace(path: &Path, text: &str) {
    let new = path.with_extension("new");
    std::fs::write(&new, text).unwrap();
    std::fs::rename(&new, path).unwrap();
}

#[test]
fn a_service_account_whose_token_ends() {
    let cluster = cluster();
    // One of the two accounts is given a new token in time, as the kubelet does.
    let mut accounts =
        ["rotated", "forgotten"].map(|name| cluster.service_account_folder("default", name).unwrap());
    let mut guests = Vec::new();
    for (account, name) in accounts.iter_mut().zip(["rotated", "forgotten"]) {
        // The server takes it for three seconds more.
        let issued = SystemTime::now() - Duration::from_secs(3600);
        let lifetime = Duration::from_secs(3603) - TOKEN_LEEWAY;
        let uid = account.uid().to_owned();
        let token = cluster.sign_service_account_token("default", name, &uid, issued, lifetime).unwrap();
        account.rotate_to(&token).unwrap();
        let run = Run::guest("ask")
            .flag("--transports=InCluster")
            .flag_path("--service-account", account.path())
            .flag_path("--allow-read", account.path())
            .flag(format!("--in-cluster-address={}", cluster.address()))
            .flag(format!("--allow-net={}", cluster.address()));
        let run = asking(run.argument("--via").argument("in-cluster"), &[REVIEW, "@wait", REVIEW]);
        let mut live = run.live_with(Stdio::piped());
        let expected = format!("\"username\":\"system:serviceaccount:default:{name}\"");
        assert!(line(&mut live, "item 1").contains(&expected));
        line(&mut live, "waiting");
        guests.push(live);
    }
    // It ends, and the server remembers for ten seconds that it was good.
    std::thread::sleep(Duration::from_secs(15));
    accounts[0].rotate().unwrap();
    guests[0].write("\n");
    assert!(line(&mut guests[0], "item 1").contains("default:rotated\""));
    guests[1].write("\n");
    let told = line(&mut guests[1], "error");
    assert!(told.starts_with("error status 401"), "{told}");
}

#[test]
fn openid_connect_refreshes_through_the_issuer() {
    let place = Place::new();
    let grant = Grant {
        email: "olga@example.com".to_owned(),
        groups: vec!["night".to_owned()],
        lifetime: Duration::from_secs(4),
    };
    let old = ISSUER.token(&grant, SystemTime::now() - Duration::from_secs(3600));
    let refresh = ISSUER.refresh_token(grant.clone());
    std::fs::copy(ISSUER.authority(), place.folder.path().join("issuer.crt")).unwrap();
    let user = |more: &str| {
        format!(
            "{{auth-provider: {{name: oidc, config: {{idp-issuer-url: '{}', client-id: '{}', client-secret: '{}', \
             idp-certificate-authority: '{}', {more}}}}}}}",
            ISSUER.url(),
            CLIENT.0,
            CLIENT.1,
            place.folder.path().join("issuer.crt").display(),
        )
    };
    let both = user(&format!("id-token: '{old}', refresh-token: '{refresh}'"));

    // Withheld, the issuer is named beforehand, and its refresh token is not spent.
    let outcome = place.run(&both, &[REVIEW]).run();
    let told = format!("--allow-net={}", ISSUER.address());
    assert!(outcome.everything().contains(&told), "{outcome:?}");
    let refreshes = || ISSUER.seen().iter().filter(|asked| asked.target == "/token").count();
    assert_eq!(refreshes(), 0);

    // The old token is over: it is refreshed before anything is asked, and again once the new one is over.
    let granted = |run: Run| run.flag(format!("--allow-net={}", ISSUER.address()));
    let mut live = granted(place.run(&both, &[REVIEW, "@wait", REVIEW])).live_with(Stdio::piped());
    let first = line(&mut live, "item 1");
    assert!(first.contains("\"username\":\"olga@example.com\"") && first.contains("\"night\""), "{first}");
    line(&mut live, "waiting");
    let before = refreshes();
    assert!(before >= 1);
    std::thread::sleep(Duration::from_secs(5));
    live.write("\n");
    assert!(line(&mut live, "item 1").contains("olga@example.com"));
    assert!(refreshes() > before, "it is not refreshed again");

    // A token that lasts needs no issuer.
    let lasting = Grant { lifetime: Duration::from_secs(3600), ..grant };
    let token = ISSUER.token(&lasting, SystemTime::now());
    expect_user(place.run(&user(&format!("id-token: '{token}'")), &[REVIEW]), "olga@example.com");
}

#[test]
fn impersonation_with_all_that_belongs_to_it() {
    let place = Place::new();
    let user = format!(
        "{{token: '{}', as: you, as-uid: '17', as-groups: [day, 'night shift'], as-user-extra: {{acme.com/project: [one, 'two, 2']}}}}",
        place.cluster.admin_token()
    );
    let outcome = place.run(&user, &[REVIEW]).run().expect_code(0);
    assert_eq!(
        reviewed(&outcome.stdout),
        [
            r#"{"username":"you","uid":"17","groups":["day","night shift","system:authenticated"],"extra":{"acme.com/project":["one","two, 2"]}}}}"#
        ],
    );
    // Whoever may not is told so, with the server's reason.
    let user = format!("{{token: '{}', as: you}}", place.cluster.nobody_token());
    let outcome = place.run(&user, &[REVIEW]).run();
    assert!(outcome.stdout.contains("cannot impersonate"), "{outcome:?}");
}

#[test]
fn a_plugin_in_shell() {
    let place = Place::new();
    place.write("secret", place.cluster.admin_token());
    let plugin = place.program(
        "plugin",
        "#!/bin/sh
cd \"${0%/*}\" || exit 1
echo run >>runs
printf '{\"apiVersion\":\"client.authentication.k8s.io/v1\",\"kind\":\"ExecCredential\",\"status\":{\"token\":\"%s\",\"expirationTimestamp\":\"%s\"}}' \
 \"$(cat secret)\" \"$(date -u -d '1 hour' +%Y-%m-%dT%H:%M:%SZ)\"\n",
    );
    let user =
        "{exec: {apiVersion: client.authentication.k8s.io/v1, interactiveMode: Never, command: ./plugin}}";
    expect_user(place.run(user, &[REVIEW, REVIEW, REVIEW]).flag_path("--allow-run", &plugin), "admin");
    let runs = std::fs::read_to_string(place.folder.path().join("runs")).unwrap();
    assert_eq!(runs, "run\n", "its token lasts an hour");
}

#[test]
fn a_plugin_in_python_that_gives_a_certificate() {
    let place = Place::new();
    let (certificate, key) = certificate("pia");
    place.write("pia.crt", &certificate);
    place.write("pia.key", &key);
    let plugin = place.program(
        "plugin.py",
        r#"#!/usr/bin/env python3
import json, os, pathlib
asked = json.loads(os.environ["KUBERNETES_EXEC_INFO"])
here = pathlib.Path(__file__).parent
print(json.dumps({
    "apiVersion": asked["apiVersion"],
    "kind": "ExecCredential",
    "status": {
        "clientCertificateData": (here / os.environ["CERTIFICATE"]).read_text(),
        "clientKeyData": (here / "pia.key").read_text(),
    },
}, indent=2))
"#,
    );
    let user = "{exec: {apiVersion: client.authentication.k8s.io/v1beta1, command: ./plugin.py, env: [{name: CERTIFICATE, value: pia.crt}]}}";
    expect_user(place.run(user, &[REVIEW, REVIEW]).flag_path("--allow-run", &plugin), "pia");
}

#[test]
fn a_plugin_in_go_that_asks_the_cluster() {
    let place = Place::new();
    let account = cluster().service_account_folder("default", "by-plugin").unwrap();
    let bootstrap = place.write("bootstrap", place.cluster.admin_token());
    let plugin = Tools::plugin(&mut |line| eprintln!("{line}")).unwrap();
    let user = format!(
        "{{exec: {{apiVersion: client.authentication.k8s.io/v1, interactiveMode: Never, provideClusterInfo: true, command: '{}', \
         args: ['{}', default, by-plugin, '600']}}}}",
        plugin.display(),
        bootstrap.display()
    );
    expect_user(place.run(&user, &[REVIEW]).flag_path("--allow-run", &plugin), &account.user());
}
