//! An API server over plain HTTP that counts what it is asked.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU16, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

pub(crate) struct Peer {
    address: String,
    folder: tempfile::TempDir,
    counts: Arc<Counts>,
}

#[derive(Default)]
struct Counts {
    connections: AtomicUsize,
    asked: Mutex<BTreeMap<String, usize>>,
    code: AtomicU16,
}

impl Peer {
    /// Answers with 200 until told otherwise, for as long as the test's runtime lives.
    pub(crate) async fn start() -> Peer {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let counts = Arc::new(Counts { code: AtomicU16::new(200), ..Counts::default() });
        let folder = tempfile::tempdir().unwrap();
        let text = format!(
            "clusters: [{{name: c, cluster: {{server: 'http://{address}'}}}}]\n\
             contexts: [{{name: x, context: {{cluster: c, namespace: web}}}}]\ncurrent-context: x\n"
        );
        std::fs::write(folder.path().join("config"), text).unwrap();
        let shared = counts.clone();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                shared.connections.fetch_add(1, Ordering::SeqCst);
                tokio::spawn(serve(stream, shared.clone()));
            }
        });
        Peer { address, folder, counts }
    }

    pub(crate) fn address(&self) -> &str {
        &self.address
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    pub(crate) fn kubeconfig(&self) -> PathBuf {
        self.folder.path().join("config")
    }

    /// The code of every answer from now on.
    pub(crate) fn answer(&self, code: u16) {
        self.counts.code.store(code, Ordering::SeqCst);
    }

    /// How often a path was asked for.
    pub(crate) fn asked(&self, path: &str) -> usize {
        self.counts.asked.lock().unwrap().get(path).copied().unwrap_or_default()
    }

    /// How many connections were made.
    pub(crate) fn connections(&self) -> usize {
        self.counts.connections.load(Ordering::SeqCst)
    }
}

async fn serve(mut stream: TcpStream, counts: Arc<Counts>) {
    let mut read = Vec::new();
    loop {
        while let Some(end) = read.windows(4).position(|window| window == b"\r\n\r\n") {
            let head = String::from_utf8_lossy(&read[..end]).into_owned();
            read.drain(..end + 4);
            let path = head.split(' ').nth(1).unwrap_or_default().to_owned();
            let body = if path == "/api" { r#"{"kind":"APIVersions"}"# } else { r#"{"kind":"PodList"}"# };
            *counts.asked.lock().unwrap().entry(path).or_default() += 1;
            let code = counts.code.load(Ordering::SeqCst);
            let length = body.len();
            let answer = format!(
                "HTTP/1.1 {code} x\r\nContent-Type: application/json\r\nContent-Length: {length}\r\n\r\n{body}"
            );
            if stream.write_all(answer.as_bytes()).await.is_err() {
                return;
            }
        }
        if !matches!(stream.read_buf(&mut read).await, Ok(1..)) {
            return;
        }
    }
}
