//! A server that agrees to tunnels, and what it reads and says in them.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use aws_lc_rs::digest;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use tidegate_kube::request::Method;
use tidegate_transport::{Error, Transport, Tunnel};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;
use tokio::time::timeout;

use crate::peer::{Act, Seen, raw};
use crate::setup::{request, to_url};

pub(crate) const PROTOCOLS: &[&str] = &["v5.channel.k8s.io", "v4.channel.k8s.io"];
pub(crate) const PATH: &str = "/api/v1/namespaces/n/pods/p/exec?command=sh";

pub(crate) async fn open(transport: &Arc<dyn Transport>) -> Result<Tunnel, Error> {
    transport.clone().tunnel(request(Method::Get, PATH), PROTOCOLS).await
}

/// The head with which a server agrees.
pub(crate) fn agreed(key: &str) -> String {
    let mut sha = digest::Context::new(&digest::SHA1_FOR_LEGACY_USE_ONLY);
    sha.update(key.as_bytes());
    sha.update(b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11");
    format!(
        "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
         Sec-WebSocket-Accept: {}\r\nSec-WebSocket-Protocol: v5.channel.k8s.io\r\n\r\n",
        STANDARD.encode(sha.finish())
    )
}

/// Agrees and then does this.
pub(crate) fn agrees(seen: &Seen, then: Vec<Act>) -> Vec<Act> {
    let key = seen.header("sec-websocket-key").expect("a key");
    [vec![raw(&agreed(key))], then].concat()
}

/// A frame as a server writes it.
pub(crate) fn frame(first: u8, payload: &[u8]) -> Vec<u8> {
    let mut bytes = vec![first];
    match payload.len() {
        length @ 0..126 => bytes.push(length as u8),
        length @ 126..=0xffff => {
            bytes.push(126);
            bytes.extend((length as u16).to_be_bytes());
        }
        length => {
            bytes.push(127);
            bytes.extend((length as u64).to_be_bytes());
        }
    }
    bytes.extend_from_slice(payload);
    bytes
}

pub(crate) fn says(bytes: &[u8]) -> Act {
    Act::Send(frame(0x82, bytes))
}

/// All that comes, as text with the channel before it, and the end.
pub(crate) async fn all(tunnel: &Tunnel) -> (Vec<String>, Result<(), Error>) {
    let mut pieces = Vec::new();
    loop {
        match timeout(Duration::from_secs(20), tunnel.next()).await.expect("an end in time") {
            Ok(Some(piece)) => {
                pieces.push(format!("{} {}", piece.channel, String::from_utf8_lossy(&piece.bytes)));
            }
            Ok(None) => return (pieces, Ok(())),
            Err(error) => return (pieces, Err(error)),
        }
    }
}

/// A server that agrees, and hands the stream to a test.
pub(crate) async fn streams() -> (SocketAddr, mpsc::Receiver<TcpStream>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("bind");
    let address = listener.local_addr().expect("an address");
    let (sender, receiver) = mpsc::channel(1);
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let sender = sender.clone();
            tokio::spawn(async move {
                while let Some(head) = head(&mut stream).await {
                    let key = head.lines().find_map(|line| line.strip_prefix("sec-websocket-key: "));
                    let Some(key) = key else {
                        let body = r#"{"kind":"APIVersions"}"#;
                        let length = body.len();
                        let answer = format!("HTTP/1.1 200 OK\r\nContent-Length: {length}\r\n\r\n{body}");
                        stream.write_all(answer.as_bytes()).await.expect("write");
                        continue;
                    };
                    stream.write_all(agreed(key.trim()).as_bytes()).await.expect("write");
                    return sender.send(stream).await.expect("a test that waits");
                }
            });
        }
    });
    (address, receiver)
}

/// A head, byte by byte, so that nothing after it is taken.
pub(crate) async fn head(stream: &mut TcpStream) -> Option<String> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(stream.read_u8().await.ok()?);
    }
    String::from_utf8(head).ok()
}

pub(crate) async fn tunnel_and_stream() -> (Tunnel, TcpStream) {
    let (address, mut streams) = streams().await;
    let transport = to_url(&format!("http://{address}")).await;
    let tunnel = open(&transport).await.expect("a tunnel");
    (tunnel, streams.recv().await.expect("a stream"))
}

/// What a client sent: the first byte of the frame, and its payload.
pub(crate) async fn read_frame(stream: &mut TcpStream) -> Option<(u8, Vec<u8>)> {
    let first = stream.read_u8().await.ok()?;
    let length = match stream.read_u8().await.ok()? {
        254 => u64::from(stream.read_u16().await.ok()?),
        255 => stream.read_u64().await.ok()?,
        length => u64::from(length.checked_sub(128).expect("a mask")),
    };
    let mut mask = [0; 4];
    stream.read_exact(&mut mask).await.ok()?;
    let mut payload = vec![0; usize::try_from(length).expect("a length")];
    stream.read_exact(&mut payload).await.ok()?;
    payload.iter_mut().zip(mask.iter().cycle()).for_each(|(byte, mask)| *byte ^= mask);
    Some((first, payload))
}

/// The first frame of what a client sent, and how long it is; none while it is not whole.
pub(crate) fn unmasked(bytes: &[u8]) -> Option<(Vec<u8>, usize)> {
    let (length, head) = match bytes.get(1)? & 0x7f {
        126 => (usize::from(u16::from_be_bytes([*bytes.get(2)?, *bytes.get(3)?])), 4),
        127 => (usize::try_from(u64::from_be_bytes(bytes.get(2..10)?.try_into().ok()?)).ok()?, 10),
        length => (usize::from(length), 2),
    };
    let end = head + 4 + length;
    let (mask, payload) = bytes.get(head..end)?.split_at(4);
    Some((payload.iter().zip(mask.iter().cycle()).map(|(byte, mask)| byte ^ mask).collect(), end))
}
