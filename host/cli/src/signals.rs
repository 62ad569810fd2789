//! SIGINT, SIGTERM, SIGHUP and SIGPIPE: the guest ends, what it opened is closed, and nothing is said about it.

use std::future::{Future, poll_fn};
use std::io;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::Poll;
use std::time::{Duration, Instant};

use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use signal_hook::flag::register_conditional_shutdown;
use signal_hook::iterator::Signals;
use tidegate::Engine;
use tokio::sync::oneshot;

const SIGNALS: [i32; 3] = [SIGINT, SIGTERM, SIGHUP];

/// How long the guest may take to give way. It cannot while it writes to a pipe that is full and that nobody reads, as a pager's is.
const PATIENCE: Duration = Duration::from_secs(1);

/// Does the work until it is done, or until a signal asks us to end: then the error is its number.
///
/// Until the work waits for the first time nothing is open that must be closed, so a signal ends the process at once. The thread that
/// does it gently from then on starts while the work waits, where it costs no time.
pub(crate) async fn unless_ended<T>(
    engine: &Engine,
    work: impl Future<Output = T>,
) -> io::Result<Result<T, i32>> {
    let at_once = Arc::new(AtomicBool::new(true));
    for signal in SIGNALS {
        register_conditional_shutdown(signal, exit_code(signal).into(), at_once.clone())?;
    }
    let mut work = pin!(work);
    let mut ended: Option<oneshot::Receiver<i32>> = None;
    poll_fn(|context| {
        // The signal first: a guest that computes gives way once for it, and would not come back from another turn.
        if let Some(ended) = &mut ended
            && let Poll::Ready(Ok(signal)) = pin!(ended).poll(context)
        {
            return Poll::Ready(Ok(Err(signal)));
        }
        if let Poll::Ready(done) = work.as_mut().poll(context) {
            return Poll::Ready(Ok(Ok(done)));
        }
        if ended.is_none() {
            let told = pin!(ended.insert(listen(engine.clone(), &at_once)?));
            if let Poll::Ready(Ok(signal)) = told.poll(context) {
                return Poll::Ready(Ok(Err(signal)));
            }
        }
        Poll::Pending
    })
    .await
}

/// Is told the first signal, by a thread that sleeps until it comes. It nudges the engine, so that a guest that computes and never waits
/// for anything gives way too. A second signal ends the process at once, and so does [`PATIENCE`].
fn listen(engine: Engine, at_once: &AtomicBool) -> io::Result<oneshot::Receiver<i32>> {
    let mut signals = Signals::new(SIGNALS)?;
    at_once.store(false, Ordering::SeqCst);
    let (tell, told) = oneshot::channel();
    std::thread::Builder::new().name("signals".into()).stack_size(64 << 10).spawn(move || {
        let Some(signal) = signals.forever().next() else { return };
        let _ = tell.send(signal);
        engine.interrupt();
        let end = Instant::now() + PATIENCE;
        while Instant::now() < end && signals.pending().next().is_none() {
            std::thread::sleep(Duration::from_millis(10));
        }
        std::process::exit(exit_code(signal).into());
    })?;
    Ok(told)
}

/// 128 + the signal's number, as shells have it: 130 for SIGINT, 143 for SIGTERM.
pub(crate) fn exit_code(signal: i32) -> u8 {
    u8::try_from(128 + signal).unwrap_or(u8::MAX)
}
