//! gzip: bodies that come packed, whole and broken.

use std::io::Write;

use flate2::Compression;
use flate2::write::GzEncoder;
use tidegate_kube::request::Method;
use tidegate_transport::Code;

use crate::peer::{Act, Peer, json, kubernetes, raw};
use crate::pki::Authority;
use crate::setup::{get, request, send, to};

fn packed(text: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(text).expect("pack");
    encoder.finish().expect("pack")
}

fn answer(status: &str, coding: &str, body: &[u8]) -> Vec<Act> {
    let head = format!(
        "HTTP/1.1 {status}\r\nContent-Type: application/json\r\nContent-Encoding: {coding}\r\nContent-Length: {}\r\n\r\n",
        body.len()
    );
    vec![Act::Send([head.as_bytes(), body].concat())]
}

#[tokio::test]
async fn what_comes_packed_is_unpacked() {
    let text = "{\"items\":[]}".repeat(100_000);
    let body = packed(text.as_bytes());
    let peer = Peer::plain(kubernetes(move |seen| match seen.line() {
        "GET /twice HTTP/1.1" => answer("200 OK", "gzip", &[&body[..], &body].concat()),
        "HEAD /x HTTP/1.1" => {
            vec![raw("HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 99\r\n\r\n")]
        }
        "GET /none HTTP/1.1" => answer("200 OK", "gzip", b""),
        "GET /plain HTTP/1.1" => json("{}"),
        _ => answer("200 OK", "gzip", &body),
    }))
    .await;
    let transport = to(&peer).await;
    assert_eq!(get(&transport, "/x").await.expect("one"), text);
    assert_eq!(get(&transport, "/twice").await.expect("two members").len(), 2 * text.len());
    assert_eq!(get(&transport, "/none").await.expect("none"), "");
    assert_eq!(get(&transport, "/plain").await.expect("plain"), "{}");
    let head = send(&transport, request(Method::Head, "/x")).await.expect("head");
    assert_eq!(head.body.whole(100).await.expect("no body"), "");
    assert_eq!(peer.connections(), 1, "each was read to its end");
    assert!(peer.seen().iter().all(|seen| seen.header("accept-encoding") == Some("gzip")));
}

#[tokio::test]
async fn a_watch_is_asked_for_plain_and_unpacked_all_the_same() {
    let head = "HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nTransfer-Encoding: chunked\r\n\r\n";
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(b"{\"type\":\"ADDED\"}\n").expect("pack");
    encoder.flush().expect("flush");
    let first = encoder.get_ref().clone();
    let chunk = [format!("{:x}\r\n", first.len()).as_bytes(), &first, b"\r\n"].concat();
    let peer = Peer::plain(kubernetes(move |_| vec![raw(head), Act::Send(chunk.clone()), Act::Stall])).await;
    let transport = to(&peer).await;
    let mut watch = send(&transport, request(Method::Get, "/x?watch=1")).await.expect("watch").body;
    // The event is there as soon as it was sent, whatever follows.
    assert_eq!(watch.chunk().await.expect("event").expect("event"), "{\"type\":\"ADDED\"}\n");
    assert_eq!(peer.seen().pop().expect("watch").header("accept-encoding"), None);
}

#[tokio::test]
async fn what_is_broken_is_a_protocol_error() {
    let good = packed(&b"{\"kind\":\"PodList\"}".repeat(1000));
    let half = good[..good.len() / 2].to_vec();
    let cut = good[..good.len() - 4].to_vec();
    let mut damaged = good.clone();
    let at = damaged.len() - 6;
    damaged[at] ^= 0xff;
    for (what, coding, body) in [
        ("half of it", "gzip", half),
        ("half a checksum", "gzip", cut),
        ("a wrong checksum", "gzip", damaged),
        ("plain text", "gzip", b"{\"kind\":\"PodList\"}".to_vec()),
        ("garbage behind it", "gzip", [&good[..], b"more"].concat()),
        ("another coding", "br", good.clone()),
        ("two codings", "gzip, gzip", good),
    ] {
        let peer = Peer::plain(kubernetes(move |_| answer("200 OK", coding, &body))).await;
        let error = get(&to(&peer).await, "/x").await.expect_err(what);
        assert_eq!(error.code(), Code::Protocol, "{what}: {error:?}");
    }
}

#[tokio::test]
async fn a_bomb_stops_at_the_cap() {
    let bomb = packed(&vec![b' '; 256 << 20]);
    assert!(bomb.len() < 1 << 20);
    let peer = Peer::plain(kubernetes(move |_| answer("200 OK", "gzip", &bomb))).await;
    let transport = to(&peer).await;
    let begun = std::time::Instant::now();
    let error = get(&transport, "/x").await.expect_err("too large");
    assert_eq!(error.code(), Code::TooLarge);
    assert!(begun.elapsed().as_secs() < 20, "{:?}", begun.elapsed());
}

#[tokio::test]
async fn an_error_may_be_packed_too() {
    let status = br#"{"kind":"Status","code":404,"reason":"NotFound","message":"pods \"x\" not found"}"#;
    for (coding, body, words) in
        [("gzip", packed(status), "pods \"x\" not found"), ("br", b"\x01\x02".to_vec(), "404")]
    {
        let peer = Peer::plain(kubernetes(move |_| answer("404 Not Found", coding, &body))).await;
        let error = get(&to(&peer).await, "/x").await.expect_err("404");
        assert_eq!(error.status().expect("status").code, 404);
        assert!(error.report().contains(words), "{error:?}");
    }
}

#[tokio::test]
async fn disable_compression_asks_for_none() {
    use base64::Engine;
    let authority = Authority::new("one");
    let peer = Peer::tls(authority.issue(&["127.0.0.1"]).server(), kubernetes(|_| json("{}"))).await;
    let ca = base64::engine::general_purpose::STANDARD.encode(&authority.pem);
    for (more, header) in [("", Some("gzip")), (", disable-compression: true", None)] {
        let cluster = format!("server: 'https://{}', certificate-authority-data: {ca}{more}", peer.address);
        let document = crate::setup::kubeconfig(&cluster, "token: hunter2");
        get(&crate::setup::by_document(&document).await.expect("connect"), "/x").await.expect("get");
        assert_eq!(peer.seen().pop().expect("seen").header("accept-encoding"), header);
    }
}
