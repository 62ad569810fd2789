use std::io;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use super::Clock;

/// The shortest time between two ticks: how late a guest that computes is at most told that its time is up.
const PRECISION: Duration = Duration::from_millis(5);

/// Makes guests that compute look at their clocks, once one of them can have run out.
///
/// Its thread lives while there is a guest whose time is limited, and sleeps until the soonest of those whose turn it is can be over: a
/// guest that waits costs nothing.
#[derive(Clone)]
pub(crate) struct Ticker(Arc<Shared>);

struct Shared {
    tick: Box<dyn Fn() + Send + Sync>,
    state: Mutex<State>,
    changed: Condvar,
    born: Instant,
    /// When its thread looks at the clocks again, in nanoseconds since `born`; [`ASK`] where it must be told of whoever begins.
    next: AtomicU64,
}

/// While the thread looks, and while it sleeps without end.
const ASK: u64 = u64::MAX;

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
        let (state, changed, next) = (Mutex::default(), Condvar::new(), AtomicU64::new(ASK));
        Ticker(Arc::new(Shared { tick: Box::new(tick), state, changed, born: Instant::now(), next }))
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
            // Who begins after its clock was looked at finds this, and waits for the lock to say so.
            self.next.store(ASK, Ordering::SeqCst);
            let running = state.clocks.iter().filter(|clock| clock.is_running());
            let soonest = running.map(|clock| clock.soonest()).min().unwrap_or(Duration::MAX);
            if soonest.is_zero() {
                (self.tick)();
            }
            self.next.store(self.within(soonest), Ordering::SeqCst);
            state = match self.changed.wait_timeout(state, soonest.max(PRECISION)) {
                Ok((state, _)) => state,
                Err(poisoned) => poisoned.into_inner().0,
            };
        }
        state.running = false;
    }

    /// A turn begins that can be over so soon.
    fn expect(&self, soonest: Duration) {
        if self.within(soonest) < self.next.load(Ordering::SeqCst) {
            drop(self.lock());
            self.changed.notify_one();
        }
    }

    /// So long from now, as `next` has it.
    fn within(&self, soonest: Duration) -> u64 {
        let at = self.born.elapsed().saturating_add(soonest.max(PRECISION));
        u64::try_from(at.as_nanos()).unwrap_or(ASK)
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Watched {
    /// The guest's turn begins, on this thread.
    pub(crate) fn begin(&self) {
        self.clock.begin();
        self.ticker.0.expect(self.clock.soonest());
    }

    /// Makes the guest look at its clock where it computes. Others do too, and lose a turn by it.
    pub(crate) fn tick(&self) {
        (self.ticker.0.tick)();
    }

    pub(crate) fn clock(&self) -> &Clock {
        &self.clock
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
    use std::sync::atomic::AtomicUsize;

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
        let sleeps = || ticker.0.next.load(Ordering::SeqCst) == ASK;
        assert!(ticks.load(Ordering::Relaxed) == 0 && sleeps(), "nobody computes");
        for _ in 0..3 {
            let before = ticks.load(Ordering::Relaxed);
            watched[1].begin();
            eventually("it ticks", || ticks.load(Ordering::Relaxed) > before + 2);
            busy.pause();
            // Nothing is left to one of them, and little to the other, but both wait.
            eventually("it sleeps without end", sleeps);
            std::thread::sleep(PRECISION * 4);
            let before = ticks.load(Ordering::Relaxed);
            std::thread::sleep(Duration::from_millis(30));
            assert!(sleeps() && ticks.load(Ordering::Relaxed) == before);
        }
        drop(watched);
        eventually("the thread ends", || !ticker.0.lock().running);
        let again = ticker.watch(&idle).unwrap();
        assert!(ticker.0.lock().running);
        drop(again);
    }
}
