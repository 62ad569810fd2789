//! Bodies, both ways: what arrives, what is cut short, what waits.

use std::time::{Duration, Instant};

use bytes::Bytes;
use tidegate_kube::request::Method;
use tidegate_transport::{Code, body_channel};
use tokio::time::timeout;

use crate::peer::{Act, Peer, json, kubernetes, raw};
use crate::setup::{get, request, send, to, to_url};
use crate::two_peer::{self, Two, to_two};

#[tokio::test]
async fn a_large_body_arrives_whole() {
    let body: String = (0..1_000_000).map(|number| format!("{number:08}\n")).collect();
    let expected = body.clone();
    let peer = Peer::plain(kubernetes(move |_| json(&body))).await;
    assert_eq!(get(&to(&peer).await, "/x").await.expect("body"), expected);
}

#[tokio::test]
async fn a_body_that_is_cut_short_says_after_how_many_bytes() {
    for (head, bytes) in [
        ("Content-Length: 100\r\n\r\nhello", 5),
        ("Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n6\r\nwo", 7),
        ("Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n", 5),
        ("Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\nzz\r\n", 5),
    ] {
        let peer =
            Peer::plain(kubernetes(move |_| vec![raw("HTTP/1.1 200 OK\r\n"), raw(head), Act::Close])).await;
        let error = get(&to(&peer).await, "/x").await.expect_err("cut short");
        assert_eq!(error.code(), Code::Protocol, "{error:?}");
        assert!(error.report().contains(&format!("after {bytes} bytes")), "{error:?}");
    }
}

#[tokio::test]
async fn a_silent_body_ends_at_its_idle_deadline_and_a_slow_one_does_not() {
    let peer = Peer::plain(kubernetes(|seen| {
        let mut acts = vec![raw("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")];
        for _ in 0..5 {
            acts.extend([Act::Pause(Duration::from_millis(100)), raw("1\r\nx\r\n")]);
        }
        acts.push(if seen.line().contains("stall") { Act::Stall } else { raw("0\r\n\r\n") });
        acts
    }))
    .await;
    let transport = to(&peer).await;
    for (path, ends) in [("/slow", true), ("/stall", false)] {
        let mut get = request(Method::Get, path);
        get.idle_deadline = Some(Duration::from_millis(300));
        let mut body = send(&transport, get).await.expect("head").body;
        for _ in 0..5 {
            assert_eq!(body.chunk().await.expect("chunk").expect("byte"), "x");
        }
        match body.chunk().await {
            None => assert!(ends),
            Some(result) => {
                let error = result.expect_err("silence");
                assert!(!ends);
                assert_eq!(error.code(), Code::Timeout);
                assert!(error.report().contains("idle deadline"), "{error:?}");
            }
        }
        // After the end or an error there is nothing, for ever.
        assert!(body.chunk().await.is_none() && body.chunk().await.is_none());
    }
}

#[tokio::test]
async fn a_reader_that_takes_its_time_is_not_silence_of_the_peer() {
    let peer = Peer::plain(kubernetes(|_| {
        vec![
            raw("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n"),
            Act::Pause(Duration::from_millis(50)),
            raw("1\r\nb\r\n0\r\n\r\n"),
        ]
    }))
    .await;
    let mut get = request(Method::Get, "/x");
    get.idle_deadline = Some(Duration::from_millis(200));
    let mut body = send(&to(&peer).await, get).await.expect("head").body;
    assert_eq!(body.chunk().await.expect("chunk").expect("byte"), "a");
    tokio::time::sleep(Duration::from_millis(500)).await;
    assert_eq!(body.chunk().await.expect("chunk").expect("byte"), "b");
    assert!(body.chunk().await.is_none());
}

#[tokio::test]
async fn waiting_for_a_chunk_can_be_given_up_and_taken_up() {
    let peer = Peer::plain(kubernetes(|_| {
        vec![
            raw("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n"),
            Act::Pause(Duration::from_millis(200)),
            raw("ok"),
        ]
    }))
    .await;
    let mut body = send(&to(&peer).await, request(Method::Get, "/x")).await.expect("head").body;
    for _ in 0..5 {
        assert!(tokio::time::timeout(Duration::from_millis(10), body.chunk()).await.is_err());
    }
    assert_eq!(body.whole(100).await.expect("body"), "ok");
}

#[tokio::test]
async fn what_is_read_whole_has_a_cap_and_the_requests_deadline() {
    let peer = Peer::plain(kubernetes(|seen| match seen.line().contains("large") {
        true => json(&"x".repeat(5000)),
        false => {
            let mut acts = vec![raw("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")];
            acts.extend((0..100).flat_map(|_| [raw("1\r\nx\r\n"), Act::Pause(Duration::from_millis(50))]));
            acts
        }
    }))
    .await;
    let transport = to(&peer).await;
    let body = send(&transport, request(Method::Get, "/large")).await.expect("head").body;
    let error = body.whole(4999).await.expect_err("cap");
    assert_eq!(error.code(), Code::TooLarge);
    assert!(error.report().contains("4999 bytes"), "{error:?}");
    let body = send(&transport, request(Method::Get, "/large")).await.expect("head").body;
    assert_eq!(body.whole(5000).await.expect("body").len(), 5000);

    let mut endless = request(Method::Get, "/endless");
    endless.deadline = Duration::from_millis(300);
    let started = Instant::now();
    let error = send(&transport, endless).await.expect("head").body.whole(1000).await.expect_err("deadline");
    assert_eq!(error.code(), Code::Timeout);
    assert!(started.elapsed() < Duration::from_secs(2));
}

#[tokio::test]
async fn a_body_that_is_not_read_holds_its_peer_back() {
    let peer = Peer::plain(kubernetes(|_| json(&"x".repeat(100 << 20)))).await;
    let transport = to(&peer).await;
    let mut body = send(&transport, request(Method::Get, "/x")).await.expect("head").body;
    body.chunk().await.expect("chunk").expect("bytes");
    tokio::time::sleep(Duration::from_millis(300)).await;
    let held = peer.sent();
    assert!(held < 32 << 20, "{held} bytes went into sockets although nobody reads");
    tokio::time::sleep(Duration::from_millis(200)).await;
    assert_eq!(peer.sent(), held);
    // Other requests are not held up by it.
    let mut other = send(&transport, request(Method::Get, "/y")).await.expect("head").body;
    other.chunk().await.expect("chunk").expect("bytes");
    drop(other);
    let mut total = 0;
    while let Some(chunk) = body.chunk().await {
        total += chunk.expect("bytes").len();
    }
    assert!(total > 99 << 20);
}

#[tokio::test]
async fn a_dropped_body_closes_its_connection() {
    let peer =
        Peer::plain(kubernetes(|_| vec![raw("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhal"), Act::Stall]))
            .await;
    let transport = to(&peer).await;
    for _ in 0..3 {
        let mut body = send(&transport, request(Method::Get, "/x")).await.expect("head").body;
        assert_eq!(body.chunk().await.expect("chunk").expect("bytes"), "hal");
    }
    assert_eq!(peer.connections(), 3);
}

#[tokio::test]
async fn a_streamed_body_is_sent_while_it_is_written() {
    let peer = Peer::plain(kubernetes(|seen| json(&String::from_utf8_lossy(&seen.body)))).await;
    let transport = to(&peer).await;
    let (mut writer, reader) = body_channel();
    let pending = tokio::spawn(transport.clone().send(request(Method::Post, "/x"), Some(reader)));
    writer.write(Bytes::from_static(b"hello ")).await.expect("write");
    writer.ready().await;
    assert_eq!(writer.try_write(b"world").expect("write"), 5);
    writer.finish().expect("finish");
    assert_eq!(writer.finish().expect_err("twice").code(), Code::Closed);
    let echo = pending.await.expect("task").expect("response").body.whole(1000).await.expect("body");
    assert_eq!(echo, "6\r\nhello \r\n5\r\nworld\r\n0\r\n\r\n");
}

#[tokio::test]
async fn a_body_that_is_dropped_unfinished_cancels_its_request() {
    let peer = Peer::plain(kubernetes(|_| json("{}"))).await;
    let transport = to(&peer).await;
    let (mut writer, reader) = body_channel();
    let pending = tokio::spawn(transport.clone().send(request(Method::Post, "/x"), Some(reader)));
    writer.write(Bytes::from_static(b"half")).await.expect("write");
    drop(writer);
    assert_eq!(pending.await.expect("task").expect_err("cancelled").code(), Code::Closed);
    // The peer never saw its end.
    assert_eq!(peer.lines(), Vec::<String>::new());
}

#[tokio::test]
async fn a_writer_learns_why_nobody_reads_on() {
    let peer = Peer::plain(kubernetes(|_| vec![])).await;
    let transport = to(&peer).await;
    let (mut writer, reader) = body_channel();
    let mut get = request(Method::Post, "/x");
    get.deadline = Duration::from_millis(100);
    let error = transport.send(get, Some(reader)).await.expect_err("stall");
    assert_eq!(error.code(), Code::Timeout);
    writer.ready().await;
    assert_eq!(writer.try_write(b"x").expect_err("closed").code(), Code::Timeout);
    assert_eq!(writer.write(Bytes::from_static(b"x")).await.expect_err("closed").code(), Code::Timeout);
}

#[tokio::test]
async fn a_writer_waits_for_its_peer() {
    let (mut writer, reader) = body_channel();
    let mut written = 0;
    while let Ok(taken @ 1..) = writer.try_write(&[0; 64 * 1024]) {
        written += taken;
    }
    assert_eq!(written, 256 * 1024, "four pieces wait, and no more");
    assert!(tokio::time::timeout(Duration::from_millis(50), writer.ready()).await.is_err());
    drop(reader);
    writer.ready().await;
    assert_eq!(writer.try_write(b"x").expect_err("closed").code(), Code::Closed);
}

#[tokio::test]
async fn a_status_that_comes_early_ends_the_writing() {
    // Answers from the head alone, and reads no body.
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("bind");
    let address = listener.local_addr().expect("address");
    let server = tokio::spawn(async move {
        use tokio::io::{AsyncReadExt, AsyncWriteExt};
        let (mut probe, _) = listener.accept().await.expect("accept");
        let mut buffer = [0; 4096];
        let _ = probe.read(&mut buffer).await;
        let versions = r#"{"kind":"APIVersions"}"#;
        let answer = format!(
            "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: {}\r\n\r\n{versions}",
            versions.len()
        );
        probe.write_all(answer.as_bytes()).await.expect("answer");
        drop(probe);
        let (mut stream, _) = listener.accept().await.expect("accept");
        let _ = stream.read(&mut buffer).await;
        stream.write_all(b"HTTP/1.1 413 Too Large\r\nContent-Length: 0\r\n\r\n").await.expect("answer");
        tokio::time::sleep(Duration::from_secs(5)).await;
    });
    let transport = to_url(&format!("http://{address}")).await;
    let (mut writer, reader) = body_channel();
    let pending = tokio::spawn(transport.send(request(Method::Post, "/x"), Some(reader)));
    let error = loop {
        if let Err(error) = writer.write(Bytes::from(vec![0; 64 * 1024])).await {
            break error;
        }
    };
    assert_eq!(error.status().expect("status").code, 413, "{error:?}");
    assert_eq!(pending.await.expect("task").expect_err("status").code(), Code::Status);
    server.abort();
}

/// Room that was used up by what was read is given back at the end of a body, not when it is dropped: together these are more than a whole
/// connection's, and each is less than a server is told of while it sends.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn bodies_that_were_read_and_are_held_hold_up_nobody() {
    const SIZE: usize = 511 << 10;
    let large = " ".repeat(SIZE);
    let peer = Two::start(250, move |asked| {
        let body = if asked.path == "/large" { large.clone() } else { "{}".to_owned() };
        async move { two_peer::json(asked, &body) }
    })
    .await;
    let transport = to_two(&peer).await;
    let patience = Duration::from_secs(30);
    let mut held = Vec::new();
    for number in 0..220 {
        let reading = async {
            let mut body = send(&transport, request(Method::Get, "/large")).await.expect("begun").body;
            let mut read = 0;
            while read < SIZE {
                read += body.chunk().await.expect("more").expect("a piece").len();
            }
            body
        };
        let body = timeout(patience, reading).await;
        held.push(body.unwrap_or_else(|_| panic!("body {number} is held up")));
    }
    let small = timeout(patience, get(&transport, "/small")).await.expect("no room is left");
    assert_eq!(small.expect("small"), "{}");
    assert_eq!(peer.connections(), 1, "all over the same connection");
    drop(held);
}
