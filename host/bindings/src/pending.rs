//! `tidegate:host/types.pending`: a request in flight.

use std::sync::Arc;

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

/// A guest's handle to a request that goes on while the guest waits for anything. Dropped, it cancels the request.
pub struct Pending {
    flight: Arc<Flight>,
    abort: Option<AbortHandle>,
}

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
            Some(answer) => Ok(Self { flight: Flight::new(State::Landed(Box::new(answer))), abort: None }),
            None => {
                let task = tokio::spawn(sending);
                let abort = Some(task.abort_handle());
                Ok(Self { flight: Flight::new(State::Flying(task)), abort })
            }
        }
    }
}

impl Drop for Pending {
    fn drop(&mut self) {
        if let Some(abort) = &self.abort {
            abort.abort();
        }
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
