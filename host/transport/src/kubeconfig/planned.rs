use std::time::SystemTime;

use tidegate_kube::kubeconfig::{Auth, Resolved, Source};
use tidegate_kube::{jwt, x509};

use crate::{CredentialKind, CredentialReport};

/// What a user's entry says of its credentials, before any of it was read or run.
pub fn planned_credentials(resolved: &Resolved) -> Vec<CredentialReport> {
    let user = resolved.user.as_deref().unwrap_or_default();
    let report = |kind, source: &str| CredentialReport::new(kind, source);
    let until = |expires: Option<SystemTime>, report| CredentialReport { expires, ..report };
    let header = match &resolved.auth {
        Auth::None => None,
        Auth::Token(token) => {
            let named = report(CredentialKind::Token, &format!("user {user:?}"));
            Some(until(jwt::expiry(token.expose()).ok().flatten(), named))
        }
        Auth::TokenFile { path, .. } => Some(report(CredentialKind::TokenFile, &path.display().to_string())),
        Auth::Basic { .. } => Some(report(CredentialKind::Basic, &format!("user {user:?}"))),
        Auth::Exec(exec) => {
            let source = format!("{}, user {user:?}", exec.command);
            Some(report(CredentialKind::ExecPlugin, &source))
        }
        Auth::AuthProvider(provider) => {
            let kind = match provider.name.as_str() {
                "gcp" => CredentialKind::Gcp,
                "oidc" => CredentialKind::Oidc,
                _ => CredentialKind::Provider,
            };
            let token = provider.config.get("id-token").filter(|_| kind == CredentialKind::Oidc);
            let expires = token.and_then(|token| jwt::expiry(token.expose()).ok().flatten());
            Some(until(expires, report(kind, &format!("user {user:?}"))))
        }
    };
    let certificate = resolved.client_cert.as_ref().map(|pair| match &pair.cert {
        Source::File(path) => report(CredentialKind::ClientCertificate, &path.display().to_string()),
        Source::Inline(pem) => {
            let source = format!("user {user:?}");
            until(x509::pem_not_after(pem.expose()), report(CredentialKind::ClientCertificate, &source))
        }
    });
    header.into_iter().chain(certificate).collect()
}
