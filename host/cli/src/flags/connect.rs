//! How clusters are reached: what the guest may not choose.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use clap::Args;
use tidegate::grants::{Grants, Need};
use tidegate::transport::{Kind, Observer, Options};

#[derive(Args, Debug, Default)]
#[command(next_help_heading = "Which cluster")]
pub(crate) struct ConnectFlags {
    /// The transports that are tried, in this order [default: InCluster,KubeConfig,KubectlProxy,KubectlRaw].
    #[arg(long, value_name = "NAME,…", value_delimiter = ',')]
    transports: Vec<Kind>,
    /// The kubeconfig file, instead of $KUBECONFIG and $HOME/.kube/config.
    #[arg(long, value_name = "FILE")]
    kubeconfig: Option<PathBuf>,
    /// The kubeconfig context to use, for KubeConfig and KubectlRaw [default: the current one].
    #[arg(long, value_name = "NAME")]
    context: Option<String>,
    /// The kubeconfig cluster to use instead of the context's.
    #[arg(long, value_name = "NAME")]
    cluster: Option<String>,
    /// The kubeconfig user to use instead of the context's.
    #[arg(long, value_name = "NAME")]
    user: Option<String>,
    /// The server's URL instead of the cluster's.
    #[arg(long, value_name = "URL")]
    server: Option<String>,
    /// The URL of a proxy to the server instead of the cluster's.
    #[arg(long, value_name = "URL")]
    proxy_url: Option<String>,
    /// The service account's folder, for InCluster [default: /var/run/secrets/kubernetes.io/serviceaccount].
    #[arg(long, value_name = "FOLDER")]
    service_account: Option<PathBuf>,
    /// The API server's address, for InCluster [default: $KUBERNETES_SERVICE_HOST:$KUBERNETES_SERVICE_PORT where that env is
    /// granted, else kubernetes.default.svc:443].
    #[arg(long, value_name = "HOST:PORT")]
    in_cluster_address: Option<String>,
    /// Where `kubectl proxy` listens [default: http://localhost:8001].
    #[arg(long, value_name = "URL")]
    kubectl_proxy: Option<String>,
    /// The kubectl program, a name or an absolute path [default: kubectl].
    #[arg(long, value_name = "PROGRAM")]
    kubectl: Option<String>,
    /// The only environment variables that a program which is run gets [default: all but loader variables].
    #[arg(long, value_name = "NAME,…", value_delimiter = ',')]
    child_env: Option<Vec<String>>,
    /// How long a credential plugin may take [default: 60s].
    #[arg(long, value_name = "TIME", value_parser = duration)]
    plugin_deadline: Option<Duration>,
    /// How long a server may take to answer the first question [default: 3s].
    #[arg(long, value_name = "TIME", value_parser = duration)]
    probe_deadline: Option<Duration>,
}

impl ConnectFlags {
    /// The transports' options; a flag that was not given leaves its default.
    pub(crate) fn options(&self, user_agent: &str, grants: &Grants, observer: Arc<dyn Observer>) -> Options {
        let mut options = Options::new(user_agent);
        options.observer = observer;
        if !self.transports.is_empty() {
            options.transports = self.transports.clone();
        }
        options.in_cluster.folder = self.service_account.as_deref().map(absolute);
        options.in_cluster.address = self.in_cluster_address.clone();
        options.kubeconfig.working_folder = Some(tidegate::working_folder());
        options.kubeconfig.path = self.kubeconfig.as_deref().map(absolute);
        options.kubeconfig.context = self.context.clone();
        options.kubeconfig.cluster = self.cluster.clone();
        options.kubeconfig.user = self.user.clone();
        options.kubeconfig.server = self.server.clone();
        options.kubeconfig.proxy = self.proxy_url.clone();
        options.kubectl_proxy.url = self.kubectl_proxy.clone();
        if let Some(program) = &self.kubectl {
            options.kubectl.program = program.clone();
        }
        let kubectl = Need::Run(options.kubectl.program.clone());
        options.kubectl.cache = grants.judge(&kubectl).is_granted().then(tidegate::kubectl_cache).flatten();
        options.kubectl.context = self.context.clone();
        options.kubectl.child_env = self.child_env.clone();
        options.plugins.child_env = self.child_env.clone();
        options.plugins.deadline = self.plugin_deadline.unwrap_or(options.plugins.deadline);
        options.probe_deadline = self.probe_deadline.unwrap_or(options.probe_deadline);
        options
    }
}

fn absolute(path: &std::path::Path) -> PathBuf {
    tidegate::working_folder().join(path)
}

/// `3s`, `250ms`, `2m`; a bare number is seconds.
pub(super) fn duration(text: &str) -> Result<Duration, String> {
    let digits = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let (number, unit) = text.split_at(digits);
    let milliseconds = match unit {
        "ms" => 1,
        "" | "s" => 1_000,
        "m" => 60_000,
        _ => return Err("write a number and ms, s or m, e.g. 500ms".to_owned()),
    };
    let number: u64 = number.parse().map_err(|_| "write a number and ms, s or m, e.g. 3s".to_owned())?;
    match number.checked_mul(milliseconds) {
        Some(total) if (1..=600_000).contains(&total) => Ok(Duration::from_millis(total)),
        _ => Err("between 1ms and 10m".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::duration;

    #[test]
    fn times() {
        for (text, expected) in
            [("3s", Some(3_000)), ("250ms", Some(250)), ("2m", Some(120_000)), ("7", Some(7_000))]
        {
            assert_eq!(duration(text).ok(), expected.map(Duration::from_millis), "{text}");
        }
        for text in ["", "s", "0s", "-1s", "3h", "99999999999999999999s", "11m"] {
            assert!(duration(text).is_err(), "{text}");
        }
    }
}
