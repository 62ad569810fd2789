//! Where a guest's own sockets and requests may go.

use std::collections::HashMap;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tidegate_grants::{Endpoint, Host, Kind, Need, WasiGrants};
use wasmtime_wasi::WasiCtxBuilder;
use wasmtime_wasi::sockets::SocketAddrUse;

/// How many addresses a guest's look-ups are remembered for.
const REMEMBERED: usize = 4096;

/// One guest's own reach into the network. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Reach(Option<Arc<Policy>>);

struct Policy {
    grants: WasiGrants,
    protected: Vec<Endpoint>,
    /// What the guest's own look-ups gave: which names stand for an address. A socket is opened by address, and a grant may be of
    /// a name.
    names: Mutex<HashMap<IpAddr, Vec<Host>>>,
}

/// Why a guest may not.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Refused {
    /// No `--wasi-net` names it, a `--deny-net` does, or a transport uses it.
    NotGranted,
    /// The name leads nowhere.
    NotFound,
}

impl Reach {
    /// Into nothing.
    pub(super) fn nothing() -> Self {
        Self(None)
    }

    pub(super) fn new(grants: WasiGrants, protected: Vec<Endpoint>) -> Self {
        if grants.is_empty(Kind::Net) {
            return Self::nothing();
        }
        Self(Some(Arc::new(Policy { grants, protected, names: Mutex::default() })))
    }

    /// Judges every socket address that the guest uses.
    pub(super) fn check(self, wasi: &mut WasiCtxBuilder) {
        let Some(policy) = self.0 else { return };
        wasi.socket_addr_check(move |address, purpose| {
            let policy = policy.clone();
            Box::pin(async move { policy.admits_socket(address, purpose).await })
        });
    }

    /// The addresses of a name that is granted, if only for one port: a socket is judged again with its port.
    pub(super) async fn resolve(&self, name: &str) -> Result<Vec<IpAddr>, Refused> {
        let host = Host::parse(name).map_err(|_| Refused::NotFound)?;
        if let Host::Address(address) = host {
            return Ok(vec![address]);
        }
        let policy = self.0.as_ref().filter(|policy| policy.admits_name(&host)).ok_or(Refused::NotGranted)?;
        let resolved = resolve(&host, 0).await.map_err(|_| Refused::NotFound)?;
        let addresses: Vec<IpAddr> = resolved.iter().map(SocketAddr::ip).collect();
        policy.remember(&host, &addresses);
        Ok(addresses)
    }

    /// The addresses of an endpoint that may be dialled.
    pub(super) async fn dialable(&self, endpoint: &Endpoint) -> Result<Vec<SocketAddr>, Refused> {
        let policy = self.0.as_ref().ok_or(Refused::NotGranted)?;
        if !policy.grants.judge(&Need::Net(endpoint.clone())).is_granted() {
            return Err(Refused::NotGranted);
        }
        let resolved = resolve(endpoint.host(), endpoint.port()).await.map_err(|_| Refused::NotFound)?;
        let mut admitted = Vec::new();
        for address in resolved {
            if policy.grants.admits_address(endpoint, address).is_ok() && !policy.is_protected(address).await
            {
                admitted.push(address);
            }
        }
        if admitted.is_empty() { Err(Refused::NotGranted) } else { Ok(admitted) }
    }
}

impl Policy {
    async fn admits_socket(&self, address: SocketAddr, purpose: SocketAddrUse) -> bool {
        let address = SocketAddr::new(address.ip().to_canonical(), address.port());
        match purpose {
            // What the system does before a connection or a datagram; a port of its own choice is not for a guest.
            SocketAddrUse::TcpBind | SocketAddrUse::UdpBind => {
                address.port() == 0 && address.ip().is_unspecified()
            }
            // Nothing grants listening yet.
            SocketAddrUse::TcpListen | SocketAddrUse::TcpAccept => false,
            SocketAddrUse::TcpConnect | SocketAddrUse::UdpSend | SocketAddrUse::UdpReceive => {
                self.admits_peer(address) && !self.is_protected(address).await
            }
        }
    }

    /// Whether the address is granted, or a name is that the guest looked up and that leads to it.
    fn admits_peer(&self, address: SocketAddr) -> bool {
        let granted = |host: Host| {
            let endpoint = Endpoint::new(host, address.port());
            self.grants.judge(&Need::Net(endpoint.clone())).is_granted()
                && self.grants.admits_address(&endpoint, address).is_ok()
        };
        let names = self.lock().get(&address.ip()).cloned().unwrap_or_default();
        granted(Host::from(address.ip())) || names.into_iter().any(granted)
    }

    /// Whether a transport uses that endpoint, under whatever name.
    async fn is_protected(&self, address: SocketAddr) -> bool {
        for endpoint in self.protected.iter().filter(|endpoint| endpoint.port() == address.port()) {
            let addresses = match endpoint.host() {
                Host::Address(own) => vec![SocketAddr::new(*own, endpoint.port())],
                name @ Host::Name(_) => resolve(name, endpoint.port()).await.unwrap_or_default(),
            };
            if addresses.iter().any(|own| own.ip() == address.ip()) {
                return true;
            }
        }
        false
    }

    fn admits_name(&self, host: &Host) -> bool {
        let granted = |port| self.grants.judge(&Need::Net(Endpoint::new(host.clone(), port))).is_granted();
        // The usual ports first: a pattern that names no port admits them, and most that do name one of these.
        [443, 80, 6443, 53].into_iter().chain(1..=u16::MAX).any(granted)
    }

    fn remember(&self, host: &Host, addresses: &[IpAddr]) {
        let mut names = self.lock();
        for address in addresses {
            if names.len() >= REMEMBERED && !names.contains_key(address) {
                return;
            }
            let known = names.entry(*address).or_default();
            if !known.contains(host) && known.len() < 64 {
                known.push(host.clone());
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<IpAddr, Vec<Host>>> {
        self.names.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The system's answer, IPv4-mapped addresses as what they are.
#[allow(clippy::disallowed_methods, reason = "the guest's own look-up, of a name that `--wasi-net` grants")]
async fn resolve(host: &Host, port: u16) -> io::Result<Vec<SocketAddr>> {
    let canonical = |address: SocketAddr| SocketAddr::new(address.ip().to_canonical(), address.port());
    match host {
        Host::Address(address) => Ok(vec![SocketAddr::new(*address, port)]),
        Host::Name(name) => {
            Ok(tokio::net::lookup_host((name.as_str(), port)).await?.map(canonical).collect())
        }
    }
}
