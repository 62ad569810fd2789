//! What is to be done when, so that a list and its watch go on for ever. Pure: time and chance are arguments.
//!
//! ```text
//!            List ──► items ──► Listed ──► Watch ──► events ──► regular end ──► Watch (from the last version)
//!             ▲                             ▲           │ silent ──► Probe ──► answered ──► Watch
//!             │                             │           ▼               └► not answered ─┐
//!             └── 410, or stuck ── Wait ────┴────── failed ◄──────────────────────────────┘
//! ```

use std::cmp::Ordering;
use std::time::Duration;

use bytes::Bytes;
use tidegate_kube::version;
use tidegate_transport::Error;

use crate::backoff::{Backoff, Row};
use crate::failure::{Cure, Failure};

/// A watch that ends before this has not been one: whoever asked again at once would ask for ever.
const SHORT: Duration = Duration::from_secs(1);

/// How often in a row a watch may fail before anything comes of it, until the way out is a new list.
const PATIENCE: u32 = 3;

/// The server is to end each watch after a time from here up to twice that, so that all who began at once do not come back at once.
const SHORTEST_WATCH: u64 = 100;

/// What those who watch are told.
#[derive(Debug, Clone)]
pub enum Event {
    /// A list begins: what follows up to [`Event::Listed`] replaces all that was told before. It may begin again before it has ended.
    Listing,
    /// One object of the list.
    Item(Bytes),
    /// The list has ended: what was known before and was not among its items is gone.
    Listed {
        /// The state of the cluster that the list shows.
        version: String,
    },
    /// An object is new.
    Added(Bytes),
    /// An object has changed.
    Modified(Bytes),
    /// An object is gone; this was its last state.
    Deleted(Bytes),
    /// Nothing has changed up to this version. Told too where a watch goes on after [`Event::Desynced`]: nothing was missed.
    Bookmark {
        /// The state of the cluster up to which all has been told.
        version: String,
    },
    /// What was told may no longer be so: the server is away, or has forgotten what came next. Whatever comes after it, a list or the rest
    /// of the watch, makes up for all that was missed.
    Desynced {
        /// What went wrong.
        why: Error,
        /// When the next try is made; none where no try could help, and nothing more will come: it is this side that refuses.
        retry_in: Option<Duration>,
    },
}

/// How an object changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Change {
    /// It is new.
    Added,
    /// It is another.
    Modified,
    /// It is gone.
    Deleted,
}

/// When a step is taken, and what chance says.
#[derive(Debug, Clone, Copy)]
pub struct Now {
    /// The time since any moment that stays the same.
    pub at: Duration,
    /// Another number for each step.
    pub random: u64,
}

/// What happened. What does not belong to the order at hand is passed over.
#[derive(Debug)]
pub enum Input<'a> {
    /// The head of the list's first answer has come.
    ListBegun,
    /// An item of the list.
    Item(Bytes),
    /// The list has ended as it should.
    ListEnded {
        /// What the server says that it shows; empty where it does not say.
        version: &'a str,
    },
    /// The head of the watch has come.
    WatchBegun,
    /// An object changed.
    Changed {
        /// How.
        change: Change,
        /// As it is now; none where a filter leaves it out.
        object: Option<Bytes>,
        /// Its version; empty where it has none.
        version: &'a str,
    },
    /// A bookmark has come.
    Bookmark {
        /// Its version; empty where it has none.
        version: &'a str,
    },
    /// The watch has ended as it should.
    WatchEnded,
    /// The list or the watch has failed, at its beginning or later.
    Failed(Failure),
    /// The watch has been silent for the idle deadline.
    Silent,
    /// The probe was answered.
    Answered {
        /// The state of the cluster, where the server says it.
        version: Option<&'a str>,
    },
    /// The probe was not answered.
    Unanswered(Failure),
    /// The wait is over.
    Waited,
}

/// What is to be done next; it ends what was ordered before.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Order {
    /// Nothing else: what was ordered goes on.
    GoOn,
    /// To list.
    List(ListForm),
    /// To watch.
    Watch {
        /// What was told last.
        version: String,
        /// When the server is to end it.
        timeout: Duration,
    },
    /// To ask the server for a sign of life, while the watch goes on. What comes of the watch ends the probe.
    Probe,
    /// To wait.
    Wait(Duration),
    /// To end.
    End,
}

/// How a list is to be asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ListForm {
    /// As whoever watches wants it.
    Usual,
    /// As one answer: the server forgot a list's state before its last page.
    Whole,
}

/// A list and its watch. Knows no clock, and opens nothing.
#[derive(Debug, Clone)]
pub struct Machine {
    phase: Phase,
    /// Up to where all was told; empty before the first list.
    version: String,
    form: ListForm,
    backoff: Backoff,
    /// How many watches in a row failed before anything came of them.
    stuck: u32,
    /// Whether the last that was told is [`Event::Desynced`].
    synced: Synced,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Phase {
    Asking,
    Listing,
    Opening,
    Watching { since: Duration },
    Probing { since: Duration },
    Waiting(Next),
    Ended,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Next {
    List,
    Watch,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Synced {
    Yes,
    No,
}

impl Machine {
    /// One that has not begun. Given a version, it begins with a watch from there.
    pub fn new(from: Option<String>) -> Machine {
        Machine {
            phase: Phase::Ended,
            version: from.unwrap_or_default(),
            form: ListForm::Usual,
            backoff: Backoff::default(),
            stuck: 0,
            synced: Synced::Yes,
        }
    }

    /// Begins.
    pub fn begin(&mut self, now: Now) -> Order {
        if self.version.is_empty() { self.list() } else { self.watch(now) }
    }

    /// Takes what happened, tells what is to be told, and orders what is to be done.
    pub fn step(&mut self, input: Input<'_>, now: Now, told: &mut Vec<Event>) -> Order {
        match (self.phase, input) {
            (Phase::Asking, Input::ListBegun) => {
                self.phase = Phase::Listing;
                told.push(Event::Listing);
                Order::GoOn
            }
            (Phase::Listing, Input::Item(item)) => {
                told.push(Event::Item(item));
                Order::GoOn
            }
            (Phase::Listing, Input::ListEnded { version }) => self.listed(version, now, told),
            (Phase::Asking | Phase::Listing, Input::Failed(failure)) => {
                // A state that is forgotten between two pages is none to ask for by pages.
                if self.phase == Phase::Listing && failure.cure == Cure::List {
                    self.form = ListForm::Whole;
                }
                self.fail(failure, Next::List, now, told)
            }
            (Phase::Opening, Input::WatchBegun) => {
                self.phase = Phase::Watching { since: now.at };
                self.backoff.succeeded(now.at);
                if self.synced == Synced::No {
                    self.synced = Synced::Yes;
                    told.push(Event::Bookmark { version: self.version.clone() });
                }
                Order::GoOn
            }
            (Phase::Opening, Input::Failed(failure)) => {
                self.stuck += u32::from(failure.cure == Cure::TimeThenList);
                self.fail(failure, Next::Watch, now, told)
            }
            (Phase::Watching { since } | Phase::Probing { since }, input) => {
                self.watched(input, since, now, told)
            }
            (Phase::Waiting(Next::List), Input::Waited) => self.list(),
            (Phase::Waiting(Next::Watch), Input::Waited) => self.watch(now),
            _ => Order::GoOn,
        }
    }

    fn listed(&mut self, version: &str, now: Now, told: &mut Vec<Event>) -> Order {
        if !is_place(version) {
            let failure =
                Failure::protocol("the list does not say which version it shows: it cannot be watched");
            return self.fail(failure, Next::List, now, told);
        }
        version.clone_into(&mut self.version);
        self.form = ListForm::Usual;
        self.stuck = 0;
        self.synced = Synced::Yes;
        told.push(Event::Listed { version: self.version.clone() });
        self.watch(now)
    }

    fn watched(&mut self, input: Input<'_>, since: Duration, now: Now, told: &mut Vec<Event>) -> Order {
        let lasted = now.at.saturating_sub(since);
        match input {
            Input::Changed { change, object, version } if is_place(version) => {
                self.reached(version, since);
                if let Some(object) = object {
                    told.push(match change {
                        Change::Added => Event::Added(object),
                        Change::Modified => Event::Modified(object),
                        Change::Deleted => Event::Deleted(object),
                    });
                }
                Order::GoOn
            }
            Input::Bookmark { version } if is_place(version) => {
                self.reached(version, since);
                told.push(Event::Bookmark { version: version.to_owned() });
                Order::GoOn
            }
            Input::Changed { .. } | Input::Bookmark { .. } => {
                let failure = Failure::protocol("an event of the watch has no version to go on from");
                self.stuck += 1;
                self.fail(failure, Next::Watch, now, told)
            }
            Input::WatchEnded if lasted < SHORT => {
                let failure = Failure::protocol("the server ended the watch within a second");
                self.fail(failure, Next::Watch, now, told)
            }
            Input::WatchEnded => self.watch(now),
            Input::Failed(failure) => {
                self.stuck += u32::from(failure.cure == Cure::TimeThenList && lasted < SHORT);
                self.fail(failure, Next::Watch, now, told)
            }
            Input::Silent if self.phase == (Phase::Watching { since }) => {
                self.phase = Phase::Probing { since };
                Order::Probe
            }
            Input::Answered { version } if self.phase == (Phase::Probing { since }) => {
                if version.is_some_and(|version| self.is_behind(version)) {
                    let text = "the server shows a version before the one that was told last: it was restored to an earlier state";
                    let failure = Failure { cure: Cure::List, ..Failure::protocol(text) };
                    return self.fail(failure, Next::List, now, told);
                }
                // It is there. Whether the watch is too, only a new one tells.
                self.watch(now)
            }
            Input::Unanswered(failure) if self.phase == (Phase::Probing { since }) => {
                self.fail(failure, Next::Watch, now, told)
            }
            _ => Order::GoOn,
        }
    }

    /// Whether the server is at a version from before the one that was told last.
    fn is_behind(&self, version: &str) -> bool {
        version::compare(version, &self.version) == Some(Ordering::Less)
    }

    /// All was told up to `version`.
    fn reached(&mut self, version: &str, since: Duration) {
        // In place: there are many.
        version.clone_into(&mut self.version);
        self.stuck = 0;
        self.phase = Phase::Watching { since };
    }

    fn fail(&mut self, failure: Failure, next: Next, now: Now, told: &mut Vec<Event>) -> Order {
        self.synced = Synced::No;
        if failure.cure == Cure::Nothing {
            self.phase = Phase::Ended;
            told.push(Event::Desynced { why: failure.why, retry_in: None });
            return Order::End;
        }
        let row = self.backoff.failed(now.at);
        let mut wait = self.backoff.wait(now.random);
        if failure.cure == Cure::List && row == Row::First {
            // The server is well, and what is known grows old.
            wait = Duration::ZERO;
        }
        let wait = wait.max(failure.retry_after.unwrap_or_default());
        let anew = failure.cure == Cure::List || self.stuck >= PATIENCE;
        self.phase = Phase::Waiting(if anew { Next::List } else { next });
        told.push(Event::Desynced { why: failure.why, retry_in: Some(wait) });
        Order::Wait(wait)
    }

    fn list(&mut self) -> Order {
        self.phase = Phase::Asking;
        Order::List(self.form)
    }

    fn watch(&mut self, now: Now) -> Order {
        self.phase = Phase::Opening;
        let timeout = Duration::from_secs(SHORTEST_WATCH + now.random % SHORTEST_WATCH);
        Order::Watch { version: self.version.clone(), timeout }
    }
}

/// Whether a watch can begin there: from nothing or 0 a server would begin with what there is.
fn is_place(version: &str) -> bool {
    !version.is_empty() && version != "0"
}

#[cfg(test)]
mod model;
#[cfg(test)]
mod table;
#[cfg(test)]
mod tests;
