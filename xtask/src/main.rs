//! What a person does with this repository, as commands: `cargo xtask help`.
//!
//! It starts programs and never links wasmtime, so that it is built in seconds.

mod bench;
mod build;
mod cluster;
mod demo;
mod dist;
mod fuzz;
mod order;
mod places;
mod say;
mod test;

use std::process::ExitCode;

use say::Failure;

const HELP: &str = "\
cargo xtask demo [--real]            set up, build, run the example on the playground (or a real control plane)
cargo xtask test [FILTER]            set up what tests need, run all of them
cargo xtask fuzz [TARGET] [SECONDS]  what reads others' files and answers, under a fuzzer (60 s each)
cargo xtask build                    the programs and the example guests, and where they are
cargo xtask dist                     the programs as they are shipped (LTO), their sizes checked
cargo xtask order                    finds out anew which functions of the runner a start executes, for `dist`
cargo xtask cluster up [NODES]       start a real control plane and leave it running
cargo xtask cluster down|kubeconfig  stop it; print the path of its kubeconfig
cargo xtask bench [--quick] [--json FILE] [WORK …]
                                     whole processes against their peers, in one run

Caches are kept in $TIDEGATE_CACHE, or ~/.cache/tidegate; cargo builds in $CARGO_TARGET_DIR, or the target folder there.";

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match run(&words) {
        Ok(code) => code,
        Err(failure) => {
            eprintln!("xtask: {failure}");
            ExitCode::FAILURE
        }
    }
}

fn run(words: &[&str]) -> Result<ExitCode, Failure> {
    match words {
        ["demo"] => demo::playground(),
        ["demo", "--real"] => demo::real(),
        ["test", filter @ ..] => test::run(filter),
        ["build"] => build::all(),
        ["dist"] => dist::run(),
        ["order"] => order::run(),
        ["fuzz", rest @ ..] => fuzz::run(rest),
        ["cluster", rest @ ..] => cluster::run(rest),
        ["bench", rest @ ..] => bench::run(rest),
        [] | ["help" | "--help" | "-h"] => {
            println!("{HELP}");
            Ok(ExitCode::SUCCESS)
        }
        _ => Err(Failure::usage(format!("no such command: {}\n\n{HELP}", words.join(" ")))),
    }
}
