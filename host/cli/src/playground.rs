//! `tidegate playground`: an executable of its own beside this one, so that this one stays small.

use std::process::ExitCode;

use crate::flags::PlaygroundFlags;
use crate::{COULD_NOT_START, report};

pub(crate) fn run(flags: &PlaygroundFlags) -> ExitCode {
    let error = match tidegate::executable() {
        Ok(own) => tidegate::become_program(&own.with_file_name("tidegate-playground"), &flags.flags),
        Err(error) => error,
    };
    report::error(
        &error,
        Some("tidegate-playground is installed beside tidegate; `cargo xtask build` builds both"),
    );
    ExitCode::from(COULD_NOT_START)
}
