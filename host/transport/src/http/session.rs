//! HTTP/2 connections, which requests share.
//!
//! A task of its own drives each: it answers the server's pings, sends its own while the server is silent, and closes what nobody
//! uses. What a guest does not read fills the window of its own stream, and no other's.

mod drive;
mod exchange;
mod health;
mod received;
mod upload;
mod wheel;

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};

use bytes::Bytes;
use h2::client::{Builder, SendRequest};
use tokio::time::Instant;

use super::fault::{self, Fault};
use super::one::MAX_HEAD;
use super::stream::{Io, Meter, Stream};
use crate::Error;

pub(super) use health::IDLE;
pub(super) use received::Received;
use wheel::Wheel;

/// How much of a body waits at most for its reader, in bytes.
const STREAM_WINDOW: u32 = 1024 * 1024;

/// The most requests at once over one connection, whatever the server would take. Go's servers take 100 or 250.
const STREAMS: usize = 100;

/// Room for every stream's window: no reader that tarries holds up another.
const CONNECTION_WINDOW: u32 = STREAM_WINDOW * STREAMS as u32;

/// The largest frame that is taken, in bytes: with its head, four TLS records. Lists come in frames as large as they may be, and one byte
/// more would be a record of its own, and a write and a read.
const FRAME: u32 = 4 * 16 * 1024 - 9;

/// An HTTP/2 connection. Dropping the last clone closes it once the last response was read.
#[derive(Clone)]
pub(super) struct Session(Arc<Shared>);

struct Shared {
    sender: SendRequest<Bytes>,
    meter: Arc<Meter>,
    wheel: Arc<Wheel>,
    life: Arc<Life>,
}

/// What the users of a connection and its driver tell each other.
#[derive(Debug)]
struct Life {
    /// Requests that are not at their end.
    streams: AtomicUsize,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    /// When the last request ended.
    used: Instant,
    /// Set when the connection is over.
    ended: Option<End>,
}

/// Why a connection is over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum End {
    /// It broke, or the server closed it, or nobody used it.
    Closed,
    /// The server answered nothing, not even a ping.
    Silent,
}

impl Session {
    /// Opens it over what was dialled, and starts its driver.
    pub(super) async fn open(io: Io, identity: Option<u64>) -> Result<Session, Fault> {
        let (stream, meter) = Stream::new(io, identity);
        let (sender, connection) = Builder::new()
            .initial_window_size(STREAM_WINDOW)
            .initial_connection_window_size(CONNECTION_WINDOW)
            .max_frame_size(FRAME)
            .max_header_list_size(MAX_HEAD as u32)
            .initial_max_send_streams(STREAMS)
            .enable_push(false)
            .handshake(stream)
            .await
            .map_err(|error| Fault::two(error, &meter))?;
        let state = State { used: Instant::now(), ended: None };
        let life = Arc::new(Life { streams: AtomicUsize::new(0), state: Mutex::new(state) });
        let wheel = Arc::new(Wheel::new(connection, meter.clone()));
        tokio::spawn(drive::drive(wheel.clone(), life.clone()));
        Ok(Session(Arc::new(Shared { sender, meter, wheel, life })))
    }

    /// Which client certificate the server saw.
    pub(super) fn identity(&self) -> Option<u64> {
        self.0.meter.identity()
    }

    /// The right to one more request; none where the connection is over or full.
    pub(super) fn lease(&self) -> Option<Sending> {
        let sender = self.usable_sender()?;
        let most = STREAMS.min(sender.current_max_send_streams());
        let one_more = |streams| (streams < most).then_some(streams + 1);
        let streams = &self.0.life.streams;
        streams.fetch_update(Ordering::AcqRel, Ordering::Acquire, one_more).ok()?;
        Some(Sending { sender, lease: Lease { session: self.clone(), back: None } })
    }

    /// Whether nobody uses it.
    pub(super) fn is_idle(&self) -> bool {
        self.0.life.streams.load(Ordering::Acquire) == 0
    }

    /// Whether the server takes requests over it, as far as the driver knows.
    pub(super) fn is_usable(&self) -> bool {
        self.usable_sender().is_some()
    }

    fn usable_sender(&self) -> Option<SendRequest<Bytes>> {
        if self.0.life.lock().ended.is_some() {
            return None;
        }
        let mut sender = self.0.sender.clone();
        let refused = sender.poll_ready(&mut Context::from_waker(Waker::noop()));
        (!matches!(refused, Poll::Ready(Err(_)))).then_some(sender)
    }

    /// What a request of this session came to, in words.
    fn fault(&self, error: h2::Error) -> Fault {
        match self.0.life.lock().ended {
            Some(End::Silent) => Fault::Silent,
            _ => Fault::two(error, &self.0.meter),
        }
    }

    fn body_error(&self, error: h2::Error, read: u64) -> Error {
        fault::in_body(self.fault(error), read)
    }
}

/// The right to one request that is not sent yet.
pub(super) struct Sending {
    sender: SendRequest<Bytes>,
    lease: Lease,
}

impl Sending {
    /// The same, but no other request has a part in the connection until this one has ended.
    pub(super) fn alone(mut self, back: Arc<super::pool::Pool>) -> Sending {
        self.lease.back = Some(back);
        self
    }
}

/// One request's part in a connection, from before it is sent until its response has ended.
struct Lease {
    session: Session,
    /// Where the connection goes afterwards, if it was taken for this request alone.
    back: Option<Arc<super::pool::Pool>>,
}

impl Drop for Lease {
    fn drop(&mut self) {
        let life = &self.session.0.life;
        life.lock().used = Instant::now();
        life.streams.fetch_sub(1, Ordering::AcqRel);
        if let Some(pool) = self.back.take() {
            pool.put_session(self.session.clone());
        }
    }
}

impl Life {
    /// Since when nobody uses the connection.
    fn idle_since(&self) -> Option<Instant> {
        (self.streams.load(Ordering::Acquire) == 0).then(|| self.lock().used)
    }

    fn end(&self, end: End) {
        self.lock().ended = Some(end);
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
