//! Caches that the host keeps for all guests, in kube-rs' words.

use std::fmt;
use std::marker::PhantomData;
use std::rc::Rc;
use std::task::Poll;
use std::time::Duration;
use std::vec;

use serde::de::DeserializeOwned;

use crate::poll::{Pollable, nanoseconds};
use crate::wit::tidegate::host::reflectors as wit;
use crate::{Client, Error, ListSource, Result};

/// What a reflector keeps, and what of it this guest wants.
///
/// The host keeps one store, and has one watch to the server, for all guests that say the same of one connection; selectors, mask,
/// `metadata_only` and source are that. Filters, view, `previous` and batch are this guest's own.
///
/// ```no_run
/// use tidegate::ReflectorParams;
/// # fn main() -> tidegate::Result<()> {
/// # #[derive(serde::Deserialize)] struct Named {}
/// let client = tidegate::auto_detect_client()?;
/// let params = ReflectorParams::default().mask(["metadata.name", "status.phase"]).field_filter("status.phase!=Running");
/// for update in client.reflector::<Named>("/api/v1/pods", &params)? {
///     println!("{}", update?.change());
/// }
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug, Default)]
pub struct ReflectorParams {
    label_selector: Option<String>,
    field_selector: Option<String>,
    mask: Vec<String>,
    metadata_only: bool,
    source: ListSource,
    idle_deadline: Option<Duration>,
    label_filter: Option<String>,
    field_filter: Option<String>,
    filter: Option<String>,
    view: Vec<String>,
    previous: bool,
    batch: Option<u32>,
}

impl ReflectorParams {
    /// What the server selects by labels.
    #[must_use]
    pub fn labels(mut self, selector: impl Into<String>) -> Self {
        self.label_selector = Some(selector.into());
        self
    }

    /// What the server selects by the few fields that it knows.
    #[must_use]
    pub fn fields(mut self, selector: impl Into<String>) -> Self {
        self.field_selector = Some(selector.into());
        self
    }

    /// The fields that the store keeps, as [`ListRequest::mask`](crate::ListRequest::mask) takes them; name, namespace and uid are kept
    /// always. An object of which only what is dropped has changed is not told as changed.
    #[must_use]
    pub fn mask<T: Into<String>>(mut self, paths: impl IntoIterator<Item = T>) -> Self {
        self.mask = paths.into_iter().map(Into::into).collect();
        self
    }

    /// Asks the server for nothing but metadata, where the transport can.
    #[must_use]
    pub fn metadata_only(mut self) -> Self {
        self.metadata_only = true;
        self
    }

    /// How lists come.
    #[must_use]
    pub fn source(mut self, source: ListSource) -> Self {
        self.source = source;
        self
    }

    /// How long the watch may be silent before the server is asked for a sign of life; 90 seconds unless set, at most 12 hours.
    #[must_use]
    pub fn idle_deadline(mut self, deadline: Duration) -> Self {
        self.idle_deadline = Some(deadline);
        self
    }

    /// Objects to see, by labels. All filters look at what the store keeps.
    #[must_use]
    pub fn label_filter(mut self, selector: impl Into<String>) -> Self {
        self.label_filter = Some(selector.into());
        self
    }

    /// Objects to see, by any fields, annotations among them (`metadata.annotations['a.b/c']=x`).
    #[must_use]
    pub fn field_filter(mut self, selector: impl Into<String>) -> Self {
        self.field_filter = Some(selector.into());
        self
    }

    /// Objects to see, by an expression in CEL over `object`.
    #[must_use]
    pub fn filter(mut self, expression: impl Into<String>) -> Self {
        self.filter = Some(expression.into());
        self
    }

    /// The fields to hand over, of those that the store keeps.
    #[must_use]
    pub fn view<T: Into<String>>(mut self, paths: impl IntoIterator<Item = T>) -> Self {
        self.view = paths.into_iter().map(Into::into).collect();
        self
    }

    /// Hands over the state before with each [`Update::Modified`].
    #[must_use]
    pub fn previous(mut self) -> Self {
        self.previous = true;
        self
    }

    /// How many updates the host hands over at a time: 256 unless set, which is the most. Fewer need less memory.
    #[must_use]
    pub fn batch(mut self, updates: u32) -> Self {
        self.batch = Some(updates);
        self
    }

    fn options(&self) -> wit::ReflectorOptions {
        let options = wit::ReflectorOptions::new();
        options.set_source(self.source.as_str());
        let set = |text: &Option<String>, set: fn(&wit::ReflectorOptions, &str)| {
            if let Some(text) = text {
                set(&options, text);
            }
        };
        set(&self.label_selector, wit::ReflectorOptions::set_label_selector);
        set(&self.field_selector, wit::ReflectorOptions::set_field_selector);
        set(&self.label_filter, wit::ReflectorOptions::set_label_filter);
        set(&self.field_filter, wit::ReflectorOptions::set_field_filter);
        set(&self.filter, wit::ReflectorOptions::set_filter);
        if !self.mask.is_empty() {
            options.set_mask(&self.mask);
        }
        if !self.view.is_empty() {
            options.set_view(&self.view);
        }
        if self.metadata_only {
            options.set_metadata_only();
        }
        if self.previous {
            options.set_previous();
        }
        if let Some(deadline) = self.idle_deadline {
            options.set_idle_deadline(nanoseconds(deadline));
        }
        if let Some(batch) = self.batch {
            options.set_batch(batch);
        }
        options
    }
}

/// What happened to what a reflector follows.
#[derive(Debug)]
#[non_exhaustive]
pub enum Update<K> {
    /// An object is there, or has come to pass the filters.
    Added(K),
    /// An object is another than it was.
    Modified {
        /// As it is.
        object: K,
        /// As it was, where [`ReflectorParams::previous`] asks for it; none for what changed after [`Update::Desynced`].
        previous: Option<K>,
    },
    /// An object is gone, or passes the filters no more: its last state; its name and namespace alone where it went after
    /// [`Update::Desynced`].
    Deleted(K),
    /// All that the server had when it was last heard of has been told.
    Synced,
    /// That may be so no more, up to the next [`Update::Synced`]: the watch broke, or this guest fell too far behind. What changed is told; an
    /// object may come twice, or be told as deleted that was not known.
    Desynced,
    /// Nothing that was told counts any more: everything is told anew.
    Reset,
    /// The list or the watch failed, and is tried again.
    Failed(Error),
}

impl<K> Update<K> {
    /// `ADDED`, `MODIFIED`, `DELETED`, `SYNCED`, `DESYNCED`, `RESET` or `FAILED`.
    pub fn change(&self) -> &'static str {
        match self {
            Update::Added(_) => "ADDED",
            Update::Modified { .. } => "MODIFIED",
            Update::Deleted(_) => "DELETED",
            Update::Synced => "SYNCED",
            Update::Desynced => "DESYNCED",
            Update::Reset => "RESET",
            Update::Failed(_) => "FAILED",
        }
    }

    /// The object, where it is about one.
    pub fn object(&self) -> Option<&K> {
        match self {
            Update::Added(object) | Update::Modified { object, .. } | Update::Deleted(object) => Some(object),
            _ => None,
        }
    }
}

impl Update<Vec<u8>> {
    /// The same with its objects decoded. Errors: `json`.
    pub fn decode<K: DeserializeOwned>(self) -> Result<Update<K>> {
        Ok(match self {
            Update::Added(object) => Update::Added(decode(&object)?),
            Update::Modified { object, previous } => {
                let previous = previous.as_deref().map(decode).transpose()?;
                Update::Modified { object: decode(&object)?, previous }
            }
            Update::Deleted(object) => Update::Deleted(decode(&object)?),
            Update::Synced => Update::Synced,
            Update::Desynced => Update::Desynced,
            Update::Reset => Update::Reset,
            Update::Failed(error) => Update::Failed(error),
        })
    }
}

/// Updates as JSON text in UTF-8: an iterator that waits for the next. [`Client::open_updates`] gives it. Dropped with all its stores, it
/// follows no more.
pub struct UpdateStream {
    handle: Rc<wit::Reflector>,
    /// What came with the last batch and was not taken yet.
    batch: vec::IntoIter<wit::Update>,
    ended: bool,
}

impl UpdateStream {
    /// The next update if it is there already; `Poll::Ready(None)` after [`UpdateStream::stop`] or an error.
    pub fn try_next(&mut self) -> Poll<Option<Result<Update<Vec<u8>>>>> {
        loop {
            if let Some(update) = self.batch.next() {
                return Poll::Ready(Some(Ok(update.into())));
            }
            if self.ended {
                return Poll::Ready(None);
            }
            let Some(batch) = self.handle.try_next() else { return Poll::Pending };
            if let Err(error) = self.refill(batch) {
                return Poll::Ready(Some(Err(error)));
            }
        }
    }

    /// Ready when the host would hand over a batch without waiting. What came with the last batch is not counted: call
    /// [`UpdateStream::try_next`] until it is pending, then wait.
    pub fn subscribe(&self) -> Pollable {
        self.handle.subscribe().into()
    }

    /// The store that this follows, its objects decoded.
    pub fn store<K: DeserializeOwned>(&self) -> Store<K> {
        Store { handle: self.handle.clone(), kind: PhantomData }
    }

    /// Follows no more, whoever still has the store.
    pub fn stop(&mut self) {
        self.handle.stop();
        self.ended = true;
    }

    fn refill(
        &mut self,
        batch: Result<Option<Vec<wit::Update>>, crate::wit::tidegate::host::types::Error>,
    ) -> Result<()> {
        self.ended = !matches!(batch, Ok(Some(_)));
        self.batch = batch?.unwrap_or_default().into_iter();
        Ok(())
    }
}

impl Iterator for UpdateStream {
    type Item = Result<Update<Vec<u8>>>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            if let Some(update) = self.batch.next() {
                return Some(Ok(update.into()));
            }
            if self.ended {
                return None;
            }
            let batch = self.handle.next();
            if let Err(error) = self.refill(batch) {
                return Some(Err(error));
            }
        }
    }
}

impl std::iter::FusedIterator for UpdateStream {}

impl fmt::Debug for UpdateStream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("UpdateStream").field("ended", &self.ended).finish_non_exhaustive()
    }
}

/// Decoded updates, and the store behind them: kube-rs' `reflector`, blocking. The store follows the server whether this is read or not.
pub struct Reflector<K> {
    updates: UpdateStream,
    kind: PhantomData<fn() -> K>,
}

impl<K: DeserializeOwned> Reflector<K> {
    /// The next update if it is there already; `Poll::Ready(None)` after an error of the host.
    pub fn try_next(&mut self) -> Poll<Option<Result<Update<K>>>> {
        self.updates.try_next().map(|update| update.map(|update| update?.decode()))
    }

    /// See [`UpdateStream::subscribe`].
    pub fn subscribe(&self) -> Pollable {
        self.updates.subscribe()
    }

    /// The store, for as many readers as there are.
    pub fn store(&self) -> Store<K> {
        self.updates.store()
    }

    /// Reads on until the store shows what the server has, and skips what is told on the way.
    ///
    /// Errors: the first failure to list or watch, which would be tried again: call it anew to wait on.
    pub fn wait_until_ready(&mut self) -> Result<()> {
        while !self.updates.handle.is_synced() {
            match self.updates.next().transpose()? {
                Some(Update::Failed(error)) => return Err(error),
                Some(_) => {}
                None => return Err(Error::other("the reflector was stopped")),
            }
        }
        Ok(())
    }

    /// Follows no more, whoever still has the store.
    pub fn stop(&mut self) {
        self.updates.stop();
    }
}

impl<K: DeserializeOwned> Iterator for Reflector<K> {
    type Item = Result<Update<K>>;

    fn next(&mut self) -> Option<Self::Item> {
        self.updates.next().map(|update| update?.decode())
    }
}

impl<K> fmt::Debug for Reflector<K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Reflector").field("updates", &self.updates).finish()
    }
}

/// The objects of a reflector as the host has them now: kube-rs' `Store`. Clones are cheap.
///
/// Nothing is kept in the guest: each question decodes what it gives. Errors of all of them: `json`, `invalid-request` where a filter has no
/// answer, `closed` after `stop`.
pub struct Store<K> {
    handle: Rc<wit::Reflector>,
    kind: PhantomData<fn() -> K>,
}

impl<K: DeserializeOwned> Store<K> {
    /// The object of this name, if the filters let it pass; the namespace of what lies in none is empty.
    pub fn get(&self, namespace: &str, name: &str) -> Result<Option<K>> {
        self.handle.get(namespace, name)?.as_deref().map(decode).transpose()
    }

    /// All objects that pass the filters, as they are at this moment, sorted by namespace and name, one by one.
    pub fn iter(&self) -> Result<impl Iterator<Item = Result<K>> + use<K>> {
        let objects =
            Snapshot { handle: self.handle.snapshot()?, batch: Vec::new().into_iter(), ended: false };
        Ok(objects.map(|object| decode(&object?)))
    }

    /// The same, all of them.
    pub fn state(&self) -> Result<Vec<K>> {
        self.iter()?.collect()
    }

    /// How many objects the store holds, whatever the filters let pass.
    pub fn len(&self) -> u64 {
        self.handle.len()
    }

    /// Whether the store holds no object.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Whether the store shows what the server has, as far as its watch has told.
    pub fn is_synced(&self) -> bool {
        self.handle.is_synced()
    }

    /// The state of the cluster that was listed last, or that the server's last bookmark named.
    pub fn resource_version(&self) -> Option<String> {
        self.handle.resource_version()
    }
}

impl<K> Clone for Store<K> {
    fn clone(&self) -> Self {
        Self { handle: self.handle.clone(), kind: PhantomData }
    }
}

impl<K> fmt::Debug for Store<K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Store").field("len", &self.handle.len()).finish_non_exhaustive()
    }
}

/// A store as it was.
struct Snapshot {
    handle: wit::Snapshot,
    batch: vec::IntoIter<Vec<u8>>,
    ended: bool,
}

impl Iterator for Snapshot {
    type Item = Result<Vec<u8>>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            if let Some(object) = self.batch.next() {
                return Some(Ok(object));
            }
            if self.ended {
                return None;
            }
            let batch = self.handle.next();
            self.ended = !matches!(batch, Ok(Some(_)));
            match batch {
                Ok(batch) => self.batch = batch.unwrap_or_default().into_iter(),
                Err(error) => return Some(Err(error.into())),
            }
        }
    }
}

impl Client {
    /// Follows the collection at a path (`/api/v1/pods`), its objects as JSON text. Does not wait.
    /// Errors: `invalid-request` and `unsupported` for params that make no sense.
    pub fn open_updates(&self, path: &str, params: &ReflectorParams) -> Result<UpdateStream> {
        let handle = wit::open(self.as_wit(), path, params.options())?;
        Ok(UpdateStream { handle: Rc::new(handle), batch: Vec::new().into_iter(), ended: false })
    }

    /// Follows the collection at a path, its objects decoded: [`Client::open_updates`].
    pub fn reflector<K: DeserializeOwned>(
        &self,
        path: &str,
        params: &ReflectorParams,
    ) -> Result<Reflector<K>> {
        Ok(Reflector { updates: self.open_updates(path, params)?, kind: PhantomData })
    }
}

impl From<wit::Update> for Update<Vec<u8>> {
    fn from(update: wit::Update) -> Self {
        let wit::Update { change, object, previous, error } = update;
        match (change, error) {
            (wit::Change::Added, _) => Update::Added(object),
            (wit::Change::Modified, _) => Update::Modified { object, previous },
            (wit::Change::Deleted, _) => Update::Deleted(object),
            (wit::Change::Synced, _) => Update::Synced,
            (wit::Change::Reset, _) => Update::Reset,
            (wit::Change::Failed, Some(error)) => Update::Failed(error.into()),
            // A failure always says which it is.
            (wit::Change::Desynced | wit::Change::Failed, _) => Update::Desynced,
        }
    }
}

fn decode<K: DeserializeOwned>(object: &[u8]) -> Result<K> {
    serde_json::from_slice(object).map_err(|error| Error::json("object of a reflector", error))
}
