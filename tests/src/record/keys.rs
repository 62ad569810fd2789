//! The keys of every recorder of this process, and the files that kubeconfigs name.

use std::path::Path;
use std::sync::{Arc, LazyLock};

use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DnType, ExtendedKeyUsagePurpose, IsCa, KeyPair,
    KeyUsagePurpose, PKCS_ECDSA_P256_SHA256, PKCS_ECDSA_P521_SHA512, PKCS_RSA_SHA256, SignatureAlgorithm,
};
use rustls::pki_types::{CertificateDer, PrivateKeyDer, UnixTime};
use rustls::server::danger::{ClientCertVerified, ClientCertVerifier};
use rustls::{DigitallySignedStruct, DistinguishedName, ServerConfig, SignatureScheme};

use super::Door;

/// Made once for the process: a server that any of its recorders shows, and clients.
#[derive(Debug)]
pub struct Keys {
    files: Vec<(String, String)>,
    certificates: Vec<(String, CertificateDer<'static>)>,
    server: Arc<ServerConfig>,
    given: Arc<ServerConfig>,
}

/// The names that the server's certificate is good for.
const NAMES: [&str; 5] = ["127.0.0.1", "::1", "localhost", "tls.example", "cluster.example"];

impl Keys {
    /// The keys of this process.
    ///
    /// # Panics
    /// Where they cannot be made.
    pub fn shared() -> &'static Keys {
        static KEYS: LazyLock<Keys> = LazyLock::new(Keys::make);
        &KEYS
    }

    /// Writes all of them into a folder. `ca.crt` signed the server, `other.crt` nobody; `bundle.crt` has both, `given.crt` is the certificate
    /// of [`Door::Given`] itself. Of the clients `alice` (P-256), `bob` (RSA) and `carol` (P-521) there are `NAME.crt` and `NAME.key` (PKCS#8);
    /// `alice.sec1.key` and `bob.pkcs1.key` are the same keys in their older forms.
    ///
    /// # Panics
    /// Where they cannot be written.
    #[expect(clippy::expect_used, reason = "a test without its files fails")]
    pub fn write(&self, folder: &Path) {
        for (name, text) in &self.files {
            std::fs::write(folder.join(name), text).expect("write a key");
        }
    }

    pub(super) fn server(&self, door: Door) -> Arc<ServerConfig> {
        if door == Door::Given { self.given.clone() } else { self.server.clone() }
    }

    /// The certificate's file, or what says that it is none of ours.
    pub(super) fn name_of(&self, certificate: &CertificateDer<'_>) -> String {
        let found = self.certificates.iter().find(|(_, own)| own == certificate);
        found.map_or_else(|| "a stranger's certificate".to_owned(), |(name, _)| name.clone())
    }

    #[expect(clippy::expect_used, reason = "a test without its keys fails")]
    fn make() -> Keys {
        let [authority, other, clients] = ["the recorder's", "nobody's", "the clients'"].map(issuer);
        let mut files = vec![
            ("ca.crt".to_owned(), authority.pem()),
            ("other.crt".to_owned(), other.pem()),
            ("bundle.crt".to_owned(), format!("# Two authorities.\n{}\n{}", other.pem(), authority.pem())),
        ];
        let mut certificates = Vec::new();
        let algorithms: [(&str, &'static SignatureAlgorithm); 3] = [
            ("alice", &PKCS_ECDSA_P256_SHA256),
            ("bob", &PKCS_RSA_SHA256),
            ("carol", &PKCS_ECDSA_P521_SHA512),
        ];
        for (name, algorithm) in algorithms {
            let key = KeyPair::generate_for(algorithm).expect("a key");
            let mut params = CertificateParams::default();
            params.distinguished_name.push(DnType::CommonName, name);
            params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
            let certificate = params.signed_by(&key, &clients).expect("a certificate");
            files.push((format!("{name}.crt"), certificate.pem()));
            files.push((format!("{name}.key"), key.serialize_pem()));
            match name {
                "alice" => files.push(("alice.sec1.key".to_owned(), sec1(&key))),
                "bob" => files.push(("bob.pkcs1.key".to_owned(), pkcs1(&key))),
                _ => {}
            }
            certificates.push((name.to_owned(), certificate.der().clone()));
        }
        let (server, _) = server(|params, key| params.signed_by(key, &authority));
        let (given, pem) = server_of_itself();
        files.push(("given.crt".to_owned(), pem));
        Keys { files, certificates, server, given }
    }
}

/// What `openssl req -x509` makes.
fn server_of_itself() -> (Arc<ServerConfig>, String) {
    server(|mut params, key| {
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.self_signed(key)
    })
}

#[expect(clippy::expect_used, reason = "a test without its keys fails")]
fn server(
    sign: impl FnOnce(CertificateParams, &KeyPair) -> Result<rcgen::Certificate, rcgen::Error>,
) -> (Arc<ServerConfig>, String) {
    let key = KeyPair::generate().expect("a key");
    let names: Vec<String> = NAMES.map(str::to_owned).into();
    let mut params = CertificateParams::new(names).expect("names");
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    let certificate = sign(params, &key).expect("a certificate");
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let mut config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .expect("TLS versions")
        .with_client_cert_verifier(Arc::new(Anybody))
        .with_single_cert(vec![certificate.der().clone()], PrivateKeyDer::Pkcs8(key.serialize_der().into()))
        .expect("a certificate and its key");
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    (Arc::new(config), certificate.pem())
}

#[expect(clippy::expect_used, reason = "a test without its keys fails")]
fn issuer(name: &str) -> CertifiedIssuer<'static, KeyPair> {
    let mut params = CertificateParams::default();
    params.distinguished_name.push(DnType::CommonName, format!("{name} authority"));
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::DigitalSignature];
    CertifiedIssuer::self_signed(params, KeyPair::generate().expect("a key")).expect("an authority")
}

/// RFC 5915, with the curve's name: PKCS#8 has it outside of the key.
fn sec1(key: &KeyPair) -> String {
    const BEFORE: [u8; 7] = [0x30, 0x77, 0x02, 0x01, 0x01, 0x04, 0x20];
    const BETWEEN: [u8; 17] = [
        0xa0, 0x0a, 0x06, 0x08, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07, 0xa1, 0x44, 0x03, 0x42, 0x00,
    ];
    let der = key.serialize_der();
    let private = after(&der, &BEFORE[2..]);
    pem("EC PRIVATE KEY", &[&BEFORE, &private[..32], &BETWEEN, key.public_key_raw()].concat())
}

/// RFC 8017: what PKCS#8 wraps, an octet string whose length takes two bytes.
fn pkcs1(key: &KeyPair) -> String {
    let der = key.serialize_der();
    pem("RSA PRIVATE KEY", &after(&der, &[0x05, 0x00, 0x04, 0x82])[2..])
}

#[expect(clippy::expect_used, reason = "a test without its keys fails")]
fn after<'a>(der: &'a [u8], mark: &[u8]) -> &'a [u8] {
    let at = der.windows(mark.len()).position(|window| window == mark).expect("a private key");
    &der[at + mark.len()..]
}

fn pem(label: &str, der: &[u8]) -> String {
    use base64::Engine as _;
    let text = base64::engine::general_purpose::STANDARD.encode(der);
    let lines: Vec<_> = text.as_bytes().chunks(64).map(String::from_utf8_lossy).collect();
    format!("-----BEGIN {label}-----\n{}\n-----END {label}-----\n", lines.join("\n"))
}

/// Takes any certificate, and no certificate too.
#[derive(Debug)]
struct Anybody;

impl ClientCertVerifier for Anybody {
    fn client_auth_mandatory(&self) -> bool {
        false
    }

    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        &[]
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
    ) -> Result<rustls::client::danger::HandshakeSignatureValid, rustls::Error> {
        let algorithms = rustls::crypto::aws_lc_rs::default_provider().signature_verification_algorithms;
        rustls::crypto::verify_tls12_signature(message, certificate, signed, &algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<rustls::client::danger::HandshakeSignatureValid, rustls::Error> {
        let algorithms = rustls::crypto::aws_lc_rs::default_provider().signature_verification_algorithms;
        rustls::crypto::verify_tls13_signature(message, certificate, signed, &algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        rustls::crypto::aws_lc_rs::default_provider().signature_verification_algorithms.supported_schemes()
    }
}
