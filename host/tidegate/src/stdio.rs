//! A guest's standard streams.

use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};

use bytes::Bytes;
use tokio::io::{AsyncRead, AsyncWrite};
use wasmtime_wasi::WasiCtxBuilder;
use wasmtime_wasi::cli::{AsyncStdinStream, AsyncStdoutStream, IsTerminal, StdoutStream};
use wasmtime_wasi::p2::pipe::MemoryInputPipe;
use wasmtime_wasi::p2::{OutputStream, Pollable, StreamResult};

use crate::inherited::Inherited;

/// What a guest reads on standard input. This process' own unless set.
pub struct Input(Source);

enum Source {
    Inherit,
    Null,
    Bytes(Bytes),
    Reader(AsyncStdinStream),
}

impl Input {
    /// What this process reads.
    pub fn inherit() -> Self {
        Self(Source::Inherit)
    }

    /// Nothing.
    pub fn null() -> Self {
        Self(Source::Null)
    }

    /// These bytes.
    pub fn bytes(bytes: impl Into<Bytes>) -> Self {
        Self(Source::Bytes(bytes.into()))
    }

    /// What this yields, read as the guest asks for it. Needs a tokio runtime.
    pub fn reader(reader: impl AsyncRead + Send + Sync + 'static) -> Self {
        Self(Source::Reader(AsyncStdinStream::new(reader)))
    }

    pub(crate) fn set(self, wasi: &mut WasiCtxBuilder) {
        match self.0 {
            Source::Inherit => wasi.inherit_stdin(),
            Source::Null => wasi,
            Source::Bytes(bytes) => wasi.stdin(MemoryInputPipe::new(bytes)),
            Source::Reader(reader) => wasi.stdin(reader),
        };
    }
}

/// Where a guest's standard output or error goes. To this process' own unless set.
pub struct Output(Sink);

enum Sink {
    Inherit,
    Null,
    Capture(Captured),
    Writer(AsyncStdoutStream),
}

/// Which of the two.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Stream {
    Output,
    Error,
}

impl Output {
    /// This process' own. A reader who leaves ends the guest, as [`Ending::OutputClosed`](crate::Ending::OutputClosed).
    pub fn inherit() -> Self {
        Self(Sink::Inherit)
    }

    /// Nowhere.
    pub fn null() -> Self {
        Self(Sink::Null)
    }

    /// Into memory: the first `cap` bytes, the rest is counted and dropped.
    pub fn capture(cap: usize) -> (Self, Captured) {
        let captured = Captured { cap, state: Arc::default() };
        (Self(Sink::Capture(captured.clone())), captured)
    }

    /// To this, which holds the guest back while it takes nothing. Needs a tokio runtime.
    pub fn writer(writer: impl AsyncWrite + Send + Sync + 'static) -> Self {
        const BUFFER: usize = 64 << 10;
        Self(Sink::Writer(AsyncStdoutStream::new(BUFFER, writer)))
    }

    pub(crate) fn set(self, stream: Stream, wasi: &mut WasiCtxBuilder) {
        match (self.0, stream) {
            (Sink::Null, _) => wasi,
            (Sink::Inherit, Stream::Output) => wasi.stdout(Inherited(std::io::stdout())),
            (Sink::Inherit, Stream::Error) => wasi.stderr(Inherited(std::io::stderr())),
            (Sink::Capture(captured), Stream::Output) => wasi.stdout(captured),
            (Sink::Capture(captured), Stream::Error) => wasi.stderr(captured),
            (Sink::Writer(writer), Stream::Output) => wasi.stdout(writer),
            (Sink::Writer(writer), Stream::Error) => wasi.stderr(writer),
        };
    }
}

/// What a guest wrote. Can be read while it runs.
#[derive(Clone, Debug)]
pub struct Captured {
    cap: usize,
    state: Arc<Mutex<Kept>>,
}

#[derive(Debug, Default)]
struct Kept {
    bytes: Vec<u8>,
    dropped: u64,
}

impl Captured {
    /// What was kept.
    pub fn bytes(&self) -> Vec<u8> {
        self.lock().bytes.clone()
    }

    /// What was kept, with U+FFFD for what is not UTF-8.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.lock().bytes).into_owned()
    }

    /// How many bytes came after the cap and were dropped.
    pub fn dropped(&self) -> u64 {
        self.lock().dropped
    }

    fn keep(&self, bytes: &[u8]) {
        let mut kept = self.lock();
        let room = self.cap.saturating_sub(kept.bytes.len()).min(bytes.len());
        kept.bytes.extend_from_slice(&bytes[..room]);
        kept.dropped += (bytes.len() - room) as u64;
    }

    fn lock(&self) -> MutexGuard<'_, Kept> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl IsTerminal for Captured {
    fn is_terminal(&self) -> bool {
        false
    }
}

impl StdoutStream for Captured {
    fn async_stream(&self) -> Box<dyn AsyncWrite + Send + Sync> {
        Box::new(self.clone())
    }

    fn p2_stream(&self) -> Box<dyn OutputStream> {
        Box::new(self.clone())
    }
}

#[wasmtime_wasi::async_trait]
impl Pollable for Captured {
    async fn ready(&mut self) {}
}

impl OutputStream for Captured {
    fn write(&mut self, bytes: Bytes) -> StreamResult<()> {
        self.keep(&bytes);
        Ok(())
    }

    fn flush(&mut self) -> StreamResult<()> {
        Ok(())
    }

    fn check_write(&mut self) -> StreamResult<usize> {
        Ok(64 << 10)
    }
}

impl AsyncWrite for Captured {
    fn poll_write(self: Pin<&mut Self>, _: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        self.keep(bytes);
        Poll::Ready(Ok(bytes.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_captured_is_bounded() {
        let (_, captured) = Output::capture(4);
        for piece in ["ab", "cde", "f"] {
            captured.keep(piece.as_bytes());
        }
        assert_eq!((captured.text().as_str(), captured.dropped()), ("abcd", 2));
    }
}
