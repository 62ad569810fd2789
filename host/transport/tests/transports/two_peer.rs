//! HTTP/2 servers: one that keeps the rules, by the h2 crate, and one that sends what it is told.

use std::collections::VecDeque;
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
use tokio::io::{AsyncReadExt, AsyncWriteExt};
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

fn acceptor(authority: &Authority, protocols: &[&[u8]]) -> TlsAcceptor {
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

/// What a [`Raw`] server does: a frame's payload, kind and flags, for the stream that asked; or bytes as they are.
#[derive(Clone)]
pub(crate) struct Frame(pub(crate) Vec<u8>, pub(crate) u8, pub(crate) u8);

const RAW: u8 = 0xff;
const ANSWER: u8 = 0xfe;

impl std::fmt::Debug for Frame {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "frame {} {:?}", self.1, &self.0[..self.0.len().min(16)])
    }
}

impl Frame {
    /// 200 with this body.
    pub(crate) fn answer(body: &str) -> Frame {
        Frame(body.as_bytes().to_vec(), ANSWER, 0)
    }

    pub(crate) fn raw(bytes: Vec<u8>) -> Frame {
        Frame(bytes, RAW, 0)
    }

    pub(crate) fn reset(reason: u32) -> Frame {
        Frame(reason.to_be_bytes().to_vec(), 3, 0)
    }

    /// The connection is closed behind it.
    pub(crate) fn go_away(last: u32, reason: u32) -> Frame {
        Frame([last.to_be_bytes(), reason.to_be_bytes()].concat(), 7, 0)
    }

    /// `:status: 200`, of the static table, and no end of the head; for stream 3.
    pub(crate) fn headers(flags: u8) -> Vec<u8> {
        Frame(vec![0x88], 1, flags).bytes(3)
    }

    /// A literal field without indexing.
    pub(crate) fn field(name: &str, value: &str) -> Vec<u8> {
        let text = |text: &str| {
            let mut bytes = Vec::new();
            // An integer with a prefix of seven bits (RFC 7541, 5.1).
            match text.len() {
                length if length < 127 => bytes.push(length as u8),
                length => {
                    bytes.push(127);
                    let mut rest = length - 127;
                    while rest >= 128 {
                        bytes.push((rest % 128) as u8 | 128);
                        rest /= 128;
                    }
                    bytes.push(rest as u8);
                }
            }
            bytes.extend(text.as_bytes());
            bytes
        };
        [vec![0], text(name), text(value)].concat()
    }

    /// A head with these fields, in as many frames as it takes; for stream 3.
    pub(crate) fn head_of(fields: &[u8]) -> Vec<u8> {
        let mut all = Frame::headers(0);
        let mut pieces: VecDeque<&[u8]> = fields.chunks(16_000).collect();
        while let Some(piece) = pieces.pop_front() {
            all.extend(Frame(piece.to_vec(), 9, if pieces.is_empty() { 4 } else { 0 }).bytes(3));
        }
        all
    }

    /// So many of it, for stream 3.
    pub(crate) fn repeat(&self, count: usize) -> Vec<u8> {
        self.bytes(3).repeat(count)
    }

    pub(crate) fn bytes(&self, stream: u32) -> Vec<u8> {
        let length = (self.0.len() as u32).to_be_bytes();
        let head = [length[1], length[2], length[3], self.1, self.2];
        [&head[..], &stream.to_be_bytes(), &self.0].concat()
    }

    fn for_stream(&self, stream: u32) -> Vec<u8> {
        match self.1 {
            RAW => self.0.clone(),
            ANSWER => {
                [Frame(vec![0x88], 1, 4).bytes(stream), Frame(self.0.clone(), 0, 1).bytes(stream)].concat()
            }
            7 => self.bytes(0),
            _ => self.bytes(stream),
        }
    }
}

/// Sends frames as it is told, and never answers a ping. Over HTTP/1.1 it answers `one`.
pub(crate) struct Raw {
    pub(crate) address: SocketAddr,
    pub(crate) authority: Authority,
    requests: Arc<AtomicUsize>,
    task: JoinHandle<()>,
}

impl Raw {
    /// `script` is given the connection's number and that of the request, over all of them.
    pub(crate) async fn start(script: impl Fn(usize, usize) -> Frame + Send + Sync + 'static) -> Raw {
        Raw::start_with(Authority::new("raw"), script).await
    }

    pub(crate) async fn start_with(
        authority: Authority,
        script: impl Fn(usize, usize) -> Frame + Send + Sync + 'static,
    ) -> Raw {
        let acceptor = acceptor(&authority, &[b"h2", b"http/1.1"]);
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("bind");
        let address = listener.local_addr().expect("address");
        let requests = Arc::new(AtomicUsize::new(0));
        let (counted, script) = (requests.clone(), Arc::new(script));
        let task = tokio::spawn(async move {
            let mut connections = JoinSet::new();
            for number in 0.. {
                let Ok((tcp, _)) = listener.accept().await else { return };
                let (acceptor, counted, script) = (acceptor.clone(), counted.clone(), script.clone());
                connections.spawn(async move {
                    let Ok(mut stream) = acceptor.accept(tcp).await else { return };
                    match stream.get_ref().1.alpn_protocol() {
                        Some(b"h2") => raw(&mut stream, |asked| script(number, asked), &counted).await,
                        _ => one(&mut stream).await,
                    };
                });
            }
        });
        Raw { address, authority, requests, task }
    }

    /// How many came over HTTP/2.
    pub(crate) fn requests(&self) -> usize {
        self.requests.load(Ordering::SeqCst)
    }
}

impl Drop for Raw {
    fn drop(&mut self) {
        self.task.abort();
    }
}

type Tls = tokio_rustls::server::TlsStream<tokio::net::TcpStream>;

async fn raw(stream: &mut Tls, script: impl Fn(usize) -> Frame, requests: &AtomicUsize) -> Option<()> {
    let mut preface = [0; 24];
    stream.read_exact(&mut preface).await.ok()?;
    stream.write_all(&Frame(Vec::new(), 4, 0).bytes(0)).await.ok()?;
    stream.flush().await.ok()?;
    loop {
        let mut head = [0; 9];
        stream.read_exact(&mut head).await.ok()?;
        let mut payload = vec![0; u32::from_be_bytes([0, head[0], head[1], head[2]]) as usize];
        stream.read_exact(&mut payload).await.ok()?;
        let id = u32::from_be_bytes([head[5], head[6], head[7], head[8]]);
        match (head[3], head[4] & 1) {
            // SETTINGS, which is to be acknowledged.
            (4, 0) => stream.write_all(&Frame(Vec::new(), 4, 1).bytes(0)).await.ok()?,
            // HEADERS, or DATA that ends a request: whichever ends it.
            (1, 1) | (0, 1) => {
                let act = script(requests.fetch_add(1, Ordering::SeqCst));
                stream.write_all(&act.for_stream(id)).await.ok()?;
                if act.1 == 7 {
                    stream.shutdown().await.ok()?;
                    return None;
                }
            }
            _ => {}
        }
        stream.flush().await.ok()?;
    }
}

async fn one(stream: &mut Tls) -> Option<()> {
    let mut bytes = Vec::new();
    while stream.read_buf(&mut bytes).await.ok()? > 0 {
        if bytes.ends_with(b"\r\n\r\n") {
            bytes.clear();
            stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\none").await.ok()?;
            stream.flush().await.ok()?;
        }
    }
    None
}
