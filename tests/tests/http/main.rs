//! HTTP before the real API server: what shares a connection and what has one of its own, and a server that ends and comes back.
//!
//! Covers: T17

mod counter;
mod delay;
mod restart;
mod upgrade;
mod versions;

use std::net::SocketAddr;
use std::path::PathBuf;

use tidegate::grants::{Grants, Kind};
use tidegate_cluster::Cluster;
use tidegate_tests::Run;

/// A kubeconfig of the administrator of a cluster that is reached at another address.
struct Place {
    address: SocketAddr,
    folder: tempfile::TempDir,
}

impl Place {
    fn new(cluster: &Cluster, address: SocketAddr) -> Place {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("ca.crt"), cluster.ca_pem()).unwrap();
        let text = format!(
            "clusters: [{{name: c, cluster: {{server: 'https://{address}', certificate-authority: ca.crt}}}}]
users: [{{name: u, user: {{token: {}}}}}]
contexts: [{{name: x, context: {{cluster: c, user: u}}}}]
current-context: x\n",
            cluster.admin_token()
        );
        std::fs::write(folder.path().join("config"), text).unwrap();
        Place { address, folder }
    }

    fn config(&self) -> PathBuf {
        self.folder.path().join("config")
    }

    /// Of the guest `ask`.
    fn run(&self) -> Run {
        let run = Run::guest("ask")
            .flag("--transports=KubeConfig")
            .flag_path("--kubeconfig", &self.config())
            .flag_path("--allow-read", self.folder.path())
            .flag(format!("--allow-net={}", self.address));
        run.argument("--via").argument("kube-config")
    }

    fn grants(&self) -> Grants {
        let mut builder = Grants::builder();
        builder.allow(Kind::Read, self.folder.path().to_str()).unwrap();
        builder.allow(Kind::Net, Some(&self.address.to_string())).unwrap();
        builder.build()
    }

    /// Of the program itself.
    async fn reach(&self) -> std::sync::Arc<dyn tidegate::transport::Transport> {
        let choice = tidegate::transport::Choice::ReadKubeConfig { path: Some(self.config()), context: None };
        let options = tidegate::transport::Options::new("http-test/1");
        tidegate::reach(self.grants(), &options, Some(choice)).await.unwrap()
    }
}
