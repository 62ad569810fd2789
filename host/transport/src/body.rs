use std::fmt;
use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use tokio::time::{Instant, Sleep, sleep_until, timeout_at};

use futures_util::stream::{BoxStream, Stream, StreamExt};

use crate::http::Incoming;
use crate::kubectl_raw::Output;
use crate::{Code, Error, Meter, Slot};

/// The body of a response, as it arrives.
///
/// Nothing is read ahead: a body that is not read holds its peer back. Dropping it closes its connection, or kills its kubectl.
pub struct Body {
    source: Source,
    /// For [`Body::whole`]: when the request's own deadline passes.
    deadline: Instant,
    idle: Duration,
    /// Since when the peer has been silent although it was asked.
    silent_since: Option<Instant>,
    timer: Option<Pin<Box<Sleep>>>,
    /// Whose bytes these are; it counts as open until it has ended.
    meter: Option<(Meter, Slot)>,
}

enum Source {
    Http(Incoming),
    Process(Box<Output>),
    Stream(BoxStream<'static, Result<Bytes, Error>>),
    Ended,
}

impl Body {
    pub(crate) fn http(incoming: Incoming, deadline: Instant, idle: Duration) -> Body {
        Body::new(Source::Http(incoming), deadline, idle)
    }

    pub(crate) fn process(output: Output, deadline: Instant, idle: Duration) -> Body {
        Body::new(Source::Process(Box::new(output)), deadline, idle)
    }

    /// A body that was there before: what a decorator answers with by itself.
    pub fn from_bytes(bytes: Bytes) -> Body {
        let now = Instant::now();
        let once = futures_util::stream::iter((!bytes.is_empty()).then_some(Ok(bytes)));
        Body::new(Source::Stream(once.boxed()), now + Duration::from_secs(60), Duration::from_secs(60))
    }

    /// What `wrap` makes of this body, which is a stream of its chunks: counted, changed, cut short. The deadlines stay.
    ///
    /// The new body is read as the old one was: nothing is read ahead unless `wrap` does, and dropping it drops the old one.
    #[must_use]
    pub fn wrap<S>(self, wrap: impl FnOnce(Body) -> S) -> Body
    where
        S: Stream<Item = Result<Bytes, Error>> + Send + 'static,
    {
        let (deadline, idle) = (self.deadline, self.idle);
        Body::new(Source::Stream(wrap(self).boxed()), deadline, idle)
    }

    /// The same body, whose bytes are counted, and which is open until it has ended or is dropped.
    pub(crate) fn metered(mut self, meter: Meter, slot: Slot) -> Body {
        self.meter = Some((meter, slot));
        self
    }

    fn new(source: Source, deadline: Instant, idle: Duration) -> Body {
        Body { source, deadline, idle, silent_since: None, timer: None, meter: None }
    }

    /// The next bytes; none at the regular end, and for ever after it or after an error. Cancel-safe.
    ///
    /// Errors: [`Code::Timeout`] where the peer is silent for the request's idle deadline, [`Code::Protocol`] where the body is
    /// cut short or malformed.
    pub async fn chunk(&mut self) -> Option<Result<Bytes, Error>> {
        poll_fn(|cx| self.poll_chunk(cx)).await
    }

    /// [`chunk`](Body::chunk) for those who poll by hand.
    pub fn poll_chunk(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Bytes, Error>>> {
        let polled = match &mut self.source {
            Source::Http(incoming) => incoming.poll_chunk(cx),
            Source::Process(output) => output.poll_chunk(cx),
            Source::Stream(stream) => stream.poll_next_unpin(cx),
            Source::Ended => return Poll::Ready(None),
        };
        let result = match polled {
            Poll::Ready(result) => result,
            Poll::Pending => match self.poll_silence(cx) {
                Poll::Ready(error) => Some(Err(error)),
                Poll::Pending => return Poll::Pending,
            },
        };
        self.silent_since = None;
        let result = match (result, &self.meter) {
            (Some(Ok(chunk)), Some((meter, _))) => Some(meter.spend(chunk.len()).map(|()| chunk)),
            (result, _) => result,
        };
        if !matches!(result, Some(Ok(_))) {
            self.source = Source::Ended;
            self.meter = None;
        }
        Poll::Ready(result)
    }

    /// All that is left, within what is left of the request's deadline.
    ///
    /// Errors: as [`chunk`](Body::chunk), [`Code::Timeout`] past the deadline, [`Code::TooLarge`] past `cap` bytes.
    pub async fn whole(mut self, cap: u64) -> Result<Bytes, Error> {
        let deadline = self.deadline;
        timeout_at(deadline, self.gather(cap)).await.unwrap_or_else(|_| {
            Err(Error::new(Code::Timeout, "the body did not end within the request's deadline"))
        })
    }

    async fn gather(&mut self, cap: u64) -> Result<Bytes, Error> {
        let Some(first) = self.chunk().await.transpose()? else { return Ok(Bytes::new()) };
        let mut total = within(0, first.len(), cap)?;
        let Some(second) = self.chunk().await.transpose()? else { return Ok(first) };
        let mut all = BytesMut::from(first);
        let mut next = Some(second);
        while let Some(chunk) = next {
            total = within(total, chunk.len(), cap)?;
            all.extend_from_slice(&chunk);
            next = self.chunk().await.transpose()?;
        }
        Ok(all.freeze())
    }

    /// Ready once the peer has been silent for too long. A timer is set only where there is something to wait for, and is moved
    /// only when it rings: a busy stream costs no timer operations.
    fn poll_silence(&mut self, cx: &mut Context<'_>) -> Poll<Error> {
        let until = *self.silent_since.get_or_insert_with(Instant::now) + self.idle;
        let timer = self.timer.get_or_insert_with(|| Box::pin(sleep_until(until)));
        // A timer that was set for an earlier silence rings early, is moved and polled again.
        while timer.as_mut().poll(cx).is_ready() {
            if timer.deadline() >= until {
                let seconds = self.idle.as_secs_f64();
                return Poll::Ready(Error::new(
                    Code::Timeout,
                    format!("the body was silent for {seconds} s, its idle deadline"),
                ));
            }
            timer.as_mut().reset(until);
        }
        Poll::Pending
    }
}

/// The chunks, as [`Body::chunk`] gives them.
impl Stream for Body {
    type Item = Result<Bytes, Error>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.poll_chunk(cx)
    }
}

impl fmt::Debug for Body {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let source = match self.source {
            Source::Http(_) => "http",
            Source::Process(_) => "process",
            Source::Stream(_) => "stream",
            Source::Ended => "ended",
        };
        f.debug_struct("Body").field("source", &source).finish_non_exhaustive()
    }
}

fn within(total: u64, more: usize, cap: u64) -> Result<u64, Error> {
    let total = total + more as u64;
    if total > cap {
        let text = format!("the body is larger than {cap} bytes, the cap of what is read whole");
        return Err(Error::new(Code::TooLarge, text));
    }
    Ok(total)
}
