//! Peers that send faster than anybody reads: the thread is left to others now and then, also by those who poll outside of
//! tokio's budget, as the bindings do for a guest that asks whether something is there.

use std::future::poll_fn;
use std::task::Poll;
use std::time::Duration;

use tidegate_kube::request::Method;
use tidegate_transport::{Body, Code};
use tokio::task::unconstrained;

use crate::kubectl::Kubectl;
use crate::peer::{Act, Peer, json, kubernetes, raw};
use crate::setup::{request, send, to};

const FLOOD: usize = 32 << 20;

/// How many bytes come before the body gives way, to someone who takes his time with each piece.
async fn in_one_go(body: &mut Body) -> usize {
    let mut read = 0;
    let go = poll_fn(|cx| {
        while let Poll::Ready(Some(Ok(piece))) = body.poll_chunk(cx) {
            read += piece.len();
            std::thread::sleep(Duration::from_millis(2));
        }
        Poll::Ready(())
    });
    unconstrained(go).await;
    read
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_body_without_end_gives_way() {
    let head = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n\r\n";
    let peer =
        Peer::plain(kubernetes(move |_| vec![raw(head), Act::Send(vec![b'\n'; FLOOD]), Act::Close])).await;
    let mut body = send(&to(&peer).await, request(Method::Get, "/x?watch=true")).await.expect("begun").body;
    tokio::time::sleep(Duration::from_millis(100)).await;
    for _ in 0..4 {
        let read = in_one_go(&mut body).await;
        assert!(read <= 4 << 20, "{read}");
    }
    // And loses nothing by it.
    let mut all = 0;
    while let Some(piece) = body.chunk().await {
        all += piece.expect("piece").len();
    }
    assert!(all > FLOOD / 4, "{all}");
}

/// hyper drops them, and would go on until the deadline. Nobody waits for an answer behind a mebibyte of them.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn interim_responses_without_end_are_told() {
    let interim = |count: usize| b"HTTP/1.1 100 Continue\r\n\r\n".repeat(count);
    for (count, comes) in [(50, true), (FLOOD / 25, false)] {
        let flood = interim(count);
        let peer =
            Peer::plain(kubernetes(move |_| [vec![Act::Send(flood.clone())], json("{}")].concat())).await;
        let sent = send(&to(&peer).await, request(Method::Get, "/x")).await;
        match sent {
            Ok(response) => assert_eq!((response.code, comes), (200, true)),
            Err(error) => {
                assert_eq!((error.code(), comes), (Code::TooLarge, false), "{error:?}");
                assert!(error.report().contains("more than 1 MiB of interim responses (1xx)"), "{error:?}");
            }
        }
        // What nobody reads stays in the sockets' buffers.
        assert!(peer.sent() < FLOOD / 2, "{}", peer.sent());
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_kubectl_without_end_gives_way() {
    for (flood, all) in [("", FLOOD), (" >&2", 0)] {
        let kubectl = Kubectl::new(&format!("yes '' | head -c {FLOOD}{flood}"));
        let transport = kubectl.connect().await.expect("connect");
        let mut body = send(&transport, request(Method::Get, "/x?watch=true")).await.expect("begun").body;
        let read = in_one_go(&mut body).await;
        assert!(read <= 4 << 20, "{read}");
        let mut rest = 0;
        while let Some(piece) = body.chunk().await {
            rest += piece.expect("piece").len();
        }
        assert_eq!(read + rest, all, "nothing is lost{flood}");
    }
}
