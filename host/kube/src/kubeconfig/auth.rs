//! Which credential is sent, in client-go's order.

use std::path::PathBuf;

use super::error::ResolveError;
use super::exec::Version;
use super::resolve::Source;
use super::schema::{AuthProvider, Cluster, ExecCluster, ExecConfig, InteractiveMode, User};
use crate::Secret;

/// What goes into the `Authorization` header. A client certificate is independent of it ([`ClientCert`]).
///
/// client-go's order: token file, token, basic, auth-provider, exec.
#[derive(Debug, Clone)]
pub enum Auth {
    /// Nothing.
    None,
    /// `Bearer` and this token.
    Token(Secret),
    /// `Bearer` and what the file holds, white space trimmed; read again when it changes.
    TokenFile {
        /// The file.
        path: PathBuf,
        /// The user's `token`: sent where the file cannot be read.
        fallback: Option<Secret>,
    },
    /// `Basic`.
    Basic {
        /// The user name.
        username: String,
        /// The password.
        password: Secret,
    },
    /// Whatever the provider gives.
    AuthProvider(AuthProvider),
    /// Whatever the plugin gives: a token, a client certificate or both. Never chosen where there is a client
    /// certificate, as in client-go.
    Exec(ExecConfig),
}

/// A client certificate with its key, both PEM.
#[derive(Debug, Clone)]
pub struct ClientCert {
    /// The certificate, with intermediates.
    pub cert: Source,
    /// The key: PKCS#1, PKCS#8 or SEC1.
    pub key: Source,
}

/// The checks of client-go's `validateAuthInfo`, and that no pair is half there.
pub(super) fn check(name: &str, user: &User) -> Result<(), ResolveError> {
    let owned = || name.to_owned();
    let [has_token, has_file] = [!user.token.expose().is_empty(), !user.token_file.is_empty()];
    let [has_username, has_password] = [!user.username.is_empty(), !user.password.expose().is_empty()];
    if has_token && (has_username || has_password) {
        return Err(ResolveError::TokenAndBasic { user: owned() });
    }
    if has_file && has_username {
        return Err(ResolveError::TokenFileAndBasic { user: owned() });
    }
    if user.token.expose().contains(|c: char| c.is_control()) {
        return Err(ResolveError::TokenControl { user: owned() });
    }
    if has_username != has_password {
        let (given, other) = if has_username { ("username", "password") } else { ("password", "username") };
        return Err(ResolveError::HalfAPair { user: owned(), given, other });
    }
    check_certificate(name, user)?;
    if let Some(exec) = &user.exec {
        check_exec(name, user, exec)?;
    }
    let qualified = !user.impersonate_uid.is_empty()
        || !user.impersonate_groups.is_empty()
        || !user.impersonate_extra.is_empty();
    if qualified && user.impersonate.is_empty() {
        return Err(ResolveError::ImpersonateNobody { user: owned() });
    }
    Ok(())
}

/// The header credential, in client-go's order. The user is checked.
pub(super) fn choose(user: &User, cluster: &Cluster, client_cert: Option<&ClientCert>) -> Auth {
    let token = Some(&user.token).filter(|token| !token.expose().is_empty()).cloned();
    if !user.token_file.is_empty() {
        return Auth::TokenFile { path: PathBuf::from(&user.token_file), fallback: token };
    }
    if let Some(token) = token {
        return Auth::Token(token);
    }
    if !user.username.is_empty() {
        return Auth::Basic { username: user.username.clone(), password: user.password.clone() };
    }
    if let Some(provider) = &user.auth_provider {
        return Auth::AuthProvider(provider.clone());
    }
    match &user.exec {
        Some(exec) if client_cert.is_none() => Auth::Exec(ExecConfig {
            cluster: exec.provide_cluster_info.then(|| told(cluster)),
            ..exec.clone()
        }),
        _ => Auth::None,
    }
}

fn told(cluster: &Cluster) -> ExecCluster {
    ExecCluster {
        server: cluster.server.clone(),
        tls_server_name: cluster.tls_server_name.clone(),
        insecure_skip_tls_verify: cluster.insecure_skip_tls_verify,
        proxy_url: cluster.proxy_url.clone(),
        disable_compression: cluster.disable_compression,
        config: cluster.extensions.get("client.authentication.k8s.io/exec").cloned(),
    }
}

/// The client certificate with its key. The user is checked.
pub(super) fn client_cert(user: &User) -> Option<ClientCert> {
    let cert = Source::of(user.client_certificate_data.expose(), &user.client_certificate)?;
    let key = Source::of(user.client_key_data.expose(), &user.client_key)?;
    Some(ClientCert { cert, key })
}

fn check_certificate(name: &str, user: &User) -> Result<(), ResolveError> {
    let [cert_data, key_data] =
        [&user.client_certificate_data, &user.client_key_data].map(|d| !d.expose().is_empty());
    let [cert_file, key_file] = [&user.client_certificate, &user.client_key].map(|f| !f.is_empty());
    for (data, file, both) in [
        ("client-certificate-data", "client-certificate", cert_data && cert_file),
        ("client-key-data", "client-key", key_data && key_file),
    ] {
        if both {
            return Err(ResolveError::DataAndFile { user: name.to_owned(), data, file });
        }
    }
    let missing = |given, other| Err(ResolveError::HalfAPair { user: name.to_owned(), given, other });
    match (cert_data || cert_file, key_data || key_file) {
        (true, false) => missing("the client certificate", "client-key-data or client-key"),
        (false, true) => missing("the client key", "client-certificate-data or client-certificate"),
        _ => Ok(()),
    }
}

fn check_exec(name: &str, user: &User, exec: &ExecConfig) -> Result<(), ResolveError> {
    let owned = || name.to_owned();
    if user.auth_provider.is_some() {
        return Err(ResolveError::ExecAndAuthProvider { user: owned() });
    }
    for (field, missing) in [
        ("command", exec.command.is_empty()),
        ("apiVersion", exec.api_version.is_empty()),
        ("env variable name", exec.env.iter().any(|variable| variable.name.is_empty())),
        ("interactiveMode", exec.interactive_mode.is_none()),
    ] {
        if missing {
            return Err(ResolveError::Exec { user: owned(), field });
        }
    }
    if let Err(error) = exec.api_version.parse::<Version>() {
        return Err(ResolveError::ExecVersion { user: owned(), error });
    }
    if exec.interactive_mode == Some(InteractiveMode::Unknown) {
        return Err(ResolveError::InteractiveMode { user: owned() });
    }
    Ok(())
}
