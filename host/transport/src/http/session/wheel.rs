//! Who moves a connection on: its own task, or whoever waits for an answer over it.
//!
//! Woken by the socket, a task that only reads frames would have to wake the one that waits for them, which costs a sequential request
//! two turns of the executor more than it needs. So who waits takes a seat, is woken by the socket itself, and turns the wheel. The
//! task is woken too, and finds that nothing is left to do, or does it: nobody depends on whoever sat down and waits no more.

use std::future::Future;
use std::pin::Pin;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Wake, Waker};

use bytes::Bytes;
use h2::client::Connection;
use h2::{Ping, PingPong};
use tokio::time::Instant;

use super::health::{Act, Health};
use crate::http::stream::{Meter, Stream};

/// A connection, and what is known of its server's health.
pub(super) struct Wheel {
    /// None once the connection is dropped.
    moving: Mutex<Option<Moving>>,
    bell: Arc<Bell>,
    seats: AtomicU64,
}

struct Moving {
    connection: Connection<Stream, Bytes>,
    over: bool,
    pings: Option<PingPong>,
    health: Health,
    meter: Arc<Meter>,
}

impl Wheel {
    pub(super) fn new(mut connection: Connection<Stream, Bytes>, meter: Arc<Meter>) -> Wheel {
        let (pings, health) = (connection.ping_pong(), Health::new(Instant::now()));
        let moving = Moving { connection, over: false, pings, health, meter };
        Wheel { moving: Mutex::new(Some(moving)), bell: Arc::default(), seats: AtomicU64::new(0) }
    }

    /// Does something that the connection is to hear of, and lets it read and write at once what it can.
    pub(super) fn turn_after<T>(&self, act: impl FnOnce() -> T) -> T {
        // Whoever holds it is at it, and sees that the bell rang.
        let Ok(mut moving) = self.moving.try_lock() else { return act() };
        let Some(running) = &mut *moving else { return act() };
        self.bell.begin();
        let done = act();
        // Where it is over, its task is called to see to that.
        let _ = self.turn(running);
        drop(moving);
        // What came may be for whoever sits there, and was not told to them.
        self.bell.call_sitting();
        done
    }

    /// A seat for someone who waits; empty until [`Seat::poll`].
    pub(super) fn seat(self: &Arc<Wheel>) -> Seat {
        Seat { wheel: self.clone(), id: self.seats.fetch_add(1, Ordering::Relaxed) }
    }

    /// For the connection's own task: lets it read and write if there is something. Ready once it is over.
    pub(super) fn poll(&self, cx: &Context<'_>) -> Poll<()> {
        self.bell.attend(cx.waker());
        let mut moving = self.lock();
        let Some(running) = &mut *moving else { return Poll::Ready(()) };
        if !self.bell.take_rung() {
            return Poll::Pending;
        }
        self.bell.begin();
        let polled = self.turn(running);
        drop(moving);
        // What came may be for whoever sits there, and was not told to them.
        self.bell.call_sitting();
        polled
    }

    /// What is to be done now, given since when nobody uses the connection, and when to ask again.
    pub(super) fn judge(&self, idle: Option<Instant>) -> (Act, Instant) {
        let mut moving = self.lock();
        let Some(moving) = &mut *moving else { return (Act::Close, Instant::now()) };
        let act = moving.health.judge(Instant::now(), idle);
        if act == Act::Ping
            && let Some(pings) = &mut moving.pings
        {
            // The one before it is still unanswered: then that one counts.
            let _ = pings.send_ping(Ping::opaque());
        }
        (act, moving.health.due(idle))
    }

    /// Drops the connection, which ends every stream.
    pub(super) fn stop(&self) {
        let moving = self.lock().take();
        drop(moving);
        self.bell.call_sitting();
    }

    fn turn(&self, moving: &mut Moving) -> Poll<()> {
        let waker = Waker::from(self.bell.clone());
        let polled = moving.turn(&mut Context::from_waker(&waker));
        self.bell.end(polled);
        polled
    }

    fn lock(&self) -> MutexGuard<'_, Option<Moving>> {
        self.moving.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Moving {
    fn turn(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        self.over = self.over || Pin::new(&mut self.connection).poll(cx).is_ready();
        self.health.heard(self.meter.now().0, Instant::now);
        if let Some(pings) = &mut self.pings {
            // An answer counts as what is heard, and frees the way for the next one.
            let _ = pings.poll_pong(cx);
        }
        if self.over { Poll::Ready(()) } else { Poll::Pending }
    }
}

/// One of those who wait for something that comes over the connection. Dropped, it waits no more.
pub(super) struct Seat {
    wheel: Arc<Wheel>,
    id: u64,
}

impl Seat {
    /// Asks for what is waited for, having let the connection read it if there is something to read.
    ///
    /// Who sits is woken by the connection alone, so `ask` gets a waker that does nothing.
    pub(super) fn poll<T>(
        &self,
        cx: &mut Context<'_>,
        mut ask: impl FnMut(&mut Context<'_>) -> Poll<T>,
    ) -> Poll<T> {
        let wheel = &self.wheel;
        if !wheel.bell.sit(self.id, cx.waker()) {
            return ask(cx);
        }
        if let Ok(mut moving) = wheel.moving.try_lock()
            && let Some(running) = &mut *moving
            && wheel.bell.take_rung()
        {
            wheel.bell.begin();
            let _ = wheel.turn(running);
            drop(moving);
            // Another may have sat down since the bell rang for this one, and what came may be for them.
            wheel.bell.call_another(self.id);
        }
        let answer = ask(&mut Context::from_waker(Waker::noop()));
        if answer.is_ready() {
            wheel.bell.leave(self.id);
        }
        answer
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        self.wheel.bell.leave(self.id);
    }
}

/// Rings when there is something to do for the connection.
struct Bell(Mutex<Listeners>);

struct Listeners {
    /// Somebody turns the wheel now, and looks again afterwards.
    turning: bool,
    /// It rang after the wheel was turned last.
    rung: bool,
    /// Called once, then it must sit down again.
    sitting: Option<(u64, Waker)>,
    task: Option<Waker>,
}

impl Default for Bell {
    /// It rings at first: nobody has turned the wheel.
    fn default() -> Bell {
        Bell(Mutex::new(Listeners { turning: false, rung: true, sitting: None, task: None }))
    }
}

impl Wake for Bell {
    fn wake(self: Arc<Bell>) {
        self.ring();
    }

    fn wake_by_ref(self: &Arc<Bell>) {
        self.ring();
    }
}

impl Bell {
    fn ring(&self) {
        let mut listeners = self.lock();
        listeners.rung = true;
        if !listeners.turning {
            call(listeners);
        }
    }

    /// Takes the seat if it is free. Whether it is this one's now.
    fn sit(&self, id: u64, waker: &Waker) -> bool {
        let mut listeners = self.lock();
        match &mut listeners.sitting {
            Some((sitting, _)) if *sitting != id => false,
            Some((_, known)) => {
                known.clone_from(waker);
                true
            }
            free => {
                *free = Some((id, waker.clone()));
                true
            }
        }
    }

    fn leave(&self, id: u64) {
        let mut listeners = self.lock();
        if listeners.sitting.as_ref().is_some_and(|(sitting, _)| *sitting == id) {
            listeners.sitting = None;
        }
    }

    fn attend(&self, waker: &Waker) {
        match &mut self.lock().task {
            Some(known) => known.clone_from(waker),
            none => *none = Some(waker.clone()),
        }
    }

    fn take_rung(&self) -> bool {
        std::mem::take(&mut self.lock().rung)
    }

    fn begin(&self) {
        let mut listeners = self.lock();
        (listeners.turning, listeners.rung) = (true, false);
    }

    /// What rang meanwhile, or is over, is not forgotten.
    fn end(&self, polled: Poll<()>) {
        let mut listeners = self.lock();
        listeners.turning = false;
        listeners.rung |= polled.is_ready();
        if listeners.rung {
            call(listeners);
        }
    }

    fn call_sitting(&self) {
        let sitting = self.lock().sitting.take();
        if let Some((_, waker)) = sitting {
            waker.wake();
        }
    }

    /// The same, unless it is this one who sits.
    fn call_another(&self, id: u64) {
        let sitting = self.lock().sitting.take_if(|(sitting, _)| *sitting != id);
        if let Some((_, waker)) = sitting {
            waker.wake();
        }
    }

    fn lock(&self) -> MutexGuard<'_, Listeners> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Not under the lock: a waker is somebody else's code.
fn call(mut listeners: MutexGuard<'_, Listeners>) {
    let (sitting, task) = (listeners.sitting.take(), listeners.task.clone());
    drop(listeners);
    if let Some((_, waker)) = sitting {
        waker.wake();
    }
    if let Some(waker) = task {
        waker.wake();
    }
}

#[cfg(test)]
#[path = "wheel_tests.rs"]
mod tests;
