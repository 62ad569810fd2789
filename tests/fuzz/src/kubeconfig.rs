//! Reads, merges and resolves what the fuzzer makes of the corpus' kubeconfigs.
//!
//! Besides that nothing panics, hangs or grows: no error but of an entry's name quotes the document, and `Debug` shows no credential. The one
//! word that is looked for is `hush`, which the corpus' credentials hold.

#![no_main]

use std::fmt::Debug;

use libfuzzer_sys::fuzz_target;
use tidegate_kube::kubeconfig::{Choice, Document, ParseError, merge, parse};

/// What a credential holds, and nothing that is ours.
const SECRET: &str = "hush";

fuzz_target!(|bytes: &[u8]| {
    // Two files at a byte that no text has, so that merging is fuzzed too.
    let files: Vec<&[u8]> = bytes.splitn(2, |byte| *byte == 0xfe).collect();
    let mut documents: Vec<Document> = Vec::new();
    for file in files {
        match parse(file, "/home/me/.kube/config".as_ref()) {
            Ok(document) => documents.push(document),
            // These name an entry, or what the document calls itself.
            Err(ParseError::Duplicate { .. } | ParseError::Kind { .. }) => {}
            Err(error) => assert!(!error.to_string().contains(SECRET), "{error}"),
        }
    }
    let config = merge(documents);
    let _ = (config.files(), config.programs());
    let contexts: Vec<&str> = config.contexts().keys().map(String::as_str).collect();
    for context in std::iter::once(None).chain(contexts.into_iter().map(Some)) {
        if let Ok(resolved) = config.resolve(&Choice { context, ..Choice::default() }) {
            hides(bytes, &resolved);
            let _ = (resolved.files(), resolved.programs(), resolved.server.to_string());
            let again = resolved.server.to_string().parse();
            assert_eq!(again.as_ref(), Ok(&resolved.server), "a server is read as it is shown");
        }
    }
});

/// A token or password that the document holds once is not in `Debug`.
fn hides(document: &[u8], shown: &impl Debug) {
    let mark: [&[u8]; 2] = [b"token: hush-", b"password: hush-"];
    let count = |mark: &[u8]| document.windows(mark.len()).filter(|window| *window == mark).count();
    if count(SECRET.as_bytes()) == 1 && mark.iter().any(|mark| count(mark) == 1) {
        let shown = format!("{shown:?}");
        assert!(!shown.contains("hush-"), "{shown}");
    }
}
