//! The history of one table: what a watch replays and what a list at an earlier revision is rolled back through.

use std::collections::VecDeque;
use std::sync::Arc;

use super::{Object, Refused};

/// What happened to an object.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Change {
    /// It was not there before.
    Added,
    /// It was there and differs.
    Modified,
    /// It is gone; the event carries its last state.
    Deleted,
}

/// One write.
pub(crate) struct Event {
    /// The revision that the write made.
    pub(crate) revision: u64,
    /// What it did.
    pub(crate) change: Change,
    /// The object after it, or its last state.
    pub(crate) object: Arc<Object>,
    /// The object before it, so that a selector can tell that it left the selection.
    pub(crate) previous: Option<Arc<Object>>,
}

/// Past events in order, bounded by the bytes of the bodies that they hold.
pub(super) struct Log {
    events: VecDeque<Arc<Event>>,
    compacted: u64,
    bytes: usize,
    cap: usize,
}

impl Log {
    pub(super) fn new(cap: usize) -> Log {
        Log { events: VecDeque::new(), compacted: 0, bytes: 0, cap }
    }

    pub(super) fn push(&mut self, event: Event) {
        self.bytes += event.object.body.len();
        self.events.push_back(Arc::new(event));
        while self.bytes > self.cap && self.events.len() > 1 {
            self.pop();
        }
    }

    /// Events that happened after `revision`, oldest first, at most `limit`.
    pub(super) fn after(&self, revision: u64, limit: usize) -> Result<Vec<Arc<Event>>, Refused> {
        self.reaches(revision)?;
        let start = self.events.partition_point(|event| event.revision <= revision);
        Ok(self.events.range(start..).take(limit).cloned().collect())
    }

    /// Events that happened after `revision`, newest first.
    pub(super) fn back_to(&self, revision: u64) -> Result<impl Iterator<Item = &Arc<Event>>, Refused> {
        self.reaches(revision)?;
        Ok(self.events.iter().rev().take_while(move |event| event.revision > revision))
    }

    pub(super) fn compact(&mut self, revision: u64) {
        while self.events.front().is_some_and(|event| event.revision <= revision) {
            self.pop();
        }
        self.compacted = self.compacted.max(revision);
    }

    fn reaches(&self, revision: u64) -> Result<(), Refused> {
        if revision < self.compacted { Err(Refused::Compacted { oldest: self.compacted }) } else { Ok(()) }
    }

    fn pop(&mut self) {
        if let Some(event) = self.events.pop_front() {
            self.bytes -= event.object.body.len();
            self.compacted = self.compacted.max(event.revision);
        }
    }
}
