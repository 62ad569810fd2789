//! kube-rs: its client over types that hold just what the work needs, or over `Api<Pod>` as most programs do.
//!
//! Arguments: `get|get-typed|list|list-paged|list-typed|list-typed-paged|watch|watch-typed PATH [COUNT [WAYS]]`, `behind PATH EVENTS
//! WRITERS`; the server is in `$KUBECONFIG`.

mod behind;
mod gets;
mod lean;
mod lists;
mod watches;

use std::error::Error;
use std::process::ExitCode;

use bench_scan::Tally;
use kube::{Client, Config};

/// Any failure ends the program, which then is an error row.
type Outcome<T> = Result<T, Box<dyn Error>>;

fn main() -> ExitCode {
    bench_scan::ended(run())
}

fn run() -> Outcome<Tally> {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let [mode, path, rest @ ..] = &words[..] else { return Err("MODE PATH [COUNT [WAYS]]".into()) };
    let number = |place: usize| rest.get(place).map_or(Ok(1), |word| word.parse::<usize>());
    let (count, ways) = (number(0)?, number(1)?);
    // One thread: for these works it is the faster of tokio's two runtimes.
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let client = Client::try_from(Config::infer().await?)?;
        match mode.as_str() {
            "get" => gets::lean(client, path, count, ways).await,
            "get-typed" => gets::typed(client, path, count, ways).await,
            "list" => lists::lean(client, path).await,
            "list-paged" => lists::paged(client, path).await,
            "list-typed" => lists::typed(client).await,
            "list-typed-paged" => lists::typed_paged(client).await,
            "watch" => watches::lean(client, path, count as u64).await,
            "watch-typed" => watches::typed(client, path, count as u64).await,
            "behind" => behind::behind(client, path, count, ways).await,
            _ => Err(format!("no such mode: {mode}").into()),
        }
    })
}
