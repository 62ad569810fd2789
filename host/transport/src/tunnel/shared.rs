//! What a tunnel's holder and its driver share: two bounded queues and the end.

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};

use bytes::Bytes;
use tidegate_kube::channels::Piece;
use tokio::sync::Notify;

use crate::{Code, Error};

/// How much waits at most to be read, and how much to be sent: one message more begins only below this.
const CAP: usize = 256 * 1024;

/// The largest message.
const MESSAGE: usize = 64 * 1024;

/// Pieces below this are copied: a slice of what was read would keep all of that for as long as it waits, which is not counted.
const SMALL: usize = 16 * 1024;

/// What each message counts for besides its bytes, so that many empty ones are bounded too.
const OVERHEAD: usize = 64;

/// What a tunnel's holder and its driver share. No lock is held while anybody waits.
#[derive(Debug, Default)]
pub(crate) struct Shared {
    state: Mutex<State>,
    /// Somebody may read on.
    came: Notify,
    /// Somebody may write on.
    room: Notify,
}

#[derive(Debug, Default)]
struct State {
    incoming: Queue<Piece>,
    outgoing: Queue<(u8, Bytes)>,
    /// Told to readers once all that came is read.
    end: Option<Result<(), Error>>,
    /// Nothing more is sent, and nothing that comes is kept.
    finishing: bool,
    driver: Option<Waker>,
}

/// What waits, and how much it counts for.
#[derive(Debug)]
struct Queue<T> {
    items: VecDeque<T>,
    size: usize,
}

impl<T> Default for Queue<T> {
    fn default() -> Queue<T> {
        Queue { items: VecDeque::new(), size: 0 }
    }
}

impl<T> Queue<T> {
    fn push(&mut self, item: T, bytes: usize) {
        self.size += bytes + OVERHEAD;
        self.items.push_back(item);
    }

    fn pop(&mut self, bytes: impl FnOnce(&T) -> usize) -> Option<T> {
        let item = self.items.pop_front()?;
        self.size -= bytes(&item) + OVERHEAD;
        Some(item)
    }

    fn has_room(&self) -> bool {
        self.size < CAP
    }
}

/// For those who hold the tunnel.
impl Shared {
    pub(super) fn try_next(&self) -> Poll<Result<Option<Piece>, Error>> {
        let mut state = self.lock();
        let had_room = state.incoming.has_room();
        if let Some(piece) = state.incoming.pop(|piece| piece.bytes.len()) {
            if !had_room && state.incoming.has_room() {
                state.wake();
            }
            return Poll::Ready(Ok(Some(piece)));
        }
        match &state.end {
            Some(end) => Poll::Ready(end.clone().map(|()| None)),
            None => Poll::Pending,
        }
    }

    pub(super) async fn next(&self) -> Result<Option<Piece>, Error> {
        until(&self.came, || match self.try_next() {
            Poll::Ready(next) => Some(next),
            Poll::Pending => None,
        })
        .await
    }

    pub(super) async fn readable(&self) {
        until(&self.came, || {
            let state = self.lock();
            (!state.incoming.items.is_empty() || state.end.is_some()).then_some(())
        })
        .await;
    }

    /// Takes what there is room for, in messages, each of which `charge` may refuse.
    pub(super) fn try_send(
        &self,
        channel: u8,
        bytes: &mut Bytes,
        charge: impl Fn(usize) -> Result<(), Error>,
    ) -> Result<(), Error> {
        let mut state = self.lock();
        match &state.end {
            Some(Err(error)) => return Err(error.clone()),
            Some(Ok(())) => return Err(Error::new(Code::Closed, "the other end of this tunnel has ended")),
            None => {}
        }
        let (mut sent, mut charged) = (false, Ok(()));
        while !bytes.is_empty() && state.outgoing.has_room() {
            let length = bytes.len().min(MESSAGE);
            charged = charge(length);
            if charged.is_err() {
                break;
            }
            state.outgoing.push((channel, bytes.split_to(length)), length);
            sent = true;
        }
        if sent {
            state.wake();
        }
        charged
    }

    pub(super) async fn writable(&self) {
        until(&self.room, || {
            let state = self.lock();
            (state.outgoing.has_room() || state.end.is_some()).then_some(())
        })
        .await;
    }

    pub(super) fn finish(&self) {
        let mut state = self.lock();
        state.finishing = true;
        state.incoming = Queue::default();
        state.wake();
    }

    pub(super) async fn ended(&self) {
        until(&self.came, || self.lock().end.is_some().then_some(())).await;
    }
}

/// For the driver.
impl Shared {
    /// Whom to wake once there is something to send, or room again.
    pub(crate) fn register(&self, cx: &Context<'_>) {
        let mut state = self.lock();
        if !state.driver.as_ref().is_some_and(|waker| waker.will_wake(cx.waker())) {
            state.driver = Some(cx.waker().clone());
        }
    }

    /// Whether more should be read from the server.
    pub(crate) fn has_room(&self) -> bool {
        self.lock().incoming.has_room()
    }

    /// Something came.
    pub(crate) fn put(&self, mut piece: Piece) {
        if piece.bytes.len() < SMALL {
            piece.bytes = Bytes::copy_from_slice(&piece.bytes);
        }
        let mut state = self.lock();
        if !state.finishing {
            let length = piece.bytes.len();
            state.incoming.push(piece, length);
            drop(state);
            self.came.notify_waiters();
        }
    }

    /// The next message to send.
    pub(crate) fn take(&self) -> Option<(u8, Bytes)> {
        let mut state = self.lock();
        let had_room = state.outgoing.has_room();
        let message = state.outgoing.pop(|(_, bytes)| bytes.len());
        let has_room = state.outgoing.has_room();
        drop(state);
        if !had_room && has_room {
            self.room.notify_waiters();
        }
        message
    }

    /// Whether the holder wants an end by agreement, and everything was taken.
    pub(crate) fn is_finishing(&self) -> bool {
        let state = self.lock();
        state.finishing && state.outgoing.items.is_empty()
    }

    /// The first end counts.
    pub(super) fn end(&self, end: Result<(), Error>) {
        let mut state = self.lock();
        state.end.get_or_insert(end);
        state.outgoing = Queue::default();
        drop(state);
        self.came.notify_waiters();
        self.room.notify_waiters();
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn wake(&self) {
        if let Some(driver) = &self.driver {
            driver.wake_by_ref();
        }
    }
}

/// Asks `ready` now, and again whenever it is told that something changed.
async fn until<T>(changed: &Notify, ready: impl Fn() -> Option<T>) -> T {
    loop {
        // Made before the question, so that no change is missed in between.
        let mut told = std::pin::pin!(changed.notified());
        told.as_mut().enable();
        if let Some(answer) = ready() {
            return answer;
        }
        told.await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_waits_keeps_no_more_than_it_counts_for() {
        let read = Bytes::from(vec![1; MESSAGE]);
        let shared = Shared::default();
        for length in [0, 1, SMALL - 1, SMALL, MESSAGE] {
            shared.put(Piece { channel: 1, bytes: read.slice(..length), ends: true });
            let Poll::Ready(Ok(Some(piece))) = shared.try_next() else { panic!("nothing came") };
            assert_eq!(piece.bytes, read.slice(..length));
            assert_eq!(piece.bytes.as_ptr() == read.as_ptr(), length >= SMALL, "{length}");
        }
    }
}
