//! What happened of late, for those who follow: positions in it are all that they hold.

use std::collections::VecDeque;

use tidegate_transport::Error;

use crate::store::{Key, Object};

/// How much is remembered. Who falls behind further gets what changed since out of the store.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Limits {
    /// How many records.
    pub(crate) records: usize,
    /// How many bytes of objects that the store holds no more.
    pub(crate) bytes: usize,
    /// How many names of objects that are gone.
    pub(crate) graves: usize,
    /// How many bytes of objects that were replaced since a snapshot was taken, until it is let go of.
    pub(crate) snapshots: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Self { records: 4096, bytes: 8 << 20, graves: 16_384, snapshots: 64 << 20 }
    }
}

/// One thing that happened.
#[derive(Clone, Debug)]
pub(crate) enum Record {
    /// An object came, changed or went.
    Changed(Changed),
    /// The store shows what the server has.
    Synced,
    /// It may not, until the next [`Record::Synced`].
    Desynced,
    /// Why it may not.
    Trouble(Error),
}

/// What happened to one object.
#[derive(Clone, Debug)]
pub(crate) struct Changed {
    pub(crate) key: Key,
    /// The number of the change that brought it first.
    pub(crate) created: u64,
    pub(crate) what: What,
}

/// What happened.
#[derive(Clone, Debug)]
pub(crate) enum What {
    Came(Object),
    Became {
        previous: Object,
        object: Object,
    },
    Went {
        previous: Object,
        /// Its very last state, where the server told it.
        last: Option<Object>,
    },
}

/// The name of an object that is gone.
#[derive(Clone, Debug)]
pub(crate) struct Grave {
    pub(crate) key: Key,
    /// The number of the change that brought the object.
    pub(crate) created: u64,
    /// The number of the change that took it.
    pub(crate) deleted: u64,
}

/// Records, numbered from 1, and the graves that outlast them.
#[derive(Debug, Default)]
pub(crate) struct Log {
    limits: Limits,
    records: VecDeque<Record>,
    /// Of states that nothing else holds.
    bytes: usize,
    /// The number of the newest record.
    head: u64,
    graves: VecDeque<Grave>,
    /// The number of the newest deletion whose grave is forgotten.
    forgotten: u64,
}

impl Log {
    pub(crate) fn new(limits: Limits) -> Self {
        Self { limits, ..Self::default() }
    }

    pub(crate) fn limits(&self) -> Limits {
        self.limits
    }

    /// The number of the newest record; 0 before the first.
    pub(crate) fn head(&self) -> u64 {
        self.head
    }

    /// Adds a record, which gets the next number, and forgets what there is no room for.
    pub(crate) fn push(&mut self, record: Record) {
        self.head += 1;
        if let Record::Changed(Changed { key, created, what: What::Went { .. } }) = &record {
            self.graves.push_back(Grave { key: key.clone(), created: *created, deleted: self.head });
            if self.graves.len() > self.limits.graves {
                self.forgotten = self.graves.pop_front().map_or(self.forgotten, |grave| grave.deleted);
            }
        }
        self.bytes += held(&record);
        self.records.push_back(record);
        while self.records.len() > self.limits.records || self.bytes > self.limits.bytes {
            let Some(oldest) = self.records.pop_front() else { break };
            self.bytes -= held(&oldest);
        }
    }

    /// How many bytes of states it holds that the store does not.
    pub(crate) fn bytes(&self) -> usize {
        self.bytes
    }

    /// Forgets what happened, and holds no object any more.
    pub(crate) fn clear(&mut self) {
        (self.records, self.bytes) = (VecDeque::new(), 0);
    }

    /// Whether all that came after this number is remembered.
    pub(crate) fn reaches(&self, number: u64) -> bool {
        number + self.records.len() as u64 >= self.head
    }

    /// What came after this number, which [`Log::reaches`].
    pub(crate) fn after(&self, number: u64) -> impl Iterator<Item = (u64, &Record)> {
        let first = self.head - self.records.len() as u64;
        let skipped = usize::try_from(number.saturating_sub(first)).unwrap_or(usize::MAX);
        (number.max(first) + 1..).zip(self.records.range(skipped.min(self.records.len())..))
    }

    /// Whether the graves of all that went after this number are there.
    pub(crate) fn remembers(&self, number: u64) -> bool {
        number >= self.forgotten
    }

    /// The graves of what went after this number.
    pub(crate) fn graves_after(&self, number: u64) -> impl Iterator<Item = &Grave> {
        let skipped = self.graves.partition_point(|grave| grave.deleted <= number);
        self.graves.range(skipped..)
    }
}

/// The bytes of states that the store does not hold.
fn held(record: &Record) -> usize {
    let Record::Changed(changed) = record else { return 0 };
    match &changed.what {
        What::Came(_) => 0,
        What::Became { previous, .. } => previous.len(),
        What::Went { previous, last } => previous.len() + last.as_ref().map_or(0, |last| last.len()),
    }
}
