//! Credentials that an embedder's own code gives.

use std::collections::BTreeMap;
use std::error::Error as StdError;
use std::fmt;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use futures_util::future::BoxFuture;
use http::HeaderValue;
use tidegate_kube::Secret;
use tokio::time::timeout;

use super::cached::{Fetch, Fetched};
use super::{CredentialKind, CredentialReport};
use crate::http::{ClientIdentity, Identity, Material};
use crate::{Code, Error};

/// Gives credentials by code of an embedder's own, under a name: of a kubeconfig's `auth-provider`, or of a [`Direct`](crate::Direct)
/// connection. A guest's own document cannot choose one.
///
/// What it gives is kept until it ends, asked for once however many requests wait, and asked for once more when a server refuses it.
///
/// ```
/// use futures_util::future::BoxFuture;
/// use tidegate_transport::{CredentialProvider, CredentialRequest, Provided, ProviderError, Providers};
///
/// struct Vault;
///
/// impl CredentialProvider for Vault {
///     fn provide<'a>(&'a self, request: &'a CredentialRequest) -> BoxFuture<'a, Result<Provided, ProviderError>> {
///         Box::pin(async move { Ok(Provided::bearer(format!("token for {}", request.server))) })
///     }
/// }
///
/// let providers = Providers::default().with("vault", Vault);
/// assert_eq!(providers.names().collect::<Vec<_>>(), ["vault"]);
/// ```
pub trait CredentialProvider: Send + Sync {
    /// One credential. Dropping the future cancels it, as the deadline for plugins does.
    ///
    /// Errors: whatever it says is told to the guest, and is not to hold a secret.
    fn provide<'a>(
        &'a self,
        request: &'a CredentialRequest,
    ) -> BoxFuture<'a, Result<Provided, ProviderError>>;
}

/// Why a provider has no credential.
pub type ProviderError = Box<dyn StdError + Send + Sync>;

/// What a provider is asked for.
#[derive(Clone, Debug)]
pub struct CredentialRequest {
    /// The server that will see the credential: `https://10.0.0.1:6443`.
    pub server: String,
    /// `auth-provider.config` of the kubeconfig, or what [`Direct`](crate::Direct) holds.
    pub config: BTreeMap<String, Secret>,
}

/// A credential: a header, a client certificate, or both.
#[derive(Clone, Debug, Default)]
pub struct Provided {
    /// The whole value of `Authorization`: `Bearer …`.
    pub authorization: Option<Secret>,
    /// A client certificate.
    pub certificate: Option<CertificatePair>,
    /// When it ends; good until a server refuses it where none.
    pub expires: Option<SystemTime>,
}

impl Provided {
    /// `Authorization: Bearer` and this token, good until a server refuses it.
    pub fn bearer(token: impl Into<String>) -> Provided {
        let token = Secret::new(token.into());
        let header = Secret::new(format!("Bearer {}", token.expose()));
        Provided { authorization: Some(header), ..Provided::default() }
    }
}

/// A client certificate with its key, both PEM.
#[derive(Clone, Debug)]
pub struct CertificatePair {
    /// The certificate, with intermediates.
    pub certificate: Secret<Vec<u8>>,
    /// The key: PKCS#1, PKCS#8 or SEC1.
    pub key: Secret<Vec<u8>>,
}

impl CertificatePair {
    pub(crate) fn identity(&self, origin: &str) -> Result<Arc<ClientIdentity>, Error> {
        let material = |pem: &Secret<Vec<u8>>, what: &str| Material {
            pem: pem.clone(),
            origin: format!("the {what} of the {origin}"),
        };
        ClientIdentity::new(&Identity {
            certificate: material(&self.certificate, "certificate"),
            key: material(&self.key, "key"),
        })
    }
}

/// Providers by name.
#[derive(Clone, Default)]
pub struct Providers(Arc<BTreeMap<String, Arc<dyn CredentialProvider>>>);

impl Providers {
    /// The same with one more; one of that name is replaced, and `gcp` and `oidc` are too.
    #[must_use]
    pub fn with(mut self, name: impl Into<String>, provider: impl CredentialProvider + 'static) -> Providers {
        Arc::make_mut(&mut self.0).insert(name.into(), Arc::new(provider));
        self
    }

    /// Their names, sorted.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.0.keys().map(String::as_str)
    }

    pub(crate) fn get(&self, name: &str) -> Option<Arc<dyn CredentialProvider>> {
        self.0.get(name).cloned()
    }
}

impl fmt::Debug for Providers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.names()).finish()
    }
}

/// One provider, asked for one server.
pub(crate) struct Custom {
    pub(crate) name: String,
    pub(crate) provider: Arc<dyn CredentialProvider>,
    pub(crate) request: CredentialRequest,
    pub(crate) deadline: Duration,
}

impl Custom {
    async fn ask(&self) -> Result<Fetched, Error> {
        let what = format!("credential provider {:?}", self.name);
        let answer = timeout(self.deadline, self.provider.provide(&self.request)).await.map_err(|_| {
            let text = format!(
                "the {what} gave nothing within {} s, the deadline for plugins",
                self.deadline.as_secs_f32()
            );
            Error::new(Code::Timeout, text).broken()
        })?;
        let broken = |text: &str| Error::new(Code::NotConfigured, format!("the {what} {text}")).broken();
        let provided = answer.map_err(|error| broken("has no credential").because(error))?;
        if provided.authorization.is_none() && provided.certificate.is_none() {
            return Err(broken("gave neither a header nor a certificate"));
        }
        let header = provided.authorization.map(|text| authorization(&text, &what)).transpose()?;
        let identity = provided.certificate.map(|pair| pair.identity(&what)).transpose()?;
        Ok(Fetched { header, identity, expires: provided.expires })
    }
}

impl Fetch for Custom {
    fn fetch(&self) -> BoxFuture<'_, Result<Fetched, Error>> {
        Box::pin(self.ask())
    }

    fn report(&self) -> CredentialReport {
        CredentialReport::new(CredentialKind::Provider, &self.name)
    }
}

/// The whole value of `Authorization`. Errors: it is empty, or no header holds it.
pub(crate) fn authorization(text: &Secret, origin: &str) -> Result<HeaderValue, Error> {
    let broken = || {
        let text = format!("the {origin} gave an Authorization header that is empty or holds control bytes");
        Error::new(Code::NotConfigured, text).broken()
    };
    let text = text.expose().trim();
    // Its source would be no more precise.
    let mut header = HeaderValue::from_str(text).map_err(|_| broken())?;
    if text.is_empty() {
        return Err(broken());
    }
    header.set_sensitive(true);
    Ok(header)
}
