//! A connection that was granted.

use std::fmt;
use std::io::{self, IoSlice};
use std::net::SocketAddr;
use std::pin::Pin;
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// A TCP connection to a checked address. Only [`NetGrant::connect`](crate::NetGrant::connect) and
/// [`Listener::accept`](crate::Listener::accept) make one.
pub struct TcpStream {
    inner: tokio::net::TcpStream,
    peer: SocketAddr,
}

impl TcpStream {
    /// The address at the other end: the one that was checked.
    pub fn peer(&self) -> SocketAddr {
        self.peer
    }

    /// Waits until there is something to read, or the end. May be wrong: then [`try_read`](Self::try_read) says so. Cancel-safe.
    pub async fn readable(&self) -> io::Result<()> {
        self.inner.readable().await
    }

    /// Reads what is there; 0 bytes are the end. Errors: [`WouldBlock`](io::ErrorKind::WouldBlock) where nothing is.
    pub fn try_read(&self, into: &mut [u8]) -> io::Result<usize> {
        self.inner.try_read(into)
    }

    /// Waits until something can be written. May be wrong: then [`try_write`](Self::try_write) says so. Cancel-safe.
    pub async fn writable(&self) -> io::Result<()> {
        self.inner.writable().await
    }

    /// Writes what can be taken now. Errors: [`WouldBlock`](io::ErrorKind::WouldBlock) where nothing can.
    pub fn try_write(&self, bytes: &[u8]) -> io::Result<usize> {
        self.inner.try_write(bytes)
    }

    /// Says that nothing more is written. What the other side writes can still be read.
    pub fn shut_down_writing(&self) -> io::Result<()> {
        Ok(rustix::net::shutdown(&self.inner, rustix::net::Shutdown::Write)?)
    }

    pub(crate) fn new(inner: tokio::net::TcpStream, peer: SocketAddr) -> Self {
        Self { inner, peer }
    }
}

impl fmt::Debug for TcpStream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("TcpStream").field(&self.peer).finish()
    }
}

impl AsyncRead for TcpStream {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_read(cx, buf)
    }
}

impl AsyncWrite for TcpStream {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.inner).poll_write(cx, buf)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.inner).poll_write_vectored(cx, bufs)
    }

    fn is_write_vectored(&self) -> bool {
        self.inner.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_shutdown(cx)
    }
}
