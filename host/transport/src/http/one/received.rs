use std::future::poll_fn;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use bytes::Bytes;
use http_body::Body as _;
use hyper::body::Incoming as HyperBody;

use super::Connection;
use crate::Error;
use crate::http::fault::{self, Fault};
use crate::http::pool::Pool;

/// How much of a body that nobody wants is read for the sake of its connection.
const SKIPPED: usize = 64 * 1024;

/// The body of a response together with the connection that it comes over.
///
/// Read to its end, it gives the connection back to the pool. Dropped before, it closes it, unless the rest is small and there
/// already: nobody who ignores the answer to a patch shall pay for it with a handshake.
pub(in crate::http) struct Received {
    body: HyperBody,
    connection: Option<Connection>,
    pool: Arc<Pool>,
    read: u64,
}

impl Received {
    pub(in crate::http) async fn new(body: HyperBody, connection: Connection, pool: Arc<Pool>) -> Received {
        let mut received = Received { body, connection: Some(connection), pool, read: 0 };
        if received.body.is_end_stream() {
            poll_fn(|cx| {
                received.recycle(cx);
                Poll::Ready(())
            })
            .await;
        }
        received
    }

    pub(in crate::http) fn poll_chunk(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Bytes, Error>>> {
        let mut driven = false;
        loop {
            match Pin::new(&mut self.body).poll_frame(cx) {
                Poll::Ready(Some(Ok(frame))) => {
                    // Trailers say nothing that anybody here reads.
                    let Ok(data) = frame.into_data() else { continue };
                    if self.body.is_end_stream() {
                        self.recycle(cx);
                    }
                    if !data.is_empty() {
                        self.read += data.len() as u64;
                        return Poll::Ready(Some(Ok(data)));
                    }
                }
                Poll::Ready(Some(Err(error))) => {
                    self.connection = None;
                    return Poll::Ready(Some(Err(fault::in_body(Fault::One(error), self.read))));
                }
                Poll::Ready(None) => {
                    self.recycle(cx);
                    return Poll::Ready(None);
                }
                // Asking the body first tells the connection that there is room; now it reads, and the body is asked again.
                Poll::Pending if !driven => {
                    driven = true;
                    if let Some(connection) = &mut self.connection {
                        connection.drive(cx);
                    }
                }
                Poll::Pending => return Poll::Pending,
            }
        }
    }

    /// Whether the end came, having read what is there.
    fn skip(&mut self, cx: &mut Context<'_>) -> bool {
        let mut left = SKIPPED;
        loop {
            match self.poll_chunk(cx) {
                Poll::Ready(None) => return true,
                Poll::Ready(Some(Ok(chunk))) if chunk.len() <= left => left -= chunk.len(),
                _ => return false,
            }
        }
    }

    fn recycle(&mut self, cx: &mut Context<'_>) {
        if let Some(mut connection) = self.connection.take()
            && connection.poll_usable(cx)
        {
            self.pool.put(connection);
        }
    }
}

impl Drop for Received {
    fn drop(&mut self) {
        if self.connection.is_some() && !self.skip(&mut Context::from_waker(Waker::noop())) {
            self.connection = None;
        }
    }
}
