use std::collections::VecDeque;
use std::future::poll_fn;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::task::Poll;
use std::time::{Duration, Instant};

use super::connection::Connection;

/// How long a connection may wait for its next request. Load balancers in front of API servers drop idle ones after minutes.
const IDLE: Duration = Duration::from_secs(90);

/// How many connections wait at most; the oldest is closed beyond that.
const MOST: usize = 64;

/// After this long without I/O the runtime is asked once whether the peer has hung up meanwhile.
const FRESH: Duration = Duration::from_millis(500);

/// Connections that wait for their next request, the longest wait first. The last one used is the next one used, so that the
/// others age and close.
#[derive(Default)]
pub(super) struct Pool(Mutex<VecDeque<(Connection, Instant)>>);

impl Pool {
    /// A connection that was alive when last looked at, and that was opened with this client certificate. Those of others are
    /// closed: they were replaced.
    pub(super) async fn take(&self, identity: Option<u64>) -> Option<Connection> {
        loop {
            let (mut connection, since) = self.pop()?;
            if connection.identity() != identity {
                continue;
            }
            if since.elapsed() > FRESH {
                // A guest that computed all the while let no event of the socket through.
                tokio::task::yield_now().await;
            }
            if poll_fn(|cx| Poll::Ready(connection.poll_usable(cx))).await {
                return Some(connection);
            }
        }
    }

    /// Keeps a connection whose last body was read to its end.
    pub(super) fn put(&self, connection: Connection) {
        let mut idle = self.fresh();
        if idle.len() == MOST {
            idle.pop_front();
        }
        idle.push_back((connection, Instant::now()));
    }

    fn pop(&self) -> Option<(Connection, Instant)> {
        self.fresh().pop_back()
    }

    /// Those that have not waited for too long; the others are closed. There is no timer for it: a client that nobody uses keeps
    /// its few sockets until the server closes them.
    fn fresh(&self) -> MutexGuard<'_, VecDeque<(Connection, Instant)>> {
        let mut idle = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        while idle.front().is_some_and(|(_, since)| since.elapsed() > IDLE) {
            idle.pop_front();
        }
        idle
    }
}
