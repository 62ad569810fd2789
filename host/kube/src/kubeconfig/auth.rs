//! Which credential is sent, in client-go's order.

use std::path::PathBuf;

use super::resolve::Source;
use super::schema::{AuthProvider, ExecConfig};
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
