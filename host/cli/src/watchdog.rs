//! The end of a script's time on the clock, where the script cannot be told.

use std::process::exit;
use std::thread;
use std::time::Duration;

use tidegate::grants::{Limit, LimitKind, Limits};

use crate::{LIMITED, report};

/// How long the script may take to give way. It cannot while it writes to a pipe that is full and that nobody reads, as a pager's is.
const PATIENCE: Duration = Duration::from_secs(1);

/// How long the last words may take: they may go to the same pipe.
const LAST_WORDS: Duration = Duration::from_millis(200);

/// Ends this process once the script's time on the clock has been over for a while. Without such a limit there is no thread.
pub(crate) fn set(limits: &Limits) -> std::io::Result<()> {
    let Some(limit @ Limit::Wall(time)) = limits.get(LimitKind::Wall) else { return Ok(()) };
    let spawn = |work: Box<dyn FnOnce() + Send>| {
        thread::Builder::new().name("watchdog".into()).stack_size(64 << 10).spawn(work).map(drop)
    };
    spawn(Box::new(move || {
        thread::sleep(time.saturating_add(PATIENCE));
        _ = spawn(Box::new(move || report::error(&limit, Some(&limit.cure()))));
        thread::sleep(LAST_WORDS);
        exit(LIMITED.into());
    }))
}
