//! What an embedder connects with, in an operator's order, and credentials by code of the embedder's own; against the real API server, which
//! says whom it took the program for.
//!
//! Covers: A8, A9

mod order;
mod provider;
mod withheld;

use std::path::Path;
use std::sync::Arc;

use serde_json::Value;
use tidegate::grants::{Grants, Kind};
use tidegate::kube::Secret;
use tidegate::kube::request::{Method, Request};
use tidegate::transport::{CertificatePair, Direct, DirectCredential, Error, Explicit, Options, Transport};
use tidegate_cluster::{AuthKind, Cluster, ServiceAccountFolder, Shared};
use tidegate_tests::REVIEW;

const ADMIN: &str = "admin";
const POD: &str = "system:serviceaccount:default:pod";
const BY_CERTIFICATE: &str = "certificate-admin";

fn cluster() -> &'static Cluster {
    static CLUSTER: Shared = Shared::new(tidegate_cluster::Options::api_only);
    CLUSTER.get().unwrap()
}

/// A pod's service account of the real server, and a kubeconfig of its administrator.
struct Place {
    account: ServiceAccountFolder<'static>,
    options: Options,
}

impl Place {
    fn new() -> Place {
        let account = cluster().service_account_folder("default", "pod").unwrap();
        let mut options = Options::new("operator/1.0");
        options.in_cluster.folder = Some(account.path().to_path_buf());
        options.in_cluster.address = Some(cluster().address().to_string());
        options.kubeconfig.path = Some(cluster().kubeconfig(AuthKind::Token));
        Place { account, options }
    }

    /// With all that any order may need.
    async fn reach(&self, explicit: Option<Explicit>) -> Result<Arc<dyn Transport>, Error> {
        tidegate::reach_by_precedence(
            grants(&[(Kind::Read, None), (Kind::Net, None)]),
            &self.options,
            explicit,
        )
        .await
    }

    /// Whom the server takes it for.
    async fn user(&self, explicit: Option<Explicit>) -> Result<String, Error> {
        Ok(user(&self.reach(explicit).await?).await)
    }

    fn remove(&self, name: &str) {
        std::fs::remove_file(self.account.path().join(name)).unwrap();
    }
}

fn grants(flags: &[(Kind, Option<&str>)]) -> Grants {
    let mut builder = Grants::builder();
    for (kind, list) in flags {
        builder.allow(*kind, *list).unwrap();
    }
    builder.build()
}

fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

/// The real server, piece by piece.
fn direct(credential: DirectCredential) -> Direct {
    Direct {
        ca: Some(cluster().ca_pem().as_bytes().into()),
        credential,
        ..Direct::new(cluster().server_url())
    }
}

fn pem() -> CertificatePair {
    CertificatePair {
        certificate: Secret::new(cluster().client_cert_pem().into()),
        key: Secret::new(cluster().client_key_pem().into()),
    }
}

/// Whom the server takes whoever has this transport for.
async fn user(transport: &Arc<dyn Transport>) -> String {
    let review = review(transport).await.unwrap();
    review["status"]["userInfo"]["username"].as_str().unwrap().to_owned()
}

async fn review(transport: &Arc<dyn Transport>) -> Result<Value, Error> {
    let mut request = Request::new(Method::Post, REVIEW);
    request.body = Some(r#"{"apiVersion":"authentication.k8s.io/v1","kind":"SelfSubjectReview"}"#.into());
    let response = transport.clone().send(request, None).await?;
    Ok(serde_json::from_slice(&response.body.whole(1 << 20).await?).unwrap())
}
