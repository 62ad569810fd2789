//! What a reflector knows: its store, and what happened to it of late. Synchronous and clockless.

use std::collections::HashSet;
use std::sync::Arc;

use tidegate_kube::scan::{NotAnObject, ObjectMeta};
use tidegate_transport::{Code, Error};

use crate::Event;
use crate::log::{Changed, Limits, Log, Record, What};
use crate::snapshot::{Held, Snapshots};
use crate::store::{Entry, Key, Object, Store};

/// What an upstream says, read and copied: nothing that is left to do takes long.
pub(crate) enum Prepared {
    Listing,
    Present(Arrived),
    Listed {
        version: String,
    },
    Gone(Arrived),
    Bookmark {
        version: String,
    },
    Trouble(Error),
    /// Nothing more will come.
    Failed(Error),
}

/// An object as it came.
pub(crate) struct Arrived {
    key: Key,
    object: Object,
}

impl Prepared {
    /// Reads who an object is, and copies it out of the piece of a body that it came in.
    pub(crate) fn of(event: Event) -> Prepared {
        match event {
            Event::Listing => Prepared::Listing,
            Event::Listed { version } => Prepared::Listed { version },
            Event::Bookmark { version } => Prepared::Bookmark { version },
            Event::Desynced { why, retry_in: Some(_) } => Prepared::Trouble(why),
            Event::Desynced { why, retry_in: None } => Prepared::Failed(why),
            Event::Item(object) | Event::Added(object) | Event::Modified(object) => {
                arrived(&object).map_or_else(Prepared::Trouble, Prepared::Present)
            }
            Event::Deleted(object) => arrived(&object).map_or_else(Prepared::Trouble, Prepared::Gone),
        }
    }
}

/// `namespace/name`: neither has a `/` in it, or they are no names.
pub(crate) fn key(namespace: &str, name: &str) -> String {
    format!("{namespace}/{name}")
}

fn arrived(object: &[u8]) -> Result<Arrived, Error> {
    let found = ObjectMeta::of(object).map_err(|why: NotAnObject| {
        Error::new(Code::Protocol, "an object of the reflector is refused").because(why)
    })?;
    if found.name.is_empty() || found.name.contains('/') || found.namespace.contains('/') {
        return Err(Error::new(Code::Protocol, "an object of the reflector has no `metadata.name`"));
    }
    Ok(Arrived { key: key(&found.namespace, &found.name).into(), object: Arc::from(object) })
}

/// Whether the store shows what the server has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Standing {
    /// Nothing was listed whole yet.
    Unlisted,
    /// It does, as of the last event.
    Synced,
    /// It did.
    Stale,
}

/// The store of one upstream watch, and its log.
#[derive(Debug)]
pub(crate) struct State {
    store: Store,
    log: Log,
    standing: Standing,
    version: Option<String>,
    /// The bytes of all objects in the store.
    bytes: usize,
    /// While a list comes: whom it named so far, of those that were there before it.
    named: Option<HashSet<Key>>,
    listing: bool,
    snapshots: Snapshots,
    failed: Option<Error>,
}

impl State {
    pub(crate) fn new(limits: Limits) -> Self {
        Self {
            store: Store::default(),
            log: Log::new(limits),
            standing: Standing::Unlisted,
            version: None,
            bytes: 0,
            named: None,
            listing: false,
            snapshots: Snapshots::default(),
            failed: None,
        }
    }

    pub(crate) fn store(&self) -> &Store {
        &self.store
    }

    pub(crate) fn log(&self) -> &Log {
        &self.log
    }

    pub(crate) fn standing(&self) -> Standing {
        self.standing
    }

    /// The bytes of all objects that are held, be it only for those who follow the log.
    pub(crate) fn bytes(&self) -> usize {
        self.bytes + self.log.bytes()
    }

    /// The state of the cluster that was listed, or that a bookmark named, last.
    pub(crate) fn version(&self) -> Option<&str> {
        self.version.as_deref()
    }

    /// Why nothing comes any more.
    pub(crate) fn failed(&self) -> Option<&Error> {
        self.failed.as_ref()
    }

    /// Nothing comes any more, and what there is, is let go of.
    pub(crate) fn fail(&mut self, why: Error) {
        if self.failed.is_none() {
            self.failed = Some(why);
            (self.store, self.bytes, self.named) = (Store::default(), 0, None);
            self.log.clear();
            self.snapshots.let_go();
            self.standing = Standing::Stale;
        }
    }

    /// Lets go of all that snapshots hold: nobody would count it any more.
    pub(crate) fn let_go(&mut self) {
        self.snapshots.let_go();
    }

    /// The store as it is now, for whoever reads it in peace.
    pub(crate) fn snapshot(&mut self) -> Arc<Held> {
        self.snapshots.take(&self.store)
    }

    /// Takes in what the upstream said.
    pub(crate) fn apply(&mut self, prepared: Prepared) {
        match prepared {
            Prepared::Listing => {
                self.stale();
                self.listing = true;
                self.named = (self.store.len() > 0).then(HashSet::new);
            }
            Prepared::Listed { version } => {
                self.version = Some(version);
                self.bury_unnamed();
                self.listing = false;
                self.synced();
            }
            Prepared::Present(arrived) => {
                self.put(arrived);
                self.recovered();
            }
            Prepared::Gone(Arrived { key, object }) => {
                if let Some(named) = &mut self.named {
                    named.remove(&key);
                }
                self.take(&key, Some(object));
                self.recovered();
            }
            Prepared::Bookmark { version } => {
                self.version = Some(version);
                self.recovered();
            }
            Prepared::Trouble(why) => {
                self.stale();
                self.log.push(Record::Trouble(why));
            }
            Prepared::Failed(why) => self.fail(why),
        }
    }

    fn put(&mut self, Arrived { key, object }: Arrived) {
        if let Some(named) = &mut self.named {
            named.insert(key.clone());
        }
        let before =
            self.store.get(&key).map(|entry| (entry.key.clone(), entry.object.clone(), entry.created));
        let Some((key, previous, created)) = before else {
            return self.add(key, object);
        };
        // A list names what did not change too, and a mask may leave out what did.
        if previous == object {
            return;
        }
        if is_another(&previous, &object) {
            // It was deleted and made again while nobody looked.
            self.take(&key, None);
            return self.add(key, object);
        }
        let changed = self.log.head() + 1;
        self.bytes = self.bytes + object.len() - previous.len();
        self.store.insert(Entry { key: key.clone(), object: object.clone(), created, changed });
        self.replaced(previous.len());
        self.tell(key, created, What::Became { previous, object });
    }

    fn add(&mut self, key: Key, object: Object) {
        let number = self.log.head() + 1;
        self.bytes += object.len();
        let entry = Entry { key: key.clone(), object: object.clone(), created: number, changed: number };
        self.store.insert(entry);
        self.tell(key, number, What::Came(object));
    }

    /// Removes an object, whose very last state the server may have told.
    fn take(&mut self, key: &str, last: Option<Object>) {
        let Some(Entry { key, object, created, .. }) = self.store.remove(key) else { return };
        self.bytes -= object.len();
        self.replaced(object.len());
        self.tell(key, created, What::Went { previous: object, last });
    }

    fn tell(&mut self, key: Key, created: u64, what: What) {
        self.log.push(Record::Changed(Changed { key, created, what }));
    }

    /// At the end of a list: what it did not name is gone.
    fn bury_unnamed(&mut self) {
        let Some(named) = self.named.take() else { return };
        let unnamed = self.store.after(None).filter(|entry| !named.contains(&entry.key));
        let unnamed: Vec<Key> = unnamed.map(|entry| entry.key.clone()).collect();
        for key in unnamed {
            self.take(&key, None);
        }
    }

    fn replaced(&mut self, bytes: usize) {
        self.snapshots.replaced(bytes, self.log.limits().snapshots);
    }

    fn stale(&mut self) {
        if self.standing == Standing::Synced {
            self.standing = Standing::Stale;
            self.log.push(Record::Desynced);
        }
    }

    /// Something came of the watch: it goes on where it was.
    fn recovered(&mut self) {
        if self.standing == Standing::Stale && !self.listing {
            self.synced();
        }
    }

    fn synced(&mut self) {
        self.standing = Standing::Synced;
        self.log.push(Record::Synced);
    }
}

/// Whether both have a uid, and not the same.
fn is_another(previous: &[u8], object: &[u8]) -> bool {
    match (ObjectMeta::of(previous), ObjectMeta::of(object)) {
        (Ok(before), Ok(now)) => !before.uid.is_empty() && !now.uid.is_empty() && before.uid != now.uid,
        _ => false,
    }
}
