//! What the guests of the comparison have in common.
//!
//! They use the host's interfaces directly: what is measured is the wall between guest and host, not a library on this side of it.

mod bindings;

use std::process;
use std::time::Instant;

pub use bench_scan::{Items, Tally, behind, event, identity};
pub use bindings::tidegate::host::client::Client;
pub use bindings::tidegate::host::lists;
pub use bindings::tidegate::host::poll;
pub use bindings::tidegate::host::types::{Error, EventType, Method, Pending, Request};

use bindings::tidegate::host::detect;

/// The fields that [`count`] looks at.
pub const COUNTED: [&str; 4] =
    ["metadata.name", "metadata.namespace", "metadata.uid", "metadata.resourceVersion"];

/// Runs the work with a client and the program's arguments, and prints what it found.
///
/// The clock starts when the client is there, so that detection and its probe count as start.
pub fn run(work: impl FnOnce(&Client, &[String]) -> Result<Tally, Error>) {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let outcome = detect::auto_detect_client().and_then(|detected| {
        let begin = Instant::now();
        let mut tally = work(&detected.client, &arguments)?;
        tally.elapsed = begin.elapsed();
        Ok(tally)
    });
    match outcome {
        Ok(tally) => println!("{tally}"),
        Err(error) => give_up(&error.message()),
    }
}

/// A GET of this path.
pub fn get(path: &str) -> Request {
    Request::new(Method::Get, path)
}

/// Counts the one object that a GET returned.
pub fn count(tally: &mut Tally, object: &[u8]) {
    match identity(object) {
        Some(found) => tally.add(&found),
        None => give_up("the answer is no object"),
    }
}

/// The number at this place of the arguments.
pub fn number(arguments: &[String], place: usize) -> usize {
    let number = arguments.get(place).and_then(|word| word.parse().ok());
    number.unwrap_or_else(|| give_up(&format!("argument {} must be a number", place + 1)))
}

/// Ends the program with a failure.
pub fn give_up(why: &str) -> ! {
    eprintln!("error: {why}");
    process::exit(1)
}
