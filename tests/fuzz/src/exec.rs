//! Reads what the fuzzer makes of exec plugins' answers, in each version.
//!
//! Besides that nothing panics, hangs or grows: no error quotes the answer, `Debug` shows no credential, and what is taken has a credential in it.

#![no_main]

use libfuzzer_sys::fuzz_target;
use tidegate_kube::kubeconfig::exec::{Version, parse};

fuzz_target!(|bytes: &[u8]| {
    for version in [Version::V1, Version::V1Beta1, Version::V1Alpha1] {
        match parse(bytes, version) {
            Ok(answer) => {
                assert!(answer.token.is_some() || answer.pair.is_some());
                let shown = format!("{answer:?}");
                assert!(!shown.contains("hush"), "{shown}");
            }
            Err(error) => {
                let source = std::error::Error::source(&error).map(ToString::to_string);
                let shown = format!("{error} {source:?}");
                assert!(!shown.contains("hush"), "{shown}");
            }
        }
    }
});
