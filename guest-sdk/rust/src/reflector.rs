//! Caches that the host keeps for all guests, in kube-rs' words.

mod params;
mod store;

use std::fmt;
use std::marker::PhantomData;
use std::rc::Rc;
use std::task::Poll;
use std::vec;

use serde::de::DeserializeOwned;

use crate::poll::Pollable;
use crate::wit::tidegate::host::reflectors as wit;
use crate::{Client, Error, Result};

pub use params::ReflectorParams;
pub use store::Store;

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
        Store::new(self.handle.clone())
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
