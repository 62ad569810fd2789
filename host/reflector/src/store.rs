//! The objects of a reflector: a sorted map whose snapshots cost nothing to take and are not changed by what comes after.
//!
//! Two levels of sorted vectors behind reference counts. Whoever writes changes them where they are, unless a snapshot holds them: then
//! the one vector that changes is copied, and its objects are not.

use std::sync::Arc;

/// The bytes of one object: JSON in UTF-8.
pub(crate) type Object = Arc<[u8]>;

/// `namespace/name`, or `/name` for what lies in no namespace: one text for the map, the log and the graves.
pub(crate) type Key = Arc<str>;

/// More entries than this, and a leaf becomes two.
const LEAF: usize = 128;

/// One object and when it came.
#[derive(Clone, Debug)]
pub(crate) struct Entry {
    pub(crate) key: Key,
    pub(crate) object: Object,
    /// The number of the change that brought it first.
    pub(crate) created: u64,
    /// The number of the change that brought it as it is.
    pub(crate) changed: u64,
}

/// A sorted map of objects. A clone is a snapshot.
#[derive(Clone, Debug, Default)]
pub(crate) struct Store {
    leaves: Arc<Vec<Arc<Vec<Entry>>>>,
    len: usize,
}

impl Store {
    /// How many objects there are.
    pub(crate) fn len(&self) -> usize {
        self.len
    }

    pub(crate) fn get(&self, key: &str) -> Option<&Entry> {
        let leaf = self.leaves.get(self.leaf_of(key))?;
        leaf.binary_search_by(|entry| (*entry.key).cmp(key)).ok().map(|place| &leaf[place])
    }

    /// Puts an object in its place; what was there before.
    pub(crate) fn insert(&mut self, entry: Entry) -> Option<Entry> {
        // What is greater than all belongs to the last leaf.
        let place = self.leaf_of(&entry.key).min(self.leaves.len().saturating_sub(1));
        let leaves = Arc::make_mut(&mut self.leaves);
        if leaves.is_empty() {
            leaves.push(Arc::default());
        }
        let leaf = Arc::make_mut(&mut leaves[place]);
        match leaf.binary_search_by(|other| other.key.cmp(&entry.key)) {
            Ok(found) => Some(std::mem::replace(&mut leaf[found], entry)),
            Err(free) => {
                leaf.insert(free, entry);
                self.len += 1;
                if leaf.len() > LEAF {
                    // Lists come in order: then the left half is never touched again, and is left full.
                    let half = if free == LEAF { LEAF } else { LEAF / 2 };
                    let right = leaf.split_off(half);
                    leaf.shrink_to_fit();
                    leaves.insert(place + 1, Arc::new(right));
                }
                None
            }
        }
    }

    pub(crate) fn remove(&mut self, key: &str) -> Option<Entry> {
        let place = self.leaf_of(key);
        let found = self.leaves.get(place)?.binary_search_by(|entry| (*entry.key).cmp(key)).ok()?;
        let leaves = Arc::make_mut(&mut self.leaves);
        let leaf = Arc::make_mut(&mut leaves[place]);
        let removed = leaf.remove(found);
        self.len -= 1;
        if leaf.is_empty() {
            leaves.remove(place);
        } else if leaves.get(place + 1).is_some_and(|next| leaves[place].len() + next.len() <= LEAF / 2) {
            let next = leaves.remove(place + 1);
            Arc::make_mut(&mut leaves[place]).extend(next.iter().cloned());
        }
        Some(removed)
    }

    /// The objects behind a key, in order; all of them where there is none.
    pub(crate) fn after<'a>(&'a self, key: Option<&str>) -> impl Iterator<Item = &'a Entry> + use<'a> {
        let place = key.map_or(0, |key| self.leaf_of(key));
        let skipped = match (key, self.leaves.get(place)) {
            (Some(key), Some(leaf)) => leaf.partition_point(|entry| *entry.key <= *key),
            _ => 0,
        };
        self.leaves[place.min(self.leaves.len())..].iter().flat_map(|leaf| leaf.iter()).skip(skipped)
    }

    /// The first leaf that does not end before the key.
    fn leaf_of(&self, key: &str) -> usize {
        self.leaves.partition_point(|leaf| leaf.last().is_some_and(|last| *last.key < *key))
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;

    fn entry(key: &str, number: u64) -> Entry {
        Entry { key: key.into(), object: Arc::from(&b"{}"[..]), created: number, changed: number }
    }

    fn contents(store: &Store) -> Vec<(String, u64)> {
        store.after(None).map(|entry| (entry.key.to_string(), entry.changed)).collect()
    }

    proptest! {
        #[test]
        fn it_is_a_sorted_map_and_snapshots_stay(
            changes in proptest::collection::vec((0u16..600, 0u8..4), 0..3000),
            taken in 0usize..3000,
        ) {
            let (mut store, mut model) = (Store::default(), BTreeMap::new());
            let mut snapshot = None;
            for (number, (key, what)) in changes.iter().enumerate() {
                if number == taken {
                    snapshot = Some((store.clone(), contents(&store)));
                }
                let (key, number) = (format!("n/{key}"), number as u64);
                if *what == 0 {
                    let removed = store.remove(&key).map(|entry| entry.changed);
                    prop_assert_eq!(removed, model.remove(&key));
                } else {
                    let before = store.insert(entry(&key, number)).map(|entry| entry.changed);
                    prop_assert_eq!(before, model.insert(key.clone(), number));
                    prop_assert_eq!(store.get(&key).map(|entry| entry.changed), Some(number));
                }
                prop_assert_eq!(store.len(), model.len());
            }
            prop_assert!(store.leaves.iter().all(|leaf| !leaf.is_empty() && leaf.len() <= LEAF));
            prop_assert_eq!(contents(&store), model.clone().into_iter().collect::<Vec<_>>());
            for key in ["n/", "n/3", "n/599", "n/9", "o"] {
                let behind: Vec<_> = store.after(Some(key)).map(|entry| entry.key.to_string()).collect();
                let wanted: Vec<_> = model.keys().filter(|other| other.as_str() > key).cloned().collect();
                prop_assert_eq!(behind, wanted, "{}", key);
            }
            if let Some((snapshot, seen)) = snapshot {
                prop_assert_eq!(contents(&snapshot), seen);
            }
        }
    }

    #[test]
    fn a_list_in_order_fills_its_leaves() {
        let mut store = Store::default();
        for number in 0..10_000 {
            store.insert(entry(&format!("n/{number:05}"), number));
        }
        assert_eq!(store.leaves.len(), 10_000_usize.div_ceil(LEAF));
    }
}
