//! Bodies as a guest reads them: the four streams of `tidegate:host/types`.
//!
//! A stream pulls. It asks the body for the next chunk only when all of the one before has been handed over, so a guest that does not
//! read holds its peer back.

use std::sync::Arc;

use futures_util::future::BoxFuture;
use tidegate_transport::{Body, Error};
use tokio::sync::Mutex;
use wasmtime::Result;
use wasmtime::component::Resource;

use crate::View;
use crate::decode::{Bytes, Decode, Events, JsonObjects, Lines};
use crate::poll::{Pollable, Source, soon};
use crate::wit::tidegate::host::types::{
    HostByteStream, HostEventStream, HostJsonStream, HostLineStream, WatchEvent,
};

/// The body as it arrives.
pub type ByteStream = Stream<Bytes>;
/// The body line by line.
pub type LineStream = Stream<Lines>;
/// The body as one JSON object a line.
pub type JsonStream = Stream<JsonObjects>;
/// The body as watch events.
pub type EventStream = Stream<Events>;

/// A guest's handle to a body. Dropped, it closes the body, whoever still waits for it.
pub struct Stream<D: Decode>(Arc<Shared<D>>);

impl<D: Decode> Stream<D> {
    pub(crate) fn new(body: Body) -> Self {
        Self::with(body, D::default())
    }

    pub(crate) fn with(body: Body, decoder: D) -> Self {
        Self(Arc::new(Shared(Mutex::new(Inner { body: Some(body), decoder, ahead: None }))))
    }
}

impl<D: Decode> Drop for Stream<D> {
    fn drop(&mut self) {
        // Nobody holds the lock: a guest does one thing at a time, and waits for nothing while it drops a handle.
        if let Ok(mut inner) = self.0.0.try_lock() {
            inner.close();
        }
    }
}

/// What a stream and its pollables share. The lock is free whenever the guest runs.
struct Shared<D: Decode>(Mutex<Inner<D>>);

struct Inner<D: Decode> {
    body: Option<Body>,
    decoder: D,
    /// What was decoded to know that there is something, or the error that comes after the items handed over last.
    ahead: Option<Result<D::Item, Error>>,
}

impl<D: Decode> Shared<D> {
    async fn next(&self) -> Result<Option<D::Batch>, Error> {
        let mut inner = self.0.lock().await;
        inner.fill().await;
        inner.batch()
    }
}

impl<D: Decode> Source for Shared<D> {
    fn ready(&self) -> BoxFuture<'_, ()> {
        Box::pin(async { self.0.lock().await.fill().await })
    }
}

impl<D: Decode> Inner<D> {
    /// Waits until there is an item, an error or the end. Cancel-safe, as `Body::chunk` is: nothing is held across the wait.
    async fn fill(&mut self) {
        while self.ahead.is_none() {
            self.ahead = self.decoder.next();
            let (None, Some(body)) = (&self.ahead, &mut self.body) else { return };
            match body.chunk().await {
                Some(Ok(chunk)) => self.decoder.push(chunk),
                Some(Err(error)) => {
                    self.close();
                    self.ahead = Some(Err(error));
                }
                None => {
                    self.body = None;
                    self.ahead = self.decoder.finish();
                }
            }
        }
    }

    /// What is there: items up to a batch, or the error that came after them, or none at the end.
    fn batch(&mut self) -> Result<Option<D::Batch>, Error> {
        let first = match self.ahead.take() {
            None => return Ok(None),
            Some(Ok(first)) => first,
            Some(Err(error)) => {
                self.close();
                return Err(error);
            }
        };
        let mut items = Vec::with_capacity(D::BATCH.min(8));
        items.push(first);
        while items.len() < D::BATCH && self.ahead.is_none() {
            match self.decoder.next() {
                None => break,
                Some(Ok(item)) => items.push(item),
                Some(Err(error)) => self.ahead = Some(Err(error)),
            }
        }
        if self.decoder.is_over() {
            self.close();
        }
        Ok(Some(D::batch(items)))
    }

    /// Closes the body: what is not handed over by now is lost.
    fn close(&mut self) {
        self.body = None;
        self.ahead = None;
        self.decoder = D::default();
    }
}

impl View<'_> {
    async fn next<D: Decode>(
        &mut self,
        stream: Resource<Stream<D>>,
    ) -> Result<Result<Option<D::Batch>, Resource<Error>>> {
        let shared = self.get(&stream)?.0.clone();
        let next = self.aside(async move { shared.next().await }).await;
        self.answer(next)
    }

    async fn try_next<D: Decode>(
        &mut self,
        stream: Resource<Stream<D>>,
    ) -> Result<Option<Result<Option<D::Batch>, Resource<Error>>>> {
        let shared = self.get(&stream)?.0.clone();
        match self.aside(async move { soon(shared.next()).await }).await {
            Some(next) => self.answer(next).map(Some),
            None => Ok(None),
        }
    }

    fn subscribe_to<D: Decode>(&mut self, stream: Resource<Stream<D>>) -> Result<Resource<Pollable>> {
        let shared = self.get(&stream)?.0.clone();
        self.push(Pollable::new(shared))
    }
}

/// The same three methods for every stream: WIT has no generics.
macro_rules! stream {
    ($host:ident, $stream:ident, $batch:ty) => {
        impl $host for View<'_> {
            async fn next(
                &mut self,
                stream: Resource<$stream>,
            ) -> Result<Result<Option<$batch>, Resource<Error>>> {
                View::next(self, stream).await
            }

            async fn try_next(
                &mut self,
                stream: Resource<$stream>,
            ) -> Result<Option<Result<Option<$batch>, Resource<Error>>>> {
                View::try_next(self, stream).await
            }

            fn subscribe(&mut self, stream: Resource<$stream>) -> Result<Resource<Pollable>> {
                self.subscribe_to(stream)
            }

            fn drop(&mut self, stream: Resource<$stream>) -> Result<()> {
                self.delete(stream).map(drop)
            }
        }
    };
}

stream!(HostByteStream, ByteStream, Vec<u8>);
stream!(HostLineStream, LineStream, Vec<Vec<u8>>);
stream!(HostJsonStream, JsonStream, Vec<String>);
stream!(HostEventStream, EventStream, Vec<WatchEvent>);
