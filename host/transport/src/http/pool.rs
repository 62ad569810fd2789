use std::collections::VecDeque;
use std::future::poll_fn;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::Poll;
use std::time::{Duration, Instant};

use super::one::Connection;
use super::session::{IDLE, Sending, Session};

/// How many HTTP/1.1 connections wait at most; the oldest is closed beyond that.
const MOST: usize = 64;

/// How many HTTP/2 connections are shared at most, which is a hundred times as many requests at once. Beyond that those that a watch
/// gives back are closed.
const SHARED: usize = 16;

/// After this long without I/O the runtime is asked whether the peer has hung up meanwhile.
const FRESH: Duration = Duration::from_millis(500);

/// Connections that the next request can use.
#[derive(Default)]
pub(super) struct Pool {
    state: Mutex<State>,
    /// Held by whoever dials for all: a burst of requests to an HTTP/2 server makes one handshake, not one each.
    dialling: tokio::sync::Mutex<()>,
}

#[derive(Default)]
struct State {
    /// The longest wait first. The last one used is the next one used, so that the others age and close.
    idle: VecDeque<(Connection, Instant)>,
    /// The oldest first: it is used until it is full, so that the others age and close.
    shared: Vec<Session>,
    used: Option<Instant>,
    speaks: Speaks,
}

/// What the server chose when it was last dialled.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Speaks {
    #[default]
    Unknown,
    One,
    Two,
    /// It offered HTTP/2, and then refused to answer over it.
    OneOnly,
}

/// What a request goes over.
pub(super) enum Way {
    /// HTTP/1.1, for it alone.
    One(Connection),
    /// A part of an HTTP/2 connection.
    Two(Sending),
}

/// Whom a request shares its connection with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Company {
    /// Other short ones.
    Shared,
    /// Nobody: it is a stream that lasts, and neither waits for others nor keeps them waiting.
    Alone,
}

impl Pool {
    /// A way that was alive when last looked at, over a connection that was opened with this client certificate. Connections with
    /// others take no more requests: they were replaced.
    pub(super) async fn take(self: &Arc<Pool>, identity: Option<u64>, company: Company) -> Option<Way> {
        if self.lock().is_stale() {
            // A guest that computed all the while let no event of the sockets through: once for those, and once for the tasks
            // that they wake.
            tokio::task::yield_now().await;
            tokio::task::yield_now().await;
        }
        if let Some(lease) = self.lease(identity, company) {
            return Some(Way::Two(lease));
        }
        loop {
            let mut connection = self.lock().pop()?;
            if connection.identity() == identity
                && poll_fn(|cx| Poll::Ready(connection.poll_usable(cx))).await
            {
                return Some(Way::One(connection));
            }
        }
    }

    /// Keeps an HTTP/1.1 connection whose last body was read to its end.
    pub(super) fn put(&self, connection: Connection) {
        let mut state = self.lock();
        state.expire();
        if state.idle.len() == MOST {
            state.idle.pop_front();
        }
        let now = Instant::now();
        state.used = Some(now);
        state.idle.push_back((connection, now));
    }

    /// Keeps an HTTP/2 connection that is new, or that served one request alone. It closes by itself once nobody uses it.
    pub(super) fn put_session(&self, session: Session) {
        let mut state = self.lock();
        state.used = Some(Instant::now());
        if session.is_usable() && state.shared.len() < SHARED {
            state.shared.push(session);
        }
    }

    /// A part in a connection that is there already.
    pub(super) fn take_shared(self: &Arc<Pool>, identity: Option<u64>) -> Option<Way> {
        self.lease(identity, Company::Shared).map(Way::Two)
    }

    /// The first part in a connection that is new; none where it is over already.
    pub(super) fn adopt(self: &Arc<Pool>, session: Session, company: Company) -> Option<Way> {
        let lease = session.lease()?;
        Some(Way::Two(match company {
            Company::Alone => lease.alone(self.clone()),
            Company::Shared => {
                self.put_session(session);
                lease
            }
        }))
    }

    pub(super) fn speaks(&self) -> Speaks {
        self.lock().speaks
    }

    pub(super) fn learn(&self, speaks: Speaks) {
        let mut state = self.lock();
        if state.speaks != Speaks::OneOnly {
            state.speaks = speaks;
        }
        if state.speaks == Speaks::OneOnly {
            state.shared.clear();
        }
    }

    /// Waits until nobody else dials for all.
    pub(super) async fn turn(&self) -> tokio::sync::MutexGuard<'_, ()> {
        self.dialling.lock().await
    }

    fn lease(self: &Arc<Pool>, identity: Option<u64>, company: Company) -> Option<Sending> {
        let mut state = self.lock();
        state.used = Some(Instant::now());
        state.shared.retain(|session| session.identity() == identity);
        let mut at = 0;
        while let Some(session) = state.shared.get(at) {
            let fits = company == Company::Shared || session.is_idle();
            match (fits.then(|| session.lease()).flatten(), company) {
                (Some(lease), Company::Shared) => return Some(lease),
                (Some(lease), Company::Alone) => {
                    state.shared.remove(at);
                    return Some(lease.alone(self.clone()));
                }
                (None, _) if session.is_usable() => at += 1,
                (None, _) => drop(state.shared.remove(at)),
            }
        }
        None
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn is_stale(&self) -> bool {
        self.used.is_some_and(|used| used.elapsed() > FRESH)
    }

    fn pop(&mut self) -> Option<Connection> {
        self.expire();
        self.idle.pop_back().map(|(connection, _)| connection)
    }

    /// Closes those that have waited for too long. HTTP/1.1 has no timer for it: a client that nobody uses keeps its few sockets
    /// until the server closes them.
    fn expire(&mut self) {
        while self.idle.front().is_some_and(|(_, since)| since.elapsed() > IDLE) {
            self.idle.pop_front();
        }
    }
}
