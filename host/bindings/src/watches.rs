//! `tidegate:host/watches`: watches that go on for ever.

use std::sync::Arc;

use futures_util::future::BoxFuture;
use tidegate_reflector::{self as reflector, Spec};
use tidegate_transport::Error;
use tokio::sync::Mutex;
use wasmtime::Result;
use wasmtime::component::Resource;

use crate::poll::{Pollable, Source, soon};
use crate::wit::tidegate::host::watches::{Desync, Event, Host, HostWatcher};
use crate::{Client, ListOptions, View};

/// A guest's handle to a watcher. Dropped, it ends the watcher, whoever still waits for it.
pub struct Watcher(Arc<Shared>);

/// What a watcher and its pollables share. The lock is free whenever the guest runs.
struct Shared(Mutex<Option<reflector::Watcher>>);

impl Drop for Watcher {
    fn drop(&mut self) {
        if let Ok(mut watcher) = self.0.0.try_lock() {
            *watcher = None;
        }
    }
}

impl Shared {
    async fn next(&self) -> Vec<reflector::Event> {
        match &mut *self.0.lock().await {
            Some(watcher) => watcher.next().await,
            None => Vec::new(),
        }
    }
}

impl Source for Shared {
    fn ready(&self) -> BoxFuture<'_, ()> {
        Box::pin(async {
            if let Some(watcher) = &mut *self.0.lock().await {
                watcher.ready().await;
            }
        })
    }
}

impl Host for View<'_> {
    fn open(
        &mut self,
        client: Resource<Client>,
        path: String,
        options: Resource<ListOptions>,
    ) -> Result<Result<Resource<Watcher>, Resource<Error>>> {
        let transport = self.get(&client)?.transport.clone();
        let spec = self.delete(options)?.take().and_then(|options| Spec::of(path, options));
        let started = spec.map(|spec| reflector::Watcher::start(transport, spec));
        self.settle(started.map(|watcher| Watcher(Arc::new(Shared(Mutex::new(Some(watcher)))))))
    }
}

impl HostWatcher for View<'_> {
    async fn next(&mut self, watcher: Resource<Watcher>) -> Result<Vec<Event>> {
        let shared = self.get(&watcher)?.0.clone();
        let events = self.aside(async move { shared.next().await }).await;
        self.events(events)
    }

    async fn try_next(&mut self, watcher: Resource<Watcher>) -> Result<Option<Vec<Event>>> {
        let shared = self.get(&watcher)?.0.clone();
        match self.aside(async move { soon(shared.next()).await }).await {
            Some(events) => self.events(events).map(Some),
            None => Ok(None),
        }
    }

    fn subscribe(&mut self, watcher: Resource<Watcher>) -> Result<Resource<Pollable>> {
        let shared = self.get(&watcher)?.0.clone();
        self.push(Pollable::new(shared))
    }

    fn drop(&mut self, watcher: Resource<Watcher>) -> Result<()> {
        self.delete(watcher).map(drop)
    }
}

impl View<'_> {
    fn events(&mut self, events: Vec<reflector::Event>) -> Result<Vec<Event>> {
        events.into_iter().map(|event| self.event(event)).collect()
    }

    fn event(&mut self, event: reflector::Event) -> Result<Event> {
        Ok(match event {
            reflector::Event::Listing => Event::Listing,
            reflector::Event::Item(object) => Event::Item(object.into()),
            reflector::Event::Listed { version } => Event::Listed(version),
            reflector::Event::Added(object) => Event::Added(object.into()),
            reflector::Event::Modified(object) => Event::Modified(object.into()),
            reflector::Event::Deleted(object) => Event::Deleted(object.into()),
            reflector::Event::Bookmark { version } => Event::Bookmark(version),
            reflector::Event::Desynced { why, retry_in } => {
                let retry_in = retry_in.map(|wait| u64::try_from(wait.as_nanos()).unwrap_or(u64::MAX));
                Event::Desynced(Desync { why: self.fail(why)?, retry_in })
            }
        })
    }
}
