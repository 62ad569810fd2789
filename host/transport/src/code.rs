use std::fmt;

/// What kind of failure an [`Error`](crate::Error) is. The words are those of `wit/types.wit`, and the set may grow.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Code {
    /// Not granted; [`Error::missing`](crate::Error::missing) names the flags.
    PermissionDenied,
    /// The server answered with anything but 2xx; see [`Error::status`](crate::Error::status).
    Status,
    /// No transport works; see [`Error::failures`](crate::Error::failures).
    NoClient,
    /// Refused before anything was sent.
    InvalidRequest,
    /// This transport or this version cannot do it.
    Unsupported,
    /// What the transport needs is not there.
    NotConfigured,
    /// No connection could be made, or it broke before an answer came.
    Unreachable,
    /// The TLS handshake failed, or the TLS configuration is broken.
    Tls,
    /// The server does not accept the credential, or wants one.
    Unauthorized,
    /// Something in front of the API server refuses.
    Forbidden,
    /// What answers is no Kubernetes API server.
    NotKubernetes,
    /// A deadline passed; the message says which.
    Timeout,
    /// A cap was hit; the message names it.
    TooLarge,
    /// The peer's answer is malformed or was cut short.
    Protocol,
    /// The peer answered with a redirect.
    Redirect,
    /// The handle was used up, or its other half was dropped.
    Closed,
    /// The server has no resource of that name; the message names those that are like it.
    UnsupportedResource,
    /// A hook of whoever embeds tidegate ended the request; the message names it.
    Halted,
    /// What was asked for belongs to another, or is not there: an address to listen on.
    Unavailable,
    /// A limit of this guest was reached; [`Error::limit`](crate::Error::limit) is which.
    Limit,
}

impl Code {
    /// The word that guests see.
    pub fn as_str(self) -> &'static str {
        match self {
            Code::PermissionDenied => "permission-denied",
            Code::Status => "status",
            Code::NoClient => "no-client",
            Code::InvalidRequest => "invalid-request",
            Code::Unsupported => "unsupported",
            Code::NotConfigured => "not-configured",
            Code::Unreachable => "unreachable",
            Code::Tls => "tls",
            Code::Unauthorized => "unauthorized",
            Code::Forbidden => "forbidden",
            Code::NotKubernetes => "not-kubernetes",
            Code::Timeout => "timeout",
            Code::TooLarge => "too-large",
            Code::Protocol => "protocol",
            Code::Redirect => "redirect",
            Code::Closed => "closed",
            Code::UnsupportedResource => "unsupported-resource",
            Code::Halted => "halted",
            Code::Unavailable => "unavailable",
            Code::Limit => "limit",
        }
    }
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}
