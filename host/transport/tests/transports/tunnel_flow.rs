//! Tunnels, both ways at once: volume, who holds whom back, signs of life, ends.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::task::Poll;
use std::time::Duration;

use bytes::Bytes;
use tidegate_transport::Code;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::sync::mpsc;
use tokio::time::timeout;

use crate::tunnel_peer::{frame, read_frame, tunnel_and_stream, unmasked};

/// The same on the next channel.
fn echo(mut payload: Vec<u8>) -> Vec<u8> {
    payload[0] += 1;
    frame(0x82, &payload)
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
                let is_ping = pending[0] == 0x89;
                pending.drain(..used);
                let answer = if is_ping { frame(0x8a, &payload) } else { echo(payload) };
                if sender.send(answer).await.is_err() {
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
        while let Some(answer) = echoed.recv().await {
            to.write_all(&answer).await.expect("write");
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

/// Answers pings as long as it may, and reads all that comes.
async fn answer_pings(mut stream: tokio::net::TcpStream, silent: Arc<AtomicBool>) -> usize {
    let mut pings = 0;
    while let Some((kind, payload)) = read_frame(&mut stream).await {
        pings += usize::from(kind == 0x89);
        if kind == 0x89 && !silent.load(Ordering::SeqCst) {
            stream.write_all(&frame(0x8a, &payload)).await.expect("write");
        }
    }
    pings
}

/// It has read what it was sent, and says so at once; so its silence counts from then on.
#[tokio::test(start_paused = true)]
async fn a_server_that_stalls_after_it_was_sent_something_is_given_up() {
    let (tunnel, stream) = tunnel_and_stream().await;
    let silent = Arc::new(AtomicBool::new(false));
    tokio::spawn(answer_pings(stream, silent.clone()));
    tunnel.send(0, Bytes::from_static(b"ls\n")).await.expect("sent");
    tokio::time::sleep(Duration::from_secs(3)).await;
    silent.store(true, Ordering::SeqCst);
    let begun = tokio::time::Instant::now();
    let error = tunnel.next().await.expect_err("given up");
    assert_eq!(error.code(), Code::Timeout, "{error:?}");
    assert!(begun.elapsed() < Duration::from_secs(46), "{:?}", begun.elapsed());
}

/// It may be busy with what it was sent, and so it has hours; not for ever.
#[tokio::test(start_paused = true)]
async fn a_server_that_may_be_busy_has_four_hours() {
    let (tunnel, stream) = tunnel_and_stream().await;
    let pings = tokio::spawn(answer_pings(stream, Arc::new(AtomicBool::new(true))));
    tunnel.send(0, Bytes::from_static(b"much to do")).await.expect("sent");
    let begun = tokio::time::Instant::now();
    let error = tunnel.next().await.expect_err("given up");
    assert_eq!(error.code(), Code::Timeout, "{error:?}");
    assert!(error.to_string().contains("4 hours"), "{error}");
    let hours = begun.elapsed().as_secs_f64() / 3600.0;
    assert!((4.0..4.1).contains(&hours), "{hours}");
    drop(tunnel);
    // One each 25 s.
    let pings = pings.await.expect("read");
    assert!((570..600).contains(&pings), "{pings}");
}
