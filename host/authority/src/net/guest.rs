//! The guest's own way to the network (`--wasi-net`, row H6).

use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use tidegate_grants::{Endpoint, Host, Need, destination};
use tokio::time::{Instant, timeout_at};

use crate::authority::Inner;
use crate::net::error::{ConnectError, ConnectFailure};
use crate::net::grant::{connect_checked, resolve};
use crate::net::stream::TcpStream;

/// Connections and look-ups that a guest makes by itself. Cheap to clone.
///
/// Bounded by the `--wasi-net` and `--deny-net` flags, never by `--allow-net`; what a transport uses is out of reach
/// whatever they say, under every name and address that it has.
#[derive(Clone)]
pub struct GuestNet {
    authority: Arc<Inner>,
    protected: Arc<[Endpoint]>,
}

impl GuestNet {
    /// Connects before the deadline, as [`NetGrant::connect`](crate::NetGrant::connect) does: one look-up, each address
    /// checked, the checked ones dialled. Errors besides: [`ConnectFailure::NotTheGuests`].
    pub async fn connect(&self, endpoint: &Endpoint, deadline: Instant) -> Result<TcpStream, ConnectError> {
        if !self.is_granted(endpoint) {
            return Err(ConnectError::new(endpoint, ConnectFailure::NotTheGuests));
        }
        let protected = timeout_at(deadline, self.protected_addresses(endpoint.port())).await;
        let Ok(protected) = protected else {
            return Err(ConnectError::new(endpoint, ConnectFailure::ResolveTimeout));
        };
        let wasi = self.authority.grants.wasi();
        let check = |resolved: Vec<SocketAddr>| {
            let admitted = |address: &SocketAddr| {
                wasi.admits_address(endpoint, *address).is_ok()
                    && !protected.contains(&destination(address.ip()))
            };
            let checked: Vec<SocketAddr> = resolved.into_iter().filter(admitted).collect();
            if checked.is_empty() { Err(ConnectFailure::NotTheGuests) } else { Ok(checked) }
        };
        connect_checked(&self.authority, endpoint, deadline, check).await
    }

    /// The addresses of a name that is granted for one port at least, before the deadline; of an address, itself. What is
    /// then done with them is judged apart: see [`GuestNet::admits`].
    pub async fn resolve(&self, host: &Host, deadline: Instant) -> Result<Vec<IpAddr>, ConnectError> {
        // The port is for the error's text alone.
        let endpoint = Endpoint::new(host.clone(), 0);
        if matches!(host, Host::Name(_)) && !self.authority.grants.wasi().admits_host(host) {
            return Err(ConnectError::new(&endpoint, ConnectFailure::NotTheGuests));
        }
        match timeout_at(deadline, resolve(&self.authority, &endpoint)).await {
            Ok(Ok(addresses)) => Ok(addresses.iter().map(SocketAddr::ip).collect()),
            Ok(Err(failure)) => Err(ConnectError::new(&endpoint, failure)),
            Err(_) => Err(ConnectError::new(&endpoint, ConnectFailure::ResolveTimeout)),
        }
    }

    /// Whether the guest's own socket may go to `address` as one of the endpoint's addresses, at the endpoint's port.
    pub async fn admits(&self, endpoint: &Endpoint, address: IpAddr) -> bool {
        let address = SocketAddr::new(address.to_canonical(), endpoint.port());
        self.is_granted(endpoint)
            && self.authority.grants.wasi().admits_address(endpoint, address).is_ok()
            && !self.protected_addresses(endpoint.port()).await.contains(&destination(address.ip()))
    }

    pub(crate) fn new(authority: Arc<Inner>, protected: Vec<Endpoint>) -> Self {
        Self { authority, protected: protected.into() }
    }

    fn is_granted(&self, endpoint: &Endpoint) -> bool {
        let need = Need::Net(endpoint.clone());
        self.authority.grants.wasi().judge(&need).is_granted() && !self.protected.contains(endpoint)
    }

    /// Where the protected endpoints of that port are now. One that cannot be resolved is nowhere to be reached either.
    async fn protected_addresses(&self, port: u16) -> Vec<IpAddr> {
        let mut addresses = Vec::new();
        for endpoint in self.protected.iter().filter(|endpoint| endpoint.port() == port) {
            let resolved = resolve(&self.authority, endpoint).await.unwrap_or_default();
            addresses.extend(resolved.iter().map(|address| destination(address.ip())));
        }
        addresses
    }
}

impl fmt::Debug for GuestNet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("GuestNet").field("protected", &self.protected).finish_non_exhaustive()
    }
}
