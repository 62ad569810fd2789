//! Whole processes against each other, from their start to their end: `cargo xtask bench`.
//!
//! Each work is done by tidegate with a guest and by each peer in turn, A B A B, against one server; a row compares their
//! medians. A client that finds something else than the others is no peer but an error. docs/performance.md says how to read it.

mod client;
mod compare;
mod options;
mod peers;
mod pin;
mod process;
mod report;
mod server;
mod work;

use std::error::Error;
use std::process::ExitCode;

use compare::Stage;
use options::Options;
use report::Report;
use work::WORKS;

/// What a person is told, with its causes.
type Failure = Box<dyn Error>;

fn main() -> ExitCode {
    let words: Vec<String> = std::env::args().skip(1).collect();
    match run(&words) {
        Ok(code) => code,
        Err(error) => {
            eprintln!("error: {error}");
            let mut source = error.source();
            while let Some(cause) = source {
                eprintln!("  because: {cause}");
                source = cause.source();
            }
            ExitCode::FAILURE
        }
    }
}

fn run(words: &[String]) -> Result<ExitCode, Failure> {
    let Some(options) = Options::parse(words)? else {
        println!("{}", options::HELP);
        return Ok(ExitCode::SUCCESS);
    };
    let clients = peers::prepare()?;
    let mut stage = Stage::new()?;
    let mut report = Report::new(&options)?;
    for work in WORKS.iter().filter(|work| options.wants(work.name)) {
        stage.compare(work, &clients, &options, &mut report)?;
    }
    report.close(&clients.absent)
}

/// One step of the work, said on standard error: standard output is the table's.
fn step(text: &str) {
    eprintln!("▸ {text}");
}
