//! Why nothing could be picked out of a kubeconfig.

use std::collections::BTreeMap;
use std::fmt;

use super::exec::UnknownVersion;
use super::server::ServerError;

/// Why no server could be picked, in client-go's words where it has some. Names of entries are told, values never.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
#[expect(missing_docs, reason = "each variant's message says it, and its fields are entries' names")]
pub enum ResolveError {
    #[error("the kubeconfig is empty: it has no contexts, clusters or users")]
    Empty,
    #[error("no context is chosen: current-context is not set; choose one of {existing}")]
    NoContext { existing: Names },
    #[error("context {name:?} does not exist; there are {existing}")]
    UnknownContext { name: String, existing: Names },
    #[error("cluster was not specified for context {context:?}")]
    NoCluster { context: String },
    #[error("cluster {name:?} of context {context:?} does not exist; there are {existing}")]
    UnknownCluster { name: String, context: String, existing: Names },
    #[error("user {name:?} of context {context:?} does not exist; there are {existing}")]
    UnknownUser { name: String, context: String, existing: Names },
    #[error("no server found for cluster {cluster:?}")]
    NoServer { cluster: String },
    #[error("the server of cluster {cluster:?} is unusable")]
    Server {
        cluster: String,
        #[source]
        error: ServerError,
    },
    #[error("the server that was chosen instead of the kubeconfig's (--server) is unusable")]
    ServerOverride {
        #[source]
        error: ServerError,
    },
    #[error(
        "invalid 'proxy-url' for cluster {cluster:?}: must be http, https, or socks5, then :// and a host"
    )]
    ProxyUrl { cluster: String },
    #[error(
        "the proxy that was chosen instead of the kubeconfig's (--proxy-url) must be http, https, or socks5, then :// and a host"
    )]
    ProxyOverride,
    #[error(
        "certificate-authority-data and certificate-authority are both specified for {cluster:?}; remove one"
    )]
    TwoCertificateAuthorities { cluster: String },
    #[error(
        "specifying a root certificates file with the insecure flag is not allowed (cluster {cluster:?})"
    )]
    InsecureWithCa { cluster: String },
    #[error("the namespace of context {context:?} does not conform to the kubernetes DNS_LABEL rules")]
    Namespace { context: String },
    /// `given` and `other` are field names: one of the two is there, but not the other.
    #[error("{other} must be specified for user {user:?} besides {given}")]
    HalfAPair { user: String, given: &'static str, other: &'static str },
    /// `data` and `file` are field names: both are there.
    #[error("{data} and {file} are both specified for user {user:?}; remove one")]
    DataAndFile { user: String, data: &'static str, file: &'static str },
    #[error(
        "more than one authentication method found for {user:?}; found [token basicAuth], only one is allowed"
    )]
    TokenAndBasic { user: String },
    #[error("username/password or bearer token may be set, but not both (user {user:?})")]
    TokenFileAndBasic { user: String },
    #[error(
        "the token of user {user:?} holds a line break or another control character; remove it (in YAML, `|-` instead of `|`)"
    )]
    TokenControl { user: String },
    #[error("authProvider cannot be provided in combination with an exec plugin for {user:?}")]
    ExecAndAuthProvider { user: String },
    /// `field` is what is missing: `command`, `apiVersion`, `interactiveMode`, `env variable name`.
    #[error("{field} must be specified for {user:?} to use exec authentication plugin")]
    Exec { user: String, field: &'static str },
    #[error("the plugin of user {user:?} cannot be used")]
    ExecVersion {
        user: String,
        #[source]
        error: UnknownVersion,
    },
    #[error("invalid interactiveMode for {user:?}: use Never, IfAvailable or Always")]
    InteractiveMode { user: String },
    #[error("requesting uid, groups or user-extra for {user:?} without impersonating a user")]
    ImpersonateNobody { user: String },
}

/// Names of entries, for a message: the first ten, then how many more.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Names {
    first: Vec<String>,
    more: usize,
}

impl Names {
    pub(super) fn of<T>(entries: &BTreeMap<String, T>) -> Self {
        const SHOWN: usize = 10;
        Self {
            first: entries.keys().take(SHOWN).cloned().collect(),
            more: entries.len().saturating_sub(SHOWN),
        }
    }
}

impl fmt::Display for Names {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.first.is_empty() {
            return f.write_str("none");
        }
        for (index, name) in self.first.iter().enumerate() {
            let comma = if index == 0 { "" } else { ", " };
            write!(f, "{comma}{name:?}")?;
        }
        if self.more > 0 { write!(f, " and {} more", self.more) } else { Ok(()) }
    }
}
