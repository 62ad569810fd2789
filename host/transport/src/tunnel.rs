//! A connection that was upgraded to numbered channels, both ways at once.

mod beat;
mod shared;
mod websocket;

use std::fmt;
use std::future::Future;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use bytes::Bytes;
use tidegate_kube::channels::Piece;
use tokio::task::AbortHandle;

use crate::{Code, Error, Meter, Slot};

pub(crate) use shared::Shared;
pub(crate) use websocket::drive;

/// A two-way stream of messages in numbered channels, to a process or a port of a pod. Dropped, it is closed at once.
///
/// A task of its own keeps it alive, whatever its holder does: it answers the server's pings, and asks a server that is silent whether it
/// is still there, so that no balancer in between takes it for idle. There is no idle deadline. A server that does not answer for
/// 45 s ends it, unless something was sent that the server may still be busy with: then it has 4 hours.
///
/// Every function takes `&self`: reading and writing may happen at the same time. What is not read holds the server back, past 256 KiB;
/// what the server does not take holds writers back, past 256 KiB.
pub struct Tunnel {
    protocol: &'static str,
    shared: Arc<Shared>,
    task: AbortHandle,
    /// Whose use of it is counted.
    meter: Option<(Meter, Slot)>,
}

impl Tunnel {
    /// A tunnel that `driver` moves messages for, until what it waits for ends.
    pub(crate) fn start<F>(protocol: &'static str, driver: impl FnOnce(Arc<Shared>) -> F) -> Tunnel
    where
        F: Future<Output = Result<(), Error>> + Send + 'static,
    {
        let shared = Arc::new(Shared::default());
        let (last, driving) = (Last(shared.clone()), driver(shared.clone()));
        let task = tokio::spawn(async move {
            let end = driving.await;
            last.0.end(end);
        });
        Tunnel { protocol, shared, task: task.abort_handle(), meter: None }
    }

    /// The same tunnel, whose bytes are counted, and which is open for as long as it lives.
    pub(crate) fn metered(mut self, meter: Meter, slot: Slot) -> Tunnel {
        self.meter = Some((meter, slot));
        self
    }

    /// Which of the offered protocols the server chose.
    pub fn protocol(&self) -> &'static str {
        self.protocol
    }

    /// The next piece of a message; none at the regular end, and for ever after it. Cancel-safe.
    ///
    /// Errors, for ever after what came before them: [`Code::Protocol`] where the tunnel was cut or speaks
    /// nonsense, [`Code::Timeout`] where nobody answers any more, [`Code::Tls`].
    pub async fn next(&self) -> Result<Option<Piece>, Error> {
        let next = self.shared.next().await;
        self.received(next)
    }

    /// [`next`](Tunnel::next) of what is there already.
    pub fn try_next(&self) -> Poll<Result<Option<Piece>, Error>> {
        self.shared.try_next().map(|next| self.received(next))
    }

    /// Waits until [`try_next`](Tunnel::try_next) would not be pending. Cancel-safe.
    pub async fn readable(&self) {
        self.shared.readable().await;
    }

    /// Sends bytes on a channel, in messages of at most 64 KiB; waits while the server takes nothing. Cancelled, it has sent whole
    /// messages. Fewer bytes than that are one message; none are no message.
    ///
    /// Errors: why the tunnel ended; [`Code::Closed`] after its regular end.
    pub async fn send(&self, channel: u8, mut bytes: Bytes) -> Result<(), Error> {
        loop {
            self.try_send(channel, &mut bytes)?;
            if bytes.is_empty() {
                return Ok(());
            }
            self.writable().await;
        }
    }

    /// Sends what can be taken now, off the front of `bytes`, and counts no more than that. Errors: as [`send`](Tunnel::send).
    pub fn try_send(&self, channel: u8, bytes: &mut Bytes) -> Result<(), Error> {
        let meter = self.meter.as_ref().map(|(meter, _)| meter);
        self.shared.try_send(channel, bytes, |bytes| meter.map_or(Ok(()), |meter| meter.spend(bytes)))
    }

    /// Waits until [`try_send`](Tunnel::try_send) would take something or fail. Cancel-safe.
    pub async fn writable(&self) {
        self.shared.writable().await;
    }

    fn received(&self, next: Result<Option<Piece>, Error>) -> Result<Option<Piece>, Error> {
        if let (Some((meter, _)), Ok(Some(piece))) = (&self.meter, &next) {
            meter.spend(piece.bytes.len())?;
        }
        next
    }

    /// Ends the tunnel by agreement: sends what waits to be sent, says that this is all, and waits until the server says so too, or for
    /// `patience`. What the server still sends is thrown away.
    pub async fn finish(&self, patience: Duration) {
        self.shared.finish();
        _ = tokio::time::timeout(patience, self.shared.ended()).await;
    }
}

/// Nobody waits for a driver that failed inside tidegate, or whose runtime was shut down.
struct Last(Arc<Shared>);

impl Drop for Last {
    fn drop(&mut self) {
        self.0.end(Err(Error::new(Code::Closed, "what moved this tunnel's bytes has ended")));
    }
}

impl Drop for Tunnel {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl fmt::Debug for Tunnel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tunnel").field("protocol", &self.protocol).finish_non_exhaustive()
    }
}
