//! From a YAML tree to the schema.

/// Why a document is no kubeconfig. The file's text is not in the message.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ParseError {
    /// The document is too long.
    #[error("the kubeconfig is longer than the cap of {cap} bytes")]
    TooLong {
        /// The cap in bytes.
        cap: usize,
    },
}
