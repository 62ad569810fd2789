//! A way to one Kubernetes API server, and how to get it.

use std::fmt;
use std::rc::Rc;

use serde::de::DeserializeOwned;

use crate::request::{OutgoingBody, Request};
use crate::response::{Pending, Response};
use crate::stream::{ByteStream, EventStream, JsonStream, LineStream};
use crate::wit::tidegate::host::{client as wit, detect};
use crate::{Error, Failure, Result};

/// The first transport that works: InCluster, KubeConfig, KubectlProxy, KubectlRaw, unless whoever started tidegate chose others or
/// another order.
///
/// Nothing is asked of anybody, and a grant that is missing leaves everything that it guards untouched. [`Client::failures`] says why those
/// before it did not work. Errors: `no-client`, with a [`Failure`] for each transport that was tried; its text names the flags to add.
pub fn auto_detect_client() -> Result<Client> {
    let detect::Detected { client, failures } = detect::auto_detect_client()?;
    Ok(Client::new(client, failures.into_iter().map(Failure::from).collect()))
}

/// A way to one Kubernetes API server. Clones share it; it is closed when the last of them and of what they started is dropped.
///
/// Which server, service-account folder or credential is used is the choice of whoever started tidegate: a guest chooses among what they
/// granted. Errors of every constructor: `permission-denied` with the flags to add, and the other reasons of [`Failure::reason`].
#[derive(Clone)]
pub struct Client(Rc<Inner>);

struct Inner {
    handle: wit::Client,
    kind: String,
    default_namespace: Option<String>,
    failures: Vec<Failure>,
}

impl Client {
    /// The same as [`auto_detect_client`], in kube-rs' words.
    pub fn try_default() -> Result<Self> {
        auto_detect_client()
    }

    /// The pod's service account.
    pub fn in_cluster() -> Result<Self> {
        Ok(Self::new(detect::in_cluster()?, Vec::new()))
    }

    /// A kubeconfig file as kubectl reads it: `path`, else what the host chose, else `$KUBECONFIG`, else `$HOME/.kube/config`; its current
    /// context unless `context` names another.
    pub fn read_kube_config(path: Option<&str>, context: Option<&str>) -> Result<Self> {
        Ok(Self::new(detect::read_kube_config(path, context)?, Vec::new()))
    }

    /// A kubeconfig document, YAML or JSON, that this guest supplies. Inline credentials only: files and plugins in it are refused as
    /// `unsupported`.
    pub fn for_kube_config(document: &str, context: Option<&str>) -> Result<Self> {
        Ok(Self::new(detect::for_kube_config(document, context)?, Vec::new()))
    }

    /// A `kubectl proxy` that runs already, at `url` (`http://localhost:8001` unless the host chose another).
    pub fn kubectl_proxy(url: Option<&str>) -> Result<Self> {
        Ok(Self::new(detect::kubectl_proxy(url)?, Vec::new()))
    }

    /// The `kubectl` program, started for each request, with `context` or its current one.
    pub fn kubectl_raw(context: Option<&str>) -> Result<Self> {
        Ok(Self::new(detect::kubectl_raw(context)?, Vec::new()))
    }

    /// `InCluster`, `KubeConfig`, `KubectlProxy` or `KubectlRaw`. The set may grow.
    pub fn kind(&self) -> &str {
        &self.0.kind
    }

    /// The namespace to use where a script names none: of the service account or of the kubeconfig's context, else `default`.
    pub fn default_namespace(&self) -> &str {
        self.0.default_namespace.as_deref().unwrap_or("default")
    }

    /// Why the transports before this one did not work, in the order that they were tried; empty unless it was detected.
    pub fn failures(&self) -> &[Failure] {
        &self.0.failures
    }

    /// Whether this transport can do something: `accept` (media types besides JSON), `content-type`, `head`, `options`, `stream-body`,
    /// `status-details`, `warnings`, `exec`, `terminal`, `attach`, `port-forward`. False for a word that the host does not know.
    pub fn supports(&self, feature: &str) -> bool {
        self.0.handle.supports(feature)
    }

    pub(crate) fn as_wit(&self) -> &wit::Client {
        &self.0.handle
    }

    /// Makes a request and waits for its response. Takes a [`Request`], or what kube-core's builders give.
    /// Errors: `invalid-request`, `unsupported`, `status` for anything but 2xx, and whatever befell the connection.
    pub fn send(&self, request: impl TryInto<Request, Error: Into<Error>>) -> Result<Response> {
        Ok(self.0.handle.send(wire(request)?)?.into())
    }

    /// Starts a request and returns at once. It goes on while the guest waits for anything.
    /// Errors: `invalid-request` and `unsupported`; all else is told by the [`Pending`].
    pub fn start(&self, request: impl TryInto<Request, Error: Into<Error>>) -> Result<Pending> {
        Ok(self.0.handle.start(wire(request)?)?.into())
    }

    /// Starts a request whose body is written afterwards: [`Client::supports`] `stream-body`.
    pub fn start_streaming(
        &self,
        request: impl TryInto<Request, Error: Into<Error>>,
    ) -> Result<(OutgoingBody, Pending)> {
        let request = wire(request)?;
        let body = request.stream_body()?;
        Ok((body.into(), self.0.handle.start(request)?.into()))
    }

    /// Makes a request and decodes its response: kube-rs' `Client::request`. Errors: as [`Client::send`], and `json`.
    pub fn request<T: DeserializeOwned>(
        &self,
        request: impl TryInto<Request, Error: Into<Error>>,
    ) -> Result<T> {
        self.send(request)?.json()
    }

    /// Makes a request and gives the body as text.
    pub fn request_text(&self, request: impl TryInto<Request, Error: Into<Error>>) -> Result<String> {
        self.send(request)?.text()
    }

    /// Makes a request and reads the body as it arrives.
    pub fn open_bytes(&self, request: impl TryInto<Request, Error: Into<Error>>) -> Result<ByteStream> {
        Ok(ByteStream::new(self.0.handle.open_bytes(wire(request)?)?))
    }

    /// Makes a request and reads the body line by line: logs.
    pub fn open_lines(&self, request: impl TryInto<Request, Error: Into<Error>>) -> Result<LineStream> {
        Ok(LineStream::new(self.0.handle.open_lines(wire(request)?)?))
    }

    /// Makes a request and reads the body as one JSON document a line.
    pub fn open_json(&self, request: impl TryInto<Request, Error: Into<Error>>) -> Result<JsonStream> {
        Ok(JsonStream::new(self.0.handle.open_json(wire(request)?)?))
    }

    /// Makes a request, a GET with the query `watch=true`, and reads the events of its watch.
    pub fn open_events(&self, request: impl TryInto<Request, Error: Into<Error>>) -> Result<EventStream> {
        Ok(EventStream::new(self.0.handle.open_events(wire(request)?)?))
    }

    pub(crate) fn handle(&self) -> &wit::Client {
        &self.0.handle
    }

    pub(crate) fn new(handle: wit::Client, failures: Vec<Failure>) -> Self {
        let (kind, default_namespace) = (handle.kind(), handle.default_namespace());
        Self(Rc::new(Inner { handle, kind, default_namespace, failures }))
    }
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Client").field(&self.0.kind).finish()
    }
}

fn wire(
    request: impl TryInto<Request, Error: Into<Error>>,
) -> Result<crate::wit::tidegate::host::types::Request> {
    Ok(request.try_into().map_err(Into::into)?.into_wit())
}
