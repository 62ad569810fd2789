//! Service account before kubeconfig, and what is chosen before both.

use std::path::Path;

use tidegate_transport::{
    Choice, Code, Direct, Error, Explicit, Kind, Options, Transport, connect_by_precedence,
};

use crate::peer::{Peer, json, kubernetes};
use crate::pki;
use crate::setup::{authority, kubeconfig, options, write};

struct Stage {
    folder: tempfile::TempDir,
    peer: Peer,
    options: Options,
}

impl Stage {
    async fn new(account: &[&str], config: bool) -> Stage {
        let ca = pki::Authority::new("ca");
        let peer = Peer::tls(ca.issue(&["127.0.0.1"]).server(), kubernetes(|_| json("{}"))).await;
        let folder = tempfile::tempdir().expect("folder");
        let (sa, address) = (folder.path().join("sa"), peer.address.to_string());
        for name in account {
            write(&sa.join(name), if *name == "ca.crt" { &ca.pem } else { "account" });
        }
        if config {
            let cluster = format!("server: 'https://{address}', insecure-skip-tls-verify: true");
            write(&folder.path().join("config"), &kubeconfig(&cluster, "token: file"));
        }
        let mut options = options();
        options.in_cluster.folder = Some(sa);
        options.in_cluster.address = Some(address);
        options.kubeconfig.path = Some(folder.path().join("config"));
        Stage { folder, peer, options }
    }

    async fn connect(&self, read: &Path, explicit: Option<Explicit>) -> Result<String, Error> {
        let read = read.to_str().expect("path");
        let granted = authority(&[("read", read), ("net", "")], &[]);
        let transport = connect_by_precedence(&granted, &self.options, explicit).await?;
        let seen = self.peer.seen();
        let sent = seen.last().and_then(|seen| seen.header("authorization")).unwrap_or("nothing");
        Ok(format!("{} {sent}", Transport::kind(&*transport)))
    }
}

#[tokio::test]
async fn precedence() {
    const WHOLE: &[&str] = &["ca.crt", "token"];
    for (account, config, outcome) in [
        (WHOLE, true, Ok("InCluster Bearer account")),
        (WHOLE, false, Ok("InCluster Bearer account")),
        (&[], true, Ok("KubeConfig Bearer file")),
        // There and broken: no other cluster is taken instead.
        (&["token"], true, Err((Code::Tls, "has no ca.crt"))),
        (&["ca.crt"], true, Err((Code::NotConfigured, "has no token"))),
        (&["other"], true, Err((Code::NotConfigured, "there is no service account in"))),
        (&[], false, Err((Code::NotConfigured, "does not exist"))),
    ] {
        let stage = Stage::new(account, config).await;
        let result = stage.connect(stage.folder.path(), None).await;
        match (result, outcome) {
            (Ok(found), Ok(expected)) => assert_eq!(found, expected, "{account:?} {config}"),
            (Err(error), Err((code, words))) => {
                assert_eq!(error.code(), code, "{error:?}");
                assert!(error.report().contains(words), "{error:?}");
            }
            (result, _) => panic!("{account:?} {config}: {result:?}"),
        }
    }
}

#[tokio::test]
async fn what_is_chosen_goes_before_both() {
    let stage = Stage::new(&["ca.crt", "token"], true).await;
    let path = Some(stage.folder.path().join("config"));
    let choice = Explicit::Choice(Choice::ReadKubeConfig { path, context: None });
    let found = stage.connect(stage.folder.path(), Some(choice)).await;
    assert_eq!(found.expect("connect"), "KubeConfig Bearer file");

    let mut direct = Direct::new(format!("https://{}", stage.peer.address));
    direct.verification = tidegate_kube::kubeconfig::Verification::Skip;
    let found = stage.connect(stage.folder.path(), Some(Explicit::Direct(direct))).await;
    assert_eq!(found.expect("connect"), "KubeConfig nothing");
    let broken = Explicit::Choice(Choice::KubectlProxy { url: Some("http://127.0.0.1:1".to_owned()) });
    let error = stage.connect(stage.folder.path(), Some(broken)).await.expect_err("nobody there");
    assert_eq!(error.code(), Code::Unreachable);
}

#[tokio::test]
async fn a_folder_that_is_not_granted_is_not_looked_at() {
    let stage = Stage::new(&["ca.crt", "token"], true).await;
    let found = stage.connect(&stage.folder.path().join("config"), None).await;
    assert_eq!(found.expect("connect"), format!("{} Bearer file", Kind::KubeConfig));

    let stage = Stage::new(&["ca.crt", "token"], false).await;
    let error = stage.connect(&stage.folder.path().join("config"), None).await.expect_err("nothing");
    assert_eq!(error.code(), Code::NoClient);
    let missing = format!("--allow-read={}/sa", stage.folder.path().display());
    assert_eq!(error.missing(), [missing]);
    assert_eq!(error.failures().len(), 2);
}
