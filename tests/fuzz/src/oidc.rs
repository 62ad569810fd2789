//! Reads what the fuzzer makes of an OpenID Connect issuer's documents and answers, and of `gcloud`'s.
//!
//! Besides that nothing panics, hangs or grows: no error quotes what was read, an endpoint has TLS, and `Debug` shows no token.

#![no_main]

use libfuzzer_sys::fuzz_target;
use tidegate_kube::kubeconfig::provider::oidc::{error_name, refreshed, token_endpoint};
use tidegate_kube::kubeconfig::{Scheme, provider};

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
    let command = provider::gcp::Command {
        program: "gcloud".to_owned(),
        args: Vec::new(),
        token_path: vec!["credential".to_owned(), "access_token".to_owned()],
        expiry_path: vec!["credential".to_owned(), "token_expiry".to_owned()],
    };
    if let Err(error) = command.parse(bytes) {
        hides(&error.to_string());
    }
});

fn hides(shown: &str) {
    assert!(!shown.contains("hush"), "{shown}");
}
