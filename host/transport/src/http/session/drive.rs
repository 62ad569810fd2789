use std::future::{Future, poll_fn};
use std::pin::pin;
use std::sync::Arc;
use std::task::Poll;

use bytes::Bytes;
use h2::client::Connection;
use h2::{Ping, PingPong};
use tokio::time::{Instant, sleep_until};

use super::health::{Act, Health};
use super::{End, Life};
use crate::http::stream::{Meter, Stream};

/// Reads and writes until the connection is over: the server or everybody here has gone, or nobody used it for long, or the server
/// is silent.
pub(super) async fn drive(mut connection: Connection<Stream, Bytes>, meter: Arc<Meter>, life: Arc<Life>) {
    let mut pings = connection.ping_pong();
    let now = Instant::now();
    let mut health = Health::new(now);
    let mut timer = pin!(sleep_until(health.due(life.idle_since())));
    let end = poll_fn(|cx| {
        // First of all what the server said: a guest may have computed for a minute before this task's turn came.
        if std::pin::Pin::new(&mut connection).poll(cx).is_ready() {
            return Poll::Ready(End::Closed);
        }
        health.heard(meter.now().0, Instant::now);
        if let Some(pings) = &mut pings {
            // An answer counts as what is heard, and frees the way for the next one.
            let _ = pings.poll_pong(cx);
        }
        while timer.as_mut().poll(cx).is_ready() {
            match health.judge(Instant::now(), life.idle_since()) {
                Act::Close => return Poll::Ready(End::Closed),
                Act::GiveUp => return Poll::Ready(End::Silent),
                Act::Ping => ping(&mut pings),
                Act::Wait => {}
            }
            timer.as_mut().reset(health.due(life.idle_since()));
        }
        Poll::Pending
    });
    // Before the connection is dropped, which ends every stream: who asks why then finds the answer.
    life.end(end.await);
}

fn ping(pings: &mut Option<PingPong>) {
    if let Some(pings) = pings {
        // The one before it is still unanswered: then that one counts.
        let _ = pings.send_ping(Ping::opaque());
    }
}
