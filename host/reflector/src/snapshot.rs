//! The store as it was at one moment, until it costs too much to keep.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use crate::store::Store;

/// A snapshot that is held. It shares its objects with the store, so that it costs what was replaced since it was taken.
#[derive(Debug)]
pub(crate) struct Held(Mutex<Option<Store>>);

impl Held {
    /// What it holds; none once it was let go of.
    pub(crate) fn store(&self) -> Option<Store> {
        self.lock().clone()
    }

    fn lock(&self) -> MutexGuard<'_, Option<Store>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The snapshots of one store, oldest first.
#[derive(Debug, Default)]
pub(crate) struct Snapshots {
    held: Vec<(u64, Weak<Held>)>,
    /// How many bytes of objects were ever replaced or removed.
    replaced: u64,
}

impl Snapshots {
    /// Takes one. Those who ask between two changes share it.
    pub(crate) fn take(&mut self, store: &Store) -> Arc<Held> {
        if let Some((taken, held)) = self.held.last()
            && *taken == self.replaced
            && let Some(held) = held.upgrade()
            && held.store().is_some_and(|held| held.len() == store.len())
        {
            return held;
        }
        self.held.retain(|(_, held)| held.strong_count() > 0);
        let held = Arc::new(Held(Mutex::new(Some(store.clone()))));
        self.held.push((self.replaced, Arc::downgrade(&held)));
        held
    }

    /// Lets go of all.
    pub(crate) fn let_go(&mut self) {
        for held in self.held.drain(..).filter_map(|(_, held)| held.upgrade()) {
            *held.lock() = None;
        }
    }

    /// So many bytes are in the store no more. Lets go of what is older than `limit` bytes.
    pub(crate) fn replaced(&mut self, bytes: usize, limit: u64) {
        self.replaced += bytes as u64;
        let replaced = self.replaced;
        self.held.retain(|(taken, held)| {
            let Some(held) = held.upgrade() else { return false };
            if replaced - taken <= limit {
                return true;
            }
            *held.lock() = None;
            false
        });
    }
}
