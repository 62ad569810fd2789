//! One guest's half of the store: what it may do, and what was refused to it.

use std::collections::BTreeMap;
use std::sync::Arc;

use tidegate_api::discovery::Discoveries;
use tidegate_api::middleware::Middleware;
use tidegate_authority::Authority;
use tidegate_grants::{Limit, LimitKind, Limits};
use tidegate_reflector::Reflectors;
use tidegate_registry::View as Connections;
use tidegate_transport::{Error, Meter, Options};
use tokio::sync::Semaphore;
use wasmtime::Result;
use wasmtime::component::{HasData, Linker, Resource, ResourceTable, ResourceTableError};

use crate::aside::Aside;
use crate::error::refusal;
use crate::reflectors::MAX_SNAPSHOTS;
use crate::request::Held;
use crate::wit::tidegate::host::{
    client, connections, detect, discovery, forward, listen, lists, logs, permissions, poll, reflectors,
    tunnels, types, watches,
};

/// How many handles one guest may hold at a time, WASI's among them. One more is a trap that names this cap.
pub const MAX_HANDLES: usize = 32_768;

/// What the host does for one guest, and within which grants.
pub struct Context {
    pub(crate) authority: Authority,
    pub(crate) options: Arc<Options>,
    pub(crate) connections: Connections,
    pub(crate) held: Held,
    /// How many more snapshots of reflectors this guest may hold.
    pub(crate) snapshots: Arc<Semaphore>,
    pub(crate) aside: Aside,
    pub(crate) surroundings: Surroundings,
    pub(crate) meter: Meter,
    pub(crate) memory: Option<Limit>,
}

impl Context {
    /// A guest with `authority`'s grants, whose transports are chosen and configured by `options`, and that sees these connections.
    pub fn new(authority: Authority, options: Arc<Options>, connections: Connections) -> Self {
        let meter = Meter::new(&Limits::none(), options.observer.clone());
        let (held, aside, surroundings) = Default::default();
        let snapshots = Arc::new(Semaphore::new(MAX_SNAPSHOTS));
        Self { authority, options, connections, held, snapshots, aside, surroundings, meter, memory: None }
    }

    /// The same guest with bounds to what it may use: streams, requests and bytes, and of memory what the host holds for it. Its own
    /// memory and its time are for who runs it to bound. By default nothing is.
    #[must_use]
    pub fn with_limits(mut self, limits: &Limits) -> Self {
        self.meter = Meter::new(limits, self.options.observer.clone());
        self.memory = limits.get(LimitKind::Memory);
        self.held = Held::within(self.memory);
        self
    }

    /// The same guest with hooks around its connections, and with what others know of them; by default nothing of either.
    #[must_use]
    pub fn with_surroundings(mut self, surroundings: Surroundings) -> Self {
        self.surroundings = surroundings;
        self
    }

    /// What whoever runs the guest does for its host functions meanwhile: see [`Aside::beside`]. Without, they do it on the guest's stack.
    pub fn aside(&self) -> Aside {
        self.aside.clone()
    }

    /// The limit of this guest's memory, if there is one.
    pub fn memory(&self) -> Option<Limit> {
        self.memory
    }

    /// What the host may hold for this guest's requests, those of `wasi:http` among them.
    pub fn held(&self) -> &Held {
        &self.held
    }

    /// What this guest's use of connections is counted by, and what remembers whether the last that it was told was a refusal
    /// (`permission-denied`, or `no-client` where every transport was refused) or a limit.
    pub fn meter(&self) -> &Meter {
        &self.meter
    }
}

/// What is around a guest's connections.
#[derive(Clone, Debug, Default)]
pub struct Surroundings {
    /// What servers have, shared by all guests that are given the same.
    pub discoveries: Discoveries,
    /// What is kept of servers, shared by all guests that are given the same.
    pub reflectors: Reflectors,
    /// Hooks around every connection that has none of its own in `named`.
    pub middleware: Middleware,
    /// Hooks around the connections of these names.
    pub named: BTreeMap<String, Middleware>,
}

impl Surroundings {
    /// The hooks of a connection of this name, or of none.
    pub(crate) fn hooks(&self, name: Option<&str>) -> &Middleware {
        name.and_then(|name| self.named.get(name)).unwrap_or(&self.middleware)
    }
}

/// A store's data that has a [`Context`].
pub trait TidegateView: Send {
    /// The context and the table that holds every handle of the guest.
    fn tidegate(&mut self) -> View<'_>;
}

/// Access to one guest's context and handles: what implements the WIT interfaces.
pub struct View<'a> {
    /// What the host does for this guest.
    pub context: &'a mut Context,
    /// Every handle of this guest; its capacity should be [`MAX_HANDLES`].
    pub table: &'a mut ResourceTable,
}

impl View<'_> {
    /// Makes a handle.
    pub(crate) fn push<T: Send + 'static>(&mut self, value: T) -> Result<Resource<T>> {
        self.table.push(value).map_err(|error| match error {
            ResourceTableError::Full => {
                wasmtime::format_err!(
                    "the guest holds {} handles, which is the most that it may: drop some",
                    self.table.max_capacity()
                )
            }
            other => other.into(),
        })
    }

    /// Does beside the guest's stack what a host function waits for, or what takes much of a stack: see [`Aside`].
    pub(crate) fn aside<W>(&self, work: W) -> impl Future<Output = W::Output> + Send + use<W>
    where
        W: Future<Output: Send> + Send + 'static,
    {
        self.context.aside.doing(work)
    }

    pub(crate) fn get<T: 'static>(&self, handle: &Resource<T>) -> Result<&T> {
        Ok(self.table.get(handle)?)
    }

    pub(crate) fn get_mut<T: 'static>(&mut self, handle: &Resource<T>) -> Result<&mut T> {
        Ok(self.table.get_mut(handle)?)
    }

    pub(crate) fn delete<T: 'static>(&mut self, handle: Resource<T>) -> Result<T> {
        Ok(self.table.delete(handle)?)
    }

    /// A guest that was refused memory, and has an answer since, found a way with less.
    fn goes_on(&self) {
        if self.context.memory.is_some() {
            self.context.meter.given(LimitKind::Memory);
        }
    }

    /// Makes a handle to what worked, or to why it did not.
    pub(crate) fn settle<T: Send + 'static>(
        &mut self,
        result: Result<T, Error>,
    ) -> Result<Result<Resource<T>, Resource<Error>>> {
        match result {
            Ok(value) => {
                self.goes_on();
                self.push(value).map(Ok)
            }
            Err(error) => self.fail(error).map(Err),
        }
    }

    /// Gives what worked, or a handle to why it did not.
    pub(crate) fn answer<T>(&mut self, result: Result<T, Error>) -> Result<Result<T, Resource<Error>>> {
        match result {
            Ok(value) => {
                self.goes_on();
                Ok(Ok(value))
            }
            Err(error) => self.fail(error).map(Err),
        }
    }

    /// Makes a handle to an error, and remembers whether it is a refusal or a limit.
    pub(crate) fn fail(&mut self, error: Error) -> Result<Resource<Error>> {
        match refusal(&error) {
            Some(missing) => self.context.meter.note_refusal(missing.to_vec()),
            None => self.context.meter.note(error.limit()),
        }
        self.push(error)
    }
}

/// Offers the interfaces of the world `tidegate:host/imports` that are wanted, by their names without version (`tidegate:host/client`), to
/// guests of `linker`. An interface whose types another one uses is an import of every component that imports the other.
///
/// Errors: an interface of that name is there already.
pub fn add_to_linker<T: TidegateView + 'static>(
    linker: &mut Linker<T>,
    wanted: &dyn Fn(&str) -> bool,
) -> Result<()> {
    macro_rules! offer {
        ($($interface:ident)*) => {$(
            if wanted(concat!("tidegate:host/", stringify!($interface))) {
                $interface::add_to_linker::<T, Tidegate>(linker, T::tidegate)?;
            }
        )*};
    }
    offer!(poll types client detect connections lists watches logs reflectors forward listen permissions discovery tunnels);
    Ok(())
}

struct Tidegate;

impl HasData for Tidegate {
    type Data<'a> = View<'a>;
}
