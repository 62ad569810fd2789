//! `tidegate:host/lists`: lists in constant memory, and watches of just what is wanted.

use std::sync::Arc;
use std::time::Duration;

use futures_util::future::BoxFuture;
use tidegate_transport::{self as transport, Error, Expired};
use tokio::sync::Mutex;
use wasmtime::Result;
use wasmtime::component::Resource;

use crate::charge::Charge;
use crate::decode::Events;
use crate::narrowing::{self, Filters};
use crate::poll::{Pollable, Source, soon};
use crate::request::Held;
use crate::wit::tidegate::host::lists::{Host, HostItemStream, HostListOptions};
use crate::{Client, EventStream, View};

/// What a guest said about a list. What is wrong with it is told when the list is opened.
pub struct ListOptions {
    charge: Charge,
    source: Option<String>,
    mask: Vec<String>,
    filters: Filters,
    options: transport::ListOptions,
}

/// A guest's handle to the items of a list. Dropped, it ends the request, whoever still waits for it.
pub struct ItemStream(Arc<Shared>);

/// What a stream and its pollables share. The lock is free whenever the guest runs.
struct Shared(Mutex<Option<transport::ItemStream>>);

impl Drop for ItemStream {
    fn drop(&mut self) {
        if let Ok(mut stream) = self.0.0.try_lock() {
            *stream = None;
        }
    }
}

impl Shared {
    async fn next(&self) -> Result<Option<transport::Batch>, Error> {
        match &mut *self.0.lock().await {
            Some(stream) => stream.next().await,
            None => Ok(None),
        }
    }

    /// What the stream knows, which nobody waits for while the guest runs.
    fn ask<T>(&self, question: impl FnOnce(&transport::ItemStream) -> T) -> Option<T> {
        self.0.try_lock().ok()?.as_ref().map(question)
    }
}

impl Source for Shared {
    fn ready(&self) -> BoxFuture<'_, ()> {
        Box::pin(async {
            if let Some(stream) = &mut *self.0.lock().await {
                stream.ready().await;
            }
        })
    }
}

impl ListOptions {
    fn new(held: Held) -> Self {
        Self {
            charge: Charge::new(held),
            source: None,
            mask: Vec::new(),
            filters: Filters::default(),
            options: transport::ListOptions::default(),
        }
    }

    /// Compiles what was said.
    pub(crate) fn take(self) -> Result<transport::ListOptions, Error> {
        self.charge.settle()?;
        let mut options = self.options;
        options.source = narrowing::source(self.source.as_deref())?;
        options.mask = narrowing::mask(&self.mask)?;
        options.filter = self.filters.build()?.map(Arc::new);
        Ok(options)
    }
}

impl Host for View<'_> {
    async fn open(
        &mut self,
        client: Resource<Client>,
        path: String,
        options: Resource<ListOptions>,
    ) -> Result<Result<Resource<ItemStream>, Resource<Error>>> {
        let transport = self.get(&client)?.transport.clone();
        let opened = match self.delete(options)?.take() {
            Ok(options) => {
                self.aside(async move { transport::ItemStream::open(transport, path, options).await }).await
            }
            Err(error) => Err(error),
        };
        self.settle(opened.map(|stream| ItemStream(Arc::new(Shared(Mutex::new(Some(stream)))))))
    }

    async fn watch(
        &mut self,
        client: Resource<Client>,
        path: String,
        options: Resource<ListOptions>,
    ) -> Result<Result<Resource<EventStream>, Resource<Error>>> {
        let transport = self.get(&client)?.transport.clone();
        let opened = match self.delete(options)?.take() {
            Ok(options) => {
                let request = options.watch_request(&path, transport.as_ref());
                let sent = self.aside(async move { transport.send(request, None).await }).await;
                sent.map(|response| EventStream::with(response.body, Events::of(options.event_decoder())))
            }
            Err(error) => Err(error),
        };
        self.settle(opened)
    }
}

impl HostListOptions for View<'_> {
    fn new(&mut self) -> Result<Resource<ListOptions>> {
        let held = self.context.held.clone();
        self.push(ListOptions::new(held))
    }

    fn set_source(&mut self, options: Resource<ListOptions>, source: String) -> Result<()> {
        let options = self.get_mut(&options)?;
        if let Some(source) = options.charge.text(source) {
            options.source = Some(source);
        }
        Ok(())
    }

    fn set_limit(&mut self, options: Resource<ListOptions>, items: u32) -> Result<()> {
        self.get_mut(&options)?.options.limit = Some(items);
        Ok(())
    }

    fn set_label_selector(&mut self, options: Resource<ListOptions>, selector: String) -> Result<()> {
        let options = self.get_mut(&options)?;
        if let Some(selector) = options.charge.text(selector) {
            options.options.label_selector = Some(selector);
        }
        Ok(())
    }

    fn set_field_selector(&mut self, options: Resource<ListOptions>, selector: String) -> Result<()> {
        let options = self.get_mut(&options)?;
        if let Some(selector) = options.charge.text(selector) {
            options.options.field_selector = Some(selector);
        }
        Ok(())
    }

    fn set_resource_version(
        &mut self,
        options: Resource<ListOptions>,
        version: String,
        rule: Option<String>,
    ) -> Result<()> {
        let options = self.get_mut(&options)?;
        if options.charge.hold(version.len() + rule.as_ref().map_or(0, String::len)) {
            options.options.resource_version = Some((version, rule));
        }
        Ok(())
    }

    fn set_mask(&mut self, options: Resource<ListOptions>, paths: Vec<String>) -> Result<()> {
        let options = self.get_mut(&options)?;
        if let Some(paths) = options.charge.texts(paths) {
            options.mask = paths;
        }
        Ok(())
    }

    fn set_label_filter(&mut self, options: Resource<ListOptions>, selector: String) -> Result<()> {
        let options = self.get_mut(&options)?;
        if let Some(selector) = options.charge.text(selector) {
            options.filters.labels = selector;
        }
        Ok(())
    }

    fn set_field_filter(&mut self, options: Resource<ListOptions>, selector: String) -> Result<()> {
        let options = self.get_mut(&options)?;
        if let Some(selector) = options.charge.text(selector) {
            options.filters.fields = selector;
        }
        Ok(())
    }

    fn set_filter(&mut self, options: Resource<ListOptions>, expression: String) -> Result<()> {
        let options = self.get_mut(&options)?;
        if let Some(expression) = options.charge.text(expression) {
            options.filters.expression = expression;
        }
        Ok(())
    }

    fn set_metadata_only(&mut self, options: Resource<ListOptions>) -> Result<()> {
        self.get_mut(&options)?.options.metadata_only = true;
        Ok(())
    }

    fn allow_inconsistent(&mut self, options: Resource<ListOptions>) -> Result<()> {
        self.get_mut(&options)?.options.expired = Expired::GoesOn;
        Ok(())
    }

    fn set_deadline(&mut self, options: Resource<ListOptions>, nanoseconds: u64) -> Result<()> {
        self.get_mut(&options)?.options.deadline = Some(Duration::from_nanos(nanoseconds));
        Ok(())
    }

    fn set_idle_deadline(&mut self, options: Resource<ListOptions>, nanoseconds: u64) -> Result<()> {
        self.get_mut(&options)?.options.idle_deadline = Some(Duration::from_nanos(nanoseconds));
        Ok(())
    }

    fn drop(&mut self, options: Resource<ListOptions>) -> Result<()> {
        self.delete(options).map(drop)
    }
}

impl HostItemStream for View<'_> {
    async fn next(
        &mut self,
        stream: Resource<ItemStream>,
    ) -> Result<Result<Option<transport::Batch>, Resource<Error>>> {
        let shared = self.get(&stream)?.0.clone();
        let next = self.aside(async move { shared.next().await }).await;
        self.answer(next)
    }

    async fn try_next(
        &mut self,
        stream: Resource<ItemStream>,
    ) -> Result<Option<Result<Option<transport::Batch>, Resource<Error>>>> {
        let shared = self.get(&stream)?.0.clone();
        match self.aside(async move { soon(shared.next()).await }).await {
            Some(next) => self.answer(next).map(Some),
            None => Ok(None),
        }
    }

    fn subscribe(&mut self, stream: Resource<ItemStream>) -> Result<Resource<Pollable>> {
        let shared = self.get(&stream)?.0.clone();
        self.push(Pollable::new(shared))
    }

    fn resource_version(&mut self, stream: Resource<ItemStream>) -> Result<Option<String>> {
        let known = self.get(&stream)?.0.ask(|stream| stream.resource_version().map(str::to_owned));
        Ok(known.flatten())
    }

    fn remaining(&mut self, stream: Resource<ItemStream>) -> Result<Option<u64>> {
        Ok(self.get(&stream)?.0.ask(transport::ItemStream::remaining).flatten())
    }

    fn is_consistent(&mut self, stream: Resource<ItemStream>) -> Result<bool> {
        Ok(self.get(&stream)?.0.ask(transport::ItemStream::is_consistent).unwrap_or(true))
    }

    fn drop(&mut self, stream: Resource<ItemStream>) -> Result<()> {
        self.delete(stream).map(drop)
    }
}
