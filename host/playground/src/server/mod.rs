//! HTTP over TLS: the only part that knows sockets and time.

mod access;
mod body;
mod control;
mod listen;
mod service;
mod tls;
mod watching;

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::{Mutex, MutexGuard, PoisonError};

use time::OffsetDateTime;
use tokio::sync::watch;

use crate::api::State;
use crate::store::TableId;

pub(crate) use listen::bind;
pub(crate) use tls::Identity;

/// What all connections share.
pub(crate) struct Shared {
    state: Mutex<State>,
    changed: Mutex<HashMap<TableId, watch::Sender<u64>>>,
    /// The one token that lets a client in.
    pub(crate) token: String,
    /// Where clients reach the server.
    pub(crate) address: SocketAddr,
    stop: watch::Sender<bool>,
}

impl Shared {
    pub(crate) fn new(state: State, token: String, address: SocketAddr) -> Shared {
        Shared {
            state: Mutex::new(state),
            changed: Mutex::new(HashMap::new()),
            token,
            address,
            stop: watch::Sender::new(false),
        }
    }

    /// Works on the state, then does what the controllers do about it and wakes whoever watches what changed.
    pub(crate) fn with<T>(&self, work: impl FnOnce(&mut State) -> T) -> T {
        let mut state = self.lock();
        let done = work(&mut state);
        state.do_chores(OffsetDateTime::now_utc());
        let touched = state.store.take_touched();
        let revision = state.store.revision();
        drop(state);
        if !touched.is_empty() {
            let changed = self.changed.lock().unwrap_or_else(PoisonError::into_inner);
            for table in touched {
                if let Some(sender) = changed.get(&table) {
                    sender.send_replace(revision);
                }
            }
        }
        done
    }

    /// Looks at the state without changing it.
    pub(crate) fn look<T>(&self, look: impl FnOnce(&State) -> T) -> T {
        look(&self.lock())
    }

    /// Changes each time `table` does.
    pub(crate) fn changes(&self, table: &TableId) -> watch::Receiver<u64> {
        let mut changed = self.changed.lock().unwrap_or_else(PoisonError::into_inner);
        changed.entry(table.clone()).or_insert_with(|| watch::Sender::new(0)).subscribe()
    }

    /// Ends all connections and watches.
    pub(crate) fn stop(&self) {
        self.stop.send_replace(true);
    }

    /// Resolves when the server is to end.
    pub(crate) async fn stopped(&self) {
        // The sender lives as long as `self`, so that waiting cannot fail.
        let _ = self.stop.subscribe().wait_for(|stop| *stop).await;
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // A panic while the lock was held is a bug that one request has seen; the others go on.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
