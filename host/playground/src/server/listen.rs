//! The one listener: accepts, does the TLS handshake, serves HTTP/1.1 or HTTP/2 as the client's ALPN asks.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto::Builder;
use rustls::ServerConfig;
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;

use super::{Shared, service};

/// A client that has not finished its handshake or its headers by then is sent away.
const PATIENCE: Duration = Duration::from_secs(10);

/// How much is encrypted before it is written, in bytes: a frame that fills rustls's own 64 KiB has its last bytes in a record and a
/// write of their own.
const WRITTEN_AT_ONCE: usize = 256 * 1024;

/// A listener that is bound and not yet served.
pub(crate) struct Bound(TcpListener);

/// Binds `address`; port 0 takes a free one.
pub(crate) async fn bind(address: SocketAddr) -> io::Result<Bound> {
    TcpListener::bind(address).await.map(Bound)
}

impl Bound {
    /// Where it is bound.
    pub(crate) fn address(&self) -> io::Result<SocketAddr> {
        self.0.local_addr()
    }

    /// Serves until the playground stops.
    pub(crate) async fn serve(self, shared: Arc<Shared>, config: Arc<ServerConfig>) {
        let acceptor = TlsAcceptor::from(config);
        loop {
            let accepted = tokio::select! {
                accepted = self.0.accept() => accepted,
                () = shared.stopped() => return,
            };
            match accepted {
                Ok((stream, _)) => drop(tokio::spawn(connection(stream, acceptor.clone(), shared.clone()))),
                // Out of descriptors: those that are open have to end first.
                Err(_) => tokio::time::sleep(Duration::from_millis(50)).await,
            }
        }
    }
}

async fn connection(stream: TcpStream, acceptor: TlsAcceptor, shared: Arc<Shared>) {
    // A small answer should not wait for the acknowledgement of the one before.
    let _ = stream.set_nodelay(true);
    let Ok(Ok(mut stream)) = tokio::time::timeout(PATIENCE, acceptor.accept(stream)).await else { return };
    stream.get_mut().1.set_buffer_limit(Some(WRITTEN_AT_ONCE));
    let handler = {
        let shared = shared.clone();
        service_fn(move |request| service::answer(shared.clone(), request))
    };
    let mut builder = Builder::new(TokioExecutor::new());
    builder.http1().timer(TokioTimer::new()).header_read_timeout(PATIENCE);
    builder.http2().timer(TokioTimer::new()).max_concurrent_streams(250);
    let serving = builder.serve_connection(TokioIo::new(stream), handler);
    tokio::select! {
        // A client that goes away mid-answer is its own affair.
        _ = serving => {}
        () = shared.stopped() => {}
    }
}
