//! Listening: for tidegate itself on loopback alone, for guests where it was granted.

use std::io;
use std::net::SocketAddr;

use tokio::net::TcpListener;

use crate::net::TcpStream;

/// An address that accepts connections, until it is dropped.
#[derive(Debug)]
pub struct Listener {
    inner: TcpListener,
    address: SocketAddr,
}

/// An address that cannot be listened on.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ListenError {
    /// Others than this machine could reach it.
    #[error("{0} is not a loopback address; listen on 127.0.0.1 or [::1]")]
    NotLoopback(SocketAddr),
    /// The system chose an address that a flag denies.
    #[error("the system chose {address}, which {by} denies; name another port")]
    Denied {
        /// The address.
        address: SocketAddr,
        /// The flag.
        by: String,
    },
    /// The operating system refused, for instance since the port is taken.
    #[error("cannot listen on {address}")]
    Bind {
        /// The address.
        address: SocketAddr,
        /// The operating system's reason.
        source: io::Error,
    },
}

impl Listener {
    /// The address, with the port that was chosen.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Waits for a connection. Cancel-safe. Errors are of that one connection, or pass, as when file descriptors run out.
    pub async fn accept(&self) -> io::Result<TcpStream> {
        let (stream, peer) = self.inner.accept().await?;
        stream.set_nodelay(true)?;
        Ok(TcpStream::new(stream, peer))
    }

    pub(crate) async fn bind(address: SocketAddr) -> Result<Self, ListenError> {
        if !address.ip().to_canonical().is_loopback() {
            return Err(ListenError::NotLoopback(address));
        }
        Self::open(address).await
    }

    /// On any address: what is asked of whoever calls.
    pub(crate) async fn open(address: SocketAddr) -> Result<Self, ListenError> {
        let failed = |source| ListenError::Bind { address, source };
        let inner = TcpListener::bind(address).await.map_err(failed)?;
        let address = inner.local_addr().map_err(failed)?;
        Ok(Self { inner, address })
    }
}
