//! `tidegate:host/types.outgoing-body`: a request body that is written piece by piece.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use futures_util::future::BoxFuture;
use tidegate_transport::{BodyWriter, Code, Error};
use tokio::sync::Mutex;
use wasmtime::Result;
use wasmtime::component::Resource;

use crate::View;
use crate::poll::{Pollable, Source, soon};
use crate::wit::tidegate::host::types::HostOutgoingBody;

/// A guest's handle to a body that it writes. Dropped before `finish`, it cancels the request.
pub struct OutgoingBody {
    outgoing: Arc<Outgoing>,
    started: Arc<AtomicBool>,
}

/// What a body and its pollables share. The lock is free whenever the guest runs.
struct Outgoing(Mutex<Option<BodyWriter>>);

impl OutgoingBody {
    pub(crate) fn new(writer: BodyWriter, started: Arc<AtomicBool>) -> Self {
        Self { outgoing: Arc::new(Outgoing(Mutex::new(Some(writer)))), started }
    }

    /// What to write to. Errors: nobody reads yet.
    fn open(&self) -> Result<Arc<Outgoing>, Error> {
        if self.started.load(Ordering::Relaxed) {
            return Ok(self.outgoing.clone());
        }
        Err(Error::new(Code::InvalidRequest, "a body is written after its request has been started"))
    }
}

impl Drop for OutgoingBody {
    fn drop(&mut self) {
        if let Ok(mut writer) = self.outgoing.0.try_lock() {
            *writer = None;
        }
    }
}

impl Outgoing {
    async fn write(&self, bytes: Vec<u8>) -> Result<(), Error> {
        match &mut *self.0.lock().await {
            Some(writer) => writer.write(bytes.into()).await,
            None => Ok(()),
        }
    }

    async fn try_write(&self, bytes: &[u8]) -> Result<usize, Error> {
        match &mut *self.0.lock().await {
            Some(writer) => writer.try_write(bytes),
            None => Ok(0),
        }
    }

    async fn finish(&self) -> Result<(), Error> {
        self.0.lock().await.as_mut().map_or(Ok(()), BodyWriter::finish)
    }
}

impl Source for Outgoing {
    fn ready(&self) -> BoxFuture<'_, ()> {
        Box::pin(async {
            if let Some(writer) = &*self.0.lock().await {
                writer.ready().await;
            }
        })
    }
}

impl HostOutgoingBody for View<'_> {
    async fn write(
        &mut self,
        body: Resource<OutgoingBody>,
        bytes: Vec<u8>,
    ) -> Result<Result<(), Resource<Error>>> {
        let written = match self.get(&body)?.open() {
            Ok(outgoing) => self.aside(async move { outgoing.write(bytes).await }).await,
            Err(error) => Err(error),
        };
        self.answer(written)
    }

    async fn try_write(
        &mut self,
        body: Resource<OutgoingBody>,
        bytes: Vec<u8>,
    ) -> Result<Result<u64, Resource<Error>>> {
        let written = match self.get(&body)?.open() {
            Ok(outgoing) => {
                let writing = async move {
                    soon(outgoing.ready()).await;
                    outgoing.try_write(&bytes).await
                };
                self.aside(writing).await
            }
            Err(error) => Err(error),
        };
        self.answer(written.map(|count| count as u64))
    }

    fn subscribe(&mut self, body: Resource<OutgoingBody>) -> Result<Resource<Pollable>> {
        let outgoing = self.get(&body)?.outgoing.clone();
        self.push(Pollable::new(outgoing))
    }

    async fn finish(&mut self, body: Resource<OutgoingBody>) -> Result<Result<(), Resource<Error>>> {
        let finished = match self.get(&body)?.open() {
            Ok(outgoing) => self.aside(async move { outgoing.finish().await }).await,
            Err(error) => Err(error),
        };
        self.answer(finished)
    }

    fn drop(&mut self, body: Resource<OutgoingBody>) -> Result<()> {
        self.delete(body).map(drop)
    }
}
