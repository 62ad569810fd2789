use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use rustls::{ServerConfig, ServerConnection, StreamOwned};

use crate::certificate::{Shown, identity};
use crate::http::{self, Act, Asked};

/// The token in every peer's kubeconfig: nothing else looks like it.
pub const TOKEN: &str = "tk0Peer.eyJz-dWIi_8fQ2Zc.H0stile";

/// A server that does what a test tells it to, however wrong. Ended when this is dropped.
///
/// Each connection has a thread of its own. `GET /api` is answered as an API server does unless the script answers it itself.
#[derive(Debug)]
pub struct Peer {
    address: SocketAddr,
    scheme: &'static str,
    folder: tempfile::TempDir,
    shared: Arc<Shared>,
}

/// How a peer treats a connection before any request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Manner {
    /// As servers do.
    Usual,
    /// It never takes the connection, and its queue is full: whoever connects gets no answer from TCP.
    NeverAccepts,
    /// It reads what comes, and says nothing.
    Silent,
    /// It sends this many bytes of its half of the handshake, then nothing.
    HalfHandshake(usize),
    /// It closes the connection once something came.
    Closes,
}

type Script = Box<dyn Fn(&Asked) -> Vec<Act> + Send + Sync>;

struct Shared {
    manner: Manner,
    tls: Option<Arc<ServerConfig>>,
    script: Script,
    seen: Mutex<Vec<Asked>>,
    connections: AtomicUsize,
    open: AtomicUsize,
    written: AtomicUsize,
    ended: AtomicBool,
    /// What fills the queue of [`Manner::NeverAccepts`].
    waiting: Mutex<Vec<TcpStream>>,
}

impl std::fmt::Debug for Shared {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Shared").field("manner", &self.manner).finish_non_exhaustive()
    }
}

impl Peer {
    /// A peer with a good certificate that answers by a script.
    pub fn answering(script: impl Fn(&Asked) -> Vec<Act> + Send + Sync + 'static) -> Peer {
        Peer::start(Shown::Good, Manner::Usual, script)
    }

    /// A peer that says the same to every request but `GET /api`, over plain HTTP.
    pub fn saying(acts: Vec<Act>) -> Peer {
        Peer::start(Shown::Plain, Manner::Usual, move |asked| asked.or_api(|| acts.clone()))
    }

    /// A peer on a free port of 127.0.0.1.
    ///
    /// # Panics
    /// Where it cannot listen.
    pub fn start(
        shown: Shown,
        manner: Manner,
        script: impl Fn(&Asked) -> Vec<Act> + Send + Sync + 'static,
    ) -> Peer {
        Peer::at((Ipv4Addr::LOCALHOST, 0).into(), shown, manner, script)
    }

    /// A peer at an address of the test's choice; port 0 is a free one.
    ///
    /// # Panics
    /// Where it cannot listen.
    #[expect(clippy::expect_used, reason = "a test without its peer fails")]
    pub fn at(
        address: SocketAddr,
        shown: Shown,
        manner: Manner,
        script: impl Fn(&Asked) -> Vec<Act> + Send + Sync + 'static,
    ) -> Peer {
        let listener = TcpListener::bind(address).expect("listen");
        let address = listener.local_addr().expect("an address");
        let identity = identity(shown);
        let shared = Arc::new(Shared {
            manner,
            tls: (shown != Shown::Plain).then(|| Arc::new(identity.config)),
            script: Box::new(script),
            seen: Mutex::default(),
            connections: AtomicUsize::new(0),
            open: AtomicUsize::new(0),
            written: AtomicUsize::new(0),
            ended: AtomicBool::new(false),
            waiting: Mutex::default(),
        });
        let peer = Peer {
            address,
            scheme: if shown == Shown::Plain { "http" } else { "https" },
            folder: tempfile::tempdir().expect("a folder"),
            shared: shared.clone(),
        };
        std::fs::write(peer.folder.path().join("ca.crt"), identity.authority).expect("write ca.crt");
        peer.write("token", TOKEN);
        peer.write("namespace", "web");
        peer.write("config", &peer.kubeconfig_with(&format!("{{token: '{TOKEN}'}}")));
        std::thread::spawn(move || serve(&listener, &shared));
        if manner == Manner::NeverAccepts {
            peer.fill_queue();
        }
        peer
    }

    /// `127.0.0.1:port`.
    pub fn address(&self) -> String {
        self.address.to_string()
    }

    /// Its port.
    pub fn port(&self) -> u16 {
        self.address.port()
    }

    /// `https://127.0.0.1:port`.
    pub fn url(&self) -> String {
        format!("{}://{}", self.scheme, self.address)
    }

    /// A folder with `config`, and a service account's `token`, `ca.crt` and `namespace`.
    pub fn folder(&self) -> PathBuf {
        self.folder.path().to_path_buf()
    }

    /// A kubeconfig with [`TOKEN`] inline.
    pub fn kubeconfig(&self) -> PathBuf {
        self.folder.path().join("config")
    }

    /// The text of a kubeconfig for this peer with another user, as YAML.
    pub fn kubeconfig_with(&self, user: &str) -> String {
        let (url, ca) = (self.url(), self.folder.path().join("ca.crt"));
        format!(
            "clusters: [{{name: c, cluster: {{server: '{url}', certificate-authority: '{}'}}}}]
users: [{{name: u, user: {user}}}]
contexts: [{{name: x, context: {{cluster: c, user: u}}}}]
current-context: x\n",
            ca.display()
        )
    }

    /// Writes a file into its folder; its path.
    ///
    /// # Panics
    /// Where it cannot.
    #[expect(clippy::expect_used, reason = "a test without its file fails")]
    pub fn write(&self, name: &str, text: &str) -> PathBuf {
        let path = self.folder.path().join(name);
        std::fs::write(&path, text).expect("write a file");
        path
    }

    /// Every request that came whole, in order.
    pub fn seen(&self) -> Vec<Asked> {
        self.shared.seen().clone()
    }

    /// How many connections were taken.
    pub fn connections(&self) -> usize {
        self.shared.connections.load(Ordering::SeqCst)
    }

    /// How many of them are open now, as far as this side has seen.
    pub fn open(&self) -> usize {
        self.shared.open.load(Ordering::SeqCst)
    }

    /// How many bytes of answers were taken from it, by the other side or by the two sockets between.
    pub fn written(&self) -> usize {
        self.shared.written.load(Ordering::SeqCst)
    }

    /// The kernel completes handshakes up to the length of the queue: with 0, one or two more.
    fn fill_queue(&self) {
        for _ in 0..4 {
            if let Ok(stream) = TcpStream::connect_timeout(&self.address, Duration::from_millis(100)) {
                self.shared.waiting.lock().unwrap_or_else(PoisonError::into_inner).push(stream);
            }
        }
    }
}

impl Drop for Peer {
    fn drop(&mut self) {
        self.shared.ended.store(true, Ordering::SeqCst);
        // Lets the listener go.
        let _ = TcpStream::connect_timeout(&self.address, Duration::from_millis(100));
    }
}

impl Shared {
    fn seen(&self) -> MutexGuard<'_, Vec<Asked>> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn has_ended(&self) -> bool {
        self.ended.load(Ordering::SeqCst)
    }
}

fn serve(listener: &TcpListener, shared: &Arc<Shared>) {
    if shared.manner == Manner::NeverAccepts {
        let _ = rustix::net::listen(listener, 0);
        while !shared.has_ended() {
            std::thread::sleep(Duration::from_millis(20));
        }
        return;
    }
    for stream in listener.incoming() {
        if shared.has_ended() {
            return;
        }
        let Ok(stream) = stream else { continue };
        shared.connections.fetch_add(1, Ordering::SeqCst);
        shared.open.fetch_add(1, Ordering::SeqCst);
        let shared = shared.clone();
        std::thread::spawn(move || {
            // A client that leaves is no failure of the peer's.
            let _ = connection(stream, &shared);
            shared.open.fetch_sub(1, Ordering::SeqCst);
        });
    }
}

fn connection(mut stream: TcpStream, shared: &Shared) -> io::Result<()> {
    // So that a thread sees that the peer was dropped.
    stream.set_read_timeout(Some(Duration::from_millis(100)))?;
    match (shared.manner, &shared.tls) {
        (Manner::Usual, None) => conversation(stream, shared),
        (Manner::Usual, Some(tls)) => {
            let tls = ServerConnection::new(tls.clone()).map_err(io::Error::other)?;
            conversation(StreamOwned::new(tls, stream), shared)
        }
        (Manner::Closes, _) => stream.read(&mut [0; 512]).map(drop),
        (Manner::HalfHandshake(bytes), Some(tls)) => {
            half_handshake(&mut stream, tls, bytes)?;
            silence(&mut stream, shared)
        }
        _ => silence(&mut stream, shared),
    }
}

/// Requests and answers until somebody closes.
fn conversation(mut stream: impl Read + Write, shared: &Shared) -> io::Result<()> {
    let mut buffer = Vec::new();
    loop {
        let asked = match http::read_request(&mut stream, &mut buffer, &|| shared.has_ended()) {
            Ok(Some(asked)) => asked,
            Ok(None) => return Ok(()),
            Err(error) if error.kind() == io::ErrorKind::InvalidData => {
                return stream.write_all(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n");
            }
            Err(error) => return Err(error),
        };
        shared.seen().push(asked.clone());
        let say = |stream: &mut dyn Write, bytes: &[u8]| {
            shared.written.fetch_add(bytes.len(), Ordering::SeqCst);
            stream.write_all(bytes)
        };
        for act in (shared.script)(&asked) {
            match act {
                Act::Say(bytes) => say(&mut stream, &bytes)?,
                Act::Repeat(bytes, times) => (0..times).try_for_each(|_| say(&mut stream, &bytes))?,
                Act::Pause(time) => {
                    stream.flush()?;
                    std::thread::sleep(time);
                }
                Act::Hang => {
                    stream.flush()?;
                    return silence(&mut stream, shared);
                }
                Act::Close => return stream.flush(),
            }
        }
        stream.flush()?;
    }
}

/// Holds the connection open until the other side closes it or the peer ends.
fn silence(stream: &mut impl Read, shared: &Shared) -> io::Result<()> {
    let mut ignored = [0; 4096];
    loop {
        match stream.read(&mut ignored) {
            Ok(0) => return Ok(()),
            Err(error) if !http::is_timeout(&error) => return Err(error),
            _ if shared.has_ended() => return Ok(()),
            _ => {}
        }
    }
}

fn half_handshake(stream: &mut TcpStream, tls: &Arc<ServerConfig>, bytes: usize) -> io::Result<()> {
    let mut tls = ServerConnection::new(tls.clone()).map_err(io::Error::other)?;
    while !tls.wants_write() {
        match tls.read_tls(stream) {
            Err(error) if !http::is_timeout(&error) => return Err(error),
            _ => tls.process_new_packets().map_err(io::Error::other)?,
        };
    }
    let mut flight = Vec::new();
    while tls.wants_write() {
        tls.write_tls(&mut flight)?;
    }
    stream.write_all(&flight[..bytes.min(flight.len())])
}
