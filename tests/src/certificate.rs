use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, ExtendedKeyUsagePurpose, IsCa, KeyPair,
    KeyUsagePurpose, date_time_ymd,
};
use rustls::pki_types::PrivateKeyDer;

/// What a [`Peer`](crate::Peer) shows in its TLS handshake, against the authority that its kubeconfig names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shown {
    /// Nothing: it speaks plain HTTP.
    Plain,
    /// A certificate for the loopback and for `kubernetes.default.svc`, signed by the authority.
    Good,
    /// The same, signed by another authority.
    OtherAuthority,
    /// Signed by the authority, but its time is over.
    Expired,
    /// Signed by the authority, but its time has not come.
    NotYet,
    /// Signed by the authority, for `other.example`.
    OtherName,
    /// Signed by itself, and not what the kubeconfig names.
    SelfSigned,
    /// What `openssl req -x509` makes: self-signed, `CA:TRUE`, and the very certificate that the kubeconfig names.
    Given,
}

/// A server's certificate and key, and the authority to check it with.
pub(crate) struct Identity {
    /// PEM.
    pub(crate) authority: String,
    pub(crate) config: rustls::ServerConfig,
}

/// # Panics
/// Where the certificate cannot be made.
#[expect(clippy::expect_used, reason = "a test without its certificate fails")]
pub(crate) fn identity(shown: Shown) -> Identity {
    let authority = issuer("the tests' authority");
    let other = issuer("another authority");
    let key = KeyPair::generate().expect("a key");
    let mut params = CertificateParams::new(names(shown)).expect("names");
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    match shown {
        Shown::Expired => {
            (params.not_before, params.not_after) = (date_time_ymd(2020, 1, 1), date_time_ymd(2021, 1, 1))
        }
        Shown::NotYet => {
            (params.not_before, params.not_after) = (date_time_ymd(2090, 1, 1), date_time_ymd(2091, 1, 1))
        }
        Shown::Given => params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained),
        _ => {}
    }
    let certificate = match shown {
        Shown::SelfSigned | Shown::Given => params.self_signed(&key),
        Shown::OtherAuthority => params.signed_by(&key, &other),
        _ => params.signed_by(&key, &authority),
    };
    let certificate = certificate.expect("a certificate");
    let provider = std::sync::Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = rustls::ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .expect("TLS versions")
        .with_no_client_auth()
        .with_single_cert(vec![certificate.der().clone()], PrivateKeyDer::Pkcs8(key.serialize_der().into()))
        .expect("a certificate and its key");
    let authority = if shown == Shown::Given { certificate.pem() } else { authority.pem() };
    Identity { authority, config }
}

fn names(shown: Shown) -> Vec<String> {
    match shown {
        Shown::OtherName => vec!["other.example".to_owned()],
        _ => ["127.0.0.1", "::1", "localhost", "kubernetes.default.svc"].map(str::to_owned).into(),
    }
}

#[expect(clippy::expect_used, reason = "a test without its authority fails")]
fn issuer(name: &str) -> CertifiedIssuer<'static, KeyPair> {
    let mut params = CertificateParams::default();
    params.distinguished_name.push(rcgen::DnType::CommonName, name);
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::DigitalSignature];
    CertifiedIssuer::self_signed(params, KeyPair::generate().expect("a key")).expect("an authority")
}
