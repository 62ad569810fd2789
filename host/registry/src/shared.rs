//! One transport of one connection, shared by all who opened it.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use futures_util::future::BoxFuture;
use tidegate_authority::Authority;
use tidegate_kube::request::Request;
use tidegate_transport::{
    BodyReader, Code, CredentialReport, Error, Identity, Kind, Options, Response, Support, Transport, Tunnel,
    probe,
};
use tokio::time::Instant;

use crate::definition::Definition;

/// How long an answer to the probe is good for whoever opens the connection next.
const PROVEN: Duration = Duration::from_secs(10);
/// How long a failure to open is told to others without another attempt: those who waited for the same one.
const FAILED: Duration = Duration::from_secs(1);
/// How often a transport that seems broken is made anew, at most.
const REMAKE: Duration = Duration::from_secs(5);

/// What makes the transport, and the transport once somebody wants it.
pub(crate) struct Shared {
    name: Arc<str>,
    authority: Authority,
    definition: Definition,
    options: Options,
    state: Mutex<State>,
    /// One attempt at a time; the others wait for its result.
    turn: tokio::sync::Mutex<()>,
}

struct State {
    current: Option<Current>,
    /// The credential was refused, or the server cannot be reached: what the definition names may have changed.
    suspect: bool,
    closed: bool,
    proven: Option<Instant>,
    tried: Option<Instant>,
    failed: Option<(Instant, Error)>,
    used: Instant,
}

#[derive(Clone)]
struct Current {
    transport: Arc<dyn Transport>,
    server: Arc<str>,
}

impl Shared {
    pub(crate) fn new(
        name: Arc<str>,
        authority: Authority,
        definition: Definition,
        options: Options,
    ) -> Self {
        let state = State {
            current: None,
            suspect: false,
            closed: false,
            proven: None,
            tried: None,
            failed: None,
            used: authority.clock().now(),
        };
        Self {
            name,
            authority,
            definition,
            options,
            state: Mutex::new(state),
            turn: tokio::sync::Mutex::default(),
        }
    }

    pub(crate) fn is_under(&self, authority: &Authority) -> bool {
        self.authority.has_bounds_of(authority)
    }

    /// Whether nobody but its connection, which holds its own lock now, and the caller's reference to it has it, for that long.
    pub(crate) fn is_idle_since(self: &Arc<Self>, now: Instant, time: Duration) -> bool {
        Arc::strong_count(self) == 1 && now >= self.state().used + time
    }

    pub(crate) fn close(&self) {
        let mut state = self.state();
        (state.closed, state.current) = (true, None);
    }

    /// A handle to a transport that answers. Errors: as [`Definition::connect`]'s, said of this connection.
    pub(crate) async fn open(self: &Arc<Self>) -> Result<Arc<dyn Transport>, Error> {
        let _turn = self.turn.lock().await;
        let current = match self.standing()? {
            Standing::Proven(current) => current,
            Standing::Unproven(current) => {
                match probe(current.transport.clone(), self.options.probe_deadline).await {
                    Ok(()) => {
                        self.state().proven = Some(self.now());
                        current
                    }
                    Err(_) => self.make().await?,
                }
            }
            Standing::Nothing => self.make().await?,
        };
        self.state().used = self.now();
        Ok(Arc::new(Handle { shared: self.clone(), own: current }))
    }

    fn standing(&self) -> Result<Standing, Error> {
        let (state, now) = (self.state(), self.now());
        if state.closed {
            return Err(self.gone());
        }
        if let Some((when, error)) = &state.failed
            && now < *when + FAILED
        {
            return Err(error.clone());
        }
        Ok(match (&state.current, state.suspect) {
            (Some(current), false) if state.proven.is_some_and(|proven| now < proven + PROVEN) => {
                Standing::Proven(current.clone())
            }
            (Some(current), false) => Standing::Unproven(current.clone()),
            _ => Standing::Nothing,
        })
    }

    /// Reads the definition's files again, connects and probes. The caller has the turn.
    async fn make(&self) -> Result<Current, Error> {
        self.state().tried = Some(self.now());
        let made = self.definition.connect(&self.authority, &self.options).await;
        let (mut state, now) = (self.state(), self.now());
        if state.closed {
            return Err(self.gone());
        }
        match made {
            Ok(transport) => {
                let current = Current { server: transport.server().into(), transport };
                state.current = Some(current.clone());
                (state.suspect, state.proven, state.failed) = (false, Some(now), None);
                Ok(current)
            }
            Err(error) => {
                let name = &self.name;
                let error = Error::new(error.code(), format!("the connection {name:?} cannot be opened"))
                    .because(error);
                state.failed = Some((now, error.clone()));
                Err(error)
            }
        }
    }

    /// The transport for a request of a handle whose own is `own`. A handle never changes its server: if the definition leads elsewhere
    /// by now, only those who open it anew get there.
    async fn transport_for(&self, own: &Current) -> Result<Arc<dyn Transport>, Error> {
        if self.wants_remake()? {
            let _turn = self.turn.lock().await;
            if self.wants_remake()? {
                // Where that fails too, the old one says best why.
                drop(self.make().await);
            }
        }
        let state = self.state();
        let current = state.current.as_ref().filter(|current| current.server == own.server);
        Ok(current.unwrap_or(own).transport.clone())
    }

    fn wants_remake(&self) -> Result<bool, Error> {
        let state = self.state();
        if state.closed {
            return Err(self.gone());
        }
        // Clocks are asked only where something is wrong.
        Ok(state.suspect && state.tried.is_none_or(|tried| self.now() >= tried + REMAKE))
    }

    fn suspect(&self, error: &Error) {
        let refused = error.status().is_some_and(|status| status.code == 401);
        if refused || matches!(error.code(), Code::Tls | Code::Unreachable | Code::Unauthorized) {
            self.state().suspect = true;
        }
    }

    fn gone(&self) -> Error {
        Error::new(Code::Closed, format!("the connection {:?} was unregistered", self.name))
    }

    fn now(&self) -> Instant {
        self.authority.clock().now()
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

enum Standing {
    Proven(Current),
    Unproven(Current),
    Nothing,
}

/// What one who opened the connection holds.
struct Handle {
    shared: Arc<Shared>,
    own: Current,
}

impl Transport for Handle {
    fn kind(&self) -> Kind {
        self.own.transport.kind()
    }

    fn default_namespace(&self) -> Option<&str> {
        self.own.transport.default_namespace()
    }

    fn support(&self) -> Support {
        self.own.transport.support()
    }

    fn server(&self) -> String {
        self.own.server.to_string()
    }

    fn credentials(&self) -> Vec<CredentialReport> {
        self.own.transport.credentials()
    }

    /// Every handle to the connection that leads to the same server.
    fn identity(&self) -> Identity {
        Identity::of(&*self.shared, self.own.server.clone())
    }

    fn send(
        self: Arc<Self>,
        request: Request,
        body: Option<BodyReader>,
    ) -> BoxFuture<'static, Result<Response, Error>> {
        Box::pin(async move {
            let transport = self.shared.transport_for(&self.own).await?;
            let response = transport.send(request, body).await;
            response.inspect_err(|error| self.shared.suspect(error))
        })
    }

    fn tunnel(
        self: Arc<Self>,
        request: Request,
        protocols: &'static [&'static str],
    ) -> BoxFuture<'static, Result<Tunnel, Error>> {
        Box::pin(async move {
            let transport = self.shared.transport_for(&self.own).await?;
            let tunnel = transport.tunnel(request, protocols).await;
            tunnel.inspect_err(|error| self.shared.suspect(error))
        })
    }
}

impl Drop for Handle {
    fn drop(&mut self) {
        self.shared.state().used = self.shared.now();
    }
}
