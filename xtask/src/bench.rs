//! Hands over to `bench/`, a workspace of its own: its peers' features must not leak into ours.

use std::process::ExitCode;

use crate::say::{self, Failure};
use crate::{build, places};

/// `cargo xtask bench [--quick] [--json FILE] [WORK …]`.
pub(crate) fn run(words: &[&str]) -> Result<ExitCode, Failure> {
    let programs = build::shipped()?;
    let guests = build::guests(&["--workspace"])?;
    let mut cargo = places::cargo();
    cargo
        .current_dir(places::root().join("bench"))
        .env("CARGO_TARGET_DIR", places::cache().join("target-bench"));
    cargo.args(["run", "--quiet", "--release", "--locked", "--bin", "bench", "--"]).args(words);
    cargo.env("TIDEGATE_PROGRAMS", programs).env("TIDEGATE_GUESTS", guests);
    let status = say::status(&mut cargo)?;
    Ok(if status.success() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
