//! How one who follows a store goes through what happened: by the log, or through the store where the log does not reach back.
//!
//! All that a follower holds are numbers and two names, however far behind it is. For each object it is known by these up to which change
//! the follower has heard of it, so that what changed later is told and nothing else.

use tidegate_transport::Error;

use crate::log::{Changed, Record, What};
use crate::state::{Standing, State};
use crate::store::{Key, Object};

/// What a follower is told.
#[derive(Clone, Debug)]
pub(crate) enum Told {
    /// An object came, changed or went.
    Change(What),
    /// An object changed while the follower was behind.
    Changed(Object),
    /// An object is there of which the follower may have heard in another state, or may not.
    Perhaps(Object),
    /// An object went of which the follower may have heard in another state; this was its last.
    Left(Object),
    /// An object went while the follower was behind.
    Gone(Key),
    /// All has been told.
    Synced,
    /// What was told may be so no more.
    Desynced,
    /// Nothing that was told before counts.
    Reset,
    /// The watch failed.
    Trouble(Error),
}

/// Where a follower is.
#[derive(Clone, Debug, Default)]
pub(crate) struct Follower {
    /// Up to here the log was told, of the objects that the walk has passed.
    told: u64,
    /// A walk through the store that is under way.
    walk: Option<Walk>,
    phase: Phase,
    picture: Picture,
}

/// A walk through the store, in the order of its names. What it has passed is as the log says from then on.
#[derive(Clone, Debug, Default)]
struct Walk {
    /// The last one that was passed; none at the beginning.
    passed: Option<Key>,
    /// Up to this name, what came up to `near` was heard; beyond it, what came up to `far`.
    border: Border,
    near: u64,
    /// Up to the border, some of what came from `near` up to this was heard too, if this is greater.
    perhaps: u64,
    far: u64,
}

/// Where a follower was when it fell behind.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
enum Border {
    /// Nowhere yet.
    #[default]
    Start,
    At(Key),
    /// Through with the store.
    End,
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
enum Phase {
    /// The log, and the walk where there is one.
    #[default]
    Following,
    /// Told of the graves since it fell behind; what it had heard by then.
    Burying { heard: u64 },
}

/// What the follower has of the store, as it was told.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Picture {
    #[default]
    Empty,
    Partial,
    Synced,
    Desynced,
}

/// How many objects of a store are looked at while its writer waits, at most.
const LOOKED_AT: usize = 4096;

/// What a step has room for.
pub(crate) struct Room {
    pub(crate) told: Vec<Told>,
    events: usize,
    bytes: usize,
}

impl Room {
    /// For so many events, and bytes unless one event alone has more.
    pub(crate) fn of(events: usize, bytes: usize) -> Self {
        Self { told: Vec::with_capacity(events.min(32)), events, bytes }
    }

    fn is_full(&self) -> bool {
        self.told.len() >= self.events || self.bytes == 0
    }

    fn tell(&mut self, told: Told) {
        let bytes = match &told {
            Told::Change(What::Came(object))
            | Told::Changed(object)
            | Told::Perhaps(object)
            | Told::Left(object) => object.len(),
            Told::Change(What::Became { previous, object }) => previous.len() + object.len(),
            Told::Change(What::Went { previous, last }) => last.as_ref().unwrap_or(previous).len(),
            _ => 0,
        };
        self.bytes = self.bytes.saturating_sub(bytes);
        self.told.push(told);
    }
}

/// Whether a step has more to do at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum More {
    /// Step again, even where nothing was told.
    Now,
    /// When something happens.
    Later,
}

impl Follower {
    /// One who has heard nothing, and begins where the log is.
    pub(crate) fn new(head: u64) -> Self {
        Self { told: head, walk: Some(Walk::default()), ..Self::default() }
    }

    /// Tells what comes next, as far as there is room.
    pub(crate) fn step(&mut self, state: &State, room: &mut Room) -> More {
        if self.phase == Phase::Following && !state.log().reaches(self.told) {
            self.fall_behind(state, room);
        }
        if let Phase::Burying { heard } = self.phase {
            if !state.log().remembers(self.told) {
                self.reset(state, room);
            } else if self.bury(state, room, heard) == More::Now {
                return More::Now;
            }
        }
        if self.read_log(state, room) == More::Now {
            return More::Now;
        }
        self.walk_on(state, room)
    }

    /// Up to which change it can have heard of an object that the walk has not passed.
    fn can_have_heard(&self, key: &str) -> Option<u64> {
        let walk = self.walk.as_ref()?;
        if walk.passed.as_deref().is_some_and(|passed| key <= passed) {
            return None;
        }
        Some(walk.perhaps_heard(key))
    }

    fn fall_behind(&mut self, state: &State, room: &mut Room) {
        if !state.log().remembers(self.told) {
            return self.reset(state, room);
        }
        if self.picture == Picture::Synced {
            self.picture = Picture::Desynced;
            room.tell(Told::Desynced);
        }
        self.phase = Phase::Burying { heard: self.told };
    }

    /// Tells of those that went, then begins to walk.
    fn bury(&mut self, state: &State, room: &mut Room, heard: u64) -> More {
        for grave in state.log().graves_after(self.told) {
            if room.is_full() {
                return More::Now;
            }
            self.told = grave.deleted;
            if grave.created <= self.can_have_heard(&grave.key).unwrap_or(heard) {
                room.tell(Told::Gone(grave.key.clone()));
            }
        }
        self.told = state.log().head();
        self.phase = Phase::Following;
        self.walk = Some(match self.walk.take() {
            None => Walk { border: Border::End, near: heard, ..Walk::default() },
            Some(walk) => walk.anew(heard),
        });
        More::Later
    }

    /// Begins from nothing: it cannot be known what went.
    fn reset(&mut self, state: &State, room: &mut Room) {
        if self.picture != Picture::Empty {
            self.picture = Picture::Empty;
            room.tell(Told::Reset);
        }
        *self = Self { picture: self.picture, ..Self::new(state.log().head()) };
    }

    fn read_log(&mut self, state: &State, room: &mut Room) -> More {
        if self.told == state.log().head() {
            return More::Later;
        }
        for (number, record) in state.log().after(self.told) {
            if room.is_full() {
                return More::Now;
            }
            self.told = number;
            match record {
                Record::Changed(changed) => self.tell_change(changed, room),
                // At the end of the walk, then.
                Record::Synced if self.walk.is_some() => {}
                Record::Synced if self.picture == Picture::Synced => {}
                Record::Synced => {
                    self.picture = Picture::Synced;
                    room.tell(Told::Synced);
                }
                Record::Desynced if self.picture == Picture::Synced => {
                    self.picture = Picture::Desynced;
                    room.tell(Told::Desynced);
                }
                Record::Desynced => {}
                Record::Trouble(why) => room.tell(Told::Trouble(why.clone())),
            }
        }
        More::Later
    }

    fn tell_change(&mut self, changed: &Changed, room: &mut Room) {
        let told = match (self.can_have_heard(&changed.key), &changed.what) {
            (None, what) => Told::Change(what.clone()),
            // The walk will tell of what is there when it comes by, but not of what is gone by then. Which state of it was heard of,
            // nobody knows: not that before its last, which a filter would be asked about.
            (Some(heard), What::Went { previous, last }) if changed.created <= heard => {
                Told::Left(last.as_ref().unwrap_or(previous).clone())
            }
            (Some(_), _) => return,
        };
        self.has_more(true);
        room.tell(told);
    }

    fn walk_on(&mut self, state: &State, room: &mut Room) -> More {
        let Some(walk) = &mut self.walk else { return More::Later };
        let mut passed = None;
        let mut any = false;
        for (looked_at, entry) in state.store().after(walk.passed.as_deref()).enumerate() {
            if room.is_full() || looked_at == LOOKED_AT {
                walk.passed = passed.or(walk.passed.take());
                self.has_more(any);
                return More::Now;
            }
            let heard = walk.heard(&entry.key);
            if entry.changed > heard {
                any = true;
                let object = entry.object.clone();
                room.tell(match entry.created {
                    created if created <= heard => Told::Changed(object),
                    created if created <= walk.perhaps_heard(&entry.key) => Told::Perhaps(object),
                    _ => Told::Change(What::Came(object)),
                });
            }
            passed = Some(entry.key.clone());
        }
        walk.passed = passed.or(walk.passed.take());
        // While the first list comes there may be more behind what has come of it.
        let whole = state.standing() != Standing::Unlisted;
        self.has_more(any);
        if whole {
            if state.standing() == Standing::Synced && room.is_full() {
                return More::Now;
            }
            self.walk = None;
            if state.standing() == Standing::Synced {
                self.picture = Picture::Synced;
                room.tell(Told::Synced);
            }
        }
        More::Later
    }

    /// Whether it has something now that would have to be taken back.
    fn has_more(&mut self, any: bool) {
        if any && self.picture == Picture::Empty {
            self.picture = Picture::Partial;
        }
    }
}

impl Walk {
    /// Up to which change all was heard of an object that was not passed.
    fn heard(&self, key: &str) -> u64 {
        if self.is_near(key) { self.near } else { self.far }
    }

    /// Up to which change some was heard of it.
    fn perhaps_heard(&self, key: &str) -> u64 {
        if self.is_near(key) { self.near.max(self.perhaps) } else { self.far }
    }

    fn is_near(&self, key: &str) -> bool {
        match &self.border {
            Border::Start => false,
            Border::At(border) => key <= &**border,
            Border::End => true,
        }
    }

    /// A walk from the beginning, for one who had passed some and heard of these up to a change.
    fn anew(self, heard: u64) -> Walk {
        match self.passed.clone() {
            None => self,
            // There are three kinds of hearing, and there is room for two: some of it is told twice.
            Some(at) if self.border > Border::At(at.clone()) => Walk { passed: None, perhaps: heard, ..self },
            Some(at) => Walk { passed: None, border: Border::At(at), near: heard, perhaps: 0, far: self.far },
        }
    }
}

#[cfg(test)]
mod tests;
