//! The command line of `tidegate-playground`.

use std::net::SocketAddr;
use std::path::PathBuf;

use clap::Parser;
use tidegate_playground::{Builder, Playground};

/// An in-memory Kubernetes API for first runs and tests.
///
/// Real kubectl works with it. It has no RBAC, no admission, no kubelet and no disk; docs/playground.md says more.
#[derive(Debug, Parser)]
#[command(name = "tidegate-playground", version)]
pub(crate) struct Args {
    /// Where to listen; port 0 takes a free one.
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:0")]
    pub(crate) listen: SocketAddr,

    /// Where to write the kubeconfig (mode 0600). Default: a file named after the process in the temporary folder.
    #[arg(long, value_name = "FILE")]
    pub(crate) kubeconfig_out: Option<PathBuf>,

    /// Lays out token, ca.crt and namespace there, as the kubelet does in a pod.
    #[arg(long, value_name = "DIR")]
    pub(crate) service_account_out: Option<PathBuf>,

    /// The bearer token; a new one where none is given. Other users of this machine can see a command line.
    #[arg(long, env = "TIDEGATE_PLAYGROUND_TOKEN", hide_env_values = true)]
    pub(crate) token: Option<String>,

    /// Starts with that many running pods in the namespace default.
    #[arg(long, value_name = "N", default_value_t = 0)]
    pub(crate) pods: usize,

    /// About how large each of those is, in bytes; 0 is as a cluster has them, some 4 KB.
    #[arg(long, value_name = "BYTES", default_value_t = 0)]
    pub(crate) pod_bytes: usize,

    /// Pods that come and go by themselves, each second.
    #[arg(long, value_name = "RATE", default_value_t = 0.2)]
    pub(crate) pods_per_second: f64,

    /// Nothing moves by itself: no node, no first pods, no controllers.
    #[arg(long)]
    pub(crate) no_demo: bool,

    /// Past states that watches can go back to, in MiB for each resource.
    #[arg(long, value_name = "MIB", default_value_t = 1024)]
    pub(crate) history_mib: usize,

    /// A name or address more that the certificate is valid for.
    #[arg(long, value_name = "NAME")]
    pub(crate) server_name: Vec<String>,

    /// Ends when standard input does.
    #[arg(long)]
    pub(crate) stop_with_parent: bool,

    /// Prints the URL and nothing else.
    #[arg(long, short)]
    pub(crate) quiet: bool,
}

impl Args {
    /// Where the kubeconfig goes.
    pub(crate) fn kubeconfig_path(&self) -> PathBuf {
        let default =
            || std::env::temp_dir().join(format!("tidegate-playground-{}.kubeconfig", std::process::id()));
        self.kubeconfig_out.clone().unwrap_or_else(default)
    }

    /// The playground that was asked for.
    pub(crate) fn builder(self) -> Builder {
        let mut builder = Playground::builder()
            .listen(self.listen)
            .seed_pods(self.pods)
            .pod_bytes(self.pod_bytes)
            .history_bytes(self.history_mib.saturating_mul(1 << 20));
        for name in self.server_name {
            builder = builder.server_name(name);
        }
        if let Some(token) = self.token {
            builder = builder.token(token);
        }
        if self.no_demo { builder } else { builder.demo(self.pods_per_second) }
    }
}
