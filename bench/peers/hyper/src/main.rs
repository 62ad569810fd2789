//! The bare client: no discovery, no retry, no types. Over HTTP/1.1 a connection for each request in flight, over HTTP/2 one for all.
//!
//! Arguments: `get|get-h2|list|watch HOST:PORT CA-FILE TOKEN-FILE PATH [COUNT [WAYS]]`, `behind-h2 … PATH EVENTS WRITERS`,
//! `probe … PATH WRITERS`.

mod behind;
mod connection;
mod work;

use std::error::Error;
use std::process::ExitCode;

use connection::{Server, Version};

/// Any failure ends the program, which then is an error row.
type Outcome<T> = Result<T, Box<dyn Error>>;

fn main() -> ExitCode {
    bench_scan::ended(run())
}

fn run() -> Outcome<bench_scan::Tally> {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let [mode, address, ca, token, path, rest @ ..] = &words[..] else {
        return Err("MODE HOST:PORT CA-FILE TOKEN-FILE PATH [COUNT [WAYS]]".into());
    };
    let number = |place: usize| rest.get(place).map_or(Ok(1), |word| word.parse::<usize>());
    let (count, ways) = (number(0)?, number(1)?);
    let (mode, version) = match mode.strip_suffix("-h2") {
        Some(mode) => (mode, Version::Two),
        None => (mode.as_str(), Version::One),
    };
    let server = Server::new(version, address, ca.as_ref(), token.as_ref())?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        match mode {
            "get" => work::gets(&server, path, count, ways).await,
            "list" => work::list(&server, path).await,
            "watch" => work::watch(&server, path, count as u64).await,
            "behind" => behind::behind(&server, path, count, ways).await,
            "probe" => behind::probe(&server, path, count).await,
            _ => Err(format!("no such mode: {mode}").into()),
        }
    })
}
