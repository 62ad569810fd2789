//! SIGINT, SIGTERM, SIGHUP and SIGPIPE: the guest ends, what it opened is closed, and nothing is said about it.

use std::io;
use std::time::{Duration, Instant};

use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use signal_hook::iterator::Signals;
use tidegate::Engine;
use tokio::sync::oneshot;

/// How long the guest may take to give way. It cannot while it writes to a pipe that is full and that nobody reads, as a pager's is.
const PATIENCE: Duration = Duration::from_secs(1);

/// Told the number of the first signal that asks us to end.
pub(crate) struct Ended(oneshot::Receiver<i32>);

impl Ended {
    /// Listens, on a thread that sleeps until a signal comes. It nudges the engine, so that a guest that computes and never waits
    /// for anything gives way too. A second signal ends the process at once, and so does [`PATIENCE`].
    pub(crate) fn listen(engine: Engine) -> io::Result<Ended> {
        let mut signals = Signals::new([SIGINT, SIGTERM, SIGHUP])?;
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
        Ok(Ended(told))
    }

    /// Waits for a signal; its number.
    pub(crate) async fn signal(self) -> i32 {
        match self.0.await {
            Ok(signal) => signal,
            Err(_) => std::future::pending().await,
        }
    }
}

/// 128 + the signal's number, as shells have it: 130 for SIGINT, 143 for SIGTERM.
pub(crate) fn exit_code(signal: i32) -> u8 {
    u8::try_from(128 + signal).unwrap_or(u8::MAX)
}
