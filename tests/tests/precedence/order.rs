//! What is given, else the service account, else the kubeconfig; and nothing else in place of one that is broken.

use std::fs;

use tidegate::kube::Secret;
use tidegate::transport::{Choice, Code, Direct, DirectCredential, Explicit, Kind};
use tidegate_cluster::AuthKind;
use tidegate_tests::{KubectlProxy, Recorder};

use crate::{ADMIN, BY_CERTIFICATE, POD, Place, cluster, direct, pem};

#[tokio::test]
async fn the_service_account_then_the_kubeconfig() {
    let mut place = Place::new();
    assert_eq!(place.user(None).await.unwrap(), POD);
    place.options.kubeconfig.path = Some("/nowhere/config".into());
    assert_eq!(place.user(None).await.unwrap(), POD, "a kubeconfig that is not needed is not asked for");

    let mut place = Place::new();
    place.options.in_cluster.folder = Some("/nowhere/serviceaccount".into());
    assert_eq!(place.user(None).await.unwrap(), ADMIN);
    place.options.kubeconfig.path = Some("/nowhere/config".into());
    let error = place.user(None).await.unwrap_err();
    assert_eq!(error.code(), Code::NotConfigured);
    assert!(error.report().contains("/nowhere/config"), "{}", error.report());
}

/// What is done to a service account that was whole.
type Spoil = fn(&mut Place);

/// A pod never becomes whoever the kubeconfig beside it names.
#[tokio::test]
async fn a_broken_service_account_is_an_error() {
    let rows: [(&str, Spoil, Code, &str); 9] = [
        ("no ca.crt", |place| place.remove("ca.crt"), Code::Tls, "has no ca.crt"),
        ("no token", |place| place.remove("token"), Code::NotConfigured, "has no token"),
        (
            "an empty folder",
            |place| ["token", "ca.crt", "namespace"].iter().for_each(|name| place.remove(name)),
            Code::NotConfigured,
            "there is no service account in",
        ),
        ("an empty token", |place| place.account.rotate_to("").unwrap(), Code::NotConfigured, "token"),
        (
            "a token that the server refuses",
            |place| place.account.rotate_to("nobody").unwrap(),
            Code::Unauthorized,
            "401",
        ),
        (
            "another authority",
            |place| {
                place.remove("ca.crt");
                let folder = place.account.path().to_path_buf();
                tidegate_tests::Keys::shared().write(&folder);
                fs::rename(folder.join("other.crt"), folder.join("ca.crt")).unwrap();
            },
            Code::Tls,
            "certificate",
        ),
        (
            "no server",
            |place| place.options.in_cluster.address = Some("127.0.0.1:1".to_owned()),
            Code::Unreachable,
            "127.0.0.1:1",
        ),
        (
            "a file instead of a folder",
            |place| {
                let file = place.account.path().join("file");
                fs::write(&file, "").unwrap();
                place.options.in_cluster.folder = Some(file);
            },
            Code::NotConfigured,
            "cannot read",
        ),
        (
            "a folder that cannot be told",
            |place| place.options.in_cluster.folder = Some("serviceaccount".into()),
            Code::NotConfigured,
            "must be absolute",
        ),
    ];
    // Whoever fell through would be seen here.
    let recorder = Recorder::start();
    let folder = tempfile::tempdir().unwrap();
    let config = folder.path().join("config");
    fs::write(&config, kubeconfig(&recorder)).unwrap();
    for (what, spoil, code, words) in rows {
        let mut place = Place::new();
        place.options.kubeconfig.path = Some(config.clone());
        spoil(&mut place);
        let error = place.user(None).await.unwrap_err();
        assert_eq!(error.code(), code, "{what}: {}", error.report());
        assert!(error.report().contains(words), "{what}: {}", error.report());
    }
    assert_eq!(recorder.connections(), 0);
    let mut place = Place::new();
    place.options.in_cluster.folder = Some(folder.path().join("nothing"));
    place.options.kubeconfig.path = Some(config);
    place.reach(None).await.unwrap();
    assert_eq!(recorder.connections(), 1, "and it would have worked");
}

fn kubeconfig(recorder: &Recorder) -> String {
    let address = recorder.address(tidegate_tests::Door::Tls);
    format!(
        "clusters: [{{name: c, cluster: {{server: 'https://{address}', insecure-skip-tls-verify: true}}}}]
users: [{{name: u, user: {{token: of-the-file}}}}]
contexts: [{{name: x, context: {{cluster: c, user: u}}}}]
current-context: x\n"
    )
}

/// Each goes before a service account and a kubeconfig that both work.
#[tokio::test]
async fn what_is_given_goes_before_both() {
    let place = Place::new();
    let token = cluster().nobody_token();
    let file = Some(cluster().kubeconfig(AuthKind::ClientCertificate));
    let proxy = KubectlProxy::start(&cluster().kubectl());
    let header = DirectCredential::Header(Secret::new(format!("Bearer {token}")));
    for (what, explicit, kind, expected) in [
        (
            "a kubeconfig",
            Explicit::Choice(Choice::ReadKubeConfig { path: file, context: None }),
            Kind::KubeConfig,
            BY_CERTIFICATE,
        ),
        ("the service account", Explicit::Choice(Choice::InCluster), Kind::InCluster, POD),
        (
            "a proxy, which has its own credential",
            Explicit::Choice(Choice::KubectlProxy { url: Some(proxy.url().to_owned()) }),
            Kind::KubectlProxy,
            ADMIN,
        ),
        ("a header, complete", Explicit::Direct(direct(header)), Kind::KubeConfig, "nobody"),
        (
            "certificate and key, PEM",
            Explicit::Direct(direct(DirectCredential::Certificate(pem()))),
            Kind::KubeConfig,
            BY_CERTIFICATE,
        ),
        ("nobody", Explicit::Direct(direct(DirectCredential::None)), Kind::KubeConfig, ""),
    ] {
        let reached = place.reach(Some(explicit)).await;
        if expected.is_empty() {
            // The server lets nobody in who says nothing: not even then is another credential taken.
            assert_eq!(reached.unwrap_err().code(), Code::Unauthorized, "{what}");
            continue;
        }
        let transport = reached.unwrap();
        assert_eq!((transport.kind(), crate::user(&transport).await.as_str()), (kind, expected), "{what}");
    }
}

#[tokio::test]
async fn what_is_given_and_broken_is_an_error() {
    let place = Place::new();
    let secret = "hush-4f1d";
    let header = |text: &str| DirectCredential::Header(Secret::new(text.to_owned()));
    let half = tidegate::transport::CertificatePair { key: Secret::new(secret.into()), ..pem() };
    let recorder = Recorder::start();
    let plain = format!("http://{}", recorder.address(tidegate_tests::Door::Plain));
    for (what, explicit, code) in [
        (
            "nobody there",
            Explicit::Choice(Choice::KubectlProxy { url: Some("http://127.0.0.1:1".to_owned()) }),
            Code::Unreachable,
        ),
        (
            "no such file",
            Explicit::Choice(Choice::ReadKubeConfig { path: Some("/nowhere".into()), context: None }),
            Code::NotConfigured,
        ),
        ("a wrong header", Explicit::Direct(direct(header(&format!("Bearer {secret}")))), Code::Unauthorized),
        ("no header", Explicit::Direct(direct(header(" "))), Code::NotConfigured),
        ("two headers", Explicit::Direct(direct(header(&format!("x\r\nX: {secret}")))), Code::NotConfigured),
        ("half a pair", Explicit::Direct(direct(DirectCredential::Certificate(half))), Code::Tls),
        (
            "in the clear",
            Explicit::Direct(Direct { credential: header(secret), ..Direct::new(plain) }),
            Code::NotConfigured,
        ),
        ("not a URL", Explicit::Direct(Direct::new("https://")), Code::NotConfigured),
    ] {
        assert!(!format!("{explicit:?}").contains(secret), "{what}");
        let error = place.reach(Some(explicit)).await.unwrap_err();
        assert_eq!(error.code(), code, "{what}: {}", error.report());
        assert!(!format!("{} {error:?}", error.report()).contains(secret), "{what}");
    }
    assert_eq!(recorder.connections(), 0);
}
