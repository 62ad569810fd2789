//! The real kubectl as a transport, before the real API server: which command each request becomes, what its words become, and with what it
//! is run. A note is taken of each of its runs, and it is let say which requests it made itself.
//!
//! Of T6 all but one promise: kubectl cannot apply a `Scale`, so that is refused as `unsupported` (docs/transports.md), and the row is not
//! claimed.

mod commands;
mod place;
mod surroundings;
mod words;

use tidegate_tests::Outcome;

/// The lines that a guest wrote.
fn lines(outcome: &Outcome) -> Vec<&str> {
    outcome.stdout.lines().collect()
}
