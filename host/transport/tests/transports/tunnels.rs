//! Tunnels: agreed on or not, both ways at once, held back, cut, kept alive, ended.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::Poll;
use std::time::Duration;

use aws_lc_rs::digest;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use tidegate_kube::request::Method;
use tidegate_transport::{Choice, Code, Error, Transport, Tunnel, connect};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;
use tokio::time::timeout;

use crate::peer::{Act, Peer, Seen, json, kubernetes, raw, reply};
use crate::pki::Authority;
use crate::setup::{Heard, authority, by_document, kubeconfig, options, request, to, to_url};

const PROTOCOLS: &[&str] = &["v5.channel.k8s.io", "v4.channel.k8s.io"];
const PATH: &str = "/api/v1/namespaces/n/pods/p/exec?command=sh";

async fn open(transport: &Arc<dyn Transport>) -> Result<Tunnel, Error> {
    transport.clone().tunnel(request(Method::Get, PATH), PROTOCOLS).await
}

/// The head with which a server agrees.
fn agreed(key: &str) -> String {
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
fn agrees(seen: &Seen, then: Vec<Act>) -> Vec<Act> {
    let key = seen.header("sec-websocket-key").expect("a key");
    [vec![raw(&agreed(key))], then].concat()
}

/// A frame as a server writes it.
fn frame(first: u8, payload: &[u8]) -> Vec<u8> {
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

fn says(bytes: &[u8]) -> Act {
    Act::Send(frame(0x82, bytes))
}

/// All that comes, as text with the channel before it, and the end.
async fn all(tunnel: &Tunnel) -> (Vec<String>, Result<(), Error>) {
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

#[tokio::test]
async fn what_is_asked_for_is_a_websocket_over_http_1() {
    let ca = Authority::new("one");
    let peer = Peer::tls(ca.issue(&["127.0.0.1"]).server(), |seen| match seen.line().contains("/api ") {
        true => json(r#"{"kind":"APIVersions"}"#),
        false => agrees(seen, vec![says(b"\x01hello"), Act::Send(frame(0x88, b"\x03\xe8"))]),
    })
    .await;
    let pem = STANDARD.encode(&ca.pem);
    let cluster = format!("server: 'https://{}/k8s/global', certificate-authority-data: {pem}", peer.address);
    let document = kubeconfig(&cluster, "token: hunter2, as: jane, as-groups: [a, b]");
    let transport = by_document(&document).await.expect("connect");
    let tunnel = open(&transport).await.expect("a tunnel");
    assert_eq!(tunnel.protocol(), "v5.channel.k8s.io");
    let (pieces, end) = all(&tunnel).await;
    assert_eq!(pieces, ["1 hello"]);
    end.expect("a regular end");
    let seen = peer.seen().pop().expect("a request");
    let mut lines: Vec<&str> = seen.head.trim_end().lines().collect();
    lines[1..].sort();
    lines.retain(|line| !line.starts_with("sec-websocket-key: "));
    assert_eq!(
        lines,
        [
            format!("GET /k8s/global{PATH} HTTP/1.1").as_str(),
            "accept-encoding: gzip",
            "accept: application/json",
            "authorization: Bearer hunter2",
            "connection: Upgrade",
            &format!("host: {}", peer.address),
            "impersonate-group: a",
            "impersonate-group: b",
            "impersonate-user: jane",
            "sec-websocket-protocol: v5.channel.k8s.io, v4.channel.k8s.io",
            "sec-websocket-version: 13",
            "upgrade: websocket",
            "user-agent: tidegate/test (guest)",
        ]
    );
}

#[tokio::test]
async fn a_server_that_does_not_agree_says_why() {
    type Script = fn(&Seen) -> Vec<Act>;
    let cases: [(Script, Code, &str); 9] = [
        (
            |_| {
                reply(
                    "403 Forbidden",
                    "application/json",
                    r#"{"kind":"Status","reason":"Forbidden","message":"no exec for you","code":403}"#,
                )
            },
            Code::Status,
            "no exec for you (403 Forbidden)",
        ),
        (|_| reply("404 Not Found", "text/plain", "no such page"), Code::Status, "no such page"),
        (|_| json("{}"), Code::Protocol, "answered 200, and did not open a tunnel"),
        (
            |_| vec![raw("HTTP/1.1 302 Found\r\nLocation: https://login/\r\nContent-Length: 0\r\n\r\n")],
            Code::Redirect,
            "never followed",
        ),
        (
            |_| {
                vec![
                    raw(
                        "HTTP/1.1 101 Switching Protocols\r\nUpgrade: SPDY/3.1\r\nConnection: Upgrade\r\n\r\n",
                    ),
                    Act::Stall,
                ]
            },
            Code::Protocol,
            "another protocol than WebSocket",
        ),
        (|_| vec![raw(&agreed("another key")), Act::Stall], Code::Protocol, "not for our request"),
        (|_| vec![Act::Close], Code::Unreachable, "closed the connection before it answered"),
        (|_| vec![raw("SSH-2.0-x\r\n\r\n"), Act::Close], Code::Protocol, "does not answer in HTTP/1.1"),
        (|_| vec![Act::Stall], Code::Timeout, "did not open a tunnel within the request's deadline"),
    ];
    for (script, code, words) in cases {
        let peer = Peer::plain(kubernetes(script)).await;
        let transport = to(&peer).await;
        let mut asked = request(Method::Get, PATH);
        asked.deadline = Duration::from_secs(1);
        let error = transport.tunnel(asked, PROTOCOLS).await.expect_err(words);
        assert_eq!(error.code(), code, "{error:?}");
        assert!(error.to_string().contains(words), "{error}");
    }
}

#[tokio::test]
async fn what_makes_no_sense_is_never_asked() {
    let peer = Peer::plain(kubernetes(|_| json("{}"))).await;
    let transport = to(&peer).await;
    for (method, path) in [(Method::Post, PATH), (Method::Get, "/a/../b"), (Method::Get, "x")] {
        let error = transport.clone().tunnel(request(method, path), PROTOCOLS).await.expect_err(path);
        assert_eq!(error.code(), Code::InvalidRequest);
    }
    assert_eq!(peer.lines(), Vec::<String>::new());
}

#[tokio::test]
async fn a_credential_that_was_replaced_is_tried_once() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("token");
    std::fs::write(&file, "old").expect("write");
    let ca = Authority::new("one");
    let own = file.clone();
    let peer = Peer::tls(
        ca.issue(&["127.0.0.1"]).server(),
        kubernetes(move |seen| match seen.header("authorization") {
            Some("Bearer new") => agrees(seen, vec![Act::Send(frame(0x88, b""))]),
            _ => {
                std::fs::write(&own, "new").expect("write");
                reply("401 Unauthorized", "application/json", r#"{"kind":"Status","reason":"Unauthorized"}"#)
            }
        }),
    )
    .await;
    let cluster = format!(
        "server: 'https://{}', certificate-authority-data: {}",
        peer.address,
        STANDARD.encode(&ca.pem)
    );
    let config = folder.path().join("config");
    std::fs::write(&config, kubeconfig(&cluster, &format!("tokenFile: '{}'", file.display())))
        .expect("write");
    let granted = authority(&[("net", ""), ("read", folder.path().to_str().expect("text"))], &[]);
    let choice = Choice::ReadKubeConfig { path: Some(config), context: None };
    let mut options = options();
    let heard = Arc::new(Heard::default());
    options.observer = heard.clone();
    let transport = connect(&granted, &options, choice).await.expect("connect");
    open(&transport).await.expect("a tunnel");
    assert_eq!(peer.lines().len(), 2);
    assert_eq!(heard.lines().pop(), Some(format!("GET {PATH} 101")));
}

#[tokio::test]
async fn every_end_but_the_regular_one_is_an_error() {
    let cut = |bytes: &'static [u8]| Act::Send(bytes.to_vec());
    for (acts, pieces, expected) in [
        (vec![says(b"\x01a"), Act::Send(frame(0x88, b"\x03\xe8")), Act::Stall], &["1 a"][..], None),
        (vec![says(b"\x01a"), Act::Send(frame(0x88, b"")), Act::Close], &["1 a"], None),
        (vec![says(b"\x01"), says(b""), Act::Send(frame(0x88, b""))], &["1 "], None),
        (
            vec![says(b"\x01a"), Act::Send(frame(0x88, b"\x03\xf3boom")), Act::Close],
            &["1 a"],
            Some((Code::Protocol, "the server broke the tunnel off: 1011 boom")),
        ),
        (
            vec![says(b"\x01a"), Act::Close],
            &["1 a"],
            Some((Code::Protocol, "the tunnel was cut after 4 bytes")),
        ),
        (
            vec![cut(b"\x82\x09\x01abc"), Act::Close],
            &["1 abc"],
            Some((Code::Protocol, "was cut after 6 bytes")),
        ),
        (vec![cut(b"\x82"), Act::Close], &[], Some((Code::Protocol, "was cut after 1 bytes"))),
        (vec![Act::Close], &[], Some((Code::Protocol, "was cut after 0 bytes"))),
        (
            vec![says(b"\x01a"), cut(b"HTTP/1.1 200 OK\r\n\r\n"), Act::Stall],
            &["1 a"],
            Some((Code::Protocol, "does not speak WebSocket")),
        ),
        (vec![cut(b"\x82\xff\xff\xff"), Act::Stall], &[], Some((Code::Protocol, "does not speak WebSocket"))),
    ] {
        let script = acts.clone();
        let peer = Peer::plain(kubernetes(move |seen| agrees(seen, script.clone()))).await;
        let tunnel = open(&to(&peer).await).await.expect("a tunnel");
        let (came, end) = all(&tunnel).await;
        assert_eq!(came, pieces, "{acts:?}");
        match (end, expected) {
            (Ok(()), None) => {
                let mut bytes = Bytes::from_static(b"x");
                assert_eq!(tunnel.try_send(0, &mut bytes).expect_err("closed").code(), Code::Closed);
            }
            (Err(error), Some((code, words))) => {
                assert_eq!(error.code(), code, "{acts:?}");
                assert!(error.to_string().contains(words), "{error}");
                // For ever after.
                assert_eq!(tunnel.next().await.expect_err("again").to_string(), error.to_string());
                assert!(tunnel.send(0, Bytes::from_static(b"x")).await.is_err());
            }
            (end, _) => panic!("{acts:?}: {end:?}"),
        }
    }
}

/// A server that agrees, and hands the stream to a test.
async fn streams() -> (SocketAddr, mpsc::Receiver<TcpStream>) {
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
async fn head(stream: &mut TcpStream) -> Option<String> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(stream.read_u8().await.ok()?);
    }
    String::from_utf8(head).ok()
}

async fn tunnel_and_stream() -> (Tunnel, TcpStream) {
    let (address, mut streams) = streams().await;
    let transport = to_url(&format!("http://{address}")).await;
    let tunnel = open(&transport).await.expect("a tunnel");
    (tunnel, streams.recv().await.expect("a stream"))
}

/// What a client sent: the first byte of the frame, and its payload.
async fn read_frame(stream: &mut TcpStream) -> Option<(u8, Vec<u8>)> {
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

#[tokio::test]
async fn a_hundred_megabytes_both_ways_at_once() {
    const TOTAL: usize = 100 << 20;
    let (tunnel, stream) = tunnel_and_stream().await;
    let (mut from, mut to) = stream.into_split();
    // Echoes by frames, through a buffer: it writes while it reads, as cat does.
    let (sender, mut echoed) = mpsc::channel::<Vec<u8>>(4);
    tokio::spawn(async move {
        let mut pending = Vec::new();
        let mut buffer = vec![0; 128 << 10];
        'connection: loop {
            while let Some((payload, used)) = unmasked(&pending) {
                pending.drain(..used);
                if sender.send(payload).await.is_err() {
                    break 'connection;
                }
            }
            match from.read(&mut buffer).await {
                Ok(read) if read > 0 => pending.extend_from_slice(&buffer[..read]),
                _ => break,
            }
        }
    });
    tokio::spawn(async move {
        while let Some(mut payload) = echoed.recv().await {
            payload[0] += 1;
            to.write_all(&frame(0x82, &payload)).await.expect("write");
        }
    });
    let tunnel = Arc::new(tunnel);
    let writer = tunnel.clone();
    let piece: Bytes =
        (0..250_000u32).map(|i| (i.wrapping_mul(2_654_435_761) >> 24) as u8).collect::<Vec<_>>().into();
    let sent = piece.clone();
    let writing = tokio::spawn(async move {
        let mut left = TOTAL;
        while left > 0 {
            let some = sent.slice(..sent.len().min(left));
            left -= some.len();
            writer.send(0, some).await.expect("send");
        }
    });
    let mut received = 0;
    while received < TOTAL {
        let piece_received = tunnel.next().await.expect("no error").expect("no end");
        assert_eq!(piece_received.channel, 1);
        for byte in piece_received.bytes {
            assert!(byte == piece[received % piece.len()], "byte {received}");
            received += 1;
        }
    }
    writing.await.expect("all is sent");
    assert_eq!(received, TOTAL);
}

/// The first frame of what a client sent, and how long it is; none while it is not whole.
fn unmasked(bytes: &[u8]) -> Option<(Vec<u8>, usize)> {
    let (length, head) = match bytes.get(1)? & 0x7f {
        126 => (usize::from(u16::from_be_bytes([*bytes.get(2)?, *bytes.get(3)?])), 4),
        127 => (usize::try_from(u64::from_be_bytes(bytes.get(2..10)?.try_into().ok()?)).ok()?, 10),
        length => (usize::from(length), 2),
    };
    let end = head + 4 + length;
    let (mask, payload) = bytes.get(head..end)?.split_at(4);
    Some((payload.iter().zip(mask.iter().cycle()).map(|(byte, mask)| byte ^ mask).collect(), end))
}

#[tokio::test]
async fn who_does_not_read_holds_the_other_back() {
    let (tunnel, mut stream) = tunnel_and_stream().await;
    // The server sends until nobody takes more.
    let written = Arc::new(AtomicUsize::new(0));
    let count = written.clone();
    let (mut from, mut to) = stream.split();
    let message = frame(0x82, &[1; 60_000]);
    let flood = async {
        while count.load(Ordering::SeqCst) < 64 << 20 {
            to.write_all(&message).await.expect("write");
            count.fetch_add(message.len(), Ordering::SeqCst);
        }
    };
    assert!(timeout(Duration::from_secs(2), flood).await.is_err(), "64 MiB were read ahead");
    // And the client, while the server reads nothing.
    let mut taken = 0;
    let full = async {
        loop {
            let mut bytes = Bytes::from(vec![7; 1 << 20]);
            tunnel.try_send(0, &mut bytes).expect("send");
            taken += (1 << 20) - bytes.len();
            tunnel.writable().await;
        }
    };
    assert!(timeout(Duration::from_secs(2), full).await.is_err(), "taken without an end");
    // Twice 256 KiB besides what the sockets hold.
    assert!(taken < 16 << 20, "{taken}");
    // Both go on once somebody reads.
    let drain = tokio::spawn({
        let tunnel = Arc::new(tunnel);
        let reader = tunnel.clone();
        async move {
            let mut read = 0;
            while let Ok(Ok(Some(piece))) = timeout(Duration::from_secs(2), reader.next()).await {
                read += piece.bytes.len();
            }
            (tunnel, read)
        }
    });
    let mut seen = 0;
    let mut buffer = vec![0; 1 << 16];
    while let Ok(Ok(read)) = timeout(Duration::from_secs(2), from.read(&mut buffer)).await {
        seen += read;
        if read == 0 {
            break;
        }
    }
    assert!(seen >= taken, "{seen} of {taken}");
    let (_tunnel, read) = drain.await.expect("drained");
    assert!(read >= written.load(Ordering::SeqCst) / 60_010 * 60_000 - 60_000, "{read}");
}

#[tokio::test]
async fn pings_are_answered_while_nobody_reads() {
    let (tunnel, mut stream) = tunnel_and_stream().await;
    for n in 0..3u8 {
        stream.write_all(&frame(0x82, b"\x01data")).await.expect("write");
        stream.write_all(&frame(0x89, &[n; 100])).await.expect("write");
        assert_eq!(read_frame(&mut stream).await, Some((0x8a, vec![n; 100])));
    }
    assert!(matches!(tunnel.try_next(), Poll::Ready(Ok(Some(_)))));
}

#[tokio::test]
async fn an_end_by_agreement_loses_nothing() {
    let (tunnel, mut stream) = tunnel_and_stream().await;
    let mut bytes = Bytes::from(vec![5; 200_000]);
    tunnel.try_send(0, &mut bytes).expect("send");
    assert!(bytes.is_empty());
    let finished = tokio::spawn(async move { tunnel.finish(Duration::from_secs(10)).await });
    let mut read = 0;
    loop {
        // What is on its way to somebody who wants no more harms nobody.
        stream.write_all(&frame(0x82, b"\x01late")).await.expect("write");
        match read_frame(&mut stream).await.expect("a frame") {
            (0x82, payload) => read += payload.len() - 1,
            (0x88, payload) => {
                assert_eq!(payload, [3, 232]);
                break;
            }
            other => panic!("{other:?}"),
        }
    }
    assert_eq!(read, 200_000);
    assert!(!finished.is_finished());
    stream.write_all(&frame(0x88, b"\x03\xe8")).await.expect("write");
    timeout(Duration::from_secs(5), finished).await.expect("in time").expect("finished");
    assert_eq!(stream.read(&mut [0]).await.ok(), Some(0));
}

#[tokio::test]
async fn a_tunnel_that_is_dropped_is_closed() {
    let (tunnel, mut stream) = tunnel_and_stream().await;
    stream.write_all(&frame(0x82, b"\x01unread")).await.expect("write");
    tunnel.readable().await;
    drop(tunnel);
    let closed = async { while stream.read(&mut [0; 64]).await.is_ok_and(|read| read > 0) {} };
    timeout(Duration::from_secs(5), closed).await.expect("closed");
}

#[tokio::test(start_paused = true)]
async fn a_server_that_says_nothing_is_asked_and_then_given_up() {
    let (tunnel, mut stream) = tunnel_and_stream().await;
    let reading = tokio::spawn(async move {
        let mut pings = Vec::new();
        while let Some((kind, payload)) = read_frame(&mut stream).await {
            pings.push((kind, payload.clone()));
            if pings.len() <= 3 {
                stream.write_all(&frame(0x8a, &payload)).await.expect("write");
            }
        }
        pings
    });
    let begun = tokio::time::Instant::now();
    let error = tunnel.next().await.expect_err("given up");
    assert_eq!(error.code(), Code::Timeout, "{error:?}");
    // Three answers, each after 20 s, and then 45 s of silence.
    assert!(begun.elapsed() >= Duration::from_secs(100), "{:?}", begun.elapsed());
    drop(tunnel);
    let pings = reading.await.expect("read");
    assert_eq!(pings.len(), 4);
    assert!(pings.iter().all(|(kind, _)| *kind == 0x89));
}
