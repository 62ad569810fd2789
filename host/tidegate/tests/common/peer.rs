//! An HTTP/1.1 server that a test can read in one screen, so that every byte it sends is chosen.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

/// Listens on loopback until the runtime ends.
pub struct Peer {
    address: SocketAddr,
    open: Arc<AtomicUsize>,
}

impl Peer {
    pub async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let open = Arc::new(AtomicUsize::new(0));
        let shared = open.clone();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let open = shared.clone();
                tokio::spawn(async move {
                    open.fetch_add(1, Ordering::Relaxed);
                    serve(stream).await;
                    open.fetch_sub(1, Ordering::Relaxed);
                });
            }
        });
        Self { address, open }
    }

    /// How many connections are open.
    pub fn open(&self) -> usize {
        self.open.load(Ordering::Relaxed)
    }

    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    pub fn endpoint(&self) -> String {
        self.address.to_string()
    }
}

async fn serve(mut stream: TcpStream) -> Option<()> {
    let mut buffer = Vec::new();
    loop {
        let head = loop {
            if let Some(end) = buffer.windows(4).position(|window| window == b"\r\n\r\n") {
                break String::from_utf8(buffer.drain(..end + 4).collect()).ok()?;
            }
            read(&mut stream, &mut buffer).await?;
        };
        let path = head.split(' ').nth(1)?.to_owned();
        let body = request_body(&head, &mut stream, &mut buffer).await?;
        answer(&mut stream, &path, body).await?;
    }
}

async fn answer(stream: &mut TcpStream, path: &str, body: Vec<u8>) -> Option<()> {
    let added = "{\"type\":\"ADDED\",\"object\":{\"kind\":\"Pod\"}}\n";
    match path.split('?').next()? {
        "/api" => whole(stream, br#"{"kind":"APIVersions","versions":["v1"]}"#).await,
        "/slow" => {
            tokio::time::sleep(Duration::from_millis(200)).await;
            whole(stream, b"slow").await
        }
        "/never" => until_closed(stream).await,
        "/length" => whole(stream, body.len().to_string().as_bytes()).await,
        "/echo" => whole(stream, &body).await,
        "/lines" => chunks(stream, &["one\r\ntw", "o\n\nthr", "ee"]).await,
        "/many" => chunks(stream, &[&"line\n".repeat(600)]).await,
        "/half-then-close" => {
            write(stream, b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n8\r\nline\nhal\r\n").await?;
            None
        }
        "/json" => chunks(stream, &["{\"a\":1}\n{\"b\":", "2}\n\nnot json\n{}\n"]).await,
        "/events" => {
            let error = "{\"type\":\"ERROR\",\"object\":{\"code\":410}}\n";
            chunks(stream, &[added, &added[..20], &added[20..], error, added]).await
        }
        "/bookmarks" => chunks(stream, &[added, "{\"type\":\"NEWS\",\"object\":{}}\n", added]).await,
        "/long" => chunks(stream, &["short\n", &"x".repeat(17 << 20), "\n"]).await,
        "/bytes" => whole(stream, &vec![b'x'; 600 << 10]).await,
        "/endless" => endless(stream).await,
        _ => write(stream, b"HTTP/1.1 404 Not Found\r\ncontent-length: 3\r\n\r\nwho").await,
    }
}

async fn whole(stream: &mut TcpStream, body: &[u8]) -> Option<()> {
    let head = format!(
        "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n",
        body.len()
    );
    write(stream, &[head.as_bytes(), body].concat()).await
}

/// Pieces that arrive one after the other.
async fn chunks(stream: &mut TcpStream, chunks: &[&str]) -> Option<()> {
    write(stream, b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n").await?;
    for chunk in chunks {
        write(stream, format!("{:x}\r\n{chunk}\r\n", chunk.len()).as_bytes()).await?;
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    write(stream, b"0\r\n\r\n").await
}

async fn endless(stream: &mut TcpStream) -> Option<()> {
    write(stream, b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\nline\n\r\n").await?;
    until_closed(stream).await
}

async fn until_closed(stream: &mut TcpStream) -> Option<()> {
    while read(stream, &mut Vec::new()).await.is_some() {}
    None
}

async fn request_body(head: &str, stream: &mut TcpStream, buffer: &mut Vec<u8>) -> Option<Vec<u8>> {
    let head = head.to_ascii_lowercase();
    let value = |name: &str| head.split("\r\n").find_map(|line| line.strip_prefix(name)).map(str::trim);
    if let Some(length) = value("content-length:").and_then(|length| length.parse::<usize>().ok()) {
        while buffer.len() < length {
            read(stream, buffer).await?;
        }
        return Some(buffer.drain(..length).collect());
    }
    let mut body = Vec::new();
    while value("transfer-encoding:").is_some() {
        let end = loop {
            match buffer.windows(2).position(|window| window == b"\r\n") {
                Some(end) => break end,
                None => read(stream, buffer).await?,
            }
        };
        let size = usize::from_str_radix(std::str::from_utf8(&buffer[..end]).ok()?, 16).ok()?;
        while buffer.len() < end + 2 + size + 2 {
            read(stream, buffer).await?;
        }
        body.extend_from_slice(&buffer[end + 2..end + 2 + size]);
        buffer.drain(..end + 2 + size + 2);
        if size == 0 {
            break;
        }
    }
    Some(body)
}

async fn read(stream: &mut TcpStream, buffer: &mut Vec<u8>) -> Option<()> {
    (stream.read_buf(buffer).await.ok()? > 0).then_some(())
}

async fn write(stream: &mut TcpStream, bytes: &[u8]) -> Option<()> {
    stream.write_all(bytes).await.ok()
}
