use std::future::{Future, poll_fn};
use std::pin::pin;
use std::sync::Arc;
use std::task::Poll;

use tokio::time::sleep_until;

use super::health::Act;
use super::wheel::Wheel;
use super::{End, Life};

/// Reads and writes until the connection is over: the server or everybody here has gone, or nobody used it for long, or the server
/// is silent.
pub(super) async fn drive(wheel: Arc<Wheel>, life: Arc<Life>) {
    let _stop = Stop(wheel.clone());
    let mut timer = pin!(sleep_until(wheel.judge(life.idle_since()).1));
    let end = poll_fn(|cx| {
        // First of all what the server said: a guest may have computed for a minute before this task's turn came.
        if wheel.poll(cx).is_ready() {
            return Poll::Ready(End::Closed);
        }
        while timer.as_mut().poll(cx).is_ready() {
            let (act, due) = wheel.judge(life.idle_since());
            match act {
                Act::Close => return Poll::Ready(End::Closed),
                Act::GiveUp => return Poll::Ready(End::Silent),
                Act::Ping | Act::Wait => timer.as_mut().reset(due),
            }
        }
        Poll::Pending
    });
    // Before the connection is dropped, which ends every stream: who asks why then finds the answer.
    life.end(end.await);
}

/// Drops the connection with its task, whatever ends that.
struct Stop(Arc<Wheel>);

impl Drop for Stop {
    fn drop(&mut self) {
        self.0.stop();
    }
}
