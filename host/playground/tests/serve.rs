//! The server as a client meets it: TLS, the token, both protocols of HTTP that count here, streams.

use std::io;
use std::sync::Arc;

use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use tidegate_playground::Playground;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

/// An answer: code, headers as they came, body with the chunking undone.
struct Answer {
    code: u16,
    head: String,
    body: String,
}

async fn connect(playground: &Playground, name: &'static str) -> io::Result<TlsStream<TcpStream>> {
    let mut roots = RootCertStore::empty();
    let certificate =
        CertificateDer::from_pem_slice(playground.ca_pem().as_bytes()).map_err(io::Error::other)?;
    roots.add(certificate).map_err(io::Error::other)?;
    let config = ClientConfig::builder_with_provider(Arc::new(rustls::crypto::aws_lc_rs::default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(io::Error::other)?
        .with_root_certificates(roots)
        .with_no_client_auth();
    let stream = TcpStream::connect(playground.addr()).await?;
    TlsConnector::from(Arc::new(config))
        .connect(ServerName::try_from(name).map_err(io::Error::other)?, stream)
        .await
}

async fn send(
    playground: &Playground,
    method: &str,
    path: &str,
    headers: &str,
    body: &str,
) -> io::Result<Answer> {
    let mut stream = connect(playground, "127.0.0.1").await?;
    let length = body.len();
    let text = format!(
        "{method} {path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\ncontent-length: {length}\r\n{headers}\r\n"
    );
    stream.write_all(text.as_bytes()).await?;
    stream.write_all(body.as_bytes()).await?;
    let mut all = Vec::new();
    // A peer that closes without a TLS goodbye has still said all.
    let _ = stream.read_to_end(&mut all).await;
    let text = String::from_utf8(all).map_err(io::Error::other)?;
    let (head, body) = text.split_once("\r\n\r\n").ok_or(io::ErrorKind::UnexpectedEof)?;
    let code = head.split(' ').nth(1).and_then(|code| code.parse().ok()).ok_or(io::ErrorKind::InvalidData)?;
    let body = if head.contains("chunked") { unchunked(body) } else { body.to_owned() };
    Ok(Answer { code, head: head.to_owned(), body })
}

fn unchunked(mut rest: &str) -> String {
    let mut body = String::new();
    while let Some((size, after)) = rest.split_once("\r\n") {
        let Ok(size) = usize::from_str_radix(size, 16) else { break };
        body.push_str(&after[..size]);
        rest = after[size..].trim_start_matches("\r\n");
    }
    body
}

fn bearer(playground: &Playground) -> String {
    format!("authorization: Bearer {}\r\n", playground.token())
}

#[tokio::test]
async fn who_may_ask_what() {
    let playground = Playground::builder().start().await.unwrap();
    let mine = bearer(&playground);
    let anonymous = "forbidden: User \\\"system:anonymous\\\" cannot get path \\\"/api\\\"";
    let cases = [
        ("/api", mine.as_str(), 200, "\"kind\":\"APIVersions\""),
        ("/api", "", 403, anonymous),
        ("/api", "authorization: Bearer wrong\r\n", 401, "\"reason\":\"Unauthorized\""),
        ("/api", "authorization: Basic YTpi\r\n", 401, "\"reason\":\"Unauthorized\""),
        ("/version", "", 200, "\"gitVersion\":\"v1.36"),
        ("/readyz", "", 200, "ok"),
        ("/nope", mine.as_str(), 404, "404 page not found"),
        ("/playground/compact", "", 403, "system:anonymous"),
    ];
    for (path, headers, code, text) in cases {
        let answer = send(&playground, "GET", path, headers, "").await.unwrap();
        assert_eq!(answer.code, code, "{path} {headers}");
        assert!(answer.body.contains(text), "{path}: {}", answer.body);
        assert!(!answer.body.contains(playground.token()) && !answer.head.contains(playground.token()));
    }
    playground.stop().await;
}

#[tokio::test]
async fn the_certificate_is_for_the_names_of_a_cluster_and_no_other() {
    let playground = Playground::builder().server_name("cluster.test").start().await.unwrap();
    for name in ["localhost", "127.0.0.1", "::1", "kubernetes.default.svc", "cluster.test"] {
        assert!(connect(&playground, name).await.is_ok(), "{name}");
    }
    assert!(connect(&playground, "example.com").await.is_err());
}

#[tokio::test]
async fn a_long_list_is_streamed_whole() {
    let playground = Playground::builder().seed_pods(300).pod_bytes(6144).start().await.unwrap();
    let answer = send(&playground, "GET", "/api/v1/pods", &bearer(&playground), "").await.unwrap();
    assert!(answer.head.contains("chunked"), "{}", answer.head);
    let list: serde_json::Value = serde_json::from_str(&answer.body).unwrap();
    let items = list["items"].as_array().unwrap();
    assert_eq!((items.len(), list["kind"].as_str()), (300, Some("PodList")));
    assert!(items.iter().all(|item| item.get("kind").is_none() && item.to_string().len() >= 6000));
    assert_eq!(items[299]["metadata"]["name"], "pod-000299");
}

#[tokio::test]
async fn a_body_beyond_3_mib_is_refused() {
    let playground = Playground::builder().start().await.unwrap();
    let path = "/api/v1/namespaces/default/configmaps";
    let body = " ".repeat(3 * 1024 * 1024 + 1);
    let headers = format!("{}content-type: application/json\r\n", bearer(&playground));
    // Where the server hangs up while the client still writes, the answer may be lost on the way.
    if let Ok(answer) = send(&playground, "POST", path, &headers, &body).await {
        assert_eq!(answer.code, 413, "{}", answer.body);
    }
}

#[tokio::test]
async fn a_watch_tells_as_it_happens_and_ends_with_the_server() {
    let playground = Playground::builder().start().await.unwrap();
    let stream = connect(&playground, "localhost").await.unwrap();
    let mut stream = BufReader::new(stream);
    let path = "/api/v1/namespaces/default/configmaps?watch=1&fieldSelector=metadata.name%3Da";
    let text = format!("GET {path} HTTP/1.1\r\nhost: x\r\n{}\r\n", bearer(&playground));
    stream.get_mut().write_all(text.as_bytes()).await.unwrap();
    let mut line = String::new();
    while line != "\r\n" {
        line.clear();
        assert!(stream.read_line(&mut line).await.unwrap() > 0, "the head ended early");
    }
    let object = serde_json::json!({"metadata": {"name": "a", "namespace": "default"}, "data": {"k": "v"}});
    let revision = playground.put("", "configmaps", object).unwrap();
    // The size of the chunk, then the event.
    line.clear();
    stream.read_line(&mut line).await.unwrap();
    line.clear();
    stream.read_line(&mut line).await.unwrap();
    let event: serde_json::Value = serde_json::from_str(&line).unwrap();
    assert_eq!(event["type"], "ADDED");
    assert_eq!(event["object"]["metadata"]["resourceVersion"], revision.to_string());
    playground.stop().await;
    let mut rest = Vec::new();
    let _ = stream.read_to_end(&mut rest).await;
}

#[tokio::test]
async fn the_small_world_brings_a_deployment_up() {
    let playground = Playground::builder().demo(0.0).start().await.unwrap();
    let ready = |playground: &Playground| {
        let web = playground.object("apps", "deployments", Some("default"), "web");
        web.is_some_and(|web| web["status"]["readyReplicas"] == 3)
    };
    for _ in 0..100 {
        if ready(&playground) {
            break;
        }
        tokio::time::sleep(std::time::Duration::from_millis(100)).await;
    }
    assert!(ready(&playground));
    assert!(playground.object("", "nodes", None, "playground-node").is_some());
}
