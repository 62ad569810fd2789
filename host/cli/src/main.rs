//! The `tidegate` program: flags, reports, signals. What it does is the library's, `tidegate`.

mod connections;
mod credential;
mod doctor;
mod flags;
mod inspect;
mod observer;
mod playground;
mod report;
mod run;
mod signals;
mod watchdog;

use std::process::ExitCode;

use clap::{CommandFactory, Parser};

use flags::{Cli, Command};

/// tidegate could not start the script.
const COULD_NOT_START: u8 = 125;
/// The script reached a limit.
const LIMITED: u8 = 124;
/// The command line was wrong.
const USAGE: u8 = 2;

fn main() -> ExitCode {
    match Cli::parse().command {
        Command::Run(flags) => run::run(flags),
        Command::Doctor(flags) => doctor::run(&flags),
        Command::Connections(flags) => connections::run(flags),
        Command::Inspect(flags) => inspect::run(&flags),
        Command::Playground(flags) => playground::run(&flags),
        Command::Completions { shell } => {
            clap_complete::generate(shell, &mut Cli::command(), "tidegate", &mut std::io::stdout());
            ExitCode::SUCCESS
        }
    }
}
