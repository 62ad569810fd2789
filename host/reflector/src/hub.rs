//! One store for all who want the same.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use tidegate_kube::scan::{Mask, ObjectMeta};
use tidegate_transport::{Code, Error, Identity, ListOptions, ListSource, Transport};

use crate::live::{Core, Live, Memory, Upstream};
use crate::log::Limits;
use crate::reflector::Reflector;
use crate::view::View;
use crate::{Spec, Watcher};

/// What the stores of a hub may hold together, unless it is said otherwise.
const MEMORY: usize = 1 << 30;

/// What a store cannot be without.
const IDENTITY: [&str; 3] = ["metadata.name", "metadata.namespace", "metadata.uid"];

/// What is reflected: those who say the same of one connection share a store and an upstream watch.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Shared {
    /// The path of a collection: `/api/v1/pods`.
    pub path: String,
    /// What the server selects by labels.
    pub label_selector: Option<String>,
    /// What the server selects by the few fields that it knows.
    pub field_selector: Option<String>,
    /// The fields that are kept, as [`Mask::parse`] takes them; everything where there are none. An object's name, namespace and uid are kept
    /// always.
    pub mask: Vec<String>,
    /// Whether the server is asked for nothing but metadata.
    pub metadata_only: bool,
    /// How lists come, page by page unless set otherwise.
    pub source: ListSource,
    /// How long the watch may be silent before the server is asked for a sign of life; 90 s unless set.
    pub idle: Option<Duration>,
}

/// The stores of all connections, one for each [`Shared`]. Cheap to clone.
///
/// A store lives as long as anyone follows it. It keeps nothing of connections whose followers are gone.
#[derive(Clone)]
pub struct Reflectors(Arc<Hub>);

struct Hub {
    memory: Arc<Memory>,
    limits: Limits,
    live: Mutex<All>,
}

type All = HashMap<Which, Weak<Live>>;

/// What is reflected, and of which connection.
#[derive(PartialEq, Eq, Hash)]
pub(crate) struct Which {
    identity: Identity,
    shared: Shared,
}

impl Which {
    pub(crate) fn of(identity: Identity, mut shared: Shared) -> Self {
        shared.mask.sort_unstable();
        shared.mask.dedup();
        Self { identity, shared }
    }
}

impl Default for Reflectors {
    fn default() -> Self {
        Self::new(MEMORY)
    }
}

impl Reflectors {
    /// Stores that hold at most so many bytes of objects together; 1 GiB by default. One that would hold more ends for all who follow it,
    /// as [`Code::TooLarge`].
    pub fn new(memory: usize) -> Self {
        Self::with(memory, Limits::default())
    }

    pub(crate) fn with(memory: usize, limits: Limits) -> Self {
        Self(Arc::new(Hub { memory: Arc::new(Memory::new(memory)), limits, live: Mutex::default() }))
    }

    /// Follows a store, and begins to fill it where nobody followed it yet: by a task on the tokio runtime of this caller.
    ///
    /// Errors: [`Code::InvalidRequest`] for a mask that is none, or that drops what tells objects apart; for an idle deadline of nothing or
    /// above 12 hours.
    pub fn open(
        &self,
        transport: &Arc<dyn Transport>,
        shared: Shared,
        view: View,
    ) -> Result<Reflector, Error> {
        let which = Which::of(transport.identity(), shared);
        // What somebody follows was found to make sense before. That is the usual case, and takes little of a guest's stack.
        match self.followed(&which) {
            Some(live) => Ok(Reflector::new(live, view)),
            None => self.begin(transport, which, view),
        }
    }

    /// How many stores are followed now.
    pub fn len(&self) -> usize {
        self.live().values().filter(|live| live.strong_count() > 0).count()
    }

    /// Whether no store is followed now.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// How many bytes of objects the stores hold together.
    pub fn bytes(&self) -> usize {
        self.0.memory.used()
    }

    /// Follows a store that somebody else may begin to fill at this moment.
    pub(crate) fn follow<U: Upstream>(
        &self,
        which: Which,
        view: View,
        start: impl FnOnce() -> U,
    ) -> Reflector {
        let mut all = self.live();
        let live = followed(&all, &which).unwrap_or_else(|| {
            all.retain(|_, live| live.strong_count() > 0);
            let live = Arc::new(Live::start(start(), Core::new(self.0.limits, self.0.memory.clone())));
            all.insert(which, Arc::downgrade(&live));
            live
        });
        drop(all);
        Reflector::new(live, view)
    }

    #[inline(never)]
    fn begin(&self, transport: &Arc<dyn Transport>, which: Which, view: View) -> Result<Reflector, Error> {
        let spec = spec(&which.shared)?;
        Ok(self.follow(which, view, || Watcher::start(transport.clone(), spec)))
    }

    fn followed(&self, which: &Which) -> Option<Arc<Live>> {
        followed(&self.live(), which)
    }

    fn live(&self) -> MutexGuard<'_, All> {
        self.0.live.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Reflectors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Reflectors").field("stores", &self.len()).field("bytes", &self.bytes()).finish()
    }
}

/// The store that is filled for whoever says this, and is worth sharing.
fn followed(all: &All, which: &Which) -> Option<Arc<Live>> {
    all.get(which).and_then(Weak::upgrade).filter(|live| live.is_well())
}

/// What the upstream watch is asked for.
fn spec(shared: &Shared) -> Result<Spec, Error> {
    let options = ListOptions {
        label_selector: shared.label_selector.clone(),
        field_selector: shared.field_selector.clone(),
        mask: mask(&shared.mask)?,
        metadata_only: shared.metadata_only,
        source: shared.source,
        idle_deadline: shared.idle,
        ..ListOptions::default()
    };
    Spec::of(shared.path.as_str(), options)
}

/// The mask that keeps what was asked for and what an object is known by.
fn mask(paths: &[String]) -> Result<Option<Mask>, Error> {
    if paths.is_empty() {
        return Ok(None);
    }
    let keeps = paths.iter().any(|path| !path.starts_with('-'));
    let all = paths.iter().map(String::as_str).chain(IDENTITY.into_iter().filter(|_| keeps));
    let mask = Mask::parse(all).map_err(|why| Error::new(Code::InvalidRequest, why.to_string()))?;
    let sample = br#"{"metadata":{"name":"a","namespace":"b","uid":"c"}}"#;
    let mut masked = Vec::new();
    let kept =
        mask.apply(sample, &mut masked).is_ok_and(|()| ObjectMeta::of(&masked) == ObjectMeta::of(sample));
    if !kept {
        let text =
            "a reflector keeps `metadata.name`, `metadata.namespace` and `metadata.uid`: drop other fields";
        return Err(Error::new(Code::InvalidRequest, text));
    }
    Ok(Some(mask))
}

#[cfg(test)]
mod tests;
