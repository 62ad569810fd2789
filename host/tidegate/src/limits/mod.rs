//! What keeps a guest within its limits of memory and time. Streams, requests and bytes are counted where they are moved
//! (`tidegate_transport::Meter`).

mod clock;
mod memory;
mod ticker;

use std::future::{Future, poll_fn};
use std::pin::pin;
use std::task::Poll;

use tidegate_grants::Limit;
use tokio::time::sleep_until;

pub(crate) use clock::Clock;
pub(crate) use memory::Memory;
pub(crate) use ticker::{Ticker, Watched};

/// Does the work on the guest's time: it ends with the limit that was reached, where the work waits or has given way.
pub(crate) async fn timed<T>(watched: &Watched, work: impl Future<Output = T>) -> Result<T, Limit> {
    let clock = watched.clock();
    let mut work = pin!(work);
    let mut alarm = clock.end().map(|end| Box::pin(sleep_until(end)));
    poll_fn(|context| {
        let mut turn = || {
            watched.begin();
            let polled = work.as_mut().poll(context);
            (polled, clock.pause())
        };
        let (mut polled, reached) = turn();
        if polled.is_pending() && reached.is_some() {
            // It waits, or gave way the moment before its time was up. Where it computes, it is asked once more, and ends with where that was.
            watched.tick();
            (polled, _) = turn();
        }
        if let Poll::Ready(done) = polled {
            return Poll::Ready(Ok(done));
        }
        if let Some(alarm) = &mut alarm {
            // It wakes us; what the clock says counts.
            _ = alarm.as_mut().poll(context);
        }
        match reached.or_else(|| clock.passed()) {
            Some(limit) => Poll::Ready(Err(limit)),
            None => Poll::Pending,
        }
    })
    .await
}
