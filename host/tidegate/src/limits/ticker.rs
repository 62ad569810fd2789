use std::io;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::Clock;

/// The shortest time between two ticks: how late a guest that computes is at most told that its time is up.
const PRECISION: Duration = Duration::from_millis(5);

/// Makes guests that compute look at their clocks, once one of them can have run out.
///
/// Its thread lives while there is a guest whose time is limited, and sleeps until the soonest of them can be over: a guest that waits costs no
/// tick.
#[derive(Clone)]
pub(crate) struct Ticker(Arc<Shared>);

struct Shared {
    tick: Box<dyn Fn() + Send + Sync>,
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Default)]
struct State {
    clocks: Vec<Arc<Clock>>,
    running: bool,
}

/// A clock that is looked at, until this is dropped.
pub(crate) struct Watched {
    ticker: Ticker,
    clock: Arc<Clock>,
}

impl Ticker {
    /// `tick` makes whatever computes look at its clock.
    pub(crate) fn new(tick: impl Fn() + Send + Sync + 'static) -> Ticker {
        Ticker(Arc::new(Shared { tick: Box::new(tick), state: Mutex::default(), changed: Condvar::new() }))
    }

    /// Looks at a clock from now on. Errors: there is no thread to be had.
    pub(crate) fn watch(&self, clock: &Arc<Clock>) -> io::Result<Watched> {
        let mut state = self.0.lock();
        if !state.running {
            let shared = self.0.clone();
            std::thread::Builder::new()
                .name("limits".into())
                .stack_size(64 << 10)
                .spawn(move || shared.run())?;
            state.running = true;
        }
        state.clocks.push(clock.clone());
        drop(state);
        self.0.changed.notify_one();
        Ok(Watched { ticker: self.clone(), clock: clock.clone() })
    }
}

impl Shared {
    fn run(&self) {
        let mut state = self.lock();
        while !state.clocks.is_empty() {
            let soonest = state.clocks.iter().map(|clock| clock.soonest()).min().unwrap_or(Duration::MAX);
            let over = |clock: &Arc<Clock>| clock.is_running() && clock.soonest().is_zero();
            if state.clocks.iter().any(over) {
                (self.tick)();
            }
            state = match self.changed.wait_timeout(state, soonest.max(PRECISION)) {
                Ok((state, _)) => state,
                Err(poisoned) => poisoned.into_inner().0,
            };
        }
        state.running = false;
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Watched {
    fn drop(&mut self) {
        self.ticker.0.lock().clocks.retain(|clock| !Arc::ptr_eq(clock, &self.clock));
        self.ticker.0.changed.notify_one();
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use tidegate_grants::Limits;

    use super::*;

    fn eventually(what: &str, is: impl Fn() -> bool) {
        for _ in 0..1_000 {
            if is() {
                return;
            }
            std::thread::sleep(Duration::from_millis(5));
        }
        panic!("never: {what}");
    }

    #[test]
    fn who_computes_past_its_time_is_told_and_the_thread_ends_with_the_last() {
        let ticks = Arc::new(AtomicUsize::new(0));
        let counted = ticks.clone();
        let ticker = Ticker::new(move || _ = counted.fetch_add(1, Ordering::Relaxed));
        let clock = |milliseconds| {
            Arc::new(Clock::start(&Limits::none().cpu(Duration::from_millis(milliseconds))).unwrap())
        };
        let (idle, busy) = (clock(10), clock(10));
        assert!(!ticker.0.lock().running, "no thread before somebody needs it");
        let watched = [ticker.watch(&idle).unwrap(), ticker.watch(&busy).unwrap()];
        std::thread::sleep(Duration::from_millis(50));
        assert_eq!(ticks.load(Ordering::Relaxed), 0, "nobody computes");
        busy.begin();
        eventually("it ticks", || ticks.load(Ordering::Relaxed) > 2);
        busy.pause();
        drop(watched);
        eventually("the thread ends", || !ticker.0.lock().running);
        let again = ticker.watch(&idle).unwrap();
        assert!(ticker.0.lock().running);
        drop(again);
    }
}
