//! Watches as a state machine: it is asked for the next bytes and says what it waits for; the server drives it.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use super::query::Query;
use super::read;
use super::route::Target;
use super::status::{Answer, Failure};
use super::view::View;
use crate::kinds::Violation;
use crate::select::Selection;
use crate::store::{Change, Event, Object, Refused, Store, TableId};

/// Events that are looked at in one turn; a turn holds the store's lock.
const BATCH: usize = 512;

/// One watch.
pub(crate) struct Watch {
    view: View,
    table: TableId,
    namespace: Option<String>,
    selection: Selection,
    /// The state that the watch begins with and that has not been sent yet.
    initial: VecDeque<Arc<Object>>,
    mark_initial_end: bool,
    bookmarks: bool,
    /// Everything up to here has been looked at.
    seen: u64,
    /// What the client knows: the revision of the last event or bookmark.
    told: u64,
    first: bool,
    /// How long the watch lasts.
    pub(crate) lifetime: Duration,
}

/// What there is to send.
pub(crate) enum Turn {
    /// Events; ask again at once.
    More(Vec<u8>),
    /// Events, perhaps none; ask again when the table changes.
    Idle(Vec<u8>),
    /// The last line.
    End(Vec<u8>),
}

impl Watch {
    /// Reads the options of a watch. `spread` in 0..1 places its lifetime between 30 and 60 minutes where the
    /// client sets none, as the real server does.
    ///
    /// # Errors
    /// 400 and 422 for options that make no sense.
    pub(crate) fn new(
        store: &Store,
        target: &Target,
        query: &Query,
        view: View,
        spread: f64,
    ) -> Answer<Watch> {
        let violations = violations(query);
        if !violations.is_empty() {
            return Err(Failure::invalid_options("ListOptions", &violations));
        }
        let mut selection = read::selection(target, query)?;
        if let Some(name) = &target.name {
            selection.fields = crate::select::FieldSelector::everything().equals("metadata.name", name);
        }
        // The real server reads it too late to call it a bad request.
        let asked = read::revision(query).map_err(|why| why.internal())?;
        let timeout = query.number("timeoutSeconds")?.and_then(|s| u64::try_from(s).ok()).filter(|s| *s > 0);
        let bookmarks = query.flag("allowWatchBookmarks");
        let initial_events = query.get("sendInitialEvents").map(|_| query.flag("sendInitialEvents"));
        let from_state = initial_events.unwrap_or(asked.is_none_or(|revision| revision == 0));
        let mut watch = Watch {
            view,
            table: target.resource.table.clone(),
            namespace: target.namespace.clone(),
            selection,
            initial: VecDeque::new(),
            mark_initial_end: initial_events == Some(true) && bookmarks,
            bookmarks,
            seen: asked.filter(|_| !from_state).unwrap_or(store.revision()),
            told: 0,
            first: true,
            lifetime: timeout.map_or(Duration::from_secs_f64(1800.0 * (1.0 + spread)), Duration::from_secs),
        };
        watch.told = watch.seen;
        if from_state {
            watch.begin_with_state(store);
        }
        Ok(watch)
    }

    /// The table that the watch is about.
    pub(crate) fn table(&self) -> &TableId {
        &self.table
    }

    /// Collects what there is to send.
    pub(crate) fn turn(&mut self, store: &Store) -> Collected {
        if !self.initial.is_empty() || self.mark_initial_end {
            return Collected::Initial;
        }
        match store.events_after(&self.table, self.seen, BATCH) {
            Ok(events) => {
                Collected::Events { idle_at: (events.len() < BATCH).then(|| store.revision()), events }
            }
            Err(Refused::Compacted { oldest }) => Collected::Expired { oldest },
            Err(Refused::Future { .. }) => Collected::Events { events: Vec::new(), idle_at: None },
        }
    }

    /// Writes what was collected, with ages counted to `now` (seconds since 1970); needs no lock.
    pub(crate) fn write(&mut self, collected: Collected, now: i64) -> Turn {
        self.view.at(now);
        let mut out = Vec::new();
        match collected {
            Collected::Initial => {
                while let Some(object) = self.initial.pop_front() {
                    self.view.event(Change::Added, &object, self.first, &mut out);
                    self.first = false;
                    if out.len() > 256 * 1024 {
                        return Turn::More(out);
                    }
                }
                if std::mem::take(&mut self.mark_initial_end) {
                    self.view.bookmark(self.seen, true, &mut out);
                    self.told = self.seen;
                }
                Turn::More(out)
            }
            Collected::Expired { oldest } => {
                let text = format!("too old resource version: {} ({oldest})", self.seen);
                Turn::End(View::error(&Failure::expired(text).status()))
            }
            Collected::Events { events, idle_at } => {
                for event in &events {
                    self.seen = event.revision;
                    if let Some((change, object)) = self.shown(event) {
                        self.told = event.revision;
                        self.view.event(change, &object, self.first, &mut out);
                        self.first = false;
                    }
                }
                match idle_at {
                    Some(revision) => {
                        // A watch from the future waits for that future.
                        self.seen = self.seen.max(revision);
                        Turn::Idle(out)
                    }
                    None => Turn::More(out),
                }
            }
        }
    }

    /// A bookmark, where the client takes them and does not know all that this watch has looked at.
    pub(crate) fn bookmark(&mut self) -> Option<Vec<u8>> {
        if !self.bookmarks || self.told >= self.seen {
            return None;
        }
        let mut out = Vec::new();
        self.view.bookmark(self.seen, false, &mut out);
        self.told = self.seen;
        Some(out)
    }

    fn begin_with_state(&mut self, store: &Store) {
        if let Ok(snapshot) = store.snapshot(&self.table, None) {
            let selected =
                snapshot.after(self.namespace.as_deref(), None).filter(|o| self.selection.matches(o));
            self.initial = selected.cloned().collect();
        }
        self.seen = store.revision();
        self.told = self.seen;
    }

    /// What an event is to this client: entering a selection is ADDED; leaving it is DELETED, with the last state
    /// that was selected.
    fn shown(&self, event: &Event) -> Option<(Change, Arc<Object>)> {
        if self.namespace.is_some() && event.object.key.namespace() != self.namespace.as_deref() {
            return None;
        }
        let was = event.previous.as_ref().filter(|object| self.selection.matches(object));
        let is = event.change != Change::Deleted && self.selection.matches(&event.object);
        match (was, is) {
            (None, true) => Some((Change::Added, event.object.clone())),
            (Some(_), true) => Some((Change::Modified, event.object.clone())),
            (Some(_), false) if event.change == Change::Deleted => {
                Some((Change::Deleted, event.object.clone()))
            }
            (Some(last), false) => Some((Change::Deleted, Arc::new(last.at(event.revision)))),
            (None, false) => None,
        }
    }
}

/// What a turn found under the lock.
pub(crate) enum Collected {
    /// The state that the watch begins with.
    Initial,
    /// Events after what was seen.
    Events {
        /// Oldest first.
        events: Vec<Arc<Event>>,
        /// The store's revision where there was nothing more.
        idle_at: Option<u64>,
    },
    /// The history is gone.
    Expired {
        /// The first revision from which a watch can start.
        oldest: u64,
    },
}

fn violations(query: &Query) -> Vec<Violation> {
    let mut found = Vec::new();
    let field = "resourceVersionMatch";
    let (rule, initial) = (query.get(field), query.get("sendInitialEvents"));
    if rule.is_some() && initial.is_none() {
        let why = "resourceVersionMatch is forbidden for watch unless sendInitialEvents is provided";
        found.push(Violation::forbidden(field, why));
    }
    if initial.is_some() && rule != Some("NotOlderThan") {
        let why = "sendInitialEvents requires setting resourceVersionMatch to NotOlderThan";
        found.push(Violation::forbidden(field, why));
    }
    if query.get("continue").is_some() && rule.is_some() {
        found.push(Violation::forbidden(field, "resourceVersionMatch is forbidden with continue"));
    }
    found
}
