use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use tidegate_authority::Authority;
use tidegate_kube::kubeconfig::{self, Choice as Pick};
use tidegate_transport::{Choice, Direct, Error, Options, Transport, connect, connect_direct};

use crate::RegisterError;

/// What a connection is made from. It holds no credential but that of [`Definition::Direct`].
#[derive(Clone, Debug)]
pub enum Definition {
    /// A kubeconfig file.
    KubeConfig(KubeConfig),
    /// A pod's service account.
    ServiceAccount(ServiceAccount),
    /// A server and a credential as values, from code alone.
    Direct(Arc<Direct>),
}

/// A kubeconfig file, read when the connection is opened, and what of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KubeConfig {
    /// An absolute path.
    pub path: PathBuf,
    /// Which server with which credential.
    pub entry: Entry,
    /// What goes before what the file says.
    pub overrides: Overrides,
}

/// Where the server of a kubeconfig's entry is and by which way, for whoever knows better than the file: behind a tunnel, say.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Overrides {
    /// Instead of the cluster's `server`.
    pub server: Option<Box<str>>,
    /// Instead of the cluster's `proxy-url`; it goes before the environment's too.
    pub proxy: Option<Box<str>>,
}

/// What of a kubeconfig.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Entry {
    /// Its `current-context`.
    #[default]
    Current,
    /// A context.
    Context(String),
    /// A cluster and a user, whatever contexts say.
    Pair {
        /// The cluster's name.
        cluster: String,
        /// The user's name.
        user: String,
    },
}

/// A service account's folder, read when the connection is opened.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ServiceAccount {
    /// The folder with `token`, `ca.crt` and `namespace`, an absolute path; where the kubelet puts it unless set.
    pub folder: Option<PathBuf>,
    /// `host:port` of the API server; as the pod's environment has it unless set.
    pub address: Option<String>,
}

impl Definition {
    /// A kubeconfig's current context.
    pub fn kube_config(path: impl Into<PathBuf>) -> Self {
        Self::KubeConfig(KubeConfig::new(path, Entry::Current))
    }

    /// A context of a kubeconfig.
    pub fn context(path: impl Into<PathBuf>, context: impl Into<String>) -> Self {
        Self::KubeConfig(KubeConfig::new(path, Entry::Context(context.into())))
    }

    /// The pod's own service account.
    pub fn service_account() -> Self {
        Self::ServiceAccount(ServiceAccount::default())
    }

    /// A server and a credential as values.
    pub fn direct(direct: Direct) -> Self {
        Self::Direct(Arc::new(direct))
    }

    /// `kubeconfig`, `service-account` or `direct`.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::KubeConfig(_) => "kubeconfig",
            Self::ServiceAccount(_) => "service-account",
            Self::Direct(_) => "direct",
        }
    }

    /// Reads what it names, connects and probes. Nothing of a kubeconfig that `base` chooses is combined with another file: that could
    /// send one cluster's credential to another.
    pub(crate) async fn connect(
        &self,
        authority: &Authority,
        base: &Options,
    ) -> Result<Arc<dyn Transport>, Error> {
        let mut options = base.clone();
        let choice = match self {
            Self::KubeConfig(KubeConfig { path, entry, overrides }) => {
                options.kubeconfig = Default::default();
                options.kubeconfig.server = overrides.server.as_deref().map(str::to_owned);
                options.kubeconfig.proxy = overrides.proxy.as_deref().map(str::to_owned);
                options.kubeconfig.path = Some(path.clone());
                match entry.clone() {
                    Entry::Current => {}
                    Entry::Context(context) => options.kubeconfig.context = Some(context),
                    Entry::Pair { cluster, user } => {
                        options.kubeconfig.cluster = Some(cluster);
                        options.kubeconfig.user = Some(user);
                    }
                }
                Choice::ReadKubeConfig { path: None, context: None }
            }
            Self::ServiceAccount(ServiceAccount { folder, address }) => {
                options.in_cluster.folder = folder.clone().or(options.in_cluster.folder);
                options.in_cluster.address = address.clone().or(options.in_cluster.address);
                Choice::InCluster
            }
            Self::Direct(direct) => {
                return connect_direct(authority, &options, (**direct).clone()).await;
            }
        };
        connect(authority, &options, choice).await
    }
}

impl KubeConfig {
    /// An entry of a file, as the file has it.
    pub fn new(path: impl Into<PathBuf>, entry: Entry) -> Self {
        Self { path: path.into(), entry, overrides: Overrides::default() }
    }

    /// The name of the cluster that this entry of the file leads to: what the connection is called where nobody named it.
    ///
    /// `text` is the file's content. Errors: it is no kubeconfig, or has no such entry.
    pub fn cluster_name(&self, text: &[u8]) -> Result<String, RegisterError> {
        let unnamed = |source: Box<dyn std::error::Error + Send + Sync>| RegisterError::Unnamed {
            path: self.path.clone(),
            source,
        };
        let document = kubeconfig::parse(text, &self.path).map_err(|error| unnamed(error.into()))?;
        let resolved = document.into_config().resolve(&self.pick()).map_err(|error| unnamed(error.into()))?;
        resolved.cluster.ok_or_else(|| unnamed("its entry names no cluster".into()))
    }

    /// This entry in the words of kubeconfigs.
    pub fn pick(&self) -> Pick<'_> {
        let over = Pick {
            server: self.overrides.server.as_deref(),
            proxy: self.overrides.proxy.as_deref(),
            ..Pick::default()
        };
        match &self.entry {
            Entry::Current => over,
            Entry::Context(context) => Pick { context: Some(context), ..over },
            Entry::Pair { cluster, user } => Pick { cluster: Some(cluster), user: Some(user), ..over },
        }
    }

    /// The file.
    pub fn path(&self) -> &Path {
        &self.path
    }
}

impl fmt::Debug for Overrides {
    /// Whether there is one: a URL that is not checked yet may hold a password.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Overrides")
            .field("has_server", &self.server.is_some())
            .field("has_proxy", &self.proxy.is_some())
            .finish()
    }
}
