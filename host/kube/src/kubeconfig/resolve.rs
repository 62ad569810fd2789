//! One server with its credentials, out of a [`Config`].

use std::collections::BTreeMap;
use std::path::PathBuf;

use super::auth::{Auth, ClientCert};
use super::merge::Config;
use super::server::{Server, ServerError};
use crate::Secret;

/// What overrides the file. Only whoever started tidegate may choose more than the context (row T4).
#[derive(Debug, Clone, Copy, Default)]
pub struct Choice<'a> {
    /// A context's name instead of `current-context`.
    pub context: Option<&'a str>,
    /// A cluster's name instead of the context's.
    pub cluster: Option<&'a str>,
    /// A user's name instead of the context's.
    pub user: Option<&'a str>,
    /// A server instead of the cluster's. As in kubectl, the cluster's `tls-server-name` then no longer counts.
    pub server: Option<&'a str>,
}

/// One server, and everything that is needed to speak to it.
#[derive(Debug, Clone)]
pub struct Resolved {
    /// The context's name; `None` where none was needed.
    pub context: Option<String>,
    /// The cluster's name; `None` where only a server was given.
    pub cluster: Option<String>,
    /// The user's name; `None` where the context names none.
    pub user: Option<String>,
    /// Where the API server is.
    pub server: Server,
    /// The context's namespace: a DNS label.
    pub namespace: Option<String>,
    /// How the server proves itself. `Tls::default()` where the server is `http://`.
    pub tls: Tls,
    /// The `Authorization` header.
    pub auth: Auth,
    /// The client certificate.
    pub client_cert: Option<ClientCert>,
    /// `proxy-url`: `http`, `https` or `socks5`; may hold a password.
    pub proxy_url: Option<Secret>,
    /// Whom to impersonate.
    pub impersonate: Option<Impersonate>,
    /// Whether `Accept-Encoding: gzip` is to be left out.
    pub disable_compression: bool,
    /// What people should know; no credential is in it.
    pub warnings: Vec<String>,
}

impl Resolved {
    /// Every file that will be read, absolute where the kubeconfig's own path was.
    pub fn files(&self) -> Vec<PathBuf> {
        Vec::new()
    }

    /// Every program that will be run: a name to look up on `PATH`, or a path where it holds a `/`.
    pub fn programs(&self) -> Vec<String> {
        Vec::new()
    }
}

/// How the server proves itself.
#[derive(Debug, Clone, Default)]
pub struct Tls {
    /// The certificates to trust, PEM; the system's where `None`.
    pub ca: Option<Source>,
    /// Whether the certificate is checked.
    pub verification: Verification,
    /// The name to check the certificate for instead of the server's.
    pub server_name: Option<String>,
}

/// Whether the server's certificate is checked.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Verification {
    /// It is.
    #[default]
    Verify,
    /// `insecure-skip-tls-verify`.
    Skip,
}

/// Bytes from the document or a file.
#[derive(Debug, Clone)]
pub enum Source {
    /// From the document.
    Inline(Secret<Vec<u8>>),
    /// From a file. Inline data counts where both are there, but both is an error already.
    File(PathBuf),
}

/// Whom to impersonate (`Impersonate-*` headers).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Impersonate {
    /// `as`. Never empty.
    pub user: String,
    /// `as-uid`.
    pub uid: Option<String>,
    /// `as-groups`.
    pub groups: Vec<String>,
    /// `as-user-extra`.
    pub extra: BTreeMap<String, Vec<String>>,
}

/// Why no server could be picked.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ResolveError {
    /// The server's address is unusable.
    #[error("the server of cluster {cluster:?} is unusable")]
    Server {
        /// The cluster's name.
        cluster: String,
        /// Why.
        #[source]
        error: ServerError,
    },
}

impl Config {
    /// Picks a context, its cluster and its user.
    pub fn resolve(&self, choice: &Choice<'_>) -> Result<Resolved, ResolveError> {
        let _ = choice;
        Err(ResolveError::Server { cluster: String::new(), error: ServerError::Empty })
    }
}
