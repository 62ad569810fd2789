use std::io;
use std::pin::Pin;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use crate::breath::Breath;

/// How much went over a connection, in bytes before encryption: whether a request may be sent a second time depends on it. And
/// in whose name, which decides about the next request: it is here because a body in flight is moved about with its connection,
/// and should be small.
#[derive(Debug, Default)]
pub(super) struct Meter {
    read: AtomicU64,
    written: AtomicU64,
    identity: Option<u64>,
    /// What TLS died of. HTTP/2's errors say it in words alone.
    tls: OnceLock<rustls::Error>,
}

impl Meter {
    /// Which client certificate the server saw.
    pub(super) fn identity(&self) -> Option<u64> {
        self.identity
    }

    /// Bytes read and written so far.
    pub(super) fn now(&self) -> (u64, u64) {
        (self.read.load(Ordering::Relaxed), self.written.load(Ordering::Relaxed))
    }

    pub(super) fn tls_error(&self) -> Option<rustls::Error> {
        self.tls.get().cloned()
    }

    fn note(&self, error: &io::Error) {
        if let Some(tls) = error.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>()) {
            let _ = self.tls.set(tls.clone());
        }
    }
}

/// A connection to a server or a proxy, with or without TLS, or one through the other.
pub(super) trait Wire: AsyncRead + AsyncWrite + Send + Unpin {}

impl<W: AsyncRead + AsyncWrite + Send + Unpin> Wire for W {}

/// Some [`Wire`]. What a call through a pointer costs is nothing beside what it asks of the operating system.
pub(super) type Io = Box<dyn Wire>;

/// What hyper and h2 read and write.
pub(super) struct Stream {
    io: Io,
    meter: Arc<Meter>,
    breath: Breath,
}

impl Stream {
    /// `identity` is that of the client certificate which the server saw.
    pub(super) fn new(io: Io, identity: Option<u64>) -> (Stream, Arc<Meter>) {
        let meter = Arc::new(Meter { identity, ..Meter::default() });
        (Stream { io, meter: meter.clone(), breath: Breath::default() }, meter)
    }

    fn count_written(&self, polled: Poll<io::Result<usize>>) -> Poll<io::Result<usize>> {
        let written = ready!(polled).inspect_err(|error| self.meter.note(error))?;
        self.meter.written.fetch_add(written as u64, Ordering::Relaxed);
        Poll::Ready(Ok(written))
    }
}

impl AsyncRead for Stream {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        ready!(self.breath.poll(cx));
        let before = buffer.filled().len();
        let polled = Pin::new(&mut self.io).poll_read(cx, buffer);
        if let Poll::Ready(Err(error)) = &polled {
            self.meter.note(error);
        }
        let read = buffer.filled().len() - before;
        self.breath.read(if polled.is_ready() { Poll::Ready(read) } else { Poll::Pending });
        self.meter.read.fetch_add(read as u64, Ordering::Relaxed);
        polled
    }
}

impl AsyncWrite for Stream {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let polled = Pin::new(&mut self.io).poll_write(cx, bytes);
        self.count_written(polled)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let polled = Pin::new(&mut self.io).poll_write_vectored(cx, slices);
        self.count_written(polled)
    }

    fn is_write_vectored(&self) -> bool {
        self.io.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_shutdown(cx)
    }
}
