//! Why there is no connection.

use std::fmt;
use std::io;
use std::net::SocketAddr;

use tidegate_grants::{AddressRefused, Endpoint};

/// A connection that was not made.
///
/// Displays as one line for people, e.g. `connect to "k8s.corp:443": timed out while dialling`; an operating system's own
/// words are its source.
#[derive(Debug)]
pub struct ConnectError {
    endpoint: Endpoint,
    failure: ConnectFailure,
}

/// What went wrong.
#[derive(Debug)]
#[non_exhaustive]
pub enum ConnectFailure {
    /// The name could not be resolved.
    Resolve(io::Error),
    /// The name exists and has no address.
    NoAddress,
    /// The guest's own flag, `--wasi-net`, does not cover the endpoint or any address that it has, or a transport uses it.
    NotTheGuests,
    /// Every address that the name has may not be dialled; never empty.
    Refused(Vec<AddressRefused>),
    /// No checked address could be dialled; each with its own error; never empty.
    Dial(Vec<(SocketAddr, io::Error)>),
    /// The deadline passed while resolving.
    ResolveTimeout,
    /// The deadline passed while dialling.
    DialTimeout,
}

impl ConnectError {
    /// Where the connection was to go.
    pub fn endpoint(&self) -> &Endpoint {
        &self.endpoint
    }

    /// What went wrong.
    pub fn failure(&self) -> &ConnectFailure {
        &self.failure
    }

    /// Whether the deadline passed.
    pub fn is_timeout(&self) -> bool {
        matches!(self.failure, ConnectFailure::ResolveTimeout | ConnectFailure::DialTimeout)
    }

    /// Whether grants are what is in the way: see [`ConnectError::missing`].
    pub fn is_refused(&self) -> bool {
        matches!(self.failure, ConnectFailure::Refused(_) | ConnectFailure::NotTheGuests)
    }

    /// The flags that would admit the refused addresses; empty where nothing was refused or a deny flag is in the way.
    pub fn missing(&self) -> Vec<String> {
        match &self.failure {
            ConnectFailure::Refused(refused) => refused.iter().filter_map(AddressRefused::flag).collect(),
            _ => Vec::new(),
        }
    }

    pub(crate) fn new(endpoint: &Endpoint, failure: ConnectFailure) -> Self {
        Self { endpoint: endpoint.clone(), failure }
    }
}

impl fmt::Display for ConnectError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "connect to \"{}\"", self.endpoint)?;
        match &self.failure {
            ConnectFailure::Resolve(_) => f.write_str(": the name cannot be resolved"),
            ConnectFailure::NoAddress => f.write_str(": the name has no address"),
            ConnectFailure::NotTheGuests => f.write_str(": --wasi-net does not let the guest go there"),
            ConnectFailure::Refused(refused) => {
                let refused: Vec<String> = refused.iter().map(ToString::to_string).collect();
                write!(f, ": {}", refused.join("; "))
            }
            ConnectFailure::Dial(failures) => {
                let addresses: Vec<String> =
                    failures.iter().map(|(address, _)| address.to_string()).collect();
                write!(f, ": no answer from {}", addresses.join(", "))
            }
            ConnectFailure::ResolveTimeout => f.write_str(": timed out while resolving the name"),
            ConnectFailure::DialTimeout => f.write_str(": timed out while dialling"),
        }
    }
}

impl std::error::Error for ConnectError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match &self.failure {
            ConnectFailure::Resolve(source) => Some(source),
            // Of several addresses the last error is as good as any; all are in `failure`.
            ConnectFailure::Dial(failures) => failures.last().map(|(_, source)| source as _),
            _ => None,
        }
    }
}
