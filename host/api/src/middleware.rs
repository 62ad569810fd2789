//! Hooks of an embedder's own around every request and response of a connection.
//!
//! ```
//! use tidegate_api::middleware::{Answer, Asking, Middleware};
//!
//! let middleware = Middleware::new()
//!     .on_request("no deletes", |asking: Asking| async move {
//!         match asking.request.method.as_str() {
//!             "DELETE" => Err("this tenant deletes nothing".into()),
//!             _ => Ok(asking),
//!         }
//!     })
//!     .on_response("count", |answer: Answer| async move {
//!         println!("{} {}: {:?}", answer.asked.method, answer.asked.path, answer.code());
//!         Ok(answer)
//!     });
//! ```

use std::error::Error as StdError;
use std::fmt;
use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use bytes::Bytes;
use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use tidegate_kube::request::{Method, Request};
use tidegate_transport::{
    Body, BodyReader, Code, CredentialReport, Error, Identity, Kind, Response, Support, Transport, Tunnel,
};

/// Why a hook ended a request; any error and any text will do. It is told to whoever made the request.
pub type HookError = Box<dyn StdError + Send + Sync>;

type Outcome<T> = BoxFuture<'static, Result<T, HookError>>;
type RequestHook = Arc<dyn Fn(Asking) -> Outcome<Asking> + Send + Sync>;
type ResponseHook = Arc<dyn Fn(Answer) -> Outcome<Answer> + Send + Sync>;

/// Hooks, in the order in which they were added; for responses too.
///
/// Cheap to clone. A hook sees and may change what a guest may choose: method, path, query, media types, body and deadlines. It never sees a
/// credential or any other header, which are put in below it; what it changes is checked as what a guest asks for is.
#[derive(Clone, Default)]
pub struct Middleware(Arc<Hooks>);

#[derive(Clone, Default)]
struct Hooks {
    requests: Vec<(Arc<str>, RequestHook)>,
    responses: Vec<(Arc<str>, ResponseHook)>,
}

/// A request on its way to the server.
#[derive(Debug)]
#[non_exhaustive]
pub struct Asking {
    /// Counts the requests of one connection from 1: the same in [`Asked::number`] of its answer.
    pub number: u64,
    /// What is asked. The whole body is in it, where there is one.
    pub request: Request,
    /// Whether the body is written while it is sent, and so is not in `request`.
    pub streams_body: bool,
}

/// What was asked, as it was sent.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Asked {
    /// See [`Asking::number`].
    pub number: u64,
    /// The method.
    pub method: Method,
    /// The path, with its own query where it had one.
    pub path: String,
    /// The query pairs beside it.
    pub query: Vec<(String, String)>,
}

/// What came of a request.
#[derive(Debug)]
#[non_exhaustive]
pub struct Answer {
    /// What was asked.
    pub asked: Asked,
    /// A response whose body has not been read ([`Body::wrap`](tidegate_transport::Body::wrap) sees it pass), or why there is none: anything
    /// but 2xx is an error with a [`status`](Error::status).
    pub outcome: Result<Response, Error>,
}

impl Answer {
    /// The HTTP code; none where no answer came.
    pub fn code(&self) -> Option<u16> {
        match &self.outcome {
            Ok(response) => Some(response.code),
            Err(error) => error.status().map(|status| status.code),
        }
    }
}

impl Middleware {
    /// No hooks: everything passes.
    pub fn new() -> Middleware {
        Middleware::default()
    }

    /// Adds a hook that each request passes before it is sent. `name` is for messages: an error ends the request with
    /// [`Code::Halted`] and the name of the hook; later hooks and the server never see it.
    #[must_use]
    pub fn on_request<F, R>(mut self, name: &str, hook: F) -> Middleware
    where
        F: Fn(Asking) -> R + Send + Sync + 'static,
        R: Future<Output = Result<Asking, HookError>> + Send + 'static,
    {
        let hook: RequestHook = Arc::new(move |asking| hook(asking).boxed());
        Arc::make_mut(&mut self.0).requests.push((name.into(), hook));
        self
    }

    /// Adds a hook that what came of each request passes, errors of the server and of the network included, but not those of hooks. An error
    /// closes the response, and ends the request as in [`on_request`](Middleware::on_request).
    #[must_use]
    pub fn on_response<F, R>(mut self, name: &str, hook: F) -> Middleware
    where
        F: Fn(Answer) -> R + Send + Sync + 'static,
        R: Future<Output = Result<Answer, HookError>> + Send + 'static,
    {
        let hook: ResponseHook = Arc::new(move |answer| hook(answer).boxed());
        Arc::make_mut(&mut self.0).responses.push((name.into(), hook));
        self
    }

    /// Whether there is no hook.
    pub fn is_empty(&self) -> bool {
        self.0.requests.is_empty() && self.0.responses.is_empty()
    }

    /// The same connection with the hooks around it; the connection itself where there are none.
    pub fn around(&self, transport: Arc<dyn Transport>) -> Arc<dyn Transport> {
        if self.is_empty() {
            return transport;
        }
        Arc::new(Hooked { inner: transport, hooks: self.0.clone(), count: AtomicU64::new(0) })
    }
}

impl fmt::Debug for Middleware {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let requests: Vec<&str> = self.0.requests.iter().map(|(name, _)| &**name).collect();
        let responses: Vec<&str> = self.0.responses.iter().map(|(name, _)| &**name).collect();
        f.debug_struct("Middleware").field("requests", &requests).field("responses", &responses).finish()
    }
}

/// A transport with hooks around it.
struct Hooked {
    inner: Arc<dyn Transport>,
    hooks: Arc<Hooks>,
    count: AtomicU64,
}

impl Transport for Hooked {
    fn kind(&self) -> Kind {
        self.inner.kind()
    }

    fn default_namespace(&self) -> Option<&str> {
        self.inner.default_namespace()
    }

    fn support(&self) -> Support {
        self.inner.support()
    }

    fn server(&self) -> String {
        self.inner.server()
    }

    fn credentials(&self) -> Vec<CredentialReport> {
        self.inner.credentials()
    }

    /// The same for all who have these very hooks around the same connection.
    fn identity(&self) -> Identity {
        self.inner.identity().within(&*self.hooks)
    }

    fn send(
        self: Arc<Self>,
        request: Request,
        body: Option<BodyReader>,
    ) -> BoxFuture<'static, Result<Response, Error>> {
        async move {
            let (asked, request) = self.ask(request, body.is_some()).await?;
            let outcome = self.inner.clone().send(request, body).await;
            self.answer(asked, outcome).await
        }
        .boxed()
    }

    /// Passes the same hooks. A tunnel that opened is an answer of the code 101 without a body; one that a hook makes an error of is closed, and
    /// an error stays one whatever a hook makes of it.
    fn tunnel(
        self: Arc<Self>,
        request: Request,
        protocols: &'static [&'static str],
    ) -> BoxFuture<'static, Result<Tunnel, Error>> {
        async move {
            let (asked, request) = self.ask(request, false).await?;
            let opened = self.inner.clone().tunnel(request, protocols).await;
            let outcome = match &opened {
                Ok(_) => Ok(Response {
                    code: 101,
                    content_type: None,
                    warnings: Vec::new(),
                    body: Body::from_bytes(Bytes::new()),
                }),
                Err(error) => Err(error.clone()),
            };
            self.answer(asked, outcome).await?;
            opened
        }
        .boxed()
    }
}

impl Hooked {
    /// What the hooks of requests make of a request.
    async fn ask(&self, request: Request, streams_body: bool) -> Result<(Asked, Request), Error> {
        let number = self.count.fetch_add(1, Ordering::Relaxed) + 1;
        let mut asking = Asking { number, request, streams_body };
        for (name, hook) in &self.hooks.requests {
            let what = described(asking.request.method, &asking.request.path);
            asking = hook(asking).await.map_err(|why| halted("request", name, &what, why))?;
        }
        let Asking { number, request, .. } = asking;
        let (method, path, query) = (request.method, request.path.clone(), request.query.clone());
        Ok((Asked { number, method, path, query }, request))
    }

    /// What the hooks of responses make of what came.
    async fn answer(&self, asked: Asked, outcome: Result<Response, Error>) -> Result<Response, Error> {
        let mut answer = Answer { asked, outcome };
        for (name, hook) in &self.hooks.responses {
            let what = described(answer.asked.method, &answer.asked.path);
            answer = hook(answer).await.map_err(|why| halted("response", name, &what, why))?;
        }
        answer.outcome
    }
}

fn described(method: Method, path: &str) -> String {
    format!("{method} {path}")
}

fn halted(side: &str, name: &str, what: &str, why: HookError) -> Error {
    Error::new(Code::Halted, format!("the {side} hook {name:?} ended {what}")).because(why)
}
