use std::sync::Arc;

use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::ServerCertVerifier;
use rustls::crypto::{CryptoProvider, aws_lc_rs};
use rustls::pki_types::pem::{self, PemObject};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ClientConfig, RootCertStore};
use tidegate_kube::Secret;

use super::verify::{Given, Unchecked};
use crate::{Code, Error};

/// How the server proves itself to us, and we to it.
#[derive(Clone, Debug)]
pub(crate) struct Tls {
    pub(crate) trust: Trust,
    /// For SNI and verification, instead of the server's host.
    pub(crate) server_name: Option<String>,
    pub(crate) identity: Option<Identity>,
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

/// A client certificate with its key.
#[derive(Clone, Debug)]
pub(crate) struct Identity {
    pub(crate) certificate: Certificates,
    pub(crate) key: Material,
}

/// PEM text.
#[derive(Clone, Debug)]
pub(crate) struct Material {
    pub(crate) pem: Secret<Vec<u8>>,
    /// In words for people: a path, or a field of a document.
    pub(crate) origin: String,
}

/// Checks everything that can be checked without the server.
///
/// Errors, all [`Code::Tls`]: a bundle that is empty or holds a broken certificate, a key that cannot be read or that belongs to
/// another certificate.
pub(crate) fn client_config(tls: &Tls) -> Result<ClientConfig, Error> {
    let provider = Arc::new(aws_lc_rs::default_provider());
    let builder = ClientConfig::builder_with_provider(provider.clone())
        .with_safe_default_protocol_versions()
        .map_err(|error| Error::new(Code::Tls, "prepare TLS").because(error))?
        .dangerous()
        .with_custom_certificate_verifier(verifier(&tls.trust, provider)?);
    let mut config = match &tls.identity {
        None => builder.with_no_client_auth(),
        Some(Identity { certificate, key }) => builder
            .with_client_auth_cert(certificates(certificate)?, private_key(key)?)
            .map_err(|error| identity_error(certificate, key, error))?,
    };
    // Without a choice between protocols there is no surprise; `h2` joins when there is something behind it.
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(config)
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

fn identity_error(certificate: &Certificates, key: &Material, error: rustls::Error) -> Error {
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
