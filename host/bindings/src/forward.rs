//! `tidegate:host/forward`: connections to ports of pods.

use std::sync::{Arc, Mutex as StdMutex, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use futures_util::future::BoxFuture;
use tidegate_api::forward::Forward;
use tidegate_transport::{Code, Error};
use tokio::sync::Mutex;
use wasmtime::Result;
use wasmtime::component::Resource;

use crate::poll::{Pollable, Source, soon};
use crate::wit::tidegate::host::forward::{Host, HostConnection};
use crate::{Client, View};

/// How long an end by agreement may take.
const PATIENCE: Duration = Duration::from_secs(10);

/// A guest's handle to a connection. Dropped, it closes it, whoever still waits for it.
pub struct Connection(Arc<Shared>);

/// What a connection and its pollables share. The locks are free whenever the guest runs.
struct Shared {
    forward: StdMutex<Option<Arc<Forward>>>,
    /// What was read to know that there is something.
    ahead: Mutex<Option<Result<Option<Bytes>, Error>>>,
}

/// Whether something can be written.
struct Writable(Arc<Shared>);

impl Drop for Connection {
    fn drop(&mut self) {
        self.0.close();
    }
}

impl Shared {
    fn forward(&self) -> Option<Arc<Forward>> {
        self.forward.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn open(&self) -> Result<Arc<Forward>, Error> {
        self.forward().ok_or_else(|| Error::new(Code::Closed, "the connection was finished"))
    }

    fn close(&self) {
        *self.forward.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }

    async fn next(&self) -> Result<Option<Vec<u8>>, Error> {
        let mut ahead = self.ahead.lock().await;
        fill(&mut ahead, self.forward()).await;
        ahead.take().unwrap_or(Ok(None)).map(|bytes| bytes.map(Vec::from))
    }

    async fn try_write(&self, bytes: Vec<u8>) -> Result<u64, Error> {
        let (forward, mut left) = (self.open()?, Bytes::from(bytes));
        let whole = left.len();
        forward.try_send(&mut left)?;
        if left.len() == whole && whole > 0 {
            // A guest that asks in a loop would starve what it waits for.
            tokio::task::yield_now().await;
            forward.try_send(&mut left)?;
        }
        Ok((whole - left.len()) as u64)
    }
}

/// Reads on, where nothing was. Cancel-safe.
async fn fill(ahead: &mut Option<Result<Option<Bytes>, Error>>, forward: Option<Arc<Forward>>) {
    if ahead.is_none()
        && let Some(forward) = forward
    {
        *ahead = Some(forward.next().await);
    }
}

impl Source for Shared {
    fn ready(&self) -> BoxFuture<'_, ()> {
        Box::pin(async { fill(&mut *self.ahead.lock().await, self.forward()).await })
    }
}

impl Source for Writable {
    fn ready(&self) -> BoxFuture<'_, ()> {
        Box::pin(async {
            if let Some(forward) = self.0.forward() {
                forward.writable().await;
            }
        })
    }
}

impl Host for View<'_> {
    async fn connect(
        &mut self,
        client: Resource<Client>,
        namespace: Option<String>,
        pod: String,
        port: u16,
    ) -> Result<Result<Resource<Connection>, Resource<Error>>> {
        let transport = self.get(&client)?.transport.clone();
        let opening = async move { Forward::open(transport, namespace.as_deref(), &pod, port).await };
        let opened = self.aside(opening).await;
        self.settle(opened.map(|forward| {
            let forward = StdMutex::new(Some(Arc::new(forward)));
            Connection(Arc::new(Shared { forward, ahead: Mutex::default() }))
        }))
    }
}

impl HostConnection for View<'_> {
    async fn next(
        &mut self,
        connection: Resource<Connection>,
    ) -> Result<Result<Option<Vec<u8>>, Resource<Error>>> {
        let shared = self.get(&connection)?.0.clone();
        let next = self.aside(async move { shared.next().await }).await;
        self.answer(next)
    }

    async fn try_next(
        &mut self,
        connection: Resource<Connection>,
    ) -> Result<Option<Result<Option<Vec<u8>>, Resource<Error>>>> {
        let shared = self.get(&connection)?.0.clone();
        match self.aside(async move { soon(shared.next()).await }).await {
            Some(next) => self.answer(next).map(Some),
            None => Ok(None),
        }
    }

    fn subscribe(&mut self, connection: Resource<Connection>) -> Result<Resource<Pollable>> {
        let shared = self.get(&connection)?.0.clone();
        self.push(Pollable::new(shared))
    }

    async fn write(
        &mut self,
        connection: Resource<Connection>,
        bytes: Vec<u8>,
    ) -> Result<Result<(), Resource<Error>>> {
        let written = match self.get(&connection)?.0.open() {
            Ok(forward) => self.aside(async move { forward.send(bytes.into()).await }).await,
            Err(error) => Err(error),
        };
        self.answer(written)
    }

    async fn try_write(
        &mut self,
        connection: Resource<Connection>,
        bytes: Vec<u8>,
    ) -> Result<Result<u64, Resource<Error>>> {
        let shared = self.get(&connection)?.0.clone();
        let written = self.aside(async move { shared.try_write(bytes).await }).await;
        self.answer(written)
    }

    fn subscribe_write(&mut self, connection: Resource<Connection>) -> Result<Resource<Pollable>> {
        let shared = self.get(&connection)?.0.clone();
        self.push(Pollable::new(Arc::new(Writable(shared))))
    }

    async fn finish(&mut self, connection: Resource<Connection>) -> Result<()> {
        let shared = self.get(&connection)?.0.clone();
        if let Some(forward) = shared.forward() {
            self.aside(async move { forward.finish(PATIENCE).await }).await;
        }
        shared.close();
        Ok(())
    }

    fn drop(&mut self, connection: Resource<Connection>) -> Result<()> {
        self.delete(connection).map(drop)
    }
}
