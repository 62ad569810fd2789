//! Credentials that somebody has to be asked for: kept until they end, asked for once however many wait.

use std::hash::{BuildHasher, Hasher};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};

use futures_util::future::{BoxFuture, FutureExt, Shared, WeakShared};
use http::HeaderValue;
use tokio::time::Instant;

use super::{CredentialReport, Moment, Presented, Source};
use crate::http::ClientIdentity;
use crate::{Error, Event, Observer};

/// How long before its end a credential is replaced: a tenth of its life, and this at most.
const EARLY: Duration = Duration::from_secs(60);

/// How much earlier at most, by chance, so that processes that began together do not all ask at once: a twentieth of its life, and
/// this at most.
const JITTER: Duration = Duration::from_secs(30);

/// How long a credential that is still good is used before the next try to replace it, after one that failed.
const RETRY: Duration = Duration::from_secs(10);

/// Whom to ask.
pub(crate) trait Fetch: Send + Sync {
    /// One credential. Dropping the future ends what it began.
    fn fetch(&self) -> BoxFuture<'_, Result<Fetched, Error>>;

    /// What can be said about it, but for when it was had and when it ends.
    fn report(&self) -> CredentialReport;
}

/// What came of asking.
pub(crate) struct Fetched {
    pub(crate) header: Option<HeaderValue>,
    pub(crate) identity: Option<Arc<ClientIdentity>>,
    /// None where it is good until a server refuses it.
    pub(crate) expires: Option<SystemTime>,
}

/// A source that asks, and keeps what it was told.
pub(crate) struct Cached(Arc<Inner>);

struct Inner {
    fetch: Box<dyn Fetch>,
    now: fn() -> Moment,
    observer: Arc<dyn Observer>,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    latest: Option<Latest>,
    /// What all who wait now wait for. Weak, so that it ends with the last of them.
    flight: Option<WeakShared<Flight>>,
    /// Why there is no newer one.
    failed: Option<Error>,
}

type Flight = BoxFuture<'static, Result<Presented, Error>>;

struct Latest {
    presented: Presented,
    had: SystemTime,
    expires: Option<SystemTime>,
    /// When another one is to be had, and when it is over.
    early: Ends,
    over: Ends,
    /// Until when it is not tried again.
    retry: Option<Instant>,
}

/// On whichever clock comes first: one may be set, and the other stands still while a machine sleeps.
#[derive(Clone, Copy)]
struct Ends {
    instant: Option<Instant>,
    date: Option<SystemTime>,
}

impl Cached {
    pub(crate) fn new(fetch: Box<dyn Fetch>, observer: Arc<dyn Observer>) -> Cached {
        Cached::with_clock(fetch, observer, Moment::now)
    }

    fn with_clock(fetch: Box<dyn Fetch>, observer: Arc<dyn Observer>, now: fn() -> Moment) -> Cached {
        Cached(Arc::new(Inner { fetch, now, observer, state: Mutex::default() }))
    }

    /// The same, with one that is known already.
    pub(crate) fn beginning_with(self, known: Option<Fetched>) -> Cached {
        if let Some(known) = known {
            self.0.keep(known);
        }
        self
    }
}

impl Source for Cached {
    fn current(&self, now: Moment) -> Option<Presented> {
        let state = self.0.lock();
        state.latest.as_ref().filter(|latest| latest.is_good(now)).map(|latest| latest.presented.clone())
    }

    fn refresh(&self, refused: Option<u64>) -> BoxFuture<'_, Result<Presented, Error>> {
        let mut state = self.0.lock();
        if let Some(latest) = &state.latest
            && refused != Some(latest.presented.generation)
            && latest.is_good((self.0.now)())
        {
            return Box::pin(std::future::ready(Ok(latest.presented.clone())));
        }
        Box::pin(self.0.clone().join(&mut state, refused.is_some()))
    }

    fn reports(&self) -> Vec<CredentialReport> {
        let mut report = self.0.fetch.report();
        let state = self.0.lock();
        if let Some(latest) = &state.latest {
            report.refreshed = Some(latest.had);
            report.expires = latest.expires;
        }
        report.missing.extend(state.failed.as_ref().map(Error::report));
        vec![report]
    }
}

impl Inner {
    /// The flight that is on its way, or a new one.
    fn join(self: Arc<Inner>, state: &mut State, refused: bool) -> Shared<Flight> {
        if let Some(flight) = state.flight.as_ref().and_then(WeakShared::upgrade) {
            return flight;
        }
        let flight: Flight = Box::pin(async move {
            let result = self.fetch.fetch().await;
            self.settle(result, refused)
        });
        let flight = flight.shared();
        state.flight = flight.downgrade();
        flight
    }

    fn settle(&self, result: Result<Fetched, Error>, refused: bool) -> Result<Presented, Error> {
        let error = match result {
            Ok(fetched) => return Ok(self.keep(fetched)),
            Err(error) => error,
        };
        let now = (self.now)();
        let mut state = self.lock();
        state.flight = None;
        state.failed = Some(error.clone());
        let Some(latest) = &mut state.latest else { return Err(error) };
        let alive = latest.over.is_ahead_of(now);
        latest.retry = Some(now.instant + RETRY).filter(|_| !refused);
        let presented = latest.presented.clone();
        drop(state);
        if alive || refused {
            let text = format!("the credential could not be replaced: {}", error.report());
            self.observer.event(&Event::Warning { text: &text });
        }
        if alive { Ok(presented) } else { Err(error) }
    }

    fn keep(&self, fetched: Fetched) -> Presented {
        let now = (self.now)();
        let mut state = self.lock();
        let Fetched { header, mut identity, expires } = fetched;
        let mut generation = 1;
        if let Some(before) = &state.latest {
            let before = &before.presented;
            identity = ClientIdentity::or_same(identity, before.identity.as_ref());
            let same = header == before.header
                && identity.as_ref().map(|new| new.id()) == before.identity.as_ref().map(|old| old.id());
            generation = before.generation + u64::from(!same);
        }
        let presented = Presented { header, identity, generation };
        let (early, over) = ends(now, expires);
        state.latest =
            Some(Latest { presented: presented.clone(), had: now.date, expires, early, over, retry: None });
        state.flight = None;
        state.failed = None;
        presented
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Latest {
    fn is_good(&self, now: Moment) -> bool {
        let waits = self.retry.is_some_and(|retry| now.instant < retry) && self.over.is_ahead_of(now);
        waits || self.early.is_ahead_of(now)
    }
}

impl Ends {
    fn is_ahead_of(self, now: Moment) -> bool {
        self.instant.is_none_or(|end| now.instant < end) && self.date.is_none_or(|end| now.date < end)
    }
}

/// When to replace what expires then, and when it is over.
fn ends(now: Moment, expires: Option<SystemTime>) -> (Ends, Ends) {
    let Some(expires) = expires else {
        let never = Ends { instant: None, date: None };
        return (never, never);
    };
    let life = expires.duration_since(now.date).unwrap_or_default();
    let margin = EARLY.min(life / 10) + chance(JITTER.min(life / 20));
    let over = Ends { instant: now.instant.checked_add(life), date: Some(expires) };
    let early = Ends { instant: now.instant.checked_add(life - margin), date: expires.checked_sub(margin) };
    (early, over)
}

/// Anything up to `most`.
fn chance(most: Duration) -> Duration {
    // Seeded anew by the standard library: good enough for what only has to differ.
    let random = std::hash::RandomState::new().build_hasher().finish();
    most.mul_f64(random as f64 / u64::MAX as f64)
}

#[cfg(test)]
#[path = "cached_tests.rs"]
mod tests;
