use std::fmt;
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::Duration;

use futures_util::FutureExt;
use futures_util::future::{BoxFuture, Shared};
use tidegate_transport::{Code, Error, Transport};
use tokio::time::Instant;

use super::catalog::{Catalog, Resource};
use super::fetch;
use super::lookup::LookupError;

/// For how long a catalog is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Keep {
    /// Not at all: each question asks the server. Questions that are asked at the same time share an answer.
    No,
    /// For so long.
    For(Duration),
}

/// How discovery goes about it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DiscoveryOptions {
    /// For how long a catalog is kept; 10 minutes unless set. (kubectl keeps its files for 6 hours, and for 10 minutes before v1.24.)
    pub keep: Keep,
    /// How old a catalog must be to be read anew where a name is not in it; 5 seconds unless set. A kind that was defined a moment ago
    /// is found, and a script that asks for nonsense in a loop does not ask the server each time.
    pub retry_after: Duration,
}

impl Default for DiscoveryOptions {
    fn default() -> DiscoveryOptions {
        DiscoveryOptions { keep: Keep::For(Duration::from_secs(600)), retry_after: Duration::from_secs(5) }
    }
}

/// What one connection's server has: asked once, kept for a while, whoever asks.
///
/// Cheap to clone; clones share the catalog. However many ask at once, one answer is fetched, and a failure is told to all of them and not kept.
#[derive(Clone)]
pub struct Discovery(Arc<Inner>);

struct Inner {
    source: Source,
    options: DiscoveryOptions,
    /// Shared with those who ask the same server through other handles.
    state: Arc<Mutex<State>>,
}

enum Source {
    /// Not held: a cache keeps no connection alive.
    Server(Weak<dyn Transport>),
    /// A document of the embedder's own.
    Fixed(Arc<Catalog>),
}

#[derive(Default)]
struct State {
    known: Option<Known>,
    /// What is being fetched, and the number of the fetch.
    flight: Option<(u64, Flight)>,
    flights: u64,
}

#[derive(Clone)]
struct Known {
    catalog: Arc<Catalog>,
    since: Instant,
}

type Flight = Shared<BoxFuture<'static, Result<Arc<Catalog>, Error>>>;

impl Discovery {
    /// Asks the server behind a transport, when it is first asked for anything.
    pub fn new(transport: &Arc<dyn Transport>, options: DiscoveryOptions) -> Discovery {
        Discovery::of(Source::Server(Arc::downgrade(transport)), options)
    }

    /// Knows a catalog for good: the file driver. Nothing is ever asked.
    pub fn fixed(catalog: Catalog) -> Discovery {
        Discovery::of(Source::Fixed(Arc::new(catalog)), DiscoveryOptions::default())
    }

    /// The same catalog, asked for through another handle to the same connection.
    pub(super) fn through(&self, transport: &Arc<dyn Transport>) -> Discovery {
        let source = Source::Server(Arc::downgrade(transport));
        Discovery(Arc::new(Inner { source, options: self.0.options, state: self.0.state.clone() }))
    }

    /// All that the server has.
    ///
    /// Errors: `/api` and `/apis` could not be had, or are no discovery documents ([`Code::Protocol`], [`Code::TooLarge`]).
    pub async fn catalog(&self) -> Result<Arc<Catalog>, Error> {
        Ok(self.known().await?.catalog)
    }

    /// The resource that a name means: see [`Catalog::lookup`]. Where none has the name and the catalog is not quite fresh, it is read
    /// anew once.
    ///
    /// Errors: no resource has this name, or as [`catalog`](Discovery::catalog).
    pub async fn lookup(&self, name: &str) -> Result<Arc<Resource>, LookupError> {
        let known = self.known().await?;
        let refused = match known.catalog.lookup(name) {
            Ok(found) => return Ok(found.clone()),
            Err(refused) => refused,
        };
        let fixed = matches!(self.0.source, Source::Fixed(_));
        if fixed || known.since.elapsed() < self.0.options.retry_after {
            return Err(refused.into());
        }
        Ok(self.refresh().await?.lookup(name)?.clone())
    }

    /// Asks the server anew, whatever is known. Errors: as [`catalog`](Discovery::catalog); what was known stays.
    pub async fn refresh(&self) -> Result<Arc<Catalog>, Error> {
        let transport = match &self.0.source {
            Source::Fixed(catalog) => return Ok(catalog.clone()),
            Source::Server(transport) => transport.upgrade(),
        };
        let transport =
            transport.ok_or_else(|| Error::new(Code::Closed, "the connection was closed before"))?;
        let (number, flight) = self.board(transport);
        let outcome = flight.await;
        self.land(number, &outcome);
        outcome
    }

    fn of(source: Source, options: DiscoveryOptions) -> Discovery {
        Discovery(Arc::new(Inner { source, options, state: Arc::default() }))
    }

    async fn known(&self) -> Result<Known, Error> {
        if let Source::Fixed(catalog) = &self.0.source {
            return Ok(Known { catalog: catalog.clone(), since: Instant::now() });
        }
        if let (Keep::For(keep), Some(known)) = (self.0.options.keep, self.lock().known.clone())
            && known.since.elapsed() < keep
        {
            return Ok(known);
        }
        Ok(Known { catalog: self.refresh().await?, since: Instant::now() })
    }

    /// The fetch that is under way, or a new one. Whoever awaits it drives it: it ends when the last of them leaves.
    fn board(&self, transport: Arc<dyn Transport>) -> (u64, Flight) {
        let mut state = self.lock();
        if let Some(flight) = &state.flight {
            return flight.clone();
        }
        state.flights += 1;
        let fetched = fetch::fetch(transport).map(|outcome| outcome.map(Arc::new));
        let flight = (state.flights, fetched.boxed().shared());
        state.flight = Some(flight.clone());
        flight
    }

    /// The first who hears of the outcome keeps it, and lets the next fetch begin.
    fn land(&self, number: u64, outcome: &Result<Arc<Catalog>, Error>) {
        let mut state = self.lock();
        if state.flight.as_ref().is_some_and(|(flying, _)| *flying == number) {
            state.flight = None;
            if let Ok(catalog) = outcome {
                state.known = Some(Known { catalog: catalog.clone(), since: Instant::now() });
            }
        }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, State> {
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Discovery {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let known = self.lock().known.clone();
        f.debug_struct("Discovery")
            .field("options", &self.0.options)
            .field("resources", &known.map(|known| known.catalog.resources().len()))
            .finish_non_exhaustive()
    }
}
