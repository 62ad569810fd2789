//! `tidegate:host/types.pending`: a request in flight.

use std::future::poll_fn;
use std::sync::{Arc, Mutex as StdMutex, PoisonError};
use std::task::{Context, Poll};

use futures_util::future::BoxFuture;
use tidegate_transport::{self as transport, Code, Error};
use tokio::sync::Mutex;
use tokio::task::{AbortHandle, JoinHandle};
use wasmtime::Result;
use wasmtime::component::Resource;

use crate::error::closed;
use crate::poll::{Pollable, Source, now, soon};
use crate::wit::tidegate::host::types::HostPending;
use crate::{Response, View};

type Answer = Result<transport::Response, Error>;

/// A guest's handle to a request that goes on while the guest waits for anything. Dropped, it cancels the request there and then: what
/// that had open is closed, and counts no more, whatever still waits for it.
pub struct Pending {
    flight: Arc<Flight>,
    task: Option<(AbortHandle, Arc<Sending>)>,
}

/// A request on its way, which its task drives; none once it has ended. Aborting the task alone would end it only when the executor gets
/// round to it, after the guest's turn.
struct Sending(StdMutex<Option<BoxFuture<'static, Answer>>>);

/// What a request and its pollables share. The lock is free whenever the guest runs.
struct Flight(Mutex<State>);

enum State {
    Flying(JoinHandle<Answer>),
    Landed(Box<Answer>),
    Taken,
}

impl Pending {
    /// Starts a request on the executor.
    ///
    /// Errors: what a transport refuses before it sends anything, `invalid-request` and `unsupported`.
    pub(crate) fn start(mut sending: BoxFuture<'static, Answer>) -> Result<Self, Error> {
        match now(std::pin::pin!(tokio::task::unconstrained(&mut sending))) {
            Some(Err(error)) if matches!(error.code(), Code::InvalidRequest | Code::Unsupported) => {
                Err(error)
            }
            Some(answer) => Ok(Self { flight: Flight::new(State::Landed(Box::new(answer))), task: None }),
            None => {
                let sending = Arc::new(Sending(StdMutex::new(Some(sending))));
                let driven = sending.clone();
                let task = tokio::spawn(poll_fn(move |context| driven.poll(context)));
                let abort = task.abort_handle();
                Ok(Self { flight: Flight::new(State::Flying(task)), task: Some((abort, sending)) })
            }
        }
    }
}

impl Drop for Pending {
    fn drop(&mut self) {
        if let Some((task, sending)) = &self.task {
            sending.end();
            task.abort();
        }
        // A pollable may outlive this, and is to keep no answer open.
        if let Ok(mut state) = self.flight.0.try_lock() {
            *state = State::Taken;
        }
    }
}

impl Sending {
    fn poll(&self, context: &mut Context<'_>) -> Poll<Answer> {
        let mut sending = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let polled = match &mut *sending {
            Some(sending) => sending.as_mut().poll(context),
            None => Poll::Ready(Err(Error::new(Code::Closed, "the request was cancelled"))),
        };
        if polled.is_ready() {
            *sending = None;
        }
        polled
    }

    /// Waits for another thread that polls it at this moment.
    fn end(&self) {
        let sending = self.0.lock().unwrap_or_else(PoisonError::into_inner).take();
        drop(sending);
    }
}

impl Flight {
    fn new(state: State) -> Arc<Self> {
        Arc::new(Self(Mutex::new(state)))
    }

    async fn take(&self) -> Result<Response, Error> {
        let mut state = self.0.lock().await;
        state.land().await;
        match std::mem::replace(&mut *state, State::Taken) {
            State::Landed(answer) => answer.map(Response::from),
            State::Flying(_) | State::Taken => Err(closed("this pending request")),
        }
    }
}

impl State {
    /// Waits for the answer. Cancel-safe.
    async fn land(&mut self) {
        if let State::Flying(task) = self {
            let answer = task.await.unwrap_or_else(|error| {
                let why = if error.is_panic() { "failed inside tidegate" } else { "was cancelled" };
                Err(Error::new(Code::Closed, format!("the request {why}")))
            });
            *self = State::Landed(Box::new(answer));
        }
    }
}

impl Source for Flight {
    fn ready(&self) -> BoxFuture<'_, ()> {
        Box::pin(async { self.0.lock().await.land().await })
    }
}

impl HostPending for View<'_> {
    fn subscribe(&mut self, pending: Resource<Pending>) -> Result<Resource<Pollable>> {
        let flight = self.get(&pending)?.flight.clone();
        self.push(Pollable::new(flight))
    }

    async fn take(
        &mut self,
        pending: Resource<Pending>,
    ) -> Result<Result<Resource<Response>, Resource<Error>>> {
        let flight = self.get(&pending)?.flight.clone();
        let response = self.aside(async move { flight.take().await }).await;
        self.settle(response)
    }

    async fn try_take(
        &mut self,
        pending: Resource<Pending>,
    ) -> Result<Option<Result<Resource<Response>, Resource<Error>>>> {
        let flight = self.get(&pending)?.flight.clone();
        match self.aside(async move { soon(flight.take()).await }).await {
            Some(response) => self.settle(response).map(Some),
            None => Ok(None),
        }
    }

    fn drop(&mut self, pending: Resource<Pending>) -> Result<()> {
        self.delete(pending).map(drop)
    }
}

#[cfg(test)]
mod tests {
    use std::future::pending;
    use std::time::Duration;

    use tidegate_grants::Limits;
    use tidegate_transport::{Meter, Silent};

    use super::*;

    /// A request that holds its place, and is answered once it is told to be.
    fn request(
        meter: &Meter,
        answered: Option<tokio::sync::oneshot::Receiver<()>>,
    ) -> BoxFuture<'static, Answer> {
        let slot = meter.open().expect("a place");
        Box::pin(async move {
            match answered {
                Some(answered) => _ = answered.await,
                None => pending().await,
            }
            drop(slot);
            Err(Error::new(Code::Timeout, "the answer"))
        })
    }

    #[tokio::test]
    async fn a_dropped_one_leaves_its_place_at_once() {
        let meter = Meter::new(&Limits::none().streams(1), Arc::new(Silent));
        // The guest's turn goes on in between: nothing else runs.
        for _ in 0..3 {
            let request = Pending::start(request(&meter, None)).expect("it is sent");
            let pollable = request.flight.clone();
            assert!(meter.open().is_err());
            drop(request);
            meter.open().expect("the place is free");
            assert!(now(std::pin::pin!(pollable.ready())).is_some(), "nobody waits for it for ever");
        }
        // So it does once the executor has had its turn.
        let request = Pending::start(request(&meter, None)).expect("it is sent");
        tokio::task::yield_now().await;
        drop(request);
        meter.open().expect("the place is free");
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn so_it_does_while_another_thread_drives_it() {
        let meter = Meter::new(&Limits::none().streams(1), Arc::new(Silent));
        for round in 0..200 {
            let (answer, answered) = tokio::sync::oneshot::channel();
            let request = Pending::start(request(&meter, Some(answered))).expect("it is sent");
            _ = answer.send(());
            std::thread::sleep(Duration::from_micros(round));
            drop(request);
            meter.open().expect("the place is free");
        }
    }

    #[tokio::test]
    async fn one_that_is_kept_lands() {
        let meter = Meter::new(&Limits::none().streams(1), Arc::new(Silent));
        let (answer, answered) = tokio::sync::oneshot::channel();
        let request = Pending::start(request(&meter, Some(answered))).expect("it is sent");
        assert!(soon(request.flight.ready()).await.is_none());
        _ = answer.send(());
        request.flight.ready().await;
        let error = request.flight.take().await.err().expect("the answer");
        assert_eq!(error.code(), Code::Timeout);
        assert_eq!(request.flight.take().await.err().expect("taken").code(), Code::Closed);
    }
}
