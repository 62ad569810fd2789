//! The objects, their history and one revision counter: what etcd and the watch cache are to the real server.
//!
//! Synchronous and clockless. Every write raises the revision by one and appends one event to its table's log; a
//! list at an earlier revision is the present rolled back through that log, so pages of one list agree however
//! much is written between them, until the log is compacted.

mod log;
mod object;
mod snapshot;
mod stencil;

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fmt;
use std::sync::Arc;

use serde_json::{Map, Value};

pub(crate) use log::{Change, Event};
pub(crate) use object::{Indexed, Object, at};
pub(crate) use snapshot::Snapshot;
pub(crate) use stencil::{Stencil, hole};

use log::Log;

/// One table holds the objects of one resource whatever its version: `pods`, `deployments.apps`.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct TableId(Arc<str>);

impl TableId {
    /// `plural.group`, or the plural alone in the core group, as `kubectl` writes it.
    pub(crate) fn new(group: &str, plural: &str) -> TableId {
        if group.is_empty() { TableId(plural.into()) } else { TableId(format!("{plural}.{group}").into()) }
    }

    /// The name as `kubectl` writes it.
    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for TableId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// `namespace/name`, or the name alone for a cluster-scoped kind.
///
/// Keys are ordered by this whole string, as etcd orders them: `a-b/x` comes before `a/x`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Key(Box<str>);

impl Key {
    /// The key of `name` in `namespace`; no namespace for a cluster-scoped kind.
    pub(crate) fn new(namespace: Option<&str>, name: &str) -> Key {
        Key(match namespace {
            Some(namespace) => format!("{namespace}/{name}").into(),
            None => name.into(),
        })
    }

    /// The text that orders keys.
    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }

    /// The namespace, `None` for a cluster-scoped object.
    pub(crate) fn namespace(&self) -> Option<&str> {
        self.0.split_once('/').map(|(namespace, _)| namespace)
    }

    /// The object's own name.
    pub(crate) fn name(&self) -> &str {
        self.0.split_once('/').map_or(&self.0, |(_, name)| name)
    }
}

/// Why the store refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Refused {
    /// The history that was asked for begins after `oldest`.
    Compacted {
        /// The first revision from which a watch can still start.
        oldest: u64,
    },
    /// The revision has not been reached yet.
    Future {
        /// The store's revision now.
        current: u64,
    },
}

/// Where an object stands: its table and key.
pub(crate) type Place = (TableId, Key);

/// All objects of one playground.
pub(crate) struct Store {
    revision: u64,
    tables: HashMap<TableId, Table>,
    by_uid: HashMap<Box<str>, Place>,
    dependents: HashMap<Box<str>, BTreeSet<Place>>,
    touched: Vec<TableId>,
    history_bytes: usize,
}

struct Table {
    objects: BTreeMap<Key, Arc<Object>>,
    log: Log,
}

impl Store {
    /// An empty store that keeps at most `history_bytes` of past bodies for each table.
    pub(crate) fn new(history_bytes: usize) -> Store {
        Store {
            revision: 1,
            tables: HashMap::new(),
            by_uid: HashMap::new(),
            dependents: HashMap::new(),
            touched: Vec::new(),
            history_bytes,
        }
    }

    /// The revision of the newest write.
    pub(crate) fn revision(&self) -> u64 {
        self.revision
    }

    /// The object at `key` now.
    pub(crate) fn get(&self, table: &TableId, key: &Key) -> Option<&Arc<Object>> {
        self.tables.get(table)?.objects.get(key)
    }

    /// Where the object with this uid stands.
    pub(crate) fn place_of(&self, uid: &str) -> Option<&Place> {
        self.by_uid.get(uid)
    }

    /// The objects whose ownerReferences name `uid`.
    pub(crate) fn dependents_of(&self, uid: &str) -> Vec<Place> {
        self.dependents.get(uid).into_iter().flatten().cloned().collect()
    }

    /// Writes the object at `key`: an `ADDED` event where it was not, a `MODIFIED` one where it was.
    ///
    /// Sets `metadata.resourceVersion` in what is stored.
    pub(crate) fn put(
        &mut self,
        table: &TableId,
        key: Key,
        mut value: Map<String, Value>,
        indexed: &[Indexed],
    ) -> Arc<Object> {
        self.revision += 1;
        let object = Object::seal(key, &mut value, self.revision, indexed);
        self.place(table, Arc::new(object))
    }

    /// Writes what a stencil makes, at `key` or where the stencil's own object stands.
    pub(crate) fn stamp(&mut self, table: &TableId, stencil: &Stencil, key: Option<Key>, texts: &[&str]) {
        self.revision += 1;
        let object = stencil.fill(key, self.revision, texts);
        self.place(table, Arc::new(object));
    }

    /// Removes the object at `key` and returns its last state, which carries the revision of the deletion as the
    /// real server's watch does. `last` is that state where it is not the stored one. `None` where there was none.
    pub(crate) fn remove(
        &mut self,
        table: &TableId,
        key: &Key,
        last: Option<Map<String, Value>>,
        indexed: &[Indexed],
    ) -> Option<Arc<Object>> {
        let previous = self.tables.get_mut(table)?.objects.remove(key)?;
        self.revision += 1;
        self.unindex(table, &previous);
        let mut value = last.unwrap_or_else(|| previous.value());
        let object = Arc::new(Object::seal(key.clone(), &mut value, self.revision, indexed));
        let event = Event {
            revision: self.revision,
            change: Change::Deleted,
            object: object.clone(),
            previous: Some(previous),
        };
        self.append(table, event);
        Some(object)
    }

    /// The table as it was at `revision`; `None` means now.
    pub(crate) fn snapshot(&self, table: &TableId, revision: Option<u64>) -> Result<Snapshot<'_>, Refused> {
        let revision = revision.unwrap_or(self.revision);
        if revision > self.revision {
            return Err(Refused::Future { current: self.revision });
        }
        match self.tables.get(table) {
            None => Ok(Snapshot::empty(revision)),
            Some(found) => Snapshot::of(&found.objects, &found.log, revision),
        }
    }

    /// Up to `limit` events of `table` after `revision`, oldest first.
    pub(crate) fn events_after(
        &self,
        table: &TableId,
        revision: u64,
        limit: usize,
    ) -> Result<Vec<Arc<Event>>, Refused> {
        self.tables.get(table).map_or(Ok(Vec::new()), |table| table.log.after(revision, limit))
    }

    /// Drops all history up to `revision`: a watch or an exact list from before it is answered 410.
    pub(crate) fn compact(&mut self, revision: u64) {
        for table in self.tables.values_mut() {
            table.log.compact(revision.min(self.revision));
        }
    }

    /// The tables written to since the last call, each at least once.
    pub(crate) fn take_touched(&mut self) -> Vec<TableId> {
        std::mem::take(&mut self.touched)
    }

    /// The tables that hold or held anything.
    pub(crate) fn tables(&self) -> Vec<TableId> {
        self.tables.keys().cloned().collect()
    }

    fn table(&mut self, table: &TableId) -> &mut Table {
        self.tables
            .entry(table.clone())
            .or_insert_with(|| Table { objects: BTreeMap::new(), log: Log::new(self.history_bytes) })
    }

    /// Puts an object of the newest revision where its key says.
    fn place(&mut self, table: &TableId, object: Arc<Object>) -> Arc<Object> {
        let previous = self.table(table).objects.insert(object.key.clone(), object.clone());
        if let Some(previous) = &previous {
            self.unindex(table, previous);
        }
        self.index(table, &object);
        let change = if previous.is_some() { Change::Modified } else { Change::Added };
        self.append(table, Event { revision: self.revision, change, object: object.clone(), previous });
        object
    }

    fn append(&mut self, table: &TableId, event: Event) {
        if self.touched.last() != Some(table) {
            self.touched.push(table.clone());
        }
        self.table(table).log.push(event);
    }

    fn index(&mut self, table: &TableId, object: &Object) {
        let place = (table.clone(), object.key.clone());
        for owner in &object.owners {
            self.dependents.entry(owner.clone()).or_default().insert(place.clone());
        }
        if !object.uid.is_empty() {
            self.by_uid.insert(object.uid.clone(), place);
        }
    }

    fn unindex(&mut self, table: &TableId, object: &Object) {
        self.by_uid.remove(&object.uid);
        for owner in &object.owners {
            if let Some(places) = self.dependents.get_mut(owner) {
                places.remove(&(table.clone(), object.key.clone()));
                if places.is_empty() {
                    self.dependents.remove(owner);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests;
