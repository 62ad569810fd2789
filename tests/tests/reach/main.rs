//! What a guest reaches by itself: nothing, whatever its host may do for it; with `--wasi-*` just what they name, and never a credential,
//! a server of a transport or tidegate's own files.
//!
//! Covers: H6

mod credentials;
mod files;
mod https;
mod network;
mod nothing;

use tidegate_tests::{Act, Manner, Outcome, Peer, Run, Shown, TOKEN};

/// What a row adds to its run.
pub(crate) type With<'a> = dyn Fn(Run) -> Run + 'a;

pub(crate) fn plain_peer() -> Peer {
    Peer::start(Shown::Plain, Manner::Usual, |asked| asked.or_api(|| vec![Act::json("{}")]))
}

pub(crate) fn probe() -> Run {
    Run::guest("probe-wasi")
}

/// All of these were got, in this order, and everything else that was tried was not.
#[track_caller]
pub(crate) fn expect_got(outcome: &Outcome, got: &[&str]) {
    let lines = outcome.stdout.lines().filter_map(|line| line.strip_prefix("got "));
    let found: Vec<&str> =
        lines.map(|line| line.rsplit_once(": ").map_or(line, |(attempt, _)| attempt)).collect();
    assert_eq!(found, got, "{outcome:?}");
    assert_eq!(outcome.code(), i32::from(!got.is_empty()), "{outcome:?}");
    assert!(!outcome.everything().contains(TOKEN), "{outcome:?}");
}
