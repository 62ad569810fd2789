//! Connections to ports of pods, through the API server.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use tidegate_kube::channels::forward::{DATA, PROTOCOLS, Port};
use tidegate_kube::request::{Method, Request};
use tidegate_transport::{Code, Error, Feature, Transport, Tunnel};
use tokio::sync::Mutex;

use crate::path;

/// A connection to a port of a pod. Dropped, it is closed at once, whatever waits to be sent.
///
/// The protocol has no half-close: neither side can say that it sends no more and still read. The pod's end of the connection is its end; ours
/// is [`finish`](Forward::finish).
///
/// Every function takes `&self`: reading and writing may happen at the same time.
pub struct Forward {
    tunnel: Tunnel,
    port: Mutex<Port>,
}

impl Forward {
    /// Connects to a port of a pod, in this namespace or the connection's own. That nobody listens there is told by
    /// [`next`](Forward::next): the server says so only after it has agreed.
    ///
    /// Errors: [`Code::Unsupported`] over a transport that cannot; [`Code::InvalidRequest`] for port 0 and what is no name; and as
    /// [`Transport::tunnel`].
    pub async fn open(
        transport: Arc<dyn Transport>,
        namespace: Option<&str>,
        pod: &str,
        port: u16,
    ) -> Result<Forward, Error> {
        if port == 0 {
            return Err(Error::new(Code::InvalidRequest, "a pod has no port 0"));
        }
        if !transport.support().has(Feature::PortForward) {
            let text = format!("{} forwards no ports: use another transport", transport.kind());
            return Err(Error::new(Code::Unsupported, text));
        }
        let namespace = namespace.or(transport.default_namespace()).unwrap_or("default");
        let path = format!("{}/portforward", path::pod(namespace, pod)?);
        let request = Request::new(Method::Get, path).with_query("ports", port.to_string());
        let tunnel = transport.tunnel(request, PROTOCOLS).await?;
        Ok(Forward { tunnel, port: Mutex::new(Port::new(port)) })
    }

    /// The next bytes; none at the end, and for ever after it. Cancel-safe.
    ///
    /// Errors: [`Code::Unreachable`] with the kubelet's words where it has no connection to the port, or lost it; of the tunnel, which was cut,
    /// [`Code::Protocol`] and others.
    pub async fn next(&self) -> Result<Option<Bytes>, Error> {
        let mut port = self.port.lock().await;
        let unreachable = |said| Error::new(Code::Unreachable, said);
        loop {
            let piece = match self.tunnel.next().await {
                Ok(Some(piece)) => piece,
                Ok(None) => return port.said().map_or(Ok(None), |said| Err(unreachable(said))),
                // The kubelet's words say more than that the tunnel has ended.
                Err(error) => {
                    return Err(match port.said() {
                        Some(said) => unreachable(said).because(error),
                        None => error,
                    });
                }
            };
            let bytes = port.take(piece).map_err(|malformed| {
                Error::new(Code::Protocol, "the server speaks another port-forward").because(malformed)
            })?;
            if !bytes.is_empty() {
                return Ok(Some(bytes));
            }
        }
    }

    /// Sends what can be taken now, off the front of `bytes`. Errors: why the connection ended; [`Code::Closed`] after its regular end.
    pub fn try_send(&self, bytes: &mut Bytes) -> Result<(), Error> {
        self.tunnel.try_send(DATA, bytes)
    }

    /// Sends all of it; waits while the pod takes nothing. Errors: as [`try_send`](Forward::try_send).
    pub async fn send(&self, bytes: Bytes) -> Result<(), Error> {
        self.tunnel.send(DATA, bytes).await
    }

    /// Waits until [`try_send`](Forward::try_send) would take something or fail. Cancel-safe.
    pub async fn writable(&self) {
        self.tunnel.writable().await;
    }

    /// Ends the connection by agreement: sends what waits to be sent, and waits until the server has ended it too, or for `patience`. What the
    /// pod still sends is thrown away.
    pub async fn finish(&self, patience: Duration) {
        self.tunnel.finish(patience).await;
    }
}

impl fmt::Debug for Forward {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Forward").field("tunnel", &self.tunnel).finish_non_exhaustive()
    }
}
