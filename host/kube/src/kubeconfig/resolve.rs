//! One server with its credentials, out of a [`Config`] (client-go's `client_config.go` and `validation.go`).

use std::path::PathBuf;

use super::auth::{self, Auth, ClientCert};
use super::error::{Names, ResolveError};
use super::impersonate::Impersonate;
use super::merge::Config;
use super::schema::{Cluster, Context, User};
use super::server::{Scheme, Server};
use crate::Secret;

/// What overrides the file. Only whoever started tidegate may choose more than the context (row T4). Empty names count as
/// `None`.
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
    /// A proxy's URL instead of the cluster's `proxy-url`.
    pub proxy: Option<&'a str>,
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
    /// The `Authorization` header. As in client-go, [`Auth::None`] where the server is `http://`.
    pub auth: Auth,
    /// The client certificate. `None` where the server is `http://`.
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
    /// From a file, absolute where the kubeconfig's own path was.
    File(PathBuf),
}

impl Source {
    /// Data goes before a file; `None` where there is neither.
    pub(super) fn of(data: &[u8], file: &str) -> Option<Self> {
        match (data, file) {
            ([], "") => None,
            ([], file) => Some(Self::File(file.into())),
            (data, _) => Some(Self::Inline(Secret::new(data.to_vec()))),
        }
    }

    /// The file, if it is one.
    pub fn file(&self) -> Option<&PathBuf> {
        match self {
            Self::Inline(_) => None,
            Self::File(path) => Some(path),
        }
    }
}

impl Resolved {
    /// Every file that will be read, absolute where the kubeconfig's own path was.
    pub fn files(&self) -> Vec<PathBuf> {
        let cert = self.client_cert.iter().flat_map(|pair| [&pair.cert, &pair.key]);
        let mut files: Vec<PathBuf> =
            self.tls.ca.iter().chain(cert).filter_map(Source::file).cloned().collect();
        match &self.auth {
            Auth::TokenFile { path, .. } => files.push(path.clone()),
            Auth::AuthProvider(provider) => files.extend(provider.files()),
            Auth::None | Auth::Token(_) | Auth::Basic { .. } | Auth::Exec(_) => {}
        }
        files
    }

    /// Every program that will be run: a name to look up on `PATH`, or a path where it holds a `/`.
    pub fn programs(&self) -> Vec<String> {
        match &self.auth {
            Auth::Exec(exec) => vec![exec.command.clone()],
            Auth::AuthProvider(provider) => provider.programs(),
            Auth::None | Auth::Token(_) | Auth::TokenFile { .. } | Auth::Basic { .. } => Vec::new(),
        }
    }
}

impl Config {
    /// Picks a context, its cluster and its user, and checks what is picked; what is not picked may be broken.
    pub fn resolve(&self, choice: &Choice<'_>) -> Result<Resolved, ResolveError> {
        let context_name = given(choice.context).unwrap_or(&self.current_context);
        let context = self.context(context_name, choice)?;
        let cluster_name = given(choice.cluster).unwrap_or(&context.cluster);
        let cluster = self.cluster(cluster_name, context_name, choice)?;
        let user_name = given(choice.user).unwrap_or(&context.user);
        let user = self.user(user_name, context_name)?;

        auth::check(user_name, &user)?;
        let server: Server = cluster.server.parse().map_err(|error| match given(choice.server) {
            Some(_) => ResolveError::ServerOverride { error },
            None => ResolveError::Server { cluster: cluster_name.to_owned(), error },
        })?;
        let mut resolved = Resolved {
            context: name(context_name),
            cluster: name(cluster_name),
            user: name(user_name),
            server,
            namespace: namespace(context_name, &context.namespace)?,
            tls: Tls::default(),
            auth: Auth::None,
            client_cert: None,
            proxy_url: match given(choice.proxy) {
                Some(url) => Some(proxy_override(url)?),
                None => proxy_url(cluster_name, &cluster)?,
            },
            impersonate: Impersonate::of(&user),
            disable_compression: cluster.disable_compression,
            warnings: Vec::new(),
        };
        let tls = tls(cluster_name, &cluster)?;
        let client_cert = auth::client_cert(&user);
        let auth = auth::choose(&user, &cluster, client_cert.as_ref());
        match resolved.server.scheme() {
            Scheme::Https => (resolved.tls, resolved.client_cert, resolved.auth) = (tls, client_cert, auth),
            // client-go reads credentials only where the server has TLS.
            Scheme::Http if client_cert.is_some() || !matches!(auth, Auth::None) => resolved.warnings.push(format!(
                "the server {} has no TLS, so that no credential of user {user_name:?} is sent to it; use https://",
                resolved.server
            )),
            Scheme::Http => {}
        }
        Ok(resolved)
    }

    fn context(&self, name: &str, choice: &Choice<'_>) -> Result<Context, ResolveError> {
        if !name.is_empty() {
            return self.contexts.get(name).cloned().ok_or_else(|| ResolveError::UnknownContext {
                name: name.to_owned(),
                existing: Names::of(&self.contexts),
            });
        }
        if given(choice.cluster).or(given(choice.server)).is_some() {
            return Ok(Context::default());
        }
        if self.contexts.is_empty() && self.clusters.is_empty() && self.users.is_empty() {
            return Err(ResolveError::Empty);
        }
        Err(ResolveError::NoContext { existing: Names::of(&self.contexts) })
    }

    fn cluster(&self, name: &str, context: &str, choice: &Choice<'_>) -> Result<Cluster, ResolveError> {
        let mut cluster = match (self.clusters.get(name), given(choice.server)) {
            (Some(cluster), _) => cluster.clone(),
            (None, Some(_)) if name.is_empty() => Cluster::default(),
            (None, _) if name.is_empty() => {
                return Err(ResolveError::NoCluster { context: context.to_owned() });
            }
            (None, _) => {
                let existing = Names::of(&self.clusters);
                return Err(ResolveError::UnknownCluster {
                    name: name.to_owned(),
                    context: context.to_owned(),
                    existing,
                });
            }
        };
        if let Some(server) = given(choice.server) {
            cluster.server = server.to_owned();
            cluster.tls_server_name = String::new();
        }
        if cluster.server.is_empty() {
            return Err(ResolveError::NoServer { cluster: name.to_owned() });
        }
        Ok(cluster)
    }

    /// Stricter than kubectl, which goes on without credentials where the context's user does not exist.
    fn user(&self, name: &str, context: &str) -> Result<User, ResolveError> {
        match self.users.get(name) {
            Some(user) => Ok(user.clone()),
            None if name.is_empty() => Ok(User::default()),
            None => Err(ResolveError::UnknownUser {
                name: name.to_owned(),
                context: context.to_owned(),
                existing: Names::of(&self.users),
            }),
        }
    }
}

fn given(choice: Option<&str>) -> Option<&str> {
    choice.filter(|name| !name.is_empty())
}

fn name(name: &str) -> Option<String> {
    given(Some(name)).map(str::to_owned)
}

fn tls(name: &str, cluster: &Cluster) -> Result<Tls, ResolveError> {
    let (file, data) = (&cluster.certificate_authority, &cluster.certificate_authority_data);
    if !file.is_empty() && !data.is_empty() {
        return Err(ResolveError::TwoCertificateAuthorities { cluster: name.to_owned() });
    }
    let ca = Source::of(data, file);
    let verification =
        if cluster.insecure_skip_tls_verify { Verification::Skip } else { Verification::Verify };
    if ca.is_some() && verification == Verification::Skip && !is_plain(&cluster.server) {
        return Err(ResolveError::InsecureWithCa { cluster: name.to_owned() });
    }
    Ok(Tls { ca, verification, server_name: self::name(&cluster.tls_server_name) })
}

/// Whether a server has no TLS, whose options then do not count.
fn is_plain(server: &str) -> bool {
    server.parse::<Server>().is_ok_and(|server| server.scheme() == Scheme::Http)
}

fn proxy_url(name: &str, cluster: &Cluster) -> Result<Option<Secret>, ResolveError> {
    let url = cluster.proxy_url.expose();
    if url.is_empty() {
        return Ok(None);
    }
    match proxy_scheme(url).as_deref() {
        Some("http" | "https" | "socks5") => Ok(Some(cluster.proxy_url.clone())),
        _ => Err(ResolveError::ProxyUrl { cluster: name.to_owned() }),
    }
}

/// Of whoever chose it here, who may use curl's name for a proxy that looks names up, as Go's does anyway.
fn proxy_override(url: &str) -> Result<Secret, ResolveError> {
    match proxy_scheme(url).as_deref() {
        Some("http" | "https" | "socks5" | "socks5h") => Ok(Secret::new(url.to_owned())),
        _ => Err(ResolveError::ProxyOverride),
    }
}

fn proxy_scheme(url: &str) -> Option<String> {
    let (scheme, rest) = url.split_once("://")?;
    Some(scheme.to_ascii_lowercase()).filter(|_| !rest.is_empty())
}

fn namespace(context: &str, namespace: &str) -> Result<Option<String>, ResolveError> {
    let fits = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-';
    let is_label = namespace.len() <= 63
        && namespace.bytes().all(fits)
        && !namespace.starts_with('-')
        && !namespace.ends_with('-');
    if is_label { Ok(name(namespace)) } else { Err(ResolveError::Namespace { context: context.to_owned() }) }
}
