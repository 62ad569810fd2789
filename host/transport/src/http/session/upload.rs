use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use h2::{Reason, SendStream};
use http_body::Body as _;

use crate::Error;
use crate::request_body::RequestBody;

/// A request body on its way, no faster than the server takes it.
pub(super) struct Upload {
    body: RequestBody,
    stream: SendStream<Bytes>,
    /// Read from the body, and not yet taken.
    rest: Bytes,
}

impl Upload {
    pub(super) fn new(body: RequestBody, stream: SendStream<Bytes>) -> Upload {
        Upload { body, stream, rest: Bytes::new() }
    }

    /// Ready once all was sent, or the server wants no more: the response says what became of it.
    ///
    /// Errors: why the body broke off, after which the server knows that it did.
    pub(super) fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Error>> {
        loop {
            if self.rest.is_empty() {
                match ready!(Pin::new(&mut self.body).poll_frame(cx)) {
                    // A body of ours has no trailers.
                    Some(Ok(frame)) => self.rest = frame.into_data().unwrap_or_default(),
                    Some(Err(error)) => {
                        self.stream.send_reset(Reason::CANCEL);
                        return Poll::Ready(Err(error));
                    }
                    None => {
                        let _ = self.stream.send_data(Bytes::new(), true);
                        return Poll::Ready(Ok(()));
                    }
                }
                continue;
            }
            self.stream.reserve_capacity(self.rest.len());
            match ready!(self.stream.poll_capacity(cx)) {
                Some(Ok(room)) => {
                    let piece = self.rest.split_to(room.min(self.rest.len()));
                    if self.stream.send_data(piece, false).is_err() {
                        return Poll::Ready(Ok(()));
                    }
                }
                Some(Err(_)) | None => return Poll::Ready(Ok(())),
            }
        }
    }
}
