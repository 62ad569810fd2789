//! The items of a list, request after request.

use std::future::poll_fn;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use futures_util::future::BoxFuture;
use tidegate_kube::scan::{FilterFailed, ListError, ListMeta, checked_object};

use super::decode::{Decoder, NARROWED};
use super::{Expired, ListOptions, ListSource};
use crate::{Body, Code, Error, Response, Transport};

/// How many items are handed over at a time.
const BATCH: usize = 256;

/// How many bytes are handed over at a time, unless one item alone has more.
const BATCH_BYTES: usize = 256 << 10;

/// Items that are handed over together, each one JSON object in UTF-8.
pub type Batch = Vec<Vec<u8>>;

/// The items of a list as they arrive. Dropped, it ends the request.
///
/// Nothing is read ahead of the batch that is handed over next: who does not take it holds the server back.
pub struct ItemStream {
    transport: Arc<dyn Transport>,
    path: String,
    options: ListOptions,
    source: ListSource,
    state: State,
    batch: Batch,
    batch_bytes: usize,
    /// How many items came, wanted or not.
    seen: u64,
    /// What comes after the batch.
    error: Option<Error>,
    /// Of the first page: the others show the same state.
    version: Option<String>,
    remaining: Option<u64>,
    consistency: Expired,
}

enum State {
    Sending(BoxFuture<'static, Result<Response, Error>>),
    Reading(Box<Body>, Decoder),
    Ended,
}

impl ItemStream {
    /// Begins with the list at `path`, and waits for the head of the first answer.
    ///
    /// Errors: as [`Transport::send`].
    pub async fn open(
        transport: Arc<dyn Transport>,
        path: String,
        mut options: ListOptions,
    ) -> Result<Self, Error> {
        options.mask = options.effective_mask();
        let source = options.source;
        let mut stream = Self {
            transport,
            path,
            options,
            source,
            state: State::Ended,
            batch: Vec::new(),
            batch_bytes: 0,
            seen: 0,
            error: None,
            version: None,
            remaining: None,
            consistency: Expired::Fails,
        };
        stream.send(None);
        poll_fn(|cx| stream.poll_head(cx)).await;
        match stream.error.take() {
            Some(error) => Err(error),
            None => Ok(stream),
        }
    }

    /// The next items, at most 256 of them and 256 KiB, or one that is larger; none at the end, and for ever after it or after an
    /// error. Items before an error are handed over first. Cancel-safe.
    pub async fn next(&mut self) -> Result<Option<Batch>, Error> {
        self.ready().await;
        self.say_version();
        if !self.batch.is_empty() {
            self.batch_bytes = 0;
            return Ok(Some(std::mem::take(&mut self.batch)));
        }
        self.error.take().map_or(Ok(None), Err)
    }

    /// Waits until [`next`](Self::next) would not wait. Cancel-safe.
    pub async fn ready(&mut self) {
        poll_fn(|cx| self.poll_fill(cx)).await;
    }

    /// The state of the cluster that the list shows, once the server has said it: a watch can begin there.
    pub fn resource_version(&self) -> Option<&str> {
        self.version.as_deref()
    }

    /// How many items come after the page at hand, where the server says so.
    pub fn remaining(&self) -> Option<u64> {
        self.remaining
    }

    /// Whether all items so far are from one state of the cluster.
    pub fn is_consistent(&self) -> bool {
        self.consistency == Expired::Fails
    }

    fn send(&mut self, token: Option<&str>) {
        let request = self.options.request(&self.path, self.source, token, self.transport.as_ref());
        self.state = State::Sending(self.transport.clone().send(request, None));
    }

    /// Waits until there is a body to read, or none will come.
    fn poll_head(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        while let State::Sending(sending) = &mut self.state {
            let sent = ready!(Pin::new(sending).poll(cx));
            self.state = State::Ended;
            match sent {
                Ok(response) => {
                    let decoder = match self.source {
                        ListSource::WatchList => Decoder::Events(Box::default()),
                        ListSource::Pages | ListSource::Whole => Decoder::List(Box::default()),
                    };
                    self.state = State::Reading(Box::new(response.body), decoder);
                }
                Err(error) => self.refused(error),
            }
        }
        Poll::Ready(())
    }

    /// Another way, where there is one.
    fn refused(&mut self, error: Error) {
        let status = error.status();
        let code = status.map_or(0, |status| status.code);
        if self.source == ListSource::WatchList && matches!(code, 400 | 422) {
            self.source = ListSource::Pages;
            return self.send(None);
        }
        let token =
            status.filter(|_| code == 410 && self.seen > 0).and_then(|status| status.continue_token.clone());
        match (token, self.options.expired) {
            (Some(token), Expired::GoesOn) => {
                self.consistency = Expired::GoesOn;
                self.send(Some(&token));
            }
            _ => self.error = Some(error),
        }
    }

    /// Waits until there is a batch, an error or the end. What is there already is taken, as far as it fits one batch.
    fn poll_fill(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        loop {
            if self.error.is_some() || self.batch.len() >= BATCH || self.batch_bytes >= BATCH_BYTES {
                return Poll::Ready(());
            }
            let polled = match &mut self.state {
                State::Ended => return Poll::Ready(()),
                State::Sending(_) => self.poll_head(cx),
                State::Reading(..) => self.poll_read(cx),
            };
            if polled.is_pending() {
                return if self.batch.is_empty() { Poll::Pending } else { Poll::Ready(()) };
            }
        }
    }

    /// One step through the body.
    fn poll_read(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let State::Reading(body, decoder) = &mut self.state else { return Poll::Ready(()) };
        // What a filter is to judge has to be there as a whole.
        if let (Some(mask), None) = (&self.options.mask, &self.options.filter)
            && let Some(narrowed) = decoder.mask_next(mask)
        {
            self.seen += 1;
            self.hand_over(narrowed);
            return Poll::Ready(());
        }
        match decoder.next() {
            Some(Ok(item)) => {
                self.seen += 1;
                if let Err(error) = self.take(&item) {
                    self.fail(error);
                }
                return Poll::Ready(());
            }
            Some(Err(error)) => {
                self.fail(error);
                return Poll::Ready(());
            }
            None if decoder.is_over() => {
                self.end();
                return Poll::Ready(());
            }
            None => {}
        }
        match ready!(body.poll_chunk(cx)) {
            Some(Ok(chunk)) => decoder.push(chunk),
            Some(Err(error)) => self.fail(error),
            None => match decoder.finish() {
                Ok(()) => self.end(),
                Err(error) => self.fail(error),
            },
        }
        Poll::Ready(())
    }

    /// Adds an item to the batch if it is wanted.
    fn take(&mut self, item: &[u8]) -> Result<(), Error> {
        let number = self.seen;
        if let Some(filter) = &self.options.filter
            && !filter.matches(item).map_err(|error| filter_error(number, error))?
        {
            return Ok(());
        }
        let refused = |source| {
            let error = ListError::Item { item: number, source };
            Error::new(Code::Protocol, error.to_string()).because(source)
        };
        let taken = match &self.options.mask {
            Some(mask) => {
                let mut out = Vec::with_capacity(NARROWED);
                mask.apply(item, &mut out).map_err(refused)?;
                out
            }
            None => {
                checked_object(item).map_err(refused)?;
                item.to_vec()
            }
        };
        self.hand_over(taken);
        Ok(())
    }

    fn hand_over(&mut self, item: Vec<u8>) {
        self.batch_bytes += item.len();
        self.batch.push(item);
    }

    /// The regular end of one answer.
    fn end(&mut self) {
        self.say_version();
        let State::Reading(_, decoder) = std::mem::replace(&mut self.state, State::Ended) else { return };
        let ListMeta { continue_token, remaining_item_count, .. } = decoder.meta();
        self.remaining = remaining_item_count;
        if !continue_token.is_empty() {
            self.send(Some(&continue_token));
        }
    }

    fn say_version(&mut self) {
        if self.version.is_none()
            && let State::Reading(_, decoder) = &self.state
        {
            let meta = decoder.meta();
            self.remaining = meta.remaining_item_count;
            self.version = Some(meta.resource_version).filter(|version| !version.is_empty());
        }
    }

    fn fail(&mut self, error: Error) {
        self.state = State::Ended;
        self.error = Some(error);
    }
}

fn filter_error(item: u64, error: FilterFailed) -> Error {
    let code = match error {
        FilterFailed::NotAnObject(_) => Code::Protocol,
        FilterFailed::Expression(_) => Code::InvalidRequest,
    };
    Error::new(code, format!("the filter has no answer for item {item} of the list")).because(error)
}
