//! Connections by name: what the host reads for them, and opens without a guest.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use tidegate_authority::{self as authority, HostAuthority};
use tidegate_grants::{Grants, Kind};
use tidegate_kube::kubeconfig::parse;
use tidegate_registry::{
    ConfigError, Configuration, Definition, KubeConfig, PREFIX, RegisterError, Registry, Sources,
};
use tidegate_transport::{CredentialReport, Error, Transport, planned_credentials};

use crate::host;

/// The configuration file's name in the user's configuration folder.
const FILE: &str = "tidegate.yaml";

/// Why there is no configuration. Each names its cure.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ConfigurationError {
    /// The file that was named is not there.
    #[error("there is no configuration file {}", .0.display())]
    Missing(PathBuf),
    /// The file was not read: somebody else could change it, it is too large, or no file.
    #[error("the configuration file cannot be used")]
    Read(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// The file or a variable says what it may not.
    #[error("the configuration is wrong")]
    Wrong(#[source] ConfigError),
}

/// What this user configured: the file `named`, else `tidegate.yaml` in `$XDG_CONFIG_HOME/tidegate` or `~/.config/tidegate` where there is
/// one, with the `K8S_CLUSTER_CONF_*` variables of this process over it. A file in the working folder is never read unless named.
///
/// `named` is relative to the working folder, and is read instead of the user's file, not besides it.
pub fn configuration(named: Option<&Path>) -> Result<Configuration, ConfigurationError> {
    let host = HostAuthority::from_ambient();
    let working_folder = host::working_folder();
    let path = match named {
        Some(path) => Some(working_folder.join(path)),
        None => host.user_config().map(|folder| folder.join(FILE)),
    };
    let text = match &path {
        Some(path) => host
            .read_config(path)
            .map_err(|error: authority::ConfigError| ConfigurationError::Read(error.into()))?,
        None => None,
    };
    if let (Some(named), None) = (named, &text) {
        return Err(ConfigurationError::Missing(named.to_owned()));
    }
    let home = host.env("HOME").map(PathBuf::from).filter(|home| home.is_absolute());
    Configuration::read(&Sources {
        file: path.as_deref().zip(text.as_deref()),
        variables: &host.env_beginning_with(PREFIX),
        home: home.as_deref(),
        working_folder: Some(&working_folder),
    })
    .map_err(ConfigurationError::Wrong)
}

/// Adds a connection that nobody named: one from a kubeconfig is called as the cluster that it leads to. Its name.
///
/// Errors: the kubeconfig cannot be read, or has no such entry; a definition of another kind, which needs a name; and those of
/// [`Registry::register`].
pub fn register(registry: &Registry, definition: Definition) -> Result<String, RegisterError> {
    let Definition::KubeConfig(file) = &definition else {
        return Err(RegisterError::NameRequired { kind: definition.kind() });
    };
    let text = HostAuthority::from_ambient().read_component(&file.path);
    let text =
        text.map_err(|error| RegisterError::Unnamed { path: file.path.clone(), source: error.into() })?;
    let name = file.cluster_name(&text)?;
    registry.register(&name, definition)?;
    Ok(name)
}

/// Opens a connection for the host itself, within no guest's grants: a transport that answers, shared with the guests that deny
/// nothing. Needs a tokio runtime with time and I/O enabled.
pub async fn connect(registry: &Registry, name: &str) -> Result<Arc<dyn Transport>, Error> {
    let everything = Grants::builder().allow(Kind::Connection, None).map(|builder| builder.build());
    let authority = host::authority(everything.unwrap_or_default());
    let own = authority.for_connections(&HostAuthority::from_ambient());
    registry.narrowed(authority, own).open(name).await
}

/// What a kubeconfig says about a connection, without connecting. Never a credential.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Described {
    /// The server's URL.
    pub server: String,
    /// The cluster's name.
    pub cluster: Option<String>,
    /// The user's name.
    pub user: Option<String>,
    /// The context's namespace.
    pub namespace: Option<String>,
    /// What it would prove itself with, as far as the kubeconfig says: what a file or a plugin holds is not known.
    pub credentials: Vec<CredentialReport>,
}

/// Reads the kubeconfig of a definition. Errors: it cannot be read, or has no such entry.
pub fn describe(file: &KubeConfig) -> Result<Described, Box<dyn std::error::Error + Send + Sync>> {
    let text = HostAuthority::from_ambient().read_component(&file.path)?;
    let resolved = parse(&text, &file.path)?.into_config().resolve(&file.pick())?;
    Ok(Described {
        server: resolved.server.to_string(),
        credentials: planned_credentials(&resolved),
        cluster: resolved.cluster,
        user: resolved.user,
        namespace: resolved.namespace,
    })
}
