//! `wasi:http`: requests that a guest makes by itself, within `--wasi-net`. Each has a connection of its own; redirects are the guest's
//! to follow, and are judged again.

use std::error::Error as StdError;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{self, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use http::uri::{PathAndQuery, Scheme};
use http::{Request, Response, Uri};
use http_body_util::BodyExt;
use hyper::body::{Body, Frame, Incoming, SizeHint};
use hyper::client::conn::http1;
use rustls::ClientConfig;
use rustls::pki_types::ServerName;
use rustls_platform_verifier::BuilderVerifierExt;
use tidegate_bindings::{Context, Held};
use tidegate_grants::{Endpoint, Host};
use tidegate_transport::{Meter, Slot};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::time::{Sleep, sleep, timeout};
use tokio_rustls::TlsConnector;
use wasmtime_wasi_http::io::TokioIo;
use wasmtime_wasi_http::{
    Error, RequestOptions, Result, WasiBody, WasiHttpCtxView, WasiHttpHooks, WasiHttpView,
};

use super::net::{Reach, Refused};
use super::pinned;
use crate::guest::Guest;

/// How long a step takes at most, unless the guest asks for less.
const STEP: Duration = Duration::from_secs(60);

/// What drives a connection once the head of the response is there.
type Driver = Box<dyn Future<Output = Result<()>> + Send>;

impl WasiHttpView for Guest {
    fn http(&mut self) -> WasiHttpCtxView<'_> {
        WasiHttpCtxView { ctx: &mut self.http, table: &mut self.table, hooks: &mut self.web }
    }
}

/// Where a guest's own requests may go, and what they are counted by.
#[derive(Clone)]
pub(crate) struct Web {
    reach: Reach,
    meter: Meter,
    held: Held,
}

impl Web {
    pub(crate) fn new(reach: Reach, context: &Context) -> Web {
        Web { reach, meter: context.meter().clone(), held: context.held().clone() }
    }

    /// A limit as a guest is told it here. That it was is noted: no error of ours tells it.
    fn limited(&self, error: &tidegate_transport::Error) -> Error {
        self.meter.note(error.limit());
        Error::InternalError(Some(error.to_string()))
    }

    fn spend(&self, bytes: usize) -> Result<()> {
        self.meter.spend(bytes).map_err(|error| self.limited(&error))
    }
}

impl WasiHttpHooks for Web {
    fn send_request(
        &mut self,
        request: Request<WasiBody>,
        options: Option<RequestOptions>,
        _: Driver,
    ) -> Box<dyn Future<Output = Result<(Response<WasiBody>, Driver)>> + Send> {
        let (web, held) = (self.clone(), self.held.hold(head(&request)));
        Box::new(async move {
            let _held = held.map_err(|error| web.limited(&error))?;
            send(&web, request, &Deadlines::of(options)).await
        })
    }

    fn p2_outgoing_body_buffer_chunks(&mut self) -> usize {
        1
    }

    fn p2_outgoing_body_chunk_size(&mut self) -> usize {
        pinned::PIECE
    }
}

/// What the head of a request takes, roughly.
fn head(request: &Request<WasiBody>) -> usize {
    const FIELD: usize = 64;
    let fields = request.headers().iter();
    let fields = fields.map(|(name, value)| name.as_str().len() + value.len() + FIELD).sum::<usize>();
    let method = request.method().as_str().len();
    let host = request.uri().authority().map_or(0, |host| host.as_str().len());
    let path = request.uri().path_and_query().map_or(0, |path| path.as_str().len());
    fields + method + host + path
}

/// What the guest asked for, within ours.
struct Deadlines {
    connect: Duration,
    head: Duration,
    silence: Duration,
}

impl Deadlines {
    fn of(options: Option<RequestOptions>) -> Self {
        let options = options.unwrap_or_default();
        let within = |asked: Option<Duration>| asked.map_or(STEP, |asked| asked.min(STEP));
        Self {
            connect: within(options.connect_timeout),
            head: within(options.first_byte_timeout),
            silence: within(options.between_bytes_timeout),
        }
    }
}

async fn send(
    web: &Web,
    mut request: Request<WasiBody>,
    deadlines: &Deadlines,
) -> Result<(Response<WasiBody>, Driver)> {
    let slot = web.meter.open().map_err(|error| web.limited(&error))?;
    web.meter.ask(deadlines.head).await.map_err(|error| web.limited(&error))?;
    let endpoint = endpoint(request.uri())?;
    let tls = request.uri().scheme() == Some(&Scheme::HTTPS);
    let connection = timeout(deadlines.connect, connect(&web.reach, &endpoint, tls, deadlines.connect));
    let stream = connection.await.map_err(|_| Error::ConnectionTimeout)??;
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await?;
    // A server takes the path alone; scheme and authority are for proxies.
    *request.uri_mut() = request.uri().path_and_query().cloned().map_or_else(Uri::default, path_only);

    // Nothing moves unless the connection is polled beside the request.
    let mut connection = Box::pin(connection);
    let head = async {
        let mut response =
            std::pin::pin!(sender.send_request(request.map(|body| Sent { body, web: web.clone() })));
        let mut ended = None;
        std::future::poll_fn(|context| {
            if ended.is_none()
                && let Poll::Ready(end) = connection.as_mut().poll(context)
            {
                ended = Some(end);
            }
            response.as_mut().poll(context)
        })
        .await
        .map(|response| (response, ended.is_some()))
    };
    let (response, ended) =
        timeout(deadlines.head, head).await.map_err(|_| Error::ConnectionReadTimeout)??;
    let driver: Driver = Box::new(async move { if ended { Ok(()) } else { Ok(connection.await?) } });
    let received = |body| Received::new(body, deadlines.silence, web.clone(), slot).boxed_unsync();
    Ok((response.map(received), driver))
}

fn path_only(path: PathAndQuery) -> Uri {
    let mut parts = http::uri::Parts::default();
    parts.path_and_query = Some(path);
    Uri::from_parts(parts).unwrap_or_default()
}

/// Host and port of a request.
fn endpoint(uri: &Uri) -> Result<Endpoint> {
    let default = if uri.scheme() == Some(&Scheme::HTTPS) { 443 } else { 80 };
    let host = uri.host().and_then(|host| Host::parse(host).ok()).ok_or(Error::HttpRequestUriInvalid)?;
    Ok(Endpoint::new(host, uri.port_u16().unwrap_or(default)))
}

trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}

impl<T: AsyncRead + AsyncWrite + Send + Unpin> Stream for T {}

async fn connect(reach: &Reach, endpoint: &Endpoint, tls: bool, within: Duration) -> Result<Box<dyn Stream>> {
    let stream = reach.connect(endpoint, within).await.map_err(|refused| match refused {
        Refused::NotGranted => Error::HttpRequestDenied,
        Refused::NotFound | Refused::Limited => Error::DestinationUnavailable,
    })?;
    if !tls {
        return Ok(Box::new(stream));
    }
    let name = match endpoint.host() {
        Host::Name(name) => ServerName::try_from(name.clone()).map_err(|_| Error::HttpRequestUriInvalid)?,
        Host::Address(address) => ServerName::from(*address),
    };
    let stream = TlsConnector::from(tls_config()?).connect(name, stream).await.map_err(Error::Tls)?;
    Ok(Box::new(stream))
}

/// The system's certificate authorities, and no client certificate.
fn tls_config() -> Result<Arc<ClientConfig>> {
    let unusable = |error: &dyn StdError| Error::InternalError(Some(error.to_string()));
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let builder = ClientConfig::builder_with_provider(provider);
    let builder = builder.with_safe_default_protocol_versions().map_err(|error| unusable(&error))?;
    let builder = builder.with_platform_verifier().map_err(|error| unusable(&error))?;
    Ok(Arc::new(builder.with_no_client_auth()))
}

/// A body whose bytes are counted as it is sent.
struct Sent {
    body: WasiBody,
    web: Web,
}

impl Body for Sent {
    type Data = Bytes;
    type Error = Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut task::Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>>>> {
        let frame = ready!(Pin::new(&mut self.body).poll_frame(context));
        Poll::Ready(frame.map(|frame| counted(&self.web, frame)))
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

fn counted(web: &Web, frame: Result<Frame<Bytes>>) -> Result<Frame<Bytes>> {
    let frame = frame?;
    web.spend(frame.data_ref().map_or(0, Bytes::len))?;
    Ok(frame)
}

/// A body that may not be silent for too long, and whose bytes are counted; open until it is dropped.
struct Received {
    body: Incoming,
    silence: Duration,
    timer: Pin<Box<Sleep>>,
    web: Web,
    _slot: Slot,
}

impl Received {
    fn new(body: Incoming, silence: Duration, web: Web, slot: Slot) -> Self {
        Self { body, silence, timer: Box::pin(sleep(silence)), web, _slot: slot }
    }
}

impl Body for Received {
    type Data = Bytes;
    type Error = Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut task::Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>>>> {
        if let Poll::Ready(frame) = Pin::new(&mut self.body).poll_frame(context) {
            let next = tokio::time::Instant::now() + self.silence;
            self.timer.as_mut().reset(next);
            return Poll::Ready(frame.map(|frame| counted(&self.web, frame.map_err(Error::from))));
        }
        self.timer.as_mut().poll(context).map(|()| Some(Err(Error::ConnectionReadTimeout)))
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn endpoints_of_requests() {
        let cases = [
            ("https://example.org/", Some("example.org:443")),
            ("http://example.org/x?y", Some("example.org:80")),
            ("http://[::1]:8080/", Some("[::1]:8080")),
            ("https://EXAMPLE.org:8443", Some("example.org:8443")),
            ("/path", None),
        ];
        for (uri, expected) in cases {
            let endpoint = endpoint(&uri.parse().unwrap()).ok();
            assert_eq!(endpoint.map(|endpoint| endpoint.to_string()).as_deref(), expected, "{uri}");
        }
    }
}
