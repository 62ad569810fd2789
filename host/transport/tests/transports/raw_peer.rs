//! An HTTP/2 server that sends what it is told, frame by frame.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio::task::{JoinHandle, JoinSet};

use crate::pki::Authority;
use crate::two_peer::acceptor;

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

    /// So many `:status: 103`, for stream 3.
    pub(crate) fn interim(count: usize) -> Vec<u8> {
        Frame(b"\x08\x03103".to_vec(), 1, 4).repeat(count)
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
