//! The bare client: one connection for each request in flight, HTTP/1.1, no discovery, no retry, no types.
//!
//! Arguments: `get|list|watch HOST:PORT CA-FILE TOKEN-FILE PATH [COUNT [WAYS]]`.

mod connection;
mod work;

use std::error::Error;
use std::process::ExitCode;

use connection::Server;

/// Any failure ends the program, which then is an error row.
type Outcome<T> = Result<T, Box<dyn Error>>;

fn main() -> ExitCode {
    bench_scan::ended(run())
}

fn run() -> Outcome<bench_scan::Tally> {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let [mode, address, ca, token, path, rest @ ..] = &words[..] else {
        return Err("get|list|watch HOST:PORT CA-FILE TOKEN-FILE PATH [COUNT [WAYS]]".into());
    };
    let number = |place: usize| rest.get(place).map_or(Ok(1), |word| word.parse::<usize>());
    let (count, ways) = (number(0)?, number(1)?);
    let server = Server::new(address, ca.as_ref(), token.as_ref())?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_io().build()?;
    runtime.block_on(async {
        match mode.as_str() {
            "get" => work::gets(&server, path, count, ways).await,
            "list" => work::list(&server, path).await,
            "watch" => work::watch(&server, path, count as u64).await,
            _ => Err(format!("no such mode: {mode}").into()),
        }
    })
}
