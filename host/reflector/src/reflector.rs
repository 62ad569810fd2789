//! One who follows a store.

use std::sync::Arc;

use tidegate_transport::{Code, Error};

use crate::follow::{Follower, More, Room};
use crate::live::{Live, Look, TURN};
use crate::snapshot::Held;
use crate::state::{Standing, key};
use crate::view::{BATCH, View};

/// How many bytes are handed out at a time, unless one object alone has more.
const BATCH_BYTES: usize = 256 << 10;

/// How much is taken out of a store at a time, for a batch.
const STEP: usize = 32;

/// What happened, as [`View`] shows it. Objects are JSON in UTF-8.
#[derive(Clone, Debug)]
pub enum Update {
    /// An object is there.
    Added {
        /// As it is.
        object: Vec<u8>,
    },
    /// An object changed.
    Modified {
        /// As it is.
        object: Vec<u8>,
        /// As it was, where [`View::previous`] asks for it; none for what changed while the follower was [`Update::Desynced`].
        previous: Option<Vec<u8>>,
    },
    /// An object is gone, or passes the filter no more.
    Deleted {
        /// Its last state, or its `metadata.name` and `namespace` alone where it went while the follower was [`Update::Desynced`].
        object: Vec<u8>,
    },
    /// What was told is what the server has.
    Synced,
    /// It may not be, until the next [`Update::Synced`]: the watch broke, or this follower fell too far behind. What changed is told.
    Desynced,
    /// Nothing that was told counts any more: everything comes anew, up to the next [`Update::Synced`].
    Reset,
    /// The watch failed; it is tried again.
    Error(Error),
}

/// Follows a store, as its [`View`] shows it. Dropped, it follows no more; with the last of a store its watch ends.
///
/// It holds a place in what happened and no objects, however slow it is, and makes nobody wait.
#[derive(Debug)]
pub struct Reflector {
    live: Arc<Live>,
    view: Arc<View>,
    follower: Follower,
    /// Was found out to know that there is something.
    ahead: Option<Result<Update, Error>>,
    ended: bool,
}

impl Reflector {
    pub(crate) fn new(live: Arc<Live>, view: View) -> Self {
        let head = live.core().state().log().head();
        Self { live, view: Arc::new(view), follower: Follower::new(head), ahead: None, ended: false }
    }

    /// The next updates, at least one, at most [`View::batch`] of them and 256 KiB, or one that is larger. Cancel-safe.
    ///
    /// Errors, after which there are no others: [`Code::InvalidRequest`] where the filter has no answer for an object; [`Code::TooLarge`]
    /// where the stores hold too much; [`Code::Closed`] where what fed the store has ended, and after an error.
    pub async fn next(&mut self) -> Result<Vec<Update>, Error> {
        self.ready().await;
        let limit = self.view.batch.clamp(1, BATCH);
        let mut updates = Vec::with_capacity(limit.min(STEP));
        let mut bytes = 0;
        let mut looked_at = 0;
        loop {
            match self.ahead.take() {
                Some(Ok(update)) => {
                    bytes += update.bytes();
                    updates.push(update);
                }
                Some(Err(why)) if updates.is_empty() => {
                    self.ended = true;
                    return Err(why);
                }
                Some(Err(why)) => {
                    self.ahead = Some(Err(why));
                    return Ok(updates);
                }
                None => {}
            }
            if updates.len() >= limit || bytes >= BATCH_BYTES {
                return Ok(updates);
            }
            let mut room = Room::of((limit - updates.len()).min(STEP), BATCH_BYTES - bytes);
            let more = self.follower.step(&self.live.core().state(), &mut room);
            looked_at += room.told.len();
            for told in room.told {
                match self.view.show(told) {
                    Ok(None) => {}
                    Ok(Some(update)) => {
                        bytes += update.bytes();
                        updates.push(update);
                    }
                    Err(why) => {
                        self.ahead = Some(Err(why));
                        break;
                    }
                }
            }
            if self.ahead.is_none() && more == More::Later {
                return Ok(updates);
            }
            // There is something, and others have waited for their turn. Nothing may be awaited here: what was taken would be lost with
            // whoever waits no more.
            if looked_at >= TURN {
                return Ok(updates);
            }
        }
    }

    /// Waits until [`next`](Self::next) would not wait. Cancel-safe.
    pub async fn ready(&mut self) {
        let Self { live, view, follower, ahead, ended } = self;
        if ahead.is_some() {
            return;
        }
        if *ended {
            *ahead = Some(Err(Error::new(Code::Closed, "the reflector has ended with an error before")));
            return;
        }
        // One at a time: what is found ahead is all that is held.
        let found = live.core().wait_for(|core| {
            let mut room = Room::of(1, usize::MAX);
            let (more, failed) = {
                let state = core.state();
                (follower.step(&state, &mut room), state.failed().cloned())
            };
            let shown = room.told.pop().map_or(Ok(None), |told| view.show(told));
            match (shown.transpose(), more, failed) {
                (Some(found), ..) => Look::Found(found),
                (None, More::Now, _) => Look::Again,
                (None, More::Later, Some(why)) => Look::Found(Err(why)),
                (None, More::Later, None) => Look::Wait,
            }
        });
        *ahead = Some(found.await);
    }

    /// The object of this name, if the filter lets it pass; the namespace of what lies in none is empty.
    ///
    /// Errors: the filter has no answer for it; why the store ended, after which it holds nothing.
    pub fn get(&self, namespace: &str, name: &str) -> Result<Option<Vec<u8>>, Error> {
        let object = {
            let state = self.live.core().state();
            if let Some(why) = state.failed() {
                return Err(why.clone());
            }
            state.store().get(&key(namespace, name)).map(|entry| entry.object.clone())
        };
        object.map_or(Ok(None), |object| self.view.read(&object))
    }

    /// The objects as they are now, sorted by the text `namespace/name`, as API servers list them; whatever happens while it is read.
    pub fn list(&self) -> Listing {
        let mut state = self.live.core().state();
        let ended = state.failed().cloned();
        Listing { held: state.snapshot(), view: self.view.clone(), passed: None, ended }
    }

    /// How many objects the store holds, whatever the filter lets pass.
    pub fn len(&self) -> usize {
        self.live.core().state().store().len()
    }

    /// Whether the store holds no object.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Whether the store shows what the server has, as far as its watch has told.
    pub fn is_synced(&self) -> bool {
        self.live.core().state().standing() == Standing::Synced
    }

    /// The state of the cluster that was listed, or named by a bookmark, last.
    pub fn resource_version(&self) -> Option<String> {
        self.live.core().state().version().map(str::to_owned)
    }
}

impl Update {
    fn bytes(&self) -> usize {
        match self {
            Update::Added { object } | Update::Deleted { object } => object.len(),
            Update::Modified { object, previous } => {
                object.len() + previous.as_ref().map_or(0, |previous| previous.len())
            }
            _ => 0,
        }
    }
}

/// The objects of a store as they were when it was asked for, batch by batch.
///
/// What is replaced meanwhile is kept for it, up to a cap of 64 MiB: then it is let go of.
#[derive(Debug)]
pub struct Listing {
    held: Arc<Held>,
    view: Arc<View>,
    passed: Option<Arc<str>>,
    /// Why there is nothing: the store had ended.
    ended: Option<Error>,
}

impl Listing {
    /// The next objects, at most 256 and 256 KiB, or one that is larger; none at the end. Waits for nothing but its turn.
    ///
    /// Errors: the filter has no answer for an object; why the store ended; [`Code::TooLarge`] where the snapshot was let go of.
    pub async fn next(&mut self) -> Result<Option<Vec<Vec<u8>>>, Error> {
        if let Some(why) = &self.ended {
            return Err(why.clone());
        }
        let Some(store) = self.held.store() else {
            let text = "the snapshot was let go of: more than the snapshot cap of 64 MiB was replaced while it was read, or its store has ended; begin it anew";
            return Err(Error::new(Code::TooLarge, text));
        };
        let (mut objects, mut bytes, mut looked_at) = (Vec::new(), 0, 0);
        for entry in store.after(self.passed.as_deref()) {
            if objects.len() == BATCH || bytes >= BATCH_BYTES {
                break;
            }
            looked_at += 1;
            if looked_at % TURN == 0 {
                tokio::task::yield_now().await;
            }
            self.passed = Some(entry.key.clone());
            if let Some(object) = self.view.read(&entry.object)? {
                bytes += object.len();
                objects.push(object);
            }
        }
        Ok((!objects.is_empty()).then_some(objects))
    }
}
