use std::fmt;

use crate::{Code, Error, Kind};

/// Why a transport could not be used. The words are those of `wit/types.wit`, and the set may grow.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Reason {
    /// Something that it needs is not granted.
    PermissionDenied,
    /// There is nothing to use: no service account, no kubeconfig, no kubectl.
    NotConfigured,
    /// Nobody answers there.
    Unreachable,
    /// The TLS configuration or handshake failed.
    Tls,
    /// The server does not accept the credential, or wants one.
    Unauthorized,
    /// Something in front of the API server refuses.
    Forbidden,
    /// What answers is no Kubernetes API server.
    NotKubernetes,
    /// No answer within the deadline.
    Timeout,
    /// The configuration asks for something that this version cannot do.
    Unsupported,
}

impl Reason {
    /// The word that guests see.
    pub fn as_str(self) -> &'static str {
        match self {
            Reason::PermissionDenied => "permission-denied",
            Reason::NotConfigured => "not-configured",
            Reason::Unreachable => "unreachable",
            Reason::Tls => "tls",
            Reason::Unauthorized => "unauthorized",
            Reason::Forbidden => "forbidden",
            Reason::NotKubernetes => "not-kubernetes",
            Reason::Timeout => "timeout",
            Reason::Unsupported => "unsupported",
        }
    }

    /// The word in the list that people read: `PermissionDenied`.
    fn title(self) -> &'static str {
        match self {
            Reason::PermissionDenied => "PermissionDenied",
            Reason::NotConfigured => "NotConfigured",
            Reason::Unreachable => "Unreachable",
            Reason::Tls => "Tls",
            Reason::Unauthorized => "Unauthorized",
            Reason::Forbidden => "Forbidden",
            Reason::NotKubernetes => "NotKubernetes",
            Reason::Timeout => "Timeout",
            Reason::Unsupported => "Unsupported",
        }
    }

    /// Whether the transport was configured, so that falling through to another one may surprise.
    pub(crate) fn was_configured(self) -> bool {
        !matches!(self, Reason::PermissionDenied | Reason::NotConfigured)
    }

    pub(crate) fn of(code: Code) -> Reason {
        match code {
            Code::PermissionDenied => Reason::PermissionDenied,
            Code::NotConfigured | Code::NoClient => Reason::NotConfigured,
            Code::Unreachable | Code::Closed => Reason::Unreachable,
            Code::Tls => Reason::Tls,
            Code::Unauthorized => Reason::Unauthorized,
            Code::Forbidden => Reason::Forbidden,
            Code::Timeout => Reason::Timeout,
            Code::Unsupported
            | Code::InvalidRequest
            | Code::UnsupportedResource
            | Code::Halted
            | Code::Unavailable
            | Code::Limit => Reason::Unsupported,
            Code::NotKubernetes | Code::Status | Code::TooLarge | Code::Protocol | Code::Redirect => {
                Reason::NotKubernetes
            }
        }
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// Why one transport could not be used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// Which one.
    pub transport: Kind,
    /// Why, as a word to act on.
    pub reason: Reason,
    /// Why, for people: what was tried and what came of it.
    pub detail: String,
    /// The flags to add; empty unless the reason is [`Reason::PermissionDenied`].
    pub missing: Vec<String>,
}

impl Failure {
    pub(crate) fn of(transport: Kind, error: &Error) -> Failure {
        Failure {
            transport,
            reason: Reason::of(error.code()),
            detail: error.report(),
            missing: error.missing().to_vec(),
        }
    }
}

/// `InCluster PermissionDenied: read access to "…", run again with --allow-read=…`.
impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}: {}", self.transport, self.reason.title(), self.detail)
    }
}

/// No transport works: why, for each that was tried, in order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NoClient {
    /// One for each transport.
    pub failures: Vec<Failure>,
}

/// A headline, then a line for each transport.
impl fmt::Display for NoClient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Failed to load any possible Kubernetes clients:")?;
        self.failures.iter().try_for_each(|failure| write!(f, "\n- {failure}"))
    }
}

impl std::error::Error for NoClient {}
