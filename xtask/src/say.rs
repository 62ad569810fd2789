//! What the person at the terminal is told.

use std::fmt;
use std::io::IsTerminal;
use std::process::{Command, ExitStatus};

/// Why a command of xtask ended.
#[derive(Debug)]
pub(crate) struct Failure(String);

impl Failure {
    pub(crate) fn usage(text: String) -> Failure {
        Failure(text)
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl<E: std::error::Error> From<E> for Failure {
    fn from(error: E) -> Failure {
        let mut text = error.to_string();
        let mut source = error.source();
        while let Some(cause) = source {
            text.push_str(&format!(": {cause}"));
            source = cause.source();
        }
        Failure(text)
    }
}

/// One step of a longer work.
pub(crate) fn step(text: &str) {
    let plain = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
    if std::io::stderr().is_terminal() && !plain {
        eprintln!("\x1b[1m▸ {text}\x1b[0m");
    } else {
        eprintln!("▸ {text}");
    }
}

/// Runs a program to its end, its output going where ours goes.
pub(crate) fn run(command: &mut Command) -> Result<(), Failure> {
    let status = status(command)?;
    if status.success() {
        return Ok(());
    }
    Err(Failure(format!("{} ended with {status}", shown(command))))
}

/// The same where a failure is an answer.
pub(crate) fn status(command: &mut Command) -> Result<ExitStatus, Failure> {
    command.status().map_err(|error| Failure(format!("cannot start {}: {error}", shown(command))))
}

/// A command as one would type it.
pub(crate) fn shown(command: &Command) -> String {
    let mut text = command.get_program().to_string_lossy().into_owned();
    for argument in command.get_args() {
        text.push(' ');
        text.push_str(&argument.to_string_lossy());
    }
    text
}
