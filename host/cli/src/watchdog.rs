//! The end of a script's time on the clock, where the script cannot be told.

use std::io;
use std::process::exit;
use std::sync::Arc;
use std::sync::atomic::{AtomicI32, Ordering};
use std::thread;
use std::time::Duration;

use tidegate::grants::{Limit, LimitKind, Limits};

use crate::{LIMITED, report};

/// How long the script may take to give way. It cannot while it writes to a pipe that is full and that nobody reads, as a pager's is. As long
/// again has what is said of its end, which may go to the same pipe.
const PATIENCE: Duration = Duration::from_secs(1);

/// How long the watchdog's own last words may take: they may go to the same pipe.
const LAST_WORDS: Duration = Duration::from_millis(200);

/// Ends this process once the script's time on the clock has been over for a while.
pub(crate) struct Watchdog(Arc<End>);

impl Watchdog {
    /// Without a limit of time on the clock there is no thread.
    pub(crate) fn set(limits: &Limits) -> io::Result<Watchdog> {
        let end = Arc::new(End::default());
        if let Some(limit @ Limit::Wall(time)) = limits.get(LimitKind::Wall) {
            let end = end.clone();
            spawn(move || {
                thread::sleep(time.saturating_add(PATIENCE));
                let code = end.decide(LIMITED);
                if code.is_ours() {
                    _ = spawn(move || report::error(&limit, Some(&limit.cure())));
                    thread::sleep(LAST_WORDS);
                } else {
                    thread::sleep(PATIENCE);
                }
                exit(code.value().into());
            })?;
        }
        Ok(Watchdog(end))
    }

    /// The script has ended with this code, and that is about to be said. Where the watchdog has spoken already, this waits until it has
    /// ended the process.
    pub(crate) fn ended(&self, code: u8) {
        if !self.0.decide(code).is_ours() {
            thread::sleep(PATIENCE);
        }
    }
}

fn spawn(work: impl FnOnce() + Send + 'static) -> io::Result<()> {
    thread::Builder::new().name("watchdog".into()).stack_size(64 << 10).spawn(work).map(drop)
}

/// How the process ends: whoever says so first decides, and is the only one to speak.
struct End(AtomicI32);

/// What was decided, and by whom.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Decided {
    Ours(u8),
    Theirs(u8),
}

impl Decided {
    fn is_ours(self) -> bool {
        matches!(self, Decided::Ours(_))
    }

    fn value(self) -> u8 {
        match self {
            Decided::Ours(code) | Decided::Theirs(code) => code,
        }
    }
}

impl End {
    const OPEN: i32 = -1;

    fn decide(&self, code: u8) -> Decided {
        let decided = self.0.compare_exchange(Self::OPEN, code.into(), Ordering::SeqCst, Ordering::SeqCst);
        match decided {
            Ok(_) => Decided::Ours(code),
            Err(theirs) => Decided::Theirs(u8::try_from(theirs).unwrap_or(code)),
        }
    }
}

impl Default for End {
    fn default() -> Self {
        Self(AtomicI32::new(Self::OPEN))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_decides_and_the_other_is_told() {
        for (first, second) in [(0, LIMITED), (LIMITED, 0), (255, 3)] {
            let end = End::default();
            assert_eq!(end.decide(first), Decided::Ours(first));
            assert_eq!(end.decide(second), Decided::Theirs(first));
            assert_eq!(end.decide(second), Decided::Theirs(first));
        }
    }
}
