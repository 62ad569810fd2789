//! Reads what the fuzzer makes of an OpenID Connect issuer's documents and answers, and of `gcloud`'s.
//!
//! Besides that nothing panics, hangs or grows: no error quotes what was read, an endpoint has TLS, and `Debug` shows no token.

#![no_main]

use libfuzzer_sys::fuzz_target;
use tidegate_kube::Secret;
use tidegate_kube::kubeconfig::provider::gcp::Gcp;
use tidegate_kube::kubeconfig::provider::oidc::{error_name, refreshed, token_endpoint};
use tidegate_kube::kubeconfig::{AuthProvider, Scheme};

fuzz_target!(|bytes: &[u8]| {
    match token_endpoint(bytes) {
        Ok(endpoint) => assert_eq!(endpoint.scheme(), Scheme::Https),
        Err(error) => hides(&error.to_string()),
    }
    match refreshed(bytes) {
        Ok(refreshed) => assert!(!refreshed.id_token.expose().is_empty()),
        Err(error) => hides(&error.to_string()),
    }
    if let Some(name) = error_name(bytes) {
        assert!(name.bytes().all(|byte| byte.is_ascii_graphic()), "{name}");
    }
    let config = [
        ("cmd-path", "gcloud"),
        ("token-key", "{.credential.access_token}"),
        ("expiry-key", "{.credential.token_expiry}"),
    ];
    let config = config.map(|(name, value)| (name.to_owned(), Secret::new(value.to_owned()))).into();
    let command = Gcp::of(&AuthProvider { name: "gcp".to_owned(), config }).map(|gcp| gcp.command);
    let Ok(Some(command)) = command else { unreachable!("the entry has a command") };
    if let Err(error) = command.parse(bytes) {
        hides(&error.to_string());
    }
});

fn hides(shown: &str) {
    assert!(!shown.contains("hush"), "{shown}");
}
