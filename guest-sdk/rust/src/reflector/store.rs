//! What a reflector has.

use std::fmt;
use std::marker::PhantomData;
use std::rc::Rc;
use std::vec;

use serde::de::DeserializeOwned;

use super::decode;
use crate::Result;
use crate::wit::tidegate::host::reflectors as wit;

/// The objects of a reflector as the host has them now: kube-rs' `Store`. Clones are cheap.
///
/// Nothing is kept in the guest: each question decodes what it gives. Errors of all of them: `json`, `invalid-request` where a filter has no
/// answer, `closed` after `stop`.
pub struct Store<K> {
    handle: Rc<wit::Reflector>,
    kind: PhantomData<fn() -> K>,
}

impl<K: DeserializeOwned> Store<K> {
    pub(super) fn new(handle: Rc<wit::Reflector>) -> Self {
        Self { handle, kind: PhantomData }
    }

    /// The object of this name, if the filters let it pass; the namespace of what lies in none is empty.
    pub fn get(&self, namespace: &str, name: &str) -> Result<Option<K>> {
        self.handle.get(namespace, name)?.as_deref().map(decode).transpose()
    }

    /// All objects that pass the filters, as they are at this moment, sorted by the text `namespace/name`, one by one.
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
