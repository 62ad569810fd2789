use std::path::PathBuf;

use tidegate_kube::Secret;
use tidegate_kube::kubeconfig::exec::{Interactive, Version, info};
use tidegate_kube::kubeconfig::provider::oidc::Oidc;
use tidegate_kube::kubeconfig::{
    Auth, AuthProvider, ExecConfig, Impersonate, Resolved, Scheme, Source, Verification,
};

use crate::http::proxy::{Environment, ProxyUrl};
use crate::http::{Compression, Identity, Material, Origin, Tls, Trust};
use crate::plan::Inputs;
use crate::{Code, Error};

/// What a transport is made of, once every file has been read: pure.
#[derive(Debug)]
pub(crate) struct Ready {
    pub(super) origin: Origin,
    /// None for plain HTTP.
    pub(super) tls: Option<Tls>,
    pub(super) identity: Option<Pair>,
    pub(super) credential: Credential,
    pub(super) impersonate: Option<Impersonate>,
    /// None where the server is reached directly.
    pub(super) proxy: Option<ProxyUrl>,
    pub(super) compression: Compression,
    pub(super) namespace: Option<String>,
    pub(super) warnings: Vec<String>,
}

/// A client certificate, and which of its halves are files.
#[derive(Debug)]
pub(super) struct Pair {
    pub(super) pem: Identity,
    pub(super) files: [Option<PathBuf>; 2],
}

/// What goes into the `Authorization` header, before it is one.
#[derive(Debug)]
pub(super) enum Credential {
    None,
    Token { token: Secret, origin: String },
    TokenFile { path: PathBuf, token: Secret<Vec<u8>> },
    Basic { username: String, password: Secret, origin: String },
    Exec(Box<Exec>),
    Provider(Box<Provider>),
}

/// `auth-provider`.
#[derive(Debug)]
pub(super) struct Provider {
    pub(super) entry: AuthProvider,
    /// How `oidc`'s issuer proves itself.
    pub(super) issuer: Tls,
    /// By which way it is reached.
    pub(super) proxies: Environment,
    pub(super) origin: String,
}

/// An exec plugin.
#[derive(Debug)]
pub(super) struct Exec {
    pub(super) config: ExecConfig,
    pub(super) version: Version,
    /// What it is told.
    pub(super) info: Secret,
    pub(super) origin: String,
}

impl Ready {
    /// Errors: a file that is named and missing.
    pub(super) fn new(
        origin: Origin,
        proxy: Option<ProxyUrl>,
        proxies: &Environment,
        resolved: Resolved,
        mut inputs: Inputs,
    ) -> Result<Ready, Error> {
        let secure = origin.scheme == Scheme::Https;
        let tls = if secure { Some(tls(&resolved, &mut inputs)?) } else { None };
        Ok(Ready {
            // As client-go: whoever listens on a plain connection gets no credential.
            credential: if secure {
                credential(&resolved, tls.as_ref(), proxies, &mut inputs)?
            } else {
                Credential::None
            },
            tls,
            identity: identity(&resolved, &mut inputs)?,
            origin,
            impersonate: resolved.impersonate,
            proxy,
            compression: if resolved.disable_compression { Compression::None } else { Compression::Gzip },
            namespace: resolved.namespace,
            warnings: resolved.warnings,
        })
    }
}

fn tls(resolved: &Resolved, inputs: &mut Inputs) -> Result<Tls, Error> {
    let cluster = resolved.cluster.as_deref().unwrap_or_default();
    let trust = match (resolved.tls.verification, &resolved.tls.ca) {
        (Verification::Skip, _) => Trust::Anybody,
        (Verification::Verify, None) => Trust::System,
        (Verification::Verify, Some(ca)) => {
            Trust::Given(material(ca, &format!("certificate-authority of cluster {cluster:?}"), inputs)?)
        }
    };
    Ok(Tls { trust, server_name: resolved.tls.server_name.clone() })
}

fn identity(resolved: &Resolved, inputs: &mut Inputs) -> Result<Option<Pair>, Error> {
    let user = resolved.user.as_deref().unwrap_or_default();
    let Some(pair) = &resolved.client_cert else { return Ok(None) };
    let pem = Identity {
        certificate: material(&pair.cert, &format!("client-certificate of user {user:?}"), inputs)?,
        key: material(&pair.key, &format!("client-key of user {user:?}"), inputs)?,
    };
    Ok(Some(Pair { pem, files: [&pair.cert, &pair.key].map(|source| source.file().cloned()) }))
}

fn material(source: &Source, field: &str, inputs: &mut Inputs) -> Result<Material, Error> {
    match source {
        Source::Inline(pem) => Ok(Material { pem: pem.clone(), origin: field.to_owned() }),
        Source::File(path) => {
            Ok(Material { pem: inputs.file_named_by(path, field)?, origin: path.display().to_string() })
        }
    }
}

fn credential(
    resolved: &Resolved,
    tls: Option<&Tls>,
    proxies: &Environment,
    inputs: &mut Inputs,
) -> Result<Credential, Error> {
    let user = resolved.user.as_deref().unwrap_or_default();
    Ok(match &resolved.auth {
        Auth::Token(token) => {
            Credential::Token { token: token.clone(), origin: format!("token of user {user:?}") }
        }
        Auth::Basic { username, password } => Credential::Basic {
            username: username.clone(),
            password: password.clone(),
            origin: format!("username and password of user {user:?}"),
        },
        Auth::TokenFile { path, fallback } => {
            match (inputs.file_named_by(path, &format!("tokenFile of user {user:?}")), fallback) {
                (Ok(token), _) => Credential::TokenFile { path: path.clone(), token },
                (Err(_), Some(token)) => {
                    Credential::Token { token: token.clone(), origin: format!("token of user {user:?}") }
                }
                (Err(error), None) => return Err(error),
            }
        }
        Auth::Exec(config) => Credential::Exec(Box::new(exec(config, tls, user)?)),
        Auth::AuthProvider(entry) => Credential::Provider(Box::new(provider(entry, proxies, user, inputs)?)),
        Auth::None => Credential::None,
    })
}

fn provider(
    entry: &AuthProvider,
    proxies: &Environment,
    user: &str,
    inputs: &mut Inputs,
) -> Result<Provider, Error> {
    let origin = format!("auth-provider of user {user:?}");
    let ca = Oidc::of(entry).ok().and_then(|oidc| oidc.ca);
    let trust = match ca.filter(|_| entry.name == "oidc") {
        None => Trust::System,
        Some(ca) => {
            Trust::Given(material(&ca, &format!("idp-certificate-authority of the {origin}"), inputs)?)
        }
    };
    let issuer = Tls { trust, server_name: None };
    Ok(Provider { entry: entry.clone(), issuer, proxies: proxies.clone(), origin })
}

fn exec(config: &ExecConfig, tls: Option<&Tls>, user: &str) -> Result<Exec, Error> {
    let origin = format!("exec plugin of user {user:?}");
    let version: Version = config
        .api_version
        .parse()
        .map_err(|error| Error::new(Code::NotConfigured, format!("the {origin}")).because(error).broken())?;
    let ca = match tls.map(|tls| &tls.trust) {
        Some(Trust::Given(ca)) => ca.pem.expose().as_slice(),
        _ => &[],
    };
    // Standard input is the script's.
    let info = info(version, Interactive::No, config.cluster.as_ref(), ca);
    Ok(Exec { config: config.clone(), version, info, origin })
}
