//! Peers that send faster than anybody reads: the thread is left to others now and then, also by those who poll outside of
//! tokio's budget, as the bindings do for a guest that asks whether something is there.

use std::future::{Future, poll_fn};
use std::pin::pin;
use std::task::Poll;
use std::time::Duration;

use tidegate_kube::request::Method;
use tidegate_transport::Body;
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

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn interim_responses_without_end_give_way() {
    let interim = b"HTTP/1.1 100 Continue\r\n\r\n".repeat(FLOOD / 25);
    let peer =
        Peer::plain(kubernetes(move |_| [vec![Act::Send(interim.clone())], json("{}")].concat())).await;
    let transport = to(&peer).await;
    let mut sending = pin!(unconstrained(send(&transport, request(Method::Get, "/x"))));
    let mut gave_way = 0;
    let response = poll_fn(|cx| {
        let polled = sending.as_mut().poll(cx);
        gave_way += usize::from(polled.is_pending());
        polled
    });
    assert_eq!(response.await.expect("response at last").code, 200);
    // A last read may go beyond the mebibyte, by as much as a buffer holds.
    assert!(gave_way >= FLOOD >> 21, "{gave_way}");
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
