//! Where host functions wait: beside the guest's stack, not on it.
//!
//! A guest runs on a stack of its own, whose memory stays taken for as long as the guest lives, as far down as it was ever used. A TLS
//! handshake uses 57 KB of a stack, a call and what a guest itself needs 3 KB. So what a host function waits for is handed to whoever runs
//! the guest, and done on the stack of that thread, which all guests share.

use std::future::{Future, poll_fn};
use std::pin::{Pin, pin};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};

use futures_util::future::BoxFuture;

/// What one guest's host functions have to do. A guest waits for one at a time.
#[derive(Clone, Default)]
pub struct Aside(Arc<Mutex<State>>);

#[derive(Default)]
struct State {
    /// Whether anybody looks for work here.
    runs: bool,
    work: Option<BoxFuture<'static, ()>>,
}

impl Aside {
    /// Runs a guest, and what its host functions have to do on this stack. Dropped, it ends both.
    pub async fn beside<G: Future>(&self, guest: G) -> G::Output {
        let mut guest = pin!(guest);
        let _ended = Ended::of(self);
        poll_fn(|context| {
            loop {
                // The guest waits for nothing else meanwhile, so it is not woken for nothing.
                if self.work_on(context).is_pending() {
                    return Poll::Pending;
                }
                let guest = guest.as_mut().poll(context);
                if guest.is_ready() || self.state().work.is_none() {
                    return guest;
                }
            }
        })
        .await
    }

    /// Does this beside the guest; here, where nobody runs it. Dropped, it ends.
    pub(crate) fn doing<W>(&self, work: W) -> Doing<W::Output>
    where
        W: Future<Output: Send> + Send + 'static,
    {
        let output = Arc::new(Mutex::new(None));
        let done = output.clone();
        let work = Box::pin(async move {
            let output = work.await;
            *done.lock().unwrap_or_else(PoisonError::into_inner) = Some(output);
        });
        Doing { aside: self.clone(), output, own: Some(work), handed: false }
    }

    fn work_on(&self, context: &mut Context<'_>) -> Poll<()> {
        // Not in its place while it runs: it may be long, and end in a panic.
        let Some(mut work) = self.state().work.take() else { return Poll::Ready(()) };
        let done = work.as_mut().poll(context);
        if done.is_pending() {
            self.state().work = Some(work);
        }
        done
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Work that is handed over when it is first waited for. A guest's stack must hold no more than this.
pub(crate) struct Doing<T> {
    aside: Aside,
    output: Arc<Mutex<Option<T>>>,
    /// Until it is handed over.
    own: Option<BoxFuture<'static, ()>>,
    handed: bool,
}

impl<T> Future for Doing<T> {
    type Output = T;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<T> {
        if let Some(mut own) = self.own.take() {
            let mut state = self.aside.state();
            if state.runs {
                state.work = Some(own);
                drop(state);
                self.handed = true;
                return Poll::Pending;
            }
            drop(state);
            if own.as_mut().poll(context).is_pending() {
                self.own = Some(own);
                return Poll::Pending;
            }
        }
        let Some(output) = self.output.lock().unwrap_or_else(PoisonError::into_inner).take() else {
            return Poll::Pending;
        };
        self.handed = false;
        Poll::Ready(output)
    }
}

impl<T> Drop for Doing<T> {
    fn drop(&mut self) {
        let work = if self.handed { self.aside.state().work.take() } else { None };
        // Not under the lock: what it holds may ask for it.
        drop(work);
    }
}

/// Nobody runs the guest any more once this is gone.
struct Ended<'a>(&'a Aside);

impl<'a> Ended<'a> {
    fn of(aside: &'a Aside) -> Self {
        aside.state().runs = true;
        Self(aside)
    }
}

impl Drop for Ended<'_> {
    fn drop(&mut self) {
        let work = {
            let mut state = self.0.state();
            state.runs = false;
            state.work.take()
        };
        drop(work);
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tokio::time::{sleep, timeout};

    use super::*;

    /// Where the stack is by now, more or less.
    #[inline(never)]
    fn here() -> usize {
        let local = 0_u8;
        std::ptr::from_ref(std::hint::black_box(&local)).addr()
    }

    #[tokio::test(start_paused = true)]
    async fn work_is_done_for_a_guest_that_waits_for_it() {
        let aside = Aside::default();
        let guest = async {
            let mut said = Vec::new();
            for number in 0..3 {
                said.push(aside.doing(async move { number }).await);
                let slow = async move {
                    sleep(Duration::from_secs(1)).await;
                    number
                };
                said.push(aside.doing(slow).await);
            }
            sleep(Duration::from_secs(1)).await;
            said
        };
        assert_eq!(aside.beside(guest).await, [0, 0, 1, 1, 2, 2]);
        assert_eq!(aside.doing(async { "alone" }).await, "alone");
    }

    #[tokio::test]
    async fn work_is_no_deeper_than_whoever_runs_the_guest() {
        #[inline(never)]
        fn deep(aside: &Aside, levels: usize) -> BoxFuture<'_, (usize, usize)> {
            Box::pin(async move {
                match levels {
                    0 => (here(), aside.doing(async { here() }).await),
                    _ => deep(aside, levels - 1).await,
                }
            })
        }
        let aside = Aside::default();
        let (guest, work) = aside.beside(deep(&aside, 100)).await;
        assert!(guest.abs_diff(work) > 4_000, "{guest:x} {work:x}");
        let (guest, work) = deep(&aside, 100).await;
        assert!(guest.abs_diff(work) < 4_000, "{guest:x} {work:x}");
    }

    #[tokio::test(start_paused = true)]
    async fn work_ends_with_the_guest_and_with_whoever_waits_for_it() {
        let (aside, held) = (Aside::default(), Arc::new(()));
        let work = |held: Arc<()>| async move {
            std::future::pending::<()>().await;
            drop(held);
        };
        let endless = aside.beside(aside.doing(work(held.clone())));
        assert!(timeout(Duration::from_secs(1), endless).await.is_err());
        assert_eq!(Arc::strong_count(&held), 1);
        let impatient = async {
            let waiting = timeout(Duration::ZERO, aside.doing(work(held.clone())));
            drop(waiting);
            aside.doing(async { 1 }).await
        };
        assert_eq!(aside.beside(impatient).await, 1);
        assert_eq!(Arc::strong_count(&held), 1);
    }
}
