//! `tidegate:host/poll`: waiting for one of several things.

use std::future::Future;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use futures_util::future::BoxFuture;
use tokio::time::Instant;
use wasmtime::Result;
use wasmtime::component::Resource;

use crate::View;
use crate::wit::tidegate::host::poll::{Host, HostPollable};

/// How many pollables may be waited for at once: less than wasmtime lends in one call, so that it is this cap that is named.
const MAX_POLLED: usize = 50_000;

/// What a pollable waits for.
///
/// `ready` ends once waiting would return at once, and may be dropped before without losing anything.
pub(crate) trait Source: Send + Sync + 'static {
    fn ready(&self) -> BoxFuture<'_, ()>;
}

/// Something that becomes ready. It holds what it waits for, so that a guest may drop handles in any order.
pub struct Pollable(Arc<dyn Source>);

impl Pollable {
    pub(crate) fn new(source: Arc<dyn Source>) -> Self {
        Self(source)
    }
}

impl Host for View<'_> {
    async fn poll(&mut self, pollables: Vec<Resource<Pollable>>) -> Result<Vec<u32>> {
        // A pollable may be listed twice, so the number of handles is no bound.
        if pollables.len() > MAX_POLLED {
            return Err(wasmtime::format_err!(
                "the guest waits for {} pollables at once, and may for {MAX_POLLED}",
                pollables.len()
            ));
        }
        let sources =
            pollables.iter().map(|pollable| Ok(self.get(pollable)?.0.clone())).collect::<Result<Vec<_>>>()?;
        Ok(self.aside(async move { any_ready(&sources).await }).await)
    }

    fn after(&mut self, nanoseconds: u64) -> Result<Resource<Pollable>> {
        self.push(Pollable::new(Arc::new(Timer::after(nanoseconds))))
    }
}

impl HostPollable for View<'_> {
    async fn ready(&mut self, pollable: Resource<Pollable>) -> Result<bool> {
        let source = self.get(&pollable)?.0.clone();
        Ok(self.aside(async move { soon(source.ready()).await.is_some() }).await)
    }

    async fn block(&mut self, pollable: Resource<Pollable>) -> Result<()> {
        let source = self.get(&pollable)?.0.clone();
        self.aside(async move { source.ready().await }).await;
        Ok(())
    }

    fn drop(&mut self, pollable: Resource<Pollable>) -> Result<()> {
        self.delete(pollable).map(drop)
    }
}

/// What `future` gives now, or after whoever else wants to run has run once; `None` if it would still wait.
///
/// A guest that asks "is it there yet?" in a loop would otherwise starve the very connection that it asks about, where both share a
/// thread.
pub(crate) async fn soon<F: Future>(future: F) -> Option<F::Output> {
    // tokio's budget must not make something look unready that is ready.
    let mut future = pin!(tokio::task::unconstrained(future));
    if let Some(output) = now(future.as_mut()) {
        return Some(output);
    }
    tokio::task::yield_now().await;
    now(future)
}

/// What `future` gives without waiting.
pub(crate) fn now<F: Future>(future: Pin<&mut F>) -> Option<F::Output> {
    match future.poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(output) => Some(output),
        Poll::Pending => None,
    }
}

/// Waits until one of `sources` is ready, and gives the indexes of all that are.
async fn any_ready(sources: &[Arc<dyn Source>]) -> Vec<u32> {
    if sources.is_empty() {
        return Vec::new();
    }
    let mut waits: Vec<Option<BoxFuture<'_, ()>>> =
        sources.iter().map(|source| Some(source.ready())).collect();
    let sweep = std::future::poll_fn(|context| {
        if sweep(&mut waits, context) == 0 {
            return Poll::Pending;
        }
        // Two may wait for the same stream: the one that came first holds it until it is ready, so look again at those before it.
        sweep(&mut waits, context);
        Poll::Ready(())
    });
    tokio::task::unconstrained(sweep).await;
    (0u32..).zip(&waits).filter(|(_, wait)| wait.is_none()).map(|(index, _)| index).collect()
}

/// Polls what still waits; says how many became ready.
fn sweep(waits: &mut [Option<BoxFuture<'_, ()>>], context: &mut Context<'_>) -> usize {
    let mut ready = 0;
    for wait in waits {
        if wait.as_mut().is_some_and(|wait| wait.as_mut().poll(context).is_ready()) {
            *wait = None;
            ready += 1;
        }
    }
    ready
}

struct Timer(Instant);

impl Timer {
    fn after(nanoseconds: u64) -> Self {
        const A_YEAR: Duration = Duration::from_secs(365 * 24 * 3600);
        let now = Instant::now();
        Self(now.checked_add(Duration::from_nanos(nanoseconds)).unwrap_or(now + A_YEAR))
    }
}

impl Source for Timer {
    fn ready(&self) -> BoxFuture<'_, ()> {
        Box::pin(tokio::time::sleep_until(self.0))
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicBool, Ordering};

    use super::*;

    fn timer(milliseconds: u64) -> Arc<dyn Source> {
        Arc::new(Timer::after(milliseconds * 1_000_000))
    }

    #[tokio::test(start_paused = true)]
    async fn poll_tells_all_that_are_ready_in_order() {
        let cases: [(&[u64], &[u32]); 4] =
            [(&[], &[]), (&[5], &[0]), (&[9, 5, 5, 7], &[1, 2]), (&[0, 900, 0], &[0, 2])];
        for (timers, expected) in cases {
            let sources: Vec<_> = timers.iter().map(|&milliseconds| timer(milliseconds)).collect();
            assert_eq!(any_ready(&sources).await, expected, "{timers:?}");
        }
    }

    #[tokio::test]
    async fn the_largest_delay_is_legal() {
        let source = Timer::after(u64::MAX);
        assert!(soon(source.ready()).await.is_none());
    }

    #[tokio::test]
    async fn ten_thousand_are_polled_past_the_executors_budget() {
        let sources: Vec<_> =
            (0..10_000).map(|index| timer(if index % 2 == 0 { 0 } else { 3_600_000 })).collect();
        tokio::time::sleep(Duration::from_millis(2)).await;
        assert_eq!(any_ready(&sources).await.len(), 5_000);
    }

    #[tokio::test]
    async fn asking_lets_others_run() {
        let done = Arc::new(AtomicBool::new(false));
        let other = done.clone();
        tokio::spawn(async move { other.store(true, Ordering::Relaxed) });
        assert!(soon(std::future::pending::<()>()).await.is_none());
        assert!(done.load(Ordering::Relaxed));
    }
}
