//! SIGINT, SIGTERM, SIGHUP and SIGPIPE: the guest ends, what it opened is closed, and nothing is said about it. What whoever started us
//! ignores stays ignored, as nohup(1) and shells' background jobs count on.

use std::future::{Future, poll_fn};
use std::io;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicI32, Ordering};
use std::task::{Context, Poll};

use signal_hook::consts::{SIGALRM, SIGHUP, SIGINT, SIGTERM};
use signal_hook::low_level;
use tidegate::Engine;
use tokio::signal::unix::{Signal, SignalKind, signal};

const SIGNALS: [i32; 3] = [SIGINT, SIGTERM, SIGHUP];

/// How long the guest may take to give way, in seconds. It cannot while it writes to a pipe that is full and that nobody reads, as a
/// pager's is.
const PATIENCE: u32 = 1;

/// Does the work until it is done, or until a signal asks us to end: then the error is its number.
///
/// Until the work waits for the first time nothing is open that must be closed, so a signal ends the process at once. From then on a first
/// one nudges the engine, so that a guest that computes and never waits for anything gives way too; a second one ends the process at
/// once, and so does [`PATIENCE`]. All of it is done where the signal is handled: a thread that waits for one would be started in every run.
pub(crate) async fn unless_ended<T>(
    engine: &Engine,
    work: impl Future<Output = T>,
) -> io::Result<Result<T, i32>> {
    let state = Arc::new(State::default());
    let handled = SIGNALS.map(|signal| (!is_ignored(signal)).then_some(signal));
    handle(engine, &state, handled.into_iter().flatten())?;
    let mut work = pin!(work);
    let mut wakers: Option<Vec<Signal>> = None;
    poll_fn(|context| {
        // The signal first: a guest that computes gives way once for it, and would not come back from another turn.
        if let Some(signal) = state.ending() {
            return Poll::Ready(Ok(Err(signal)));
        }
        if let Poll::Ready(done) = work.as_mut().poll(context) {
            return Poll::Ready(Ok(Ok(done)));
        }
        if wakers.is_none() {
            let waker = |number| signal(SignalKind::from_raw(number));
            wakers = Some(handled.into_iter().flatten().map(waker).collect::<io::Result<_>>()?);
            state.be_gentle();
        }
        wake_for(wakers.iter_mut().flatten(), context);
        // One that came before anybody would have been woken for it.
        state.ending().map_or(Poll::Pending, |signal| Poll::Ready(Ok(Err(signal))))
    })
    .await
}

/// Has this task polled again when a signal comes. Which one it was, the state tells.
fn wake_for<'a>(wakers: impl Iterator<Item = &'a mut Signal>, context: &mut Context<'_>) {
    for waker in wakers {
        while waker.poll_recv(context).is_ready() {}
    }
}

/// What a signal does: [`State::AT_ONCE`], [`State::GENTLY`], or it is the second, and this is the number of the first.
struct State(AtomicI32);

impl State {
    const AT_ONCE: i32 = 0;
    const GENTLY: i32 = -1;

    fn be_gentle(&self) {
        self.0.store(Self::GENTLY, Ordering::SeqCst);
    }

    /// The signal that asked us to end.
    fn ending(&self) -> Option<i32> {
        Some(self.0.load(Ordering::SeqCst)).filter(|state| *state > 0)
    }

    /// Takes note of a signal. Whether it is the first, and is to end the work gently.
    fn take(&self, signal: i32) -> bool {
        self.0.compare_exchange(Self::GENTLY, signal, Ordering::SeqCst, Ordering::SeqCst).is_ok()
    }
}

impl Default for State {
    fn default() -> Self {
        Self(AtomicI32::new(Self::AT_ONCE))
    }
}

/// Whether whoever started us ignores the signal.
#[allow(unsafe_code, reason = "nothing safe tells what is done on a signal")]
fn is_ignored(signal: i32) -> bool {
    // SAFETY: a `sigaction` of zeroes is one (a number, a mask and a null restorer), and sigaction(2) with no new action only writes the
    // present one there.
    unsafe {
        let mut now: libc::sigaction = std::mem::zeroed();
        libc::sigaction(signal, std::ptr::null(), &raw mut now) == 0 && now.sa_sigaction == libc::SIG_IGN
    }
}

#[allow(unsafe_code, reason = "what runs in a signal handler is for us to check")]
fn handle(engine: &Engine, state: &Arc<State>, signals: impl Iterator<Item = i32>) -> io::Result<()> {
    for signal in signals {
        let (engine, state) = (engine.clone(), state.clone());
        let told = move || {
            if !state.take(signal) {
                low_level::exit(exit_code(state.ending().unwrap_or(signal)).into());
            }
            engine.interrupt();
            // SAFETY: alarm(2) takes a number and has no preconditions.
            unsafe { libc::alarm(PATIENCE) };
        };
        // SAFETY: a handler may do only what is async-signal-safe (signal-safety(7)). This one exchanges an atomic number, adds to
        // another (`Engine::increment_epoch` promises no more), and calls alarm(2) or _exit(2). It allocates, locks and frees nothing: what
        // it owns is never dropped, since it is never unregistered.
        unsafe { low_level::register(signal, told) }?;
    }
    let state = state.clone();
    let late = move || low_level::exit(exit_code(state.ending().unwrap_or(SIGALRM)).into());
    // SAFETY: as above: it loads an atomic number and calls _exit(2).
    unsafe { low_level::register(SIGALRM, late) }?;
    Ok(())
}

/// 128 + the signal's number, as shells have it: 130 for SIGINT, 143 for SIGTERM.
pub(crate) fn exit_code(signal: i32) -> u8 {
    u8::try_from(128 + signal).unwrap_or(u8::MAX)
}
