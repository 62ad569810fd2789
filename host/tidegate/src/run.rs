//! One run of a script.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::future::Future;
use std::pin::{Pin, pin};
use std::sync::Arc;

use tidegate_api::middleware::Middleware;
use tidegate_bindings::{Context, Surroundings};
use tidegate_grants::{Grants, Limit, LimitKind, Limits};
use tidegate_registry::Registry;
use tidegate_transport::{Options, Told};
use wasmtime::{Store, UpdateDeadline};
use wasmtime_wasi::I32Exit;

use crate::ending::{Ending, Limited, Outcome, Trap};
use crate::error::RunError;
use crate::guest::Guest;
use crate::host;
use crate::inherited::ReaderLeft;
use crate::limits::{Clock, Memory, timed};
use crate::script::Script;
use crate::stdio::{Input, Output, Stream};
use crate::wasi;

/// How many bytes a guest may hand over in one call: more than the largest body, so that a larger one is an error and no trap.
const ONE_CALL: usize = 512 << 20;

/// As many at least, however little memory it has.
const LEAST_CALL: usize = 16 << 20;

/// A run to be: nothing is granted, the streams are this process' own, and there are no arguments, unless set.
pub struct RunBuilder {
    /// In a box: a future keeps room for whatever is moved into it, for as long as it lives.
    parts: Box<Parts>,
}

struct Parts {
    script: Script,
    grants: Grants,
    limits: Limits,
    options: Option<Options>,
    connections: Option<Registry>,
    middleware: Middleware,
    named: BTreeMap<String, Middleware>,
    arguments: Vec<String>,
    environment: Option<Vec<(OsString, OsString)>>,
    stdin: Input,
    stdout: Output,
    stderr: Output,
    until: Option<Pin<Box<dyn Future<Output = ()> + Send>>>,
}

impl RunBuilder {
    pub(crate) fn new(script: Script) -> Self {
        let parts = Parts {
            script,
            grants: Grants::none(),
            limits: Limits::none(),
            options: None,
            connections: None,
            middleware: Middleware::new(),
            named: BTreeMap::new(),
            arguments: Vec::new(),
            environment: None,
            stdin: Input::inherit(),
            stdout: Output::inherit(),
            stderr: Output::inherit(),
            until: None,
        };
        Self { parts: Box::new(parts) }
    }

    /// What the host may do for this guest, and the guest by itself.
    #[must_use]
    pub fn grants(mut self, grants: Grants) -> Self {
        self.parts.grants = grants;
        self
    }

    /// What this guest may use up; nothing is limited unless set. One that is ended by a limit, or fails for want of what a limit refused, ends
    /// as [`Ending::Limited`]. Other guests of the engine go on.
    ///
    /// Time that is limited costs a thread for all such guests of the engine, while there are any.
    #[must_use]
    pub fn limits(mut self, limits: Limits) -> Self {
        self.parts.limits = limits;
        self
    }

    /// Which clusters, and how they are reached. Holds the user agent.
    #[must_use]
    pub fn options(mut self, options: Options) -> Self {
        self.parts.options = Some(options);
        self
    }

    /// The connections that there are; none unless set. The guest sees those that its grants cover ([`Kind::Connection`]), and each may
    /// use all that it needs but for what the grants deny. Give every run a clone of the same registry, so that they share transports.
    ///
    /// [`Kind::Connection`]: tidegate_grants::Kind::Connection
    #[must_use]
    pub fn connections(mut self, registry: Registry) -> Self {
        self.parts.connections = Some(registry);
        self
    }

    /// The `User-Agent` of every request, e.g. `fleet-view/1.4 (list-pods)`. This or [`options`](Self::options) is required: a
    /// server's log must say who asks. Besides options, it replaces theirs.
    #[must_use]
    pub fn user_agent(mut self, user_agent: impl Into<String>) -> Self {
        let user_agent = user_agent.into();
        match &mut self.parts.options {
            Some(options) => options.user_agent = user_agent,
            None => self.parts.options = Some(Options::new(user_agent)),
        }
        self
    }

    /// Hooks around every request and response of this guest's connections, but for those that have hooks of their own.
    ///
    /// What the host asks for by itself passes no hook: whether a server is there, and what it has, which all guests of a connection
    /// share.
    #[must_use]
    pub fn middleware(mut self, middleware: Middleware) -> Self {
        self.parts.middleware = middleware;
        self
    }

    /// Hooks around the connection of this name, instead of those of [`middleware`](Self::middleware).
    #[must_use]
    pub fn connection_middleware(mut self, name: impl Into<String>, middleware: Middleware) -> Self {
        self.parts.named.insert(name.into(), middleware);
        self
    }

    /// What the guest's program gets after its own name, which is the script's.
    #[must_use]
    pub fn arguments(mut self, arguments: impl IntoIterator<Item = impl Into<String>>) -> Self {
        self.parts.arguments = arguments.into_iter().map(Into::into).collect();
        self
    }

    /// The environment from which granted variables are taken, and that programs inherit; this process' own unless set. For tenants
    /// that must not share it.
    #[must_use]
    pub fn environment(
        mut self,
        variables: impl IntoIterator<Item = (impl Into<OsString>, impl Into<OsString>)>,
    ) -> Self {
        self.parts.environment =
            Some(variables.into_iter().map(|(name, value)| (name.into(), value.into())).collect());
        self
    }

    /// Standard input.
    #[must_use]
    pub fn stdin(mut self, stdin: Input) -> Self {
        self.parts.stdin = stdin;
        self
    }

    /// Standard output.
    #[must_use]
    pub fn stdout(mut self, stdout: Output) -> Self {
        self.parts.stdout = stdout;
        self
    }

    /// Standard error.
    #[must_use]
    pub fn stderr(mut self, stderr: Output) -> Self {
        self.parts.stderr = stderr;
        self
    }

    /// Ends the guest when this ends, as [`Ending::Interrupted`]. A guest that computes and never waits notices at the next
    /// [`Engine::interrupt`](crate::Engine::interrupt).
    #[must_use]
    pub fn until(mut self, stop: impl Future<Output = ()> + Send + 'static) -> Self {
        self.parts.until = Some(Box::pin(stop));
        self
    }

    /// Runs the guest to its end, on a tokio runtime with time and I/O enabled. Dropping the future ends the guest and closes what it
    /// opened.
    ///
    /// Errors: it could not be started. What it does from then on is an [`Ending`].
    pub async fn start(mut self) -> Result<Outcome, RunError> {
        let until = self.parts.until.take();
        let mut running = pin!(run(self.parts));
        let Some(until) = until else { return running.await };
        tokio::select! {
            outcome = &mut running => outcome,
            () = until => Ok(Outcome { ending: Ending::Interrupted }),
        }
    }
}

impl Parts {
    /// Takes the box, which else would stay for as long as its name is known.
    fn store(self: Box<Self>, clock: Option<Arc<Clock>>) -> Result<Store<Guest>, RunError> {
        let named = |options: &Options| !options.user_agent.trim().is_empty();
        let options = Arc::new(self.options.filter(named).ok_or(RunError::NoUserAgent)?);
        let engine = &self.script.0.engine.0;
        let mut authority = host::authority(self.grants);
        if let Some(variables) = &self.environment {
            authority = authority.with_environment(variables.clone());
        }
        let registry = self.connections.unwrap_or_else(|| Registry::new((*options).clone()));
        let around = wasi::Around {
            engine,
            options: &options,
            registry: &registry,
            limits: &self.limits,
            variables: self.environment.as_deref(),
        };
        let (mut itself, authority) = wasi::context(&around, authority);
        let connections = registry.narrowed(authority.clone(), authority.for_connections(&engine.host));
        let wasi = &mut itself.wasi;
        wasi.arg(self.script.name()).args(&self.arguments);
        self.stdin.set(wasi);
        self.stdout.set(Stream::Output, wasi);
        self.stderr.set(Stream::Error, wasi);
        let (discoveries, reflectors) = (engine.discoveries.clone(), engine.reflectors.clone());
        let surroundings =
            Surroundings { discoveries, reflectors, middleware: self.middleware, named: self.named };
        let context = Context::new(authority, options, connections);
        let context = context.with_surroundings(surroundings).with_limits(&self.limits);
        let memory = Memory::new(&self.limits, engine.slot, context.meter().clone());
        let guest = Guest::new(context, itself, memory);
        let mut store = Store::new(&engine.wasmtime, guest);
        store.set_hostcall_fuel(one_call(&self.limits));
        // At each tick of the epoch the guest gives way, and goes on when it is polled again.
        store.set_epoch_deadline(1);
        match clock {
            None => store.epoch_deadline_async_yield_and_update(1),
            Some(clock) => store.epoch_deadline_callback(move |_| match clock.lap() {
                Some(limit) => Err(wasmtime::Error::new(limit)),
                None => Ok(UpdateDeadline::Yield(1)),
            }),
        }
        if store.data().memory.is_bounded() {
            store.limiter(|guest| &mut guest.memory);
        }
        Ok(store)
    }
}

async fn run(parts: Box<Parts>) -> Result<Outcome, RunError> {
    let Some(clock) = Clock::start(&parts.limits).map(Arc::new) else { return work(parts, None).await };
    let script = parts.script.clone();
    let watched = script.0.engine.0.ticker.watch(&clock).map_err(RunError::NoClock)?;
    match timed(&watched, work(parts, Some(clock.clone()))).await {
        Ok(outcome) => outcome,
        Err(limit) => Ok(Outcome { ending: Ending::Limited(Limited::of(limit)) }),
    }
}

async fn work(parts: Box<Parts>, clock: Option<Arc<Clock>>) -> Result<Outcome, RunError> {
    let script = parts.script.clone();
    let mut store = parts.store(clock)?;
    // What host functions wait for is done here, and not on the guest's own stack.
    let aside = store.data().context.aside();
    // In a box too: it is large, and over when the guest's code begins.
    let instance = match Box::pin(aside.beside(script.0.instance.instantiate_async(&mut store))).await {
        Ok(instance) => instance,
        Err(error) if is_of_guest(&error) || limited(store.data()).is_some() => {
            return Ok(ended(&store, Err(error)));
        }
        Err(error) => return Err(uninstantiated(&script, &error)),
    };
    let run = instance.get_typed_func::<(), (Result<(), ()>,)>(&mut store, script.0.run);
    let run = run.map_err(|error| uninstantiated(&script, &error))?;
    let returned = aside.beside(run.call_async(&mut store, ())).await;
    Ok(ended(&store, returned.map(|(result,)| result)))
}

fn uninstantiated(script: &Script, error: &wasmtime::Error) -> RunError {
    RunError::Instantiate { name: script.name().to_owned(), detail: format!("{error:#}") }
}

/// How many bytes a guest of so much memory may hand over in one call. Lists take more in the host than in the guest, and what a guest
/// has once it can hand over many times.
fn one_call(limits: &Limits) -> usize {
    match limits.get(LimitKind::Memory) {
        Some(Limit::Memory(bytes)) => {
            usize::try_from(bytes.saturating_mul(2)).unwrap_or(ONE_CALL).clamp(LEAST_CALL, ONE_CALL)
        }
        _ => ONE_CALL,
    }
}

/// Whether the guest's own code failed, and not what came before it.
fn is_of_guest(error: &wasmtime::Error) -> bool {
    error.is::<I32Exit>()
        || error.is::<ReaderLeft>()
        || error.is::<wasmtime::Trap>()
        || error.is::<wasmtime::WasmBacktrace>()
}

fn ended(store: &Store<Guest>, returned: wasmtime::Result<Result<(), ()>>) -> Outcome {
    let guest = store.data();
    let code = match returned {
        Ok(Ok(())) => 0,
        Ok(Err(())) => 1,
        Err(error) => match error.downcast_ref::<I32Exit>() {
            Some(exit) => u8::try_from(exit.0).unwrap_or(1),
            None if error.is::<ReaderLeft>() => return Outcome { ending: Ending::OutputClosed },
            None => {
                let limit = error.downcast_ref::<Limit>().copied().or_else(|| limited(guest));
                let ending = match limit {
                    Some(limit) => Ending::Limited(Limited::at(limit, &error)),
                    None => Ending::Trapped(Trap::of(&error, guest.memory.beyond_slot())),
                };
                return Outcome { ending };
            }
        },
    };
    let ending = match guest.context.meter().told() {
        Some(Told::Refused { missing }) if code == 1 => Ending::Refused { missing },
        Some(Told::Limited(limit)) if is_failure_of(code, limit) => Ending::Limited(Limited::of(limit)),
        _ => Ending::Exited(code),
    };
    Outcome { ending }
}

/// The limit, if one is what the guest was told of last.
fn limited(guest: &Guest) -> Option<Limit> {
    match guest.context.meter().told()? {
        Told::Limited(limit) => Some(limit),
        Told::Refused { .. } => None,
    }
}

/// Whether a guest ends with this code because it did not handle that a limit was reached: 1 is any failure, and Go's runtime ends with 2
/// where it has no memory.
fn is_failure_of(code: u8, limit: Limit) -> bool {
    code == 1 || (code == 2 && matches!(limit, Limit::Memory(_)))
}
