//! The programs as they are shipped, and what must hold of them.

use std::fs;
use std::path::PathBuf;
use std::process::{ExitCode, Stdio};

use crate::build::PROGRAMS;
use crate::say::{self, Failure};
use crate::{order, places};

/// The most that the shipped runner may weigh, in bytes.
const RUNNER_CAP: u64 = 10_500_000;

/// What is shipped is built for. Named, so that `FLAGS` are the programs' and not the build scripts'.
const TARGET: &str = "x86_64-unknown-linux-gnu";

/// Static, with relocations in their short form: the loader is a fifth of a start. And a program that aborts on panic unwinds
/// nothing: the tables for it are a tenth of its size.
const FLAGS: &str =
    "-Ctarget-feature=+crt-static -Clink-arg=-Wl,-z,pack-relative-relocs -Cforce-unwind-tables=no";

/// `cargo xtask dist`: the shipped programs, and what must hold of them.
pub(crate) fn run() -> Result<ExitCode, Failure> {
    let folder = shipped()?;
    for (program, _) in PROGRAMS {
        let size = fs::metadata(folder.join(program))?.len();
        println!("{program}: {:.1} MB", size as f64 / 1e6);
        if program == "tidegate" && size > RUNNER_CAP {
            return Err(Failure::usage(format!("tidegate weighs {size} bytes, the cap is {RUNNER_CAP}")));
        }
    }
    order::check()?;
    runner_is_lean()?;
    println!("in {}", folder.display());
    Ok(ExitCode::SUCCESS)
}

/// Whether the runner is to name its functions, for what looks at it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Symbols {
    Stripped,
    Kept,
}

/// Builds the programs as they are shipped; the folder that they are in.
pub(crate) fn shipped() -> Result<PathBuf, Failure> {
    built(Symbols::Stripped)
}

/// The same, with or without symbols in the runner.
pub(crate) fn built(symbols: Symbols) -> Result<PathBuf, Failure> {
    for (program, package) in PROGRAMS {
        say::step(&format!("building {program} as shipped (LTO, a few minutes the first time)"));
        let arguments = [
            "rustc",
            "--locked",
            "--profile",
            "dist",
            "--target",
            TARGET,
            "--package",
            package,
            "--bin",
            program,
        ];
        let mut cargo = places::cargo();
        cargo.args(arguments).env("RUSTFLAGS", FLAGS);
        if program == "tidegate" {
            // Only of the last link, so that nothing is built again for it.
            let script = places::root().join("xtask/link/no-unwinding.ld");
            cargo.arg("--").arg(format!("-Clink-arg=-Wl,--no-eh-frame-hdr,-T,{}", script.display()));
            order::link(&mut cargo)?;
            if symbols == Symbols::Kept {
                cargo.arg("-Cstrip=none");
            }
        }
        say::run(&mut cargo)?;
    }
    Ok(places::target().join(TARGET).join("dist"))
}

/// The runner starts at once because it carries no compiler.
fn runner_is_lean() -> Result<(), Failure> {
    let arguments =
        ["tree", "--locked", "--package", "tidegate-cli", "--edges", "normal", "--prefix", "none"];
    let tree = places::cargo().args(arguments).stderr(Stdio::inherit()).output()?;
    let tree = String::from_utf8_lossy(&tree.stdout).into_owned();
    for crate_name in ["cranelift-codegen", "wasmtime-internal-cranelift", "regalloc2", "kube-client"] {
        if tree.lines().any(|line| line.starts_with(&format!("{crate_name} "))) {
            return Err(Failure::usage(format!(
                "tidegate links {crate_name}; see `cargo tree -p tidegate-cli`"
            )));
        }
    }
    Ok(())
}
