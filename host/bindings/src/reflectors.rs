//! `tidegate:host/reflectors`: caches that all guests of a connection share.

use std::sync::Arc;
use std::time::Duration;

use futures_util::future::BoxFuture;
use tidegate_reflector::{self as reflector, Shared as Which, View as Wanted};
use tidegate_transport::{Code, Error, Slot, Transport};
use tokio::sync::{Mutex, OwnedSemaphorePermit};
use wasmtime::Result;
use wasmtime::component::Resource;

use crate::charge::Charge;
use crate::narrowing::{self, Filters};
use crate::poll::{Pollable, Source, soon};
use crate::request::Held;
use crate::wit::tidegate::host::reflectors::{
    Change, Host, HostReflector, HostReflectorOptions, HostSnapshot, Update,
};
use crate::{Client, View};

/// How many snapshots one guest may hold at a time, of all its reflectors: each keeps what the store has replaced since.
pub(crate) const MAX_SNAPSHOTS: usize = 64;

/// What a guest said about a reflector. What is wrong with it is told when it is opened.
pub struct ReflectorOptions {
    charge: Charge,
    source: Option<String>,
    filters: Filters,
    view: Vec<String>,
    which: Which,
    wanted: Wanted,
}

/// A guest's handle to a follower. Dropped, it follows no more, whoever still waits for it.
pub struct Reflector(Arc<Shared>);

/// A guest's handle to a store as it was, and its part of `MAX_SNAPSHOTS`.
pub struct Snapshot {
    listing: Arc<Mutex<reflector::Listing>>,
    _permit: OwnedSemaphorePermit,
}

/// What a follower and its pollables share. The lock is free whenever the guest runs.
struct Shared(Mutex<Option<(reflector::Reflector, Slot)>>);

impl Drop for Reflector {
    fn drop(&mut self) {
        self.0.stop();
    }
}

impl Shared {
    async fn next(&self) -> Result<Option<Vec<reflector::Update>>, Error> {
        match &mut *self.0.lock().await {
            Some((reflector, _)) => reflector.next().await.map(Some),
            None => Ok(None),
        }
    }

    /// What the store knows, which nobody waits for while the guest runs; none after `stop`.
    fn ask<T>(&self, question: impl FnOnce(&reflector::Reflector) -> T) -> Option<T> {
        self.0.try_lock().ok()?.as_ref().map(|(reflector, _)| question(reflector))
    }

    fn stop(&self) {
        if let Ok(mut reflector) = self.0.try_lock() {
            *reflector = None;
        }
    }
}

impl Source for Shared {
    fn ready(&self) -> BoxFuture<'_, ()> {
        Box::pin(async {
            if let Some((reflector, _)) = &mut *self.0.lock().await {
                reflector.ready().await;
            }
        })
    }
}

impl ReflectorOptions {
    fn new(held: Held) -> Self {
        Self {
            charge: Charge::new(held),
            source: None,
            filters: Filters::default(),
            view: Vec::new(),
            which: Which::default(),
            wanted: Wanted::default(),
        }
    }

    /// Compiles what was said.
    fn take(self, path: String) -> Result<(Which, Wanted), Error> {
        self.charge.settle()?;
        let source = narrowing::source(self.source.as_deref())?;
        let (filter, mask) = (self.filters.build()?, narrowing::mask(&self.view)?);
        Ok((Which { path, source, ..self.which }, Wanted { filter, mask, ..self.wanted }))
    }
}

impl Host for View<'_> {
    async fn open(
        &mut self,
        client: Resource<Client>,
        path: String,
        options: Resource<ReflectorOptions>,
    ) -> Result<Result<Resource<Reflector>, Resource<Error>>> {
        let transport = View::get(self, &client)?.shared.clone();
        let options = self.delete(options)?.take(path);
        let opened = match options {
            Ok((which, wanted)) => self.follow(&transport, which, wanted).await,
            Err(error) => Err(error),
        };
        self.settle(opened.map(|following| Reflector(Arc::new(Shared(Mutex::new(Some(following)))))))
    }
}

impl HostReflectorOptions for View<'_> {
    fn new(&mut self) -> Result<Resource<ReflectorOptions>> {
        let held = self.context.held.clone();
        self.push(ReflectorOptions::new(held))
    }

    fn set_label_selector(&mut self, options: Resource<ReflectorOptions>, selector: String) -> Result<()> {
        let options = self.get_mut(&options)?;
        if let Some(selector) = options.charge.text(selector) {
            options.which.label_selector = Some(selector);
        }
        Ok(())
    }

    fn set_field_selector(&mut self, options: Resource<ReflectorOptions>, selector: String) -> Result<()> {
        let options = self.get_mut(&options)?;
        if let Some(selector) = options.charge.text(selector) {
            options.which.field_selector = Some(selector);
        }
        Ok(())
    }

    fn set_mask(&mut self, options: Resource<ReflectorOptions>, paths: Vec<String>) -> Result<()> {
        let options = self.get_mut(&options)?;
        if let Some(paths) = options.charge.texts(paths) {
            options.which.mask = paths;
        }
        Ok(())
    }

    fn set_metadata_only(&mut self, options: Resource<ReflectorOptions>) -> Result<()> {
        self.get_mut(&options)?.which.metadata_only = true;
        Ok(())
    }

    fn set_source(&mut self, options: Resource<ReflectorOptions>, source: String) -> Result<()> {
        let options = self.get_mut(&options)?;
        if let Some(source) = options.charge.text(source) {
            options.source = Some(source);
        }
        Ok(())
    }

    fn set_idle_deadline(&mut self, options: Resource<ReflectorOptions>, nanoseconds: u64) -> Result<()> {
        self.get_mut(&options)?.which.idle = Some(Duration::from_nanos(nanoseconds));
        Ok(())
    }

    fn set_label_filter(&mut self, options: Resource<ReflectorOptions>, selector: String) -> Result<()> {
        let options = self.get_mut(&options)?;
        if let Some(selector) = options.charge.text(selector) {
            options.filters.labels = selector;
        }
        Ok(())
    }

    fn set_field_filter(&mut self, options: Resource<ReflectorOptions>, selector: String) -> Result<()> {
        let options = self.get_mut(&options)?;
        if let Some(selector) = options.charge.text(selector) {
            options.filters.fields = selector;
        }
        Ok(())
    }

    fn set_filter(&mut self, options: Resource<ReflectorOptions>, expression: String) -> Result<()> {
        let options = self.get_mut(&options)?;
        if let Some(expression) = options.charge.text(expression) {
            options.filters.expression = expression;
        }
        Ok(())
    }

    fn set_view(&mut self, options: Resource<ReflectorOptions>, paths: Vec<String>) -> Result<()> {
        let options = self.get_mut(&options)?;
        if let Some(paths) = options.charge.texts(paths) {
            options.view = paths;
        }
        Ok(())
    }

    fn set_previous(&mut self, options: Resource<ReflectorOptions>) -> Result<()> {
        self.get_mut(&options)?.wanted.previous = true;
        Ok(())
    }

    fn set_batch(&mut self, options: Resource<ReflectorOptions>, updates: u32) -> Result<()> {
        self.get_mut(&options)?.wanted.batch = updates as usize;
        Ok(())
    }

    fn drop(&mut self, options: Resource<ReflectorOptions>) -> Result<()> {
        self.delete(options).map(drop)
    }
}

/// The next updates as a guest gets them.
type Updates = Result<Option<Vec<Update>>, Resource<Error>>;

impl HostReflector for View<'_> {
    async fn next(&mut self, reflector: Resource<Reflector>) -> Result<Updates> {
        let shared = self.follower(&reflector)?.clone();
        let next = self.aside(async move { shared.next().await }).await;
        self.updates(next)
    }

    async fn try_next(&mut self, reflector: Resource<Reflector>) -> Result<Option<Updates>> {
        let shared = self.follower(&reflector)?.clone();
        match self.aside(async move { soon(shared.next()).await }).await {
            Some(next) => self.updates(next).map(Some),
            None => Ok(None),
        }
    }

    fn subscribe(&mut self, reflector: Resource<Reflector>) -> Result<Resource<Pollable>> {
        let shared = self.follower(&reflector)?.clone();
        self.push(Pollable::new(shared))
    }

    fn get(
        &mut self,
        reflector: Resource<Reflector>,
        namespace: String,
        name: String,
    ) -> Result<Result<Option<Vec<u8>>, Resource<Error>>> {
        let found = self.follower(&reflector)?.ask(|reflector| reflector.get(&namespace, &name));
        self.answer(found.unwrap_or_else(|| Err(stopped())))
    }

    fn snapshot(
        &mut self,
        reflector: Resource<Reflector>,
    ) -> Result<Result<Resource<Snapshot>, Resource<Error>>> {
        let permit = self.context.snapshots.clone().try_acquire_owned();
        let follower = self.follower(&reflector)?;
        let taken = permit.map_err(|_| too_many_snapshots()).and_then(|permit| {
            let listing = follower.ask(reflector::Reflector::list).ok_or_else(stopped)?;
            Ok(Snapshot { listing: Arc::new(Mutex::new(listing)), _permit: permit })
        });
        self.settle(taken)
    }

    fn len(&mut self, reflector: Resource<Reflector>) -> Result<u64> {
        Ok(self.follower(&reflector)?.ask(reflector::Reflector::len).unwrap_or_default() as u64)
    }

    fn is_synced(&mut self, reflector: Resource<Reflector>) -> Result<bool> {
        Ok(self.follower(&reflector)?.ask(reflector::Reflector::is_synced).unwrap_or_default())
    }

    fn resource_version(&mut self, reflector: Resource<Reflector>) -> Result<Option<String>> {
        Ok(self.follower(&reflector)?.ask(reflector::Reflector::resource_version).flatten())
    }

    fn stop(&mut self, reflector: Resource<Reflector>) -> Result<()> {
        self.follower(&reflector)?.stop();
        Ok(())
    }

    fn drop(&mut self, reflector: Resource<Reflector>) -> Result<()> {
        self.delete(reflector).map(drop)
    }
}

impl HostSnapshot for View<'_> {
    async fn next(
        &mut self,
        snapshot: Resource<Snapshot>,
    ) -> Result<Result<Option<Vec<Vec<u8>>>, Resource<Error>>> {
        let listing = View::get(self, &snapshot)?.listing.clone();
        let next = self.aside(async move { listing.lock().await.next().await }).await;
        self.answer(next)
    }

    fn drop(&mut self, snapshot: Resource<Snapshot>) -> Result<()> {
        self.delete(snapshot).map(drop)
    }
}

impl View<'_> {
    /// What a store asks its server for is nobody's alone and is not counted; that one is followed is.
    async fn follow(
        &mut self,
        transport: &Arc<dyn Transport>,
        which: Which,
        wanted: Wanted,
    ) -> Result<(reflector::Reflector, Slot), Error> {
        let slot = self.context.meter.open()?;
        self.asks().await?;
        let (reflectors, transport) = (self.context.surroundings.reflectors.clone(), transport.clone());
        let reflector = self.aside(async move { reflectors.open(&transport, which, wanted) }).await?;
        Ok((reflector, slot))
    }

    fn follower(&self, reflector: &Resource<Reflector>) -> Result<&Arc<Shared>> {
        Ok(&View::get(self, reflector)?.0)
    }

    fn updates(&mut self, next: Result<Option<Vec<reflector::Update>>, Error>) -> Result<Updates> {
        let updates = match next {
            Ok(Some(updates)) => updates,
            Ok(None) => return Ok(Ok(None)),
            Err(error) => return self.fail(error).map(Err),
        };
        updates.into_iter().map(|update| self.update(update)).collect::<Result<_>>().map(|all| Ok(Some(all)))
    }

    fn update(&mut self, update: reflector::Update) -> Result<Update> {
        use reflector::Update as Told;
        let (change, object, previous, error) = match update {
            Told::Added { object } => (Change::Added, object, None, None),
            Told::Modified { object, previous } => (Change::Modified, object, previous, None),
            Told::Deleted { object } => (Change::Deleted, object, None, None),
            Told::Synced => (Change::Synced, Vec::new(), None, None),
            Told::Desynced => (Change::Desynced, Vec::new(), None, None),
            Told::Reset => (Change::Reset, Vec::new(), None, None),
            Told::Error(error) => (Change::Failed, Vec::new(), None, Some(self.fail(error)?)),
        };
        Ok(Update { change, object, previous, error })
    }
}

fn too_many_snapshots() -> Error {
    let text = format!("this guest holds {MAX_SNAPSHOTS} snapshots, which is the cap: drop some");
    Error::new(Code::TooLarge, text)
}

fn stopped() -> Error {
    Error::new(Code::Closed, "the reflector was stopped before")
}
