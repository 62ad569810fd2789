use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use http_body::{Frame, SizeHint};
use tokio::sync::{Notify, mpsc};

use crate::{Code, Error, Meter};

/// The largest piece that crosses at once.
const PIECE: usize = 64 * 1024;

/// How many pieces wait for the peer before the writer must.
const PIECES: usize = 4;

/// A request body that is written while it is sent: at most 256 KiB wait, then the writer does.
///
/// Dropping the writer before [`BodyWriter::finish`] cancels the request, so that no server takes a half body for a whole one.
pub fn body_channel() -> (BodyWriter, BodyReader) {
    let (sender, receiver) = mpsc::channel(PIECES);
    let shared = Arc::new(Shared::default());
    (
        BodyWriter { sender: Some(sender), shared: shared.clone() },
        BodyReader { receiver, shared, meter: None },
    )
}

/// The end that is written to.
#[derive(Debug)]
pub struct BodyWriter {
    sender: Option<mpsc::Sender<Bytes>>,
    shared: Arc<Shared>,
}

impl BodyWriter {
    /// Writes all of it; waits while the peer takes nothing. Cancelled, it has written a whole number of pieces of 64 KiB.
    ///
    /// Errors: why the request failed, and [`Code::Closed`] after [`finish`](BodyWriter::finish) or where the server answered
    /// without reading on.
    pub async fn write(&mut self, mut bytes: Bytes) -> Result<(), Error> {
        let sender = self.sender()?;
        while !bytes.is_empty() {
            let piece = bytes.split_to(bytes.len().min(PIECE));
            if sender.send(piece).await.is_err() {
                self.shared.judged().await;
                return Err(self.shared.why_closed());
            }
        }
        Ok(())
    }

    /// Writes what can be taken now, and says how much that was. Errors: as [`write`](BodyWriter::write).
    pub fn try_write(&mut self, bytes: &[u8]) -> Result<usize, Error> {
        let sender = self.sender()?;
        let mut written = 0;
        while written < bytes.len() {
            match sender.try_reserve() {
                Ok(permit) => {
                    let end = bytes.len().min(written + PIECE);
                    permit.send(Bytes::copy_from_slice(&bytes[written..end]));
                    written = end;
                }
                Err(mpsc::error::TrySendError::Full(())) => break,
                Err(mpsc::error::TrySendError::Closed(())) if self.shared.is_pending() => break,
                Err(mpsc::error::TrySendError::Closed(())) => return Err(self.shared.why_closed()),
            }
        }
        Ok(written)
    }

    /// Waits until [`try_write`](BodyWriter::try_write) would take something or fail. Cancel-safe.
    pub async fn ready(&self) {
        let Some(sender) = &self.sender else { return };
        if sender.reserve().await.is_err() {
            self.shared.judged().await;
        }
    }

    /// Ends the body. Errors: [`Code::Closed`] the second time.
    pub fn finish(&mut self) -> Result<(), Error> {
        self.sender()?;
        self.shared.lock().finished = true;
        self.sender = None;
        Ok(())
    }

    fn sender(&self) -> Result<&mpsc::Sender<Bytes>, Error> {
        self.sender.as_ref().ok_or_else(|| Error::new(Code::Closed, "this request body was finished before"))
    }
}

/// The end that a transport reads from.
#[derive(Debug)]
pub struct BodyReader {
    receiver: mpsc::Receiver<Bytes>,
    shared: Arc<Shared>,
    /// Whose bytes these are.
    meter: Option<Meter>,
}

impl BodyReader {
    /// The next piece, none at the regular end. Errors: [`Code::Closed`] where the writer was dropped unfinished.
    pub(crate) fn poll_piece(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Bytes, Error>>> {
        Poll::Ready(match ready!(self.receiver.poll_recv(cx)) {
            Some(piece) => {
                let counted = self.meter.as_ref().map_or(Ok(()), |meter| meter.spend(piece.len()));
                Some(counted.map(|()| piece))
            }
            None if self.shared.lock().finished => None,
            None => {
                Some(Err(Error::new(Code::Closed, "the request body was dropped before it was finished")))
            }
        })
    }

    /// The same body, whose bytes are counted.
    pub(crate) fn metered(mut self, meter: Meter) -> BodyReader {
        self.meter = Some(meter);
        self
    }

    /// Where to say why the request failed, once this reader has gone into it.
    pub(crate) fn verdict(&self) -> Verdict {
        self.shared.lock().pending = true;
        Verdict(self.shared.clone())
    }
}

/// Tells a [`BodyWriter`] why nobody reads on. Until it is dropped, a writer whose reader is gone waits for it: the reason is
/// known a little later than the fact.
#[derive(Debug)]
pub(crate) struct Verdict(Arc<Shared>);

impl Verdict {
    pub(crate) fn failed(self, error: &Error) {
        self.0.lock().failure = Some(error.clone());
    }
}

impl Drop for Verdict {
    fn drop(&mut self) {
        self.0.lock().pending = false;
        self.0.judged.notify_waiters();
    }
}

#[derive(Debug, Default)]
struct Shared {
    state: Mutex<State>,
    judged: Notify,
}

#[derive(Debug, Default)]
struct State {
    finished: bool,
    /// Whether there is a [`Verdict`] to come.
    pending: bool,
    failure: Option<Error>,
}

impl Shared {
    fn lock(&self) -> std::sync::MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn is_pending(&self) -> bool {
        self.lock().pending
    }

    async fn judged(&self) {
        // Made before the question, so that no answer is missed in between.
        let judged = self.judged.notified();
        if self.is_pending() {
            judged.await;
        }
    }

    fn why_closed(&self) -> Error {
        let failure = self.lock().failure.clone();
        failure.unwrap_or_else(|| Error::new(Code::Closed, "the request ended before its body was read"))
    }
}

/// What a transport sends: nothing, bytes, or what a [`BodyReader`] yields.
#[derive(Debug)]
pub(crate) enum RequestBody {
    Empty,
    Whole(Bytes),
    Stream(BodyReader),
}

impl RequestBody {
    pub(crate) fn new(whole: Option<Bytes>, stream: Option<BodyReader>) -> Result<RequestBody, Error> {
        match (whole, stream) {
            (None, None) => Ok(RequestBody::Empty),
            (Some(bytes), None) => Ok(RequestBody::Whole(bytes)),
            (None, Some(reader)) => Ok(RequestBody::Stream(reader)),
            (Some(_), Some(_)) => {
                Err(Error::new(Code::InvalidRequest, "a request has either a whole body or a streamed one"))
            }
        }
    }

    /// The same body once more, for a second try; none where it is consumed by the first.
    pub(crate) fn again(&self) -> Option<RequestBody> {
        match self {
            RequestBody::Empty => Some(RequestBody::Empty),
            RequestBody::Whole(bytes) => Some(RequestBody::Whole(bytes.clone())),
            RequestBody::Stream(_) => None,
        }
    }

    pub(crate) fn is_empty(&self) -> bool {
        matches!(self, RequestBody::Empty)
    }
}

impl http_body::Body for RequestBody {
    type Data = Bytes;
    type Error = Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Error>>> {
        match &mut *self {
            RequestBody::Empty => Poll::Ready(None),
            RequestBody::Whole(bytes) => {
                let bytes = std::mem::take(bytes);
                *self = RequestBody::Empty;
                Poll::Ready(Some(Ok(Frame::data(bytes))))
            }
            RequestBody::Stream(reader) => reader.poll_piece(cx).map_ok(Frame::data),
        }
    }

    fn is_end_stream(&self) -> bool {
        match self {
            RequestBody::Empty => true,
            RequestBody::Whole(bytes) => bytes.is_empty(),
            RequestBody::Stream(_) => false,
        }
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            RequestBody::Empty => SizeHint::with_exact(0),
            RequestBody::Whole(bytes) => SizeHint::with_exact(bytes.len() as u64),
            RequestBody::Stream(_) => SizeHint::default(),
        }
    }
}
