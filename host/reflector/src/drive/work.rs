//! What was ordered, while it goes on.

use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use futures_util::future::BoxFuture;
use tidegate_transport::{
    Batch, Body, Code, Error, EventDecoder, ItemStream, ListOptions, Response, Transport, WatchEvent,
};
use tokio::time::{Instant, Sleep, sleep_until, timeout};

use crate::Spec;

/// How long a server may take to answer a probe.
const ANSWER: Duration = Duration::from_secs(15);

/// The order at hand. Dropped, it ends its request.
pub(super) enum Work {
    Asking(BoxFuture<'static, Result<ItemStream, Error>>),
    Listing(Box<ItemStream>),
    Sending(BoxFuture<'static, Result<Response, Error>>),
    Watching(Box<Watching>),
    Waiting(Pin<Box<Sleep>>),
    Ended,
}

pub(super) struct Watching {
    body: Body,
    decoder: EventDecoder,
    silence: Silence,
    probe: Option<BoxFuture<'static, Result<Option<String>, Error>>>,
}

/// What came of it.
pub(super) enum Happened {
    ListOpened(Box<ItemStream>),
    Items(Batch),
    ListEnded(String),
    WatchOpened(Box<Response>),
    Event(WatchEvent),
    WatchEnded,
    Failed(Error),
    Silent,
    Answered(Option<String>),
    Unanswered(Error),
    Waited,
}

impl Work {
    pub(super) fn list(transport: Arc<dyn Transport>, path: String, options: ListOptions) -> Work {
        Work::Asking(Box::pin(ItemStream::open(transport, path, options)))
    }

    pub(super) fn watching(body: Body, decoder: EventDecoder) -> Work {
        Work::Watching(Box::new(Watching { body, decoder, silence: Silence::default(), probe: None }))
    }

    /// Asks for a sign of life, while the watch goes on.
    pub(super) fn probe(&mut self, transport: Arc<dyn Transport>, spec: &Spec) {
        if let Work::Watching(watching) = self {
            watching.probe = Some(Box::pin(probe(transport, spec.path.clone(), spec.probe(ANSWER))));
        }
    }

    /// What happens next; nothing ever does once it has ended.
    pub(super) fn poll(&mut self, cx: &mut Context<'_>, idle: Duration) -> Poll<Happened> {
        Poll::Ready(match self {
            Work::Asking(asking) => match ready!(asking.as_mut().poll(cx)) {
                Ok(stream) => Happened::ListOpened(Box::new(stream)),
                Err(error) => Happened::Failed(error),
            },
            Work::Listing(stream) => {
                let next = ready!(pin!(stream.next()).poll(cx));
                match next {
                    Ok(Some(batch)) => Happened::Items(batch),
                    Ok(None) => Happened::ListEnded(stream.resource_version().unwrap_or_default().to_owned()),
                    Err(error) => Happened::Failed(error),
                }
            }
            Work::Sending(sending) => match ready!(sending.as_mut().poll(cx)) {
                Ok(response) => Happened::WatchOpened(Box::new(response)),
                Err(error) => Happened::Failed(error),
            },
            Work::Watching(watching) => return watching.poll(cx, idle),
            Work::Waiting(sleep) => {
                ready!(sleep.as_mut().poll(cx));
                Happened::Waited
            }
            Work::Ended => return Poll::Pending,
        })
    }
}

impl Watching {
    fn poll(&mut self, cx: &mut Context<'_>, idle: Duration) -> Poll<Happened> {
        loop {
            if let Some(event) = self.decoder.next_event() {
                self.probe = None;
                return Poll::Ready(happened(event));
            }
            match self.body.poll_chunk(cx) {
                Poll::Ready(Some(Ok(chunk))) => {
                    self.silence.since = None;
                    self.decoder.push(chunk);
                }
                Poll::Ready(Some(Err(error))) => return Poll::Ready(Happened::Failed(error)),
                // After an event that only the end completes, the ended body is asked again.
                Poll::Ready(None) => {
                    return Poll::Ready(self.decoder.finish().map_or(Happened::WatchEnded, happened));
                }
                Poll::Pending => return self.poll_silent(cx, idle),
            }
        }
    }

    fn poll_silent(&mut self, cx: &mut Context<'_>, idle: Duration) -> Poll<Happened> {
        let Some(probe) = &mut self.probe else {
            return self.silence.poll(cx, idle).map(|()| Happened::Silent);
        };
        let answered = ready!(probe.as_mut().poll(cx));
        self.probe = None;
        Poll::Ready(match answered {
            Ok(version) => Happened::Answered(version),
            // Whatever it says, it is there: a new watch will be told the same.
            Err(error) if error.status().is_some() => Happened::Answered(None),
            Err(error) => Happened::Unanswered(error),
        })
    }
}

fn happened(event: Result<WatchEvent, Error>) -> Happened {
    event.map_or_else(Happened::Failed, Happened::Event)
}

/// Since when nothing came. The timer is set only where there is something to wait for, and moved only when it rings.
#[derive(Default)]
struct Silence {
    since: Option<Instant>,
    timer: Option<Pin<Box<Sleep>>>,
}

impl Silence {
    fn poll(&mut self, cx: &mut Context<'_>, idle: Duration) -> Poll<()> {
        let until = *self.since.get_or_insert_with(Instant::now) + idle;
        let timer = self.timer.get_or_insert_with(|| Box::pin(sleep_until(until)));
        // One that was set for an earlier silence rings early, is moved and polled again.
        while timer.as_mut().poll(cx).is_ready() {
            if timer.deadline() >= until {
                return Poll::Ready(());
            }
            timer.as_mut().reset(until);
        }
        Poll::Pending
    }
}

/// What version the collection is at, where the server says so.
async fn probe(
    transport: Arc<dyn Transport>,
    path: String,
    options: ListOptions,
) -> Result<Option<String>, Error> {
    let ask = async {
        let mut stream = ItemStream::open(transport, path, options).await?;
        stream.next().await?;
        Ok(stream.resource_version().map(str::to_owned))
    };
    timeout(ANSWER, ask).await.unwrap_or_else(|_| {
        let text = format!("the server did not answer within {} s whether it is there", ANSWER.as_secs());
        Err(Error::new(Code::Timeout, text))
    })
}
