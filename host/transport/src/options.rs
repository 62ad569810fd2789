use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use crate::{Kind, Observer, Providers, Silent};

/// What whoever starts tidegate chose. A guest has no way to any of it.
#[derive(Clone)]
pub struct Options {
    /// Which transports detection tries, in which order; all four, in the order of [`Kind::ALL`], unless set.
    pub transports: Vec<Kind>,
    /// Where the pod's service account is.
    pub in_cluster: InClusterOptions,
    /// Which kubeconfig, and what of it.
    pub kubeconfig: KubeConfigOptions,
    /// Where `kubectl proxy` listens.
    pub kubectl_proxy: ProxyOptions,
    /// How `kubectl` is started.
    pub kubectl: KubectlOptions,
    /// How programs that give credentials are run: exec plugins, and the command of `auth-provider: gcp`.
    pub plugins: PluginOptions,
    /// Code of an embedder's own that gives credentials, by name; none unless set.
    pub providers: Providers,
    /// How long the question whether a server is there may take, counted once credentials are there; 3 seconds unless set.
    pub probe_deadline: Duration,
    /// The `User-Agent` header.
    pub user_agent: String,
    /// Is told about each request, command and warning; nobody unless set.
    pub observer: Arc<dyn Observer>,
}

impl Options {
    /// The defaults, for a program that calls itself `user_agent`, e.g. `tidegate/0.1.0 (list-pods)`.
    pub fn new(user_agent: impl Into<String>) -> Options {
        Options {
            transports: Kind::ALL.to_vec(),
            in_cluster: InClusterOptions::default(),
            kubeconfig: KubeConfigOptions::default(),
            kubectl_proxy: ProxyOptions::default(),
            kubectl: KubectlOptions::default(),
            plugins: PluginOptions::default(),
            providers: Providers::default(),
            probe_deadline: Duration::from_secs(3),
            user_agent: user_agent.into(),
            observer: Arc::new(Silent),
        }
    }
}

impl fmt::Debug for Options {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Options")
            .field("transports", &self.transports)
            .field("in_cluster", &self.in_cluster)
            .field("kubeconfig", &self.kubeconfig)
            .field("kubectl_proxy", &self.kubectl_proxy)
            .field("kubectl", &self.kubectl)
            .field("plugins", &self.plugins)
            .field("providers", &self.providers)
            .field("probe_deadline", &self.probe_deadline)
            .field("user_agent", &self.user_agent)
            .finish_non_exhaustive()
    }
}

/// Of [`Kind::InCluster`].
#[derive(Clone, Debug, Default)]
pub struct InClusterOptions {
    /// The folder with `token`, `ca.crt` and `namespace`; `/var/run/secrets/kubernetes.io/serviceaccount` unless set.
    pub folder: Option<PathBuf>,
    /// `host:port` of the API server; `KUBERNETES_SERVICE_HOST` and `_PORT` where granted and set, else
    /// `kubernetes.default.svc:443`, unless set.
    pub address: Option<String>,
}

/// Of [`Kind::KubeConfig`]. The overrides are those of kubectl's flags of the same names.
#[derive(Clone, Default)]
pub struct KubeConfigOptions {
    /// An absolute path, which must exist; `$KUBECONFIG`, else `$HOME/.kube/config`, unless set.
    pub path: Option<PathBuf>,
    /// What relative paths in `$KUBECONFIG` are relative to; they are refused unless set.
    pub working_folder: Option<PathBuf>,
    /// Instead of `current-context`.
    pub context: Option<String>,
    /// Instead of the context's cluster.
    pub cluster: Option<String>,
    /// Instead of the context's user.
    pub user: Option<String>,
    /// Instead of the cluster's server URL.
    pub server: Option<String>,
    /// The URL of a proxy instead of the cluster's `proxy-url`; as that it goes before the environment's.
    pub proxy: Option<String>,
}

impl fmt::Debug for KubeConfigOptions {
    /// Whether there is a server: a URL that is not checked yet may hold a password.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("KubeConfigOptions")
            .field("path", &self.path)
            .field("working_folder", &self.working_folder)
            .field("context", &self.context)
            .field("cluster", &self.cluster)
            .field("user", &self.user)
            .field("has_server", &self.server.is_some())
            .field("has_proxy", &self.proxy.is_some())
            .finish()
    }
}

/// Of [`Kind::KubectlProxy`].
#[derive(Clone, Default)]
pub struct ProxyOptions {
    /// `http` or `https`, with an optional path prefix and without a user; `http://localhost:8001` unless set.
    pub url: Option<String>,
}

impl fmt::Debug for ProxyOptions {
    /// Whether there is a URL: one that is not checked yet may hold a password.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ProxyOptions").field("is_set", &self.url.is_some()).finish()
    }
}

/// Of [`Kind::KubectlRaw`].
#[derive(Clone, Debug)]
pub struct KubectlOptions {
    /// kubectl's `--context`; its current one unless set.
    pub context: Option<String>,
    /// The names of the host's variables that kubectl gets; all but loader variables (`LD_*`, `DYLD_*`) unless set.
    pub child_env: Option<Vec<String>>,
    /// A name to be searched on `PATH`, or an absolute path; `kubectl` unless set.
    pub program: String,
    /// kubectl's `--cache-dir`, which must be private; without one kubectl keeps nothing and discovers anew for each patch.
    pub cache: Option<PathBuf>,
}

impl Default for KubectlOptions {
    fn default() -> KubectlOptions {
        KubectlOptions { context: None, child_env: None, program: "kubectl".to_owned(), cache: None }
    }
}

/// Of programs that give credentials. They act with the user's own rights.
#[derive(Clone, Debug)]
pub struct PluginOptions {
    /// The names of the host's variables that they get; all but loader variables (`LD_*`, `DYLD_*`) unless set.
    pub child_env: Option<Vec<String>>,
    /// How long one may take; 60 seconds unless set.
    pub deadline: Duration,
}

impl Default for PluginOptions {
    fn default() -> PluginOptions {
        PluginOptions { child_env: None, deadline: Duration::from_secs(60) }
    }
}
