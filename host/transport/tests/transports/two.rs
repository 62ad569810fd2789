//! HTTP/2: what is shared and what is not, and servers that end, refuse or flood.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use bytes::Bytes;
use futures_util::future::join_all;
use tidegate_kube::request::Method;
use tidegate_transport::{Code, body_channel};

use crate::pki::Authority;
use crate::raw_peer::{Frame, Raw};
use crate::setup::{get, request, send};
use crate::two_peer::{Two, json, to_two, trusting};

#[tokio::test]
async fn requests_share_a_connection_and_a_watch_has_one_of_its_own() {
    let peer = Two::start(100, |mut asked| async move {
        match asked.path.as_str() {
            "/x?watch=true" => {
                let mut body = asked.begin("application/json");
                body.send_data("{}\n".into(), false).expect("send");
                std::future::pending::<()>().await;
            }
            _ => json(asked, "{}"),
        }
    })
    .await;
    let transport = to_two(&peer).await;
    let many = join_all((0..50).map(|_| get(&transport, "/x"))).await;
    assert!(many.into_iter().all(|got| got.is_ok_and(|body| body == "{}")));
    assert_eq!(peer.connections(), 1);

    // It takes the connection that is there, and what comes next opens another.
    let mut watch = send(&transport, request(Method::Get, "/x?watch=true")).await.expect("watch").body;
    assert_eq!(watch.chunk().await.expect("event").expect("event"), "{}\n");
    assert_eq!(peer.connections(), 1);
    get(&transport, "/y").await.expect("get");
    assert_eq!(peer.connections(), 2);
    let second = send(&transport, request(Method::Get, "/x?watch=true")).await.expect("watch");
    get(&transport, "/y").await.expect("get");
    assert_eq!(peer.connections(), 3);

    // Dropped, they give their connections back.
    drop((watch, second));
    join_all((0..50).map(|_| get(&transport, "/x"))).await;
    assert_eq!(peer.connections(), 3);
    let seen = peer.seen();
    assert!(seen.iter().all(|asked| asked.host.is_none() && asked.authority == peer.address.to_string()));
    let packed =
        |path: &str| seen.iter().find(|asked| asked.path == path).expect(path).accept_encoding.clone();
    assert_eq!((packed("/x").as_deref(), packed("/x?watch=true")), (Some("gzip"), None));
    // What nobody holds any more is closed at once.
    drop(transport);
    peer.until_open(0).await;
}

#[tokio::test]
async fn a_burst_makes_one_handshake() {
    let peer = Two::start(100, |asked| async move { json(asked, "{}") }).await;
    let transport = Arc::new(to_two(&peer).await);
    // Nothing is known yet but what the probe learnt; its connection is thrown away by the server.
    peer.close_all().await;
    let many = join_all((0..80).map(|_| get(&transport, "/x"))).await;
    assert!(many.into_iter().all(|got| got.is_ok()));
    assert_eq!(peer.connections(), 2);
}

#[tokio::test]
async fn a_full_connection_gets_a_second_one() {
    let peer = Two::start(3, |asked| async move {
        tokio::time::sleep(Duration::from_millis(300)).await;
        json(asked, "{}");
    })
    .await;
    let transport = to_two(&peer).await;
    let many = join_all((0..10).map(|_| get(&transport, "/x"))).await;
    assert!(many.into_iter().all(|got| got.is_ok()));
    assert_eq!((peer.connections(), peer.most_at_once()), (4, 3));
}

/// A body that nobody reads fills its own window, and no other's.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_unread_body_holds_up_nobody_but_its_own_server() {
    let sent = Arc::new(AtomicUsize::new(0));
    let counted = sent.clone();
    let peer = Two::start(250, move |mut asked| {
        let counted = counted.clone();
        async move {
            if asked.path != "/large" {
                return json(asked, "{}");
            }
            let mut body = asked.begin("application/json");
            let piece = Bytes::from(vec![b' '; 64 * 1024]);
            for _ in 0..64 {
                body.reserve_capacity(piece.len());
                let mut left = piece.clone();
                while !left.is_empty() {
                    let Some(Ok(room)) = std::future::poll_fn(|cx| body.poll_capacity(cx)).await else {
                        return;
                    };
                    let now = left.split_to(room.min(left.len()));
                    counted.fetch_add(now.len(), Ordering::SeqCst);
                    body.send_data(now, false).expect("send");
                }
            }
            let _ = body.send_data(Bytes::new(), true);
        }
    })
    .await;
    let transport = to_two(&peer).await;
    let mut bodies = Vec::new();
    for _ in 0..99 {
        bodies.push(send(&transport, request(Method::Get, "/large")).await.expect("begun").body);
    }
    tokio::time::sleep(Duration::from_millis(500)).await;
    let waiting = sent.load(Ordering::SeqCst);
    assert!(waiting <= 99 << 20, "{waiting} bytes of 99 bodies, a mebibyte each");
    let begun = Instant::now();
    get(&transport, "/small").await.expect("small");
    assert!(begun.elapsed() < Duration::from_secs(2), "{:?}", begun.elapsed());
    assert_eq!(peer.connections(), 1, "and over the same connection");
    // Each is there to its end.
    for body in bodies.into_iter().take(3) {
        assert_eq!(body.whole(64 << 20).await.expect("whole").len(), 4 << 20);
    }
}

/// T17: writes do not delay a watch's events. The bound is the issue's own, on a machine that does other things besides.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_hundred_writes_do_not_delay_an_event() {
    let (ring, _) = tokio::sync::broadcast::channel::<Instant>(16);
    let rung = ring.clone();
    let peer = Two::start(250, move |mut asked| {
        let mut rung = rung.subscribe();
        async move {
            if asked.path == "/x?watch=true" {
                let mut body = asked.begin("application/json");
                while rung.recv().await.is_ok() && body.send_data("{}\n".into(), false).is_ok() {}
                return;
            }
            // Each write is 64 KiB, and is answered late.
            asked.read_all().await;
            tokio::time::sleep(Duration::from_millis(20)).await;
            json(asked, "{}");
        }
    })
    .await;
    let transport = to_two(&peer).await;
    let mut watch = send(&transport, request(Method::Get, "/x?watch=true")).await.expect("watch").body;
    let writes: Vec<_> = (0..100)
        .map(|_| {
            let transport = transport.clone();
            tokio::spawn(async move {
                for _ in 0..10 {
                    let mut post = request(Method::Post, "/x");
                    post.body = Some(vec![b'x'; 64 * 1024].into());
                    send(&transport, post).await.expect("write").body.whole(1024).await.expect("answer");
                }
            })
        })
        .collect();
    let mut delays = Vec::new();
    while !writes.iter().all(|write| write.is_finished()) {
        tokio::time::sleep(Duration::from_millis(10)).await;
        let begun = Instant::now();
        ring.send(begun).expect("ring");
        watch.chunk().await.expect("event").expect("event");
        delays.push(begun.elapsed());
    }
    join_all(writes).await.into_iter().for_each(|write| write.expect("write"));
    delays.sort();
    let median = delays[delays.len() / 2];
    assert!(delays.len() > 5 && median < Duration::from_millis(50), "{median:?} of {}", delays.len());
}

#[tokio::test]
async fn a_server_that_comes_back_is_no_error() {
    let mut peer = Two::start(100, |asked| async move { json(asked, "{}") }).await;
    let transport = to_two(&peer).await;
    for round in 0..3 {
        get(&transport, "/x").await.expect("get");
        peer.restart().await;
        // What may change something as well: nothing of it went into the dead connection.
        let mut post = request(Method::Post, "/x");
        post.body = Some("{}".into());
        send(&transport, post).await.unwrap_or_else(|error| panic!("round {round}: {error:?}"));
    }
}

#[tokio::test]
async fn what_the_server_did_not_look_at_is_sent_again() {
    // (what it does with the first request after the probe, whether a POST and a GET come through)
    for (act, post, get) in [
        (Frame::reset(7), true, true),
        (Frame::go_away(1, 0), true, true),
        (Frame::go_away(1, 11), true, true),
        // It looked at it: over a kept connection what changes nothing is tried again.
        (Frame::reset(8), false, true),
        (Frame::reset(2), false, true),
        (Frame::go_away(i32::MAX as u32, 2), false, true),
    ] {
        for (method, comes) in [(Method::Post, post), (Method::Get, get)] {
            let peer = Raw::start({
                let act = act.clone();
                move |_, asked| match asked {
                    0 => Frame::answer(r#"{"kind":"APIVersions"}"#),
                    1 => act.clone(),
                    _ => Frame::answer("{}"),
                }
            })
            .await;
            let transport = trusting(&peer.authority, peer.address).await.expect("connect");
            let mut asked = request(method, "/x");
            asked.body = (method == Method::Post).then(|| "{}".into());
            let sent = send(&transport, asked).await;
            assert_eq!(sent.is_ok(), comes, "{method} after {act:?}: {sent:?}");
            assert_eq!(peer.requests(), if comes { 3 } else { 2 }, "{method} after {act:?}");
        }
    }
}

#[tokio::test]
async fn a_server_that_refuses_for_ever_is_left() {
    let peer = Raw::start(|_, asked| match asked {
        0 => Frame::answer(r#"{"kind":"APIVersions"}"#),
        _ => Frame::reset(7),
    })
    .await;
    let transport = trusting(&peer.authority, peer.address).await.expect("connect");
    let error = get(&transport, "/x").await.expect_err("refused");
    assert_eq!(error.code(), Code::Unreachable, "{error:?}");
    assert!(peer.requests() <= 4, "{}", peer.requests());
}

#[tokio::test]
async fn a_server_that_wants_http_1_gets_it() {
    let authority = Authority::new("one");
    let peer = Raw::start_with(authority, |_, asked| match asked {
        0 => Frame::answer(r#"{"kind":"APIVersions"}"#),
        _ => Frame::reset(13),
    })
    .await;
    let transport = trusting(&peer.authority, peer.address).await.expect("connect");
    for _ in 0..2 {
        assert_eq!(get(&transport, "/x").await.expect("over HTTP/1.1"), "one");
    }
    assert_eq!(peer.requests(), 2);
}

#[tokio::test]
async fn floods_and_nonsense_end_soon() {
    let endless = [Frame::headers(0), Frame(vec![0; 1], 9, 0).repeat(200_000)].concat();
    let large = {
        let name = |index: usize| format!("x-{index:05}: ").len();
        let fields: Vec<u8> = (0..400)
            .flat_map(|index| Frame::field(&format!("x{index}"), &"v".repeat(1000 - name(index))))
            .collect();
        Frame::head_of(&fields)
    };
    for (what, act, code) in [
        ("continuations", endless, Code::TooLarge),
        ("a head beyond the cap", large, Code::TooLarge),
        ("interim responses", Frame::interim(200_000), Code::TooLarge),
        ("a frame beyond its cap", Frame(vec![0; 1 << 20], 0, 0).bytes(1), Code::Protocol),
        ("data for nobody", Frame(b"x".to_vec(), 0, 0).bytes(99), Code::Protocol),
        ("half a frame", Frame(vec![0; 9], 0, 0).bytes(3)[..12].to_vec(), Code::Timeout),
        ("no HTTP/2 at all", b"HTTP/1.1 400 Bad Request\r\n\r\n".to_vec(), Code::Protocol),
    ] {
        let act = Frame::raw(act);
        let peer = Raw::start(move |_, asked| match asked {
            0 => Frame::answer(r#"{"kind":"APIVersions"}"#),
            _ => act.clone(),
        })
        .await;
        let transport = trusting(&peer.authority, peer.address).await.expect("connect");
        let mut asked = request(Method::Post, "/x");
        asked.deadline = Duration::from_secs(3);
        let error = send(&transport, asked).await.expect_err(what);
        assert_eq!(error.code(), code, "{what}: {error:?}");
    }
}

#[tokio::test]
async fn what_is_dropped_is_cancelled_and_the_connection_stays() {
    let cancelled = Arc::new(AtomicUsize::new(0));
    let counted = cancelled.clone();
    let peer = Two::start(100, move |mut asked| {
        let counted = counted.clone();
        async move {
            if asked.path == "/x" {
                return json(asked, "{}");
            }
            if asked.path == "/begun" {
                let mut body = asked.begin("application/json");
                body.send_data("{".into(), false).expect("send");
                std::future::poll_fn(|cx| body.poll_reset(cx)).await.expect("reset");
            } else {
                std::future::poll_fn(|cx| asked.poll_reset(cx)).await.expect("reset");
            }
            counted.fetch_add(1, Ordering::SeqCst);
        }
    })
    .await;
    let transport = to_two(&peer).await;
    let mut late = request(Method::Get, "/late");
    late.deadline = Duration::from_millis(200);
    assert_eq!(send(&transport, late).await.expect_err("late").code(), Code::Timeout);
    let begun = send(&transport, request(Method::Get, "/begun")).await.expect("begun");
    drop(begun);
    get(&transport, "/x").await.expect("get");
    for _ in 0..100 {
        if cancelled.load(Ordering::SeqCst) == 2 {
            break;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    assert_eq!((cancelled.load(Ordering::SeqCst), peer.connections()), (2, 1));
}

#[tokio::test]
async fn a_body_is_written_no_faster_than_it_is_taken() {
    let peer = Two::start(100, |mut asked| async move {
        if asked.path == "/slow" {
            tokio::time::sleep(Duration::from_millis(500)).await;
            let length = asked.read_all().await;
            return json(asked, &length.to_string());
        }
        json(asked, "{}");
    })
    .await;
    let transport = to_two(&peer).await;
    let (mut writer, reader) = body_channel();
    let sending = tokio::spawn(transport.clone().send(request(Method::Post, "/slow"), Some(reader)));
    let mut written = 0;
    let begun = Instant::now();
    while begun.elapsed() < Duration::from_millis(300) {
        written += writer.try_write(&[b'x'; 64 * 1024]).expect("write");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    // What waits in the channel, a piece on its way, and the server's first window.
    assert!(written <= (256 + 64 + 64 + 64) * 1024, "{written}");
    writer.write(vec![b'x'; 1 << 20].into()).await.expect("write");
    writer.finish().expect("finish");
    let answer = sending.await.expect("task").expect("answer").body.whole(100).await.expect("body");
    assert_eq!(answer, (written + (1 << 20)).to_string());

    // Dropped unfinished, it is never taken for a whole one.
    let (mut writer, reader) = body_channel();
    let sending = tokio::spawn(transport.clone().send(request(Method::Post, "/slow"), Some(reader)));
    writer.write("half".into()).await.expect("write");
    drop(writer);
    assert_eq!(sending.await.expect("task").expect_err("cancelled").code(), Code::Closed);
    get(&transport, "/x").await.expect("the connection stays");
    assert_eq!(peer.connections(), 1);
}

#[tokio::test]
async fn a_server_that_is_gone_is_given_up() {
    let peer = Raw::start(|_, asked| match asked {
        0 => Frame::answer(r#"{"kind":"APIVersions"}"#),
        _ => Frame::raw(Vec::new()),
    })
    .await;
    let transport = trusting(&peer.authority, peer.address).await.expect("connect");
    let mut asked = request(Method::Get, "/x");
    asked.deadline = Duration::from_secs(3600);
    // From here on time passes where everybody waits, at once: what takes 45 s takes none.
    tokio::time::pause();
    let begun = tokio::time::Instant::now();
    let error = send(&transport, asked).await.expect_err("gone");
    assert_eq!(error.code(), Code::Timeout);
    assert!(error.report().contains("not even in answer to a ping"), "{error:?}");
    // Tried twice: it was a kept connection, and a GET.
    assert!(begun.elapsed() < Duration::from_secs(200), "{:?}", begun.elapsed());
}

#[tokio::test]
async fn interim_responses_are_passed_over() {
    let answer = [Frame::interim(20), Frame::headers(4), Frame(b"{}".to_vec(), 0, 1).bytes(3)].concat();
    let peer = Raw::start(move |_, asked| match asked {
        0 => Frame::answer(r#"{"kind":"APIVersions"}"#),
        _ => Frame::raw(answer.clone()),
    })
    .await;
    let transport = trusting(&peer.authority, peer.address).await.expect("connect");
    assert_eq!(get(&transport, "/x").await.expect("get"), "{}");
}
