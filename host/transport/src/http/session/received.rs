use std::task::{Context, Poll, Waker};

use bytes::Bytes;
use h2::RecvStream;

use super::upload::Upload;
use super::wheel::Seat;
use super::{Lease, STREAM_WINDOW};
use crate::Error;

/// How much is read before the server is told that it may send more, in bytes: each time is a write and a read, for a frame of 13 bytes.
const TELL: usize = STREAM_WINDOW as usize / 2;

/// The body of a response over a shared connection.
///
/// The server is told that it may send more once half a window was read, and no more than a window waits here. Dropped before its end,
/// it tells the server to stop; the connection goes on.
pub(in crate::http) struct Received {
    stream: RecvStream,
    /// A server may answer before it has read everything.
    upload: Option<Upload>,
    seat: Seat,
    /// None once the response has ended.
    lease: Option<Lease>,
    read: u64,
    /// Read, and the server was not told yet.
    untold: usize,
}

impl Received {
    pub(super) fn new(stream: RecvStream, upload: Option<Upload>, seat: Seat, lease: Lease) -> Received {
        let mut received = Received { stream, upload, seat, lease: Some(lease), read: 0, untold: 0 };
        received.release();
        received
    }

    pub(in crate::http) fn poll_chunk(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Bytes, Error>>> {
        if let Some(upload) = &mut self.upload
            && let Poll::Ready(sent) = upload.poll(cx)
        {
            self.upload = None;
            if let Err(error) = sent {
                return Poll::Ready(Some(Err(error)));
            }
        }
        loop {
            match self.poll_data(cx) {
                Poll::Ready(Some(Ok(data))) => {
                    self.untold += data.len();
                    if self.untold >= TELL {
                        self.tell();
                    }
                    self.release();
                    if !data.is_empty() {
                        self.read += data.len() as u64;
                        return Poll::Ready(Some(Ok(data)));
                    }
                }
                Poll::Ready(Some(Err(error))) => {
                    let lease = self.lease.take();
                    let error = match &lease {
                        Some(lease) => lease.session.body_error(error, self.read),
                        None => return Poll::Ready(None),
                    };
                    return Poll::Ready(Some(Err(error)));
                }
                Poll::Ready(None) => {
                    self.lease = None;
                    return Poll::Ready(None);
                }
                Poll::Pending => return Poll::Pending,
            }
        }
    }

    /// What came is taken before the connection reads more: so it is still in the processor's cache, and memory is not filled up to the
    /// stream's window.
    fn poll_data(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Bytes, h2::Error>>> {
        let came = self.stream.poll_data(&mut Context::from_waker(Waker::noop()));
        if came.is_ready() {
            return came;
        }
        let stream = &mut self.stream;
        self.seat.poll(cx, |cx| stream.poll_data(cx))
    }

    /// Gives the connection up as soon as nothing more can come.
    fn release(&mut self) {
        if self.stream.is_end_stream() && self.upload.is_none() {
            self.tell();
            self.lease = None;
        }
    }

    /// Gives the room of what was read back. Not later than the lease: it is the connection's room too, which is enough for those who
    /// have leases, and a guest may hold any number of bodies that have ended.
    fn tell(&mut self) {
        let read = std::mem::take(&mut self.untold);
        if read > 0 {
            // The connection is over where this fails, and the next piece says so.
            let _ = self.stream.flow_control().release_capacity(read);
        }
    }
}
