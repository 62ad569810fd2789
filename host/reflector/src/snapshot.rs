//! The store as it was at one moment, until it costs too much to keep.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use crate::store::Store;

/// How many snapshots are no crowd.
const CROWD: usize = 32;

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
    /// Each with what was replaced before it was taken, so that they are sorted by that.
    held: VecDeque<(u64, Weak<Held>)>,
    /// How many bytes of objects were ever replaced or removed.
    replaced: u64,
    /// With so many, those that nobody reads any more are looked for.
    crowd: usize,
}

impl Snapshots {
    /// Takes one. Those who ask between two changes share it.
    pub(crate) fn take(&mut self, store: &Store) -> Arc<Held> {
        if let Some((taken, held)) = self.held.back()
            && *taken == self.replaced
            && let Some(held) = held.upgrade()
            && held.store().is_some_and(|held| held.len() == store.len())
        {
            return held;
        }
        if self.held.len() >= self.crowd {
            self.held.retain(|(_, held)| held.strong_count() > 0);
            self.crowd = 2 * self.held.len().max(CROWD);
        }
        let held = Arc::new(Held(Mutex::new(Some(store.clone()))));
        self.held.push_back((self.replaced, Arc::downgrade(&held)));
        held
    }

    /// Lets go of all.
    pub(crate) fn let_go(&mut self) {
        for held in self.held.drain(..).filter_map(|(_, held)| held.upgrade()) {
            *held.lock() = None;
        }
    }

    /// So many bytes are in the store no more. Lets go of what is older than `limit` bytes; what is not, is not looked at, however many
    /// there are.
    pub(crate) fn replaced(&mut self, bytes: usize, limit: u64) {
        self.replaced += bytes as u64;
        while let Some((_, old)) = self.held.pop_front_if(|(taken, _)| self.replaced - *taken > limit) {
            if let Some(old) = old.upgrade() {
                *old.lock() = None;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn snapshots_are_let_go_of_in_their_order_and_forgotten_once_nobody_reads_them() {
        let (mut snapshots, store) = (Snapshots::default(), Store::default());
        let mut read = Vec::new();
        for _ in 0..10 {
            read.push(snapshots.take(&store));
            snapshots.replaced(10, 50);
        }
        let held: Vec<bool> = read.iter().map(|held| held.store().is_some()).collect();
        assert_eq!(held, [false, false, false, false, false, true, true, true, true, true]);
        let [one, other] = [snapshots.take(&store), snapshots.take(&store)];
        assert!(Arc::ptr_eq(&one, &other), "nothing has changed in between");
        drop((one, other, read));
        for _ in 0..10_000 {
            drop(snapshots.take(&store));
            snapshots.replaced(1, u64::MAX);
        }
        assert!(snapshots.held.len() <= 2 * CROWD, "{}", snapshots.held.len());
        let last = snapshots.take(&store);
        snapshots.let_go();
        assert!(last.store().is_none() && snapshots.held.is_empty());
    }
}
