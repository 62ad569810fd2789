//! The right to connect to one endpoint.

use std::fmt;
use std::net::SocketAddr;
use std::sync::Arc;

use tidegate_grants::{AddressRefused, Endpoint, Host};
use tokio::time::{Instant, timeout_at};

use crate::authority::Inner;
use crate::net::dial::dial;
use crate::net::error::{ConnectError, ConnectFailure};
use crate::net::stream::TcpStream;

/// The right to connect to one endpoint, as often as needed.
#[derive(Clone)]
pub struct NetGrant {
    authority: Arc<Inner>,
    endpoint: Endpoint,
}

impl NetGrant {
    /// The endpoint.
    pub fn endpoint(&self) -> &Endpoint {
        &self.endpoint
    }

    /// Connects before the deadline, which covers resolving and dialling together.
    ///
    /// The name is resolved once, every address is checked against the grants, and the checked addresses are dialled as
    /// they are: a name that would resolve differently the next time gains nothing. Addresses that are refused are left
    /// out; only if none remains is that the error. The stream sends small writes at once (`TCP_NODELAY`).
    pub async fn connect(&self, deadline: Instant) -> Result<TcpStream, ConnectError> {
        connect_checked(&self.authority, &self.endpoint, deadline, |resolved| self.check(resolved)).await
    }

    pub(crate) fn new(authority: Arc<Inner>, endpoint: Endpoint) -> Self {
        Self { authority, endpoint }
    }

    fn check(&self, resolved: Vec<SocketAddr>) -> Result<Vec<SocketAddr>, ConnectFailure> {
        let mut checked = Vec::new();
        let mut refused: Vec<AddressRefused> = Vec::new();
        for address in resolved {
            match self.authority.grants.admits_address(&self.endpoint, address) {
                Ok(()) if checked.contains(&address) => {}
                Ok(()) => checked.push(address),
                Err(refusal) if refused.contains(&refusal) => {}
                Err(refusal) => refused.push(refusal),
            }
        }
        if checked.is_empty() { Err(ConnectFailure::Refused(refused)) } else { Ok(checked) }
    }
}

impl fmt::Debug for NetGrant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("NetGrant").field(&self.endpoint).finish()
    }
}

/// Resolves once, lets `check` pick from the answer, and dials just that, before the one deadline.
pub(crate) async fn connect_checked(
    authority: &Inner,
    endpoint: &Endpoint,
    deadline: Instant,
    check: impl FnOnce(Vec<SocketAddr>) -> Result<Vec<SocketAddr>, ConnectFailure>,
) -> Result<TcpStream, ConnectError> {
    let fail = |failure| Err(ConnectError::new(endpoint, failure));
    let resolved = match timeout_at(deadline, resolve(authority, endpoint)).await {
        Ok(Ok(addresses)) => addresses,
        Ok(Err(failure)) => return fail(failure),
        Err(_) => return fail(ConnectFailure::ResolveTimeout),
    };
    let checked = match check(resolved) {
        Ok(checked) => checked,
        Err(failure) => return fail(failure),
    };
    match timeout_at(deadline, dial(checked)).await {
        Ok(Ok(stream)) => Ok(stream),
        Ok(Err(failures)) => fail(ConnectFailure::Dial(failures)),
        Err(_) => fail(ConnectFailure::DialTimeout),
    }
}

/// The endpoint's addresses, in the form in which they are judged and dialled; never none.
pub(crate) async fn resolve(
    authority: &Inner,
    endpoint: &Endpoint,
) -> Result<Vec<SocketAddr>, ConnectFailure> {
    let port = endpoint.port();
    let resolved = match endpoint.host() {
        Host::Address(address) => vec![SocketAddr::new(*address, port)],
        Host::Name(name) => {
            (authority.resolver)(name.clone(), port).await.map_err(ConnectFailure::Resolve)?
        }
    };
    if resolved.is_empty() {
        return Err(ConnectFailure::NoAddress);
    }
    Ok(resolved.into_iter().map(canonical).collect())
}

/// The form that is judged is the form that is dialled: an IPv4-mapped address becomes its IPv4 address.
fn canonical(address: SocketAddr) -> SocketAddr {
    match address.ip().to_canonical() {
        ip if ip.is_ipv4() => SocketAddr::new(ip, address.port()),
        // Kept whole: a link-local address is useless without its scope.
        _ => address,
    }
}
