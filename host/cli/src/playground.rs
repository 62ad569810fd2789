//! `tidegate playground`: an executable of its own beside this one, so that this one stays small.

use std::process::ExitCode;

use crate::flags::PlaygroundFlags;
use crate::run::beside;
use crate::{COULD_NOT_START, report};

pub(crate) fn run(flags: &PlaygroundFlags) -> ExitCode {
    let Some(program) = beside("tidegate-playground") else {
        report::line("error: this program's own path is unknown, so tidegate-playground cannot be found");
        return ExitCode::from(COULD_NOT_START);
    };
    let error = tidegate::become_program(&program, &flags.flags);
    report::error(&error, Some("tidegate-playground is installed beside tidegate; `cargo xtask build` builds both"));
    ExitCode::from(COULD_NOT_START)
}
