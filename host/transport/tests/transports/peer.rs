//! An HTTP server that does what a script says, however wrong.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use rustls::ServerConfig;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;
use tokio_rustls::TlsAcceptor;

/// What the peer does upon a request.
#[derive(Clone, Debug)]
pub(crate) enum Act {
    Send(Vec<u8>),
    Pause(Duration),
    /// Says nothing any more and keeps the connection.
    Stall,
    Close,
    /// Passes on, both ways, what comes after.
    Tunnel(SocketAddr),
}

type Script = dyn Fn(&Seen) -> Vec<Act> + Send + Sync;

/// A request as it came.
#[derive(Clone, Debug)]
pub(crate) struct Seen {
    /// Request line and headers.
    pub(crate) head: String,
    pub(crate) body: Vec<u8>,
    /// The client's certificate, in DER.
    pub(crate) client: Option<Vec<u8>>,
}

impl Seen {
    pub(crate) fn line(&self) -> &str {
        self.head.lines().next().unwrap_or_default()
    }

    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.head.lines().skip(1).find_map(|line| {
            let (key, value) = line.split_once(':')?;
            key.eq_ignore_ascii_case(name).then(|| value.trim())
        })
    }
}

/// Ends with its test.
pub(crate) struct Peer {
    pub(crate) address: SocketAddr,
    record: Arc<Record>,
    task: JoinHandle<()>,
}

#[derive(Default)]
struct Record {
    seen: Mutex<Vec<Seen>>,
    connections: AtomicUsize,
    sent: AtomicUsize,
}

impl Peer {
    pub(crate) async fn plain(script: impl Fn(&Seen) -> Vec<Act> + Send + Sync + 'static) -> Peer {
        Peer::bind("127.0.0.1:0", None, Arc::new(script)).await
    }

    pub(crate) async fn tls(
        config: ServerConfig,
        script: impl Fn(&Seen) -> Vec<Act> + Send + Sync + 'static,
    ) -> Peer {
        Peer::tls_at("127.0.0.1:0", config, script).await
    }

    pub(crate) async fn tls_at(
        address: &str,
        config: ServerConfig,
        script: impl Fn(&Seen) -> Vec<Act> + Send + Sync + 'static,
    ) -> Peer {
        Peer::bind(address, Some(TlsAcceptor::from(Arc::new(config))), Arc::new(script)).await
    }

    async fn bind(address: &str, tls: Option<TlsAcceptor>, script: Arc<Script>) -> Peer {
        let listener = TcpListener::bind(address).await.expect("bind");
        let address = listener.local_addr().expect("address");
        let record = Arc::new(Record::default());
        let task = tokio::spawn(accept(listener, tls, script, record.clone()));
        Peer { address, record, task }
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Every request so far.
    pub(crate) fn seen(&self) -> Vec<Seen> {
        self.record.seen.lock().expect("lock").clone()
    }

    /// The request lines behind the probe's.
    pub(crate) fn lines(&self) -> Vec<String> {
        let seen = self.seen();
        seen.iter().map(|seen| seen.line().to_owned()).filter(|line| line != "GET /api HTTP/1.1").collect()
    }

    pub(crate) fn connections(&self) -> usize {
        self.record.connections.load(Ordering::SeqCst)
    }

    /// Bytes that the sockets took.
    pub(crate) fn sent(&self) -> usize {
        self.record.sent.load(Ordering::SeqCst)
    }
}

impl Drop for Peer {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// A response with a length.
pub(crate) fn reply(status: &str, content_type: &str, body: &str) -> Vec<Act> {
    let length = body.len();
    let head = format!(
        "HTTP/1.1 {status}\r\nContent-Type: {content_type}\r\nContent-Length: {length}\r\n\r\n{body}"
    );
    vec![Act::Send(head.into_bytes())]
}

pub(crate) fn json(body: &str) -> Vec<Act> {
    reply("200 OK", "application/json", body)
}

pub(crate) fn raw(text: &str) -> Act {
    Act::Send(text.as_bytes().to_vec())
}

/// Answers the probe, and everything else by the script.
pub(crate) fn kubernetes(
    script: impl Fn(&Seen) -> Vec<Act> + Send + Sync + 'static,
) -> impl Fn(&Seen) -> Vec<Act> {
    move |seen| match seen.line() {
        "GET /api HTTP/1.1" => json(r#"{"kind":"APIVersions","versions":["v1"]}"#),
        _ => script(seen),
    }
}

async fn accept(listener: TcpListener, tls: Option<TlsAcceptor>, script: Arc<Script>, record: Arc<Record>) {
    while let Ok((stream, _)) = listener.accept().await {
        record.connections.fetch_add(1, Ordering::SeqCst);
        let (script, record, tls) = (script.clone(), record.clone(), tls.clone());
        tokio::spawn(async move {
            match tls {
                None => serve(stream, None, &*script, &record).await,
                Some(tls) => {
                    if let Ok(stream) = tls.accept(stream).await {
                        let shown = stream.get_ref().1.peer_certificates();
                        let client = shown.and_then(<[_]>::first).map(|shown| shown.to_vec());
                        serve(stream, client, &*script, &record).await;
                    }
                }
            }
        });
    }
}

async fn serve(
    mut stream: impl AsyncRead + AsyncWrite + Unpin,
    client: Option<Vec<u8>>,
    script: &Script,
    record: &Record,
) {
    let mut buffer = Vec::new();
    while let Some(mut seen) = read_request(&mut stream, &mut buffer).await {
        seen.client = client.clone();
        record.seen.lock().expect("lock").push(seen.clone());
        for act in script(&seen) {
            match act {
                Act::Send(bytes) => {
                    for piece in bytes.chunks(16 * 1024) {
                        if stream.write_all(piece).await.is_err() || stream.flush().await.is_err() {
                            return;
                        }
                        record.sent.fetch_add(piece.len(), Ordering::SeqCst);
                    }
                }
                Act::Pause(pause) => tokio::time::sleep(pause).await,
                Act::Stall => return std::future::pending().await,
                Act::Close => return,
                Act::Tunnel(address) => {
                    let mut upstream = TcpStream::connect(address).await.expect("connect");
                    let _ = tokio::io::copy_bidirectional(&mut stream, &mut upstream).await;
                    return;
                }
            }
        }
    }
}

async fn read_request(stream: &mut (impl AsyncRead + Unpin), buffer: &mut Vec<u8>) -> Option<Seen> {
    let end = loop {
        if let Some(end) = find(buffer, b"\r\n\r\n") {
            break end + 4;
        }
        more(stream, buffer).await?;
    };
    let head = String::from_utf8(buffer.drain(..end).collect()).ok()?;
    let mut seen = Seen { head, body: Vec::new(), client: None };
    if let Some(length) = seen.header("content-length").and_then(|length| length.parse().ok()) {
        while buffer.len() < length {
            more(stream, buffer).await?;
        }
        seen.body = buffer.drain(..length).collect();
    } else if seen.header("transfer-encoding").is_some() {
        while find(buffer, b"0\r\n\r\n").is_none() {
            more(stream, buffer).await?;
        }
        seen.body = std::mem::take(buffer);
    }
    Some(seen)
}

async fn more(stream: &mut (impl AsyncRead + Unpin), buffer: &mut Vec<u8>) -> Option<()> {
    (stream.read_buf(buffer).await.ok()? > 0).then_some(())
}

fn find(text: &[u8], what: &[u8]) -> Option<usize> {
    text.windows(what.len()).position(|window| window == what)
}
