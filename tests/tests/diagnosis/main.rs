//! What tidegate says of what is wrong: `doctor` of transports, `inspect` of components, exit codes of runs, source lines of traps.
//!
//! Covers: H11

mod codes;
mod doctor;
mod inspect;
mod traps;

use tidegate_tests::{Act, Peer};

fn peer() -> Peer {
    Peer::answering(|asked| asked.or_api(|| vec![Act::json("{}")]))
}
