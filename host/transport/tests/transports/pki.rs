//! Certificates of all kinds, good and bad.

use std::sync::Arc;

use rcgen::{BasicConstraints, Certificate, CertificateParams, DnType, IsCa, Issuer, KeyPair, date_time_ymd};
use rustls::client::danger::HandshakeSignatureValid;
use rustls::crypto::{CryptoProvider, aws_lc_rs};
use rustls::pki_types::{CertificateDer, PrivateKeyDer, UnixTime};
use rustls::server::WebPkiClientVerifier;
use rustls::server::danger::{ClientCertVerified, ClientCertVerifier};
use rustls::{DigitallySignedStruct, DistinguishedName, RootCertStore, ServerConfig, SignatureScheme};

/// A certificate with its key.
pub(crate) struct Pair {
    pub(crate) certificate: Certificate,
    pub(crate) key: KeyPair,
}

pub(crate) struct Authority {
    pub(crate) pem: String,
    issuer: Issuer<'static, KeyPair>,
}

impl Authority {
    pub(crate) fn new(name: &str) -> Authority {
        let mut params = params(&[]);
        params.distinguished_name.push(DnType::CommonName, name);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let key = KeyPair::generate().expect("key");
        let pem = params.self_signed(&key).expect("certificate").pem();
        Authority { pem, issuer: Issuer::new(params, key) }
    }

    pub(crate) fn issue(&self, names: &[&str]) -> Pair {
        self.issue_params(params(names))
    }

    pub(crate) fn issue_expired(&self, names: &[&str]) -> Pair {
        let mut params = params(names);
        params.not_before = date_time_ymd(2001, 1, 1);
        params.not_after = date_time_ymd(2002, 1, 1);
        self.issue_params(params)
    }

    pub(crate) fn issue_for_later(&self, names: &[&str]) -> Pair {
        let mut params = params(names);
        params.not_before = date_time_ymd(2200, 1, 1);
        params.not_after = date_time_ymd(2201, 1, 1);
        self.issue_params(params)
    }

    fn issue_params(&self, params: CertificateParams) -> Pair {
        let key = KeyPair::generate().expect("key");
        Pair { certificate: params.signed_by(&key, &self.issuer).expect("certificate"), key }
    }
}

/// What `openssl req -x509` makes: self-signed, and an authority besides.
pub(crate) fn openssl_x509(names: &[&str], year: i32) -> Pair {
    let mut params = params(names);
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.not_after = date_time_ymd(year, 1, 1);
    let key = KeyPair::generate().expect("key");
    Pair { certificate: params.self_signed(&key).expect("certificate"), key }
}

impl Pair {
    /// A server that shows it.
    pub(crate) fn server(&self) -> ServerConfig {
        let provider = Arc::new(aws_lc_rs::default_provider());
        let builder = ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
        let key = PrivateKeyDer::try_from(self.key.serialize_der()).expect("key");
        let chain = vec![self.certificate.der().clone()];
        builder.expect("versions").with_no_client_auth().with_single_cert(chain, key).expect("server")
    }

    /// A server that shows it, and wants a client certificate that is signed by this one.
    pub(crate) fn server_for(&self, client_ca: &[u8]) -> ServerConfig {
        use rustls::pki_types::pem::PemObject;
        let provider = Arc::new(aws_lc_rs::default_provider());
        let mut roots = RootCertStore::empty();
        roots.add(CertificateDer::from_pem_slice(client_ca).expect("PEM")).expect("root");
        let verifier: Arc<dyn ClientCertVerifier> =
            WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider.clone())
                .build()
                .expect("verifier");
        let builder = ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
        let key = PrivateKeyDer::try_from(self.key.serialize_der()).expect("key");
        let chain = vec![self.certificate.der().clone()];
        builder
            .expect("versions")
            .with_client_cert_verifier(verifier)
            .with_single_cert(chain, key)
            .expect("server")
    }

    /// A server that shows it, asks for a client certificate, and leaves it to others to judge that.
    pub(crate) fn server_for_any(&self) -> ServerConfig {
        let provider = Arc::new(aws_lc_rs::default_provider());
        let verifier: Arc<dyn ClientCertVerifier> = Arc::new(Anybody(provider.clone()));
        let builder = ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
        let key = PrivateKeyDer::try_from(self.key.serialize_der()).expect("key");
        let chain = vec![self.certificate.der().clone()];
        builder
            .expect("versions")
            .with_client_cert_verifier(verifier)
            .with_single_cert(chain, key)
            .expect("server")
    }
}

/// Believes whoever has the key of the certificate that it shows, and whoever shows none.
#[derive(Debug)]
struct Anybody(Arc<CryptoProvider>);

impl ClientCertVerifier for Anybody {
    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        &[]
    }

    fn client_auth_mandatory(&self) -> bool {
        false
    }

    fn verify_client_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: UnixTime,
    ) -> Result<ClientCertVerified, rustls::Error> {
        Ok(ClientCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let algorithms = &self.0.signature_verification_algorithms;
        rustls::crypto::verify_tls12_signature(message, certificate, signed, algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let algorithms = &self.0.signature_verification_algorithms;
        rustls::crypto::verify_tls13_signature(message, certificate, signed, algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}

fn params(names: &[&str]) -> CertificateParams {
    let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
    CertificateParams::new(names).expect("names")
}
