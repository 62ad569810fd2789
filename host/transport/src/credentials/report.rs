use std::fmt;
use std::time::SystemTime;

/// What kind of credential it is. The words are for people and `--json`, and the set may grow.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum CredentialKind {
    /// A token in the kubeconfig.
    Token,
    /// A token in a file: a kubeconfig's `tokenFile`, or a service account's.
    TokenFile,
    /// A user name and a password.
    Basic,
    /// A client certificate.
    ClientCertificate,
    /// What a program prints: `exec`.
    ExecPlugin,
    /// `auth-provider: gcp`.
    Gcp,
    /// `auth-provider: oidc`.
    Oidc,
    /// What an embedder's own code gives.
    Provider,
    /// An `Authorization` header as an embedder gave it.
    Header,
}

impl CredentialKind {
    /// The word.
    pub fn as_str(self) -> &'static str {
        match self {
            CredentialKind::Token => "token",
            CredentialKind::TokenFile => "token file",
            CredentialKind::Basic => "user name and password",
            CredentialKind::ClientCertificate => "client certificate",
            CredentialKind::ExecPlugin => "exec plugin",
            CredentialKind::Gcp => "auth-provider gcp",
            CredentialKind::Oidc => "auth-provider oidc",
            CredentialKind::Provider => "provider",
            CredentialKind::Header => "header",
        }
    }
}

impl fmt::Display for CredentialKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// What can be said about one credential without saying it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CredentialReport {
    /// What it is.
    pub kind: CredentialKind,
    /// Where it comes from: a path, a program, or a field of a user.
    pub source: String,
    /// When it ends by its own word; none where it does not say.
    pub expires: Option<SystemTime>,
    /// When it was read or had last; none where it never was.
    pub refreshed: Option<SystemTime>,
    /// What it still lacks, in words for people; empty where nothing.
    pub missing: Vec<String>,
}

/// `user "u"` of `exec plugin of user "u"`: the kind says the rest.
pub(crate) fn whose(origin: &str) -> &str {
    origin.split_once(" of ").map_or(origin, |(_, whose)| whose)
}

impl CredentialReport {
    pub(crate) fn new(kind: CredentialKind, source: &str) -> CredentialReport {
        CredentialReport {
            kind,
            source: source.to_owned(),
            expires: None,
            refreshed: None,
            missing: Vec::new(),
        }
    }
}
