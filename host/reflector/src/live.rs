//! One upstream watch, the store that it fills, and the task between them.

use std::pin::pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use futures_util::future::BoxFuture;
use tidegate_transport::{Code, Error};
use tokio::sync::Notify;
use tokio::task::AbortHandle;

use crate::log::Limits;
use crate::state::{Prepared, State};
use crate::{Event, Watcher};

/// Where the events of a store come from: a batch of what is there, after waiting for it. Endless; cancel-safe.
pub(crate) trait Upstream: Send + 'static {
    fn next(&mut self) -> BoxFuture<'_, Vec<Event>>;
}

impl Upstream for Watcher {
    fn next(&mut self) -> BoxFuture<'_, Vec<Event>> {
        Box::pin(Watcher::next(self))
    }
}

/// What the stores of one hub may hold together.
#[derive(Debug)]
pub(crate) struct Memory {
    pub(crate) limit: usize,
    used: AtomicUsize,
}

impl Memory {
    pub(crate) fn new(limit: usize) -> Self {
        Self { limit, used: AtomicUsize::new(0) }
    }

    pub(crate) fn used(&self) -> usize {
        self.used.load(Ordering::Relaxed)
    }

    /// Counts what a store holds now instead of before. Whether all of them hold too much.
    fn count(&self, before: usize, now: usize) -> bool {
        if now >= before {
            self.used.fetch_add(now - before, Ordering::Relaxed) + (now - before) > self.limit
        } else {
            self.used.fetch_sub(before - now, Ordering::Relaxed);
            false
        }
    }
}

/// How many objects are looked at before others get their turn.
pub(crate) const TURN: usize = 512;

/// What a look at a store has come to.
pub(crate) enum Look<T> {
    Found(T),
    /// There is more to look at.
    Again,
    /// There is nothing until something happens.
    Wait,
}

/// A store and whoever waits for it to change. The lock is held for moments, by writer and readers alike.
#[derive(Debug)]
pub(crate) struct Core {
    state: Mutex<State>,
    news: Notify,
    memory: Arc<Memory>,
}

impl Core {
    pub(crate) fn new(limits: Limits, memory: Arc<Memory>) -> Arc<Self> {
        Arc::new(Self { state: Mutex::new(State::new(limits)), news: Notify::new(), memory })
    }

    pub(crate) fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits until `look` finds something. Others get their turn where it has much to look at.
    pub(crate) async fn wait_for<T>(&self, mut look: impl FnMut(&Core) -> Look<T>) -> T {
        let mut looked = 0;
        loop {
            let mut news = pin!(self.news.notified());
            // What happens between the look and the wait counts too.
            news.as_mut().enable();
            loop {
                match look(self) {
                    Look::Found(found) => return found,
                    Look::Again => looked += 1,
                    Look::Wait => break,
                }
                if looked % TURN == 0 {
                    tokio::task::yield_now().await;
                }
            }
            news.await;
        }
    }

    /// Takes in a batch. Whether there may be more.
    fn apply(&self, events: Vec<Event>) -> bool {
        let prepared: Vec<Prepared> = events.into_iter().map(Prepared::of).collect();
        let more = {
            let mut state = self.state();
            for prepared in prepared {
                let before = state.bytes();
                state.apply(prepared);
                if self.memory.count(before, state.bytes()) {
                    self.fail(&mut state, self.too_large());
                    break;
                }
            }
            state.failed().is_none()
        };
        self.news.notify_waiters();
        more
    }

    fn fail(&self, state: &mut State, why: Error) {
        let before = state.bytes();
        state.fail(why);
        self.memory.count(before, state.bytes());
    }

    fn too_large(&self) -> Error {
        let text = format!(
            "the reflectors of this host would hold more than the reflector memory of {} bytes: keep fewer fields by a mask, or select less",
            self.memory.limit
        );
        Error::new(Code::TooLarge, text)
    }
}

impl Drop for Core {
    fn drop(&mut self) {
        let state = self.state.get_mut().unwrap_or_else(PoisonError::into_inner);
        state.let_go();
        self.memory.count(state.bytes(), 0);
    }
}

/// A store that is being filled. The task ends with the last who holds this.
#[derive(Debug)]
pub(crate) struct Live {
    core: Arc<Core>,
    task: AbortHandle,
}

impl Live {
    /// Starts to fill a store, on the runtime of whoever calls.
    pub(crate) fn start(upstream: impl Upstream, core: Arc<Core>) -> Self {
        let task = tokio::spawn(fill(upstream, Filled(core.clone()))).abort_handle();
        Self { core, task }
    }

    pub(crate) fn core(&self) -> &Core {
        &self.core
    }

    /// Whether it is worth sharing.
    pub(crate) fn is_well(&self) -> bool {
        self.core.state().failed().is_none()
    }
}

impl Drop for Live {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// What the task has of the store. Where it ends before its followers do (with its runtime), they are told.
struct Filled(Arc<Core>);

impl Drop for Filled {
    fn drop(&mut self) {
        let why = Error::new(Code::Closed, "what fed the reflector has ended");
        self.0.fail(&mut self.0.state(), why);
        self.0.news.notify_waiters();
    }
}

async fn fill(mut upstream: impl Upstream, filled: Filled) {
    while filled.0.apply(upstream.next().await) {}
}
