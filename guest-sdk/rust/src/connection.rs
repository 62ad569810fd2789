//! Connections: to ports of pods, and accepted at addresses of the machine.

use std::fmt;
use std::iter::FusedIterator;
use std::task::Poll;

use crate::poll::Pollable;
use crate::wit::tidegate::host::{forward, listen};
use crate::{Client, Result};

/// A connection to a port of a pod; [`Client::forward`] gives it. Dropped, it is closed at once, whatever waits to be sent;
/// [`Forward::finish`] sends that first.
///
/// An iterator of the bytes as they arrive, in pieces, that waits for each; it ends after `None` or an error. What is not read holds the pod
/// back. There is no half-close: what ends, ends both ways.
pub struct Forward {
    handle: forward::Connection,
    ended: bool,
}

/// Accepts connections until it is dropped; [`listen()`] gives it. An iterator of connections that waits for each, and never ends.
pub struct Listener(listen::Listener);

/// A connection that was accepted. Dropped, it is closed.
///
/// An iterator of the bytes as they arrive, in pieces, that waits for each; it ends after `None`, when the other side sends no more, or an
/// error.
pub struct Socket {
    handle: listen::Socket,
    ended: bool,
}

impl Client {
    /// Connects to a port of a pod, in the client's namespace unless another is named. Where [`Client::supports`] `port-forward`.
    ///
    /// ```no_run
    /// # fn main() -> tidegate::Result<()> {
    /// let client = tidegate::auto_detect_client()?;
    /// let connection = client.forward(Some("shop"), "web-0", 8080)?;
    /// connection.write(b"GET / HTTP/1.0\r\n\r\n")?;
    /// for bytes in connection {
    ///     print!("{}", String::from_utf8_lossy(&bytes?));
    /// }
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// Errors: as [`Client::send`]; `unsupported` over KubectlRaw. That nobody listens at the port is told by what is read: `unreachable`.
    pub fn forward(&self, namespace: Option<&str>, pod: &str, port: u16) -> Result<Forward> {
        Ok(Forward { handle: forward::connect(self.as_wit(), namespace, pod, port)?, ended: false })
    }
}

/// Accepts connections at an address of this machine: `127.0.0.1:8080`, `[::1]:8080`, `localhost:8080`, which is `127.0.0.1`; without a port the
/// system chooses one.
///
/// Errors: `permission-denied` with the flag to add (`--allow-listen=…`); `invalid-request` for what is no address; `unavailable` where
/// another program has it.
pub fn listen(address: &str) -> Result<Listener> {
    Ok(Listener(listen::listen(address)?))
}

impl Forward {
    /// Sends what waits to be sent, and ends the connection. What the pod still sends is thrown away.
    pub fn finish(self) {
        self.handle.finish();
    }
}

impl Listener {
    /// The address, with the port that was chosen.
    pub fn address(&self) -> String {
        self.0.address()
    }

    /// Waits for a connection. An error is of that one connection, or passes.
    pub fn accept(&self) -> Result<Socket> {
        Ok(Socket { handle: self.0.accept()?, ended: false })
    }

    /// A connection, if there is one already.
    pub fn try_accept(&self) -> Poll<Result<Socket>> {
        match self.0.try_accept() {
            None => Poll::Pending,
            Some(accepted) => {
                Poll::Ready(accepted.map(|handle| Socket { handle, ended: false }).map_err(Into::into))
            }
        }
    }

    /// Ready when [`Listener::accept`] would not wait.
    pub fn subscribe(&self) -> Pollable {
        self.0.subscribe().into()
    }
}

impl Iterator for Listener {
    type Item = Result<Socket>;

    fn next(&mut self) -> Option<Result<Socket>> {
        Some(self.accept())
    }
}

impl Socket {
    /// The address at the other end.
    pub fn peer(&self) -> String {
        self.handle.peer()
    }

    /// Says that nothing more is sent. What the other side sends can still be read.
    pub fn finish(&self) -> Result<()> {
        Ok(self.handle.finish()?)
    }
}

/// The same for both: WIT has no generics.
macro_rules! both_ways {
    ($connection:ident) => {
        impl $connection {
            /// The next bytes if they are there already; `Poll::Ready(None)` is the end.
            pub fn try_next(&mut self) -> Poll<Option<Result<Vec<u8>>>> {
                if self.ended {
                    return Poll::Ready(None);
                }
                let Some(next) = self.handle.try_next() else { return Poll::Pending };
                self.ended = !matches!(next, Ok(Some(_)));
                Poll::Ready(next.map_err(Into::into).transpose())
            }

            /// Ready when the next bytes, or the end, could be had without waiting.
            pub fn subscribe(&self) -> Pollable {
                self.handle.subscribe().into()
            }

            /// Sends all of it; waits while the other side takes nothing. Errors: why the connection ended.
            pub fn write(&self, bytes: &[u8]) -> Result<()> {
                Ok(self.handle.write(bytes)?)
            }

            /// Sends what can be taken now, and says how much that was.
            pub fn try_write(&self, bytes: &[u8]) -> Result<usize> {
                // It takes no more than it is given.
                Ok(self.handle.try_write(bytes)? as usize)
            }

            /// Ready when `try_write` would take something or fail.
            pub fn subscribe_write(&self) -> Pollable {
                self.handle.subscribe_write().into()
            }
        }

        impl Iterator for $connection {
            type Item = Result<Vec<u8>>;

            fn next(&mut self) -> Option<Result<Vec<u8>>> {
                if self.ended {
                    return None;
                }
                let next = self.handle.next();
                self.ended = !matches!(next, Ok(Some(_)));
                next.map_err(Into::into).transpose()
            }
        }

        impl FusedIterator for $connection {}

        impl fmt::Debug for $connection {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.debug_struct(stringify!($connection)).field("ended", &self.ended).finish_non_exhaustive()
            }
        }
    };
}

both_ways!(Forward);
both_ways!(Socket);

impl fmt::Debug for Listener {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Listener").field(&self.address()).finish()
    }
}
