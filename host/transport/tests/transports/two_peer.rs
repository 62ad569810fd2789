//! An HTTP/2 server that keeps the rules, by the h2 crate. `raw_peer` has one that does not.

use std::future::Future;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use h2::server::SendResponse;
use h2::{Reason, RecvStream, SendStream};
use http::Response;
use rustls::ServerConfig;
use tidegate_transport::{Error, Transport};
use tokio::net::TcpListener;
use tokio::sync::Notify;
use tokio::task::{JoinHandle, JoinSet};
use tokio_rustls::TlsAcceptor;

use crate::pki::Authority;
use crate::setup::{by_document, kubeconfig};

/// A transport to a server whose certificate is this authority's.
pub(crate) async fn trusting(
    authority: &Authority,
    address: SocketAddr,
) -> Result<Arc<dyn Transport>, Error> {
    let ca = STANDARD.encode(&authority.pem);
    let cluster = format!("server: 'https://{address}', certificate-authority-data: {ca}");
    by_document(&kubeconfig(&cluster, "token: hunter2")).await
}

pub(crate) async fn to_two(peer: &Two) -> Arc<dyn Transport> {
    trusting(&peer.authority, peer.address).await.expect("connect")
}

/// Answers with this body.
pub(crate) fn json(mut asked: Asked, body: &str) {
    let mut stream = asked.begin("application/json");
    let _ = stream.send_data(Bytes::copy_from_slice(body.as_bytes()), true);
}

/// A request.
pub(crate) struct Asked {
    pub(crate) path: String,
    body: RecvStream,
    respond: SendResponse<Bytes>,
}

impl Asked {
    pub(crate) fn begin(&mut self, content_type: &str) -> SendStream<Bytes> {
        let response = Response::builder().header("content-type", content_type).body(()).expect("response");
        self.respond.send_response(response, false).expect("respond")
    }

    pub(crate) async fn read_all(&mut self) -> usize {
        let mut read = 0;
        while let Some(Ok(data)) = self.body.data().await {
            read += data.len();
            let _ = self.body.flow_control().release_capacity(data.len());
        }
        read
    }

    pub(crate) fn poll_reset(&mut self, cx: &mut Context<'_>) -> Poll<Result<Reason, h2::Error>> {
        self.respond.poll_reset(cx)
    }
}

/// What was asked.
#[derive(Clone, Debug)]
pub(crate) struct Seen {
    pub(crate) path: String,
    pub(crate) authority: String,
    pub(crate) host: Option<String>,
    pub(crate) accept_encoding: Option<String>,
}

type Script = dyn Fn(Asked) -> Pin<Box<dyn Future<Output = ()> + Send>> + Send + Sync;

/// Keeps the rules. Answers the probe by itself.
pub(crate) struct Two {
    pub(crate) address: SocketAddr,
    pub(crate) authority: Authority,
    acceptor: TlsAcceptor,
    streams: u32,
    script: Arc<Script>,
    record: Arc<Record>,
    task: JoinHandle<()>,
}

#[derive(Default)]
struct Record {
    seen: Mutex<Vec<Seen>>,
    connections: AtomicUsize,
    open: AtomicUsize,
    most: AtomicUsize,
    close: Notify,
}

impl Two {
    /// `streams` is how many requests it takes at once.
    pub(crate) async fn start<F>(streams: u32, script: impl Fn(Asked) -> F + Send + Sync + 'static) -> Two
    where
        F: Future<Output = ()> + Send + 'static,
    {
        let authority = Authority::new("two");
        let acceptor = acceptor(&authority, &[b"h2"]);
        let script: Arc<Script> = Arc::new(move |asked| Box::pin(script(asked)));
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("bind");
        let address = listener.local_addr().expect("address");
        let record = Arc::new(Record::default());
        let task = tokio::spawn(accept(listener, acceptor.clone(), streams, script.clone(), record.clone()));
        Two { address, authority, acceptor, streams, script, record, task }
    }

    /// Ends, with every connection, and listens again at the same address.
    pub(crate) async fn restart(&mut self) {
        self.task.abort();
        let _ = (&mut self.task).await;
        let socket = tokio::net::TcpSocket::new_v4().expect("socket");
        socket.set_reuseaddr(true).expect("reuse");
        socket.bind(self.address).expect("bind again");
        let listener = socket.listen(64).expect("listen");
        let (script, record) = (self.script.clone(), self.record.clone());
        self.task = tokio::spawn(accept(listener, self.acceptor.clone(), self.streams, script, record));
    }

    /// Closes every connection, and waits until the client could see it.
    pub(crate) async fn close_all(&self) {
        self.record.close.notify_waiters();
        self.until_open(0).await;
        tokio::time::sleep(Duration::from_millis(50)).await;
    }

    pub(crate) async fn until_open(&self, count: usize) {
        for _ in 0..200 {
            if self.record.open.load(Ordering::SeqCst) == count {
                return;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        panic!("{} connections are open, not {count}", self.record.open.load(Ordering::SeqCst));
    }

    pub(crate) fn connections(&self) -> usize {
        self.record.connections.load(Ordering::SeqCst)
    }

    /// How many requests were in flight over one connection at once, at most.
    pub(crate) fn most_at_once(&self) -> usize {
        self.record.most.load(Ordering::SeqCst)
    }

    pub(crate) fn seen(&self) -> Vec<Seen> {
        self.record.seen.lock().expect("lock").clone()
    }
}

impl Drop for Two {
    fn drop(&mut self) {
        self.task.abort();
    }
}

pub(crate) fn acceptor(authority: &Authority, protocols: &[&[u8]]) -> TlsAcceptor {
    let mut config: ServerConfig = authority.issue(&["127.0.0.1"]).server();
    config.alpn_protocols = protocols.iter().map(|name| name.to_vec()).collect();
    TlsAcceptor::from(Arc::new(config))
}

async fn accept(
    listener: TcpListener,
    tls: TlsAcceptor,
    streams: u32,
    script: Arc<Script>,
    record: Arc<Record>,
) {
    // Ends with this task.
    let mut connections = JoinSet::new();
    while let Ok((tcp, _)) = listener.accept().await {
        record.connections.fetch_add(1, Ordering::SeqCst);
        let (tls, script, record) = (tls.clone(), script.clone(), record.clone());
        connections.spawn(async move {
            record.open.fetch_add(1, Ordering::SeqCst);
            if let Ok(stream) = tls.accept(tcp).await {
                let served = serve(stream, streams, script, record.clone());
                tokio::select! {
                    () = served => {}
                    () = record.close.notified() => {}
                }
            }
            record.open.fetch_sub(1, Ordering::SeqCst);
        });
    }
}

async fn serve(
    stream: tokio_rustls::server::TlsStream<tokio::net::TcpStream>,
    streams: u32,
    script: Arc<Script>,
    record: Arc<Record>,
) {
    let mut builder = h2::server::Builder::new();
    builder.max_concurrent_streams(streams);
    let Ok(mut connection) = builder.handshake::<_, Bytes>(stream).await else { return };
    let mut answers = JoinSet::new();
    let at_once = Arc::new(AtomicUsize::new(0));
    while let Some(Ok((request, respond))) = connection.accept().await {
        let header =
            |name: &str| request.headers().get(name).and_then(|value| value.to_str().ok()).map(str::to_owned);
        let path = request.uri().path_and_query().expect("path").to_string();
        let seen = Seen {
            path: path.clone(),
            authority: request.uri().authority().expect("authority").to_string(),
            host: header("host"),
            accept_encoding: header("accept-encoding"),
        };
        record.seen.lock().expect("lock").push(seen);
        let asked = Asked { path, body: request.into_body(), respond };
        if asked.path == "/api" {
            json(asked, r#"{"kind":"APIVersions"}"#);
            continue;
        }
        let (answer, record, at_once) = (script(asked), record.clone(), at_once.clone());
        answers.spawn(async move {
            record.most.fetch_max(at_once.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
            answer.await;
            at_once.fetch_sub(1, Ordering::SeqCst);
        });
    }
}
