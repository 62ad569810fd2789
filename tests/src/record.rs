use std::io::{self, Read, Write};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use rustls::server::Acceptor;
use rustls::{ServerConnection, StreamOwned};

use crate::http::{self, Asked};

mod answers;
mod keys;
mod proxies;

pub use keys::Keys;
pub use proxies::Via;

/// An API server that writes down how it was reached, with an HTTP, an HTTPS and a SOCKS5 proxy before it. Ended when this is dropped.
///
/// It answers what `kubectl get pods` and a guest ask: `/api`, `/apis`, `/api/v1`, `/version`, lists of namespaces and pods (as tables where
/// that is asked for), under any path prefix. Whoever sends `Bearer hush-refused` gets 401. It asks for a client certificate and takes any.
#[derive(Debug)]
pub struct Recorder {
    doors: Vec<(Door, SocketAddr)>,
    shared: Arc<Shared>,
}

/// Where a recorder listens, each on a port of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Door {
    /// HTTPS on 127.0.0.1.
    Tls,
    /// HTTPS on `[::1]`.
    Tls6,
    /// HTTPS on 127.0.0.1, with a certificate that is its own authority.
    Given,
    /// Plain HTTP on 127.0.0.1.
    Plain,
    /// A proxy that takes `CONNECT` and absolute targets.
    HttpProxy,
    /// The same, itself behind TLS.
    HttpsProxy,
    /// A SOCKS5 proxy.
    Socks5,
    /// An HTTP proxy that refuses everybody with 407.
    ProxyThatRefuses,
}

/// One request, and how it came.
#[derive(Clone, Debug)]
pub struct Record {
    /// Where it came in.
    pub door: Door,
    /// The request. Its target is in origin form, also where it came through a proxy in absolute form.
    pub asked: Asked,
    /// The client's certificate, by the name of its file in [`Keys`].
    pub certificate: Option<String>,
    /// The server's name as the client gave it in its handshake.
    pub sni: Option<String>,
    /// The protocols that the client offered in its handshake, in order.
    pub protocols: Vec<String>,
    /// The proxy that it came through.
    pub via: Option<Via>,
}

#[derive(Debug, Default)]
struct Shared {
    records: Mutex<Vec<Record>>,
    /// Connections that a proxy of ours made, by their own address.
    tunnels: Mutex<Vec<(SocketAddr, Via)>>,
    /// Connections to a proxy.
    proxied: AtomicUsize,
    connections: AtomicUsize,
    ended: AtomicBool,
}

const DOORS: [Door; 8] = [
    Door::Tls,
    Door::Tls6,
    Door::Given,
    Door::Plain,
    Door::HttpProxy,
    Door::HttpsProxy,
    Door::Socks5,
    Door::ProxyThatRefuses,
];

impl Recorder {
    /// Starts one on free ports of the loopback.
    ///
    /// # Panics
    /// Where it cannot listen.
    #[expect(clippy::expect_used, reason = "a test without its server fails")]
    pub fn start() -> Recorder {
        let shared = Arc::new(Shared::default());
        let mut doors = Vec::new();
        for door in DOORS {
            let address: IpAddr =
                if door == Door::Tls6 { Ipv6Addr::LOCALHOST.into() } else { Ipv4Addr::LOCALHOST.into() };
            let listener = TcpListener::bind((address, 0)).expect("listen");
            doors.push((door, listener.local_addr().expect("an address")));
            let shared = shared.clone();
            std::thread::spawn(move || serve(door, &listener, &shared));
        }
        Recorder { doors, shared }
    }

    /// Where it listens for this.
    ///
    /// # Panics
    /// Never: every door is open.
    #[expect(clippy::expect_used, reason = "all are opened on start")]
    pub fn address(&self, door: Door) -> SocketAddr {
        self.doors.iter().find(|(own, _)| *own == door).expect("a door").1
    }

    /// Every request so far, in order.
    pub fn records(&self) -> Vec<Record> {
        self.shared.records().clone()
    }

    /// Whether a proxy was connected to, and led nowhere.
    pub fn proxied(&self) -> bool {
        self.shared.proxied.load(Ordering::SeqCst) > 0 && self.shared.tunnels().is_empty()
    }

    /// How many connections were taken at any door.
    pub fn connections(&self) -> usize {
        self.shared.connections.load(Ordering::SeqCst)
    }
}

impl Drop for Recorder {
    fn drop(&mut self) {
        self.shared.ended.store(true, Ordering::SeqCst);
        for (_, address) in &self.doors {
            // Lets the listener go.
            let _ = TcpStream::connect_timeout(address, Duration::from_millis(100));
        }
    }
}

impl Shared {
    fn records(&self) -> MutexGuard<'_, Vec<Record>> {
        self.records.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn tunnels(&self) -> MutexGuard<'_, Vec<(SocketAddr, Via)>> {
        self.tunnels.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn has_ended(&self) -> bool {
        self.ended.load(Ordering::SeqCst)
    }
}

fn serve(door: Door, listener: &TcpListener, shared: &Arc<Shared>) {
    for stream in listener.incoming() {
        if shared.has_ended() {
            return;
        }
        let Ok(stream) = stream else { continue };
        shared.connections.fetch_add(1, Ordering::SeqCst);
        if matches!(door, Door::HttpProxy | Door::HttpsProxy | Door::Socks5 | Door::ProxyThatRefuses) {
            shared.proxied.fetch_add(1, Ordering::SeqCst);
        }
        let shared = shared.clone();
        // A client that leaves is no failure of ours.
        std::thread::spawn(move || drop(connection(door, stream, &shared)));
    }
}

fn connection(door: Door, stream: TcpStream, shared: &Shared) -> io::Result<()> {
    // So that a thread sees that the recorder was dropped.
    stream.set_read_timeout(Some(Duration::from_millis(100)))?;
    stream.set_nodelay(true)?;
    let via = stream
        .peer_addr()
        .ok()
        .and_then(|peer| shared.tunnels().iter().find(|(own, _)| *own == peer).map(|(_, via)| via.clone()));
    match door {
        Door::HttpProxy => proxies::http(stream, "http", shared),
        Door::ProxyThatRefuses => proxies::refuse(stream, shared),
        Door::Socks5 => proxies::socks5(stream, shared),
        Door::HttpsProxy => {
            let (tls, _) = handshake(door, stream, shared)?;
            proxies::http(tls, "https", shared)
        }
        Door::Plain => conversation(stream, Seen { door, via, ..Seen::of(door) }, shared),
        Door::Tls | Door::Tls6 | Door::Given => {
            let (tls, seen) = handshake(door, stream, shared)?;
            conversation(tls, Seen { via, ..seen }, shared)
        }
    }
}

/// What a connection shows of itself before its first request.
#[derive(Clone)]
struct Seen {
    door: Door,
    certificate: Option<String>,
    sni: Option<String>,
    protocols: Vec<String>,
    via: Option<Via>,
}

impl Seen {
    fn of(door: Door) -> Seen {
        Seen { door, certificate: None, sni: None, protocols: Vec::new(), via: None }
    }
}

type TlsStream = StreamOwned<ServerConnection, TcpStream>;

fn handshake(door: Door, mut stream: TcpStream, shared: &Shared) -> io::Result<(TlsStream, Seen)> {
    let mut acceptor = Acceptor::default();
    let accepted = loop {
        match acceptor.read_tls(&mut stream) {
            Ok(0) => return Err(io::ErrorKind::UnexpectedEof.into()),
            Err(error) if !http::is_timeout(&error) => return Err(error),
            Err(_) if shared.has_ended() => return Err(io::ErrorKind::UnexpectedEof.into()),
            _ => {}
        }
        match acceptor.accept() {
            Ok(Some(accepted)) => break accepted,
            Ok(None) => {}
            Err((error, _)) => return Err(io::Error::other(error)),
        }
    };
    let hello = accepted.client_hello();
    let mut seen = Seen { sni: hello.server_name().map(str::to_owned), ..Seen::of(door) };
    let offered = hello.alpn().into_iter().flatten();
    seen.protocols = offered.map(|name| String::from_utf8_lossy(name).into_owned()).collect();
    let keys = Keys::shared();
    let tls = accepted.into_connection(keys.server(door)).map_err(|(error, _)| io::Error::other(error))?;
    let mut tls = StreamOwned::new(tls, stream);
    while tls.conn.is_handshaking() {
        match tls.conn.complete_io(&mut tls.sock) {
            Err(error) if !http::is_timeout(&error) => return Err(error),
            Err(_) if shared.has_ended() => return Err(io::ErrorKind::UnexpectedEof.into()),
            _ => {}
        }
    }
    let presented = tls.conn.peer_certificates().and_then(<[_]>::first);
    seen.certificate = presented.map(|certificate| keys.name_of(certificate));
    Ok((tls, seen))
}

/// Requests and answers until somebody closes.
fn conversation(mut stream: impl Read + Write, seen: Seen, shared: &Shared) -> io::Result<()> {
    let mut buffer = Vec::new();
    while let Some(mut asked) = http::read_request(&mut stream, &mut buffer, &|| shared.has_ended())? {
        if let Some((_, rest)) = asked.target.split_once("://") {
            asked.target = rest.find('/').map_or("/", |at| &rest[at..]).to_owned();
        }
        let answer = answers::answer(&asked);
        let Seen { door, certificate, sni, protocols, via } = seen.clone();
        shared.records().push(Record { door, asked, certificate, sni, protocols, via });
        stream.write_all(&answer)?;
        stream.flush()?;
    }
    Ok(())
}
