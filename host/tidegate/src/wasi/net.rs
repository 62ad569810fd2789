//! Where a guest's own sockets and requests may go.

use std::collections::HashMap;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tidegate_authority::{ConnectError, ConnectFailure, GuestNet, TcpStream};
use tidegate_grants::{Endpoint, Host};
use tokio::sync::Semaphore;
use tokio::time::Instant;
use wasmtime_wasi::WasiCtxBuilder;
use wasmtime_wasi::sockets::SocketAddrUse;

/// How many addresses a guest's look-ups are remembered for.
const REMEMBERED: usize = 4096;

/// How long a look-up may take.
pub(super) const LOOK_UP: Duration = Duration::from_secs(30);

/// How many of a guest's look-ups the system works on at a time, each on a thread of the process'. More wait.
const AT_ONCE: usize = 16;

/// How many of a guest's look-ups there may be, waiting or not.
const LOOK_UPS: usize = 1024;

/// One guest's own reach into the network. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Reach(Option<Arc<Policy>>);

struct Policy {
    net: GuestNet,
    /// What the guest's own look-ups gave: which names stand for an address. A socket is opened by address, and a grant may be of
    /// a name.
    names: Mutex<HashMap<IpAddr, Vec<Host>>>,
    /// The look-ups that may begin. Each holds a clone.
    look_ups: Arc<Semaphore>,
}

/// Why a guest may not.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Refused {
    /// No `--wasi-net` names it, a `--deny-net` does, or a transport uses it.
    NotGranted,
    /// The name leads nowhere, or nobody answers there.
    NotFound,
    /// A limit does not allow it now.
    Limited,
}

impl From<ConnectError> for Refused {
    fn from(error: ConnectError) -> Self {
        match error.failure() {
            ConnectFailure::NotTheGuests | ConnectFailure::Refused(_) => Refused::NotGranted,
            _ => Refused::NotFound,
        }
    }
}

impl Reach {
    /// Into nothing.
    pub(super) fn nothing() -> Self {
        Self(None)
    }

    pub(super) fn new(net: GuestNet) -> Self {
        Self(Some(Arc::new(Policy {
            net,
            names: Mutex::default(),
            look_ups: Arc::new(Semaphore::new(AT_ONCE)),
        })))
    }

    /// Judges every socket address that the guest uses.
    pub(super) fn check(&self, wasi: &mut WasiCtxBuilder) {
        let Some(policy) = self.0.clone() else { return };
        wasi.allow_tcp(true).allow_udp(true).socket_addr_check(move |address, purpose| {
            // A task of its own: what a check awaits need not be `Sync`.
            let policy = policy.clone();
            let judged = tokio::spawn(async move { policy.admits(address, purpose).await });
            Box::pin(async move { judged.await.unwrap_or(false) })
        });
    }

    /// A place among this guest's look-ups. Errors: it has no reach, or has too many.
    pub(super) fn look_up(&self) -> Result<Arc<Semaphore>, Refused> {
        let look_ups = &self.0.as_ref().ok_or(Refused::NotGranted)?.look_ups;
        // One is the policy's.
        if Arc::strong_count(look_ups) > LOOK_UPS { Err(Refused::Limited) } else { Ok(look_ups.clone()) }
    }

    /// The addresses of a name that is granted, if only for one port: a socket is judged again with its port.
    pub(super) async fn resolve(&self, name: &str) -> Result<Vec<IpAddr>, Refused> {
        let host = Host::parse(name).map_err(|_| Refused::NotFound)?;
        let policy = self.0.as_ref().ok_or(Refused::NotGranted)?;
        let addresses = policy.net.resolve(&host, Instant::now() + LOOK_UP).await?;
        policy.remember(&host, &addresses);
        Ok(addresses)
    }

    /// A connection of a request of the guest's own.
    pub(super) async fn connect(&self, endpoint: &Endpoint, within: Duration) -> Result<TcpStream, Refused> {
        let policy = self.0.as_ref().ok_or(Refused::NotGranted)?;
        Ok(policy.net.connect(endpoint, Instant::now() + within).await?)
    }
}

impl Policy {
    async fn admits(&self, address: SocketAddr, purpose: SocketAddrUse) -> bool {
        match purpose {
            // What the system does before a connection or a datagram; a port of its own choice is not for a guest.
            SocketAddrUse::TcpBind | SocketAddrUse::UdpBind => {
                address.port() == 0 && address.ip().is_unspecified()
            }
            // Nothing grants listening yet.
            SocketAddrUse::TcpListen | SocketAddrUse::TcpAccept => false,
            SocketAddrUse::TcpConnect | SocketAddrUse::UdpSend | SocketAddrUse::UdpReceive => {
                self.admits_peer(SocketAddr::new(address.ip().to_canonical(), address.port())).await
            }
        }
    }

    /// Whether the address is granted, or a name is that the guest looked up and that leads to it.
    async fn admits_peer(&self, address: SocketAddr) -> bool {
        let mut hosts = vec![Host::from(address.ip())];
        hosts.extend(self.lock().get(&address.ip()).into_iter().flatten().cloned());
        for host in hosts {
            if self.net.admits(&Endpoint::new(host, address.port()), address.ip()).await {
                return true;
            }
        }
        false
    }

    fn remember(&self, host: &Host, addresses: &[IpAddr]) {
        const NAMES: usize = 64;
        let mut names = self.lock();
        for address in addresses {
            if names.len() >= REMEMBERED && !names.contains_key(address) {
                return;
            }
            let known = names.entry(*address).or_default();
            if !known.contains(host) && known.len() < NAMES {
                known.push(host.clone());
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<IpAddr, Vec<Host>>> {
        self.names.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
