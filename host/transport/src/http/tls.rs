use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::SystemTime;

use rustls::client::danger::ServerCertVerifier;
use rustls::client::{Resumption, WebPkiServerVerifier};
use rustls::crypto::{CryptoProvider, aws_lc_rs};
use rustls::pki_types::pem::{self, PemObject};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::sign::{CertifiedKey, SingleCertAndKey};
use rustls::{CipherSuite, ClientConfig, RootCertStore};
use tidegate_kube::{Secret, x509};

use super::verify::{Either, Given, Unchecked};
use crate::{Code, Error};

/// How the server proves itself to us.
#[derive(Clone, Debug)]
pub(crate) struct Tls {
    pub(crate) trust: Trust,
    /// For SNI and verification, instead of the server's host.
    pub(crate) server_name: Option<String>,
}

/// Whom to believe.
#[derive(Clone, Debug)]
pub(crate) enum Trust {
    /// The certificates of this bundle and no others.
    Given(Certificates),
    /// What the operating system trusts.
    System,
    /// Anybody: `insecure-skip-tls-verify`.
    Anybody,
}

/// Certificates in PEM, and where they come from.
pub(crate) type Certificates = Material;

/// A client certificate with its key, in PEM.
#[derive(Clone, Debug)]
pub(crate) struct Identity {
    pub(crate) certificate: Certificates,
    pub(crate) key: Material,
}

/// A client certificate with the key that belongs to it, ready for handshakes.
#[derive(Debug)]
pub(crate) struct ClientIdentity {
    id: u64,
    key: Arc<CertifiedKey>,
}

impl ClientIdentity {
    /// Errors, all [`Code::Tls`]: PEM that holds no certificate or no key, and a key that belongs to another certificate.
    pub(crate) fn new(pair: &Identity) -> Result<Arc<ClientIdentity>, Error> {
        static NEXT: AtomicU64 = AtomicU64::new(1);
        let (certificates, key) = (certificates(&pair.certificate)?, private_key(&pair.key)?);
        let key = CertifiedKey::from_der(certificates, key, &aws_lc_rs::default_provider())
            .map_err(|error| identity_error(pair, error))?;
        let id = NEXT.fetch_add(1, Ordering::Relaxed);
        Ok(Arc::new(ClientIdentity { id, key: Arc::new(key) }))
    }

    /// Whether it is the same certificate, and so the same key.
    pub(crate) fn is_same(&self, other: &ClientIdentity) -> bool {
        self.key.cert == other.key.cert
    }

    /// The one that is known already, where it is the same: its connections can be used on.
    pub(crate) fn or_same(
        new: Option<Arc<ClientIdentity>>,
        known: Option<&Arc<ClientIdentity>>,
    ) -> Option<Arc<ClientIdentity>> {
        match (&new, known) {
            (Some(one), Some(known)) if one.is_same(known) => Some(known.clone()),
            _ => new,
        }
    }

    /// When the certificate ends.
    pub(crate) fn expires(&self) -> Option<SystemTime> {
        x509::not_after(self.key.cert.first()?)
    }

    /// Another one for each that was made: a connection that was opened with one is of no use to the next.
    pub(crate) fn id(&self) -> u64 {
        self.id
    }
}

/// PEM text.
#[derive(Clone, Debug)]
pub(crate) struct Material {
    pub(crate) pem: Secret<Vec<u8>>,
    /// In words for people: a path, or a field of a document.
    pub(crate) origin: String,
}

/// rustls' algorithms. AES-128 comes first, as Go's clients have it: the hash that belongs to it is one that processors have
/// instructions for, which a short-lived client notices.
fn provider() -> CryptoProvider {
    let mut provider = aws_lc_rs::default_provider();
    provider.cipher_suites.sort_by_key(|suite| suite.suite() != CipherSuite::TLS13_AES_128_GCM_SHA256);
    provider
}

/// Checks everything that can be checked without the server.
///
/// Errors, all [`Code::Tls`]: a bundle that is empty or holds a broken certificate.
pub(crate) fn client_config(tls: &Tls) -> Result<ClientConfig, Error> {
    let provider = Arc::new(provider());
    let verifier = verifier(&tls.trust, provider.clone())?;
    believing(verifier, provider)
}

/// For a proxy in front of a server that is believed so. As in client-go a cluster's authorities and its `insecure-skip-tls-verify`
/// are its proxy's too; what the system trusts is good for a proxy besides.
///
/// Errors: as [`client_config`].
pub(super) fn proxy_config(tls: Option<&Tls>) -> Result<ClientConfig, Error> {
    let provider = Arc::new(provider());
    let trust = tls.map_or(&Trust::System, |tls| &tls.trust);
    let own = verifier(trust, provider.clone())?;
    let verifier = match trust {
        Trust::Anybody | Trust::System => own,
        Trust::Given(_) => match verifier(&Trust::System, provider.clone()) {
            Ok(system) => Arc::new(Either::new(own, system)),
            // A machine without any: those that were given are enough.
            Err(_) => own,
        },
    };
    believing(verifier, provider)
}

fn believing(
    verifier: Arc<dyn ServerCertVerifier>,
    provider: Arc<CryptoProvider>,
) -> Result<ClientConfig, Error> {
    Ok(ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| Error::new(Code::Tls, "prepare TLS").because(error))?
        .dangerous()
        .with_custom_certificate_verifier(verifier)
        .with_no_client_auth())
}

/// The same with a client certificate. Sessions are not shared with it: one that is resumed is the certificate's that began it.
pub(super) fn with_identity(config: &ClientConfig, identity: &ClientIdentity) -> ClientConfig {
    let mut config = config.clone();
    config.client_auth_cert_resolver = Arc::new(SingleCertAndKey::from(identity.key.clone()));
    config.resumption = Resumption::default();
    config
}

fn verifier(trust: &Trust, provider: Arc<CryptoProvider>) -> Result<Arc<dyn ServerCertVerifier>, Error> {
    match trust {
        Trust::Anybody => Ok(Arc::new(Unchecked::new(provider))),
        Trust::System => match rustls_platform_verifier::Verifier::new(provider) {
            Ok(verifier) => Ok(Arc::new(verifier)),
            Err(error) => {
                let text =
                    "no certificate-authority is configured, and the system's certificates cannot be read";
                Err(Error::new(Code::Tls, text).because(error))
            }
        },
        Trust::Given(bundle) => {
            let given = certificates(bundle)?;
            let mut roots = RootCertStore::empty();
            for (index, certificate) in given.iter().enumerate() {
                roots.add(certificate.clone()).map_err(|error| broken(bundle, index).because(error))?;
            }
            let inner = WebPkiServerVerifier::builder_with_provider(Arc::new(roots), provider)
                .build()
                .map_err(|error| {
                    Error::new(Code::Tls, format!("use the certificates of {}", bundle.origin)).because(error)
                })?;
            Ok(Arc::new(Given::new(inner, given)))
        }
    }
}

fn certificates(bundle: &Certificates) -> Result<Vec<CertificateDer<'static>>, Error> {
    let found: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(bundle.pem.expose())
        .enumerate()
        // The source would quote the text.
        .map(|(index, certificate)| certificate.map_err(|_| broken(bundle, index)))
        .collect();
    let found = found?;
    if found.is_empty() {
        let text = format!("{} holds no certificate (`-----BEGIN CERTIFICATE-----`)", bundle.origin);
        return Err(Error::new(Code::Tls, text));
    }
    Ok(found)
}

fn broken(bundle: &Certificates, index: usize) -> Error {
    Error::new(Code::Tls, format!("certificate {} in {} is broken", index + 1, bundle.origin))
}

fn private_key(key: &Material) -> Result<PrivateKeyDer<'static>, Error> {
    PrivateKeyDer::from_pem_slice(key.pem.expose()).map_err(|error| {
        let what = match error {
            pem::Error::NoItemsFound if is_encrypted(key) => {
                "is encrypted; tidegate cannot ask for its passphrase"
            }
            pem::Error::NoItemsFound => "holds no private key (PKCS#8, PKCS#1 or SEC1 in PEM)",
            _ => "is broken PEM",
        };
        Error::new(Code::Tls, format!("{} {what}", key.origin))
    })
}

fn is_encrypted(key: &Material) -> bool {
    const MARK: &[u8] = b"-----BEGIN ENCRYPTED PRIVATE KEY-----";
    key.pem.expose().windows(MARK.len()).any(|window| window == MARK)
}

fn identity_error(Identity { certificate, key }: &Identity, error: rustls::Error) -> Error {
    match error {
        rustls::Error::InconsistentKeys(_) => Error::new(
            Code::Tls,
            format!("the key in {} does not belong to the certificate in {}", key.origin, certificate.origin),
        ),
        error => Error::new(
            Code::Tls,
            format!("use the client certificate in {} with the key in {}", certificate.origin, key.origin),
        )
        .because(error),
    }
}
