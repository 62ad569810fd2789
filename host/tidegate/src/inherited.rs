//! This process' own standard output and error, as a guest writes to them.

use std::fmt;

use bytes::Bytes;
use tokio::io::AsyncWrite;
use wasmtime_wasi::cli::{IsTerminal, StdoutStream};
use wasmtime_wasi::p2::{OutputStream, Pollable, StreamError, StreamResult};

/// One of the two. A reader who leaves (`tidegate run … | head -1`) ends the guest, as SIGPIPE ends a program: the error that it would
/// get instead makes most guests panic, in the words of a bug.
pub(crate) struct Inherited<S>(pub(crate) S);

/// Whoever read the guest's output has left.
#[derive(Debug)]
pub(crate) struct ReaderLeft;

impl fmt::Display for ReaderLeft {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("nobody reads the guest's output any more")
    }
}

impl std::error::Error for ReaderLeft {}

impl<S: IsTerminal> IsTerminal for Inherited<S> {
    fn is_terminal(&self) -> bool {
        self.0.is_terminal()
    }
}

impl<S: StdoutStream> StdoutStream for Inherited<S> {
    fn async_stream(&self) -> Box<dyn AsyncWrite + Send + Sync> {
        self.0.async_stream()
    }

    fn p2_stream(&self) -> Box<dyn OutputStream> {
        Box::new(Ending(self.0.p2_stream()))
    }
}

/// Traps where the stream beneath is closed.
struct Ending(Box<dyn OutputStream>);

#[wasmtime_wasi::async_trait]
impl Pollable for Ending {
    async fn ready(&mut self) {
        self.0.ready().await;
    }
}

impl OutputStream for Ending {
    fn write(&mut self, bytes: Bytes) -> StreamResult<()> {
        self.0.write(bytes).map_err(trap_if_closed)
    }

    fn flush(&mut self) -> StreamResult<()> {
        self.0.flush().map_err(trap_if_closed)
    }

    fn check_write(&mut self) -> StreamResult<usize> {
        self.0.check_write().map_err(trap_if_closed)
    }
}

fn trap_if_closed(error: StreamError) -> StreamError {
    match error {
        // wasmtime-wasi's word for a broken pipe.
        StreamError::Closed => StreamError::Trap(wasmtime::Error::new(ReaderLeft)),
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_closed_stream_ends_the_guest_and_another_failure_is_its_own() {
        let StreamError::Trap(error) = trap_if_closed(StreamError::Closed) else { panic!() };
        assert!(error.is::<ReaderLeft>());
        let failed = StreamError::LastOperationFailed(wasmtime::Error::msg("disk full"));
        assert!(matches!(trap_if_closed(failed), StreamError::LastOperationFailed(_)));
    }
}
